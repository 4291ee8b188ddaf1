//! One timeline entry, its JSON form, and the list of them with a rolling hash.

use crate::engine::{Duration, SimTime, Text};
use std::collections::BTreeMap;

/// The ordinal of an entry; 1 is the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u32);

/// What a field held: nothing, a truth, a count or a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Count(i64),
    Text(Text),
}

/// One change that a watcher of the cluster would have seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: EntryId,
    pub at: SimTime,
    /// `workload` or `management`; empty for what belongs to no cluster (a VM, a fault).
    pub cluster: Text,
    /// Kind of the object: `Node`, `Machine`, `VM`, `Process`, `Fault` ...
    pub kind: Text,
    /// Name of the object.
    pub name: Text,
    /// The field that changed: `Ready`, `taints`, `exists`, `event`, `log` ...
    pub field: Text,
    pub from: Value,
    pub to: Value,
    pub reason: Text,
    pub message: Text,
    /// The process that did it, as `node-lifecycle@control-plane-0`; empty for a fault.
    pub by: Text,
    /// The entry that led to this one.
    pub cause: Option<EntryId>,
    /// Further entries that the deciding read had seen.
    pub reads: Vec<EntryId>,
    /// How long the deciding try took (a probe's entry only).
    pub took: Option<Duration>,
}

/// What is known of an entry's object, or of the Event that it tells of, and is no part of its JSON
/// form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// Empty for an object without one.
    pub namespace: Text,
    /// True of an Event of type `Warning`.
    pub is_warning: bool,
}

/// All entries of a run in order, and the hash over them.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    entries: Vec<Entry>,
    /// Of the entries with which an object begins and of Events, those for which the usual is wrong:
    /// the namespace `default`, the type `Normal`.
    asides: BTreeMap<EntryId, Aside>,
    /// How many of them only say what there was when the run began.
    beginning: usize,
    hash: blake3::Hasher,
    /// The latest line, kept to spare allocations.
    line: Vec<u8>,
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<Text>) -> Value {
        Value::Text(text.into())
    }

    fn write_json(&self, line: &mut Vec<u8>) {
        match self {
            Value::Null => write_plain(line, &()),
            Value::Bool(truth) => write_plain(line, truth),
            Value::Count(count) => write_plain(line, count),
            Value::Text(text) => write_plain(line, text),
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(truth) => truth.fmt(f),
            Value::Count(count) => count.fmt(f),
            Value::Text(text) => text.fmt(f),
        }
    }
}

impl Entry {
    /// Kind and name, as `Node/worker-0`.
    pub fn object(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// The program that wrote it, without its VM; empty if nobody is named.
    pub fn program(&self) -> &str {
        self.by.split('@').next().unwrap_or_default()
    }

    /// The entry as one line of JSON Lines, without the line's end.
    pub fn to_json_line(&self) -> String {
        let mut line = Vec::with_capacity(256);
        self.write_json(&mut line);
        String::from_utf8(line).expect("JSON is text")
    }

    /// Appends the entry's JSON, in one line.
    fn write_json(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(b"{\"id\":");
        write_plain(line, &self.id.0);
        write_field(line, "t", |line| self.at.write_seconds(line));
        if !self.cluster.is_empty() {
            write_field(line, "cluster", |line| write_plain(line, &self.cluster));
        }
        write_field(line, "object", |line| write_plain(line, &self.object()));
        write_field(line, "field", |line| write_plain(line, &self.field));
        write_field(line, "from", |line| self.from.write_json(line));
        write_field(line, "to", |line| self.to.write_json(line));
        for (name, text) in [("reason", &self.reason), ("message", &self.message), ("by", &self.by)]
        {
            if !text.is_empty() {
                write_field(line, name, |line| write_plain(line, text));
            }
        }
        write_field(line, "cause", |line| write_plain(line, &self.cause.map(|cause| cause.0)));
        if !self.reads.is_empty() {
            let reads: Vec<u32> = self.reads.iter().map(|read| read.0).collect();
            write_field(line, "reads", |line| write_plain(line, &reads));
        }
        if let Some(took) = self.took {
            write_field(line, "took", |line| (SimTime::ZERO + took).write_seconds(line));
        }
        line.push(b'}');
    }
}

/// Appends a field of a JSON object that has one already.
fn write_field(line: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
    value(line);
}

/// Appends what every value of a timeline is in JSON: a text, a number, a truth, a list of numbers.
fn write_plain(line: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(line, value).expect("a plain value, written to memory");
}

impl Timeline {
    /// Appends an entry; its id must be the next ordinal.
    pub fn push(&mut self, entry: Entry) {
        assert_eq!(entry.id, self.next_id(), "timeline entries are numbered without gaps");
        self.line.clear();
        entry.write_json(&mut self.line);
        self.line.push(b'\n');
        self.hash.update(&self.line);
        self.entries.push(entry);
    }

    /// Says of an entry what its JSON form does not.
    pub fn set_aside(&mut self, id: EntryId, aside: Aside) {
        self.asides.insert(id, aside);
    }

    /// What was said of an entry beside its JSON form, if it was not the usual.
    pub fn aside(&self, id: EntryId) -> Option<&Aside> {
        self.asides.get(&id)
    }

    /// The first entry about a field of an object that was written at a time, which may have been cut
    /// to whole seconds, or soon after it: what is decided then is committed later.
    pub fn written(&self, about: (&str, &str, &str), at: SimTime) -> Option<EntryId> {
        let end = at + Duration::from_secs(5);
        let first = self.entries.partition_point(|entry| entry.at < at);
        let mut within = self.entries[first..].iter().take_while(|entry| entry.at < end);
        let (kind, name, field) = about;
        let fits =
            |entry: &&Entry| entry.kind == *kind && entry.name == *name && entry.field == *field;
        within.find(fits).map(|entry| entry.id)
    }

    /// The last entry with which an object of this kind and name was gone.
    pub fn ended(&self, kind: &str, name: &str) -> Option<EntryId> {
        let fits = |entry: &&Entry| {
            entry.field == *"exists"
                && entry.to == Value::Null
                && entry.kind == *kind
                && entry.name == *name
        };
        self.entries.iter().rev().find(fits).map(|entry| entry.id)
    }

    /// The id that the next entry gets.
    pub fn next_id(&self) -> EntryId {
        EntryId(u32::try_from(self.entries.len()).expect("fewer than 2^32 entries") + 1)
    }

    /// Says that what was written so far is the state in which the run begins. Its time does not
    /// tell: a fault may come at the very beginning.
    pub fn begin(&mut self) {
        self.beginning = self.entries.len();
    }

    /// The entries of the state in which the run began.
    pub fn beginning(&self) -> &[Entry] {
        &self.entries[..self.beginning]
    }

    /// The entries after the beginning: what happened.
    pub fn happened(&self) -> &[Entry] {
        &self.entries[self.beginning..]
    }

    /// All entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry with this id.
    pub fn get(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(id.0.checked_sub(1)? as usize)
    }

    /// The first 16 hex digits of the hash over all entries' lines.
    pub fn hash(&self) -> String {
        self.hash.finalize().to_hex()[..16].to_owned()
    }
}
