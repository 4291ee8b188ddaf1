//! Simulated control planes held against recordings of real ones under faults, by the criterion of
//! `docs/fidelity.md` with fewer simulations; and changes of one mechanism each that the criterion tells apart.

use healsim::analysis::fidelity::compare::{Comparison, Verdict};
use healsim::analysis::fidelity::control_plane::held::{ALL, Held};
use healsim::analysis::fidelity::table::markdown;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured")
}

fn held(file: &str) -> &'static Held {
    ALL.iter().find(|held| held.file == file).expect("it is in the table")
}

#[test]
fn users_of_a_control_plane_get_what_they_got() {
    for held in ALL {
        let found = held.compared(&folder(), &[], held.test_trials, 2).expect("valid");
        assert!(!found.rows.is_empty(), "{}: something was compared", held.title);
        assert_eq!(found.disagreements(), 0, "{}", markdown(held.title, &found));
    }
}

/// The headers say to whom the kubelets were connected: five to the one that went silent, one to the one
/// whose connections were reset.
#[test]
fn whoever_was_pinned_to_a_silent_server_was_late_and_nobody_else() {
    for (file, late, others) in [
        ("apiserver_behind_lb_silent.k8s-1.34.4.jsonl", 5, 3),
        ("apiserver_behind_lb_reset.k8s-1.34.4.jsonl", 0, 8),
    ] {
        let recorded = held(file).recorded(&folder()).expect("a recording");
        let count = |role: &str| {
            let again = recorded[0].iter().filter(|(step, _)| step.role == role);
            again.map(|(_, seen)| seen.after.len()).sum::<usize>()
        };
        assert_eq!((count("Lease/$pinned"), count("Lease/$other")), (late, others), "{file}");
    }
}

/// What disagrees once a setting is another.
fn disagreeing(file: &str, set: (&str, &str)) -> Vec<String> {
    let found: Comparison = held(file).compared(&folder(), &[set], 6, 2).expect("valid");
    let rows = found.rows.iter().filter(|row| {
        // Six trials span less than six hundred: what was outside by chance is not asked for here.
        row.disagrees() && row.verdict != Verdict::RareSimulated
    });
    rows.map(|row| format!("{} {} {}", row.step.role, row.step.field, row.step.value)).collect()
}

#[test]
fn a_change_of_one_mechanism_is_told_apart() {
    let (old, new) = ("etcd_quorum_lost.k8s-1.30.14.jsonl", "etcd_quorum_lost.k8s-1.34.4.jsonl");
    let silent = "apiserver_behind_lb_silent.k8s-1.34.4.jsonl";
    let reads = "Probe/get-node@api-0 answered 500 etcdserver: request timed out";
    let cache = "Probe/list-pods-from-cache@api-0 answered 429 storage is (re)initializing";
    let late = "Probe/get-node@api-1 well again 200";
    let health = "Probe/livez@api-0 500 [-]etcd failed: reason withheld took hung";
    let writes = "Probe/write@api-1 504 Timeout: request did not complete within requested timeout - \
                  context deadline exceeded took hung";
    let pause = "Lease/$pinned pause took renewed";
    let down = "apiserver_down_60s.k8s-1.34.4.jsonl";
    let ends = "Process/kube-controller-manager running false";
    let scheduler = "Lease/kube-scheduler event LeaderElection";
    let killed = "takeover-sigkill.k8s-1.34.4.txt";
    let holder = "Lease/kube-controller-manager holder another";
    let words = "kubectl_words.k8s-1.34.4.jsonl";
    let printed = "kubectl get nodes: Error from server (Timeout): the server was unable to return a \
                   response in the time allotted, but may still be processing the request (get \
                   nodes) printed after";
    let ended = "kubectl get nodes: Unable to connect to the server: stream error: stream ID $n; \
                 INTERNAL_ERROR; received from peer printed after";
    let cases = [
        (new, "kubernetes.etcdClientRetries", "false", reads),
        (old, "kubernetes.etcdClientRetries", "true", reads),
        (new, "kubernetes.unfilledCacheRefuses", "false", cache),
        (new, "kubernetes.etcdWatchRetry", "10s", cache),
        (new, "kubernetes.etcdBackoffLimit", "5s", late),
        (new, "kubernetes.etcdHealthcheckTimeout", "5s", health),
        (new, "kubernetes.mutatingRequestTimeout", "20s", writes),
        (silent, "kubernetes.http2ReadIdleTimeout", "20s", pause),
        (down, "kubernetes.leaderElectRenewDeadline", "5s", ends),
        (down, "kubernetes.relistBackoffLimit", "5s", scheduler),
        (killed, "kubernetes.leaderElectLeaseDuration", "11s", holder),
        (words, "kubernetes.requestTimeout", "30s", printed),
        (words, "kubernetes.abortedAtDeadlinePercent", "0", ended),
    ];
    for (file, key, value, step) in cases {
        let found = disagreeing(file, (key, value));
        assert!(found.iter().any(|line| line == step), "{key}={value}: {found:#?}");
    }
}
