//! What an API server and etcd say to each other.

use super::members::MemberInfo;
use crate::api::{Kind, Object, ObjectKey, Revision};
use crate::engine::{Duration, Owner, Text};
use crate::raft::{Index, MemberId, Term};
use std::sync::Arc;

/// What an API server asks of etcd.
#[derive(Clone, Debug)]
pub struct StoreRequest {
    pub id: u32,
    pub operation: StoreOperation,
    /// Sent with metadata `hasleader: true`: rather no answer than one of a member without a leader.
    pub require_leader: bool,
    /// Addresses the draw of this request's service time: who asks behind the API server, and its
    /// count.
    pub sender: Owner,
    pub count: u64,
}

/// One operation on the store.
#[derive(Clone, Debug)]
pub enum StoreOperation {
    Get(ObjectKey, Consistency),
    /// All objects of a kind.
    Range(Kind, Consistency),
    /// Puts (or deletes, if there is nothing to put) if the key is still at `expected`;
    /// revision 0 means that it must not exist.
    Transact {
        key: ObjectKey,
        expected: Revision,
        put: Option<Box<Object>>,
        by: &'static str,
        writer: u32,
    },
    /// Reports everything committed after a revision, or from now on.
    Watch(Option<Revision>),
    /// A `Transact` whose key goes with a lease.
    Leased(LeaseId, Box<StoreOperation>),
    /// A new lease of this length.
    LeaseGrant(Duration),
    /// Ends a lease and deletes its keys.
    LeaseRevoke(LeaseId),
    /// A lease begins anew.
    LeaseKeepAlive(LeaseId),
    /// How the asked member stands (Maintenance API).
    Status,
    MemberList(Consistency),
    /// Adds the member that is to run on the VM of this name.
    MemberAdd {
        vm: Text,
        learner: bool,
    },
    MemberRemove(MemberId),
    MemberPromote(MemberId),
    /// Hands leadership over to this member.
    MoveLeader(MemberId),
    /// `etcdctl snapshot save`, run on the member's own VM.
    SnapshotSave,
}

/// A lease's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaseId(pub u64);

/// What the Maintenance API tells of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    pub member: MemberId,
    /// None: it knows no leader.
    pub leader: Option<MemberId>,
    pub term: Term,
    /// The last entry that it knows to be committed.
    pub index: Index,
    /// The last entry that it has applied.
    pub applied: Index,
    pub revision: Revision,
    pub is_learner: bool,
    /// What is wrong with it, in etcd's words.
    pub errors: Vec<&'static str>,
}

/// What etcd answers.
#[derive(Clone, Debug)]
pub enum StoreAnswer {
    Value(Revision, Option<Arc<Object>>),
    Values(Revision, Vec<Arc<Object>>),
    /// Committed; the object as it is now, or as it was last.
    Committed(Arc<Object>),
    /// Somebody was faster; the object as it is.
    Conflict(Option<Arc<Object>>),
    /// Everything after this revision will be reported.
    Watching(Revision),
    /// The asked history is gone; this is the oldest revision left.
    Compacted(Revision),
    /// A lease with its length; none: there is no such lease (any more).
    Lease(LeaseId, Option<Duration>),
    Status(Box<MemberStatus>),
    /// The members, after the change if one was asked for.
    Members(Vec<MemberInfo>),
    /// Done, and there is nothing more to say.
    Done,
    /// Not done, or nobody knows whether it is done.
    Failed(StoreError),
}

/// How fresh a read has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// As fresh as anything that was acknowledged before: a quorum is asked.
    Linearizable,
    /// Whatever this member has applied.
    Serializable,
}

/// How an RPC of etcd failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    pub code: GrpcCode,
    pub message: Text,
}

/// The codes of gRPC that etcd answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcCode {
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    ResourceExhausted,
    FailedPrecondition,
    OutOfRange,
    Unavailable,
    DataLoss,
}

/// One committed change.
#[derive(Clone, Debug)]
pub struct Committed {
    pub revision: Revision,
    pub old: Option<Arc<Object>>,
    pub new: Option<Arc<Object>>,
}

impl StoreOperation {
    /// The kind of object that it is about, if it is about objects of one.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            StoreOperation::Get(key, _) | StoreOperation::Transact { key, .. } => Some(key.kind),
            StoreOperation::Range(kind, _) => Some(*kind),
            StoreOperation::Leased(_, operation) => operation.kind(),
            _ => None,
        }
    }

    /// True for a read that is to be answered when a quorum has said who leads.
    pub fn asks_quorum(&self) -> bool {
        match self {
            StoreOperation::Get(_, how)
            | StoreOperation::Range(_, how)
            | StoreOperation::MemberList(how) => *how == Consistency::Linearizable,
            _ => false,
        }
    }
}

impl StoreRequest {
    /// True if it must be agreed and made durable before it is answered.
    pub fn is_proposal(&self) -> bool {
        matches!(
            self.operation,
            StoreOperation::Transact { .. }
                | StoreOperation::Leased(..)
                | StoreOperation::LeaseGrant(_)
                | StoreOperation::LeaseRevoke(_)
        )
    }
}

impl StoreError {
    /// An error with one of etcd's own texts.
    pub fn new(code: GrpcCode, message: &'static str) -> StoreError {
        StoreError { code, message: Text::word(message) }
    }
}
