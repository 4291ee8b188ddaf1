//! The entries worth a reader's time, and what happened at once as one step.
//!
//! A run of one lost worker has hundreds of entries; most repeat on one object what another has
//! already said. The story keeps object changes and faults and drops the echo. It knows fields by
//! name only, and never why something happened: `-o jsonl` has everything.

use crate::engine::Text;
use crate::timeline::{Entry, EntryId, Timeline, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Changes of one object by one process at one instant: one write, seen from outside.
pub struct Step<'a> {
    pub entries: Vec<&'a Entry>,
    /// The first entry of the step whose consequence this is.
    pub cause: Option<EntryId>,
}

impl<'a> Step<'a> {
    /// The entry that names the step.
    pub fn head(&self) -> &'a Entry {
        self.entries[0]
    }

    fn takes(&self, entry: &Entry) -> bool {
        let head = self.head();
        (entry.at, &entry.kind, &entry.name, &entry.by, &entry.cluster)
            == (head.at, &head.kind, &head.name, &head.by, &head.cluster)
    }
}

/// The steps of a timeline after its beginning, in order.
pub fn steps(timeline: &Timeline) -> Vec<Step<'_>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut told = Told::default();
    let mut step_of = BTreeMap::new();
    for entry in timeline.happened() {
        if !told.is_worth(entry) {
            // What the same write has told stands for it, where it is somebody's cause.
            if let Some(last) = steps.last().filter(|last| last.takes(entry)) {
                step_of.insert(entry.id, last.head().id);
            }
            continue;
        }
        match steps.last_mut() {
            Some(last) if last.takes(entry) => last.entries.push(entry),
            _ => steps.push(Step { entries: vec![entry], cause: None }),
        }
        step_of.insert(entry.id, steps.last().expect("just pushed").head().id);
    }
    for step in &mut steps {
        step.cause = told_cause(step, timeline, &step_of);
    }
    steps
}

/// Fields that tell a kind's story. A kind that is not here tells all of its fields. What needs
/// more than its name to be judged stands in `Told::is_worth`.
const FIELDS: &[(&str, &[&str])] = &[
    ("Node", &["exists", "Ready", "taints", "unschedulable"]),
    ("Pod", &["exists", "phase", "Ready", "nodeName", "deletionTimestamp"]),
    (
        "Machine",
        &[
            "exists",
            "phase",
            "nodeRef",
            "deletionTimestamp",
            "HealthCheckSucceeded",
            "DrainingSucceeded",
        ],
    ),
    ("MachineHealthCheck", &["exists", "RemediationAllowed"]),
    ("MachineDeployment", &["exists", "readyReplicas", "spec.replicas"]),
    ("KubeadmControlPlane", &["exists", "readyReplicas", "spec.replicas"]),
    ("Deployment", &["exists", "readyReplicas", "spec.replicas"]),
    ("MachineSet", &["exists"]),
    ("ReplicaSet", &["exists"]),
    ("InfraMachine", &["exists", "deletionTimestamp", "ready"]),
    ("VirtualMachine", &["exists", "deletionTimestamp", "powerState"]),
    ("Cluster", &["exists"]),
    ("Lease", &["holder"]),
    ("KubeadmConfig", &[]),
    ("Secret", &[]),
    ("ConfigMap", &[]),
];

/// Kubernetes Events that repeat what an object's change has already said.
const ECHOES: &[&str] = &[
    "Created",
    "DeletingNode",
    "DetectedUnhealthy",
    "Killing",
    "MachineMarkedUnhealthy",
    "NodeNotReady",
    "NodeReady",
    "NodeVolumesDetached",
    "Pulled",
    "Pulling",
    "RegisteredNode",
    "RemovingNode",
    "ScalingReplicaSet",
    "Scheduled",
    "Started",
    "Starting",
    "SuccessfulAttachVolume",
    "SuccessfulCreate",
    "SuccessfulDelete",
    "SuccessfulDrainNode",
    "SuccessfulSetNodeRef",
    "TaintManagerEviction",
];

/// What the story has said before.
#[derive(Default)]
struct Told<'a> {
    events: BTreeSet<(&'a Text, &'a Text, String)>,
    stages: BTreeMap<(&'a Text, &'a Text), &'a Text>,
}

impl<'a> Told<'a> {
    fn is_worth(&mut self, entry: &'a Entry) -> bool {
        match entry.field.as_str() {
            "log" | "injected" => true,
            "event" => self.is_new_event(entry),
            "Deleting" => self.is_new_stage(entry),
            "OwnerRemediated" => entry.from == Value::Null || self.is_new_refusal(entry),
            field => entry.from != entry.to && is_told(&entry.kind, field) && !is_echo(entry),
        }
    }

    /// An owner's "not now" is told once; that it waits or works is told by what it does.
    fn is_new_refusal(&mut self, entry: &'a Entry) -> bool {
        let refuses = entry.reason.ends_with("Failed") || entry.reason.ends_with("Deferred");
        refuses && self.events.insert((&entry.kind, &entry.name, entry.reason.to_string()))
    }

    fn is_new_event(&mut self, entry: &'a Entry) -> bool {
        let reason = entry.to.to_string();
        let echo = ECHOES.contains(&reason.as_str());
        !echo && self.events.insert((&entry.kind, &entry.name, reason))
    }

    /// A deletion goes through stages; each is a new reason of the same condition.
    fn is_new_stage(&mut self, entry: &'a Entry) -> bool {
        let before = self.stages.insert((&entry.kind, &entry.name), &entry.reason);
        before != Some(&entry.reason) && entry.to.as_text() == Some("True")
    }
}

/// Changes that another entry of the same step of healing tells better: a Pod that runs is soon
/// Ready, a new Machine is at first healthy, a cordoned Node has the taint that goes with it.
fn is_echo(entry: &Entry) -> bool {
    let to = entry.to.as_text().unwrap_or_default();
    match (entry.kind.as_str(), entry.field.as_str()) {
        ("Pod", "phase") => matches!(to, "Pending" | "Running"),
        ("Machine", "HealthCheckSucceeded") => entry.from == Value::Null && to == "True",
        ("Node", "taints") => {
            let from = entry.from.as_text().unwrap_or_default();
            without_cordon(from) == without_cordon(to)
        }
        _ => false,
    }
}

/// A list of taints without the one that says the same as `unschedulable`.
fn without_cordon(taints: &str) -> Vec<&str> {
    taints
        .split(',')
        .filter(|taint| !taint.is_empty() && !taint.contains("/unschedulable:"))
        .collect()
}

fn is_told(kind: &str, field: &str) -> bool {
    if field.starts_with("v1beta1.") {
        return false;
    }
    let fields = FIELDS.iter().find(|(of, _)| *of == kind).map(|(_, fields)| fields);
    fields.is_none_or(|fields| fields.contains(&field))
}

/// The nearest ancestor that the story tells, as the first entry of its step.
fn told_cause(
    step: &Step,
    timeline: &Timeline,
    step_of: &BTreeMap<EntryId, EntryId>,
) -> Option<EntryId> {
    let own = step.head().id;
    let mut cause = step.entries.iter().find_map(|entry| entry.cause);
    // A cause is older than its effect, so this ends; `filter` keeps a broken file from looping.
    while let Some(id) = cause {
        match step_of.get(&id) {
            Some(head) if *head != own => return Some(*head),
            _ => cause = timeline.get(id)?.cause.filter(|older| *older < id),
        }
    }
    None
}
