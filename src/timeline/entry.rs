//! One timeline entry, its JSON form, and the list of them with a rolling hash.

use crate::engine::{Duration, SimTime, Text};
use serde_json::json;

/// The ordinal of an entry; 1 is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// All entries of a run in order, and the hash over them.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    entries: Vec<Entry>,
    /// How many of them only say what there was when the run began.
    beginning: usize,
    hash: blake3::Hasher,
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<Text>) -> Value {
        Value::Text(text.into())
    }

    /// The value as it stands in JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(truth) => json!(truth),
            Value::Count(count) => json!(count),
            Value::Text(text) => json!(text.as_str()),
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

    /// The entry as one line of JSON Lines, without the line's end.
    pub fn to_json_line(&self) -> String {
        let mut line = format!("{{\"id\":{},\"t\":{}", self.id.0, self.at.seconds_text());
        let mut add = |name: &str, value: serde_json::Value| {
            line.push_str(&format!(",\"{name}\":{value}"));
        };
        if !self.cluster.is_empty() {
            add("cluster", json!(self.cluster));
        }
        add("object", json!(self.object()));
        add("field", json!(self.field));
        add("from", self.from.to_json());
        add("to", self.to.to_json());
        for (name, text) in [("reason", &self.reason), ("message", &self.message), ("by", &self.by)]
        {
            if !text.is_empty() {
                add(name, json!(text));
            }
        }
        add("cause", json!(self.cause.map(|cause| cause.0)));
        if !self.reads.is_empty() {
            add("reads", json!(self.reads.iter().map(|read| read.0).collect::<Vec<_>>()));
        }
        if let Some(took) = self.took {
            line.push_str(&format!(",\"took\":{}", (SimTime::ZERO + took).seconds_text()));
        }
        line.push('}');
        line
    }
}

impl Timeline {
    /// Appends an entry; its id must be the next ordinal.
    pub fn push(&mut self, entry: Entry) {
        assert_eq!(entry.id, self.next_id(), "timeline entries are numbered without gaps");
        self.hash.update(entry.to_json_line().as_bytes());
        self.hash.update(b"\n");
        self.entries.push(entry);
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
