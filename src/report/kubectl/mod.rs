//! What kubectl would print at an instant, in its columns and words.
//!
//! Prints committed objects, as an API server with quorum would serve them; when none serves, what
//! kubectl says then. Follows `k/k:pkg/printers/internalversion` and Cluster API's printer columns.

mod manifest;
mod table;
#[cfg(test)]
mod tests;

use crate::api::kinds::{Node, Pod, Status, taint};
use crate::api::{Kind, Object};
use crate::engine::SimTime;
use crate::world::View;
use manifest::manifest;
use std::sync::Arc;
use table::{Table, age};

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    Nodes,
    Machines,
    Vms,
    Pods,
}

/// How to print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Table,
    Wide,
    Yaml,
    Json,
}

/// The text that kubectl would print.
pub fn get(view: View, resource: Resource, form: Form) -> String {
    let kind = match resource {
        Resource::Vms => return vms(view),
        Resource::Nodes => Kind::Node,
        Resource::Machines => Kind::Machine,
        Resource::Pods => Kind::Pod,
    };
    if let Some(error) = unreachable(view, resource) {
        return error;
    }
    let objects: Vec<&Arc<Object>> = view.objects(kind).collect();
    match form {
        Form::Yaml | Form::Json => manifest(&objects, form),
        _ if objects.is_empty() => match kind {
            Kind::Node => "No resources found\n".to_owned(),
            _ => "No resources found in default namespace.\n".to_owned(),
        },
        _ => rows(view.now(), kind, &objects, form).to_string(),
    }
}

fn rows(now: SimTime, kind: Kind, objects: &[&Arc<Object>], form: Form) -> Table {
    let mut table = Table::new(columns(kind, form));
    for object in objects {
        let mut row = match kind {
            Kind::Node => object.node().map(|node| node_row(now, object, node)),
            Kind::Pod => object.pod().map(|pod| pod_row(now, object, pod)),
            _ => machine_row(now, object),
        }
        .unwrap_or_default();
        row.truncate(table.width());
        table.push(row);
    }
    table
}

fn columns(kind: Kind, form: Form) -> &'static [&'static str] {
    match (kind, form) {
        (Kind::Node, Form::Wide) => &[
            "NAME",
            "STATUS",
            "ROLES",
            "AGE",
            "VERSION",
            "INTERNAL-IP",
            "EXTERNAL-IP",
            "OS-IMAGE",
            "KERNEL-VERSION",
            "CONTAINER-RUNTIME",
        ],
        (Kind::Node, _) => &["NAME", "STATUS", "ROLES", "AGE", "VERSION"],
        (Kind::Pod, Form::Wide) => &[
            "NAME",
            "READY",
            "STATUS",
            "RESTARTS",
            "AGE",
            "IP",
            "NODE",
            "NOMINATED NODE",
            "READINESS GATES",
        ],
        (Kind::Pod, _) => &["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
        _ => &["NAME", "CLUSTER", "NODENAME", "PROVIDERID", "PHASE", "AGE", "VERSION"],
    }
}

fn node_row(now: SimTime, object: &Object, node: &Node) -> Vec<String> {
    let mut status = match node.conditions.status("Ready") {
        Some(Status::True) => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.unschedulable {
        status.push_str(",SchedulingDisabled");
    }
    let role = if object.meta.labels.contains_key(taint::CONTROL_PLANE) {
        "control-plane"
    } else {
        "<none>"
    };
    let unknown = || "<unknown>".to_owned();
    vec![
        object.name().to_string(),
        status,
        role.to_owned(),
        age(now, object.meta.created),
        node.kubelet_version.to_string(),
        or_none(&node.internal_ip),
        "<none>".to_owned(),
        unknown(),
        unknown(),
        unknown(),
    ]
}

fn pod_row(now: SimTime, object: &Object, pod: &Pod) -> Vec<String> {
    let status = if object.meta.is_deleting() { "Terminating" } else { pod.phase.name() };
    vec![
        object.name().to_string(),
        format!("{}/1", u8::from(pod.conditions.is("ContainersReady", Status::True))),
        status.to_owned(),
        pod.restarts.to_string(),
        age(now, object.meta.created),
        or_none(&pod.pod_ip),
        or_none(&pod.node_name),
        "<none>".to_owned(),
        "<none>".to_owned(),
    ]
}

fn machine_row(now: SimTime, object: &Object) -> Option<Vec<String>> {
    let machine = object.machine()?;
    Some(vec![
        object.name().to_string(),
        machine.spec.cluster.to_string(),
        machine.node_ref.as_ref().map(ToString::to_string).unwrap_or_default(),
        machine.spec.provider_id.to_string(),
        machine.phase.name().to_owned(),
        age(now, object.meta.created),
        machine.spec.version.to_string(),
    ])
}

/// The datacenter's own list; there is no kubectl for it.
fn vms(view: View) -> String {
    let mut table = Table::new(&["NAME", "POWER", "KUBELET", "CONTAINERS"]);
    for vm in view.vms() {
        let kubelet = match vm.units.contains_key("kubelet") {
            false => "<none>",
            true if view.runs("kubelet", &vm.name) => "running",
            true => "stopped",
        };
        let running = vm.containers.values().filter(|c| c.is_running(view.now())).count();
        table.push(vec![
            vm.name.to_string(),
            if vm.is_on() { "on" } else { "off" }.to_owned(),
            kubelet.to_owned(),
            running.to_string(),
        ]);
    }
    table.to_string()
}

/// What kubectl says when nobody serves.
fn unreachable(view: View, resource: Resource) -> Option<String> {
    let own = view.vm("supervisor-0").is_none();
    let host = match resource {
        Resource::Machines if !own => "supervisor-0",
        _ => "control-plane-0",
    };
    if view.runs("kube-apiserver", host) {
        return (!view.runs("etcd", host)).then(|| {
            "Error from server: rpc error: code = Unavailable desc = connection error: desc = \
             \"transport: Error while dialing: dial tcp 127.0.0.1:2379: connect: connection \
             refused\"\n"
                .to_owned()
        });
    }
    let is_on = view.vm(host).is_some_and(|vm| vm.is_on());
    Some(match is_on {
        true => format!(
            "The connection to the server {host}:6443 was refused - did you specify the right \
             host or port?\n"
        ),
        false => format!("Unable to connect to the server: dial tcp {host}:6443: i/o timeout\n"),
    })
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text.to_owned() }
}
