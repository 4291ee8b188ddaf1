//! From the catalog's keys to the settings of every component: the only place that knows both.

use super::catalog::Catalog;
use super::models::{self, Platform, WrittenProvider};
use super::workloads::WrittenWorkload;
use crate::api::Kind;
use crate::api::kinds::{
    Conditions, InFlight, MachineHealthCheck, MaxUnhealthy, Resources, Status, UnhealthyCondition,
};
use crate::client::{Backoff, ClientSettings, ShellSettings};
use crate::components::{
    apiserver, cluster_api, controller_manager, etcd, hypervisor, infra_provider, kubeadm, kubectl,
    kubelet, scheduler, vm_operator, vsphere_provider,
};
use crate::engine::{Duration, Text};
use crate::infra::{KeepAlive, Latency};
use crate::world::{Blueprint, ETCD_PORT, Provider, Settings};

/// A world of this platform with so many VMs.
pub fn blueprint(platform: &Platform, control_planes: u32, workers: u32) -> Blueprint {
    let source = models::platform_text(&platform.name).expect("a platform that was read");
    let workload = |written: &WrittenWorkload| {
        written.resolve(&source, control_planes).expect("a platform's workloads are tested")
    };
    Blueprint {
        control_planes,
        workers,
        management: platform.management,
        control_plane_nodes: platform.control_plane_nodes,
        workloads: platform.workloads.iter().map(workload).collect(),
        health_check: health_check(&platform.catalog),
        settings: settings(platform),
    }
}

fn settings(platform: &Platform) -> Settings {
    let all = &platform.catalog;
    let provider = provider(platform);
    Settings {
        etcd: etcd::Settings {
            commit: all.delay("etcd.commitLatency"),
            compaction: all.duration("etcd.compactionInterval"),
        },
        apiserver: apiserver(all),
        kubelet: kubelet(platform),
        kubeadm: kubeadm::Settings { join: all.delay("infra.joinWorker") },
        controller_manager: controller_manager(all),
        scheduler: scheduler(all),
        cluster_api: cluster_api(all, provider.kind()),
        provider,
        hypervisor: hypervisor::Settings {
            find: all.delay("infra.findVm"),
            power_on: all.delay("infra.powerOn"),
            clone_and_power_on: all.delay("infra.cloneAndPowerOn"),
            boot: all.delay("infra.boot"),
            delete: all.delay("infra.deleteVm"),
        },
        kubectl: kubectl::Settings { dial_timeout: all.duration("kubernetes.kubectlDialTimeout") },
        latency: Latency {
            between_vms: all.delay("infra.networkLatency"),
            loopback: all.delay("infra.loopbackLatency"),
        },
        keep_alive: KeepAlive {
            idle: all.duration("kubernetes.http2ReadIdleTimeout"),
            ping: all.duration("kubernetes.http2PingTimeout"),
        },
        max_in_flight: in_flight(&all.word("clusterApi.maxInFlight")),
        node_drain_timeout: all.duration("clusterApi.nodeDrainTimeout"),
        node_deletion_timeout: all.duration("clusterApi.nodeDeletionTimeout"),
        unit_restart: all.duration("kubernetes.kubeletRestart"),
    }
}

fn provider(platform: &Platform) -> Provider {
    let all = &platform.catalog;
    match platform.provider {
        WrittenProvider::Delay => Provider::Delay(infra_provider::Settings {
            client: client(all),
            provider_prefix: all.word("infra.providerIDPrefix"),
            backoff_first: all.duration("clusterApi.backoffFirst"),
            backoff_limit: all.duration("clusterApi.backoffLimit"),
        }),
        WrittenProvider::VmOperator => {
            let (provider, operator) = (vsphere_provider(all), vm_operator(all));
            Provider::VmOperator { provider, operator }
        }
    }
}

fn vsphere_provider(all: &Catalog) -> vsphere_provider::Settings {
    vsphere_provider::Settings {
        client: client(all),
        shell: ShellSettings { workers: size(all.count("capv.workers")), ..supervisor_shell(all) },
        requeue: all.duration("capv.requeue"),
        resync: all.duration("capv.resync"),
    }
}

fn vm_operator(all: &Catalog) -> vm_operator::Settings {
    vm_operator::Settings {
        client: client(all),
        shell: ShellSettings {
            workers: size(all.count("vmOperator.maxConcurrentReconciles")),
            ..supervisor_shell(all)
        },
        resync: all.duration("vmOperator.resync"),
        resync_jitter_percent: all.count("vmOperator.resyncJitterPercent"),
        resync_at: None,
        rules: vm_operator::Rules {
            async_signal: all.rule("vmOperator.asyncSignal"),
            create_blocks: all.rule("vmOperator.createBlocks"),
            recreate_keeps_uuid: all.rule("vmOperator.recreateKeepsUuid"),
            requeue: all.duration("vmOperator.requeue"),
        },
    }
}

/// The shell of a controller beside Cluster API's: all are built on controller-runtime.
fn supervisor_shell(all: &Catalog) -> ShellSettings {
    ShellSettings {
        workers: 1,
        backoff: Backoff::new(
            all.duration("clusterApi.backoffFirst"),
            all.duration("clusterApi.backoffLimit"),
        ),
        minimum_gap: Duration::ZERO,
        thinking: all.delay("clusterApi.thinking"),
    }
}

fn client(all: &Catalog) -> ClientSettings {
    ClientSettings {
        request_timeout: all.duration("kubernetes.clientRequestTimeout"),
        relist_first: all.duration("kubernetes.relistBackoffFirst"),
        relist_limit: all.duration("kubernetes.relistBackoffLimit"),
    }
}

fn apiserver(all: &Catalog) -> apiserver::Settings {
    apiserver::Settings {
        service: all.delay("kubernetes.apiserverService"),
        request_timeout: all.duration("kubernetes.requestTimeout"),
        mutating_timeout: all.duration("kubernetes.mutatingRequestTimeout"),
        watch_window: size(all.count("kubernetes.watchWindow")),
        default_toleration: all.duration("kubernetes.defaultTolerationSeconds"),
        etcd_retry: all.duration("kubernetes.etcdRetry"),
        etcd: ETCD_PORT,
    }
}

fn kubelet(platform: &Platform) -> kubelet::Settings {
    let all = &platform.catalog;
    let duration = |key: &str| all.duration(&format!("kubernetes.{key}"));
    let delay = |key: &str| all.delay(&format!("kubernetes.{key}"));
    let count = |key: &str| all.count(&format!("kubernetes.{key}"));
    kubelet::Settings {
        client: client(all),
        heartbeat_timeout: duration("heartbeatTimeout"),
        lease_duration: duration("nodeLeaseDuration"),
        lease_renewal: duration("nodeLeaseRenewInterval"),
        lease_jitter_percent: count("nodeLeaseRenewJitterPercent"),
        lease_retries: small(count("nodeLeaseUpdateRetries")),
        lease_backoff_first: duration("nodeLeaseBackoffFirst"),
        lease_backoff_limit: duration("nodeLeaseBackoffLimit"),
        status_period: duration("nodeStatusUpdateFrequency"),
        status_jitter_percent: count("nodeStatusUpdateJitterPercent"),
        status_report: duration("nodeStatusReportFrequency"),
        status_retries: small(count("nodeStatusUpdateRetry")),
        registration_first: duration("registrationBackoffFirst"),
        registration_limit: duration("registrationBackoffLimit"),
        node_ready: delay("nodeReady"),
        provider_prefix: all.word("infra.providerIDPrefix"),
        version: platform.kubernetes_version.clone(),
        resources: Resources {
            cpu_millis: all.count("infra.nodeCpuMillis"),
            memory_mib: all.count("infra.nodeMemoryMib"),
            pods: 110,
        },
        pod_sync: delay("podSync"),
        image_pull: delay("imagePull"),
        container_start: delay("containerStart"),
        container_stop: delay("containerStop"),
        pod_status_retry: duration("podStatusRetry"),
    }
}

fn controller_manager(all: &Catalog) -> controller_manager::Settings {
    let duration = |key: &str| all.duration(&format!("kubernetes.{key}"));
    let count = |key: &str| all.count(&format!("kubernetes.{key}"));
    controller_manager::Settings {
        client: client(all),
        shell: ShellSettings {
            workers: size(count("controllerWorkers")),
            backoff: Backoff::new(
                duration("controllerBackoffFirst"),
                duration("controllerBackoffLimit"),
            ),
            minimum_gap: Duration::ZERO,
            thinking: all.delay("kubernetes.controllerThinking"),
        },
        monitor_period: duration("nodeMonitorPeriod"),
        monitor_pass: all.delay("kubernetes.nodeMonitorPass"),
        grace_period: duration("nodeMonitorGracePeriod"),
        startup_grace_period: duration("nodeStartupGracePeriod"),
        no_execute: match all.rule("kubernetes.noExecuteInSamePass") {
            true => controller_manager::NoExecute::SamePass,
            false => controller_manager::NoExecute::NextPass,
        },
        eviction_interval: duration("nodeEvictionInterval"),
        secondary_eviction_interval: duration("secondaryNodeEvictionInterval"),
        large_zone: size(count("largeClusterSizeThreshold")),
        unhealthy_zone_percent: size(count("unhealthyZoneThresholdPercent")),
        taint_pass_period: duration("noExecuteTaintPassPeriod"),
        pod_gc_period: duration("podGcPeriod"),
        pod_gc_quarantine: duration("podGcQuarantine"),
        request_interval: duration("controllerRequestInterval"),
        request_burst: count("controllerRequestBurst"),
        write_retries: small(count("nodeWriteRetries")),
        write_retry_pause: duration("nodeWriteRetryPause"),
        job: controller_manager::JobSettings {
            backoff_first: duration("jobBackoffFirst"),
            backoff_limit: duration("jobBackoffLimit"),
            completion: match all.rule("kubernetes.jobNamesCompletion") {
                true => controller_manager::Completion::Reasoned,
                false => controller_manager::Completion::Bare,
            },
        },
    }
}

fn scheduler(all: &Catalog) -> scheduler::Settings {
    scheduler::Settings {
        client: client(all),
        cycle: all.delay("kubernetes.schedulingCycle"),
        backoff_first: all.duration("kubernetes.podInitialBackoff"),
        backoff_limit: all.duration("kubernetes.podMaxBackoff"),
        unschedulable_timeout: all.duration("kubernetes.unschedulableTimeout"),
        unschedulable_check: all.duration("kubernetes.unschedulableCheck"),
        wording: match all.rule("kubernetes.schedulerNamesTaints") {
            true => scheduler::Wording::EachTaint,
            false => scheduler::Wording::TaintsTogether,
        },
    }
}

fn cluster_api(all: &Catalog, infrastructure: Kind) -> cluster_api::Settings {
    let duration = |key: &str| all.duration(&format!("clusterApi.{key}"));
    let rule = |key: &str| all.rule(&format!("clusterApi.{key}"));
    let word = |key: &str| all.word(&format!("clusterApi.{key}"));
    cluster_api::Settings {
        client: client(all),
        shell: ShellSettings {
            workers: size(all.count("clusterApi.workers")),
            backoff: Backoff::new(duration("backoffFirst"), duration("backoffLimit")),
            minimum_gap: duration("reconcileGap"),
            thinking: all.delay("clusterApi.thinking"),
        },
        health_check_gap: duration("healthCheckGap"),
        health_check_slack: duration("healthCheckSlack"),
        health_check_filters_events: rule("healthCheckFiltersEvents"),
        health_check_requeues_restricted: rule("healthCheckRequeuesRestricted"),
        health_check_asks_cluster_first: rule("healthCheckAsksClusterFirst"),
        startup_counts_infrastructure: rule("startupCountsInfrastructure"),
        marks_deleting_machines: rule("marksDeletingMachines"),
        marking: match word("ownerRemediatedOnDelete") == "True" {
            true => cluster_api::Marking::TrueAfterwards,
            false => cluster_api::Marking::DeletingBefore,
        },
        forgives_recovered: rule("ownerForgivesRecovered"),
        limits_remediation: rule("ownerLimitsRemediation"),
        delete_policy: match word("deletePolicy").as_str() {
            "Oldest" => cluster_api::DeletePolicy::Oldest,
            "Newest" => cluster_api::DeletePolicy::Newest,
            _ => cluster_api::DeletePolicy::Random,
        },
        delete_annotation_first: rule("deleteAnnotationFirst"),
        scale_down_blames_unknown: rule("scaleDownBlamesUnknown"),
        deletion_looks_for_node: rule("deletionLooksForNode"),
        not_ready_requeue: duration("notReadyRequeue"),
        cache_poll: duration("cachePoll"),
        cache_timeout: duration("cacheTimeout"),
        scaling_phase: match word("scalingPhaseCounts") == "readyReplicas" {
            true => cluster_api::Counting::Ready,
            false => cluster_api::Counting::All,
        },
        drain: drain(all),
        node_deletion_poll: duration("nodeDeletionPoll"),
        node_deletion_limit: duration("nodeDeletionLimit"),
        resync: duration("resync"),
        resync_jitter_percent: all.count("clusterApi.resyncJitterPercent"),
        probe: cluster_api::Probe {
            interval: duration("probeInterval"),
            timeout: duration("probeTimeout"),
            failures: all.count("clusterApi.probeFailures"),
        },
        wording: match word("conditions") == "v1beta1" {
            true => cluster_api::Wording::V1Beta1,
            false => cluster_api::Wording::V1Beta2,
        },
        infrastructure,
    }
}

fn drain(all: &Catalog) -> cluster_api::Drain {
    let duration = |key: &str| all.duration(&format!("clusterApi.{key}"));
    let grace = duration("drainUnreachableGrace");
    cluster_api::Drain {
        style: match all.rule("clusterApi.drainBlocks") {
            true => cluster_api::DrainStyle::Attempts {
                length: duration("drainAttempt"),
                poll: duration("drainPoll"),
            },
            false => cluster_api::DrainStyle::Passes,
        },
        unreachable_skip: duration("drainUnreachableSkip"),
        unreachable_grace: (!grace.is_zero()).then_some(grace),
        retry: duration("drainRetryInterval"),
        repeats: all.rule("clusterApi.drainRepeats"),
    }
}

fn health_check(all: &Catalog) -> MachineHealthCheck {
    let rule = |status, key: &str| UnhealthyCondition {
        kind: Text::word("Ready"),
        status,
        timeout: all.duration(&format!("machineHealthCheck.{key}")),
    };
    MachineHealthCheck {
        selector: Default::default(),
        unhealthy_conditions: vec![
            rule(Status::Unknown, "unknownTimeout"),
            rule(Status::False, "falseTimeout"),
        ],
        max_unhealthy: max_unhealthy(all),
        node_startup_timeout: all.duration("machineHealthCheck.nodeStartupTimeout"),
        expected_machines: 0,
        current_healthy: 0,
        remediations_allowed: 0,
        conditions: Conditions::default(),
    }
}

/// `unhealthyRange` wins over `maxUnhealthy`.
fn max_unhealthy(all: &Catalog) -> MaxUnhealthy {
    let range = all.word("machineHealthCheck.unhealthyRange");
    let inner = range.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let bounds = inner.and_then(|inner| inner.split_once('-'));
    if let Some((Ok(least), Ok(most))) = bounds.map(|(a, b)| (a.parse(), b.parse())) {
        return MaxUnhealthy::Range(least, most);
    }
    let most = all.word("machineHealthCheck.maxUnhealthy");
    match most.strip_suffix('%') {
        Some(percent) => MaxUnhealthy::Percent(percent.parse().unwrap_or(100)),
        None => MaxUnhealthy::Count(most.parse().unwrap_or(u32::MAX)),
    }
}

/// `none`, a count or a percentage.
fn in_flight(text: &str) -> Option<InFlight> {
    match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().map(InFlight::Percent),
        None => text.parse().ok().map(InFlight::Count),
    }
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
