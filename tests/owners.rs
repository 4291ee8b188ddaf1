//! What is owned goes with its owner, and a pool comes again without its MachineSet.

use healsim::analysis::invariants;

use healsim::scenario::{Game, Scenario, Source};
use healsim::timeline::{Entry, Run, Value};

/// Four platforms: two with a management cluster of its own, two that manage themselves.
const PLATFORMS: [&str; 4] =
    ["tkgs-2024", "tkgs-current", "lab-k8s-1.30-capi-1.7", "lab-k8s-1.34-capi-1.14"];

fn play(platform: &str, command: &str) -> Run {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: owners }}\nspec:\n  platform: \
         {platform}\n  faults:\n    - {{ at: 1m, kubectl: \"{command}\" }}\n  until: 25m\n"
    );
    let scenario = Scenario::read(Source::embedded("owners.yaml", &text)).expect("a scenario");
    let run = invariants::play(&Game::new(&scenario, None, &[], None).expect("a game"), 1);
    assert!(run.violated.is_empty(), "{platform}: {:?}", run.violated);
    run
}

/// Objects of a kind that came or went, of which this is true.
fn of<'a>(run: &'a Run, kind: &str, fits: impl Fn(&Entry) -> bool) -> Vec<&'a str> {
    let entries = run.timeline.happened().iter();
    entries.filter(|e| e.kind == *kind && fits(e)).map(|e| e.name.as_str()).collect()
}

fn comes(entry: &Entry) -> bool {
    entry.field == *"exists" && entry.to == Value::Bool(true)
}

fn goes(entry: &Entry) -> bool {
    entry.field == *"exists" && entry.to == Value::Null
}

fn is_collected(entry: &Entry) -> bool {
    entry.field == *"deletionTimestamp" && entry.by.starts_with("generic-garbage-collector")
}

#[test]
fn without_its_machineset_a_pool_is_made_again_and_the_old_machines_go() {
    for platform in PLATFORMS {
        let run = play(platform, "delete machineset md-0-5k7x2");
        let [set] = of(&run, "MachineSet", comes)[..] else { panic!("{platform}") };
        assert!(set.starts_with("md-0-"), "{set}");
        let old = of(&run, "Machine", is_collected);
        assert!(old.iter().all(|name| name.starts_with("worker-")), "{old:?}");
        assert_eq!(of(&run, "Machine", goes).len(), old.len(), "{platform}");
        let new = of(&run, "Machine", comes);
        assert!(new.len() == old.len() && new.iter().all(|name| name.starts_with(set)), "{new:?}");
        let ready = |e: &Entry| e.field == *"Ready" && e.to == Value::text("True");
        let ready = of(&run, "Node", ready);
        assert!(new.iter().all(|name| ready.contains(name)), "{platform}: {ready:?}");
    }
}

#[test]
fn with_a_machinedeployment_all_goes() {
    for platform in PLATFORMS {
        let run = play(platform, "delete machinedeployment md-0");
        assert_eq!(of(&run, "MachineSet", goes).len(), 1, "{platform}");
        assert_eq!(of(&run, "MachineSet", comes).len(), 0, "{platform}");
        let machines = of(&run, "Machine", goes);
        assert!(machines.len() > 1, "{platform}");
        let vms = of(&run, "VM", goes);
        assert!(machines.iter().all(|name| vms.contains(name)), "{platform}: {vms:?}");
    }
}

#[test]
fn a_control_plane_waits_for_the_workers_to_be_deleted_first() {
    for platform in ["tkgs-2024", "tkgs-current"] {
        let run = play(platform, "delete kcp control-plane");
        assert_eq!(of(&run, "KubeadmControlPlane", goes), [""; 0], "{platform}");
        let asked = |e: &Entry| e.field == *"deletionTimestamp";
        assert_eq!(of(&run, "KubeadmControlPlane", asked).len(), 1, "{platform}");
        assert_eq!(of(&run, "Machine", asked), [""; 0], "{platform}");
        let says = |e: &Entry| e.message.contains("Waiting for worker nodes to be deleted first");
        assert_eq!(of(&run, "Process", says).len(), 1, "{platform}");
    }
}

/// The Supervisor has a kube-controller-manager too, which writes down nothing of the workload cluster.
#[test]
fn nobody_has_to_read_what_the_workloads_own_manager_would_have_written() {
    let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: unread }\nspec:\n  platform: \
                tkgs-2024\n  cluster: { controlPlane: 1, workers: 3 }\n  faults:\n    - { at: 1m, stopUnit: \
                { vm: control-plane-0, unit: kubelet } }\n    - { at: 1m1s, killProcess: { vm: \
                control-plane-0, process: kube-controller-manager } }\n  until: 5h\n";
    let scenario = Scenario::read(Source::embedded("unread.yaml", text)).expect("a scenario");
    let run = invariants::play(&Game::new(&scenario, None, &[], None).expect("a game"), 1);
    assert!(run.violated.is_empty(), "{:?}", run.violated);
}
