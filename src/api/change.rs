//! Which fields of an object changed: what a watcher would write down.
//!
//! Heartbeats (a Lease's `renewTime`, a condition's `lastHeartbeatTime`) and counts of repeated
//! Events are not changes. Fields, values and reasons are named as in the recordings of the real
//! systems, so that the two can be laid side by side.

use super::kinds::{
    Conditions, ConfigMap, KubeadmControlPlane, Node, Pod, PodPhase, Secret, VirtualMachine,
    VolumeNames,
};
use super::{Body, Deletion, Labels, MIRROR, Object, rfc3339};
use crate::engine::Text;
use crate::timeline::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One field of an object that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub field: Text,
    pub from: Value,
    pub to: Value,
    pub reason: Text,
    pub message: Text,
}

/// All changes from one version of an object to the next; absent means: does not exist.
pub fn changes(old: Option<&Object>, new: Option<&Object>) -> Vec<Change> {
    let mut found = Found::default();
    match (old, new) {
        (None, Some(new)) => {
            if let Body::Event(event) = &new.body {
                let to = Value::Text(event.reason.clone());
                found.push("event", Value::Null, to, Text::EMPTY, event.message.clone());
                return found.0;
            }
            found.field("exists", Value::Null, Value::Bool(true));
            found.object(None, new);
        }
        (Some(old), Some(new)) => found.object(Some(old), new),
        (Some(old), None) if !matches!(old.body, Body::Event(_)) => {
            found.field("exists", Value::Bool(true), Value::Null);
        }
        _ => {}
    }
    found.0
}

/// Collects changes.
#[derive(Default)]
struct Found(Vec<Change>);

impl Found {
    fn push(
        &mut self,
        field: impl Into<Text>,
        from: Value,
        to: Value,
        reason: Text,
        message: Text,
    ) {
        self.0.push(Change { field: field.into(), from, to, reason, message });
    }

    /// A plain field, if it changed.
    fn field(&mut self, field: &'static str, from: Value, to: Value) {
        if from != to {
            self.push(Text::word(field), from, to, Text::EMPTY, Text::EMPTY);
        }
    }

    fn object(&mut self, old: Option<&Object>, new: &Object) {
        if let Body::Lease(lease) = &new.body {
            // The holder is what a Lease is about; renewals are heartbeats.
            let before = old.and_then(Object::lease).map(|lease| &lease.holder);
            return self.field("holder", text_of(before), text_of(Some(&lease.holder)));
        }
        if let Body::Event(_) = &new.body {
            return;
        }
        self.body(old, new);
        self.marks(old, new);
        self.deletion(old.and_then(|old| old.meta.deletion), new);
    }

    /// What a person writes on an object: annotations, and changed labels and sizes.
    fn marks(&mut self, old: Option<&Object>, new: &Object) {
        let none = Labels::default();
        let before = old.map_or(&none, |old| &old.meta.annotations);
        self.pairs("annotation", before, &new.meta.annotations);
        let Some(old) = old else { return };
        self.pairs("label", &old.meta.labels, &new.meta.labels);
        self.field("spec.replicas", wanted(old), wanted(new));
    }

    fn pairs(&mut self, what: &str, old: &Labels, new: &Labels) {
        let held = |value: Option<&Text>| match value {
            None => Value::Null,
            Some(value) if value.is_empty() => Value::text("set"),
            Some(value) => Value::Text(value.clone()),
        };
        // A kubelet's mark on a mirror Pod is nobody's news.
        let keys = old.keys().chain(new.keys()).filter(|key| **key != MIRROR);
        let keys: BTreeSet<&Text> = keys.collect();
        for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
            let field = Text::from(format!("{what} {key}"));
            let (from, to) = (held(old.get(key)), held(new.get(key)));
            self.push(field, from, to, Text::EMPTY, Text::EMPTY);
        }
    }

    fn deletion(&mut self, old: Option<Deletion>, object: &Object) {
        let Some(new) = object.meta.deletion else { return };
        if old.is_some_and(|old| old.grace == new.grace) {
            return;
        }
        let from = if old.is_some() { Value::text("set") } else { Value::Null };
        let reason = match object.pod() {
            Some(_) => Text::from(format!("grace={}", new.grace.as_secs())),
            None => Text::EMPTY,
        };
        self.push("deletionTimestamp", from, Value::text("set"), reason, Text::EMPTY);
    }

    fn body(&mut self, old: Option<&Object>, new: &Object) {
        match &new.body {
            Body::Node(node) => self.node(old.and_then(Object::node), node),
            Body::Pod(pod) => self.pod(old.and_then(Object::pod), pod),
            Body::Machine(machine) => {
                let old = old.and_then(Object::machine);
                let phase = |phase: &'static str| text_of(Some(&Text::word(phase)));
                self.field(
                    "phase",
                    old.map_or(Value::Null, |old| phase(old.phase.name())),
                    phase(machine.phase.name()),
                );
                let before = old.and_then(|old| old.node_ref.as_ref());
                self.field("nodeRef", text_of(before), text_of(machine.node_ref.as_ref()));
                let before = old.map(|old| &old.spec.provider_id);
                self.field("providerID", text_of(before), text_of(Some(&machine.spec.provider_id)));
                let before = old.map(|old| &old.spec.data_secret_name);
                let name = text_of(Some(&machine.spec.data_secret_name));
                self.field("dataSecretName", text_of(before), name);
                let before = truth(old.is_some_and(|old| old.infrastructure_ready));
                self.field("infrastructureReady", before, truth(machine.infrastructure_ready));
                self.conditions(old.map(|old| &old.conditions), &machine.conditions);
            }
            Body::InfraMachine(infra) => {
                let old = old.and_then(Object::infra_machine);
                let before = old.map(|old| &old.provider_id);
                self.field("providerID", text_of(before), text_of(Some(&infra.provider_id)));
                self.field("ready", truth(old.is_some_and(|old| old.ready)), truth(infra.ready));
            }
            Body::Secret(secret) => self.secret(old.and_then(Object::secret), secret),
            Body::ConfigMap(map) => self.signatures(old.and_then(Object::config_map), map),
            Body::KubeadmConfig(config) => {
                let old = old.and_then(Object::kubeadm_config);
                let before = old.map(|old| &old.data_secret_name);
                let name = text_of(Some(&config.data_secret_name));
                self.field("dataSecretName", text_of(before), name);
                self.field("ready", truth(old.is_some_and(|old| old.ready)), truth(config.ready));
                self.conditions(old.map(|old| &old.conditions), &config.conditions);
            }
            Body::VSphereMachine(infra) => {
                let old = old.and_then(Object::vsphere_machine);
                let before = old.map(|old| &old.provider_id);
                self.field("providerID", text_of(before), text_of(Some(&infra.provider_id)));
                let before = old.map(|old| &old.vm_status);
                self.field("vmstatus", text_of(before), text_of(Some(&infra.vm_status)));
                self.conditions(old.map(|old| &old.conditions), &infra.conditions);
                self.field("ready", truth(old.is_some_and(|old| old.ready)), truth(infra.ready));
            }
            Body::VirtualMachine(vm) => {
                self.virtual_machine(old.and_then(Object::virtual_machine), vm);
            }
            Body::Cluster(cluster) => {
                let old = old.and_then(Object::cluster);
                self.conditions(old.map(|old| &old.conditions), &cluster.conditions);
            }
            Body::VolumeAttachment(attachment) => {
                let old = old.and_then(Object::volume_attachment);
                let before = truth(old.is_some_and(|old| old.attached));
                self.field("attached", before, truth(attachment.attached));
                let before = old.map(|old| &old.node_name);
                self.field("nodeName", text_of(before), text_of(Some(&attachment.node_name)));
            }
            _ => self.counts_of_sets(old, new),
        }
    }

    /// `spec` is said only where it changes by itself; what is wanted of a new one is known.
    fn virtual_machine(&mut self, old: Option<&VirtualMachine>, new: &VirtualMachine) {
        self.conditions(old.map(|old| &old.conditions), &new.conditions);
        let power = |vm: &VirtualMachine| text_of(Some(&Text::word(vm.power.name())));
        self.field("powerState", old.map_or(Value::Null, power), power(new));
        let before = old.map(|old| &old.bios_uuid);
        self.field("biosUUID", text_of(before), text_of(Some(&new.bios_uuid)));
        self.field("primaryIP4", text_of(old.map(|old| &old.ip)), text_of(Some(&new.ip)));
    }

    fn node(&mut self, old: Option<&Node>, new: &Node) {
        self.conditions(old.map(|old| &old.conditions), &new.conditions);
        self.field("taints", taints_text(old), taints_text(Some(new)));
        self.field(
            "unschedulable",
            truth(old.is_some_and(|old| old.unschedulable)),
            truth(new.unschedulable),
        );
        let before = old.map(|old| &old.provider_id);
        self.field("providerID", text_of(before), text_of(Some(&new.provider_id)));
        let none = VolumeNames::default();
        for (field, before, after) in [
            ("volumesAttached", old.map(|old| &old.volumes_attached), &new.volumes_attached),
            ("volumesInUse", old.map(|old| &old.volumes_in_use), &new.volumes_in_use),
        ] {
            self.field(field, volumes_text(before.unwrap_or(&none)), volumes_text(after));
        }
    }

    fn pod(&mut self, old: Option<&Pod>, new: &Pod) {
        let phase = |phase: PodPhase| Value::Text(Text::word(phase.name()));
        let (before, after) = (old.map_or(Value::Null, |old| phase(old.phase)), phase(new.phase));
        if before != after {
            self.push("phase", before, after, new.reason.clone(), new.message.clone());
        }
        self.field(
            "nodeName",
            text_of(old.map(|old| &old.node_name)),
            text_of(Some(&new.node_name)),
        );
        if let Some(old) = old {
            let count = |pod: &Pod| Value::Count(i64::from(pod.restarts));
            self.field("restartCount", count(old), count(new));
            self.field("waiting", text_of(Some(&old.waiting)), text_of(Some(&new.waiting)));
        }
        self.conditions(old.map(|old| &old.conditions), &new.conditions);
    }

    /// Of a token, that its end was put off; what is secret stays so.
    fn secret(&mut self, old: Option<&Secret>, new: &Secret) {
        let until = |secret: &Secret| {
            let expiration = secret.token.as_ref().and_then(|token| token.expiration);
            expiration.map_or(Value::Null, |at| Value::text(rfc3339(at)))
        };
        if let Some(old) = old {
            self.field("expiration", until(old), until(new));
        }
    }

    /// Which tokens have signed `cluster-info`.
    fn signatures(&mut self, old: Option<&ConfigMap>, new: &ConfigMap) {
        let none = BTreeMap::new();
        let before = old.map_or(&none, |old| &old.data);
        let has = |map: &BTreeMap<Text, Text>, key: &str| truth(map.contains_key(key));
        let keys: BTreeSet<&Text> = before.keys().chain(new.data.keys()).collect();
        for key in keys.into_iter().filter(|key| key.starts_with(ConfigMap::SIGNATURE)) {
            let (from, to) = (has(before, key), has(&new.data, key));
            if from != to {
                self.push(key.clone(), from, to, Text::EMPTY, Text::EMPTY);
            }
        }
    }

    fn counts_of_sets(&mut self, old: Option<&Object>, new: &Object) {
        let before = old.map(counts).unwrap_or_default();
        for (place, (field, to)) in counts(new).into_iter().enumerate() {
            let from = before.get(place).map_or(Value::Null, |(_, from)| from.clone());
            self.field(field, from, to);
        }
        if let Some(conditions) = set_conditions(new) {
            self.conditions(old.and_then(set_conditions), conditions);
        }
    }

    /// A condition changed if its status or reason did, or its message where that is its point.
    fn conditions(&mut self, old: Option<&Conditions>, new: &Conditions) {
        for condition in new.iter() {
            let before = old.and_then(|old| old.get(&condition.kind));
            if before.is_some_and(|before| before.says_the_same_as(condition)) {
                continue;
            }
            let from = before.map_or(Value::Null, |before| status_text(before.status.name()));
            self.push(
                condition.kind.clone(),
                from,
                status_text(condition.status.name()),
                condition.reason.clone(),
                condition.message.clone(),
            );
        }
        for gone in old.into_iter().flat_map(Conditions::iter) {
            if new.get(&gone.kind).is_none() {
                let from = status_text(gone.status.name());
                self.push(gone.kind.clone(), from, Value::Null, Text::EMPTY, Text::EMPTY);
            }
        }
    }
}

fn status_text(status: &'static str) -> Value {
    Value::Text(Text::word(status))
}

/// A text that means nothing when it is empty.
fn text_of(text: Option<&Text>) -> Value {
    text.filter(|text| !text.is_empty()).map_or(Value::Null, |text| Value::Text(text.clone()))
}

/// A truth that is absent from the object while it is false.
fn truth(truth: bool) -> Value {
    if truth { Value::Bool(true) } else { Value::Null }
}

/// All volumes, joined by commas.
fn volumes_text(names: &VolumeNames) -> Value {
    let names: Vec<&str> = names.0.iter().map(Text::as_str).collect();
    if names.is_empty() { Value::Null } else { Value::text(names.join(",")) }
}

/// All taints as `key:effect`, sorted and joined by commas.
fn taints_text(node: Option<&Node>) -> Value {
    let mut taints: Vec<String> = node
        .into_iter()
        .flat_map(|node| &node.taints)
        .map(|taint| format!("{}:{}", taint.key, taint.effect.name()))
        .collect();
    taints.sort_unstable();
    if taints.is_empty() { Value::Null } else { Value::text(taints.join(",")) }
}

/// The wanted size of a set.
fn wanted(object: &Object) -> Value {
    let replicas = match &object.body {
        Body::Deployment(set) => set.replicas,
        Body::ReplicaSet(set) => set.replicas,
        Body::MachineSet(set) => set.replicas,
        Body::MachineDeployment(set) => set.replicas,
        Body::KubeadmControlPlane(plane) => plane.replicas,
        _ => return Value::Null,
    };
    Value::Count(i64::from(replicas))
}

/// The replica counts of a set's status, and of a health check's; of a slice, the endpoints that
/// are ready.
fn counts(object: &Object) -> Vec<(&'static str, Value)> {
    let count = |count: u32| Value::Count(i64::from(count));
    match &object.body {
        Body::Deployment(set) => vec![
            ("replicas", count(set.status_replicas)),
            ("readyReplicas", count(set.ready_replicas)),
            ("availableReplicas", count(set.available_replicas)),
        ],
        Body::ReplicaSet(set) => vec![
            ("replicas", count(set.status_replicas)),
            ("readyReplicas", count(set.ready_replicas)),
            ("availableReplicas", count(set.available_replicas)),
        ],
        Body::StatefulSet(set) => vec![
            ("replicas", count(set.status_replicas)),
            ("readyReplicas", count(set.ready_replicas)),
            ("availableReplicas", count(set.available_replicas)),
        ],
        Body::DaemonSet(set) => vec![
            ("desiredNumberScheduled", count(set.desired)),
            ("currentNumberScheduled", count(set.current)),
            ("numberReady", count(set.ready)),
            ("numberAvailable", count(set.available)),
        ],
        Body::Job(job) => vec![
            ("active", count(job.active)),
            ("succeeded", count(job.succeeded)),
            ("failed", count(job.failed)),
        ],
        Body::MachineSet(set) => vec![
            ("replicas", count(set.status_replicas)),
            ("readyReplicas", count(set.ready_replicas)),
            ("availableReplicas", count(set.available_replicas)),
        ],
        Body::MachineDeployment(set) => vec![
            ("phase", text_of(Some(&set.phase))),
            ("replicas", count(set.status_replicas)),
            ("readyReplicas", count(set.ready_replicas)),
            ("availableReplicas", count(set.available_replicas)),
            ("unavailableReplicas", count(set.unavailable_replicas)),
        ],
        Body::KubeadmControlPlane(plane) => plane_counts(plane),
        Body::MachineHealthCheck(check) => vec![
            ("expectedMachines", count(check.expected_machines)),
            ("currentHealthy", count(check.current_healthy)),
            ("remediationsAllowed", count(check.remediations_allowed)),
        ],
        Body::PodDisruptionBudget(budget) => vec![
            ("expectedPods", count(budget.expected_pods)),
            ("desiredHealthy", count(budget.desired_healthy)),
            ("currentHealthy", count(budget.current_healthy)),
            ("disruptionsAllowed", count(budget.disruptions_allowed)),
        ],
        Body::EndpointSlice(slice) => {
            let ready = slice.endpoints.iter().filter(|endpoint| endpoint.ready).count();
            vec![("endpoints", count(u32::try_from(ready).unwrap_or(u32::MAX)))]
        }
        _ => Vec::new(),
    }
}

fn plane_counts(plane: &KubeadmControlPlane) -> Vec<(&'static str, Value)> {
    let count = |count: u32| Value::Count(i64::from(count));
    let of_one_contract = |held: Option<u32>| held.map_or(Value::Null, count);
    vec![
        ("initialized", truth(plane.initialized)),
        ("ready", truth(plane.ready)),
        ("replicas", count(plane.status_replicas)),
        ("readyReplicas", count(plane.ready_replicas)),
        ("updatedReplicas", of_one_contract(plane.updated_replicas)),
        ("unavailableReplicas", of_one_contract(plane.unavailable_replicas)),
        ("upToDateReplicas", of_one_contract(plane.up_to_date_replicas)),
        ("availableReplicas", of_one_contract(plane.available_replicas)),
    ]
}

fn set_conditions(object: &Object) -> Option<&Conditions> {
    match &object.body {
        Body::Job(job) => Some(&job.conditions),
        Body::MachineSet(set) => Some(&set.conditions),
        Body::MachineDeployment(set) => Some(&set.conditions),
        Body::MachineHealthCheck(check) => Some(&check.conditions),
        Body::KubeadmControlPlane(plane) => Some(&plane.conditions),
        _ => None,
    }
}
