//! How entries reach everybody: a leader appends, sends, counts and commits; a follower compares,
//! writes and answers. Also snapshots, changes of the group, and the hand-over of the office.
//!
//! Follows `stepLeader`, `maybeSendAppend`, `handleAppendEntries`, `restore` and `switchToConfig` of
//! etcd's raft.

use super::member::{ProposalDropped, Raft, Role, SnapshotStatus};
use super::progress::ProgressState;
use super::{Appended, Body, Entry, Fatal, Index, MemberId, Payload, ReadContext, Snapshot, Term};
use std::fmt;
use std::sync::Arc;

/// Whether an append without entries is worth sending: it tells of the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Empty {
    Send,
    Skip,
}

/// A leader's: the entries that left last. Two members that differ in it alone do the same, and read
/// the same.
#[derive(Clone)]
pub struct Batch<E>(pub Option<Arc<[Entry<E>]>>);

impl<E> fmt::Debug for Batch<E> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Batch")
    }
}

/// A leader's side.
impl<E: Clone> Raft<E> {
    /// Appends a proposal and sends it, unless it would be lost.
    pub(super) fn append_proposal(&mut self, payload: Payload<E>) -> Result<(), ProposalDropped> {
        if self.transferee.is_some() || !self.tracker.membership.contains(self.id) {
            return Err(ProposalDropped);
        }
        match payload {
            Payload::Change(..) if self.pending_conf_index > self.log.applied => {
                self.log.append(self.term, Payload::Empty);
            }
            Payload::Change(..) => self.pending_conf_index = self.log.append(self.term, payload),
            _ => _ = self.log.append(self.term, payload),
        }
        self.broadcast_append();
        Ok(())
    }

    /// Sends every member what it lacks, or only the commit.
    pub(super) fn broadcast_append(&mut self) {
        for place in 0..self.tracker.peers.len() {
            self.send_append(place, Empty::Send);
        }
    }

    /// Tells every member, learners included, that it leads.
    pub(super) fn broadcast_heartbeat(&mut self, context: Option<ReadContext>) {
        for place in 0..self.tracker.peers.len() {
            let peer = &self.tracker.peers[place];
            if peer.id != self.id {
                let (to, commit) = (peer.id, self.log.committed.min(peer.progress.matched));
                self.send(to, Body::Heartbeat { commit, context });
            }
        }
    }

    /// A member has written entries, or cannot append them.
    pub(super) fn hear_appended(&mut self, from: MemberId, appended: Appended) {
        let Some(place) = self.leads(from) else { return };
        self.tracker.peers[place].progress.recent_active = true;
        match appended {
            // A log longer than the leader's: that member's leader lost its disk, and safety with it.
            Appended::UpTo(index) => self.hear_agreed(place, index.min(self.log.last_index())),
            Appended::Rejected { previous_index, hint_index, hint_term } => {
                let hint = match hint_term {
                    0 => hint_index,
                    _ => self.log.find_conflict(hint_index, hint_term).0,
                };
                let progress = &mut self.tracker.peers[place].progress;
                if progress.maybe_decrease(previous_index, hint) {
                    if progress.state == ProgressState::Replicate {
                        progress.become_probe();
                    }
                    self.send_append(place, Empty::Send);
                }
            }
        }
    }

    /// A member is there: what it has not acknowledged may have been lost, so it gets more.
    pub(super) fn hear_heartbeat(&mut self, from: MemberId, context: Option<ReadContext>) {
        let Some(place) = self.leads(from) else { return };
        let progress = &mut self.tracker.peers[place].progress;
        progress.recent_active = true;
        progress.probe_sent = false;
        let window = self.settings.max_inflight;
        if progress.state == ProgressState::Replicate && progress.is_paused(window) {
            progress.inflight.pop_front();
        }
        if progress.matched < self.log.last_index() {
            self.send_append(place, Empty::Send);
        }
        if let Some(context) = context {
            self.confirm_reads(from, context);
        }
    }

    /// A message was not played that is answered now: a heartbeat, or, by a leader that was ahead, the
    /// answer to one.
    pub fn answer_unplayed(&mut self, other: MemberId) {
        match self.leads(other) {
            Some(place) => _ = self.send_append(place, Empty::Send),
            None => self.send(other, Body::HeartbeatResponse { context: None }),
        }
    }

    /// The disk has the leader's own entries, which count from now on.
    pub(super) fn count_own_entries(&mut self) {
        let stable = self.log.stable;
        let Some(place) = self.tracker.position(self.id) else { return };
        if self.tracker.peers[place].progress.maybe_update(stable) && self.maybe_commit() {
            self.follow_commit();
        }
    }

    /// Appends on their way to a member are probably lost.
    pub(super) fn lose_appends(&mut self, peer: MemberId) {
        let Some(place) = self.leads(peer) else { return };
        let progress = &mut self.tracker.peers[place].progress;
        if progress.state == ProgressState::Replicate {
            progress.become_probe();
        }
    }

    /// A snapshot has arrived or not; the member's answer, or the next heartbeat's, goes on.
    pub(super) fn end_snapshot(&mut self, peer: MemberId, status: SnapshotStatus) {
        let Some(place) = self.leads(peer) else { return };
        let progress = &mut self.tracker.peers[place].progress;
        if !matches!(progress.state, ProgressState::Snapshot(_)) {
            return;
        }
        if status == SnapshotStatus::Failed {
            progress.state = ProgressState::Snapshot(0);
        }
        progress.become_probe();
        progress.probe_sent = true;
    }

    /// Lets `to` campaign as soon as its log is complete.
    pub(super) fn begin_transfer(&mut self, to: MemberId) {
        let Some(place) = self.tracker.position(to) else { return };
        if !self.tracker.membership.is_voter(to) || self.transferee == Some(to) {
            return;
        }
        // A new wish replaces the old one; that it should go on leading itself is one too.
        self.transferee = None;
        if to == self.id {
            return;
        }
        // It has one election time-out from now on.
        self.election_elapsed = 0;
        self.transferee = Some(to);
        match self.tracker.peers[place].progress.matched == self.log.last_index() {
            true => self.send(to, Body::TimeoutNow),
            false => _ = self.send_append(place, Empty::Send),
        }
    }

    /// The group has changed: fewer may be a quorum now, and a newcomer gets its first entries.
    pub(super) fn follow_conf_change(&mut self) {
        // A leader that has removed itself goes on until others elect one; it counts no more.
        if self.role != Role::Leader || !self.tracker.membership.is_voter(self.id) {
            return;
        }
        if self.maybe_commit() {
            self.follow_commit();
        } else {
            for place in 0..self.tracker.peers.len() {
                self.send_append(place, Empty::Skip);
            }
        }
        if self.transferee.is_some_and(|to| !self.tracker.membership.is_voter(to)) {
            self.transferee = None;
        }
    }

    /// Where a member stands, if this one leads.
    fn leads(&self, member: MemberId) -> Option<usize> {
        if self.role == Role::Leader { self.tracker.position(member) } else { None }
    }

    fn hear_agreed(&mut self, place: usize, index: Index) {
        let window = self.settings.max_inflight;
        let progress = &mut self.tracker.peers[place].progress;
        let was_paused = progress.is_paused(window);
        let repeated = progress.state == ProgressState::Probe && progress.matched == index;
        if !progress.maybe_update(index) && !repeated {
            return;
        }
        match progress.state {
            ProgressState::Probe => progress.become_replicate(),
            ProgressState::Snapshot(pending) if progress.matched >= pending => {
                progress.become_replicate();
            }
            ProgressState::Snapshot(_) => {}
            ProgressState::Replicate => progress.free_inflight(index),
        }
        if self.maybe_commit() {
            self.follow_commit();
        } else if was_paused {
            self.send_append(place, Empty::Send);
        }
        while self.send_append(place, Empty::Skip) {}
        let peer = &self.tracker.peers[place];
        let (from, complete) = (peer.id, peer.progress.matched == self.log.last_index());
        if self.transferee == Some(from) && complete {
            self.send(from, Body::TimeoutNow);
        }
    }

    fn maybe_commit(&mut self) -> bool {
        self.log.maybe_commit(self.tracker.committed(), self.term)
    }

    fn follow_commit(&mut self) {
        self.release_reads();
        self.broadcast_append();
    }

    /// Sends a member its next entries, or a snapshot if they are gone; false if nothing was sent.
    fn send_append(&mut self, place: usize, empty: Empty) -> bool {
        let peer = &self.tracker.peers[place];
        if peer.id == self.id || peer.progress.is_paused(self.settings.max_inflight) {
            return false;
        }
        let (to, next) = (peer.id, peer.progress.next);
        let Some(previous_term) = self.log.term(next - 1) else { return self.send_snapshot(place) };
        let entries = self.batch_from(next);
        match entries.last() {
            Some(last) => self.tracker.peers[place].progress.sent(last.index),
            None if empty == Empty::Skip => return false,
            None => {}
        }
        let (previous_index, commit) = (next - 1, self.log.committed);
        self.send(to, Body::Append { previous_index, previous_term, entries, commit });
        true
    }

    /// A member's next entries. Who needs the same gets the same: one that answers heartbeats and no
    /// appends, over a link that loses most of what it carries, is sent them again and again.
    fn batch_from(&mut self, next: Index) -> Arc<[Entry<E>]> {
        let limit = self.settings.max_entries_per_append;
        let upto = (next - 1).saturating_add(Index::try_from(limit).unwrap_or(Index::MAX));
        let upto = upto.min(self.log.last_index());
        let bounds = |batch: &Arc<[Entry<E>]>| Some((batch.first()?.index, batch.last()?.clone()));
        let is_that = |batch: &&Arc<[Entry<E>]>| {
            bounds(batch).is_some_and(|(first, last)| {
                (first, last.index) == (next, upto) && self.log.has(upto, last.term)
            })
        };
        if let Some(batch) = self.batch.0.as_ref().filter(is_that) {
            return Arc::clone(batch);
        }
        if upto < next {
            return Arc::default();
        }
        let batch: Arc<[Entry<E>]> = self.log.slice(next, limit).cloned().collect();
        self.batch.0 = Some(Arc::clone(&batch));
        batch
    }

    fn send_snapshot(&mut self, place: usize) -> bool {
        let peer = &mut self.tracker.peers[place];
        // To a member that does not answer it would be sent in vain.
        if !peer.progress.recent_active || self.log.snapshot.index == 0 {
            return false;
        }
        let (to, snapshot) = (peer.id, self.log.snapshot.clone());
        peer.progress.become_snapshot(snapshot.index);
        self.send(to, Body::Snapshot(Box::new(snapshot)));
        true
    }
}

/// A follower's side.
impl<E: Clone> Raft<E> {
    /// A message of this term's leader.
    pub(super) fn follow(&mut self, leader: MemberId, body: Body<E>) -> Result<(), Fatal> {
        match self.role {
            Role::Leader => return Ok(()),
            Role::Candidate | Role::PreCandidate => self.become_follower(self.term, Some(leader)),
            Role::Follower => {
                self.election_elapsed = 0;
                self.leader = Some(leader);
            }
        }
        match body {
            Body::Append { previous_index, previous_term, entries, commit } => {
                self.append(leader, (previous_index, previous_term), &entries, commit)
            }
            Body::Heartbeat { commit, context } => {
                self.log.commit_to(commit)?;
                self.send(leader, Body::HeartbeatResponse { context });
                Ok(())
            }
            Body::Snapshot(snapshot) => self.restore(leader, *snapshot),
            _ => unreachable!("only a leader's messages are followed"),
        }
    }

    /// Promises that the disk agrees with the leader's log up to `index`.
    pub(super) fn acknowledge(&mut self, to: MemberId, index: Index) {
        self.promise(to, self.term, Body::AppendResponse(Appended::UpTo(index)));
    }

    fn append(
        &mut self,
        leader: MemberId,
        previous: (Index, Term),
        entries: &[Entry<E>],
        commit: Index,
    ) -> Result<(), Fatal> {
        if previous.0 < self.log.committed {
            self.acknowledge(leader, self.log.committed);
            return Ok(());
        }
        if let Some(agreed) = self.log.maybe_append(previous, entries) {
            self.log.commit_to(commit.min(agreed))?;
            self.acknowledge(leader, agreed);
            return Ok(());
        }
        let last = previous.0.min(self.log.last_index());
        let (hint_index, hint_term) = self.log.find_conflict(last, previous.1);
        let rejected = Appended::Rejected { previous_index: previous.0, hint_index, hint_term };
        self.promise(leader, self.term, Body::AppendResponse(rejected));
        Ok(())
    }

    /// Takes a snapshot in place of the log, unless the log is as good.
    fn restore(&mut self, leader: MemberId, snapshot: Snapshot) -> Result<(), Fatal> {
        let known = self.log.has(snapshot.index, snapshot.term);
        if snapshot.index > self.log.committed && known {
            self.log.commit_to(snapshot.index)?;
        } else if snapshot.index > self.log.committed && snapshot.membership.contains(self.id) {
            // Its membership comes into force when it is handed out: the changes that a `Ready` on
            // its way holds are older, and still to be applied.
            self.log.restore(snapshot);
        }
        self.acknowledge(leader, self.log.committed);
        Ok(())
    }
}
