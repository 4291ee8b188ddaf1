//! Who may be added and removed, and what becomes of those who are.

use super::cluster::{Cluster, get, put, settings, vm_name};
use crate::components::etcd::*;
use crate::engine::Duration;
use crate::wire::{Consistency, GrpcCode, StoreAnswer, StoreOperation};

const UNHEALTHY: &str = "Unavailable etcdserver: unhealthy cluster";

fn add(vm: &'static str) -> StoreOperation {
    StoreOperation::MemberAdd { vm: Text::word(vm), learner: false }
}

fn add_learner(vm: &'static str) -> StoreOperation {
    StoreOperation::MemberAdd { vm: Text::word(vm), learner: true }
}

fn remove(number: u32) -> StoreOperation {
    StoreOperation::MemberRemove(MemberId(number))
}

/// A VM for a member that is to join a cluster of so many.
fn newcomer(cluster: &mut Cluster, count: usize) -> usize {
    let vms = (0..=count).map(vm_name).collect();
    let number = cluster.add_host(Etcd::joining(settings(), vms));
    cluster.hosts[number].vm.disk.write(FLAGS, "ETCD_INITIAL_CLUSTER_STATE=existing");
    number
}

#[test]
fn a_dead_member_is_replaced_by_removing_it_first() {
    let mut cluster = Cluster::of(3, 1);
    let number = newcomer(&mut cluster, 3);
    cluster.kill(2);
    cluster.run_for(6_000);
    assert_eq!(cluster.result(0, add("vm-3"), 50), UNHEALTHY, "a fourth would need three alive");
    assert_eq!(cluster.result(0, add_learner("vm-3"), 50), UNHEALTHY);
    assert_eq!(cluster.result(0, remove(2), 50), UNHEALTHY, "a live one is not let go");
    assert_eq!(cluster.result(0, remove(3), 50), "Members");
    assert_eq!(cluster.result(0, add("vm-3"), 50), "Members");
    cluster.start(number);
    cluster.run_for(1_500);
    assert_eq!(cluster.revision(number), cluster.revision(0));
    assert_eq!(cluster.role(number).1, Some(0));
    // It counts: without it there would be no quorum.
    cluster.kill(1);
    assert_eq!(cluster.result(0, put("b", 0), 100), "Committed");
}

#[test]
fn who_joins_asks_the_others_one_after_the_other() {
    let mut cluster = Cluster::of(3, 1);
    let number = newcomer(&mut cluster, 3);
    assert_eq!(cluster.result(0, add("vm-3"), 50), "Members");
    // Nothing comes from the first: it is given up with the dial, and the second answers.
    cluster.isolate(0);
    cluster.start(number);
    cluster.run_for(1_900);
    assert!(cluster.hosts[number].etcd.status().is_none(), "it has nothing yet");
    cluster.run_for(400);
    assert!(cluster.hosts[number].etcd.standing().is_some(), "the second has told");
}

#[test]
fn a_member_that_was_never_started_is_waited_for() {
    let mut cluster = Cluster::of(3, 1);
    assert_eq!(cluster.result(0, add("vm-3"), 50), "Members");
    assert_eq!(cluster.result(0, add("vm-4"), 50), UNHEALTHY);
    assert_eq!(cluster.result(0, add("vm-3"), 50), UNHEALTHY);
}

#[test]
fn a_single_member_may_grow_to_two_but_no_further_before_the_second_has_started() {
    let mut cluster = Cluster::of(1, 1);
    assert_eq!(cluster.result(0, add("vm-1"), 50), "Members");
    let words = cluster.result(0, add("vm-2"), 3_000);
    let refused = "Unknown etcdserver: re-configuration failed due to not enough started members";
    assert_eq!(words, refused);
    assert_eq!(cluster.role(0).1, None, "it is half of two now, and steps down");
    let number = newcomer(&mut cluster, 1);
    cluster.start(number);
    cluster.run_for(8_000);
    assert_eq!(cluster.result(0, put("b", 0), 100), "Committed");
    assert_eq!(cluster.revision(number), 2);
}

#[test]
fn a_learner_gets_the_log_counts_nowhere_and_can_be_promoted() {
    let mut cluster = Cluster::of(3, 1);
    let number = newcomer(&mut cluster, 3);
    assert_eq!(cluster.result(0, add_learner("vm-3"), 50), "Members");
    let promote = StoreOperation::MemberPromote(MemberId(4));
    let words = cluster.result(1, promote.clone(), 500);
    let not_ready = "FailedPrecondition etcdserver: can only promote a learner member which is in \
                     sync with leader";
    assert_eq!(words, not_ready);
    assert_eq!(
        cluster.result(0, add_learner("vm-4"), 100),
        "FailedPrecondition etcdserver: too many learner members in cluster"
    );
    cluster.start(number);
    cluster.run_for(2_000);
    assert_eq!(cluster.revision(number), 1);
    assert_eq!(cluster.result(1, promote.clone(), 500), "Members", "a follower passes it on");
    let again = "FailedPrecondition etcdserver: can only promote a learner member";
    assert_eq!(cluster.result(0, promote, 500), again);
    let nobody = StoreOperation::MemberPromote(MemberId(9));
    assert_eq!(cluster.result(0, nobody, 50), "NotFound etcdserver: member not found");
}

/// A cluster of three with a learner; its number.
fn with_learner(settings: Settings) -> (Cluster, usize) {
    let mut cluster = Cluster::with(settings, 3, 1);
    let number = newcomer(&mut cluster, 3);
    cluster.hosts[number].etcd = Etcd::joining(settings, (0..=3).map(vm_name).collect());
    assert_eq!(cluster.result(0, add_learner("vm-3"), 50), "Members");
    cluster.start(number);
    cluster.run_for(2_000);
    (cluster, number)
}

#[test]
fn a_learner_answers_for_itself_and_refuses_all_else() {
    let (mut cluster, learner) = with_learner(settings());
    let refused = "Unavailable etcdserver: rpc not supported for learner";
    let list = StoreOperation::MemberList(Consistency::Serializable);
    let asked = [
        (StoreOperation::Status, "Status"),
        (get("a", Consistency::Serializable), "Value"),
        (StoreOperation::SnapshotSave, "Done"),
        (get("a", Consistency::Linearizable), refused),
        (put("b", 0), refused),
        (list.clone(), refused),
        (StoreOperation::Watch(None), refused),
        (StoreOperation::LeaseGrant(Duration::from_secs(10)), refused),
    ];
    for (operation, words) in asked {
        assert_eq!(cluster.result(learner, operation.clone(), 50), words, "{operation:?}");
    }
    let promote = StoreOperation::MemberPromote(MemberId(4));
    assert_eq!(cluster.result(0, promote, 100), "Members");
    assert_eq!(cluster.result(learner, list, 50), "Members", "it is none any more");
}

#[test]
fn releases_differ_in_how_a_learner_refuses_and_in_whether_it_is_ready() {
    let of_3_4 = Settings { learner_sends_snapshot: false, ..settings() };
    let (mut cluster, learner) = with_learner(of_3_4);
    let words = cluster.result(learner, StoreOperation::SnapshotSave, 50);
    assert_eq!(words, "Unavailable etcdserver: rpc not supported for learner");
    let ready = cluster.check_health(learner, "/readyz");
    cluster.run_for(100);
    assert_eq!(cluster.health[&ready], 200);
    let (learner_code, readyz_wants_voter) = (GrpcCode::FailedPrecondition, true);
    let of_3_6 = Settings { learner_code, readyz_wants_voter, ..settings() };
    let (mut cluster, learner) = with_learner(of_3_6);
    let words = cluster.result(learner, put("b", 0), 50);
    assert_eq!(words, "FailedPrecondition etcdserver: rpc not supported for learner");
    let checks = [learner, 0].map(|member| cluster.check_health(member, "/readyz"));
    cluster.run_for(100);
    assert_eq!(checks.map(|id| cluster.health[&id]), [503, 200]);
}

#[test]
fn a_removed_leader_costs_an_election_and_stops() {
    let mut cluster = Cluster::of(3, 1);
    assert_eq!(cluster.result(0, remove(1), 100), "Members");
    cluster.run_for(3_000);
    assert!(!cluster.is_alive(0));
    assert!(cluster.logs(0, "permanently removed"));
    assert!(cluster.leader().is_some());
    let id = cluster.ask(1, StoreOperation::MemberList(Consistency::Linearizable));
    cluster.run_for(200);
    let StoreAnswer::Members(members) = &cluster.answers[&id].1 else { panic!() };
    assert_eq!(members.iter().map(|member| member.id.0).collect::<Vec<_>>(), [2, 3]);
    // With its old data it is told so again.
    cluster.start(0);
    cluster.run_for(500);
    assert!(!cluster.is_alive(0));
}

#[test]
fn a_removed_member_that_was_down_is_told_by_the_others() {
    let mut cluster = Cluster::of(3, 1);
    cluster.kill(2);
    cluster.run_for(6_000);
    assert_eq!(cluster.result(0, remove(3), 50), "Members");
    cluster.start(2);
    cluster.run_for(500);
    assert!(!cluster.is_alive(2));
    assert!(cluster.logs(2, "permanently removed"));
}

#[test]
fn what_a_client_asks_of_a_member_that_still_joins_waits_until_it_serves() {
    let mut cluster = Cluster::of(3, 1);
    let number = newcomer(&mut cluster, 3);
    assert_eq!(cluster.result(0, add("vm-3"), 50), "Members");
    cluster.start(number);
    let mut asked = Vec::new();
    for _ in 0..300 {
        asked.push(cluster.ask(number, get("a", Consistency::Linearizable)));
        cluster.run_for(1);
    }
    cluster.run_for(3_000);
    let unheard = asked.iter().filter(|id| cluster.words(**id) != "Value").count();
    assert_eq!(unheard, 0, "of {}: {}", asked.len(), cluster.words(asked[0]));
}

#[test]
fn while_the_leader_hands_over_a_put_is_dropped_and_a_change_of_the_group_is_not_answered() {
    let mut cluster = Cluster::of(3, 1);
    cluster.isolate(2);
    cluster.ask(0, StoreOperation::MoveLeader(MemberId(3)));
    cluster.run_for(20);
    assert_eq!(cluster.result(0, put("b", 0), 20), "Unknown raft proposal dropped");
    let change = cluster.ask(0, add_learner("vm-3"));
    cluster.run_for(20_000);
    assert_eq!(cluster.words(change), "open");
}
