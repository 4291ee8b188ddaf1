//! The cloud's controller in whole worlds: when it takes a Node away, and when it lets it be.

use healsim::scenario::{Game, Scenario, Source, load};
use healsim::timeline::{Entry, Run, Value};

fn play(platform: &str, set: &[(&str, &str)], seed: u64) -> Run {
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let scenario = load("worker-vm-deleted").expect("an embedded scenario");
    Game::new(&scenario, Some(platform), &set, None).expect("valid").play(seed)
}

/// The first entry after the first fault about a field of an object.
fn first<'a>(run: &'a Run, object: &str, field: &str) -> Option<&'a Entry> {
    let mut after = run.timeline.entries().iter().filter(|entry| Some(entry.at) > run.first_fault);
    after.find(|entry| entry.object() == object && entry.field == *field)
}

fn at(entry: &Entry) -> f64 {
    entry.at.as_micros() as f64 / 1e6
}

const CLOUD: &str = "cloud-node-lifecycle-controller@control-plane-";

#[test]
fn a_machine_that_is_made_anew_as_another_loses_its_node_within_a_pass() {
    for seed in 1..=8 {
        let other = play("tkgs-2024", &[("vmOperator.recreateKeepsUuid", "false")], seed);
        let new = first(&other, "VSphereMachine/worker-0", "VMProvisioned").expect("made anew");
        let gone = first(&other, "Node/worker-0", "exists").expect("the Node goes");
        assert!(gone.by.starts_with(CLOUD), "{seed}: {}", gone.by);
        // VM Operator has said what the new one is just before its provider has heard of it; the
        // next pass begins at most five seconds later.
        let late = at(gone) - at(new);
        assert!((-0.5..=5.2).contains(&late), "{seed}: {late}");
        let told = first(&other, "Machine/worker-0", "exists").expect("the Machine goes");
        assert!(at(told) > at(gone), "{seed}");
        let cause = gone.cause.map(|id| other.timeline.get(id).expect("an entry"));
        assert!(cause.is_some(), "{seed}: what was heard of the Node is the cause");
    }
}

#[test]
fn a_machine_that_is_made_anew_as_itself_keeps_its_node_until_it_is_given_up() {
    let mut first_by = Vec::new();
    for (platform, seeds) in [("tkgs-2024", 1..=2), ("tkgs-current", 1..=12)] {
        for seed in seeds {
            let run = play(platform, &[], seed);
            let machine = first(&run, "VirtualMachine/worker-0", "exists").expect("it is given up");
            let gone = first(&run, "Node/worker-0", "exists").expect("the Node goes");
            assert!(at(gone) > at(machine), "{platform} {seed}");
            first_by.push(gone.by.to_string());
        }
    }
    // Then two may delete it, and either is first.
    assert!(first_by.iter().any(|by| by.starts_with(CLOUD)), "{first_by:?}");
    assert!(first_by.iter().any(|by| by.starts_with("machine-controller")), "{first_by:?}");
}

/// A worker is replaced while the cloud's controller runs nowhere; it is back at a time.
fn replaced_without(until_back: &str) -> Run {
    let each = |verb: &str, at: &str| {
        let one = |plane: u32| {
            format!(
                "    - {{ at: {at}, {verb}: {{ vm: control-plane-{plane}, path: \
                 /etc/kubernetes/manifests/cloud-controller-manager.yaml }} }}\n"
            )
        };
        (0..3).map(one).collect::<String>()
    };
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: no-cloud }}\nspec:\n  platform: \
         tkgs-current\n  faults:\n{}    - {{ at: 2m, stopUnit: {{ vm: worker-0, unit: kubelet }} }}\n{}\
         \n  until: 45m\n",
        each("removeFile", "1m"),
        each("restoreFile", until_back),
    );
    let scenario = Scenario::read(Source::embedded("no-cloud.yaml", &text)).expect("valid");
    Game::new(&scenario, None, &[], None).expect("valid").play(3)
}

#[test]
fn a_new_node_is_nobodys_and_gets_no_pods_until_the_clouds_controller_is_back() {
    let run = replaced_without("30m");
    let entries = run.timeline.entries();
    let is_new = |entry: &&Entry| Some(entry.at) > run.first_fault;
    let added = entries.iter().filter(is_new).find(|entry| {
        entry.field == *"exists" && entry.object().starts_with("Node/") && entry.to != Value::Null
    });
    let node = added.expect("the replacement's Node").object();
    let marked = entries.iter().find(|it| it.object() == node && it.field == *"taints");
    let marked = marked.and_then(|it| it.to.as_text()).expect("it is tainted");
    assert!(marked.contains("cloudprovider.kubernetes.io/uninitialized:NoSchedule"), "{marked}");
    let named = entries.iter().find(|it| it.object() == node && it.field == *"providerID");
    let named = named.expect("the cloud's controller says which machine it is");
    assert!(named.by.starts_with("cloud-node-controller@"), "{}", named.by);
    let back = 30.0 * 60.0;
    assert!(at(named) > back && at(named) < back + 60.0, "{}", at(named));
    // Cluster API knows a Machine's Node by that, and a Pod waits for the Node's taint to go.
    let owned =
        entries.iter().find(|it| it.field == *"nodeRef" && it.to.as_text() == Some(&node[5..]));
    assert!(at(owned.expect("then the Machine has its Node")) > at(named));
    let bound =
        entries.iter().find(|it| it.field == *"nodeName" && it.to.as_text() == Some(&node[5..]));
    assert!(at(bound.expect("then Pods come")) > at(named));
    assert!(run.recovered_at.is_some(), "{:?}", run.missing);
}

#[test]
fn with_the_clouds_controller_a_new_node_is_marked_for_less_than_a_second() {
    let run = play("tkgs-current", &[], 1);
    let entries = run.timeline.entries();
    let named = entries.iter().find(|entry| {
        Some(entry.at) > run.first_fault
            && entry.field == *"providerID"
            && entry.object().starts_with("Node/")
    });
    let named = named.expect("a new Node is named");
    let added = first(&run, &named.object(), "exists").expect("it is registered");
    assert!(at(named) - at(added) < 1.0, "{} {}", at(added), at(named));
    assert!(named.cause.is_some());
}
