//! A few entries in each format, and what has no entries at all.

use super::*;
use crate::engine::{SimTime, Text};
use crate::timeline::{Aside, Entry, EntryId, Run, Timeline, Value};
use serde_json::Value as Json;

/// Entries `SECONDS KIND/NAME FIELD VALUE [CAUSE]`; what is told at 0 is the beginning.
fn run(lines: &[&str]) -> Run {
    let mut timeline = Timeline::default();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let (kind, name) = words[1].split_once('/').expect("a kind and a name");
        let to = match (words[3], words[3].parse::<i64>()) {
            ("null", _) => Value::Null,
            ("true", _) => Value::Bool(true),
            ("false", _) => Value::Bool(false),
            (_, Ok(count)) => Value::Count(count),
            (text, _) => Value::text(text),
        };
        let seconds: u64 = words[0].parse().expect("seconds");
        let entry = Entry {
            id: timeline.next_id(),
            at: SimTime::from_micros(seconds * 1_000_000),
            cluster: Text::word("workload"),
            kind: kind.into(),
            name: name.into(),
            field: words[2].into(),
            from: Value::Null,
            to,
            reason: Text::EMPTY,
            message: Text::EMPTY,
            by: Text::word("kubelet@a"),
            cause: words.get(4).map(|id| EntryId(id.parse().expect("a number"))),
            reads: Vec::new(),
            took: None,
        };
        if seconds == 0 {
            timeline.push(entry);
            timeline.begin();
        } else {
            timeline.push(entry);
        }
    }
    Run { timeline, ended_at: SimTime::from_micros(60_000_000), ..Run::default() }
}

fn text(run: &Run, write: impl Fn(&Run, &mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(run, &mut bytes).expect("memory takes everything");
    String::from_utf8(bytes).expect("traces are text")
}

fn json(run: &Run, write: impl Fn(&Run, &mut Vec<u8>) -> std::io::Result<()>) -> Json {
    serde_json::from_str(&text(run, write)).expect("a JSON document")
}

/// The samples of a metric, without their times, each once.
fn values(run: &Run, name: &str) -> Vec<String> {
    let text = text(run, metrics);
    let of = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    let mut values: Vec<String> =
        of.map(|line| line.rsplit_once(' ').expect("a time").0.to_owned()).collect();
    values.dedup();
    values
}

#[test]
fn a_dead_member_is_down_and_has_no_samples_of_its_own() {
    let run = run(&[
        "0 Node/a exists true",
        "0 Process/etcd@a running true",
        "0 EtcdMember/a exists true",
        "0 EtcdMember/a role Leader",
        "0 EtcdMember/a leader a",
        "20 Process/etcd@a running false",
        "40 Process/etcd@a running true",
        "50 Node/a exists null",
    ]);
    let target = "cluster=\"workload\",job=\"etcd\",instance=\"a:2381\"";
    let up: Vec<String> =
        ["1", "0", "1"].map(|value| format!("up{{{target},node=\"a\"}} {value}")).to_vec();
    assert_eq!(values(&run, "up"), up, "and then it is no target any more");
    let metric = "etcd_server_has_leader";
    let leader = ["1", "0"].map(|value| format!("{metric}{{{target}}} {value}"));
    assert_eq!(values(&run, metric), leader, "who starts anew knows no leader");
    let text = text(&run, metrics);
    let samples = text.lines().filter(|line| line.starts_with(metric)).count();
    assert_eq!(samples, 3, "at 0 s, 15 s and 45 s");
    let counter = "etcd_server_leader_changes_seen";
    assert!(text.contains(&format!("# TYPE {counter} counter\n{counter}_total{{")), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn states_are_told_as_kube_state_metrics_does() {
    let run = run(&[
        "0 Node/a exists true",
        "0 Node/a Ready True",
        "0 Node/a taints node-role.kubernetes.io/control-plane:NoSchedule",
        "20 Node/a Ready Unknown",
        "20 Deployment/web readyReplicas 2",
    ]);
    let condition = values(&run, "kube_node_status_condition");
    let of = |status: &str, value: u8| {
        let labels = "cluster=\"workload\",node=\"a\",condition=\"Ready\"";
        format!("kube_node_status_condition{{{labels},status=\"{status}\"}} {value}")
    };
    let wanted = [of("false", 0), of("true", 1), of("true", 0), of("unknown", 0), of("unknown", 1)];
    assert_eq!(condition, wanted);
    let taint = "key=\"node-role.kubernetes.io/control-plane\",effect=\"NoSchedule\"} 1";
    assert!(values(&run, "kube_node_spec_taint")[0].ends_with(taint));
    let ready = "cluster=\"workload\",namespace=\"default\",deployment=\"web\"} 2";
    let metric = "kube_deployment_status_replicas_ready";
    assert_eq!(values(&run, metric), [format!("{metric}{{{ready}")]);
}

#[test]
fn events_are_a_list_of_what_was_recorded() {
    let mut run =
        run(&["0 Node/a exists true", "20 Pod/etcd-a event BackOff", "30 Node/a event Odd"]);
    let aside = Aside { namespace: Text::word("kube-system"), is_warning: true };
    run.timeline.set_aside(EntryId(2), aside);
    let list = json(&run, events);
    assert_eq!(list["kind"], "List");
    let [pod, node] = &list["items"].as_array().expect("a list")[..] else { panic!("{list}") };
    assert_eq!(pod["type"], "Warning");
    assert_eq!(pod["firstTimestamp"], "2024-09-12T14:00:20Z");
    assert_eq!(pod["metadata"]["namespace"], "kube-system");
    assert_eq!(pod["involvedObject"]["namespace"], "kube-system");
    assert_eq!(pod["source"], serde_json::json!({ "component": "kubelet", "host": "a" }));
    assert_eq!(node["type"], "Normal");
    assert_eq!(node["involvedObject"]["namespace"], Json::Null, "a Node has none");
    assert_eq!(node["metadata"]["namespace"], "default", "but its Events need one");
}

#[test]
fn a_trace_has_slices_for_states_and_an_arrow_from_the_nearest_drawn_cause() {
    let run = run(&[
        "0 Node/a exists true",
        "0 Node/a Ready True",
        "10 Fault/powerOff injected VM/a",
        "10 Process/kubelet@a running false 3",
        "15 Lease/a holder b 4",
        "20 Node/a Ready Unknown 5",
        "25 Node/a event NodeNotReady 6",
    ]);
    let trace = json(&run, perfetto);
    let events = trace["traceEvents"].as_array().expect("a list");
    let all =
        |ph: &str| -> Vec<&Json> { events.iter().filter(|event| event["ph"] == ph).collect() };
    let bands: Vec<(&str, u64, u64)> = all("X")
        .into_iter()
        .filter(|event| event["cat"] == "Node")
        .map(|event| {
            let number = |key: &str| event[key].as_u64().expect("a time");
            (event["name"].as_str().expect("a name"), number("ts"), number("dur"))
        })
        .collect();
    assert_eq!(bands, [("Ready", 0, 20_000_000), ("Unknown", 20_000_000, 40_000_000)]);
    let arrows: Vec<(u64, u64)> = all("s")
        .into_iter()
        .zip(all("f"))
        .map(|(from, to)| {
            (from["ts"].as_u64().expect("a time"), to["ts"].as_u64().expect("a time"))
        })
        .collect();
    let wanted = [(10_000_000, 10_000_000), (10_000_000, 20_000_000)];
    assert_eq!(arrows, wanted, "the Lease has no lane, so its own cause is shown");
    let instants: Vec<&Json> = all("i").iter().map(|event| &event["name"]).collect();
    assert_eq!(instants, ["powerOff VM/a", "NodeNotReady"]);
}

#[test]
fn a_run_without_entries_gives_empty_documents() {
    let run = Run::default();
    assert_eq!(text(&run, metrics), "# EOF\n");
    assert_eq!(json(&run, events)["items"], serde_json::json!([]));
    let trace = json(&run, perfetto);
    assert_eq!(trace["traceEvents"].as_array().map(Vec::len), Some(2), "the faults' own name");
}
