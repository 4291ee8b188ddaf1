//! The garbage collector: what is owned goes with its owner.
//!
//! Follows `k/k:pkg/controller/garbagecollector` for background deletion. Simplified: it acts when
//! it sees an owner go, among the kinds that the manager watches anyway; foreground deletion and
//! orphaning are not modeled.

use super::{ControllerManager, Event, Token};
use crate::api::{Kind, ObjectKey, Uid, Verb};
use crate::client::{Delta, Turn};
use crate::infra::Ctx;
use std::collections::{BTreeMap, BTreeSet};

pub const AGENT: &str = "generic-garbage-collector";

/// Who is owned by whom, by uid.
#[derive(Clone, Debug, Default)]
pub struct GarbageCollector {
    dependents: BTreeMap<Uid, BTreeSet<ObjectKey>>,
}

impl ControllerManager {
    pub(super) fn garbage_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        if delta.key().kind == Kind::Lease && delta.old.is_some() && delta.new.is_some() {
            return; // A heartbeat changes nobody's owner.
        }
        let key = delta.key();
        for owner in delta.object().meta.owners.iter() {
            let dependents = self.garbage.dependents.entry(owner.uid).or_default();
            match &delta.new {
                Some(_) => dependents.insert(key.clone()),
                None => dependents.remove(key),
            };
        }
        if delta.new.is_none()
            && let Some(orphans) = self.garbage.dependents.remove(&delta.object().meta.uid)
        {
            for orphan in orphans {
                self.collect(orphan, ctx);
            }
        }
    }

    fn collect(&mut self, key: ObjectKey, ctx: &mut Ctx<Event>) {
        let Some(object) = self.clients.local.caches.get(&key) else { return };
        let uid = Some(object.meta.uid);
        let verb = Verb::Delete { key, grace: None, uid };
        // Simplified: `attemptToDeleteItem` reads the object first; only the limit hears of that.
        self.ask_in_turn(AGENT, verb, Token::Unheeded, Turn::FREE.with_read(), ctx);
    }
}
