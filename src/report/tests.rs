//! A small hand-made run in all formats.

use super::*;
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{
    Assumption, Downtime, End, Entry, EntryId, Expectation, Level, Timeline, Value, Violated,
};
use insta::assert_snapshot;

/// A change at `millis` after the beginning: object, field, from, to.
fn change(millis: u64, object: &str, field: &str, from: Value, to: Value) -> Entry {
    let (kind, name) = object.split_once('/').unwrap();
    let cluster = match kind {
        "VM" | "Fault" | "Process" => Text::EMPTY,
        "Machine" => Text::word("management"),
        _ => Text::word("workload"),
    };
    Entry {
        id: EntryId(0),
        at: SimTime::from_micros(millis * 1_000),
        cluster,
        kind: kind.into(),
        name: name.into(),
        field: field.into(),
        from,
        to,
        reason: Text::EMPTY,
        message: Text::EMPTY,
        by: Text::EMPTY,
        cause: None,
        reads: Vec::new(),
        took: None,
    }
}

/// The same with reason, message, who did it and the entry that led to it.
fn because(entry: Entry, reason: &str, message: &str, by: &str, cause: u32) -> Entry {
    let cause = Some(EntryId(cause));
    Entry { reason: reason.into(), message: message.into(), by: by.into(), cause, ..entry }
}

fn text(word: &str) -> Value {
    Value::text(word)
}

fn entries() -> Vec<Entry> {
    let up = Value::Bool(true);
    let unknown = change(101_317, "Node/worker-0", "Ready", text("True"), text("Unknown"));
    let taint = "node.kubernetes.io/unreachable:NoSchedule";
    let tainted = change(101_320, "Node/worker-0", "taints", Value::Null, text(taint));
    let unhealthy =
        change(401_400, "Machine/worker-0", "HealthCheckSucceeded", text("True"), text("False"));
    let waiting =
        change(401_400, "Machine/worker-0", "OwnerRemediated", Value::Null, text("False"));
    let hidden = change(401_500, "Machine/worker-0", "finalizers", text("a"), text("b"));
    let deleting =
        change(401_600, "Machine/worker-0", "deletionTimestamp", Value::Null, text("set"));
    vec![
        change(0, "VM/worker-0", "power", Value::Null, text("on")),
        change(0, "Node/worker-0", "Ready", Value::Null, text("True")),
        change(0, "Node/worker-1", "Ready", Value::Null, text("True")),
        change(0, "Pod/web-7-a", "phase", Value::Null, text("Running")),
        change(0, "Pod/web-7-b", "phase", Value::Null, text("Pending")),
        change(0, "Machine/worker-0", "phase", Value::Null, text("Running")),
        change(
            60_000,
            "Fault/stopProcess",
            "injected",
            Value::Null,
            text("Process/kubelet@worker-0"),
        ),
        because(
            change(60_000, "Process/kubelet@worker-0", "running", up, Value::Bool(false)),
            "",
            "",
            "",
            7,
        ),
        because(
            unknown,
            "NodeStatusUnknown",
            "Kubelet stopped posting node status.",
            "node-lifecycle@cp-0",
            8,
        ),
        because(tainted, "", "", "node-lifecycle@cp-0", 9),
        because(
            unhealthy,
            "UnhealthyNode",
            "Condition Ready on node is reporting status Unknown for more than 5m0s",
            "machine-health-check@supervisor-0",
            9,
        ),
        because(waiting, "WaitingForRemediation", "", "machine-health-check@supervisor-0", 9),
        because(hidden, "", "", "machine-set@supervisor-0", 12),
        because(deleting, "", "", "machine-set@supervisor-0", 13),
        change(702_000, "Machine/worker-0", "exists", Value::Bool(true), Value::Null),
    ]
}

fn sample() -> Run {
    let mut timeline = Timeline::default();
    for entry in entries() {
        if entry.kind == "Fault" {
            timeline.begin();
        }
        timeline.push(Entry { id: timeline.next_id(), ..entry });
    }
    let fault = SimTime::from_micros(60_000_000);
    Run {
        scenario: Text::word("worker-kubelet-stopped"),
        platform: Text::word("lab"),
        seed: 7,
        command: ["run", "my file.yaml", "--seed", "7"].map(Text::word).to_vec(),
        given: [(Text::word("vmOperatorResync"), Text::word("9m"))].into(),
        first_fault: Some(fault),
        last_fault: Some(fault),
        end: End::Recovered,
        ended_at: SimTime::from_micros(1_800_000_000),
        recovered_at: Some(SimTime::from_micros(850_123_456)),
        missing: Vec::new(),
        unstruck: Vec::new(),
        timeline,
        availability: availability(),
        expectations: expectations(fault),
        assumptions: vec![Assumption {
            key: Text::word("delays.joinWorker"),
            value: Text::word("25s"),
            range: Text::word("20s..35s"),
            source: Text::word("kubeadm join on an idle VM, estimated"),
        }],
        doubts: Vec::new(),
        changes: Vec::new(),
        warnings: Vec::new(),
        invariants_checked: 14,
        violated: Vec::new(),
        engine_events: 1_000,
    }
}

fn availability() -> std::collections::BTreeMap<Text, Downtime> {
    let web = Downtime {
        unavailable: Duration::from_millis(12_500),
        degraded: Some(Duration::from_millis(640_200)),
        ..Downtime::default()
    };
    [(Text::word("api"), Downtime::default()), (Text::word("app/web"), web)].into()
}

fn expectations(fault: SimTime) -> Vec<Expectation> {
    let met = Expectation {
        text: Text::word("Node/worker-0 Ready=Unknown after 29s..47s"),
        met: true,
        at: Some(fault + Duration::from_millis(41_317)),
        entry: Some(EntryId(9)),
        applicable: true,
        why_not: Text::EMPTY,
    };
    let failed = Expectation {
        text: Text::word("Machine/worker-0 deleted after 9m..10m30s"),
        met: false,
        at: Some(SimTime::from_micros(702_000_000)),
        why_not: Text::word("it came at 10m42s, 12s after the end of the window"),
        applicable: true,
        ..Expectation::default()
    };
    let elsewhere =
        Expectation { text: Text::word("VM/worker-0 re-created"), ..Expectation::default() };
    vec![met, failed, elsewhere]
}

fn printed(format: Format, run: &Run, style: Style) -> String {
    let mut bytes = Vec::new();
    write(format, run, style, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_timeline_reads_as_a_story() {
    assert_snapshot!(printed(Format::Timeline, &sample(), Style::Plain), @r#"
    worker-kubelet-stopped on lab, seed 7   healsim 0.1.0
    given    vmOperatorResync 9m
    breaks   +00:00.0  stopProcess Process/kubelet@worker-0
    begins   datacenter  1 VM on
             management  1 Machine Running
             workload    2 Nodes Ready, 2 Pods (1 Pending, 1 Running)

       7  +00:00.0  Fault/stopProcess         injected: Process/kubelet@worker-0
       8  +00:00.0  Process/kubelet@worker-0  running true → false                                    ←7
           ⋮ 41.3s
       9  +00:41.3  Node/worker-0             Ready True → Unknown (NodeStatusUnknown) Kubelet stopped
                                              posting node status.                     node-lifecycle ←8
      10  +00:41.3                            taints +unreachable:NoSchedule           node-lifecycle ←9
           ⋮ 5m0s
      11  +05:41.4  Machine/worker-0          HealthCheckSucceeded True → False (UnhealthyNode)
                                              Condition Ready on node is reporting status Unknown for
                                              more than 5m0s; OwnerRemediated: False
                                              (WaitingForRemediation)            machine-health-check ←9
      14  +05:41.6                            deletionTimestamp set                      machine-set ←11
           ⋮ 5m0.4s
      15  +10:42.0  Machine/worker-0          gone

    Recovered 13m10.1s after the first fault. 30m0s played, 15 entries, hash d7a9bb44eb6f04a1

    Milestones  with the number of the entry
        +00:41.3  nodeUnknown         Node/worker-0                    9
        +05:41.4  machineUnhealthy    Machine/worker-0                 11
        +05:41.6  machineDeleting     Machine/worker-0                 14
        +10:42.0  machineDeleted      Machine/worker-0                 15
        +13:10.1  recovered           Cluster/workload                 15

    Expectations  1 of 2 held
        +00:41.3  held    Node/worker-0 Ready=Unknown after 29s..47s
        +10:42.0  FAILED  Machine/worker-0 deleted after 9m..10m30s — it came at 10m42s, 12s after the
                          end of the window
                  n/a     VM/worker-0 re-created

    Availability  after the first fault
                  api                 always available
                  app/web             unavailable for 12.5s, degraded for 10m40.2s

    Assumed  numbers that nobody has documented or measured
                  delays.joinWorker              25s of 20s..35s (kubeadm join on an idle VM, estimated)

    Play it again:  healsim run 'my file.yaml' --seed 7
    "#);
}

#[test]
fn the_summary_is_the_verdict_alone() {
    let run = Run {
        end: End::Stuck,
        recovered_at: None,
        given: Default::default(),
        expectations: Vec::new(),
        assumptions: Vec::new(),
        command: Vec::new(),
        violated: vec![Violated {
            law: Text::word("election-safety"),
            object: Text::word("EtcdMember/control-plane-0"),
            says: Text::word("leads in term 7, as another did"),
            at: SimTime::ZERO + Duration::from_secs(702),
            ..Violated::default()
        }],
        ..sample()
    };
    assert_snapshot!(printed(Format::Summary, &run, Style::Plain), @r#"
    worker-kubelet-stopped on lab, seed 7   healsim 0.1.0

    Not recovered, and nothing changed in the last 10 minutes. 30m0s played, 15 entries, hash
    d7a9bb44eb6f04a1

    Milestones  with the number of the entry
        +00:41.3  nodeUnknown         Node/worker-0                    9
        +05:41.4  machineUnhealthy    Machine/worker-0                 11
        +05:41.6  machineDeleting     Machine/worker-0                 14
        +10:42.0  machineDeleted      Machine/worker-0                 15

    Availability  after the first fault
                  api                 always available
                  app/web             unavailable for 12.5s, degraded for 10m40.2s

    Violated invariants  1 of 14
                  election-safety: EtcdMember/control-plane-0 leads in term 7, as another did (at
                  11m42s)

    Play it again:  healsim run worker-kubelet-stopped --platform lab --seed 7
    "#);
}

#[test]
fn a_crash_loop_is_not_called_quiet() {
    let stuck = |restarts: &[u64]| {
        let mut run = Run { end: End::Stuck, recovered_at: None, ..sample() };
        for millis in restarts {
            let up = Value::Bool(true);
            let restart = change(*millis, "Process/kubelet@worker-0", "running", Value::Null, up);
            run.timeline.push(Entry { id: run.timeline.next_id(), ..restart });
        }
        let printed = printed(Format::Summary, &run, Style::Plain);
        let verdict = printed.lines().skip_while(|line| !line.starts_with("Not recovered"));
        verdict.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let quiet = "Not recovered, and nothing changed in the last 10 minutes.";
    assert!(stuck(&[]).starts_with(quiet), "{}", stuck(&[]));
    assert!(stuck(&[1_200_000]).starts_with(quiet), "just ten minutes ago");
    let loops = "in the last 10 minutes nothing changed but processes that end and start again";
    assert!(stuck(&[1_200_000, 1_200_001]).contains(loops), "{}", stuck(&[1_200_001]));
}

#[test]
fn json_is_the_documented_summary() {
    assert_snapshot!(printed(Format::Json, &sample(), Style::Plain), @r#"
    {"summary":true,"healsim":"0.1.0","scenario":"worker-kubelet-stopped","platform":"lab","seed":7,"given":{"vmOperatorResync":"9m"},"firstFault":60.0,"end":"recovered","endedAt":1800.0,"entries":15,"hash":"d7a9bb44eb6f04a1","milestones":[{"name":"nodeUnknown","object":"Node/worker-0","at":101.317,"after":41.317,"id":9},{"name":"machineUnhealthy","object":"Machine/worker-0","at":401.4,"after":341.4,"id":11},{"name":"machineDeleting","object":"Machine/worker-0","at":401.6,"after":341.6,"id":14},{"name":"machineDeleted","object":"Machine/worker-0","at":702.0,"after":642.0,"id":15},{"name":"recovered","object":"Cluster/workload","at":850.123456,"after":790.123456,"id":15}],"recovered":true,"recoveryTime":790.123456,"availability":{"api":{"unavailable":0.0},"app/web":{"unavailable":12.5,"degraded":640.2}},"expectations":[{"text":"Node/worker-0 Ready=Unknown after 29s..47s","met":true,"at":101.317,"applicable":true},{"text":"Machine/worker-0 deleted after 9m..10m30s","met":false,"at":702.0,"applicable":true},{"text":"VM/worker-0 re-created","met":false,"at":null,"applicable":false}],"invariants":{"checked":14,"violated":[]},"assumptions":["delays.joinWorker"],"settings":[]}
    "#);
}

#[test]
fn json_lines_parse_back_and_end_with_the_summary() {
    let text = printed(Format::Jsonl, &sample(), Style::Plain);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 16);
    assert_eq!(lines[8]["t"], 101.317);
    assert_eq!(lines[8]["cause"], 8);
    assert_eq!(lines[15]["summary"], true);
    assert_eq!(lines[15]["recoveryTime"], 790.123456);
    assert_eq!(lines[15]["milestones"][0]["after"], 41.317);
}

#[test]
fn colors_add_codes_and_nothing_else() {
    let colored = printed(Format::Timeline, &sample(), Style::Colored);
    assert!(colored.contains("\u{1b}["));
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some(code) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..code]);
        rest = rest[code..].split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, printed(Format::Timeline, &sample(), Style::Plain));
}

#[test]
fn no_line_is_wider_than_the_page() {
    let mut run = sample();
    let long = "word ".repeat(60) + &"x".repeat(300);
    let log = change(703_000, &format!("Pod/{}", "n".repeat(90)), "log", Value::Null, Value::Null);
    let log = because(log, "", &long, "cloud-init@worker-0", 14);
    run.timeline.push(Entry { id: run.timeline.next_id(), ..log });
    for line in printed(Format::Timeline, &run, Style::Plain).lines() {
        let limit = if line.contains("nnnn") { 120 } else { page::WIDTH };
        assert!(line.chars().count() <= limit, "{line}");
    }
}

#[test]
fn echoes_are_not_told() {
    let cordon = "node.kubernetes.io/unschedulable:NoSchedule";
    let mut owner = change(4, "Machine/a", "OwnerRemediated", text("False"), text("False"));
    owner.reason = Text::word("RemediationFailed");
    let mut timeline = Timeline::default();
    for entry in [
        change(1, "Node/a", "unschedulable", Value::Null, Value::Bool(true)),
        change(2, "Node/a", "taints", Value::Null, text(cordon)),
        change(3, "Pod/a", "phase", text("Pending"), text("Running")),
        owner.clone(),
        owner,
        change(5, "Pod/b", "event", Value::Null, text("Scheduled")),
        change(5, "Pod/b", "event", Value::Null, text("FailedScheduling")),
        change(6, "Pod/b", "event", Value::Null, text("FailedScheduling")),
        change(7, "Machine/a", "v1beta1.Ready", text("True"), text("False")),
    ] {
        timeline.push(Entry { id: timeline.next_id(), ..entry });
    }
    let told: Vec<u32> = story::steps(&timeline).iter().map(|step| step.head().id.0).collect();
    assert_eq!(told, [1, 4, 7]);
}

#[test]
fn times_count_from_the_fault_in_both_directions() {
    let at = SimTime::from_micros;
    assert_eq!(clock::since(at(60_000_000), at(59_900_000)), "-00:00.1");
    assert_eq!(clock::since(at(60_000_000), at(401_299_999)), "+05:41.2");
    assert_eq!(clock::since(at(60_000_000), at(4_001_000_000)), "+1:05:41.0");
}

#[test]
fn junit_escapes_what_xml_reserves() {
    let case = Case {
        name: "a<b".to_owned(),
        class: "tkgs-2024".to_owned(),
        failures: vec!["\"x\" & 'y'\u{1}\nz".to_owned()],
    };
    let good = Case { name: "fine".to_owned(), ..case.clone() };
    let mut bytes = Vec::new();
    write_junit(&[case, Case { failures: Vec::new(), ..good }], &mut bytes).unwrap();
    assert_snapshot!(String::from_utf8(bytes).unwrap(), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="healsim" tests="2" failures="1" errors="0">
      <testsuite name="healsim check" tests="2" failures="1" errors="0">
        <testcase name="a&lt;b" classname="tkgs-2024">
          <failure message="&quot;x&quot; &amp; 'y'?&#10;z">&quot;x&quot; &amp; 'y'?&#10;z</failure>
        </testcase>
        <testcase name="fine" classname="tkgs-2024"/>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn a_format_is_known_by_its_name() {
    assert_eq!("jsonl".parse(), Ok(Format::Jsonl));
    let wrong = "xml".parse::<Format>().unwrap_err().to_string();
    let names = Format::ALL.map(|(name, _)| name).join(", ");
    assert_eq!(wrong, format!("`xml` is not an output format; known: {names}"));
}

#[test]
fn each_log_line_of_a_step_has_its_words() {
    let mut timeline = Timeline::default();
    for line in ["Draining Node", "Waiting for 3 Pods"] {
        let log = change(1_000, "Process/capi@supervisor-0", "log", Value::Null, text("-"));
        let entry = because(log, "", line, "capi@supervisor-0", 1);
        timeline.push(Entry { id: timeline.next_id(), cause: None, ..entry });
    }
    let run = Run { timeline, ..sample() };
    let shown = printed(Format::Timeline, &run, Style::Plain);
    assert!(shown.contains("Draining Node") && shown.contains("Waiting for 3 Pods"), "{shown}");
}

#[test]
fn a_service_that_the_end_found_down_was_not_over() {
    let still = |at_end: Level| {
        let app = Downtime {
            unavailable: Duration::from_secs(9),
            degraded: Some(Duration::from_secs(60)),
            at_end,
        };
        let availability = [(Text::word("app/web"), app)].into();
        Run { availability, ..sample() }
    };
    for (at_end, words, member) in [
        (Level::Full, "unavailable for 9s, degraded for 1m0s\n", "\"degraded\":60.0}"),
        (
            Level::Degraded,
            "unavailable for 9s, degraded for 1m0s (still at the end)\n",
            "\"degraded\":60.0,\"atEnd\":\"degraded\"}",
        ),
        (
            Level::Down,
            "unavailable for 9s (still at the end), degraded for 1m0s\n",
            "\"degraded\":60.0,\"atEnd\":\"unavailable\"}",
        ),
    ] {
        let run = still(at_end);
        let text = printed(Format::Summary, &run, Style::Plain);
        assert!(text.contains(words), "{text}");
        let json = printed(Format::Json, &run, Style::Plain);
        assert!(json.contains(member), "{json}");
    }
}

#[test]
fn a_run_in_which_a_fault_hit_nothing_has_not_recovered_from_anything() {
    let run = Run { recovered_at: sample().first_fault, ..sample() };
    let text = printed(Format::Summary, &run, Style::Plain);
    assert!(
        text.contains("\nNothing was lacking at the first fault, nor for a minute after it. "),
        "{text}"
    );
}

#[test]
fn steps_that_are_not_told_stand_in_a_run_that_can_be_played_or_are_only_counted() {
    let mut run = Run { first_fault: Some(SimTime::ZERO), ..Run::default() };
    for second in 1..=45 {
        let to = if second % 2 == 0 { "True" } else { "False" };
        let ready = change(second * 1_000, "Node/worker-0", "Ready", Value::Null, text(to));
        run.timeline.push(Entry { id: run.timeline.next_id(), ..ready });
    }
    let told = |run: &Run| {
        let mut to = Vec::new();
        let whole = (Some(SimTime::ZERO), SimTime::from_micros(60_000_000));
        lesson::write_between(run, whole, Style::Plain, &mut to).expect("memory takes it");
        String::from_utf8(to).expect("text")
    };
    assert!(told(&run).contains("       (5 steps before these)\n"), "a fork: {}", told(&run));
    run.command = ["run", "mine"].map(Text::word).into();
    assert!(told(&run).contains("(5 steps before these: healsim run mine)\n"), "{}", told(&run));
}
