//! The named moments of a run: when a Node became Unknown, when its replacement was Ready.
//!
//! Derived from timeline entries alone, each moment at its first occurrence per object. It looks
//! into no component and no world, so a timeline read from a file has the same milestones. The
//! state that is written at time 0 is a beginning, not a change, and gives none.

use super::{api_servers, quorum};
use crate::engine::{SimTime, Text};
use crate::timeline::{Entry, EntryId, Run, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A named moment in the life of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milestone {
    pub name: Text,
    pub object: Text,
    pub at: SimTime,
    /// The entry that made it so.
    pub entry: EntryId,
}

/// All names that a milestone can have.
pub const NAMES: [&str; 29] = [
    "nodeUnknown",
    "nodeNotReady",
    "nodeReady",
    "nodeCordoned",
    "nodeDeleted",
    "podEvicted",
    "podReplaced",
    "machineUnhealthy",
    "remediationRefused",
    "machineDeleting",
    "machineDeleted",
    "vmPoweredOff",
    "vmPoweredOn",
    "vmDeleted",
    "vmRecreated",
    "joinFailed",
    "replacementCreated",
    "replacementReady",
    "etcdLeaderLost",
    "etcdLeaderElected",
    "etcdQuorumLost",
    "etcdQuorumRestored",
    "apiserverDown",
    "apiserverUp",
    "apiUnavailable",
    "apiAvailable",
    "appUnavailable",
    "appAvailable",
    "recovered",
];

/// All milestones of a run, ordered by time, then entry.
pub fn milestones(run: &Run) -> Vec<Milestone> {
    let mut found = Vec::new();
    let changes: Vec<&Entry> = run.timeline.happened().iter().collect();
    for entry in &changes {
        found.extend(plain(entry).map(|name| reached(name, entry.object(), entry)));
    }
    found.extend(virtual_machines(run.timeline.entries()));
    found.extend(api(run.timeline.entries()));
    found.extend(api_servers::milestones(run.timeline.entries()));
    found.extend(quorum::milestones(run.timeline.entries()));
    found.extend(pods(&changes));
    found.extend(replacements(run, &changes));
    found.extend(recovered(run));
    firsts(found)
}

/// Milestones that one entry shows by itself: kind, field, and what the field becomes.
const PLAIN: &[(&str, &str, Becomes, &str)] = &[
    ("Node", "Ready", Becomes::Text("Unknown"), "nodeUnknown"),
    ("Node", "Ready", Becomes::Text("False"), "nodeNotReady"),
    ("Node", "Ready", Becomes::Text("True"), "nodeReady"),
    ("Node", "unschedulable", Becomes::Yes, "nodeCordoned"),
    ("Node", "exists", Becomes::Nothing, "nodeDeleted"),
    ("Machine", "HealthCheckSucceeded", Becomes::Text("False"), "machineUnhealthy"),
    ("Machine", "deletionTimestamp", Becomes::Something, "machineDeleting"),
    ("Machine", "exists", Becomes::Nothing, "machineDeleted"),
    ("MachineHealthCheck", "RemediationAllowed", Becomes::Text("False"), "remediationRefused"),
    ("VM", "power", Becomes::Text("off"), "vmPoweredOff"),
    ("VM", "power", Becomes::Text("on"), "vmPoweredOn"),
    ("VM", "exists", Becomes::Nothing, "vmDeleted"),
];

/// What a field holds after a change.
enum Becomes {
    Nothing,
    Something,
    Yes,
    Text(&'static str),
}

impl Becomes {
    fn matches(&self, value: &Value) -> bool {
        match self {
            Becomes::Nothing => *value == Value::Null,
            Becomes::Something => *value != Value::Null,
            Becomes::Yes => *value == Value::Bool(true),
            Becomes::Text(text) => value.as_text() == Some(text),
        }
    }
}

/// The milestone that `entry` shows by itself.
fn plain(entry: &Entry) -> Option<&'static str> {
    if entry.from == entry.to {
        return owner_refuses(entry).then_some("remediationRefused");
    }
    PLAIN
        .iter()
        .find(|(kind, field, becomes, _)| {
            entry.kind == *kind && entry.field == *field && becomes.matches(&entry.to)
        })
        .map(|(_, _, _, name)| *name)
        .or_else(|| app(entry))
        .or_else(|| owner_refuses(entry).then_some("remediationRefused"))
}

/// An app goes down, and comes back, for the user who asks it.
fn app(entry: &Entry) -> Option<&'static str> {
    if entry.kind != "Probe" || !entry.name.starts_with("app-") || entry.field != "status" {
        return None;
    }
    match (entry.from.as_text(), entry.to.as_text()) {
        (_, Some("down")) => Some("appUnavailable"),
        (Some("down"), Some(_)) => Some("appAvailable"),
        _ => None,
    }
}

/// The API goes down when nobody who asks it has had an answer for long, and comes back with the
/// first answer: the users' own statuses, all together.
fn api(entries: &[Entry]) -> Vec<Milestone> {
    let mut down: BTreeMap<&str, bool> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| is_api_user(entry)) {
        let all_down = |down: &BTreeMap<&str, bool>| !down.is_empty() && down.values().all(|d| *d);
        let before = all_down(&down);
        down.insert(&entry.name, entry.to.as_text() == Some("down"));
        match (before, all_down(&down)) {
            (false, true) => found.push(reached("apiUnavailable", "Cluster/workload", entry)),
            (true, false) => found.push(reached("apiAvailable", "Cluster/workload", entry)),
            _ => {}
        }
    }
    found
}

/// Tells how things stand for a user of the API: `Probe/api` or `Probe/api@control-plane-0`.
fn is_api_user(entry: &Entry) -> bool {
    let api = entry.name == *"api" || entry.name.starts_with("api@");
    entry.kind == "Probe" && entry.field == "status" && api
}

/// An owner that will not replace the Machine says so in the reason, not in the status; in v1beta1 some
/// refusals have the reason of a Machine that nobody has looked at yet, and differ in the message.
fn owner_refuses(entry: &Entry) -> bool {
    let refusals = ["RemediationFailed", "RemediationDeferred", "CannotBeRemediated"];
    let reason = entry.reason.as_str();
    let is_told = || reason == "WaitingForRemediation" && entry.message.contains("can't remediate");
    entry.kind == "Machine"
        && entry.field == "OwnerRemediated"
        && (refusals.contains(&reason) || is_told())
}

/// True if somebody who can replace a Machine refuses to when the run ends: an owner, or a short circuit.
pub fn is_refused_at_end(run: &Run) -> bool {
    let mut refusing = BTreeSet::new();
    for entry in run.timeline.happened() {
        let refuses = match (entry.kind.as_str(), entry.field.as_str()) {
            ("MachineHealthCheck", "RemediationAllowed") => entry.to.as_text() == Some("False"),
            ("Machine", "OwnerRemediated") => owner_refuses(entry),
            ("Machine" | "MachineHealthCheck", "exists") if entry.to == Value::Null => false,
            _ => continue,
        };
        match refuses {
            true => refusing.insert(entry.object()),
            false => refusing.remove(&entry.object()),
        };
    }
    !refusing.is_empty()
}

/// A VM of the same name again, and kubeadm on it that finds no signature for its old token.
fn virtual_machines(entries: &[Entry]) -> Vec<Milestone> {
    let mut gone = BTreeSet::new();
    let mut again = BTreeSet::new();
    let mut found = Vec::new();
    for entry in entries {
        let vm = entry.name.rsplit('@').next().unwrap_or_default();
        if entry.kind == "VM" && entry.field == "exists" {
            if entry.to == Value::Null {
                gone.insert(vm);
            } else if gone.contains(vm) {
                again.insert(vm);
                found.push(reached("vmRecreated", entry.object(), entry));
            }
        }
        if again.contains(vm) && finds_no_signature(entry) {
            found.push(reached("joinFailed", format!("VM/{vm}"), entry));
        }
    }
    found
}

fn finds_no_signature(entry: &Entry) -> bool {
    // By hand, or by cloud-init at a first boot; the words differ between releases.
    let by_kubeadm = entry.name.starts_with("kubeadm@") || entry.name.starts_with("cloud-init@");
    let words = ["could not find a JWS signature", "does not yet contain a JWS signature"];
    entry.field == "log" && by_kubeadm && words.iter().any(|said| entry.message.contains(said))
}

/// Evicted Pods, each paired with the new Pod that its controller made in its place.
fn pods(changes: &[&Entry]) -> Vec<Milestone> {
    let mut found = Vec::new();
    let mut marked = BTreeMap::new();
    let mut evicted: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut in_place_of: BTreeMap<&str, String> = BTreeMap::new();
    for entry in changes.iter().filter(|entry| entry.kind == "Pod") {
        note_mark(&mut marked, entry);
        let waiting = evicted.entry(controller(&entry.name)).or_default();
        let begins = entry.from == Value::Null && entry.to != Value::Null;
        if entry.field == "deletionTimestamp" && begins && is_eviction(entry, &marked) {
            found.push(reached("podEvicted", entry.object(), entry));
            waiting.push(entry.object());
        }
        if entry.field == "exists" && begins && !waiting.is_empty() {
            in_place_of.insert(&entry.name, waiting.remove(0));
        }
        if entry.field == "Ready" && entry.to.as_text() == Some("True") {
            let replaced = in_place_of.remove(entry.name.as_str());
            found.extend(replaced.map(|pod| reached("podReplaced", pod, entry)));
        }
    }
    found
}

/// The name of the object that made a Pod: all but the Pod's own last part.
fn controller(pod: &str) -> &str {
    pod.rsplit_once('-').map_or(pod, |(controller, _)| controller)
}

/// The programs that have marked a Pod as one that goes, by taint or eviction, and mean it still.
type Marks<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// A mark is taken back if its Pod stays, and goes with it.
fn note_mark<'a>(marked: &mut Marks<'a>, entry: &'a Entry) {
    let reasons = ["DeletionByTaintManager", "EvictionByEvictionAPI"];
    let (pod, is_true) = (entry.name.as_str(), entry.to.as_text() == Some("True"));
    match entry.field.as_str() {
        "DisruptionTarget" if !is_true => drop(marked.remove(pod)),
        "DisruptionTarget" if reasons.contains(&entry.reason.as_str()) => {
            marked.entry(pod).or_default().insert(entry.program());
        }
        "exists" => drop(marked.remove(pod)),
        _ => {}
    }
}

/// Who evicts a Pod marks it and deletes it then; anybody else who deletes it has reasons of his own.
/// Releases without the condition leave the writer.
fn is_eviction(entry: &Entry, marked: &Marks) -> bool {
    let by = entry.program();
    marked.get(entry.name.as_str()).is_some_and(|programs| programs.contains(by))
        || by.starts_with("taint-eviction")
}

/// Machines that a machine set creates after the first fault, and the Nodes they become.
fn replacements(run: &Run, changes: &[&Entry]) -> Vec<Milestone> {
    let fault = run.first_fault.unwrap_or(run.ended_at);
    let created = changes.iter().filter(|entry| {
        let new = entry.field == "exists" && entry.to == Value::Bool(true);
        entry.kind == "Machine" && new && entry.at >= fault
    });
    let mut found = Vec::new();
    for creation in created {
        found.push(reached("replacementCreated", creation.object(), creation));
        let ready = node_of(&creation.name, changes).and_then(|node| {
            changes.iter().find(|entry| {
                let ready = entry.field == "Ready" && entry.to.as_text() == Some("True");
                entry.kind == "Node" && entry.name == node && ready && entry.id > creation.id
            })
        });
        found.extend(ready.map(|entry| reached("replacementReady", creation.object(), entry)));
    }
    found
}

/// The Node that a Machine refers to, by the last `nodeRef` written.
fn node_of<'a>(machine: &str, changes: &[&'a Entry]) -> Option<&'a str> {
    let mut refs = changes.iter().rev().filter(|entry| {
        entry.kind == "Machine" && entry.field == "nodeRef" && entry.name == machine
    });
    refs.find_map(|entry| entry.to.as_text())
}

/// Recovery is judged while the run is played; its entry is the last one before that instant.
fn recovered(run: &Run) -> Option<Milestone> {
    let at = run.recovered_at?;
    let last = run.timeline.entries().iter().rev().find(|entry| entry.at <= at)?;
    let object = Text::word("Cluster/workload");
    Some(Milestone { name: Text::word("recovered"), object, at, entry: last.id })
}

pub(super) fn reached(name: &'static str, object: impl Into<Text>, entry: &Entry) -> Milestone {
    debug_assert!(NAMES.contains(&name), "{name} is not among the names");
    Milestone { name: Text::word(name), object: object.into(), at: entry.at, entry: entry.id }
}

/// The first of each name and object, in order.
fn firsts(mut found: Vec<Milestone>) -> Vec<Milestone> {
    found.sort_by_key(|milestone| (milestone.at, milestone.entry));
    let mut seen = BTreeSet::new();
    found.retain(|milestone| seen.insert((milestone.name.clone(), milestone.object.clone())));
    found
}
