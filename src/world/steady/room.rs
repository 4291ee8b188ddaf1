//! On which Nodes the Pods are with which a run begins, and for which there is no room.

use super::super::blueprint::{Blueprint, ControlPlaneNodes, RunsOn, Workload, WorkloadKind};
use crate::api::kinds::Resources;
use crate::engine::Text;
use std::collections::{BTreeMap, VecDeque};

/// What each Node still has room for.
pub struct Room {
    left: BTreeMap<Text, Resources>,
}

impl Room {
    /// All Nodes with nothing on them but their static Pods and DaemonSets.
    pub fn of(blueprint: &Blueprint) -> Room {
        let (planes, workers) = blueprint.node_names();
        let whole = blueprint.settings.kubelet.resources;
        let mut left: BTreeMap<Text, Resources> =
            planes.iter().chain(&workers).map(|node| (node.clone(), whole)).collect();
        let statics = blueprint.settings.static_pods.len() as u64;
        for node in &planes {
            left.entry(node.clone())
                .and_modify(|room| room.pods = room.pods.saturating_sub(statics));
        }
        let mut room = Room { left };
        for workload in blueprint.workloads.iter().filter(|it| it.kind == WorkloadKind::DaemonSet) {
            for node in hosts_of(workload, blueprint) {
                room.take(&node, workload);
            }
        }
        room
    }

    /// The Nodes of a workload's Pods, in the order of their numbers: one after the other in turn, as far as they
    /// have room. The Pods of a DaemonSet are on all.
    pub fn place(&mut self, workload: &Workload, blueprint: &Blueprint) -> Vec<Text> {
        let hosts = hosts_of(workload, blueprint);
        if workload.kind == WorkloadKind::DaemonSet {
            return hosts;
        }
        let mut open = VecDeque::from(hosts);
        let mut found = Vec::new();
        while found.len() < workload.replicas as usize
            && let Some(node) = open.pop_front()
        {
            // One without room will have none for the next Pod either.
            if !self.take(&node, workload) {
                continue;
            }
            found.push(node.clone());
            if !workload.repel_each_other {
                open.push_back(node);
            }
        }
        found
    }

    /// A Pod comes to a Node; false if there is no room for it.
    fn take(&mut self, node: &Text, workload: &Workload) -> bool {
        let Some(left) = self.left.get_mut(node) else { return false };
        let Resources { cpu_millis, memory_mib, .. } = workload.requests;
        let has = left.pods > 0 && left.cpu_millis >= cpu_millis && left.memory_mib >= memory_mib;
        if has {
            left.pods -= 1;
            left.cpu_millis -= cpu_millis;
            left.memory_mib -= memory_mib;
        }
        has
    }
}

impl Blueprint {
    /// Each workload with the number of its Pods that find no room when the run begins.
    pub fn without_room(&self) -> Vec<(&Workload, u32)> {
        let mut room = Room::of(self);
        let missing = |workload: &Workload, placed: usize| match workload.kind {
            WorkloadKind::DaemonSet => 0,
            _ => workload.replicas - u32::try_from(placed).unwrap_or(workload.replicas),
        };
        let all = self.workloads.iter();
        all.map(|workload| (workload, missing(workload, room.place(workload, self).len())))
            .collect()
    }

    /// The names of the Nodes with which a run begins: the control plane's, and the workers.
    pub fn node_names(&self) -> (Vec<Text>, Vec<Text>) {
        let planes = match self.control_plane_nodes {
            ControlPlaneNodes::InCluster => self.control_planes,
            ControlPlaneNodes::External => 0,
        };
        let named = |kind: &str, count: u32| {
            (0..count).map(|number| Text::from(format!("{kind}-{number}"))).collect()
        };
        (named("control-plane", planes), named("worker", self.workers))
    }
}

/// The Nodes on which a workload's Pods may be when the run begins.
fn hosts_of(workload: &Workload, blueprint: &Blueprint) -> Vec<Text> {
    let (planes, workers) = blueprint.node_names();
    match workload.runs_on {
        RunsOn::Workers => workers,
        RunsOn::ControlPlane => planes,
    }
}
