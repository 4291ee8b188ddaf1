//! What the members of an etcd cluster say to each other, and what stands in their log.

use super::store::{LeaseId, StoreAnswer, StoreOperation};
use crate::api::{Object, ObjectKey, Revision};
use crate::engine::{Duration, Owner, SimTime, Text};
use crate::raft::{Index, MemberId, Membership, Message as RaftMessage};
use crate::timeline::Cause;
use crate::wire::Committed;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};

/// A proposal, shared by the logs of all members.
pub type Proposal = Arc<Proposed>;

/// What one entry of the log does to the store of each member.
#[derive(Debug)]
pub struct Proposed {
    /// Unique in the cluster's history: the member that received it, and its count.
    pub id: u64,
    /// Addresses the draws of its service times.
    pub sender: Owner,
    pub count: u64,
    /// What led to it; it travels with the entry, which a member writes together with others.
    pub cause: Cause,
    pub write: Write,
    /// What came of it. Every member's store comes to the same, so the object is made once.
    pub made: OnceLock<Arc<Object>>,
}

/// A change of the store.
#[derive(Debug)]
pub enum Write {
    Transact {
        key: ObjectKey,
        expected: Revision,
        put: Option<Box<Object>>,
        by: &'static str,
        writer: u32,
        lease: Option<LeaseId>,
    },
    LeaseGrant(LeaseId, Duration),
    LeaseRevoke(LeaseId),
    /// A member tells its name and is ready to serve clients.
    Publish(MemberId),
    /// Goes with a change of the group, which has the member's number.
    AddMember {
        vm: Text,
        learner: bool,
    },
    PromoteMember,
    RemoveMember,
}

/// One member of a cluster, as all of them know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberInfo {
    pub id: MemberId,
    /// Where it runs: the host of its peer URL.
    pub vm: Text,
    /// It has published its name once.
    pub started: bool,
    pub learner: bool,
}

/// A lease and the keys that go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub length: Duration,
    pub keys: BTreeSet<ObjectKey>,
}

/// The state at an index of the log: a member's database.
#[derive(Clone, Debug, Default)]
pub struct Database {
    pub origin: Origin,
    /// The last entry that is in it.
    pub applied: Index,
    pub objects: BTreeMap<ObjectKey, Arc<Object>>,
    pub revision: Revision,
    pub changes: VecDeque<Committed>,
    /// Changes up to this revision are forgotten.
    pub compacted: Revision,
    pub leases: BTreeMap<LeaseId, Lease>,
    /// In the order of their numbers.
    pub members: Vec<MemberInfo>,
    /// Members that were removed; their numbers are never used again.
    pub removed: BTreeSet<MemberId>,
}

/// Where a member's data come from. Times are those of a copy's first start; the beginning, if it is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Which cluster it is, in the place of etcd's cluster ID: only members of one talk to each other.
    pub cluster: SimTime,
    /// When it was last made anew, or one member's data were made those of the cluster. Revisions of
    /// different histories have nothing to do with each other.
    pub history: SimTime,
}

/// What members say to each other.
#[derive(Clone, Debug)]
pub enum PeerMessage {
    /// A member opens the stream on which the other is to send to it.
    Open {
        cluster: SimTime,
        from: MemberId,
        to: MemberId,
    },
    Opened,
    /// The other is not ready for it, or is not who it was taken for.
    Refused,
    /// The one that asks was removed from the cluster (HTTP 410).
    Gone,
    /// Nothing to say for a while; the stream lives.
    Alive,
    Raft(RaftMessage<Proposal>),
    /// The same on a connection of its own, for a member of this cluster.
    Posted(SimTime, RaftMessage<Proposal>),
    /// A snapshot's message with the state that belongs to it.
    Snapshot(RaftMessage<Proposal>, Arc<Database>),
    /// The snapshot has arrived.
    SnapshotTaken,
    /// A follower asks its leader to do what only a leader can.
    Forward(u64, Box<StoreOperation>),
    Forwarded(u64, Box<StoreAnswer>),
    /// Whoever starts without data asks who belongs to the cluster.
    WhoIsMember,
    Members(Vec<MemberInfo>, Origin),
    /// Whoever starts with data asks for a hash of the other's.
    AskHash,
    Hash,
}

impl Database {
    /// The group that its members make.
    pub fn membership(&self) -> Membership {
        let mut membership = Membership::default();
        for member in &self.members {
            membership.apply(match member.learner {
                true => crate::raft::ConfChange::AddLearner(member.id),
                false => crate::raft::ConfChange::AddVoter(member.id),
            });
        }
        membership
    }

    /// The member of this number.
    pub fn member(&self, id: MemberId) -> Option<&MemberInfo> {
        self.members.iter().find(|member| member.id == id)
    }
}

// What can be told apart by its number is not compared in full.
impl PartialEq for Proposed {
    fn eq(&self, other: &Proposed) -> bool {
        self.id == other.id
    }
}
