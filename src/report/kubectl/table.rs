//! kubectl's tables: columns three blanks apart, and ages in its short form.

use crate::api::AGE_AT_BEGIN;
use crate::engine::SimTime;
use std::fmt;

/// A table under construction.
pub struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new(columns: Vec<&'static str>) -> Table {
        Table { columns, rows: Vec::new() }
    }

    /// Adds a row; what it has beyond the columns is left out.
    pub fn push(&mut self, mut row: Vec<String>) {
        row.truncate(self.columns.len());
        self.rows.push(row);
    }

    /// The same after one more column.
    pub fn after_a_column(
        mut self,
        column: &'static str,
        cells: impl Iterator<Item = String>,
    ) -> Table {
        self.columns.insert(0, column);
        self.rows.iter_mut().zip(cells).for_each(|(row, cell)| row.insert(0, cell));
        self
    }

    /// The same with other words in the first column.
    pub fn with_first(mut self, cells: impl Iterator<Item = String>) -> Table {
        self.rows.iter_mut().zip(cells).for_each(|(row, cell)| row[0] = cell);
        self
    }

    /// The same without a column.
    pub fn without(mut self, column: &str) -> Table {
        if let Some(place) = self.columns.iter().position(|name| *name == column) {
            self.columns.remove(place);
            for row in self.rows.iter_mut().filter(|row| place < row.len()) {
                row.remove(place);
            }
        }
        self
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head: Vec<String> = self.columns.iter().map(|column| (*column).to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |place: usize| lines.iter().map(|line| line[place].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for line in lines {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                text.push_str(&format!("{cell:width$}   "));
            }
            // kubectl pads its last column too, but people's editors don't like that.
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

/// The age of an object that was created at `created`.
pub fn age(now: SimTime, created: SimTime) -> String {
    let before = if created == SimTime::ZERO { AGE_AT_BEGIN } else { Default::default() };
    human(now.since(created).as_secs() + before.as_secs())
}

/// A length of so many seconds, as kubectl's `HumanDuration` prints it.
pub fn human(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let both = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{small_unit}"),
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => both(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => both(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => both(days, "d", hours % 24, "h"),
        () if days < 365 * 2 => format!("{days}d"),
        () => format!("{}y", days / 365),
    }
}
