//! What one reconcile works on: the control plane, its Machines and its Nodes as the caches had
//! them when it began, changed by what it writes itself.
//!
//! Simplified: the real controller asks its caches again in the middle.

use super::script::Script;
use crate::api::kinds::{KubeadmControlPlane, Machine, Node, Status};
use crate::api::{EtcdMember, Kind, Object};
use crate::client::{Contact, View};
use crate::engine::{Purpose, SimTime, Skew, Text};
use std::sync::Arc;

/// Purpose of the draws for the order in which Nodes are listed.
const NODE_ORDER: Purpose = Purpose(1);

/// The objects of a reconcile.
#[derive(Clone, Debug)]
pub struct Scene {
    pub began: SimTime,
    pub skew: Skew,
    /// Whether the workload cluster answers; a probe that ends meanwhile is for the next reconcile.
    pub contact: Contact,
    /// As it was read.
    pub read: Arc<Object>,
    /// As it is written at the end.
    pub plane: Object,
    /// Its Machines, oldest first.
    pub machines: Vec<Arc<Object>>,
    /// The Nodes of the control plane, oldest first.
    pub nodes: Vec<Arc<Object>>,
    /// Etcd's members, once they are known.
    pub members: Vec<EtcdMember>,
    pub leader: Option<EtcdMember>,
    /// Members without a Machine, or a Machine without its member: etcd is looked into.
    pub kcp_errors: Vec<String>,
}

impl Scene {
    /// The scene of a control plane; nothing if it is no such object.
    pub fn of(plane: &Arc<Object>, contact: Contact, view: &View) -> Option<Scene> {
        plane.kubeadm_control_plane()?;
        let owned = |machine: &&Arc<Object>| {
            machine.meta.controller().is_some_and(|by| by.uid == plane.meta.uid)
        };
        let mut machines: Vec<_> = view.local.list(Kind::Machine).filter(owned).cloned().collect();
        machines.sort_by_key(|machine| (machine.meta.created, machine.name().clone()));
        let mut nodes: Vec<_> =
            view.remote.list(Kind::Node).filter(|node| is_plane(node)).cloned().collect();
        nodes.sort_by_key(|node| (node.meta.created, node.name().clone()));
        Some(Scene {
            began: view.now,
            skew: view.skew,
            contact,
            read: plane.clone(),
            plane: Object::clone(plane),
            machines,
            nodes,
            members: Vec::new(),
            leader: None,
            kcp_errors: Vec::new(),
        })
    }

    /// What is wanted, and the status as it is written at the end.
    pub fn spec(&self) -> &KubeadmControlPlane {
        self.plane.kubeadm_control_plane().expect("a scene is of a KubeadmControlPlane")
    }

    /// The status to write.
    pub fn spec_mut(&mut self) -> &mut KubeadmControlPlane {
        self.plane.kubeadm_control_plane_mut().expect("a scene is of a KubeadmControlPlane")
    }

    /// The names of the Nodes in an order that is drawn for each list: a cache keeps its objects in
    /// a Go map, which has none.
    pub fn list_nodes(&self, script: &mut Script) -> Vec<Text> {
        let names = self.nodes.iter().map(|node| node.name().clone());
        let mut drawn: Vec<(u64, Text)> =
            names.map(|name| (script.draw(NODE_ORDER), name)).collect();
        drawn.sort();
        drawn.into_iter().map(|(_, name)| name).collect()
    }

    /// The Node of a Machine, if it exists.
    pub fn node_of(&self, machine: &Object) -> Option<&Node> {
        let name = node_name(machine)?;
        self.nodes.iter().find(|node| node.name() == name)?.node()
    }

    /// The Machine of a Node.
    pub fn machine_of(&self, node: &str) -> Option<&Arc<Object>> {
        self.machines.iter().find(|machine| node_name(machine).is_some_and(|name| *name == *node))
    }

    /// True if a Machine goes.
    pub fn has_deleting(&self) -> bool {
        self.machines.iter().any(|machine| machine.meta.is_deleting())
    }

    /// True if a Machine has no Node yet.
    pub fn has_provisioning(&self) -> bool {
        self.machines.iter().any(|machine| node_name(machine).is_none())
    }

    /// True if the control plane has once been up.
    pub fn is_initialized(&self) -> bool {
        self.spec().initialized
    }
}

fn is_plane(node: &Object) -> bool {
    node.meta.labels.contains_key(crate::api::kinds::taint::CONTROL_PLANE)
}

/// The name of a Machine's Node.
pub fn node_name(machine: &Object) -> Option<&Text> {
    machine.machine()?.node_ref.as_ref()
}

/// True if a condition of a Machine has this status.
pub fn is(machine: &Object, condition: &str, status: Status) -> bool {
    machine.machine().is_some_and(|body| body.conditions.is(condition, status))
}

/// A Machine with something changed.
pub fn with(machine: &Object, change: impl FnOnce(&mut Machine)) -> Object {
    let mut changed = machine.clone();
    if let Some(body) = changed.machine_mut() {
        change(body);
    }
    changed
}
