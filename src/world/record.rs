//! The recorder: turns what happened into timeline entries, each with its cause.
//!
//! It looks and writes down; nothing depends on what it wrote but causes.

use crate::api::kinds::EventType;
use crate::api::{Body, Object, PROBES, Revision, changes};
use crate::engine::{SimTime, Text};
use crate::infra::{BackendsChange, HostChange, MemberChange, ProbeReport};
use crate::timeline::{Aside, Entry, EntryId, Timeline, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Writes the timeline.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    timeline: Timeline,
    /// Who has logged what already: only the first of a kind of line is an entry.
    logged: BTreeSet<(Text, Text)>,
    /// What is committed in each cluster, in the present history of its store.
    commits: BTreeMap<Text, Commits>,
    /// Changes of members that one of several members has told of.
    members: BTreeSet<(Text, u64)>,
}

/// The commits of a cluster that members may still apply after the first has done so.
#[derive(Clone, Debug, Default)]
struct Commits {
    history: SimTime,
    latest: Revision,
    /// Of the latest, those that are in the timeline.
    entries: VecDeque<(Revision, EntryId)>,
}

/// What is told of a process that ended soon after each of its last starts, and does not now. It was started a
/// while before.
pub const OUT_OF_CRASH_LOOP: Text = Text::word("out of its crash loop");
/// What is told of a process that was killed, and that its kernel keeps until its disk has done something.
const KILLED_IN_FLUSH: Text = Text::word("killed, and waits for its disk");
/// How many commits a member may lag behind and still know what led to what it applies.
const REMEMBERED_COMMITS: usize = 1_000;

impl Recorder {
    /// All entries so far.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The state in which the run begins is written down; what follows happens.
    pub fn begin(&mut self) {
        self.timeline.begin();
    }

    /// All entries, at the end.
    pub fn into_timeline(self) -> Timeline {
        self.timeline
    }

    /// A committed change of an object; the one of its entries that leads on.
    pub fn committed(
        &mut self,
        at: SimTime,
        cluster: &Text,
        old: Option<&Object>,
        new: Option<&Object>,
        (agent, host): (&'static str, &Text),
        cause: Option<EntryId>,
    ) -> Option<EntryId> {
        let object = new.or(old)?;
        // What a user tries over and over is no news; what comes of it is.
        if object.key().namespace == PROBES {
            return None;
        }
        let found = changes(old, new);
        if found.is_empty() {
            return None;
        }
        let regarding = match &object.body {
            Body::Event(event) => &event.regarding,
            _ => object.key(),
        };
        let kind = Text::word(regarding.kind.name());
        let by = Text::from(format!("{agent}@{host}"));
        let (mut first, mut last) = (None, None);
        for change in found {
            let entry = Entry {
                id: self.timeline.next_id(),
                at,
                cluster: cluster.clone(),
                kind: kind.clone(),
                name: regarding.name.clone(),
                field: change.field,
                from: change.from,
                to: change.to,
                reason: change.reason,
                message: change.message,
                by: by.clone(),
                cause,
                reads: Vec::new(),
                took: None,
            };
            first = first.or(Some(entry.id));
            last = Some(entry.id);
            self.timeline.push(entry);
        }
        if let (None, Some(first)) = (old, first) {
            self.set_aside(first, object);
        }
        // What leads on from a new object is that it exists; from a change, its last field: a
        // Node's Ready stands after its pressures, a Machine's mark after its health.
        if old.is_none() { first } else { last }
    }

    /// What a member applies after another: nothing if it is the first to apply it, else what was
    /// written down then, if anything was.
    pub fn seen(
        &self,
        cluster: &Text,
        history: SimTime,
        revision: Revision,
    ) -> Option<Option<EntryId>> {
        let commits = self.commits.get(cluster)?;
        // A member that was left out when the cluster was made anew has nothing to tell.
        if history < commits.history {
            return Some(None);
        }
        if history > commits.history || revision > commits.latest {
            return None;
        }
        let found = commits.entries.binary_search_by_key(&revision, |(revision, _)| *revision);
        Some(found.ok().map(|place| commits.entries[place].1))
    }

    /// Remembers what was written down of a commit.
    pub fn note(
        &mut self,
        cluster: Text,
        history: SimTime,
        revision: Revision,
        entry: Option<EntryId>,
    ) {
        let commits = self.commits.entry(cluster).or_default();
        if history > commits.history {
            *commits = Commits { history, ..Commits::default() };
        }
        commits.latest = revision;
        if let Some(entry) = entry {
            if commits.entries.len() == REMEMBERED_COMMITS {
                commits.entries.pop_front();
            }
            commits.entries.push_back((revision, entry));
        }
    }

    /// Something about an etcd member changed.
    pub fn member(
        &mut self,
        at: SimTime,
        cluster: &Text,
        change: MemberChange,
        by: Text,
        cause: Option<EntryId>,
    ) -> Option<EntryId> {
        if change.once.is_some_and(|number| !self.members.insert((cluster.clone(), number))) {
            return None;
        }
        let mut entry = self.entry(at, "EtcdMember", &change.member, change.field, cause);
        entry.cluster = cluster.clone();
        entry.from = change.from;
        entry.to = change.to;
        entry.by = by;
        Some(self.push(entry))
    }

    /// A line in a process's log, if it is the first of its kind.
    pub fn log(
        &mut self,
        at: SimTime,
        cluster: &Text,
        process: &Text,
        line: Text,
        cause: Option<EntryId>,
    ) -> Option<EntryId> {
        if !self.logged.insert((process.clone(), line.clone())) {
            return None;
        }
        let mut entry = self.line(at, process, line, cause);
        entry.cluster = cluster.clone();
        Some(self.push(entry))
    }

    /// What a person's command printed, however often it has, and its exit code if it failed.
    pub fn printed(
        &mut self,
        at: SimTime,
        process: &Text,
        (words, exit): (Text, u8),
        cause: Option<EntryId>,
    ) -> EntryId {
        let mut entry = self.line(at, process, words, cause);
        if exit != 0 {
            entry.reason = Text::from(format!("exit {exit}"));
        }
        self.push(entry)
    }

    fn line(&mut self, at: SimTime, process: &Text, line: Text, cause: Option<EntryId>) -> Entry {
        let program = process.split('@').next().unwrap_or_default();
        let mut entry = self.entry(at, "Process", process, "log", cause);
        entry.to = Value::text(program);
        entry.message = line;
        entry.by = process.clone();
        entry
    }

    /// A process began or ended, or was frozen or thawed.
    pub fn process(
        &mut self,
        at: SimTime,
        cluster: &Text,
        process: &Text,
        (field, is): (&'static str, bool),
        cause: Option<EntryId>,
    ) -> EntryId {
        let mut entry = self.entry(at, "Process", process, field, cause);
        entry.cluster = cluster.clone();
        entry.from = Value::Bool(!is);
        entry.to = Value::Bool(is);
        self.push(entry)
    }

    /// A process was killed whose disk has yet to do something for it: until then it does nothing.
    pub fn killed_in_flush(
        &mut self,
        at: SimTime,
        (cluster, process): (&Text, &Text),
        was_frozen: bool,
        cause: Option<EntryId>,
    ) -> EntryId {
        let entry = self.entry(at, "Process", process, "frozen", cause);
        self.became_true(entry, cluster, was_frozen, KILLED_IN_FLUSH)
    }

    /// A process of whose start nothing was written down, after short lives, lives.
    pub fn out_of_crash_loop(
        &mut self,
        at: SimTime,
        cluster: &Text,
        process: &Text,
        cause: Option<EntryId>,
    ) -> EntryId {
        let entry = self.entry(at, "Process", process, "running", cause);
        self.became_true(entry, cluster, false, OUT_OF_CRASH_LOOP)
    }

    /// A truth about a process of a cluster holds from now on, and why.
    fn became_true(
        &mut self,
        mut entry: Entry,
        cluster: &Text,
        before: bool,
        why: Text,
    ) -> EntryId {
        entry.cluster = cluster.clone();
        (entry.from, entry.to) = (Value::Bool(before), Value::Bool(true));
        entry.message = why;
        self.push(entry)
    }

    /// Things stand otherwise for a user who tries them.
    pub fn probe(
        &mut self,
        at: SimTime,
        cluster: &Text,
        report: ProbeReport,
        by: Text,
        cause: Option<EntryId>,
    ) -> EntryId {
        let mut entry = self.entry(at, "Probe", &report.probe, report.field, cause);
        entry.cluster = cluster.clone();
        entry.from = Value::Text(report.from);
        entry.to = Value::Text(report.to);
        entry.reason = report.reason;
        entry.message = report.message;
        entry.by = by;
        entry.took = Some(report.took);
        self.push(entry)
    }

    /// An endpoint leads elsewhere.
    pub fn backends(
        &mut self,
        at: SimTime,
        change: BackendsChange,
        by: Text,
        cause: Option<EntryId>,
    ) -> EntryId {
        let words = |up: Vec<Text>| match up.is_empty() {
            true => Value::Text(Text::word("none")),
            false => Value::text(up.join(",")),
        };
        let mut entry = self.entry(at, "Endpoint", &change.endpoint, "backends", cause);
        entry.from = words(change.from);
        entry.to = words(change.to);
        entry.message = change.why;
        entry.by = by;
        self.push(entry)
    }

    /// A VM changed in the datacenter.
    pub fn vm(
        &mut self,
        at: SimTime,
        vm: &Text,
        field: &'static str,
        (from, to): (Value, Value),
        by: &Text,
        cause: Option<EntryId>,
    ) -> EntryId {
        let mut entry = self.entry(at, "VM", vm, field, cause);
        entry.from = from;
        entry.to = to;
        entry.by = by.clone();
        self.push(entry)
    }

    /// A thing of the datacenter's changed by itself.
    pub fn thing(
        &mut self,
        at: SimTime,
        (kind, name): (&'static str, &Text),
        field: &'static str,
        (from, to): (Value, Value),
        cause: Option<EntryId>,
    ) -> EntryId {
        let mut entry = self.entry(at, kind, name, field, cause);
        (entry.from, entry.to) = (from, to);
        self.push(entry)
    }

    /// Somebody sees a host otherwise, or a VM through its host.
    pub fn host(
        &mut self,
        at: SimTime,
        change: &HostChange,
        by: &Text,
        cause: Option<EntryId>,
    ) -> EntryId {
        let mut entry = self.entry(at, change.kind, &change.name, change.field, cause);
        entry.from = Value::Text(Text::word(change.from));
        entry.to = Value::Text(Text::word(change.to));
        entry.by = by.clone();
        self.push(entry)
    }

    /// A fault was injected; a person's command is told in the person's words.
    pub fn fault(
        &mut self,
        at: SimTime,
        kind: &'static str,
        target: String,
        words: Text,
    ) -> EntryId {
        let mut entry = self.entry(at, "Fault", &Text::word(kind), "injected", None);
        entry.to = Value::text(target);
        entry.message = words;
        self.push(entry)
    }

    /// One field of the state in which the run begins.
    pub fn initial(
        &mut self,
        cluster: &Text,
        kind: &'static str,
        name: &Text,
        field: &'static str,
        to: Value,
    ) {
        let mut entry = self.entry(SimTime::ZERO, kind, name, field, None);
        entry.cluster = cluster.clone();
        entry.to = to;
        self.push(entry);
    }

    /// An object of the state in which the run begins.
    pub fn initial_object(&mut self, cluster: &Text, object: &Object) {
        self.set_aside(self.timeline.next_id(), object);
        for change in changes(None, Some(object)) {
            let mut entry =
                self.entry(SimTime::ZERO, object.key().kind.name(), object.name(), "", None);
            entry.cluster = cluster.clone();
            entry.field = change.field;
            entry.to = change.to;
            entry.reason = change.reason;
            entry.message = change.message;
            self.push(entry);
        }
    }

    /// Says of a new object, or of an Event, what its first entry does not tell.
    fn set_aside(&mut self, first: EntryId, object: &Object) {
        let (regarding, is_warning) = match &object.body {
            Body::Event(event) => (&event.regarding, event.kind == EventType::Warning),
            _ => (object.key(), false),
        };
        let namespace = regarding.namespace.clone();
        let is_usual = namespace == *"default" || !regarding.kind.is_namespaced();
        if is_warning || !is_usual {
            self.timeline.set_aside(first, Aside { namespace, is_warning });
        }
    }

    fn entry(
        &self,
        at: SimTime,
        kind: &'static str,
        name: &Text,
        field: &'static str,
        cause: Option<EntryId>,
    ) -> Entry {
        Entry {
            id: self.timeline.next_id(),
            at,
            cluster: Text::EMPTY,
            kind: Text::word(kind),
            name: name.clone(),
            field: Text::word(field),
            from: Value::Null,
            to: Value::Null,
            reason: Text::EMPTY,
            message: Text::EMPTY,
            by: Text::EMPTY,
            cause,
            reads: Vec::new(),
            took: None,
        }
    }

    fn push(&mut self, entry: Entry) -> EntryId {
        let id = entry.id;
        self.timeline.push(entry);
        id
    }
}
