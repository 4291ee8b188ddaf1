//! A comparison must be able to fail in every way.

use super::explained::Known;
use super::judge::{Compared, Verdict, compare, judge};
use super::recorded::{Got, Recorded};
use super::trial::Trial;
use std::collections::BTreeMap;

const FILE: &str = "a_kill_leader_3.3.5.16";

fn recorded(metric: &str, values: &[u64]) -> Recorded {
    Recorded {
        scenario: "a".to_owned(),
        etcd: "3.5.16".to_owned(),
        load: (0..values.len()).map(|trial| trial as f64).collect(),
        millis: BTreeMap::from([(
            metric.to_owned(),
            values.iter().map(|value| Some(*value)).collect(),
        )]),
        outcomes: BTreeMap::from([(
            "put".to_owned(),
            BTreeMap::from([("OK".to_owned(), Got(90, Some(2), Some(9)))]),
        )]),
    }
}

fn simulated(metric: &str, values: impl Iterator<Item = u64>, got: &str) -> Vec<Trial> {
    let trial = |value| {
        let mut trial = Trial::default();
        trial.add(metric, Some(value));
        trial.got("put", got, Some(2));
        trial
    };
    values.map(trial).collect()
}

fn compared(metric: &str, real: &[u64], model: impl Iterator<Item = u64>, got: &str) -> Compared {
    let mut all = [compare(FILE, &recorded(metric, real), &simulated(metric, model, got))];
    judge(&mut all, &[]);
    let [found] = all;
    found
}

#[test]
fn the_same_distribution_agrees_and_another_does_not() {
    let real: Vec<u64> = (0..60).map(|trial| 1_000 + 15 * trial).collect();
    let same = compared("elected", &real, (0..1_000).map(|trial| 1_000 + trial * 9 / 10), "OK");
    assert_eq!((same.rows[0].verdict(), same.disagreements()), (Verdict::Same, 0));
    let later = compared("elected", &real, (0..1_000).map(|trial| 1_300 + trial), "OK");
    assert_eq!((later.rows[0].verdict(), later.disagreements()), (Verdict::Rejected, 1));
    assert_eq!(later.rows[0].by_load, (1_210, 1_660));
}

#[test]
fn few_trials_are_held_by_range() {
    let inside = compared("elected", &[1_050, 1_100], 1_000..1_200, "OK");
    assert_eq!(inside.rows[0].verdict(), Verdict::Same);
    let outside = compared("elected", &[900, 1_100], 1_000..1_200, "OK");
    assert_eq!(outside.rows[0].verdict(), Verdict::Outside(1));
}

#[test]
fn times_of_the_machine_are_held_by_its_range() {
    let real = [90, 100, 110, 120, 150];
    assert_eq!(compared("restart", &real, 95..140, "OK").rows[0].verdict(), Verdict::Same);
    let faster = compared("restart", &real, 10..20, "OK");
    assert_eq!(faster.rows[0].verdict(), Verdict::NotInRange);
}

#[test]
fn other_words_and_what_never_comes_are_found() {
    let found = compared("elected", &[1_000; 5], 1_000..1_100, "UNAVAILABLE|etcdserver: no leader");
    let differences = found.requests[0].differences();
    assert_eq!(
        differences,
        ["`OK` never simulated", "`UNAVAILABLE|etcdserver: no leader` only simulated"]
    );
    let nothing = compared("elected", &[1_000; 5], 0..0, "OK");
    assert_eq!(nothing.rows[0].verdict(), Verdict::Missing);
}

#[test]
fn what_is_known_by_name_is_explained_and_nothing_else() {
    let known = |subject| Known { files: "a_kill", subject, why: "because" };
    for (subject, left) in [("elected", 0), ("firstPut", 1)] {
        let real = recorded("elected", &[1_000; 60]);
        let mut all = [compare(FILE, &real, &simulated("elected", 2_000..3_000, "OK"))];
        judge(&mut all, &[known(subject)]);
        assert_eq!(all[0].disagreements(), left, "{subject}");
    }
}
