//! One Raft member as a pure state machine: ticks, messages and proposals in; messages, entries and
//! state to write out. It knows no time, disk or network, nothing of etcd, and draws no number.
//!
//! Follows etcd's raft library rule by rule, since its rules (pre-vote, the lease, the quorum check,
//! when a time-out is drawn) decide how long a group is without a leader. Where to look:
//!
//! | file | is |
//! |---|---|
//! | `member` | `Raft`: inputs (`tick`, `step`, `propose` ...), outputs (`ready`, `advance`) |
//! | `election` | time-outs, campaigns, votes, roles |
//! | `replication` | entries, commits, snapshots: the leader's side and the follower's |
//! | `reads` | the read index: a read that is as fresh as a write, without one |
//! | `progress`, `membership`, `log`, `disk`, `message` | data |
//!
//! How it is driven:
//!
//! - **One turn**: an input; `ready` fills a `Ready`; its `messages` leave, the disk writes, its
//!   `promises` leave, its `committed` entries are applied (a change by `apply_conf_change`);
//!   `advance`. Inputs may come while the disk writes; the next `ready` waits for `advance`.
//! - **Must be on disk first**: term and vote before a vote is granted, or counted for oneself;
//!   entries before they are acknowledged, or counted for oneself. A leader's appends need not wait,
//!   so its disk writes in parallel with its followers' (thesis, section 10.2.1).
//! - **Time-outs are drawn by the owner**: a change of role or term leaves the time-out undrawn, and
//!   the owner hands in a number (`wants_draw`, `draw_timeout`) before the next tick. None is needed
//!   within an input, and so the owner can look its draws up by address.
//! - **A payload** is any `E: Clone`, cloned on each way: a shared pointer or a number.
//! - **Heartbeats allocate nothing**: `Ready` is filled again and again, peers are a short sorted
//!   list. One that changes nothing touches only `election_elapsed` (follower), `recent_active` and
//!   `probe_sent` (leader): who wants to skip it has to answer for these.
//! - **Members are small numbers**. One change at a time adds or removes one of them, so there is no
//!   joint configuration; learners get the log and are counted nowhere.
//! - **What ends a real member's process is data** (`Fatal`): it happens to members whose disk was
//!   lost, and that is a scenario.
//!
//! Simplified: an append is limited by the number of its entries, not by their bytes.

mod disk;
mod election;
mod fatal;
mod log;
mod member;
mod membership;
mod message;
mod progress;
mod reads;
mod replication;
mod settings;
#[cfg(test)]
mod tests;
mod unplayed;

pub use disk::{Disk, HardState, Ready, Snapshot};
pub use fatal::Fatal;
pub use member::{ProposalDropped, Raft, Role, SnapshotStatus};
pub use membership::{ConfChange, Membership};
pub use message::{Appended, Body, Campaign, Entry, Message, Payload, ReadContext, ReadState};
pub use progress::{Progress, ProgressState};
pub use settings::Settings;

/// A member's number in its group; never used again after the member was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberId(pub u32);

/// The number of a reign. Grows with each campaign; at most one leader has it.
pub type Term = u64;

/// A place in the log; the first entry's is 1.
pub type Index = u64;
