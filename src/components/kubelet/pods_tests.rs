//! Pods whose containers are gone or found, and how often they were started.

use super::tests::{container, pod, with_pods};
use super::*;
use crate::api::WatchKind;
use crate::api::kinds::{Condition, PodPhase, Status};
use crate::api::{Object, Uid};

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
