//! The figures as tables.

use std::fmt::Write as _;

use super::figures::{Results, Row, Sighting};
use crate::figures::median_of;
use crate::table::table;

/// How soon a new wallet has to be visible on PostgreSQL, at the 99th percentile, in milliseconds.
const VISIBLE_TARGET_MS: u32 = 100;
const NOTHING: &str = "–";

const SPEEDS: [&str; 7] = [
    "Database",
    "What",
    "Events/s",
    "Lowest to highest round",
    "Target",
    "Plain SQL events/s",
    "÷ plain SQL",
];
const SIGHTINGS: [&str; 9] = [
    "Database",
    "Most creates/s",
    "Offered",
    "Created/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "Target p99",
    "Errors",
];

/// Both tables, and what went wrong.
pub(crate) fn report(results: &Results) -> String {
    let rows = results.rows();
    let sightings = results.median_sightings();
    let mut text = table(SPEEDS, 2, rows.iter().map(speed));
    let _ = writeln!(
        text,
        "\nFrom the answer to a create until the wallet is visible in the read model, at half of \
         the most creates there can be:\n"
    );
    text.push_str(&table(SIGHTINGS, 1, sightings.into_iter().map(sighting)));
    for Sighting { database, seen, .. } in &results.sightings {
        if let Some(error) = &seen.first_error {
            let _ = writeln!(text, "\nFirst error ({database}): {error}");
        }
    }
    text
}

fn speed(row: &Row) -> [String; SPEEDS.len()] {
    let or_nothing = |figure: Option<String>| figure.unwrap_or_else(|| NOTHING.to_owned());
    let whole = |figure: f64| format!("{figure:.0}");
    let ends = row.rates.first().zip(row.rates.last());
    [
        row.database.to_owned(),
        row.work.name(),
        or_nothing(row.median().map(whole)),
        or_nothing(ends.map(|(lowest, highest)| format!("{lowest:.0} to {highest:.0}"))),
        row.work.target().to_string(),
        or_nothing(median_of(&row.plain).map(whole)),
        or_nothing(median_of(&row.ratios).map(|ratio| format!("{ratio:.2}"))),
    ]
}

fn sighting(sighting: &Sighting) -> [String; SIGHTINGS.len()] {
    let Sighting { database, most, seen } = sighting;
    [
        (*database).to_owned(),
        format!("{most:.0}"),
        format!("{:.0}", seen.offered),
        format!("{:.0}", seen.rate),
        format!("{:.2}", sighting.percentile_ms(50.0)),
        format!("{:.2}", sighting.percentile_ms(95.0)),
        format!("{:.2}", sighting.percentile_ms(99.0)),
        VISIBLE_TARGET_MS.to_string(),
        seen.errors.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projections::figures::tests::two_rounds;

    #[test]
    fn every_figure_stands_beside_its_target() {
        let text = report(&two_rounds());
        let line = |part: &str| {
            let line = text.lines().find(|line| line.contains(part)).expect("a line");
            line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
        };
        let ledger = line("`ledger`");
        assert_eq!(ledger[3..8], ["24000", "24000 to 30000", "20000", "60000", "0.30"]);
        assert_eq!(line("drift")[5..8], ["50000", "–", "–"]);
        assert_eq!(line(" 200 |")[2..6], ["200", "100", "99", "9.01"]);
    }
}
