//! Proposals: from a client's request to the entry's coming out of the log on this same member.
//!
//! A proposal is passed to the leader once; if that one dies with it, nobody tells, and the client
//! waits for the whole time-out. While no leader is known, proposals wait. Follows
//! `processInternalRaftRequestOnce` and `parseProposeCtxErr` of etcd's `v3_server.go` and
//! `server.go`.

use super::errors::{CONNECTION_LOST, DROPPED, LEADER_FAILED, TIMED_OUT, failed};
use super::requests::Client;
use super::{Event, Member};
use crate::engine::{Owner, SimTime};
use crate::infra::{ConnectionId, Ctx};
use crate::raft::{ConfChange, MemberId, Message as RaftMessage, Payload, Role};
use crate::wire::{Proposal, Proposed, StoreAnswer, StoreError, Write};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// How many proposals of others wait for a leader (`recvBufSize` of `rafthttp/peer.go`).
const MOST_PASSED_ON: usize = 4_096;

/// The proposals of this member that have not come back.
#[derive(Clone, Debug, Default)]
pub struct Proposals {
    /// By number, which is the order in which they came.
    open: BTreeMap<u64, Open>,
    /// Wait for a leader.
    waiting: Vec<Payload<Proposal>>,
    /// What another member took this one for its leader to propose, and waits likewise.
    passed_on: Vec<RaftMessage<Proposal>>,
    deadline_at: Option<SimTime>,
}

#[derive(Clone, Debug)]
struct Open {
    client: Client,
    started: SimTime,
    /// A change of the group is given up by its client alone.
    has_deadline: bool,
}

impl Proposals {
    /// True if nobody waits for any.
    pub fn are_over(&self) -> bool {
        self.open.is_empty() && self.waiting.is_empty() && self.passed_on.is_empty()
    }
}

impl Member {
    /// Proposes a change of the store for a client.
    pub fn propose(
        &mut self,
        client: Client,
        (sender, count): (Owner, u64),
        write: Write,
        ctx: &mut Ctx<Event>,
    ) {
        let id = self.next_number();
        self.propose_as(id, client, (sender, count), write, ctx);
    }

    /// The same, under a number that was taken before.
    pub fn propose_as(
        &mut self,
        id: u64,
        client: Client,
        (sender, count): (Owner, u64),
        write: Write,
        ctx: &mut Ctx<Event>,
    ) {
        let proposal = self.open_proposal(id, client, (sender, count), write, ctx);
        self.submit(Payload::Normal(proposal), ctx);
    }

    /// Waits for a proposal that others will bring about: what they write.
    pub fn open_proposal(
        &mut self,
        id: u64,
        client: Client,
        (sender, count): (Owner, u64),
        write: Write,
        ctx: &mut Ctx<Event>,
    ) -> Proposal {
        let proposal = proposed(id, (sender, count), write, ctx);
        self.wait_for(id, client, true, ctx);
        proposal
    }

    /// Proposes a change of the group.
    pub fn propose_change(
        &mut self,
        client: Client,
        change: ConfChange,
        write: Write,
        ctx: &mut Ctx<Event>,
    ) {
        let id = self.next_number();
        let proposal = proposed(id, (ctx.owner(), id), write, ctx);
        self.wait_for(id, client, false, ctx);
        self.submit(Payload::Change(change, proposal), ctx);
    }

    /// The proposal has come out of the log, or has failed: its client is told, if it is one of
    /// this member's.
    pub fn answer_proposal(&mut self, id: u64, answer: StoreAnswer, ctx: &mut Ctx<Event>) {
        if let Some(open) = self.proposals.open.remove(&id) {
            self.answer(open.client, answer, ctx);
        }
    }

    /// A leader is known: what has waited for one is proposed.
    pub fn propose_waiting(&mut self, ctx: &mut Ctx<Event>) {
        for payload in std::mem::take(&mut self.proposals.waiting) {
            self.submit(payload, ctx);
        }
        for message in std::mem::take(&mut self.proposals.passed_on) {
            self.step(message, ctx);
        }
    }

    /// Another member's proposal waits for a leader, unless too many do.
    pub fn hold_proposal(&mut self, message: RaftMessage<Proposal>) {
        if self.proposals.passed_on.len() < MOST_PASSED_ON {
            self.proposals.passed_on.push(message);
        }
    }

    /// Gives up what has taken too long.
    pub fn fail_late(&mut self, ctx: &mut Ctx<Event>) {
        self.proposals.deadline_at = None;
        let limit = self.settings.request_timeout();
        let now = ctx.now();
        let is_late = |open: &Open| open.has_deadline && now.since(open.started) >= limit;
        let late: Vec<u64> = self
            .proposals
            .open
            .iter()
            .filter(|(_, open)| is_late(open))
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            let answer = self.why_late(id);
            let is_other = |payload: &Payload<Proposal>| number_of(payload) != Some(id);
            self.proposals.waiting.retain(is_other);
            let publishing = matches!(self.proposals.open[&id].client, Client::Publish);
            self.answer_proposal(id, answer, ctx);
            if publishing {
                self.publish(ctx);
            }
        }
        self.set_deadline(ctx);
    }

    /// A client is gone. What it proposed goes on; what only it waited for does not.
    pub fn forget_proposals(&mut self, connection: ConnectionId) {
        self.proposals.open.retain(|_, open| !open.client.is_at(connection));
    }

    fn wait_for(&mut self, id: u64, client: Client, has_deadline: bool, ctx: &mut Ctx<Event>) {
        self.proposals.open.insert(id, Open { client, started: ctx.now(), has_deadline });
        self.set_deadline(ctx);
    }

    fn submit(&mut self, payload: Payload<Proposal>, ctx: &mut Ctx<Event>) {
        if self.raft.leader().is_none() {
            return self.proposals.waiting.push(payload);
        }
        // Of a change of the group nobody hears that it was dropped (`ProposeConfChange` of
        // `raft/node.go` does not wait): its client gives it up.
        let told = match &payload {
            Payload::Normal(proposal) => Some(proposal.id),
            Payload::Empty | Payload::Change(..) => None,
        };
        if self.raft.propose(payload).is_err()
            && let Some(id) = told
        {
            self.answer_proposal(id, failed(DROPPED), ctx);
        }
    }

    /// One timer for the oldest; it is set again when it has run down.
    fn set_deadline(&mut self, ctx: &mut Ctx<Event>) {
        if self.proposals.deadline_at.is_some() {
            return;
        }
        let oldest = self.proposals.open.values().find(|open| open.has_deadline);
        if let Some(oldest) = oldest {
            let at = oldest.started + self.settings.request_timeout();
            self.proposals.deadline_at = Some(at);
            ctx.after("etcd.requestTimeoutBase", at.since(ctx.now()), Event::Deadline);
        }
    }

    /// What etcd takes for the reason of a time-out.
    fn why_late(&self, id: u64) -> StoreAnswer {
        let started = self.proposals.open[&id].started;
        let waits = |payload: &Payload<Proposal>| number_of(payload) == Some(id);
        if self.proposals.waiting.iter().any(waits) {
            let code = self.settings.deadline_code;
            return StoreAnswer::Failed(StoreError::new(code, "context deadline exceeded"));
        }
        let recent = self.settings.election_timeout() * 2;
        let after_start = |elected: SimTime| elected > started && elected < started + recent;
        if self.elected.is_some_and(after_start) {
            return failed(LEADER_FAILED);
        }
        let connected = match (self.raft.role(), self.raft.leader()) {
            (_, None) => true,
            (Role::Leader, _) => {
                let voters = self.raft.membership().voters();
                let connected = voters.iter().filter(|id| self.is_connected_since(**id, started));
                connected.count() >= self.raft.membership().quorum()
            }
            (_, Some(leader)) => self.is_connected_since(leader, started),
        };
        failed(if connected { TIMED_OUT } else { CONNECTION_LOST })
    }

    /// True if the member could be heard all the time since then.
    pub fn is_connected_since(&self, id: MemberId, since: SimTime) -> bool {
        let active = self.peer(id).and_then(|peer| peer.active_since());
        id == self.id || active.is_some_and(|active| active <= since)
    }
}

fn proposed(
    id: u64,
    (sender, count): (Owner, u64),
    write: Write,
    ctx: &mut Ctx<Event>,
) -> Proposal {
    let cause = ctx.cause();
    Arc::new(Proposed { id, sender, count, cause, write, made: OnceLock::new() })
}

fn number_of(payload: &Payload<Proposal>) -> Option<u64> {
    match payload {
        Payload::Empty => None,
        Payload::Normal(proposal) | Payload::Change(_, proposal) => Some(proposal.id),
    }
}
