//! The rules and numbers of a Cluster API release, one setting per rule.

use crate::api::Kind;
use crate::client::{ClientSettings, Pauses, ProbeSettings, ShellSettings};
use crate::engine::Duration;

/// How the controller behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    /// How long an answer of the workload cluster is waited for.
    pub remote_timeout: Duration,
    pub shell: ShellSettings,
    pub resync: Duration,
    pub resync_jitter_percent: u64,
    pub probe: ProbeSettings,
    /// For how long the conditions stay as they are once the workload cluster is disconnected.
    pub conditions_grace: Duration,
    /// Everything is looked at again when the workload cluster is lost, and when it is connected
    /// again.
    pub reconnection_enqueues: bool,
    pub etcd: EtcdAccess,
    pub requeue: Requeue,
    pub inspection: Inspection,
    pub picks: Picks,
    pub leader: LeaderAccess,
    pub removal: MemberRemoval,
    /// Whether a Machine goes only if another one's components all run, and learners hold
    /// everything back.
    pub needs_healthy_components: bool,
    /// Whether, while one is being replaced, a control plane that can bear a bad newcomer gets its
    /// new Machine although not all others are healthy.
    pub relaxes_for_replacement: bool,
    pub pauses: Pauses,
    pub wording: Wording,
    /// The kind of the provider's objects.
    pub infrastructure: Kind,
}

/// How an etcd member is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtcdAccess {
    /// How long a connection is tried.
    pub connect: Duration,
    /// Between two tries of one connection.
    pub retry: Duration,
    /// How long one call may take.
    pub call: Duration,
}

/// When the control plane is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requeue {
    /// While it is not ready, or its components are not healthy.
    pub not_ready: Duration,
    /// While checks hold a scale-up back.
    pub preflight: Duration,
    /// For so long after such a check events do not count.
    pub preflight_deferral: Duration,
    /// While a Machine goes.
    pub deleting: Duration,
}

/// Whom the state of etcd is learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// Each member tells of itself: one that cannot be reached is not known to be healthy.
    EachMember,
    /// One member tells of all.
    AnyMember,
}

/// Which of several unhealthy Machines goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picks {
    /// The oldest without a Node, else the oldest.
    Oldest,
    /// The one with the worst conditions.
    MostBroken,
}

/// When etcd's leader has to be reached through its own Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderAccess {
    /// For the list of members and before every removal.
    Always,
    /// Only if the Machine that goes is the leader's.
    ForItsOwnMachine,
}

/// When an etcd member leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRemoval {
    /// Before its Machine is deleted.
    BeforeDeletion,
    /// When its Machine's end has come so far that a hook holds it.
    InHook,
}

/// The words of conditions and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    V1Beta1,
    V1Beta2,
}
