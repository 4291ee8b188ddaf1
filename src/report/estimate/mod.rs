//! Many runs in print: a table for people, JSON and CSV for programs, plots for both.
//!
//! It counts nothing: all numbers are in the estimate. Seconds are decimals made from integers.

pub(super) mod axis;
mod csv;
mod json;
pub(super) mod numbers;
mod plot;
mod rows;
mod svg;
mod table;
#[cfg(test)]
mod tests;

pub use rows::{NotWanted, Wanted};

use super::page::Style;
use crate::analysis::Estimate;
use std::fmt;
use std::io;
use std::str::FromStr;

/// The forms in which an estimate can be printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EstimateFormat {
    /// For people.
    #[default]
    Table,
    /// One document; of a shard the one that can be merged.
    Json,
    /// One line for each figure.
    Csv,
    /// A histogram of each figure, for a terminal.
    Plot,
    /// A picture: histogram and cumulative curve of each figure.
    Svg,
}

/// A word that is not the name of such a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnEstimateFormat(String);

impl EstimateFormat {
    /// All formats, with the name of each.
    pub const ALL: [(&str, EstimateFormat); 5] = [
        ("table", EstimateFormat::Table),
        ("json", EstimateFormat::Json),
        ("csv", EstimateFormat::Csv),
        ("plot", EstimateFormat::Plot),
        ("svg", EstimateFormat::Svg),
    ];
}

/// Prints an estimate; only people's formats take a style, and of milestones only those that are wanted, if
/// any are named.
pub fn write_estimate(
    format: EstimateFormat,
    estimate: &Estimate,
    wanted: &[Wanted],
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    match format {
        EstimateFormat::Table if !wanted.is_empty() => {
            table::write_only(wanted, estimate, style, to)
        }
        EstimateFormat::Plot | EstimateFormat::Svg if !wanted.is_empty() => {
            write_estimate(format, &Wanted::only(wanted, estimate), &[], style, to)
        }
        EstimateFormat::Table => table::write(estimate, style, to),
        EstimateFormat::Json => writeln!(to, "{}", json::document(estimate)),
        EstimateFormat::Csv => csv::write(estimate, to),
        EstimateFormat::Plot => plot::write(estimate, style, to),
        EstimateFormat::Svg => svg::write(estimate, to),
    }
}

impl FromStr for EstimateFormat {
    type Err = NotAnEstimateFormat;
    fn from_str(word: &str) -> Result<EstimateFormat, NotAnEstimateFormat> {
        let found = EstimateFormat::ALL.iter().find(|(name, _)| *name == word);
        found.map(|(_, format)| *format).ok_or_else(|| NotAnEstimateFormat(word.to_owned()))
    }
}

impl fmt::Display for NotAnEstimateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = EstimateFormat::ALL.map(|(name, _)| name).join(", ");
        write!(f, "`{}` is not a format of an estimate; known: {names}", self.0)
    }
}

impl std::error::Error for NotAnEstimateFormat {}
