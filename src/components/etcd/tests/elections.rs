//! Who leads when the leader dies, stops, stalls or is cut off.

use super::cluster::{Cluster, put, settings};
use crate::components::etcd::*;
use crate::engine::Duration;
use crate::infra::Effect;
use crate::infra::testbed::Testbed;
use crate::wire::StoreOperation;

/// When the survivors of a dead leader agree on another, in milliseconds.
fn failover(settings: Settings, seed: u64) -> u64 {
    let mut cluster = Cluster::with(settings, 3, seed);
    cluster.kill(0);
    for step in 1..400 {
        cluster.run_for(10);
        let leaders = [1, 2].map(|number| cluster.role(number).1);
        if leaders[0] == leaders[1] && leaders[0].is_some_and(|leader| leader != 0) {
            return step * 10;
        }
    }
    panic!("no leader within 4 s");
}

#[test]
fn a_dead_leader_is_replaced_within_one_to_two_election_timeouts() {
    let mut all: Vec<u64> = (0..60).map(|seed| failover(settings(), seed)).collect();
    all.sort_unstable();
    assert!(all[0] >= 850, "nobody campaigns within the lease: {all:?}");
    assert!(*all.last().unwrap() <= 2_600, "{all:?}");
    assert!((1_000..1_400).contains(&all[30]), "median of real members: 1.2 s; here {}", all[30]);
}

#[test]
fn without_pre_vote_the_bounds_are_the_same() {
    let mut settings = settings();
    settings.raft.pre_vote = false;
    for seed in 0..20 {
        assert!((850..=3_800).contains(&failover(settings, seed)));
    }
}

#[test]
fn three_members_commit_and_each_applies_every_entry_once() {
    let mut cluster = Cluster::of(3, 1);
    for (member, name) in [(0, "b"), (1, "c"), (2, "d")] {
        assert_eq!(cluster.result(member, put(name, 0), 200), "Committed");
    }
    for number in 0..3 {
        assert_eq!(cluster.revision(number), 4);
        let applied: Vec<u64> = cluster.hosts[number].applied.iter().map(|r| r.0).collect();
        assert_eq!(applied, [2, 3, 4]);
    }
}

#[test]
fn a_leader_that_is_told_to_stop_hands_over_first() {
    let mut cluster = Cluster::of(3, 1);
    let term = cluster.term(0);
    cluster.terminate(0);
    cluster.run_for(40);
    let leader = cluster.leader().expect("the office was handed over");
    assert_ne!(leader, 0);
    assert_eq!(cluster.term(leader), term + 1);
    assert_eq!(cluster.result(leader, put("b", 0), 20), "Committed");
    cluster.run_for(100);
    assert!(cluster.hosts[0].etcd.status().is_none(), "it stops once it sees the new leader");
}

#[test]
fn how_a_stream_ended_is_told_in_its_words() {
    let says = |cluster: &Cluster, error: &str| {
        cluster.logs(0, &format!("lost TCP streaming connection with remote peer vm-1: {error}"))
    };
    let mut cluster = Cluster::of(3, 1);
    cluster.reset_streams(0, 1);
    cluster.run_for(1);
    assert!(says(&cluster, "read: connection reset by peer") && !says(&cluster, "EOF"));
    let mut cluster = Cluster::of(3, 1);
    cluster.kill(1);
    cluster.run_for(1);
    assert!(says(&cluster, "EOF"), "its kernel closes what it had open");
}

#[test]
fn a_follower_that_is_told_to_stop_does_so_at_once_and_ends_a_second_later() {
    let mut cluster = Cluster::of(3, 1);
    cluster.terminate(1);
    cluster.run_for(1);
    assert!(cluster.hosts[1].etcd.status().is_none());
    assert!(cluster.logs(0, "lost TCP streaming connection with remote peer vm-1: EOF"));
    cluster.run_for(998);
    assert!(cluster.is_alive(1), "it waits for the others' connections");
    cluster.run_for(1);
    assert!(!cluster.is_alive(1));
    assert_eq!(cluster.role(0), (Role::Leader, Some(0)));
}

#[test]
fn whoever_is_told_to_stop_and_has_nobody_to_wait_for_ends_at_once() {
    let mut alone = Cluster::of(1, 1);
    alone.terminate(0);
    alone.run_for(1);
    assert!(!alone.is_alive(0));
    // 3.4 without TLS stops its gRPC server, and looks for no connections.
    let mut cluster = Cluster::with(Settings { peer_shutdown: Duration::ZERO, ..settings() }, 3, 1);
    cluster.terminate(1);
    cluster.run_for(1);
    assert!(!cluster.is_alive(1));
}

#[test]
fn who_is_told_to_stop_lets_its_clients_go_before_it_hands_over() {
    let mut etcd = Etcd::group(settings(), &["vm-0", "vm-1"].map(Text::word), 0, vec![]).remove(0);
    let mut bed = Testbed::new("etcd", "vm-0");
    bed.play(|ctx| etcd.on_event(Input::Started(Start::Steady), ctx));
    let effects = bed.play(|ctx| etcd.on_event(Input::Terminate, ctx));
    assert!(matches!(effects[..], [Effect::CloseAllBut(PEER_PORT), ..]), "{effects:?}");
    assert_eq!(bed.process.serves_only, Some(PEER_PORT), "nobody else is served");
    let again = bed.play(|ctx| etcd.on_event(Input::Terminate, ctx));
    assert!(again.is_empty(), "it is being done: {again:?}");
}

#[test]
fn a_member_that_waits_for_its_disk_tells_clients_what_it_knew_and_its_log_what_it_hears() {
    let mut cluster = Cluster::of(3, 1);
    let before = cluster.hosts[0].etcd.status().expect("it runs");
    cluster.hosts[0].stall = Duration::from_secs(11);
    cluster.ask(0, put("b", 0));
    cluster.run_for(4_000);
    assert_ne!(cluster.role(0).1, Some(0), "raft has heard of another leader");
    let told = cluster.hosts[0].etcd.status().expect("it runs");
    assert_eq!(told.leader, Some(MemberId(1)), "and its clients have not");
    assert_eq!((told.term, told.index), (before.term, before.index));
    assert!(cluster.logs(0, "raft.node: vm-0 changed leader") || cluster.logs(0, "lost leader"));
    let id = cluster.ask_as(0, StoreOperation::Watch(None), true);
    let health = cluster.check_health(0, "/health");
    cluster.run_for(50);
    assert_eq!(cluster.words(id), "Watching", "it has a leader, as far as that goes");
    assert_eq!(cluster.health[&health], 200);
    cluster.hosts[0].stall = Duration::ZERO;
    cluster.run_for(10_000);
    let told = cluster.hosts[0].etcd.status().expect("it runs");
    assert_ne!(told.leader, Some(MemberId(1)), "then it looks up");
    assert!(told.term > before.term);
}

#[test]
fn a_leader_that_is_cut_off_steps_down_and_follows_when_it_is_back() {
    let mut cluster = Cluster::of(3, 3);
    cluster.isolate(0);
    cluster.run_for(1_000 - 1);
    assert_eq!(cluster.role(0), (Role::Leader, Some(0)), "it has a window to count its quorum");
    cluster.run_for(2_000);
    assert_eq!(cluster.role(0).1, None);
    let lost = cluster.ask(0, put("lost", 0));
    let leader = cluster.leader().expect("the others have elected one");
    assert_eq!(cluster.result(leader, put("kept", 0), 100), "Committed");
    cluster.run_for(4_000);
    cluster.heal();
    cluster.run_for(4_000);
    assert_eq!(cluster.role(0).1, cluster.role(leader).1);
    assert_eq!(cluster.revision(0), cluster.revision(leader));
    assert_ne!(cluster.words(lost), "open");
}

#[test]
fn a_follower_that_was_cut_off_disturbs_nobody_with_pre_vote_and_everybody_without() {
    let terms = |pre_vote| {
        let mut settings = settings();
        settings.raft.pre_vote = pre_vote;
        let mut cluster = Cluster::with(settings, 3, 5);
        let before = cluster.term(0);
        cluster.isolate(2);
        cluster.run_for(6_000);
        cluster.heal();
        cluster.run_for(6_000);
        assert!(cluster.leader().is_some());
        cluster.term(cluster.leader().unwrap()) - before
    };
    assert_eq!(terms(true), 0);
    assert!((4..=10).contains(&terms(false)), "one term per round alone: {}", terms(false));
}

#[test]
fn while_its_disk_stalls_a_leader_does_not_tick_and_is_replaced() {
    let mut cluster = Cluster::of(3, 2);
    cluster.hosts[0].stall = Duration::from_secs(8);
    let lost = cluster.ask(0, put("b", 0));
    cluster.run_for(3_000);
    let leader = cluster.leader();
    assert!(leader.is_some(), "somebody leads");
    let others = [1, 2].map(|number| cluster.role(number).1);
    assert!(others[0] == others[1] && others[0] != Some(0), "{others:?}");
    cluster.hosts[0].stall = Duration::ZERO;
    cluster.run_for(8_000);
    assert_eq!(cluster.role(0).1, others[0]);
    assert_ne!(cluster.words(lost), "open");
}

#[test]
fn leadership_moves_on_request_and_only_from_the_leader() {
    let mut cluster = Cluster::of(3, 1);
    let to = |member: u32| StoreOperation::MoveLeader(MemberId(member));
    assert_eq!(cluster.result(1, to(2), 10), "FailedPrecondition etcdserver: not leader");
    assert_eq!(
        cluster.result(0, to(9), 10),
        "FailedPrecondition etcdserver: bad leader transferee"
    );
    assert_eq!(cluster.result(0, to(3), 250), "Done");
    assert_eq!(cluster.leader(), Some(2));
}
