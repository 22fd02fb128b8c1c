//! Tables for people: a heading, columns as wide as what stands in them, numbers to the right.

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// What stands between two columns.
const GAP: &str = "  ";

/// A table that is being filled.
pub(super) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// One without rows.
    pub(super) fn new(columns: [(&'static str, Align); N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: [String; N]) {
        // A line break or an escape sequence in a cell would not only spoil the table.
        self.rows.push(cells.map(|cell| cell.replace(char::is_control, " ")));
    }

    /// The lines of the table, each with its line break.
    pub(super) fn render(&self) -> String {
        let heading = self.columns.map(|(name, _)| name.to_owned());
        let lines = || std::iter::once(&heading).chain(&self.rows);
        let widths: [usize; N] = std::array::from_fn(|column| {
            lines().map(|cells| cells[column].chars().count()).max().unwrap_or_default()
        });
        let mut text = String::new();
        for cells in lines() {
            let mut line = String::new();
            for (column, cell) in cells.iter().enumerate() {
                let width = widths[column];
                if column > 0 {
                    line.push_str(GAP);
                }
                match self.columns[column].1 {
                    Align::Left => line.push_str(&format!("{cell:<width$}")),
                    Align::Right => line.push_str(&format!("{cell:>width$}")),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut table =
            Table::new([("NAME", Align::Left), ("N", Align::Right), ("WHY", Align::Left)]);
        table.row(["ledger".into(), "7".into(), "é".into()]);
        table.row(["x".into(), "12".into(), String::new()]);
        assert_eq!(table.render(), "NAME     N  WHY\nledger   7  é\nx       12\n");
    }

    #[test]
    fn cells_can_not_break_out_of_their_line() {
        let mut table = Table::new([("WHY", Align::Left)]);
        table.row(["a\nb\u{1b}[2J".into()]);
        assert_eq!(table.render(), "WHY\na b [2J\n");
    }
}
