//! What a person can tell etcdctl to do, as data, and the words that etcdctl prints about it.
//!
//! The words are those of etcdctl 3.5, but for the cluster's number, which nobody here has.

use crate::engine::{Duration, Text};
use crate::raft::MemberId;
use crate::wire::{Consistency, MemberInfo, MemberStatus, StoreAnswer, StoreOperation};

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// `--endpoints`: the VM of the member that is asked.
    pub endpoint: Text,
    pub action: Action,
}

/// What is to be done; members are named by their VMs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `member list`
    MemberList,
    /// `member add VM [--learner]`
    MemberAdd { vm: Text, learner: bool },
    /// `member remove VM`
    MemberRemove(Text),
    /// `member promote VM`
    MemberPromote(Text),
    /// `move-leader VM`
    MoveLeader(Text),
    /// `endpoint status`
    EndpointStatus,
    /// `endpoint health`
    EndpointHealth,
    /// `snapshot save`
    SnapshotSave,
}

impl Command {
    /// The first request.
    pub fn opening(&self) -> StoreOperation {
        match &self.action {
            Action::MemberList | Action::EndpointHealth => {
                StoreOperation::MemberList(Consistency::Linearizable)
            }
            Action::MemberAdd { vm, learner } => {
                StoreOperation::MemberAdd { vm: vm.clone(), learner: *learner }
            }
            // Numbers are looked up where that needs no leader.
            Action::MemberRemove(_) | Action::MemberPromote(_) | Action::MoveLeader(_) => {
                StoreOperation::MemberList(Consistency::Serializable)
            }
            Action::EndpointStatus => StoreOperation::Status,
            Action::SnapshotSave => StoreOperation::SnapshotSave,
        }
    }

    /// What is asked once the members are looked up, if that was what they were looked up for.
    pub fn about(&self, members: &[MemberInfo]) -> Option<Result<StoreOperation, String>> {
        let (Action::MemberRemove(vm) | Action::MemberPromote(vm) | Action::MoveLeader(vm)) =
            &self.action
        else {
            return None;
        };
        let Some(MemberInfo { id, .. }) = members.iter().find(|member| member.vm == *vm) else {
            let known: Vec<&str> = members.iter().map(|member| member.vm.as_str()).collect();
            return Some(Err(format!("Error: no member on {vm}; there: {}", known.join(", "))));
        };
        Some(Ok(match self.action {
            Action::MemberRemove(_) => StoreOperation::MemberRemove(*id),
            Action::MemberPromote(_) => StoreOperation::MemberPromote(*id),
            _ => StoreOperation::MoveLeader(*id),
        }))
    }

    /// What it prints about its last answer; `before` are the members as it has looked them up.
    pub fn done(&self, answer: &StoreAnswer, before: &[MemberInfo], took: Duration) -> String {
        let number_of =
            |vm: &Text| before.iter().find(|m| m.vm == *vm).map_or(MemberId(0), |m| m.id);
        let endpoint = &self.endpoint;
        match (&self.action, answer) {
            (Action::MemberList, StoreAnswer::Members(members)) => {
                members.iter().map(listed).collect::<Vec<_>>().join("\n")
            }
            (Action::MemberAdd { vm, learner }, StoreAnswer::Members(members)) => {
                let added = members.iter().find(|member| member.vm == *vm);
                let what = if *learner { " as learner" } else { "" };
                format!(
                    "Member {} added{what} to cluster",
                    hex(added.map_or(MemberId(0), |m| m.id))
                )
            }
            (Action::MemberRemove(vm), _) => {
                format!("Member {} removed from cluster", hex(number_of(vm)))
            }
            (Action::MemberPromote(vm), _) => {
                format!("Member {} promoted in cluster", hex(number_of(vm)))
            }
            (Action::MoveLeader(vm), _) => {
                format!("Leadership transferred to {}", hex(number_of(vm)))
            }
            (Action::EndpointStatus, StoreAnswer::Status(status)) => {
                format!("https://{endpoint}:2379, {}", stands(status))
            }
            (Action::EndpointHealth, _) => {
                let took = took.as_micros();
                format!(
                    "https://{endpoint}:2379 is healthy: successfully committed proposal: took = \
                     {}.{:03}ms",
                    took / 1_000,
                    took % 1_000
                )
            }
            (Action::SnapshotSave, _) => {
                "Snapshot saved at /var/lib/etcd-backup/snapshot.db".into()
            }
            _ => "Error: an answer of another kind".into(),
        }
    }

    /// What it prints when the member does not do it, or does not answer.
    pub fn failed(&self, message: &str) -> String {
        let endpoint = &self.endpoint;
        match (&self.action, message) {
            (Action::EndpointHealth, message) => format!(
                "https://{endpoint}:2379 is unhealthy: failed to commit proposal: {message}\n\
                 Error: unhealthy cluster"
            ),
            (Action::MoveLeader(_), "etcdserver: not leader") => {
                format!("Error: no leader endpoint given at [https://{endpoint}:2379]")
            }
            (_, message) => format!("Error: {message}"),
        }
    }
}

fn listed(member: &MemberInfo) -> String {
    let MemberInfo { id, vm, started, learner } = member;
    let (state, name, client) = match started {
        true => ("started", vm.as_str(), format!("https://{vm}:2379")),
        false => ("unstarted", "", String::new()),
    };
    format!("{}, {state}, {name}, https://{vm}:2380, {client}, {learner}", hex(*id))
}

fn stands(status: &MemberStatus) -> String {
    let MemberStatus { member, leader, term, index, applied, is_learner, errors, .. } = status;
    let leads = *leader == Some(*member);
    let errors = errors.join(", ");
    format!("{}, {leads}, {is_learner}, {term}, {index}, {applied}, {errors}", hex(*member))
}

/// A member's number as etcd prints it.
fn hex(id: MemberId) -> String {
    format!("{:x}", id.0)
}
