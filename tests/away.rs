//! An API server that is told to end: who asks it and reaches another asks that one from then on, who watches it
//! hears of what happens, and none of them sees a failure.

use healsim::api::Kind;
use healsim::engine::{Duration, SimTime};
use healsim::scenario::{Game, Scenario, Source};
use healsim::timeline::Entry;
use healsim::world::View;

/// A healthy cluster of three and three, of which one API server is told to end at 1:00, and whose Pods are
/// deleted then.
const TEXT: &str = "apiVersion: healsim/v1
kind: Scenario
metadata: { name: test }
spec:
  platform: tkgs-2024
  faults:
    - { at: 1m, removeFile: { vm: control-plane-0, path: /etc/kubernetes/manifests/kube-apiserver.yaml } }
    - { at: 1m3s, kubectl: \"delete pod web-* on worker-0\" }
    - { at: 1m3s, kubectl: \"delete pod web-* on worker-1\" }
    - { at: 1m3s, kubectl: \"delete pod web-* on worker-2\" }
  until: 3m
";

fn at(seconds: u64) -> SimTime {
    SimTime::ZERO + Duration::from_secs(seconds)
}

/// The app's Pods that are ready, by their names.
fn ready(view: View) -> Vec<String> {
    let pods = view.objects(Kind::Pod).filter(|pod| pod.name().starts_with("web-"));
    let ready = pods.filter(|pod| pod.pod().is_some_and(|pod| pod.is_ready()));
    ready.map(|pod| pod.name().to_string()).collect()
}

#[test]
fn clients_of_an_api_server_that_ends_ask_another_without_a_failure() {
    let scenario = Scenario::read(Source::embedded("test.yaml", TEXT)).expect("a scenario");
    let game = Game::new(&scenario, None, &[], None).expect("valid");
    let mut run = game.begin(1);
    run.run_until(at(62));
    let before = ready(run.view());
    run.run_until(at(89));
    assert!(run.view().runs("kube-apiserver", "control-plane-0"), "it is watched");
    let after = ready(run.view());
    let new = after.iter().filter(|name| !before.contains(name)).count();
    assert!(new > 0 && after.len() == 3, "all have heard: {after:?}");
    let lines = run.view().timeline().entries().iter().filter(|entry| tells_of_failure(entry));
    let lines: Vec<_> = lines.map(|line| (line.at, &line.name, &line.message)).collect();
    assert!(lines.is_empty(), "{lines:#?}");
}

/// True for the line of a client that reaches another server: those on the VM of the one that ends do not. The
/// laptop says what it has changed, and a new leader that it leads.
fn tells_of_failure(entry: &Entry) -> bool {
    let is_elsewhere = !entry.name.ends_with("@control-plane-0");
    let is_busy =
        entry.name.starts_with("kube-controller-manager@") || entry.name.ends_with("@laptop");
    entry.at >= at(60) && entry.field == *"log" && is_elsewhere && !is_busy
}
