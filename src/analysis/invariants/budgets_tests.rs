//! Which deletions of Pods are evictions, told by hand-made timelines.

use super::budgets::is_eviction;
use crate::engine::{SimTime, Text};
use crate::timeline::{Entry, Timeline, Value};

/// What becomes of a condition or a deletion of a Pod: `SECONDS FIELD VALUE REASON WRITER`.
fn timeline(lines: &[&str]) -> Timeline {
    let mut timeline = Timeline::default();
    timeline.begin();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let [seconds, field, to, reason, by] = words[..] else { panic!("{line}") };
        let seconds: u64 = seconds.parse().expect("a number");
        timeline.push(Entry {
            id: timeline.next_id(),
            at: SimTime::from_micros(seconds * 1_000_000),
            cluster: Text::EMPTY,
            kind: Text::word("Pod"),
            name: Text::word("web-7-a"),
            field: Text::from(field),
            from: Value::Null,
            to: Value::text(to),
            reason: Text::from(reason),
            message: Text::EMPTY,
            by: Text::from(by),
            cause: None,
            reads: Vec::new(),
            took: None,
        });
    }
    timeline
}

/// Whether the last line is an eviction.
fn evicts(lines: &[&str]) -> bool {
    let timeline = timeline(lines);
    is_eviction(&timeline, timeline.entries().last().expect("a deletion"))
}

#[test]
fn a_deletion_is_an_evictions_if_its_writer_has_marked_the_pod_just_before() {
    let marked_by = |who: &str| format!("60 DisruptionTarget True EvictionByEvictionAPI {who}");
    let deleted_by = |at: u64, who: &str| format!("{at} deletionTimestamp set grace=30 {who}");
    let drained = marked_by("kubectl@laptop");
    assert!(evicts(&[&drained, &deleted_by(60, "kubectl@laptop")]));
    assert!(!evicts(&[&deleted_by(60, "kubectl@laptop")]), "a person's deletion asks no budget");
    assert!(!evicts(&[&drained, &deleted_by(190, "kubectl@laptop")]), "that is another command");
    let taken_back = "150 DisruptionTarget False  disruption-controller@control-plane-0";
    assert!(!evicts(&[&drained, taken_back, &deleted_by(151, "kubectl@laptop")]));
    let by_cluster_api = marked_by("machine-controller@supervisor-0");
    assert!(!evicts(&[&by_cluster_api, &deleted_by(61, "kubectl@laptop")]));
    assert!(!evicts(&[&by_cluster_api, &deleted_by(61, "replicaset-controller@control-plane-0")]));
}

#[test]
fn cluster_api_deletes_pods_by_eviction_only() {
    let deletion = "60 deletionTimestamp set grace=30 machine-controller@supervisor-0";
    assert!(evicts(&[deletion]), "releases that do not mark");
    let late = "500 deletionTimestamp set grace=30 machine-controller@supervisor-1";
    let mark = "60 DisruptionTarget True EvictionByEvictionAPI machine-controller@supervisor-0";
    assert!(evicts(&[mark, late]), "it stood, and said nothing new");
}

#[test]
fn who_deletes_for_a_taint_asks_no_budget() {
    let by = "taint-eviction-controller@control-plane-0";
    let mark = format!("60 DisruptionTarget True DeletionByTaintManager {by}");
    assert!(!evicts(&[&mark, &format!("60 deletionTimestamp set grace=30 {by}")]));
}
