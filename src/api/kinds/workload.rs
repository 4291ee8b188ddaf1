//! Deployment, ReplicaSet, and the Kubernetes kind Event.

use super::PodTemplate;
use crate::api::merge::merge_fields;
use crate::api::{Labels, ObjectKey};
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
merge_fields!(KubeEvent { kind, regarding, reason, message, source, count, first, last });
