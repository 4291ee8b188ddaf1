//! For owners who do not play what would go as foreseen: ticks and heartbeats that change nothing, and
//! entries that nothing disturbs.

use super::member::{Raft, Role};
use super::progress::Peer;
use super::{Index, MemberId, Payload, Progress, ProgressState};

/// Ticks and heartbeats that change nothing.
impl<E: Clone> Raft<E> {
    /// True if another member is not known to have all that this one has.
    pub fn is_ahead_of(&self, other: MemberId) -> bool {
        let progress = self.tracker.progress(other);
        progress.is_some_and(|progress| progress.matched < self.log.last_index())
    }

    /// True if a tick or a heartbeat would change nothing but what `pass_over` makes good: a leader
    /// whose followers all keep up, or a follower of one; no change or hand-over is under way. From
    /// those that are `gone` nothing comes, and nothing reaches them.
    pub fn is_settled(&self, gone: &[MemberId]) -> bool {
        let membership = &self.tracker.membership;
        let all_vote = self.tracker.peers.iter().all(|peer| membership.is_voter(peer.id));
        let is_settled = match self.role {
            Role::Leader => self.leads_settled(gone),
            Role::Follower => self.leader.is_some_and(|leader| !gone.contains(&leader)),
            Role::PreCandidate | Role::Candidate => false,
        };
        is_settled
            && all_vote
            && !self.wants_draw()
            && !self.log.snapshot_pending
            && membership.is_voter(self.id)
    }

    fn leads_settled(&self, gone: &[MemberId]) -> bool {
        let window = self.settings.max_inflight;
        let mut others = self.tracker.peers.iter().filter(|peer| peer.id != self.id);
        let keeps_up = |progress: &Progress| {
            progress.state == ProgressState::Replicate
                && !progress.is_paused(window)
                && progress.recent_active
        };
        // Nothing that is sent to it arrives (who asks has looked), and neither that nor the next count is news.
        let is_given_up =
            |progress: &Progress| progress.state == ProgressState::Probe && !progress.recent_active;
        self.transferee.is_none()
            && self.pending_conf_index <= self.log.applied
            && self.log.term(self.log.committed) == Some(self.term)
            && others.all(|peer| match gone.contains(&peer.id) {
                true => is_given_up(&peer.progress),
                false => keeps_up(&peer.progress),
            })
    }

    /// True if a leader waits for a quorum to confirm a read.
    pub fn confirms_reads(&self) -> bool {
        self.reads.latest().is_some()
    }

    /// Ticks since it heard from its leader; of a leader, since it counted.
    pub fn election_elapsed(&self) -> u32 {
        self.election_elapsed
    }

    /// Ticks and heartbeats were not played: so many ticks count now.
    pub fn pass_over_ticks(&mut self, election_elapsed: u32) {
        self.election_elapsed = election_elapsed;
    }

    /// Answers were not played: whether this one has come since the leader counted.
    pub fn pass_over_answers(&mut self, from: MemberId, has_come: bool) {
        if let Some(place) = self.tracker.position(from) {
            self.tracker.peers[place].progress.recent_active = has_come;
        }
    }
}

/// Entries that nothing disturbs.
impl<E: Clone> Raft<E> {
    /// True if nothing at all is under way: every entry is written, committed and applied here, and, as
    /// far as a leader knows, on each of the others. A leader of `others`, or a follower.
    pub fn is_even(&self, others: usize) -> bool {
        let last = self.log.last_index();
        let is_even = !self.has_ready()
            && (self.log.stable, self.log.committed, self.log.applied) == (last, last, last);
        is_even
            && match self.role {
                Role::Leader => self.leads_even(others),
                Role::Follower => self.leader.is_some(),
                Role::PreCandidate | Role::Candidate => false,
            }
    }

    /// An entry was appended here as a leader appends it, and is on this member's disk: no more is known yet.
    pub fn pass_over_append(&mut self, payload: Payload<E>) -> Index {
        let index = self.log.append(self.term, payload);
        self.log.stable = index;
        index
    }

    /// The last entry was committed, and is applied: a leader has heard of everybody that he has it.
    pub fn pass_over_commit(&mut self) {
        let last = self.log.last_index();
        (self.log.committed, self.log.applied) = (last, last);
        self.written = self.hard_state();
        if self.role != Role::Leader {
            self.election_elapsed = 0;
            return;
        }
        for peer in &mut self.tracker.peers {
            peer.progress.maybe_update(last);
            peer.progress.recent_active |= peer.id != self.id;
        }
    }

    fn leads_even(&self, others: usize) -> bool {
        let last = self.log.last_index();
        let is_even = |peer: &Peer| {
            let Progress { matched, next, state, inflight, .. } = &peer.progress;
            peer.id == self.id
                || (*state == ProgressState::Replicate
                    && (*matched, *next) == (last, last + 1)
                    && inflight.is_empty())
        };
        // With a window of one the commit waits for each acknowledgment.
        self.transferee.is_none()
            && self.settings.max_inflight > 1
            && self.tracker.peers.len() == others + 1
            && self.tracker.peers.iter().all(is_even)
    }
}
