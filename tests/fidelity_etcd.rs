//! Simulated etcd members held against recordings of real ones (3.4, 3.5, 3.6), by the criterion of
//! `docs/fidelity-etcd.md` with fewer simulations; and changes that the criterion tells apart.

use healsim::analysis::fidelity::etcd::explained::KNOWN;
use healsim::analysis::fidelity::etcd::held::{ALL, Held};
use healsim::analysis::fidelity::etcd::judge::{Compared, Verdict, compare, judge};
use healsim::analysis::fidelity::etcd::table::markdown;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured/etcd")
}

/// How often a file's fault is played here.
fn times(held: &Held) -> u64 {
    match held.file.as_bytes()[0] {
        // Twenty thousand entries each, and the driver's own pace decides the rest.
        b'f' => 3,
        b'a' | b'e' => 60,
        b'p' | b'i' => 45,
        _ => 30,
    }
}

fn compared(held: &Held, set: &[(&str, &str)]) -> Compared {
    let recorded = held.recorded(&folder()).expect("it is in the folder");
    let trials = held.play(set, times(held), 2).expect("valid settings");
    compare(held.file, &recorded, &trials)
}

fn one(file: &str, set: &[(&str, &str)]) -> Compared {
    let held = ALL.iter().find(|held| held.file == file).expect("it is in the table");
    let mut all = [compared(held, set)];
    judge(&mut all, KNOWN);
    let [found] = all;
    found
}

#[test]
fn every_recorded_fault_goes_the_recorded_way() {
    let mut all: Vec<Compared> = ALL.iter().map(|held| compared(held, &[])).collect();
    judge(&mut all, KNOWN);
    let wrong: Vec<String> =
        all.iter().filter(|file| file.disagreements() > 0).map(markdown).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all.iter().all(|file| !file.rows.is_empty() && file.simulated > 0));
}

#[test]
fn a_longer_election_timeout_is_told_apart() {
    let found = one("a_kill_leader_3.3.5.16", &[("etcd.electionTimeout", "1200ms")]);
    let elected = found.rows.iter().find(|row| row.metric == "elected").expect("it is recorded");
    assert!(
        matches!(elected.verdict(), Verdict::Rejected | Verdict::TooFar),
        "{}",
        markdown(&found)
    );
}

#[test]
fn links_that_are_given_up_are_told_apart() {
    let found = one("p_follower_isolated_3.3.5.16", &[("etcd.peerReadTimeoutApplies", "true")]);
    let lost = found.requests.iter().find(|request| request.kind == "put/isolated");
    let lost = lost.expect("it is recorded").differences();
    assert!(lost.iter().any(|words| words.contains("connection lost")), "{}", markdown(&found));
}

#[test]
fn a_release_without_pre_vote_is_told_apart() {
    let found = one("p_follower_isolated_3.3.5.16", &[("etcd.preVote", "false")]);
    let terms = found.rows.iter().find(|row| row.metric == "terms").expect("it is recorded");
    assert_eq!(terms.verdict(), Verdict::Rejected, "{}", markdown(&found));
}
