//! Lists as tables: a header, columns one under the other, lines no longer than the terminal.

use std::io::IsTerminal;

/// Rows under headers. The last column may hold anything and is cut first.
pub struct Table<const COLUMNS: usize> {
    headers: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// Makes a table without rows.
    pub fn new(headers: [&'static str; COLUMNS]) -> Self {
        Self { headers, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: [String; COLUMNS]) {
        self.rows.push(row);
    }

    /// Returns its lines, cut to the terminal if there is one.
    pub fn lines(&self) -> Vec<String> {
        self.lines_within(terminal_width())
    }

    fn lines_within(&self, width: Option<usize>) -> Vec<String> {
        let mut widths = self.headers.map(|header| header.chars().count());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let headers = self.headers.map(str::to_owned);
        let rows = std::iter::once(&headers).chain(&self.rows);
        rows.map(|row| cut(&line(row, &widths), width)).collect()
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(cell);
        let missing = width.saturating_sub(cell.chars().count());
        line.extend(std::iter::repeat_n(' ', missing + 2));
    }
    line.trim_end().to_owned()
}

fn cut(line: &str, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| line.chars().count() > *width) else {
        return line.to_owned();
    };
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Returns the columns of the terminal the answer goes to; `None` if it goes elsewhere.
fn terminal_width() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&stdout).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<2> {
        let mut table = Table::new(["STATUS", "FOR"]);
        table.push(["paid".to_owned(), "a cup of tea".to_owned()]);
        table
    }

    #[test]
    fn columns_stand_under_their_headers() {
        assert_eq!(table().lines_within(None), ["STATUS  FOR", "paid    a cup of tea"]);
    }

    #[test]
    fn lines_are_cut_to_the_width_of_the_terminal_and_show_it() {
        assert_eq!(table().lines_within(Some(12)), ["STATUS  FOR", "paid    a c…"]);
        assert_eq!(table().lines_within(Some(1)), ["…", "…"]);
    }
}
