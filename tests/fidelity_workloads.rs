//! Hanging kubelets, deleted Nodes, a zone half lost, workloads on a killed node: the simulator held
//! against recordings of Kubernetes 1.30.14 and 1.34.4, by the criterion of `docs/fidelity.md` with
//! fewer seeds.

use healsim::analysis::fidelity::recorded::WORKLOADS;
use healsim::analysis::fidelity::table::markdown;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured")
}

#[test]
fn nodes_and_workloads_go_the_recorded_way() {
    let mut wrong = Vec::new();
    for held in WORKLOADS {
        let found = held.compared(&folder(), held.test_seeds, 2).expect("valid");
        // A kubelet that hangs for 25 s leaves no trace on either side.
        assert!(found.recorded > 0 && found.simulated >= 30, "{}: {found:?}", held.title);
        if found.disagreements() > 0 {
            wrong.push(markdown(held.title, &found));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_kubelet_that_runs_on_does_not_register_again() {
    let deleted =
        WORKLOADS.iter().filter(|held| held.title.starts_with("Nodes of running kubelets"));
    for held in deleted {
        let found = held.compared(&folder(), 9, 2).expect("valid");
        let rows = found.rows.iter();
        let back = rows.filter(|row| row.step.role == "Node/$victim" && row.step.field == "Ready");
        assert_eq!(back.count(), 0, "{}", held.title);
    }
}
