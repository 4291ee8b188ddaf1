//! What has come of a leader's heartbeats that were not played.
//!
//! A follower hears one when it arrives, and answers when its disk is free. A leader that has entries
//! which the follower has not acknowledged takes the answer for a sign that they may be lost, and
//! sends an append more (`hear_heartbeat` of `raft`); that it is empty, since they are on their way,
//! changes nothing but when both were heard last.

use super::super::core::{Core, What, purpose};
use super::ticks::Disk;
use super::{Group, Latest, Member, Rests};
use crate::components::etcd::{Etcd, Heard};
use crate::engine::{Duration, SimTime};
use crate::infra::{ConnectionId, ProcessId};
use crate::raft::{Appended, Body, Message as RaftMessage, Term};
use crate::timeline::Cause;
use crate::wire::{Message, PeerMessage, Proposal};
use std::sync::Arc;

/// A leader and one of its followers, in their term.
pub(super) struct Pair<'a> {
    pub term: Term,
    pub leader: &'a Member,
    pub follower: &'a Member,
}

/// What the follower has heard, and what its leader.
type BothHeard = (Heard, Heard);

/// When what came of one heartbeat arrives: the heartbeat, the answer, the append that the leader
/// sends more if it is ahead then, and the answer to that. None of what is not sent, because a disk
/// still writes or the leader is not ahead, and of what comes after it.
#[derive(Clone, Copy, Debug)]
struct Round {
    heard: SimTime,
    answered: Option<SimTime>,
    asked_more: Option<SimTime>,
    /// With the entries, if the follower writes some.
    acknowledged: Option<SimTime>,
}

impl Round {
    fn of(leader: &Member, follower: &Member, sent: SimTime) -> Round {
        let [there, back] = follower.ways;
        let answer = |heard| follower.disk.free_at(heard).map(|free| free + back);
        let heard = sent + there;
        let answered = answer(heard);
        let is_ahead = |at: &SimTime| follower.behind.cover(*at);
        let asked_more = answered.filter(is_ahead).and_then(|at| leader.disk.free_at(at));
        let asked_more = asked_more.map(|free| free + there);
        Round { heard, answered, asked_more, acknowledged: asked_more.and_then(answer) }
    }

    /// After how long nothing of one waits any more: it goes there and back twice, and each time
    /// somebody's disk may be in its way.
    fn reach(leader: &Member, follower: &Member, now: SimTime) -> Duration {
        let [there, back] = follower.ways;
        let waits = [leader, follower].map(|member| member.disk.longest_wait(now));
        (there + back) * 2 + waits[0].max(waits[1]) * 4
    }

    /// What the follower takes of it, or the leader.
    fn at(&self, is_leader: bool) -> [Option<SimTime>; 2] {
        match is_leader {
            true => [self.answered, self.acknowledged],
            false => [Some(self.heard), self.asked_more],
        }
    }
}

impl Core {
    /// True if something that was not played has come to a member whose answer has not left by now, or
    /// if it ticks at this very time.
    pub(super) fn has_unplayed(&mut self, id: ProcessId) -> bool {
        let now = self.now;
        let of = |group: &&mut Group| group.members.iter().any(|member| member.process == id);
        let Some(group) = self.rests.groups.iter_mut().find(of) else { return false };
        let (leader, followers) = group.members.split_first_mut().expect("a group has a leader");
        leader.ticks.pass_until(now, &mut leader.disk);
        let leads = leader.process == id;
        let waits = |at: SimTime, disk: &Disk| {
            at <= now && disk.free_at(at).is_none_or(|leaves| leaves >= now)
        };
        let was_told = |follower: &Member| {
            let disk = if leads { &leader.disk } else { &follower.disk };
            let reach = Round::reach(leader, follower, now);
            let mut lately = leader.ticks.latest.iter().chain(group.asked.iter());
            lately.any(|sent| {
                let is_near = *sent + reach >= now;
                let told = || Round::of(leader, follower, *sent).at(leads);
                is_near && told().into_iter().flatten().any(|at| waits(at, disk))
            })
        };
        let mut own = followers.iter().filter(|member| leads || member.process == id);
        (leads && leader.ticks.next() == now) || own.any(was_told)
    }

    /// What came of the heartbeats to a follower: what it heard, and what its leader did. What is
    /// still on its way is queued.
    pub(super) fn pass_heartbeats(
        &mut self,
        pair: &Pair,
        sent: impl Iterator<Item = SimTime>,
    ) -> BothHeard {
        let Pair { leader, follower, .. } = *pair;
        let heard_from = |member: &Member| Heard { from: member.id, at: None, owes_answer: false };
        let mut heard = (heard_from(leader), heard_from(follower));
        for sent in sent {
            self.pass_heartbeat(pair, sent, &mut heard);
        }
        let (there, back) = &heard;
        for (link, at) in [(follower.links[0], there.at), (follower.links[1], back.at)] {
            if let Some(at) = at {
                self.datacenter.network.heard_by(link, at);
            }
        }
        heard
    }

    /// One heartbeat, as far as what came of it has come. While the follower's disk writes, its answer
    /// to an append waits with that to the entries.
    fn pass_heartbeat(&mut self, pair: &Pair, sent: SimTime, (there, back): &mut BothHeard) {
        let Pair { leader, follower, .. } = *pair;
        let round = Round::of(leader, follower, sent);
        if !self.has_come(round.heard, follower.process, leader.process, purpose::MESSAGE) {
            let body = Body::Heartbeat { commit: 0, context: None };
            return self.resend_to_follower(pair, round.heard, body);
        }
        there.at = there.at.max(Some(round.heard));
        let Some(answered) = round.answered else {
            there.owes_answer = true;
            return;
        };
        if !self.has_come(answered, leader.process, follower.process, purpose::MESSAGE) {
            let body = Body::HeartbeatResponse { context: None };
            return self.resend_to_leader(pair, answered, body);
        }
        back.at = back.at.max(Some(answered));
        let Some(asked) = round.asked_more else {
            back.owes_answer |= follower.behind.cover(answered);
            return;
        };
        if !self.has_come(asked, follower.process, leader.process, purpose::MESSAGE) {
            let (previous_index, previous_term, entries, commit) = (0, 0, Arc::default(), 0);
            let body = Body::Append { previous_index, previous_term, entries, commit };
            return self.resend_to_follower(pair, asked, body);
        }
        there.at = there.at.max(Some(asked));
        let Some(acknowledged) = round.acknowledged else { return };
        if !self.has_come(acknowledged, leader.process, follower.process, purpose::MESSAGE) {
            let body = Body::AppendResponse(Appended::UpTo(0));
            return self.resend_to_leader(pair, acknowledged, body);
        }
        back.at = back.at.max(Some(acknowledged));
    }

    fn resend_to_follower(&mut self, pair: &Pair, at: SimTime, body: Body<Proposal>) {
        let Pair { term, leader, follower } = *pair;
        self.resend(at, (leader, follower), term, follower.links[0], body);
    }

    fn resend_to_leader(&mut self, pair: &Pair, at: SimTime, body: Body<Proposal>) {
        let Pair { term, leader, follower } = *pair;
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
