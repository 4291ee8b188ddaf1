//! Ready: what a Machine's conditions come to in v1beta2. Its owners count Machines by nothing else.
//!
//! Follows `setReadyCondition` of `machine_controller_status.go`. Simplified: what a control plane asks
//! of its Machines (`readinessGates`) counts from when it was first said, and without the labels and
//! taints of kubeadm; a Machine's time of going begins when Deleting says so.

use crate::api::kinds::{Condition, Machine, Status, behind_colon};
use crate::engine::{Duration, SimTime, Text};

/// What every Machine has to say before it is ready.
const ALWAYS: [&str; 3] = ["BootstrapConfigReady", "InfrastructureReady", "NodeHealthy"];
/// What only some say: those that are checked, and those of a control plane.
const IF_SAID: [&str; 6] = [
    "HealthCheckSucceeded",
    "APIServerPodHealthy",
    "ControllerManagerPodHealthy",
    "SchedulerPodHealthy",
    "EtcdPodHealthy",
    "EtcdMemberHealthy",
];
/// Whose words are put together where they are the same.
const COMPONENTS: [&str; 4] =
    ["* APIServer", "* ControllerManager", "* Scheduler", "* EtcdPodHealthy:"];

/// A Machine that goes for so long is told to, and why its drain may take so long.
const LONG: Duration = Duration::from_secs(15 * 60);
const LONG_DRAIN: Duration = Duration::from_secs(5 * 60);

/// The condition, from the others as they are now.
pub fn ready(machine: &Machine, now: SimTime) -> Condition {
    let goes = machine.conditions.get("Deleting").filter(|said| said.status == Status::True);
    let mut worst = if goes.is_some() { Status::False } else { Status::True };
    let mut items: Vec<String> = goes.map(|said| stage(machine, said, now)).into_iter().collect();
    for kind in ALWAYS.into_iter().chain(IF_SAID) {
        let (status, words) = match machine.conditions.get(kind) {
            Some(said) if said.message.is_empty() => (said.status, said.reason.as_str()),
            Some(said) => (said.status, said.message.as_str()),
            None if ALWAYS.contains(&kind) => (Status::Unknown, "Condition not yet reported"),
            None => continue,
        };
        if status == Status::True || (goes.is_some() && is_to_be_expected(machine, kind)) {
            continue;
        }
        worst = match (worst, status) {
            (Status::False, _) | (_, Status::False) => Status::False,
            _ => Status::Unknown,
        };
        items.push(format!("* {kind}:{}", behind_colon(words)));
    }
    let reason = Text::word(match worst {
        Status::True => "Ready",
        Status::False => "NotReady",
        Status::Unknown => "ReadyUnknown",
    });
    let message = components_together(items).join("\n");
    Condition::new(Text::word("Ready"), worst, reason, message, now)
}

/// The Node of a Machine that goes is nobody's worry once it is gone.
fn is_to_be_expected(machine: &Machine, kind: &str) -> bool {
    let said = machine.conditions.get(kind);
    kind == "NodeHealthy"
        && said
            .is_some_and(|said| said.reason == "NodeDeleted" || said.reason == "NodeDoesNotExist")
}

/// How far a Machine that goes has come.
fn stage(machine: &Machine, deleting: &Condition, now: SimTime) -> String {
    let mut words = "* Deleting: Machine deletion in progress".to_owned();
    if deleting.last_transition + LONG < now {
        words.push_str(" since more than 15m");
    }
    words.push_str(&format!(", stage: {}", deleting.reason));
    let drains_long = deleting.reason == *"DrainingNode"
        && machine.drain_started.is_some_and(|started| started + LONG_DRAIN < now);
    if deleting.last_transition + LONG < now && drains_long {
        let causes = [
            (
                "cannot evict pod as it would violate the pod's disruption budget.",
                "PodDisruptionBudgets",
            ),
            ("deletionTimestamp set, but still not removed from the Node", "Pods not terminating"),
            ("failed to evict Pod", "Pod eviction errors"),
            ("waiting for completion", "Pods not completed yet"),
        ];
        let found = causes.iter().filter(|(told, _)| deleting.message.contains(told));
        let found: Vec<&str> = found.map(|(_, cause)| *cause).collect();
        if !found.is_empty() {
            words.push_str(&format!(", delay likely due to {}", found.join(", ")));
        }
    }
    words
}

/// One item for all components of a control plane of which the same is said.
fn components_together(items: Vec<String>) -> Vec<String> {
    let words = |item: &String| {
        let is_component = COMPONENTS.iter().any(|start| item.starts_with(start));
        item.split_once(':').filter(|_| is_component).map(|(_, words)| words.to_owned())
    };
    let all: Vec<String> = items.iter().filter_map(words).collect();
    let [first, _, ..] = all.as_slice() else { return items };
    if all.iter().any(|other| other != first) {
        return items;
    }
    let place = items.iter().position(|item| words(item).is_some()).unwrap_or_default();
    let mut together: Vec<String> =
        items.iter().filter(|item| words(item).is_none()).cloned().collect();
    together.insert(place, format!("* Control plane components:{first}"));
    together
}
