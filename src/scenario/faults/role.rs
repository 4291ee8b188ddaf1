//! A VM that is named by what it does at the moment: `leader(etcd)`, `leader(kube-scheduler)`.
//!
//! No VM can be called so, because names have no parentheses.

use crate::engine::Text;
use crate::world::{EtcdRole, View};

/// Every role, as it is written.
pub const ROLES: [&str; 11] = [
    "leader(etcd)",
    "follower(etcd)",
    "leader(kube-controller-manager)",
    "leader(kube-scheduler)",
    "leader(cloud-controller-manager)",
    "leader(capi-controller-manager)",
    "leader(capi-kubeadm-bootstrap-controller-manager)",
    "leader(capi-kubeadm-control-plane-controller-manager)",
    "leader(capv-controller-manager)",
    "leader(vmop-controller-manager)",
    "leader(infra-provider)",
];

/// True for a word that can only be a role, known or not.
pub fn is_like_a_role(word: &str) -> bool {
    word.contains('(')
}

/// The VM that has a role at the moment; nothing if the word is none, or no VM has it.
pub fn holder(word: &str, view: View) -> Option<Text> {
    match word {
        "leader(etcd)" => view.etcd_member(EtcdRole::Leader),
        "follower(etcd)" => view.etcd_member(EtcdRole::Follower),
        _ => view.leader_of(word.strip_prefix("leader(")?.strip_suffix(')')?),
    }
}
