//! The language of expectations, word by word.

use super::*;
use crate::timeline::{Timeline, Value};

/// A timeline from lines `SECONDS KIND/NAME FIELD VALUE [REASON]`; a value of `-` is null.
fn entries(lines: &str) -> Vec<Entry> {
    let mut timeline = Timeline::default();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let (kind, name) = words[1].split_once('/').expect("an object");
        timeline.push(Entry {
            id: timeline.next_id(),
            at: SimTime::ZERO + Duration::from_secs(words[0].parse().expect("seconds")),
            cluster: Text::EMPTY,
            kind: kind.into(),
            name: name.into(),
            field: words[2].into(),
            from: Value::Null,
            to: match words[3] {
                "-" => Value::Null,
                "true" => Value::Bool(true),
                word => Value::text(word),
            },
            reason: words.get(4).copied().unwrap_or_default().into(),
            message: words.get(5).copied().unwrap_or_default().into(),
            by: Text::EMPTY,
            cause: None,
            reads: Vec::new(),
        });
    }
    timeline.entries().to_vec()
}

const RUN: &str = "
    0 Node/worker-0 exists true
    0 Node/worker-0 Ready True
    0 Machine/worker-0 phase Running
    0 Pod/web-a nodeName worker-0
    0 Pod/csi-b nodeName control-plane-0
    60 Fault/stopUnit injected Process/kubelet@worker-0
    101 Node/worker-0 Ready Unknown NodeStatusUnknown
    400 Machine/worker-0 phase Deleting
    410 Pod/web-a exists -
    500 Node/x exists true
    501 Node/x Ready True KubeletReady
    502 Process/capi@s log capi - Waiting
";

fn judge(words: &str, never: bool, after: Option<(u64, u64)>) -> timeline::Expectation {
    let after = after.map(|(low, high)| (Duration::from_secs(low), Duration::from_secs(high)));
    let pattern = Pattern::read(words).expect("a pattern");
    let expectation = Expectation { text: words.into(), pattern, never, after, on: Vec::new() };
    expectation.judge(&entries(RUN), Some(SimTime::ZERO + Duration::from_secs(60)), "p")
}

fn sees(words: &str) -> bool {
    judge(words, false, None).met
}

#[test]
fn a_change_is_seen_with_its_value_and_reason() {
    assert!(sees("Node/worker-0 Ready=Unknown"));
    assert!(sees("Node/* Ready=Unk* reason=NodeStatusUnknown"));
    assert!(!sees("Node/worker-0 Ready=Unknown reason=Other"));
    assert!(!sees("Node/worker-0 Ready=True"), "what was so before the fault is no change");
    assert!(sees("Process/capi@* log=Wait*"));
}

#[test]
fn created_and_deleted_are_the_ends_of_existing() {
    assert!(sees("Pod/web-* deleted on worker-0"));
    assert!(!sees("Pod deleted on control-plane-*"));
    assert!(sees("new Node created"));
    assert!(sees("new Node Ready=True"));
    assert!(!sees("new Node/worker-0 Ready=Unknown"));
}

#[test]
fn things_that_hold_at_once_are_seen_when_the_last_of_them_comes() {
    let verdict =
        judge("Machine/worker-0 phase=Running while Node/worker-0 Ready=Unknown", false, None);
    assert_eq!(verdict.at.map(|at| at.as_micros() / 1_000_000), Some(101));
    assert!(!sees("Machine/worker-0 phase=Running while Pod/web-a exists=true"));
}

#[test]
fn a_range_counts_from_the_fault_and_includes_its_bounds() {
    assert!(judge("Node/worker-0 Ready=Unknown", false, Some((41, 41))).met);
    let late = judge("Node/worker-0 Ready=Unknown", false, Some((29, 40)));
    assert!(!late.met);
    assert_eq!(late.why_not, "it was seen 41s after the fault (entry 7)");
    assert_eq!(judge("Node/q Ready=Unknown", false, None).why_not, "it was never seen");
}

#[test]
fn never_is_met_by_what_does_not_happen() {
    assert!(judge("Pod deleted on control-plane-*", true, None).met);
    assert!(!judge("Machine/worker-0 phase=Deleting", true, None).met);
}

#[test]
fn a_mistake_is_shown_at_its_letter() {
    let wrong = |words: &str| Pattern::read(words).expect_err("a mistake").0;
    assert_eq!(wrong("Node/worker-0 vanished"), 14);
    assert_eq!(wrong("Node/worker-0"), 13);
    assert_eq!(wrong("Node/worker-0 Ready=True sometimes"), 25);
    assert_eq!(wrong("Pod deleted on"), 14);
    assert_eq!(wrong("Process/x log=\"open"), 14);
    assert_eq!(wrong(""), 0);
    assert_eq!(wrong("Nod/worker-0 created"), 0, "what does not exist would never be seen");
}
