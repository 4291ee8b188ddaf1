//! Laws that a run keeps whatever breaks: what is never allowed to happen, what has to happen once
//! the faults are over, and what a campaign has to have seen.
//!
//! One file per law, or per few laws about one thing. A law looks on and changes nothing; it keeps
//! what it needs of the past itself. Add one: its file, one line in [`ALL`].

mod budgets;
#[cfg(test)]
mod budgets_tests;
mod coverage;
mod daemons;
mod endpoint;
mod facts;
mod laws;
mod leftovers;
mod members;
mod mind;
mod own;
mod quorum;
#[cfg(test)]
mod quorum_tests;
mod raft;
#[cfg(test)]
mod raft_tests;
mod reasons;
mod remediation;
#[cfg(test)]
mod remediation_tests;
mod stateful;
#[cfg(test)]
mod tests;

pub(super) use laws::BOUND;
pub use laws::{Laws, Violation, play};
pub use members::{Glimpse, GroupId, Identity, Members, Moved};
pub use mind::{Breach, Ending, Law, Seen, Verdict};
pub use own::OwnLaw;
pub(super) use reasons::{is_the_owners, waits_for_stranger};

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
    quorum::QUORUM_IS_KEPT,
    endpoint::API_ANSWERS_IF_IT_CAN,
    endpoint::API_ANSWERS_ONLY_IF_IT_CAN,
    remediation::MAX_UNHEALTHY,
    remediation::HEALTHY_NODES_STAY,
    remediation::START_UP_IS_WAITED_FOR,
    remediation::ONLY_THE_MARKED_GO,
    remediation::MAX_IN_FLIGHT,
    remediation::ONE_CONTROL_PLANE,
    stateful::ONE_OF_AN_IDENTITY,
    daemons::ONE_DAEMON_POD,
    budgets::BUDGETS_ARE_KEPT,
    budgets::BUDGETS_ARE_SPENT,
    budgets::BUDGETS_ALLOW_WHAT_IS_THERE,
    leftovers::NOTHING_IS_LEFT,
    reasons::REFUSALS_HAVE_A_REASON,
    reasons::WAITING_HAS_A_REASON,
    reasons::RECOVERS_OR_SAYS_WHY,
    coverage::ELECTED_AGAIN,
    coverage::QUORUM_RETURNS,
    coverage::SNAPSHOT,
    coverage::MEMBER_REMOVED,
    coverage::MEMBER_ADDED,
    coverage::API_UNAVAILABLE,
    coverage::BALANCER_FAILS_OVER,
    coverage::MANAGER_FAILS_OVER,
    coverage::SCHEDULER_FAILS_OVER,
    coverage::NODE_UNKNOWN,
    coverage::NODE_RETURNS,
    coverage::POD_EVICTED,
    coverage::POD_COLLECTED,
    coverage::MACHINE_UNHEALTHY,
    coverage::REFUSED,
    coverage::SHORT_CIRCUITED,
    coverage::STARTS_TOO_SLOWLY,
    coverage::MACHINE_REPLACED,
    coverage::PLANE_REPLACED,
    coverage::DRAIN_BLOCKED,
    coverage::VM_RECREATED,
    coverage::JOIN_FAILED,
    coverage::TOKEN_EXPIRED,
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
