//! What the fields of every object hold at an instant, as the entries up to it tell.
//!
//! It reads entries alone, so that a timeline from a file has the same moments, and going back costs
//! a replay of entries, not of the world. What no entry tells is not known here: a Moment is what a
//! watcher with a notebook has, not the world itself.

use crate::engine::{SimTime, Text};
use crate::timeline::{Entry, EntryId, Timeline, Value};
use std::collections::BTreeMap;

/// All that is there, with its fields.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    things: BTreeMap<Thing, Fields>,
    /// How many entries of the timeline it has taken.
    taken: usize,
}

/// An object, a VM, a process: what an entry is about. Ordered by kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    pub kind: Text,
    pub cluster: Text,
    pub name: Text,
}

/// What the fields of one thing hold.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    held: BTreeMap<Text, Held>,
    namespace: Option<Text>,
}

/// A value, and the entry that has told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub value: Value,
    pub at: SimTime,
    pub entry: EntryId,
}

impl Thing {
    /// What an entry is about.
    pub fn of(entry: &Entry) -> Thing {
        Thing { kind: entry.kind.clone(), cluster: entry.cluster.clone(), name: entry.name.clone() }
    }
}

impl Moment {
    /// Everything up to an instant, with what happens in it.
    pub fn of(timeline: &Timeline, at: SimTime) -> Moment {
        let mut moment = Moment::default();
        moment.advance(timeline, at);
        moment
    }

    /// Takes all further entries up to an instant.
    pub fn advance(&mut self, timeline: &Timeline, at: SimTime) {
        let rest = timeline.entries()[self.taken..].iter().take_while(|entry| entry.at <= at);
        for entry in rest {
            self.apply(timeline, entry);
        }
    }

    /// Takes the next entry of a timeline.
    pub fn apply(&mut self, timeline: &Timeline, entry: &Entry) {
        self.taken += 1;
        if matches!(entry.field.as_str(), "log" | "event" | "injected") {
            return;
        }
        let thing = Thing::of(entry);
        if entry.field == "exists" && entry.to == Value::Null {
            self.things.remove(&thing);
            return;
        }
        let is_life = entry.kind == "Process" && entry.field == "running";
        if is_life {
            self.forget_leader(&entry.cluster, &entry.name);
        }
        let fields = self.things.entry(thing).or_default();
        if entry.field == "exists" {
            fields.namespace = timeline.aside(entry.id).map(|aside| aside.namespace.clone());
        }
        let held = Held { value: entry.to.clone(), at: entry.at, entry: entry.id };
        fields.held.insert(entry.field.clone(), held);
        if is_life {
            fields.forget_life(entry);
        }
    }

    /// A member of etcd that begins anew knows no leader and follows nobody; it tells so by nothing
    /// but its process.
    fn forget_leader(&mut self, cluster: &Text, process: &Text) {
        let Some(vm) = process.strip_prefix("etcd@") else { return };
        let member = self.get_mut("EtcdMember", cluster, vm);
        member.into_iter().for_each(|member| {
            member.held.retain(|field, _| !matches!(field.as_str(), "leader" | "role"));
        });
    }

    /// How many entries it has taken.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Everything of a kind, ordered by cluster and name.
    pub fn all(&self, kind: &'static str) -> impl Iterator<Item = (&Thing, &Fields)> {
        let from = Thing { kind: Text::word(kind), cluster: Text::EMPTY, name: Text::EMPTY };
        self.things.range(from..).take_while(move |(thing, _)| thing.kind == kind)
    }

    /// One thing, if it is there.
    pub fn get(&self, kind: &'static str, cluster: &Text, name: &str) -> Option<&Fields> {
        self.things.get(&thing(kind, cluster, name))
    }

    fn get_mut(&mut self, kind: &'static str, cluster: &Text, name: &str) -> Option<&mut Fields> {
        self.things.get_mut(&thing(kind, cluster, name))
    }

    /// True if a process runs, and is not frozen.
    pub fn runs(&self, cluster: &Text, program: &str, vm: &str) -> bool {
        let process = self.get("Process", cluster, &format!("{program}@{vm}"));
        process.is_some_and(|process| process.is_true("running") && !process.is_true("frozen"))
    }
}

fn thing(kind: &'static str, cluster: &Text, name: &str) -> Thing {
    Thing { kind: Text::word(kind), cluster: cluster.clone(), name: Text::from(name) }
}

impl Fields {
    /// All fields that have been told of, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Held)> {
        self.held.iter()
    }

    /// A field, if it has been told of.
    pub fn get(&self, field: &str) -> Option<&Held> {
        self.held.get(field)
    }

    /// What a field holds, if it is a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.get(field)?.value.as_text()
    }

    /// What a field holds, if it is a count.
    pub fn count(&self, field: &str) -> Option<i64> {
        match self.get(field)?.value {
            Value::Count(count) => Some(count),
            _ => None,
        }
    }

    /// True if a field is present and true.
    pub fn is_true(&self, field: &str) -> bool {
        self.get(field).is_some_and(|held| held.value == Value::Bool(true))
    }

    /// Forgets what an earlier life of a process told; no entry tells that it is over.
    fn forget_life(&mut self, entry: &Entry) {
        self.held.remove("frozen");
        // An API server that was started has to begin to serve.
        if entry.from != Value::Null && entry.name.starts_with("kube-apiserver@") {
            let held = Held { value: Value::Bool(false), at: entry.at, entry: entry.id };
            self.held.insert(Text::word("serving"), held);
        }
    }

    /// True if it was not its start that told that a process does not serve.
    pub fn has_served(&self) -> bool {
        let told_by = |field: &str| self.get(field).map(|held| held.entry);
        told_by("serving") != told_by("running")
    }

    /// True if a field is present and false.
    pub fn is_false(&self, field: &str) -> bool {
        self.get(field).is_some_and(|held| held.value == Value::Bool(false))
    }

    /// When it came to be.
    pub fn created(&self) -> Option<SimTime> {
        self.get("exists").map(|held| held.at)
    }

    /// The namespace of an object that has one.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("default")
    }
}
