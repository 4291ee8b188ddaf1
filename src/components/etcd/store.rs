//! The store itself: values under keys, a revision for each change, and the history of changes.
//!
//! Follows etcd's mvcc store: one counter for all keys, compare-and-put on a key's modification
//! revision, history until it is compacted.

use crate::api::{Kind, Object, ObjectKey, Revision};
use crate::wire::Committed;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Committed objects and how they came about.
#[derive(Clone, Debug, Default)]
pub struct Store {
    objects: BTreeMap<ObjectKey, Arc<Object>>,
    revision: Revision,
    history: VecDeque<Committed>,
    compacted: Revision,
}

impl Store {
    /// A store that holds these objects, each written once.
    pub fn holding(objects: Vec<Object>) -> Store {
        let mut store = Store::default();
        for mut object in objects {
            store.revision.0 += 1;
            object.meta.resource_version = store.revision;
            store.objects.insert(object.key().clone(), Arc::new(object));
        }
        store.compacted = store.revision;
        store
    }

    /// The latest revision.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// History up to this revision is gone.
    pub fn compacted(&self) -> Revision {
        self.compacted
    }

    /// The value of a key.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Object>> {
        self.objects.get(key).cloned()
    }

    /// All values of a kind.
    pub fn range(&self, kind: Kind) -> Vec<Arc<Object>> {
        self.of_kind(kind).cloned().collect()
    }

    /// All values of a kind, in place.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Arc<Object>> {
        let first = ObjectKey { kind, namespace: Default::default(), name: Default::default() };
        self.objects.range(first..).take_while(move |(key, _)| key.kind == kind).map(|(_, o)| o)
    }

    /// All values.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.objects.values()
    }

    /// Puts (or deletes) a key that is still at `expected`; else returns its value.
    pub fn transact(
        &mut self,
        key: &ObjectKey,
        expected: Revision,
        put: Option<Box<Object>>,
    ) -> Result<Committed, Option<Arc<Object>>> {
        let current = self.objects.get(key);
        let at = current.map_or(Revision::default(), |object| object.meta.resource_version);
        if at != expected {
            return Err(current.cloned());
        }
        self.revision.0 += 1;
        let revision = self.revision;
        let new = put.map(|mut object| {
            object.meta.resource_version = revision;
            Arc::from(object)
        });
        let old = match &new {
            Some(new) => self.objects.insert(key.clone(), Arc::clone(new)),
            None => self.objects.remove(key),
        };
        let committed = Committed { revision, old, new };
        self.history.push_back(committed.clone());
        Ok(committed)
    }

    /// All changes after a revision.
    pub fn since(&self, after: Revision) -> impl Iterator<Item = &Committed> {
        self.history.iter().filter(move |committed| committed.revision > after)
    }

    /// Forgets the history up to a revision.
    pub fn compact(&mut self, upto: Revision) {
        self.compacted = self.compacted.max(upto);
        while self.history.front().is_some_and(|first| first.revision <= self.compacted) {
            self.history.pop_front();
        }
    }
}
