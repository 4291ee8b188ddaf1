//! A merge patch of the fields that a person patches, read from its JSON and applied to an object.
//!
//! A server ignores what the subresource does not own: `status` is changed through `--subresource`
//! alone, and nothing else is then.

use crate::api::kinds::{Condition, Status};
use crate::api::{Kind, Labels, Object};
use crate::engine::{SimTime, Text};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a merge patch says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// `null` takes a pair away.
    pub annotations: BTreeMap<Text, Option<Text>>,
    pub labels: BTreeMap<Text, Option<Text>>,
    pub finalizers: Option<Vec<Text>>,
    pub replicas: Option<u32>,
    pub unschedulable: Option<bool>,
    pub paused: Option<bool>,
    /// Of a control plane: its Machines are replaced, one by one.
    pub version: Option<Text>,
    /// They replace those of the same type; a real merge patch replaces the whole list, so who
    /// writes one by hand writes all of them.
    pub conditions: Vec<PatchedCondition>,
}

/// One of `status.conditions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchedCondition {
    pub kind: Text,
    pub status: Status,
    pub reason: Text,
    pub message: Text,
}

/// They have a `spec.paused` that nothing here looks at.
const PAUSABLE: [Kind; 2] = [Kind::Deployment, Kind::MachineDeployment];

impl Patch {
    /// Why nothing of this kind is what the patch changes, if it has it not, or it isn't modeled.
    pub fn misfit(&self, kind: Kind) -> Option<String> {
        let sized = matches!(
            kind,
            Kind::Deployment
                | Kind::ReplicaSet
                | Kind::StatefulSet
                | Kind::MachineDeployment
                | Kind::MachineSet
                | Kind::KubeadmControlPlane
        );
        let misses = |field: &str| Some(format!("a {} has no {field}", kind.name()));
        match () {
            () if self.replicas.is_some() && !sized => misses("spec.replicas"),
            () if self.unschedulable.is_some() && kind != Kind::Node => {
                misses("spec.unschedulable")
            }
            () if self.paused.is_some() && PAUSABLE.contains(&kind) => Some(format!(
                "spec.paused of a {} isn't modeled: it holds a rollout back, and none begins here; \
                 that of a Cluster stops the controllers of Cluster API",
                kind.name()
            )),
            () if self.paused.is_some() && kind != Kind::Cluster => misses("spec.paused"),
            () if self.version.is_some() && kind != Kind::KubeadmControlPlane => {
                misses("spec.version")
            }
            () if !self.conditions.is_empty() && !has_conditions(kind) => {
                misses("status.conditions that can be patched")
            }
            () => None,
        }
    }

    /// Changes the object as the patch says, at this time.
    pub fn apply(&self, object: &mut Object, now: SimTime) {
        merge(&mut object.meta.annotations, &self.annotations);
        merge(&mut object.meta.labels, &self.labels);
        if let Some(finalizers) = &self.finalizers {
            object.meta.finalizers = finalizers.iter().cloned().collect();
        }
        if let Some(replicas) = self.replicas {
            object.scale(replicas);
        }
        if let (Some(closed), Some(node)) = (self.unschedulable, object.node_mut()) {
            node.unschedulable = closed;
        }
        if let (Some(version), Some(plane)) = (&self.version, object.kubeadm_control_plane_mut()) {
            plane.version = version.clone();
        }
        if let (Some(paused), Some(cluster)) = (self.paused, object.cluster_mut()) {
            cluster.paused = paused;
        }
        let Some(conditions) = object.conditions_mut() else { return };
        for PatchedCondition { kind, status, reason, message } in &self.conditions {
            let (kind, reason, message) = (kind.clone(), reason.clone(), message.clone());
            conditions.say(Condition::new(kind, *status, reason, message, now));
        }
    }
}

fn merge(pairs: &mut Labels, changes: &BTreeMap<Text, Option<Text>>) {
    if changes.is_empty() {
        return;
    }
    let mut all: BTreeMap<Text, Text> = (**pairs).clone();
    for (key, value) in changes {
        match value {
            Some(value) => all.insert(key.clone(), value.clone()),
            None => all.remove(key),
        };
    }
    *pairs = Arc::new(all);
}

fn has_conditions(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Node
            | Kind::Pod
            | Kind::Machine
            | Kind::MachineSet
            | Kind::MachineDeployment
            | Kind::MachineHealthCheck
            | Kind::Cluster
    )
}
