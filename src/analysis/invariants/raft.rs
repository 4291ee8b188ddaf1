//! Raft's laws on the clusters' running groups of etcd members.
//!
//! They bind a group for as long as each member that comes back has what it had on its disk: a
//! member that was wiped and started again under its number may vote twice and acknowledge what it
//! does not have. etcd says so itself (`Documentation/op-guide/recovery.md`: a member that has lost
//! its data is to be removed and added anew). From then on the group is not judged any more.

use super::members::{GroupId, Identity, Moved};
use super::{Breach, Invariant, Kind, Law, Verdict};
use crate::api::Revision;
use crate::engine::Text;
use crate::raft::{Index, MemberId, Term};
use std::collections::BTreeMap;

pub(super) const ELECTION_SAFETY: Invariant = Invariant {
    name: "election-safety",
    kind: Kind::Always,
    law: "at most one member of an etcd group leads in a term",
    source: "Raft (Ongaro and Ousterhout 2014), figure 3: election safety",
    begin: || Box::new(ElectionSafety::default()),
};

pub(super) const LOG_MATCHING: Invariant = Invariant {
    name: "log-matching",
    kind: Kind::Always,
    law: "two logs that have an entry of the same index and term are alike up to it",
    source: "Raft (Ongaro and Ousterhout 2014), figure 3: log matching",
    begin: || Box::new(LogMatching::default()),
};

pub(super) const LEADER_COMPLETENESS: Invariant = Invariant {
    name: "leader-completeness",
    kind: Kind::Always,
    law: "what was committed is in the log of every later leader, whichever minority crashed",
    source: "Raft (Ongaro and Ousterhout 2014), figure 3: leader completeness",
    begin: || Box::new(LeaderCompleteness::default()),
};

pub(super) const STATE_MACHINE_SAFETY: Invariant = Invariant {
    name: "state-machine-safety",
    kind: Kind::Always,
    law: "no two members commit different entries at one index",
    source: "Raft (Ongaro and Ousterhout 2014), figure 3: state machine safety",
    begin: || Box::new(StateMachineSafety::default()),
};

pub(super) const STORES_AGREE: Invariant = Invariant {
    name: "stores-agree",
    kind: Kind::Always,
    law: "members that have applied the same entries have the same revision: no committed object \
          is lost",
    source: "etcd Documentation/learning/api_guarantees.md: durability, strict serializability; \
             releases 3.5.0 to 3.5.2 broke it (postmortems/v3.5-data-inconsistency.md)",
    begin: || Box::new(StoresAgree::default()),
};

#[derive(Clone, Debug, Default)]
struct ElectionSafety {
    leaders: BTreeMap<(GroupId, Term), MemberId>,
}

impl Law for ElectionSafety {
    fn look_at_member(&mut self, moved: &Moved) -> Verdict {
        if !moved.is_new_leader() {
            return Verdict::Holds;
        }
        let id = moved.raft.id();
        let first = *self.leaders.entry((moved.group, moved.now.term)).or_insert(id);
        match first == id {
            true => Verdict::Holds,
            false => broken(moved, format!("leads in term {}, as another did", moved.now.term)),
        }
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}

#[derive(Clone, Debug, Default)]
struct LogMatching {
    /// What an entry is, and the term of the one before it.
    entries: BTreeMap<(GroupId, Index, Term), (u64, Term)>,
}

impl Law for LogMatching {
    fn look_at_member(&mut self, moved: &Moved) -> Verdict {
        if moved.before.is_some_and(|before| before.last == moved.now.last) {
            return Verdict::Holds;
        }
        // What was committed is not touched any more; what comes after may all be new.
        let committed = moved.before.map_or(0, |before| before.committed);
        for index in (committed + 1).max(moved.raft.first_index())..=moved.now.last.0 {
            let Some(entry) = moved.raft.entry(index) else { continue };
            let Identity { term, proposal } = Identity::of(entry);
            // Nothing is known of what is before a log that was cut.
            let Some(before) = moved.raft.term_at(index - 1) else { continue };
            let known = self.entries.entry((moved.group, index, term));
            if *known.or_insert((proposal, before)) != (proposal, before) {
                let says = format!("has another entry {index} of term {term} than others have");
                return broken(moved, says);
            }
        }
        Verdict::Holds
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}

#[derive(Clone, Debug, Default)]
struct LeaderCompleteness {
    /// The last entry that was committed in each term, and the entry's own.
    committed: BTreeMap<(GroupId, Term), (Index, Term)>,
}

impl Law for LeaderCompleteness {
    fn look_at_member(&mut self, moved: &Moved) -> Verdict {
        if moved.is_new_leader() {
            let earlier = (moved.group, 0)..(moved.group, moved.now.term);
            let committed = self.committed.range(earlier).map(|(_, entry)| *entry);
            let missing = committed.max().filter(|(index, term)| {
                let is_there = moved.raft.term_at(*index) == Some(*term);
                // What a snapshot stands for is not in the log any more.
                !is_there && *index >= moved.raft.first_index()
            });
            if let Some((index, term)) = missing {
                let says = format!(
                    "leads in term {} without entry {index} of term {term}, which was committed",
                    moved.now.term
                );
                return broken(moved, says);
            }
        }
        let has_moved = moved.before.is_none_or(|before| before.committed < moved.now.committed);
        let index = moved.now.committed;
        if let Some(term) = moved.raft.term_at(index).filter(|_| has_moved) {
            let last = self.committed.entry((moved.group, moved.now.term)).or_default();
            *last = (*last).max((index, term));
        }
        Verdict::Holds
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}

#[derive(Clone, Debug, Default)]
struct StateMachineSafety {
    committed: BTreeMap<(GroupId, Index), Identity>,
}

impl Law for StateMachineSafety {
    fn look_at_member(&mut self, moved: &Moved) -> Verdict {
        let before = moved.before.map_or(0, |before| before.committed);
        for index in (before + 1).max(moved.raft.first_index())..=moved.now.committed {
            let Some(entry) = moved.raft.entry(index) else { continue };
            let own = Identity::of(entry);
            let first = *self.committed.entry((moved.group, index)).or_insert(own);
            if first != own {
                let says = format!(
                    "commits an entry of term {} at index {index}, where one of term {} was \
                     committed",
                    own.term, first.term
                );
                return broken(moved, says);
            }
        }
        Verdict::Holds
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}

#[derive(Clone, Debug, Default)]
struct StoresAgree {
    revisions: BTreeMap<(GroupId, Index), Revision>,
}

impl Law for StoresAgree {
    fn look_at_member(&mut self, moved: &Moved) -> Verdict {
        let index = moved.now.applied;
        if moved.before.is_some_and(|before| before.applied == index) {
            return Verdict::Holds;
        }
        let own = moved.store.revision();
        let first = *self.revisions.entry((moved.group, index)).or_insert(own);
        match first == own {
            true => Verdict::Holds,
            false => broken(
                moved,
                format!(
                    "is at revision {} after entry {index}, where another was at {}",
                    own.0, first.0
                ),
            ),
        }
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}

fn broken(moved: &Moved, says: String) -> Verdict {
    let (object, entries) = (moved.object(), moved.latest_entry());
    Verdict::Broken(Breach { object, says: Text::from(says), entries })
}
