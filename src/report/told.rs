//! The steps of a timeline's story one by one, for who shows them otherwise than as a page.

use super::page::Mood;
use super::story::steps;
use super::words;
use crate::engine::SimTime;
use crate::timeline::{EntryId, Run};

/// A step in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The entry that names the step.
    pub id: EntryId,
    pub at: SimTime,
    /// Kind and name.
    pub object: String,
    /// What changed, with reasons and messages.
    pub words: String,
    pub mood: Mood,
    /// The step whose consequence this is.
    pub cause: Option<EntryId>,
}

/// All steps after the beginning, in order.
pub fn told(run: &Run) -> Vec<Told> {
    let steps = steps(&run.timeline);
    steps
        .iter()
        .map(|step| {
            let head = step.head();
            let changes: Vec<String> =
                step.entries.iter().map(|entry| words::change(entry)).collect();
            // As in the page: one message explains a step.
            let said = [&head.reason, &head.message].map(|text| text.trim().to_owned());
            let said: Vec<String> = said.into_iter().filter(|text| !text.is_empty()).collect();
            let why =
                if said.is_empty() { String::new() } else { format!(" ({})", said.join(": ")) };
            Told {
                id: head.id,
                at: head.at,
                object: head.object(),
                words: format!("{}{why}", changes.join("; ")),
                mood: words::mood(head),
                cause: step.cause,
            }
        })
        .collect()
}
