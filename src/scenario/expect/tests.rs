//! The language of expectations, word by word.

use super::*;
use crate::scenario::Known;
use crate::timeline::{Entry, Value};

/// A timeline from lines `SECONDS KIND/NAME FIELD VALUE [REASON]`; a value of `-` is null, and the
/// line `begins` ends the state in which the run begins.
fn timeline(lines: &str) -> Timeline {
    let mut timeline = Timeline::default();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "begins" {
            timeline.begin();
            continue;
        }
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
            took: None,
        });
    }
    timeline
}

/// A run of this timeline, with a fault and a recovery at these seconds.
fn seen(timeline: &Timeline, fault: u64, recovered: Option<u64>) -> Seen<'_> {
    let at = |seconds| SimTime::ZERO + Duration::from_secs(seconds);
    Seen { timeline, first_fault: Some(at(fault)), recovered_at: recovered.map(at) }
}

#[test]
fn a_recovery_is_seen_at_its_own_time_and_within_its_range() {
    let timeline = timeline(RUN);
    let after = |low, high| Some((Duration::from_secs(low), Duration::from_secs(high)));
    let judge = |after, recovered| {
        let expectation = Expectation {
            text: Text::word(RECOVERED),
            sight: Sight::Recovery,
            never: false,
            after,
            on: Vec::new(),
            says: Text::EMPTY,
            because: Text::EMPTY,
        };
        expectation.judge(seen(&timeline, 60, recovered), "p")
    };
    assert!(judge(None, Some(501)).met);
    assert_eq!(judge(None, Some(501)).entry, Some(EntryId(11)));
    assert!(judge(after(441, 441), Some(501)).met);
    assert_eq!(
        judge(after(0, 440), Some(501)).why_not,
        *"it was seen 7m21s after the fault (entry 11)"
    );
    assert_eq!(judge(None, None).why_not, *"it was never seen");
}

/// A pattern on a cluster of two workers.
fn read(words: &str) -> Result<Pattern, (usize, String)> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let (names, later) = (texts(&["control-plane-0", "worker-0"]), texts(&["md-0-*"]));
    let machines = Known { names, later };
    let pods = Known { names: texts(&["web-*"]), ..Known::default() };
    let probes = Known { names: texts(&["app-web"]), ..Known::default() };
    let none = Known::default();
    Pattern::read(words, &|kind| match kind {
        "VM" | "Node" | "Machine" => Some(&machines),
        "Pod" => Some(&pods),
        "Probe" => Some(&probes),
        "PodDisruptionBudget" => Some(&none),
        _ => None,
    })
}

const RUN: &str = "
    0 Node/worker-0 exists true
    0 Node/worker-0 Ready True
    0 Machine/worker-0 phase Running
    0 Pod/web-a nodeName worker-0
    0 Pod/csi-b nodeName control-plane-0
    begins
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
    let pattern = read(words).expect("a pattern");
    let (says, because) = (Text::EMPTY, Text::EMPTY);
    let text = words.into();
    let sight = Sight::Entries(pattern);
    let expectation = Expectation { text, sight, never, after, on: Vec::new(), says, because };
    expectation.judge(seen(&timeline(RUN), 60, None), "p")
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
    assert!(!sees("Machine/worker-0 phase=Running while Pod/web-b exists=true"));
}

#[test]
fn a_range_counts_from_the_fault_and_includes_its_bounds() {
    assert!(judge("Node/worker-0 Ready=Unknown", false, Some((41, 41))).met);
    let late = judge("Node/worker-0 Ready=Unknown", false, Some((29, 40)));
    assert!(!late.met);
    assert_eq!(late.why_not, "it was seen 41s after the fault (entry 7)");
    assert_eq!(judge("Node/control-* Ready=Unknown", false, None).why_not, "it was never seen");
}

#[test]
fn never_is_met_by_what_does_not_happen() {
    assert!(judge("Pod deleted on control-plane-*", true, None).met);
    assert!(!judge("Machine/worker-0 phase=Deleting", true, None).met);
}

#[test]
fn a_mistake_is_shown_at_its_letter() {
    let wrong = |words: &str| read(words).expect_err("a mistake").0;
    assert_eq!(wrong("Node/worker-0 vanished"), 14);
    assert_eq!(wrong("Node/worker-0"), 13);
    assert_eq!(wrong("Node/worker-0 Ready=True sometimes"), 25);
    assert_eq!(wrong("Pod deleted on"), 14);
    assert_eq!(wrong("Process/x log=\"open"), 14);
    assert_eq!(wrong("Process/x log=\"node \\\"worker-0\\\" deleted\""), 20);
    assert_eq!(wrong(""), 0);
    assert_eq!(wrong("Nod/worker-0 created"), 0, "what does not exist would never be seen");
}

#[test]
fn a_fault_at_the_very_beginning_is_told_apart_from_the_beginning_by_its_number() {
    let lines = "
        0 Node/worker-0 exists true
        0 Process/kubelet@worker-0 running true
        begins
        0 Fault/stopUnit injected Process/kubelet@worker-0
        0 Process/kubelet@worker-0 running -
        0 Pod/web-a exists true
    ";
    let sees = |words: &str| {
        let pattern = read(words).expect("a pattern");
        let text = words.into();
        let (says, because) = (Text::EMPTY, Text::EMPTY);
        let (never, after, on) = (false, None, Vec::new());
        let sight = Sight::Entries(pattern);
        let expectation = Expectation { text, sight, never, after, on, says, because };
        expectation.judge(seen(&timeline(lines), 0, None), "p").met
    };
    assert!(sees("Fault/stopUnit injected=Process/kubelet@worker-0"));
    assert!(sees("new Pod created"));
    assert!(!sees("Node created"), "it was there when the run began");
    assert!(!sees("new Node created"));
}

/// Each with the letter that is meant and the way out. A `never` of these would be met for ever.
#[test]
fn what_no_entry_can_say_is_refused() {
    let cases = [
        ("Machine deletionTimestmp=set", 8, "did you mean `deletionTimestamp`?"),
        ("Machine deletionTimestamp=yes", 26, "known: set"),
        ("Node/wroker-0 Ready=Unknown", 5, "did you mean `worker-0`?"),
        ("VM/worker-7 deleted", 3, "there is only `worker-0`"),
        ("Node Ready=unknown", 11, "did you mean `Unknown`?"),
        ("Node Redy=True", 5, "did you mean `Ready`?"),
        ("Node Ready=Maybe", 11, "known: True, False, Unknown"),
        ("Node log=x", 5, "no field `log` of Node; known:"),
        ("Pod deleted on worker-9", 15, "there is only `worker-0`"),
        ("MachineSet replicas=many", 20, "a number"),
        ("Pod deleted on wroker-*", 15, "did you mean `worker-*`?"),
        ("Node/md-0-x created", 5, "known: control-plane-0, worker-0"),
        ("Pod/wbe-* deleted", 4, "known: web-*"),
        ("Pod event=FailedSchedulng", 10, "did you mean `FailedScheduling`?"),
        ("Probe/app-wbe status=down", 6, "did you mean `app-web`?"),
        ("Probe/deploy status=down", 6, "or write `probes: [{ deploy: 30s }]`"),
        ("PodDisruptionBudget/web disruptionsAllowed=0", 20, "there is none"),
        ("Nod* created", 0, ""),
        ("Gizmo* created", 0, "no kind `Gizmo*`; known: Cluster"),
        ("Node Ready=True while MachineSet/\u{e9}\u{e9} replicas=x", 45, "a number"),
    ];
    for (words, at, hint) in cases {
        match read(words) {
            Ok(_) => assert!(hint.is_empty(), "{words} is accepted"),
            Err((found, message)) => {
                assert!(!hint.is_empty() && message.contains(hint), "{words}: {message}");
                assert_eq!(found, at, "{words}: {message}");
            }
        }
    }
    for right in [
        "Node Ready=Unk*",
        "Machine* replicas=2",
        "* exists=true",
        "Node/worker-* deleted",
        "Node/md-* created",
        "Pod/web-6d4b75cb6d-x7k2p deleted",
        "Pod event=Failed*",
        "PodDisruptionBudget deleted",
    ] {
        assert!(read(right).is_ok(), "{right}");
    }
}
