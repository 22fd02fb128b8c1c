//! How fast wallets are created, and how fast projections follow: the release binary on both
//! databases, beside plain SQL on the same machine in the same run.
//!
//! ```text
//! cargo run --release -p wallex-bench
//! ```

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

mod figures;
mod http;
mod load;
mod machine;
mod plain_sql;
mod postgres;
mod projections;
mod report;
mod round;
mod server;
mod table;
mod tables;
mod wallet;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::task::LocalSet;

use crate::load::Timing;
use crate::machine::Facts;
use crate::projections::{Projections, Results};
use crate::report::Run;
use crate::round::Bench;
use crate::wallet::NewWallets;

/// A second of warm-up for five that are measured.
const WARM_UP_SHARE: f64 = 0.2;
const QUICK_SECONDS: f64 = 2.0;
const QUICK_BACKLOG: u64 = 20_000;

/// Measure how fast wallets are created and projected, beside plain SQL.
///
/// Builds the release binary first, unless WALLEX_TEST_BINARY names one. Everything is made in the
/// system's temporary folder, which must be on a disk, and is removed.
#[derive(Debug, Parser)]
struct Options {
    /// How long each load is measured, in seconds; a fifth of it is warm-up before.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many connections create at once, one load for each number. Plain SQL runs beside 64.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    connections: Vec<usize>,
    /// On which databases.
    #[arg(long, value_delimiter = ',', default_values = ["postgres", "sqlite"])]
    databases: Vec<Kind>,
    /// How often everything is measured; the median is shown.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many events the projectors catch up with.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    backlog: u64,
    /// Measure only this.
    #[arg(long)]
    only: Option<Part>,
    /// One round of two seconds a load and 20000 events: a first impression, and no figure to quote.
    #[arg(long, conflicts_with_all = ["seconds", "rounds", "backlog"])]
    quick: bool,
    /// Writes the page of the documentation, which has both parts, to this file, too.
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    markdown: Option<PathBuf>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Wallets that are created over HTTP.
    Creates,
    /// Projectors that catch up, what they let see and when, rebuild and drift.
    Projections,
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime can't be started")?;
    runtime.block_on(LocalSet::new().run_until(bench(options)))
}

async fn bench(options: Options) -> Result<()> {
    let seconds = if options.quick { QUICK_SECONDS } else { options.seconds };
    let rounds = if options.quick { 1 } else { options.rounds };
    let events = if options.quick { QUICK_BACKLOG } else { options.backlog };
    let measured = Duration::try_from_secs_f64(seconds).context("--seconds")?;
    let timing = Timing { warm_up: measured.mul_f64(WARM_UP_SHARE), measured };
    let folder = std::env::temp_dir();
    let mut facts = machine::facts(&folder)?;
    let mut note = |found: Facts| {
        for fact in found {
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
    };
    let mut bench = Bench {
        timing,
        connections: options.connections,
        wallets: NewWallets::default(),
        samples: Vec::new(),
    };
    let mut projections = Projections { timing, rounds, events, results: Results::default() };
    for kind in options.databases {
        if options.only != Some(Part::Projections) {
            note(match kind {
                Kind::Postgres => bench.postgres(rounds, folder.clone()).await?,
                Kind::Sqlite => bench.sqlite(rounds, &folder).await?,
            });
        }
        if options.only != Some(Part::Creates) {
            note(projections.measure(kind, &folder).await?);
        }
    }
    if options.only != Some(Part::Projections) {
        println!("\n{}", report::plain(&bench.samples));
    }
    if options.only != Some(Part::Creates) {
        println!("\n{}", projections::report(&projections.results));
    }
    if let Some(file) = options.markdown {
        let date = OffsetDateTime::now_utc()
            .format(format_description!("[year]-[month]-[day]"))
            .context("the date")?;
        let run = Run { timing, rounds, events, date, facts };
        let page = report::markdown(&run, &bench.samples, &projections.results);
        std::fs::write(&file, page).with_context(|| file.display().to_string())?;
    }
    Ok(())
}
