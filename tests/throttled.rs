//! What a controller's limit of 20 requests a second, 30 at once, makes of many Pods: the kubelet of the only
//! worker stops, and with it 100 Pods are lost.

use healsim::engine::SimTime;
use healsim::scenario::{Game, Scenario, Source};
use healsim::timeline::{Entry, Run};

/// One worker with so many Pods, whose kubelet stops at one minute.
fn game(pods: u32, set: &[(&str, &str)]) -> Game {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: throttled }}\nspec:\n  \
         platform: tkgs-2024\n  cluster: {{ controlPlane: 1, workers: 1 }}\n  \
         settings: {{ infra.nodeCpuMillis: 16000 }}\n  \
         workloads:\n    - {{ name: many, replicas: {pods} }}\n  faults:\n    \
         - {{ at: 1m, stopUnit: {{ vm: worker-0, unit: kubelet }} }}\n  until: 3m\n"
    );
    let scenario = Scenario::read(Source::embedded("throttled.yaml", &text)).expect("a scenario");
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Game::new(&scenario, None, &set, None).expect("valid")
}

/// When the workload's Pods were marked not ready.
fn marked(run: &Run) -> Vec<SimTime> {
    let is_mark = |e: &Entry| e.field == *"Ready" && e.to.to_string() == "False";
    times(run, |e| e.kind == *"Pod" && e.name.contains("many") && is_mark(e))
}

/// When the Node got its `NoExecute` taint.
fn tainted(run: &Run) -> SimTime {
    let has = |e: &Entry| e.to.to_string().contains("unreachable:NoExecute");
    times(run, |e| e.kind == *"Node" && e.field == *"taints" && has(e))[0]
}

fn times(run: &Run, is: impl Fn(&Entry) -> bool) -> Vec<SimTime> {
    let entries = run.timeline.entries().iter();
    entries.filter(|entry| is(entry)).map(|entry| entry.at).collect()
}

fn seconds(from: SimTime, to: SimTime) -> f64 {
    to.since(from).as_micros() as f64 / 1e6
}

#[test]
fn a_hundred_pods_of_a_lost_node_are_marked_over_eight_seconds_and_no_execute_comes_after() {
    for seed in 1..=3 {
        let run = game(100, &[]).play(seed);
        let marked = marked(&run);
        assert_eq!(marked.len(), 100, "seed {seed}");
        // A mark and an Event of each: 200 requests, 30 at once, the others 50 ms apart.
        let took = seconds(marked[0], marked[99]);
        assert!((8.0..=8.8).contains(&took), "seed {seed}: {took} s");
        // Up to 1.33 it is queued in the next pass, 5 s after the end of this one.
        let later = seconds(marked[99], tainted(&run));
        assert!((4.9..=5.3).contains(&later), "seed {seed}: {later} s");
    }
}

#[test]
fn without_the_limit_they_are_marked_at_once() {
    let run = game(100, &[("kubernetes.controllerRequestBurst", "1000")]).play(1);
    let marked = marked(&run);
    let took = seconds(marked[0], marked[99]);
    assert!(took <= 0.2, "{took} s");
    let later = seconds(marked[99], tainted(&run));
    assert!((4.8..=5.3).contains(&later), "{later} s");
}

#[test]
fn who_is_held_back_is_so_in_sparse_runs_too() {
    let game = game(60, &[]);
    let (mut sparse, mut dense) = (game.play(2), game.clone().dense().play(2));
    (sparse.engine_events, dense.engine_events) = (0, 0);
    assert_eq!(format!("{sparse:?}"), format!("{dense:?}"));
}
