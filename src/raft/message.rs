//! What members tell each other, and what the log holds.
//!
//! The names are those of etcd's raft without their `Msg`; `Resp` is written out.

use super::{ConfChange, Index, MemberId, Snapshot, Term};
use std::sync::Arc;

/// One message between two members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<E> {
    pub from: MemberId,
    pub to: MemberId,
    /// The sender's term; of a pre-vote the term it would campaign in; 0 on what stands outside of
    /// terms and may reach whoever leads (`Propose`, `ReadIndex`).
    pub term: Term,
    pub body: Body<E>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<E> {
    /// A follower passes on a proposal. It is sent once, and nobody answers it.
    Propose(Payload<E>),
    /// The leader's entries after the one at `previous_index`; none of them: news of the commit.
    Append {
        previous_index: Index,
        previous_term: Term,
        entries: Arc<[Entry<E>]>,
        commit: Index,
    },
    AppendResponse(Appended),
    /// `commit` never exceeds what the leader knows to be in the receiver's log.
    Heartbeat {
        commit: Index,
        context: Option<ReadContext>,
    },
    HeartbeatResponse {
        context: Option<ReadContext>,
    },
    /// The state at an index, for a follower whose next entry the leader no longer has.
    Snapshot(Box<Snapshot>),
    PreVote(Campaign),
    PreVoteResponse {
        granted: bool,
    },
    Vote(Campaign),
    VoteResponse {
        granted: bool,
    },
    /// A follower asks the leader at which index it may read.
    ReadIndex(ReadContext),
    ReadIndexResponse(ReadState),
    /// A follower passes on the wish that this member should lead.
    TransferLeader(MemberId),
    /// The leader wants the receiver to campaign at once.
    TimeoutNow,
}

impl<E> Body<E> {
    /// True if it answers what its receiver has asked as a leader or a candidate.
    pub fn is_response(&self) -> bool {
        matches!(
            self,
            Body::AppendResponse(_)
                | Body::HeartbeatResponse { .. }
                | Body::PreVoteResponse { .. }
                | Body::VoteResponse { .. }
        )
    }
}

/// A candidate's case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Campaign {
    pub last_index: Index,
    pub last_term: Term,
    /// The leader itself asked for this campaign, so its lease does not stand against it.
    pub transfer: bool,
}

/// A follower's answer to entries or to a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The log agrees with the leader's up to here, and that much is on disk.
    UpTo(Index),
    /// The follower's log has no such entry as the leader's at `previous_index`.
    Rejected {
        previous_index: Index,
        /// The last place at which the logs may agree, and the follower's term there; 0: not known.
        hint_index: Index,
        hint_term: Term,
    },
}

/// One place of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<E> {
    pub index: Index,
    pub term: Term,
    pub payload: Payload<E>,
}

/// What an entry holds. `E` belongs to the owner; it is cloned on each way, so it should be small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<E> {
    /// A new leader's first entry, or what has become of a change that came too early.
    Empty,
    Normal(E),
    Change(ConfChange, E),
}

/// The owner's name for a read; no two reads of a group may have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadContext(pub u64);

/// A read's answer: once the state machine has applied `index`, what it holds is fresh enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadState {
    pub context: ReadContext,
    pub index: Index,
}
