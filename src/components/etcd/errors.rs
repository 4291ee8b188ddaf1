//! What etcd answers when something fails: its own words, and their gRPC codes.
//!
//! Follows `etcd-io/etcd:api/v3rpc/rpctypes/error.go`. An error that its table of codes does not
//! have arrives as `Unknown`.

use crate::wire::{GrpcCode, StoreAnswer, StoreError};

/// A code and a text.
pub type Failure = (GrpcCode, &'static str);

/// A failed request's answer.
pub fn failed(error: Failure) -> StoreAnswer {
    StoreAnswer::Failed(error_of(error))
}

/// The same, as a stream ends with it.
pub fn error_of((code, message): Failure) -> StoreError {
    StoreError::new(code, message)
}

pub const NO_LEADER: Failure = (GrpcCode::Unavailable, "etcdserver: no leader");
pub const NOT_LEADER: Failure = (GrpcCode::FailedPrecondition, "etcdserver: not leader");
pub const LEADER_CHANGED: Failure = (GrpcCode::Unavailable, "etcdserver: leader changed");
pub const TIMED_OUT: Failure = (GrpcCode::Unavailable, "etcdserver: request timed out");
pub const LEADER_FAILED: Failure = (
    GrpcCode::Unavailable,
    "etcdserver: request timed out, possibly due to previous leader failure",
);
pub const CONNECTION_LOST: Failure =
    (GrpcCode::Unavailable, "etcdserver: request timed out, possibly due to connection lost");
pub const TRANSFER_TOO_LONG: Failure =
    (GrpcCode::Unavailable, "etcdserver: request timed out, leader transfer took too long");
pub const BAD_TRANSFEREE: Failure =
    (GrpcCode::FailedPrecondition, "etcdserver: bad leader transferee");
pub const NO_SPACE: Failure =
    (GrpcCode::Unknown, "could not write the snapshot: no space left on device");
pub const DROPPED: Failure = (GrpcCode::Unknown, "raft proposal dropped");
pub const COMPACTED: Failure =
    (GrpcCode::OutOfRange, "etcdserver: mvcc: required revision has been compacted");
pub const UNHEALTHY: Failure = (GrpcCode::Unavailable, "etcdserver: unhealthy cluster");
pub const NOT_ENOUGH_STARTED: Failure =
    (GrpcCode::Unknown, "etcdserver: re-configuration failed due to not enough started members");
pub const TOO_MANY_LEARNERS: Failure =
    (GrpcCode::FailedPrecondition, "etcdserver: too many learner members in cluster");
pub const PEER_EXISTS: Failure =
    (GrpcCode::FailedPrecondition, "etcdserver: Peer URLs already exists");
pub const MEMBER_EXISTS: Failure =
    (GrpcCode::FailedPrecondition, "etcdserver: member ID already exist");
pub const NO_MEMBER: Failure = (GrpcCode::NotFound, "etcdserver: member not found");
pub const NOT_LEARNER: Failure =
    (GrpcCode::FailedPrecondition, "etcdserver: can only promote a learner member");
pub const LEARNER_NOT_READY: Failure = (
    GrpcCode::FailedPrecondition,
    "etcdserver: can only promote a learner member which is in sync with leader",
);
/// Its code is another in 3.6.
pub const FOR_LEARNER: &str = "etcdserver: rpc not supported for learner";
pub const LEASE_NOT_FOUND: Failure = (GrpcCode::NotFound, "etcdserver: requested lease not found");
pub const LEASE_EXISTS: Failure =
    (GrpcCode::FailedPrecondition, "etcdserver: lease already exists");
