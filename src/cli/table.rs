//! Columns that line up, however long the names in them are.

use unicode_width::UnicodeWidthStr as _;

use super::error::CliError;
use super::printer::{Printer, Tone};

/// Rows of cells, each with its tone. The last cell of a row is not padded.
#[derive(Default)]
pub(super) struct Table(Vec<Vec<(String, Tone)>>);

/// A column wider than this does not push the others out.
const WIDEST: usize = 60;

impl Table {
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = (String, Tone)>) {
        self.0.push(cells.into_iter().collect());
    }

    pub(super) fn print(&self, printer: &Printer, indent: &str) -> Result<(), CliError> {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|(text, _)| text.width()).filter(|width| *width <= WIDEST).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.0 {
            let mut line = indent.to_owned();
            for (column, (text, tone)) in row.iter().enumerate() {
                line.push_str(&printer.paint(text, *tone));
                if column + 1 < row.len() {
                    let padding = widths[column].saturating_sub(text.width()) + 2;
                    line.push_str(&" ".repeat(padding));
                }
            }
            printer.line(line)?;
        }
        Ok(())
    }
}
