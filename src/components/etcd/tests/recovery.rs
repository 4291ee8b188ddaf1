//! What a member comes back to: its log, a snapshot, nothing, a backup.

use super::cluster::{Cluster, key, put, settings, vm_name};
use crate::components::etcd::*;
use crate::engine::{Delay, Duration};
use crate::wire::StoreOperation;

fn many(cluster: &mut Cluster, count: u64) {
    for _ in 0..count {
        let known = cluster.store(0).get(&key("many"));
        let expected = known.map_or(0, |object| object.meta.resource_version.0);
        let id = cluster.ask(0, put("many", expected));
        cluster.run_for(10);
        assert_eq!(cluster.words(id), "Committed");
    }
}

#[test]
fn a_member_that_is_a_little_behind_catches_up_from_the_log() {
    let mut cluster = Cluster::of(3, 1);
    cluster.kill(2);
    many(&mut cluster, 50);
    cluster.start(2);
    cluster.run_for(1_000);
    assert_eq!(cluster.revision(2), cluster.revision(0));
    assert_eq!(cluster.hosts[2].applied.len(), 50, "entry by entry");
}

#[test]
fn a_member_that_is_far_behind_gets_a_snapshot_and_its_watchers_miss_nothing() {
    let mut short = settings();
    (short.snapshot_count, short.compact_log_every, short.catch_up_entries) = (20, 20, 5);
    let mut cluster = Cluster::with(short, 3, 1);
    let watch = cluster.ask(2, StoreOperation::Watch(None));
    cluster.run_for(10);
    cluster.isolate(2);
    many(&mut cluster, 60);
    assert!(cluster.first_log_index(0) > 20, "the log is cut");
    cluster.heal();
    cluster.run_for(8_000);
    assert_eq!(cluster.revision(2), cluster.revision(0));
    assert!(cluster.hosts[2].applied.len() < 60, "not entry by entry");
    let seen: Vec<u64> = cluster.changes.iter().filter(|c| c.1 == watch).map(|c| c.2.0).collect();
    assert_eq!(seen, (2..=61).collect::<Vec<_>>());
}

#[test]
fn what_is_not_forgotten_while_a_database_is_sent_waits_for_the_next_snapshot() {
    let mut short = settings();
    (short.snapshot_count, short.compact_log_every, short.catch_up_entries) = (20, 20, 5);
    let mut cluster = Cluster::with(short, 3, 1);
    cluster.isolate(2);
    many(&mut cluster, 60);
    cluster.heal();
    cluster.run_for(8_000);
    assert!(cluster.hosts[2].applied.len() < 60, "it was sent the database");
    let first = cluster.first_log_index(0);
    many(&mut cluster, 12);
    assert_eq!(cluster.first_log_index(0), first, "a snapshot was due, and the log is held");
    cluster.run_for(40_000);
    many(&mut cluster, 2);
    assert_eq!(cluster.first_log_index(0), first, "not held any more, and no snapshot is due");
    many(&mut cluster, 22);
    assert!(cluster.first_log_index(0) > first + 20);
}

#[test]
fn a_restarted_member_replays_its_log_over_its_database() {
    let mut cluster = Cluster::of(3, 1);
    many(&mut cluster, 20);
    cluster.kill(1);
    cluster.start(1);
    cluster.run_for(1_000);
    assert_eq!(cluster.revision(1), 21);
    assert_eq!(cluster.hosts[1].applied.len(), 20, "nothing is applied twice");
}

#[test]
fn what_is_posted_to_a_member_that_begins_waits_for_it() {
    // Its leader's heartbeats leave each 100 ms, and one comes while it begins, or soon after.
    let boot = Delay { low: Duration::from_millis(100), high: Duration::from_millis(100) };
    for seed in 0..10 {
        let mut cluster = Cluster::with(Settings { boot, ..settings() }, 3, seed);
        cluster.run_for(seed * 13);
        cluster.kill(2);
        cluster.run_for(700);
        cluster.start(2);
        cluster.run_for(99);
        assert!(cluster.hosts[2].etcd.status().is_none(), "it has not begun");
        cluster.run_for(2);
        assert_eq!(cluster.role(2).1, Some(0), "seed {seed}: it knows its leader at once");
        assert_eq!(cluster.role(0), (Role::Leader, Some(0)));
    }
}

#[test]
fn what_is_posted_to_another_clusters_member_is_not_heard() {
    let mut cluster = Cluster::of(2, 1);
    cluster.kill(1);
    cluster.hosts[1].vm.disk.write(FLAGS, "ETCD_FORCE_NEW_CLUSTER=true");
    cluster.start(1);
    cluster.run_for(3_000);
    assert_eq!(cluster.role(1), (Role::Leader, Some(1)), "it goes on alone");
    let commits = cluster.result(1, put("b", 0), 50);
    assert_eq!(commits, "Committed");
}

#[test]
fn below_a_quorum_a_restarted_member_serves_nobody() {
    let mut cluster = Cluster::of(3, 1);
    (0..3).for_each(|number| cluster.kill(number));
    cluster.start(0);
    cluster.run_for(10_000);
    let status = cluster.ask(0, StoreOperation::Status);
    cluster.run_for(5_000);
    assert_eq!(cluster.words(status), "open");
    cluster.start(1);
    cluster.run_for(4_000);
    assert_eq!(cluster.words(status), "Status");
}

#[test]
fn who_lost_the_data_and_starts_as_a_new_member_is_refused() {
    let mut cluster = Cluster::of(3, 1);
    cluster.kill(2);
    assert!(cluster.hosts[2].vm.disk.remove(DATA_DIR));
    cluster.start(2);
    cluster.run_for(1_000);
    assert!(!cluster.is_alive(2));
    assert!(cluster.logs(2, "has already been bootstrapped"));
    assert_eq!(cluster.result(0, put("b", 0), 50), "Committed");
}

#[test]
fn who_lost_the_data_and_starts_as_an_existing_member_panics() {
    let mut cluster = Cluster::of(3, 1);
    many(&mut cluster, 5);
    cluster.kill(2);
    cluster.hosts[2].vm.disk.remove(DATA_DIR);
    cluster.hosts[2].vm.disk.write(FLAGS, "ETCD_INITIAL_CLUSTER_STATE=existing");
    cluster.start(2);
    cluster.run_for(2_000);
    assert!(!cluster.is_alive(2));
    assert!(cluster.logs(2, "is out of range [lastIndex(0)]"));
    assert_eq!(cluster.result(0, put("b", 0), 50), "Committed");
}

#[test]
fn with_force_new_cluster_one_member_goes_on_alone_with_its_data() {
    let mut cluster = Cluster::of(3, 1);
    many(&mut cluster, 5);
    (0..3).for_each(|number| cluster.kill(number));
    cluster.hosts[1].vm.disk.write(FLAGS, "ETCD_FORCE_NEW_CLUSTER=true");
    cluster.start(1);
    cluster.run_for(2_000);
    cluster.hosts[1].vm.disk.remove(FLAGS);
    assert_eq!(cluster.result(1, put("b", 0), 50), "Committed");
    assert_eq!(cluster.store(1).members().len(), 1);
    assert!(cluster.store(1).get(&key("many")).is_some());
    // The others are not among its members any more.
    cluster.start(2);
    cluster.run_for(2_000);
    assert!(!cluster.is_alive(2));
}

#[test]
fn a_backup_takes_the_store_back_to_what_it_was() {
    let mut cluster = Cluster::of(1, 1);
    assert_eq!(cluster.result(0, put("b", 0), 20), "Committed");
    assert_eq!(cluster.result(0, StoreOperation::SnapshotSave, 20), "Done");
    assert_eq!(cluster.result(0, put("c", 0), 20), "Committed");
    cluster.kill(0);
    cluster.hosts[0].vm.disk.write(DATA_DIR, RESTORED);
    cluster.start(0);
    cluster.run_for(2_000);
    assert_eq!(cluster.revision(0), 2);
    assert!(cluster.store(0).get(&key("b")).is_some());
    assert!(cluster.store(0).get(&key("c")).is_none());
    assert_eq!(cluster.result(0, put("d", 0), 50), "Committed");
    assert_eq!(cluster.result(0, put("d", 3), 50), "Committed", "revisions go on from there");
}

#[test]
fn without_anything_a_first_cluster_is_made() {
    let mut cluster = Cluster::of(1, 1);
    let vms: Vec<Text> = vec![vm_name(1), vm_name(2), vm_name(3)];
    for _ in 0..3 {
        let number = cluster.add_host(Etcd::joining(settings(), vms.clone()));
        cluster.start(number);
    }
    cluster.run_for(6_000);
    assert_eq!(cluster.result(2, put("b", 0), 200), "Committed");
    assert_eq!([1, 2, 3].map(|number| cluster.revision(number)), [1, 1, 1]);
}

#[test]
fn a_backup_restored_beside_a_living_quorum_makes_a_second_cluster() {
    let mut cluster = Cluster::of(3, 1);
    assert_eq!(cluster.result(2, StoreOperation::SnapshotSave, 20), "Done");
    cluster.kill(2);
    cluster.hosts[2].vm.disk.write(DATA_DIR, RESTORED);
    cluster.start(2);
    cluster.run_for(5_000);
    assert!(
        [0, 1, 2].iter().all(|number| cluster.is_alive(*number)),
        "they leave each other alone"
    );
    assert_eq!(cluster.result(2, put("b", 0), 50), "Committed");
    assert_eq!(cluster.result(0, put("c", 0), 50), "Committed");
    assert!(cluster.store(2).get(&key("c")).is_none() && cluster.store(0).get(&key("b")).is_none());
    assert_eq!([0, 2].map(|number| cluster.store(number).members().len()), [3, 1]);
}

#[test]
fn a_member_made_a_cluster_of_its_own_ends_those_whom_it_has_removed() {
    let mut cluster = Cluster::of(3, 1);
    cluster.kill(1);
    cluster.hosts[1].vm.disk.write(FLAGS, "ETCD_FORCE_NEW_CLUSTER=true");
    cluster.start(1);
    cluster.run_for(5_000);
    assert_eq!([0, 1, 2].map(|number| cluster.is_alive(number)), [false, true, false]);
    assert!(cluster.logs(0, "permanently removed"));
}

#[test]
fn a_removed_member_says_so_at_each_start() {
    let mut cluster = Cluster::of(3, 1);
    let id = cluster.hosts[2].etcd.id().expect("it has data");
    assert_eq!(cluster.result(0, StoreOperation::MemberRemove(id), 50), "Members");
    cluster.run_for(3_000);
    assert!(!cluster.is_alive(2));
    let vm = vm_name(2);
    let again = StoreOperation::MemberAdd { vm, learner: false };
    assert_eq!(cluster.result(0, again, 50), "Members");
    cluster.hosts[2].vm.disk.write(FLAGS, "ETCD_INITIAL_CLUSTER_STATE=existing");
    for _ in 0..3 {
        cluster.hosts[2].logs.clear();
        cluster.start(2);
        cluster.run_for(2_000);
        assert!(!cluster.is_alive(2));
        assert!(cluster.logs(2, "data-dir used by this member must be removed"));
    }
    cluster.hosts[2].vm.disk.remove(DATA_DIR);
    cluster.start(2);
    cluster.run_for(2_000);
    assert!(cluster.is_alive(2), "without its old data it joins");
    assert_ne!(cluster.hosts[2].etcd.id(), Some(id));
}

#[test]
fn a_start_that_fails_loses_no_backup() {
    let mut cluster = Cluster::of(3, 1);
    assert_eq!(cluster.result(0, StoreOperation::SnapshotSave, 20), "Done");
    cluster.kill(0);
    cluster.hosts[0].vm.disk.remove(DATA_DIR);
    cluster.start(0);
    cluster.run_for(2_000);
    assert!(!cluster.is_alive(0));
    cluster.hosts[0].vm.disk.write(DATA_DIR, RESTORED);
    cluster.start(0);
    cluster.run_for(2_000);
    assert_eq!(cluster.result(0, put("b", 0), 50), "Committed");
    assert_eq!(cluster.store(0).members().len(), 1);
}

#[test]
fn a_directory_that_is_put_back_has_its_data() {
    let mut cluster = Cluster::of(3, 1);
    cluster.kill(2);
    let taken = cluster.hosts[2].vm.disk.read(DATA_DIR).cloned().expect("it has data");
    cluster.hosts[2].vm.disk.remove(DATA_DIR);
    cluster.start(2);
    cluster.run_for(2_000);
    assert!(!cluster.is_alive(2), "as a new member it is refused");
    cluster.hosts[2].vm.disk.write(DATA_DIR, taken);
    cluster.start(2);
    many(&mut cluster, 5);
    cluster.run_for(2_000);
    assert_eq!(cluster.revision(2), cluster.revision(0));
}

#[test]
fn what_was_never_saved_is_not_restored_and_nobody_joins_in_its_place() {
    let mut cluster = Cluster::of(3, 1);
    cluster.kill(2);
    cluster.hosts[2].vm.disk.write(DATA_DIR, RESTORED);
    cluster.hosts[2].vm.disk.write(FLAGS, "ETCD_INITIAL_CLUSTER_STATE=existing");
    cluster.start(2);
    cluster.run_for(2_000);
    assert!(!cluster.is_alive(2));
    assert!(cluster.logs(2, "no such file or directory"));
}
