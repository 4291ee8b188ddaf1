//! The columns of each kind and what stands in them, as Kubernetes 1.34 serves them, Cluster
//! API with v1beta1 (`v1beta2.rs` has the newer ones), and VM Operator with v1alpha2.

use super::manifest::uid;
use super::table::{age, human};
use super::{Form, budget, cluster, owners, parts, secret};
use crate::api::kinds::{
    DaemonSet, Deployment, Job, KubeadmControlPlane, Node, Pod, PodTemplate, StatefulSet, Status,
    VirtualMachine, taint,
};
use crate::api::{Body, Kind, Labels, Object};
use crate::engine::SimTime;

/// The columns of a kind: those of every table, and those that only `-o wide` adds; `AGE` stands
/// before the latter, except where a custom resource names its own order.
pub fn columns(kind: Kind, form: Form) -> Vec<&'static str> {
    let (plain, wide): (&[&str], &[&str]) = match kind {
        Kind::Node => (
            &["NAME", "STATUS", "ROLES", "AGE", "VERSION"],
            &["INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME"],
        ),
        Kind::Pod => (
            &["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
            &["IP", "NODE", "NOMINATED NODE", "READINESS GATES"],
        ),
        Kind::Deployment => (
            &["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"],
            &["CONTAINERS", "IMAGES", "SELECTOR"],
        ),
        Kind::StatefulSet => (&["NAME", "READY", "AGE"], &["CONTAINERS", "IMAGES"]),
        Kind::DaemonSet => (
            &[
                "NAME",
                "DESIRED",
                "CURRENT",
                "READY",
                "UP-TO-DATE",
                "AVAILABLE",
                "NODE SELECTOR",
                "AGE",
            ],
            &["CONTAINERS", "IMAGES", "SELECTOR"],
        ),
        Kind::Job => (
            &["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"],
            &["CONTAINERS", "IMAGES", "SELECTOR"],
        ),
        Kind::Secret => (&["NAME", "TYPE", "DATA", "AGE"], &[]),
        Kind::ConfigMap => (&["NAME", "DATA", "AGE"], &[]),
        Kind::PodDisruptionBudget => (&budget::COLUMNS, &[]),
        Kind::Cluster => (&cluster::CLUSTER, &[]),
        Kind::Service => (&cluster::SERVICE, &["SELECTOR"]),
        Kind::KubeadmConfig => (&parts::KUBEADM_CONFIG, &[]),
        Kind::VSphereMachine => (&parts::VSPHERE_MACHINE, &[]),
        Kind::VolumeAttachment => (&parts::VOLUME_ATTACHMENT, &[]),
        Kind::Event
        | Kind::Lease
        | Kind::MachineDeployment
        | Kind::MachineHealthCheck
        | Kind::MachineSet
        | Kind::ReplicaSet => return owners::columns(kind, form),
        Kind::KubeadmControlPlane => return control_plane_columns(form),
        Kind::VirtualMachine if form == Form::Wide => {
            (&["NAME", "POWER-STATE", "CLASS", "IMAGE", "PRIMARY-IP4", "AGE"], &[])
        }
        Kind::VirtualMachine => (&["NAME", "POWER-STATE", "AGE"], &[]),
        _ => (&["NAME", "CLUSTER", "NODENAME", "PROVIDERID", "PHASE", "AGE", "VERSION"], &[]),
    };
    let wide = if form == Form::Wide { wide } else { &[] };
    [plain, wide].concat()
}

/// A column that only `-o wide` has stands among the others.
fn control_plane_columns(form: Form) -> Vec<&'static str> {
    let first = ["NAME", "CLUSTER", "INITIALIZED", "API SERVER AVAILABLE"];
    let wide: &[&str] = if form == Form::Wide { &["DESIRED"] } else { &[] };
    let others = ["REPLICAS", "READY", "UPDATED", "UNAVAILABLE", "AGE", "VERSION"];
    [&first, wide, &others].concat()
}

/// What stands in these columns for an object; the wide ones too, whether asked for or not, except
/// where `columns` has an order of their own for them.
pub fn row(now: SimTime, object: &Object, form: Form) -> Vec<String> {
    let created = age(now, object.meta.created);
    if let Body::Event(event) = &object.body {
        return owners::event_cells(now, object, event, form);
    }
    let mut row = vec![object.name().to_string()];
    row.extend(match &object.body {
        Body::Node(node) => node_cells(object, node, created),
        Body::Pod(pod) => pod_cells(now, object, pod, created),
        Body::Deployment(body) => deployment_cells(body, created),
        Body::StatefulSet(body) => stateful_set_cells(body, created),
        Body::DaemonSet(body) => daemon_set_cells(body, created),
        Body::Job(job) => job_cells(now, object, job, created),
        Body::Secret(body) => secret::cells(body, created),
        Body::ConfigMap(body) => vec![body.data.len().to_string(), created],
        Body::PodDisruptionBudget(body) => budget::cells(body, created),
        Body::Cluster(body) => cluster::cluster_cells(object, body, created),
        Body::Service(body) => cluster::service_cells(body, created),
        Body::VirtualMachine(body) => virtual_machine_cells(body, created, form),
        Body::KubeadmControlPlane(body) => control_plane_cells(body, created, form),
        Body::KubeadmConfig(_) => parts::kubeadm_config_cells(object, created),
        Body::VSphereMachine(body) => parts::vsphere_machine_cells(body),
        Body::VolumeAttachment(body) => parts::volume_attachment_cells(body, created),
        Body::Lease(body) => vec![body.holder.to_string(), created],
        Body::MachineDeployment(body) => owners::machine_deployment_cells(body, created, form),
        Body::MachineHealthCheck(body) => owners::health_check_cells(object, body, created),
        Body::MachineSet(body) => owners::machine_set_cells(body, created, form),
        Body::ReplicaSet(body) => owners::replica_set_cells(body, created),
        _ => machine_cells(object, created),
    });
    row
}

fn node_cells(object: &Object, node: &Node, created: String) -> Vec<String> {
    let role =
        if object.meta.labels.contains_key(taint::CONTROL_PLANE) { "control-plane" } else { NONE };
    vec![
        object.status_column().unwrap_or_default(),
        role.to_owned(),
        created,
        node.kubelet_version.to_string(),
        or_none(&node.internal_ip),
        NONE.to_owned(),
        UNKNOWN.to_owned(),
        UNKNOWN.to_owned(),
        UNKNOWN.to_owned(),
    ]
}

fn pod_cells(now: SimTime, object: &Object, pod: &Pod, created: String) -> Vec<String> {
    vec![
        format!("{}/1", u8::from(pod.conditions.is("ContainersReady", Status::True))),
        object.status_column().unwrap_or_default(),
        restarts(now, pod),
        created,
        or_none(&pod.pod_ip),
        or_none(&pod.node_name),
        NONE.to_owned(),
        NONE.to_owned(),
    ]
}

/// How often its container was started again, and how long ago the one before ended (`printPod` of
/// `k/k:pkg/printers/internalversion/printers.go`). Where the row is to stand for long, the count alone.
fn restarts(now: SimTime, pod: &Pod) -> String {
    match pod.last_ended.filter(|ended| pod.restarts > 0 && *ended <= now) {
        Some(ended) => format!("{} ({} ago)", pod.restarts, human(now.since(ended).as_secs())),
        None => pod.restarts.to_string(),
    }
}

fn deployment_cells(body: &Deployment, created: String) -> Vec<String> {
    let mut cells = vec![
        format!("{}/{}", body.ready_replicas, body.replicas),
        body.updated_replicas.to_string(),
        body.available_replicas.to_string(),
        created,
    ];
    cells.extend(containers(&body.template));
    cells.push(selector(&body.selector));
    cells
}

fn stateful_set_cells(body: &StatefulSet, created: String) -> Vec<String> {
    let mut cells = vec![format!("{}/{}", body.ready_replicas, body.replicas), created];
    cells.extend(containers(&body.template));
    cells
}

fn daemon_set_cells(body: &DaemonSet, created: String) -> Vec<String> {
    // All Pods are of the one template that there is.
    let updated = body.current;
    let counts = [body.desired, body.current, body.ready, updated, body.available];
    let mut cells: Vec<String> = counts.map(|count| count.to_string()).to_vec();
    cells.extend([NONE.to_owned(), created]);
    cells.extend(containers(&body.template));
    cells.push(selector(&body.selector));
    cells
}

fn job_cells(now: SimTime, object: &Object, job: &Job, created: String) -> Vec<String> {
    let is = |kind: &str| job.conditions.is(kind, Status::True);
    let status = match () {
        () if is("Complete") => "Complete",
        () if is("Failed") => "Failed",
        () if object.meta.is_deleting() => "Terminating",
        () if is("FailureTarget") => "FailureTarget",
        () if is("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    };
    // It starts in the sync that follows its creation.
    let length = job.completed.unwrap_or(now).since(object.meta.created);
    let mut cells = vec![
        status.to_owned(),
        format!("{}/{}", job.succeeded, job.completions),
        human(length.as_secs()),
        created,
    ];
    cells.extend(containers(&job.template));
    cells.push(format!("batch.kubernetes.io/controller-uid={}", uid(object.meta.uid.0)));
    cells
}

fn virtual_machine_cells(body: &VirtualMachine, created: String, form: Form) -> Vec<String> {
    let mut cells = vec![body.power.name().to_owned()];
    if form == Form::Wide {
        cells.extend([UNKNOWN.to_owned(), UNKNOWN.to_owned(), body.ip.to_string()]);
    }
    cells.push(created);
    cells
}

/// What is false or does not exist has an empty cell, as with every custom resource.
fn control_plane_cells(body: &KubeadmControlPlane, created: String, form: Form) -> Vec<String> {
    let truth = |truth: bool| if truth { "true".to_owned() } else { String::new() };
    let updated = body.updated_replicas.or(body.up_to_date_replicas);
    let unavailable = body.status_replicas.saturating_sub(body.ready_replicas);
    let mut cells =
        vec![body.template.cluster.to_string(), truth(body.initialized), truth(body.ready)];
    cells.extend((form == Form::Wide).then(|| body.replicas.to_string()));
    cells.extend([
        body.status_replicas.to_string(),
        body.ready_replicas.to_string(),
        updated.map(|count| count.to_string()).unwrap_or_default(),
        unavailable.to_string(),
        created,
        body.version.to_string(),
    ]);
    cells
}

fn machine_cells(object: &Object, created: String) -> Vec<String> {
    let Some(machine) = object.machine() else { return Vec::new() };
    vec![
        machine.spec.cluster.to_string(),
        machine.node_ref.as_ref().map(ToString::to_string).unwrap_or_default(),
        machine.spec.provider_id.to_string(),
        machine.phase.name().to_owned(),
        created,
        machine.spec.version.to_string(),
    ]
}

/// `CONTAINERS` and `IMAGES`: each Pod has one container, named for its image.
pub(super) fn containers(template: &PodTemplate) -> [String; 2] {
    [or_none(template.container()), or_none(&template.image)]
}

pub(super) fn selector(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    or_none(&pairs.join(","))
}

fn or_none(text: &str) -> String {
    if text.is_empty() { NONE.to_owned() } else { text.to_owned() }
}

pub(super) const NONE: &str = "<none>";
/// What the model does not have.
pub(super) const UNKNOWN: &str = "<unknown>";
