//! The timeline as a page: one HTML file that asks nothing of anybody, for one run or two beside
//! each other.
//!
//! Here is what a page is made of; how it looks and moves is in `assets/`, hand-written HTML, CSS and
//! ES modules. What kubectl prints comes from `report::kubectl` itself, filmed while the run is played;
//! a stored trace has only its entries, and the page says what is missing.

mod answers;
mod bundle;
mod data;
mod derived;
mod film;
mod forks;
mod lesson;
mod levels;
mod members;
#[cfg(test)]
mod tests;
mod texts;
mod troubles;
mod way;

pub use film::{Film, film};
pub use lesson::lesson;

use super::kubectl::manifest::base64;
use super::trace::Trace;
use super::{json, story};
use crate::engine::SimTime;
use crate::timeline::{Run, Timeline};
use data::Table;
use std::io;

/// A run as a page shows it.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// What it is called.
    pub label: String,
    /// What plays it again; empty if nobody knows.
    pub command: String,
    /// The summary document, as JSON.
    pub summary: String,
    /// What a learner is not to read in the page's source, turned into other letters; mostly empty.
    ending: String,
    pub timeline: &'a Timeline,
    /// What was seen beside the timeline; a trace has nothing of it.
    pub film: Option<&'a Film>,
    /// The places of those that are worth a reader's time, counted from the beginning's end.
    told: Vec<usize>,
    tables: Vec<Table>,
    /// What cannot be shown, a sentence each.
    notes: Vec<String>,
}

impl Shown<'_> {
    /// A run of which there is the timeline alone.
    pub fn unfilmed(run: &Run) -> Shown<'_> {
        let (tables, notes) = derived::tables(run.timeline.entries());
        Shown {
            label: run.scenario.to_string(),
            command: command(run),
            summary: json::summary(run),
            ending: String::new(),
            timeline: &run.timeline,
            told: told(&run.timeline),
            film: None,
            tables,
            notes,
        }
    }

    /// A trace that was read from a file.
    pub fn traced(trace: &Trace) -> Shown<'_> {
        let (tables, notes) = derived::tables(trace.timeline.entries());
        Shown {
            label: trace.scenario.clone(),
            command: String::new(),
            summary: trace.summary.clone(),
            ending: String::new(),
            timeline: &trace.timeline,
            told: told(&trace.timeline),
            film: None,
            tables,
            notes,
        }
    }

    /// A run that was filmed.
    pub fn filmed<'a>(film: &'a Film, label: &str) -> Shown<'a> {
        let run = &film.run;
        let until = film.answers.asked_until.map(|at| {
            let at = at.since(SimTime::ZERO);
            format!(
                "What kubectl is answered was asked until {at}; later tables are what is stored."
            )
        });
        Shown {
            label: label.to_owned(),
            command: command(run),
            summary: json::summary(run),
            ending: String::new(),
            timeline: &run.timeline,
            told: told(&run.timeline),
            film: Some(film),
            tables: data::tables(film),
            notes: until.into_iter().collect(),
        }
    }

    /// The same for a learner, who is to see how it ends and not to read it.
    pub fn for_learners(mut self) -> Self {
        let whole = serde_json::from_str(&self.summary).expect("a summary is JSON");
        let serde_json::Value::Object(whole) = whole else { return self };
        let (ending, rest): (Map, Map) =
            whole.into_iter().partition(|(name, _)| ENDING.contains(&name.as_str()));
        let mut hidden = vec![("summary", serde_json::Value::Object(ending).to_string())];
        hidden.extend(self.film.into_iter().flat_map(data::hindsight));
        self.ending = base64(json::object(hidden).as_bytes());
        self.summary = serde_json::Value::Object(rest).to_string();
        self
    }
}

type Map = serde_json::Map<String, serde_json::Value>;

/// What of a summary tells how the run ends.
const ENDING: [&str; 7] = [
    "end",
    "recovered",
    "recoveryTime",
    "availability",
    "milestones",
    "expectations",
    "invariants",
];

/// The places of the entries that a story tells.
fn told(timeline: &Timeline) -> Vec<usize> {
    let beginning = timeline.beginning().len();
    let steps = story::steps(timeline);
    let ids = steps.iter().flat_map(|step| step.entries.iter().map(|entry| entry.id.0 as usize));
    ids.map(|id| id - 1 - beginning).collect()
}

/// What plays the run again.
fn command(run: &Run) -> String {
    let words: Vec<&str> = run.command.iter().map(|word| word.as_str()).collect();
    if words.is_empty() { String::new() } else { format!("healsim {}", words.join(" ")) }
}

/// Writes the page of one run, or of two beside each other; `lesson` is its course mode as JSON.
pub fn write_page(
    shown: &[Shown],
    lesson: Option<&str>,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let labels: Vec<&str> = shown.iter().map(|shown| shown.label.as_str()).collect();
    let data = json::object([
        ("healsim", serde_json::json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("runs", json::list(shown.iter().map(data::run))),
        ("lesson", lesson.unwrap_or("null").to_owned()),
    ]);
    bundle::write(&labels.join(" and "), &data, to)
}
