//! "What led to it?": an entry's own cause among entries that only came before it.

use super::choices::Dice;
use super::sheet::{Choice, Form};
use crate::engine::SimTime;
use crate::timeline::{Entry, EntryId, Timeline, Value};
use std::collections::BTreeSet;

/// How many entries beside the right one.
const OTHERS: usize = 3;
/// Of how many of the latest they are drawn.
const NEAR: usize = 12;
/// What tells of something else, or is written on the way.
const SILENT_KINDS: [&str; 7] =
    ["Lease", "EndpointSlice", "ConfigMap", "Secret", "KubeadmConfig", "VolumeAttachment", "Probe"];
const SILENT_FIELDS: [&str; 2] = ["log", "event"];

/// The causes among which that of an entry is to be found, and the right one. Fails if it has none, or
/// if nothing else came before it.
pub fn form(
    timeline: &Timeline,
    fault: SimTime,
    of: EntryId,
    dice: &Dice,
) -> Result<(Form, EntryId), String> {
    let effect = timeline.get(of).expect("an entry that was found");
    let led: Vec<&Entry> = causes(timeline, effect);
    let is_same_field = |entry: &Entry| {
        (&entry.kind, &entry.name, &entry.field) == (&effect.kind, &effect.name, &effect.field)
    };
    let is_other =
        |entry: &&&Entry| tells(entry) && !is_same_step(entry, effect) && !is_same_field(entry);
    let right = led.iter().find(is_other).ok_or("nothing is known to have led to it")?;
    let ids: BTreeSet<EntryId> = led.iter().map(|entry| entry.id).collect();
    let right_words = words(right, fault);
    let mut others: Vec<(EntryId, String)> = Vec::new();
    for entry in timeline.happened().iter().rev().filter(|entry| entry.id < of) {
        let apart = led.iter().chain([&effect]).all(|cause| !is_same_step(entry, cause));
        let said = words(entry, fault);
        let is_new = said != right_words && others.iter().all(|(_, other)| *other != said);
        if tells(entry) && apart && is_new && !ids.contains(&entry.id) {
            others.push((entry.id, said));
        }
        if others.len() == NEAR {
            break;
        }
    }
    if others.is_empty() {
        return Err("nothing else came before it".to_owned());
    }
    let mut choices = vec![Choice::plain(right_words, true)];
    let others = dice.some(others, OTHERS).into_iter();
    choices.extend(others.map(|(_, said)| Choice::plain(said, false)));
    Ok((Form::One(dice.shuffled(choices)), right.id))
}

/// The entries that led to an entry, the nearest first.
fn causes<'a>(timeline: &'a Timeline, effect: &Entry) -> Vec<&'a Entry> {
    let mut found = Vec::new();
    let mut next = effect.cause;
    while let Some(entry) = next.and_then(|id| timeline.get(id)) {
        // A cause is older than its effect, so this ends.
        next = entry.cause.filter(|cause| *cause < entry.id);
        found.push(entry);
    }
    found
}

/// True for what a person would name: no counts, no lines of a log, no new words for the same state.
fn tells(entry: &Entry) -> bool {
    let is_count = matches!((&entry.from, &entry.to), (Value::Count(_), _) | (_, Value::Count(_)));
    !SILENT_KINDS.contains(&entry.kind.as_str())
        && !SILENT_FIELDS.contains(&entry.field.as_str())
        && !is_count
        && entry.from != entry.to
}

fn is_same_step(one: &Entry, other: &Entry) -> bool {
    (one.at, &one.kind, &one.name) == (other.at, &other.kind, &other.name)
}

/// `Node/worker-0 Ready True → Unknown, 41s after the fault`.
fn words(entry: &Entry, fault: SimTime) -> String {
    let Entry { field, from, to, .. } = entry;
    let change = match (field.as_str(), from, to) {
        ("exists" | "running", _, Value::Null) => "is gone".to_owned(),
        ("exists", _, _) => "is created".to_owned(),
        ("running", _, Value::Bool(false)) => "ends".to_owned(),
        ("running", _, _) => "starts".to_owned(),
        ("serving", _, Value::Bool(false)) => "refuses whoever connects".to_owned(),
        ("serving", _, _) => "serves".to_owned(),
        ("frozen", _, Value::Bool(true)) => "hangs".to_owned(),
        ("frozen", _, _) => "goes on".to_owned(),
        ("injected", _, to) => format!("strikes {to}"),
        (field, Value::Null, to) => format!("{field} → {to}"),
        (field, from, Value::Null) => format!("{field} {from} → nothing"),
        (field, from, to) => format!("{field} {from} → {to}"),
    };
    let whole_seconds = entry.at.since(fault).as_secs();
    format!("{} {change}, {whole_seconds} s after the first fault", entry.object())
}
