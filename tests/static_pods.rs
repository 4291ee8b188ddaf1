//! A control plane whose parts are static Pods: what the kubelet on its VM makes good and what not.

use healsim::api::{Kind, Object, StaticPodManifest};
use healsim::engine::{Duration, SimTime};
use healsim::scenario::{blueprint, models};
use healsim::timeline::Value;
use healsim::world::{Infra, World};
use std::sync::Arc;

const PLANE: &str = "control-plane-0";
const APISERVER: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

fn cluster(seed: u64) -> World {
    let platform = models::platform("tkgs-current").expect("a platform");
    World::new(blueprint(&platform, 1, 2), seed)
}

fn play_until(world: &mut World, seconds: u64) {
    let end = SimTime::ZERO + Duration::from_secs(seconds);
    while world.next_at().is_some_and(|at| at <= end) {
        world.step();
    }
    world.pass_until(end);
}

fn on_plane(world: &mut World, act: impl FnOnce(&mut Infra)) {
    world.inject("test", PLANE.to_owned(), act);
}

fn kill(world: &mut World, program: &str) {
    on_plane(world, |infra| {
        let process = infra.process(program, PLANE).expect("the process exists");
        infra.kill(process);
    });
}

fn remove(world: &mut World, path: &str) {
    on_plane(world, |infra| infra.remove_file(infra.vm(PLANE).expect("there"), path));
}

fn write(world: &mut World, path: &str, content: String) {
    on_plane(world, |infra| infra.write_file(infra.vm(PLANE).expect("there"), path, &content));
}

fn runs(world: &World, program: &str) -> bool {
    world.view().runs(program, PLANE)
}

/// When a program on the control plane began to run, in seconds.
fn starts(world: &World, program: &str) -> Vec<f64> {
    let name = format!("{program}@{PLANE}");
    let entries = world.timeline().entries().iter().filter(|entry| {
        entry.name == *name && entry.field == *"running" && entry.to == Value::Bool(true)
    });
    let at = |at: SimTime| at.since(SimTime::ZERO).as_micros() as f64 / 1e6;
    entries.map(|entry| at(entry.at)).filter(|at| *at > 0.0).collect()
}

fn mirror(world: &World, program: &str) -> Option<Arc<Object>> {
    let name = format!("{program}-{PLANE}");
    world.view().objects(Kind::Pod).find(|pod| *pod.name() == *name).cloned()
}

#[test]
fn a_killed_etcd_is_restarted_at_once_and_the_api_is_back() {
    for seed in 1..=10 {
        let mut world = cluster(seed);
        play_until(&mut world, 60);
        kill(&mut world, "etcd");
        assert!(!runs(&world, "etcd"));
        play_until(&mut world, 120);
        let starts = starts(&world, "etcd");
        let [at] = starts[..] else { panic!("{starts:?}") };
        assert!(at < 62.2, "the look at all containers, and the start: {at}");
        let pod = mirror(&world, "etcd").expect("there");
        let pod = pod.pod().expect("a Pod");
        assert!(pod.is_ready() && pod.restarts == 1, "the API is back: {pod:?}");
    }
}

#[test]
fn who_ends_again_and_again_is_restarted_with_growing_pauses() {
    for seed in 1..=10 {
        let mut world = cluster(seed);
        let mut waits = Vec::new();
        for round in 0..5 {
            play_until(&mut world, 10 + round * 150);
            kill(&mut world, "kube-scheduler");
            play_until(&mut world, 10 + round * 150 + 149);
            let at = starts(&world, "kube-scheduler").pop().expect("restarted");
            waits.push(at - (10 + round * 150) as f64);
        }
        // Up to a second until it is seen and one for the start; a look each 10 to 15 s.
        for (wait, (low, high)) in
            waits.iter().zip([(0.2, 2.1), (10.0, 17.0), (20.0, 37.0), (40.0, 57.0), (80.0, 97.0)])
        {
            assert!(low <= *wait && *wait < high, "seed {seed}: {waits:?}");
        }
    }
}

#[test]
fn the_mirror_pod_shows_that_it_waits_and_for_what() {
    let mut world = cluster(1);
    for at in [10, 15] {
        play_until(&mut world, at);
        kill(&mut world, "kube-scheduler");
    }
    play_until(&mut world, 20);
    let pod = mirror(&world, "kube-scheduler").expect("there");
    let pod = pod.pod().expect("a Pod");
    assert_eq!(
        (pod.waiting.as_str(), pod.restarts, pod.is_ready()),
        ("CrashLoopBackOff", 1, false)
    );
    play_until(&mut world, 60);
    let pod = mirror(&world, "kube-scheduler").expect("there");
    let pod = pod.pod().expect("a Pod");
    assert_eq!((pod.waiting.as_str(), pod.restarts, pod.is_ready()), ("", 2, true));
    let entries = world.timeline().entries();
    let said = entries.iter().find(|e| e.to == Value::text("BackOff")).expect("an Event");
    assert_eq!(said.name, *"kube-scheduler-control-plane-0");
}

#[test]
fn a_removed_manifest_ends_the_api_server_for_good_and_the_file_brings_it_back() {
    for seed in 1..=5 {
        let mut world = cluster(seed);
        play_until(&mut world, 60);
        remove(&mut world, APISERVER);
        // Who watches it keeps it from ending before its kubelet kills it, after 30 s.
        play_until(&mut world, 89);
        assert!(runs(&world, "kube-apiserver"));
        play_until(&mut world, 92);
        assert!(!runs(&world, "kube-apiserver"));
        play_until(&mut world, 1800);
        assert_eq!(starts(&world, "kube-apiserver"), [] as [f64; 0]);
        assert!(runs(&world, "etcd") && runs(&world, "kubelet"), "the others go on");
        on_plane(&mut world, |infra| {
            infra.restore_file(infra.vm(PLANE).expect("there"), APISERVER);
        });
        play_until(&mut world, 1802);
        assert_eq!(starts(&world, "kube-apiserver").len(), 1);
        play_until(&mut world, 2000);
        let pod = mirror(&world, "kube-apiserver").expect("there");
        assert!(pod.pod().expect("a Pod").is_ready());
        let nodes: Vec<_> = world.view().objects(Kind::Node).cloned().collect();
        let ready = |node: &Arc<Object>| {
            let node = node.node().expect("a Node");
            node.conditions.is("Ready", healsim::api::kinds::Status::True)
        };
        assert!(nodes.len() == 3 && nodes.iter().all(ready), "the cluster is well again");
    }
}

#[test]
fn without_its_kubelet_a_killed_api_server_stays_away_until_the_kubelet_runs() {
    let mut world = cluster(1);
    play_until(&mut world, 60);
    on_plane(&mut world, |infra| infra.stop_unit(infra.vm(PLANE).expect("there"), "kubelet"));
    play_until(&mut world, 120);
    assert!(runs(&world, "kube-apiserver"), "containers outlive the kubelet");
    kill(&mut world, "kube-apiserver");
    play_until(&mut world, 3600);
    for program in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        assert!(!runs(&world, program), "{program}: who loses its Lease exits, for good too");
    }
    on_plane(&mut world, |infra| infra.start_unit(infra.vm(PLANE).expect("there"), "kubelet"));
    play_until(&mut world, 3610);
    assert!(runs(&world, "kube-apiserver"));
    assert_eq!(starts(&world, "etcd"), [] as [f64; 0], "what runs is taken over");
    let starts = ["kube-controller-manager", "kube-scheduler"].map(|it| starts(&world, it).len());
    assert!(starts.iter().all(|starts| *starts > 0), "and the others begin anew: {starts:?}");
}

#[test]
fn a_vm_that_boots_starts_its_control_plane_by_its_kubelet() {
    let mut world = cluster(1);
    play_until(&mut world, 60);
    on_plane(&mut world, |infra| infra.power_off(infra.vm(PLANE).expect("there")));
    play_until(&mut world, 120);
    on_plane(&mut world, |infra| infra.power_on(infra.vm(PLANE).expect("there")));
    play_until(&mut world, 420);
    for program in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        // A controller-manager that has asked for 10 s in vain ends, and begins anew.
        let most = if program == "kube-controller-manager" { 2 } else { 1 };
        assert!((1..=most).contains(&starts(&world, program).len()), "{program}");
        let pod = mirror(&world, program).expect("there");
        assert!(pod.pod().expect("a Pod").is_ready(), "{program}");
    }
}

#[test]
fn a_file_that_is_no_manifest_changes_nothing_else() {
    let mut world = cluster(1);
    play_until(&mut world, 10);
    write(&mut world, "/etc/kubernetes/manifests/a.yaml", "nothing".to_owned());
    write(&mut world, "/etc/hosts", StaticPodManifest::from_file("").expect_err("empty"));
    play_until(&mut world, 60);
    assert!(runs(&world, "kube-apiserver"));
    let entries = world.timeline().entries();
    let said = entries.iter().filter(|e| e.message.contains("Could not process manifest file"));
    assert_eq!(said.count(), 1);
}

#[test]
fn a_scheduler_that_hangs_is_killed_by_its_liveness_probe_and_comes_back() {
    for seed in 1..=10 {
        let mut world = cluster(seed);
        play_until(&mut world, 60);
        on_plane(&mut world, |infra| {
            let process = infra.process("kube-scheduler", PLANE).expect("the process exists");
            infra.freeze(process);
        });
        play_until(&mut world, 600);
        let starts = starts(&world, "kube-scheduler");
        let [at] = starts[..] else { panic!("{starts:?}") };
        // Eight questions, each 15 s after the last: without an answer for so long, and the tick that came
        // meanwhile is taken. Who is frozen does not see SIGTERM either, and is killed 30 s later.
        assert!((210.0..=222.5).contains(&at), "seed {seed}: {at}");
        let events: Vec<String> = world
            .timeline()
            .entries()
            .iter()
            .filter(|entry| entry.name == *"kube-scheduler-control-plane-0")
            .filter(|entry| entry.field == *"event")
            .map(|entry| entry.message.to_string())
            .collect();
        let late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
        let failed = format!("Liveness probe failed: {late}");
        let killed = "Container kube-scheduler failed liveness probe, will be restarted";
        assert_eq!(events, [failed.as_str(), killed]);
    }
}

#[test]
fn who_answers_its_probes_is_left_alone() {
    let mut world = cluster(1);
    play_until(&mut world, 3600);
    for program in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        assert_eq!(starts(&world, program), [] as [f64; 0], "{program}");
    }
}
