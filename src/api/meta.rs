//! What every object carries: `metadata`.

use super::{Kind, ObjectKey};
use crate::engine::{Duration, SimTime, Text};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The namespace in which a user tries whether deploying works; nobody writes down what happens there.
pub const PROBES: Text = Text::word("probes");

/// The annotation of a Pod that a kubelet made to show a static Pod: nobody can end what it shows.
pub const MIRROR: Text = Text::word("kubernetes.io/config.mirror");

/// A store's revision; an object's is its `resourceVersion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// Tells an object from another of the same name that lived before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uid(pub u64);

/// Labels or annotations; shared, because they hardly ever change.
pub type Labels = Arc<BTreeMap<Text, Text>>;

/// An object's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    pub key: ObjectKey,
    pub uid: Uid,
    pub resource_version: Revision,
    pub created: SimTime,
    pub deletion: Option<Deletion>,
    pub labels: Labels,
    pub annotations: Labels,
    pub owners: Arc<[OwnerReference]>,
    pub finalizers: Arc<[Text]>,
    /// The process that wrote this version, as `managedFields` names its manager.
    pub writer: u32,
}

/// A deletion that was asked for and waits for finalizers or for the kubelet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// `deletionTimestamp`: the request's time plus the grace period.
    pub at: SimTime,
    /// `deletionGracePeriodSeconds`.
    pub grace: Duration,
}

/// A reference to an owner in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerReference {
    pub kind: Kind,
    pub name: Text,
    pub uid: Uid,
    /// True for the one owner that manages the object (`controller: true`).
    pub controller: bool,
}

/// Labels from pairs.
pub fn labels<const N: usize>(pairs: [(&'static str, Text); N]) -> Labels {
    Arc::new(pairs.into_iter().map(|(key, value)| (Text::word(key), value)).collect())
}

impl Meta {
    /// Metadata of an object that has not been created yet.
    pub fn new(kind: Kind, namespace: impl Into<Text>, name: impl Into<Text>) -> Meta {
        Meta {
            key: ObjectKey { kind, namespace: namespace.into(), name: name.into() },
            uid: Uid::default(),
            resource_version: Revision::default(),
            created: SimTime::ZERO,
            deletion: None,
            labels: Labels::default(),
            annotations: Labels::default(),
            owners: Arc::new([]),
            finalizers: Arc::new([]),
            writer: 0,
        }
    }

    /// The managing owner, if there is one.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owners.iter().find(|owner| owner.controller)
    }

    /// The managing owner's name, if it is of this kind.
    pub fn controlled_by(&self, kind: Kind) -> Option<&Text> {
        self.controller().filter(|owner| owner.kind == kind).map(|owner| &owner.name)
    }

    /// True once a deletion was asked for.
    pub fn is_deleting(&self) -> bool {
        self.deletion.is_some()
    }

    /// True for a Pod that only shows what a kubelet runs from a file.
    pub fn is_mirror(&self) -> bool {
        self.annotations.contains_key(&MIRROR)
    }

    /// True if every pair of `selector` is among the labels.
    pub fn matches(&self, selector: &Labels) -> bool {
        selector.iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }

    /// The value of an annotation.
    pub fn annotation(&self, name: &str) -> Option<&Text> {
        self.annotations.get(name)
    }

    /// The same metadata owned by `owner`, which manages it.
    pub fn owned_by(mut self, owner: &Meta) -> Meta {
        let reference = OwnerReference {
            kind: owner.key.kind,
            name: owner.key.name.clone(),
            uid: owner.uid,
            controller: true,
        };
        self.owners = Arc::new([reference]);
        self
    }
}
