//! What a controller expects its watch to show soon.
//!
//! The cache may be behind, and what is already on its way must not be done twice. Follows
//! `k/k:pkg/controller/controller_utils.go`, with names instead of counts, and without its limit of
//! five minutes: a request is answered or fails long before.

use crate::api::ObjectKey;
use crate::client::Delta;
use crate::engine::Text;
use std::collections::{BTreeMap, BTreeSet};

/// Pods that were created or deleted and have not been heard of yet.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    /// By owner.
    created: BTreeMap<Text, BTreeSet<Text>>,
    deleted: BTreeSet<ObjectKey>,
}

impl Expectations {
    /// The watch shows a Pod of this owner.
    pub fn observe(&mut self, owner: &Text, delta: &Delta) {
        if let Some(created) = self.created.get_mut(owner) {
            created.remove(delta.name());
        }
        if delta.new.as_ref().is_none_or(|pod| pod.meta.is_deleting()) {
            self.deleted.remove(delta.key());
        }
    }

    /// A Pod of this owner is being created.
    pub fn creates(&mut self, owner: &Text, pod: Text) {
        self.created.entry(owner.clone()).or_default().insert(pod);
    }

    /// A Pod is being deleted.
    pub fn deletes(&mut self, pod: ObjectKey) {
        self.deleted.insert(pod);
    }

    /// A creation failed: nothing is on its way any more.
    pub fn creation_failed(&mut self, owner: &Text) {
        self.created.remove(owner);
    }

    /// A deletion failed.
    pub fn deletion_failed(&mut self, pod: &ObjectKey) {
        self.deleted.remove(pod);
    }

    /// How many Pods of this owner are on their way.
    pub fn coming(&self, owner: &Text) -> usize {
        self.created.get(owner).map_or(0, BTreeSet::len)
    }

    /// True if this Pod is on its way out.
    pub fn is_leaving(&self, pod: &ObjectKey) -> bool {
        self.deleted.contains(pod)
    }
}
