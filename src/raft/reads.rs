//! The read index: a read as fresh as a write, without an entry in the log.
//!
//! A leader notes its commit, and once a quorum has answered a heartbeat sent after that, it was
//! still the leader then: whoever has applied that index may answer. It never trusts a clock. A
//! leader that has not committed in its own term does not know the commit yet; reads wait for that.

use super::member::{Raft, Role};
use super::{Body, Index, MemberId, Message, ReadContext, ReadState};
use std::collections::VecDeque;

/// The reads that a leader has not answered.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// Came before the first commit of the term.
    early: Vec<Waiting>,
    /// Wait for a quorum's heartbeats, in the order of their coming.
    unconfirmed: VecDeque<Unconfirmed>,
}

/// A read and the member that asked for it.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    pub context: ReadContext,
    pub from: MemberId,
}

#[derive(Clone, Debug)]
struct Unconfirmed {
    read: Waiting,
    /// The commit when it came.
    index: Index,
    /// Who has answered since.
    answered: Vec<MemberId>,
}

impl Reads {
    /// The latest read, which each heartbeat asks for: its answers confirm those before it too.
    pub fn latest(&self) -> Option<ReadContext> {
        self.unconfirmed.back().map(|last| last.read.context)
    }
}

impl<E: Clone> Raft<E> {
    /// A read at whoever this member takes for the leader.
    pub(super) fn hear_read(&mut self, read: Waiting) {
        match (self.role, self.leader) {
            (Role::Leader, _) => self.lead_read(read),
            (_, None) => {}
            (_, Some(to)) => {
                let body = Body::ReadIndex(read.context);
                self.messages.push(Message { from: read.from, to, term: 0, body });
            }
        }
    }

    /// A read at the leader.
    pub(super) fn lead_read(&mut self, read: Waiting) {
        let index = self.log.committed;
        if self.log.term(index) != Some(self.term) {
            self.reads.early.push(read);
        } else if self.tracker.membership.voters() == [self.id] {
            self.answer_read(read, index);
        } else {
            let known = |other: &Unconfirmed| other.read.context == read.context;
            if !self.reads.unconfirmed.iter().any(known) {
                let answered = vec![self.id];
                self.reads.unconfirmed.push_back(Unconfirmed { read, index, answered });
            }
            self.broadcast_heartbeat(Some(read.context));
        }
    }

    /// The first commit of the term: what came too early begins now.
    pub(super) fn release_reads(&mut self) {
        for read in std::mem::take(&mut self.reads.early) {
            self.lead_read(read);
        }
    }

    /// A member has answered the heartbeat that asked for this read.
    pub(super) fn confirm_reads(&mut self, from: MemberId, context: ReadContext) {
        let reads = &mut self.reads.unconfirmed;
        let Some(place) = reads.iter().position(|read| read.read.context == context) else {
            return;
        };
        if !reads[place].answered.contains(&from) {
            reads[place].answered.push(from);
        }
        let membership = &self.tracker.membership;
        let answered = reads[place].answered.iter().filter(|id| membership.is_voter(**id)).count();
        if answered < membership.quorum() {
            return;
        }
        for _ in 0..=place {
            let confirmed = self.reads.unconfirmed.pop_front().expect("it was found behind this");
            self.answer_read(confirmed.read, confirmed.index);
        }
    }

    fn answer_read(&mut self, read: Waiting, index: Index) {
        let state = ReadState { context: read.context, index };
        match read.from == self.id {
            true => self.read_states.push(state),
            false => self.send(read.from, Body::ReadIndexResponse(state)),
        }
    }
}
