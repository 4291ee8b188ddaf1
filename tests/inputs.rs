//! What a user can get wrong: each mistake is shown at its place, with the value and a way out.

use healsim::engine::Duration;
use healsim::scenario::{Game, Mistakes, Scenario, Source, blueprint, models};
use healsim::timeline::End;
use healsim::world::World;
use std::collections::BTreeSet;

const VALID: &str = "apiVersion: healsim/v1
kind: Scenario
metadata: { name: mine }
spec:
  platform: tkgs-2024
  faults:
    - { at: 1m, stopUnit: { vm: worker-0, unit: kubelet } }
  until: 30m
";

/// Reads a text, with these settings and another end, as the command line does.
fn read(text: &str, set: &[(&str, &str)], until: Option<u64>) -> Result<Game, Mistakes> {
    let scenario = Scenario::read(Source::embedded("mine.yaml", text))?;
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Game::new(&scenario, None, &set, until.map(Duration::from_secs))
}

fn shown(result: Result<Game, Mistakes>) -> String {
    match result {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

/// What is wrong with the valid text once some of its words are replaced.
fn with(from: &str, to: &str) -> String {
    assert!(VALID.contains(from), "{from}");
    shown(read(&VALID.replace(from, to), &[], None))
}

/// Each must be shown at its place, with all of these words.
fn check(cases: &[(&str, &str, &str, &[&str])]) {
    for (from, to, place, words) in cases {
        let shown = with(from, to);
        assert!(shown.starts_with(&format!("mine.yaml:{place}: ")), "{to}: {shown}");
        for word in *words {
            assert!(shown.contains(word), "{to}: {word:?} in {shown}");
        }
    }
}

/// What is wrong with one `--set`.
fn set(key: &str, value: &str) -> String {
    shown(read(VALID, &[(key, value)], None))
}

/// Each of these came again at the same instant for ever.
#[test]
fn a_period_of_nothing_is_refused() {
    for key in [
        "kubernetes.podGcPeriod",
        "kubernetes.nodeStatusUpdateFrequency",
        "kubernetes.noExecuteTaintPassPeriod",
        "kubernetes.nodeMonitorPeriod",
        "kubernetes.unschedulableCheck",
        "kubernetes.backoffCheck",
        "kubernetes.controllerBackoffFirst",
        "kubernetes.relistBackoffFirst",
        "etcd.compactionInterval",
        "clusterApi.resync",
        "clusterApi.probeInterval",
        "clusterApi.drainRetryInterval",
    ] {
        let shown = set(key, "0s");
        // What follows from it is told too.
        let own = format!("--set {key}=0s: `0s` would come again too soon for a run to end; ");
        assert!(shown.lines().any(|line| line.starts_with(&own)), "{shown}");
    }
}

#[test]
fn a_setting_takes_only_what_it_can_be() {
    for (key, value, words) in [
        ("clusterApi.conditions", "v9", "write `v1beta1` or `v1beta2` (it is `v1beta1` here)"),
        ("clusterApi.scalingPhaseCounts", "foo", "write `readyReplicas` or `replicas`"),
        ("clusterApi.ownerRemediatedOnDelete", "false", "write `True` or `MachineDeleting`"),
        ("clusterApi.drainBlocks", "yes", "write `true` or `false`"),
        ("clusterApi.workers", "0", "a whole number from 1 to 1000000 (it is `10` here)"),
        ("kubernetes.controllerWorkers", "0", "a whole number from 1"),
        ("kubernetes.nodeLeaseRenewJitterPercent", "1000", "from 0 to 100"),
        ("kubernetes.unhealthyZoneThresholdPercent", "500", "from 0 to 100"),
        // It makes pauses shorter, too; a whole of it would leave none.
        ("vmOperator.resyncJitterPercent", "100", "from 0 to 99"),
        ("clusterApi.maxInFlight", "some", "`none`, a number of Machines or a percentage"),
        ("machineHealthCheck.unhealthyRange", "[5-3]", "for example [3-5]"),
        ("clusterApi.deletePolicy", "oldest", "write `Random` or `Oldest` or `Newest`"),
        ("machineHealthCheck.maxUnhealthy", "abc", "for example 2 or 40%"),
        ("machineHealthCheck.maxUnhealthy", "140%", "a percentage up to 100%"),
        ("kubernetes.nodeMonitorGracePeriod", "99999999999h", "is too long"),
        ("kubernetes.nodeMonitorGracePeriod", "-5s", "is not a duration"),
        ("infra.boot", "50s..20s", "`50s..20s` is reversed"),
        ("infra.boot", "50s", "write LOW..HIGH"),
    ] {
        let shown = set(key, value);
        assert!(shown.starts_with(&format!("--set {key}={value}: ")), "{shown}");
        assert!(shown.contains(words), "{words} in {shown}");
    }
    for (key, value) in [("machineHealthCheck.maxUnhealthy", "2"), ("clusterApi.workers", "1")] {
        assert_eq!(set(key, value), "nothing is wrong");
    }
}

#[test]
fn all_wrong_settings_are_told_at_once() {
    let wrong = [("kubernetes.podGcPeriod", "0s"), ("clusterApi.conditions", "v9"), ("x", "1")];
    let mistakes = read(VALID, &wrong, None).expect_err("three mistakes");
    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
}

#[test]
fn a_runaway_run_ends_at_its_budget() {
    // Six VMs: the budget is 6 million events for half an hour.
    let game = read(VALID, &[("etcd.compactionInterval", "1ms")], None).expect("allowed");
    let run = game.play(1);
    assert_eq!(run.end, End::Budget);
    assert!(run.engine_events < 6_500_000, "{}", run.engine_events);
    let usual = read(VALID, &[], None).expect("valid").play(1).engine_events;
    assert!(usual * 10 < run.engine_events, "{usual} is far from the budget");
}

const FAULT: &str = "{ at: 1m, stopUnit: { vm: worker-0, unit: kubelet } }";
const END: &str = "  until: 30m\n";

#[test]
fn a_fault_that_can_hit_nothing_is_refused() {
    check(&[
        (
            FAULT,
            "{ at: 1m, killProcess: { vm: worker-0, process: etcd } }",
            "7:55",
            &["no process `etcd` on worker-0", "there: kubelet"],
        ),
        (
            FAULT,
            "{ at: 1m, stopUnit: { vm: supervisor-0, unit: kubelet } }",
            "7:53",
            &["no unit `kubelet` on supervisor-0", "there: capi-controller-manager"],
        ),
        (
            FAULT,
            "{ at: 1m, freezeProcess: { vm: worker-0, process: kube-scheduler } }",
            "7:57",
            &["no process `kube-scheduler` on worker-0", "there: kubelet"],
        ),
        (FAULT, "{ at: 1m }", "7:13", &["nothing breaks here", "stopUnit"]),
        (
            FAULT,
            "{ at: 1m, cutLink: { from: worker-0, to: worker-0 } }",
            "7:48",
            &["`worker-0` is the VM that the link comes from", "name another"],
        ),
        (
            FAULT,
            "{ at: 1m, cutLink: { from: worker-0, to: worker-9 } }",
            "7:48",
            &["no VM `worker-9`", "there are `worker-0` to `worker-2`"],
        ),
        (
            FAULT,
            "{ at: 1m, skewClock: { vm: worker-0, by: 0s } }",
            "7:48",
            &["a clock that is wrong by nothing is right", "syncClock"],
        ),
        (
            FAULT,
            "{ at: 1m, skewClock: { vm: worker-0, by: later } }",
            "7:48",
            &["`later`", "5s, -10m"],
        ),
        (
            FAULT,
            "{ at: 1m, powerOffZone: { zone: zone-0 } }",
            "7:39",
            &["no zone `zone-0`", "cluster: { zones: 3 }"],
        ),
        (
            FAULT,
            "{ at: 1m, cutLink: { from: worker-0 } }",
            "7:34",
            &["`to` is missing", "isolateVm"],
        ),
        (
            FAULT,
            "{ at: 1m, slowLink: { from: worker-0, delay: 1m } }",
            "7:52",
            &["1m0s longer is as good as lost", "cutLink"],
        ),
        (
            FAULT,
            "{ at: 1m, lossyLink: { from: worker-0, to: control-plane-0, loss: 30 } }",
            "7:73",
            &["`30` is not a share of the packets", "30% or 0.5%"],
        ),
        (
            FAULT,
            "{ at: 1m, lossyLink: { from: worker-0, loss: 100% } }",
            "7:52",
            &["a link that loses everything is cut", "cutLink"],
        ),
        (
            FAULT,
            "{ at: 1m, isolateVm: { vm: leeder(etcd) } }",
            "7:34",
            &["no role of a VM `leeder(etcd)`", "did you mean `leader(etcd)`?"],
        ),
        (
            FAULT,
            "{ at: 1m, slowDisk: { vm: worker-0, flush: 0s } }",
            "7:50",
            &["slower by nothing", "`healDisk`"],
        ),
        (
            FAULT,
            "{ at: 1m, killProcess: { vm: worker-0, process: kubelet, signal: SIGHUP } }",
            "7:72",
            &["no signal `SIGHUP`", "known: SIGKILL, SIGTERM"],
        ),
        (
            FAULT,
            "{ at: 1m, restoreFile: { vm: worker-0, path: etc } }",
            "7:52",
            &["`etc` is not a whole path"],
        ),
        (
            FAULT,
            "{ at: 1m, writeFile: { vm: worker-0, path: etc, content: a } }",
            "7:50",
            &["`etc` is not a whole path"],
        ),
        (
            FAULT,
            "{ at: 1m, writeFile: { vm: worker-0, path: /etc/a } }",
            "7:44",
            &["the key `content` is missing"],
        ),
        (
            FAULT,
            "{ at: 1m, powerOff: { vm: worker-0 }, stopUnit: { vm: worker-0, unit: kubelet } }",
            "7:13",
            &["`powerOff` and `stopUnit` in one item", "an item for each"],
        ),
    ]);
}

#[test]
fn what_says_too_little_is_shown_where_it_begins() {
    let after = |line: &str| format!("{END}  {line}\n");
    for (from, to, place, words) in [
        (FAULT, "{}", "7:7", "a fault says `at` which time it comes"),
        (FAULT, "{ powerOff: { vm: worker-0 } }", "7:7", "a fault says `at` which time it comes"),
        (FAULT, "{ after: 1m, powerOff: { vm: worker-0 } }", "7:7", "a fault says `at`"),
        (END, &after("probes: [{ app: web }, {}]"), "9:26", "a probe is `app: WORKLOAD`"),
        (END, &after("probes:\n    - {}"), "10:7", "a probe is `app: WORKLOAD`"),
    ] {
        check(&[(from, to, place, &[words])]);
    }
}

#[test]
fn a_wrong_key_is_shown_where_it_stands_and_not_at_its_value() {
    let after = |line: &str| format!("{END}  {line}\n");
    let setting = after("settings: { machineHealthCheck.unkownTimeout: 5m }");
    let phase = after("given: { vmOperatorRsync: 9m }");
    let value = after("given: { vmOperatorResync: soon }");
    check(&[
        (END, &setting, "9:15", &["did you mean `machineHealthCheck.unknownTimeout`?"]),
        (END, &phase, "9:12", &["did you mean `vmOperatorResync`?"]),
        (END, &value, "9:30", &["`soon` is not a duration"]),
    ]);
}

/// What is wrong with a cluster in the place of the platform's.
fn cluster(words: &str) -> String {
    with("platform: tkgs-2024\n", &format!("platform: tkgs-2024\n  cluster: {words}\n"))
}

#[test]
fn a_wrong_host_or_placement_is_shown_at_its_place() {
    let fault =
        |host: &str| with(FAULT, &format!("{{ at: 1m, powerOffHost: {{ host: {host} }} }}"));
    for (shown, words) in [
        (fault("esxi-9"), &["7:39", "no host `esxi-9`; there are `esxi-0` to `esxi-3`"][..]),
        (fault("worker-0"), &["7:39", "no host `worker-0`; known: esxi-0, esxi-1"]),
        (cluster("{ hosts: 0 }"), &["6:21", "0 hosts are not possible; write 1 to 96"]),
        (cluster("{ hosts: 97 }"), &["6:21", "97 hosts"]),
        (cluster("{ hosts: 2, zones: 3 }"), &["6:21", "2 hosts cannot stand in 3 zones"]),
        (
            cluster("{ placement: [{ host: esxi-7, vms: [worker-0] }] }"),
            &["6:34", "no host `esxi-7`; there are `esxi-0` to `esxi-3`"],
        ),
        (
            cluster("{ placement: [{ host: esxi-1, vms: [worker-0, worker-9] }] }"),
            &["6:58", "no VM `worker-9`; there are `worker-0` to `worker-2`"],
        ),
        (
            cluster("{ placement: [{ host: esxi-1, vms: [worker-0, worker-0] }] }"),
            &["6:58", "worker-0 is on esxi-1 already; name it once"],
        ),
        (
            cluster("{ zones: 2, placement: [{ host: esxi-1, vms: [worker-0] }] }"),
            &["6:44", "with `zones` VMs are spread by turns"],
        ),
        (cluster("{ placement: [{ host: esxi-1 }] }"), &["the key `vms` is missing"]),
    ] {
        for word in words {
            assert!(shown.contains(word), "{word}: {shown}");
        }
    }
    let lab = VALID.replace("tkgs-2024", "lab-k8s-1.30-capi-1.7");
    let lab = lab.replace(FAULT, "{ at: 1m, powerOffHost: { host: esxi-0 } }");
    let shown = shown(read(&lab, &[], None));
    assert!(
        shown.contains("there are none here; write, for example, `cluster: { hosts"),
        "{shown}"
    );
}

#[test]
fn every_program_of_every_platform_can_be_killed_and_frozen() {
    let mut seen = BTreeSet::new();
    for name in models::platforms() {
        let platform = models::platform(name).expect("a platform");
        let world = World::new(blueprint(&platform, platform.control_planes, platform.workers), 1);
        for vm in world.view().vms().map(|vm| vm.name.clone()) {
            for process in world.view().processes_on(&vm).filter(|process| process.alive) {
                let program = process.program.to_string();
                for kind in ["killProcess", "freezeProcess"] {
                    let fault = format!("{{ at: 1m, {kind}: {{ vm: {vm}, process: {program} }} }}");
                    let on = format!("platform: {name}");
                    let text = VALID.replace(FAULT, &fault).replace("platform: tkgs-2024", &on);
                    assert_eq!(shown(read(&text, &[], None)), "nothing is wrong", "{text}");
                }
                seen.insert(program);
            }
        }
    }
    for program in ["cloud-controller-manager", "capi-kubeadm-bootstrap-controller-manager"] {
        assert!(seen.contains(program), "{seen:?}");
    }
}

#[test]
fn what_comes_after_the_end_is_refused() {
    let expect =
        |after: &str| format!("{END}  expect: [{{ see: Node created, after: {after} }}]\n");
    check(&[
        (
            "at: 1m",
            "at: 31m",
            "7:13",
            &["comes at 31m0s", "end at 30m0s", "raise `until` (or --until)"],
        ),
        (END, &expect("40m..50m"), "9:40", &["40m0s after", "ends 29m0s after", "raise `until`"]),
        ("until: 30m", "until: 0s", "8:10", &["a run of 0s", "`30m`"]),
        ("until: 30m", "until: 9999h", "8:10", &["a run of 9999h0m0s", "168h"]),
    ]);
    let early = shown(read(VALID, &[], Some(30)));
    assert!(early.starts_with("mine.yaml:7:13: the fault comes at 1m0s"), "{early}");
    let nothing = shown(read(VALID, &[], Some(0)));
    assert!(nothing.starts_with("--until 0s: a run of 0s is not possible"), "{nothing}");
    // A user who looks at the first minutes only knows that later lines cannot hold.
    let text = VALID.replace(END, &expect("20m..25m"));
    assert!(read(&text, &[], Some(300)).is_ok());
}

#[test]
fn an_expectation_names_what_there_is() {
    let expect = |words: &str| format!("{END}  expect: [{{ never: \"{words}\" }}]\n");
    check(&[
        (END, &expect("Node/wroker-0 deleted"), "9:27", &["`wroker-0`", "`worker-0`?"]),
        (END, &expect("Node Redy=Unknown"), "9:27", &["no field `Redy` of Node", "`Ready`?"]),
        (END, &expect("Node Ready=unknown"), "9:33", &["no value `unknown`", "`Unknown`?"]),
        (END, &expect("Pod deleted on worker-3"), "9:37", &["no Node `worker-3`", "worker-"]),
    ]);
}

#[test]
fn a_fault_at_the_very_beginning_is_part_of_the_story() {
    let expect = "  until: 30m
  expect:
    - { see: \"Fault/stopUnit injected=*\", after: 0s..0s }
    - { see: \"Process/kubelet@worker-0 running=false\" }
    - { never: \"Node/worker-1 created\" }
";
    let text = VALID.replace("at: 1m", "at: 0s").replace(END, expect);
    let run = read(&text, &[], None).expect("valid").play(1);
    assert_eq!(run.failed().count(), 0, "{:?}", run.expectations);
    let mut bytes = Vec::new();
    let (format, style) = (healsim::report::Format::Timeline, healsim::report::Style::Plain);
    healsim::report::write(format, &run, style, &mut bytes).expect("memory takes everything");
    let story = String::from_utf8(bytes).expect("text");
    assert!(story.contains("injected: Process/kubelet@worker-0"), "{story}");
}

/// Whatever the YAML library says, it is said with the place, the value and a way out.
#[test]
fn what_is_no_scenario_is_told_in_words_of_ours() {
    let end = |more: &str| format!("  until: 30m\n{more}\n");
    check(&[
        ("vm: worker-0", "vm: ~", "7:33", &["`~` stands here", "write a text"]),
        ("vm: worker-0", "vm: [a, b]", "7:33", &["`[a, b]` stands here", "write a text"]),
        ("until: 30m", "until: [1,2]", "8:10", &["`[1,2]` stands here", "write a text"]),
        ("tkgs-2024", "{a: b}", "5:13", &["`{a: b}` stands here", "write a text"]),
        (&format!("\n    - {FAULT}"), " 3", "6:11", &["`3` stands here", "a list"]),
        (&format!("\n    - {FAULT}"), "", "6:9", &["nothing stands here", "a list"]),
        ("{ name: mine }", "7", "3:11", &["`7` stands here", "{ key: value }"]),
        (END, &end("  cluster: { workers: -1 }"), "9:23", &["`-1` is not a whole number"]),
        (END, &end("  cluster: { workers: many }"), "9:23", &["`many` is not a whole number"]),
        (END, &end("  cluster: { workers: 5001 }"), "9:23", &["5001 workers", "1 to 5000"]),
        (END, &end("  given: [a]"), "9:10", &["`[a]` stands here", "{ key: value }"]),
        (END, &end("  expect: [{ after: 1s..2s }]"), "9:12", &["what to `see`", "`never`"]),
        (END, &end("  expect: [{ see: x, on: 7 }]"), "9:26", &["`7` stands here", "a list"]),
        (END, "", "6:3", &["the key `until` is missing", "healsim show scenario"]),
        ("until: 30m", "until: 5m 3s", "8:10", &["`5m 3s` is not a duration", "`5m`"]),
        (
            "until: 30m",
            "until: 99999999999h",
            "8:10",
            &["a run of 99999999999h is not possible", "up to 168h0m0s"],
        ),
        ("until: 30m", "until: \"30m", "8:10", &["this quotation mark is not closed"]),
        ("until: 30m", "until: 30m: 4", "8:13", &["a second `:`", "in quotes"]),
        ("until: 30m", "until: *x", "8:10", &["`*x` refers to no anchor", "the value itself"]),
        ("until: 30m", "until: 30m\n\tx: 1", "9:1", &["a tab", "blanks"]),
        ("spec:", "spec", "4:1", &["`spec`: a key without `:`", "KEY: VALUE"]),
        ("kind: Scenario", "kind: Pod", "2:7", &["kind `Pod` is not known", "`Scenario`"]),
        ("name: mine", "name: \"My\\e[31m\"", "3:19", &["is not a name", "`worker-lost`"]),
        ("name: mine", "name: a//b", "3:19", &["`a//b` is not a name"]),
        ("name: mine", &format!("name: {}", "a".repeat(300)), "3:19", &["up to 253"]),
    ]);
    let range = end("  expect: [{ see: Node created, after: 50s..20s }]");
    check(&[(END, &range, "9:40", &["`50s..20s` is reversed", "20s..50s"])]);
    let name = with("name: mine", "name: \"a\\e[31m\\u0007b\"");
    assert!(!name.contains(['\u{1b}', '\u{7}']), "nothing raw reaches the terminal: {name:?}");
}

#[test]
fn a_folded_text_is_marked_at_its_beginning() {
    let folded = "  until: 30m\n  expect:\n    - see: >\n        Node/worker-0\n        vanished\n";
    check(&[(END, folded, "11:9", &["`vanished` is not known"])]);
    let escaped = "  until: 30m\n  expect: [{ see: \"N\\u006fde vanished\" }]\n";
    check(&[(END, escaped, "9:19", &["`vanished` is not known"])]);
}

/// Each stands where a scenario may have aliases, so that nothing else stops it.
#[test]
fn what_is_built_to_explode_is_refused_at_once() {
    let faults = format!("  faults:\n    - &f {FAULT}\n{}", "    - *f\n".repeat(100_000));
    let from = format!("  faults:\n    - {FAULT}\n");
    let shown = with(&from, &faults);
    assert!(shown.starts_with("mine.yaml:"), "{shown}");
    assert!(shown.contains("far larger than it looks; write out"), "{shown}");
    let long = "x".repeat(100_000);
    let aliases: String = (0..1000).map(|n| format!("    a{n}: *x\n")).collect();
    let annotations =
        format!("metadata:\n  name: mine\n  annotations:\n    a: &x {long}\n{aliases}");
    let shown = with("metadata: { name: mine }\n", &annotations);
    assert!(shown.starts_with("mine.yaml:"), "{shown}");
    assert!(shown.contains("far larger than it looks; write out"), "{shown}");
    assert!(shown.len() < 1000, "and short");
    let mut levels = String::from("    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        levels.push_str(&format!("    a{level}: &a{level} [{aliases}]\n"));
    }
    let shown = with(END, &format!("{END}  given:\n{levels}"));
    assert!(shown.contains("far larger than it looks; write out"), "{shown}");
    let deep = format!("  given: {}\n", "[".repeat(10_000));
    let shown = with(END, &format!("{END}{deep}"));
    assert!(shown.starts_with("mine.yaml:9:"), "{shown}");
    let many = "---\n".repeat(100_000);
    let shown = with(END, &format!("{END}{many}"));
    assert!(shown.starts_with("mine.yaml:72:1: more than 64 documents"), "{shown}");
}

#[test]
fn what_says_nothing_is_empty() {
    for text in ["", "\n\n", "# nothing yet\n", "---\n# nothing\n---\n"] {
        let shown = shown(read(text, &[], None));
        assert!(shown.starts_with("mine.yaml:1:1: is empty; `healsim show scenario"), "{shown}");
    }
}

#[test]
fn the_scenario_of_a_file_is_found_at_its_lines() {
    let mut text = format!("# mine\n---\n{VALID}");
    assert_eq!(shown(read(&text, &[], None)), "nothing is wrong");
    text = text.replace("worker-0", "worker-7");
    let wrong = shown(read(&text, &[], None));
    assert!(wrong.starts_with("mine.yaml:9:33: no VM `worker-7`"), "{wrong}");
    let two = format!("{VALID}---\n{VALID}");
    let wrong = shown(read(&two, &[], None));
    assert!(
        wrong.starts_with("mine.yaml:11:7: a second Scenario; the first is in line 2"),
        "{wrong}"
    );
    let other = format!("{VALID}---\napiVersion: v1\nkind: Service\nmetadata: {{ name: x }}\n");
    let beside = read(&other, &[], None).expect("a Service is left out");
    assert!(beside.warnings()[0].starts_with("mine.yaml:11:7: Service is left out"));
    let wrong = shown(read(&other.replace("Service", "Srvice"), &[], None));
    assert!(wrong.starts_with("mine.yaml:11:7: kind `Srvice` is not known"), "{wrong}");
    let alone = shown(read("kind: A\napiVersion: b\n---\nkind: C\napiVersion: d\n", &[], None));
    assert!(alone.starts_with("mine.yaml:1:7: no document of this file is a Scenario"), "{alone}");
}
