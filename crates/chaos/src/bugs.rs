//! `wallex-chaos bugs`: defects that are planted on purpose, each under the fault that brings it out.
//! The checker must catch every one, and nothing where none is planted.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;

use crate::context::Context;
use crate::matrix::{Kind, has_points, run_row, scale};
use crate::report::Line;
use crate::rows::Ran;

/// What is planted, the row of the matrix that it is run under, and where.
struct Bug {
    name: &'static str,
    row: u8,
    databases: &'static [Kind],
}

const BOTH: &[Kind] = &[Kind::Postgres, Kind::Sqlite];
const POSTGRES: &[Kind] = &[Kind::Postgres];
/// A row whose faults are mild: what it catches would be caught without them.
const MILD: u8 = 25;
/// Faults under a defect; many where chance decides whether a fault brings it out.
const FEW: u64 = 2;
const MANY: u64 = 8;
/// A projection that has not caught up by then never will.
const SETTLE: Duration = Duration::from_secs(10);

const fn bug(name: &'static str, row: u8, databases: &'static [Kind]) -> Bug {
    Bug { name, row, databases }
}

/// They are planted where `wallex_ports::planted` is asked for them.
const BUGS: [Bug; 18] = [
    bug("acknowledge-before-commit", 1, BOTH),
    bug("lose-batch-tail", MILD, BOTH),
    bug("skip-version-check", 16, BOTH),
    bug("skip-if-match", MILD, BOTH),
    bug("conflict-taken-for-success", 17, POSTGRES),
    bug("debit-from-stale-state", MILD, BOTH),
    bug("lose-transfer-leg", MILD, BOTH),
    bug("transfer-twice", MILD, BOTH),
    bug("forget-key", MILD, BOTH),
    bug("replay-wrong-response", MILD, BOTH),
    bug("stale-read", MILD, BOTH),
    bug("drop-outbox-row", MILD, BOTH),
    bug("double-outbox-row", MILD, BOTH),
    bug("skip-event", MILD, BOTH),
    bug("checkpoint-outside-transaction", 3, BOTH),
    bug("lease-without-fencing", 18, BOTH),
    bug("lost-answer-taken-for-failure", 8, POSTGRES),
    bug("lost-answer-taken-for-success", 6, POSTGRES),
];

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// On which databases.
    #[arg(long, value_delimiter = ',', default_values = ["postgres", "sqlite"])]
    databases: Vec<Kind>,
    /// Makes the choices of the load and of the faults the same again.
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs them; whether one was not caught, or something was where nothing is planted.
pub(crate) fn run(options: &Options) -> Result<bool> {
    ensure!(has_points()?, "a release build has no planted defects: name a build for tests");
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("seed {seed}");
    let postgres = options.databases.contains(&Kind::Postgres);
    let mut scale = scale(true, seed);
    (scale.settle, scale.commands) = (SETTLE, 150);
    let mut cx = Context::new(scale, true, postgres)?;
    let mut failed = false;
    for kind in &options.databases {
        let line = run_row(MILD, "nothing planted", &cx, *kind);
        failed |= report("nothing planted", *kind, &line, false);
    }
    for bug in &BUGS {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == bug.name) {
            continue;
        }
        for kind in bug.databases.iter().filter(|kind| options.databases.contains(kind)) {
            cx.planted = Some(bug.name);
            cx.scale.injections = if bug.databases == POSTGRES { MANY } else { FEW };
            let began = Instant::now();
            let line = run_row(bug.row, bug.name, &cx, *kind);
            failed |= report(bug.name, *kind, &line, true);
            eprintln!("{:.1?}", began.elapsed());
        }
    }
    Ok(failed)
}

/// Prints what was caught, and by which checks; whether that is not as it should be.
fn report(name: &str, kind: Kind, line: &Line, planted: bool) -> bool {
    let Ran::Ran(verdict) = &line.ran else {
        println!("{name:32} {:10} NOT RUN", kind.name());
        return true;
    };
    // A trial that broke off has proved nothing.
    let checks = verdict.violations.iter().map(|violation| violation.check);
    let checks: BTreeSet<&str> = checks.filter(|check| *check != "trial").collect();
    let caught: Vec<&str> = checks.into_iter().collect();
    let (verdict, wrong) = match (caught.is_empty(), planted) {
        (false, true) => (format!("caught by {}", caught.join(", ")), false),
        (true, true) => ("NOT CAUGHT".to_owned(), true),
        (true, false) if line.complaints().is_empty() => ("nothing found".to_owned(), false),
        _ => ("SOMETHING FOUND".to_owned(), true),
    };
    println!("{name:32} {:10} row {:2}: {verdict}", kind.name(), line.row);
    if wrong || std::env::var_os("WALLEX_CHAOS_VERBOSE").is_some() {
        for complaint in line.complaints() {
            println!("    {complaint}");
        }
    }
    wrong
}
