//! Which Machine is replaced, when, and why not.

use super::testing::{NAMES, Play, secs, settings};
use super::*;
use crate::api::kinds::{Condition, KubeadmControlPlane, RemediationStrategy};
use crate::api::{EtcdMember, labels};
use crate::engine::{SimTime, Text};
use crate::raft::MemberId;

const BOTH: [Wording; 2] = [Wording::V1Beta1, Wording::V1Beta2];

/// What was done but for conditions.
fn deeds(play: &Play) -> Vec<&str> {
    let is_deed = |line: &&str| !line.contains("patch ") && !line.contains("Event/");
    play.done.iter().map(String::as_str).filter(is_deed).collect()
}

#[test]
fn a_healthy_control_plane_is_left_alone() {
    for wording in BOTH {
        let mut play = Play::new(settings(wording), 3);
        play.pass(secs(3600));
        assert_eq!(play.done, Vec::<String>::new());
        for condition in ["APIServerPodHealthy", "EtcdPodHealthy", "EtcdMemberHealthy"] {
            assert!(play.said("cp-1", condition).starts_with("True"), "{condition}");
        }
        assert!(play.plane_said("EtcdClusterHealthy").starts_with("True"));
        assert!(play.plane_said("ControlPlaneComponentsHealthy").starts_with("True"));
    }
}

#[test]
fn up_to_1_7_a_followers_member_leaves_before_its_machine_goes() {
    let mut play = Play::new(settings(Wording::V1Beta1), 3);
    play.stop_kubelet("cp-1");
    play.mark("cp-1");
    play.pass(secs(11));
    // One connection that fails takes ten seconds: the member's own, to learn how it is.
    assert_eq!(deeds(&play), ["10 member 2 leaves", "10 delete Machine/cp-1"]);
    assert_eq!(play.said("cp-1", "OwnerRemediated"), "False RemediationInProgress: ");
    assert_eq!(
        play.said("cp-1", "APIServerPodHealthy"),
        "False Deleting: ",
        "the next look sees that it goes"
    );
    let plane = play.get(Kind::KubeadmControlPlane, "cp");
    let text = plane.meta.annotation(KubeadmControlPlane::IN_PROGRESS).expect("remembered");
    assert!(text.contains("\"machine\":\"cp-1\"") && text.contains("\"retryCount\":0"), "{text}");
}

#[test]
fn the_leaders_machine_is_never_replaced_while_its_kubelet_is_dead() {
    let cases = [
        (
            Wording::V1Beta1,
            0,
            "False RemediationFailed: failed to get etcdStatus for workload cluster c1: failed to \
             create etcd client: could not establish a connection to any etcd node: unable to \
             create etcd client: context deadline exceeded",
        ),
        (Wording::V1Beta2, 1, "False CannotBeRemediated: failed to move etcd leadership"),
    ];
    for (wording, victim, words) in cases {
        let mut play = Play::new(settings(wording), 3);
        let (leader, name) = (victim + 1, NAMES[victim]);
        play.leader = Some(u32::try_from(leader).expect("small"));
        play.stop_kubelet(name);
        play.mark(name);
        // As recorded, 30 s in both: 10 s to learn of the member, 10 s to ask it who leads, 10 s to
        // reach it as the leader; or one candidate after the other, 15 s each.
        play.pass(secs(29));
        assert!(play.said(name, "OwnerRemediated").contains("WaitingForRemediation"));
        play.pass(secs(2));
        assert_eq!(play.said(name, "OwnerRemediated"), words);
        play.pass(secs(86_400));
        assert_eq!(deeds(&play), Vec::<&str>::new(), "nothing in a day");
        // Somebody moves leadership by hand.
        play.leader = Some(3);
        play.pass(secs(2_000));
        let deleted = format!("delete Machine/{name}");
        assert!(deeds(&play).iter().any(|deed| deed.ends_with(&deleted)));
    }
}

#[test]
fn a_dead_kubelet_says_nothing_against_its_member_from_1_13_on() {
    for (wording, member) in [
        (
            Wording::V1Beta1,
            "Unknown MemberInspectionFailed: Failed to connect to the etcd pod on the cp-1 node: \
             could not establish a connection to any etcd node: unable to create etcd client: \
             context deadline exceeded",
        ),
        (Wording::V1Beta2, "True Healthy: "),
    ] {
        let mut play = Play::new(settings(wording), 3);
        play.stop_kubelet("cp-1");
        play.change(Kind::Machine, "cp-1", |object| {
            object.meta.labels = labels([("touched", Text::EMPTY)]);
        });
        play.pass(secs(20));
        assert_eq!(play.said("cp-1", "EtcdMemberHealthy"), member);
        assert!(play.said("cp-1", "EtcdPodHealthy").starts_with("Unknown"));
    }
}

#[test]
fn the_leaders_machine_goes_after_its_leadership_has() {
    for (wording, deeds_wanted) in [
        (
            Wording::V1Beta1,
            ["0 leadership to 3", "0 member 1 leaves", "0 delete Machine/cp-0"].as_slice(),
        ),
        (Wording::V1Beta2, &["0 leadership to 3", "0 delete Machine/cp-0"]),
    ] {
        let mut play = Play::new(settings(wording), 3);
        play.mark("cp-0");
        play.pass(secs(1));
        assert_eq!(deeds(&play), deeds_wanted);
    }
}

#[test]
fn the_hook_lets_a_machine_go_when_its_member_has_left() {
    let mut play = Play::new(settings(Wording::V1Beta2), 3);
    play.mark("cp-1");
    play.pass(secs(60));
    assert_eq!(deeds(&play), ["0 delete Machine/cp-1"], "it is being drained");
    play.change(Kind::Machine, "cp-1", |object| {
        let Some(body) = object.machine_mut() else { return };
        let (kind, reason) = ("Deleting", Text::word("WaitingForPreTerminateHook"));
        let said = crate::api::kinds::Condition::new(kind, Status::True, reason, "", SimTime::ZERO);
        body.conditions.set(said);
    });
    play.pass(secs(1));
    assert_eq!(deeds(&play), ["0 delete Machine/cp-1", "60 member 2 leaves"]);
    let left = play.get(Kind::Machine, "cp-1").meta.annotation(KubeadmControlPlane::HOOK).cloned();
    assert_eq!(left, None);
}

#[test]
fn the_hook_holds_a_machine_while_another_member_is_ill() {
    let mut play = Play::new(settings(Wording::V1Beta2), 3);
    play.mark("cp-1");
    play.pass(secs(1));
    // One that is still a learner: no change of members is safe now.
    play.members[2].learner = true;
    play.change(Kind::Machine, "cp-1", |object| {
        let Some(body) = object.machine_mut() else { return };
        let (kind, reason) = ("Deleting", Text::word("WaitingForPreTerminateHook"));
        let said = crate::api::kinds::Condition::new(kind, Status::True, reason, "", SimTime::ZERO);
        body.conditions.set(said);
    });
    play.pass(secs(20));
    assert!(!play.done.iter().any(|deed| deed.contains("member 2 leaves")), "{:?}", play.done);
}

#[test]
fn a_lost_majority_is_not_made_worse() {
    let cases = [
        (
            Wording::V1Beta1,
            "False WaitingForRemediation: KCP can't remediate this machine because this could \
             result in etcd loosing quorum",
        ),
        (
            Wording::V1Beta2,
            "False CannotBeRemediated: KubeadmControlPlane can't remediate this Machine because \
             this could result in loosing Kubernetes control plane components or in etcd quorum \
             loss",
        ),
    ];
    for (wording, words) in cases {
        let mut play = Play::new(settings(wording), 3);
        // The third's member has gone from the list: two of three are left.
        play.members.retain(|member| *member.name != *"cp-2");
        if wording == Wording::V1Beta2 {
            // Here it is one that is there and not voting yet.
            let (id, name) = (MemberId(3), Text::word("cp-2"));
            play.members.push(EtcdMember { id, name, learner: true });
        } else {
            play.dead.insert("cp-2");
            let (id, name) = (MemberId(3), Text::word("cp-2"));
            play.members.push(EtcdMember { id, name, learner: false });
        }
        play.mark("cp-1");
        play.pass(secs(40));
        assert_eq!(play.said("cp-1", "OwnerRemediated"), words);
        assert_eq!(deeds(&play), Vec::<&str>::new());
    }
}

#[test]
fn the_only_machine_is_never_replaced() {
    for (wording, reason, who) in [
        (Wording::V1Beta1, "WaitingForRemediation", "KCP"),
        (Wording::V1Beta2, "CannotBeRemediated", "KubeadmControlPlane"),
    ] {
        let mut play = Play::new(settings(wording), 1);
        play.mark("cp-0");
        play.pass(secs(600));
        let words = format!(
            "False {reason}: {who} can't remediate if current replicas are less or equal to 1"
        );
        assert_eq!(play.said("cp-0", "OwnerRemediated"), words);
        assert_eq!(deeds(&play), Vec::<&str>::new());
    }
}

#[test]
fn one_that_is_being_provisioned_is_waited_for() {
    let mut play = Play::new(settings(Wording::V1Beta1), 3);
    play.change(Kind::Machine, "cp-2", |object| {
        if let Some(body) = object.machine_mut() {
            body.node_ref = None;
        }
    });
    play.mark("cp-1");
    play.pass(secs(5));
    assert_eq!(
        play.said("cp-1", "OwnerRemediated"),
        "False WaitingForRemediation: KCP waiting for control plane machine provisioning to \
         complete before triggering remediation"
    );
    assert_eq!(deeds(&play), Vec::<&str>::new());
}

#[test]
fn of_two_marked_the_oldest_goes_first_and_from_1_9_on_the_most_broken() {
    for (wording, first) in [(Wording::V1Beta1, "cp-1"), (Wording::V1Beta2, "cp-3")] {
        let mut play = Play::new(settings(wording), 5);
        play.missing.insert("kube-scheduler-cp-3".to_owned());
        for name in ["cp-3", "cp-1"] {
            play.mark(name);
        }
        play.pass(secs(1));
        let deleted = format!("0 delete Machine/{first}");
        assert!(play.done.contains(&deleted), "{:?}", play.done);
        let other = if first == "cp-1" { "cp-3" } else { "cp-1" };
        let both = play.done.iter().filter(|deed| deed.contains("delete Machine")).count();
        assert_eq!(both, 1, "{other} waits");
    }
}

#[test]
fn who_has_recovered_is_forgiven() {
    for wording in BOTH {
        let mut play = Play::new(settings(wording), 1);
        play.mark("cp-0");
        play.pass(secs(1));
        play.change(Kind::Machine, "cp-0", |object| {
            let Some(body) = object.machine_mut() else { return };
            let good = crate::api::kinds::Condition::new(
                "HealthCheckSucceeded",
                Status::True,
                "",
                "",
                SimTime::ZERO,
            );
            body.conditions.set(good);
        });
        play.pass(secs(1));
        assert_eq!(play.said("cp-0", "OwnerRemediated"), "");
    }
}

/// A control plane of three whose second Machine replaced another 100 s ago.
fn replaced(strategy: RemediationStrategy) -> Play {
    let mut play = Play::new(settings(Wording::V1Beta1), 3);
    play.change(Kind::KubeadmControlPlane, "cp", |object| {
        if let Some(plane) = object.kubeadm_control_plane_mut() {
            plane.remediation = strategy;
        }
    });
    play.change(Kind::Machine, "cp-1", |object| {
        let text = "{\"machine\":\"cp-x\",\"timestamp\":\"2024-09-12T14:00:00Z\",\"retryCount\":2}";
        let name = KubeadmControlPlane::REMEDIATION_FOR;
        object.meta.annotations = labels([(name, Text::from(text))]);
    });
    play.mark("cp-1");
    play.pass(secs(1));
    play
}

#[test]
fn the_retries_of_one_sequence_are_counted_and_limited() {
    let default = RemediationStrategy::default();
    let play = replaced(default);
    let plane = play.get(Kind::KubeadmControlPlane, "cp");
    let text = plane.meta.annotation(KubeadmControlPlane::IN_PROGRESS).expect("it goes");
    assert!(text.contains("\"retryCount\":3"), "{text}");
    // Healthy for long enough in between: a new sequence.
    let play = replaced(RemediationStrategy { min_healthy_period: secs(60), ..default });
    let plane = play.get(Kind::KubeadmControlPlane, "cp");
    let text = plane.meta.annotation(KubeadmControlPlane::IN_PROGRESS).expect("it goes");
    assert!(text.contains("\"retryCount\":0"), "{text}");
    let play = replaced(RemediationStrategy { max_retry: Some(2), ..default });
    assert_eq!(
        play.said("cp-1", "OwnerRemediated"),
        "False WaitingForRemediation: KCP can't remediate this machine because the operation \
         already failed 2 times (MaxRetry)"
    );
    let logged = |play: &Play, words: &str| {
        let line =
            format!("A control plane machine needs remediation, but the operation {words}. ");
        play.bench.lines.contains(&format!("{line}Skipping remediation"))
    };
    assert!(logged(&play, "already failed 2 times (MaxRetry 2)"), "{:?}", play.bench.lines);
    let play = replaced(RemediationStrategy { retry_period: secs(600), ..default });
    assert!(play.said("cp-1", "OwnerRemediated").ends_with("(RetryPeriod)"));
    assert!(logged(&play, "already failed in the latest 10m0s"), "{:?}", play.bench.lines);
    assert_eq!(deeds(&play), Vec::<&str>::new());
}

#[test]
fn the_replacement_comes_when_the_old_one_is_gone_and_the_rest_is_well() {
    for wording in BOTH {
        let mut play = Play::new(settings(wording), 3);
        play.mark("cp-1");
        play.pass(secs(1));
        play.members.retain(|member| *member.name != *"cp-1");
        play.done.clear();
        play.pass(secs(100));
        assert!(!play.done.iter().any(|deed| deed.contains("create Machine")));
        play.missing.insert("kube-scheduler-cp-2".to_owned());
        play.remove("cp-1");
        play.pass(secs(20));
        let created = play.done.iter().filter(|deed| deed.contains("create Machine/")).count();
        // From 1.13 on a control plane that can bear a bad newcomer gets one.
        assert_eq!(created, usize::from(wording == Wording::V1Beta2), "{:?}", play.done);
        play.missing.clear();
        play.pass(secs(40));
        let kinds = ["create InfraMachine/", "create KubeadmConfig/", "create Machine/"];
        for kind in kinds {
            let created = play.done.iter().filter(|deed| deed.contains(kind)).count();
            assert_eq!(created, 1, "{kind}: {:?}", play.done);
        }
        let is_new = |object: &&Object| {
            object.key().kind == Kind::Machine && !NAMES.contains(&object.name().as_str())
        };
        let new = play.objects.iter().find(is_new).expect("created");
        let text = new.meta.annotation(KubeadmControlPlane::REMEDIATION_FOR).expect("remembers");
        assert!(text.contains("\"machine\":\"cp-1\""));
        let plane = play.get(Kind::KubeadmControlPlane, "cp");
        assert_eq!(plane.meta.annotation(KubeadmControlPlane::IN_PROGRESS), None);
    }
}

#[test]
fn a_member_without_a_machine_leaves() {
    for wording in BOTH {
        let mut play = Play::new(settings(wording), 3);
        let (id, name) = (MemberId(8), Text::word("cp-gone"));
        play.members.push(EtcdMember { id, name, learner: false });
        play.change(Kind::Machine, "cp-1", |object| {
            object.meta.labels = labels([("touched", Text::EMPTY)]);
        });
        play.pass(secs(5));
        assert_eq!(deeds(&play), ["0 member 8 leaves"], "{wording:?}");
    }
}

#[test]
fn a_dead_component_is_told_and_looked_at_every_twenty_seconds() {
    for (wording, words) in [
        (Wording::V1Beta1, "False PodMissing: Pod kube-apiserver-cp-1 is missing"),
        (Wording::V1Beta2, "False DoesNotExist: Pod does not exist"),
    ] {
        let mut play = Play::new(settings(wording), 3);
        play.missing.insert("kube-apiserver-cp-1".to_owned());
        play.change(Kind::Machine, "cp-1", |object| {
            object.meta.labels = labels([("touched", Text::EMPTY)]);
        });
        play.pass(secs(1));
        assert_eq!(play.said("cp-1", "APIServerPodHealthy"), words);
        assert!(play.plane_said("ControlPlaneComponentsHealthy").starts_with("False"));
        play.missing.clear();
        play.pass(secs(21));
        assert!(play.said("cp-1", "APIServerPodHealthy").starts_with("True"));
        assert_eq!(deeds(&play), Vec::<&str>::new(), "nothing is replaced for that");
    }
}

#[test]
fn another_version_is_rolled_out_one_by_one() {
    let mut play = Play::new(settings(Wording::V1Beta1), 3);
    play.change(Kind::KubeadmControlPlane, "cp", |object| {
        if let Some(plane) = object.kubeadm_control_plane_mut() {
            plane.version = Text::word("v1.31.0");
        }
    });
    play.pass(secs(1));
    let created = play.done.iter().filter(|deed| deed.contains("create Machine/")).count();
    assert_eq!(created, 1, "one more than wanted");
    play.pass(secs(200));
    let created = play.done.iter().filter(|deed| deed.contains("create Machine/")).count();
    assert_eq!((created, deeds(&play).iter().filter(|it| it.contains("delete")).count()), (1, 0));
}

#[test]
fn after_a_failed_check_events_wait_in_the_newer_release() {
    for (wording, second) in [(Wording::V1Beta1, 1), (Wording::V1Beta2, 5)] {
        let mut play = Play::new(settings(wording), 3);
        play.missing.insert("kube-scheduler-cp-2".to_owned());
        play.change(Kind::KubeadmControlPlane, "cp", |object| {
            if let Some(plane) = object.kubeadm_control_plane_mut() {
                plane.replicas = 4;
            }
        });
        play.pass(secs(1));
        play.missing.clear();
        play.change(Kind::Machine, "cp-1", |object| {
            object.meta.labels = labels([("touched", Text::EMPTY)]);
        });
        play.pass(secs(10));
        let created = play.done.iter().find(|deed| deed.contains("create Machine/"));
        let at = created.and_then(|deed| deed.split(' ').next()).expect("created");
        assert_eq!(at, second.to_string(), "{:?}", play.done);
    }
}

#[test]
fn an_outdated_machine_goes_first_for_what_is_bad_but_not_for_what_nobody_knows() {
    for wording in BOTH {
        let rolled_out = |ail: fn(&mut Play)| {
            let mut play = Play::new(settings(wording), 3);
            ail(&mut play);
            play.change(Kind::KubeadmControlPlane, "cp", |object| {
                let Some(plane) = object.kubeadm_control_plane_mut() else { return };
                plane.version = Text::word("v1.31.0");
                plane.max_surge = 0;
            });
            play.pass(secs(40));
            play
        };
        let play = rolled_out(|play| play.missing.extend(["kube-scheduler-cp-1".to_owned()]));
        let gone = deeds(&play).into_iter().find(|deed| deed.contains("delete")).unwrap_or("");
        assert!(gone.ends_with("delete Machine/cp-1"), "{:?}", play.done);
        // The oldest is to go, and waits until it is known how the other one is.
        let play = rolled_out(|play| play.stop_kubelet("cp-1"));
        assert!(play.said("cp-1", "SchedulerPodHealthy").starts_with("Unknown"));
        assert_eq!(deeds(&play), Vec::<&str>::new());
    }
}

#[test]
fn a_probe_that_fails_in_the_middle_of_a_reconcile_is_for_the_next_one() {
    for wording in BOTH {
        let marked = |failed_probes_before| {
            let mut play = Play::new(settings(wording), 3);
            play.bench.component.planes.reconciler.workload.pretend_failed(failed_probes_before);
            play.stop_kubelet("cp-1");
            play.mark("cp-1");
            play
        };
        let mut play = marked(0);
        while play.bench.asked.is_empty() {
            let next = play.bench.timers.iter().map(|(delay, _)| *delay).min();
            play.bench.pass(next.expect("a reconcile is due"));
        }
        play.bench.component.planes.reconciler.workload.pretend_failed(5);
        play.pass(secs(11));
        assert!(deeds(&play).iter().any(|deed| deed.contains("delete Machine/cp-1")));
        let mut play = marked(5);
        play.pass(secs(11));
        assert_eq!(deeds(&play), Vec::<&str>::new(), "nothing is done to what is not seen");
    }
}

#[test]
fn a_control_plane_that_nobody_sees_is_not_counted_as_ready() {
    let looks_away = |wording, forgotten| {
        let mut play = Play::new(settings(wording), 3);
        play.pass(secs(30));
        play.bench.component.planes.reconciler.workload.pretend_failed(5);
        for name in ["cp-0", "cp-1", "cp-2"] {
            play.change(Kind::Machine, name, |object| {
                let status = if forgotten { Status::Unknown } else { Status::True };
                let said = Condition::new("Ready", status, "", "", SimTime::ZERO);
                object.machine_mut().expect("a Machine").conditions.set(said);
            });
        }
        play.pass(secs(10));
        let plane = play.get(Kind::KubeadmControlPlane, "cp").kubeadm_control_plane();
        let plane = plane.expect("a control plane");
        (plane.ready_replicas, plane.unavailable_replicas)
    };
    assert_eq!(looks_away(Wording::V1Beta1, false), (0, Some(3)));
    assert_eq!(looks_away(Wording::V1Beta2, false).0, 3, "its Machines have not forgotten");
    assert_eq!(looks_away(Wording::V1Beta2, true).0, 0);
}
