//! What waits while a member commits to its database on a slow disk.

use super::cluster::{Cluster, get, key, put, settings};
use crate::components::etcd::*;
use crate::engine::Duration;
use crate::wire::{Consistency, StoreOperation};

/// So much longer does each flush take.
const SLOW: Duration = Duration::from_secs(1);

/// A lone member on a slow disk, that has applied something so many milliseconds before that.
fn slow_after(millis: u64) -> Cluster {
    let mut cluster = Cluster::of(1, 1);
    assert_eq!(cluster.result(0, put("b", 0), 10), "Committed");
    cluster.run_for(millis);
    cluster.slow_disk(0, Some(SLOW));
    // Until the time of a commit has come.
    cluster.run_for(100);
    cluster
}

#[test]
fn what_needs_the_database_waits_until_the_disk_has_written_what_was_applied() {
    let mut cluster = slow_after(0);
    let operations = [
        get("a", Consistency::Serializable),
        get("b", Consistency::Linearizable),
        StoreOperation::Status,
        StoreOperation::Watch(None),
    ];
    let waiting = operations.map(|operation| cluster.ask(0, operation));
    let paths = ["/health", "/health?serializable=true", "/livez", "/readyz"];
    let probes = paths.map(|path| cluster.check_health(0, path));
    let members = cluster.ask(0, StoreOperation::MemberList(Consistency::Serializable));
    // A commit flushes twice.
    cluster.run_for(2_000);
    assert_eq!(cluster.words(members), "Members", "a list of members has no revision");
    assert_eq!(waiting.map(|id| cluster.words(id)), ["open"; 4]);
    assert_eq!(probes.map(|id| cluster.health.get(&id)), [None; 4]);
    cluster.run_for(20);
    assert_eq!(waiting.map(|id| cluster.words(id)), ["Value", "Value", "Status", "Watching"]);
    assert_eq!(probes.map(|id| cluster.health.get(&id)), [Some(&200); 4]);
}

#[test]
fn a_member_that_has_applied_nothing_of_late_has_nothing_to_commit() {
    let mut cluster = slow_after(150);
    let read = cluster.ask(0, get("b", Consistency::Serializable));
    let probe = cluster.check_health(0, "/livez");
    cluster.run_for(5);
    assert_eq!((cluster.words(read), cluster.health.get(&probe)), ("Value".to_owned(), Some(&200)));
}

#[test]
fn between_two_commits_the_database_can_be_read() {
    let mut cluster = slow_after(0);
    let read = |cluster: &mut Cluster| cluster.result(0, get("b", Consistency::Serializable), 5);
    assert_eq!(read(&mut cluster), "open");
    cluster.run_for(2_030);
    assert_eq!(read(&mut cluster), "Value", "nothing was applied since");
    // The log's flush takes a second, too; then the pause goes on that the last commit has begun.
    cluster.ask(0, put("c", 0));
    cluster.run_for(1_010);
    assert_eq!(read(&mut cluster), "Value", "it was applied, and the pause lasts");
    cluster.run_for(100);
    assert_eq!(read(&mut cluster), "open");
}

#[test]
fn a_disk_that_is_well_again_commits_no_more_for_anybody_to_see() {
    let mut cluster = slow_after(0);
    cluster.slow_disk(0, None);
    cluster.run_for(1_100);
    assert_eq!(cluster.result(0, get("b", Consistency::Serializable), 5), "Value");
    assert_eq!(cluster.result(0, put("c", 0), 10), "Committed");
    cluster.run_for(100);
    assert_eq!(cluster.result(0, get("c", Consistency::Serializable), 5), "Value");
}

#[test]
fn raft_goes_on_while_what_it_commits_cannot_be_applied() {
    let mut cluster = Cluster::of(3, 1);
    assert_eq!(cluster.result(0, put("b", 0), 20), "Committed");
    cluster.slow_disk(2, Some(SLOW));
    cluster.run_for(110);
    let watch = cluster.ask(2, StoreOperation::Watch(None));
    assert_eq!(cluster.result(0, put("c", 0), 20), "Committed");
    // Its log has it after one flush; the commit takes two.
    cluster.run_for(1_300);
    let raft = cluster.hosts[2].etcd.raft().expect("it has data");
    assert_eq!(raft.committed(), raft.applied(), "its log has it, and Raft has handed it on");
    assert!(cluster.store(2).get(&key("c")).is_none());
    assert_eq!(cluster.words(watch), "open");
    cluster.run_for(800);
    assert!(cluster.store(2).get(&key("c")).is_some());
    assert_eq!(cluster.words(watch), "Watching");
    assert_eq!(cluster.changes.len(), 1, "{:?}", cluster.changes);
    assert!(!cluster.logs(2, "lost leader"));
}

#[test]
fn a_change_of_the_group_waits_with_all_that_is_behind_it() {
    let mut cluster = Cluster::of(3, 1);
    assert_eq!(cluster.result(0, put("b", 0), 20), "Committed");
    cluster.slow_disk(2, Some(SLOW));
    cluster.run_for(110);
    let add = StoreOperation::MemberAdd { vm: Text::from("vm-3"), learner: true };
    assert_eq!(cluster.result(0, add, 20), "Members");
    cluster.run_for(1_300);
    assert_eq!(cluster.store(2).members().len(), 3);
    assert!(cluster.hosts[2].etcd.is_writing(), "its loop stands still");
    cluster.run_for(800);
    assert_eq!(cluster.store(2).members().len(), 4);
}

#[test]
fn a_new_process_commits_before_it_can_be_read() {
    let mut cluster = Cluster::of(1, 1);
    cluster.kill(0);
    cluster.slow_disk(0, Some(SLOW));
    cluster.start(0);
    cluster.run_for(300);
    let probe = cluster.check_health(0, "/livez");
    cluster.run_for(1_500);
    assert_eq!(cluster.health.get(&probe), None);
    cluster.run_for(700);
    assert_eq!(cluster.health.get(&probe), Some(&200));
}

/// A leader whose database is committed for 800 ms at a time, and what its log takes meanwhile waits, sends
/// its database to one who is far behind.
#[test]
fn a_snapshot_holds_what_the_database_has_and_no_more() {
    let mut short = settings();
    (short.snapshot_count, short.compact_log_every, short.catch_up_entries) = (20, 20, 5);
    for healed in 0..20 {
        let mut cluster = Cluster::with(short, 3, 1);
        cluster.isolate(2);
        for revision in 0..60 {
            let expected = if revision == 0 { 0 } else { revision + 1 };
            assert_eq!(cluster.result(0, put("many", expected), 10), "Committed");
        }
        assert!(cluster.first_log_index(0) > 20, "the log is cut");
        cluster.slow_disk(0, Some(Duration::from_millis(400)));
        for step in 0..60 {
            cluster.ask(0, put(format!("new-{step}").leak(), 0));
            if step == healed {
                cluster.heal();
            }
            cluster.run_for(110);
        }
        assert!(cluster.logs(0, "sent database snapshot"), "{healed}");
        cluster.slow_disk(0, None);
        cluster.run_for(10_000);
        assert_eq!(cluster.revision(2), cluster.revision(0), "{healed}");
    }
}
