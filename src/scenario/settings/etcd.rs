//! From the catalog's keys to the settings of an etcd member.

use super::{size, small};
use crate::components::etcd;
use crate::raft;
use crate::scenario::catalog::Catalog;
use crate::wire::GrpcCode;

/// How a platform's etcd members behave.
pub fn etcd(all: &Catalog) -> etcd::Settings {
    let duration = |key: &str| all.duration(&format!("etcd.{key}"));
    let period = |key: &str| all.period(&format!("etcd.{key}"));
    let count = |key: &str| all.count(&format!("etcd.{key}"), 1..=1_000_000_000);
    let rule = |key: &str| all.rule(&format!("etcd.{key}"));
    let heartbeat = period("heartbeatInterval");
    etcd::Settings {
        raft: raft::Settings {
            election_ticks: election_ticks(all, heartbeat.as_micros()),
            heartbeat_ticks: 1,
            pre_vote: rule("preVote"),
            check_quorum: true,
            max_entries_per_append: size(count("maxEntriesPerAppend")),
            max_inflight: size(count("maxInflightAppends")),
        },
        heartbeat,
        request_base: duration("requestTimeoutBase"),
        read_retry: period("readIndexRetry"),
        deadline_code: match all.choice("etcd.deadlineCode", &["UNKNOWN", "DEADLINE_EXCEEDED"]) {
            0 => GrpcCode::Unknown,
            _ => GrpcCode::DeadlineExceeded,
        },
        member_list_can_be_linearizable: rule("memberListCanBeLinearizable"),
        monitor_looks: small(count("noLeaderLooks")),
        wal_fsync: all.delay("etcd.walFsync"),
        backend_batch: period("backendBatchInterval"),
        boot: all.delay("etcd.processStart"),
        initial_check: rule("initialCorruptCheck"),
        check_reads_database: rule("initialCheckReadsDatabase"),
        compaction: period("compactionInterval"),
        snapshot_count: count("snapshotCount"),
        compact_log_every: count("logCompactionEntries"),
        catch_up_entries: count("catchUpEntries"),
        snapshot_release: duration("snapshotRelease"),
        peer_read_timeout: period("peerReadTimeout"),
        peer_read_timeout_applies: rule("peerReadTimeoutApplies"),
        peer_dial_base: period("peerDialTimeoutBase"),
        peer_dial_pause: period("peerDialPause"),
        peer_shutdown: duration("peerShutdown"),
        syn_retry: period("synRetry"),
        bootstrap_timeout: period("bootstrapTimeout"),
        join_timeout: period("joinTimeout"),
        strict_reconfig: rule("strictReconfigCheck"),
        health_interval: duration("healthInterval"),
        max_learners: size(count("maxLearners")),
        learner_ready_percent: all.percent("etcd.learnerReadyPercent"),
        promotes_started_only: rule("promotesStartedOnly"),
        learner_code: match all.choice("etcd.learnerCode", &["UNAVAILABLE", "FAILED_PRECONDITION"])
        {
            0 => GrpcCode::Unavailable,
            _ => GrpcCode::FailedPrecondition,
        },
        learner_sends_snapshot: rule("learnerSendsSnapshot"),
        readyz_wants_voter: rule("readyzWantsVoter"),
        removal_delay: duration("removalDelay"),
        lease_check: period("leaseCheck"),
        lease_retry: period("leaseRetry"),
        forward_pause: period("forwardPause"),
    }
}

/// A whole number of heartbeats, at least five of them.
fn election_ticks(all: &Catalog, heartbeat: u64) -> u32 {
    let least = "at least five times `etcd.heartbeatInterval`, and less than 50s";
    let ticks = all.parsed("etcd.electionTimeout", least, |text| {
        let timeout = text.parse::<crate::engine::Duration>().ok()?.as_micros();
        (timeout >= 5 * heartbeat && timeout <= 50_000_000).then_some(timeout / heartbeat)
    });
    ticks.map_or(10, small)
}
