//! Volumes: who gets one, who has to give it back, and what a lost Node is granted.

use super::tests::{Manager, manager, node, pod, settings};
use super::*;
use crate::api::kinds::{
    PersistentVolumeClaim, PodPhase, PodTemplate, Status, Taint, TaintEffect, VolumeAttachment,
    VolumeSource, taint,
};
use crate::api::{ApiError, Deletion, Meta, Object, Reason, WatchKind};
use crate::client::testing::words;
use crate::engine::SimTime;
use std::sync::Arc;

const VOLUME: Text = Text::word("pvc-data-db-0");

/// The Pod `db-0` on a Node, with its claim's volume.
fn db(on: &'static str) -> Object {
    let mut object = pod("db-0", on);
    let body = object.pod_mut().expect("a Pod");
    let volume = Some(VolumeSource::PerPod);
    body.template = Arc::new(PodTemplate { volume, ..PodTemplate::default() });
    object
}

fn claim() -> Object {
    let meta = Meta::new(Kind::PersistentVolumeClaim, "default", "data-db-0");
    Object::new(meta, PersistentVolumeClaim { volume_name: VOLUME })
}

fn attached(to: &'static str) -> Object {
    let meta = Meta::new(Kind::VolumeAttachment, "", format!("csi-{VOLUME}-{to}"));
    let node_name = Text::word(to);
    Object::new(meta, VolumeAttachment { node_name, volume_name: VOLUME, attached: true })
}

/// A Node that says that it uses the volume, or does not.
fn host(name: &'static str, uses: bool, change: impl FnOnce(&mut Object)) -> Object {
    let mut object = node(name);
    let body = object.node_mut().expect("a Node");
    body.volumes_attached.0.insert(VOLUME);
    if uses {
        body.volumes_in_use.0.insert(VOLUME);
    }
    change(&mut object);
    object
}

fn unknown(object: &mut Object) {
    let conditions = &mut object.node_mut().expect("a Node").conditions;
    conditions.set(crate::api::kinds::Condition::new(
        "Ready",
        Status::Unknown,
        "",
        "",
        SimTime::ZERO,
    ));
}

/// Lets some passes of the loop go by.
fn passes(bench: &mut Manager, length: Duration) {
    bench.pass(length);
    for _ in 0..3 {
        bench.pass(Duration::from_millis(100));
    }
}

fn asks(bench: &Manager, what: &str) -> bool {
    bench.waiting().iter().any(|waiting| waiting.starts_with(what))
}

/// True if the volume is being taken out of the status of the Node `a`; the taints that its
/// health asks for are another controller's.
fn detaches(bench: &Manager) -> bool {
    let mine = bench.asked.iter().filter(|(_, request)| request.agent == "attachdetach-controller");
    mine.map(|(_, request)| words(request)).any(|(what, object)| {
        let node = object.as_ref().and_then(|object| object.node());
        what == "patch Node/a" && node.is_some_and(|node| node.volumes_attached.0.is_empty())
    })
}

fn second() -> Duration {
    Duration::from_secs(1)
}

#[test]
fn a_volume_is_attached_where_its_pod_is_and_the_node_is_told() {
    let mut bench = manager(settings(), &[node("a"), db("a"), claim()]);
    passes(&mut bench, Duration::ZERO);
    let created = bench.grant("create VolumeAttachment/csi-pvc-data-db-0-a");
    assert!(created.volume_attachment().is_some_and(|body| !body.attached));
    bench.shows(WatchKind::Added, Object::clone(&created));
    bench.pass(second());
    assert!(!asks(&bench, "patch VolumeAttachment"), "the attacher takes two seconds");
    bench.pass(second());
    let done = bench.grant("patch VolumeAttachment/csi-pvc-data-db-0-a");
    assert!(done.volume_attachment().is_some_and(|body| body.attached));
    let event = bench.writes().into_iter().find(|(words, _)| words.starts_with("create Event/"));
    let event = event.and_then(|(_, object)| object).expect("its Pod is told");
    let message = &event.event().expect("an Event").message;
    assert_eq!(message, "AttachVolume.Attach succeeded for volume \"pvc-data-db-0\"");
    bench.shows(WatchKind::Modified, Object::clone(&done));
    passes(&mut bench, Duration::ZERO);
    let told = bench.grant("patch Node/a");
    assert!(told.node().expect("a Node").volumes_attached.0.contains(&VOLUME));
}

#[test]
fn a_volume_that_nobody_wants_goes_once_its_node_has_unmounted_it() {
    let mut bench = manager(settings(), &[host("a", true, |_| {}), claim(), attached("a")]);
    passes(&mut bench, second() * 600);
    assert!(!detaches(&bench), "a Node that is well is waited for without end");
    bench.shows(WatchKind::Modified, host("a", false, |_| {}));
    passes(&mut bench, Duration::ZERO);
    let told = bench.grant("patch Node/a");
    assert!(told.node().expect("a Node").volumes_attached.0.is_empty());
    bench.pass(second() * 3);
    assert!(asks(&bench, "delete VolumeAttachment/csi-pvc-data-db-0-a"), "{:?}", bench.waiting());
}

#[test]
fn a_node_that_is_not_ready_is_waited_for_six_minutes() {
    let mut bench = manager(settings(), &[host("a", true, unknown), claim(), attached("a")]);
    passes(&mut bench, Duration::ZERO);
    passes(&mut bench, second() * 359);
    assert!(!detaches(&bench));
    passes(&mut bench, second());
    assert!(detaches(&bench), "{:?}", bench.waiting());
}

/// A volume of a Node that nobody can write to is waited for; then its attachment goes.
fn waits_six_minutes(bench: &mut Manager) {
    passes(bench, Duration::ZERO);
    passes(bench, second() * 359);
    assert!(bench.timers.iter().all(|(_, event)| !matches!(event, Event::VolumeDetached(_))));
    passes(bench, second());
    bench.pass(second() * 3);
    assert!(asks(bench, "delete VolumeAttachment"), "{:?}", bench.waiting());
}

#[test]
fn so_is_one_that_is_gone() {
    let mut bench = manager(settings(), &[host("a", true, unknown), claim(), attached("a")]);
    bench.shows(WatchKind::Deleted, host("a", true, unknown));
    waits_six_minutes(&mut bench);
}

#[test]
fn a_manager_that_never_heard_of_the_node_waits_as_long() {
    let mut bench = manager(settings(), &[claim(), attached("a")]);
    waits_six_minutes(&mut bench);
}

#[test]
fn one_that_is_out_of_service_is_not_waited_for() {
    for effect in [TaintEffect::NoExecute, TaintEffect::NoSchedule] {
        let out = |object: &mut Object| {
            unknown(object);
            let taint = Taint::new(taint::OUT_OF_SERVICE, effect, None);
            object.node_mut().expect("a Node").taints.push(taint);
        };
        let mut bench = manager(settings(), &[host("a", true, out), claim(), attached("a")]);
        passes(&mut bench, Duration::ZERO);
        assert!(detaches(&bench), "{effect:?}: {:?}", bench.waiting());
    }
}

#[test]
fn without_the_nodes_status_nothing_is_detached() {
    let mut bench = manager(settings(), &[host("a", false, |_| {}), claim(), attached("a")]);
    for _ in 0..2 {
        passes(&mut bench, Duration::ZERO);
        let at = bench.waiting().iter().position(|waiting| waiting == "patch Node/a");
        let (connection, request) = bench.asked.remove(at.expect("the withdrawal"));
        bench.answer(connection, request.id, Err(ApiError::new(Reason::InternalError, "no")));
        bench.pass(second() * 10);
        assert!(!asks(&bench, "delete VolumeAttachment"), "{:?}", bench.waiting());
    }
}

#[test]
fn an_attachment_that_was_begun_before_is_brought_to_its_end() {
    let mut begun = attached("a");
    begun.volume_attachment_mut().expect("an attachment").attached = false;
    let mut bench = manager(settings(), &[node("a"), db("a"), claim(), begun]);
    passes(&mut bench, Duration::ZERO);
    bench.pass(second() * 2);
    let done = bench.grant("patch VolumeAttachment/csi-pvc-data-db-0-a");
    assert!(done.volume_attachment().is_some_and(|body| body.attached));
}

#[test]
fn a_pod_that_goes_before_it_ran_wants_no_volume() {
    let mut bound = db("a");
    bound.pod_mut().expect("a Pod").phase = PodPhase::Pending;
    bound.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: second() * 30 });
    let mut bench =
        manager(settings(), &[host("a", false, unknown), bound, claim(), attached("a")]);
    passes(&mut bench, Duration::ZERO);
    assert!(detaches(&bench), "{:?}", bench.waiting());
}

#[test]
fn while_its_pod_exists_a_volume_stays_even_on_a_lost_node() {
    let objects = [host("a", true, unknown), db("a"), claim(), attached("a")];
    let mut bench = manager(settings(), &objects);
    passes(&mut bench, second() * 1000);
    assert!(!detaches(&bench) && !asks(&bench, "delete VolumeAttachment"));
}

#[test]
fn a_pod_whose_volume_is_elsewhere_is_told_so_once() {
    let said = |others: Vec<Object>| {
        let mut objects = vec![host("a", true, unknown), node("b"), claim(), attached("a")];
        objects.push(db("b"));
        objects.extend(others);
        let mut bench = manager(settings(), &objects);
        passes(&mut bench, Duration::ZERO);
        passes(&mut bench, second());
        let events = bench.writes().into_iter().filter_map(|(_, object)| object);
        let of = |object: Arc<Object>| {
            let event = object.event().filter(|event| event.reason == "FailedAttachVolume")?;
            Some(event.message.to_string())
        };
        events.filter_map(of).collect::<Vec<String>>()
    };
    let gone = "Multi-Attach error for volume \"pvc-data-db-0\" Volume is already exclusively \
                attached to one node and can't be attached to another";
    assert_eq!(said(Vec::new()), [gone]);
    let mut still_there = db("a");
    still_there.meta.key.name = Text::word("old");
    let body = still_there.pod_mut().expect("a Pod");
    let volume = Some(VolumeSource::Claim(Text::word("data-db-0")));
    body.template = Arc::new(PodTemplate { volume, ..PodTemplate::default() });
    let used =
        "Multi-Attach error for volume \"pvc-data-db-0\" Volume is already used by pod(s) old";
    assert_eq!(said(vec![still_there]), [used]);
}
