//! Whom a member asks for a hash before it begins, and how long it waits for the answers.

use super::cluster::{Cluster, get, put, settings};
use crate::components::etcd::*;
use crate::engine::{Delay, Duration};
use crate::wire::{Consistency, StoreOperation};

const BOOT: Duration = Duration::from_millis(50);

/// As kubeadm sets members up, all of which need so long to begin.
fn checked() -> Settings {
    let boot = Delay { low: BOOT, high: BOOT };
    Settings { initial_check: true, boot, ..settings() }
}

/// Starts a member; after how many milliseconds it has begun.
fn begins_after(cluster: &mut Cluster, number: usize) -> u64 {
    cluster.start(number);
    cluster.run_for(0);
    let has_begun = |cluster: &Cluster| cluster.hosts[number].etcd.status().is_some();
    let mut waited = 0;
    while !has_begun(cluster) && waited < 60_000 {
        cluster.run_for(1);
        waited += 1;
    }
    waited
}

#[test]
fn those_who_serve_answer_at_once() {
    let mut cluster = Cluster::with(checked(), 3, 1);
    cluster.kill(2);
    let after = begins_after(&mut cluster, 2);
    assert!((51..60).contains(&after), "two answers later: {after}");
    assert!(cluster.logs(2, "starting initial corruption check"));
    assert!(cluster.logs(2, "initial corruption checking passed; no corruption"));
    assert!(!cluster.logs(2, "failed hash kv request"));
}

#[test]
fn without_the_check_a_member_begins_with_its_files_read() {
    let mut cluster = Cluster::with(Settings { initial_check: false, ..checked() }, 3, 1);
    cluster.isolate(2);
    cluster.kill(2);
    assert_eq!(begins_after(&mut cluster, 2), 50);
    assert!(!cluster.logs(2, "corruption"));
}

#[test]
fn where_nothing_comes_back_a_dial_has_its_time_and_where_nobody_listens_none() {
    let mut cluster = Cluster::with(checked(), 3, 1);
    cluster.kill(0);
    cluster.isolate(1);
    cluster.kill(2);
    let after = begins_after(&mut cluster, 2);
    assert!((2_050..2_060).contains(&after), "the silent one alone cost time: {after}");
    assert!(cluster.logs(2, "failed hash kv request vm-0: read: connection reset by peer"));
    assert!(cluster.logs(2, "failed hash kv request vm-1: dial tcp: i/o timeout"));
}

#[test]
fn those_who_begin_together_wait_for_each_other() {
    let mut cluster = Cluster::with(checked(), 3, 1);
    (0..3).for_each(|number| cluster.kill(number));
    (0..3).for_each(|number| cluster.start(number));
    cluster.run_for(14_000);
    let begun: Vec<bool> = cluster.hosts.iter().map(|host| host.etcd.status().is_some()).collect();
    assert_eq!(begun, [false; 3], "two others, 7 s each");
    assert!(cluster.logs(0, "failed hash kv request vm-1: context deadline exceeded"));
    cluster.run_for(2_500);
    assert_eq!(cluster.result(0, put("b", 0), 50), "Committed");
}

#[test]
fn of_two_only_those_who_listen_are_waited_for() {
    let mut cluster = Cluster::with(checked(), 2, 1);
    (0..2).for_each(|number| cluster.kill(number));
    cluster.start(0);
    cluster.run_for(3_000);
    assert!(cluster.hosts[0].etcd.status().is_some(), "nobody listened");
    cluster.kill(0);
    cluster.start(0);
    cluster.run_for(20);
    let after = begins_after(&mut cluster, 1);
    assert!((7_030..7_035).contains(&after), "the first gives up, begins, and answers: {after}");
}

#[test]
fn clients_wait_and_health_checks_find_no_port() {
    let mut cluster = Cluster::with(checked(), 3, 1);
    cluster.kill(2);
    cluster.isolate(1);
    cluster.start(2);
    cluster.run_for(1_000);
    let status = cluster.ask(2, StoreOperation::Status);
    let read = cluster.ask(2, get("a", Consistency::Serializable));
    let health = cluster.check_health(2, "/livez");
    cluster.run_for(900);
    assert_eq!([cluster.words(status), cluster.words(read)], ["open", "open"]);
    cluster.run_for(3_000);
    assert_eq!([cluster.words(status), cluster.words(read)], ["Status", "Value"]);
    assert!(!cluster.health.contains_key(&health), "it was let go");
}

#[test]
fn who_joined_since_the_last_snapshot_is_asked_only_by_the_database() {
    for (check_reads_database, least) in [(false, 50), (true, 2_050)] {
        let settings = Settings { check_reads_database, ..checked() };
        let mut cluster = Cluster::with(settings, 3, 1);
        cluster.add_host(Etcd::joining(settings, Vec::new()));
        cluster.isolate(3);
        let add = StoreOperation::MemberAdd { vm: "vm-3".into(), learner: true };
        assert_eq!(cluster.result(0, add, 50), "Members");
        cluster.run_for(1_000);
        cluster.kill(2);
        let after = begins_after(&mut cluster, 2);
        assert!((least..least + 10).contains(&after), "{check_reads_database}: {after}");
    }
}

#[test]
fn one_that_is_killed_meanwhile_still_has_its_data() {
    let mut cluster = Cluster::with(checked(), 3, 1);
    assert_eq!(cluster.result(0, put("b", 0), 50), "Committed");
    cluster.kill(2);
    cluster.isolate(1);
    cluster.start(2);
    cluster.run_for(1_000);
    cluster.kill(2);
    cluster.heal();
    cluster.start(2);
    cluster.run_for(4_000);
    assert_eq!(cluster.revision(2), 2);
    assert!(cluster.role(2).1.is_some(), "and a leader");
}

#[test]
fn with_force_new_cluster_those_are_asked_whom_it_will_drop() {
    let mut cluster = Cluster::with(checked(), 3, 1);
    cluster.isolate(0);
    (1..3).for_each(|number| cluster.kill(number));
    cluster.hosts[1].vm.disk.write(FLAGS, "ETCD_FORCE_NEW_CLUSTER=true");
    let after = begins_after(&mut cluster, 1);
    assert!((2_050..2_060).contains(&after), "{after}");
    cluster.run_for(2_000);
    assert_eq!(cluster.result(1, put("b", 0), 50), "Committed");
}
