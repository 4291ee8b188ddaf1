//! What a controller expects its watch to show soon.
//!
//! The cache may be behind, and what is already on its way must not be done twice. But it may never
//! be shown: a Pod that is gone again before a watch begins anew. So who has waited for too long
//! waits no more, which he finds out when his object is looked at next; nobody looks because of it.
//! Follows `k/k:pkg/controller/controller_utils.go`, with names instead of counts.

use crate::api::{ObjectKey, Uid};
use crate::client::Delta;
use crate::engine::{Duration, SimTime, Text};
use std::collections::BTreeMap;

/// Pods that were created or deleted and have not been heard of yet.
#[derive(Clone, Debug)]
pub struct Expectations {
    timeout: Duration,
    /// By owner: one that is made anew under its name expects nothing.
    created: BTreeMap<Uid, Coming>,
    deleted: BTreeMap<ObjectKey, SimTime>,
}

/// Pods of one owner that were created.
#[derive(Clone, Debug, Default)]
struct Coming {
    since: BTreeMap<Text, SimTime>,
    /// The one that was asked for last.
    last: Text,
}

impl Expectations {
    /// None yet; each is good for `timeout`.
    pub fn new(timeout: Duration) -> Expectations {
        Expectations { timeout, created: BTreeMap::new(), deleted: BTreeMap::new() }
    }

    /// The watch shows a Pod.
    pub fn observe(&mut self, delta: &Delta) {
        let owner = delta.object().meta.controller().map(|owner| owner.uid);
        if let Some(coming) = owner.and_then(|owner| self.created.get_mut(&owner)) {
            coming.since.remove(delta.name());
        }
        if delta.new.as_ref().is_none_or(|pod| pod.meta.is_deleting()) {
            self.deleted.remove(delta.key());
        }
    }

    /// A Pod of this owner is being created.
    pub fn creates(&mut self, owner: Uid, pod: Text, now: SimTime) {
        let timeout = self.timeout;
        self.created.retain(|_, coming| {
            coming.since.retain(|_, since| now.since(*since) <= timeout);
            !coming.since.is_empty()
        });
        let coming = self.created.entry(owner).or_default();
        coming.since.insert(pod.clone(), now);
        coming.last = pod;
    }

    /// A Pod is being deleted.
    pub fn deletes(&mut self, pod: ObjectKey, now: SimTime) {
        let timeout = self.timeout;
        self.deleted.retain(|_, since| now.since(*since) <= timeout);
        self.deleted.insert(pod, now);
    }

    /// The last creation for this owner failed: the others are still on their way.
    pub fn creation_failed(&mut self, owner: Uid) {
        if let Some(coming) = self.created.get_mut(&owner) {
            coming.since.remove(&coming.last);
        }
    }

    /// A deletion failed.
    pub fn deletion_failed(&mut self, pod: &ObjectKey) {
        self.deleted.remove(pod);
    }

    /// How many Pods of this owner are on their way.
    pub fn coming(&self, owner: Uid, now: SimTime) -> usize {
        let coming = self.created.get(&owner).map(|coming| coming.since.values());
        coming.into_iter().flatten().filter(|since| now.since(**since) <= self.timeout).count()
    }

    /// True if this Pod is on its way out.
    pub fn is_leaving(&self, pod: &ObjectKey, now: SimTime) -> bool {
        self.deleted.get(pod).is_some_and(|since| now.since(*since) <= self.timeout)
    }
}
