//! docs/METRICS.md and `/metrics` say the same.

use std::collections::BTreeMap;
use std::path::Path;

use wallex_testkit::{TempDatabase, on_both_databases};

use crate::prometheus_tools::promtool;
use crate::scrape::{Family, after_work, families};

on_both_databases!(the_page_lists_what_a_server_shows);

/// What Prometheus' conventions have against names that are given.
const GIVEN_NAMES: &[&str] = &[
    "projector_error_rate counter metrics should have \"_total\" suffix",
    "wallet_create_duration_ms metric names should not contain abbreviated units",
];

/// The metrics of docs/METRICS.md; a row is `name | type | labels | unit | meaning | what to do`.
fn page() -> BTreeMap<String, Family> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/METRICS.md");
    let page = std::fs::read_to_string(path).expect("docs/METRICS.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, labels, unit, meaning, what_to_do] = cells[..] else {
            panic!("six columns: {row}")
        };
        for (column, cell) in [("unit", unit), ("meaning", meaning), ("cure", what_to_do)] {
            assert!(!cell.is_empty(), "{name} has no {column}");
        }
        let labels = labels.split(", ").filter(|label| *label != "none");
        let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
        (name.trim_matches('`').to_owned(), Family { kind: kind.to_owned(), labels })
    })
    .collect()
}

async fn the_page_lists_what_a_server_shows(database: TempDatabase) {
    let text = after_work(&database).await;
    let (shown, listed) = (families(&text), page());
    for (name, family) in &shown {
        let row = listed.get(name).unwrap_or_else(|| panic!("{name} is not in docs/METRICS.md"));
        assert_eq!(row, family, "the row of {name} in docs/METRICS.md");
    }
    for name in listed.keys() {
        assert!(shown.contains_key(name), "{name} is in docs/METRICS.md and not in\n{text}");
    }
    let (_, findings) = promtool(Path::new("."), &["check", "metrics"], &text);
    for finding in findings.lines() {
        assert!(GIVEN_NAMES.contains(&finding), "promtool: {finding}");
    }
}
