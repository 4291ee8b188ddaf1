//! The words of a pattern, each with its place, held against what a timeline can say.
//!
//! What no entry will ever say is refused: `never` would be met by it for ever.

use super::pattern::Glob;
use crate::scenario::mistake::hint;
use crate::scenario::names::Known;
use crate::scenario::probes;
use crate::timeline::vocabulary::{self, Holds};
use std::collections::BTreeSet;

/// A word with the letter at which it begins, counted from 0.
pub type Word<'a> = (usize, &'a str);

/// The names that objects of a kind can have, where all of them are known.
pub type Names<'a> = &'a dyn Fn(&str) -> Option<&'a Known>;

type Wrong = (usize, String);

/// Splits at blanks; a quoted value may contain them, but no quotation mark.
pub fn words(text: &str) -> Result<Vec<Word<'_>>, Wrong> {
    if let Some(at) = text.find("\\\"") {
        let wrong = "a pattern has no `\\\"`; write `*` in the place of a quotation mark";
        return Err((letters(&text[..at]), wrong.to_owned()));
    }
    let mut words = Vec::new();
    let mut start: Option<(usize, usize)> = None;
    let mut quoted = None;
    for (letter, (at, c)) in text.char_indices().enumerate() {
        match (c, quoted) {
            ('"', None) => {
                quoted = Some(letter);
                start = start.or(Some((letter, at)));
            }
            ('"', Some(_)) => quoted = None,
            (c, None) if c.is_whitespace() => {
                if let Some((letter, from)) = start.take() {
                    words.push((letter, &text[from..at]));
                }
            }
            _ => start = start.or(Some((letter, at))),
        }
    }
    if let Some(at) = quoted {
        return Err((at, "this quotation mark is not closed".to_owned()));
    }
    words.extend(start.map(|(letter, from)| (letter, &text[from..])));
    Ok(words)
}

/// How many letters a word has.
pub fn letters(word: &str) -> usize {
    word.chars().count()
}

/// A kind must be one of a timeline.
pub fn check_kind(at: usize, kind: &str) -> Result<(), Wrong> {
    match kinds(kind).is_empty() {
        false => Ok(()),
        true => Err((at, unknown("kind", kind, "", &vocabulary::kinds().collect::<Vec<_>>()))),
    }
}

/// A name must be one of those that there can be, and one with `*` stand for one of them.
pub fn check_name(at: usize, kind: &str, name: &str, names: Names) -> Result<(), Wrong> {
    let Some(known) = names(kind) else { return Ok(()) };
    // Whether there is anybody who asks is the scenario's own affair; what else there is differs
    // from platform to platform.
    let is_any = name == "*" && kind != "Probe";
    if is_any || known.has(name) {
        return Ok(());
    }
    let (names, later) = known.written();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let wrong = match (kind, names.as_slice()) {
        ("Probe", []) => format!(
            "nobody asks here, so `{kind}/{name}` says nothing; write `{}`",
            probes::that_says(name)
        ),
        (_, []) => format!("no {kind} `{name}` when the run begins; there is none"),
        _ if name.contains('*') => {
            let ways = starred(names.iter().copied().chain(later.iter().map(String::as_str)));
            let ways: BTreeSet<&str> = ways.iter().map(String::as_str).chain(names).collect();
            unknown(kind, name, " when the run begins", &Vec::from_iter(ways))
        }
        _ => unknown(kind, name, " when the run begins", &names),
    };
    match kind == "Probe" && wrong.contains("known:") {
        true => Err((at, format!("{wrong}; or write `{}`", probes::that_says(name)))),
        false => Err((at, wrong)),
    }
}

/// Names with a `*` in the place of their last parts, as people write them: `worker-*`, `kubelet@*`.
fn starred<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let heads = |name: &'a str| {
        name.match_indices(['-', '@']).map(move |(at, _)| format!("{}*", &name[..=at]))
    };
    names.flat_map(heads).collect()
}

/// A field must be one of the kind's, and its value one that the field can hold.
pub fn check_change(at: usize, kind: &str, field: &str, value: Option<&Glob>) -> Result<(), Wrong> {
    let meant = kinds(kind);
    let holds: Vec<Holds> =
        meant.iter().filter_map(|kind| vocabulary::holds(kind, field)).collect();
    if holds.is_empty() {
        let fields = meant.into_iter().flat_map(vocabulary::fields);
        let mut known: Vec<&str> = fields.map(|(name, _)| name).collect();
        known.sort_unstable();
        known.dedup();
        return Err((at, unknown("field", field, &format!(" of {kind}"), &known)));
    }
    let Some(value) = value else { return Ok(()) };
    if holds.iter().any(|holds| possible(*holds, value)) {
        return Ok(());
    }
    let at = at + letters(field) + 1;
    let known: Vec<&str> = holds.iter().filter_map(|h| h.words()).flatten().copied().collect();
    match known.is_empty() {
        true => Err((at, format!("{field} of {kind} is a number, never `{}`", value.0))),
        false => Err((at, unknown("value", &value.0, &format!(" of {field}"), &known))),
    }
}

fn possible(holds: Holds, value: &Glob) -> bool {
    match holds.words() {
        Some(words) => words.iter().any(|word| value.matches(word)),
        None => value.0.contains('*') || holds.can_be(&value.0),
    }
}

/// The kinds that are meant.
fn kinds(kind: &str) -> Vec<&'static str> {
    let meant = Glob(kind.to_owned());
    vocabulary::kinds().filter(|known| meant.matches(known)).collect()
}

fn unknown(what: &str, name: &str, of: &str, known: &[&str]) -> String {
    match hint(name, known) {
        Some(hint) => format!("no {what} `{name}`{of}; {hint}"),
        None => {
            let some: Vec<&str> = known.iter().copied().take(20).collect();
            let more = if known.len() > 20 { " ..." } else { "" };
            format!("no {what} `{name}`{of}; known: {}{more}", some.join(", "))
        }
    }
}
