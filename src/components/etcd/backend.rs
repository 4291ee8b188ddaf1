//! The database file: what was applied is committed to it every so often, and while the disk writes that,
//! nothing is applied, and nothing that needs the database is answered.
//!
//! Follows `run` of etcd's `storage/backend/backend.go` and `commit` of `batch_tx.go`, which holds the lock of the
//! writing transaction and that of all who begin to read over bbolt's `Commit`; that flushes twice, the pages
//! and then the page that leads to them. Each read takes that lock (`ConcurrentReadTx`), and so does whatever
//! has a revision in its header (`KV().Rev()`): a status, a lease's renewal, a watch that begins. A list of
//! members has none. The log is written, and Raft goes on, meanwhile.
//!
//! On a disk that is well commits are not played: they take milliseconds, ten times a second. Once it is slow or
//! stalled each is, from what was applied just before.
//!
//! Simplified: a commit that is under way when the disk gets ill is over; one with a deletion in it waits for its
//! time too, where releases since 3.4.30, 3.5.12 and 3.6 commit at once; a database that is sent to another
//! member does not wait. The first commit of an ill disk begins with what the member hears next, which is a tick
//! later at most, but may be long if it is alone and nobody asks it.

use super::requests::{Client, Query};
use super::{COMMIT_FLUSH, COMMIT_PHASE, Event, Member};
use crate::engine::{Duration, Rule, SimTime, below};
use crate::infra::{ConnectionId, Ctx, NoSpace};
use crate::raft::{Entry, Payload, Ready};
use crate::timeline::Cause;
use crate::wire::{Message, PeerMessage, Proposal, StoreOperation, StoreRequest};

/// Where the database is.
const DATABASE: &str = "/var/lib/etcd/member/snap/db";
/// What a flush of a commit is for.
const COMMITS: Rule = "etcd commits to its database";
/// How often bbolt flushes in a commit.
const FLUSHES: u32 = 2;

/// What has been applied and not been committed, and what waits for a commit to end.
#[derive(Clone, Debug, Default)]
pub struct Backend {
    /// When something was applied last that no commit has taken up; on a disk that is well also what one has.
    applied: Option<SimTime>,
    /// When the pauses between commits began that go on now, if it is known.
    paused: Option<SimTime>,
    commit: Commit,
    waiting: Vec<Waiting>,
    /// What Raft has committed meanwhile.
    backlog: Vec<Entry<Proposal>>,
}

/// Whether a commit is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Commit {
    #[default]
    None,
    /// Its time is set.
    Due,
    /// The disk is at work, with so many flushes to go.
    Writes(u32),
}

/// Who waits for what, and what led to it.
#[derive(Clone, Debug)]
struct Waiting {
    wants: Wants,
    cause: Cause,
}

/// What needs the database.
#[derive(Clone, Debug)]
pub enum Wants {
    Look(Client, Query),
    Serve(Client, StoreOperation),
    Ask(ConnectionId, StoreRequest),
    Hash(ConnectionId),
}

impl Backend {
    /// That of a process which has just opened its database, and thereby written to it (`NewStore` of
    /// `mvcc/kvstore.go`).
    pub fn opened(now: SimTime) -> Backend {
        Backend { applied: Some(now), paused: Some(now), ..Backend::default() }
    }

    /// True while the disk writes a commit.
    pub fn is_committing(&self) -> bool {
        matches!(self.commit, Commit::Writes(_))
    }

    /// True if no commit is played.
    pub fn is_idle(&self) -> bool {
        self.commit == Commit::None
    }

    /// True if Raft is ahead of the store.
    pub fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Something was applied that has changed the database.
    pub fn touch(&mut self, now: SimTime) {
        self.applied = Some(now);
    }

    /// A client is gone.
    pub fn forget(&mut self, connection: ConnectionId) {
        self.waiting.retain(|waiting| match &waiting.wants {
            Wants::Look(client, _) | Wants::Serve(client, _) => !client.is_at(connection),
            Wants::Ask(from, _) | Wants::Hash(from) => *from != connection,
        });
    }
}

/// True if an operation is answered with a revision.
pub fn needs_database(operation: &StoreOperation) -> bool {
    matches!(
        operation,
        StoreOperation::Status | StoreOperation::SnapshotSave | StoreOperation::LeaseKeepAlive(_)
    )
}

/// True for what Raft's loop waits for until it is applied: a snapshot, a change of the group.
fn holds_loop(ready: &Ready<Proposal>) -> bool {
    let is_change = |entry: &Entry<Proposal>| matches!(entry.payload, Payload::Change(..));
    ready.snapshot.is_some() || ready.committed.iter().any(is_change)
}

impl Member {
    /// Keeps who needs the database until its commit has ended.
    pub fn keep_waiting(&mut self, wants: Wants, ctx: &Ctx<Event>) {
        self.backend.waiting.push(Waiting { wants, cause: ctx.cause() });
    }

    /// Another member asks for the hash of the data.
    pub fn tell_hash(&mut self, to: ConnectionId, ctx: &mut Ctx<Event>) {
        match self.backend.is_committing() {
            true => self.keep_waiting(Wants::Hash(to), ctx),
            false => ctx.send(to, Message::Peer(PeerMessage::Hash)),
        }
    }

    /// True if Raft's loop has to wait with what it has for the database.
    pub fn is_kept_by_backend(&self, ready: &Ready<Proposal>) -> bool {
        self.backend.is_committing() && holds_loop(ready)
    }

    /// True if these entries were put aside, for they cannot be applied now.
    pub fn puts_aside(&mut self, entries: &[Entry<Proposal>]) -> bool {
        let waits = self.backend.is_committing() && !entries.is_empty();
        if waits {
            self.backend.backlog.extend_from_slice(entries);
        }
        waits
    }

    /// On a disk that is not well, has what was applied be committed in its time.
    pub fn see_to_commit(&mut self, ctx: &mut Ctx<Event>) {
        let Some(ill_since) = ctx.disk().ill_since else { return };
        let Some(applied) = self.backend.applied.filter(|_| self.backend.is_idle()) else { return };
        if self.is_stopping {
            return;
        }
        let interval = self.settings.backend_batch;
        let paused = match self.backend.paused {
            Some(paused) => paused,
            None => self.started + below(interval, ctx.draw(COMMIT_PHASE)),
        };
        self.backend.paused = Some(paused);
        let at = next_after(applied, paused, interval);
        if at < ill_since {
            self.backend.applied = None;
        } else if at > ctx.now() {
            self.backend.commit = Commit::Due;
            ctx.after("etcd.backendBatchInterval", at.since(ctx.now()), Event::CommitDue);
        } else {
            self.begin_commit(ctx);
        }
    }

    /// The time of a commit has come.
    pub fn commit_due(&mut self, ctx: &mut Ctx<Event>) {
        if self.backend.commit != Commit::Due {
            return;
        }
        match ctx.disk().ill_since {
            Some(_) => self.begin_commit(ctx),
            None => self.backend.commit = Commit::None,
        }
    }

    fn begin_commit(&mut self, ctx: &mut Ctx<Event>) {
        self.backend.applied = None;
        self.flush_commit(FLUSHES, ctx);
    }

    fn flush_commit(&mut self, flushes: u32, ctx: &mut Ctx<Event>) {
        let takes = ctx.draw_delay(COMMIT_FLUSH, self.settings.wal_fsync);
        match ctx.flush(COMMITS, takes, Event::Committed) {
            Ok(()) => self.backend.commit = Commit::Writes(flushes),
            Err(NoSpace) => {
                ctx.log(format!("failed to commit tx: write {DATABASE}: {NoSpace}"));
                self.stop(ctx);
            }
        }
    }

    /// A flush of a commit has ended. After the last those who wait to read come first, since they have waited
    /// for the lock that is let go first.
    pub fn committed(&mut self, ctx: &mut Ctx<Event>) {
        match self.backend.commit {
            Commit::Writes(left) if left > 1 => return self.flush_commit(left - 1, ctx),
            Commit::Writes(_) => {}
            Commit::None | Commit::Due => return,
        }
        self.backend.commit = Commit::None;
        self.backend.paused = Some(ctx.now());
        let cause = ctx.cause();
        for waiting in std::mem::take(&mut self.backend.waiting) {
            ctx.turn_of(waiting.cause, None);
            self.grant_wish(waiting.wants, ctx);
        }
        ctx.back_to(cause);
        for entry in std::mem::take(&mut self.backend.backlog) {
            self.apply(&entry, ctx);
        }
        ctx.back_to(cause);
        self.answer_reads(ctx);
        self.go_on_writing(ctx);
        self.cut_log(ctx.now());
    }

    fn grant_wish(&mut self, wants: Wants, ctx: &mut Ctx<Event>) {
        match wants {
            Wants::Look(client, query) => self.look_at_once(client, query, ctx),
            Wants::Serve(client, operation) => self.serve(client, operation, ctx),
            Wants::Ask(from, request) => self.accept(from, request, ctx),
            Wants::Hash(from) => self.tell_hash(from, ctx),
        }
    }
}

/// The first end of a pause after a time.
fn next_after(time: SimTime, paused: SimTime, interval: Duration) -> SimTime {
    if time < paused {
        return paused;
    }
    time + interval.saturating_sub(time.since(paused).modulo(interval))
}
