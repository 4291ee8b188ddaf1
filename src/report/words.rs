//! A change in words: the field's own name and values, and whether that is good news.
//!
//! It knows the fields of formats and APIs, not the mechanisms behind them, and judges one entry
//! at a time.

use super::page::Mood;
use crate::timeline::{Entry, Value};

/// What changed, without the object: `Ready True → Unknown`, `created`, `taints +...`.
pub fn change(entry: &Entry) -> String {
    let Entry { field, from, to, .. } = entry;
    match (field.as_str(), from, to) {
        ("exists", _, Value::Null) => "gone".to_owned(),
        ("exists", _, _) => "created".to_owned(),
        ("injected", _, _) => format!("injected: {to}"),
        ("log", _, _) => "log:".to_owned(),
        ("event", _, _) => format!("event {to}:"),
        ("deletionTimestamp", _, _) => format!("deletionTimestamp {}", held(to)),
        ("taints", _, _) => format!("taints {}", taint_change(from, to)),
        (_, Value::Null, _) => format!("{field}: {to}"),
        _ if from == to => format!("{field} {}", held(to)),
        _ => format!("{field} {from} → {}", held(to)),
    }
}

/// Whether a change is a fault, bad, good, or neither.
pub fn mood(entry: &Entry) -> Mood {
    let number = |value: &Value| match value {
        Value::Count(count) => Some(*count),
        _ => None,
    };
    if entry.kind == "Fault" {
        return Mood::Fault;
    }
    if let (Some(before), Some(after)) = (number(&entry.from), number(&entry.to)) {
        return if after < before { Mood::Bad } else { Mood::Good };
    }
    match (entry.field.as_str(), &entry.to) {
        ("exists", Value::Bool(true)) => Mood::Good,
        ("running" | "serving" | "ready", Value::Bool(up)) => good_if(*up),
        ("taints", _) => good_if(taint_change(&entry.from, &entry.to).starts_with('-')),
        ("power", to) => good_if(to.as_text() == Some("on")),
        ("phase", to) => phase(to.as_text()),
        ("status", to) => good_if(to.as_text() == Some("ok")),
        ("nodeRef" | "nodeName", Value::Text(_)) => Mood::Good,
        ("event", to) => good_if(!to.as_text().is_some_and(|reason| reason.contains("Failed"))),
        ("Deleting" | "OwnerRemediated", _) => Mood::Neutral,
        ("DrainingSucceeded", to) if to.as_text() == Some("False") => Mood::Neutral,
        (_, Value::Text(status)) => condition(status),
        _ => Mood::Neutral,
    }
}

fn good_if(good: bool) -> Mood {
    if good { Mood::Good } else { Mood::Bad }
}

fn phase(phase: Option<&str>) -> Mood {
    match phase {
        Some("Running") => Mood::Good,
        Some("Failed" | "Unknown") => Mood::Bad,
        _ => Mood::Neutral,
    }
}

fn condition(status: &str) -> Mood {
    match status {
        "True" => Mood::Good,
        "False" | "Unknown" => Mood::Bad,
        _ => Mood::Neutral,
    }
}

/// A value, with a word for nothing.
fn held(value: &Value) -> String {
    if *value == Value::Null { "none".to_owned() } else { value.to_string() }
}

/// What a list of taints lost and gained: `-a +b`, without the domain that all of them share.
fn taint_change(from: &Value, to: &Value) -> String {
    let items = |value: &Value| -> Vec<String> {
        let text = value.as_text().unwrap_or_default();
        let items = text.split(',').filter(|item| !item.is_empty());
        let short = |item: &str| item.trim_start_matches("node.kubernetes.io/").to_owned();
        items.map(short).collect()
    };
    let (before, after) = (items(from), items(to));
    let lost = before.iter().filter(|item| !after.contains(item)).map(|item| format!("-{item}"));
    let gained = after.iter().filter(|item| !before.contains(item)).map(|item| format!("+{item}"));
    lost.chain(gained).collect::<Vec<_>>().join(" ")
}
