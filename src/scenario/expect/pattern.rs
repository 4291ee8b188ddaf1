//! The language itself: patterns on entries, and the state that entries add up to.
//!
//! ```text
//! pattern := clause ("while" clause)*
//! clause  := ["new"] KIND ["/" NAME] change ["on" NAME]
//! change  := "created" | "deleted" | FIELD "=" VALUE ["reason" "=" VALUE]
//! ```

use super::words::{Names, Word, check_change, check_kind, check_name, letters, words};
use crate::engine::is_like;
use crate::timeline::{Entry, Value};
use std::collections::{BTreeMap, BTreeSet};

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
pub struct Glob(pub String);

/// What every object's fields hold, as far as the entries tell.
#[derive(Clone, Debug, Default)]
pub struct State {
    fields: BTreeMap<(String, String), (String, String)>,
    /// The objects that came to be after the first fault.
    born: BTreeSet<String>,
}

/// Whether something was so before the first fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    Old,
    New,
}

impl Pattern {
    /// Reads a pattern, or says at which letter it goes wrong. `names` are those that objects of a
    /// kind have, where all of them are known.
    pub fn read(text: &str, names: Names) -> Result<Pattern, (usize, String)> {
        let words = words(text)?;
        let mut clauses = Vec::new();
        for part in words.split(|(_, word)| *word == "while") {
            let end = part.last().map_or(text.chars().count(), |(at, word)| at + letters(word));
            clauses.push(Clause::read(part, end, names)?);
        }
        Ok(Pattern { clauses })
    }

    /// True if the pattern has to know of this entry later, so that its state has to take it in.
    pub fn remembers(&self, entry: &Entry) -> bool {
        let is_one = self.clauses.len() == 1;
        self.clauses.iter().any(|clause| clause.remembers(entry, is_one))
    }

    /// True if the entry makes the pattern hold.
    pub fn holds(&self, entry: &Entry, state: &State) -> bool {
        let changes = self.clauses.iter().any(|clause| clause.is_made_by(entry, state));
        changes
            && (self.clauses.len() == 1 || self.clauses.iter().all(|clause| clause.is_state(state)))
    }
}

impl Clause {
    fn read(words: &[Word], end: usize, names: Names) -> Result<Clause, (usize, String)> {
        let mut words = words.iter().copied().peekable();
        let new = words.next_if(|(_, word)| *word == "new").is_some();
        let (object_at, object) = words
            .next()
            .ok_or_else(|| (end, "an object is missing, for example Node/worker-0".to_owned()))?;
        let (kind, name) = object.split_once('/').unwrap_or((object, "*"));
        check_kind(object_at, kind)?;
        check_name(object_at + letters(kind) + 1, kind, name, names)?;
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
        check_change(at, kind, field, value.as_ref())?;
        let (kind, name) = (Glob(kind.to_owned()), Glob(name.to_owned()));
        let field = field.to_owned();
        let mut clause = Clause { new, kind, name, field, value, reason: None, on: None };
        while let Some((at, word)) = words.next() {
            match word.split_once('=') {
                Some(("reason", reason)) => clause.reason = Some(Glob(unquoted(reason))),
                _ if word == "on" => {
                    let missing = || {
                        (end, "a Node's name is missing after `on`, as in `on worker-0`".to_owned())
                    };
                    let (at, name) = words.next().ok_or_else(missing)?;
                    check_name(at, "Node", name, names)?;
                    clause.on = Some(Glob(name.to_owned()));
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

    /// True for what the clause asks of the state: whether an object is new, where it is, and of a
    /// clause beside others whether it is so.
    fn remembers(&self, entry: &Entry, is_alone: bool) -> bool {
        let asks = (self.new && entry.field == "exists")
            || (self.on.is_some() && entry.field == "nodeName")
            || (!is_alone && entry.field == *self.field);
        asks && self.kind.matches(&entry.kind)
    }

    /// True if this very entry is the change.
    fn is_made_by(&self, entry: &Entry, state: &State) -> bool {
        self.kind.matches(&entry.kind)
            && self.name.matches(&entry.name)
            && entry.field == *self.field
            && self.value_matches(entry)
            && self.reason.as_ref().is_none_or(|reason| reason.matches(&entry.reason))
            && (!self.new && self.on.is_none() || self.fits(&entry.object(), state))
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
        let node = || state.fields.get(&(object.to_owned(), "nodeName".to_owned()));
        (!self.new || state.born.contains(object))
            && self.on.as_ref().is_none_or(|on| node().is_some_and(|(node, _)| on.matches(node)))
    }
}

impl Glob {
    /// True if the whole text is meant.
    pub fn matches(&self, text: &str) -> bool {
        is_like(text, &self.0)
    }
}

impl State {
    /// Takes an entry in.
    pub fn note(&mut self, entry: &Entry, age: Age) {
        let object = entry.object();
        if entry.field == "exists" && entry.to != Value::Null && age == Age::New {
            self.born.insert(object.clone());
        }
        let key = (object, entry.field.to_string());
        match entry.to {
            Value::Null => drop(self.fields.remove(&key)),
            _ => drop(self.fields.insert(key, (entry.to.to_string(), entry.reason.to_string()))),
        }
    }
}

fn unquoted(value: &str) -> String {
    value.trim_matches('"').to_owned()
}
