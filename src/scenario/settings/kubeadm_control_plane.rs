//! The numbers and rules of the KubeadmControlPlane controller.
//!
//! They are taken only where a platform has such a controller: a run names the assumed numbers that
//! it took.

use super::cluster_api::{pauses, probe, shell};
use super::control_plane::client;
use super::{deletion, small};
use crate::api::Kind;
use crate::api::kinds::RemediationStrategy;
use crate::components::kubeadm_control_plane::{
    EtcdAccess, Inspection, LeaderAccess, MemberRemoval, Picks, Requeue, Settings, Wording,
};
use crate::scenario::catalog::Catalog;
use crate::world::ControlPlaneMachines;

/// How the control plane's Machines are kept.
pub fn control_plane(all: &Catalog, infrastructure: Kind) -> ControlPlaneMachines {
    ControlPlaneMachines {
        controller: controller(all, infrastructure),
        remediation: RemediationStrategy {
            max_retry: all
                .parsed(
                    "clusterApi.controlPlaneMaxRetry",
                    "`none` or a number of retries",
                    |text| match text {
                        "none" => Some(None),
                        text => text.parse().ok().map(Some),
                    },
                )
                .flatten(),
            retry_period: all.duration("clusterApi.controlPlaneRetryPeriod"),
            min_healthy_period: all.duration("clusterApi.controlPlaneMinHealthyPeriod"),
        },
        max_surge: small(all.count("clusterApi.controlPlaneMaxSurge", 0..=1)),
        deletion: deletion(all, "controlPlaneNode"),
    }
}

fn controller(all: &Catalog, infrastructure: Kind) -> Settings {
    let duration = |key: &str| all.duration(&format!("clusterApi.{key}"));
    let period = |key: &str| all.period(&format!("clusterApi.{key}"));
    let rule = |key: &str| all.rule(&format!("clusterApi.{key}"));
    let choice = |key: &str, words: &[&str]| all.choice(&format!("clusterApi.{key}"), words);
    Settings {
        client: client(all),
        remote_timeout: all.period("clusterApi.remoteClientTimeout"),
        shell: shell(all),
        resync: all.rhythm("clusterApi.resync"),
        resync_jitter_percent: all.percent("clusterApi.resyncJitterPercent"),
        probe: probe(all),
        conditions_grace: duration("remoteConditionsGrace"),
        reconnection_enqueues: rule("reconnectionEnqueues"),
        etcd: EtcdAccess {
            connect: period("etcdConnectTimeout"),
            retry: period("etcdConnectRetry"),
            call: period("etcdCallTimeout"),
        },
        requeue: Requeue {
            not_ready: period("controlPlaneNotReadyRequeue"),
            preflight: period("controlPlanePreflightRequeue"),
            preflight_deferral: duration("controlPlanePreflightDeferral"),
            deleting: period("controlPlaneDeletingRequeue"),
        },
        inspection: match rule("etcdAsksEachMember") {
            true => Inspection::EachMember,
            false => Inspection::AnyMember,
        },
        picks: match rule("remediatesMostBroken") {
            true => Picks::MostBroken,
            false => Picks::Oldest,
        },
        leader: match rule("etcdNeedsLeaderAccess") {
            true => LeaderAccess::Always,
            false => LeaderAccess::ForItsOwnMachine,
        },
        removal: match choice("etcdMemberRemoval", &["BeforeDeletion", "PreTerminateHook"]) {
            0 => MemberRemoval::BeforeDeletion,
            _ => MemberRemoval::InHook,
        },
        needs_healthy_components: rule("remediationNeedsComponents"),
        relaxes_for_replacement: rule("replacementRelaxesChecks"),
        pauses: pauses(all),
        wording: match choice("conditions", &["v1beta1", "v1beta2"]) {
            0 => Wording::V1Beta1,
            _ => Wording::V1Beta2,
        },
        infrastructure,
    }
}
