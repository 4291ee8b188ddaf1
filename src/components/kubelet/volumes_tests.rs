//! Volumes on a Node: what a Pod waits for, and what the Node says.

use super::tests::{container, node, pod, with_pods};
use super::*;
use crate::api::kinds::{PersistentVolumeClaim, PodPhase, PodTemplate, VolumeSource};
use crate::api::{Answer, ApiError, Deletion, Meta, Object, Reason, Verb, WatchKind};
use crate::client::testing::Bench;
use crate::engine::SimTime;
use crate::infra::Effect;
use std::sync::Arc;

const VOLUME: Text = Text::word("pvc-data-web");
const POD: Uid = Uid(5);

/// The Pod, with a volume of its own.
fn with_volume(change: impl FnOnce(&mut Object)) -> Object {
    let mut object = pod(change);
    if let Some(body) = object.pod_mut() {
        let volume = Some(VolumeSource::PerPod);
        let grace = Duration::from_secs(30);
        body.template = Arc::new(PodTemplate { volume, grace, ..PodTemplate::default() });
    }
    object
}

fn reads_claim(bench: &mut Bench<Kubelet, Event>) {
    let meta = Meta::new(Kind::PersistentVolumeClaim, "default", "data-web");
    let claim = Object::new(meta, PersistentVolumeClaim { volume_name: VOLUME });
    reads(bench, "get PersistentVolumeClaim/data-web", claim);
}

/// Answers the newest request of this kind.
fn reads(bench: &mut Bench<Kubelet, Event>, what: &str, object: Object) {
    let at = bench.waiting().iter().rposition(|words| words == what);
    let at = at.unwrap_or_else(|| panic!("nobody asked to {what}: {:?}", bench.waiting()));
    let (connection, request) = bench.asked.remove(at);
    bench.answer(connection, request.id, Ok(Answer::Object(Arc::new(object))));
}

/// The Node, on which the volume is attached and in use, or not.
fn host(attached: bool, in_use: bool) -> Object {
    let mut object = node(true);
    let body = object.node_mut().expect("a Node");
    body.volumes_attached.0.extend(attached.then_some(VOLUME));
    body.volumes_in_use.0.extend(in_use.then_some(VOLUME));
    object
}

/// What the kubelet writes of the volumes in use at its next report, when the Node was like this.
fn reports(bench: &mut Bench<Kubelet, Event>, before: Object) -> Option<Vec<Text>> {
    // A look at the volume asks the same.
    bench.asked.retain(|(_, request)| !matches!(request.verb, Verb::Get(_)));
    bench.play(Input::Tick(STATUS));
    reads(bench, "get Node/w", before);
    let news = bench.waiting().contains(&"patch Node/w".to_owned());
    let written = news.then(|| bench.grant("patch Node/w"))?;
    Some(written.node()?.volumes_in_use.0.iter().cloned().collect())
}

/// A kubelet that has adopted its Node.
fn settled(pods: &[Object], before: Object) -> Bench<Kubelet, Event> {
    let mut bench = with_pods(pods);
    reads(&mut bench, "get Node/w", before);
    bench
}

fn pending(object: &mut Object) {
    object.pod_mut().expect("a Pod").phase = PodPhase::Pending;
}

/// True if a look at the volume is due within one pass.
fn will_look(bench: &Bench<Kubelet, Event>) -> bool {
    let pass = Duration::from_millis(100);
    bench.timers.iter().any(|(at, event)| *event == Event::LookAtVolume(POD) && *at < pass)
}

#[test]
fn a_pod_starts_once_its_volume_is_in_use_attached_and_mounted() {
    let mut bench = settled(&[], host(false, false));
    bench.shows(WatchKind::Added, with_volume(pending));
    reads_claim(&mut bench);
    bench.shows(WatchKind::Modified, host(true, false));
    assert!(!will_look(&bench), "attached, but nobody was told that it is used");
    bench.shows(WatchKind::Modified, host(false, false));
    assert_eq!(reports(&mut bench, host(false, false)), Some(vec![VOLUME]));
    bench.shows(WatchKind::Modified, host(false, true));
    assert!(!will_look(&bench), "not attached yet");
    bench.shows(WatchKind::Modified, host(true, true));
    assert!(will_look(&bench));
    bench.pass(Duration::from_millis(100));
    reads(&mut bench, "get Node/w", host(true, true));
    let effects = bench.play(Input::Due(Event::StartPod(with_volume(|_| {}).key().clone())));
    assert!(effects.is_empty(), "not mounted yet: {effects:?}");
    let effects = bench.play(Input::Due(Event::Mounted(POD)));
    assert!(matches!(effects[..], [Effect::StartContainer(POD, _, None, 0)]), "{effects:?}");
}

#[test]
fn pauses_grow_from_half_a_second_to_two_minutes_only_after_a_look_that_failed() {
    let mut bench = settled(&[], host(false, false));
    bench.shows(WatchKind::Added, with_volume(pending));
    reads_claim(&mut bench);
    assert_eq!(reports(&mut bench, host(false, false)), Some(vec![VOLUME]));
    // Its watch is ahead of what the server says: somebody detaches again.
    bench.shows(WatchKind::Modified, host(true, true));
    bench.pass(Duration::from_millis(100));
    let mut pauses = Vec::new();
    for _ in 0..10 {
        bench.timers.clear();
        reads(&mut bench, "get Node/w", host(false, true));
        let (pause, event) = bench.timers.remove(0);
        pauses.push(pause.as_micros() / 1000);
        bench.play(Input::Due(event));
    }
    assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16000, 32000, 64000, 122_000, 122_000]);
    reads(&mut bench, "get Node/w", host(false, true));
    bench.shows(WatchKind::Modified, host(false, true));
    bench.timers.clear();
    bench.play(Input::Due(Event::LookAtVolume(POD)));
    assert!(bench.timers.is_empty() && bench.waiting().is_empty(), "it is shown detached");
    bench.shows(WatchKind::Modified, host(true, true));
    assert!(will_look(&bench));
}

#[test]
fn a_claim_that_cannot_be_read_is_read_in_the_next_pass() {
    let mut bench = settled(&[], host(false, false));
    bench.shows(WatchKind::Added, with_volume(pending));
    for _ in 0..3 {
        let at = bench.waiting().iter().position(|words| words.starts_with("get Persistent"));
        let (connection, request) = bench.asked.remove(at.expect("it asks for the claim"));
        let error = ApiError::new(Reason::InternalError, "no");
        bench.answer(connection, request.id, Err(error));
        bench.pass(Duration::from_millis(100));
    }
    reads_claim(&mut bench);
}

#[test]
fn the_node_says_what_is_used_from_the_wish_until_it_is_unmounted() {
    let mut bench = settled(&[], host(true, false));
    bench.shows(WatchKind::Added, with_volume(|_| {}));
    let (claim, _) = (bench.asked.clone(), bench.asked.clear());
    assert_eq!(reports(&mut bench, host(true, true)), None, "before the claim is read");
    bench.asked.extend(claim);
    reads_claim(&mut bench);
    assert_eq!(reports(&mut bench, host(true, false)), Some(vec![VOLUME]));
    bench.play(Input::Due(Event::Mounted(POD)));
    let (at, grace) = (SimTime::ZERO, Duration::from_secs(30));
    bench.play(Input::Due(Event::StartPod(with_volume(|_| {}).key().clone())));
    bench.play(Input::Container(POD, true));
    bench.grant("patch Pod/web");
    bench.shows(
        WatchKind::Modified,
        with_volume(|object| {
            object.meta.deletion = Some(Deletion { at, grace });
        }),
    );
    bench.play(Input::Container(POD, false));
    assert_eq!(reports(&mut bench, host(true, true)), None, "still mounted");
    assert!(!bench.waiting().contains(&"delete Pod/web".to_owned()), "not before it is unmounted");
    bench.play(Input::Due(Event::Unmounted(POD)));
    assert!(bench.waiting().contains(&"delete Pod/web".to_owned()), "{:?}", bench.waiting());
    assert_eq!(reports(&mut bench, host(true, true)), Some(Vec::new()));
}

#[test]
fn a_kubelet_that_begins_anew_finds_what_its_running_pods_have_mounted() {
    let mut bench = settled(&[], host(true, true));
    bench.bed.vm.containers.insert(POD, container(false));
    bench.shows(WatchKind::Added, with_volume(|_| {}));
    reads_claim(&mut bench);
    assert!(!bench.waiting().contains(&"get Node/w".to_owned()), "nothing is waited for");
    assert_eq!(reports(&mut bench, host(true, true)), None, "nothing is new");
}

/// A kubelet that is started while this volume is mounted for that Pod.
fn returns(pods: &[Object], before: Object) -> Bench<Kubelet, Event> {
    fn configured(kubelet: &mut Kubelet, input: Input<Event>, ctx: &mut Ctx<Event>) {
        ctx.write(CONFIG, "kind: KubeletConfiguration").expect("there is room");
        if matches!(input, Input::Started(_)) {
            ctx.write("/var/lib/kubelet/pods/5/volumes", VOLUME).expect("there is room");
        }
        kubelet.on_event(input, ctx);
    }
    let objects = [pods, &[before]].concat();
    Bench::started(super::tests::kubelet(), "kubelet", configured, Start::Fresh, &objects)
}

#[test]
fn a_volume_whose_pod_went_while_no_kubelet_looked_is_in_use_until_it_is_unmounted() {
    let mut bench = returns(&[], host(true, true));
    let unmounts = |bench: &Bench<_, Event>| {
        bench.timers.iter().filter(|(_, event)| *event == Event::Unmounted(POD)).count()
    };
    assert_eq!(unmounts(&bench), 1, "{:?}", bench.timers);
    let at = bench.waiting().iter().position(|words| words == "create Node/w").expect("it does");
    let (connection, request) = bench.asked.remove(at);
    bench.answer(connection, request.id, Ok(Answer::Object(Arc::new(host(true, true)))));
    assert_eq!(reports(&mut bench, host(true, true)), Some(vec![VOLUME]), "still in use");
    bench.play(Input::Due(Event::Unmounted(POD)));
    assert_eq!(reports(&mut bench, host(true, true)), Some(Vec::new()));
    assert_eq!(bench.bed.vm.disk.under("/var/lib/kubelet/pods").count(), 0);
}

#[test]
fn what_was_mounted_before_a_boot_is_mounted_again_without_another_report() {
    let mut bench = returns(&[with_volume(pending)], host(true, true));
    assert!(will_look(&bench), "{:?}", bench.timers);
    bench.pass(Duration::from_millis(100));
    reads(&mut bench, "get Node/w", host(true, true));
    assert!(bench.timers.iter().any(|(_, event)| *event == Event::Mounted(POD)));
}

#[test]
fn what_is_left_of_a_pod_that_ends_is_unmounted_before_it_goes() {
    let at = SimTime::ZERO;
    let ended = with_volume(|object| {
        object.meta.deletion = Some(Deletion { at, grace: Duration::from_secs(30) });
        object.pod_mut().expect("a Pod").phase = PodPhase::Failed;
    });
    let mut bench = returns(&[ended], host(true, true));
    assert!(!bench.waiting().contains(&"delete Pod/web".to_owned()), "{:?}", bench.waiting());
    bench.play(Input::Due(Event::Unmounted(POD)));
    assert!(bench.waiting().contains(&"delete Pod/web".to_owned()), "{:?}", bench.waiting());
}
