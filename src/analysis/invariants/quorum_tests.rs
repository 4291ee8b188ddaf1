//! The law of quorum, where what is known of a member is minutes old.

use super::Verdict;
use super::tests::{breach, entry, judge, text, world_on};
use crate::timeline::{Entry, Value};
use crate::world::WORKLOAD_CLUSTER;

#[test]
fn a_stream_that_fell_silent_is_open_for_a_while() {
    let cut = ["at: 1m, isolateVm: { vm: control-plane-1 }"];
    let after = |seconds: u64| {
        world_on("tkgs-2024", "controlPlane: 3, workers: 1", &cut, &[], 60 + seconds)
    };
    let judged = |seconds: u64, words: &str, by: &str| {
        let simulation = after(seconds);
        let view = simulation.view();
        let to = if by == "etcd" { Value::Null } else { text("set") };
        let taken = Entry { cluster: WORKLOAD_CLUSTER, ..entry(view, words, to, by) };
        judge("healers-keep-quorum", view, &[taken])
    };
    let removed = |seconds| judged(seconds, "EtcdMember/control-plane-0 exists", "etcd");
    assert_eq!(removed(290), Verdict::Holds);
    let says = "is taken from etcd by a controller, and of the 2 voters besides it 1 work";
    assert_eq!(breach(removed(310)), format!("EtcdMember/control-plane-0 {says}"));
    // Who takes the VM asks no member of etcd, and hears of the cut sooner.
    let (words, by) = ("VSphereMachine/control-plane-0 deletionTimestamp", "machine-controller");
    assert_eq!(breach(judged(130, words, by)), format!("VSphereMachine/control-plane-0 {says}"));
}
