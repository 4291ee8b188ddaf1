//! What a survivor of a lost quorum answers, before and after it has noticed; and what is lost in a
//! fail-over. The texts, codes and times are those of the recordings of real members.

use super::cluster::{Cluster, get, put, settings};
use crate::components::etcd::*;
use crate::engine::Duration;
use crate::wire::{Consistency, GrpcCode, StoreAnswer, StoreOperation};

const TIMED_OUT: &str = "Unavailable etcdserver: request timed out";
const NO_LEADER: &str = "Unavailable etcdserver: no leader";
const DEADLINE: &str = "DeadlineExceeded context deadline exceeded";

/// Two of three are dead for so long; the survivor's number.
fn lost(survivor: usize, millis: u64) -> Cluster {
    lost_with(settings(), survivor, millis)
}

fn lost_with(settings: Settings, survivor: usize, millis: u64) -> Cluster {
    let mut cluster = Cluster::with(settings, 3, 7);
    (0..3).filter(|number| *number != survivor).for_each(|number| cluster.kill(number));
    cluster.run_for(millis);
    cluster
}

/// What came of a request, and after how many whole milliseconds.
fn fate(cluster: &mut Cluster, member: usize, operation: StoreOperation) -> (String, u64) {
    let began = cluster.now;
    let id = cluster.ask(member, operation);
    cluster.run_for(15_000);
    let took = cluster.answers.get(&id).map_or(Duration::ZERO, |(at, _)| at.since(began));
    (cluster.words(id), took.as_micros() / 1_000)
}

fn linearizable() -> StoreOperation {
    get("a", Consistency::Linearizable)
}

fn serializable() -> StoreOperation {
    get("a", Consistency::Serializable)
}

#[test]
fn before_it_has_noticed_writes_and_reads_time_out() {
    // As long as a survivor that leads still does, its links are known to be down.
    let lost_link = "Unavailable etcdserver: request timed out, possibly due to connection lost";
    let long = StoreOperation::LeaseGrant(Duration::from_secs(10));
    for survivor in [0, 1] {
        let fates = |operation: StoreOperation| fate(&mut lost(survivor, 50), survivor, operation);
        let (words, took) = fates(put("b", 0));
        assert!(words == TIMED_OUT || words == lost_link, "{words}");
        assert_eq!(took, 7_000);
        assert_eq!(fates(long.clone()).1, 7_000);
        assert_eq!(fates(linearizable()), (TIMED_OUT.to_owned(), 7_000));
        assert_eq!(fates(serializable()).0, "Value");
        let list = |how| StoreOperation::MemberList(how);
        assert_eq!(fates(list(Consistency::Serializable)).0, "Members");
        assert_eq!(fates(list(Consistency::Linearizable)), (TIMED_OUT.to_owned(), 7_000));
        assert_eq!(fates(StoreOperation::Status).0, "Status");
        let add = StoreOperation::MemberAdd { vm: Text::word("vm-9"), learner: false };
        assert_eq!(fates(add).0, "Unavailable etcdserver: unhealthy cluster");
        let dead = MemberId(3);
        assert_eq!(fates(StoreOperation::MemberRemove(dead)).0, "open", "until the client goes");
    }
}

#[test]
fn after_it_has_noticed_nothing_is_even_proposed() {
    for survivor in [0, 1] {
        let fates =
            |operation: StoreOperation| fate(&mut lost(survivor, 3_000), survivor, operation);
        assert_eq!(fates(put("b", 0)), (DEADLINE.to_owned(), 7_000));
        assert_eq!(fates(linearizable()), (TIMED_OUT.to_owned(), 7_000));
        assert_eq!(fates(serializable()).0, "Value");
        let moved = fates(StoreOperation::MoveLeader(MemberId(2)));
        assert_eq!(moved.0, "FailedPrecondition etcdserver: not leader");
        let keep = fates(StoreOperation::LeaseKeepAlive(crate::wire::LeaseId(5)));
        assert_eq!(keep, (NO_LEADER.to_owned(), 7_000));
    }
}

#[test]
fn the_code_of_a_deadline_and_the_member_list_differ_by_release() {
    let mut old = settings();
    old.deadline_code = GrpcCode::Unknown;
    old.member_list_can_be_linearizable = false;
    let mut cluster = lost_with(old, 1, 3_000);
    let words = fate(&mut cluster, 1, put("b", 0)).0;
    assert_eq!(words, "Unknown context deadline exceeded");
    let list = StoreOperation::MemberList(Consistency::Linearizable);
    assert_eq!(fate(&mut cluster, 1, list).0, "Members");
}

#[test]
fn who_requires_a_leader_is_refused_at_once() {
    let mut cluster = lost(1, 3_000);
    let watch = StoreOperation::Watch(None);
    for operation in [put("b", 0), serializable(), watch.clone()] {
        let id = cluster.ask_as(1, operation, true);
        cluster.run_for(2);
        assert_eq!(cluster.words(id), NO_LEADER);
    }
    let silent = cluster.ask(1, watch);
    cluster.run_for(20_000);
    assert_eq!(cluster.words(silent), "Watching", "and then nothing for ever");
    assert!(!cluster.ended.contains_key(&silent));
}

#[test]
fn watches_that_require_a_leader_end_two_to_three_seconds_after_it_is_lost() {
    for seed in 0..10 {
        // One that led, and one that followed.
        let left = usize::try_from(seed % 2).unwrap();
        let mut cluster = Cluster::of(3, seed);
        let with = cluster.ask_as(left, StoreOperation::Watch(None), true);
        let without = cluster.ask(left, StoreOperation::Watch(None));
        cluster.run_for(10);
        (0..3).filter(|number| *number != left).for_each(|number| cluster.kill(number));
        while cluster.role(left).1.is_some() {
            cluster.run_for(1);
        }
        let noticed = cluster.now;
        cluster.run_for(10_000);
        let (at, error) = &cluster.ended[&with];
        assert_eq!(*error.message, *"etcdserver: no leader");
        let after = at.since(noticed).as_micros() / 1_000;
        assert!((1_999..=3_001).contains(&after), "{after} ms");
        assert!(!cluster.ended.contains_key(&without));
    }
}

#[test]
fn status_and_health_tell_that_there_is_no_leader() {
    let mut cluster = lost(1, 3_000);
    let id = cluster.ask(1, StoreOperation::Status);
    let health = ["/health", "/health?serializable=true"].map(|p| cluster.check_health(1, p));
    cluster.run_for(2);
    let StoreAnswer::Status(status) = &cluster.answers[&id].1 else { panic!("no status") };
    assert_eq!((status.leader, &status.errors[..]), (None, &["etcdserver: no leader"][..]));
    assert_eq!(health.map(|id| cluster.health[&id]), [503, 200]);
}

#[test]
fn a_read_behind_a_batch_that_fails_waits_for_two_timeouts() {
    let mut cluster = lost(1, 50);
    let began = cluster.now;
    let first = cluster.ask(1, linearizable());
    cluster.run_for(2);
    let second = cluster.ask(1, linearizable());
    cluster.run_for(20_000);
    assert_eq!((cluster.words(first), cluster.words(second)), (TIMED_OUT.into(), TIMED_OUT.into()));
    let took = cluster.at(second).since(began).as_micros() / 1_000;
    assert!((14_000..14_010).contains(&took), "{took} ms");
}

#[test]
fn in_a_failover_puts_are_lost_and_reads_come_late() {
    let mut cluster = Cluster::of(3, 4);
    cluster.kill(0);
    let began = cluster.now;
    let put_id = cluster.ask(1, put("b", 0));
    let batch = cluster.ask(1, linearizable());
    cluster.run_for(2);
    let behind = cluster.ask(1, linearizable());
    cluster.run_for(6_000);
    assert_eq!(cluster.words(batch), "Unavailable etcdserver: leader changed");
    assert_eq!(cluster.words(behind), "Value");
    assert!(cluster.at(behind).since(began) < Duration::from_millis(2_700));
    assert_eq!(cluster.words(put_id), "open", "nobody tells that it is lost");
    cluster.run_for(2_000);
    assert_eq!(cluster.at(put_id).since(began).as_secs(), 7);
    let words = cluster.words(put_id);
    assert!(words.starts_with("Unavailable etcdserver: request timed out"), "{words}");
    assert_eq!(cluster.revision(1), 1);
}

#[test]
fn a_put_that_was_passed_on_to_a_deposed_leader_waits_there_for_the_next() {
    let mut settings = settings();
    settings.raft.pre_vote = false;
    let mut cluster = Cluster::with(settings, 3, 5);
    cluster.isolate(2);
    cluster.run_for(6_000);
    cluster.heal();
    while cluster.role(0).1.is_some() {
        cluster.run_for(1);
    }
    assert_eq!(cluster.role(1).1, Some(0), "it has not heard");
    assert_eq!(cluster.result(1, put("b", 0), 6_900), "Committed");
}

#[test]
fn a_put_that_waits_for_a_leader_is_committed_when_there_is_one() {
    let mut cluster = Cluster::of(3, 4);
    cluster.kill(0);
    while cluster.role(1).1.is_some() {
        cluster.run_for(1);
    }
    assert_eq!(cluster.result(1, put("b", 0), 3_000), "Committed");
}
