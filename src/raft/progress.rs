//! What a leader knows of each member's log, and how far it may send ahead.
//!
//! Follows `tracker/progress.go` of etcd's raft: probe (one append, then wait), replicate (a window
//! of appends on their way) and snapshot (nothing until it has arrived or failed).

use super::{ConfChange, Index, MemberId, Membership};
use std::collections::VecDeque;

/// The group with the progress and the vote of each member.
#[derive(Clone, Debug)]
pub struct Tracker {
    pub membership: Membership,
    /// In order of their numbers.
    pub peers: Vec<Peer>,
}

/// One member as its group sees it; the member itself is among them.
#[derive(Clone, Debug)]
pub struct Peer {
    pub id: MemberId,
    pub progress: Progress,
    /// Its answer to the campaign in hand.
    pub vote: Option<bool>,
}

/// How a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoteResult {
    Pending,
    Won,
    Lost,
}

/// How far one member's log agrees with the leader's.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The member's log is known to agree up to here.
    pub matched: Index,
    /// The next entry to send.
    pub next: Index,
    pub state: ProgressState,
    /// It has answered since the last quorum check.
    pub recent_active: bool,
    /// In probe: an append with entries is out, and no more are sent before an answer.
    pub probe_sent: bool,
    /// In replicate: the last index of each append on its way.
    pub inflight: VecDeque<Index>,
}

/// How a leader sends to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressState {
    Probe,
    Replicate,
    /// A snapshot of this index is on its way.
    Snapshot(Index),
}

impl Tracker {
    /// The group of this membership; every member's next entry would be `next`.
    pub fn new(membership: Membership, next: Index) -> Tracker {
        let mut tracker = Tracker { membership, peers: Vec::new() };
        tracker.match_membership(next);
        tracker
    }

    /// Carries out a change; a newcomer's next entry would be `next`.
    pub fn apply(&mut self, change: ConfChange, next: Index) {
        self.membership.apply(change);
        self.match_membership(next);
    }

    /// Where the member stands in `peers`.
    pub fn position(&self, id: MemberId) -> Option<usize> {
        self.peers.binary_search_by_key(&id, |peer| peer.id).ok()
    }

    /// The member's progress, if it belongs to the group.
    pub fn progress(&self, id: MemberId) -> Option<&Progress> {
        self.position(id).map(|place| &self.peers[place].progress)
    }

    /// The largest index that a quorum of voters has.
    pub fn committed(&self) -> Index {
        let agree = |index: Index| self.voters().filter(|v| v.progress.matched >= index).count();
        let indexes = self.voters().map(|voter| voter.progress.matched);
        indexes.filter(|index| agree(*index) >= self.membership.quorum()).max().unwrap_or(0)
    }

    /// True if a quorum of voters has answered since the last check, `own` being one of them.
    pub fn quorum_active(&self, own: MemberId) -> bool {
        let active = |peer: &&Peer| peer.id == own || peer.progress.recent_active;
        self.voters().filter(active).count() >= self.membership.quorum()
    }

    /// How the campaign stands.
    pub fn vote_result(&self) -> VoteResult {
        let (quorum, all) = (self.membership.quorum(), self.membership.voters().len());
        let count = |vote| self.voters().filter(|voter| voter.vote == Some(vote)).count();
        if count(true) >= quorum {
            VoteResult::Won
        } else if count(false) > all - quorum {
            VoteResult::Lost
        } else {
            VoteResult::Pending
        }
    }

    fn voters(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().filter(|peer| self.membership.is_voter(peer.id))
    }

    fn match_membership(&mut self, next: Index) {
        self.peers.retain(|peer| self.membership.contains(peer.id));
        for id in self.membership.members() {
            if let Err(place) = self.peers.binary_search_by_key(&id, |peer| peer.id) {
                let mut progress = Progress::new(next);
                // Else a quorum check right after the change would hold its silence against it.
                progress.recent_active = true;
                self.peers.insert(place, Peer { id, progress, vote: None });
            }
        }
    }
}

impl Progress {
    /// Nothing is known of the member; the leader tries with this entry.
    pub fn new(next: Index) -> Progress {
        Progress {
            matched: 0,
            next,
            state: ProgressState::Probe,
            recent_active: false,
            probe_sent: false,
            inflight: VecDeque::new(),
        }
    }

    /// True if nothing may be sent now.
    pub fn is_paused(&self, max_inflight: usize) -> bool {
        match self.state {
            ProgressState::Probe => self.probe_sent,
            ProgressState::Replicate => self.inflight.len() >= max_inflight,
            ProgressState::Snapshot(_) => true,
        }
    }

    /// The member's log agrees up to `index`; false if that is no news.
    pub fn maybe_update(&mut self, index: Index) -> bool {
        let news = self.matched < index;
        if news {
            self.matched = index;
            self.probe_sent = false;
        }
        self.next = self.next.max(index + 1);
        news
    }

    /// The member rejected what followed `rejected`; false if that was about an earlier append.
    pub fn maybe_decrease(&mut self, rejected: Index, hint: Index) -> bool {
        if self.state == ProgressState::Replicate {
            return rejected > self.matched;
        }
        if self.next - 1 != rejected {
            return false;
        }
        self.next = rejected.min(hint + 1).max(self.matched + 1);
        self.probe_sent = false;
        true
    }

    /// Entries up to `last` leave for the member.
    pub fn sent(&mut self, last: Index) {
        match self.state {
            ProgressState::Replicate => {
                self.next = last + 1;
                self.inflight.push_back(last);
            }
            _ => self.probe_sent = true,
        }
    }

    /// Appends up to `index` have arrived.
    pub fn free_inflight(&mut self, index: Index) {
        while self.inflight.front().is_some_and(|first| *first <= index) {
            self.inflight.pop_front();
        }
    }

    /// One append, then an answer; after a snapshot what follows it.
    pub fn become_probe(&mut self) {
        let known = match self.state {
            ProgressState::Snapshot(index) => self.matched.max(index),
            _ => self.matched,
        };
        self.enter(ProgressState::Probe);
        self.next = known + 1;
    }

    /// Appends follow each other without waiting.
    pub fn become_replicate(&mut self) {
        self.enter(ProgressState::Replicate);
        self.next = self.matched + 1;
    }

    /// Nothing more until the snapshot of this index has arrived or failed.
    pub fn become_snapshot(&mut self, index: Index) {
        self.enter(ProgressState::Snapshot(index));
    }

    fn enter(&mut self, state: ProgressState) {
        self.state = state;
        self.probe_sent = false;
        self.inflight.clear();
    }
}
