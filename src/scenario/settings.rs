//! From the catalog's keys to the settings of every component: the only place that knows both.

mod cluster_api;
pub mod control_plane;
mod controllers;
mod etcd;
mod hosts;
mod kubeadm_control_plane;
mod network;
mod node;
mod static_pods;
#[cfg(test)]
mod tests;

use super::catalog::{CHECK, Catalog};
use super::models::{self, Platform, WrittenProvider};
use super::workloads::WrittenWorkload;
use crate::api::kinds::{
    Conditions, InFlight, MachineHealthCheck, MaxUnhealthy, Status, UnhealthyCondition,
};
use crate::client::{Backoff, ShellRules, ShellSettings};
use crate::components::cluster_api::Bootstrap;
use crate::components::{
    cloud_controller, controller_manager, etcdctl, hypervisor, infra_provider, kubeadm, kubectl,
    kubelet, vm_operator, vsphere_provider,
};
use crate::engine::{Duration, Text};
use crate::infra::Latency;
use crate::world::{
    API_PORT, Blueprint, ControlPlaneNodes, DeletionTimeouts, ETCD_PORT, HostPlan, JobsTable,
    Leaders, Management, Provider, Settings,
};
use control_plane::{client, election, retries};
use controllers::{controller_manager, scheduler};
pub use hosts::add_hosts;

/// A world of this platform with so many VMs.
pub fn blueprint(platform: &Platform, control_planes: u32, workers: u32) -> Blueprint {
    let source = models::platform_text(&platform.name).expect("a platform that was read");
    let workload = |written: &WrittenWorkload| {
        written.resolve(&source, control_planes).expect("a platform's workloads are tested")
    };
    let supervisors = small(platform.catalog.count("infra.supervisors", 1..=7));
    let mut blueprint = Blueprint {
        control_planes,
        supervisors,
        workers,
        load_balancer: (control_planes > 1).then(|| network::load_balancer(&platform.catalog)),
        management_balancer: (supervisors > 1).then(|| network::load_balancer(&platform.catalog)),
        leaders: Leaders::default(),
        zones: platform.zones,
        hosts: HostPlan::default(),
        management: platform.management,
        control_plane_nodes: platform.control_plane_nodes,
        workloads: platform.workloads.iter().map(workload).collect(),
        health_check: health_check(&platform.catalog, CHECK),
        control_plane_check: None,
        users: None,
        settings: settings(platform),
    };
    add_hosts(&mut blueprint, platform.hosts, Vec::new(), &platform.catalog);
    surge(&blueprint, &platform.catalog);
    blueprint
}

/// Its webhook refuses so few: cluster-api, controlplane/kubeadm, validateRolloutStrategy.
const FEWEST_WITHOUT_SURGE: u32 = 3;

fn surge(blueprint: &Blueprint, all: &Catalog) {
    let Some(plane) = &blueprint.settings.control_plane else { return };
    if plane.max_surge == 0 && blueprint.control_planes < FEWEST_WITHOUT_SURGE {
        let message = format!(
            "maxSurge `0` is refused for a control plane of {}: one that deletes before it creates has at \
             least {FEWEST_WITHOUT_SURGE}; write 1",
            blueprint.control_planes
        );
        all.note("clusterApi.controlPlaneMaxSurge", message);
    }
}

/// Its webhook refuses less: cluster-api, internal/webhooks, minNodeStartupTimeout.
const SHORTEST_STARTUP: Duration = Duration::from_secs(30);

fn node_startup_timeout(all: &Catalog, prefix: &str) -> Duration {
    let key = &format!("{prefix}nodeStartupTimeout");
    let timeout = all.duration(key);
    if !timeout.is_zero() && timeout < SHORTEST_STARTUP {
        let message =
            format!("`{timeout}` is refused: write at least {SHORTEST_STARTUP}, or 0s for never");
        all.note(key, message);
    }
    timeout
}

fn settings(platform: &Platform) -> Settings {
    let all = &platform.catalog;
    let provider = provider(platform);
    let has_cloud = has_cloud(platform);
    Settings {
        etcd: etcd::etcd(all),
        apiserver: control_plane::apiserver(all),
        kubelet: node::kubelet(platform),
        kubeadm: kubeadm(all),
        controller_manager: controller_manager(all, platform.management == Management::Own),
        scheduler: scheduler(all),
        cluster_api: cluster_api::cluster_api(platform, provider.kind()),
        bootstrap_provider: cluster_api::bootstrap_provider(all),
        control_plane: (platform.control_plane_nodes == ControlPlaneNodes::InCluster)
            .then(|| kubeadm_control_plane::control_plane(all, provider.kind())),
        provider,
        manager_elections: control_plane::manager_elections(all),
        cloud: has_cloud.then(|| cloud_controller(all)),
        hypervisor: hypervisor::Settings {
            find: all.delay("infra.findVm"),
            power_on: all.delay("infra.powerOn"),
            clone_and_power_on: all.delay("infra.cloneAndPowerOn"),
            boot: all.delay("infra.boot"),
            delete: all.delay("infra.deleteVm"),
            hosts: hypervisor::HostWatch::default(),
        },
        etcdctl: etcdctl::Settings {
            command_timeout: all.duration("etcd.etcdctlCommandTimeout"),
            port: ETCD_PORT,
        },
        kubectl: kubectl::Settings {
            dial_timeout: all.duration("kubernetes.kubectlDialTimeout"),
            retries: retries(all),
        },
        jobs_table: match all.rule("kubernetes.jobTableHasStatus") {
            true => JobsTable::WithStatus,
            false => JobsTable::WithoutStatus,
        },
        latency: Latency {
            between_vms: all.delay("infra.networkLatency"),
            loopback: all.delay("infra.loopbackLatency"),
        },
        keep_alives: network::keep_alives(all),
        retransmission: network::retransmission(all),
        max_in_flight: in_flight(all),
        deletion: deletion(all, "node"),
        controller_restart: all.period("kubernetes.controllerRestart"),
        unit_restart: all.period("kubernetes.kubeletRestart"),
        static_pods: static_pods::manifests(all, has_cloud),
    }
}

/// A Machine's time-outs, by the word with which the names of their settings begin.
fn deletion(all: &Catalog, of: &str) -> DeletionTimeouts {
    let duration = |what: &str| all.duration(&format!("clusterApi.{of}{what}"));
    DeletionTimeouts {
        node_drain: duration("DrainTimeout"),
        node_volume_detach: duration("VolumeDetachTimeout"),
        node_deletion: duration("DeletionTimeout"),
    }
}

fn provider(platform: &Platform) -> Provider {
    let all = &platform.catalog;
    match platform.provider {
        WrittenProvider::Delay => Provider::Delay(infra_provider::Settings {
            client: client(all),
            provider_prefix: all.word("infra.providerIDPrefix"),
            waits_for_bootstrap: platform.bootstrap == Bootstrap::Kubeadm,
            backoff_first: all.period("clusterApi.backoffFirst"),
            backoff_limit: all.period("clusterApi.backoffLimit"),
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
        shell: ShellSettings {
            workers: size(all.count("capv.workers", 1..=1_000_000)),
            ..supervisor_shell(all, vsphere_provider::SHELL_RULES)
        },
        requeue: all.period("capv.requeue"),
        resync: all.rhythm("capv.resync"),
        resync_jitter_percent: all.count("capv.resyncJitterPercent", 0..=99),
        readiness_port: all.rule("capv.probesControlPlane").then_some(API_PORT.0),
    }
}

/// True where the cloud has a controller in the cluster, and the kubelets leave to it what it knows.
fn has_cloud(platform: &Platform) -> bool {
    platform.provider == WrittenProvider::VmOperator
}

fn cloud_controller(all: &Catalog) -> cloud_controller::Settings {
    cloud_controller::Settings {
        client: client(all),
        monitor_period: all.rhythm("kubernetes.cloudNodeMonitorPeriod"),
        provider_prefix: all.word("infra.providerIDPrefix"),
        initialization: cloud_controller::Initialization {
            backoff_first: all.period("kubernetes.cloudNodeBackoffFirst"),
            backoff_limit: all.period("kubernetes.cloudNodeBackoffLimit"),
            update_pause: all.delay("kubernetes.cloudNodeUpdatePause"),
            update_tries: small(all.count("kubernetes.cloudNodeUpdateTries", 1..=1000)),
        },
        election: election(all),
    }
}

fn vm_operator(all: &Catalog) -> vm_operator::Settings {
    let workers = all.count("vmOperator.maxConcurrentReconciles", 1..=1_000_000);
    let percent = all.count("vmOperator.maxCreatePercent", 0..=100);
    vm_operator::Settings {
        client: client(all),
        shell: ShellSettings {
            workers: size(workers),
            ..supervisor_shell(all, vm_operator::SHELL_RULES)
        },
        resync: all.rhythm("vmOperator.resync"),
        resync_jitter_percent: all.count("vmOperator.resyncJitterPercent", 0..=99),
        resync_at: None,
        probe: vm_operator::ProbeSettings {
            period: all.rhythm("vmOperator.probePeriod"),
            timeout: all.period("vmOperator.probeTimeout"),
        },
        rules: vm_operator::Rules {
            async_signal: all.rule("vmOperator.asyncSignal"),
            create_blocks: all.rule("vmOperator.createBlocks"),
            max_creations: size(workers * percent / 100),
            recreate_keeps_uuid: all.rule("vmOperator.recreateKeepsUuid"),
            skips_disconnected: all.rule("vmOperator.skipsDisconnected"),
            probes_after_failure: all.rule("vmOperator.probesAfterFailure"),
            requeue: all.period("vmOperator.requeue"),
        },
    }
}

/// The shell of a controller beside Cluster API's: all are built on controller-runtime.
fn supervisor_shell(all: &Catalog, rules: &'static ShellRules) -> ShellSettings {
    ShellSettings {
        workers: 1,
        backoff: Backoff::new(
            all.period("clusterApi.backoffFirst"),
            all.period("clusterApi.backoffLimit"),
        ),
        minimum_gap: Duration::ZERO,
        thinking: all.delay("clusterApi.thinking"),
        rules,
    }
}

/// Fills in how volumes are moved, if anything has one: nobody else relies on these numbers.
pub fn add_volumes(blueprint: &mut Blueprint, all: &Catalog) {
    if blueprint.workloads.iter().all(|workload| workload.volume.is_none()) {
        return;
    }
    let period = |key: &str| all.period(&format!("kubernetes.{key}"));
    let delay = |key: &str| all.delay(&format!("kubernetes.{key}"));
    blueprint.settings.controller_manager.volumes = controller_manager::VolumeSettings {
        pass_period: period("attachDetachPeriod"),
        unmount_limit: all.duration("kubernetes.forcedDetach"),
        attach: delay("volumeAttach"),
        detach: delay("volumeDetach"),
    };
    blueprint.settings.kubelet.volumes = kubelet::VolumeSettings {
        pass_period: all.rhythm("kubernetes.volumePassPeriod"),
        retry_first: period("volumeRetryFirst"),
        retry_limit: period("volumeRetryLimit"),
        mount: delay("volumeMount"),
        unmount: delay("volumeUnmount"),
    };
}

fn kubeadm(all: &Catalog) -> kubeadm::Settings {
    let duration = |key: &str| all.duration(&format!("kubernetes.{key}"));
    let jitter_percent = all.count("kubernetes.discoveryJitterPercent", 0..=1_000);
    kubeadm::Settings {
        checks: all.delay("kubernetes.joinChecks"),
        retry: all.period("kubernetes.discoveryRetry"),
        rhythm: match all.rule("kubernetes.discoveryOnBeat") {
            true => kubeadm::Rhythm::Beat,
            false => kubeadm::Rhythm::Pause { jitter_percent },
        },
        request_timeout: duration("discoveryRequestTimeout"),
        retries: retries(all),
        limit: duration("discoveryTimeout"),
        wording: match all.rule("kubernetes.discoveryNamesError") {
            true => kubeadm::Wording::Retrying,
            false => kubeadm::Wording::WillTryAgain,
        },
        join: all.delay("infra.joinWorker"),
        node_retry: all.period("kubernetes.nodePatchRetry"),
        node_limit: duration("tlsBootstrapLimit"),
        etcd: kubeadm::EtcdJoin {
            learner: all.rule("kubernetes.etcdLearnerMode"),
            retry: all.period("kubernetes.etcdCallRetry"),
            limit: duration("etcdCallLimit"),
            list_retry: all.period("kubernetes.etcdPodListRetry"),
            list_limit: duration("etcdPodListLimit"),
        },
        local_mode: all.rule("kubernetes.kubeletLocalMode"),
    }
}

/// A check over Machines, but its selector; its settings begin with the prefix.
pub fn health_check(all: &Catalog, prefix: &str) -> MachineHealthCheck {
    let rule = |status, key: &str| {
        let timeout = all.optional_duration(&format!("{prefix}{key}"))?;
        Some(UnhealthyCondition { kind: Text::word("Ready"), status, timeout })
    };
    MachineHealthCheck {
        selector: Default::default(),
        unhealthy_conditions: [
            rule(Status::Unknown, "unknownTimeout"),
            rule(Status::False, "falseTimeout"),
        ]
        .into_iter()
        .flatten()
        .collect(),
        max_unhealthy: max_unhealthy(all, prefix),
        node_startup_timeout: node_startup_timeout(all, prefix),
        expected_machines: 0,
        current_healthy: 0,
        remediations_allowed: 0,
        conditions: Conditions::default(),
    }
}

/// `unhealthyRange` wins over `maxUnhealthy`.
fn max_unhealthy(all: &Catalog, prefix: &str) -> MaxUnhealthy {
    let range = all.parsed(
        &format!("{prefix}unhealthyRange"),
        "`none` or a range of numbers of Machines, for example [3-5]",
        |text| match text {
            "none" => Some(None),
            text => {
                let inner = text.strip_prefix('[')?.strip_suffix(']')?;
                let (least, most) = inner.split_once('-')?;
                let (least, most): (u32, u32) = (least.parse().ok()?, most.parse().ok()?);
                (least <= most).then_some(Some(MaxUnhealthy::Range(least, most)))
            }
        },
    );
    let most = all.parsed(
        &format!("{prefix}maxUnhealthy"),
        "a number of Machines or a percentage up to 100%, for example 2 or 40%",
        |text| count_or_percent(text, MaxUnhealthy::Count, MaxUnhealthy::Percent),
    );
    range.flatten().or(most).unwrap_or(MaxUnhealthy::Percent(100))
}

/// `none`, a count or a percentage.
fn in_flight(all: &Catalog) -> Option<InFlight> {
    let wanted = "`none`, a number of Machines or a percentage up to 100%, for example 2 or 40%";
    let found = all.parsed("clusterApi.maxInFlight", wanted, |text| match text {
        "none" => Some(None),
        text => count_or_percent(text, InFlight::Count, InFlight::Percent).map(Some),
    });
    found.flatten()
}

fn count_or_percent<T>(
    text: &str,
    count: impl Fn(u32) -> T,
    percent: impl Fn(u32) -> T,
) -> Option<T> {
    match text.strip_suffix('%') {
        Some(part) => part.parse().ok().filter(|part| *part <= 100).map(percent),
        None => text.parse().ok().map(count),
    }
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
