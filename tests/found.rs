//! What campaigns have found and reduced: gaps of the real system, each in at most three faults. The
//! files in `tests/found/` are as `healsim fuzz --gaps` wrote them.

use healsim::analysis::fuzz::{Gap, Schedule, Shape, play};
use healsim::analysis::invariants;
use healsim::engine::Duration;
use healsim::scenario::{Game, Scenario, Source, load};
use healsim::timeline::{Entry, Value};

const FAILED: &str = "OwnerRemediated RemediationFailed: failed to get etcdStatus";
const LAST: &str = "KCP can't remediate if current replicas are less or equal to";
const BLOCKED: &str = "DrainingSucceeded Draining: Draining the node before deletion";
const NO_TOKEN: &str = "a VM cannot join: cluster-info has no signature of its token";
const STRANGER: &str = "EtcdClusterHealthy: a member of etcd has no Machine";
const TOO_MANY: &str = "RemediationAllowed TooManyUnhealthy: Remediation is not allowed";

#[test]
fn a_dead_kubelet_beside_etcds_leader_blocks_remediation() {
    shows("stuck-control-plane-a-kubelet-does-not-run-1", &[FAILED]);
}

#[test]
fn the_only_control_plane_machine_is_never_replaced() {
    shows("stuck-control-plane-a-kubelet-does-not-run-68", &[LAST]);
}

#[test]
fn a_drain_that_a_budget_blocks_never_ends() {
    shows("stuck-a-machine-is-being-deleted-709", &[BLOCKED]);
}

#[test]
fn a_vm_that_is_made_again_cannot_join_with_its_old_token() {
    shows("stuck-a-kubelet-does-not-run-41", &[NO_TOKEN, TOO_MANY]);
}

#[test]
fn too_many_that_are_unhealthy_are_left_so_for_ever() {
    shows("stuck-control-plane-a-machine-has-no-node-448", &[TOO_MANY]);
}

/// With fewer than two Nodes it removes no member, and comes to nothing else before that.
#[test]
fn a_control_plane_whose_nodes_are_deleted_waits_for_ever_to_remove_a_member() {
    shows("stuck-control-plane-a-member-of-etcd-has-not-j-675", &[STRANGER, TOO_MANY]);
}

/// Its pre-terminate hook comes before all remediation, and etcd removes no member while another is dead.
#[test]
fn a_machine_that_a_person_deletes_beside_a_dead_one_blocks_its_remediation() {
    shows("stuck-control-plane-a-kubelet-does-not-run-10581", &[NO_TOKEN]);
}

/// It is frozen, and the operator thaws it at last: a snapshot comes while its disk writes.
#[test]
fn a_member_that_is_thawed_takes_a_snapshot_while_its_disk_writes() {
    let at = Duration::from_secs(60);
    let schedule = Schedule::on("tkgs-current", Shape::new(3, 1))
        .probe("{ api: endpoint }")
        .at(at, "freezeProcess: { vm: supervisor-0, process: etcd }")
        .at(at, "freezeProcess: { vm: control-plane-2, process: etcd }")
        .at(at, "stopUnit: { vm: control-plane-2, unit: kubelet }");
    let trial = play(&schedule).expect("a scenario");
    assert!(trial.violations.is_empty(), "{:?}", trial.violations);
}

/// A member that waits for its disk loses its followers every few seconds, and API servers their watches: a
/// health check judges by Nodes as they were minutes ago. Found by the search through all pairs.
#[test]
fn who_has_not_heard_that_a_node_is_well_may_blame_it() {
    let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: unheard }\nspec:\n  platform: \
                tkgs-2024\n  faults:\n    - { at: 1m, removeFile: { vm: control-plane-0, path: \
                /etc/kubernetes/manifests/etcd.yaml } }\n    - { at: 1m54.682596s, slowDisk: { vm: \
                control-plane-2, flush: 5s } }\n  until: 8m\n";
    let scenario = Scenario::read(Source::embedded("unheard.yaml", text)).expect("a scenario");
    let game = Game::new(&scenario, None, &[], None).expect("a game");
    let run = invariants::play(&game, 1);
    assert!(run.violated.is_empty(), "{:?}", run.violated);
    let mut entries = run.timeline.entries().iter();
    let blames = |entry: &Entry| {
        entry.object() == "Machine/worker-0"
            && entry.field == *"OwnerRemediated"
            && entry.to.as_text() == Some("False")
    };
    assert!(entries.any(blames), "its Node was well again for two minutes");
}

/// Its maker lets the VSphereMachine go, whose cache does not show it yet; what is left is its owner's garbage.
#[test]
fn a_virtual_machine_without_an_owner_is_collected() {
    let name = "orphaned-virtual-machine-6437";
    let path = format!("{}/tests/found/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let game = Game::new(&load(&path).expect("a scenario"), None, &[], None).expect("a game");
    let run = invariants::play(&game, 6437);
    assert!(run.violated.is_empty(), "{:?}", run.violated);
    let by = "generic-garbage-collector@supervisor-0";
    let collected = |entry: &&Entry| {
        entry.kind == *"VirtualMachine" && entry.field == *"deletionTimestamp" && entry.by == *by
    };
    let entry = run.timeline.entries().iter().find(collected).expect("it is collected");
    let gone = |other: &Entry| other.object() == entry.object() && other.to == Value::Null;
    assert!(run.timeline.entries().iter().any(gone), "{}", entry.object());
    let vm = format!("VM/{}", entry.name);
    let comes = |other: &&Entry| other.object() == vm && other.field == *"exists";
    let last = run.timeline.entries().iter().rfind(comes);
    assert!(last.is_none_or(|last| last.to == Value::Null), "{vm} stays");
}

/// The kubelet's first list comes out of a watch cache that is an hour old: what is true of the real system is no broken
/// law. A kubelet that restarts beside healthy servers is held to the letter (unit tests of the law).
#[test]
fn a_kubelet_that_is_told_of_the_past_runs_what_is_gone() {
    let name = "told-of-the-past-1355";
    let path = format!("{}/tests/found/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let game = Game::new(&load(&path).expect("a scenario"), None, &[], None).expect("a game");
    let run = invariants::play(&game, 1355);
    assert!(run.violated.is_empty(), "{:?}", run.violated);
}

/// Two of three members wait for their disks, elections follow each other, and the kubelet's words about an
/// API server that crashes get into the API between two of them or not at all. Found by a campaign.
#[test]
fn what_cannot_be_written_between_two_elections_need_not_be_read() {
    let schedule = Schedule::on("tkgs-2024", Shape::new(3, 3))
        .seed(1943)
        .probe("{ api: endpoint }")
        .at(Duration::from_secs(60), "slowDisk: { vm: control-plane-2, flush: 5s }")
        .at(Duration::from_millis(381_415), "slowDisk: { vm: control-plane-0, flush: 5s }");
    let trial = play(&schedule).expect("a scenario");
    assert!(trial.violations.is_empty(), "{:?}", trial.violations);
}

/// The file is stuck as its first line says, with these words in it, in few faults and with no law
/// broken.
fn shows(name: &str, words: &[&str]) {
    let path = format!("{}/tests/found/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("it is there");
    let first = text.lines().next().expect("what it shows");
    let game = Game::new(&load(&path).expect("a scenario"), None, &[], None).expect("a game");
    let seed = game.seed.expect("its own");
    assert!(game.faults().len() <= 3, "{name} is reduced");
    let mut simulation = game.begin(seed);
    simulation.run_to_end();
    let gap = Gap::of(&simulation).expect("it does not heal").to_string();
    assert_eq!(first, format!("# Does not heal by itself: {gap}."), "{name}");
    assert!(words.iter().all(|words| gap.contains(words)), "{name}: {gap}");
    let run = invariants::play(&game, seed);
    assert!(run.violated.is_empty(), "{name}: {:?}", run.violated);
    assert_eq!(run.failed().count(), 1, "{name}: it is not seen to recover");
}
