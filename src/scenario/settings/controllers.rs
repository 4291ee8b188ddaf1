//! From the catalog's keys to the settings of Kubernetes' controllers and of its scheduler.

use super::control_plane::{client, election};
use super::{size, small};
use crate::client::{Backoff, ElectionSettings, ShellRules, ShellSettings};
use crate::components::{controller_manager, scheduler};
use crate::engine::Duration;
use crate::scenario::catalog::Catalog;

/// How kube-controller-manager behaves, of a cluster that may have Machines of its own.
pub fn controller_manager(all: &Catalog, has_machines: bool) -> controller_manager::Settings {
    let duration = |key: &str| all.duration(&format!("kubernetes.{key}"));
    let period = |key: &str| all.period(&format!("kubernetes.{key}"));
    let count = |key: &str, least| all.count(&format!("kubernetes.{key}"), least..=1_000_000);
    controller_manager::Settings {
        client: client(all),
        shell: ShellSettings {
            workers: size(count("controllerWorkers", 1)),
            backoff: Backoff::new(
                period("controllerBackoffFirst"),
                period("controllerBackoffLimit"),
            ),
            minimum_gap: Duration::ZERO,
            thinking: all.delay("kubernetes.controllerThinking"),
            rules: ShellRules::CONTROLLER_MANAGER,
        },
        garbage_workers: size(count("garbageCollectorWorkers", 1)),
        has_machines,
        monitor_period: all.rhythm("kubernetes.nodeMonitorPeriod"),
        monitor_pass: all.delay("kubernetes.nodeMonitorPass"),
        grace_period: duration("nodeMonitorGracePeriod"),
        startup_grace_period: duration("nodeStartupGracePeriod"),
        no_execute: match all.rule("kubernetes.noExecuteInSamePass") {
            true => controller_manager::NoExecute::SamePass,
            false => controller_manager::NoExecute::NextPass,
        },
        eviction_interval: period("nodeEvictionInterval"),
        secondary_eviction_interval: period("secondaryNodeEvictionInterval"),
        large_zone: size(count("largeClusterSizeThreshold", 0)),
        unhealthy_zone_percent: size(all.percent("kubernetes.unhealthyZoneThresholdPercent")),
        taint_pass_period: all.rhythm("kubernetes.noExecuteTaintPassPeriod"),
        pod_gc_period: all.rhythm("kubernetes.podGcPeriod"),
        pod_gc_quarantine: duration("podGcQuarantine"),
        pod_gc_pass: all.delay("kubernetes.podGcPass"),
        pod_gc_hand_over: all.delay("kubernetes.podGcHandOver"),
        disrupted_pod_timeout: duration("disruptedPodTimeout"),
        stale_pod_disruption_timeout: duration("stalePodDisruptionTimeout"),
        volumes: controller_manager::VolumeSettings::default(),
        request_interval: duration("controllerRequestInterval"),
        request_burst: count("controllerRequestBurst", 1),
        taint_eviction_client: match all.rule("kubernetes.taintEvictionHasOwnClient") {
            true => controller_manager::TaintEvictionClient::Own,
            false => controller_manager::TaintEvictionClient::OfNodeLifecycle,
        },
        write_retries: small(count("nodeWriteRetries", 1)),
        write_retry_pause: duration("nodeWriteRetryPause"),
        evict_tries: small(count("taintEvictionTries", 1)),
        evict_pause: duration("taintEvictionRetryPause"),
        scaling_words: match all.rule("kubernetes.scalingSaysOldSizeFirst") {
            true => controller_manager::ScalingWords::FromTo,
            false => controller_manager::ScalingWords::ToFrom,
        },
        endpoint_slice_backoff: Backoff::new(
            period("endpointSliceBackoffFirst"),
            period("endpointSliceBackoffLimit"),
        ),
        daemon_set: controller_manager::DaemonSetSettings {
            failed_pods_first: period("failedPodsBackoffFirst"),
            failed_pods_limit: period("failedPodsBackoffLimit"),
        },
        expectations_timeout: duration("expectationsTimeout"),
        job: job(all),
        signing: all.delay("kubernetes.bootstrapSigning"),
        election: election(all),
        startup: all.delay("kubernetes.controllerManagerStartup"),
        lookup_timeout: all
            .rule("kubernetes.controllerManagerLooksUpTrust")
            .then(|| all.period("kubernetes.authenticationLookupTimeout")),
    }
}

/// How its Job controller behaves.
fn job(all: &Catalog) -> controller_manager::JobSettings {
    let duration = |key: &str| all.duration(&format!("kubernetes.{key}"));
    let period = |key: &str| all.period(&format!("kubernetes.{key}"));
    controller_manager::JobSettings {
        backoff_first: duration("jobBackoffFirst"),
        backoff_limit: duration("jobBackoffLimit"),
        batch: duration("jobSyncBatch"),
        api_backoff: Backoff::new(period("jobApiBackoffFirst"), period("jobApiBackoffLimit")),
        completion: match all.rule("kubernetes.jobNamesCompletion") {
            true => controller_manager::Completion::Reasoned,
            false => controller_manager::Completion::Bare,
        },
        termination: match all.rule("kubernetes.jobAwaitsTermination") {
            true => controller_manager::Termination::Awaited,
            false => controller_manager::Termination::Ignored,
        },
    }
}

/// How kube-scheduler behaves.
pub fn scheduler(all: &Catalog) -> scheduler::Settings {
    scheduler::Settings {
        client: client(all),
        cycle: all.delay("kubernetes.schedulingCycle"),
        backoff_first: all.period("kubernetes.podInitialBackoff"),
        backoff_limit: all.period("kubernetes.podMaxBackoff"),
        requeue: match all.rule("kubernetes.schedulerQueueingHints") {
            true => scheduler::Requeue::Hints,
            false => scheduler::Requeue::Prechecks,
        },
        pops_backoff: all.rule("kubernetes.schedulerPopFromBackoffQ"),
        backoff_check: all.period("kubernetes.backoffCheck"),
        unschedulable_timeout: all.duration("kubernetes.unschedulableTimeout"),
        unschedulable_check: all.period("kubernetes.unschedulableCheck"),
        wording: match all.rule("kubernetes.schedulerNamesTaints") {
            true => scheduler::Wording::EachTaint,
            false => scheduler::Wording::TaintsTogether,
        },
        lookup_timeout: all.period("kubernetes.authenticationLookupTimeout"),
        election: ElectionSettings {
            release_on_cancel: all.rule("kubernetes.schedulerReleasesLease"),
            ..election(all)
        },
    }
}
