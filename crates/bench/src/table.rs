//! A Markdown table whose columns are also straight on a terminal.

use std::fmt::Write as _;

/// Lines of text under `headings`. The first `left_aligned` columns hold words, the others numbers.
pub(crate) fn table<const COLUMNS: usize>(
    headings: [&str; COLUMNS],
    left_aligned: usize,
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut lines = vec![headings.map(str::to_owned)];
    lines.extend(rows);
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    });
    let rule = std::array::from_fn(|column| {
        let dashes = widths[column];
        if column < left_aligned {
            "-".repeat(dashes)
        } else {
            format!("{}:", "-".repeat(dashes - 1))
        }
    });
    lines.insert(1, rule);
    let mut text = String::new();
    for line in lines {
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let _ = if column < left_aligned {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
        }
        text.push_str("|\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_straight_whatever_is_in_them() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned);
        let table = table(["What", "÷"], 1, [row(["a longer name", "1.00"]), row(["b", "–"])]);
        let expected = "\
| What          |    ÷ |
| ------------- | ---: |
| a longer name | 1.00 |
| b             |    – |
";
        assert_eq!(table, expected);
    }
}
