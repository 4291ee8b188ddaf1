//! Mirror Pods.

use super::mirror::{mirror_pod, show_running};
use super::static_pods_tests::{ETCD, Kubelets, manifest, with};
use super::tests::node;
use super::*;
use crate::api::kinds::{PodPhase, Status};
use crate::api::{Answer, ApiError, Deletion, Object, Reason, Uid, Verb, WatchKind};
use std::sync::Arc;

/// The mirror Pod as an API server has it.
fn shown() -> Object {
    let mut node = node(true);
    node.meta.uid = Uid(3);
    let mut object = mirror_pod(&manifest(vec![]), &node.meta);
    show_running(object.pod_mut().expect("a Pod"), SimTime::ZERO);
    object.meta.uid = Uid(9);
    object
}

/// A kubelet of a Node that the API server knows, whose container has long been running.
fn known(pods: &[Object]) -> Kubelets {
    let mut bench = with(Start::Steady, true, vec![]);
    let at = bench.waiting().iter().position(|words| words == "get Node/w").expect("it reads");
    let (connection, request) = bench.asked.remove(at);
    let mut node = node(true);
    node.meta.uid = Uid(3);
    bench.answer(connection, request.id, Ok(Answer::Object(Arc::new(node))));
    bench.list(pods);
    bench
}

fn words(bench: &mut Kubelets) -> Vec<String> {
    bench.writes().into_iter().map(|(words, _)| words).collect()
}

#[test]
fn what_is_shown_as_it_is_is_left_alone() {
    assert_eq!(words(&mut known(&[shown()])), Vec::<String>::new());
}

#[test]
fn one_that_is_missing_is_made_and_then_shows_what_runs() {
    let mut bench = known(&[]);
    let object = bench.grant("create Pod/etcd-w");
    assert!(object.meta.is_mirror());
    let owner = object.meta.controller().expect("its Node");
    assert_eq!((owner.kind, owner.uid), (Kind::Node, Uid(3)));
    let pod = object.pod().expect("a Pod");
    assert_eq!((pod.phase, pod.node_name.as_str()), (PodPhase::Pending, "w"));
    bench.shows(WatchKind::Added, Object::clone(&object));
    let object = bench.grant("patch Pod/etcd-w");
    let pod = object.pod().expect("a Pod");
    assert!(pod.phase == PodPhase::Running && pod.is_ready());
}

#[test]
fn one_whose_watch_overtakes_the_answer_to_its_creation_shows_what_runs() {
    let mut bench = known(&[]);
    let at = bench.waiting().iter().position(|words| words == "create Pod/etcd-w");
    let (connection, request) = bench.asked.remove(at.expect("it is made"));
    let Verb::Create(object) = &request.verb else { panic!("{request:?}") };
    bench.shows(WatchKind::Added, Object::clone(object));
    bench.answer(connection, request.id, Ok(Answer::Object(object.clone())));
    let object = bench.grant("patch Pod/etcd-w");
    assert_eq!(object.pod().expect("a Pod").phase, PodPhase::Running);
}

#[test]
fn one_whose_end_is_told_before_its_deletion_is_answered_is_made_again() {
    let mut bench = known(&[shown()]);
    let mut dying = shown();
    dying.meta.deletion = Some(Deletion { at: bench.bed.now, grace: Duration::ZERO });
    bench.shows(WatchKind::Modified, dying.clone());
    let at = bench.waiting().iter().position(|words| words == "delete Pod/etcd-w");
    let (connection, request) = bench.asked.remove(at.expect("it is ended"));
    bench.shows(WatchKind::Deleted, dying.clone());
    bench.answer(connection, request.id, Err(ApiError::not_found(dying.key())));
    assert!(words(&mut bench).contains(&"create Pod/etcd-w".to_owned()));
}

#[test]
fn without_its_node_a_kubelet_makes_none() {
    let mut bench = known(&[shown()]);
    bench.play(Input::Tick(STATUS));
    for _ in 0..5 {
        let at = bench.waiting().iter().position(|words| words == "get Node/w");
        let Some(at) = at else { break };
        let (connection, request) = bench.asked.remove(at);
        let gone = ApiError::not_found(&bench.component.node_key());
        bench.answer(connection, request.id, Err(gone));
    }
    bench.writes();
    bench.shows(WatchKind::Deleted, shown());
    assert_eq!(words(&mut bench), Vec::<String>::new());
}

#[test]
fn one_that_somebody_deletes_is_ended_and_made_again() {
    let mut bench = known(&[shown()]);
    let mut dying = shown();
    let (at, grace) = (SimTime::ZERO, Duration::from_secs(30));
    dying.meta.deletion = Some(Deletion { at, grace });
    bench.shows(WatchKind::Modified, dying.clone());
    assert_eq!(bench.waiting().last().map(String::as_str), Some("delete Pod/etcd-w"));
    let (connection, request) = bench.asked.pop().expect("just seen");
    assert!(matches!(request.verb, Verb::Delete { grace: Some(Duration::ZERO), .. }));
    bench.answer(connection, request.id, Ok(Answer::Done));
    bench.shows(WatchKind::Deleted, dying);
    bench.grant("create Pod/etcd-w");
    assert!(bench.bed.vm.programs[&ETCD].running_since.is_some(), "what it shows runs on");
}

#[test]
fn what_others_wrote_is_put_right_in_the_next_round() {
    let mut bench = known(&[shown()]);
    let mut wrong = shown();
    let condition = crate::api::kinds::Condition::new(
        Text::word("Ready"),
        Status::False,
        "",
        "",
        SimTime::ZERO,
    );
    wrong.pod_mut().expect("a Pod").conditions.say(condition);
    bench.shows(WatchKind::Modified, wrong);
    assert_eq!(words(&mut bench), Vec::<String>::new());
    bench.pass(Duration::from_secs(10));
    assert!(words(&mut bench).contains(&"patch Pod/etcd-w".to_owned()));
}

#[test]
fn a_kubelet_that_restarts_shows_its_pod_unready_once_its_startup_probe_begins() {
    let startup = super::static_pods_tests::spec(ProbeKind::Startup, 10, 24);
    let mut bench = with(Start::Fresh, true, vec![startup]);
    bench.list(&[shown()]);
    assert!(!bench.waiting().contains(&"patch Pod/etcd-w".to_owned()), "it is shown as it was");
    bench.play(Input::Tick(ActivityId(8)));
    let object = bench.grant("patch Pod/etcd-w");
    let ready = object.pod().expect("a Pod").conditions.get("Ready").expect("said");
    assert_eq!((ready.status, ready.reason.as_str()), (Status::False, "ContainersNotReady"));
}

#[test]
fn one_without_a_static_pod_is_deleted() {
    let mut other = shown();
    other.meta.key.name = Text::word("old-w");
    let mut bench = known(&[shown(), other]);
    assert_eq!(words(&mut bench), ["delete Pod/old-w"]);
}

#[test]
fn a_pod_of_that_name_that_is_no_mirror_is_let_be() {
    let mut own = shown();
    own.meta.annotations = crate::api::Labels::default();
    let mut bench = known(&[own]);
    let created = words(&mut bench);
    assert!(created.iter().all(|words| !words.starts_with("delete")), "{created:?}");
}

#[test]
fn what_could_not_be_written_is_tried_again() {
    let mut bench = known(&[]);
    let refuse = |bench: &mut Kubelets, what: &str| {
        let at = bench.waiting().iter().position(|words| words == what).expect(what);
        let (connection, request) = bench.asked.remove(at);
        let error = ApiError::new(Reason::InternalError, "no");
        bench.answer(connection, request.id, Err(error));
    };
    refuse(&mut bench, "create Pod/etcd-w");
    assert!(!bench.waiting().contains(&"create Pod/etcd-w".to_owned()));
    bench.pass(Duration::from_secs(60));
    bench.grant("create Pod/etcd-w");
    let mut pending = shown();
    pending.pod_mut().expect("a Pod").phase = PodPhase::Pending;
    bench.shows(WatchKind::Added, pending);
    refuse(&mut bench, "patch Pod/etcd-w");
    bench.pass(Duration::from_secs(10));
    bench.grant("patch Pod/etcd-w");
}

#[test]
fn a_container_that_waits_shows_why_and_how_often_it_was_restarted() {
    let mut bench = known(&[shown()]);
    bench.bed.pass(Duration::from_secs(1000));
    let mut last = None;
    for _ in 0..2 {
        bench.bed.vm.programs.get_mut(&ETCD).expect("there").end(bench.bed.now);
        bench.play(Input::ProgramEnded(ETCD));
        for _ in 0..3 {
            bench.pass(Duration::from_millis(1100));
            let now = bench.bed.now;
            let starting =
                bench.component.statics.get(&ETCD).map(|pod| pod.stage) == Some(running_at(now));
            if starting {
                bench.bed.vm.programs.get_mut(&ETCD).expect("there").begin(now);
            }
            while bench.waiting().contains(&"patch Pod/etcd-w".to_owned()) {
                let object = bench.grant("patch Pod/etcd-w");
                last = Some(object.clone());
                bench.shows(WatchKind::Modified, Object::clone(&object));
            }
        }
    }
    let object = last.expect("it was written");
    let pod = object.pod().expect("a Pod");
    assert_eq!((pod.phase, pod.restarts, pod.is_ready()), (PodPhase::Running, 1, false));
    assert_eq!(pod.waiting, "CrashLoopBackOff");
    let ended = bench.bed.vm.programs[&ETCD].ended;
    assert_eq!(pod.last_ended, ended, "its last state is how it ended last");
}

fn running_at(since: SimTime) -> super::static_pods::Stage {
    super::static_pods::Stage::Running { since }
}
