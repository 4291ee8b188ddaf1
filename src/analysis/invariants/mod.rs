//! Laws that a run keeps whatever breaks: what is never allowed to happen, what has to happen once
//! the faults are over, and what a campaign has to have seen.
//!
//! One file per law, or per few laws about one thing. A law looks on and changes nothing; it keeps
//! what it needs of the past itself. Add one: its file, one line in [`ALL`].

mod elections;
mod laws;
mod members;
mod mind;
mod raft;
#[cfg(test)]
mod raft_tests;

pub use laws::{Laws, Violation, play};
pub use members::{Glimpse, GroupId, Identity, Members, Moved};
pub use mind::{Breach, Ending, Law, Seen, Verdict};

/// A law with its words.
#[derive(Debug)]
pub struct Invariant {
    /// As in `healsim list invariants`.
    pub name: &'static str,
    pub kind: Kind,
    /// In one sentence.
    pub law: &'static str,
    /// Who says so.
    pub source: &'static str,
    /// A watch over a run that begins.
    begin: fn() -> Box<dyn Law>,
}

/// When a law has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// At every instant.
    Always,
    /// Within a bound after the last fault.
    Eventually,
    /// In some run of a campaign: what is never reached was never tried.
    Sometimes,
}

/// All laws, by what they are about.
pub const ALL: &[Invariant] = &[
    raft::ELECTION_SAFETY,
    raft::LOG_MATCHING,
    raft::LEADER_COMPLETENESS,
    raft::STATE_MACHINE_SAFETY,
    raft::STORES_AGREE,
    elections::ELECTED_AGAIN,
];

impl Kind {
    /// The word in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Always => "always",
            Kind::Eventually => "eventually",
            Kind::Sometimes => "sometimes",
        }
    }
}
