//! Who belongs to a group, and how many of them decide.
//!
//! One change adds, promotes or removes one member, as etcd does it; any quorum before such a change
//! shares a member with any quorum after it, so no joint configuration is needed. A configuration is
//! in force on a member once the member has applied it, not when it is appended; that at most one
//! change is on its way at a time is the leader's duty (`Raft::propose`).

use super::MemberId;

/// The members of a group in order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    voters: Vec<MemberId>,
    learners: Vec<MemberId>,
}

/// A change by one member; it travels through the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfChange {
    /// Adds a voter, or promotes a learner.
    AddVoter(MemberId),
    /// Adds a member that gets the log, and never counts.
    AddLearner(MemberId),
    Remove(MemberId),
}

impl Membership {
    /// A group of these voters.
    pub fn of_voters(voters: impl IntoIterator<Item = MemberId>) -> Membership {
        let mut membership = Membership::default();
        for voter in voters {
            membership.apply(ConfChange::AddVoter(voter));
        }
        membership
    }

    /// Carries out a change; one that would leave no voter changes nothing.
    pub fn apply(&mut self, change: ConfChange) {
        let member = change.member();
        let was_only_voter = self.voters == [member];
        match change {
            ConfChange::AddVoter(_) => {
                remove(&mut self.learners, member);
                insert(&mut self.voters, member);
            }
            ConfChange::AddLearner(_) | ConfChange::Remove(_) if was_only_voter => {}
            ConfChange::AddLearner(_) => {
                remove(&mut self.voters, member);
                insert(&mut self.learners, member);
            }
            ConfChange::Remove(_) => {
                remove(&mut self.voters, member);
                remove(&mut self.learners, member);
            }
        }
    }

    /// How many voters must agree.
    pub fn quorum(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// Who counts.
    pub fn voters(&self) -> &[MemberId] {
        &self.voters
    }

    /// Who only listens.
    pub fn learners(&self) -> &[MemberId] {
        &self.learners
    }

    /// Voters and learners.
    pub fn members(&self) -> impl Iterator<Item = MemberId> {
        self.voters.iter().chain(&self.learners).copied()
    }

    /// True if the member counts.
    pub fn is_voter(&self, member: MemberId) -> bool {
        self.voters.binary_search(&member).is_ok()
    }

    /// True if the member belongs to the group.
    pub fn contains(&self, member: MemberId) -> bool {
        self.is_voter(member) || self.learners.binary_search(&member).is_ok()
    }
}

impl ConfChange {
    /// The member that is added, promoted or removed.
    pub fn member(self) -> MemberId {
        match self {
            ConfChange::AddVoter(member)
            | ConfChange::AddLearner(member)
            | ConfChange::Remove(member) => member,
        }
    }
}

fn insert(list: &mut Vec<MemberId>, member: MemberId) {
    if let Err(place) = list.binary_search(&member) {
        list.insert(place, member);
    }
}

fn remove(list: &mut Vec<MemberId>, member: MemberId) {
    list.retain(|other| *other != member);
}
