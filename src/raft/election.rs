//! Who leads: time-outs, campaigns, votes and the roles that come of them.
//!
//! Follows `tickElection`, `hup`, `campaign`, `Step` and the `become` functions of etcd's raft.

use super::member::{Raft, Role};
use super::progress::{Progress, VoteResult};
use super::reads::Reads;
use super::{Body, Campaign, HardState, MemberId, Message, Payload, Term};

/// What made a member campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// A quorum said that it could win.
    Elected,
    /// Its time-out, without asking first.
    Timeout,
    /// The leader asked it to.
    Transfer,
}

impl<E: Clone> Raft<E> {
    /// A tick of a member that does not lead.
    pub(super) fn tick_election(&mut self) {
        let timeout = self.randomized_timeout.expect("the owner draws a time-out before a tick");
        self.election_elapsed += 1;
        if self.is_promotable() && self.election_elapsed >= timeout {
            self.election_elapsed = 0;
            self.campaign_if_promotable();
        }
    }

    /// A tick of a leader: it counts its quorum once per `election_ticks`, whatever it drew.
    pub(super) fn tick_leader(&mut self) {
        self.heartbeat_elapsed += 1;
        self.election_elapsed += 1;
        if self.election_elapsed >= self.settings.election_ticks {
            self.election_elapsed = 0;
            if self.settings.check_quorum && !self.check_quorum() {
                return;
            }
            // A transfer that takes longer than this is given up.
            self.transferee = None;
        }
        if self.heartbeat_elapsed >= self.settings.heartbeat_ticks {
            self.heartbeat_elapsed = 0;
            self.broadcast_heartbeat(self.reads.latest());
        }
    }

    /// Campaigns, if this member may.
    pub(super) fn campaign_if_promotable(&mut self) {
        if self.may_campaign() {
            match self.settings.pre_vote {
                true => self.ask_before_campaign(),
                false => self.campaign_for_votes(Reason::Timeout),
            }
        }
    }

    /// The leader hands over its office: nobody is asked first, and leases do not count.
    pub(super) fn hear_timeout_now(&mut self) {
        if self.role == Role::Follower && self.may_campaign() {
            self.campaign_for_votes(Reason::Transfer);
        }
    }

    /// A message of a later term: false if it is to be ignored. Most make this member a follower.
    pub(super) fn heed_later_term(&mut self, message: &Message<E>) -> bool {
        let asks = match &message.body {
            Body::PreVote(campaign) | Body::Vote(campaign) => Some(campaign),
            _ => None,
        };
        if asks.is_some_and(|campaign| !campaign.transfer) && self.is_in_lease() {
            return false;
        }
        match &message.body {
            // To ask whether one could win raises nobody's term, nor does a yes: its term is the
            // one of the campaign to come.
            Body::PreVote(_) | Body::PreVoteResponse { granted: true } => {}
            Body::Append { .. } | Body::Heartbeat { .. } | Body::Snapshot(_) => {
                self.become_follower(message.term, Some(message.from));
            }
            _ => self.become_follower(message.term, None),
        }
        true
    }

    /// A message of an earlier term. A leader that is not one any more, and a candidate that could
    /// not win, learn of this term; the rest is dropped.
    pub(super) fn answer_stale(&mut self, message: &Message<E>) {
        let deposes = self.settings.check_quorum || self.settings.pre_vote;
        match message.body {
            Body::Append { .. } | Body::Heartbeat { .. } if deposes => {
                self.acknowledge(message.from, 0);
            }
            Body::PreVote(_) => {
                let body = Body::PreVoteResponse { granted: false };
                self.promise(message.from, self.term, body);
            }
            _ => {}
        }
    }

    /// Would it vote so? The answer binds it to nothing.
    pub(super) fn answer_pre_vote(&mut self, from: MemberId, term: Term, campaign: Campaign) {
        let granted = (term > self.term || self.is_free_for(from)) && self.is_worse_than(campaign);
        let term = if granted { term } else { self.term };
        self.promise(from, term, Body::PreVoteResponse { granted });
    }

    /// At most one vote in a term, and only for a log that lacks nothing of this one.
    pub(super) fn answer_vote(&mut self, from: MemberId, campaign: Campaign) {
        let granted = self.is_free_for(from) && self.is_worse_than(campaign);
        if granted {
            self.election_elapsed = 0;
            self.vote = Some(from);
        }
        self.promise(from, self.term, Body::VoteResponse { granted });
    }

    /// A vote for this member's campaign, if it is still in that role.
    pub(super) fn hear_vote(&mut self, from: MemberId, role: Role, granted: bool) {
        if self.role != role {
            return;
        }
        if let Some(place) = self.tracker.position(from) {
            self.tracker.peers[place].vote.get_or_insert(granted);
        }
        match (self.tracker.vote_result(), role) {
            (VoteResult::Pending, _) => {}
            (VoteResult::Won, Role::PreCandidate) => self.campaign_for_votes(Reason::Elected),
            (VoteResult::Won, _) => self.become_leader(),
            (VoteResult::Lost, _) => self.become_follower(self.term, None),
        }
    }

    /// The disk has what a candidate needs to vote for itself.
    pub(super) fn count_own_vote(&mut self, written: HardState) {
        if (written.term, written.vote) == (self.term, Some(self.id)) {
            self.hear_vote(self.id, Role::Candidate, true);
        }
    }

    /// A follower of this term's leader, or of nobody known.
    pub(super) fn become_follower(&mut self, term: Term, leader: Option<MemberId>) {
        self.reset(term);
        self.role = Role::Follower;
        self.leader = leader;
    }

    /// True if the leader had an answer from a quorum since it counted last; else it steps down.
    fn check_quorum(&mut self) -> bool {
        let active = self.tracker.quorum_active(self.id);
        if !active {
            self.become_follower(self.term, None);
        }
        for peer in &mut self.tracker.peers {
            peer.progress.recent_active = false;
        }
        active
    }

    /// Neither term nor time-out changes, so a member alone asks again at a constant pace.
    fn ask_before_campaign(&mut self) {
        self.role = Role::PreCandidate;
        self.leader = None;
        self.forget_votes();
        self.ask_voters(self.term + 1, Body::PreVote(self.own_case(false)));
        self.hear_vote(self.id, Role::PreCandidate, true);
    }

    fn campaign_for_votes(&mut self, reason: Reason) {
        self.reset(self.term + 1);
        self.role = Role::Candidate;
        self.vote = Some(self.id);
        let case = self.own_case(reason == Reason::Transfer);
        self.ask_voters(self.term, Body::Vote(case));
    }

    /// The first entry of its term lets a leader commit what earlier leaders have left.
    fn become_leader(&mut self) {
        self.reset(self.term);
        self.role = Role::Leader;
        self.leader = Some(self.id);
        if let Some(place) = self.tracker.position(self.id) {
            self.tracker.peers[place].progress.become_replicate();
        }
        // There may be a change among the entries that are not applied yet.
        self.pending_conf_index = self.log.last_index();
        self.log.append(self.term, Payload::Empty);
        self.broadcast_append();
    }

    /// What each change of role or term begins with.
    fn reset(&mut self, term: Term) {
        if self.term != term {
            self.term = term;
            self.vote = None;
        }
        self.leader = None;
        self.election_elapsed = 0;
        self.heartbeat_elapsed = 0;
        self.randomized_timeout = None;
        self.transferee = None;
        self.pending_conf_index = 0;
        self.reads = Reads::default();
        self.forget_votes();
        let next = self.log.last_index() + 1;
        for peer in &mut self.tracker.peers {
            peer.progress = Progress::new(next);
            if peer.id == self.id {
                peer.progress.matched = self.log.stable;
            }
        }
    }

    fn forget_votes(&mut self) {
        for peer in &mut self.tracker.peers {
            peer.vote = None;
        }
    }

    fn ask_voters(&mut self, term: Term, body: Body<E>) {
        for place in 0..self.tracker.membership.voters().len() {
            let to = self.tracker.membership.voters()[place];
            if to != self.id {
                self.messages.push(Message { from: self.id, to, term, body: body.clone() });
            }
        }
    }

    fn own_case(&self, transfer: bool) -> Campaign {
        let (last_index, last_term) = (self.log.last_index(), self.log.last_term());
        Campaign { last_index, last_term, transfer }
    }

    /// A voter that has the state it stands for.
    fn is_promotable(&self) -> bool {
        self.tracker.membership.is_voter(self.id) && !self.log.snapshot_pending
    }

    /// A member whose configuration is about to change would count the wrong votes.
    fn may_campaign(&self) -> bool {
        let change = |payload: &Payload<E>| matches!(payload, Payload::Change(..));
        self.role != Role::Leader
            && self.is_promotable()
            && !self.log.next_committed().any(|entry| change(&entry.payload))
    }

    /// It heard from its leader a short time ago, and stands by it.
    fn is_in_lease(&self) -> bool {
        self.settings.check_quorum
            && self.leader.is_some()
            && self.election_elapsed < self.settings.election_ticks
    }

    fn is_free_for(&self, candidate: MemberId) -> bool {
        self.vote == Some(candidate) || (self.vote.is_none() && self.leader.is_none())
    }

    fn is_worse_than(&self, campaign: Campaign) -> bool {
        self.log.is_up_to_date(campaign.last_index, campaign.last_term)
    }
}
