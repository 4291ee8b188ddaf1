//! What an operator is offered: nothing that is refused as soon as it is typed.

use super::*;
use crate::engine::{Duration, SimTime};

/// What is offered five minutes after these faults, on three control planes and two workers.
fn offered(faults: &[&str]) -> Vec<String> {
    offered_on("tkgs-2024", faults)
}

fn offered_on(platform: &str, faults: &[&str]) -> Vec<String> {
    offered_in(platform, "", faults)
}

fn offered_in(platform: &str, placed: &str, faults: &[&str]) -> Vec<String> {
    let faults: String = faults.iter().map(|fault| format!("    - {{ {fault} }}\n")).collect();
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  platform: \
         {platform}\n  cluster: {{ controlPlane: 3, workers: 2, {placed} }}\n  given: {{ \
         etcdLeader: control-plane-1 }}\n  faults:\n{faults}  until: 20m\n"
    );
    let scenario = Scenario::read(Source::embedded("test.yaml", &text)).expect("it is valid");
    let game = Game::new(&scenario, None, &[], None).expect("it is valid");
    let mut simulation = game.begin(1);
    simulation.run_until(SimTime::ZERO + Duration::from_secs(360));
    actions(simulation.view()).iter().map(|action| action.words.to_string()).collect()
}

const KUBELET: &str = "at: 1m, stopUnit: { vm: worker-0, unit: kubelet }";

/// Those of these that have such words in them.
fn with<'a>(offered: &'a [String], words: &str) -> Vec<&'a str> {
    offered.iter().map(String::as_str).filter(|it| it.contains(words)).collect()
}

#[test]
fn the_leader_hands_over_and_nobody_else_is_asked_to() {
    let offered = offered(&[KUBELET]);
    let moves = [0, 2].map(|to| {
        format!("etcdctl: \"move-leader control-plane-{to} --endpoints=control-plane-1\"")
    });
    assert_eq!(with(&offered, "etcdctl"), moves);
}

#[test]
fn without_a_leader_nobody_hands_over() {
    let removed = |vm| format!("at: 1m, removeFile: {{ vm: control-plane-{vm}, path: {ETCD} }}");
    let offered = offered(&[&removed(0), &removed(1)]);
    let gone = [0, 1].map(|vm| {
        format!("etcdctl: \"member remove control-plane-{vm} --endpoints=control-plane-2\"")
    });
    assert_eq!(with(&offered, "etcdctl"), gone);
}

#[test]
fn what_is_ill_is_deleted_unless_no_api_server_is_there_to_be_asked() {
    let node = "kubectl: \"delete node worker-0\"";
    let machine = "kubectl: \"delete machine worker-0\"";
    let ill = offered(&[KUBELET]);
    assert_eq!(with(&ill, "elete"), [node, machine, "deleteVm: { vm: worker-0 }"]);
    let managed_by_itself = offered_on("lab-k8s-1.30-capi-1.7", &[KUBELET]);
    assert_eq!(with(&managed_by_itself, "elete"), with(&ill, "elete"));
    let removed = [0, 1, 2].map(|vm| {
        format!("at: 4m30s, removeFile: {{ vm: control-plane-{vm}, path: {API_SERVER} }}")
    });
    let [a, b, c] = &removed;
    let silent = offered(&[KUBELET, a, b, c]);
    assert_eq!(with(&silent, "elete"), [machine, "deleteVm: { vm: worker-0 }"]);
}

#[test]
fn a_cordon_is_lifted_unless_a_machine_that_goes_has_set_it() {
    let cordon = |worker| format!("at: 1m, kubectl: \"cordon worker-{worker}\"");
    let (one, two) = ("kubectl: \"uncordon worker-0\"", "kubectl: \"uncordon worker-1\"");
    assert_eq!(with(&offered(&[&cordon(1)]), "cordon"), [two]);
    let both = format!("{one}, then {two}");
    assert_eq!(with(&offered(&[&cordon(0), &cordon(1)]), "cordon"), [one, two, &both]);
    // Its drain cannot end while the kubelet is down.
    let goes = offered(&[KUBELET, "at: 5m, kubectl: \"delete machine worker-0\""]);
    assert_eq!(with(&goes, "cordon"), [""; 0]);
}

#[test]
fn a_control_planes_machine_whose_etcd_member_is_gone_is_deleted() {
    let machine = "kubectl: \"delete machine control-plane-0\"";
    let node = "kubectl: \"delete node control-plane-0\"";
    let vm = "deleteVm: { vm: control-plane-0 }";
    // Where the kubelet asks the API server beside it alone, the Node is silent too.
    for (platform, all) in [("tkgs-2024", &[machine][..]), ("tkgs-current", &[node, machine, vm])] {
        let offered = offered_on(platform, &["at: 1m, etcdctl: \"member remove control-plane-0\""]);
        assert_eq!(with(&offered, "elete"), all, "{platform}");
    }
}

#[test]
fn vms_are_powered_on_once_their_host_has_booted() {
    let off = "at: 4m30s, powerOffHost: { host: esxi-0 }";
    let [a, b] = [0, 1].map(|worker| format!("at: 4m, powerOff: {{ vm: worker-{worker} }}"));
    let placed = "highAvailability: false, placement: [{ host: esxi-0, vms: [worker-0] }]";
    let offered = |faults: &[&str]| offered_in("tkgs-2024", placed, faults);
    let dark = offered(&[&a, &b, off]);
    let host = "powerOnHost: { host: esxi-0 }";
    assert_eq!(with(&dark, "power"), [host, "powerOn: { vm: worker-1 }"]);
    let boots = offered(&[&a, &b, off, &format!("at: 5m30s, {host}")]);
    assert_eq!(with(&boots, "power"), ["powerOn: { vm: worker-1 }"]);
}

const ETCD: &str = "/etc/kubernetes/manifests/etcd.yaml";
const API_SERVER: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
