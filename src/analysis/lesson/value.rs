//! "What will it be then?": the value of a field, and values that it could be taken for.

use super::choices::Dice;
use super::sheet::{Choice, Form};
use crate::engine::{SimTime, Text};
use crate::scenario::STATUS;
use crate::timeline::{EntryId, Timeline, Value, vocabulary};

/// What a field holds at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// There is no such object any more.
    Gone,
    Unset,
    Is(String),
}

/// A moment at which an object's field changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub at: SimTime,
    pub object: String,
    pub held: Held,
    pub entry: EntryId,
}

/// How much there is to choose.
const CHOICES: usize = 4;
/// What STATUS can be, beside what it is in a run.
const STATUSES: [(&str, &[&str]); 2] = [
    ("Node", &["Ready", "NotReady", "NotReady,SchedulingDisabled", "Ready,SchedulingDisabled"]),
    ("Pod", &["Running", "Pending", "Terminating", "ContainerCreating"]),
];

/// Every change of a field of all objects of a kind, in order.
pub fn changes(timeline: &Timeline, kind: &str, field: &str) -> Vec<Change> {
    let about = timeline.entries().iter().filter(|entry| entry.kind == *kind);
    let all: Vec<Change> = about
        .filter_map(|entry| {
            let held = match (entry.field.as_str(), &entry.to) {
                ("exists", Value::Null) => Held::Gone,
                (name, Value::Null) if name == field => Held::Unset,
                (name, to) if name == field => Held::Is(to.to_string()),
                // It is there now, and the field has not been told of yet.
                ("exists", _) => Held::Unset,
                _ => return None,
            };
            Some(Change { at: entry.at, object: entry.object(), held, entry: entry.id })
        })
        .collect();
    let is_told_at_once = |place: usize| {
        let new = &all[place];
        let mut next = all[place + 1..].iter().take_while(|change| change.at == new.at);
        new.held == Held::Unset && next.any(|change| change.object == new.object)
    };
    (0..all.len())
        .filter(|place| !is_told_at_once(*place))
        .map(|place| all[place].clone())
        .collect()
}

/// The last change of an object's field up to a time.
fn last<'a>(changes: &'a [Change], object: &str, at: SimTime) -> Option<&'a Change> {
    changes.iter().rfind(|change| change.object == object && change.at <= at)
}

/// What an object's field holds at a later time, to be chosen; with the entry since the question that
/// made it so. Fails if it could be nothing else.
pub fn form(
    changes: &[Change],
    (object, field): (&str, &str),
    (now, then): (SimTime, SimTime),
    dice: &Dice,
) -> Result<(Form, Option<EntryId>), String> {
    let right = last(changes, object, then);
    let held = right.map_or(Held::Unset, |change| change.held.clone());
    let mut values = vec![held.clone()];
    let mut add = |value: Held| {
        if values.len() < CHOICES && !values.contains(&value) {
            values.push(value);
        }
    };
    // Nothing is as plausible as that all stays as it is.
    add(last(changes, object, now).map_or(Held::Unset, |change| change.held.clone()));
    let mut own: Vec<&Change> = changes.iter().filter(|change| change.object == object).collect();
    own.sort_by_key(|change| then.since(change.at).max(change.at.since(then)));
    own.into_iter().for_each(|change| add(change.held.clone()));
    words(object, field).into_iter().for_each(|word| add(Held::Is(word.to_owned())));
    changes.iter().for_each(|change| add(change.held.clone()));
    if values.len() < 2 {
        return Err(format!("{field} of {object} is never anything else in this run"));
    }
    let choice = |value: &Held| Choice::plain(shown(value), *value == held);
    let choices = values.iter().map(choice).collect();
    let entry = right.filter(|change| change.at > now).map(|change| change.entry);
    Ok((Form::One(dice.shuffled(choices)), entry))
}

fn shown(value: &Held) -> Text {
    match value {
        Held::Gone => Text::word("(there is no such object any more)"),
        Held::Unset => Text::word("(not set)"),
        Held::Is(value) => Text::from(value.as_str()),
    }
}

/// What the field can hold, where that can be listed.
fn words(object: &str, field: &str) -> Vec<&'static str> {
    let kind = object.split('/').next().unwrap_or_default();
    if field == STATUS {
        let found = STATUSES.iter().find(|(known, _)| *known == kind);
        return found.map(|(_, words)| words.to_vec()).unwrap_or_default();
    }
    match vocabulary::holds(kind, field) {
        // What is present or absent is never false.
        Some(vocabulary::Holds::True) => vec!["true"],
        holds => holds.and_then(vocabulary::Holds::words).unwrap_or_default().to_vec(),
    }
}
