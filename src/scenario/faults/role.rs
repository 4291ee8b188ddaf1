//! A VM that is named by what it does at the moment: `leader(etcd)`.
//!
//! No VM can be called so, because names have no parentheses.

use crate::engine::Text;
use crate::world::{EtcdRole, View};

/// Every role, as it is written.
pub const ROLES: [&str; 2] = ["leader(etcd)", "follower(etcd)"];

/// True for a word that can only be a role, known or not.
pub fn is_like_a_role(word: &str) -> bool {
    word.contains('(')
}

/// The VM that has a role at the moment; nothing if the word is none, or no VM has it.
pub fn holder(word: &str, view: View) -> Option<Text> {
    match word {
        "leader(etcd)" => view.etcd_member(EtcdRole::Leader),
        "follower(etcd)" => view.etcd_member(EtcdRole::Follower),
        _ => None,
    }
}
