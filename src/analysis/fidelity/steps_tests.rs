//! Tests of `steps`: small runs in, steps out.

use super::*;

fn row(seconds: i64, object: &str, field: &str, from: Option<&str>, to: Option<&str>) -> Row {
    let (kind, name) = object.split_once('/').unwrap();
    Row {
        micros: seconds * 1_000_000,
        kind: kind.to_owned(),
        name: name.to_owned(),
        field: field.to_owned(),
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
        reason: String::new(),
        message: String::new(),
        by: String::new(),
    }
}

fn step(role: &str, field: &str, value: &str) -> Step {
    Step { role: role.to_owned(), field: field.to_owned(), value: value.to_owned() }
}

fn run() -> Vec<Row> {
    vec![
        row(0, "Machine/a", "exists", None, Some("true")),
        row(0, "Pod/p", "nodeName", None, Some("a")),
        row(0, "Pod/q", "nodeName", None, Some("b")),
        row(60, "Fault/powerOff", "injected", None, Some("VM/a")),
        row(90, "Node/a", "taints", Some(""), Some("node.kubernetes.io/unreachable:NoSchedule")),
        row(95, "Pod/p", "deletionTimestamp", None, Some("set")),
        row(96, "Pod/r", "exists", None, Some("true")),
        row(97, "Machine/c", "exists", None, Some("true")),
    ]
}

#[test]
fn objects_are_known_by_the_part_they_play() {
    let steps = &of_rows(&run())[0];
    let after = |step: &Step| steps[step].after[0].as_secs();
    assert_eq!(after(&step("Node/$victim", "taint unreachable:NoSchedule", "added")), 30);
    assert_eq!(after(&step("Pod/$pod", "deletionTimestamp", "set")), 35);
    assert_eq!(after(&step("Pod/$newpod", "exists", "True")), 36);
    assert_eq!(after(&step("Machine/$new", "exists", "True")), 37);
    assert_eq!(steps.len(), 4);
}

#[test]
fn with_several_faults_nobody_is_new() {
    let mut rows = run();
    rows.push(row(100, "Fault/powerOff", "injected", None, Some("VM/b")));
    let both = of_rows(&rows);
    assert_eq!(both.len(), 2);
    assert_eq!(both[0].len(), 2);
    assert!(both[1].is_empty());
}

#[test]
fn of_owner_remediated_the_value_that_stays_counts() {
    let mut rows = run();
    for (t, to) in [(200, "False"), (201, "True"), (203, "False")] {
        rows.push(row(t, "Machine/a", "OwnerRemediated", None, Some(to)));
    }
    let steps = &of_rows(&rows)[0];
    assert_eq!(steps[&step("Machine/$victim", "OwnerRemediated", "True")].after.len(), 1);
    let stayed = &steps[&step("Machine/$victim", "OwnerRemediated", "False")];
    assert_eq!(stayed.after[0].as_secs(), 143);
}

#[test]
fn a_condition_is_told_apart_by_its_reason_and_carries_its_words() {
    let mut rows = run();
    let mut unknown = row(91, "Node/a", "Ready", Some("True"), Some("Unknown"));
    unknown.reason = "NodeStatusUnknown".to_owned();
    unknown.message = "Node a is silent.".to_owned();
    rows.push(unknown);
    let seen = &of_rows(&rows)[0][&step("Node/$victim", "Ready", "Unknown NodeStatusUnknown")];
    assert!(seen.messages.contains("Node $victim is silent."));
}

#[test]
fn faults_at_once_are_one_blow_and_who_is_brought_back_has_a_part_of_its_own() {
    let mut rows = run();
    rows.insert(0, row(0, "Node/a", "exists", None, Some("true")));
    rows.insert(0, row(0, "Node/b", "exists", None, Some("true")));
    rows.push(row(60, "Fault/powerOff", "injected", None, Some("VM/b")));
    rows.push(row(99, "Fault/powerOn", "injected", None, Some("VM/b")));
    rows.push(row(100, "Node/b", "Ready", None, Some("True")));
    rows.sort_by_key(|row| row.micros);
    let blows = of_rows(&rows);
    assert_eq!(blows.len(), 1);
    let back = step("Node/$revived", "Ready", "True");
    assert_eq!(blows[0][&back].after[0].as_secs(), 40);
    assert!(blows[0].contains_key(&step("Machine/$new", "exists", "True")));
}
