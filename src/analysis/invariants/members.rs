//! What moved in a member of etcd with one event. Terms, logs and commits move without an entry, so
//! each event of a member is looked at; most move nothing.

use crate::components::etcd::Store;
use crate::engine::{SimTime, Text};
use crate::infra::ProcessId;
use crate::raft::{Entry, Index, MemberId, Payload, Raft, Role, Term};
use crate::timeline::EntryId;
use crate::wire::Proposal;
use crate::world::View;
use std::collections::BTreeSet;

/// All members of all groups, as they were seen last.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// By the number of the process.
    seen: Vec<Option<Known>>,
    groups: Vec<Group>,
    /// Every member that was ever seen with data.
    known: BTreeSet<(GroupId, MemberId)>,
}

/// A group of members: those of a cluster, until it is made anew out of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId(pub(super) usize);

#[derive(Clone, Debug)]
struct Group {
    cluster: Text,
    history: SimTime,
    /// No member has come back without what it had on its disk.
    is_whole: bool,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    group: GroupId,
    glimpse: Glimpse,
}

/// What decides whether anything has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glimpse {
    history: SimTime,
    pub term: Term,
    pub role: Role,
    pub committed: Index,
    pub last: (Index, Term),
    /// Up to here the store has applied the log.
    pub applied: Index,
}

/// A member that has just moved.
#[derive(Clone, Copy)]
pub struct Moved<'a> {
    pub view: View<'a>,
    pub process: ProcessId,
    pub group: GroupId,
    pub raft: &'a Raft<Proposal>,
    pub store: &'a Store,
    /// Nothing if it is seen for the first time.
    pub before: Option<Glimpse>,
    pub now: Glimpse,
}

/// What tells an entry of the log from every other of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub term: Term,
    /// The number of its proposal; 0 for the entry by which a leader begins.
    pub proposal: u64,
}

impl Members {
    /// The member that moved with the latest event, if one did and Raft's laws bind its group.
    pub fn look<'a>(&mut self, view: View<'a>) -> Option<Moved<'a>> {
        let played = view.etcd_just_played()?;
        let place = played.id.0 as usize;
        if self.seen.len() <= place {
            self.seen.resize_with(place + 1, || None);
        }
        let (Some(raft), Some(store)) = (played.process.raft(), played.process.store()) else {
            self.seen[place] = None;
            return None;
        };
        let now = Glimpse::of(raft, store);
        let before = self.seen[place].filter(|known| known.glimpse.history == now.history);
        if before.is_some_and(|known| known.glimpse == now) {
            return None;
        }
        let group = match before {
            Some(known) => known.group,
            None => self.meet(view.place_of(played.id).0, now.history, raft.id()),
        };
        self.seen[place] = Some(Known { group, glimpse: now });
        let before = before.map(|known| known.glimpse);
        let moved = Moved { view, process: played.id, group, raft, store, before, now };
        self.groups[group.0].is_whole.then_some(moved)
    }

    /// A process that has data for the first time, or again.
    fn meet(&mut self, cluster: Text, history: SimTime, member: MemberId) -> GroupId {
        let is_it = |group: &Group| group.cluster == cluster && group.history == history;
        let place = self.groups.iter().position(is_it).unwrap_or(self.groups.len());
        if place == self.groups.len() {
            self.groups.push(Group { cluster, history, is_whole: true });
        }
        let group = GroupId(place);
        if !self.known.insert((group, member)) {
            self.groups[place].is_whole = false;
        }
        group
    }
}

impl Glimpse {
    /// A member as it is.
    pub fn of(raft: &Raft<Proposal>, store: &Store) -> Glimpse {
        let last = raft.last_index();
        Glimpse {
            history: store.origin().history,
            term: raft.term(),
            role: raft.role(),
            committed: raft.committed(),
            last: (last, raft.term_at(last).unwrap_or_default()),
            applied: store.applied(),
        }
    }
}

impl Moved<'_> {
    /// The member, as in an entry.
    pub fn object(&self) -> Text {
        Text::from(format!("EtcdMember/{}", self.view.place_of(self.process).1))
    }

    /// The entry before the present.
    pub fn latest_entry(&self) -> Vec<EntryId> {
        self.view.timeline().entries().last().map(|entry| entry.id).into_iter().collect()
    }

    /// True if it has just begun to lead in its term.
    pub fn is_new_leader(&self) -> bool {
        let led = |before: Glimpse| before.role == Role::Leader && before.term == self.now.term;
        self.now.role == Role::Leader && !self.before.is_some_and(led)
    }
}

impl Identity {
    /// Of an entry.
    pub fn of(entry: &Entry<Proposal>) -> Identity {
        let proposal = match &entry.payload {
            Payload::Empty => 0,
            Payload::Normal(proposal) | Payload::Change(_, proposal) => proposal.id,
        };
        Identity { term: entry.term, proposal }
    }
}
