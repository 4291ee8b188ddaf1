//! Volumes in whole worlds: how long a Pod waits for the one that its lost Node has, and a Machine
//! for those of its Node.

use healsim::scenario::{Game, Scenario, Source};
use healsim::timeline::{Entry, Run};

/// A StatefulSet of one Pod with a volume, on two workers; these faults.
fn play(faults: &[&str], seed: u64) -> Run {
    play_on(NEW, faults, seed)
}

/// Without health checks, so that nobody but the test ends a Machine.
fn play_on(platform: &str, faults: &[&str], seed: u64) -> Run {
    play_with(platform, faults, seed, &[("machineHealthCheck.unknownTimeout", "24h")])
}

fn play_with(platform: &str, faults: &[&str], seed: u64, set: &[(&str, &str)]) -> Run {
    let lines: Vec<String> = faults.iter().map(|fault| format!("    - {{ {fault} }}\n")).collect();
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  \
         platform: {platform}\n  cluster: {{ workers: 2 }}\n  until: 40m\n  workloads:\n    \
         - {{ name: db, kind: StatefulSet, replicas: 1, volume: true }}\n  faults:\n{}",
        lines.concat()
    );
    let scenario = Scenario::read(Source::embedded("test.yaml", &text)).expect("a scenario");
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Game::new(&scenario, None, &set, None).expect("valid").play(seed)
}

const OLD: &str = "lab-k8s-1.30-capi-1.7";
const NEW: &str = "lab-k8s-1.34-capi-1.14";
const POWER_OFF: &str = "at: 1m, powerOff: { vm: worker-0 }";

/// Seconds from the first fault until this entry, of an object, after a time.
fn when(run: &Run, object: &str, field: &str, to: &str, from: f64) -> Option<f64> {
    let after = |e: &Entry| {
        let fault = run.first_fault.expect("a fault");
        e.at.as_micros() as f64 / 1e6 - fault.as_micros() as f64 / 1e6
    };
    let entries = run.timeline.entries().iter();
    let fits = |e: &&Entry| {
        e.object() == object && e.field == *field && e.to.to_string() == to && after(e) >= from
    };
    entries.filter(fits).map(after).next()
}

#[test]
fn on_a_dead_node_a_volume_waits_for_node_deletion_garbage_collection_and_six_minutes() {
    for seed in 1..=3 {
        let deleted = "at: 10m, kubectl: \"delete node worker-0\"";
        let run = play(&[POWER_OFF, deleted], seed);
        let node_deleted = 540.0;
        let again = when(&run, "Pod/db-0", "exists", "true", node_deleted).expect("created again");
        // Garbage collection comes 40 to 60 s after the Node's deletion, up to 80 in a bad case.
        assert!((node_deleted + 39.0..=node_deleted + 81.0).contains(&again), "{seed}: {again}");
        let ready = when(&run, "Pod/db-0", "Ready", "True", again).expect("ready again");
        // Six minutes from there, then detach and attach (2 to 10 s each), mount (up to 3 s) and
        // start; the kubelet sees within 100 ms that the volume is there.
        assert!((again + 364.0..=again + 385.5).contains(&ready), "{seed}: {again} {ready}");
        let told = run.timeline.entries().iter().find(|e| e.message.contains("Multi-Attach"));
        assert!(told.is_some_and(|e| e.message.contains("already exclusively attached")), "{seed}");
    }
}

#[test]
fn without_the_nodes_deletion_the_pod_hangs_and_its_volume_with_it() {
    let run = play(&[POWER_OFF], 1);
    assert_eq!(when(&run, "Pod/db-0", "exists", "null", 0.0), None);
    let detached = run.timeline.entries().iter().filter(|e| e.kind == *"VolumeAttachment");
    assert_eq!(detached.filter(|e| Some(e.at) > run.first_fault).count(), 0);
}

#[test]
fn a_node_out_of_service_gives_its_volume_back_at_once() {
    for seed in 1..=3 {
        let out = "at: 8m, kubectl: \"taint node worker-0 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute\"";
        let run = play(&[POWER_OFF, out], seed);
        let tainted = 420.0;
        let again = when(&run, "Pod/db-0", "exists", "true", tainted).expect("created again");
        // The garbage collector passes every 20 s.
        assert!(again <= tainted + 21.0, "{seed}: {again}");
        let attachment = "VolumeAttachment/csi-pvc-data-db-0-worker-0";
        let detached = when(&run, attachment, "exists", "null", again).expect("detached");
        assert!(detached <= again + 11.0, "{seed}: {again} {detached}");
        let ready = when(&run, "Pod/db-0", "Ready", "True", again).expect("ready again");
        assert!(ready <= again + 60.0, "{seed}: {again} {ready}");
    }
}

#[test]
fn a_volume_whose_pod_went_while_its_kubelet_was_away_is_not_torn_from_under_its_mount() {
    let faults = [
        "at: 1m, stopUnit: { vm: worker-0, unit: kubelet }",
        "at: 2m, kubectl: \"delete pod db-0 --grace-period=0 --force\"",
        "at: 3m, startUnit: { vm: worker-0, unit: kubelet }",
    ];
    for platform in [OLD, NEW] {
        let run = play_with(platform, &faults, 1, &[("kubernetes.volumeUnmount", "20s..20s")]);
        let started = 120.0;
        let unused = when(&run, "Node/worker-0", "volumesInUse", "null", 0.0).expect("unmounted");
        assert!((started + 20.0..=started + 32.0).contains(&unused), "{platform}: {unused}");
        let attachment = "VolumeAttachment/csi-pvc-data-db-0-worker-0";
        let detached = when(&run, attachment, "exists", "null", 0.0).expect("detached");
        assert!(detached > unused, "{platform}: {detached} {unused}");
    }
}

#[test]
fn a_machine_waits_until_the_volumes_of_its_node_are_detached() {
    let delete = ["at: 1m, kubectl: \"delete machine worker-0\""];
    for seed in 1..=5 {
        for platform in [OLD, NEW] {
            let run = play_on(platform, &delete, seed);
            let at = |object: &str, field: &str, to: &str| {
                when(&run, object, field, to, 0.0).unwrap_or_else(|| panic!("{object} {field}"))
            };
            let pod = at("Pod/db-0", "exists", "null");
            let unused = at("Node/worker-0", "volumesInUse", "null");
            let withdrawn = at("Node/worker-0", "volumesAttached", "null");
            let detached = at("VolumeAttachment/csi-pvc-data-db-0-worker-0", "exists", "null");
            let ends = at("InfraMachine/worker-0", "deletionTimestamp", "set");
            // The kubelet's next status comes within ten seconds, the controller's pass within one
            // tenth of a second; the attacher takes two to ten.
            assert!(pod < unused && unused <= pod + 10.5, "{platform} {seed}: {pod} {unused}");
            assert!(withdrawn <= unused + 0.3, "{platform} {seed}: {unused} {withdrawn}");
            let takes = detached - withdrawn;
            assert!((2.0..=10.5).contains(&takes), "{platform} {seed}: {takes}");
            // The older release looks at the Node's status alone, and may go on sooner.
            let goes_on = if platform == OLD { withdrawn } else { detached };
            assert!(ends > goes_on, "{platform} {seed}: {ends} {goes_on}");
            if platform == OLD {
                // The change of the Node wakes it.
                assert!(ends < withdrawn + 1.0, "{seed}: {ends} {withdrawn}");
            } else {
                // It looks at 20 s, 40 s and so on.
                let late = ends.rem_euclid(20.0);
                assert!(late < 2.0, "{seed}: {ends}");
            }
            let said = run.timeline.entries().iter().any(|entry| {
                entry.object() == "Machine/worker-0"
                    && entry.field.ends_with("VolumeDetachSucceeded")
                    && entry.to.to_string() == "True"
            });
            assert!(said, "{platform} {seed}");
        }
    }
}

#[test]
fn a_lost_node_with_a_volume_holds_its_machine_for_ever_before_that_was_mended() {
    // One of two workers is more than the 40 % that may be ill.
    let heals = ("machineHealthCheck.maxUnhealthy", "100%");
    for (platform, goes) in [(OLD, false), (NEW, true)] {
        let run = play_with(platform, &[POWER_OFF], 1, &[heals]);
        let drained = when(&run, "Machine/worker-0", "phase", "Deleting", 0.0);
        assert!(drained.is_some_and(|at| at > 300.0), "{platform}: {drained:?}");
        let gone = when(&run, "InfraMachine/worker-0", "exists", "null", 0.0);
        assert_eq!(gone.is_some(), goes, "{platform}: {gone:?}");
        let back = when(&run, "Pod/db-0", "exists", "true", 0.0);
        assert_eq!(back.is_some(), goes, "{platform}: {back:?}");
    }
    let mended = ("clusterApi.volumeWaitSkipsUnreachable", "true");
    let limited = ("clusterApi.nodeVolumeDetachTimeout", "5m");
    for set in [mended, limited] {
        let run = play_with(OLD, &[POWER_OFF], 1, &[heals, set]);
        let gone = when(&run, "InfraMachine/worker-0", "exists", "null", 0.0);
        assert!(gone.is_some(), "{set:?}");
    }
}
