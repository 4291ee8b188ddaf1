//! The critical path of a run as its page draws it: each wait with its rule, and the entries on the way.

use crate::analysis::milestones;
use crate::analysis::why::{Question, Unanswered, why};
use crate::engine::{SimTime, Text};
use crate::scenario::Game;
use crate::timeline::{EntryId, Run};

/// The way from the first fault to a milestone, or why there is none to draw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    pub milestone: Text,
    pub object: Text,
    pub parts: Vec<Part>,
    pub stations: Vec<EntryId>,
    /// A sentence, where there are no parts.
    pub absent: Text,
}

/// A wait on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub from: SimTime,
    pub to: SimTime,
    /// A setting's key, or words for what nobody can set.
    pub rule: Text,
    /// The process that waited.
    pub who: Text,
    /// The setting's value and flag; empty for what nobody can set.
    pub value: Text,
    pub flag: Text,
}

/// VMs times seconds beyond which no ledger is kept: with some ten steps each it takes a gigabyte.
const LARGE: u64 = 2_000_000;

/// The way to the recovery, or to the last milestone of a run that has not recovered.
pub fn way(game: &Game, run: &Run) -> Way {
    let absent = |why: &'static str| Way { absent: Text::word(why), ..Way::default() };
    let vms = run.timeline.beginning().iter().filter(|entry| entry.kind == "VM");
    let vms = vms.filter(|entry| entry.field == "exists").count() as u64;
    if vms * run.ended_at.since(SimTime::ZERO).as_secs() > LARGE {
        return absent("The run is too large to keep every step of it.");
    }
    let found = milestones(run);
    let last = found.iter().find(|it| it.name == "recovered").or(found.last());
    let Some(last) = last else { return absent("Nothing came of it that has a name.") };
    let question =
        Question { milestone: Some(last.name.clone()), object: Some(last.object.clone()) };
    match why(game, run.seed, &question) {
        Ok(found) => {
            let setting = |rule: &str| found.settings.get(rule);
            let parts = found.parts.iter().zip(&found.who).map(|(part, who)| Part {
                from: part.from,
                to: part.to,
                rule: Text::word(part.rule),
                who: who.clone(),
                value: setting(part.rule).map_or(Text::EMPTY, |it| it.value.clone().into()),
                flag: setting(part.rule).map_or(Text::EMPTY, |it| it.flag.clone().into()),
            });
            Way {
                milestone: found.milestone.name.clone(),
                object: found.milestone.object.clone(),
                parts: joined(parts),
                stations: found.stations().iter().map(|entry| entry.id).collect(),
                absent: Text::EMPTY,
            }
        }
        Err(Unanswered::NoFault) => absent("There is no fault to count from."),
        Err(Unanswered::Never(_)) => absent("There is no way to what has not come."),
    }
}

/// Waits of one process for one rule, one after the other, are one wait.
fn joined(parts: impl Iterator<Item = Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for part in parts {
        match joined.last_mut() {
            Some(last) if last.rule == part.rule && last.who == part.who => last.to = part.to,
            _ => joined.push(part),
        }
    }
    joined
}
