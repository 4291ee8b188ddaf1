//! What has come of a leader's heartbeats that were not played.
//!
//! A follower hears one when it arrives, and answers when its disk is free. A leader that has entries
//! which the follower has not acknowledged takes the answer for a sign that they may be lost, and
//! sends an append more (`hear_heartbeat` of `raft`); that it is empty, since they are on their way,
//! changes nothing but when both were heard last.

use super::super::core::{Core, What, purpose};
use super::{Latest, Member, Rests};
use crate::components::etcd::{Etcd, Heard};
use crate::engine::SimTime;
use crate::infra::{ConnectionId, ProcessId};
use crate::raft::{Appended, Body, Message as RaftMessage, Term};
use crate::timeline::Cause;
use crate::wire::{Message, PeerMessage, Proposal};
use std::sync::Arc;

/// A leader and one of its followers, in their term.
pub(super) struct Rounds<'a> {
    pub term: Term,
    pub leader: &'a Member,
    pub follower: &'a Member,
}

/// What the follower has heard, and what its leader.
type BothHeard = (Heard, Heard);

impl Core {
    /// What came of the heartbeats to a follower: what it heard, and what its leader did. What is
    /// still on its way is queued.
    pub(super) fn pass_heartbeats(
        &mut self,
        rounds: &Rounds,
        sent: impl Iterator<Item = SimTime>,
    ) -> BothHeard {
        let Rounds { leader, follower, .. } = *rounds;
        let heard_from = |member: &Member| Heard { from: member.id, at: None, owes_answer: false };
        let mut heard = (heard_from(leader), heard_from(follower));
        for sent in sent {
            let Some(answered) = self.pass_heartbeat(rounds, sent, &mut heard) else { continue };
            if follower.behind.cover(answered) {
                self.pass_append(rounds, answered, &mut heard);
            }
        }
        let (there, back) = &heard;
        for (link, at) in [(follower.links[0], there.at), (follower.links[1], back.at)] {
            if let Some(at) = at {
                self.datacenter.network.heard_by(link, at);
            }
        }
        heard
    }

    /// One heartbeat; when the leader has heard the answer, if it has.
    fn pass_heartbeat(
        &mut self,
        rounds: &Rounds,
        sent: SimTime,
        (there, back): &mut BothHeard,
    ) -> Option<SimTime> {
        let Rounds { leader, follower, .. } = *rounds;
        let heard = sent + follower.ways[0];
        if !self.has_come(heard, follower.process, leader.process, purpose::MESSAGE) {
            self.resend_to_follower(rounds, heard, Body::Heartbeat { commit: 0, context: None });
            return None;
        }
        there.at = there.at.max(Some(heard));
        let Some(free) = follower.disk.free_at(heard) else {
            there.owes_answer = true;
            return None;
        };
        let answered = free + follower.ways[1];
        if !self.has_come(answered, leader.process, follower.process, purpose::MESSAGE) {
            self.resend_to_leader(rounds, answered, Body::HeartbeatResponse { context: None });
            return None;
        }
        back.at = back.at.max(Some(answered));
        Some(answered)
    }

    /// An empty append, as soon as the leader's disk is free. While the follower's writes, its answer
    /// waits with that to the entries.
    fn pass_append(&mut self, rounds: &Rounds, asked: SimTime, (there, back): &mut BothHeard) {
        let Rounds { leader, follower, .. } = *rounds;
        let Some(sent) = leader.disk.free_at(asked) else {
            back.owes_answer = true;
            return;
        };
        let heard = sent + follower.ways[0];
        if !self.has_come(heard, follower.process, leader.process, purpose::MESSAGE) {
            let (previous_index, previous_term, entries, commit) = (0, 0, Arc::default(), 0);
            let body = Body::Append { previous_index, previous_term, entries, commit };
            return self.resend_to_follower(rounds, heard, body);
        }
        there.at = there.at.max(Some(heard));
        let Some(free) = follower.disk.free_at(heard) else { return };
        let answered = free + follower.ways[1];
        match self.has_come(answered, leader.process, follower.process, purpose::MESSAGE) {
            true => back.at = back.at.max(Some(answered)),
            false => {
                self.resend_to_leader(rounds, answered, Body::AppendResponse(Appended::UpTo(0)));
            }
        }
    }

    fn resend_to_follower(&mut self, rounds: &Rounds, at: SimTime, body: Body<Proposal>) {
        let Rounds { term, leader, follower } = *rounds;
        self.resend(at, (leader, follower), term, follower.links[0], body);
    }

    fn resend_to_leader(&mut self, rounds: &Rounds, at: SimTime, body: Body<Proposal>) {
        let Rounds { term, leader, follower } = *rounds;
        self.resend(at, (follower, leader), term, follower.links[1], body);
    }

    /// Queues a message that was sent while nothing was played. It tells nothing of the log or the
    /// commit: the appends before it have.
    fn resend(
        &mut self,
        at: SimTime,
        (from, to): (&Member, &Member),
        term: Term,
        link: ConnectionId,
        body: Body<Proposal>,
    ) {
        let message = RaftMessage { from: from.id, to: to.id, term, body };
        let what = What::Message(link, Message::Peer(PeerMessage::Raft(message)));
        let rule = self.way_rule(link);
        let led = (Cause::NONE, rule);
        self.push_to(at, to.process, from.process, purpose::MESSAGE, led, what);
    }
}

/// When the leader sent the latest heartbeats, in order.
pub(super) fn sent(
    ticks: &Latest<SimTime>,
    asked: &Latest<SimTime>,
) -> impl Iterator<Item = SimTime> + use<> {
    let mut sent: Vec<SimTime> = ticks.iter().chain(asked.iter()).copied().collect();
    sent.sort_unstable();
    sent.into_iter()
}

impl Rests {
    /// Notes which followers have not acknowledged all that their leader has.
    pub(super) fn note_behind(&mut self, id: ProcessId, leader: &Etcd, now: SimTime) {
        let leads = |members: &&mut Vec<Member>| members[0].process == id;
        let mut groups = self.groups.iter_mut().map(|group| &mut group.members);
        let Some(members) = groups.find(leads) else { return };
        for member in &mut members[1..] {
            member.behind.note(leader.is_ahead_of(member.id), now, member.ticks.period);
        }
    }
}
