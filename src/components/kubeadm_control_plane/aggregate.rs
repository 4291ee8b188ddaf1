//! What the conditions of all Machines come to: the control plane's own conditions and counts.

use super::inspection::pod_conditions;
use super::quorum::ETCD_MEMBER;
use super::scene::{Scene, is, node_name};
use super::{Controller, Wording};
use crate::api::kinds::{
    Condition, KubeadmControlPlane, LastRemediation, Machine, Status, Version, remediating,
};
use crate::engine::{SimTime, Text};
use std::collections::BTreeMap;

/// How bad a condition is that is False; v1beta1 writes it beside the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Info,
}

impl Severity {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Error => "Error",
            Severity::Info => "Info",
        }
    }
}

/// The severity with which v1beta1 gives a reason.
pub fn severity(reason: &str) -> Severity {
    match reason {
        "Deleting" | "PodProvisioning" => Severity::Info,
        _ => Severity::Error,
    }
}

impl Controller {
    /// Sums both groups of conditions up.
    pub(super) fn sum_up(&self, scene: &mut Scene, now: SimTime) {
        let pods: Vec<&'static str> = pod_conditions().collect();
        let none: Vec<String> = Vec::new();
        let (components, etcd) = match self.settings.wording {
            Wording::V1Beta1 => (
                v1beta1(scene, &pods, &none, ("ControlPlaneComponents", "control plane"), now),
                v1beta1(
                    scene,
                    &[ETCD_MEMBER],
                    &scene.kcp_errors,
                    ("EtcdCluster", "etcd member"),
                    now,
                ),
            ),
            Wording::V1Beta2 => (
                v1beta2(scene, &pods, &none, "ControlPlaneComponentsHealthy", now),
                v1beta2(scene, &[ETCD_MEMBER], &scene.kcp_errors, "EtcdClusterHealthy", now),
            ),
        };
        let plane = scene.spec_mut();
        for condition in [components, etcd].into_iter().flatten() {
            plane.conditions.say(condition);
        }
    }

    /// The counts and what else the status says at the end.
    pub(super) fn count(&self, scene: &mut Scene, now: SimTime) {
        let count = |machines: usize| u32::try_from(machines).unwrap_or(u32::MAX);
        let (replicas, wanted) = (count(scene.machines.len()), scene.spec().replicas);
        let ready_nodes = scene.nodes.iter().filter(|node| {
            node.node().is_some_and(|node| node.conditions.is("Ready", Status::True))
        });
        // Without a connection 1.7 has the counts that it begins with.
        let ready = if scene.contact.connected { count(ready_nodes.count()) } else { 0 };
        let version = scene.spec().version.clone();
        let fresh = scene
            .machines
            .iter()
            .filter(|machine| machine.machine().is_some_and(|body| body.spec.version == version));
        let fresh = count(fresh.count());
        let available = scene.machines.iter().filter(|it| is(it, "Ready", Status::True));
        let available = count(available.count());
        let last = last_remediation(scene);
        let machines: Vec<(&Text, &Machine)> = scene
            .machines
            .iter()
            .filter_map(|machine| Some((machine.name(), machine.machine()?)))
            .collect();
        let remediating = remediating(&machines, "KubeadmControlPlane", now);
        let resized = resized(scene, now);
        let lowest = lowest_version(scene);
        let plane = scene.spec_mut();
        plane.status_replicas = replicas;
        plane.lowest_version = lowest.unwrap_or_else(|| plane.lowest_version.clone());
        plane.last_remediation = last.or_else(|| plane.last_remediation.take());
        match self.settings.wording {
            Wording::V1Beta1 => {
                plane.ready_replicas = ready;
                plane.updated_replicas = Some(fresh);
                plane.unavailable_replicas = Some(replicas.saturating_sub(ready));
                plane.ready |= ready > 0;
                if let Some(resized) = resized {
                    plane.conditions.say(resized);
                }
            }
            Wording::V1Beta2 => {
                plane.ready_replicas = available;
                plane.available_replicas = Some(available);
                plane.up_to_date_replicas = Some(fresh);
                plane.ready |= available > 0;
                plane.conditions.say(scaling_up(replicas, wanted, now));
                plane.conditions.say(remediating);
            }
        }
    }
}

/// The lowest version among all Machines, those that go included.
///
/// Simplified: that of the Machine, not of its kubelet, which comes first from 1.12 on.
fn lowest_version(scene: &Scene) -> Option<Text> {
    let mut lowest: Option<(Version, &Text)> = None;
    for machine in &scene.machines {
        let Some(text) = machine.machine().map(|body| &body.spec.version) else { continue };
        let Some(version) = Version::of(text) else { continue };
        // Of two that cannot be ordered the older Machine's counts.
        let is_lower = lowest.as_ref().is_none_or(|(lowest, _)| {
            lowest.is_later_than(&version) && !version.is_later_than(lowest)
        });
        if is_lower {
            lowest = Some((version, text));
        }
    }
    lowest.map(|(_, text)| text.clone())
}

fn has_healthy_node(scene: &Scene, machine: &crate::api::Object) -> bool {
    !machine.meta.is_deleting()
        && scene.node_of(machine).is_some_and(|node| node.conditions.is("Ready", Status::True))
}

/// By severity, each Machine in the worst group that it is in.
fn v1beta1(
    scene: &Scene,
    conditions: &[&'static str],
    errors: &[String],
    (name, note): (&'static str, &'static str),
    now: SimTime,
) -> Option<Condition> {
    let mut by_severity: BTreeMap<Severity, Vec<&str>> = BTreeMap::new();
    let (mut good, mut unknown) = (false, Vec::new());
    for machine in &scene.machines {
        let Some(body) = machine.machine() else { continue };
        for said in conditions.iter().filter_map(|condition| body.conditions.get(condition)) {
            let group = match said.status {
                Status::True => {
                    good = true;
                    continue;
                }
                Status::False => by_severity.entry(severity(&said.reason)).or_default(),
                Status::Unknown => &mut unknown,
            };
            if group.last() != Some(&machine.name().as_str()) {
                group.push(machine.name().as_str());
            }
        }
    }
    let list = |names: &[&str]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.join(", ")
    };
    let mut errors = errors.to_vec();
    if let Some(machines) = by_severity.get(&Severity::Error) {
        let names = list(machines);
        errors.push(format!("Following machines are reporting {note} errors: {names}"));
    }
    let kind = Text::from(format!("{name}Healthy"));
    let condition = |status, reason: String, message: String| {
        Some(Condition::new(kind.clone(), status, reason, message, now))
    };
    let infos = by_severity.get(&Severity::Info);
    match (errors.is_empty(), infos, good) {
        (false, ..) => condition(Status::False, format!("{name}Unhealthy"), errors.join("; ")),
        (true, Some(machines), _) => {
            let names = list(machines);
            let words = format!("Following machines are reporting {note} info: {names}");
            condition(Status::False, format!("{name}Unhealthy"), words)
        }
        (true, None, true) => condition(Status::True, String::new(), String::new()),
        (true, None, false) if !unknown.is_empty() => {
            let names = list(&unknown);
            let words = format!("Following machines are reporting unknown {note} status: {names}");
            condition(Status::Unknown, format!("{name}Unknown"), words)
        }
        _ => None,
    }
}

/// By what is said: Machines of which the same is said stand together.
fn v1beta2(
    scene: &Scene,
    conditions: &[&'static str],
    errors: &[String],
    kind: &'static str,
    now: SimTime,
) -> Option<Condition> {
    let (mut bad, mut unknown) = (!errors.is_empty(), false);
    let mut known = false;
    let mut messages: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for machine in &scene.machines {
        let Some(body) = machine.machine() else { continue };
        let said: Vec<&Condition> =
            conditions.iter().filter_map(|condition| body.conditions.get(condition)).collect();
        let mut lines = Vec::new();
        for condition in &said {
            known = true;
            match condition.status {
                Status::True => continue,
                // Of a Machine that has no VM yet nothing is expected.
                Status::Unknown if body.spec.provider_id.is_empty() => continue,
                Status::Unknown => unknown = true,
                Status::False => bad = true,
            }
            let words = match condition.message.is_empty() {
                true => format!("condition is {}", condition.status.name()),
                false => condition.message.to_string(),
            };
            lines.push(format!("  * {}: {words}", condition.kind));
        }
        let same = said.len() > 1 && said.iter().all(|it| it.message == said[0].message);
        if same && !lines.is_empty() {
            lines = vec![format!("  * Control plane components: {}", said[0].message)];
        }
        if !lines.is_empty() {
            messages.entry(lines.join("\n")).or_default().push(machine.name().as_str());
        }
    }
    let mut groups: Vec<(String, Vec<&str>)> = messages.into_iter().collect();
    groups.sort_by_key(|(_, machines)| (usize::MAX - machines.len(), machines.join(",")));
    let mut lines: Vec<String> = groups
        .into_iter()
        .map(|(message, machines)| {
            let plural = if machines.len() > 1 { "s" } else { "" };
            format!("* Machine{plural} {}:\n{message}", machines.join(", "))
        })
        .collect();
    lines.extend(errors.iter().map(|error| format!("* {error}")));
    let (status, reason) = match (bad, unknown) {
        (true, _) => (Status::False, "NotHealthy"),
        (false, true) => (Status::Unknown, "HealthUnknown"),
        (false, false) => (Status::True, "Healthy"),
    };
    let message = Text::from(lines.join("\n"));
    let (kind, reason) = (Text::word(kind), Text::word(reason));
    known.then(|| Condition::new(kind, status, reason, message, now))
}

/// v1beta1: whether the number of Machines is on its way.
fn resized(scene: &Scene, now: SimTime) -> Option<Condition> {
    let (have, wanted) = (scene.machines.len(), scene.spec().replicas as usize);
    let (status, reason, message) = match have.cmp(&wanted) {
        std::cmp::Ordering::Less => (
            Status::False,
            "ScalingUp",
            format!("Scaling up control plane to {wanted} replicas (actual {have})"),
        ),
        std::cmp::Ordering::Greater => (
            Status::False,
            "ScalingDown",
            format!("Scaling down control plane to {wanted} replicas (actual {have})"),
        ),
        std::cmp::Ordering::Equal => {
            let all = scene
                .machines
                .iter()
                .all(|machine| node_name(machine).is_some() && has_healthy_node(scene, machine));
            if !all {
                return None;
            }
            (Status::True, "", String::new())
        }
    };
    let [kind, reason] = ["Resized", reason].map(Text::word);
    Some(Condition::new(kind, status, reason, message, now))
}

fn scaling_up(have: u32, wanted: u32, now: SimTime) -> Condition {
    let kind = Text::word("ScalingUp");
    match have < wanted {
        true => {
            let words = format!("Scaling up from {have} to {wanted} replicas");
            Condition::new(kind.clone(), Status::True, kind, words, now)
        }
        false => Condition::new(kind, Status::False, Text::word("NotScalingUp"), "", now),
    }
}

/// The remediation under way, or the last one that a Machine remembers.
fn last_remediation(scene: &Scene) -> Option<LastRemediation> {
    let read = |text: &Text| LastRemediation::from_annotation(text);
    let in_progress = scene.plane.meta.annotation(KubeadmControlPlane::IN_PROGRESS).and_then(read);
    in_progress.or_else(|| {
        let remembered = scene.machines.iter().filter_map(|machine| {
            machine.meta.annotation(KubeadmControlPlane::REMEDIATION_FOR).and_then(read)
        });
        remembered.max_by_key(|data| data.at)
    })
}
