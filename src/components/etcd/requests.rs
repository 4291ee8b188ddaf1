//! What clients ask: who may be answered, by whom, and with what.
//!
//! Nobody is answered before the member has published itself through the log. Follows
//! `v3rpc/interceptor.go` for learners and `hasleader`, and the servers beside it.

use super::backend::{Wants, needs_database};
use super::errors::{FOR_LEARNER, NO_LEADER, NOT_LEADER, failed};
use super::{Event, Member};
use crate::api::{Kind, ObjectKey};
use crate::engine::{SimTime, Text};
use crate::infra::{Broken, ConnectionId, Ctx};
use crate::raft::{MemberId, Role};
use crate::timeline::Cause;
use crate::wire::{
    Consistency, MemberStatus, Message, StoreAnswer, StoreOperation, StoreRequest, Write,
};

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// A connection, and the number of its request.
    Connection(ConnectionId, u32),
    /// Another member, and the number of what it has forwarded.
    Peer(MemberId, u64),
    /// A health check on a connection.
    Probe(ConnectionId, u32),
    /// The member itself, which publishes its name.
    Publish,
    /// Nobody.
    Nobody,
}

/// What a read looks up.
#[derive(Clone, Debug)]
pub enum Query {
    Get(ObjectKey),
    Range(Kind),
    Members,
    /// Whether it can be read at all.
    Nothing,
}

/// A request that came before clients are served, with what led to it.
#[derive(Clone, Debug)]
pub struct Early {
    pub from: ConnectionId,
    pub request: StoreRequest,
    pub cause: Cause,
}

/// A request that only the leader can answer, on its way there.
#[derive(Clone, Debug)]
pub struct Forwarded {
    number: u64,
    client: Client,
    operation: StoreOperation,
    deadline: SimTime,
    /// To whom it went, on the link that has been up since then.
    tried: Option<(MemberId, Option<SimTime>)>,
}

impl Client {
    /// True if it is at the other end of this connection.
    pub fn is_at(&self, connection: ConnectionId) -> bool {
        match self {
            Client::Connection(own, _) | Client::Probe(own, _) => *own == connection,
            Client::Peer(..) | Client::Publish | Client::Nobody => false,
        }
    }
}

impl Member {
    /// A client's request comes in.
    pub fn accept(&mut self, from: ConnectionId, request: StoreRequest, ctx: &mut Ctx<Event>) {
        if !self.is_serving {
            return self.early.push(Early { from, request, cause: ctx.cause() });
        }
        let client = Client::Connection(from, request.id);
        if self.is_learner() && !self.serves_as_learner(&request.operation) {
            return self.answer(client, failed((self.settings.learner_code, FOR_LEARNER)), ctx);
        }
        if request.require_leader && self.seen.1.is_none() {
            return self.answer(client, failed(NO_LEADER), ctx);
        }
        if let StoreOperation::Watch(after) = request.operation {
            if self.backend.is_committing() {
                return self.keep_waiting(Wants::Ask(from, request), ctx);
            }
            return self.watch(from, request.id, after, request.require_leader, ctx);
        }
        let address = (request.sender, request.count);
        match request.operation {
            StoreOperation::Get(key, how) => self.look(client, Query::Get(key), how, ctx),
            StoreOperation::Range(kind, how) => self.look(client, Query::Range(kind), how, ctx),
            StoreOperation::Transact { key, expected, put, by, writer } => {
                let write = Write::Transact { key, expected, put, by, writer, lease: None };
                self.propose(client, address, write, ctx);
            }
            StoreOperation::Leased(id, inner) => {
                let StoreOperation::Transact { key, expected, put, by, writer } = *inner else {
                    return;
                };
                let lease = Some(id);
                let write = Write::Transact { key, expected, put, by, writer, lease };
                self.propose(client, address, write, ctx);
            }
            StoreOperation::LeaseGrant(length) => self.grant(client, address, length, ctx),
            StoreOperation::LeaseRevoke(id) => {
                self.propose(client, address, Write::LeaseRevoke(id), ctx);
            }
            operation => self.serve(client, operation, ctx),
        }
    }

    /// A learner answers for itself, and from what it has (`isRPCSupportedForLearner` of `v3rpc/util.go`).
    fn serves_as_learner(&self, operation: &StoreOperation) -> bool {
        match operation {
            StoreOperation::Status => true,
            StoreOperation::Get(_, how) | StoreOperation::Range(_, how) => {
                *how == Consistency::Serializable
            }
            StoreOperation::SnapshotSave => self.settings.learner_sends_snapshot,
            _ => false,
        }
    }

    fn is_learner(&self) -> bool {
        self.store.member(self.id).is_some_and(|own| own.learner)
    }

    /// What does not go through the log as a client's data does.
    pub fn serve(&mut self, client: Client, operation: StoreOperation, ctx: &mut Ctx<Event>) {
        if self.backend.is_committing() && needs_database(&operation) {
            return self.keep_waiting(Wants::Serve(client, operation), ctx);
        }
        match operation {
            StoreOperation::LeaseKeepAlive(_) | StoreOperation::MemberPromote(_)
                if self.raft.role() != Role::Leader =>
            {
                self.begin_forward(client, operation, ctx);
            }
            StoreOperation::LeaseKeepAlive(id) => self.keep_alive(client, id, ctx),
            StoreOperation::MemberPromote(id) => self.promote_member(client, id, ctx),
            StoreOperation::MemberAdd { vm, learner } => self.add_member(client, vm, learner, ctx),
            StoreOperation::MemberRemove(id) => self.remove_member(client, id, ctx),
            StoreOperation::MemberList(how) => {
                let how = match self.settings.member_list_can_be_linearizable {
                    true => how,
                    false => Consistency::Serializable,
                };
                self.look(client, Query::Members, how, ctx);
            }
            StoreOperation::MoveLeader(to) => self.move_leader(client, to, ctx),
            StoreOperation::Status => {
                let status = StoreAnswer::Status(Box::new(self.status()));
                self.answer(client, status, ctx);
            }
            StoreOperation::SnapshotSave => self.save_backup(client, ctx),
            _ => {}
        }
    }

    /// Another member's client asked what only the leader can answer.
    pub fn serve_peer(
        &mut self,
        from: MemberId,
        number: u64,
        operation: StoreOperation,
        ctx: &mut Ctx<Event>,
    ) {
        let client = Client::Peer(from, number);
        match self.raft.role() {
            Role::Leader => self.serve(client, operation, ctx),
            _ => self.answer(client, failed(NOT_LEADER), ctx),
        }
    }

    /// Answers whoever waits.
    pub fn answer(&mut self, client: Client, answer: StoreAnswer, ctx: &mut Ctx<Event>) {
        match client {
            Client::Connection(to, id) => ctx.send(to, Message::Stored(id, answer)),
            Client::Peer(id, number) => self.answer_peer(id, number, answer, ctx),
            Client::Probe(to, id) => {
                let status = if matches!(answer, StoreAnswer::Failed(_)) { 503 } else { 200 };
                ctx.send(to, Message::Health(id, status, Text::EMPTY));
            }
            Client::Publish | Client::Nobody => {}
        }
    }

    /// Reads from what this member has applied.
    pub fn look_up(&self, query: &Query) -> StoreAnswer {
        let revision = self.store.revision();
        match query {
            Query::Get(key) => StoreAnswer::Value(revision, self.store.get(key)),
            Query::Range(kind) => StoreAnswer::Values(revision, self.store.range(*kind)),
            Query::Members => StoreAnswer::Members(self.store.members().to_vec()),
            Query::Nothing => StoreAnswer::Done,
        }
    }

    /// A health endpoint is asked. It is served from the beginning, on a port of its own.
    pub fn check_health(
        &mut self,
        (from, id): (ConnectionId, u32),
        path: &str,
        ctx: &mut Ctx<Event>,
    ) {
        let probe = Client::Probe(from, id);
        let serializable = path.contains("serializable=true") || path.starts_with("/livez");
        if path.starts_with("/readyz") {
            if self.settings.readyz_wants_voter && self.is_learner() {
                let error = (self.settings.learner_code, FOR_LEARNER);
                return self.answer(probe, failed(error), ctx);
            }
            return self.read(probe, Query::Nothing, ctx);
        }
        match serializable || self.seen.1.is_some() {
            true => self.look_at_once(probe, Query::Nothing, ctx),
            false => self.answer(probe, failed(NO_LEADER), ctx),
        }
    }

    /// A connection is over: a link, or a client's.
    pub fn on_broken(&mut self, connection: ConnectionId, how: Broken, ctx: &mut Ctx<Event>) {
        if self.lose_link(connection, Some(how), ctx) {
            return;
        }
        self.forget_watches(connection);
        self.forget_proposals(connection);
        self.forget_reads(connection);
        self.backend.forget(connection);
        self.early.retain(|early| early.from != connection);
        self.forwarded.retain(|forwarded| !forwarded.client.is_at(connection));
    }

    fn look(&mut self, client: Client, query: Query, how: Consistency, ctx: &mut Ctx<Event>) {
        match how {
            Consistency::Linearizable => self.read(client, query, ctx),
            Consistency::Serializable => self.look_at_once(client, query, ctx),
        }
    }

    /// Answers from what this member has applied, as soon as its database can be read.
    pub fn look_at_once(&mut self, client: Client, query: Query, ctx: &mut Ctx<Event>) {
        if self.backend.is_committing() && !matches!(query, Query::Members) {
            return self.keep_waiting(Wants::Look(client, query), ctx);
        }
        self.answer(client, self.look_up(&query), ctx);
    }

    /// What the last turn made known: a member that waits for its disk says what was then.
    pub fn status(&self) -> MemberStatus {
        let leader = self.seen.1;
        MemberStatus {
            member: self.id,
            leader,
            term: self.applied_term,
            index: self.seen_commit,
            applied: self.store.applied(),
            revision: self.store.revision(),
            is_learner: self.is_learner(),
            errors: if leader.is_none() { vec![NO_LEADER.1] } else { Vec::new() },
        }
    }
}

/// What goes to the leader, and is tried until it answers or time is over.
impl Member {
    fn begin_forward(&mut self, client: Client, operation: StoreOperation, ctx: &mut Ctx<Event>) {
        let number = self.next_number();
        let deadline = ctx.now() + self.settings.request_timeout();
        self.forwarded.push(Forwarded { number, client, operation, deadline, tried: None });
        self.forward(number, ctx);
    }

    /// Sends it to the leader, unless it has gone there and may still be answered.
    pub fn forward(&mut self, number: u64, ctx: &mut Ctx<Event>) {
        let found = self.forwarded.iter().position(|forwarded| forwarded.number == number);
        let Some(place) = found else { return };
        if ctx.now() >= self.forwarded[place].deadline {
            let forwarded = self.forwarded.remove(place);
            return self.answer(forwarded.client, failed(NO_LEADER), ctx);
        }
        if self.raft.role() == Role::Leader {
            let forwarded = self.forwarded.remove(place);
            return self.serve(forwarded.client, forwarded.operation, ctx);
        }
        let link = self.raft.leader().and_then(|leader| self.peer(leader));
        let link = link.filter(|peer| peer.way().is_some());
        let to = link.map(|peer| (peer.id, peer.active_since()));
        if let Some((leader, _)) = to.filter(|_| self.forwarded[place].tried != to) {
            self.forwarded[place].tried = to;
            let operation = Box::new(self.forwarded[place].operation.clone());
            self.tell_peer(leader, crate::wire::PeerMessage::Forward(number, operation), ctx);
        }
        let rest = self.forwarded[place].deadline.since(ctx.now());
        let pause = self.settings.forward_pause.min(rest);
        ctx.after("etcd.forwardPause", pause, Event::Forward(number));
    }

    /// The one that was taken for the leader has answered.
    pub fn forwarded(&mut self, number: u64, answer: StoreAnswer, ctx: &mut Ctx<Event>) {
        let found = self.forwarded.iter().position(|forwarded| forwarded.number == number);
        let Some(place) = found else { return };
        // It leads no more: somebody else will.
        if answer_is(&answer, NOT_LEADER.1) {
            self.forwarded[place].tried = None;
            return;
        }
        let forwarded = self.forwarded.remove(place);
        self.answer(forwarded.client, answer, ctx);
    }
}

fn answer_is(answer: &StoreAnswer, text: &str) -> bool {
    matches!(answer, StoreAnswer::Failed(error) if error.message == *text)
}
