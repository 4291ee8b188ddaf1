//! The garbage collector: what is owned goes with its owners.
//!
//! Follows `k/k:pkg/controller/garbagecollector` for background deletion.
//!
//! ```text
//! an owner's end was seen ──────────────> each dependent ─┐
//! an owner is not known ─> asked for ─ gone ─> dependent ──┴─ read ─ its owners ─ one is there ─> nothing
//!                                    └ there ─> again, until an informer shows it      └ all gone ─> deleted,
//!                                                                                                  by its uid
//! ```
//! Nobody is looked at before all informers have had their first lists.
//!
//! Simplified: it knows of the kinds that the manager watches anyway; foreground deletion and orphaning are
//! not modeled; of an object that keeps one of its owners the references to the others stay; and the deletion
//! carries no `resourceVersion`, which the latest releases add.

use super::{ControllerManager, Event};
use crate::api::{Answered, Object, ObjectKey, OwnerReference, Reason, Uid, Verb};
use crate::client::{Caches, Delta, Outcome, Reconciler, Reply, Step, View};
use crate::infra::Ctx;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub const AGENT: &str = "generic-garbage-collector";

/// Who is owned by whom, by uid.
#[derive(Clone, Debug, Default)]
pub struct GarbageCollector {
    dependents: BTreeMap<Uid, BTreeSet<ObjectKey>>,
    /// Owners of whom is known that they are gone, the latest last.
    absent: VecDeque<Uid>,
    /// The informers have had their first lists.
    is_synced: bool,
}

/// Of how many owners it remembers that they are gone (`NewReferenceCache(500)`).
const REMEMBERED: usize = 500;

/// Where a look at an object waits.
#[derive(Clone, Debug)]
pub enum State {
    /// Its owner of this uid is being looked for.
    Owner(Uid),
    /// It is being read.
    Item(Uid),
    /// It was read, and its owner of this uid is being looked for.
    OwnerOf(Arc<Object>, Uid),
    /// It is being deleted.
    Deleted,
}

impl GarbageCollector {
    /// Notes who is owned by whom; gives back whom to look at.
    pub fn observe(&mut self, delta: &Delta, caches: &Caches) -> Vec<ObjectKey> {
        let key = delta.key();
        let owners = |object: &Object| object.meta.owners.clone();
        let (old, new) = (delta.old.as_deref().map(owners), delta.new.as_deref().map(owners));
        if old.is_some() && old == new {
            return Vec::new();
        }
        for owner in old.iter().flat_map(|owners| owners.iter()) {
            let Some(dependents) = self.dependents.get_mut(&owner.uid) else { continue };
            dependents.remove(key);
            if dependents.is_empty() {
                self.dependents.remove(&owner.uid);
            }
        }
        for owner in new.iter().flat_map(|owners| owners.iter()) {
            self.dependents.entry(owner.uid).or_default().insert(key.clone());
        }
        match &delta.new {
            Some(object) if self.is_synced && !has_known_owners(object, caches) => {
                vec![key.clone()]
            }
            Some(_) => Vec::new(),
            None => self.ended(delta.object().meta.uid),
        }
    }

    /// The informers have had their first lists: gives back whose owners they do not show.
    pub fn synced(&mut self, caches: &Caches) -> Vec<ObjectKey> {
        if std::mem::replace(&mut self.is_synced, true) {
            return Vec::new();
        }
        let all: BTreeSet<&ObjectKey> = self.dependents.values().flatten().collect();
        let is_doubtful = |key: &&ObjectKey| {
            caches.get(key).is_some_and(|object| !has_known_owners(object, caches))
        };
        all.into_iter().filter(is_doubtful).cloned().collect()
    }

    /// Gives back the dependents of who is gone.
    fn ended(&mut self, uid: Uid) -> Vec<ObjectKey> {
        let orphans = self.dependents.remove(&uid).unwrap_or_default();
        if !orphans.is_empty() {
            self.remember(uid);
        }
        orphans.into_iter().collect()
    }

    fn remember(&mut self, uid: Uid) {
        if self.absent.contains(&uid) {
            return;
        }
        if self.absent.len() == REMEMBERED {
            self.absent.pop_front();
        }
        self.absent.push_back(uid);
    }

    fn unknown<'a>(&self, object: &'a Object) -> Option<&'a OwnerReference> {
        object.meta.owners.iter().find(|owner| !self.absent.contains(&owner.uid))
    }

    /// What to do about an object that was read: it may have other owners than a cache shows.
    fn judge(&self, item: Arc<Object>, caches: &Caches) -> Step<State> {
        if item.meta.owners.is_empty() || has_known_owner(&item, caches) {
            return Step::done();
        }
        let key = item.key().clone();
        match self.unknown(&item) {
            Some(owner) => {
                let (verb, uid) = (Verb::Get(key_of(owner, &key)), owner.uid);
                Step::ask(verb, State::OwnerOf(item, uid))
            }
            None => {
                let verb = Verb::Delete { key, grace: None, uid: Some(item.meta.uid) };
                Step::ask(verb, State::Deleted)
            }
        }
    }
}

impl Reconciler for GarbageCollector {
    type State = State;

    fn agent(&self) -> &'static str {
        AGENT
    }

    fn counts_for_itself(&self) -> bool {
        true
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key) else { return Step::done() };
        let is_owned = has_known_owner(object, view.local);
        if object.meta.owners.is_empty() || object.meta.is_deleting() || is_owned {
            return Step::done();
        }
        match self.unknown(object) {
            Some(owner) => Step::ask(Verb::Get(key_of(owner, key)), State::Owner(owner.uid)),
            None => Step::ask(Verb::Get(key.clone()), State::Item(object.meta.uid)),
        }
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        let Reply::Answer(answered) = reply else { return Step::done() };
        let found = match found(answered) {
            Ok(found) => found,
            Err(why) => return Step::Done(Outcome::error(why)),
        };
        let is = |uid: Uid| found.as_ref().is_some_and(|found| found.meta.uid == uid);
        match state {
            // It may be gone again before an informer shows it.
            State::Owner(uid) if is(uid) => {
                Step::Done(Outcome::error("its owner hasn't been observed via informer yet"))
            }
            State::Owner(uid) => {
                self.remember(uid);
                self.begin(key, view)
            }
            State::OwnerOf(_, uid) if is(uid) => Step::done(),
            State::OwnerOf(item, uid) => {
                self.remember(uid);
                self.judge(item, view.local)
            }
            State::Item(uid) if is(uid) => {
                found.map_or(Step::done(), |item| self.judge(item, view.local))
            }
            State::Item(_) | State::Deleted => Step::done(),
        }
    }
}

/// What an answer shows; nothing if there is no such object, or nothing to show.
fn found(answered: Answered) -> Result<Option<Arc<Object>>, String> {
    match answered {
        Ok(answer) => Ok(answer.object().cloned()),
        Err(error) if error.reason == Reason::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// True if the caches show each owner of an object.
fn has_known_owners(object: &Object, caches: &Caches) -> bool {
    object.meta.owners.iter().all(|owner| is_known(owner, object.key(), caches))
}

/// True if the caches show an owner of an object.
fn has_known_owner(object: &Object, caches: &Caches) -> bool {
    object.meta.owners.iter().any(|owner| is_known(owner, object.key(), caches))
}

fn is_known(owner: &OwnerReference, of: &ObjectKey, caches: &Caches) -> bool {
    caches.get(&key_of(owner, of)).is_some_and(|object| object.meta.uid == owner.uid)
}

/// An owner lives in the namespace of what it owns, or in none.
fn key_of(owner: &OwnerReference, of: &ObjectKey) -> ObjectKey {
    let namespace = if owner.kind.is_namespaced() { of.namespace.clone() } else { "".into() };
    ObjectKey { kind: owner.kind, namespace, name: owner.name.clone() }
}

impl ControllerManager {
    pub(super) fn garbage_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let orphans = self.garbage.reconciler.observe(delta, &self.clients.local.caches);
        self.look_for_owners(&orphans, ctx);
    }

    /// An informer has had its first list.
    pub(super) fn garbage_synced(&mut self, ctx: &mut Ctx<Event>) {
        if self.clients.local.caches.are_synced() {
            let orphans = self.garbage.reconciler.synced(&self.clients.local.caches);
            self.look_for_owners(&orphans, ctx);
        }
    }

    fn look_for_owners(&mut self, orphans: &[ObjectKey], ctx: &mut Ctx<Event>) {
        for orphan in orphans {
            self.garbage.enqueue(ctx, orphan);
        }
    }
}
