//! Pods whose containers are gone or found, and how often they were started.

use super::tests::{container, kubelet, pod, started_as, with_pods};
use super::*;
use crate::api::WatchKind;
use crate::api::kinds::{Condition, PodPhase, PodTemplate, Status};
use crate::api::{Deletion, Object, Uid};
use crate::client::testing::Bench;
use crate::infra::{Effect, EndpointId};
use std::sync::Arc;

#[test]
fn a_pod_whose_containers_are_gone_is_not_ready_until_they_run_again() {
    let ready = pod(|object| {
        let body = object.pod_mut().expect("a Pod");
        body.phase = PodPhase::Running;
        (body.started, body.restarts) = (Some(SimTime::ZERO), 2);
        body.conditions.set(Condition::new("Ready", Status::True, "", "", SimTime::ZERO));
    });
    let mut bench = with_pods(&[ready]);
    let lost = bench.grant("patch Pod/web");
    let said = lost.pod().expect("a Pod").conditions.get("Ready").cloned().expect("said");
    assert_eq!((said.status, said.reason.as_str()), (Status::False, "ContainersNotReady"));
    assert_eq!(lost.pod().expect("a Pod").restarts, 2, "none runs yet");
    bench.shows(WatchKind::Modified, Object::clone(&lost));
    bench.play(Input::Container(Uid(5), true));
    let runs = bench.grant("patch Pod/web");
    let body = runs.pod().expect("a Pod");
    assert!(body.is_ready());
    assert_eq!(body.restarts, 3);
}

#[test]
fn a_kubelet_learns_of_a_restart_from_the_container_that_another_has_started() {
    let mut bench = with_pods(&[]);
    let runs = crate::infra::Container { restarts: 3, ..container(false) };
    bench.bed.vm.containers.insert(Uid(5), runs);
    bench.shows(
        WatchKind::Added,
        pod(|object| {
            let body = object.pod_mut().expect("a Pod");
            (body.phase, body.restarts) = (PodPhase::Running, 2);
        }),
    );
    assert_eq!(bench.grant("patch Pod/web").pod().expect("a Pod").restarts, 3);
}

/// After how long the containers of the Pod end.
fn stops(effects: &[Effect<Event>]) -> Vec<u64> {
    let stop = |effect: &Effect<Event>| match effect {
        Effect::StopContainer(Uid(5), _, delay) => Some(delay.as_micros() / 1000),
        _ => None,
    };
    effects.iter().filter_map(stop).collect()
}

/// A kubelet of a release on which the Pod runs.
fn running(forced_grace: ForcedGrace, grace: Duration) -> (Bench<Kubelet, Event>, Object) {
    let runs = pod(|object| {
        let body = object.pod_mut().expect("a Pod");
        body.template = Arc::new(PodTemplate { grace, ..PodTemplate::default() });
    });
    let settings = Settings { forced_grace, ..kubelet().settings };
    let kubelet = Kubelet::new(settings, Address::Endpoint(EndpointId(1)), Text::word("w"));
    let mut bench = started_as(kubelet, Start::Steady, &[]);
    bench.list(&[]);
    bench.bed.vm.containers.insert(Uid(5), container(false));
    bench.shows(WatchKind::Added, runs.clone());
    (bench, runs)
}

#[test]
fn the_containers_of_a_pod_that_is_forced_away_have_the_grace_of_their_release() {
    for (release, grace, takes) in [
        (ForcedGrace::Least, 30, 1000),
        (ForcedGrace::Own, 30, 2000),
        (ForcedGrace::Own, 1, 1000),
        (ForcedGrace::Own, 0, 1000),
    ] {
        let (mut bench, runs) = running(release, Duration::from_secs(grace));
        assert_eq!(stops(&bench.shows(WatchKind::Deleted, runs)), [takes], "{release:?} {grace}");
    }
}

#[test]
fn a_container_that_is_being_stopped_is_not_stopped_again_when_its_pod_is_forced_away() {
    let (mut bench, mut runs) = running(ForcedGrace::Least, Duration::from_secs(30));
    runs.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::from_secs(30) });
    bench.grant("patch Pod/web");
    assert_eq!(stops(&bench.shows(WatchKind::Modified, runs.clone())), [2000]);
    assert!(stops(&bench.shows(WatchKind::Deleted, runs)).is_empty());
}

#[test]
fn containers_without_a_pod_have_a_second() {
    fn found(kubelet: &mut Kubelet, input: Input<Event>, ctx: &mut Ctx<Event>) {
        ctx.write(CONFIG, "kind: KubeletConfiguration").expect("there is room");
        kubelet.on_event(input, ctx);
    }
    let mut bench = Bench::started(kubelet(), "kubelet", found, Start::Fresh, &[]);
    bench.bed.vm.containers.insert(Uid(5), container(false));
    let effects = bench.bed.play(|ctx| bench.component.kill_orphans(ctx));
    assert_eq!(stops(&effects), [1000]);
}
