//! A kubelet that hangs: its Node is lost, its containers run on, and it comes back by itself.

use healsim::engine::SimTime;
use healsim::scenario::{Game, Scenario, Source};
use healsim::timeline::{Entry, Run};

/// A worker's kubelet is frozen at one minute, and thawed after so many seconds.
fn run(platform: &str, seconds: u64, seed: u64) -> Run {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: frozen }}\nspec:\n  \
         platform: {platform}\n  faults:\n    \
         - {{ at: 60s, freezeProcess: {{ vm: worker-0, process: kubelet }} }}\n    \
         - {{ at: {}s, thawProcess: {{ vm: worker-0, process: kubelet }} }}\n  until: 8m\n",
        60 + seconds
    );
    let scenario = Scenario::read(Source::embedded("frozen.yaml", &text)).expect("a scenario");
    let never = ("machineHealthCheck.unknownTimeout".to_owned(), "24h".to_owned());
    Game::new(&scenario, None, &[never], None).expect("valid").play(seed)
}

fn find<'a>(run: &'a Run, field: &str, to: &str) -> Option<&'a Entry> {
    let after = SimTime::ZERO + healsim::engine::Duration::from_secs(1);
    run.timeline.entries().iter().find(|entry| {
        entry.at > after
            && entry.name == *"worker-0"
            && entry.field == *field
            && entry.to.to_string() == to
    })
}

/// From the thaw until the Node is ready again, in seconds.
fn back_after(run: &Run, seconds: u64) -> f64 {
    let ready = find(run, "Ready", "True").expect("ready again");
    ready.at.since(SimTime::ZERO).as_micros() as f64 / 1e6 - 60.0 - seconds as f64
}

#[test]
fn a_short_hang_is_noticed_by_nobody() {
    for platform in ["lab-k8s-1.30-capi-1.7", "lab-k8s-1.34-capi-1.14"] {
        assert!(find(&run(platform, 25, 1), "Ready", "Unknown").is_none(), "{platform}");
    }
}

#[test]
fn a_thawed_kubelet_reports_at_once_or_after_a_period_by_where_it_reads_its_node() {
    for seed in 1..=8 {
        // It asks the server, sees Unknown, and says otherwise.
        let back = back_after(&run("lab-k8s-1.30-capi-1.7", 70, seed), 70);
        assert!((0.0..0.2).contains(&back), "seed {seed}: {back} s");
        // It looks at what its watch showed before it was frozen: nothing to say. The next pass
        // comes 10.0 to 10.4 s later.
        let back = back_after(&run("lab-k8s-1.34-capi-1.14", 70, seed), 70);
        assert!((10.0..10.6).contains(&back), "seed {seed}: {back} s");
    }
}

#[test]
fn a_frozen_kubelets_containers_run_on_and_its_pods_are_ready_again_within_a_round() {
    for seed in 1..=4 {
        let run = run("lab-k8s-1.34-capi-1.14", 120, seed);
        let cut = run
            .timeline
            .entries()
            .iter()
            .any(|entry| entry.kind == *"Pod" && entry.field == *"deletionTimestamp");
        assert!(!cut, "less than 300 s after the taint nobody is evicted");
        let mut ready = run.timeline.entries().iter().filter(|entry| {
            entry.kind == *"Pod" && entry.field == *"Ready" && entry.to.to_string() == "True"
        });
        let back = ready.next_back().expect("ready again").at.since(SimTime::ZERO).as_micros();
        let back = back as f64 / 1e6 - 180.0;
        assert!((0.0..10.1).contains(&back), "seed {seed}: {back} s");
        assert!(run.recovered_at.is_some());
    }
}

#[test]
fn a_frozen_api_server_accepts_a_connection_and_the_handshake_is_given_up_after_ten_seconds() {
    let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: frozen }\nspec:\n  \
         platform: lab-k8s-1.34-capi-1.14\n  cluster: { controlPlane: 1, workers: 1 }\n  faults:\n    \
         - { at: 60s, freezeProcess: { vm: control-plane-0, process: kube-apiserver } }\n    \
         - { at: 65s, kubectl: \"delete node worker-0\" }\n    \
         - { at: 80s, thawProcess: { vm: control-plane-0, process: kube-apiserver } }\n  until: 2m\n";
    let scenario = Scenario::read(Source::embedded("frozen.yaml", text)).expect("a scenario");
    let run = Game::new(&scenario, None, &[], None).expect("valid").play(1);
    let mut entries = run.timeline.entries().iter();
    let said = entries.find(|entry| entry.name == *"kubectl@laptop" && entry.field == *"log");
    let said = said.expect("kubectl has given up");
    assert_eq!(said.message, "Unable to connect to the server: net/http: TLS handshake timeout");
    let after = said.at.since(SimTime::ZERO).as_micros() as f64 / 1e6 - 65.0;
    assert!((10.0..10.1).contains(&after), "{after} s");
    let cause = run.timeline.entries().iter().find(|entry| Some(entry.id) == said.cause);
    assert_eq!(cause.expect("a cause").name, *"kube-apiserver@control-plane-0");
    // Its request was never sent, so the server does not find it when it goes on.
    let deleted = |entry: &Entry| {
        entry.object() == "Node/worker-0" && entry.field == *"exists" && entry.at > said.at
    };
    assert!(!run.timeline.entries().iter().any(deleted));
}

#[test]
fn the_freezing_is_the_cause_of_what_follows() {
    let run = run("lab-k8s-1.34-capi-1.14", 70, 1);
    let unknown = find(&run, "Ready", "Unknown").expect("lost");
    let cause = unknown.cause.expect("a cause");
    let frozen = run.timeline.entries().iter().find(|entry| entry.id == cause).expect("there");
    assert_eq!((frozen.name.as_str(), frozen.field.as_str()), ("kubelet@worker-0", "frozen"));
}
