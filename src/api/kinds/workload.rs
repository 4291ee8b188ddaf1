//! Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, and the Kubernetes kind Event.

use super::{Conditions, PodTemplate, Status};
use crate::api::merge::merge_fields;
use crate::api::{Labels, ObjectKey, Uid};
use crate::engine::{SimTime, Text};
use std::sync::Arc;

/// A Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployment {
    pub replicas: u32,
    pub selector: Labels,
    pub template: Arc<PodTemplate>,
    pub updated_replicas: u32,
    pub ready_replicas: u32,
    pub available_replicas: u32,
    pub unavailable_replicas: u32,
    pub status_replicas: u32,
}

/// A ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaSet {
    pub replicas: u32,
    pub selector: Labels,
    pub template: Arc<PodTemplate>,
    pub status_replicas: u32,
    pub ready_replicas: u32,
    pub available_replicas: u32,
}

/// A StatefulSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatefulSet {
    pub replicas: u32,
    pub selector: Labels,
    pub template: Arc<PodTemplate>,
    pub policy: PodManagement,
    pub status_replicas: u32,
    pub ready_replicas: u32,
    pub available_replicas: u32,
}

/// `podManagementPolicy`: whether Pods come and go one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodManagement {
    #[default]
    OrderedReady,
    Parallel,
}

/// A DaemonSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonSet {
    pub selector: Labels,
    pub template: Arc<PodTemplate>,
    /// Nodes that should run a Pod of it (`desiredNumberScheduled`).
    pub desired: u32,
    /// Nodes that have one (`currentNumberScheduled`).
    pub current: u32,
    pub ready: u32,
    pub available: u32,
}

/// A Job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// How many Pods have to succeed; as many run at a time (`completions`, `parallelism`).
    pub completions: u32,
    pub backoff_limit: u32,
    pub template: Arc<PodTemplate>,
    pub active: u32,
    pub succeeded: u32,
    pub failed: u32,
    pub uncounted: Uncounted,
    pub conditions: Conditions,
    pub completed: Option<SimTime>,
}

/// Pods of a Job that have ended and are being let go (`uncountedTerminatedPods`): they are in neither
/// of its numbers yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uncounted {
    pub succeeded: Vec<Uid>,
    pub failed: Vec<Uid>,
}

/// An Event of Kubernetes: what a controller wants people to know about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeEvent {
    pub kind: EventType,
    pub regarding: ObjectKey,
    pub reason: Text,
    pub message: Text,
    pub source: Text,
    pub count: u32,
    pub first: SimTime,
    pub last: SimTime,
}

/// Whether an Event reports something to worry about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    Normal,
    Warning,
}

merge_fields!(Deployment {
    replicas,
    selector,
    template,
    updated_replicas,
    ready_replicas,
    available_replicas,
    unavailable_replicas,
    status_replicas,
});
merge_fields!(ReplicaSet {
    replicas,
    selector,
    template,
    status_replicas,
    ready_replicas,
    available_replicas,
});
merge_fields!(StatefulSet {
    replicas,
    selector,
    template,
    policy,
    status_replicas,
    ready_replicas,
    available_replicas,
});
merge_fields!(DaemonSet { selector, template, desired, current, ready, available });
merge_fields!(Job {
    completions,
    backoff_limit,
    template,
    active,
    succeeded,
    failed,
    uncounted,
    completed,
} deep { conditions });
merge_fields!(KubeEvent { kind, regarding, reason, message, source, count, first, last });

impl Job {
    /// True once it is complete or has failed for good.
    pub fn is_finished(&self) -> bool {
        ["Complete", "Failed"].iter().any(|kind| self.conditions.is(kind, Status::True))
    }

    /// Adds up the Pods that nothing holds any more.
    pub fn settle(&mut self, is_held: impl Fn(Uid) -> bool) {
        let counts = [
            (&mut self.uncounted.succeeded, &mut self.succeeded),
            (&mut self.uncounted.failed, &mut self.failed),
        ];
        for (uids, count) in counts {
            let before = uids.len();
            uids.retain(|uid| is_held(*uid));
            *count += u32::try_from(before - uids.len()).unwrap_or(u32::MAX);
        }
    }
}

impl Uncounted {
    pub fn has(&self, uid: Uid) -> bool {
        self.succeeded.contains(&uid) || self.failed.contains(&uid)
    }

    pub fn is_empty(&self) -> bool {
        self.succeeded.is_empty() && self.failed.is_empty()
    }
}
