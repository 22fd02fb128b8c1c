//! `wallex-chaos bugs`: defects that are planted on purpose, each under the fault that brings it out.
//! The checker must catch every one, and nothing where none is planted.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;

use crate::context::Context;
use crate::matrix::{Kind, has_points, run_row, scale};
use crate::report::{self, Line};
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
    bug("skip-version-check", 17, BOTH),
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
    /// Puts the table into this page, too, between `<!-- bugs -->` and `<!-- /bugs -->`.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
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
    let mut table = Table::default();
    for kind in &options.databases {
        let line = run_row(MILD, "nothing planted", &cx, *kind);
        table.add("nothing planted", *kind, &line, false);
    }
    let wanted = |bug: &&Bug| options.only.is_empty() || options.only.iter().any(|o| o == bug.name);
    for bug in BUGS.iter().filter(wanted) {
        for kind in bug.databases.iter().filter(|kind| options.databases.contains(kind)) {
            cx.planted = Some(bug.name);
            cx.scale.injections = if bug.databases == POSTGRES { MANY } else { FEW };
            let line = run_row(bug.row, bug.name, &cx, *kind);
            table.add(bug.name, *kind, &line, true);
        }
    }
    if let Some(file) = &options.markdown {
        report::into_page(file, "bugs", &format!("Seed {seed}.\n\n{HEAD}{}", table.text))?;
    }
    Ok(table.failed)
}

const HEAD: &str = "| planted | database | row | what the checker says |\n|---|---|---|---|\n";

/// What became of the defects so far.
#[derive(Default)]
struct Table {
    text: String,
    failed: bool,
}

impl Table {
    /// Adds, and prints, what was caught and by which checks.
    fn add(&mut self, name: &str, kind: Kind, line: &Line, planted: bool) {
        let (verdict, wrong) = verdict(line, planted);
        self.failed |= wrong;
        let row = line.row;
        println!("{name:30} {:10} row {row:2}: {verdict} ({:.1?})", kind.name(), line.took);
        writeln!(self.text, "| {name} | {} | {row} | {verdict} |", kind.name())
            .expect("invariant: memory takes text");
        if wrong {
            for complaint in line.complaints() {
                println!("    {complaint}");
            }
        }
    }
}

/// What the checker says, and whether that is not as it should be. A trial that broke off has proved
/// nothing.
fn verdict(line: &Line, planted: bool) -> (String, bool) {
    let Ran::Done(verdict) = &line.ran else { return ("NOT RUN".to_owned(), true) };
    let checks = verdict.violations.iter().map(|violation| violation.check);
    let checks: BTreeSet<&str> = checks.filter(|check| *check != "trial").collect();
    let caught = checks.into_iter().collect::<Vec<_>>().join(", ");
    match (caught.is_empty(), planted) {
        (false, true) => (format!("caught: {caught}"), false),
        (true, true) => ("NOT CAUGHT".to_owned(), true),
        (true, false) if verdict.violations.is_empty() => ("nothing found".to_owned(), false),
        _ => ("SOMETHING FOUND".to_owned(), true),
    }
}
