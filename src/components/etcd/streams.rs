//! Watches, and the monitor that ends those of clients that want a leader.
//!
//! The monitor looks once per election time-out; at the third look in a row without a leader it
//! ends every stream with `hasleader`, so two to three seconds after the leader was lost. Follows
//! `monitorLeader` of `v3rpc/interceptor.go`. While there is a leader its looks change nothing and
//! are not played.

use super::errors::{COMPACTED, NO_LEADER, error_of};
use super::{Event, MONITOR, Member};
use crate::api::Revision;
use crate::engine::{Duration, Generation, Timer, below};
use crate::infra::{ConnectionId, Ctx};
use crate::wire::{Committed, Message, StoreAnswer};

/// Open watches.
#[derive(Clone, Debug, Default)]
pub struct Streams {
    watchers: Vec<Watcher>,
    /// Looks in a row without a leader.
    looks: u32,
    timer: Timer,
    /// Runs: there is no leader.
    is_looking: bool,
    /// Where in an election time-out, counted from the process's start, the monitor looks.
    phase: Option<Duration>,
}

impl Streams {
    /// The connections of all watches.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.watchers.iter().map(|watcher| watcher.connection)
    }
}

/// One watch on a connection.
#[derive(Clone, Debug)]
struct Watcher {
    connection: ConnectionId,
    id: u32,
    needs_leader: bool,
}

impl Member {
    /// Opens a watch: what is committed after a revision, or from now on.
    pub fn watch(
        &mut self,
        from: ConnectionId,
        id: u32,
        after: Option<Revision>,
        needs_leader: bool,
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
        self.streams.watchers.push(Watcher { connection: from, id, needs_leader });
    }

    /// Tells every watcher.
    pub fn publish_change(&self, committed: &Committed, ctx: &mut Ctx<Event>) {
        for watcher in &self.streams.watchers {
            ctx.send(watcher.connection, Message::Committed(committed.clone()));
        }
    }

    /// A snapshot has brought what came after a revision.
    pub fn catch_up_watchers(&mut self, after: Revision, ctx: &mut Ctx<Event>) {
        if after < self.store.compacted() {
            for watcher in std::mem::take(&mut self.streams.watchers) {
                let message = Message::StoreEnded(watcher.id, error_of(COMPACTED));
                ctx.send(watcher.connection, message);
            }
            return;
        }
        for committed in self.store.since(after) {
            self.publish_change(committed, ctx);
        }
    }

    /// A client is gone.
    pub fn forget_watches(&mut self, connection: ConnectionId) {
        self.streams.watchers.retain(|watcher| watcher.connection != connection);
    }

    /// The monitor begins to look when the leader is lost, and rests when there is one.
    pub fn watch_over_leader(&mut self, ctx: &mut Ctx<Event>) {
        match (self.raft.leader(), self.streams.is_looking) {
            (None, false) => {
                self.streams.is_looking = true;
                self.streams.looks = 0;
                self.arm_monitor(ctx);
            }
            (Some(_), true) => {
                self.streams.is_looking = false;
                self.streams.timer.cancel();
            }
            _ => {}
        }
    }

    /// The monitor looks.
    pub fn monitor(&mut self, due: Generation, ctx: &mut Ctx<Event>) {
        if !self.streams.timer.is_current(due) {
            return;
        }
        self.streams.looks += 1;
        if self.streams.looks >= self.settings.monitor_looks {
            let (ended, kept) = std::mem::take(&mut self.streams.watchers)
                .into_iter()
                .partition(|watcher| watcher.needs_leader);
            self.streams.watchers = kept;
            let ended: Vec<Watcher> = ended;
            for watcher in ended {
                let message = Message::StoreEnded(watcher.id, error_of(NO_LEADER));
                ctx.send(watcher.connection, message);
            }
        }
        self.arm_monitor(ctx);
    }

    /// At the next of its looks, which go on from the start of the process.
    fn arm_monitor(&mut self, ctx: &mut Ctx<Event>) {
        let period = self.settings.election_timeout();
        let phase = match self.streams.phase {
            Some(phase) => phase,
            None => *self.streams.phase.insert(below(period, ctx.draw(MONITOR))),
        };
        let since = (ctx.now().since(self.started) + period).saturating_sub(phase);
        let pause = period.saturating_sub(since.modulo(period));
        let due = self.streams.timer.restart();
        ctx.after("etcd.noLeaderLooks", pause, Event::Monitor(due));
    }
}
