//! Floor 8: a finished run as text or JSON.
//!
//! Reads a `Run` and writes bytes. It does not know the terminal: whether there are colors is its
//! caller's choice, and a page is 100 columns wide everywhere, so that equal runs give equal text.

mod availability;
pub mod clock;
mod compare;
mod estimate;
mod fuzz;
pub mod html;
mod json;
mod junit;
pub mod kubectl;
pub mod lesson;
mod list;
mod page;
mod picture;
mod services;
pub mod shell;
mod story;
mod summary;
#[cfg(test)]
mod tests;
mod timeline;
mod told;
pub mod trace;
pub mod traces;
mod tune;
mod why;
mod words;

pub use availability::{Again, availability_json, write_availability};
pub use compare::{comparison_json, write_comparison};
pub use estimate::{EstimateFormat, NotAnEstimateFormat, NotWanted, Wanted, write_estimate};
pub use fuzz::{campaign_json, exhausted_json, write_campaign, write_exhausted};
pub use junit::{Case, write_junit};
pub use list::{ListFormat, Listed, NotAListFormat, SettingRow, write_list};
pub use page::{Mood, Style, wrapped};
pub use summary::out_of_events;
pub use told::{Told, told};
pub use tune::{
    sensitivity_csv, sensitivity_json, sensitivity_svg, sweep_csv, sweep_json, sweep_svg,
    write_sensitivity, write_sweep,
};
pub use why::{dot, never_json, shares_json, why_json, write_never, write_shares, write_why};

use crate::timeline::Run;
use std::fmt;
use std::io;
use std::str::FromStr;

/// The forms in which a run can be printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// What happened, line by line, and the verdict: for people.
    #[default]
    Timeline,
    /// The verdict alone: for people in a hurry.
    Summary,
    /// The summary as one JSON document.
    Json,
    /// Each entry as a line of JSON, then the summary.
    Jsonl,
    /// A page that shows it, for a browser.
    Html,
    /// Chrome's trace events, which Perfetto opens.
    Perfetto,
    /// The Events of Kubernetes, as a List.
    Events,
    /// What a Prometheus would have scraped, as OpenMetrics.
    Metrics,
}

/// A word that is not the name of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAFormat {
    word: String,
}

/// Prints `run`; JSON takes no style.
pub fn write(format: Format, run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    match format {
        Format::Timeline => timeline::write(run, style, to),
        Format::Summary => summary::write(run, style, to),
        Format::Json => writeln!(to, "{}", json::summary(run)),
        Format::Jsonl => json::write_lines(run, to),
        Format::Html => html::write_page(&[html::Shown::unfilmed(run)], None, to),
        Format::Perfetto => traces::perfetto(run, to),
        Format::Events => traces::events(run, to),
        Format::Metrics => traces::metrics(run, to),
    }
}

impl Format {
    /// All formats, with the name of each.
    pub const ALL: [(&str, Format); 8] = [
        ("timeline", Format::Timeline),
        ("summary", Format::Summary),
        ("json", Format::Json),
        ("jsonl", Format::Jsonl),
        ("html", Format::Html),
        ("perfetto", Format::Perfetto),
        ("events", Format::Events),
        ("metrics", Format::Metrics),
    ];

    /// True if one document can hold one run only.
    pub const fn holds_one_run(self) -> bool {
        matches!(self, Format::Perfetto | Format::Metrics)
    }
}

impl FromStr for Format {
    type Err = NotAFormat;
    fn from_str(word: &str) -> Result<Format, NotAFormat> {
        let found = Format::ALL.iter().find(|(name, _)| *name == word);
        found.map(|(_, format)| *format).ok_or_else(|| NotAFormat { word: word.to_owned() })
    }
}

impl fmt::Display for NotAFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Format::ALL.map(|(name, _)| name).join(", ");
        write!(f, "`{}` is not an output format; known: {names}", self.word)
    }
}

impl std::error::Error for NotAFormat {}
