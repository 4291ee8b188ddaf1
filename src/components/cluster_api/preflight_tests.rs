//! What a MachineSet does not do while its control plane does not stand, or has another version.

use super::brakes_tests::{acts, began, marked, newer, secs, set_with};
use super::tests::Manager;
use super::*;
use crate::api::kinds::KubeadmControlPlane;
use crate::api::{Meta, WatchKind};
use crate::engine::Duration;

/// A control plane whose Machines have this version at least, and which is to have that one.
fn plane(lowest: &'static str, wanted: &'static str) -> Object {
    let body = KubeadmControlPlane {
        version: Text::word(wanted),
        lowest_version: Text::word(lowest),
        ..KubeadmControlPlane::default()
    };
    Object::new(Meta::new(Kind::KubeadmControlPlane, "default", "cp"), body)
}

/// The rules under which a MachineSet looks at the control plane.
fn looks_at_the_plane() -> Settings {
    let machine_set_preflight = Some(secs(15));
    Settings { machine_set_preflight, wording: Wording::V1Beta2, ..newer() }
}

/// A set of this version with one Machine that is marked, and one too few; and a control plane.
fn beside_plane(version: &'static str, plane: Object) -> Vec<Object> {
    let mut objects = set_with(None, |number, object| {
        if number == 2 {
            marked(object)
        }
    });
    objects.remove(0);
    if let Some(set) = objects[0].machine_set_mut() {
        (set.replicas, set.template.version) = (4, Text::word(version));
    }
    objects.push(plane);
    objects
}

#[test]
fn while_the_control_plane_is_upgraded_its_workers_are_left_alone() {
    let acts_anyway = ["patch Machine/c MachineDeleting", "delete Machine/c"];
    let upgrading = || beside_plane("v1.30.0", plane("v1.30.0", "v1.30.4"));
    for (rules, held) in [(looks_at_the_plane(), true), (newer(), false)] {
        let done = acts(rules, &upgrading());
        if held {
            assert_eq!(done, ["patch Machine/c RemediationDeferred"]);
        } else {
            assert_eq!(done[..2], acts_anyway);
            assert!(done[2].starts_with("create InfraMachine/ms-"), "{done:?}");
        }
    }
    let done = acts(looks_at_the_plane(), &beside_plane("v1.30.0", plane("", "v1.30.0")));
    assert_eq!(done, ["patch Machine/c RemediationDeferred"], "it has no Machine yet");
    let done = acts(looks_at_the_plane(), &beside_plane("v1.30.0", plane("v1.30.4", "v1.30.4")));
    assert_eq!(done[..2], acts_anyway);
}

#[test]
fn a_held_set_says_why_and_looks_again() {
    let mut bench =
        began(looks_at_the_plane(), &beside_plane("v1.30.0", plane("v1.30.0", "v1.31.0")));
    let told = bench.grant("patch Machine/c");
    let said = told.machine().expect("a Machine").conditions.get("OwnerRemediated").cloned();
    let words = "* KubeadmControlPlane default/cp is upgrading (\"ControlPlaneIsStable\" preflight \
                 check failed)";
    assert_eq!(said.expect("said").message, *words, "kubeadm is not what joins here");
    bench.grant("patch MachineSet/ms");
    let upgraded = plane("v1.31.0", "v1.31.0");
    bench.shows(WatchKind::Modified, upgraded);
    let acts = |bench: &mut Manager| {
        for _ in 0..4 {
            bench.pass(Duration::from_millis(1));
        }
        bench.asked.iter().any(|(_, it)| it.agent == "machineset-controller")
    };
    assert!(!acts(&mut bench), "it is not told of the control plane");
    bench.pass(secs(15));
    assert!(acts(&mut bench), "{:?}", bench.waiting());
}

#[test]
fn versions_that_do_not_go_together_hold_a_set() {
    let said = |bootstrap, version, upper| {
        let rules = Settings { bootstrap, ..looks_at_the_plane() };
        let mut bench = began(rules, &beside_plane(version, plane(upper, upper)));
        let told = bench.grant("patch Machine/c");
        let said = told.machine().expect("a Machine").conditions.get("OwnerRemediated").cloned();
        said.expect("said").message.to_string()
    };
    let given = Bootstrap::Given;
    assert_eq!(said(given, "v1.27.1", "v1.30.0"), "Machine is deleting", "three behind");
    let older = "* MachineSet version (1.26.1) and ControlPlane version (1.30.0) do not conform to \
                 the kubernetes version skew policy as MachineSet version is more than 3 minor \
                 versions older than the ControlPlane version (\"KubernetesVersionSkew\" preflight \
                 check failed)";
    assert_eq!(said(given, "v1.26.1", "v1.30.0"), older);
    assert!(said(given, "v1.31.0", "v1.30.0").contains("is higher than ControlPlane version"));
    let kubeadm = "* MachineSet version (1.29.1) and ControlPlane version (1.30.0) do not conform to \
                   kubeadm version skew policy as kubeadm only supports joining with the same \
                   major+minor version as the control plane (\"KubeadmVersionSkew\" preflight check \
                   failed)";
    assert_eq!(said(Bootstrap::Kubeadm, "v1.29.1", "v1.30.0"), kubeadm);
    assert_eq!(said(Bootstrap::Kubeadm, "v1.30.1", "v1.30.0"), "Machine is deleting");
}
