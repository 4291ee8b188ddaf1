//! Control planes that are remediated: the simulator held against recordings of Cluster API's own
//! managers, by the criterion of `docs/fidelity.md` with fewer seeds; and changes of one rule each that
//! are told apart.

use healsim::analysis::fidelity::recorded::Held;
use healsim::analysis::fidelity::remediation::REMEDIATION;
use healsim::analysis::fidelity::steps::{Step, Steps};
use healsim::analysis::fidelity::table::markdown;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured")
}

fn held(file: &str) -> Held {
    let of_file = |held: &&Held| held.files.iter().any(|name| name.starts_with(file));
    *REMEDIATION.iter().find(of_file).expect("it is in the table")
}

#[test]
fn control_planes_go_the_recorded_way() {
    let mut wrong = Vec::new();
    for held in REMEDIATION {
        let found = held.compared(&folder(), held.test_seeds, 2).expect("valid");
        assert!(found.rows.len() > 8, "{}: something was compared", held.title);
        if found.disagreements() > 0 {
            wrong.push(markdown(held.title, &found));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A stopped kubelet on the leader's VM keeps its Machine, on both sides, refused in the same words.
#[test]
fn the_leader_behind_a_dead_kubelet_is_refused_in_the_recorded_words() {
    for (release, reason, words) in [
        (
            "v1.7.3",
            "RemediationFailed",
            "failed to create etcd client: could not establish a connection",
        ),
        ("v1.14.0", "CannotBeRemediated", "failed to move etcd leadership"),
    ] {
        let held = held(&format!("kcp_leader_kubelet_stopped-capi-{release}"));
        let (recorded, simulated) =
            (held.recorded(&folder()).expect("a recording"), held.simulated(2, 2).expect("valid"));
        for run in recorded.iter().chain(&simulated) {
            assert!(
                run.keys().all(|step| step.field != "deletionTimestamp"),
                "{release}: it stays"
            );
            assert_eq!(
                reasons(run),
                BTreeSet::from(["False WaitingForRemediation", reason_of(reason)])
            );
            let said = refusal(run, reason);
            assert!(said.iter().any(|message| message.contains(words)), "{release}: {said:?}");
        }
        let all: BTreeSet<&String> =
            simulated.iter().flat_map(|run| refusal(run, reason)).collect();
        let told = refusal(&recorded[0], reason);
        assert!(told.iter().all(|message| all.contains(message)), "{release}: {told:?} of {all:?}");
    }
}

/// The step's value: a status and a reason.
fn reason_of(reason: &str) -> &'static str {
    match reason {
        "RemediationFailed" => "False RemediationFailed",
        _ => "False CannotBeRemediated",
    }
}

fn reasons(run: &Steps) -> BTreeSet<&str> {
    let steps = run.keys().filter(|step| step.field == "OwnerRemediated");
    steps.map(|step| step.value.as_str()).collect()
}

fn refusal<'a>(run: &'a Steps, reason: &str) -> BTreeSet<&'a String> {
    let is_it = |step: &Step| step.field == "OwnerRemediated" && step.value.ends_with(reason);
    let steps = run.iter().filter(|(step, _)| is_it(step));
    steps.flat_map(|(_, seen)| &seen.messages).collect()
}

/// What disagrees once a setting is another: steps, and words of steps.
fn disagreeing(file: &str, set: &'static [(&'static str, &'static str)]) -> BTreeSet<String> {
    let changed = Held { set, ..held(file) };
    let found = changed.compared(&folder(), 6, 2).expect("valid");
    let code = |step: &Step| format!("{} {} {}", step.role, step.field, step.value);
    let rows = found.rows.iter().filter(|row| row.disagrees()).map(|row| code(&row.step));
    let words = found.messages.iter().map(|both| format!("words of {}", code(&both.step)));
    rows.chain(words).collect()
}

#[test]
fn a_changed_rule_is_told_apart_by_its_own_steps() {
    type Change = (&'static str, &'static [(&'static str, &'static str)], &'static str);
    let changes: [Change; 5] = [
        (
            "kcp_leader_unknown-capi-v1.7.3",
            &[("clusterApi.etcdMemberRemoval", "PreTerminateHook")],
            "EtcdMember/$victim member removed",
        ),
        (
            "kcp_leader_unknown-capi-v1.14.0",
            &[("clusterApi.etcdMemberRemoval", "BeforeDeletion")],
            "Machine/$victim Deleting True WaitingForPreTerminateHook",
        ),
        (
            "kcp_follower_unknown-capi-v1.7.3",
            &[("machineHealthCheck.unknownTimeout", "4m")],
            "Machine/$victim HealthCheckSucceeded False UnhealthyNode",
        ),
        (
            "kcp_leader_kubelet_stopped-capi-v1.7.3",
            &[("clusterApi.etcdNeedsLeaderAccess", "false")],
            "words of Machine/$victim OwnerRemediated False RemediationFailed",
        ),
        (
            "kcp_leader_kubelet_stopped-capi-v1.14.0",
            &[("clusterApi.etcdCallTimeout", "30s")],
            "Machine/$victim OwnerRemediated False CannotBeRemediated",
        ),
    ];
    let mut unnoticed = Vec::new();
    for (file, set, expected) in changes {
        let found = disagreeing(file, set);
        if !found.contains(expected) {
            unnoticed.push(format!("{file} with {set:?}: no {expected} among {found:#?}"));
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}
