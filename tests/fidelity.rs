//! The recordings of real clusters say what their README states, and the simulator agrees with them.
//!
//! `docs/fidelity.md` has the full campaign; here fewer seeds are played, with the same criterion.

use healsim::analysis::fidelity::arithmetic::Arithmetic;
use healsim::analysis::fidelity::campaign::Campaign;
use healsim::analysis::fidelity::compare::{Verdict, compare};
use healsim::analysis::fidelity::heartbeats::{observed_intervals, written_intervals};
use healsim::analysis::fidelity::recorded::ALL;
use healsim::analysis::fidelity::recording::Recording;
use healsim::analysis::fidelity::remediation::REMEDIATION;
use healsim::analysis::fidelity::statistics::ks_distance;
use healsim::analysis::fidelity::steps::{Step, Steps, of_recording};
use healsim::analysis::fidelity::table::markdown;
use healsim::engine::Duration;
use std::fs;
use std::path::Path;

fn read(name: &str) -> Recording {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured").join(name);
    let text = fs::read_to_string(&path).expect("a file of tests/measured");
    Recording::read(&text).expect("a recording")
}

/// All trials of the three files of one Kubernetes release.
fn kills(release: &str) -> Vec<Steps> {
    let file = |trial| read(&format!("worker_killed.k8s-{release}.{trial}.jsonl"));
    (0..3).flat_map(|trial| of_recording(&file(trial))).collect()
}

fn chains(versions: &str, trials: u32) -> Vec<Steps> {
    let file = |trial| read(&format!("worker_killed-capi-{versions}-{trial}.jsonl"));
    (1..=trials).flat_map(|trial| of_recording(&file(trial))).collect()
}

fn step(role: &str, field: &str, value: &str) -> Step {
    Step { role: role.to_owned(), field: field.to_owned(), value: value.to_owned() }
}

fn times(runs: &[Steps], step: &Step) -> Vec<Duration> {
    runs.iter().filter_map(|run| run.get(step)).flat_map(|seen| seen.after.clone()).collect()
}

/// Least, median (of an even number the upper) and greatest in seconds, and how many.
fn summary(mut times: Vec<Duration>) -> String {
    times.sort();
    let text = |time: Duration| format!("{:.2}", time.as_micros() as f64 / 1e6);
    let n = times.len();
    format!("{} {} {} n={n}", text(times[0]), text(times[n / 2]), text(times[n - 1]))
}

#[test]
fn the_kills_have_the_times_of_the_readme() {
    let unknown = step("Node/$victim", "Ready", "Unknown NodeStatusUnknown");
    let deleted = step("Pod/$pod", "deletionTimestamp", "set grace=30");
    let of = |release, step| summary(times(&kills(release), step));
    assert_eq!(of("1.30.14", &unknown), "30.44 36.42 44.34 n=27");
    assert_eq!(of("1.34.4", &unknown), "40.09 46.96 53.05 n=27");
    assert_eq!(of("1.30.14", &deleted), "336.05 343.10 349.57 n=42");
    assert_eq!(of("1.34.4", &deleted), "340.27 347.26 353.36 n=41");
}

#[test]
fn the_taint_follows_unknown_as_the_readme_says() {
    let unknown = step("Node/$victim", "Ready", "Unknown NodeStatusUnknown");
    let lag = |release, taint: &str| {
        let taint = step("Node/$victim", taint, "added");
        let between = |run: &Steps| run[&taint].after[0].saturating_sub(run[&unknown].after[0]);
        summary(kills(release).iter().map(between).collect())
    };
    assert_eq!(lag("1.30.14", "taint unreachable:NoExecute"), "5.08 5.20 10.16 n=27");
    assert_eq!(lag("1.34.4", "taint unreachable:NoExecute"), "0.05 0.14 0.46 n=27");
    assert_eq!(lag("1.30.14", "taint unreachable:NoSchedule"), "0.00 0.06 0.31 n=27");
    assert_eq!(lag("1.34.4", "taint unreachable:NoSchedule"), "0.01 0.05 0.21 n=27");
}

#[test]
fn unknown_lies_in_the_range_of_the_arithmetic() {
    for (release, grace) in [("1.30.14", 40), ("1.34.4", 50)] {
        let arithmetic = Arithmetic {
            grace: Duration::from_secs(grace),
            pass: Duration::from_millis(5_020),
            no_execute_lag: Duration::ZERO,
        };
        let (low, high) = arithmetic.unknown_range();
        let unknown = step("Node/$victim", "Ready", "Unknown NodeStatusUnknown");
        for time in times(&kills(release), &unknown) {
            let seconds = time.as_micros() as f64 / 1e6;
            assert!((low..=high).contains(&seconds), "{release}: {seconds}");
        }
    }
}

#[test]
fn heartbeats_have_the_intervals_of_the_readme() {
    for (release, expected) in
        [("1.30.14", "9.96 10.22 10.50 n=319"), ("1.34.4", "10.01 10.20 10.43 n=320")]
    {
        let recording = read(&format!("heartbeats.k8s-{release}.jsonl"));
        assert_eq!(summary(observed_intervals(&recording)), expected);
        // What the kubelet wrote is never less than the 10 s that it waits.
        let shortest = written_intervals(&recording).into_iter().min().expect("renewals");
        assert!(shortest >= Duration::from_secs(10), "{shortest}");
    }
}

#[test]
fn the_chains_of_cluster_api_have_the_steps_of_their_era() {
    let (old, new) = (chains("v1.7.3-k8s-v1.30.14", 3), chains("v1.14.0-k8s-v1.34.4", 4));
    assert_eq!((old.len(), new.len()), (3, 4));
    let both = [
        step("Machine/$victim", "HealthCheckSucceeded", "False UnhealthyNode"),
        step("Machine/$victim", "deletionTimestamp", "set"),
        step("Node/$victim", "unschedulable", "True"),
        step("InfraMachine/$victim", "exists", "none"),
        step("Node/$victim", "exists", "none"),
        step("Machine/$victim", "exists", "none"),
        step("Machine/$new", "phase", "Running"),
        step("Pod/$newpod", "phase", "Running"),
        step("MachineHealthCheck", "currentHealthy", "4"),
    ];
    for (run, step) in old.iter().chain(&new).flat_map(|run| both.iter().map(move |s| (run, s))) {
        assert!(run.contains_key(step), "{step:?}");
    }
    let drained = step("Machine/$victim", "DrainingSucceeded", "True");
    let waiting = step("Machine/$victim", "Deleting", "True WaitingForInfrastructureDeletion");
    assert!(old.iter().all(|run| run.contains_key(&drained) && !run.contains_key(&waiting)));
    assert!(new.iter().all(|run| run.contains_key(&waiting) && !run.contains_key(&drained)));
    let said = &new[3][&waiting].messages;
    assert_eq!(said.iter().collect::<Vec<_>>(), ["Waiting for $infra to be deleted"]);
}

#[test]
fn a_side_held_against_itself_agrees() {
    let runs = kills("1.34.4");
    let found = compare(&runs, &runs);
    assert_eq!(found.disagreements(), 0);
    assert!(found.rows.iter().all(|row| row.verdict == Verdict::Inside));
}

#[test]
fn the_eras_are_told_apart() {
    let found = compare(&kills("1.34.4"), &kills("1.30.14"));
    let unknown = step("Node/$victim", "Ready", "Unknown NodeStatusUnknown");
    let row = found.rows.iter().find(|row| row.step == unknown).expect("the step of both");
    assert!(matches!(row.verdict, Verdict::Outside(_)) && row.ks_rejected, "{row:?}");
}

fn campaign(scenario: &'static str, platform: &'static str, seeds: u64) -> Campaign {
    Campaign { scenario, platform, set: Vec::new(), seeds: 1..seeds + 1, jobs: 2 }
}

/// Every step of the recordings comes, in its order, with its words, within the simulated range; what does
/// not is explained.
#[test]
fn the_recordings_and_the_simulator_agree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured");
    let mut wrong = Vec::new();
    for held in ALL {
        let found = held.compared(&folder, held.test_seeds, 2).expect("valid");
        assert!(found.rows.len() > 8, "{}: something was compared", held.title);
        if found.disagreements() > 0 {
            wrong.push(markdown(held.title, &found));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whoever carries a recording in compares it, too.
#[test]
fn every_recording_is_compared() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured");
    for entry in fs::read_dir(folder).expect("the folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        let Some(name) = name.strip_suffix(".jsonl") else { continue };
        let compared = ALL.iter().chain(REMEDIATION).any(|held| held.files.contains(&name));
        // Recordings of other questions have tests of their own.
        let of_chains = name.contains("-capi-") || name.starts_with("worker_killed");
        assert!(compared || !of_chains, "{name} is compared with nothing");
    }
}

#[test]
fn leases_are_renewed_at_the_recorded_distances() {
    for (platform, release) in
        [("lab-k8s-1.30-capi-1.7", "1.30.14"), ("lab-k8s-1.34-capi-1.14", "1.34.4")]
    {
        let recorded = written_intervals(&read(&format!("heartbeats.k8s-{release}.jsonl")));
        let simulated = campaign("lab/heartbeats", platform, 5).renewals().expect("valid");
        let test = healsim::analysis::fidelity::heartbeats::compare(&recorded, &simulated);
        let p = test.expect("both sides have renewals").p;
        assert!(p > 0.01, "{release}: p = {p}");
    }
}

#[test]
fn a_dead_kubelets_node_turns_unknown_as_the_arithmetic_says() {
    for (platform, grace) in [("lab-k8s-1.30-capi-1.7", 40), ("lab-k8s-1.34-capi-1.14", 50)] {
        let campaign = campaign("worker-kubelet-stopped", platform, 2_000);
        let times = campaign.first("Node/worker-0", "Ready", "Unknown").expect("valid");
        let seconds: Vec<f64> =
            times.iter().map(|time| time.expect("it comes").as_micros() as f64 / 1e6).collect();
        let arithmetic = Arithmetic {
            grace: Duration::from_secs(grace),
            // The model's own pass: 5 s, and 10 to 100 ms of run time.
            pass: Duration::from_micros(5_055_000),
            no_execute_lag: Duration::ZERO,
        };
        let distance = ks_distance(&seconds, |time| arithmetic.unknown_cdf(time));
        assert!(distance < 0.036, "{platform}: {distance}");
        let (low, high) = arithmetic.unknown_range();
        assert!(seconds.iter().all(|time| (low - 0.1..=high + 0.1).contains(time)), "{platform}");
    }
}
