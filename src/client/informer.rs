//! An informer: lists a kind, then watches it, and keeps what it was told.
//!
//! Everything a controller knows comes out of such a cache, and may be stale. Follows client-go's
//! reflector: it first lists whatever the server has, later nothing older than it has seen. After the
//! watch ends it resumes from the last revision; if that cannot be had it lists anew, with a growing
//! pause after failures.

use super::{Backoff, BackoffRules};
use crate::api::{
    ApiError, Freshness, Kind, Object, ObjectKey, Reason, Revision, Selector, WatchEvent, WatchKind,
};
use crate::engine::{Duration, Rule, SimTime, Text, Timer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The objects of one kind as an informer last heard of them.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    objects: BTreeMap<ObjectKey, Arc<Object>>,
}

/// What changed in a cache.
#[derive(Clone, Debug)]
pub struct Delta {
    pub old: Option<Arc<Object>>,
    pub new: Option<Arc<Object>>,
}

/// One informer.
#[derive(Clone, Debug)]
pub struct Informer {
    pub kind: Kind,
    pub selector: Selector,
    pub cache: Cache,
    /// How far the cache has come.
    pub revision: Revision,
    pub synced: bool,
    /// Nothing is asked and nothing heard any more.
    pub idle: bool,
    /// The next list is the first of a new beginning: all that it has is new.
    begins: bool,
    /// Of its pauses.
    pub timer: Timer,
    backoff: Backoff,
    /// When it last had to pause.
    paused: SimTime,
    /// The server cannot serve what it has seen last: it lists the latest.
    outdated: bool,
    /// How many requests it has made.
    pub asked: u64,
}

const RELIST: BackoffRules =
    BackoffRules { first: "kubernetes.relistBackoffFirst", limit: "kubernetes.relistBackoffLimit" };

impl Cache {
    /// The object of this key.
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.objects.get(key)
    }

    /// All objects, by namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.objects.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Takes a written object over at once, as a controller does with its own writes' answers.
    pub fn put(&mut self, object: Arc<Object>) -> Option<Arc<Object>> {
        self.objects.insert(object.key().clone(), object)
    }
}

impl Delta {
    /// The object as it is, or as it was last.
    pub fn object(&self) -> &Arc<Object> {
        self.new.as_ref().or(self.old.as_ref()).expect("a delta has an object on one side")
    }

    /// The object's key.
    pub fn key(&self) -> &ObjectKey {
        self.object().key()
    }

    /// The object's name.
    pub fn name(&self) -> &Text {
        self.object().name()
    }
}

impl Informer {
    /// An informer that has heard nothing yet.
    pub fn new(kind: Kind, selector: Selector, backoff: Backoff) -> Informer {
        Informer {
            kind,
            selector,
            cache: Cache::default(),
            revision: Revision::default(),
            synced: false,
            idle: false,
            begins: true,
            timer: Timer::default(),
            backoff,
            paused: SimTime::ZERO,
            outdated: false,
            asked: 0,
        }
    }

    /// How fresh its next list has to be.
    pub fn freshness(&self) -> Freshness {
        match self.revision {
            _ if self.outdated => Freshness::InChunks,
            Revision(0) => Freshness::AnyInChunks,
            seen => Freshness::AtLeast(seen),
        }
    }

    /// The pause after one more failure; without one for `calm` it is the first again.
    pub fn pause(&mut self, now: SimTime, calm: Duration) -> (Rule, Duration) {
        if now.since(self.paused) > calm {
            self.backoff.reset();
        }
        self.paused = now;
        self.backoff.fail(&RELIST)
    }

    /// Asks and hears nothing any more, until it begins again.
    pub fn let_go(&mut self) {
        self.idle = true;
        self.timer.cancel();
    }

    /// Begins again as a new one: what it knew stays until it has listed.
    pub fn begin_again(&mut self) {
        self.idle = false;
        self.begins = true;
        self.revision = Revision::default();
        self.outdated = false;
        self.backoff.reset();
    }

    /// A list has failed; true if the latest is listed at once, because the server cannot serve what
    /// was seen last.
    pub fn list_failed(&mut self, error: Option<&ApiError>) -> bool {
        let too_large = |error: &ApiError| error.message.contains("Too large resource version");
        let was_outdated = self.outdated;
        self.outdated |=
            error.is_some_and(|error| error.reason == Reason::Expired || too_large(error));
        self.outdated && !was_outdated
    }

    /// Takes a whole list over, and says what changed against what it knew, and whether it is the
    /// first since it began. Then all is new, and nobody is told of what is not there any more: that
    /// was in a cache that is gone.
    pub fn replace(&mut self, revision: Revision, items: Vec<Arc<Object>>) -> (Vec<Delta>, bool) {
        let is_first = std::mem::take(&mut self.begins);
        if is_first {
            self.cache = Cache::default();
        }
        self.revision = revision;
        self.synced = true;
        self.outdated = false;
        let new: BTreeMap<_, _> =
            items.into_iter().map(|object| (object.key().clone(), object)).collect();
        let mut old = std::mem::replace(&mut self.cache.objects, new);
        let mut deltas: Vec<Delta> = Vec::new();
        for (key, object) in &self.cache.objects {
            let before = old.remove(key);
            if before
                .as_ref()
                .is_none_or(|b| b.meta.resource_version != object.meta.resource_version)
            {
                deltas.push(Delta { old: before, new: Some(object.clone()) });
            }
        }
        deltas.extend(old.into_values().map(|gone| Delta { old: Some(gone), new: None }));
        (deltas, is_first)
    }

    /// Takes one watch event over.
    pub fn apply(&mut self, event: WatchEvent) -> Delta {
        self.revision = self.revision.max(event.object.meta.resource_version);
        let key = event.object.key();
        match event.kind {
            WatchKind::Deleted => {
                let old = self.cache.objects.remove(key).or(Some(event.object));
                Delta { old, new: None }
            }
            WatchKind::Added | WatchKind::Modified => {
                let old = self.cache.objects.insert(key.clone(), event.object.clone());
                Delta { old, new: Some(event.object) }
            }
        }
    }
}
