//! The binary from outside: what it prints, where, and with which exit code.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn healsim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_healsim")).args(args).output().expect("the binary runs")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A file of this test's own with this content.
fn file(name: &str, content: impl AsRef<[u8]>) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(name);
    fs::write(&path, content).expect("the target folder is writable");
    path.display().to_string()
}

const VALID: &str = "apiVersion: healsim/v1
kind: Scenario
metadata: { name: mine }
spec:
  platform: tkgs-2024
  faults:
    - { at: 1m, stopUnit: { vm: worker-0, unit: kubelet } }
  until: 30m
";

/// Runs a scenario with some words replaced; it must be refused, at this place, with these words.
fn refused(name: &str, from: &str, to: &str, place: &str, words: &[&str]) {
    assert!(VALID.contains(from), "{from}");
    let path = file(name, VALID.replace(from, to));
    let output = healsim(&["run", &path]);
    let shown = err(&output);
    assert_eq!(output.status.code(), Some(3), "{shown}");
    assert!(shown.starts_with(&format!("{path}:{place}: ")), "{shown}");
    for word in words {
        assert!(shown.contains(word), "{word:?} in {shown}");
    }
    assert!(!shown.contains("panicked"), "{shown}");
    assert!(out(&output).is_empty(), "nothing is half done");
}

#[test]
fn the_main_command_plays_and_all_expectations_hold() {
    let output = healsim(&["run", "worker-kubelet-stopped"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let text = out(&output);
    assert!(text.starts_with("worker-kubelet-stopped on tkgs-2024, seed 1"), "{text}");
    assert!(text.contains("Recovered") && text.contains("Play it again:"), "{text}");
    assert!(!text.contains('\x1b'), "no color into a pipe");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "100 columns");
}

#[test]
fn a_failed_expectation_is_exit_code_4() {
    let set = "kubernetes.nodeMonitorGracePeriod=120s";
    let output = healsim(&["run", "worker-kubelet-stopped", "--set", set, "-o", "summary"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(out(&output).contains("FAILED"), "{}", out(&output));
}

#[test]
fn an_unknown_vm_is_shown_with_those_that_there_are() {
    let words = ["no VM `worker-9`; there are `worker-0` to `worker-2`", "^"];
    refused("vm.yaml", "vm: worker-0", "vm: worker-9", "7:33", &words);
}

#[test]
fn a_duration_with_a_blank_is_shown_with_one_that_is_right() {
    let words = ["`5 min` is not a duration", "for example `5m`"];
    refused("duration.yaml", "until: 30m", "until: 5 min", "8:10", &words);
}

#[test]
fn a_scenarios_own_settings_are_as_if_set_and_refused_at_their_place() {
    let with = |setting: &str| format!("until: 30m\n  settings: {{ {setting} }}");
    let key = with("kubernetes.nodeMonitorGracePriod: 20s");
    let words = ["no setting", "did you mean `kubernetes.nodeMonitorGracePeriod`?"];
    refused("settings-key.yaml", "until: 30m", &key, "9:15", &words);
    let value = with("kubernetes.nodeMonitorGracePeriod: soon");
    let words = ["`soon` is not a duration", "(it is `40s` here)"];
    refused("settings-value.yaml", "until: 30m", &value, "9:50", &words);
    let valid = VALID.replace("until: 30m", &with("kubernetes.nodeMonitorGracePeriod: 20s"));
    let path = file("settings.yaml", valid);
    let unknown = |args: &[&str]| {
        let output = healsim(&[&["run", &path, "--until", "2m", "-o", "json"], args].concat());
        let read: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a summary");
        let all = read["milestones"].as_array().expect("milestones").clone();
        let unknown = all.into_iter().find(|it| it["name"] == "nodeUnknown");
        unknown.and_then(|it| it["after"].as_f64()).expect("it comes")
    };
    assert!(unknown(&[]) < 28.0);
    let set = ["--set", "kubernetes.nodeMonitorGracePeriod=40s"];
    assert!(unknown(&set) > 28.0, "the command line has the last word");
}

#[test]
fn all_who_play_one_run_take_the_scenarios_own_seed() {
    let path = file("seed.yaml", VALID.replace("until: 30m", "until: 30m\n  seed: 7"));
    let asked = [
        &["why", path.as_str(), "--of", "nodeUnknown"][..],
        &["why", path.as_str(), "--of", "nodeUnknown", "--runs", "1"],
        &["get", "nodes", path.as_str(), "--after", "5m", "-o", "wide"],
        &["run", path.as_str(), "-o", "summary"],
    ];
    for args in asked {
        let with = |seed: &[&str]| out(&healsim(&[args, seed].concat()));
        let own = with(&[]);
        assert_eq!(own, with(&["--seed", "7"]), "{args:?}");
        // The Nodes that `get` shows hardly differ from seed to seed.
        assert!(args[0] == "get" || own != with(&["--seed", "1"]), "{args:?}");
    }
}

#[test]
fn two_are_compared_from_the_scenarios_own_seed_on_and_so_is_their_page() {
    let seeded = |name, seed| file(name, VALID.replace("until: 30m", &format!("until: 10m{seed}")));
    let [seven, nine] = [seeded("seven.yaml", "\n  seed: 7"), seeded("nine.yaml", "\n  seed: 9")];
    let none = seeded("none.yaml", "");
    let page = format!("{}/both.html", env!("CARGO_TARGET_TMPDIR"));
    let both = |a: &str, b: &str, more: &[&str]| {
        let out_file = format!("html={page}");
        let words = ["compare", a, b, "--runs", "1", "-o", "json", "--out", out_file.as_str()];
        let output = healsim(&[&words[..], more].concat());
        let read: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let shown = std::fs::read_to_string(&page).expect("a page");
        let seed = read["firstSeed"].as_u64().expect("a seed");
        assert!(shown.contains(&format!("--seed {seed}")), "{a} and {b}: the page is of {seed}");
        (seed, err(&output))
    };
    assert_eq!(both(&seven, &none, &[]).0, 7);
    assert_eq!(both(&none, &nine, &[]).0, 9);
    assert_eq!(both(&none, &none, &[]).0, 1);
    assert_eq!(both(&seven, &nine, &["--seed", "3"]), (3, String::new()));
    let (seed, told) = both(&nine, &seven, &[]);
    assert_eq!(seed, 9);
    assert!(told.contains("has seed 9") && told.contains("both play 9"), "{told}");
}

#[test]
fn duplicate_and_unknown_keys_are_refused() {
    refused("twice.yaml", "until: 30m", "until: 30m\n  until: 40m", "9:3", &["duplicate"]);
    refused("key.yaml", "until: 30m", "untill: 30m", "8:3", &["untill", "until"]);
    refused("kind.yaml", "kind: Scenario", "kind: Szenario", "2:7", &["`Szenario`", "`Scenario`"]);
    refused("fault.yaml", "stopUnit", "stopunit", "7:17", &["stopunit", "stopUnit"]);
}

#[test]
fn an_unknown_platform_names_the_known_ones() {
    let words = ["no platform `tkgs-2042`", "did you mean `tkgs-2024`?"];
    refused("platform.yaml", "tkgs-2024", "tkgs-2042", "5:13", &words);
    let output = healsim(&["run", "worker-kubelet-stopped", "--platform", "aws"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("known: lab-k8s-1.30-capi-1.7"), "{}", err(&output));
}

#[test]
fn who_counts_from_the_first_fault_refuses_a_scenario_without_one() {
    let fault = "  faults:\n    - { at: 1m, stopUnit: { vm: worker-0, unit: kubelet } }\n";
    let path = file("quiet.yaml", VALID.replace(fault, "  faults: []\n"));
    for command in ["why", "tune", "estimate", "compare"] {
        let second = if command == "compare" { vec![path.as_str()] } else { Vec::new() };
        let output = healsim(&[&[command, path.as_str()][..], &second].concat());
        assert_eq!(output.status.code(), Some(3), "{command}");
        let said = err(&output);
        let words = format!("quiet.yaml: no fault: `{command}` counts from the first one");
        assert!(said.contains(&words), "{said}");
    }
}

#[test]
fn why_refuses_an_object_that_is_not_there_and_no_patience() {
    let path = file("of.yaml", VALID);
    let output = healsim(&["why", &path, "--of", "nodeReady:Node/worker-00"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("did you mean `Node/worker-0`?"), "{}", err(&output));
    let output = healsim(&["why", &path, "--patience", "0s"]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
}

#[test]
fn what_a_person_has_given_has_its_place_and_not_the_basis_of_the_default() {
    let check = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/my-health-check.yaml");
    let set = ["--set", "infra.boot=20s..30s", "-o", "json"];
    let output = healsim(&[&["why", "worker-power-off", "-f", check][..], &set].concat());
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |rule: &str| {
        let rules = read["rules"].as_array().expect("a list");
        let found = rules.iter().find(|it| it["rule"] == rule);
        found.unwrap_or_else(|| panic!("{rule}: {rules:?}")).clone()
    };
    let timeout = of("machineHealthCheck.unknownTimeout");
    assert_eq!(timeout["from"], format!("{check}:17"));
    assert_eq!((&timeout["value"], &timeout["basis"]), (&"2m0s".into(), &"given".into()));
    assert_eq!(of("infra.boot")["from"], "--set");
    let drain = of("clusterApi.drainUnreachableSkip");
    assert_eq!((&drain["from"], &drain["basis"]), (&serde_json::Value::Null, &"measured".into()));
    let grace = of("the Pod's terminationGracePeriodSeconds");
    assert_eq!(grace["value"], "30s");
    assert_eq!(grace["flag"], "Pod spec.terminationGracePeriodSeconds");
}

#[test]
fn a_missing_file_an_empty_one_and_one_of_100_mb_are_refused_at_once() {
    let output = healsim(&["run", "nowhere/mine.yaml"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        err(&output).starts_with("nowhere/mine.yaml:1:1: cannot be opened"),
        "{}",
        err(&output)
    );
    let output = healsim(&["run", &file("empty.yaml", "\n")]);
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("is empty"), "{}", err(&output));
    let large = file("large.yaml", vec![b'#'; 100_000_000]);
    let output = healsim(&["run", &large]);
    fs::remove_file(&large).expect("it was just written");
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("larger than 1 MiB"), "{}", err(&output));
    let output = healsim(&["run", &file("bytes.yaml", [0xff, 0xfe, 0x00])]);
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("1:1: byte 0xff is not UTF-8 text"), "{}", err(&output));
}

/// The bomb stands where a scenario may have aliases, so that nothing else stops it.
#[test]
fn an_alias_bomb_does_not_explode() {
    let fault = "- { at: 1m, stopUnit: { vm: worker-0, unit: kubelet } }";
    assert!(VALID.contains(fault));
    let bomb = format!("{}\n{}", fault.replacen('-', "- &f", 1), "    - *f\n".repeat(100_000));
    let path = file("bomb.yaml", VALID.replace(&format!("{fault}\n"), &bomb));
    let output = healsim(&["run", &path]);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    assert!(err(&output).starts_with(&format!("{path}:")), "{}", err(&output));
    assert!(err(&output).contains("far larger than it looks"), "{}", err(&output));
}

#[test]
fn a_folder_and_a_byte_that_is_no_text_are_shown_with_a_way_out() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let output = healsim(&["run", folder]);
    assert_eq!(output.status.code(), Some(3));
    let shown = err(&output);
    assert!(shown.starts_with(&format!("{folder}:1:1: is a folder; name the files")), "{shown}");
    let text = [VALID.as_bytes(), b"  # caf\xe9\n"].concat();
    let path = file("latin.yaml", text);
    let output = healsim(&["run", &path]);
    let shown = err(&output);
    assert!(
        shown.starts_with(&format!("{path}:9:8: byte 0xe9 is not UTF-8 text; save")),
        "{shown}"
    );
}

#[test]
fn a_number_out_of_its_range_is_noted_and_no_assumption_any_more() {
    let args = ["run", "worker-kubelet-stopped", "-o", "json", "--set", "infra.boot=1s..2s"];
    let output = healsim(&args);
    let noted = "note: infra.boot=1s..2s lies outside 10s..90s, where it is assumed";
    assert!(err(&output).contains(noted), "{}", err(&output));
    let document: serde_json::Value = serde_json::from_str(&out(&output)).expect("JSON");
    let assumed = document["assumptions"].as_array().expect("a list");
    assert!(assumed.len() > 10 && assumed.iter().all(|key| key != "infra.boot"), "{document}");
    assert_eq!(document["settings"][0]["insteadOf"], "15s..40s");
}

#[test]
fn a_group_of_lines_says_something_once() {
    let wrong = |name: &str, group: &str, place: &str, word: &str| {
        let expect = format!("until: 30m\n  expect: [{{ {group} }}]");
        refused(name, "until: 30m", &expect, place, &[word]);
    };
    let line = "lines: [{ see: \"Node Ready=Unknown\" }]";
    wrong("group1.yaml", line, "9:12", "a group `says` something");
    wrong("group2.yaml", "says: it breaks, lines: []", "9:12", "at least one of `lines`");
    let own = format!("says: it breaks, after: 1s..2s, {line}");
    wrong("group3.yaml", &own, "9:38", "write this in the lines");
    let twice = "says: it breaks, lines: [{ says: so, never: \"VM deleted\" }]";
    wrong("group4.yaml", twice, "9:39", "written once, for all lines");
}

#[test]
fn a_fault_has_a_time_or_waits_for_something() {
    let stop = "{ at: 1m, stopUnit: { vm: worker-0, unit: kubelet } }";
    let wrong = "{ at: 1m, when: \"Node Ready=Unknown\", powerOff: { vm: worker-0 } }";
    refused("when1.yaml", stop, wrong, "7:23", &["`at` and `when` exclude each other"]);
    let wrong = "{ at: 1m, after: 5s, powerOff: { vm: worker-0 } }";
    refused("when2.yaml", stop, wrong, "7:24", &["`after` goes with `when`"]);
    let wrong = "{ when: \"Nod Ready=Unknown\", powerOff: { vm: worker-0 } }";
    refused("when3.yaml", stop, wrong, "7:15", &["no kind `Nod`", "did you mean `Node`?"]);
    let wrong = "{ when: \"Node Ready=Unknown\", powerOff: { vm: worker-0 } }";
    refused("when4.yaml", stop, wrong, "7:15", &["the first fault needs a time"]);
}

#[test]
fn a_mistake_in_an_expectation_is_shown_at_its_letter() {
    let expect = "until: 30m\n  expect:\n    - { see: \"Node/worker-0 vanished\" }";
    refused("expect.yaml", "until: 30m", expect, "10:29", &["`vanished` is not known"]);
    let expect = "until: 30m\n  expect:\n    - { see: \"Node created\", after: 5m }";
    refused("range.yaml", "until: 30m", expect, "10:37", &["`5m` is not a range", "29s..47s"]);
}

#[test]
fn help_is_a_command_too() {
    let same = |command: &[&str], option: &[&str]| {
        let [asked, known] = [command, option].map(healsim);
        assert_eq!((asked.status.code(), known.status.code()), (Some(0), Some(0)), "{command:?}");
        assert_eq!(out(&asked), out(&known), "{command:?}");
    };
    same(&["help"], &["--help"]);
    same(&["help", "run"], &["run", "--help"]);
    same(&["help", "availability"], &["availability", "--help"]);
    let wrong = healsim(&["help", "walk"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(err(&wrong).contains("unrecognized subcommand 'walk'"), "{}", err(&wrong));
    let wrong = healsim(&["help", "runn"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(err(&wrong).contains("a similar subcommand exists: 'run'"), "{}", err(&wrong));
    assert_eq!(err(&wrong), err(&healsim(&["runn"])));
}

#[test]
fn wrong_settings_and_usage_are_told_apart() {
    let set = |set: &str| healsim(&["run", "worker-kubelet-stopped", "--set", set]);
    let output = set("kubernetes.nodeMonitorGracePriod=1m");
    assert_eq!(output.status.code(), Some(3));
    let near = "did you mean `kubernetes.nodeMonitorGracePeriod`?";
    assert!(err(&output).contains(near), "{}", err(&output));
    let vary = "kubernetes.nodeMonitorGracePriod=20s..40s/20s";
    let output = healsim(&["tune", "worker-kubelet-stopped", "--vary", vary]);
    assert_eq!(output.status.code(), Some(3));
    let blamed = format!("--vary {vary}: no setting ");
    assert!(err(&output).starts_with(&blamed) && err(&output).contains(near), "{}", err(&output));
    let output = set("kubernetes.nodeMonitorGracePeriod=soon");
    assert!(err(&output).contains("`soon` is not a duration"), "{}", err(&output));
    assert_eq!(healsim(&["run"]).status.code(), Some(2));
    assert_eq!(healsim(&["serve"]).status.code(), Some(2), "not there yet, so not known");
    assert_eq!(healsim(&["fuzz", "--faults", "25"]).status.code(), Some(2));
    assert_eq!(healsim(&["fuzz", "--exhaustive", "--faults", "4"]).status.code(), Some(2));
    let output = healsim(&["fuzz", "--kinds", "powerOf"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("did you mean `powerOff`?"), "{}", err(&output));
    let output = healsim(&["run", "nothing"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains(". A file is named by its path, as ./mine.yaml."));
}

#[test]
fn who_leaves_words_out_is_shown_what_would_be_right() {
    let listed = "<WHAT> is one of scenarios, lessons, platforms, faults, invariants, settings";
    for (line, words) in [
        ("list", &[listed, "for example: healsim list scenarios"][..]),
        ("show", &["<WHAT> is one of scenario, platform", "for example: healsim show scenario "]),
        ("run", &["<NAME|FILE>", "for example: healsim run worker-kubelet-stopped"]),
        ("get nodes a", &["for example: healsim get nodes --at 5m30s "]),
        ("compare tkgs-2024", &["<B>", "for example: healsim compare "]),
    ] {
        let output = healsim(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{line}");
        let shown = err(&output);
        assert!(words.iter().all(|words| shown.contains(words)), "{line}: {shown}");
    }
}

#[test]
fn the_end_of_an_outage_that_there_was_not_is_told_as_that() {
    let output = healsim(&["why", "control-plane-power-off", "--of", "apiAvailable"]);
    assert_eq!(output.status.code(), Some(4));
    let words = "apiAvailable is the end of an outage, and there was none: ";
    assert!(out(&output).contains(words), "{}", out(&output));
    let output = healsim(&["why", "control-plane-power-off", "--of", "apiUnavailable"]);
    assert!(!out(&output).contains("there was none"), "{}", out(&output));
}

#[test]
fn rates_are_given_on_the_command_line_too() {
    let line = "availability --platform lab-k8s-1.34-capi-1.14 --years 1";
    let play = |rates: &[&str]| {
        let rates = rates.iter().flat_map(|rate| ["--rate", *rate]);
        healsim(&line.split(' ').chain(rates).collect::<Vec<_>>())
    };
    // Nothing there is a unit of systemd, and the only API server has no manifest.
    let refused = play(&[]);
    assert_eq!(refused.status.code(), Some(3));
    let told: Vec<String> = err(&refused).lines().map(str::to_owned).collect();
    assert!(told.len() > 1 && told[0].ends_with(", or --rate kubeletStopped=0"), "{told:?}");
    let all = ["vmOff", "vmDeleted", "hostDown", "zoneDown", "diskFull", "networkLost"];
    let all = all.iter().chain(&["kubeletStopped", "etcdDataLost", "apiServerRemoved"]);
    let all: Vec<String> = all.map(|name| format!("{name}=0")).collect();
    let nothing = play(&all.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(nothing.status.code(), Some(0), "{}", err(&nothing));
    let text = out(&nothing);
    assert!(text.contains("nothing fails: ") && text.contains("--rate vmOff=0 "), "{text}");
    let wrong = play(&["kubeletStoped=0"]);
    assert_eq!(wrong.status.code(), Some(3));
    let words =
        "--rate kubeletStoped=0: no failure `kubeletStoped`; did you mean `kubeletStopped`?";
    assert!(err(&wrong).starts_with(words), "{}", err(&wrong));
}

#[test]
fn lists_have_the_name_first() {
    for (what, name) in [
        ("scenarios", "worker-kubelet-stopped "),
        ("lessons", "lost-worker "),
        ("platforms", "tkgs-2024 "),
        ("faults", "stopUnit "),
        ("settings", "kubernetes.nodeMonitorGracePeriod "),
    ] {
        let output = healsim(&["list", what]);
        assert_eq!(output.status.code(), Some(0));
        assert!(out(&output).lines().any(|line| line.starts_with(name)), "{}", out(&output));
    }
    let shown = healsim(&["show", "scenario", "worker-kubelet-stopped"]);
    assert!(out(&shown).contains("kind: Scenario"));
    assert_eq!(healsim(&["show", "platform", "none"]).status.code(), Some(3));
}

#[test]
fn get_looks_in_other_namespaces_and_at_what_controllers_say() {
    let get = |args: &[&str]| {
        out(&healsim(&[&["get"], args, &["--after", "7m", "worker-kubelet-stopped"]].concat()))
    };
    let system = get(&["pods", "-n", "kube-system"]);
    assert!(system.contains("etcd-control-plane-0") && !system.contains("web-"), "{system}");
    let all = get(&["pods", "-A"]);
    assert!(all.starts_with("NAMESPACE     NAME"), "{all}");
    assert!(all.contains("default       web-") && all.contains("kube-system   etcd-"), "{all}");
    let events = get(&["events"]);
    assert!(events.starts_with("LAST SEEN"), "{events}");
    assert!(events.contains("NodeNotReady") && events.contains("node/worker-0"), "{events}");
    let check = get(&["mhc"]);
    assert!(check.contains("EXPECTEDMACHINES") && check.contains("workload"), "{check}");
    let pools = get(&["machinedeployments", "-o", "yaml"]);
    assert!(pools.contains("kind: MachineDeployment") && pools.contains("replicas: 3"), "{pools}");
    let nowhere = healsim(&["get", "pods", "-n", "x", "--at", "1m", "worker-kubelet-stopped"]);
    assert_eq!(err(&nowhere), "No resources found in x namespace.\n");
    let both = healsim(&["get", "pods", "-n", "x", "-A", "--at", "1m", "worker-kubelet-stopped"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn get_prints_what_kubectl_would() {
    let get = |args: &[&str]| out(&healsim(&[&["get"], args].concat()));
    let nodes = get(&["nodes", "--after", "6m", "worker-kubelet-stopped"]);
    assert!(nodes.starts_with("NAME              STATUS                        ROLES"), "{nodes}");
    assert!(nodes.contains("worker-0          NotReady,SchedulingDisabled   <none>"), "{nodes}");
    let pods = get(&["pods", "--after", "6m", "worker-kubelet-stopped"]);
    assert!(pods.contains("Terminating") && pods.contains("Pending"), "{pods}");
    let machines = get(&["machines", "--at", "30m", "worker-kubelet-stopped"]);
    assert!(machines.contains("Running") && !machines.contains("worker-0 "), "{machines}");
    let names = get(&["machines", "--at", "1m", "-o", "name", "worker-kubelet-stopped"]);
    assert!(names.contains("\nmachine.cluster.x-k8s.io/worker-0\n"), "{names}");
    let yaml = get(&["nodes", "--at", "1m", "-o", "yaml", "worker-kubelet-stopped"]);
    assert!(yaml.contains("kind: List") && yaml.contains("kubelet is posting ready status"));
    let one = get(&["node/worker-0", "--at", "1m", "worker-kubelet-stopped"]);
    assert_eq!((one.lines().count(), row(&one, "worker-0").len()), (2, 5), "{one}");
    let itself = get(&["node", "worker-0", "--at", "1m", "-o", "yaml", "worker-kubelet-stopped"]);
    assert!(itself.starts_with("apiVersion: v1\nkind: Node\n"), "{itself}");
    let clusters = get(&["clusters", "--at", "1m", "worker-kubelet-stopped"]);
    assert_eq!(row(&clusters, "workload"), ["workload", "Provisioned", "30d"], "{clusters}");
    let missing = healsim(&["get", "pods", "x", "--at", "1m", "worker-kubelet-stopped"]);
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(err(&missing), "Error from server (NotFound): pods \"x\" not found\n");
    let late = healsim(&["get", "nodes", "--at", "31m", "worker-kubelet-stopped"]);
    assert_eq!(late.status.code(), Some(3));
}

/// What stands in the row of a name, cell by cell.
fn row(table: &str, name: &str) -> Vec<String> {
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {table}"));
    line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
}

#[test]
fn get_asks_like_a_person_and_ends_like_kubectl_when_nobody_answers() {
    let get = |args: &[&str]| healsim(&[&["get"], args].concat());
    // One API server of three is gone, then all are.
    let two = get(&["nodes", "--after", "4m", "apiserver-removed"]);
    assert_eq!((two.status.code(), row(&out(&two), "worker-0").len()), (Some(0), 5));
    let none = get(&["nodes", "--after", "12m", "apiserver-removed", "-o", "json"]);
    assert_eq!(none.status.code(), Some(1));
    let words = "The connection to the server workload:6443 was refused - did you specify the \
                 right host or port?\n";
    assert_eq!((out(&none).as_str(), err(&none).as_str()), ("", words));
    // The other cluster answers, and the datacenter's lists ask nobody.
    for resource in ["machines", "vms", "etcd"] {
        let got = get(&[resource, "--after", "12m", "apiserver-removed"]);
        assert_eq!(got.status.code(), Some(0), "{resource}");
    }
    // An API server whose etcd has lost its quorum answers until its own probes end it; then it gets no
    // further than its first reads, and is mostly between two starts.
    let without_quorum = ["Error from server: etcdserver: request timed out\n", words];
    for (after, words) in ["5m", "20m"].into_iter().zip(without_quorum) {
        let got = get(&["pods", "--after", after, "etcd-one-of-three"]);
        assert_eq!((got.status.code(), err(&got).as_str()), (Some(1), words), "{after}");
        assert_eq!(out(&got), "");
    }
}

#[test]
fn get_etcd_shows_who_leads_and_who_does_not_answer() {
    let get = |args: &[&str]| out(&healsim(&[&["get", "etcd"], args].concat()));
    let all = get(&["--at", "30s", "etcd-one-of-three"]);
    let cells = |table: &str, name: &str| row(table, name)[1..6].join(" ");
    assert_eq!(cells(&all, "control-plane-2"), "workload started true true false");
    assert_eq!(cells(&all, "control-plane-0"), "workload started true false false");
    assert_eq!(cells(&all, "supervisor-0"), "management started true true false");
    // Two of three are gone; the survivor has no leader any more, and says so.
    let lost = get(&["--after", "20m", "etcd-one-of-three", "-o", "wide"]);
    assert_eq!(cells(&lost, "control-plane-0"), "workload started false <unknown> false");
    let survivor = row(&lost, "control-plane-2");
    assert_eq!(survivor[3..6], ["false", "false", "false"]);
    assert_eq!(survivor.last().map(String::as_str), Some("etcdserver: no leader"));
    let names = get(&["--at", "30s", "etcd-one-of-three", "-o", "name"]);
    assert!(names.starts_with("etcdmember/control-plane-0\netcdmember/control-plane-1\n"));
    let json = get(&["--after", "20m", "etcd-one-of-three", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["items"][0]["status"], serde_json::Value::Null);
    assert_eq!(json["items"][2]["status"]["errors"][0], "etcdserver: no leader");
}

#[test]
fn get_prints_each_kind_in_the_columns_of_its_server() {
    let workloads = "until: 30m
  workloads:
    - { name: db, kind: StatefulSet, replicas: 2 }
    - { name: agent, kind: DaemonSet }
    - { name: sum, kind: Job, replicas: 1, runTime: 2m }";
    let path = file("kinds.yaml", VALID.replace("until: 30m", workloads));
    let get = |args: &[&str]| out(&healsim(&[&["get"], args, &[path.as_str()]].concat()));
    let cases: [(&str, &str, &str, &[&str]); 6] = [
        ("deployments", "NAME READY UP-TO-DATE AVAILABLE AGE", "web", &["3/3", "3", "3"]),
        ("statefulsets", "NAME READY AGE", "db", &["2/2"]),
        (
            "daemonsets",
            "NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE SELECTOR AGE",
            "agent",
            &["3", "3", "3", "3", "3", "<none>"],
        ),
        ("jobs", "NAME COMPLETIONS DURATION AGE", "sum", &["0/1", "30s"]),
        ("virtualmachines", "NAME POWER-STATE AGE", "worker-0", &["PoweredOn"]),
        ("secrets", "NAME TYPE DATA AGE", "worker-0", &["cluster.x-k8s.io/secret", "2"]),
    ];
    for (resource, head, name, cells) in cases {
        let table = get(&[resource, "--at", "30s"]);
        let columns: Vec<&str> = table.lines().next().expect("a head").split_whitespace().collect();
        assert_eq!(columns.join(" "), head, "{table}");
        assert_eq!(row(&table, name)[1..=cells.len()], *cells, "{table}");
        let yaml = get(&[resource, "--at", "30s", "-o", "yaml"]);
        assert!(yaml.contains("kind: List") && yaml.contains(&format!("name: {name}")), "{yaml}");
    }
    assert_eq!(get(&["sts", "--at", "30s"]), get(&["statefulsets", "--at", "30s"]));
}

#[test]
fn get_tells_of_work_that_is_done_and_shows_more_when_wide() {
    let job = "until: 30m\n  workloads: [{ name: sum, kind: Job, replicas: 1, runTime: 20s }]";
    let path = file("job-done.yaml", VALID.replace("until: 30m", job));
    let get = |args: &[&str]| out(&healsim(&[&["get"], args, &[path.as_str()]].concat()));
    let pods = get(&["pods", "--at", "50s"]);
    let line = pods.lines().find(|line| line.starts_with("sum-")).expect("its Pod");
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells[1..4], ["0/1", "Completed", "0"], "{pods}");
    let done = row(&get(&["jobs", "--at", "50s"]), "sum");
    assert_eq!(done[1], "1/1", "{done:?}");
    // The Pod's work, and the seconds until the kubelet and the controller have said so.
    assert!(done[2].starts_with('2') && done[2].ends_with('s'), "{done:?}");
    // A server of 1.30 says besides how it is.
    let lab = get(&["jobs", "--at", "50s", "--platform", "lab-k8s-1.30-capi-1.7"]);
    assert!(lab.starts_with("NAME   STATUS     COMPLETIONS"), "{lab}");
    assert_eq!(row(&lab, "sum")[1..3], ["Complete", "1/1"], "{lab}");
    let wide = get(&["deployments", "--at", "1m", "-o", "wide"]);
    assert_eq!(row(&wide, "web")[5..], ["web", "web", "app=web"], "{wide}");
    let wide = get(&["virtualmachines", "--at", "1m", "-o", "wide"]);
    let head = wide.lines().next().expect("a head");
    let columns: Vec<&str> = head.split_whitespace().collect();
    assert_eq!(columns, ["NAME", "POWER-STATE", "CLASS", "IMAGE", "PRIMARY-IP4", "AGE"], "{wide}");
    let lab = ["--platform", "lab-k8s-1.34-capi-1.14", "--at", "1m"];
    let none = |form: &[&str]| {
        let args = [&["get", "virtualmachines"], &lab[..], form, &[path.as_str()]].concat();
        let output = healsim(&args);
        (out(&output), err(&output))
    };
    let nothing = "No resources found in default namespace.\n";
    assert_eq!(none(&[]), (String::new(), nothing.to_owned()), "beside the result, as kubectl");
    assert_eq!(none(&["-o", "wide"]), (String::new(), nothing.to_owned()));
    assert_eq!(none(&["-o", "name"]), (String::new(), String::new()));
    assert!(none(&["-o", "json"]).0.contains("\"items\": []"), "{:?}", none(&["-o", "json"]));
}

#[test]
fn get_prints_vms_as_documents_too() {
    let get =
        |form: &str| out(&healsim(&["get", "vms", "--at", "30s", "worker-power-off", "-o", form]));
    let json: serde_json::Value = serde_json::from_str(&get("json")).expect("JSON");
    let vms = json["items"].as_array().expect("a list");
    let worker = vms.iter().find(|vm| vm["name"] == "worker-0").expect("a worker");
    assert_eq!((&worker["kind"], &worker["power"]), (&"VM".into(), &"on".into()), "{worker}");
    assert_eq!((&worker["kubelet"], &worker["host"].is_null()), (&"running".into(), &false));
    assert!(worker["containers"].as_u64().is_some_and(|count| count > 0), "{worker}");
    // etcd, the API server, the controller manager, the scheduler and the cloud's controller are static Pods.
    let plane = vms.iter().find(|vm| vm["name"] == "control-plane-0").expect("a control plane");
    assert!(plane["containers"].as_u64().is_some_and(|count| count >= 5), "{plane}");
    let yaml = get("yaml");
    assert!(yaml.contains("kind: VM\n") && yaml.contains("connectionState: connected"), "{yaml}");
}

#[test]
fn the_last_line_of_json_lines_is_the_summary() {
    let output = healsim(&["run", "worker-kubelet-stopped", "-o", "jsonl"]);
    let text = out(&output);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (summary, entries) = lines.split_last().expect("lines");
    assert_eq!(summary["summary"], true);
    assert_eq!(summary["entries"].as_u64(), Some(entries.len() as u64));
    assert_eq!(summary["recovered"], true);
    assert_eq!(summary["firstFault"], 60.0);
    assert!(entries.iter().enumerate().all(|(at, entry)| entry["id"] == at as u64 + 1));
}

#[test]
fn a_page_is_printed_as_it_is_written() {
    let path = file("printed.html", "");
    let written = format!("html={path}");
    let output = healsim(&["run", "worker-kubelet-stopped", "-o", "html", "--out", &written]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(output.stdout.starts_with(b"<!doctype html>"));
    assert!(output.stdout == fs::read(path).expect("a page"));
}

#[test]
fn an_estimate_whose_seeds_go_over_the_largest_number_is_refused() {
    let with = |seed: &str| {
        let args = ["estimate", "worker-kubelet-stopped", "--runs", "2", "--until", "1m30s"];
        healsim(&[&args[..], &["--assumed-runs", "0", "--seed", seed]].concat())
    };
    let output = with("18446744073709551614");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("the largest seed is 18446744073709551613"), "{}", err(&output));
    assert!(err(&output).contains("18446744073709551615 is for who plays one run alone"));
    let largest = with("18446744073709551613");
    assert_eq!(largest.status.code(), Some(0), "{}", err(&largest));
    assert!(out(&largest).contains("18446744073709551613..18446744073709551614"));
    for words in [["run", "worker-kubelet-stopped"], ["why", "worker-kubelet-stopped"]] {
        let last = healsim(&[&words[..], &["--seed", "18446744073709551615"]].concat());
        assert_ne!(last.status.code(), Some(2), "{words:?}: {}", err(&last));
    }
}

#[test]
fn lists_keep_their_column() {
    for what in ["faults", "scenarios", "platforms"] {
        let text = out(&healsim(&["list", what]));
        let names: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        let width = names.iter().map(|name| name.len()).max().expect("some");
        assert!(width > 12, "{text}");
        for line in text.lines() {
            let (name, says) = line.split_at(width);
            assert!(!name.trim_end().contains(' ') && says.starts_with("  "), "{line}");
            assert!(!says.starts_with("   "), "{line}");
        }
    }
}

#[test]
fn a_probe_of_nothing_of_too_much_or_twice_is_refused() {
    let probes = |list: &str| format!("until: 30m\n  probes: [{list}]");
    let wrong = |name: &str, list: &str, place: &str, words: &[&str]| {
        refused(name, "until: 30m", &probes(list), place, words);
    };
    let near = ["no workload `wep`", "did you mean `web`?"];
    wrong("app.yaml", "{ app: wep }", "9:19", &near);
    wrong("often.yaml", "{ deploy: 1s }", "9:22", &["a Deployment every 1s is too often", "10s"]);
    wrong("soon.yaml", "{ deploy: soon }", "9:22", &["`soon` is not a duration"]);
    wrong("both.yaml", "{ app: web, deploy: 1m }", "9:19", &["one of `app`, `deploy` and `api`"]);
    let twice = "{ deploy: 1m }, { deploy: 2m }";
    wrong("twice.yaml", twice, "9:38", &["there is such a probe already"]);
    let whom = ["nobody serves the API at `worker-0`", "each, endpoint, control-plane-0"];
    wrong("whom.yaml", "{ api: worker-0 }", "9:19", &whom);
    wrong(
        "via.yaml",
        "{ api: via worker-0 }",
        "9:19",
        &["nobody serves the API at `via worker-0`"],
    );
    wrong("again.yaml", "{ api: each }, { api: endpoint }", "9:34", &["such a probe already"]);
    wrong("what.yaml", "{ apps: web }", "9:14", &["unknown key `apps`", "did you mean `app`?"]);
}

#[test]
fn a_budget_of_no_amount_of_both_kinds_or_of_a_job_is_refused() {
    let wrong = |name: &str, words: &str, place: &str, says: &str| {
        let workload = format!("{{ name: db, replicas: 3, {words} }}");
        let to = format!("until: 30m\n  workloads:\n    - {workload}");
        refused(name, "until: 30m", &to, place, &[says]);
    };
    wrong("half.yaml", "minAvailable: half", "10:46", "`half` is not an amount of Pods");
    wrong("most.yaml", "maxUnavailable: 101%", "10:48", "`101%` is not an amount of Pods");
    let both = "minAvailable: 1, maxUnavailable: 1";
    wrong("budgets.yaml", both, "10:65", "either `minAvailable` or `maxUnavailable`");
    let job = "kind: Job, runTime: 5m, minAvailable: 1";
    wrong("job.yaml", job, "10:70", "only a Deployment and a StatefulSet have a budget");
}

#[test]
fn a_volume_for_several_or_for_daemons_is_refused() {
    let wrong = |name: &str, words: &str, place: &str| {
        let to = format!("until: 30m\n  workloads:\n    - {{ name: db, {words} }}");
        let says = ["a volume is exclusive", "a StatefulSet, or a Deployment or Pod with"];
        refused(name, "until: 30m", &to, place, &says);
    };
    wrong("several.yaml", "replicas: 3, volume: true", "10:40");
    wrong("daemons.yaml", "kind: DaemonSet, volume: true", "10:44");
    wrong("job.yaml", "kind: Job, replicas: 1, runTime: 5m, volume: true", "10:64");
}

const CHECK: &str = "apiVersion: cluster.x-k8s.io/v1beta1
kind: MachineHealthCheck
metadata: { name: mine }
spec:
  clusterName: prod
  selector: { matchLabels: { cluster.x-k8s.io/deployment-name: pool } }
  remediationTemplate: { kind: Other }
  unhealthyConditions:
    - { type: Ready, status: Unknown, timeout: 2m }
";

#[test]
fn manifests_of_ones_own_are_played_told_and_replayed() {
    let path = file("check.yaml", CHECK);
    let args = ["run", "worker-kubelet-stopped", "--until", "10m", "-o", "summary"];
    let output = healsim(&[&args[..], &["-f", &path]].concat());
    let (shown, said) = (out(&output), err(&output));
    let place = format!("warning: {path}:7:3: spec.remediationTemplate isn't modeled");
    assert!(said.contains(&place), "{said}");
    let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let set = format!("machineHealthCheck.unknownTimeout 2m0s instead of 5m ({path}:9)");
    assert!(flat.contains(&set), "{shown}");
    assert!(
        flat.contains(&format!(
            "machineHealthCheck.falseTimeout none instead of 12m ({path}:1, by default)"
        )),
        "{shown}"
    );
    assert!(shown.trim_end().ends_with(&format!("-f {path}")), "{shown}");
    let wrong = file("wrong-check.yaml", CHECK.replace("2m", "120"));
    let output = healsim(&[&args[..], &["-f", &wrong]].concat());
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).starts_with(&format!("{wrong}:9:48: ")), "{}", err(&output));
    let output = healsim(&[&args[..], &["-f", "/no/such/file.yaml"]].concat());
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("cannot be opened"), "{}", err(&output));
}

#[test]
fn manifests_from_standard_input_are_no_shards_and_are_asked_for_as_a_file() {
    let piped = |text: &str, args: &[&str]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_healsim"))
            .args(args)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("piped");
        std::io::Write::write_all(&mut stdin, text.as_bytes()).expect("it reads");
        drop(stdin);
        child.wait_with_output().expect("it ends")
    };
    let (estimate, run) = (&SHORT[..], ["run", "worker-kubelet-stopped", "--until", "5m"]);
    let why = ["why", "worker-kubelet-stopped", "--of", "nodeUnknown"];
    for args in [estimate, &run, &why] {
        let output = piped(CHECK, &[args, &["-f", "-"]].concat());
        let hint = "`-f -` reads standard input: save the manifests and write -f FILE";
        assert!(out(&output).contains(hint), "{args:?}: {}", out(&output));
    }
    // A missing shard would be asked for with `-f -` too, whose input is then the script.
    let refused = piped("", &[estimate, &["-f", "-", "--shard", "1/2"]].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
    assert!(err(&refused).contains("write -f FILE"), "{}", err(&refused));
}

const SHORT: [&str; 8] =
    ["estimate", "worker-kubelet-stopped", "--until", "5m", "--runs", "2", "--assumed-runs", "0"];

#[test]
fn what_a_manifest_says_counts_in_an_estimates_fingerprint() {
    let shard = |text: &str, number: &str| {
        let name = format!("shard-{}-{}.json", number.replace('/', "-"), text.len());
        let check = file("check-of-shards.yaml", text);
        let more = ["-f", &check, "-o", "json", "--shard", number];
        let output = healsim(&[&SHORT[..], &more[..]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        file(&name, output.stdout)
    };
    let (first, second) = (shard(CHECK, "1/2"), shard(CHECK, "2/2"));
    assert_eq!(healsim(&["merge", &first, &second]).status.code(), Some(0));
    let other = shard(&CHECK.replace("2m", "180s"), "2/2");
    let refused = healsim(&["merge", &first, &other]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(err(&refused).contains("are not the same"), "{}", err(&refused));
}

#[test]
fn an_unknown_scenario_is_told_with_those_that_are_near_and_where_all_are() {
    let told = |name: &str| err(&healsim(&["run", name]));
    let short = told("worker-kubelet");
    let near = "did you mean `worker-kubelet-crashed` or `worker-kubelet-stopped`?";
    assert!(short.contains(near) && short.contains("`healsim list scenarios`"), "{short}");
    assert!(told("worker-kubelet-stoped").contains("did you mean `worker-kubelet-stopped`?"));
    let far = told("zzz");
    assert!(!far.contains("did you mean") && far.contains("`healsim list scenarios`"), "{far}");
    let shown = err(&healsim(&["show", "scenario", "worker-kubelet"]));
    assert!(shown.contains(near), "{shown}");
}

#[test]
fn numbers_that_cannot_be_are_told_with_those_that_can() {
    const LARGEST: &str = "a seed is a whole number from 0 to 18446744073709551615";
    let day = "write a duration of up to 168h0m0s, for example `30m`";
    let length = "`-5m` is not a duration";
    for (line, words) in [
        ("run a --seed -1", LARGEST),
        ("get nodes --at 1m a --seed x", LARGEST),
        ("estimate a --seed 99999999999999999999999", LARGEST),
        ("compare a b --seed -1", LARGEST),
        ("why a --seed -1", LARGEST),
        ("tune a --seed x", LARGEST),
        ("fuzz --seed -1", LARGEST),
        ("learn a --seed -1", LARGEST),
        ("availability --seed -1", "a whole number from 0 to 1000000000000"),
        ("check a --seeds -1..3", "write the first and the last seed"),
        ("run a --until -5m", length),
        ("get nodes a --at -5m", length),
        ("get nodes a --after -5m", length),
        ("why a --patience -5m", length),
        ("fuzz --for -5m", length),
        ("availability --rate vmOff=1/year --rate vmOff=0", "--rate vmOff is given twice"),
        ("run a --until 1000000h", day),
        ("run a --until 0s", day),
        ("check a --until 169h", day),
    ] {
        let output = healsim(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(err(&output).contains(words), "{line}: {}", err(&output));
    }
    refused("too-long.yaml", "30m", "1000000h", "8:10", &["a run of 1000000h", day]);
    let many = "cluster: { workers: 100000000000 }\n  until:";
    let large = ["`100000000000` is too large", "no number here is larger than 4294967295"];
    refused("too-many.yaml", "until:", many, "8:23", &large);
}

#[test]
fn settings_are_listed_by_a_word_with_all_that_is_known() {
    let list = |args: &[&str]| healsim(&[&["list", "settings"], args].concat());
    let all = out(&list(&["machineHealthCheck."]));
    assert_eq!(all.lines().count(), 5, "{all}");
    // The word is in the flags of the control plane's own check as well.
    assert_eq!(out(&list(&["machineHealthCheck"])).lines().count(), 10);
    let line = all.lines().find(|line| line.contains("unknownTimeout")).expect("a line");
    for word in
        ["  5m ", "duration | none; settable; ", "unhealthyConditions Ready=Unknown", "documented"]
    {
        assert!(line.contains(word), "{word:?} in {line}");
    }
    let csv = out(&list(&["nodeMonitorGracePeriod", "--platform", "tkgs-current", "-o", "csv"]));
    assert!(
        csv.contains("kubernetes.nodeMonitorGracePeriod,tkgs-current,50s,duration,true,"),
        "{csv}"
    );
    let json: serde_json::Value =
        serde_json::from_slice(&list(&["infra.boot", "-o", "json"]).stdout).expect("JSON");
    assert_eq!(json[0]["range"], "10s..90s");
    assert_eq!(json[0]["settable"], false);
    let settable = out(&list(&["settable"]));
    assert!(
        settable.lines().count() > 50 && settable.lines().all(|it| it.contains("; settable; "))
    );
    let table = out(&list(&["infra.boot", "-o", "table"]));
    assert!(table.starts_with("infra  on tkgs-2024\n  boot "), "{table}");
    let wrong = list(&["machinHealthCheck"]);
    assert_eq!(wrong.status.code(), Some(3));
    assert!(err(&wrong).contains("did you mean `machineHealthCheck`?"), "{}", err(&wrong));
}

#[test]
fn a_check_holds_its_runs_against_bounds_too() {
    let check = |bound: &str| {
        let args = ["check", "worker-kubelet-stopped", "--seeds", "1..2", "--threshold", bound];
        healsim(&args)
    };
    let kept = check("nodeUnknown max < 50s");
    assert_eq!(kept.status.code(), Some(0), "{}", err(&kept));
    let broken = check("nodeUnknown max < 10s");
    assert_eq!(broken.status.code(), Some(4));
    assert!(
        out(&broken).starts_with("FAILED worker-kubelet-stopped on tkgs-2024: "),
        "{}",
        out(&broken)
    );
    assert!(out(&broken).contains("nodeUnknown max < 10s"), "{}", out(&broken));
    assert_eq!(check("app/none unavailable max < 1s").status.code(), Some(3));
}
