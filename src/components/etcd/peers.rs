//! Links between members. What a member sends to another leaves on a stream that the other has
//! opened, as in `etcd-io/etcd:server/etcdserver/api/rafthttp`.
//!
//! A link whose process has died breaks at once; one that fell silent is given up by its reader
//! after a time-out, and opened anew again and again. Nothing is sent twice: raft repairs.
//!
//! While the other has not opened its stream, messages are posted (`rafthttp/pipeline.go`): where this
//! member has reached the other itself, simplified, on the connection of that stream; else on a
//! connection of their own, which the kernel of a process that only begins accepts for it. Nobody is posted
//! to who has not answered a dial for long: that connection would wait likewise.

use super::{Event, Member, PEER_PORT};
use crate::engine::{Generation, SimTime, Text, Timer};
use crate::infra::{Broken, ConnectionId, Ctx};
use crate::raft::{Body, MemberId, Message as RaftMessage, SnapshotStatus};
use crate::wire::{Database, MemberInfo, Message, PeerMessage, Proposal, StoreAnswer};
use std::sync::Arc;

/// Another member, as far as this one is linked to it.
#[derive(Clone, Debug)]
pub struct Peer {
    pub id: MemberId,
    pub vm: Text,
    /// The stream on which it sends, opened by this member.
    reader: Option<ConnectionId>,
    /// The stream on which this member sends, opened by the other.
    writer: Option<ConnectionId>,
    /// Since when the reader has been well.
    active_since: Option<SimTime>,
    heard: SimTime,
    /// When it last answered this member as its leader.
    answered: SimTime,
    dial: Timer,
    read: Timer,
    /// Nothing has come of the last dial for a while, not even a refusal.
    is_silent: bool,
}

impl Peer {
    pub fn new(id: MemberId, vm: Text) -> Peer {
        Peer {
            id,
            vm,
            reader: None,
            writer: None,
            active_since: None,
            heard: SimTime::ZERO,
            answered: SimTime::ZERO,
            dial: Timer::default(),
            read: Timer::default(),
            is_silent: false,
        }
    }

    /// Where what is for it leaves.
    pub fn way(&self) -> Option<ConnectionId> {
        self.writer.or(self.reader.filter(|_| self.is_active()))
    }

    /// Where what is for it is posted while there is no way.
    pub fn post(&self) -> Option<&Text> {
        Some(&self.vm).filter(|_| self.way().is_none() && !self.is_silent)
    }

    /// The stream on which this member sends to it.
    pub fn writer(&self) -> Option<ConnectionId> {
        self.writer
    }

    /// It answered this member as its leader then, unplayed; when it last did.
    pub fn answer(&mut self, at: SimTime) -> SimTime {
        self.answered = self.answered.max(at);
        self.answered
    }

    /// Something came from it then that was not played.
    pub fn hear(&mut self, at: SimTime) {
        self.heard = self.heard.max(at);
    }

    /// True if it can be heard.
    pub fn is_active(&self) -> bool {
        self.active_since.is_some()
    }

    /// Since when it can be heard without a break.
    pub fn active_since(&self) -> Option<SimTime> {
        self.active_since
    }
}

/// Opening, keeping and giving up links.
impl Member {
    pub fn peer(&self, id: MemberId) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.id == id)
    }

    fn peer_mut(&mut self, id: MemberId) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.id == id)
    }

    /// Knows these members, and forgets all others.
    pub fn set_peers(&mut self, members: &[MemberInfo], ctx: &mut Ctx<Event>) {
        let wanted = |id: MemberId| members.iter().any(|member| member.id == id);
        let (kept, gone) = std::mem::take(&mut self.peers)
            .into_iter()
            .partition::<Vec<Peer>, _>(|peer| wanted(peer.id));
        self.peers = kept;
        for connection in gone.iter().flat_map(|peer| [peer.reader, peer.writer]).flatten() {
            ctx.close(connection);
        }
        for member in members {
            if member.id != self.id && self.peer(member.id).is_none() {
                self.peers.push(Peer::new(member.id, member.vm.clone()));
                self.dial_now(member.id, ctx);
            }
        }
        self.peers.sort_unstable_by_key(|peer| peer.id);
    }

    /// Ends all links: this member says nothing more.
    pub fn close_links(&self, ctx: &mut Ctx<Event>) {
        for connection in self.peers.iter().flat_map(|peer| [peer.reader, peer.writer]).flatten() {
            ctx.close(connection);
        }
    }

    /// All links are up, and have been for long.
    pub fn open_links(&mut self) {
        for peer in &mut self.peers {
            peer.active_since = Some(SimTime::ZERO);
        }
    }

    pub fn dial(&mut self, id: MemberId, due: Generation, ctx: &mut Ctx<Event>) {
        if self.peer(id).is_some_and(|peer| peer.dial.is_current(due)) {
            self.dial_now(id, ctx);
        }
    }

    /// Opens a stream on which the member is to send.
    fn dial_now(&mut self, id: MemberId, ctx: &mut Ctx<Event>) {
        let retry = self.settings.syn_retry;
        let Some(peer) = self.peer_mut(id) else { return };
        if let Some(old) = peer.reader.take() {
            ctx.close(old);
        }
        let reader = ctx.connect_to_vm(peer.vm.clone(), PEER_PORT);
        peer.reader = Some(reader);
        peer.heard = ctx.now();
        let due = peer.dial.restart();
        self.ask_to_open(id, ctx);
        ctx.after("etcd.synRetry", retry, Event::DialLate(id, due));
    }

    fn ask_to_open(&self, id: MemberId, ctx: &mut Ctx<Event>) {
        let Some(reader) = self.peer(id).and_then(|peer| peer.reader) else { return };
        let (cluster, from) = (self.store.origin().cluster, self.id);
        ctx.send(reader, Message::Peer(PeerMessage::Open { cluster, from, to: id }));
    }

    /// Nothing came of a dial so far: the handshake is tried once more, then the dial is over.
    pub fn dial_late(&mut self, id: MemberId, due: Generation, ctx: &mut Ctx<Event>) {
        let (retry, limit) = (self.settings.syn_retry, self.settings.peer_dial_timeout());
        let Some(peer) = self.peer_mut(id) else { return };
        if !peer.dial.is_current(due) || peer.reader.is_none() {
            return;
        }
        peer.is_silent = true;
        let waited = ctx.now().since(peer.heard);
        if waited < limit {
            self.ask_to_open(id, ctx);
            let rest = limit.saturating_sub(waited);
            ctx.after("etcd.synRetry", retry.min(rest), Event::DialLate(id, due));
        } else {
            peer.active_since = None;
            let vm = peer.vm.clone();
            unhealthy(&vm, "i/o timeout", ctx);
            self.dial_now(id, ctx);
        }
    }

    /// Nothing may have come for too long.
    pub fn read_late(&mut self, id: MemberId, due: Generation, ctx: &mut Ctx<Event>) {
        let limit = self.settings.peer_read_timeout;
        let Some(peer) = self.peer_mut(id) else { return };
        if !peer.read.is_current(due) || peer.reader.is_none() {
            return;
        }
        let silent = ctx.now().since(peer.heard);
        if silent < limit {
            let rest = limit.saturating_sub(silent);
            return ctx.after("etcd.peerReadTimeout", rest, Event::ReadLate(id, due));
        }
        peer.active_since = None;
        lost(&peer.vm, "i/o timeout", ctx);
        self.dial_now(id, ctx);
    }

    /// The streams that this member writes are used now and then.
    pub fn keep_links(&mut self, ctx: &mut Ctx<Event>) {
        for writer in self.peers.iter().filter_map(|peer| peer.writer) {
            ctx.send(writer, Message::Peer(PeerMessage::Alive));
        }
    }

    /// A link is over; false if it was none.
    pub fn lose_link(
        &mut self,
        connection: ConnectionId,
        how: Option<Broken>,
        ctx: &mut Ctx<Event>,
    ) -> bool {
        let pause = self.settings.peer_dial_pause;
        let is_it =
            |peer: &&mut Peer| peer.reader == Some(connection) || peer.writer == Some(connection);
        let Some(peer) = self.peers.iter_mut().find(is_it) else { return false };
        let id = peer.id;
        if peer.writer == Some(connection) {
            peer.writer = None;
            self.raft.report_unreachable(id);
            self.end_snapshot(id, ctx);
        } else {
            peer.reader = None;
            peer.active_since = None;
            peer.is_silent = false;
            let due = peer.dial.restart();
            peer.read.cancel();
            tell_loss(&peer.vm, how, ctx);
            ctx.after("etcd.peerDialPause", pause, Event::Dial(id, due));
        }
        true
    }
}

/// What members say.
impl Member {
    pub fn hear_peer(&mut self, from: ConnectionId, message: PeerMessage, ctx: &mut Ctx<Event>) {
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.reader == Some(from)) {
            peer.heard = ctx.now();
        }
        match message {
            PeerMessage::Raft(message) => self.step(message, ctx),
            PeerMessage::Posted(cluster, message) => {
                if cluster == self.store.origin().cluster && message.to == self.id {
                    self.step(message, ctx);
                }
            }
            PeerMessage::Open { cluster, from: id, to } => {
                let answer = self.admit(from, cluster, id, to);
                ctx.send(from, Message::Peer(answer));
            }
            PeerMessage::Opened => self.opened(from, ctx),
            PeerMessage::Refused => _ = self.lose_link(from, None, ctx),
            PeerMessage::Gone => {
                ctx.log("the member has been permanently removed from the cluster");
                ctx.log("data-dir used by this member must be removed");
                self.stop(ctx);
            }
            PeerMessage::Snapshot(message, database) => {
                // An older one that comes behind changes nothing: raft has taken more.
                if self.incoming.as_ref().is_none_or(|(at, _)| *at <= database.applied) {
                    self.incoming = Some((database.applied, database));
                }
                let to = message.from;
                self.step(message, ctx);
                self.tell_peer(to, PeerMessage::SnapshotTaken, ctx);
            }
            PeerMessage::SnapshotTaken => {
                if let Some(id) = self.peer_at(from) {
                    self.snapshot_taken(id, ctx);
                }
            }
            PeerMessage::Forward(number, operation) => {
                if let Some(id) = self.peer_at(from) {
                    self.serve_peer(id, number, *operation, ctx);
                }
            }
            PeerMessage::Forwarded(number, answer) => self.forwarded(number, *answer, ctx),
            PeerMessage::WhoIsMember => {
                let members = self.store.members().to_vec();
                let answer = PeerMessage::Members(members, self.store.origin());
                ctx.send(from, Message::Peer(answer));
            }
            PeerMessage::AskHash => self.tell_hash(from, ctx),
            PeerMessage::Alive | PeerMessage::Members(..) | PeerMessage::Hash => {}
        }
    }

    /// A member opens a stream to hear this one. First comes which cluster it is of: the numbers of another
    /// one's members mean nothing here (`ServeHTTP` of `rafthttp/http.go`).
    fn admit(
        &mut self,
        stream: ConnectionId,
        cluster: SimTime,
        id: MemberId,
        to: MemberId,
    ) -> PeerMessage {
        if cluster != self.store.origin().cluster {
            return PeerMessage::Refused;
        }
        if self.store.is_removed(id) {
            return PeerMessage::Gone;
        }
        let is_own = to == self.id;
        match self.peer_mut(id).filter(|_| is_own) {
            Some(peer) => {
                peer.writer = Some(stream);
                PeerMessage::Opened
            }
            None => PeerMessage::Refused,
        }
    }

    fn opened(&mut self, stream: ConnectionId, ctx: &mut Ctx<Event>) {
        let limit = self.settings.peer_read_timeout;
        let found = self.peers.iter_mut().find(|peer| peer.reader == Some(stream));
        let Some(peer) = found else { return };
        peer.active_since.get_or_insert(ctx.now());
        peer.is_silent = false;
        peer.dial.cancel();
        let due = peer.read.restart();
        if self.settings.peer_read_timeout_applies {
            ctx.after("etcd.peerReadTimeout", limit, Event::ReadLate(peer.id, due));
        }
    }

    /// Says something to a member, if it is linked.
    pub fn tell_peer(&mut self, id: MemberId, message: PeerMessage, ctx: &mut Ctx<Event>) {
        if let Some(way) = self.peer(id).and_then(Peer::way) {
            ctx.send(way, Message::Peer(message));
        }
    }

    /// The member at the other end of a link.
    fn peer_at(&self, connection: ConnectionId) -> Option<MemberId> {
        let is_there = |peer: &&Peer| [peer.reader, peer.writer].contains(&Some(connection));
        self.peers.iter().find(is_there).map(|peer| peer.id)
    }

    /// Hands a message to raft. A proposal waits until there is a leader for it.
    pub fn step(&mut self, message: RaftMessage<Proposal>, ctx: &mut Ctx<Event>) {
        if self.store.is_removed(message.from) {
            return;
        }
        if matches!(message.body, Body::Propose(_)) && self.raft.leader().is_none() {
            return self.hold_proposal(message);
        }
        self.note_contact(&message, ctx.now());
        if let Err(fatal) = self.raft.step(message) {
            ctx.log(format!("panic: {fatal}"));
            self.stop(ctx);
        }
    }
}

/// Who was heard when, for those who have to add what was not played.
impl Member {
    fn note_contact(&mut self, message: &RaftMessage<Proposal>, now: SimTime) {
        match &message.body {
            Body::Append { .. } | Body::Heartbeat { .. } | Body::Snapshot(_) => self.followed = now,
            Body::AppendResponse(_) | Body::HeartbeatResponse { .. } => {
                if let Some(peer) = self.peer_mut(message.from) {
                    peer.answered = now;
                }
            }
            _ => {}
        }
    }
}

/// Snapshots for members that are far behind.
impl Member {
    /// Sends what is applied now in place of the snapshot that raft knew of.
    pub fn send_snapshot(
        &mut self,
        writer: ConnectionId,
        mut message: RaftMessage<Proposal>,
        ctx: &mut Ctx<Event>,
    ) {
        let to = message.to;
        // While its database is written to an ill disk the store is behind Raft: it is the store that travels
        // (`createMergedSnapshotMessage` takes what is applied to it).
        let database = Arc::new(self.store.database().clone());
        let snapshot = match self.backend.has_backlog() {
            true => self.raft.snapshot_at(database.applied, database.membership()),
            false => Some(self.raft.take_snapshot()),
        };
        let snapshot = snapshot.expect("no log is cut behind what the store has");
        message.body = Body::Snapshot(Box::new(snapshot));
        ctx.send(writer, Message::Peer(PeerMessage::Snapshot(message, database)));
        ctx.log(format!("sent database snapshot to {}", self.name_of(to)));
        self.sending.push(to);
        self.sent_snapshot = Some(ctx.now());
        let limit = self.settings.peer_read_timeout;
        ctx.after("etcd.peerReadTimeout", limit, Event::SnapshotLate(to));
    }

    fn snapshot_taken(&mut self, id: MemberId, ctx: &mut Ctx<Event>) {
        self.sending.retain(|other| *other != id);
        self.sent_snapshot = Some(ctx.now());
        self.raft.report_snapshot(id, SnapshotStatus::Finished);
    }

    /// A snapshot that nobody has acknowledged is lost.
    pub fn end_snapshot(&mut self, id: MemberId, ctx: &mut Ctx<Event>) {
        if self.sending.contains(&id) {
            self.sending.retain(|other| *other != id);
            self.sent_snapshot = Some(ctx.now());
            self.raft.report_snapshot(id, SnapshotStatus::Failed);
        }
    }

    /// Raft has taken a snapshot in place of the log: so does the store.
    pub fn take_over_snapshot(&mut self, index: u64, ctx: &mut Ctx<Event>) {
        let Some((at, database)) = self.incoming.take() else { return };
        assert!(at >= index, "a snapshot comes with the state at its index");
        self.replace_store(&database, ctx);
    }

    /// The answer to what another member has forwarded.
    pub fn answer_peer(
        &mut self,
        id: MemberId,
        number: u64,
        answer: StoreAnswer,
        ctx: &mut Ctx<Event>,
    ) {
        self.tell_peer(id, PeerMessage::Forwarded(number, Box::new(answer)), ctx);
    }

    /// Of a snapshot what this member did not know of: watchers get what they have missed.
    fn replace_store(&mut self, database: &Database, ctx: &mut Ctx<Event>) {
        let before = self.store.revision();
        self.store = super::Store::of(database);
        self.last_cut = database.applied;
        self.set_peers(&database.members, ctx);
        self.catch_up_watchers(before, ctx);
    }
}

/// What a member says of a peer whose stream has ended, or that could not be dialed.
fn tell_loss(peer: &Text, how: Option<Broken>, ctx: &mut Ctx<Event>) {
    match how {
        Some(Broken::Refused) => unhealthy(peer, "connect: connection refused", ctx),
        Some(Broken::Closed) => lost(peer, "EOF", ctx),
        Some(Broken::Reset) => lost(peer, "read: connection reset by peer", ctx),
        Some(Broken::Lost | Broken::Unanswered) => lost(peer, "read: connection timed out", ctx),
        None => {}
    }
}

fn lost(peer: &Text, error: &str, ctx: &mut Ctx<Event>) {
    ctx.log(format!("lost TCP streaming connection with remote peer {peer}: {error}"));
}

/// Simplified: said when a dial fails, where the real prober looks every 4 s and speaks every 5.
fn unhealthy(peer: &Text, error: &str, ctx: &mut Ctx<Event>) {
    ctx.log(format!("prober detected unhealthy status {peer}: dial tcp: {error}"));
}
