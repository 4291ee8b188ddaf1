//! Open watches, and the window of recent events over which a watch can be resumed.
//!
//! Follows the API server's cacher: one watch on etcd feeds all clients' watches. It stores no
//! objects, only events.

use crate::api::{ApiError, Kind, Object, Revision, Selector, Verb, WatchEvent, WatchKind};
use crate::infra::ConnectionId;
use crate::wire::{Committed, Message};
use std::collections::VecDeque;
use std::sync::Arc;

/// All open watches of an API server.
#[derive(Clone, Debug)]
pub struct Watches {
    by_kind: Vec<OfKind>,
    window: usize,
    /// The last revision heard of; nothing before the first watch on etcd.
    heard: Option<Revision>,
}

#[derive(Clone, Debug, Default)]
struct OfKind {
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

impl Watches {
    /// No watches; each kind remembers up to `window` events.
    pub fn new(window: usize) -> Watches {
        Watches { by_kind: vec![OfKind::default(); Kind::ALL.len()], window, heard: None }
    }

    /// What to ask etcd for: everything after what was heard last.
    pub fn heard(&self) -> Option<Revision> {
        self.heard
    }

    /// The API server's own watch, as a request.
    pub fn own_verb(&self) -> Verb {
        Verb::Watch(Kind::Node, Selector::All, self.heard.unwrap_or_default())
    }

    /// Etcd reports everything after `from`.
    pub fn begin(&mut self, from: Revision) {
        if self.heard.is_none() {
            self.heard = Some(from);
            for of_kind in &mut self.by_kind {
                of_kind.since = from;
            }
        }
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
        if self.heard.is_none() || from < of_kind.since {
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

    /// Hands a committed change to every watch that sees it.
    pub fn publish(&mut self, committed: Committed, mut send: impl FnMut(ConnectionId, Message)) {
        self.heard = Some(committed.revision);
        let Some(object) = committed.new.as_ref().or(committed.old.as_ref()) else { return };
        let of_kind = &mut self.by_kind[object.key().kind as usize];
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

    /// Closes the watches of a client that is gone.
    pub fn close(&mut self, client: ConnectionId) {
        for of_kind in &mut self.by_kind {
            of_kind.watches.retain(|watch| watch.client != client);
        }
    }

    /// Ends every watch: the history behind them is gone.
    pub fn end_all(&mut self, oldest: Revision, mut send: impl FnMut(ConnectionId, Message)) {
        let heard = self.heard.take().unwrap_or_default();
        for of_kind in &mut self.by_kind {
            of_kind.recent.clear();
            for watch in of_kind.watches.drain(..) {
                let error = ApiError::expired(heard, oldest);
                send(watch.client, Message::WatchEnded(watch.number, error));
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
