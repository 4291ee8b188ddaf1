//! The critical path of a run as its page draws it: each wait with its rule, and the entries on the way.

use crate::analysis::why::{Question, Unanswered, why};
use crate::analysis::{Milestone, milestones};
use crate::engine::{SimTime, Text};
use crate::scenario::Game;
use crate::timeline::{EntryId, Run};

/// The way from a fault to a milestone, or why there is none to draw.
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

/// The way to the recovery; of a run that has not recovered, the one to what harms, or else to what it
/// has come to, from the fault that came before it.
pub fn way(game: &Game, run: &Run) -> Way {
    let absent = |why: &'static str| Way { absent: Text::word(why), ..Way::default() };
    let vms = run.timeline.beginning().iter().filter(|entry| entry.kind == "VM");
    let vms = vms.filter(|entry| entry.field == "exists").count() as u64;
    if vms * run.ended_at.since(SimTime::ZERO).as_secs() > LARGE {
        return absent("The run is too large to keep every step of it.");
    }
    let found = milestones(run);
    let recovered = found.iter().find(|it| it.name == "recovered");
    let Some(last) = recovered.or(harm(&found)).or(found.last()) else {
        return absent("Nothing came of it that has a name.");
    };
    let since = if recovered.is_some() { SimTime::ZERO } else { fault_before(run, last) };
    let question =
        Question { milestone: Some(last.name.clone()), object: Some(last.object.clone()) };
    match why(game, run.seed, &question) {
        Ok(found) => {
            let setting = |rule: &str| found.settings.get(rule);
            let late = found.parts.iter().zip(&found.who).filter(|(part, _)| part.to > since);
            let parts = late.map(|(part, who)| Part {
                from: part.from.max(since),
                to: part.to,
                rule: Text::word(part.rule),
                who: who.clone(),
                value: setting(part.rule).map_or(Text::EMPTY, |it| it.value.clone().into()),
                flag: setting(part.rule).map_or(Text::EMPTY, |it| it.flag.clone().into()),
            });
            let stations = found.stations().into_iter().filter(|entry| entry.at >= since);
            Way {
                milestone: found.milestone.name.clone(),
                object: found.milestone.object.clone(),
                parts: joined(parts),
                stations: stations.map(|entry| entry.id).collect(),
                absent: Text::EMPTY,
            }
        }
        Err(Unanswered::NoFault) => absent("There is no fault to count from."),
        Err(Unanswered::Never(_)) => absent("There is no way to what has not come."),
    }
}

/// What harms, the worst first, and what is the end of it.
const HARMS: [(&str, &str); 3] = [
    ("apiUnavailable", "apiAvailable"),
    ("etcdQuorumLost", "etcdQuorumRestored"),
    ("remediationRefused", "replacementReady"),
];

/// The worst that has come and was not over at the end.
fn harm(found: &[Milestone]) -> Option<&Milestone> {
    let last = |name: &str| found.iter().rposition(|it| it.name == *name);
    let stands = |(harm, over): &&(&str, &str)| last(harm) > last(over);
    let (harm, _) = HARMS.iter().find(stands)?;
    found.iter().find(|it| it.name == *harm)
}

/// When the latest fault before a milestone came. That somebody types a command is none.
fn fault_before(run: &Run, milestone: &Milestone) -> SimTime {
    let before = run.timeline.happened().iter().take_while(|entry| entry.id < milestone.entry);
    let faults = before.filter(|entry| entry.kind == *"Fault" && entry.name != *"kubectl");
    faults.last().map_or(SimTime::ZERO, |fault| fault.at)
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
