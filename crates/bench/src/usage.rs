//! What a command takes: processor time of each process, bytes written, and waits for the disk.
//!
//! Read at the beginning and at the end of the measured time, while the load runs. Processor times
//! come from `/proc/PID/stat`, which counts in hundredths of a second.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep_until};
use wallex_testkit::Server;

use crate::load::Window;
use crate::tables::Tables;

/// Transactions of commands, and of projectors: each waits for the disk once.
const TRANSACTIONS: [&str; 2] =
    ["wallex_lane_commit_duration_seconds_count", "wallex_projector_batch_duration_seconds_count"];
/// Up to where PostgreSQL has written its log, in bytes.
const WAL_BYTES: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')";
/// How often it has waited for the disk. Its processes report that once a second at most, so that a
/// short load is off by some of them.
const WAL_SYNCS: &str = "SELECT wal_sync FROM pg_stat_wal";

/// What one command took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Processor time of the server in microseconds; none where there is no server.
    pub(crate) server_us: Option<f64>,
    /// Of all processes of PostgreSQL together.
    pub(crate) postgres_us: Option<f64>,
    /// Of this program.
    pub(crate) generator_us: f64,
    /// PostgreSQL: of its log. SQLite: all that the server wrote.
    pub(crate) bytes_written: f64,
    /// PostgreSQL: of its log. SQLite: transactions.
    pub(crate) fsyncs: Option<f64>,
}

/// Reads what is taken.
pub(crate) struct Meter<'a> {
    pub(crate) server: Option<&'a Server>,
    /// The process that all of PostgreSQL's are children of; none on SQLite.
    pub(crate) postmaster: Option<u32>,
    pub(crate) tables: &'a Tables,
}

/// What was taken between two readings.
#[derive(Debug)]
pub(crate) struct Spent {
    from: Reading,
    until: Reading,
}

/// What was taken so far.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    server: Option<Duration>,
    postgres: Option<Duration>,
    generator: Duration,
    /// Asking the database and the server takes a while on a busy machine.
    counted_at: Instant,
    bytes: f64,
    fsyncs: Option<f64>,
}

impl Meter<'_> {
    /// What is taken in the measured time.
    pub(crate) async fn measure(&self, window: Window) -> Result<Spent> {
        sleep_until(window.from).await;
        let from = self.read().await?;
        sleep_until(window.until).await;
        let until = self.read().await?;
        Ok(Spent { from, until })
    }

    async fn read(&self) -> Result<Reading> {
        let at = Instant::now();
        let server = self.server.map(|server| cpu_of(server.process_id())).transpose()?;
        let postgres = self.postmaster.map(cpu_of_family).transpose()?;
        let generator = cpu_of(std::process::id())?;
        let (bytes, fsyncs) = if self.postmaster.is_some() {
            let syncs = self.tables.number(WAL_SYNCS).await;
            (self.tables.number(WAL_BYTES).await?, syncs.ok())
        } else {
            let server = self.server.context("invariant: SQLite is a part of the server")?;
            let metrics = server.client().get("/metrics").try_send().await?.text;
            (written_by(server.process_id())?, Some(transactions(&metrics)))
        };
        let (bytes, fsyncs) = (as_f64(bytes), fsyncs.map(as_f64));
        Ok(Reading { at, server, postgres, generator, counted_at: Instant::now(), bytes, fsyncs })
    }
}

impl Spent {
    /// What a command took on average, at `rate` commands a second; none where none were done.
    pub(crate) fn at(&self, rate: f64) -> Option<Usage> {
        if rate <= 0.0 {
            return None;
        }
        let Self { from, until } = self;
        let commands = rate * (until.at - from.at).as_secs_f64();
        let cpu = |from: Duration, until: Duration| {
            until.saturating_sub(from).as_secs_f64() * 1_000_000.0 / commands
        };
        let both = |from: Option<Duration>, until: Option<Duration>| {
            from.zip(until).map(|(from, until)| cpu(from, until))
        };
        let counted = rate * (until.counted_at - from.counted_at).as_secs_f64();
        Some(Usage {
            server_us: both(from.server, until.server),
            postgres_us: both(from.postgres, until.postgres),
            generator_us: cpu(from.generator, until.generator),
            bytes_written: (until.bytes - from.bytes) / counted,
            fsyncs: from.fsyncs.zip(until.fsyncs).map(|(from, until)| (until - from) / counted),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "no counter here comes near 2^53")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

/// The process that started `child`.
pub(crate) fn parent_of(child: u32) -> Result<u32> {
    Ok(stat(child)?.parent)
}

/// Processor time of a process, all its threads together.
fn cpu_of(process: u32) -> Result<Duration> {
    Ok(ticks(stat(process)?.own))
}

/// Processor time of a process and its children, those included that are gone.
fn cpu_of_family(process: u32) -> Result<Duration> {
    let parent = stat(process)?;
    let processes = std::fs::read_dir("/proc").context("/proc")?.flatten();
    let alive = processes.filter_map(|entry| {
        // One that ends while we look counts among those that are gone next time.
        let stat = stat(entry.file_name().to_str()?.parse().ok()?).ok()?;
        (stat.parent == process).then_some(stat.own)
    });
    Ok(ticks(parent.own + parent.of_gone_children + alive.sum::<u64>()))
}

fn ticks(count: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_micros(count.saturating_mul(1_000_000) / per_second)
}

/// What is read of `/proc/PID/stat`; times in clock ticks, as a user and in the kernel together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    own: u64,
    of_gone_children: u64,
}

fn stat(process: u32) -> Result<Stat> {
    let path = format!("/proc/{process}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    parse_stat(&text).with_context(|| format!("{path} is not what proc(5) says: {text}"))
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name before may have anything in it, parentheses too. The state is field 3 of proc(5).
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: number(4)?.try_into().ok()?,
        own: number(14)? + number(15)?,
        of_gone_children: number(16)? + number(17)?,
    })
}

/// Bytes that a process had written to disks.
fn written_by(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/io");
    let text = std::fs::read_to_string(Path::new(&path)).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).with_context(|| format!("{path} has no write_bytes"))
}

/// Transactions that are counted in a server's `/metrics`.
fn transactions(metrics: &str) -> u64 {
    let counts = metrics.lines().filter_map(|line| {
        let (series, count) = line.rsplit_once(' ')?;
        let name = series.split('{').next()?;
        TRANSACTIONS.contains(&name).then(|| count.parse::<u64>().ok())?
    });
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_takes_its_share_of_what_was_taken() {
        let at = Instant::now();
        let reading = |seconds: u64, cpu_ms, bytes, fsyncs| Reading {
            at: at + Duration::from_secs(seconds),
            server: Some(Duration::from_millis(cpu_ms)),
            postgres: None,
            generator: Duration::from_millis(cpu_ms / 10),
            // The second reading takes a second longer than the first.
            counted_at: at + Duration::from_secs(2 * seconds),
            bytes,
            fsyncs: Some(fsyncs),
        };
        let spent =
            Spent { from: reading(0, 100, 0.0, 5.0), until: reading(2, 300, 4_000.0, 25.0) };
        let usage = spent.at(100.0).expect("commands were done");
        let near = |figure: f64, expected: f64| (figure - expected).abs() < 0.001;
        assert!(near(usage.server_us.expect("a server"), 1_000.0), "{usage:?}");
        assert!(near(usage.generator_us, 100.0), "{usage:?}");
        assert!(near(usage.bytes_written, 10.0), "{usage:?}");
        assert!(near(usage.fsyncs.expect("counted"), 0.05), "{usage:?}");
        assert!(usage.postgres_us.is_none());
    }

    #[test]
    fn a_process_whose_name_has_a_parenthesis_is_read() {
        let text = "7 (a) b) S 3 7 7 0 -1 4 1 2 3 4 50 60 7 8 20 0 1 0 99";
        let expected = Stat { parent: 3, own: 110, of_gone_children: 15 };
        assert_eq!(parse_stat(text), Some(expected));
        assert_eq!(parse_stat("7 (a) S 3"), None);
    }

    #[test]
    fn transactions_of_commands_and_of_projectors_are_counted() {
        let metrics = "\
# HELP wallex_lane_commit_duration_seconds Time
wallex_lane_commit_duration_seconds_bucket{le=\"0.1\"} 9
wallex_lane_commit_duration_seconds_sum 1.5
wallex_lane_commit_duration_seconds_count 10
wallex_projector_batch_duration_seconds_count{projector=\"ledger\"} 3
wallex_projector_batch_duration_seconds_count{projector=\"read_model\"} 4
";
        assert_eq!(transactions(metrics), 17);
    }
}
