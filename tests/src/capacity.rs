//! docs/CAPACITY.md plans with figures that docs/BENCHMARKS.md has.

use std::collections::BTreeMap;

use crate::deployment::read;

/// A row of a table: its cells by the names of their columns.
type Row = BTreeMap<String, String>;

/// What a row is about; the other columns are its figures.
const ABOUT: [&str; 4] = ["Database", "Load", "What", "Connections"];

/// All rows of all tables of `page`.
fn rows(page: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut columns: Option<Vec<String>> = None;
    for line in page.lines() {
        let Some(inner) = line.strip_prefix('|').and_then(|line| line.trim_end().strip_suffix('|'))
        else {
            columns = None;
            continue;
        };
        let cells: Vec<_> = inner.split('|').map(|cell| cell.trim().to_owned()).collect();
        match &columns {
            None => columns = Some(cells),
            Some(_) if cells.iter().all(|cell| cell.chars().all(|c| "-: ".contains(c))) => {}
            Some(columns) => rows.push(columns.iter().cloned().zip(cells).collect()),
        }
    }
    rows
}

#[test]
fn every_figure_was_measured() {
    let measured = rows(&read("docs/BENCHMARKS.md"));
    let planned = rows(&read("docs/CAPACITY.md"));
    assert!(planned.len() > 20, "{} rows were found", planned.len());
    for row in planned {
        let same = |other: &&Row, column: &str| row.get(column) == other.get(column);
        // One load can be in several tables, as one part of a run or another.
        let about: Vec<_> =
            measured.iter().filter(|other| ABOUT.iter().all(|name| same(other, name))).collect();
        let is_there = about.iter().any(|other| row.keys().all(|name| same(other, name)));
        assert!(is_there, "docs/CAPACITY.md has {row:?}; docs/BENCHMARKS.md has {about:#?}");
    }
}
