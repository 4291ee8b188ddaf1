//! Milestones of hand-made timelines, family by family.

use super::estimate::{Ending, Name, Outcome, Sample};
use super::*;
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Downtime, End, Entry, Lack, Level, Run, Timeline, Value};

/// A line is `seconds object field from to [reason [message]]`; `-` is null.
fn run(lines: &str) -> Run {
    let mut timeline = Timeline::default();
    for line in lines.trim().lines() {
        timeline.push(entry(&timeline, line.trim()));
        if line.trim().starts_with("0 ") {
            timeline.begin();
        }
    }
    let first_fault = Some(SimTime::from_micros(60_000_000));
    Run { first_fault, last_fault: first_fault, timeline, ..Run::default() }
}

fn entry(timeline: &Timeline, line: &str) -> Entry {
    let mut words = line.splitn(7, ' ');
    let mut next = || words.next().unwrap_or_default();
    let at = next().parse::<u64>().unwrap();
    let (kind, name) = next().split_once('/').unwrap();
    Entry {
        id: timeline.next_id(),
        at: SimTime::from_micros(at * 1_000_000),
        cluster: Text::EMPTY,
        kind: kind.into(),
        name: name.into(),
        field: next().into(),
        from: value(next()),
        to: value(next()),
        reason: next().into(),
        message: next().into(),
        by: Text::EMPTY,
        cause: None,
        reads: Vec::new(),
        took: None,
    }
}

fn value(word: &str) -> Value {
    match word {
        "-" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => Value::text(text),
    }
}

/// `seconds name object #entry`, a line each.
fn named(run: &Run) -> Vec<String> {
    let text = |found: &Milestone| {
        let seconds = found.at.as_micros() / 1_000_000;
        format!("{seconds} {} {} #{}", found.name, found.object, found.entry.0)
    };
    milestones(run).iter().map(text).collect()
}

#[test]
fn the_state_at_the_beginning_is_no_milestone() {
    assert!(named(&run("0 Node/worker-0 Ready - True\n0 VM/worker-0 power - on")).is_empty());
}

#[test]
fn a_node_becomes_unknown_is_cordoned_and_goes() {
    let run = run("
        101 Node/worker-0 Ready True Unknown NodeStatusUnknown
        102 Node/worker-0 Ready Unknown Unknown Other
        110 Node/worker-0 Ready Unknown False
        120 Node/worker-0 Ready False True
        130 Node/worker-0 Ready True Unknown
        402 Node/worker-0 unschedulable - true
        700 Node/worker-0 exists true -
    ");
    assert_eq!(
        named(&run),
        [
            "101 nodeUnknown Node/worker-0 #1",
            "110 nodeNotReady Node/worker-0 #3",
            "120 nodeReady Node/worker-0 #4",
            "402 nodeCordoned Node/worker-0 #6",
            "700 nodeDeleted Node/worker-0 #7",
        ]
    );
}

#[test]
fn an_evicted_pod_is_replaced_by_the_next_pod_of_its_controller() {
    let run = run("
        401 Pod/web-77-a DisruptionTarget - True DeletionByTaintManager
        401 Pod/web-77-a deletionTimestamp - set grace=30
        401 Pod/web-77-b exists - true
        402 Pod/other-1-c exists - true
        403 Pod/other-1-c Ready - True
        405 Pod/web-77-b Ready - True
        500 Pod/web-77-d deletionTimestamp - set grace=30
    ");
    assert_eq!(named(&run), ["401 podEvicted Pod/web-77-a #2", "405 podReplaced Pod/web-77-a #6"]);
}

/// Each line's last word is who wrote it.
fn written(lines: &str) -> Run {
    let (words, writers): (Vec<&str>, Vec<&str>) =
        lines.trim().lines().filter_map(|line| line.trim().rsplit_once(" by ")).unzip();
    let plain = run(&words.join("\n"));
    let mut timeline = Timeline::default();
    for (entry, by) in plain.timeline.entries().iter().zip(writers) {
        timeline.push(Entry { by: Text::from(by), ..entry.clone() });
    }
    Run { timeline, ..plain }
}

#[test]
fn a_pod_is_evicted_by_who_marked_it_while_the_mark_stands() {
    let pod = |name: &str, end: &str| {
        written(&format!(
            "10 Pod/{name} DisruptionTarget - True EvictionByEvictionAPI by machine-controller@s-0\n{end}"
        ))
    };
    let go = "deletionTimestamp - set grace=30 by";
    // Another leader goes on with the drain.
    let drained = format!("20 Pod/web-7-a {go} machine-controller@s-1");
    assert_eq!(named(&pod("web-7-a", &drained)), ["20 podEvicted Pod/web-7-a #2"]);
    let scaled = format!("20 Pod/web-7-a {go} replicaset-controller@c-0");
    assert_eq!(named(&pod("web-7-a", &scaled)), [""; 0]);
    let word = "15 Pod/web-7-a DisruptionTarget True";
    let tainted = format!("{word} True DeletionByTaintManager by taint-eviction-controller@c-0\n");
    assert_eq!(named(&pod("web-7-a", &(tainted + &drained))), ["20 podEvicted Pod/web-7-a #3"]);
    let taken_back = format!("{word} False by disruption-controller@c-0\n");
    assert_eq!(named(&pod("web-7-a", &(taken_back + &drained))), [""; 0]);
    // A StatefulSet's next Pod has the name of the last.
    let again =
        "15 Pod/db-0 exists true - by kubelet@w-0\n16 Pod/db-0 exists - true by statefulset\n";
    let rolled = format!("{again}20 Pod/db-0 {go} machine-controller@s-0");
    assert_eq!(named(&pod("db-0", &rolled)), [""; 0]);
    let unmarked = format!("20 Pod/web-7-a {go} taint-eviction-controller@c-0");
    assert_eq!(named(&written(&unmarked)), ["20 podEvicted Pod/web-7-a #1"]);
}

#[test]
fn a_machine_is_unhealthy_deleted_and_replaced() {
    let run = run("
        0 Machine/worker-0 exists - true
        402 Machine/worker-0 HealthCheckSucceeded True False UnhealthyNode
        403 Machine/worker-0 deletionTimestamp - set
        700 Machine/worker-0 exists true -
        701 Machine/worker-3 exists - true
        760 Node/worker-3 exists - true
        760 Node/worker-3 Ready - False
        770 Node/worker-3 Ready False True
        771 Machine/worker-3 nodeRef - worker-3
    ");
    assert_eq!(
        named(&run),
        [
            "402 machineUnhealthy Machine/worker-0 #2",
            "403 machineDeleting Machine/worker-0 #3",
            "700 machineDeleted Machine/worker-0 #4",
            "701 replacementCreated Machine/worker-3 #5",
            "760 nodeNotReady Node/worker-3 #7",
            "770 nodeReady Node/worker-3 #8",
            "770 replacementReady Machine/worker-3 #8",
        ]
    );
}

#[test]
fn health_check_and_owner_can_refuse() {
    let run = run("
        400 MachineHealthCheck/mhc RemediationAllowed True False TooManyUnhealthy
        401 Machine/cp-0 OwnerRemediated - False WaitingForRemediation
        402 Machine/cp-0 OwnerRemediated False False RemediationFailed
        403 Machine/cp-0 OwnerRemediated False False RemediationFailed
    ");
    assert_eq!(
        named(&run),
        [
            "400 remediationRefused MachineHealthCheck/mhc #1",
            "402 remediationRefused Machine/cp-0 #3",
        ]
    );
}

#[test]
fn a_vm_of_the_same_name_is_recreated_and_cannot_join() {
    let log = "I token.go:228] [discovery] Retrying due to error: could not find a JWS signature";
    let run = run(&format!(
        "0 VM/worker-0 exists - true
        60 VM/worker-0 power on off
        60 VM/worker-0 exists true -
        85 VM/worker-0 exists - true
        90 VM/worker-0 power - on
        150 Process/kubeadm@worker-1 log - - - {log}
        160 Process/kubeadm@worker-0 log - - - {log}"
    ));
    assert_eq!(
        named(&run),
        [
            "60 vmPoweredOff VM/worker-0 #2",
            "60 vmDeleted VM/worker-0 #3",
            "85 vmRecreated VM/worker-0 #4",
            "90 vmPoweredOn VM/worker-0 #5",
            "160 joinFailed VM/worker-0 #7",
        ]
    );
}

#[test]
fn an_api_server_goes_down_and_comes_up() {
    let run = run("
        0 Process/kube-apiserver@cp-0 running - true
        60 Process/kube-apiserver@cp-0 running true false
        61 Process/kubelet@cp-0 running true false
        90 Process/kube-apiserver@cp-0 running false true
        101 Process/kube-apiserver@cp-0 serving false true
    ");
    assert_eq!(
        named(&run),
        [
            "60 apiserverDown Process/kube-apiserver@cp-0 #2",
            "101 apiserverUp Process/kube-apiserver@cp-0 #5",
        ]
    );
}

#[test]
fn an_api_server_starts_before_it_serves_and_one_that_was_frozen_is_forgotten() {
    let run = run("
        0 Process/kube-apiserver@cp-0 running - true
        60 Process/kube-apiserver@cp-0 running true false
        90 Process/kube-apiserver@cp-0 running false true
        101 Process/kube-apiserver@cp-0 serving false true
        120 Process/kube-apiserver@cp-0 frozen false true
        200 Process/kube-apiserver@cp-0 running true false
        201 Process/kube-apiserver@cp-0 running false true
        220 Process/kube-apiserver@cp-0 serving false true
        300 Pod/a phase Pending Running
    ");
    let run = Run { ended_at: SimTime::from_micros(300_000_000), ..run };
    let lanes = super::lanes::lanes(&run);
    let lane = lanes.iter().find(|lane| lane.thing.kind == *"Process").expect("it has a lane");
    let states: Vec<&str> = lane.bands.iter().map(|band| band.state.as_str()).collect();
    let twice = ["ended", "starting", "running"];
    assert_eq!(states, [&["running"][..], &twice, &["frozen"], &twice].concat());
}

#[test]
fn recovery_points_at_the_last_entry_before_it() {
    let mut run = run("100 Pod/a phase Pending Running\n900 Lease/b holder x y");
    run.recovered_at = Some(SimTime::from_micros(100_500_000));
    assert_eq!(named(&run), ["100 recovered Cluster/workload #1"]);
}

#[test]
fn only_a_vm_that_was_on_before_is_powered_on_again() {
    let begin = "0 VM/worker-0 exists - true\n0 VM/worker-0 power - on\n";
    let outcome = |lines: &str| {
        let run = Run { end: End::Recovered, ..run(&format!("{begin}{lines}")) };
        Outcome::of(&run, &milestones(&run))
    };
    let new = "70 VM/md-0-new exists - true\n71 VM/md-0-new power off on";
    assert_eq!(outcome(new), Outcome::CameBack);
    let off = "60 VM/worker-0 power on off";
    assert_eq!(outcome(off), Outcome::CameBack);
    assert_eq!(outcome(&format!("{off}\n{new}")), Outcome::CameBack);
    assert_eq!(outcome(&format!("{off}\n90 VM/worker-0 power off on")), Outcome::PoweredOn);
    let both = format!("{new}\n80 VM/md-0-new power on off\n90 VM/md-0-new power off on");
    assert_eq!(outcome(&both), Outcome::PoweredOn);
}

#[test]
fn a_machine_that_goes_is_replaced_only_if_another_comes() {
    let outcome = |lines: &str| {
        let run = Run { end: End::Recovered, ..run(lines) };
        Outcome::of(&run, &milestones(&run))
    };
    let scaled_in = "0 Machine/worker-2 exists - true\n70 Machine/worker-2 exists true -";
    assert_eq!(outcome(scaled_in), Outcome::CameBack);
    let another = "80 Machine/md-0-new exists - true";
    assert_eq!(outcome(&format!("{scaled_in}\n{another}")), Outcome::Replaced);
}

#[test]
fn a_run_is_refused_only_while_somebody_refuses() {
    let outcome = |lines: &str| {
        let run = Run { end: End::Stuck, ..run(lines) };
        Outcome::of(&run, &milestones(&run))
    };
    let short = "400 MachineHealthCheck/mhc RemediationAllowed True False TooManyUnhealthy";
    assert_eq!(outcome(short), Outcome::Refused);
    let allowed = format!("{short}\n500 MachineHealthCheck/mhc RemediationAllowed False True");
    assert_eq!(outcome(&allowed), Outcome::Stuck);
    let owner = "402 Machine/cp-0 OwnerRemediated False False RemediationFailed";
    assert_eq!(outcome(owner), Outcome::Refused);
    // In v1beta1's words a control plane that has no leader to ask, and then no quorum to spare.
    let waits = "410 Machine/cp-0 OwnerRemediated False False WaitingForRemediation";
    let spared =
        "KCP can't remediate this machine because this could result in etcd loosing quorum";
    assert_eq!(outcome(&format!("{owner}\n{waits} {spared}")), Outcome::Refused);
    assert_eq!(outcome(&format!("{owner}\n{waits}")), Outcome::Stuck);
    let tried =
        format!("{owner}\n410 Machine/cp-0 OwnerRemediated False False RemediationInProgress");
    assert_eq!(outcome(&tried), Outcome::Stuck);
    let gone = format!("{owner}\n420 Machine/cp-0 exists true -");
    assert_eq!(outcome(&gone), Outcome::Stuck);
    assert_eq!(outcome(&format!("{short}\n{gone}")), Outcome::Refused);
}

#[test]
fn an_app_goes_down_and_comes_back_for_its_user() {
    let run = run("
        0 Probe/app-web status - ok
        60 Probe/app-web status ok degraded Timeout
        64 Probe/app-web status degraded down Timeout
        70 Probe/deploy status ok down Timeout
        90 Probe/app-web status down degraded
        120 Probe/app-web status degraded ok
    ");
    assert_eq!(
        named(&run),
        ["64 appUnavailable Probe/app-web #3", "90 appAvailable Probe/app-web #5"]
    );
}

#[test]
fn a_sample_keeps_times_after_the_fault_downtimes_and_what_is_missing() {
    let mut run = run("
        0 Machine/worker-0 exists - true
        50 VM/worker-1 power on off
        402 Machine/worker-0 deletionTimestamp - set
        701 Machine/worker-3 exists - true
        703 Machine/worker-4 exists - true
    ");
    let downtime = Downtime { unavailable: Duration::from_secs(3), ..Downtime::default() };
    run.availability.insert(Text::word("api"), downtime);
    let [seconds, none] = [Duration::from_secs(40), Duration::ZERO].map(Some);
    for (app, degraded, at_end) in [
        ("app/a", seconds, Level::Degraded),
        ("app/b", none, Level::Degraded),
        ("app/c", seconds, Level::Down),
        ("app/d", none, Level::Down),
        ("app/e", seconds, Level::Full),
    ] {
        let downtime = Downtime { unavailable: Duration::from_secs(9), degraded, at_end };
        run.availability.insert(Text::word(app), downtime);
    }
    run.missing = ["a VM is off", "a Node is not Ready"]
        .map(|what| Lack { object: Text::EMPTY, what: Text::word(what) })
        .to_vec();
    let Sample { ending, figures, open, .. } = Sample::of(&run);
    let words =
        |(name, length): (&Name, &Duration)| format!("{} {} {length}", name.figure, name.object);
    assert_eq!(
        figures.iter().map(words).collect::<Vec<_>>(),
        [
            "machineDeleting Machine/worker-0 5m42s",
            // Drawn names are told by their kind, and the first counts.
            "replacementCreated Machine/new 10m41s",
            "degraded app/a 40s",
            "degraded app/b 0s",
            "degraded app/c 40s",
            "degraded app/d 0s",
            "degraded app/e 40s",
            "unavailable api 3s",
            "unavailable app/a 9s",
            "unavailable app/b 9s",
            "unavailable app/c 9s",
            "unavailable app/d 9s",
            "unavailable app/e 9s",
        ]
    );
    // Who is down at the end will be degraded on his way back, who has just become degraded for longer.
    let open: Vec<String> =
        open.iter().map(|name| format!("{} {}", name.figure, name.object)).collect();
    assert_eq!(
        open,
        [
            "degraded app/a",
            "degraded app/b",
            "degraded app/c",
            "degraded app/d",
            "unavailable app/c",
            "unavailable app/d",
        ]
    );
    let (outcome, missing) = (Outcome::Horizon, Text::word("a VM is off"));
    assert_eq!(ending, Ending { outcome, missing });
}

#[test]
fn processes_and_probes_of_the_beginning_keep_their_names_in_a_sample() {
    let run = run("
        0 Process/kube-apiserver@control-plane-0 running - true
        0 Process/kube-apiserver@control-plane-1 running - true
        0 Probe/app-web status - ok
        0 Probe/app-db status - ok
        61 Process/kube-apiserver@control-plane-0 running true false
        62 Process/kube-apiserver@control-plane-1 running true false
        64 Probe/app-web status ok down Timeout
        65 Probe/app-db status ok down Timeout
        70 Process/kube-apiserver@control-plane-x2k4p running - true
        71 Process/kube-apiserver@control-plane-x2k4p serving - true
    ");
    let name = |name: &Name| format!("{} {}", name.figure, name.object);
    assert_eq!(
        Sample::of(&run).figures.keys().map(name).collect::<Vec<_>>(),
        [
            "apiserverDown Process/kube-apiserver@control-plane-0",
            "apiserverDown Process/kube-apiserver@control-plane-1",
            "apiserverUp Process/new",
            "appUnavailable Probe/app-db",
            "appUnavailable Probe/app-web",
        ]
    );
}
