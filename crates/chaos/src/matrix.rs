//! `wallex-chaos matrix`: every row on every database, and the table of what came of it.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wallex_testkit::{Backend, block_on, wallex_binary};

use crate::checker::Violation;
use crate::context::Context;
use crate::report::{self, Line};
use crate::rows::{self, ROWS, Ran};
use crate::trial::{Scale, Verdict};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Every row once, small: a few minutes.
    #[arg(long)]
    quick: bool,
    /// Makes the choices of the load and of the faults the same again.
    #[arg(long)]
    seed: Option<u64>,
    /// Only these rows.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<u8>,
    /// On which databases.
    #[arg(long, value_delimiter = ',', default_values = ["postgres", "sqlite"])]
    databases: Vec<Kind>,
    /// Puts the table into this page, too, between `<!-- matrix -->` and `<!-- /matrix -->`.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Which database the servers run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Postgres,
    Sqlite,
}

impl Kind {
    pub(crate) const fn backend(self) -> Backend {
        match self {
            Self::Postgres => Backend::Postgres,
            Self::Sqlite => Backend::Sqlite,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }
}

/// A quick run shows that every row works; only a full one says something of Wallex.
pub(crate) const fn scale(quick: bool, seed: u64) -> Scale {
    let settle = Duration::from_secs(45);
    if quick {
        let frozen = Duration::from_secs(8);
        Scale { seed, clients: 8, injections: 2, commands: 60, frozen, sockets: 500, settle }
    } else {
        let frozen = Duration::from_secs(30);
        Scale { seed, clients: 16, injections: 12, commands: 450, frozen, sockets: 10_000, settle }
    }
}

/// Runs it; whether something was wrong.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    allow_many_files()?;
    let has_points = has_points()?;
    let build = if has_points { "a build for tests" } else { "a release build" };
    println!("seed {seed}; {} is {build}", wallex_binary().display());
    let postgres = options.databases.contains(&Kind::Postgres);
    let cx = Context::new(scale(options.quick, seed), has_points, postgres)?;
    let began = Instant::now();
    // Both databases at once: most of a trial is waiting.
    let mut lines = std::thread::scope(|threads| {
        let running = options.databases.iter().map(|kind| {
            let cx = &cx;
            threads.spawn(move || run_rows(&options.rows, cx, *kind))
        });
        let running: Vec<_> = running.collect();
        let lines = running.into_iter().map(|thread| thread.join());
        lines.collect::<std::thread::Result<Vec<_>>>().map(|lines| lines.concat())
    })
    .map_err(|_| anyhow::anyhow!("a thread panicked"))?;
    lines.sort_by_key(|line| line.row);
    let (table, summary) = (report::table(&lines), report::summary(&lines));
    println!("\n{table}\n{summary}; seed {seed}; took {:.0?}", began.elapsed());
    if let Some(file) = &options.markdown {
        let took = format!("{:.0?}", began.elapsed());
        let text = format!("Seed {seed}, {build}, {took}: {summary}.\n\n{table}");
        report::into_page(file, "matrix", &text)?;
    }
    Ok(lines.iter().any(|line| !line.complaints().is_empty()))
}

/// Thousands of sockets are as many files, here and in the servers that are started.
fn allow_many_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).context("the limit of open files can't be raised")
}

/// Whether the binary has what tests can break: a release build must not.
pub(crate) fn has_points() -> Result<bool> {
    let binary = wallex_binary();
    let bytes = std::fs::read(&binary).with_context(|| binary.display().to_string())?;
    let name = b"WALLEX_PLANTED_BUG";
    Ok(bytes.windows(name.len()).any(|window| window == name))
}

/// Runs the wanted rows, or all, on a database.
fn run_rows(wanted: &[u8], cx: &Context, kind: Kind) -> Vec<Line> {
    let rows = ROWS.iter().filter(|(row, _)| wanted.is_empty() || wanted.contains(row));
    let run = |(row, name): &(u8, &'static str)| {
        let line = run_row(*row, name, cx, kind);
        let complaints: String =
            line.complaints().iter().map(|complaint| format!("\n    {complaint}")).collect();
        println!("{row:>2} on {}: {} ({:.1?}){complaints}", kind.name(), told(&line), line.took);
        line
    };
    rows.map(run).collect()
}

fn told(line: &Line) -> String {
    match &line.ran {
        Ran::Done(Verdict { checked, violations, .. }) => {
            format!("{checked} requests checked, {} violations", violations.len())
        }
        Ran::NotMeant => "does not apply".to_owned(),
        Ran::NotRun(why) => format!("NOT RUN: {why}"),
    }
}

/// Runs a row on a database.
pub(crate) fn run_row(row: u8, name: &'static str, cx: &Context, kind: Kind) -> Line {
    let began = Instant::now();
    // A trial that breaks off has not passed, whatever broke.
    let running = AssertUnwindSafe(|| block_on(rows::run(row, cx, kind.backend())));
    let ran = std::panic::catch_unwind(running);
    let ran = match ran {
        Ok(Ok(ran)) => ran,
        Ok(Err(error)) => broken_off(format!("{error:#}")),
        Err(_) => broken_off("it panicked; the reason stands above".to_owned()),
    };
    Line { row, name, database: kind.name(), ran, took: began.elapsed() }
}

fn broken_off(what: String) -> Ran {
    let violations = vec![Violation { check: "trial", what }];
    Ran::Done(Verdict { injections: 0, checked: 0, violations, recovery: None })
}
