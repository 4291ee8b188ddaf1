//! The word that kubectl prints under STATUS, where it is made of several fields of an object.
//!
//! Follows `k/k:pkg/printers/internalversion` (`printNode`, `printPod`).

use super::kinds::{Node, Pod, PodPhase, Status};
use super::object::{Body, Object};

impl Object {
    /// What stands under STATUS; nothing for kinds that have no such column made of fields.
    pub fn status_column(&self) -> Option<String> {
        match &self.body {
            Body::Node(node) => Some(node_status(node)),
            Body::Pod(pod) => Some(pod_status(self, pod).to_owned()),
            _ => None,
        }
    }
}

fn node_status(node: &Node) -> String {
    let status = match node.conditions.status("Ready") {
        Some(Status::True) => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let cordon = if node.unschedulable { ",SchedulingDisabled" } else { "" };
    format!("{status}{cordon}")
}

/// One word for phase, deletion and what the container says.
///
/// Simplified: of an evicted Pod whose container has run, `printPod` prints how that ended (`Error`,
/// `Completed`), which nobody knows here.
fn pod_status<'a>(object: &Object, pod: &'a Pod) -> &'a str {
    match pod.phase {
        PodPhase::Succeeded => "Completed",
        PodPhase::Failed if !pod.reason.is_empty() => &pod.reason,
        PodPhase::Failed => pod.phase.name(),
        _ if object.meta.is_deleting() => "Terminating",
        _ if !pod.waiting.is_empty() => &pod.waiting,
        PodPhase::Pending if !pod.node_name.is_empty() => "ContainerCreating",
        _ => pod.phase.name(),
    }
}
