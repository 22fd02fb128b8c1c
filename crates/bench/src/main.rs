//! What Wallex does on this machine: the release binary on both databases, beside plain SQL on the
//! same server in the same run.
//!
//! ```text
//! cargo run --release -p wallex-bench
//! cargo run --release -p wallex-bench -- --only creates --rounds 1 --seconds 2
//! ```

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

mod baseline;
mod bench;
mod charts;
mod databases;
mod effect;
mod figures;
mod http;
mod load;
mod machine;
mod parts;
mod postgres;
mod projections;
mod report;
mod request;
mod seed;
mod server;
mod site;
mod table;
mod tables;
mod timeline;
mod traffic;
mod usage;
mod verdicts;
mod wallet;
mod zipf;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::task::LocalSet;

use crate::bench::Bench;
use crate::load::Timing;
use crate::machine::Facts;
use crate::projections::{Projections, Results};
use crate::report::Run;

/// A second of warm-up for five that are measured.
const WARM_UP_SHARE: f64 = 0.2;
const QUICK_SECONDS: f64 = 1.0;
const QUICK_BACKLOG: u64 = 20_000;
/// What a first impression leaves out: what takes minutes by itself.
const NOT_QUICK: [Part; 4] = [Part::Mix, Part::Timeline, Part::Growth, Part::Projections];

/// Measure what Wallex does on this machine, beside plain SQL.
///
/// Builds the release binary first, unless WALLEX_TEST_BINARY names one. Everything is made in the
/// system's temporary folder, which must be on a disk, and is removed.
#[derive(Debug, Parser)]
struct Options {
    /// How long each load is measured, in seconds; a fifth of it is warm-up before.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// On which databases.
    #[arg(long, value_delimiter = ',', default_values = ["postgres", "sqlite"])]
    databases: Vec<Kind>,
    /// How often everything is measured; the median is shown.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many events the projectors catch up with.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    backlog: u64,
    /// Measure only these parts.
    #[arg(long, value_delimiter = ',', value_name = "PART")]
    only: Vec<Part>,
    /// One round of a second a load, and not all loads: a first impression, and no figure to quote.
    #[arg(long, conflicts_with_all = ["seconds", "rounds", "backlog"])]
    quick: bool,
    /// Writes the page of the documentation, which has all parts, to this file, too.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "quick"])]
    markdown: Option<PathBuf>,
    /// Draws the charts of what was measured into this folder.
    #[arg(long, value_name = "FOLDER")]
    charts: Option<PathBuf>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Creates over HTTP, beside what writes the same rows by plain SQL.
    Creates,
    /// Credits and transfers.
    Movements,
    /// A mix of everything, most of it on few wallets.
    Mix,
    /// Reads by id, beside plain SQL.
    Reads,
    /// Creates and reads by id with an API key, beside a server that is open.
    Keys,
    /// Creates with metrics on, beside metrics off, and with traces exported.
    Overhead,
    /// Latency at a fixed rate of arrival.
    OpenLoop,
    /// Three times as much as there can be.
    Overload,
    /// Every load at 1 to 10,000 connections.
    Connections,
    /// Throughput and lag over time.
    Timeline,
    /// Creates and credits with 0, 1 and 10 million events stored.
    Growth,
    /// Projectors that catch up, what they let see and when, rebuild and drift.
    Projections,
}

impl Part {
    /// In the order in which they are run.
    const ALL: [Self; 12] = [
        Self::Creates,
        Self::Movements,
        Self::Mix,
        Self::Reads,
        Self::Keys,
        Self::Overhead,
        Self::OpenLoop,
        Self::Overload,
        Self::Connections,
        Self::Timeline,
        Self::Growth,
        Self::Projections,
    ];

    const fn title(self) -> &'static str {
        match self {
            Self::Creates => "Creates",
            Self::Movements => "Movements",
            Self::Mix => "Mix",
            Self::Reads => "Reads",
            Self::Keys => "Keys",
            Self::Overhead => "Overhead",
            Self::OpenLoop => "Open loop",
            Self::Overload => "Overload",
            Self::Connections => "By connections",
            Self::Timeline => "Over time",
            Self::Growth => "Growth",
            Self::Projections => "Projections",
        }
    }
}

/// Which database the server runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Postgres,
    Sqlite,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    server::build()?;
    wallex_testkit::allow_many_files()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime can't be started")?;
    runtime.block_on(LocalSet::new().run_until(run(options)))
}

impl Options {
    fn parts(&self) -> Vec<Part> {
        let wanted = |part: &Part| match self.only.as_slice() {
            [] => !(self.quick && NOT_QUICK.contains(part)),
            only => only.contains(part),
        };
        Part::ALL.into_iter().filter(wanted).collect()
    }

    fn timing(&self) -> Result<Timing> {
        let seconds = if self.quick { QUICK_SECONDS } else { self.seconds };
        let measured = Duration::try_from_secs_f64(seconds).context("--seconds")?;
        Ok(Timing { warm_up: measured.mul_f64(WARM_UP_SHARE), measured })
    }
}

async fn run(options: Options) -> Result<()> {
    let began = Instant::now();
    let timing = options.timing()?;
    let rounds = if options.quick { 1 } else { options.rounds };
    let events = if options.quick { QUICK_BACKLOG } else { options.backlog };
    let folder = std::env::temp_dir();
    let mut facts = machine::facts(&folder)?;
    let mut bench = Bench::new(timing, rounds, options.databases.clone(), &folder);
    bench.quick = options.quick;
    let parts = options.parts();
    for part in &parts {
        eprintln!("== {}, after {:.0?}", part.title(), began.elapsed());
        parts::run(&mut bench, *part).await?;
    }
    let Bench { databases, figures, timelines, facts: found, .. } = bench;
    note(&mut facts, databases.close().await?);
    note(&mut facts, found);
    let mut projections = Projections { timing, rounds, events, results: Results::default() };
    if parts.contains(&Part::Projections) {
        for kind in options.databases {
            note(&mut facts, projections.measure(kind, &folder).await?);
        }
        println!("\n{}", projections::report(&projections.results));
    }
    println!("\n{}", report::plain(&figures));
    let minutes = began.elapsed().as_secs().div_ceil(60);
    eprintln!("took {:.0?}", began.elapsed());
    if let Some(folder) = options.charts {
        charts::write(&folder, &figures, &timelines)?;
    }
    if let Some(file) = options.markdown {
        let date = OffsetDateTime::now_utc()
            .format(format_description!("[year]-[month]-[day]"))
            .context("the date")?;
        let run = Run { timing, rounds, events, date, minutes, facts };
        write(&file, &report::markdown(&run, &figures, &projections.results))?;
    }
    Ok(())
}

/// Adds what is not known yet.
fn note(facts: &mut Facts, found: Facts) {
    for fact in found {
        if !facts.contains(&fact) {
            facts.push(fact);
        }
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| file.display().to_string())
}
