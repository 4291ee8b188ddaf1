//! The watch cache: the objects as a watch on etcd shows them, the window of recent events over
//! which a client's watch can be resumed, and the clients' watches.
//!
//! Follows the API server's cacher. How it is filled and kept fresh is the reflector's matter.

use crate::api::{ApiError, Kind, Object, ObjectKey, Revision, Selector, WatchEvent, WatchKind};
use crate::infra::ConnectionId;
use crate::wire::{Committed, Message};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// All objects and open watches of an API server.
#[derive(Clone, Debug)]
pub struct WatchCache {
    by_kind: Vec<OfKind>,
    window: usize,
    /// The last revision heard of.
    heard: Revision,
}

#[derive(Clone, Debug, Default)]
struct OfKind {
    objects: BTreeMap<ObjectKey, Arc<Object>>,
    watches: Vec<Watch>,
    recent: VecDeque<Committed>,
    /// Everything after this revision is in `recent`.
    since: Revision,
}

#[derive(Clone, Debug)]
struct Watch {
    client: ConnectionId,
    number: u32,
    selector: Selector,
}

impl WatchCache {
    /// Nothing; each kind will remember up to `window` events.
    pub fn new(window: usize) -> WatchCache {
        let by_kind = vec![OfKind::default(); Kind::ALL.len()];
        WatchCache { by_kind, window, heard: Revision::default() }
    }

    /// How fresh it is: everything up to this revision has been heard.
    pub fn heard(&self) -> Revision {
        self.heard
    }

    /// Takes over all objects of a kind as they were at a revision.
    pub fn fill(&mut self, kind: Kind, revision: Revision, items: Vec<Arc<Object>>) {
        let of_kind = &mut self.by_kind[kind as usize];
        of_kind.objects = items.into_iter().map(|object| (object.key().clone(), object)).collect();
        of_kind.recent.clear();
        of_kind.since = revision;
    }

    /// Every kind has been filled: from where etcd is to be watched.
    pub fn begin(&mut self) -> Revision {
        let oldest = self.by_kind.iter().map(|of_kind| of_kind.since).min();
        self.heard = oldest.unwrap_or_default();
        self.heard
    }

    /// The objects of a kind that a selector matches, with the revision that they are as of.
    pub fn list(&self, kind: Kind, selector: &Selector) -> (Revision, Vec<Arc<Object>>) {
        let of_kind = &self.by_kind[kind as usize];
        let objects = of_kind.objects.values();
        let items = objects.filter(|object| selector.matches(object)).cloned().collect();
        (self.heard.max(of_kind.since), items)
    }

    /// Opens a watch; returns what happened since `from`.
    pub fn open(
        &mut self,
        client: ConnectionId,
        number: u32,
        kind: Kind,
        selector: Selector,
        from: Revision,
    ) -> Result<Vec<WatchEvent>, ApiError> {
        let of_kind = &mut self.by_kind[kind as usize];
        if from < of_kind.since {
            return Err(ApiError::expired(from, of_kind.since));
        }
        let watch = Watch { client, number, selector };
        let missed = of_kind
            .recent
            .iter()
            .filter(|committed| committed.revision > from)
            .filter_map(|committed| watch.sees(committed))
            .collect();
        of_kind.watches.push(watch);
        Ok(missed)
    }

    /// Takes a committed change over, and hands it to every watch that sees it.
    pub fn publish(&mut self, committed: Committed, mut send: impl FnMut(ConnectionId, Message)) {
        self.heard = self.heard.max(committed.revision);
        let Some(object) = committed.new.as_ref().or(committed.old.as_ref()) else { return };
        let key = object.key();
        let of_kind = &mut self.by_kind[key.kind as usize];
        // It was filled with what came later already, or has heard of it before.
        let last = of_kind.recent.back().map_or(of_kind.since, |last| last.revision);
        if committed.revision <= last.max(of_kind.since) {
            return;
        }
        match (of_kind.objects.get_mut(key), &committed.new) {
            (Some(old), Some(new)) => *old = new.clone(),
            (None, Some(new)) => drop(of_kind.objects.insert(key.clone(), new.clone())),
            (_, None) => drop(of_kind.objects.remove(key)),
        }
        for watch in &of_kind.watches {
            if let Some(event) = watch.sees(&committed) {
                send(watch.client, Message::Watch(event));
            }
        }
        of_kind.recent.push_back(committed);
        if of_kind.recent.len() > self.window {
            of_kind.since = of_kind.recent.pop_front().map_or(of_kind.since, |gone| gone.revision);
        }
    }

    /// Who watches a kind.
    pub fn watchers(&self, kind: Kind) -> impl Iterator<Item = ConnectionId> {
        self.by_kind[kind as usize].watches.iter().map(|watch| watch.client)
    }

    /// True if anybody watches anything.
    pub fn is_watched(&self) -> bool {
        self.by_kind.iter().any(|of_kind| !of_kind.watches.is_empty())
    }

    /// Closes the watches of a client that is gone.
    pub fn close(&mut self, client: ConnectionId) {
        for of_kind in &mut self.by_kind {
            of_kind.watches.retain(|watch| watch.client != client);
        }
    }

    /// Ends every watch without a word: the cache is filled anew.
    pub fn end_all(&mut self, mut send: impl FnMut(ConnectionId, Message)) {
        for of_kind in &mut self.by_kind {
            for watch in of_kind.watches.drain(..) {
                send(watch.client, Message::WatchEnded(watch.number, ApiError::ended()));
            }
        }
    }
}

impl Watch {
    /// The change as it looks through the selector; nothing if it does not concern it.
    fn sees(&self, committed: &Committed) -> Option<WatchEvent> {
        let seen = |object: &Option<Arc<Object>>| {
            object.as_ref().filter(|object| self.selector.matches(object)).cloned()
        };
        let (kind, object) = match (seen(&committed.old), seen(&committed.new)) {
            (None, None) => return None,
            (None, Some(new)) => (WatchKind::Added, new),
            (Some(_), Some(new)) => (WatchKind::Modified, new),
            // Gone, or not selected any more. The event carries the revision of the change.
            (Some(old), None) => {
                let mut last = Object::clone(&old);
                last.meta.resource_version = committed.revision;
                (WatchKind::Deleted, Arc::new(last))
            }
        };
        Some(WatchEvent { watch: self.number, kind, object })
    }
}
