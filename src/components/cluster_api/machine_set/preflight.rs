//! What has to be so before a MachineSet creates Machines or deletes unhealthy ones: a control plane
//! that stands, and versions that go together.
//!
//! Follows `machineset_preflight.go`, with the words of 1.14. It looks at the control plane's object
//! only, as its cache has it, and is not told of its changes: it looks again after a while.
//! Simplified: no topology of a Cluster, and no annotation that skips checks; a version that cannot be
//! read is not compared; the MachineSet's own conditions do not say what is held.

use super::super::{Bootstrap, Wording};
use super::{MachineSetController, Work};
use crate::api::kinds::{KubeadmControlPlane, MachineSet, Version};
use crate::api::{Kind, Object};
use crate::client::View;
use crate::engine::Text;

/// A kubelet may be so many minor versions behind the API server.
const MINOR_SKEW: u64 = 3;

impl MachineSetController {
    /// Why the set may not do this now; nothing if it may. Else it looks again later.
    pub(super) fn holds(
        &self,
        (object, set): (&Object, &MachineSet),
        action: &str,
        work: &mut Work,
        view: &mut View,
    ) -> Vec<String> {
        let Some(requeue) = self.settings.machine_set_preflight else { return Vec::new() };
        let plane = view.local.list(Kind::KubeadmControlPlane).find(|plane| {
            plane.key().namespace == object.key().namespace
                && plane
                    .kubeadm_control_plane()
                    .is_some_and(|body| body.template.cluster == set.template.cluster)
        });
        let Some(plane) = plane.cloned() else { return Vec::new() };
        let Some(body) = plane.kubeadm_control_plane() else { return Vec::new() };
        view.found(plane.key());
        let mut failures: Vec<String> = unstable(&plane, body).into_iter().collect();
        failures.extend(self.skewed(body, set));
        if !failures.is_empty() {
            view.logs.push(Text::from(format!(
                "{action} on hold because {}. The operation will continue after the preflight \
                 check(s) pass",
                failures.join("; ")
            )));
            work.held = Some(("clusterApi.machineSetPreflightRequeue", requeue));
        }
        failures
    }

    /// The versions that do not go together.
    fn skewed(&self, plane: &KubeadmControlPlane, set: &MachineSet) -> Vec<String> {
        let [ours, theirs] = [&set.template.version, &plane.version];
        let (Some(mine), Some(upper)) = (Version::of(ours), Version::of(theirs)) else {
            return Vec::new();
        };
        let [ours, theirs] = [ours, theirs].map(|text| text.trim_start_matches('v'));
        let both = format!("MachineSet version ({ours}) and ControlPlane version ({theirs})");
        let mut failures = Vec::new();
        let policy =
            "do not conform to the kubernetes version skew policy as MachineSet version is";
        let failed = "(\"KubernetesVersionSkew\" preflight check failed)";
        if mine.minor() > upper.minor() {
            failures.push(format!("{both} {policy} higher than ControlPlane version {failed}"));
        } else if mine.minor() + MINOR_SKEW < upper.minor() {
            failures.push(format!(
                "{both} {policy} more than {MINOR_SKEW} minor versions older than the ControlPlane \
                 version {failed}"
            ));
        }
        if self.settings.bootstrap == Bootstrap::Kubeadm && mine.minor() != upper.minor() {
            failures.push(format!(
                "{both} do not conform to kubeadm version skew policy as kubeadm only supports \
                 joining with the same major+minor version as the control plane \
                 (\"KubeadmVersionSkew\" preflight check failed)"
            ));
        }
        failures
    }

    /// How a Machine that waits for this says so: reason and message of `OwnerRemediated`.
    pub(super) fn held_words(&self, failures: &[String]) -> (&'static str, Text) {
        match self.settings.wording {
            Wording::V1Beta1 => ("WaitingForRemediation", Text::from(failures.join("; "))),
            Wording::V1Beta2 => {
                let lines: Vec<String> = failures.iter().map(|it| format!("* {it}")).collect();
                ("RemediationDeferred", Text::from(lines.join("\n")))
            }
        }
    }
}

/// A control plane that comes up for the first time, or goes from version to version.
fn unstable(plane: &Object, body: &KubeadmControlPlane) -> Option<String> {
    let (wanted, lowest) = (Version::of(&body.version), Version::of(&body.lowest_version));
    let what = match (wanted, lowest) {
        _ if body.lowest_version.is_empty() => "provisioning",
        (Some(wanted), Some(lowest)) if wanted.is_later_than(&lowest) => "upgrading",
        _ => return None,
    };
    let (namespace, name) = (&plane.key().namespace, plane.name());
    Some(format!(
        "KubeadmControlPlane {namespace}/{name} is {what} (\"ControlPlaneIsStable\" preflight check \
         failed)"
    ))
}
