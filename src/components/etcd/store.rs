//! The store itself: values under keys, a revision for each change, and the history of changes.
//!
//! Follows etcd's mvcc store: one counter for all keys, compare-and-put on a key's modification
//! revision, history until it is compacted. Also what else a member's database has: leases, and who
//! belongs to the cluster.
//!
//! Simplified: each member compacts by its own clock, not by an entry of the log.

use crate::api::{Kind, Object, ObjectKey, Revision};
use crate::engine::{SimTime, Text};
use crate::raft::{Index, MemberId};
use crate::wire::{Committed, Database, Lease, LeaseId, MemberInfo, Origin};
use std::sync::{Arc, OnceLock};

/// Committed objects and how they came about.
#[derive(Clone, Debug, Default)]
pub struct Store {
    database: Database,
}

impl Store {
    /// A store that holds these objects, each written once.
    pub fn holding(objects: Vec<Object>) -> Store {
        let mut database = Database::default();
        for mut object in objects {
            database.revision.0 += 1;
            object.meta.resource_version = database.revision;
            database.objects.insert(object.key().clone(), Arc::new(object));
        }
        database.compacted = database.revision;
        Store { database }
    }

    /// The store that a snapshot holds.
    pub fn of(database: &Database) -> Store {
        Store { database: database.clone() }
    }

    /// All of it, as it travels to another member.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// True if it has applied what the other has not.
    pub fn is_ahead_of(&self, other: &Store) -> bool {
        let place = |store: &Store| (store.database.origin.history, store.database.applied);
        place(self) > place(other)
    }

    /// Which cluster's data these are, and since when.
    pub fn origin(&self) -> Origin {
        self.database.origin
    }

    /// The last entry of the log that is in it.
    pub fn applied(&self) -> Index {
        self.database.applied
    }

    /// An entry of the log is in it.
    pub fn set_applied(&mut self, index: Index) {
        self.database.applied = index;
    }

    /// The latest revision.
    pub fn revision(&self) -> Revision {
        self.database.revision
    }

    /// History up to this revision is gone.
    pub fn compacted(&self) -> Revision {
        self.database.compacted
    }

    /// The value of a key.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Object>> {
        self.database.objects.get(key).cloned()
    }

    /// All values of a kind.
    pub fn range(&self, kind: Kind) -> Vec<Arc<Object>> {
        self.of_kind(kind).cloned().collect()
    }

    /// All values of a kind, in place.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Arc<Object>> {
        let first = ObjectKey { kind, namespace: Default::default(), name: Default::default() };
        let from_first = self.database.objects.range(first..);
        from_first.take_while(move |(key, _)| key.kind == kind).map(|(_, object)| object)
    }

    /// All values.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.database.objects.values()
    }

    /// Puts (or deletes) a key that is still at `expected`; else returns its value. What other
    /// members have made of the same proposal is in `made`.
    pub fn transact(
        &mut self,
        key: &ObjectKey,
        expected: Revision,
        put: Option<&Object>,
        made: &OnceLock<Arc<Object>>,
    ) -> Result<Committed, Option<Arc<Object>>> {
        let revision = Revision(self.database.revision.0 + 1);
        let current = self.database.objects.get_mut(key);
        let at =
            current.as_ref().map_or(Revision::default(), |object| object.meta.resource_version);
        if at != expected {
            return Err(current.cloned());
        }
        let new = put.map(|put| at_revision(put, revision, made));
        // Mostly a value takes another's place: the key is not looked for twice.
        match (current, &new) {
            (Some(current), Some(new)) => {
                let old = std::mem::replace(current, Arc::clone(new));
                Ok(self.note(Some(old), Some(Arc::clone(new))))
            }
            _ => Ok(self.change(key, new)),
        }
    }

    /// Gives a key another value, or none.
    fn change(&mut self, key: &ObjectKey, new: Option<Arc<Object>>) -> Committed {
        let old = match &new {
            Some(new) => self.database.objects.insert(key.clone(), Arc::clone(new)),
            None => self.database.objects.remove(key),
        };
        self.note(old, new)
    }

    /// A change is the next in history.
    fn note(&mut self, old: Option<Arc<Object>>, new: Option<Arc<Object>>) -> Committed {
        self.database.revision.0 += 1;
        let committed = Committed { revision: self.database.revision, old, new };
        self.database.changes.push_back(committed.clone());
        committed
    }

    /// All changes after a revision.
    pub fn since(&self, after: Revision) -> impl Iterator<Item = &Committed> {
        let forgotten = self.database.changes.partition_point(|change| change.revision <= after);
        self.database.changes.range(forgotten..)
    }

    /// Forgets the history up to a revision.
    pub fn compact(&mut self, upto: Revision) {
        let Database { compacted, changes, .. } = &mut self.database;
        *compacted = upto.max(*compacted);
        while changes.front().is_some_and(|first| first.revision <= *compacted) {
            changes.pop_front();
        }
    }
}

/// Leases. How long one still lasts is known to the leader alone, and not here.
impl Store {
    /// All leases.
    pub fn leases(&self) -> impl Iterator<Item = (LeaseId, &Lease)> {
        self.database.leases.iter().map(|(id, lease)| (*id, lease))
    }

    /// A lease.
    pub fn lease(&self, id: LeaseId) -> Option<&Lease> {
        self.database.leases.get(&id)
    }

    /// Adds a lease; false if there is one of this number.
    pub fn grant(&mut self, id: LeaseId, lease: Lease) -> bool {
        let is_new = !self.database.leases.contains_key(&id);
        if is_new {
            self.database.leases.insert(id, lease);
        }
        is_new
    }

    /// Lets a key go with this lease, and with no other.
    pub fn attach(&mut self, key: &ObjectKey, lease: Option<LeaseId>) {
        if self.database.leases.is_empty() {
            return;
        }
        for (id, held) in &mut self.database.leases {
            match lease == Some(*id) {
                true => drop(held.keys.insert(key.clone())),
                false => drop(held.keys.remove(key)),
            }
        }
    }

    /// Ends a lease: its keys are deleted. None if there is no such lease.
    pub fn revoke(&mut self, id: LeaseId) -> Option<Vec<Committed>> {
        let lease = self.database.leases.remove(&id)?;
        let kept = |key: &ObjectKey| self.database.objects.contains_key(key);
        let keys: Vec<ObjectKey> = lease.keys.into_iter().filter(kept).collect();
        Some(keys.iter().map(|key| self.change(key, None)).collect())
    }
}

/// Members.
impl Store {
    /// Who belongs to the cluster, in the order of their numbers.
    pub fn members(&self) -> &[MemberInfo] {
        &self.database.members
    }

    /// A member.
    pub fn member(&self, id: MemberId) -> Option<&MemberInfo> {
        self.database.member(id)
    }

    /// True if such a member has been there, and was removed.
    pub fn is_removed(&self, id: MemberId) -> bool {
        self.database.removed.contains(&id)
    }

    /// The number that the next member gets.
    pub fn next_member(&self) -> MemberId {
        let known = self.database.members.iter().map(|member| member.id);
        let last = known.chain(self.database.removed.iter().copied()).max();
        MemberId(last.map_or(1, |last| last.0 + 1))
    }

    /// Adds a member; false if its number is or was taken, or one with its peer URL is there.
    pub fn add_member(&mut self, new: MemberInfo) -> bool {
        let taken = |member: &MemberInfo| member.id == new.id || member.vm == new.vm;
        if self.is_removed(new.id) || self.members().iter().any(taken) {
            return false;
        }
        let place = self.database.members.partition_point(|member| member.id < new.id);
        self.database.members.insert(place, new);
        true
    }

    /// Removes a member for ever; where it ran.
    pub fn remove_member(&mut self, id: MemberId) -> Option<Text> {
        let place = self.database.members.iter().position(|member| member.id == id)?;
        self.database.removed.insert(id);
        Some(self.database.members.remove(place).vm)
    }

    /// Changes what is known of a member; false if there is none.
    pub fn set_member(&mut self, id: MemberId, change: impl FnOnce(&mut MemberInfo)) -> bool {
        let found = self.database.members.iter_mut().find(|member| member.id == id);
        found.map(change).is_some()
    }

    /// This store as that of a cluster of these members.
    pub fn of_members(mut self, members: Vec<MemberInfo>) -> Store {
        self.database.members = members;
        self
    }

    /// The same data with this one member, and everybody else removed: the cluster stays the one that it is.
    pub fn without_others(mut self, at: SimTime, own: MemberInfo) -> Store {
        let id = own.id;
        let others = std::mem::replace(&mut self.database.members, vec![own]);
        let left_out = others.iter().map(|member| member.id).filter(|other| *other != id);
        self.database.removed.extend(left_out);
        self.database.origin.history = at;
        self
    }

    /// The store of another cluster of one, made of these data: it knows nothing of their members
    /// (`TrimMembershipFromBackend` of `membership/store.go`).
    pub fn restored(mut self, at: SimTime, own: MemberInfo) -> Store {
        self.database.removed.clear();
        self.database.members = vec![own];
        self.database.origin = Origin { cluster: at, history: at };
        self
    }
}

/// The object as it stands under a revision; made once for all members.
fn at_revision(put: &Object, revision: Revision, made: &OnceLock<Arc<Object>>) -> Arc<Object> {
    let make = || {
        let mut object = put.clone();
        object.meta.resource_version = revision;
        Arc::new(object)
    };
    let made = made.get_or_init(make);
    // In a copy of the world the same proposal may come after others.
    match made.meta.resource_version == revision {
        true => Arc::clone(made),
        false => make(),
    }
}
