//! A full disk: whom a kubelet ends, whom it lets in, and what it says of them.

use super::eviction::PASS;
use super::tests::{container, kubelet, node, pod, started_as};
use super::*;
use crate::api::kinds::{PodPhase, PodTemplate, Status};
use crate::api::{Answer, Object, WatchKind};
use crate::client::testing::Bench;
use crate::infra::Effect;
use std::sync::Arc;

fn named(name: &'static str, number: u64) -> Object {
    pod(|object| {
        object.meta.key.name = Text::word(name);
        object.meta.uid = Uid(number);
    })
}

fn critical(name: &'static str, number: u64) -> Object {
    let mut object = named(name, number);
    let template = PodTemplate { is_critical: true, ..PodTemplate::default() };
    object.pod_mut().expect("a Pod").template = Arc::new(template);
    object
}

fn without_pods() -> Bench<Kubelet, Event> {
    let mut bench = started_as(kubelet(), Start::Steady, &[]);
    bench.list(&[]);
    bench
}

/// A kubelet with these Pods, which run, and a disk that gets full.
fn full(pods: &[Object]) -> Bench<Kubelet, Event> {
    let mut bench = without_pods();
    for object in pods {
        bench.bed.vm.containers.insert(object.meta.uid, container(false));
        bench.shows(WatchKind::Added, object.clone());
        let written = bench.grant(&format!("patch Pod/{}", object.name()));
        bench.shows(WatchKind::Modified, Object::clone(&written));
    }
    bench.bed.vm.disk.is_full = true;
    bench
}

/// The Pods whose containers are told to end, and after how many milliseconds they have.
fn stopped(effects: &[Effect<Event>]) -> Vec<(u64, u64)> {
    let stop = |effect: &Effect<Event>| match effect {
        Effect::StopContainer(uid, _, delay) => Some((uid.0, delay.as_micros() / 1000)),
        _ => None,
    };
    effects.iter().filter_map(stop).collect()
}

/// The Events that were recorded, and are taken.
fn events(bench: &mut Bench<Kubelet, Event>) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(what) = bench.waiting().into_iter().find(|words| words.contains(" Event/")) {
        let object = bench.grant(&what);
        let event = object.event().expect("an Event");
        words.push(format!("{} {}: {}", event.regarding, event.reason, event.message));
    }
    words
}

fn ends(bench: &mut Bench<Kubelet, Event>, number: u64) -> Vec<Effect<Event>> {
    bench.bed.vm.containers.remove(&Uid(number));
    bench.play(Input::Container(Uid(number), false))
}

/// The look that comes a second after a Pod's containers have ended.
fn look(bench: &mut Bench<Kubelet, Event>) -> Vec<Effect<Event>> {
    let is_look = |event: &Event| matches!(event, Event::LookAtEvicted(_));
    let at = bench.timers.iter().position(|(_, event)| is_look(event)).expect("it looks");
    let (pause, event) = bench.timers.remove(at);
    assert_eq!(pause, Duration::from_secs(1));
    bench.bed.pass(pause);
    bench.play(Input::Due(event))
}

#[test]
fn a_full_disk_ends_one_pod_in_each_pass_until_only_critical_ones_are_left() {
    let mut bench = full(&[critical("dns", 7), named("web", 5), named("api", 6)]);
    let first = stopped(&bench.play(Input::Tick(PASS)));
    let [(one, 1000)] = first[..] else { panic!("it has a second: {first:?}") };
    let (one, other) = if one == 5 { (("web", 5), ("api", 6)) } else { (("api", 6), ("web", 5)) };
    let low = "Evicted: The node was low on resource: ephemeral-storage. ";
    let met = "Node/w EvictionThresholdMet: Attempting to reclaim ephemeral-storage";
    assert_eq!(events(&mut bench), [met.to_owned(), format!("Pod/{} {low}", one.0)]);
    assert!(bench.play(Input::Tick(PASS)).is_empty(), "it waits for the first");
    let running = bench.waiting();
    assert!(
        !running.iter().any(|words| words.contains("Pod/")),
        "nothing is said yet: {running:?}"
    );
    ends(&mut bench, one.1);
    let failed = bench.grant(&format!("patch Pod/{}", one.0));
    let body = failed.pod().expect("a Pod");
    assert_eq!((body.phase, body.reason.as_str()), (PodPhase::Failed, "Evicted"));
    assert_eq!(body.message, "The node was low on resource: ephemeral-storage. ");
    let target = body.conditions.get("DisruptionTarget").expect("said");
    assert_eq!((target.status, target.reason.as_str()), (Status::True, "TerminationByKubelet"));
    assert!(!body.is_ready());
    bench.shows(WatchKind::Modified, Object::clone(&failed));
    assert_eq!(stopped(&look(&mut bench)), [(other.1, 1000)], "the next pass is at once");
    ends(&mut bench, other.1);
    bench.grant(&format!("patch Pod/{}", other.0));
    assert!(stopped(&look(&mut bench)).is_empty());
    assert!(stopped(&bench.play(Input::Tick(PASS))).is_empty(), "who is critical stays");
}

#[test]
fn an_end_that_is_heard_twice_makes_room_for_one_pass() {
    let mut bench = full(&[named("web", 5), named("api", 6), named("db", 8)]);
    let first = stopped(&bench.play(Input::Tick(PASS)));
    let [(one, _)] = first[..] else { panic!("one in each pass: {first:?}") };
    ends(&mut bench, one);
    ends(&mut bench, one);
    let next = stopped(&look(&mut bench));
    assert_eq!(next.len(), 1, "{next:?}");
    // The second look is at a Pod that is no longer waited for.
    let looks = |(_, event): &(Duration, Event)| matches!(event, Event::LookAtEvicted(_));
    if bench.timers.iter().any(looks) {
        assert_eq!(stopped(&look(&mut bench)), [], "the next one has not ended yet");
    }
}

#[test]
fn before_1_31_an_evicted_pod_has_its_own_grace_period() {
    for (release, takes) in [(ForcedGrace::Least, 1000), (ForcedGrace::Own, 2000)] {
        let mut bench = full(&[named("web", 5)]);
        bench.component.settings.forced_grace = release;
        assert_eq!(stopped(&bench.play(Input::Tick(PASS))), [(5, takes)], "{release:?}");
    }
}

#[test]
fn under_pressure_no_pod_is_let_in_that_is_not_critical() {
    let mut bench = full(&[]);
    bench.play(Input::Tick(PASS));
    events(&mut bench);
    bench.shows(WatchKind::Added, named("web", 5));
    let condition = "The node had condition: [DiskPressure]. ";
    assert_eq!(events(&mut bench), [format!("Pod/web Evicted: {condition}")]);
    let refused = bench.grant("patch Pod/web");
    let body = refused.pod().expect("a Pod");
    assert_eq!((body.phase, body.reason.as_str()), (PodPhase::Failed, "Evicted"));
    assert_eq!(body.message.as_str(), format!("Pod was rejected: {condition}"));
    assert!(body.conditions.get("DisruptionTarget").is_none());
    bench.shows(WatchKind::Added, critical("dns", 7));
    let starts = |(_, event): &(Duration, Event)| matches!(event, Event::StartPod(_));
    assert_eq!(bench.timers.iter().filter(|timer| starts(timer)).count(), 1);
}

#[test]
fn a_pod_that_has_not_begun_is_ended_at_once() {
    let mut bench = without_pods();
    bench.shows(WatchKind::Added, named("web", 5));
    bench.bed.vm.disk.is_full = true;
    bench.play(Input::Tick(PASS));
    assert_eq!(bench.grant("patch Pod/web").pod().expect("a Pod").reason, "Evicted");
    let start = Event::StartPod(pod(|_| {}).key().clone());
    let effects = bench.play(Input::Due(start));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::StartContainer(..))));
}

/// What the Node is said to be in the next report, if there is one.
fn says(bench: &mut Bench<Kubelet, Event>, known: Status) -> Option<Status> {
    bench.play(Input::Tick(STATUS));
    let at = bench.waiting().iter().position(|words| words == "get Node/w").expect("it reads");
    let (connection, request) = bench.asked.remove(at);
    let mut shown = node(true);
    let body = shown.node_mut().expect("a Node");
    let [kind, blank] = [Text::word("DiskPressure"), Text::EMPTY];
    let said = crate::api::kinds::Condition::new(kind, known, blank, "", SimTime::ZERO);
    body.conditions.set(said);
    bench.answer(connection, request.id, Ok(Answer::Object(Arc::new(shown))));
    let reports = bench.waiting().iter().any(|words| words == "patch Node/w");
    let written = reports.then(|| bench.grant("patch Node/w"))?;
    written.node()?.conditions.status("DiskPressure")
}

#[test]
fn the_pressure_is_that_of_the_last_pass_and_outlasts_the_full_disk_by_five_minutes() {
    let mut bench = full(&[]);
    let get = "get Node/w";
    if bench.waiting().iter().any(|words| words == get) {
        let at = bench.waiting().iter().position(|words| words == get).expect("there");
        let (connection, request) = bench.asked.remove(at);
        bench.answer(connection, request.id, Ok(Answer::Object(Arc::new(node(true)))));
    }
    assert_ne!(says(&mut bench, Status::False), Some(Status::True), "no pass has seen it");
    bench.play(Input::Tick(PASS));
    assert_eq!(says(&mut bench, Status::False), Some(Status::True));
    bench.bed.vm.disk.is_full = false;
    bench.bed.pass(Duration::from_secs(299));
    assert!(stopped(&bench.play(Input::Tick(PASS))).is_empty());
    assert_ne!(says(&mut bench, Status::True), Some(Status::False));
    bench.bed.pass(Duration::from_secs(1));
    assert_ne!(says(&mut bench, Status::True), Some(Status::False), "no pass has seen it");
    bench.play(Input::Tick(PASS));
    assert_eq!(says(&mut bench, Status::True), Some(Status::False));
}

#[test]
fn a_kubelet_that_starts_on_a_full_disk_knows_it_before_its_first_pod() {
    let mut bench = started_as(kubelet(), Start::Fresh, &[]);
    bench.bed.vm.disk.is_full = true;
    bench.asked.clear();
    bench.play(Input::Started(Start::Fresh));
    let create = bench.waiting().iter().position(|words| words == "create Node/w");
    let (_, request) = bench.asked[create.expect("it registers")].clone();
    let crate::api::Verb::Create(object) = request.verb else { panic!("a creation") };
    assert!(object.node().expect("a Node").conditions.is("DiskPressure", Status::True));
}
