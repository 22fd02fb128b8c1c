//! The figures as a table, and as a page of the documentation.

use std::fmt::Write as _;

use crate::figures::{COMPARED_CONNECTIONS, Row, Sample, median_of, ratios, rows};
use crate::load::Timing;
use crate::machine::Facts;
use crate::projections::{self, Results};
use crate::table::table;

/// How the figures came about.
pub(crate) struct Run {
    pub(crate) timing: Timing,
    pub(crate) rounds: u32,
    /// Events of the backlog.
    pub(crate) events: u64,
    pub(crate) date: String,
    pub(crate) facts: Facts,
}

const HEADINGS: [&str; 9] = [
    "Database",
    "What creates",
    "Connections",
    "Creates/s",
    "Lowest to highest round",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "Errors",
];
/// The first columns hold words.
const LEFT_ALIGNED: usize = 2;

fn cells(row: &Row) -> [String; HEADINGS.len()] {
    let median = row.median();
    let (lowest, highest) = row.spread();
    [
        row.subject.database().to_owned(),
        row.subject.name().to_owned(),
        row.connections.to_string(),
        format!("{:.0}", median.rate),
        format!("{lowest:.0} to {highest:.0}"),
        format!("{:.2}", median.percentile_ms(50.0)),
        format!("{:.2}", median.percentile_ms(95.0)),
        format!("{:.2}", median.percentile_ms(99.0)),
        row.errors().to_string(),
    ]
}

fn creates_table(rows: &[Row]) -> String {
    table(HEADINGS, LEFT_ALIGNED, rows.iter().map(cells))
}

/// The headline, and what went wrong.
fn remarks(rows: &[Row], samples: &[Sample]) -> String {
    let mut text = String::new();
    let ratios = ratios(samples);
    if let (Some(median), Some(lowest), Some(highest)) =
        (median_of(&ratios), ratios.first(), ratios.last())
    {
        let _ = writeln!(
            text,
            "Creates over HTTP ÷ plain SQL, both at {COMPARED_CONNECTIONS} connections on \
             PostgreSQL: **{median:.2}** ({lowest:.2} to {highest:.2})."
        );
    }
    for row in rows {
        if let Some(error) = row.first_error() {
            let (database, connections) = (row.subject.database(), row.connections);
            let _ = writeln!(text, "First error ({database}, {connections} connections): {error}");
        }
    }
    text
}

/// What is printed.
pub(crate) fn plain(samples: &[Sample]) -> String {
    let rows = rows(samples);
    format!("{}\n{}", creates_table(&rows), remarks(&rows, samples))
}

/// What docs/BENCHMARKS.md holds.
pub(crate) fn markdown(run: &Run, samples: &[Sample], results: &Results) -> String {
    let rows = rows(samples);
    let facts = run.facts.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "| {name} | {value} |");
        text
    });
    include_str!("page.md")
        .replace("{table}", creates_table(&rows).trim_end())
        .replace("{remarks}", remarks(&rows, samples).trim_end())
        .replace("{projections}", projections::report(results).trim_end())
        .replace("{connections}", &projections::CONNECTIONS.to_string())
        .replace("{sampled}", &projections::SAMPLED.to_string())
        .replace("{events}", &run.events.to_string())
        .replace("{rounds}", &run.rounds.to_string())
        .replace("{seconds}", &run.timing.measured.as_secs_f64().to_string())
        .replace("{warm_up}", &run.timing.warm_up.as_secs_f64().to_string())
        .replace("{compared}", &COMPARED_CONNECTIONS.to_string())
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
        let rows = rows(&three_rounds());
        let table = creates_table(&rows);
        let lengths: Vec<_> = table.lines().map(str::len).collect();
        assert_eq!(lengths, vec![lengths[0]; 5]);
        let line = table.lines().nth(3).expect("a line");
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let shown = ["PostgreSQL", "`POST /wallets`", "64", "3000", "1000 to 4000", "1.50"];
        assert_eq!(cells[1..7], shown);
    }

    #[test]
    fn the_page_has_no_gap_left() {
        let seconds = Duration::from_secs;
        let run = Run {
            timing: Timing { warm_up: seconds(1), measured: seconds(5) },
            rounds: 3,
            events: 200_000,
            date: "2026-01-01".to_owned(),
            facts: vec![("Memory", "4 GB".to_owned())],
        };
        let page = markdown(&run, &three_rounds(), &Results::default());
        let page = page.replace("/wallets/{id}", "");
        assert!(!page.contains('{'), "{page}");
        for part in ["**2.00** (1.00 to 3.00)", "| Memory | 4 GB |", "2026-01-01"] {
            assert!(page.contains(part), "{page}");
        }
    }
}
