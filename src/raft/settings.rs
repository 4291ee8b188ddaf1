//! The numbers and rules in which groups differ.

/// How a member behaves; all members of a group should have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// In ticks: how long a member stands by a leader that it does not hear, and how often a leader
    /// counts its quorum. A follower waits for this long to just under twice as long.
    pub election_ticks: u32,
    /// Ticks between two heartbeats.
    pub heartbeat_ticks: u32,
    /// A member asks whether it could win before it raises its term.
    pub pre_vote: bool,
    /// A leader without a quorum steps down, and members that hear a leader ignore campaigns.
    pub check_quorum: bool,
    /// The largest number of entries in one append.
    pub max_entries_per_append: usize,
    /// The largest number of appends on their way to one member.
    pub max_inflight: usize,
}

impl Settings {
    /// Panics if a group with these settings could not keep a leader, or could not send.
    pub(super) fn validate(&self) {
        assert!(self.heartbeat_ticks > 0, "a heartbeat takes place at a tick");
        assert!(
            self.election_ticks > self.heartbeat_ticks,
            "a follower waits longer than from heartbeat to heartbeat"
        );
        assert!(self.max_entries_per_append > 0, "an append can hold an entry");
        assert!(self.max_inflight > 0, "an append can be on its way");
    }
}
