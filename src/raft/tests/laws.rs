//! The laws of Raft, checked after each step against everything that has happened.
//!
//! Those of figure 3 of the paper, and what etcd's members promise beyond: votes that survive,
//! commits on a quorum of disks, one change at a time, reads that are fresh.

use super::network::Node;
use crate::raft::*;
use std::collections::{BTreeMap, BTreeSet};

/// What has happened, and which laws were broken.
#[derive(Clone, Debug, Default)]
pub struct Laws {
    pub broken: BTreeSet<&'static str>,
    leaders: BTreeMap<Term, MemberId>,
    votes: BTreeMap<(MemberId, Term), MemberId>,
    terms: BTreeMap<MemberId, Term>,
    /// Each entry ever written, with the term of the one before it.
    written: BTreeMap<(Index, Term), (Payload<u64>, Option<Term>)>,
    /// What a leader has committed: the entry's term, and the leader's. Whose disks had the last.
    committed: BTreeMap<Index, (Term, Term)>,
    holders: Vec<MemberId>,
    holders_term: Term,
    applied: BTreeMap<Index, Entry<u64>>,
    applied_by: BTreeMap<MemberId, Index>,
    memberships: BTreeMap<Index, Membership>,
    /// The term, last index and its term of whoever leads.
    reigns: BTreeMap<MemberId, (Term, Index, Term)>,
    reads: BTreeMap<u64, Index>,
}

impl Laws {
    /// The last index that any leader has committed.
    pub fn last_committed(&self) -> Index {
        self.committed.keys().next_back().copied().unwrap_or(0)
    }

    /// A process begins anew: it applies again, and leads nobody.
    pub fn restarted(&mut self, id: MemberId) {
        self.terms.remove(&id);
        self.applied_by.remove(&id);
        self.reigns.remove(&id);
    }

    /// A member has reacted to something.
    pub fn look(&mut self, nodes: &[Node], place: usize) {
        let raft = nodes[place].raft.as_ref().expect("it runs");
        let (id, term) = (raft.id(), raft.term());
        let before = self.terms.insert(id, term).unwrap_or(0);
        let ordered = raft.applied() <= raft.committed() && raft.committed() <= raft.last_index();
        self.law(before <= term && ordered, "nothing goes back");
        if raft.role() != Role::Leader {
            self.reigns.remove(&id);
        } else {
            self.look_at_leader(nodes, raft);
        }
        // A follower knows of no commit that no leader made.
        let commit = raft.committed();
        self.law(commit <= self.last_committed().max(1), "no commit without a quorum");
    }

    /// A member's disk has what `ready` held.
    pub fn wrote(&mut self, id: MemberId, disk: &Disk<u64>, ready: &Ready<u64>, raft: &Raft<u64>) {
        if let HardState { term, vote: Some(vote), .. } = disk.hard_state {
            self.voted(id, term, vote);
        }
        for promise in &ready.promises {
            // The disk may know only of a later term: that binds a member as well.
            if promise.body == (Body::VoteResponse { granted: true }) {
                self.voted(id, promise.term, promise.to);
            }
        }
        for entry in &ready.entries {
            // It may have been replaced since.
            if raft.term_at(entry.index) != Some(entry.term) {
                continue;
            }
            let content = (entry.payload.clone(), raft.term_at(entry.index - 1));
            let first = self.written.entry((entry.index, entry.term)).or_insert(content.clone());
            let known = first.1.is_some() && content.1.is_some();
            let same = first.0 == content.0 && (first.1 == content.1 || !known);
            self.law(same, "log matching");
        }
        if let Some(snapshot) = &ready.snapshot {
            self.applied_by.insert(id, snapshot.index);
            let same =
                self.committed.get(&snapshot.index).is_some_and(|(t, _)| *t == snapshot.term);
            self.law(same || snapshot.index <= 1, "a snapshot holds what is committed");
        }
    }

    /// A member has applied an entry; its configuration is now `membership`.
    pub fn applied(&mut self, id: MemberId, entry: &Entry<u64>, membership: &Membership) {
        let first = self.applied.entry(entry.index).or_insert(entry.clone()).clone();
        self.law(first == *entry, "state machine safety");
        let last = self.applied_by.insert(id, entry.index);
        self.law(last.is_none_or(|last| entry.index == last + 1), "applied in order");
        let known = self.memberships.entry(entry.index).or_insert(membership.clone()).clone();
        self.law(known == *membership, "one configuration at an index");
    }

    /// Whoever asks from now on has to see what is committed now.
    pub fn read_begins(&mut self, context: ReadContext) {
        self.reads.insert(context.0, self.last_committed());
    }

    /// A read is answered as of an index.
    pub fn read_ends(&mut self, state: ReadState) {
        let fresh = self.reads.get(&state.context.0).is_some_and(|least| state.index >= *least);
        self.law(fresh, "linearizable reads");
    }

    fn voted(&mut self, voter: MemberId, term: Term, candidate: MemberId) {
        let first = *self.votes.entry((voter, term)).or_insert(candidate);
        self.law(first == candidate, "one vote in a term");
    }

    fn look_at_leader(&mut self, nodes: &[Node], raft: &Raft<u64>) {
        let (id, term) = (raft.id(), raft.term());
        if self.leaders.get(&term) != Some(&id) {
            self.look_at_election(raft);
        }
        let (last, last_term) = (raft.last_index(), raft.term_at(raft.last_index()).unwrap_or(0));
        if let Some((reign, index, index_term)) = self.reigns.insert(id, (term, last, last_term)) {
            let kept = raft.term_at(index) == Some(index_term);
            self.law(reign != term || kept, "leader append-only");
        }
        let unapplied = self.last_committed().max(raft.committed()) + 1..=last;
        let change = |index: &Index| {
            let payload = raft.entry(*index).map(|entry| &entry.payload);
            matches!(payload, Some(Payload::Change(..)))
        };
        self.law(unapplied.filter(change).count() <= 1, "one change at a time");
        self.look_at_commit(nodes, raft);
    }

    fn look_at_election(&mut self, raft: &Raft<u64>) {
        let (id, term) = (raft.id(), raft.term());
        let first = *self.leaders.entry(term).or_insert(id);
        self.law(first == id, "election safety");
        let has = |index: Index, term: Term| {
            index < raft.first_index() || raft.term_at(index) == Some(term)
        };
        let mut earlier = self.committed.iter().filter(|(_, (_, reign))| *reign < term);
        let complete = earlier.all(|(index, (entry_term, _))| has(*index, *entry_term));
        self.law(complete, "leader completeness");
        // An election of an earlier term may be heard of late; it can commit nothing.
        let voted = |holder: &MemberId| self.votes.get(&(*holder, term)) == Some(&id);
        let shared = self.holders.is_empty() || self.holders.iter().any(voted);
        self.law(shared || self.holders_term >= term, "no two disjoint quorums");
    }

    fn look_at_commit(&mut self, nodes: &[Node], raft: &Raft<u64>) {
        let commit = raft.committed();
        let Some(commit_term) = raft.term_at(commit) else { return };
        if commit <= self.last_committed() {
            return;
        }
        let has = |node: &Node| node.disk.has(commit, commit_term);
        let holders = nodes.iter().filter(|node| has(node)).map(|node| node.id);
        let holders: Vec<_> = holders.filter(|id| raft.membership().is_voter(*id)).collect();
        self.law(holders.len() >= raft.membership().quorum(), "no commit without a quorum");
        (self.holders, self.holders_term) = (holders, raft.term());
        for index in self.last_committed() + 1..=commit {
            // None: it is in a snapshot, so some leader had committed it unseen.
            self.law(raft.term_at(index).is_some(), "no commit without a quorum");
            self.committed.insert(index, (raft.term_at(index).unwrap_or(0), raft.term()));
        }
    }

    /// Notes a broken law.
    pub fn law(&mut self, holds: bool, name: &'static str) {
        if !holds {
            self.broken.insert(name);
        }
    }
}
