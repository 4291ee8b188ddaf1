//! Hanging kubelets, deleted Nodes, a zone half lost, workloads on a killed node: the simulator held
//! against recordings of Kubernetes, step by step.
//!
//! `cargo run --release --example fidelity_workloads > docs/fidelity-workloads.md`; some minutes.

use healsim::analysis::fidelity::campaign::Campaign;
use healsim::analysis::fidelity::compare::compare;
use healsim::analysis::fidelity::recording::Recording;
use healsim::analysis::fidelity::steps::{Steps, of_recording};
use healsim::analysis::fidelity::table::markdown;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::error::Error;
use std::ops::Range;
use std::{env, fs};

const SEEDS: u64 = 500;
const ERAS: [(&str, &str); 2] =
    [("lab-k8s-1.30-capi-1.7", "1.30.14"), ("lab-k8s-1.34-capi-1.14", "1.34.4")];

/// Recording, scenario, and which of its faults are alike.
const ALL: [(&str, &str, &str, Range<usize>); 7] = [
    ("A kubelet that hangs for 25 s", "kubelet_frozen", "lab/kubelet-frozen", 0..1),
    ("Kubelets that hang for 70 and 120 s", "kubelet_frozen", "lab/kubelet-frozen", 1..3),
    ("Kubelets that hang for 200 and 330 s", "kubelet_frozen", "lab/kubelet-frozen", 3..5),
    ("Nodes of dead kubelets deleted", "node_deleted", "lab/node-deleted", 0..5),
    ("Nodes of running kubelets deleted", "node_deleted", "lab/node-deleted", 5..8),
    ("7 of 12 Nodes lost at once", "zone_partial_7_of_12", "lab/zone-partial-7-of-12", 0..7),
    (
        "A killed node with Pods of a StatefulSet, a DaemonSet, a Deployment",
        "workloads_on_killed_node",
        "lab/workloads-on-killed-node",
        0..1,
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let seeds = env::args().nth(1).map_or(Ok(SEEDS), |seeds| seeds.parse())?;
    println!("{}", include_str!("fidelity_workloads.md").replace("{seeds}", &seeds.to_string()));
    let mut played = BTreeMap::new();
    for (title, file, scenario, faults) in ALL {
        for (platform, release) in ERAS {
            let recorded = recorded(&format!("{file}.k8s-{release}.jsonl"))?;
            let simulated = match played.entry((scenario, platform)) {
                Entry::Occupied(played) => played.into_mut(),
                Entry::Vacant(place) => place.insert(simulated(scenario, platform, seeds)?),
            };
            let runs = simulated.chunks(recorded.len());
            let alike: Vec<Steps> =
                runs.flat_map(|run| run[faults.clone()].iter().cloned()).collect();
            let title = format!("{title}: Kubernetes {release}");
            println!("{}", markdown(&title, &compare(&recorded[faults.clone()], &alike)));
        }
    }
    Ok(())
}

/// There is no Cluster API in these recordings.
fn simulated(
    scenario: &'static str,
    platform: &'static str,
    seeds: u64,
) -> Result<Vec<Steps>, Box<dyn Error>> {
    let set = [("unknownTimeout", "24h"), ("falseTimeout", "24h"), ("maxUnhealthy", "0")];
    let set = set.map(|(key, value)| (format!("machineHealthCheck.{key}"), value.to_owned()));
    let campaign = Campaign { scenario, platform, set: set.into(), seeds: 1..seeds + 1, jobs: 2 };
    let mut steps = campaign.steps().map_err(|mistakes| {
        mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })?;
    for run in &mut steps {
        run.retain(|step, _| !step.role.starts_with("Machine"));
    }
    Ok(steps)
}

fn recorded(name: &str) -> Result<Vec<Steps>, Box<dyn Error>> {
    let path = format!("{}/tests/measured/{name}", env!("CARGO_MANIFEST_DIR"));
    Ok(of_recording(&Recording::read(&fs::read_to_string(path)?)?))
}
