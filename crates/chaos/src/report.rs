//! The table of a run, for a terminal and for the documentation.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::rows::Ran;

/// A row of the matrix on one database.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) row: u8,
    pub(crate) name: &'static str,
    pub(crate) database: &'static str,
    pub(crate) ran: Ran,
    pub(crate) took: Duration,
}

impl Line {
    /// What is wrong with it, in sentences.
    pub(crate) fn complaints(&self) -> Vec<String> {
        match &self.ran {
            Ran::Done(verdict) => crate::checker::shown(&verdict.violations),
            _ => Vec::new(),
        }
    }

    fn cells(&self) -> [String; 7] {
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        let [injections, checked, violations, recovery] = match &self.ran {
            Ran::Done(verdict) => [
                verdict.injections.to_string(),
                verdict.checked.to_string(),
                verdict.violations.len().to_string(),
                verdict.recovery.map_or_else(|| "–".to_owned(), seconds),
            ],
            Ran::NotMeant => ["does not apply", "–", "–", "–"].map(str::to_owned),
            Ran::NotRun(why) => [format!("not run: {why}"), "–".into(), "–".into(), "–".into()],
        };
        let (row, name) = (self.row.to_string(), self.name.to_owned());
        [row, name, self.database.to_owned(), injections, checked, violations, recovery]
    }
}

const HEAD: [&str; 7] = [
    "#",
    "injected",
    "database",
    "injections",
    "requests checked",
    "violations",
    "recovery, longest",
];

/// The table as Markdown, which a terminal shows as well.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut rows: Vec<[String; 7]> = vec![HEAD.map(str::to_owned)];
    rows.extend(lines.iter().map(Line::cells));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEAD.len()).filter_map(width).collect();
    let mut text = String::new();
    for (n, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            write!(text, "| {cell:width$} ").expect("invariant: memory takes text");
        }
        text += "|\n";
        if n == 0 {
            for width in &widths {
                write!(text, "|{}", "-".repeat(width + 2)).expect("invariant: memory takes text");
            }
            text += "|\n";
        }
    }
    text
}

/// Puts `text` into a page, in place of what stands between `<!-- name -->` and `<!-- /name -->`.
///
/// # Errors
/// When the file can't be read or written, or has no such place.
pub(crate) fn into_page(file: &Path, name: &str, text: &str) -> Result<()> {
    let page = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let place = || format!("{} has no {begin} … {end}", file.display());
    let (before, rest) = page.split_once(&begin).with_context(place)?;
    let (_, after) = rest.split_once(&end).with_context(place)?;
    let page = format!("{before}{begin}\n\n{text}\n{end}{after}");
    std::fs::write(file, page).with_context(|| file.display().to_string())
}

/// One sentence about all of it.
pub(crate) fn summary(lines: &[Line]) -> String {
    let (mut ran, mut not_run, mut checked, mut injections, mut violations) = (0, 0, 0, 0, 0);
    for line in lines {
        match &line.ran {
            Ran::Done(verdict) => {
                ran += 1;
                checked += verdict.checked;
                injections += verdict.injections;
                violations += verdict.violations.len();
            }
            Ran::NotRun(_) => not_run += 1,
            Ran::NotMeant => {}
        }
    }
    format!(
        "{ran} trials, {injections} injections, {checked} requests checked, {violations} violations; \
         {not_run} not run"
    )
}
