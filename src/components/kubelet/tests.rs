//! Heartbeats, registration and Pods.

use super::*;
use crate::api::kinds::{Lease, Pod, PodPhase, PodTemplate, Status, TaintEffect, taint};
use crate::api::{Answer, ApiError, Deletion, Meta, Object, Reason, Uid, Verb, WatchKind};
use crate::client::testing::Bench;
use crate::engine::SimTime;
use crate::infra::testbed::{Testbed, logs};
use crate::infra::{Effect, EndpointId};
use std::sync::Arc;

pub(super) fn settings() -> Settings {
    let (secs, millis) = (Duration::from_secs, Duration::from_millis);
    let fixed = |length| Delay::fixed(millis(length));
    Settings {
        client: ClientSettings {
            request_timeout: secs(60),
            retries: crate::client::testing::RETRIES,
            relist_first: secs(1),
            relist_limit: secs(30),
            relist_jitter_percent: 0,
            relist_reset: Duration::from_secs(120),
            recorder: crate::client::testing::RECORDER,
        },
        heartbeat_timeout: secs(10),
        lease_duration: secs(40),
        lease_renewal: secs(10),
        lease_jitter_percent: 4,
        lease_retries: 5,
        lease_backoff_first: millis(200),
        lease_backoff_limit: secs(7),
        status_period: secs(10),
        status_jitter_percent: 4,
        status_report: secs(300),
        status_report_jitter_percent: 0,
        eviction: EvictionSettings {
            period: secs(10),
            transition: secs(300),
            cleanup_period: secs(1),
            cleanup_limit: secs(30),
        },
        status_retries: 5,
        registration_first: millis(100),
        registration_limit: secs(7),
        start: fixed(0),
        storage: storage::Settings {
            lead: fixed(0),
            within: storage::Pauses { first: millis(10), factor: 5, tries: 4 },
            between: storage::Pauses { first: millis(15), factor: 6, tries: 6 },
            jitter_percent: 0,
            look_period: millis(100),
        },
        cloud_provider: CloudProvider::None,
        provider_prefix: Text::word("vsphere://"),
        version: Text::word("v1.34.4"),
        resources: Resources { cpu_millis: 4000, memory_mib: 8192, pods: 110 },
        pod_sync: fixed(10),
        images: super::images_tests::settings(),
        container_start: fixed(500),
        container_stop: fixed(2000),
        forced_grace: ForcedGrace::Least,
        pod_status_retry: secs(10),
        pod_status_sync: secs(10),
        status_reads: StatusReads::Server,
        pleg_threshold: secs(180),
        runtime_check: fixed(0),
        pleg_period: secs(1),
        pleg_relist: Delay { low: Duration::from_millis(1), high: Duration::from_millis(20) },
        volumes: VolumeSettings {
            pass_period: millis(100),
            retry_first: millis(500),
            retry_limit: secs(122),
            mount: fixed(1000),
            unmount: fixed(1000),
        },
        static_pods: super::static_pods_tests::settings(),
    }
}

pub(super) fn kubelet() -> Kubelet {
    Kubelet::new(settings(), Address::Endpoint(EndpointId(1)), Text::word("w"))
}

/// A kubelet with its configuration on the disk, and the Pods that it finds.
fn started(start: Start, pods: &[Object]) -> Bench<Kubelet, Event> {
    started_as(kubelet(), start, pods)
}

pub(super) fn started_as(kubelet: Kubelet, start: Start, pods: &[Object]) -> Bench<Kubelet, Event> {
    // The configuration is written before the start by a start without it.
    let mut bench = Bench::started(kubelet, "kubelet", Kubelet::on_event, Start::Fresh, pods);
    bench.bed.vm.disk.write(CONFIG, "kind: KubeletConfiguration");
    bench.asked.clear();
    bench.play(Input::Started(start));
    bench
}

#[test]
fn without_its_configuration_it_says_so_and_exits() {
    let mut kubelet = kubelet();
    let mut bed = Testbed::new("kubelet", "w");
    let effects = bed.play(|ctx| kubelet.on_event(Input::Started(Start::Fresh), ctx));
    assert!(matches!(effects.last(), Some(Effect::Exit)));
    let line = &logs(&effects)[0];
    assert!(line.contains("failed to load kubelet config file"), "{line}");
    assert!(line.contains("/var/lib/kubelet/config.yaml: no such file or directory"), "{line}");
}

#[test]
fn heartbeats_and_what_it_watches_have_one_connection() {
    let mut bench = started(Start::Fresh, &[]);
    bench.play(Input::Tick(LEASE));
    let verbs: Vec<&str> = bench.asked.iter().map(|(_, request)| request.verb.name()).collect();
    assert!(verbs.contains(&"get") && verbs.contains(&"list"), "{verbs:?}");
    let first = bench.asked[0].0;
    assert!(bench.asked.iter().all(|(connection, _)| *connection == first));
}

#[test]
fn a_new_node_is_registered_unready_and_tainted() {
    let bench = started(Start::Fresh, &[]);
    let create = bench.asked.iter().find_map(|(_, request)| match &request.verb {
        Verb::Create(object) => Some(object.clone()),
        _ => None,
    });
    let object = create.expect("a registration");
    let node = object.node().expect("a Node");
    let ready = node.conditions.get("Ready").expect("there");
    assert_eq!((ready.status, ready.reason.as_str()), (Status::False, "KubeletNotReady"));
    assert_eq!(ready.message, "CSINode is not yet initialized");
    assert!(node.has_taint(taint::NOT_READY, TaintEffect::NoSchedule));
}

#[test]
fn with_an_external_cloud_provider_it_does_not_say_which_machine_it_is() {
    for (cloud_provider, is_external) in
        [(CloudProvider::None, false), (CloudProvider::External, true)]
    {
        let kubelet = Kubelet { settings: Settings { cloud_provider, ..settings() }, ..kubelet() };
        let bench = started_as(kubelet, Start::Fresh, &[]);
        let registered = bench.asked.iter().find_map(|(_, request)| match &request.verb {
            Verb::Create(object) => object.node().cloned(),
            _ => None,
        });
        let node = registered.expect("a registration");
        assert_eq!(node.provider_id.is_empty(), is_external);
        assert_eq!(node.has_taint(taint::UNINITIALIZED, TaintEffect::NoSchedule), is_external);
    }
}

#[test]
fn registration_is_tried_again_with_growing_pauses() {
    let mut bench = started(Start::Fresh, &[]);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let at = bench.waiting().iter().position(|words| words == "create Node/w");
        let (connection, request) = bench.asked.remove(at.expect("it registers"));
        bench.timers.clear();
        let error = ApiError::new(Reason::InternalError, "no");
        bench.answer(connection, request.id, Err(error));
        let (pause, _) = bench.timers[0].clone();
        pauses.push(pause.as_micros() / 1000);
        bench.pass(pause);
    }
    assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 7000]);
}

fn lease(renewed: u64) -> Object {
    let renewed = SimTime::ZERO + Duration::from_secs(renewed);
    let meta = Meta::new(Kind::Lease, "kube-node-lease", "w");
    Object::new(meta, Lease { renewed, ..Lease::default() })
}

/// A kubelet that has looked its Lease up and renewed it.
fn with_lease() -> Bench<Kubelet, Event> {
    let mut bench = started(Start::Steady, &[]);
    bench.asked.clear();
    bench.play(Input::Tick(LEASE));
    let (connection, request) = bench.asked.remove(0);
    assert!(matches!(request.verb, Verb::Get(_)));
    bench.answer(connection, request.id, Ok(Answer::Object(Arc::new(lease(1)))));
    bench.grant("update Lease/w");
    bench
}

#[test]
fn a_failed_renewal_is_repeated_at_once_and_then_the_lease_is_looked_up() {
    let mut bench = with_lease();
    bench.play(Input::Tick(LEASE));
    for _ in 0..5 {
        let (connection, request) = bench.asked.remove(0);
        assert!(matches!(request.verb, Verb::Update(_)));
        let error = ApiError::new(Reason::InternalError, "no");
        bench.answer(connection, request.id, Err(error));
    }
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let (connection, request) = bench.asked.remove(0);
        assert!(matches!(request.verb, Verb::Get(_)), "after five failures it looks");
        bench.timers.clear();
        let error = ApiError::new(Reason::InternalError, "no");
        bench.answer(connection, request.id, Err(error));
        let (pause, _) = bench.timers[0].clone();
        pauses.push(pause.as_micros() / 1000);
        bench.pass(pause);
    }
    assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 7000]);
}

#[test]
fn after_a_conflict_the_lease_is_read_before_it_is_written() {
    let mut bench = with_lease();
    bench.play(Input::Tick(LEASE));
    let (connection, request) = bench.asked.remove(0);
    let error = ApiError::conflict(lease(1).key());
    bench.answer(connection, request.id, Err(error));
    assert_eq!(bench.waiting(), ["get Lease/w"]);
}

pub(super) fn node(ready: bool) -> Object {
    let mut bench = started(Start::Fresh, &[]);
    let object = bench.grant("create Node/w");
    let mut node = Object::clone(&object);
    if ready {
        let conditions = &mut node.node_mut().expect("a Node").conditions;
        conditions.say(crate::api::kinds::Condition::new(
            "Ready",
            Status::True,
            "KubeletReady",
            "kubelet is posting ready status",
            SimTime::ZERO,
        ));
    }
    node
}

#[test]
fn status_is_written_only_for_news_or_after_five_minutes() {
    let mut bench = started(Start::Steady, &[]);
    let adopted = |bench: &mut Bench<Kubelet, Event>| {
        let at = bench.waiting().iter().position(|words| words == "get Node/w").expect("it reads");
        let (connection, request) = bench.asked.remove(at);
        bench.answer(connection, request.id, Ok(Answer::Object(Arc::new(node(true)))));
    };
    adopted(&mut bench);
    bench.writes();
    let mut reports = 0;
    for _ in 0..60 {
        bench.bed.pass(Duration::from_secs(10));
        bench.play(Input::Tick(STATUS));
        adopted(&mut bench);
        if bench.waiting().contains(&"patch Node/w".to_owned()) {
            reports += 1;
            bench.grant("patch Node/w");
        }
    }
    assert!((1..=2).contains(&reports), "{reports} reports in ten minutes");
}

pub(super) fn pod(change: impl FnOnce(&mut Object)) -> Object {
    let template = PodTemplate { grace: Duration::from_secs(30), ..PodTemplate::default() };
    let mut pod = Pod::new(Arc::new(template));
    pod.node_name = Text::word("w");
    let mut object = Object::new(Meta::new(Kind::Pod, "default", "web"), pod);
    object.meta.uid = Uid(5);
    change(&mut object);
    object
}

/// A kubelet on a VM that is configured from the beginning, with its Pods listed.
pub(super) fn with_pods(pods: &[Object]) -> Bench<Kubelet, Event> {
    fn configured(kubelet: &mut Kubelet, input: Input<Event>, ctx: &mut Ctx<Event>) {
        ctx.write(CONFIG, "kind: KubeletConfiguration").expect("there is room");
        kubelet.on_event(input, ctx);
    }
    Bench::started(kubelet(), "kubelet", configured, Start::Steady, pods)
}

#[test]
fn a_pod_is_started_and_then_reported_running() {
    let mut bench = with_pods(&[]);
    bench.shows(WatchKind::Added, pod(|_| {}));
    bench.timers.retain(|(_, event)| matches!(event, Event::StartPod(_)));
    let (_, start) = bench.timers.remove(0);
    let effects = bench.play(Input::Due(start));
    assert!(matches!(effects[..], [Effect::StartContainer(Uid(5), _, None, 0)]), "{effects:?}");
    bench.play(Input::Container(Uid(5), true));
    let running = bench.grant("patch Pod/web");
    let body = running.pod().expect("a Pod");
    assert!(body.phase == PodPhase::Running && body.is_ready());
}

#[test]
fn a_deleted_pod_is_stopped_within_its_grace_and_then_let_go() {
    let mut bench = with_pods(&[]);
    bench.shows(WatchKind::Added, pod(|_| {}));
    bench.play(Input::Container(Uid(5), true));
    bench.writes();
    let grace = Duration::from_secs(1);
    bench.bed.vm.containers.insert(Uid(5), container(false));
    bench.asked.clear();
    let mut kubelet = with_pods(&[pod(|_| {})]);
    kubelet.bed.vm.containers.clone_from(&bench.bed.vm.containers);
    kubelet.play(Input::Container(Uid(5), true));
    let patch = kubelet.waiting().iter().any(|words| words == "patch Pod/web");
    if patch {
        kubelet.grant("patch Pod/web");
    }
    kubelet.shows(
        WatchKind::Modified,
        pod(|object| {
            object.meta.deletion = Some(Deletion { at: SimTime::ZERO + grace, grace });
        }),
    );
    kubelet.play(Input::Container(Uid(5), false));
    assert!(kubelet.waiting().contains(&"delete Pod/web".to_owned()), "{:?}", kubelet.waiting());
}

#[test]
fn a_pod_that_is_deleted_while_its_containers_start_never_runs() {
    let mut bench = with_pods(&[]);
    bench.shows(WatchKind::Added, pod(|_| {}));
    let at = bench.bed.now + Duration::from_secs(3);
    let starting = crate::infra::Container { running_from: at, ..container(false) };
    bench.bed.vm.containers.insert(Uid(5), starting);
    let grace = Duration::from_secs(30);
    let deletion = Some(Deletion { at: SimTime::ZERO + grace, grace });
    let effects = bench.shows(WatchKind::Modified, pod(|object| object.meta.deletion = deletion));
    let stops = effects.iter().find_map(|effect| match effect {
        Effect::StopContainer(Uid(5), _, delay) => Some(*delay),
        _ => None,
    });
    assert_eq!(stops, Some(Duration::ZERO), "it would run beside the next of its name");
    assert!(bench.waiting().contains(&"delete Pod/web".to_owned()), "{:?}", bench.waiting());
}

pub(super) fn container(completed: bool) -> crate::infra::Container {
    crate::infra::Container { running_from: SimTime::ZERO, ends_at: None, completed, restarts: 0 }
}

/// A Job's Pod that has been running.
fn working(object: &mut Object) {
    let template =
        PodTemplate { completes_after: Some(Duration::from_secs(60)), ..PodTemplate::default() };
    let pod = object.pod_mut().expect("a Pod");
    pod.template = Arc::new(template);
    pod.phase = PodPhase::Running;
}

#[test]
fn a_pod_whose_work_is_done_is_reported_succeeded() {
    let mut kubelet = with_pods(&[]);
    kubelet.shows(WatchKind::Added, pod(|_| {}));
    kubelet.play(Input::Container(Uid(5), true));
    kubelet.grant("patch Pod/web");
    kubelet.bed.vm.containers.insert(Uid(5), container(true));
    kubelet.play(Input::Container(Uid(5), false));
    let ended = kubelet.grant("patch Pod/web");
    let body = ended.pod().expect("a Pod");
    assert_eq!(body.phase, PodPhase::Succeeded);
    assert_eq!(body.conditions.get("Ready").expect("said").reason, "PodCompleted");
}

#[test]
fn work_that_ended_or_was_lost_while_no_kubelet_looked_is_not_begun_again() {
    for (kept, phase) in [(true, PodPhase::Succeeded), (false, PodPhase::Failed)] {
        let mut kubelet = with_pods(&[]);
        if kept {
            kubelet.bed.vm.containers.insert(Uid(5), container(true));
        }
        kubelet.shows(WatchKind::Added, pod(working));
        let ended = kubelet.grant("patch Pod/web");
        assert_eq!(ended.pod().expect("a Pod").phase, phase);
        let starts = |event: &Event| matches!(event, Event::StartPod(_));
        assert!(!kubelet.timers.iter().any(|(_, event)| starts(event)));
    }
}

#[test]
fn a_kubelet_that_reads_its_own_watch_reports_what_it_sees_there() {
    let settings = Settings { status_reads: StatusReads::OwnWatch, ..kubelet().settings };
    let kubelet = Kubelet::new(settings, Address::Endpoint(EndpointId(1)), Text::word("w"));
    fn configured(kubelet: &mut Kubelet, input: Input<Event>, ctx: &mut Ctx<Event>) {
        ctx.write(CONFIG, "kind: KubeletConfiguration").expect("there is room");
        kubelet.on_event(input, ctx);
    }
    let mut node = node(true);
    let objects = [node.clone()];
    let mut bench = Bench::started(kubelet, "kubelet", configured, Start::Steady, &objects);
    let at = bench.waiting().iter().position(|words| words == "get Node/w").expect("it adopts");
    let (connection, request) = bench.asked.remove(at);
    bench.answer(connection, request.id, Ok(Answer::Object(Arc::new(node.clone()))));
    bench.writes();
    bench.play(Input::Tick(STATUS));
    assert!(!bench.waiting().contains(&"get Node/w".to_owned()), "{:?}", bench.waiting());
    assert!(bench.writes().is_empty(), "nothing is new");
    let body = node.node_mut().expect("a Node");
    let unknown = crate::api::kinds::Status::Unknown;
    let ready = crate::api::kinds::Condition::new("Ready", unknown, "", "", SimTime::ZERO);
    body.conditions.set(ready);
    bench.shows(WatchKind::Modified, node);
    bench.play(Input::Tick(STATUS));
    let written = bench.grant("patch Node/w");
    assert!(written.node().expect("a Node").conditions.is("Ready", Status::True));
}

#[test]
fn a_kubelet_that_slept_too_long_may_report_its_runtime_unhealthy() {
    let mut unhealthy = 0;
    for slept in (150..250).chain(150..250) {
        let mut bench = started(Start::Steady, &[]);
        let answer = |bench: &mut Bench<Kubelet, Event>| {
            let at = bench.waiting().iter().position(|words| words == "get Node/w");
            let (connection, request) = bench.asked.remove(at.expect("it reads"));
            bench.answer(connection, request.id, Ok(Answer::Object(Arc::new(node(true)))));
        };
        answer(&mut bench);
        bench.writes();
        let from = bench.bed.now;
        bench.bed.pass(Duration::from_secs(slept));
        bench.bed.process.slept = Some((from, bench.bed.now));
        bench.play(Input::Tick(STATUS));
        answer(&mut bench);
        for (_, written) in bench.writes() {
            let Some(written) = written.filter(|object| object.node().is_some()) else { continue };
            let ready = written.node().expect("a Node").conditions.get("Ready").cloned();
            let ready = ready.expect("a report");
            if ready.status == Status::False {
                unhealthy += 1;
                assert!(slept >= 179, "{slept} s are not too long");
                let message = ready.message.as_str();
                assert!(message.starts_with("PLEG is not healthy: pleg was last seen active"));
                assert!(message.ends_with("threshold is 3m0s"), "{message}");
            }
        }
    }
    assert!(unhealthy > 0, "who is quicker than its look at the runtime says so");
}

/// Looks at the Node of a kubelet that finds one of its name.
fn adopts(bench: &mut Bench<Kubelet, Event>) -> Arc<Object> {
    let found = node(false);
    let (connection, request) = bench.asked.remove(0);
    bench.answer(connection, request.id, Err(ApiError::already_exists(found.key())));
    for _ in 0..2 {
        let at = bench.waiting().iter().position(|words| words == "get Node/w").expect("it reads");
        let (connection, request) = bench.asked.remove(at);
        bench.answer(connection, request.id, Ok(Answer::Object(Arc::new(found.clone()))));
    }
    bench.grant("patch Node/w")
}

#[test]
fn a_kubelet_that_takes_a_node_over_is_ready_at_once() {
    let mut bench = started(Start::Fresh, &[]);
    assert_eq!(bench.waiting()[0], "create Node/w");
    let reported = adopts(&mut bench);
    let conditions = &reported.node().expect("a Node").conditions;
    assert!(conditions.is("Ready", Status::True), "{conditions:?}");
    assert!(!bench.timers.iter().any(|(_, event)| *event == Event::NodeReady));
}

#[test]
fn a_new_node_is_ready_with_the_next_try_after_its_registration() {
    let mut bench = started(Start::Fresh, &[]);
    bench.timers.clear();
    bench.bed.pass(Duration::from_millis(70));
    bench.grant("create Node/w");
    let ready = bench.timers.iter().find(|(_, event)| *event == Event::NodeReady);
    // Tries after 0, 10, 60 and 310 ms; then a look each 100 ms, which may come at once.
    let wait = ready.expect("it waits").0.as_micros() / 1000;
    assert!((240..340).contains(&wait), "{wait} ms");
}

#[test]
fn a_process_takes_its_time_before_it_asks_for_anything() {
    let slow = Settings { start: Delay::fixed(Duration::from_millis(500)), ..settings() };
    let mut kubelet = Kubelet::new(slow, Address::Endpoint(EndpointId(1)), Text::word("w"));
    let mut bed = Testbed::new("kubelet", "w");
    bed.vm.disk.write(CONFIG, "kind: KubeletConfiguration");
    let effects = bed.play(|ctx| kubelet.on_event(Input::Started(Start::Fresh), ctx));
    assert!(matches!(effects[..], [Effect::After(_, _, Event::Begin)]), "{effects:?}");
    let effects = bed.play(|ctx| kubelet.on_event(Input::Due(Event::Begin), ctx));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Send(..))), "{effects:?}");
}

#[test]
fn a_dying_pod_whose_containers_are_gone_is_called_failed_before_it_goes() {
    let dying = pod(|object| {
        let grace = Duration::from_secs(30);
        object.meta.deletion = Some(Deletion { at: SimTime::ZERO + grace, grace });
        object.pod_mut().expect("a Pod").phase = PodPhase::Running;
    });
    let mut bench = with_pods(&[dying]);
    let failed = bench.grant("patch Pod/web");
    assert_eq!(failed.pod().expect("a Pod").phase, PodPhase::Failed);
    assert!(bench.waiting().contains(&"delete Pod/web".to_owned()), "{:?}", bench.waiting());
}
