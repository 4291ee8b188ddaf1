//! Etcd: the store behind an API server. A write is durable before it is answered.
//!
//! One member, which is its own quorum; the interface (proposals, reads, watches by revision) is
//! the one that several members will serve. It knows objects only as values under keys. Follows
//! `etcd-io/etcd:server/etcdserver` and `server/storage/mvcc`.
//!
//! Simplified: commits of concurrent proposals do not share a disk flush, so each takes its own
//! time and the order of commits is the order in which these end.

mod store;
#[cfg(test)]
mod tests;

use crate::api::{Object, Revision};
use crate::engine::{Activity, Delay, Duration, Path, Phase, Purpose, Rhythm};
use crate::infra::{ActivityId, ConnectionId, Ctx, Input, Start, Trace};
use crate::wire::{Committed, Message, StoreAnswer, StoreOperation, StoreRequest};
use std::collections::BTreeMap;
pub use store::Store;

/// How etcd behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From a proposal's arrival until it is committed: a flush of the write-ahead log.
    pub commit: Delay,
    /// How often the history is compacted to what it was one interval ago.
    pub compaction: Duration,
}

/// What etcd reacts to besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A proposal's log entry is on disk.
    Durable(u32),
}

/// One etcd member.
#[derive(Clone, Debug)]
pub struct Etcd {
    settings: Settings,
    /// On disk: survives the process.
    store: Store,
    proposals: BTreeMap<u32, (ConnectionId, StoreRequest)>,
    next_proposal: u32,
    watchers: Vec<ConnectionId>,
    /// The revision at the last compaction.
    compact_next: Revision,
}

/// The draws for commit times; the number is etcd's own among all servers.
const COMMIT: Purpose = Purpose(200);
const COMPACTION: ActivityId = ActivityId(0);

impl Etcd {
    /// A member whose disk holds these objects.
    pub fn new(settings: Settings, objects: Vec<Object>) -> Etcd {
        Etcd {
            settings,
            store: Store::holding(objects),
            proposals: BTreeMap::new(),
            next_proposal: 0,
            watchers: Vec::new(),
            compact_next: Revision::default(),
        }
    }

    /// What is committed, for those who look at the whole world.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Started(start) => self.start(start, ctx),
            Input::Message(from, Message::Store(request)) => self.serve(from, *request, ctx),
            Input::Due(Event::Durable(proposal)) => self.commit(proposal, ctx),
            Input::Tick(_) => {
                self.store.compact(std::mem::replace(&mut self.compact_next, self.store.revision()))
            }
            Input::Broken(connection, _) => self.watchers.retain(|watcher| *watcher != connection),
            Input::Message(..)
            | Input::Container(..)
            | Input::VmChanged(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
    }

    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        self.proposals.clear();
        self.watchers.clear();
        let phase = match start {
            Start::Steady => Phase::Stationary,
            Start::Fresh => Phase::AfterPause,
        };
        let activity = Activity {
            period: self.settings.compaction,
            jitter_percent: 0,
            rhythm: Rhythm::Ticker,
            path: Path::Own,
        };
        ctx.every(COMPACTION, activity, phase);
    }

    fn serve(&mut self, from: ConnectionId, request: StoreRequest, ctx: &mut Ctx<Event>) {
        let answer = match &request.operation {
            StoreOperation::Get(key, _) => {
                StoreAnswer::Value(self.store.revision(), self.store.get(key))
            }
            StoreOperation::Range(kind, _) => {
                StoreAnswer::Values(self.store.revision(), self.store.range(*kind))
            }
            StoreOperation::Watch(after) => return self.watch(from, request.id, *after, ctx),
            StoreOperation::Transact { .. } => return self.propose(from, request, ctx),
        };
        ctx.send(from, Message::Stored(request.id, answer));
    }

    fn propose(&mut self, from: ConnectionId, request: StoreRequest, ctx: &mut Ctx<Event>) {
        let flush = ctx.draw_delay_for(COMMIT, self.settings.commit, request.sender, request.count);
        self.next_proposal = self.next_proposal.wrapping_add(1);
        self.proposals.insert(self.next_proposal, (from, request));
        ctx.after(flush, Event::Durable(self.next_proposal));
    }

    fn commit(&mut self, proposal: u32, ctx: &mut Ctx<Event>) {
        let Some((from, request)) = self.proposals.remove(&proposal) else { return };
        let StoreOperation::Transact { key, expected, put, by, writer } = request.operation else {
            return;
        };
        let answer = match self.store.transact(&key, expected, put) {
            Err(current) => StoreAnswer::Conflict(current),
            Ok(committed) => {
                let Committed { old, new, .. } = committed.clone();
                let result = new.clone().or(old.clone()).expect("a commit has an object");
                ctx.trace(Trace::Committed { old, new, by, writer });
                for watcher in &self.watchers {
                    ctx.send(*watcher, Message::Committed(committed.clone()));
                }
                StoreAnswer::Committed(result)
            }
        };
        ctx.send(from, Message::Stored(request.id, answer));
    }

    fn watch(
        &mut self,
        from: ConnectionId,
        id: u32,
        after: Option<Revision>,
        ctx: &mut Ctx<Event>,
    ) {
        let after = after.unwrap_or(self.store.revision());
        if after < self.store.compacted() {
            let answer = StoreAnswer::Compacted(self.store.compacted());
            return ctx.send(from, Message::Stored(id, answer));
        }
        ctx.send(from, Message::Stored(id, StoreAnswer::Watching(after)));
        for committed in self.store.since(after) {
            ctx.send(from, Message::Committed(committed.clone()));
        }
        self.watchers.push(from);
    }
}
