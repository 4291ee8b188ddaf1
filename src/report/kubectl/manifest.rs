//! Objects as kubectl prints them with `-o yaml` and `-o json`: a List of what is stored.

use super::{Form, budget, cluster, owners, parts, secret};
use crate::api::kinds::{
    Conditions, ConfigMap, DaemonSet, Deployment, Job, KubeadmControlPlane, Machine, Node, Pod,
    PodManagement, PodPhase, Resources, StatefulSet, Status, VirtualMachine,
};
use crate::api::{Body, Labels, Meta, Object, rfc3339};
use crate::engine::SimTime;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// All objects as one List.
pub fn manifest(objects: &[&Arc<Object>], form: Form) -> String {
    let items: Vec<Value> = objects.iter().map(|object| to_json(object)).collect();
    list(items, form)
}

/// One object, as it is printed by its name.
pub fn one(object: &Object, form: Form) -> String {
    written(&to_json(object), form)
}

/// These items as one List.
pub fn list(items: Vec<Value>, form: Form) -> String {
    let list = json!({
        "apiVersion": "v1",
        "items": items,
        "kind": "List",
        "metadata": { "resourceVersion": "" },
    });
    written(&list, form)
}

fn written(value: &Value, form: Form) -> String {
    match form {
        Form::Json => format!("{value:#}\n"),
        _ => serde_saphyr::to_string(value).expect("a JSON value can be written as YAML"),
    }
}

fn to_json(object: &Object) -> Value {
    let (spec, status) = match &object.body {
        Body::Node(node) => node_json(node),
        Body::Pod(pod) => pod_json(pod),
        Body::Machine(machine) => machine_json(machine),
        Body::Deployment(body) => deployment_json(body),
        Body::StatefulSet(body) => stateful_set_json(body),
        Body::DaemonSet(body) => daemon_set_json(body),
        Body::Job(job) => job_json(job),
        Body::VirtualMachine(body) => virtual_machine_json(body),
        Body::KubeadmControlPlane(body) => control_plane_json(body),
        Body::Secret(body) => return secret::json(object, body),
        Body::ConfigMap(body) => return config_map_json(object, body),
        Body::PodDisruptionBudget(body) => budget::json(body),
        Body::Event(event) => return owners::event_json(object, event),
        Body::Lease(lease) => return owners::lease_json(object, lease),
        Body::MachineDeployment(body) => owners::machine_deployment_json(body),
        Body::MachineHealthCheck(body) => owners::health_check_json(body),
        Body::MachineSet(body) => owners::machine_set_json(body),
        Body::ReplicaSet(body) => owners::replica_set_json(body),
        Body::Cluster(body) => cluster::cluster_json(object, body),
        Body::Service(body) => cluster::service_json(body),
        Body::KubeadmConfig(body) => parts::kubeadm_config_json(body),
        Body::VSphereMachine(body) => parts::vsphere_machine_json(body),
        Body::VolumeAttachment(body) => parts::volume_attachment_json(body),
        // `get` offers none of these.
        Body::EndpointSlice(_) | Body::InfraMachine(_) | Body::PersistentVolumeClaim(_) => {
            (json!({}), json!({}))
        }
    };
    json!({
        "apiVersion": object.key().kind.api_version(),
        "kind": object.key().kind.name(),
        "metadata": meta_json(&object.meta),
        "spec": spec,
        "status": status,
    })
}

pub(super) fn meta_json(meta: &Meta) -> Value {
    let mut map = Map::new();
    map.insert("creationTimestamp".to_owned(), time(meta.created));
    if let Some(deletion) = meta.deletion {
        map.insert("deletionTimestamp".to_owned(), time(deletion.at));
        map.insert("deletionGracePeriodSeconds".to_owned(), json!(deletion.grace.as_secs()));
    }
    if !meta.finalizers.is_empty() {
        map.insert("finalizers".to_owned(), json!(&meta.finalizers[..]));
    }
    if !meta.labels.is_empty() {
        map.insert("labels".to_owned(), json!(*meta.labels));
    }
    map.insert("name".to_owned(), json!(meta.key.name));
    if !meta.key.namespace.is_empty() {
        map.insert("namespace".to_owned(), json!(meta.key.namespace));
    }
    let owners: Vec<Value> = meta
        .owners
        .iter()
        .map(|owner| {
            json!({
                "apiVersion": owner.kind.api_version(),
                "controller": owner.controller,
                "kind": owner.kind.name(),
                "name": owner.name,
                "uid": uid(owner.uid.0),
            })
        })
        .collect();
    if !owners.is_empty() {
        map.insert("ownerReferences".to_owned(), json!(owners));
    }
    map.insert("resourceVersion".to_owned(), json!(meta.resource_version.0.to_string()));
    map.insert("uid".to_owned(), json!(uid(meta.uid.0)));
    Value::Object(map)
}

fn node_json(node: &Node) -> (Value, Value) {
    let taints: Vec<Value> = node
        .taints
        .iter()
        .map(|taint| {
            let mut map = json!({ "effect": taint.effect.name(), "key": taint.key });
            if let (Some(added), Some(map)) = (taint.added, map.as_object_mut()) {
                map.insert("timeAdded".to_owned(), time(added));
            }
            map
        })
        .collect();
    let mut spec = json!({ "providerID": node.provider_id, "taints": taints });
    if let (true, Some(spec)) = (node.unschedulable, spec.as_object_mut()) {
        spec.insert("unschedulable".to_owned(), json!(true));
    }
    let resources = json!({
        "cpu": quantity(node.allocatable.cpu_millis, 1000, ["m", ""]),
        "memory": quantity(node.allocatable.memory_mib, 1024, ["Mi", "Gi"]),
        "pods": node.allocatable.pods.to_string(),
    });
    let status = json!({
        "allocatable": resources,
        "capacity": resources,
        "conditions": conditions(&node.conditions, true),
        "nodeInfo": { "kubeletVersion": node.kubelet_version },
    });
    (spec, status)
}

/// As an API server writes it: in the larger unit, if it is so many whole ones.
pub fn quantity(small: u64, in_a_large: u64, [unit, large]: [&str; 2]) -> String {
    match small % in_a_large {
        0 => format!("{}{large}", small / in_a_large),
        _ => format!("{small}{unit}"),
    }
}

fn pod_json(pod: &Pod) -> (Value, Value) {
    let tolerations: Vec<Value> = pod
        .tolerations
        .iter()
        .map(|toleration| {
            let mut map = Map::new();
            if let Some(effect) = toleration.effect {
                map.insert("effect".to_owned(), json!(effect.name()));
            }
            map.insert("key".to_owned(), json!(toleration.key));
            let operator = if toleration.value.is_some() { "Equal" } else { "Exists" };
            map.insert("operator".to_owned(), json!(operator));
            if let Some(value) = &toleration.value {
                map.insert("value".to_owned(), json!(value));
            }
            if let Some(seconds) = toleration.seconds {
                map.insert("tolerationSeconds".to_owned(), json!(seconds.as_secs()));
            }
            Value::Object(map)
        })
        .collect();
    let spec = json!({
        "containers": [{
            "image": pod.template.image,
            "name": pod.template.container(),
            "resources": requests(&pod.template.requests),
        }],
        "nodeName": pod.node_name,
        "terminationGracePeriodSeconds": pod.template.grace.as_secs(),
        "tolerations": tolerations,
    });
    let mut status = json!({
        "conditions": conditions(&pod.conditions, false),
        "phase": pod.phase.name(),
    });
    // Of a Pod that its kubelet refused no container is known.
    let is_refused = pod.phase == PodPhase::Failed && pod.started.is_none();
    let has_container = !pod.node_name.is_empty() && !is_refused;
    if let (true, Some(status)) = (has_container, status.as_object_mut()) {
        status.insert("containerStatuses".to_owned(), json!([container_json(pod)]));
    }
    if let (Some(started), Some(status)) = (pod.started, status.as_object_mut()) {
        status.insert("startTime".to_owned(), time(started));
    }
    if let (false, Some(status)) = (pod.reason.is_empty(), status.as_object_mut()) {
        status.insert("message".to_owned(), json!(pod.message));
        status.insert("reason".to_owned(), json!(pod.reason));
    }
    (spec, status)
}

/// The status of a Pod's one container, which is named for its image. Of one that is lost the kubelet says
/// what `convertToAPIContainerStatuses` of `k/k:pkg/kubelet/kubelet_pods.go` does.
fn container_json(pod: &Pod) -> Value {
    let state = match pod.phase {
        PodPhase::Succeeded => json!({ "terminated": { "exitCode": 0, "reason": "Completed" } }),
        PodPhase::Failed => {
            json!({ "terminated": { "exitCode": 137, "reason": "ContainerStatusUnknown" } })
        }
        _ if !pod.waiting.is_empty() => json!({ "waiting": { "reason": pod.waiting } }),
        PodPhase::Pending => json!({ "waiting": { "reason": "ContainerCreating" } }),
        PodPhase::Running => json!({ "running": {} }),
    };
    let ended = |at| json!({ "terminated": { "finishedAt": time(at) } });
    json!({
        "image": pod.template.image,
        "lastState": pod.last_ended.map_or_else(|| json!({}), ended),
        "name": pod.template.container(),
        "ready": pod.conditions.is("ContainersReady", Status::True),
        "restartCount": pod.restarts,
        "state": state,
    })
}

/// What a container asks for; nothing where it asks for nothing.
fn requests(asked: &Resources) -> Value {
    let mut map = Map::new();
    for (name, small, in_a_large, units) in [
        ("cpu", asked.cpu_millis, 1000, ["m", ""]),
        ("memory", asked.memory_mib, 1024, ["Mi", "Gi"]),
    ] {
        if small > 0 {
            map.insert(name.to_owned(), json!(quantity(small, in_a_large, units)));
        }
    }
    if map.is_empty() { json!({}) } else { json!({ "requests": map }) }
}

fn machine_json(machine: &Machine) -> (Value, Value) {
    let spec = json!({
        "clusterName": machine.spec.cluster,
        "nodeDeletionTimeout": machine.spec.node_deletion_timeout.to_string(),
        "providerID": machine.spec.provider_id,
        "version": machine.spec.version,
    });
    let mut status = json!({
        "bootstrapReady": machine.bootstrap_ready,
        "conditions": conditions(&machine.conditions, false),
        "infrastructureReady": machine.infrastructure_ready,
        "phase": machine.phase.name(),
    });
    if let (Some(node), Some(status)) = (&machine.node_ref, status.as_object_mut()) {
        let node = json!({ "apiVersion": "v1", "kind": "Node", "name": node });
        status.insert("nodeRef".to_owned(), node);
    }
    (spec, status)
}

/// As v1beta1 has it; what only the newer contract counts stands under `status.v1beta2`.
fn control_plane_json(body: &KubeadmControlPlane) -> (Value, Value) {
    let remediation = &body.remediation;
    let mut strategy = json!({
        "minHealthyPeriod": remediation.min_healthy_period.to_string(),
        "retryPeriod": remediation.retry_period.to_string(),
    });
    if let (Some(most), Some(strategy)) = (remediation.max_retry, strategy.as_object_mut()) {
        strategy.insert("maxRetry".to_owned(), json!(most));
    }
    let spec = json!({
        "remediationStrategy": strategy,
        "replicas": body.replicas,
        "rolloutStrategy": {
            "rollingUpdate": { "maxSurge": body.max_surge },
            "type": "RollingUpdate",
        },
        "version": body.version,
    });
    let unavailable = body.status_replicas.saturating_sub(body.ready_replicas);
    let mut status = json!({
        "conditions": conditions(&body.conditions, false),
        "initialized": body.initialized,
        "ready": body.ready,
        "readyReplicas": body.ready_replicas,
        "replicas": body.status_replicas,
        "unavailableReplicas": body.unavailable_replicas.unwrap_or(unavailable),
        "updatedReplicas": body.updated_replicas.or(body.up_to_date_replicas),
        "version": body.lowest_version,
    });
    let Some(map) = status.as_object_mut() else { return (spec, status) };
    if body.available_replicas.is_some() || body.up_to_date_replicas.is_some() {
        let newer = json!({
            "availableReplicas": body.available_replicas,
            "readyReplicas": body.ready_replicas,
            "upToDateReplicas": body.up_to_date_replicas,
        });
        map.insert("v1beta2".to_owned(), newer);
    }
    if let Some(last) = &body.last_remediation {
        let last = json!({
            "machine": last.machine,
            "retryCount": last.retry_count,
            "timestamp": time(last.at),
        });
        map.insert("lastRemediation".to_owned(), last);
    }
    (spec, status)
}

fn deployment_json(body: &Deployment) -> (Value, Value) {
    let status = json!({
        "availableReplicas": body.available_replicas,
        "readyReplicas": body.ready_replicas,
        "replicas": body.status_replicas,
        "unavailableReplicas": body.unavailable_replicas,
        "updatedReplicas": body.updated_replicas,
    });
    (json!({ "replicas": body.replicas, "selector": selector(&body.selector) }), status)
}

fn stateful_set_json(body: &StatefulSet) -> (Value, Value) {
    let policy = match body.policy {
        PodManagement::OrderedReady => "OrderedReady",
        PodManagement::Parallel => "Parallel",
    };
    let spec = json!({
        "podManagementPolicy": policy,
        "replicas": body.replicas,
        "selector": selector(&body.selector),
    });
    let status = json!({
        "availableReplicas": body.available_replicas,
        "readyReplicas": body.ready_replicas,
        "replicas": body.status_replicas,
    });
    (spec, status)
}

fn daemon_set_json(body: &DaemonSet) -> (Value, Value) {
    let status = json!({
        "currentNumberScheduled": body.current,
        "desiredNumberScheduled": body.desired,
        "numberAvailable": body.available,
        "numberReady": body.ready,
    });
    (json!({ "selector": selector(&body.selector) }), status)
}

fn job_json(job: &Job) -> (Value, Value) {
    let spec = json!({
        "backoffLimit": job.backoff_limit,
        "completions": job.completions,
        "parallelism": job.completions,
    });
    let mut status = json!({
        "active": job.active,
        "conditions": conditions(&job.conditions, false),
        "failed": job.failed,
        "succeeded": job.succeeded,
    });
    if let (Some(completed), Some(status)) = (job.completed, status.as_object_mut()) {
        status.insert("completionTime".to_owned(), time(completed));
    }
    (spec, status)
}

fn virtual_machine_json(body: &VirtualMachine) -> (Value, Value) {
    let user_data = json!({ "name": body.bootstrap_secret, "key": "user-data" });
    let spec = json!({
        "biosUUID": body.uuid_wanted,
        "bootstrap": { "cloudInit": { "rawCloudConfig": user_data } },
        "powerState": body.power_wanted.name(),
    });
    let status = json!({
        "biosUUID": body.bios_uuid,
        "conditions": conditions(&body.conditions, false),
        "network": { "primaryIP4": body.ip },
        "powerState": body.power.name(),
    });
    (spec, status)
}

fn config_map_json(object: &Object, body: &ConfigMap) -> Value {
    json!({
        "apiVersion": object.key().kind.api_version(),
        "data": body.data,
        "kind": object.key().kind.name(),
        "metadata": meta_json(&object.meta),
    })
}

/// Bytes as Secrets hold them.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |bytes: &[u8]| {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | usize::from(bytes.get(at).copied().unwrap_or_default())
        });
        let letter = |at: usize| match at <= bytes.len() {
            true => char::from(LETTERS[bits >> (18 - 6 * at) & 63]),
            false => '=',
        };
        [0, 1, 2, 3].map(letter)
    };
    bytes.chunks(3).flat_map(group).collect()
}

pub(super) fn selector(labels: &Labels) -> Value {
    json!({ "matchLabels": **labels })
}

pub(super) fn conditions(conditions: &Conditions, heartbeats: bool) -> Vec<Value> {
    conditions
        .iter()
        .map(|condition| {
            let mut map = Map::new();
            if heartbeats {
                map.insert("lastHeartbeatTime".to_owned(), time(condition.last_heartbeat));
            }
            map.insert("lastTransitionTime".to_owned(), time(condition.last_transition));
            for (name, text) in [("message", &condition.message), ("reason", &condition.reason)] {
                if !text.is_empty() {
                    map.insert(name.to_owned(), json!(text));
                }
            }
            map.insert("status".to_owned(), json!(condition.status.name()));
            map.insert("type".to_owned(), json!(condition.kind));
            Value::Object(map)
        })
        .collect()
}

pub(super) fn time(at: SimTime) -> Value {
    json!(rfc3339(at))
}

/// A UID in its usual form.
pub fn uid(number: u64) -> String {
    format!("{:08x}-0000-4000-8000-{:012x}", number >> 32, number & 0xffff_ffff)
}
