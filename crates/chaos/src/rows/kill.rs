//! Rows 1 and 2: the server dies.

use std::time::Duration;

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;
use wallex_testkit::{Backend, Server};

use super::Ran;
use crate::context::Context;
use crate::tables::{Look, int};
use crate::trial::Trial;

/// Where a build for tests can be made to die, in every third fault each.
const AROUND_COMMIT: [&str; 3] = ["before-commit", "after-commit", "before-answer"];
/// A point is passed by every batch, or by every answer: so many times at most before it kills.
const PASSES_MAX: u64 = 60;
/// How long a server may take to reach the point that it dies at.
const REACHED_MAX: Duration = Duration::from_secs(30);
/// So many clients, so that batches are large.
const CLIENTS_FACTOR: usize = 3;

/// Row 1.
pub(crate) async fn around_commit(cx: &Context, backend: Backend) -> Result<Ran> {
    let mut trial = cx.trial(backend, 1, Vec::new()).await?;
    for n in 0..trial.scale.injections {
        let point = AROUND_COMMIT[usize::try_from(n).unwrap_or(0) % AROUND_COMMIT.len()];
        // A release build has no such points, so chance alone decides there where it dies.
        if cx.has_points && n % 4 != 3 {
            dies_at(&mut trial, point).await;
        } else {
            trial.stand.servers[0].kill_nine();
            trial.injected();
            trial.restart(0).await;
        }
        trial.recovers().await;
        trial.busy().await?;
    }
    trial.finish().await.map(Ran::Done)
}

/// Has the server die at `point`, and starts it again.
async fn dies_at(trial: &mut Trial, point: &str) {
    let passes = trial.rng.u64(1..PASSES_MAX);
    trial.stand.set("WALLEX_CRASH_AT", format!("{point}:{passes}"));
    trial.stand.servers[0].kill_nine();
    trial.restart(0).await;
    dies(&mut trial.stand.servers[0]).await;
    trial.injected();
    trial.stand.unset("WALLEX_CRASH_AT");
    trial.restart(0).await;
}

/// Waits until `server` has died at its point. One that does not come there, because nothing brings it there any
/// more, dies all the same.
pub(super) async fn dies(server: &mut Server) {
    if timeout(REACHED_MAX, server.wait()).await.is_err() {
        server.kill_nine();
    }
}

/// Row 2.
pub(crate) async fn in_a_batch(cx: &Context, backend: Backend) -> Result<Ran> {
    let mut scale = cx.scale;
    scale.clients *= CLIENTS_FACTOR;
    let database = cx.database(backend).await?;
    let mut trial = cx.begin(scale, database, 1, Vec::new()).await?;
    for _ in 0..trial.scale.injections {
        match backend {
            Backend::Sqlite if cx.has_points => dies_at(&mut trial, "mid-batch").await,
            Backend::Sqlite => {
                trial.stand.servers[0].kill_nine();
                trial.injected();
                trial.restart(0).await;
            }
            Backend::Postgres => {
                kill_a_writing_backend(&trial).await?;
                trial.injected();
            }
        }
        trial.recovers().await;
        trial.busy().await?;
    }
    trial.finish().await.map(Ran::Done)
}

/// Kills the process of PostgreSQL that writes a batch, if one is found at it, or else any that the
/// server is connected to. PostgreSQL then drops all connections, and recovers from its log.
async fn kill_a_writing_backend(trial: &Trial) -> Result<()> {
    let look = Look::at(&trial.stand.database).await?;
    let sql = "SELECT CAST(pid AS bigint) AS pid FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid() \
               ORDER BY (state = 'active' AND query LIKE '%shard_heads%') DESC, query_start DESC \
               LIMIT 1";
    for row in look.rows(sql).await? {
        let process = i32::try_from(int(&row, "pid")?)?;
        if let Some(process) = Pid::from_raw(process) {
            kill_process(process, Signal::KILL)?;
        }
    }
    Ok(())
}
