//! Etcd: what is committed, what is refused, what survives.

use super::*;
use crate::api::kinds::Lease;
use crate::api::{Kind, Meta, ObjectKey};
use crate::engine::Owner;
use crate::infra::{ProcessId, testbed::Testbed};

const CLIENT: ConnectionId = ConnectionId { client: ProcessId(9), count: 1 };
const WATCHER: ConnectionId = ConnectionId { client: ProcessId(8), count: 1 };

fn settings() -> Settings {
    Settings {
        commit: Delay::fixed(Duration::from_millis(5)),
        compaction: Duration::from_secs(300),
    }
}

fn lease(name: &'static str) -> Object {
    Object::new(Meta::new(Kind::Lease, "default", name), Lease::default())
}

fn key(name: &'static str) -> ObjectKey {
    lease(name).key().clone()
}

fn started(objects: Vec<Object>) -> (Etcd, Testbed<Event>) {
    let mut etcd = Etcd::new(settings(), objects);
    let mut bed = Testbed::new("etcd", "control-plane-0");
    bed.play(|ctx| etcd.on_event(Input::Started(Start::Fresh), ctx));
    (etcd, bed)
}

fn request(id: u32, operation: StoreOperation) -> Input<Event> {
    let request = StoreRequest {
        id,
        operation,
        require_leader: false,
        sender: Owner::named("test"),
        count: 0,
    };
    Input::Message(CLIENT, Message::Store(Box::new(request)))
}

fn put(name: &'static str, expected: u64) -> StoreOperation {
    let put = Some(Box::new(lease(name)));
    let expected = Revision(expected);
    StoreOperation::Transact { key: key(name), expected, put, by: "test", writer: 0 }
}

/// Proposes and waits for the flush; returns everything that was sent.
fn propose(
    etcd: &mut Etcd,
    bed: &mut Testbed<Event>,
    operation: StoreOperation,
) -> Vec<(ConnectionId, Message)> {
    let effects = bed.play(|ctx| etcd.on_event(request(1, operation), ctx));
    let [(delay, event)] = &crate::infra::testbed::timers(&effects)[..] else {
        panic!("a proposal waits for the disk and nothing else: {effects:?}")
    };
    assert_eq!(*delay, Duration::from_millis(5));
    sent(bed.play(|ctx| etcd.on_event(Input::Due(event.clone()), ctx)))
}

fn sent(effects: Vec<crate::infra::Effect<Event>>) -> Vec<(ConnectionId, Message)> {
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            crate::infra::Effect::Send(to, message) => Some((to, message)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_put_gets_the_next_revision_and_reaches_every_watcher_before_its_answer() {
    let (mut etcd, mut bed) = started(vec![lease("a")]);
    let watch = Input::Message(
        WATCHER,
        Message::Store(Box::new(StoreRequest {
            id: 7,
            operation: StoreOperation::Watch(None),
            require_leader: false,
            sender: Owner::default(),
            count: 0,
        })),
    );
    bed.play(|ctx| etcd.on_event(watch, ctx));
    let messages = propose(&mut etcd, &mut bed, put("b", 0));
    let [(WATCHER, Message::Committed(committed)), (CLIENT, Message::Stored(1, answer))] =
        &messages[..]
    else {
        panic!("{messages:?}")
    };
    assert_eq!(committed.revision, Revision(2));
    let StoreAnswer::Committed(object) = answer else { panic!("{answer:?}") };
    assert_eq!(object.meta.resource_version, Revision(2));
}

#[test]
fn a_put_on_a_revision_that_has_passed_is_refused_with_the_object_as_it_is() {
    let (mut etcd, mut bed) = started(vec![lease("a")]);
    let messages = propose(&mut etcd, &mut bed, put("a", 7));
    let [(CLIENT, Message::Stored(1, StoreAnswer::Conflict(Some(object))))] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert_eq!(object.meta.resource_version, Revision(1));
    assert_eq!(etcd.store().revision(), Revision(1), "nothing was committed");
}

#[test]
fn what_was_not_on_disk_when_the_process_died_was_never_committed() {
    let (mut etcd, mut bed) = started(vec![lease("a")]);
    let effects = bed.play(|ctx| etcd.on_event(request(1, put("b", 0)), ctx));
    let (_, flushed) = crate::infra::testbed::timers(&effects).remove(0);
    bed.play(|ctx| etcd.on_event(Input::Started(Start::Fresh), ctx));
    let effects = bed.play(|ctx| etcd.on_event(Input::Due(flushed), ctx));
    assert!(effects.is_empty());
    assert!(etcd.store().get(&key("b")).is_none());
    assert!(etcd.store().get(&key("a")).is_some(), "what was committed survives the process");
}

#[test]
fn a_watch_resumes_over_history_and_is_refused_once_that_is_compacted() {
    let (mut etcd, mut bed) = started(vec![lease("a")]);
    propose(&mut etcd, &mut bed, put("b", 0));
    propose(&mut etcd, &mut bed, put("c", 0));
    let watch = |after| request(2, StoreOperation::Watch(Some(Revision(after))));
    let messages = sent(bed.play(|ctx| etcd.on_event(watch(2), ctx)));
    assert!(matches!(messages[0].1, Message::Stored(2, StoreAnswer::Watching(Revision(2)))));
    assert_eq!(messages.len(), 2, "only what came after revision 2");
    // Each compaction forgets what was there at the one before.
    for _ in 0..2 {
        bed.play(|ctx| etcd.on_event(Input::Tick(COMPACTION), ctx));
    }
    let messages = sent(bed.play(|ctx| etcd.on_event(watch(2), ctx)));
    let [(_, Message::Stored(2, StoreAnswer::Compacted(Revision(3))))] = &messages[..] else {
        panic!("{messages:?}")
    };
}
