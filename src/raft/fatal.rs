//! Why a member cannot go on. Its text is the one with which etcd's process ends.

use super::Index;
use std::fmt;

/// The member's log contradicts what others know of it: entries that it had promised are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fatal {
    /// The leader knows more of the log to be committed than there is.
    CommitOutOfRange { commit: Index, last: Index },
    /// The disk says that more is committed than it has.
    StateOutOfRange { commit: Index, first: Index, last: Index },
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fatal::CommitOutOfRange { commit, last } => write!(
                f,
                "tocommit({commit}) is out of range [lastIndex({last})]. Was the raft log \
                 corrupted, truncated, or lost?"
            ),
            Fatal::StateOutOfRange { commit, first, last } => {
                write!(f, "state.commit {commit} is out of range [{first}, {last}]")
            }
        }
    }
}
