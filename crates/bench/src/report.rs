//! The figures as tables, and as a page of the documentation.

use std::fmt::Write as _;

use crate::baseline::ARRAY_WALLETS;
use crate::figures::{Figures, How, Row};
use crate::load::{Timing, percentile_ms};
use crate::machine::Facts;
use crate::parts::{COMPARED, MANY, QUEUE};
use crate::projections::{self, Results};
use crate::seed::POPULATION;
use crate::table::table;
use crate::verdicts::verdict_table;
use crate::{Part, charts};

/// How the figures came about.
pub(crate) struct Run {
    pub(crate) timing: Timing,
    pub(crate) rounds: u32,
    /// Events of the backlog.
    pub(crate) events: u64,
    pub(crate) date: String,
    /// What the whole run took, in minutes.
    pub(crate) minutes: u64,
    pub(crate) facts: Facts,
}

const NOTHING: &str = "–";
const HEADINGS: [&str; 9] = [
    "Database",
    "Load",
    "Connections",
    "Commands/s",
    "Lowest to highest round",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "Errors",
];
const COSTS: [&str; 8] = [
    "Database",
    "Load",
    "Connections",
    "Server µs",
    "PostgreSQL µs",
    "Generator µs",
    "Bytes written",
    "Fsyncs",
];
/// The first columns hold words.
const LEFT_ALIGNED: usize = 2;
/// Where what a command takes is shown: the loads that differ in kind.
const COST_PARTS: [Part; 6] =
    [Part::Creates, Part::Movements, Part::Mix, Part::Reads, Part::Keys, Part::Overhead];

fn speeds(row: &Row<'_>) -> [String; HEADINGS.len()] {
    let median = row.median();
    let (lowest, highest) = row.spread();
    [
        row.load.kind.name().to_owned(),
        row.load.name(),
        median.connections.to_string(),
        format!("{:.0}", median.rate),
        format!("{lowest:.0} to {highest:.0}"),
        format!("{:.2}", median.percentile_ms(50.0)),
        format!("{:.2}", median.percentile_ms(95.0)),
        format!("{:.2}", median.percentile_ms(99.0)),
        row.errors().to_string(),
    ]
}

fn costs(row: &Row<'_>) -> [String; COSTS.len()] {
    let median = row.median();
    let usage = median.usage.unwrap_or_default();
    let or_nothing = |figure: Option<f64>, digits: usize| {
        figure.map_or_else(|| NOTHING.to_owned(), |figure| format!("{figure:.digits$}"))
    };
    [
        row.load.kind.name().to_owned(),
        row.load.name(),
        median.connections.to_string(),
        or_nothing(usage.server_us, 1),
        or_nothing(usage.postgres_us, 1),
        format!("{:.1}", usage.generator_us),
        format!("{:.0}", usage.bytes_written),
        or_nothing(usage.fsyncs, 3),
    ]
}

fn speed_table(rows: &[Row<'_>], part: Part) -> Option<String> {
    let rows: Vec<_> = rows.iter().filter(|row| row.load.part == part).collect();
    (!rows.is_empty()).then(|| table(HEADINGS, LEFT_ALIGNED, rows.into_iter().map(speeds)))
}

fn cost_table(rows: &[Row<'_>]) -> String {
    let rows = rows.iter().filter(|row| COST_PARTS.contains(&row.load.part));
    table(COSTS, LEFT_ALIGNED, rows.map(costs))
}

/// How those were refused that were too many, round by round.
fn refusals(figures: &Figures) -> String {
    let mut text = String::new();
    for sample in &figures.samples {
        let refused = &sample.measurement.overloaded_us;
        if sample.load.part != Part::Overload || sample.load.how == How::Closed {
            continue;
        }
        let _ = writeln!(
            text,
            "- {}, round {}: {} answers 503 in the measured time, p50 {:.1} ms and p99 {:.1} ms \
             after their intended start; {} requests were due at the end and never sent.",
            sample.load.kind.name(),
            sample.round,
            refused.len(),
            percentile_ms(refused, 50.0),
            percentile_ms(refused, 99.0),
            sample.unsent,
        );
    }
    text
}

/// What went wrong.
fn errors(rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    for row in rows {
        if let Some(error) = row.first_error() {
            let (database, name) = (row.load.kind.name(), row.load.name());
            let connections = row.median().connections;
            let _ = writeln!(
                text,
                "First error ({database}, {name}, {connections} connections): {error}\n"
            );
        }
    }
    text
}

/// What is printed.
pub(crate) fn plain(figures: &Figures) -> String {
    let rows = figures.rows();
    let mut text = String::new();
    for part in Part::ALL {
        if let Some(table) = speed_table(&rows, part) {
            let _ = writeln!(text, "{}:\n\n{table}", part.title());
        }
    }
    let _ = writeln!(text, "What a command takes:\n\n{}", cost_table(&rows));
    for more in [refusals(figures), errors(&rows)] {
        if !more.is_empty() {
            let _ = writeln!(text, "{more}");
        }
    }
    let _ = writeln!(text, "Targets:\n\n{}", verdict_table(figures));
    text
}

/// What docs/BENCHMARKS.md holds.
pub(crate) fn markdown(run: &Run, figures: &Figures, results: &Results) -> String {
    let rows = figures.rows();
    let facts = run.facts.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "| {name} | {value} |");
        text
    });
    let loads = Part::ALL.iter().fold(String::new(), |mut text, part| {
        if let Some(table) = speed_table(&rows, *part) {
            let _ = writeln!(text, "### {}\n\n{table}", part.title());
        }
        if *part == Part::Overload {
            let _ = writeln!(text, "{}", refusals(figures));
        }
        text
    });
    let charts = charts::NAMES.iter().fold(String::new(), |mut text, (file, title)| {
        let _ = writeln!(text, "![{title}](benchmarks/{file})\n");
        text
    });
    let seconds = |time: std::time::Duration| time.as_secs_f64().to_string();
    include_str!("page.md")
        .replace("{verdicts}", verdict_table(figures).trim_end())
        .replace("{charts}", charts.trim_end())
        .replace("{loads}", loads.trim_end())
        .replace("{costs}", cost_table(&rows).trim_end())
        .replace("{errors}", errors(&rows).trim_end())
        .replace("{projections}", projections::report(results).trim_end())
        .replace("{connections}", &projections::CONNECTIONS.to_string())
        .replace("{sampled}", &projections::SAMPLED.to_string())
        .replace("{events}", &run.events.to_string())
        .replace("{rounds}", &run.rounds.to_string())
        .replace("{seconds}", &seconds(run.timing.measured))
        .replace("{longer}", &seconds(crate::timeline::longer(run.timing.measured)))
        .replace("{warm_up}", &seconds(run.timing.warm_up))
        .replace("{compared}", &COMPARED.to_string())
        .replace("{many}", &MANY.to_string())
        .replace("{arrays}", &ARRAY_WALLETS.to_string())
        .replace("{queue}", &QUEUE.to_string())
        .replace("{population}", &POPULATION.to_string())
        .replace("{minutes}", &run.minutes.to_string())
        .replace("{date}", &run.date)
        .replace("{facts}", facts.trim_end())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::figures::tests::three_rounds;

    #[test]
    fn the_table_is_straight_and_shows_medians() {
        let figures = three_rounds();
        let table = speed_table(&figures.rows(), Part::Creates).expect("creates");
        let lengths: Vec<_> = table.lines().map(|line| line.chars().count()).collect();
        assert_eq!(lengths, vec![lengths[0]; 5]);
        let line = table.lines().nth(3).expect("a line");
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let shown = ["PostgreSQL", "create", "64", "3000", "1000 to 4000", "1.50"];
        assert_eq!(cells[1..7], shown);
        assert!(speed_table(&figures.rows(), Part::Mix).is_none());
    }

    #[test]
    fn the_page_has_no_gap_left() {
        let seconds = Duration::from_secs;
        let run = Run {
            timing: Timing { warm_up: seconds(1), measured: seconds(5) },
            rounds: 3,
            events: 200_000,
            date: "2026-01-01".to_owned(),
            minutes: 7,
            facts: vec![("Memory", "4 GB".to_owned())],
        };
        let page = markdown(&run, &three_rounds(), &Results::default());
        let page = page.replace("/wallets/{id}", "");
        assert!(!page.contains('{'), "{page}");
        let parts = ["1.00 to 3.00", "| Memory | 4 GB |", "2026-01-01", "](benchmarks/lag.svg)"];
        for part in parts {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
