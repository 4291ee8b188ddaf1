//! Leases: the leader's clock alone ends them.

use super::cluster::{Cluster, key, put};
use crate::engine::Duration;
use crate::wire::{LeaseId, StoreAnswer, StoreOperation};

fn granted(cluster: &mut Cluster, member: usize, seconds: u64) -> LeaseId {
    let id = cluster.ask(member, StoreOperation::LeaseGrant(Duration::from_secs(seconds)));
    cluster.run_for(150);
    match &cluster.answers[&id].1 {
        StoreAnswer::Lease(id, Some(_)) => *id,
        other => panic!("{other:?}"),
    }
}

fn with_key(cluster: &mut Cluster, lease: LeaseId) {
    let operation = StoreOperation::Leased(lease, Box::new(put("b", 0)));
    assert_eq!(cluster.result(1, operation, 150), "Committed");
}

#[test]
fn a_key_goes_when_its_lease_expires() {
    let mut cluster = Cluster::of(3, 1);
    let lease = granted(&mut cluster, 1, 10);
    with_key(&mut cluster, lease);
    cluster.run_for(9_400);
    assert!(cluster.store(1).get(&key("b")).is_some());
    cluster.run_for(1_300);
    for number in 0..3 {
        assert!(cluster.store(number).get(&key("b")).is_none());
        assert!(cluster.store(number).lease(lease).is_none());
    }
}

#[test]
fn a_lease_that_is_kept_alive_through_a_follower_lasts() {
    let mut cluster = Cluster::of(3, 1);
    let lease = granted(&mut cluster, 1, 10);
    with_key(&mut cluster, lease);
    for _ in 0..4 {
        let words = cluster.result(2, StoreOperation::LeaseKeepAlive(lease), 5_000);
        assert_eq!(words, "Lease");
    }
    assert!(cluster.store(0).get(&key("b")).is_some());
}

#[test]
fn a_new_leader_gives_every_lease_its_whole_length_again() {
    let mut cluster = Cluster::of(3, 1);
    let lease = granted(&mut cluster, 1, 10);
    with_key(&mut cluster, lease);
    cluster.run_for(8_000);
    cluster.kill(0);
    cluster.run_for(10_000);
    assert!(cluster.store(1).get(&key("b")).is_some(), "18 s after its last renewal");
    cluster.run_for(4_000);
    assert!(cluster.store(1).get(&key("b")).is_none());
}

#[test]
fn a_lease_is_never_shorter_than_an_election() {
    let mut cluster = Cluster::of(1, 1);
    let id = cluster.ask(0, StoreOperation::LeaseGrant(Duration::from_millis(1)));
    cluster.run_for(20);
    let StoreAnswer::Lease(_, Some(length)) = cluster.answers[&id].1 else { panic!() };
    assert_eq!(length, Duration::from_secs(2));
}

#[test]
fn a_put_under_a_lease_that_is_gone_is_refused() {
    let mut cluster = Cluster::of(1, 1);
    let operation = StoreOperation::Leased(LeaseId(9), Box::new(put("b", 0)));
    let words = cluster.result(0, operation, 20);
    assert_eq!(words, "NotFound etcdserver: requested lease not found");
    assert_eq!(cluster.result(0, StoreOperation::LeaseRevoke(LeaseId(9)), 20), words);
}
