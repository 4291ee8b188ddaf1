//! The rules and numbers of Cluster API's managers, but the control plane's.

use super::control_plane::client;
use super::{size, small};
use crate::api::{Kind, RetryJoin};
use crate::client::{Backoff, Pauses, ProbeSettings, ShellRules, ShellSettings};
use crate::components::{bootstrap_provider, cluster_api};
use crate::engine::Rhythm;
use crate::scenario::catalog::Catalog;
use crate::scenario::models::Platform;
use crate::world::ControlPlaneNodes;

/// How the user data of new Machines is made.
pub fn bootstrap_provider(all: &Catalog) -> bootstrap_provider::Settings {
    let duration = |key: &str| all.duration(&format!("clusterApi.{key}"));
    let retry = RetryJoin {
        tries: small(all.count("clusterApi.retryJoinTries", 1..=1_000)),
        pause: duration("retryJoinPause"),
    };
    bootstrap_provider::Settings {
        client: client(all),
        remote_timeout: all.period("clusterApi.remoteClientTimeout"),
        shell: shell(all),
        resync: all.rhythm("clusterApi.resync"),
        resync_jitter_percent: all.percent("clusterApi.resyncJitterPercent"),
        probe: probe(all),
        reconnection_enqueues: all.rule("clusterApi.reconnectionEnqueues"),
        token_ttl: duration("bootstrapTokenTtl"),
        token_check: all.period("clusterApi.bootstrapTokenCheck"),
        token_refresh_below: duration("bootstrapTokenRefreshBelow"),
        pauses: pauses(all),
        retry: all.rule("clusterApi.retryJoin").then_some(retry),
    }
}

/// How the controllers of Cluster API's managers work.
pub fn shell(all: &Catalog) -> ShellSettings {
    let period = |key: &str| all.period(&format!("clusterApi.{key}"));
    ShellSettings {
        workers: size(all.count("clusterApi.workers", 1..=1_000_000)),
        backoff: Backoff::new(period("backoffFirst"), period("backoffLimit")),
        minimum_gap: all.duration("clusterApi.reconcileGap"),
        thinking: all.delay("clusterApi.thinking"),
        rules: ShellRules::CONTROLLER_RUNTIME,
    }
}

/// How Machines are kept.
pub fn cluster_api(platform: &Platform, infrastructure: Kind) -> cluster_api::Settings {
    let all = &platform.catalog;
    let duration = |key: &str| all.duration(&format!("clusterApi.{key}"));
    let period = |key: &str| all.period(&format!("clusterApi.{key}"));
    let rule = |key: &str| all.rule(&format!("clusterApi.{key}"));
    let choice = |key: &str, words: &[&str]| all.choice(&format!("clusterApi.{key}"), words);
    cluster_api::Settings {
        // Whoever takes a user's manifests finds that out.
        tells_checks_apart: false,
        client: client(all),
        remote_timeout: all.period("clusterApi.remoteClientTimeout"),
        shell: shell(all),
        health_check_gap: duration("healthCheckGap"),
        health_check_slack: duration("healthCheckSlack"),
        health_check_filters_events: rule("healthCheckFiltersEvents"),
        health_check_requeues_restricted: rule("healthCheckRequeuesRestricted"),
        health_check_asks_cluster_first: rule("healthCheckAsksClusterFirst"),
        startup_counts_infrastructure: rule("startupCountsInfrastructure"),
        node_provisioning_says_what_for: rule("nodeProvisioningSaysWhatFor"),
        marks_deleting_machines: rule("marksDeletingMachines"),
        marking: match choice("ownerRemediatedOnDelete", &["True", "MachineDeleting"]) {
            0 => cluster_api::Marking::TrueAfterwards,
            _ => cluster_api::Marking::DeletingBefore,
        },
        forgives_recovered: rule("ownerForgivesRecovered"),
        counts_ready_machines: rule("countsReadyMachines"),
        limits_remediation: rule("ownerLimitsRemediation"),
        delete_policy: match choice("deletePolicy", &["Random", "Oldest", "Newest"]) {
            1 => cluster_api::DeletePolicy::Oldest,
            2 => cluster_api::DeletePolicy::Newest,
            _ => cluster_api::DeletePolicy::Random,
        },
        delete_annotation_first: rule("deleteAnnotationFirst"),
        scale_down_blames_unknown: rule("scaleDownBlamesUnknown"),
        deletion_looks_for_node: rule("deletionLooksForNode"),
        volume_wait_skips_unreachable: rule("volumeWaitSkipsUnreachable"),
        not_ready_requeue: period("notReadyRequeue"),
        machine_set_preflight: (rule("machineSetPreflightChecks")
            && platform.control_plane_nodes == ControlPlaneNodes::InCluster)
            .then(|| period("machineSetPreflightRequeue")),
        cache_poll: duration("cachePoll"),
        cache_timeout: duration("cacheTimeout"),
        scaling_phase: match choice("scalingPhaseCounts", &["readyReplicas", "replicas"]) {
            0 => cluster_api::Counting::Ready,
            _ => cluster_api::Counting::All,
        },
        drain: drain(all),
        node_deletion_poll: period("nodeDeletionPoll"),
        node_deletion_limit: duration("nodeDeletionLimit"),
        resync: all.rhythm("clusterApi.resync"),
        resync_jitter_percent: all.percent("clusterApi.resyncJitterPercent"),
        probe: probe(all),
        conditions_grace: duration("remoteConditionsGrace"),
        reconnection_enqueues: rule("reconnectionEnqueues"),
        pauses: pauses(all),
        bootstrap: platform.bootstrap,
        wording: match choice("conditions", &["v1beta1", "v1beta2"]) {
            0 => cluster_api::Wording::V1Beta1,
            _ => cluster_api::Wording::V1Beta2,
        },
        infrastructure,
    }
}

/// Whether objects say that they are paused.
pub fn pauses(all: &Catalog) -> Pauses {
    match all.rule("clusterApi.pausedCondition") {
        true => Pauses::Said,
        false => Pauses::Silent,
    }
}

/// How Cluster API's controllers probe a workload cluster.
pub fn probe(all: &Catalog) -> ProbeSettings {
    ProbeSettings {
        interval: all.rhythm("clusterApi.probeInterval"),
        rhythm: match all.rule("clusterApi.probeCountsFromEnd") {
            true => Rhythm::AfterEnd,
            false => Rhythm::Ticker,
        },
        timeout: all.period("clusterApi.probeTimeout"),
        failures: all.count("clusterApi.probeFailures", 1..=1_000_000),
        reconnect: all.duration("clusterApi.reconnectRetry"),
        sync: all.duration("clusterApi.cacheSyncTimeout"),
    }
}

fn drain(all: &Catalog) -> cluster_api::Drain {
    let duration = |key: &str| all.duration(&format!("clusterApi.{key}"));
    let period = |key: &str| all.period(&format!("clusterApi.{key}"));
    let grace = duration("drainUnreachableGrace");
    cluster_api::Drain {
        style: match all.rule("clusterApi.drainBlocks") {
            true => cluster_api::DrainStyle::Attempts {
                length: period("drainAttempt"),
                poll: period("drainPoll"),
                refused_retry: period("drainRefusedRetry"),
            },
            false => cluster_api::DrainStyle::Passes,
        },
        unreachable_skip: duration("drainUnreachableSkip"),
        unreachable_grace: (!grace.is_zero()).then_some(grace),
        retry: period("drainRetryInterval"),
        repeats: all.rule("clusterApi.drainRepeats"),
        clock: match all.rule("clusterApi.drainTimeoutFromCondition") {
            true => cluster_api::DrainClock::Condition,
            false => cluster_api::DrainClock::Beginning,
        },
    }
}
