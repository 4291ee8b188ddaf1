//! The language itself: patterns on entries, and the state that entries add up to.
//!
//! ```text
//! pattern := clause ("while" clause)*
//! clause  := ["new"] KIND ["/" NAME] change ["on" NAME]
//! change  := "created" | "deleted" | FIELD "=" VALUE ["reason" "=" VALUE]
//! ```

use crate::engine::SimTime;
use crate::scenario::mistake::nearest;
use crate::timeline::{Entry, Value};
use std::collections::BTreeMap;

/// The kinds of a timeline.
const KINDS: [&str; 16] = [
    "Cluster",
    "Deployment",
    "Fault",
    "InfraMachine",
    "Lease",
    "Machine",
    "MachineDeployment",
    "MachineHealthCheck",
    "MachineSet",
    "Node",
    "Pod",
    "Probe",
    "Process",
    "ReplicaSet",
    "VM",
    "Endpoint",
];

/// What is to be seen: one change, or several things that hold at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    clauses: Vec<Clause>,
}

/// One object and what is true of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clause {
    /// Only objects that came to be after the first fault.
    new: bool,
    kind: Glob,
    name: Glob,
    field: String,
    /// What the field is to hold; nothing means: nothing.
    value: Option<Glob>,
    reason: Option<Glob>,
    /// The Node that a Pod is bound to.
    on: Option<Glob>,
}

/// A text in which `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob(String);

/// What every object's fields hold, as far as the entries tell.
#[derive(Default)]
pub struct State {
    fields: BTreeMap<(String, String), (String, String)>,
    born: BTreeMap<String, SimTime>,
    fault: SimTime,
}

/// A word with the place at which it begins.
type Word<'a> = (usize, &'a str);

impl Pattern {
    /// Reads a pattern, or says at which letter it goes wrong.
    pub fn read(text: &str) -> Result<Pattern, (usize, String)> {
        let words = words(text)?;
        let mut clauses = Vec::new();
        for part in words.split(|(_, word)| *word == "while") {
            let end = part.last().map_or(text.chars().count(), |(at, word)| at + word.len());
            clauses.push(Clause::read(part, end)?);
        }
        Ok(Pattern { clauses })
    }

    /// True if the entry makes the pattern hold.
    pub fn holds(&self, entry: &Entry, state: &State) -> bool {
        let changes = self.clauses.iter().any(|clause| clause.is_made_by(entry, state));
        changes
            && (self.clauses.len() == 1 || self.clauses.iter().all(|clause| clause.is_state(state)))
    }
}

impl Clause {
    fn read(words: &[Word], end: usize) -> Result<Clause, (usize, String)> {
        let mut words = words.iter().copied().peekable();
        let new = words.next_if(|(_, word)| *word == "new").is_some();
        let (object_at, object) = words
            .next()
            .ok_or_else(|| (end, "an object is missing, for example Node/worker-0".to_owned()))?;
        let (kind, name) = object.split_once('/').unwrap_or((object, "*"));
        if !kind.contains('*') && !KINDS.contains(&kind) {
            let near = nearest(kind, KINDS.into_iter());
            let hint = near.map_or(format!("known: {}", KINDS.join(", ")), |near| {
                format!("did you mean `{near}`?")
            });
            return Err((object_at, format!("no kind `{kind}`; {hint}")));
        }
        let missing = "what happens is missing: created, deleted or FIELD=VALUE".to_owned();
        let (at, change) = words.next().ok_or((end, missing))?;
        let (field, value) = match (change, change.split_once('=')) {
            ("created", _) => ("exists", Some(Glob("true".to_owned()))),
            ("deleted", _) => ("exists", None),
            (_, Some((field, value))) if !field.is_empty() && !value.is_empty() => {
                (field, Some(Glob(unquoted(value))))
            }
            _ => {
                let message =
                    format!("`{change}` is not known; write created, deleted or FIELD=VALUE");
                return Err((at, message));
            }
        };
        let mut clause = Clause {
            new,
            kind: Glob(kind.to_owned()),
            name: Glob(name.to_owned()),
            field: field.to_owned(),
            value,
            reason: None,
            on: None,
        };
        while let Some((at, word)) = words.next() {
            match word.split_once('=') {
                Some(("reason", reason)) => clause.reason = Some(Glob(unquoted(reason))),
                _ if word == "on" => {
                    let name = words.next().map(|(_, name)| Glob(name.to_owned()));
                    let missing = "a Node's name is missing after `on`".to_owned();
                    clause.on = Some(name.ok_or((end, missing))?);
                }
                _ => {
                    let message =
                        format!("`{word}` is not known; write reason=..., on NODE or while ...");
                    return Err((at, message));
                }
            }
        }
        Ok(clause)
    }

    /// True if this very entry is the change.
    fn is_made_by(&self, entry: &Entry, state: &State) -> bool {
        let object = entry.object();
        self.kind.matches(&entry.kind)
            && self.name.matches(&entry.name)
            && entry.field == *self.field
            && self.value_matches(entry)
            && self.reason.as_ref().is_none_or(|reason| reason.matches(&entry.reason))
            && self.fits(&object, state)
    }

    fn value_matches(&self, entry: &Entry) -> bool {
        match &self.value {
            None => entry.to == Value::Null,
            // A log line and an Event's words are their message.
            Some(value) if entry.field == "log" => value.matches(&entry.message),
            Some(value) => entry.to != Value::Null && value.matches(&entry.to.to_string()),
        }
    }

    /// True if some object is so now.
    fn is_state(&self, state: &State) -> bool {
        state.fields.iter().any(|((object, field), (value, reason))| {
            let (kind, name) = object.split_once('/').unwrap_or((object, ""));
            self.kind.matches(kind)
                && self.name.matches(name)
                && *field == self.field
                && self.value.as_ref().is_some_and(|wanted| wanted.matches(value))
                && self.reason.as_ref().is_none_or(|wanted| wanted.matches(reason))
                && self.fits(object, state)
        })
    }

    fn fits(&self, object: &str, state: &State) -> bool {
        let is_new = || state.born.get(object).is_some_and(|born| *born >= state.fault);
        let node = || state.fields.get(&(object.to_owned(), "nodeName".to_owned()));
        (!self.new || is_new())
            && self.on.as_ref().is_none_or(|on| node().is_some_and(|(node, _)| on.matches(node)))
    }
}

impl Glob {
    fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl State {
    /// Takes an entry in.
    pub fn note(&mut self, entry: &Entry, fault: SimTime) {
        self.fault = fault;
        let object = entry.object();
        if entry.field == "exists" && entry.to != Value::Null {
            // What was there when the run began is not new.
            self.born.insert(object.clone(), entry.at);
        }
        let key = (object, entry.field.to_string());
        match entry.to {
            Value::Null => drop(self.fields.remove(&key)),
            _ => drop(self.fields.insert(key, (entry.to.to_string(), entry.reason.to_string()))),
        }
    }
}

/// Splits at blanks; a quoted value may contain them.
fn words(text: &str) -> Result<Vec<Word<'_>>, (usize, String)> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quoted = None;
    for (at, letter) in text.char_indices() {
        match (letter, quoted) {
            ('"', None) => {
                quoted = Some(at);
                start = start.or(Some(at));
            }
            ('"', Some(_)) => quoted = None,
            (' ', None) => {
                if let Some(from) = start.take() {
                    words.push((from, &text[from..at]));
                }
            }
            _ => start = start.or(Some(at)),
        }
    }
    if let Some(at) = quoted {
        return Err((at, "this quotation mark is not closed".to_owned()));
    }
    words.extend(start.map(|from| (from, &text[from..])));
    Ok(words)
}

fn unquoted(value: &str) -> String {
    value.trim_matches('"').to_owned()
}
