//! The API server's own reads of etcd: what fills its watch cache and keeps it fresh.
//!
//! Follows `k/k:staging/src/k8s.io/apiserver/pkg/storage/cacher` and client-go's reflector inside it.
//!
//! ```text
//! list every kind ─> filled ─> one watch ── etcd ends it ─> opened again, for up to 30 s ─┐
//!        ^                                                                                │
//!        └── a pause <── every client's watch ends; nothing is served from the cache <────┘
//! ```
//! A watch whose connection broke is opened again by etcd's client without a word, as soon as there
//! is a connection: meanwhile the cache is served as it is, and gets old.
//!
//! Simplified: one watch feeds all kinds, where the real server has one for each; so no kind loses
//! its watch before another. A broken one is opened again after a pause, not as fast as it fails.

use super::channel::Line;
use super::health::Caller;
use super::{Apiserver, Event, Stage};
use crate::api::{Answer, ApiError, Freshness, Kind, ObjectKey, Reason, Revision, Selector, Verb};
use crate::engine::{Duration, Rule, SimTime, Text};
use crate::infra::Ctx;
use crate::wire::{Consistency, StoreAnswer, StoreError, StoreOperation, StoreRequest};

/// How the watch cache behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// How many events of each kind a watch can be resumed over.
    pub window: usize,
    pub latest_lists: LatestLists,
    pub unfilled: Unfilled,
    /// For how long a watch that etcd ends is opened again before the cache is given up.
    pub watch_retry: Duration,
    /// Between two tries to open it, and before the cache is filled anew.
    pub retry_pause: Duration,
    /// For how long a list waits until the cache is as fresh as it has to be.
    pub fresh_wait: Duration,
    /// After which a list is to be asked for again that the cache was too old for.
    pub fresh_retry_after: Duration,
    pub unfilled_retry_after: UnfilledRetryAfter,
}

/// After which a request is to be sent again that an unfilled cache refuses: it grows with the time for
/// which the cache has not been filled, in whole seconds of one or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfilledRetryAfter {
    /// So much longer without a cache doubles it.
    pub doubling: Duration,
    pub limit: Duration,
}

/// Where a list that must show the latest comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatestLists {
    Etcd,
    /// From the cache, once it has come as far as etcd says that it has come (1.31).
    Cache,
}

/// What becomes of lists and watches while the cache is filled anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfilled {
    /// Lists of what is newest or of anything are asked of etcd; those of a certain revision, and watches,
    /// wait.
    Delegate,
    /// Both are refused with 429, but for lists in chunks of all there is: those are asked of etcd (1.31).
    Refuse,
}

/// How the cache stands.
#[derive(Clone, Debug)]
pub struct Reflector {
    pub is_filled: bool,
    /// It has been filled since the process began.
    pub was_filled: bool,
    /// When it was given up.
    given_up: SimTime,
    /// Kinds that are still to be listed.
    awaited: usize,
    /// Etcd reports what it commits.
    is_watching: bool,
    /// When the watch first and last failed.
    failing: Option<(SimTime, SimTime)>,
    /// Lists that wait until the cache has come to a revision.
    waiters: Vec<(Revision, u32)>,
}

/// A read of the server's own.
#[derive(Clone, Debug)]
pub enum Own {
    /// Whether the connection of this kind's storage stands: etcd's preface, not its data.
    Dial(Kind),
    Fill(Kind),
    Watch,
    Check(Caller),
    /// It removes itself from the endpoints.
    Removal,
}

/// Without a failure for so long, the next is a first one again (client-go, `minResetPeriod`).
const CALM: Duration = Duration::from_secs(60);

impl Reflector {
    /// True if a list waits until the cache is fresh enough.
    pub fn is_waited_for(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// Nothing has been listed.
    pub fn new() -> Reflector {
        Reflector {
            is_filled: false,
            was_filled: false,
            given_up: SimTime::ZERO,
            awaited: 0,
            is_watching: false,
            failing: None,
            waiters: Vec::new(),
        }
    }
}

/// Between two tries to fill or to watch for the cache.
const CACHE_RETRY: Rule = "kubernetes.watchCacheRetryPause";

impl Apiserver {
    /// Lists everything anew.
    pub(super) fn fill_cache(&mut self, ctx: &mut Ctx<Event>) {
        self.reflector.awaited = Kind::ALL.len();
        for kind in Kind::ALL {
            self.ask_own(Own::Fill(kind), ctx);
        }
    }

    /// Begins a read of its own; its number.
    pub(super) fn ask_own(&mut self, own: Own, ctx: &mut Ctx<Event>) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.own.insert(self.next, own);
        self.ask_again(self.next, ctx);
        self.next
    }

    /// Sends a read of its own, for the first time or once more.
    pub(super) fn ask_again(&mut self, id: u32, ctx: &mut Ctx<Event>) {
        let Some(own) = self.own.get(&id) else { return };
        let (line, operation) = match own {
            Own::Dial(kind) => (Line::Kind(*kind), StoreOperation::Status),
            Own::Fill(kind) => {
                (Line::Kind(*kind), StoreOperation::Range(*kind, Consistency::Linearizable))
            }
            Own::Watch => (Line::Watch, StoreOperation::Watch(Some(self.cache.heard()))),
            Own::Check(caller) => {
                let get = StoreOperation::Get(health_key(), Consistency::Linearizable);
                (Line::Check(caller.check()), get)
            }
            Own::Removal => (Line::Kind(Kind::EndpointSlice), newest_of(Kind::EndpointSlice)),
        };
        let require_leader = matches!(own, Own::Watch);
        let (sender, count) = (ctx.owner(), u64::from(id));
        let request = StoreRequest { id, operation, require_leader, sender, count };
        self.channels.send(line, request, ctx);
    }

    /// Etcd has answered a read of its own.
    pub(super) fn own_stored(&mut self, id: u32, answer: StoreAnswer, ctx: &mut Ctx<Event>) {
        let Some(own) = self.own.get(&id) else { return };
        match (own, answer) {
            (Own::Dial(_), _) => {
                self.own.remove(&id);
                self.dialled(ctx);
            }
            (Own::Fill(kind), StoreAnswer::Values(revision, items)) => {
                self.cache.fill(*kind, revision, items);
                self.own.remove(&id);
                self.reflector.awaited -= 1;
                if self.reflector.awaited == 0 {
                    self.cache_filled(ctx);
                }
            }
            (Own::Fill(_), StoreAnswer::Failed(error)) => self.fill_failed(id, &error, ctx),
            (Own::Watch, StoreAnswer::Watching(_)) => self.reflector.is_watching = true,
            (Own::Watch, StoreAnswer::Failed(error)) => self.etcd_watch_ended(id, &error, ctx),
            // What was missed is gone: every client has to list anew.
            (Own::Watch, StoreAnswer::Compacted(_)) => self.give_cache_up(id, ctx),
            (Own::Check(_), StoreAnswer::Failed(error)) => self.check_failed(id, &error, ctx),
            (Own::Check(_), _) => self.check_ended(id, true, ctx),
            (Own::Removal, StoreAnswer::Failed(error)) => self.removal_failed(id, &error, ctx),
            (Own::Removal, _) => self.removed(id, ctx),
            _ => {}
        }
    }

    /// The connection is over: etcd's client opens an open watch again by itself.
    pub(super) fn reopen_watch(&mut self, ctx: &mut Ctx<Event>) {
        if std::mem::take(&mut self.reflector.is_watching) {
            let watch = self.own.iter().find(|(_, own)| matches!(own, Own::Watch));
            if let Some(id) = watch.map(|(id, _)| *id) {
                self.ask_again(id, ctx);
            }
        }
    }

    /// The connection broke under a read of its own.
    pub(super) fn own_lost(&mut self, id: u32, error: &StoreError, ctx: &mut Ctx<Event>) {
        match self.own.get(&id) {
            Some(Own::Watch | Own::Dial(_)) => self.ask_again(id, ctx),
            // Nothing is read before it is dialled, however often that takes.
            Some(Own::Fill(_)) if self.is_dialling() => self.ask_again(id, ctx),
            Some(Own::Fill(_)) => self.fill_failed(id, error, ctx),
            Some(Own::Check(_)) => self.check_failed(id, error, ctx),
            Some(Own::Removal) => self.removal_failed(id, error, ctx),
            None => {}
        }
    }

    fn cache_filled(&mut self, ctx: &mut Ctx<Event>) {
        self.cache.begin();
        self.reflector.is_filled = true;
        self.reflector.was_filled = true;
        self.ask_own(Own::Watch, ctx);
        self.rise(ctx);
        self.serve_those(|stage| matches!(stage, Stage::AwaitingCache), ctx);
    }

    fn fill_failed(&mut self, id: u32, error: &StoreError, ctx: &mut Ctx<Event>) {
        let repeated = self.repeats(false, error);
        if !repeated && !self.reflector.was_filled && !self.is_up {
            let why = super::storage::words(error);
            ctx.log(format!(
                "Unable to perform initial IP allocation check: unable to refresh the service IP \
                 block: {why}"
            ));
            return ctx.exit();
        }
        let (rule, pause) = match repeated {
            true => ("kubernetes.etcdRetryPause", self.settings.retry.pause),
            false => (CACHE_RETRY, self.settings.cache.retry_pause),
        };
        ctx.after(rule, pause, Event::AskAgain(id));
    }

    /// Etcd has ended the watch, or refuses to open it.
    pub(super) fn etcd_watch_ended(&mut self, id: u32, error: &StoreError, ctx: &mut Ctx<Event>) {
        let now = ctx.now();
        self.reflector.is_watching = false;
        let (first, _) = match self.reflector.failing {
            Some((first, last)) if now.since(last) < CALM => (first, last),
            _ => {
                // Simplified: the real log repeats the line for each kind and try.
                ctx.log(format!("watch chan error: {}", super::storage::words(error)));
                (now, now)
            }
        };
        self.reflector.failing = Some((first, now));
        if now.since(first) > self.settings.cache.watch_retry {
            self.reflector.failing = None;
            return self.give_cache_up(id, ctx);
        }
        ctx.after(CACHE_RETRY, self.settings.cache.retry_pause, Event::AskAgain(id));
    }

    /// The cache may have missed something: it is filled anew, and whoever watches begins anew.
    fn give_cache_up(&mut self, watch: u32, ctx: &mut Ctx<Event>) {
        self.own.remove(&watch);
        self.reflector.is_watching = false;
        self.reflector.is_filled = false;
        self.reflector.given_up = ctx.now();
        self.cache.end_all(|to, message| ctx.send(to, message));
        self.end_if_idle(ctx);
        ctx.after(CACHE_RETRY, self.settings.cache.retry_pause, Event::Refill);
    }

    /// Where a list or a watch stands while the cache is not filled: with etcd, or it waits (`ready.wait`), or it
    /// is refused.
    pub(super) fn without_cache(&mut self, id: u32, ctx: &mut Ctx<Event>) -> WithoutCache {
        match self.settings.cache.unfilled {
            // Nobody is refused by a server that has only just begun to serve.
            _ if !self.reflector.was_filled => {}
            _ if self.is_delegated(id) => return WithoutCache::Delegated,
            Unfilled::Delegate => {}
            Unfilled::Refuse => {
                let message = Text::word("storage is (re)initializing");
                let rule = self.settings.cache.unfilled_retry_after;
                let pause = rule.after(ctx.now().since(self.reflector.given_up));
                let error = ApiError::new(Reason::TooManyRequests, message);
                let error = error.retry_after("kubernetes.unfilledCacheRetryAfterDoubling", pause);
                self.answer(id, Err(error), ctx);
                return WithoutCache::Settled;
            }
        }
        self.wait_in(id, Stage::AwaitingCache);
        WithoutCache::Settled
    }

    /// True for a list that etcd is asked for in the cache's place (`GetList` of the API server's cacher). Up to
    /// 1.30 that is one that needs no certain revision; from 1.31 on one in chunks of everything, which an
    /// informer's first list is too (`shouldDelegateListOnNotReadyCache`).
    fn is_delegated(&self, id: u32) -> bool {
        let verb = self.open.get(&id).map(|open| &open.request.verb);
        let Some(Verb::List(_, selector, freshness)) = verb else { return false };
        match self.settings.cache.unfilled {
            Unfilled::Delegate => !matches!(freshness, Freshness::AtLeast(_)),
            Unfilled::Refuse => {
                let is_in_chunks =
                    matches!(freshness, Freshness::InChunks | Freshness::AnyInChunks);
                is_in_chunks && *selector == Selector::All
            }
        }
    }

    /// Serves a list.
    pub(super) fn list(
        &mut self,
        id: u32,
        (kind, selector, freshness): (Kind, Selector, Freshness),
        ctx: &mut Ctx<Event>,
    ) {
        let range = StoreOperation::Range(kind, Consistency::Linearizable);
        if !self.reflector.is_filled {
            if let WithoutCache::Delegated = self.without_cache(id, ctx) {
                self.ask_etcd(id, Stage::Reading, range, ctx);
            }
            return;
        }
        match (freshness, self.settings.cache.latest_lists) {
            (Freshness::Any | Freshness::AnyInChunks, _) => {
                self.list_from_cache(id, kind, &selector, ctx)
            }
            (Freshness::AtLeast(revision), _) => self.list_as_fresh_as(id, revision, ctx),
            (Freshness::Latest | Freshness::InChunks, LatestLists::Etcd) => {
                self.ask_etcd(id, Stage::Reading, range, ctx);
            }
            // What is read does not matter: the answer's revision does.
            (Freshness::Latest | Freshness::InChunks, LatestLists::Cache) => {
                self.ask_etcd(id, Stage::AskingRevision, newest_of(kind), ctx);
            }
        }
    }

    fn list_from_cache(&mut self, id: u32, kind: Kind, selector: &Selector, ctx: &mut Ctx<Event>) {
        let (revision, items) = self.cache.list(kind, selector);
        self.answer(id, Ok(Answer::List(revision, items)), ctx);
    }

    /// A list is served once the cache has come this far.
    pub(super) fn list_as_fresh_as(&mut self, id: u32, least: Revision, ctx: &mut Ctx<Event>) {
        let Some(Verb::List(kind, selector, _)) = self.verb_of(id) else { return };
        if self.reflector.is_filled && self.cache.heard() >= least {
            return self.list_from_cache(id, kind, &selector, ctx);
        }
        self.wait_in(id, Stage::AwaitingRevision(least));
        self.reflector.waiters.push((least, id));
        let wait = self.settings.cache.fresh_wait;
        ctx.after("kubernetes.watchCacheFreshWait", wait, Event::NotFresh(id));
    }

    /// The cache has come further: who waited for it is served.
    pub(super) fn cache_moved(&mut self, ctx: &mut Ctx<Event>) {
        if self.reflector.waiters.is_empty() {
            return;
        }
        let heard = self.cache.heard();
        let waiters = std::mem::take(&mut self.reflector.waiters);
        let (served, rest): (Vec<_>, Vec<_>) =
            waiters.into_iter().partition(|(least, _)| *least <= heard);
        self.reflector.waiters = rest;
        for (_, id) in served {
            if let Some(Stage::AwaitingRevision(least)) = self.stage_of(id) {
                self.list_as_fresh_as(id, least, ctx);
            }
        }
    }

    /// The cache does not get as fresh as a list needs it.
    pub(super) fn not_fresh(&mut self, id: u32, ctx: &mut Ctx<Event>) {
        let Some(Stage::AwaitingRevision(least)) = self.stage_of(id) else { return };
        self.reflector.waiters.retain(|(_, waiter)| *waiter != id);
        let Some(Verb::List(kind, _, freshness)) = self.verb_of(id) else { return };
        if matches!(freshness, Freshness::Latest | Freshness::InChunks) {
            let range = StoreOperation::Range(kind, Consistency::Linearizable);
            return self.ask_etcd(id, Stage::Reading, range, ctx);
        }
        let current = self.cache.heard().0;
        let message =
            format!("Timeout: Too large resource version: {}, current: {current}", least.0);
        let pause = self.settings.cache.fresh_retry_after;
        let error = ApiError::new(Reason::Timeout, message);
        let error = error.retry_after("kubernetes.watchCacheFreshRetryAfter", pause);
        self.answer(id, Err(error), ctx);
    }
}

impl UnfilledRetryAfter {
    /// For how long a client is to wait once the cache has not been filled for a time
    /// (`calculateRetryAfterForUnreadyCache`): as many whole seconds as it has doubled from one on.
    pub fn after(self, unfilled: Duration) -> Duration {
        let least = |log: &u64| self.doubling.scaled(*log, 1_000);
        let doubled = LOG2.iter().take_while(|log| least(log) <= unfilled).count();
        let seconds = u64::try_from(doubled).unwrap_or(u64::MAX).saturating_add(1);
        Duration::from_secs(seconds).min(self.limit)
    }
}

/// The binary logarithms of 2 to 30, in thousandths: longer nobody is told to wait.
const LOG2: [u64; 29] = [
    1_000, 1_585, 2_000, 2_322, 2_585, 2_807, 3_000, 3_170, 3_322, 3_459, 3_585, 3_700, 3_807,
    3_907, 4_000, 4_087, 4_170, 4_248, 4_322, 4_392, 4_459, 4_524, 4_585, 4_644, 4_700, 4_755,
    4_807, 4_858, 4_907,
];

/// What becomes of a request that needs the cache.
pub enum WithoutCache {
    /// Etcd is asked instead.
    Delegated,
    /// It waits, or has been refused.
    Settled,
}

/// A read that finds nothing, for the revision in its answer.
pub fn newest_of(kind: Kind) -> StoreOperation {
    let key = ObjectKey { kind, namespace: Text::EMPTY, name: Text::word("/") };
    StoreOperation::Get(key, Consistency::Linearizable)
}

/// What the health check reads; nothing is stored there.
fn health_key() -> ObjectKey {
    ObjectKey { kind: Kind::ConfigMap, namespace: Text::EMPTY, name: Text::word("health") }
}
