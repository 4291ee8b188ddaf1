//! What owns Pods and Machines, looks after them, or tells of them: ReplicaSets, MachineDeployments, MachineSets,
//! MachineHealthChecks, Leases and Events, as tables and as objects.
//!
//! Columns follow `k/k:pkg/printers/internalversion/printers.go` and Cluster API's v1beta1
//! (`api/v1beta1/*_types.go`, `+kubebuilder:printcolumn`).

use super::Form;
use super::manifest::{conditions, meta_json, time};
use super::rows;
use super::table::human;
use crate::api::kinds::{
    EventType, KubeEvent, Lease, MachineDeployment, MachineHealthCheck, MachineSet, MachineSpec,
    MaxUnhealthy, ReplicaSet,
};
use crate::api::{Kind, Labels, Object};
use crate::engine::SimTime;
use serde_json::{Value, json};

pub(super) const CLUSTER: &str = "cluster.x-k8s.io/cluster-name";

/// The columns of one of these kinds; those that only `-o wide` has may stand among the others.
pub fn columns(kind: Kind, form: Form) -> Vec<&'static str> {
    let is_wide = form == Form::Wide;
    let desired: &[&str] = if is_wide { &["DESIRED"] } else { &[] };
    match kind {
        Kind::Event if is_wide => vec![
            "LAST SEEN",
            "TYPE",
            "REASON",
            "OBJECT",
            "SUBOBJECT",
            "SOURCE",
            "MESSAGE",
            "FIRST SEEN",
            "COUNT",
            "NAME",
        ],
        Kind::Event => vec!["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"],
        Kind::Lease => vec!["NAME", "HOLDER", "AGE"],
        Kind::MachineDeployment => {
            let counts = ["REPLICAS", "READY", "UPDATED", "UNAVAILABLE", "PHASE", "AGE", "VERSION"];
            [&["NAME", "CLUSTER"], desired, &counts].concat()
        }
        Kind::MachineSet => {
            let counts = ["REPLICAS", "READY", "AVAILABLE", "AGE", "VERSION"];
            [&["NAME", "CLUSTER"], desired, &counts].concat()
        }
        Kind::MachineHealthCheck => {
            vec!["NAME", "CLUSTER", "EXPECTEDMACHINES", "MAXUNHEALTHY", "CURRENTHEALTHY", "AGE"]
        }
        _ => {
            let wide: &[&str] = if is_wide { &["CONTAINERS", "IMAGES", "SELECTOR"] } else { &[] };
            [&["NAME", "DESIRED", "CURRENT", "READY", "AGE"], wide].concat()
        }
    }
}

/// An Event has no name in its table.
pub fn event_cells(now: SimTime, object: &Object, event: &KubeEvent, form: Form) -> Vec<String> {
    let ago = |at: SimTime| human(now.since(at).as_secs());
    let (first, last) = (ago(event.first), ago(event.last));
    let seen = match event.count {
        0 | 1 => last,
        count => format!("{last} (x{count} over {first})"),
    };
    let regarding = &event.regarding;
    let mut cells = vec![
        seen,
        type_of(event).to_owned(),
        event.reason.to_string(),
        format!("{}/{}", regarding.kind.name().to_lowercase(), regarding.name),
    ];
    if form == Form::Wide {
        cells.extend([String::new(), event.source.to_string()]);
    }
    cells.push(event.message.trim().to_owned());
    cells.extend([first, event.count.to_string(), object.name().to_string()]);
    cells
}

pub fn machine_deployment_cells(
    body: &MachineDeployment,
    created: String,
    form: Form,
) -> Vec<String> {
    let mut cells = vec![body.template.cluster.to_string()];
    cells.extend((form == Form::Wide).then(|| body.replicas.to_string()));
    let counts = [
        body.status_replicas,
        body.ready_replicas,
        body.updated_replicas,
        body.unavailable_replicas,
    ];
    cells.extend(counts.map(|count| count.to_string()));
    cells.extend([body.phase.to_string(), created, body.template.version.to_string()]);
    cells
}

pub fn machine_set_cells(body: &MachineSet, created: String, form: Form) -> Vec<String> {
    let mut cells = vec![body.template.cluster.to_string()];
    cells.extend((form == Form::Wide).then(|| body.replicas.to_string()));
    let counts = [body.status_replicas, body.ready_replicas, body.available_replicas];
    cells.extend(counts.map(|count| count.to_string()));
    cells.extend([created, body.template.version.to_string()]);
    cells
}

pub fn health_check_cells(
    object: &Object,
    body: &MachineHealthCheck,
    created: String,
) -> Vec<String> {
    vec![
        checked_cluster(object, body).unwrap_or_default(),
        body.expected_machines.to_string(),
        most(body.max_unhealthy).unwrap_or_default(),
        body.current_healthy.to_string(),
        created,
    ]
}

/// The cluster whose Machines are checked: there is one workload cluster.
pub(super) fn checked_cluster(object: &Object, body: &MachineHealthCheck) -> Option<String> {
    let cluster = body.selector.get(CLUSTER).or_else(|| object.meta.labels.get(CLUSTER));
    cluster.map(ToString::to_string)
}

pub fn replica_set_cells(body: &ReplicaSet, created: String) -> Vec<String> {
    let counts = [body.replicas, body.status_replicas, body.ready_replicas];
    let mut cells: Vec<String> = counts.map(|count| count.to_string()).to_vec();
    cells.push(created);
    cells.extend(rows::containers(&body.template));
    cells.push(rows::selector(&body.selector));
    cells
}

/// An Event is no spec and no status.
pub fn event_json(object: &Object, event: &KubeEvent) -> Value {
    let regarding = &event.regarding;
    json!({
        "apiVersion": object.key().kind.api_version(),
        "count": event.count,
        "firstTimestamp": time(event.first),
        "involvedObject": {
            "apiVersion": regarding.kind.api_version(),
            "kind": regarding.kind.name(),
            "name": regarding.name,
            "namespace": regarding.namespace,
        },
        "kind": object.key().kind.name(),
        "lastTimestamp": time(event.last),
        "message": event.message,
        "metadata": meta_json(&object.meta),
        "reason": event.reason,
        "source": { "component": event.source },
        "type": type_of(event),
    })
}

/// A Lease has no status.
pub fn lease_json(object: &Object, lease: &Lease) -> Value {
    let spec = json!({
        "acquireTime": time(lease.acquired),
        "holderIdentity": lease.holder,
        "leaseDurationSeconds": lease.duration.as_secs(),
        "leaseTransitions": lease.transitions,
        "renewTime": time(lease.renewed),
    });
    json!({
        "apiVersion": object.key().kind.api_version(),
        "kind": object.key().kind.name(),
        "metadata": meta_json(&object.meta),
        "spec": spec,
    })
}

pub fn replica_set_json(body: &ReplicaSet) -> (Value, Value) {
    let spec = json!({ "replicas": body.replicas, "selector": labels(&body.selector) });
    let status = json!({
        "availableReplicas": body.available_replicas,
        "readyReplicas": body.ready_replicas,
        "replicas": body.status_replicas,
    });
    (spec, status)
}

/// The `spec` of what owns Machines.
fn machines_spec(replicas: u32, selector: &Labels, template: &MachineSpec) -> Value {
    json!({
        "clusterName": template.cluster,
        "replicas": replicas,
        "selector": labels(selector),
        "template": { "spec": { "version": template.version } },
    })
}

pub fn machine_deployment_json(body: &MachineDeployment) -> (Value, Value) {
    let spec = machines_spec(body.replicas, &body.selector, &body.template);
    let status = json!({
        "availableReplicas": body.available_replicas,
        "conditions": conditions(&body.conditions, false),
        "phase": body.phase,
        "readyReplicas": body.ready_replicas,
        "replicas": body.status_replicas,
        "unavailableReplicas": body.unavailable_replicas,
        "updatedReplicas": body.updated_replicas,
    });
    (spec, status)
}

pub fn machine_set_json(body: &MachineSet) -> (Value, Value) {
    let spec = machines_spec(body.replicas, &body.selector, &body.template);
    let status = json!({
        "availableReplicas": body.available_replicas,
        "conditions": conditions(&body.conditions, false),
        "readyReplicas": body.ready_replicas,
        "replicas": body.status_replicas,
    });
    (spec, status)
}

pub fn health_check_json(body: &MachineHealthCheck) -> (Value, Value) {
    let unhealthy = body.unhealthy_conditions.iter().map(|condition| {
        json!({
            "status": condition.status.name(),
            "timeout": condition.timeout.to_string(),
            "type": condition.kind,
        })
    });
    let mut spec = json!({
        "nodeStartupTimeout": body.node_startup_timeout.to_string(),
        "selector": labels(&body.selector),
        "unhealthyConditions": unhealthy.collect::<Vec<_>>(),
    });
    match most(body.max_unhealthy) {
        Some(most) => spec["maxUnhealthy"] = json!(most),
        None => spec["unhealthyRange"] = json!(body.max_unhealthy.to_string()),
    }
    let status = json!({
        "conditions": conditions(&body.conditions, false),
        "currentHealthy": body.current_healthy,
        "expectedMachines": body.expected_machines,
        "remediationsAllowed": body.remediations_allowed,
    });
    (spec, status)
}

/// `maxUnhealthy`, where it is that which bounds.
fn most(bound: MaxUnhealthy) -> Option<String> {
    (!bound.is_range()).then(|| bound.to_string())
}

fn type_of(event: &KubeEvent) -> &'static str {
    match event.kind {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    }
}

fn labels(selector: &Labels) -> Value {
    json!({ "matchLabels": **selector })
}
