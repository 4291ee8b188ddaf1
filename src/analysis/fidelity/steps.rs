//! Brings a recorded or simulated run into canonical steps: who (by role), which field, what value.
//!
//! Names differ from run to run, so objects are known by the part they play: `$victim` was hit by
//! the fault, `$new` was born after it, `$pod` ran on the victim, `$newpod` was born after the
//! fault. Of several victims of one blow, one that is brought back is `$revived`. In a run with
//! several blows nobody can say for which victim an object was born: there only the victim and its
//! Pods have steps. This file knows the core fields, not whether a step is right.

use super::recording::{Recording, Row};
use super::words::Words;
use crate::engine::Duration;
use crate::timeline::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// One thing that happens to one role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// `Node/$victim`, `Pod/$newpod`, `MachineSet` ...
    pub role: String,
    /// The field; a taint is a field of its own (`taint unreachable:NoExecute`).
    pub field: String,
    /// The new value, and the reason if the field is a condition.
    pub value: String,
}

/// When a step came, and in which words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Since the fault: the first time for each object in the role, in order.
    pub after: Vec<Duration>,
    /// The messages that came with it, names replaced by roles.
    pub messages: BTreeSet<String>,
}

/// All steps after one fault.
pub type Steps = BTreeMap<Step, Seen>;

/// The steps after each blow of a recording, in the order of the blows.
pub fn of_recording(recording: &Recording) -> Vec<Steps> {
    let mut rows = recording.rows.clone();
    if let Some(scenario) = recording.header["scenario"].as_str() {
        for row in &mut rows {
            rename(&mut row.message, &scenario.replace('_', "-"));
        }
    }
    of_rows(&rows)
}

/// The recordings of control planes have a namespace for each scenario, and a cluster `c1`.
fn rename(message: &mut String, namespace: &str) {
    for (name, here) in [
        (format!("{namespace}/"), "default/"),
        ("workload cluster c1:".to_owned(), "workload cluster workload:"),
    ] {
        if message.contains(&name) {
            *message = message.replace(&name, here);
        }
    }
}

/// The steps after each blow of a simulated run, in the order of the blows.
pub fn of_timeline(entries: &[Entry]) -> Vec<Steps> {
    let rows: Vec<Row> = entries.iter().map(Row::from_entry).collect();
    of_rows(&rows)
}

/// The fields that a model must match, by kind.
const CORE: &[(&str, &[&str])] = &[
    ("Node", &["exists", "Ready", "taints", "unschedulable", "event"]),
    (
        "Pod",
        &["exists", "phase", "Ready", "nodeName", "deletionTimestamp", "DisruptionTarget", "event"],
    ),
    ("ReplicaSet", &["event"]),
    ("StatefulSet", &["event"]),
    ("DaemonSet", &["event"]),
    (
        "Machine",
        &[
            "exists",
            "phase",
            "nodeRef",
            "deletionTimestamp",
            "HealthCheckSucceeded",
            "OwnerRemediated",
            "NodeHealthy",
            "DrainingSucceeded",
            "Deleting",
            "event",
        ],
    ),
    ("MachineSet", REPLICAS),
    ("MachineDeployment", REPLICAS),
    ("MachineHealthCheck", &["currentHealthy", "remediationsAllowed", "RemediationAllowed"]),
    ("InfraMachine", &["exists", "ready", "deletionTimestamp"]),
    (
        "KubeadmControlPlane",
        &[
            "replicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "updatedReplicas",
            "upToDateReplicas",
            "Remediating",
            "event",
        ],
    ),
    // Recorded as `member` and `leaderFrom`, simulated as `exists` and `role`.
    ("EtcdMember", &["member", "leaderFrom", "exists", "role"]),
];

const REPLICAS: &[&str] = &[
    "replicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "Remediating",
    "event",
];

/// Of OwnerRemediated two controllers write in turn: the value that stays for this long counts.
const TUG_OF_WAR_MICROS: i64 = 1_000_000;

/// Faults this near to each other are one blow.
const TOGETHER_MICROS: i64 = 1_000_000;
/// A recording's driver writes a fault down after what it did, and what came of that may be seen
/// before.
const EARLY_MICROS: i64 = 300_000;

fn of_rows(rows: &[Row]) -> Vec<Steps> {
    let blows = blows(rows);
    let alone = blows.len() == 1;
    blows.iter().map(|blow| after_blow(rows, blow, alone)).collect()
}

/// One or more faults at once, and what is done to the same victims later.
#[derive(Clone, Debug, Default)]
struct Blow {
    at: i64,
    victims: BTreeSet<String>,
    revived: BTreeSet<String>,
}

/// Puts faults together: what hits at once, what hits a victim again, and what hits one that was
/// born of the blow.
fn blows(rows: &[Row]) -> Vec<Blow> {
    let mut blows: Vec<Blow> = Vec::new();
    for (at, victim, revives) in faults(rows) {
        let seen = rows.iter().find(|row| row.name == victim);
        let born = seen.map_or(i64::MIN, |row| row.micros);
        let again = blows.iter().position(|blow| blow.victims.contains(&victim));
        let last = blows.last();
        let joins = last.filter(|blow| at - blow.at <= TOGETHER_MICROS || born > blow.at);
        let place = again.or(joins.map(|_| blows.len() - 1)).unwrap_or_else(|| {
            blows.push(Blow { at, ..Blow::default() });
            blows.len() - 1
        });
        if revives {
            blows[place].revived.insert(victim.clone());
        }
        blows[place].victims.insert(victim);
    }
    blows
}

/// Time and victim of each fault, as a recording's driver or a simulation wrote it, and whether it
/// brings the victim back.
fn faults(rows: &[Row]) -> Vec<(i64, String, bool)> {
    let victim = |row: &Row| {
        let by_driver = row.kind == "Process" && row.by == "driver";
        let killed = by_driver && row.field == "running" && is_false(row);
        let frozen = by_driver && row.field == "frozen" && !is_false(row);
        match row.name.strip_prefix("kubelet@") {
            Some(node) if killed || frozen => Some(node.to_owned()),
            _ if row.kind == "Node" && row.field == "deleteRequested" => Some(row.name.clone()),
            _ if row.field == "fault" => Some(row.name.clone()),
            _ if row.kind == "Fault" && row.field == "injected" => {
                let target = row.to.as_deref()?;
                target.rsplit(['/', '@']).next().map(str::to_owned)
            }
            _ => None,
        }
    };
    let revives = |row: &Row| {
        let told = row.to.as_deref().is_some_and(|to| to.contains("started again"));
        told || row.name == "powerOn" || row.name == "startUnit"
    };
    rows.iter().filter_map(|row| Some((row.micros, victim(row)?, revives(row)))).collect()
}

fn is_false(row: &Row) -> bool {
    row.to.as_deref().is_some_and(|to| to.eq_ignore_ascii_case("false"))
}

fn after_blow(rows: &[Row], blow: &Blow, alone: bool) -> Steps {
    let roles = Roles::of(rows, blow, alone);
    let begin = blow.at - EARLY_MICROS;
    // A KubeadmControlPlane is not fought over its Machines.
    let has_tug_of_war = rows.iter().all(|row| row.kind != "KubeadmControlPlane");
    let mut steps = Steps::new();
    let mut met: BTreeSet<(&str, Step)> = BTreeSet::new();
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.micros > begin) {
        if !is_core(row) || (has_tug_of_war && is_overwritten(rows, index)) {
            continue;
        }
        let Some(role) = roles.role(row) else { continue };
        for (field, value) in changes(row) {
            let step = Step { role: role.clone(), field, value };
            let seen = steps.entry(step.clone()).or_default();
            if !row.message.is_empty() {
                seen.messages.insert(roles.words.abstracted(&row.message));
            }
            if met.insert((&row.name, step)) {
                let after = (row.micros - blow.at).max(0);
                seen.after.push(Duration::from_micros(after.unsigned_abs()));
            }
        }
    }
    steps
}

fn is_core(row: &Row) -> bool {
    CORE.iter().any(|(kind, fields)| *kind == row.kind && fields.contains(&row.field.as_str()))
}

/// True if a value of OwnerRemediated is written over within a second.
fn is_overwritten(rows: &[Row], index: usize) -> bool {
    let row = &rows[index];
    row.field == "OwnerRemediated"
        && rows[index + 1..]
            .iter()
            .take_while(|later| later.micros - row.micros <= TUG_OF_WAR_MICROS)
            .any(|later| later.field == row.field && later.name == row.name)
}

/// Field and value of the steps that one row is: one for each taint that came or went, else one.
fn changes(row: &Row) -> Vec<(String, String)> {
    if row.field == "taints" {
        return taint_changes(row);
    }
    if row.kind == "EtcdMember" {
        return etcd_change(row).into_iter().collect();
    }
    let to = match row.to.as_deref() {
        None => "none".to_owned(),
        Some("true") => "True".to_owned(),
        Some("false") => "False".to_owned(),
        Some(text) => text.to_owned(),
    };
    let value = match (row.kind.as_str(), row.field.as_str()) {
        // A Pod passes Pending and Succeeded too, but only these two are held against a model.
        ("Pod", "phase") if to != "Running" && to != "Failed" => return Vec::new(),
        (_, "nodeName" | "nodeRef" | "deletionTimestamp") if row.to.is_some() => "set".to_owned(),
        _ => to,
    };
    let has_reason = match row.field.as_str() {
        // The recordings leave out why a Pod is not Ready.
        "Ready" => row.kind == "Node",
        // The grace period stands in the reason.
        "deletionTimestamp" => row.kind == "Pod",
        "event" | "exists" | "phase" => false,
        _ => true,
    };
    let reason = if has_reason { row.reason.as_str() } else { "" };
    vec![(row.field.clone(), format!("{value} {reason}").trim_end().to_owned())]
}

/// Who belongs to etcd, and who has come to lead it. A simulated member counts from the moment when it
/// is added, as a learner or not: the recordings know no learners.
fn etcd_change(row: &Row) -> Option<(String, String)> {
    let (field, value) = match (row.field.as_str(), row.to.as_deref()) {
        ("leaderFrom", Some(_)) | ("role", Some("Leader")) => ("leader", "set"),
        ("member", Some("removed")) | ("exists", None) => ("member", "removed"),
        ("member", Some(_)) | ("exists", Some(_)) => ("member", "member"),
        _ => return None,
    };
    Some((field.to_owned(), value.to_owned()))
}

/// The name by which an object plays its part: a recorded etcd member has its Pod's name.
fn name_of(row: &Row) -> &str {
    match row.kind.as_str() {
        "EtcdMember" => row.name.strip_prefix("etcd-").unwrap_or(&row.name),
        _ => &row.name,
    }
}

fn taint_changes(row: &Row) -> Vec<(String, String)> {
    let taints = |held: &Option<String>| -> BTreeSet<String> {
        let all = held.as_deref().unwrap_or_default().split(',').filter(|taint| !taint.is_empty());
        all.map(|taint| taint.trim().replace("node.kubernetes.io/", "")).collect()
    };
    let (before, now) = (taints(&row.from), taints(&row.to));
    let came = now.difference(&before).map(|taint| (format!("taint {taint}"), "added".to_owned()));
    let went = before.difference(&now).map(|taint| (format!("taint {taint}"), "gone".to_owned()));
    came.chain(went).collect()
}

/// Who plays which part after one fault.
struct Roles {
    words: Words,
    /// Object (kind and name) to role; an object without a role has no steps.
    objects: BTreeMap<(String, String), String>,
}

impl Roles {
    fn of(rows: &[Row], blow: &Blow, alone: bool) -> Roles {
        let mut roles = Roles { words: Words::default(), objects: BTreeMap::new() };
        let begin = blow.at - EARLY_MICROS;
        let on_victim = pods_on(rows, begin, &blow.victims);
        let several = on_victim.iter().map(|pod| app_of(pod)).collect::<BTreeSet<_>>().len() > 1;
        // A lone victim that is brought back is a victim like any other.
        let some_stay = blow.victims.iter().any(|victim| !blow.revived.contains(victim));
        let part = |name: &str| match some_stay && blow.revived.contains(name) {
            true => "$revived",
            false => "$victim",
        };
        let mut born: BTreeMap<(&str, &str), bool> = BTreeMap::new();
        for row in rows {
            // Known from a row before the fault, or else born after it.
            born.entry((&row.kind, name_of(row))).or_insert(row.micros > begin);
        }
        for ((kind, name), is_born) in born {
            let (word, has_steps) = match kind {
                "Node" | "Machine" | "InfraMachine" | "EtcdMember"
                    if blow.victims.contains(name) =>
                {
                    (part(name), true)
                }
                "Node" | "Machine" | "InfraMachine" | "EtcdMember" if is_born => ("$new", alone),
                "EtcdMember" => ("$other", alone),
                "Node" | "Machine" | "InfraMachine" => ("$other", false),
                "Pod" if on_victim.contains(name) => (pod_word(name, several), true),
                "Pod" if is_born => ("$newpod", alone),
                "Pod" => ("$otherpod", false),
                "ReplicaSet"
                | "StatefulSet"
                | "DaemonSet"
                | "MachineSet"
                | "MachineDeployment"
                | "MachineHealthCheck"
                | "KubeadmControlPlane" => (kind, alone),
                _ => continue,
            };
            roles.words.add(name, &if word == kind { format!("${kind}") } else { word.to_owned() });
            if has_steps {
                let role = if word == kind { word.to_owned() } else { format!("{kind}/{word}") };
                roles.objects.insert((kind.to_owned(), name.to_owned()), role);
            }
        }
        roles
    }

    fn role(&self, row: &Row) -> Option<String> {
        self.objects.get(&(row.kind.clone(), name_of(row).to_owned())).cloned()
    }
}

/// The part of a Pod on the victim; where Pods of several workloads are, each has its own.
fn pod_word(name: &str, several: bool) -> &'static str {
    match app_of(name) {
        "db" if several => "$pod-of-db",
        "agent" if several => "$pod-of-agent",
        _ => "$pod",
    }
}

/// The workload that a Pod is named for.
fn app_of(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}

/// The Pods that were bound to one of these when the blow came.
fn pods_on<'a>(rows: &'a [Row], at: i64, victims: &BTreeSet<String>) -> BTreeSet<&'a str> {
    rows.iter()
        .filter(|row| row.kind == "Pod" && row.field == "nodeName" && row.micros <= at)
        .filter(|row| row.to.as_ref().is_some_and(|node| victims.contains(node)))
        .map(|row| row.name.as_str())
        .collect()
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
