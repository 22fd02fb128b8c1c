//! Rows 10 to 12: a disk that is slow, full, or without power.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};
use wallex_testkit::{Backend, PostgresOptions, PrivatePostgres, TempDatabase};

use super::Ran;
use super::clients::check_live;
use crate::context::Context;
use crate::disk::{Disk, Throttle, family};
use crate::history::Outcome;
use crate::tables::{Look, text};
use crate::trial::Trial;

/// What a disk of a hundred years ago does.
const WRITES_PER_SECOND: u32 = 15;
const SLOW: Duration = Duration::from_secs(3);
/// So many wait for a slow disk; more are told to come back.
const QUEUE: &str = "4";
const CLIENTS_FACTOR: usize = 4;
/// Of a cluster, or of a file, and their logs; what nobody writes takes no room.
const POSTGRES_MIB: u64 = 1024;
const SQLITE_MIB: u64 = 256;
/// What is left of a full disk.
const LEFT_KIB: u64 = 96;
const FULL_MAX: Duration = Duration::from_secs(180);
/// Commands that are refused before the disk is freed.
const REFUSED: usize = 30;
const LOOK: Duration = Duration::from_millis(20);

/// Row 10.
pub(crate) async fn slow(cx: &Context, backend: Backend) -> Result<Ran> {
    let throttle = match Throttle::new(&std::env::temp_dir(), WRITES_PER_SECOND) {
        Ok(throttle) => throttle,
        Err(error) => return Ok(Ran::NotRun(format!("{error:#}"))),
    };
    drop(throttle);
    let mut scale = cx.scale;
    scale.clients *= CLIENTS_FACTOR;
    let queue = vec![("WALLEX_LANE_QUEUE_LEN_MAX", QUEUE.to_owned())];
    let mut trial = cx.begin(scale, cx.database(backend).await?, 1, queue).await?;
    for _ in 0..trial.scale.injections {
        let shed = not_done(&trial);
        let throttle = Throttle::new(&std::env::temp_dir(), WRITES_PER_SECOND)?;
        throttle.add_family(match backend {
            Backend::Sqlite => trial.stand.servers[0].process_id(),
            Backend::Postgres => cx.cluster()?.process_id()?,
        })?;
        sleep(SLOW).await;
        let address = trial.stand.servers[0].address().to_owned();
        check_live(&mut trial, &address).await;
        drop(throttle);
        trial.injected();
        if not_done(&trial) == shed {
            trial.findings.add("slow disk", "nobody was told to come back");
        }
        trial.recovers().await;
        trial.busy().await?;
    }
    trial.finish().await.map(Ran::Done)
}

/// How often clients were told that nothing was done.
fn not_done(trial: &Trial) -> usize {
    let entries = trial.load.shared.history.entries();
    entries.iter().filter(|entry| matches!(entry.outcome, Outcome::NotDone(_))).count()
}

/// A database on a disk of its own.
struct OnDisk {
    trial: Trial,
    /// Before the disk: it is stopped before that is unmounted.
    cluster: Option<PrivatePostgres>,
    disk: Disk,
}

async fn on_disk(cx: &Context, backend: Backend, disk: Disk) -> Result<OnDisk> {
    let (cluster, database) = match backend {
        Backend::Sqlite => (None, sqlite_in(&disk.path())),
        Backend::Postgres => {
            let options = PostgresOptions {
                fsync: true,
                max_connections: 60,
                parent: Some(disk.path()),
                settings: vec![
                    ("min_wal_size".to_owned(), "32MB".to_owned()),
                    ("max_wal_size".to_owned(), "64MB".to_owned()),
                ],
            };
            let cluster = block_in_place(|| PrivatePostgres::start(&options))?;
            let database = TempDatabase::of_cluster(&cluster);
            (Some(cluster), database)
        }
    };
    let acquire = vec![("WALLEX_DB_ACQUIRE_TIMEOUT_MS", "1000".to_owned())];
    // The tests make their clusters without waiting for the disk.
    disk.sync()?;
    let trial = cx.begin(cx.scale, database, 1, acquire).await?;
    Ok(OnDisk { trial, cluster, disk })
}

fn sqlite_in(folder: &Path) -> TempDatabase {
    TempDatabase::at(format!("sqlite://{}", folder.join("wallex.db").display()))
}

fn new_disk(backend: Backend) -> Result<Disk> {
    Disk::new(if backend == Backend::Postgres { POSTGRES_MIB } else { SQLITE_MIB })
}

/// Row 11.
pub(crate) async fn full(cx: &Context, backend: Backend) -> Result<Ran> {
    let disk = match new_disk(backend) {
        Ok(disk) => disk,
        Err(error) => return Ok(Ran::NotRun(format!("{error:#}"))),
    };
    let OnDisk { mut trial, mut cluster, disk } = on_disk(cx, backend, disk).await?;
    for _ in 0..trial.scale.injections.div_ceil(2) {
        let refused = not_done(&trial);
        disk.fill(LEFT_KIB)?;
        let deadline = Instant::now() + FULL_MAX;
        while not_done(&trial) < refused + REFUSED {
            ensure!(Instant::now() < deadline, "the disk is never full");
            sleep(LOOK).await;
        }
        disk.free()?;
        trial.injected();
        if let Some(cluster) = &mut cluster
            && !is_running(cluster)
        {
            // PostgreSQL stops when it can't write its log; starting it again is its operator's part.
            block_in_place(|| cluster.start_again())?;
        }
        trial.recovers().await;
        trial.busy().await?;
    }
    let verdict = trial.finish().await?;
    drop((cluster, disk));
    Ok(Ran::Done(verdict))
}

fn is_running(cluster: &PrivatePostgres) -> bool {
    let process = cluster.process_id().ok().and_then(|id| i32::try_from(id).ok());
    let process = process.and_then(Pid::from_raw);
    process.is_some_and(|process| rustix::process::test_kill_process(process).is_ok())
}

/// Row 12.
pub(crate) async fn without_power(cx: &Context, backend: Backend) -> Result<Ran> {
    let disk = match new_disk(backend) {
        Ok(disk) => disk,
        Err(error) => return Ok(Ran::NotRun(format!("{error:#}"))),
    };
    let OnDisk { mut trial, mut cluster, disk } = on_disk(cx, backend, disk).await?;
    for n in 0..trial.scale.injections {
        // It can't be read any more once the power is gone.
        let postgres = cluster.as_ref().map(PrivatePostgres::process_id).transpose()?;
        // Everything stops at the same moment: nobody lives to see a disk that is gone.
        trial.stand.servers[0].freeze();
        signal_family(postgres, Signal::STOP)?;
        disk.cut_power()?;
        trial.stand.servers[0].kill_nine();
        signal_family(postgres, Signal::KILL)?;
        disk.power_up(n)?;
        if let Some(cluster) = &mut cluster {
            block_in_place(|| cluster.start_again())?;
        }
        trial.injected();
        trial.restart(0).await;
        trial.recovers().await;
        trial.busy().await?;
        if backend == Backend::Sqlite {
            check_integrity(&mut trial).await?;
        }
    }
    let verdict = trial.finish().await?;
    drop((cluster, disk));
    Ok(Ran::Done(verdict))
}

/// Stops every process of a cluster, or kills it and waits until all are gone.
fn signal_family(parent: Option<u32>, signal: Signal) -> Result<()> {
    let Some(parent) = parent else { return Ok(()) };
    let processes = family(parent)?.into_iter();
    let processes: Vec<Pid> =
        processes.filter_map(|id| Pid::from_raw(i32::try_from(id).ok()?)).collect();
    for process in &processes {
        kill_process(*process, signal).ok();
    }
    let lives = |process: &Pid| rustix::process::test_kill_process(*process).is_ok();
    while signal == Signal::KILL && processes.iter().any(lives) {
        std::thread::sleep(LOOK);
    }
    Ok(())
}

async fn check_integrity(trial: &mut Trial) -> Result<()> {
    let look = Look::at(&trial.stand.database).await?;
    for row in look.rows("PRAGMA integrity_check").await? {
        let said = text(&row, "integrity_check")?;
        if said != "ok" {
            trial.findings.add("integrity", said);
        }
    }
    Ok(())
}
