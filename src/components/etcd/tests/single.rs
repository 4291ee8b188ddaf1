//! One member, which is its own quorum.

use super::cluster::{Cluster, get, key, object, put, settings};
use crate::api::Revision;
use crate::components::etcd::*;
use crate::engine::Duration;
use crate::infra::testbed::Testbed;
use crate::wire::{Consistency, StoreAnswer, StoreOperation};

#[test]
fn a_put_gets_the_next_revision_and_reaches_every_watcher_before_its_answer() {
    let mut cluster = Cluster::of(1, 1);
    let watch = cluster.ask(0, StoreOperation::Watch(None));
    cluster.run_for(1);
    let id = cluster.ask(0, put("b", 0));
    cluster.run_for(10);
    let (at, StoreAnswer::Committed(object)) = &cluster.answers[&id] else {
        panic!("{}", cluster.words(id))
    };
    assert_eq!(object.meta.resource_version, Revision(2));
    assert_eq!(cluster.changes, [(*at, watch, Revision(2))]);
}

#[test]
fn a_put_on_a_revision_that_has_passed_is_refused_with_the_object_as_it_is() {
    let mut cluster = Cluster::of(1, 1);
    let id = cluster.ask(0, put("a", 7));
    cluster.run_for(10);
    let (_, StoreAnswer::Conflict(Some(object))) = &cluster.answers[&id] else {
        panic!("{}", cluster.words(id))
    };
    assert_eq!(object.meta.resource_version, Revision(1));
    assert_eq!(cluster.revision(0), 1, "nothing was committed");
}

#[test]
fn proposals_that_come_while_the_disk_writes_share_the_next_flush() {
    let mut cluster = Cluster::of(1, 1);
    cluster.hosts[0].stall = Duration::from_millis(20);
    let ids = ["b", "c", "d"].map(|name| cluster.ask(0, put(name, 0)));
    cluster.run_for(100);
    assert!(cluster.at(ids[0]) < cluster.at(ids[1]));
    assert_eq!(cluster.at(ids[1]), cluster.at(ids[2]));
}

#[test]
fn what_was_not_on_disk_when_the_process_died_was_never_committed() {
    let mut cluster = Cluster::of(1, 1);
    cluster.hosts[0].stall = Duration::from_millis(20);
    cluster.ask(0, put("b", 0));
    cluster.run_for(10);
    cluster.kill(0);
    cluster.start(0);
    cluster.run_for(3_000);
    assert!(cluster.store(0).get(&key("b")).is_none());
    assert!(cluster.store(0).get(&key("a")).is_some(), "what was committed survives the process");
}

#[test]
fn clients_wait_until_a_restarted_member_has_published_itself() {
    let mut cluster = Cluster::of(1, 1);
    cluster.kill(0);
    cluster.start(0);
    let read = cluster.ask(0, get("a", Consistency::Serializable));
    cluster.run_for(100);
    assert_eq!(cluster.words(read), "open", "there is no leader, so nothing is published");
    cluster.run_for(1_200);
    assert_eq!(cluster.words(read), "Value");
    assert!(cluster.logs(0, "ready to serve client requests"));
    assert_eq!(cluster.result(0, put("b", 0), 10), "Committed");
}

#[test]
fn a_watch_resumes_over_history_and_is_refused_once_that_is_compacted() {
    let mut cluster = Cluster::of(1, 1);
    cluster.result(0, put("b", 0), 20);
    cluster.result(0, put("c", 0), 20);
    let watch = cluster.ask(0, StoreOperation::Watch(Some(Revision(2))));
    cluster.run_for(5);
    assert_eq!(cluster.words(watch), "Watching");
    assert_eq!(cluster.changes.len(), 1, "only what came after revision 2");
    // Each compaction forgets what was there at the one before.
    cluster.run_for(601_000);
    let watch = cluster.ask(0, StoreOperation::Watch(Some(Revision(2))));
    cluster.run_for(5);
    let (_, StoreAnswer::Compacted(Revision(3))) = cluster.answers[&watch] else {
        panic!("{}", cluster.words(watch))
    };
}

#[test]
fn a_member_alone_does_not_tick_and_would_only_tick_in_vain() {
    let mut cluster = Cluster::of(1, 1);
    assert_eq!(cluster.pending_events(), 1, "nothing but the next compaction is on its way");
    let mut etcd = Etcd::group(settings(), &[Text::word("vm-0")], 0, vec![object("a")]).remove(0);
    let mut bed = Testbed::new("etcd", "vm-0");
    bed.play(|ctx| etcd.on_event(Input::Started(Start::Steady), ctx));
    for tick in 0..100 {
        bed.pass(Duration::from_millis(100));
        let effects = bed.play(|ctx| etcd.on_event(Input::Tick(TICK), ctx));
        assert!(effects.is_empty(), "tick {tick}: {effects:?}");
    }
    assert!(etcd.leads_in().is_some());
    assert_eq!(cluster.result(0, put("b", 0), 10), "Committed");
}
