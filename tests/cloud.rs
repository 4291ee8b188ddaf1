//! The cloud's controller in whole worlds: when it takes a Node away, and when it lets it be.

use healsim::scenario::{Game, load};
use healsim::timeline::{Entry, Run};

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
