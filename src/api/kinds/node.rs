//! Node, and the Lease that shows that its kubelet lives.

use super::{Conditions, VolumeNames};
use crate::api::merge::{Merge, merge_fields};
use crate::engine::{Duration, SimTime, Text};

/// A Node's `spec` and `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    pub unschedulable: bool,
    pub taints: Vec<Taint>,
    pub provider_id: Text,
    pub conditions: Conditions,
    pub allocatable: Resources,
    pub kubelet_version: Text,
    pub internal_ip: Text,
    /// `status.volumesAttached`: the attach/detach controller's.
    pub volumes_attached: VolumeNames,
    /// `status.volumesInUse`: the kubelet's.
    pub volumes_in_use: VolumeNames,
}

/// A taint on a Node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    pub key: Text,
    /// Mostly empty.
    pub value: Text,
    pub effect: TaintEffect,
    pub added: Option<SimTime>,
}

/// What a taint does to Pods that don't tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaintEffect {
    NoSchedule,
    NoExecute,
}

/// What Pods ask for and Nodes have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    pub cpu_millis: u64,
    pub memory_mib: u64,
    pub pods: u64,
}

/// A Lease: a Node's heartbeat, or a leader's claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    pub holder: Text,
    pub duration: Duration,
    pub acquired: SimTime,
    pub renewed: SimTime,
    pub transitions: u32,
}

/// Keys of well-known labels.
pub mod label {
    pub const HOSTNAME: &str = "kubernetes.io/hostname";
    pub const REGION: &str = "topology.kubernetes.io/region";
    pub const ZONE: &str = "topology.kubernetes.io/zone";
}

/// Keys of well-known taints.
pub mod taint {
    pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
    pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
    pub const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
    pub const DISK_PRESSURE: &str = "node.kubernetes.io/disk-pressure";
    pub const MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";
    pub const PID_PRESSURE: &str = "node.kubernetes.io/pid-pressure";
    pub const NETWORK_UNAVAILABLE: &str = "node.kubernetes.io/network-unavailable";
    /// Set by a person who knows that the Node is shut down for good.
    pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
    /// Of a Node that the cloud's controller has not confirmed yet.
    pub const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";
    /// Of a machine that its cloud says is off.
    pub const SHUTDOWN: &str = "node.cloudprovider.kubernetes.io/shutdown";
    pub const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
}

merge_fields!(Node { unschedulable, provider_id, allocatable, kubelet_version, internal_ip }
    deep { taints, conditions, volumes_attached, volumes_in_use });
merge_fields!(Lease { holder, duration, acquired, renewed, transitions });

/// Taints merge by key and effect: two writers who each add one do not undo each other.
impl Merge for Vec<Taint> {
    fn merge(&mut self, base: &Vec<Taint>, changed: &Vec<Taint>) {
        let among = |taints: &[Taint], wanted: &Taint| {
            taints.iter().any(|taint| taint.is(&wanted.key, wanted.effect))
        };
        self.retain(|mine| !among(base, mine) || among(changed, mine));
        for taint in changed.iter().filter(|taint| !base.contains(taint)) {
            match self.iter_mut().find(|mine| mine.is(&taint.key, taint.effect)) {
                // A taint that somebody else added meanwhile stays as it is; another value wins.
                Some(mine) if mine.value != taint.value => *mine = taint.clone(),
                Some(_) => {}
                None => self.push(taint.clone()),
            }
        }
    }
}

impl TaintEffect {
    /// As it is written in an object.
    pub const fn name(self) -> &'static str {
        match self {
            TaintEffect::NoSchedule => "NoSchedule",
            TaintEffect::NoExecute => "NoExecute",
        }
    }
}

impl Taint {
    /// A taint with one of the well-known keys.
    pub fn new(key: &'static str, effect: TaintEffect, added: Option<SimTime>) -> Taint {
        let added = added.map(SimTime::to_whole_seconds);
        Taint { key: Text::word(key), value: Text::EMPTY, effect, added }
    }

    /// True if this is the taint of that key and effect.
    pub fn is(&self, key: &str, effect: TaintEffect) -> bool {
        self.effect == effect && self.key == *key
    }
}

impl Node {
    /// True if it has this taint.
    pub fn has_taint(&self, key: &str, effect: TaintEffect) -> bool {
        self.taints.iter().any(|taint| taint.is(key, effect))
    }
}
