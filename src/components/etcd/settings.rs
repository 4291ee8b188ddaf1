//! The numbers and rules in which releases of etcd differ.

use crate::engine::{Delay, Duration};
use crate::raft;
use crate::wire::GrpcCode;

/// How a member behaves; all members of a cluster should have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `--election-timeout` in ticks, pre-vote, windows.
    pub raft: raft::Settings,
    /// `--heartbeat-interval`: the length of a tick.
    pub heartbeat: Duration,
    /// What a request may take besides two election time-outs.
    pub request_base: Duration,
    /// After how long an unanswered read index is asked for again.
    pub read_retry: Duration,
    /// The code under which `context deadline exceeded` arrives.
    pub deadline_code: GrpcCode,
    /// `MemberList` may ask the quorum; else it is always answered from what the member has.
    pub member_list_can_be_linearizable: bool,
    /// At how many looks in a row without a leader streams are ended.
    pub monitor_looks: u32,

    /// A flush of the write-ahead log.
    pub wal_fsync: Delay,
    /// `--backend-batch-interval`: how often what was applied is committed to the database.
    pub backend_batch: Duration,
    /// From the start of a process until it has read its files.
    pub boot: Delay,
    /// A member that has data asks the others for hashes of theirs before it begins.
    pub initial_check: bool,
    /// Whom it asks is in its database; else in its last snapshot.
    pub check_reads_database: bool,
    /// How often the history is compacted to what it was one interval ago.
    pub compaction: Duration,
    /// `--snapshot-count`: after so many entries a snapshot is written to disk.
    pub snapshot_count: u64,
    /// After so many entries the log in memory is cut.
    pub compact_log_every: u64,
    /// How many entries before its snapshot a log keeps.
    pub catch_up_entries: u64,
    /// For how long after a snapshot was sent the log is not cut.
    pub snapshot_release: Duration,

    /// Without a word for this long, a link to a member is given up.
    pub peer_read_timeout: Duration,
    /// That time-out is in force; else only the transport gives a link up.
    pub peer_read_timeout_applies: bool,
    /// What a dial may take besides one election time-out.
    pub peer_dial_base: Duration,
    /// Between two dials.
    pub peer_dial_pause: Duration,
    /// For how long one that is told to end waits for the others' connections to be of no use.
    pub peer_shutdown: Duration,
    /// After how long a lost packet that opens a connection is sent again.
    pub syn_retry: Duration,
    /// How long those asked who belongs to the cluster have time.
    pub bootstrap_timeout: Duration,
    /// The same of a member that joins a cluster that there is.
    pub join_timeout: Duration,

    /// `--strict-reconfig-check`.
    pub strict_reconfig: bool,
    /// For how long all voters must have been connected before one is added.
    pub health_interval: Duration,
    /// `--max-learners`.
    pub max_learners: usize,
    /// How much of the leader's log a learner must have to be promoted.
    pub learner_ready_percent: u64,
    /// A learner that has not published its name is not promoted.
    pub promotes_started_only: bool,
    /// The code under which a learner says that it does not serve a request.
    pub learner_code: GrpcCode,
    /// A learner serves `snapshot save`.
    pub learner_sends_snapshot: bool,
    /// A learner is not ready by `/readyz`.
    pub readyz_wants_voter: bool,
    /// How long a member that was removed goes on.
    pub removal_delay: Duration,
    /// How often the leader looks for expired leases.
    pub lease_check: Duration,
    /// After how long an expired lease that still exists is revoked again.
    pub lease_retry: Duration,
    /// Between two tries to have the leader do something.
    pub forward_pause: Duration,
}

impl Settings {
    /// `--election-timeout`.
    pub fn election_timeout(&self) -> Duration {
        self.heartbeat * u64::from(self.raft.election_ticks)
    }

    /// After how long a request is given up.
    pub fn request_timeout(&self) -> Duration {
        self.request_base + self.election_timeout() * 2
    }

    /// How long a dial may take.
    pub fn peer_dial_timeout(&self) -> Duration {
        self.peer_dial_base + self.election_timeout()
    }

    /// How often a link without traffic is used, so that its reader does not give it up.
    pub fn link_heartbeat(&self) -> Duration {
        self.peer_read_timeout.scaled(1, 3)
    }

    /// The shortest lease: shorter ones would end in an election.
    pub fn shortest_lease(&self) -> Duration {
        let least = self.election_timeout().scaled(3, 2);
        Duration::from_secs(least.as_micros().div_ceil(1_000_000))
    }
}
