//! What a member with data does before Raft runs and anybody is served, where it is set up so: it asks
//! each other member for the hash of its data, one after the other.
//!
//! Follows `InitialCheck` and `getPeerHashKVs` of `etcdserver/corrupt.go`, which `StartEtcd` of
//! `embed/etcd.go` calls before the server starts and its ports are served. The ports are open meanwhile: two
//! members that begin at the same time wait for each other until one gives the other up.
//!
//! Simplified: reading the data and adding up takes no time, and no two members' data differ at the same
//! revision; a client that is accepted meanwhile does not give up its handshake, for which an API server has
//! 20 s and five members that begin together may need 28.

use super::{Etcd, Event, Life, PEER_PORT, Store};
use crate::engine::{SimTime, Text, Timer};
use crate::infra::{Broken, ConnectionId, Ctx, Input};
use crate::raft::{Disk, MemberId};
use crate::timeline::Cause;
use crate::wire::{Message, PeerMessage, Proposal};

/// A member that asks the others.
#[derive(Clone, Debug)]
pub struct Checking {
    /// Those whom it has not asked, the next at the end.
    unasked: Vec<Text>,
    /// Who is asked now, on which connection, since when.
    asked: Option<(Text, ConnectionId, SimTime)>,
    /// How long it waits for the one that was asked.
    turn: Timer,
    /// What others want lies in the sockets until it serves.
    held: Vec<(Input<Event>, Cause)>,
}

const DIALED: &str = "dial tcp: i/o timeout";
const LATE: &str = "context deadline exceeded";

impl Etcd {
    /// The VMs of those whom a member with these data will ask, in the order of their numbers. Releases up to
    /// 3.5 know who belongs to the group from the last snapshot file (`Recover` of `membership/cluster.go`).
    ///
    /// Simplified: who was removed since that snapshot is not asked.
    pub(super) fn to_check(&self, id: MemberId, wal: &Disk<Proposal>, store: &Store) -> Vec<Text> {
        if !self.settings.initial_check {
            return Vec::new();
        }
        let reads_database = self.settings.check_reads_database;
        let is_known = |id| reads_database || wal.snapshot.membership.contains(id);
        let others = store.members().iter().filter(|it| it.id != id && is_known(it.id));
        others.map(|other| other.vm.clone()).collect()
    }

    /// Asks these before it begins.
    pub(super) fn begin_check(&mut self, mut others: Vec<Text>, ctx: &mut Ctx<Event>) {
        ctx.log("starting initial corruption check");
        others.reverse();
        let (asked, turn, held) = (None, Timer::default(), Vec::new());
        self.phase = Life::Checking(Checking { unasked: others, asked, turn, held });
        self.check_next(ctx);
    }

    /// Asks the next; whoever has not answered is done without.
    fn check_next(&mut self, ctx: &mut Ctx<Event>) {
        let dial = self.settings.peer_dial_timeout();
        let Life::Checking(checking) = &mut self.phase else { return };
        let Some(vm) = checking.unasked.pop() else { return self.end_check(ctx) };
        let asked = ctx.connect_to_vm(vm.clone(), PEER_PORT);
        ctx.send(asked, Message::Handshake);
        ctx.send(asked, Message::Peer(PeerMessage::AskHash));
        checking.asked = Some((vm, asked, ctx.now()));
        let due = checking.turn.restart();
        ctx.after("etcd.peerDialTimeoutBase", dial, Event::CheckLate(due));
    }

    /// The one that was asked has not answered.
    fn miss_hash(&mut self, error: &str, ctx: &mut Ctx<Event>) {
        let Life::Checking(checking) = &mut self.phase else { return };
        if let Some((vm, connection, _)) = checking.asked.take() {
            ctx.close(connection);
            ctx.log(format!("failed hash kv request {vm}: {error}"));
        }
        self.check_next(ctx);
    }

    /// An event while it asks.
    pub(super) fn on_checking(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let limit = self.settings.request_timeout();
        let Life::Checking(checking) = &mut self.phase else { return };
        let asked = checking.asked.as_ref().map(|(_, connection, _)| *connection);
        match input {
            Input::Message(from, Message::Peer(PeerMessage::Hash)) if asked == Some(from) => {
                checking.asked = None;
                ctx.close(from);
                self.check_next(ctx);
            }
            // It is connected: now the whole request may take its time.
            Input::Message(from, Message::Handshake) if asked == Some(from) => {
                let since = checking.asked.as_ref().map_or(ctx.now(), |(_, _, since)| *since);
                let due = checking.turn.restart();
                let rest = limit.saturating_sub(ctx.now().since(since));
                ctx.after("etcd.requestTimeoutBase", rest, Event::CheckLate(due));
            }
            Input::Broken(connection, how) if asked == Some(connection) => {
                self.miss_hash(word_of(how), ctx);
            }
            Input::Due(Event::CheckLate(due)) if checking.turn.is_current(due) => {
                let since = checking.asked.as_ref().map_or(ctx.now(), |(_, _, since)| *since);
                let is_whole = ctx.now().since(since) >= limit;
                self.miss_hash(if is_whole { LATE } else { DIALED }, ctx);
            }
            // Simplified: said at once, and asked again after a moment. In truth the stream's request waits
            // in the socket, as the posts do that leave meanwhile.
            Input::Message(from, Message::Peer(PeerMessage::Open { .. })) => {
                ctx.send(from, Message::Peer(PeerMessage::Refused));
            }
            // The port of the health checks is opened last (`serveMetrics`).
            Input::Message(from, Message::HealthCheck(..)) => ctx.close(from),
            Input::Message(_, Message::Store(_) | Message::Peer(_)) | Input::Broken(..) => {
                checking.held.push((input, ctx.cause()));
            }
            _ => {}
        }
    }

    /// All have been asked: Raft runs, and those who waited are served.
    fn end_check(&mut self, ctx: &mut Ctx<Event>) {
        let Life::Checking(checking) = std::mem::replace(&mut self.phase, Life::Over) else {
            return;
        };
        ctx.log("initial corruption checking passed; no corruption");
        self.begin(&[], ctx);
        self.serve_those_held(checking.held, ctx);
    }
}

fn word_of(how: Broken) -> &'static str {
    match how {
        Broken::Refused => "dial tcp: connect: connection refused",
        Broken::Closed => "EOF",
        Broken::Reset => "read: connection reset by peer",
        Broken::Lost | Broken::Unanswered => "read: connection timed out",
    }
}
