//! What several laws ask of an entry or of the world, and the shapes of the simplest laws.

use super::{Breach, Law, Seen, Verdict};
use crate::api::{Kind, Object};
use crate::engine::{Duration, SimTime, Text};
use crate::infra::{ProcessState, VmId};
use crate::timeline::{Entry, EntryId, Timeline, Value};
use crate::world::View;
use std::sync::Arc;

/// After this even a watcher has heard of a change whose connection had died in silence: client-go
/// gives it up after 45 s (an HTTP/2 ping after 30 s, 15 s without an answer) and lists anew.
pub const HEARD: Duration = Duration::from_secs(120);

/// A law about each entry by itself, given the world just after it.
#[derive(Clone, Copy, Debug)]
pub struct EachEntry(pub fn(View, &Entry) -> Option<Breach>);

/// Reached with the first entry that shows it.
#[derive(Clone, Copy, Debug)]
pub struct Once(pub fn(&Entry) -> bool);

impl Law for EachEntry {
    fn look(&mut self, seen: Seen) -> Verdict {
        let broken = seen.news.iter().find_map(|entry| (self.0)(seen.view, entry));
        broken.map_or(Verdict::Holds, Verdict::Broken)
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(*self)
    }
}

impl Law for Once {
    fn look(&mut self, seen: Seen) -> Verdict {
        match seen.news.iter().any(self.0) {
            true => Verdict::Reached,
            false => Verdict::Holds,
        }
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(*self)
    }
}

impl Breach {
    /// What an entry shows.
    pub fn shown_by(entry: &Entry, says: impl Into<Text>) -> Breach {
        let object = Text::from(entry.object());
        Breach { object, says: says.into(), entries: vec![entry.id] }
    }
}

/// True if the entry says that a field of such an object has just become this.
pub fn turns(entry: &Entry, kind: &str, field: &str, to: &str) -> bool {
    entry.kind == *kind && entry.field == *field && entry.to.as_text() == Some(to)
}

/// True if the entry says that an object of this kind has just come to be.
pub fn is_new(entry: &Entry, kind: &str) -> bool {
    entry.kind == *kind && entry.field == *"exists" && entry.to == Value::Bool(true)
}

/// True if the entry says that an object of this kind is no more.
pub fn is_gone(entry: &Entry, kind: &str) -> bool {
    entry.kind == *kind && entry.field == *"exists" && entry.to == Value::Null
}

/// True if the entry says that an object of this kind is to be deleted from now on.
pub fn is_deleted(entry: &Entry, kind: &str) -> bool {
    entry.kind == *kind && entry.field == *"deletionTimestamp" && entry.from == Value::Null
}

/// True if this program wrote the entry.
pub fn is_by(entry: &Entry, program: &str) -> bool {
    entry.program() == program
}

/// True if the writer of an entry, or another process beside it, was frozen not long ago: what has
/// happened meanwhile is still in its sockets, while its timers are due at once.
pub fn has_just_woken(view: View, entry: &Entry) -> bool {
    let Some((_, vm)) = entry.by.split_once('@') else { return false };
    let mut slept = view.processes_on(vm).filter_map(|process| process.slept);
    slept.any(|(_, until)| until + HEARD > view.now())
}

/// True if a person's command led to the entry, not only to what it stands in the way of.
pub fn is_asked_for(timeline: &Timeline, entry: &Entry) -> bool {
    let asks = |entry: &Entry| {
        let is_fault = |name: &str| entry.kind == *"Fault" && entry.name == *name;
        // A command that had to wait for its server goes back to that.
        ["kubectl", "etcdctl"].iter().any(|name| is_fault(name) || is_by(entry, name))
    };
    let mut next = Some(entry.id);
    while let Some(led) = next.and_then(|id| timeline.get(id)) {
        if asks(led) {
            return true;
        }
        next = led.cause.filter(|cause| *cause < led.id);
    }
    false
}

/// True if a person deleted this Machine; who goes on with it after a restart cannot tell.
pub fn is_unwanted(view: View, machine: &str) -> bool {
    let mut entries = view.timeline().happened().iter().rev();
    let deleted = entries.find(|entry| is_deleted(entry, "Machine") && entry.name == *machine);
    deleted.is_some_and(|entry| is_asked_for(view.timeline(), entry))
}

/// The entries of the last while, the latest first.
pub fn lately<'a>(view: View<'a>, length: Duration) -> impl Iterator<Item = &'a Entry> {
    let now = view.now();
    view.timeline().happened().iter().rev().take_while(move |entry| entry.at + length > now)
}

/// True if no member of etcd has missed its leader for [`HEARD`]. An API server whose member does has its
/// watches ended, and begins anew only between two leaders: what it tells may be minutes old, and
/// what is written to it may be refused.
pub fn have_kept_leaders(view: View) -> bool {
    let is_left = |entry: &Entry| {
        entry.kind == *"EtcdMember" && entry.field == *"leader" && entry.to == Value::Null
    };
    !lately(view, HEARD).any(is_left)
}

/// True if each API server that has lately answered has long had a member of etcd beside it. One without it goes on
/// answering watches out of what it knows, for as long as nobody ends it; who then comes from it to
/// another hears all that he missed played back, and acts on what was true for a moment of it.
pub fn have_servers_heard(view: View) -> bool {
    let now = view.now();
    let ended = |process: &ProcessState| {
        let entry = process.ended.entry.and_then(|id| view.timeline().get(id));
        entry.filter(|_| !process.alive).map_or(now, |entry| entry.at)
    };
    let has_fed = |etcd: &ProcessState, server: &ProcessState, until: SimTime| {
        let woke = etcd.slept.map_or(etcd.started, |(_, woke)| woke.max(etcd.started));
        let is_at_work = ended(etcd) >= until && etcd.frozen.is_none();
        // Who began after it has read from it what is so.
        is_at_work && (woke <= server.started || woke + HEARD <= until)
    };
    let is_left = |server: &ProcessState| {
        let until = ended(server);
        let mut beside = view.processes().filter(|process| process.vm == server.vm);
        let is_fed =
            beside.any(|process| process.program == *"etcd" && has_fed(process, server, until));
        (server.alive || until + HEARD > now) && !is_fed
    };
    let hosts: Vec<VmId> =
        view.workload_hosts_of("kube-apiserver").filter_map(|vm| view.vm_id(vm)).collect();
    let servers = view.processes().filter(|process| process.program == *"kube-apiserver");
    // One on a VM that is gone was the workload's.
    let is_gone = |vm: VmId| view.vms().all(|it| view.vm_id(&it.name) != Some(vm));
    let mut servers = servers.filter(|it| hosts.contains(&it.vm) || is_gone(it.vm));
    !servers.any(is_left)
}

/// True if no clock was wrong so far: what is written in objects can be held against true time.
pub fn were_clocks_right(view: View) -> bool {
    let is_skew = |entry: &Entry| entry.kind == *"Fault" && entry.name == *"skewClock";
    !view.timeline().happened().iter().any(is_skew)
}

/// The latest entry.
pub fn latest(view: View) -> Vec<EntryId> {
    view.timeline().entries().last().map(|entry| entry.id).into_iter().collect()
}

/// An object by its name.
pub fn named<'a>(view: View<'a>, kind: Kind, name: &str) -> Option<&'a Arc<Object>> {
    view.objects(kind).find(|object| *object.name() == *name)
}

/// True if an object was told to go this long ago or longer.
pub fn has_long_been_going(object: &Object, now: SimTime) -> bool {
    object.meta.deletion.is_some_and(|deletion| deletion.at + HEARD <= now + deletion.grace)
}
