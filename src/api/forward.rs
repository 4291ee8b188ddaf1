//! A port-forward through an API server and a kubelet to the etcd member beside it, and what
//! Cluster API says over it: the few calls of etcd's client API that it makes.
//!
//! The way is real: the Pod, then its Node's kubelet, then the member's own port on that machine.
//! Simplified: one call travels at a time, each with a forward of its own.

use crate::engine::{Duration, Text};
use crate::raft::MemberId;

/// One call to the etcd member of a Node, and how long its client waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    pub node: Text,
    pub call: EtcdCall,
    pub timeout: Duration,
}

/// What is asked of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EtcdCall {
    /// Who it is and who leads (Maintenance API); any member answers by itself.
    Status,
    /// Who belongs to the cluster; needs a quorum.
    MemberList,
    /// Leadership to this member; only the leader can.
    MoveLeader(MemberId),
    /// An end for this member; needs a quorum.
    MemberRemove(MemberId),
}

/// What a member answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EtcdReply {
    Status(EtcdStatus),
    Members(Vec<EtcdMember>),
    Done,
    /// It was reached, and refuses.
    Failed(Text),
}

/// A member's own view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdStatus {
    pub member: MemberId,
    /// None: it knows no leader.
    pub leader: Option<MemberId>,
    /// What is wrong with it: alarms, no leader.
    pub errors: Vec<Text>,
}

/// One member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdMember {
    pub id: MemberId,
    /// The name of its Node; empty until it has published it.
    pub name: Text,
    pub learner: bool,
}

impl Forward {
    /// The Pod that the forward leads to, and its port there.
    pub fn pod(&self) -> Text {
        Text::from(format!("etcd-{}", self.node))
    }
}
