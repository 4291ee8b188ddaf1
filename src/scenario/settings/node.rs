//! From the catalog's keys to the settings of what runs on a Node.

use super::control_plane::client;
use super::{has_cloud, small};
use crate::api::kinds::Resources;
use crate::components::kubelet;
use crate::engine::{Delay, Duration};
use crate::scenario::catalog::Catalog;
use crate::scenario::models::Platform;

/// How a platform's kubelets behave.
pub fn kubelet(platform: &Platform) -> kubelet::Settings {
    let all = &platform.catalog;
    let duration = |key: &str| all.duration(&format!("kubernetes.{key}"));
    let period = |key: &str| all.period(&format!("kubernetes.{key}"));
    let delay = |key: &str| all.delay(&format!("kubernetes.{key}"));
    let tries = |key: &str| small(all.count(&format!("kubernetes.{key}"), 1..=1000));
    let percent = |key: &str| all.percent(&format!("kubernetes.{key}"));
    kubelet::Settings {
        client: client(all),
        heartbeat_timeout: period("heartbeatTimeout"),
        lease_duration: duration("nodeLeaseDuration"),
        lease_renewal: all.rhythm("kubernetes.nodeLeaseRenewInterval"),
        lease_jitter_percent: percent("nodeLeaseRenewJitterPercent"),
        lease_retries: tries("nodeLeaseUpdateRetries"),
        lease_backoff_first: period("nodeLeaseBackoffFirst"),
        lease_backoff_limit: period("nodeLeaseBackoffLimit"),
        status_period: all.rhythm("kubernetes.nodeStatusUpdateFrequency"),
        status_jitter_percent: percent("nodeStatusUpdateJitterPercent"),
        status_report: duration("nodeStatusReportFrequency"),
        status_report_jitter_percent: percent("nodeStatusReportJitterPercent"),
        status_retries: tries("nodeStatusUpdateRetry"),
        eviction: eviction(all),
        registration_first: period("registrationBackoffFirst"),
        registration_limit: period("registrationBackoffLimit"),
        start: delay("kubeletStart"),
        storage: kubelet::storage::Settings {
            lead: delay("csiNodeLead"),
            within: csi_pauses(all, "csiNodeTry"),
            between: csi_pauses(all, "csiNodeRound"),
            jitter_percent: percent("csiNodeJitterPercent"),
            look_period: period("nodeReadyLook"),
        },
        cloud_provider: match has_cloud(platform) {
            true => kubelet::CloudProvider::External,
            false => kubelet::CloudProvider::None,
        },
        provider_prefix: all.word("infra.providerIDPrefix"),
        version: platform.kubernetes_version.clone(),
        resources: Resources {
            cpu_millis: all.count("infra.nodeCpuMillis", 1..=1_000_000_000),
            memory_mib: all.count("infra.nodeMemoryMib", 1..=1_000_000_000),
            pods: all.count("kubernetes.maxPods", 1..=100_000),
        },
        pod_sync: delay("podSync"),
        images: images(all),
        container_start: delay("containerStart"),
        container_stop: delay("containerStop"),
        forced_grace: forced_grace(all),
        pod_status_retry: period("podStatusRetry"),
        pod_status_sync: period("podStatusSync"),
        status_reads: match all.rule("kubernetes.nodeStatusReadsOwnWatch") {
            true => kubelet::StatusReads::OwnWatch,
            false => kubelet::StatusReads::Server,
        },
        pleg_threshold: duration("plegThreshold"),
        runtime_check: match all.rule("kubernetes.kubeletChecksRuntimeFirst") {
            true => Delay::fixed(Duration::ZERO),
            false => delay("runtimeCheck"),
        },
        pleg_period: period("plegPeriod"),
        pleg_relist: delay("plegRelist"),
        volumes: kubelet::VolumeSettings::default(),
        static_pods: kubelet::StaticPodSettings {
            restart: restarts(all),
            housekeeping: period("housekeepingPeriod"),
            orphan_grace: duration("orphanGrace"),
            resync: delay("podResync"),
        },
    }
}

fn eviction(all: &Catalog) -> kubelet::EvictionSettings {
    let period = |key: &str| all.period(&format!("kubernetes.{key}"));
    kubelet::EvictionSettings {
        period: period("evictionMonitoringPeriod"),
        transition: period("evictionPressureTransitionPeriod"),
        cleanup_period: period("podCleanupPollFreq"),
        cleanup_limit: period("podCleanupTimeout"),
    }
}

fn forced_grace(all: &Catalog) -> kubelet::ForcedGrace {
    match all.rule("kubernetes.forcedDeletionIsQuick") {
        true => kubelet::ForcedGrace::Least,
        false => kubelet::ForcedGrace::Own,
    }
}

fn images(all: &Catalog) -> kubelet::ImageSettings {
    kubelet::ImageSettings {
        pull: all.delay("kubernetes.imagePull"),
        serialize: all.rule("kubernetes.serializeImagePulls"),
        backoff_first: all.period("kubernetes.imageBackoffFirst"),
        backoff_limit: all.period("kubernetes.imageBackoffLimit"),
    }
}

/// When a kubelet starts a container again.
fn restarts(all: &Catalog) -> kubelet::RestartSettings {
    let period = |key: &str| all.period(&format!("kubernetes.{key}"));
    let limit = period("restartRecheckLimit");
    kubelet::RestartSettings {
        first: period("restartBackoffFirst"),
        limit: period("restartBackoffLimit"),
        reset: period("restartBackoffReset"),
        recheck: period("restartRecheck"),
        recheck_jitter_percent: all.percent("kubernetes.restartRecheckJitterPercent"),
        rechecks: match all.rule("kubernetes.restartAtBackoffEnd") {
            true => kubelet::Rechecks::AtTheEnd { limit },
            false => kubelet::Rechecks::EveryPeriod,
        },
    }
}

fn csi_pauses(all: &Catalog, what: &str) -> kubelet::storage::Pauses {
    kubelet::storage::Pauses {
        first: all.period(&format!("kubernetes.{what}First")),
        factor: all.count(&format!("kubernetes.{what}Factor"), 1..=100),
        tries: small(all.count(&format!("kubernetes.{what}Count"), 1..=20)),
    }
}
