//! The law of quorum, where what is known of a member is minutes old.

use super::Verdict;
use super::tests::{breach, entry, judge, text, world_on};
use crate::timeline::{Entry, Value};
use crate::world::WORKLOAD_CLUSTER;

/// What the law says when a controller takes a control-plane VM's member, or the VM, from three, so many seconds
/// after these faults.
fn judged(platform: &str, faults: &[&str], seconds: u64, (words, by): (&str, &str)) -> Verdict {
    judged_with(&[], platform, faults, seconds, (words, by))
}

fn judged_with(
    set: &[(&str, &str)],
    platform: &str,
    faults: &[&str],
    seconds: u64,
    (words, by): (&str, &str),
) -> Verdict {
    let simulation = world_on(platform, "controlPlane: 3, workers: 1", faults, set, 60 + seconds);
    let view = simulation.view();
    let to = if by == "etcd" { Value::Null } else { text("set") };
    let taken = Entry { cluster: WORKLOAD_CLUSTER, ..entry(view, words, to, by) };
    judge("healers-keep-quorum", view, &[taken])
}

const REMOVED: (&str, &str) = ("EtcdMember/control-plane-0 exists", "etcd");
const DESTROYED: (&str, &str) =
    ("VSphereMachine/control-plane-0 deletionTimestamp", "machine-controller");
const SAYS: &str = "is taken from etcd by a controller, and of the 2 voters besides it 1 work";

#[test]
fn a_stream_that_fell_silent_is_open_for_a_while() {
    let isolated: &[&str] = &["at: 1m, isolateVm: { vm: control-plane-1 }"];
    let from_peers: &[&str] = &[
        "at: 1m, cutLink: { from: control-plane-1, to: control-plane-0 }",
        "at: 1m, cutLink: { from: control-plane-1, to: control-plane-2 }",
    ];
    for (platform, silence) in [("tkgs-2024", 300), ("tkgs-current", 165)] {
        for faults in [isolated, from_peers] {
            let early = judged(platform, faults, silence - 10, REMOVED);
            assert_eq!(early, Verdict::Holds, "{platform}");
            let late = breach(judged(platform, faults, silence + 10, REMOVED));
            assert_eq!(late, format!("EtcdMember/control-plane-0 {SAYS}"), "{platform}");
        }
        // Who takes the VM asks no member of etcd, and hears of the cut sooner.
        let destroyed = breach(judged(platform, isolated, 130, DESTROYED));
        assert_eq!(destroyed, format!("VSphereMachine/control-plane-0 {SAYS}"));
    }
}

#[test]
fn the_kernel_of_one_that_is_frozen_keeps_its_streams() {
    let frozen: &[&str] = &["at: 1m, freezeProcess: { vm: control-plane-1, process: etcd }"];
    // Here no kubelet ends what does not answer.
    let platform = "lab-k8s-1.34-capi-1.14";
    assert_eq!(judged(platform, frozen, 600, REMOVED), Verdict::Holds);
    let destroyed = breach(judged(platform, frozen, 600, DESTROYED));
    assert_eq!(destroyed, format!("VSphereMachine/control-plane-0 {SAYS}"));
}

#[test]
fn a_control_plane_that_looks_for_itself_has_no_such_excuse() {
    // Cluster API 1.7; no kubelet ends what does not answer.
    let frozen: &[&str] = &[
        "at: 1m, stopUnit: { vm: control-plane-1, unit: kubelet }",
        "at: 1m, freezeProcess: { vm: control-plane-1, process: etcd }",
    ];
    let lax = [("etcd.strictReconfigCheck", "false")];
    for set in [&[][..], &lax[..]] {
        let removed = breach(judged_with(set, "tkgs-2024", frozen, 240, REMOVED));
        assert_eq!(removed, format!("EtcdMember/control-plane-0 {SAYS}"));
    }
}

#[test]
fn an_etcd_that_is_told_to_refuse_nothing_does_not() {
    let off: &[&str] = &["at: 1m, killProcess: { vm: control-plane-1, process: etcd }"];
    let lax = [("etcd.strictReconfigCheck", "false")];
    for (set, holds) in [(&[][..], false), (&lax[..], true)] {
        let judged = judged_with(set, "lab-k8s-1.34-capi-1.14", off, 300, REMOVED);
        assert_eq!(judged == Verdict::Holds, holds, "{judged:?}");
    }
}
