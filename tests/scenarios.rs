//! The embedded scenarios: their expectations, their goldens, and what makes each line fail.

use healsim::report::{self, Format, Style};
use healsim::scenario::{Game, Scenario, Source, load, models};
use healsim::timeline::{End, Run, vocabulary};
use proptest::prelude::*;

const PLATFORMS: [&str; 3] = ["tkgs-2024", "lab-k8s-1.34-capi-1.14", "lab-k8s-1.30-capi-1.7"];
const NAME: &str = "worker-kubelet-stopped";

fn game(name: &str, platform: &str, set: &[(&str, &str)]) -> Game {
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let scenario = load(name).expect("an embedded scenario");
    Game::new(&scenario, Some(platform), &set, None).expect("a valid scenario")
}

/// The scenario with some of its words replaced.
fn changed(from: &str, to: &str) -> Game {
    let text = models::scenario(NAME).expect("embedded").text;
    assert!(text.contains(from), "{from}");
    let source = Source::embedded("changed.yaml", &text.replace(from, to));
    let scenario = Scenario::read(source).expect("still a scenario");
    Game::new(&scenario, None, &[], None).expect("still valid")
}

fn text(run: &Run, format: Format) -> String {
    let mut bytes = Vec::new();
    report::write(format, run, Style::Plain, &mut bytes).expect("memory takes everything");
    String::from_utf8(bytes).expect("reports are text")
}

fn failed(run: &Run) -> Vec<String> {
    run.failed().map(|line| line.text.to_string()).collect()
}

#[test]
fn every_expectation_holds_on_every_platform_over_seeds() {
    for platform in PLATFORMS {
        let game = game(NAME, platform, &[]);
        for seed in 1..=3 {
            let run = game.play(seed);
            assert_eq!(failed(&run), Vec::<String>::new(), "{platform}, seed {seed}");
            assert_eq!(run.end, End::Recovered, "{platform}, seed {seed}");
        }
    }
}

/// For each line a change of one setting or mechanism that makes it fail.
#[test]
fn each_expectation_fails_when_its_mechanism_is_changed() {
    let old = "lab-k8s-1.30-capi-1.7";
    let new = "lab-k8s-1.34-capi-1.14";
    let grace = ("kubernetes.nodeMonitorGracePeriod", "120s");
    let verdict = ("machineHealthCheck.unknownTimeout", "10m");
    let cases = [
        (old, "see Node/worker-0 Ready=Unknown after 29s", grace),
        (new, "see Node/worker-0 Ready=Unknown after 39s", grace),
        (old, "Machine/worker-0 phase=Running while", grace),
        (new, "Pod/web-* phase=Pending", grace),
        (old, "log=Waiting", grace),
        (old, "HealthCheckSucceeded=False reason=UnhealthyNode after 5m29s", verdict),
        (new, "HealthCheckSucceeded=False reason=UnhealthyNode after 5m39s", verdict),
        (old, "VM/worker-0 deleted after 11m", ("clusterApi.drainUnreachableSkip", "1s")),
        (new, "VM/worker-0 deleted after 5m50s", ("clusterApi.drainUnreachableSkip", "300s")),
        (old, "Node/worker-0 deleted after 11m", ("clusterApi.drainUnreachableSkip", "1s")),
        (new, "Node/worker-0 deleted after 5m50s", ("clusterApi.drainUnreachableSkip", "300s")),
        (old, "new VM created", ("infra.cloneAndPowerOn", "2h..2h")),
        (old, "new Node Ready=True", ("infra.joinWorker", "2h..2h")),
    ];
    for (platform, line, set) in cases {
        let before = game(NAME, platform, &[]).play(1);
        assert!(!failed(&before).iter().any(|text| text.contains(line)), "{line} holds at first");
        let lines = || before.expectations.iter().filter(|l| l.applicable && l.text.contains(line));
        assert_eq!(lines().count(), 1, "{line} is one line of {platform}");
        let after = failed(&game(NAME, platform, &[set]).play(1));
        assert!(after.iter().any(|text| text.contains(line)), "{line} with {set:?}: {after:?}");
    }
}

#[test]
fn with_a_fourth_worker_no_pod_has_to_wait() {
    let run = changed("  faults:", "  cluster: { workers: 4 }\n  faults:").play(1);
    assert_eq!(failed(&run).len(), 1, "{:?}", failed(&run));
    assert!(failed(&run)[0].contains("PodScheduled=False reason=Unschedulable"));
}

#[test]
fn if_the_control_planes_kubelet_stops_too_its_pods_go_too() {
    let more = "  until: 30m\n  faults:\n    - { at: 1m, stopUnit: { vm: control-plane-0, unit: kubelet } }";
    let text = models::scenario(NAME).expect("embedded").text;
    let text = text.replace("  until: 30m\n", "").replace("  faults:", more);
    let scenario = Scenario::read(Source::embedded("both.yaml", &text)).expect("a scenario");
    let run = Game::new(&scenario, None, &[], None).expect("valid").play(1);
    let line = "never Pod deletionTimestamp=set on control-plane-*";
    assert!(failed(&run).iter().any(|text| text == line), "{:?}", failed(&run));
}

#[test]
fn without_etcds_quorum_nothing_is_marked_deleted_or_created() {
    let dead = (0..2).map(|n| {
        format!(
            "\n    - {{ at: 50s, removeFile: {{ vm: control-plane-{n}, \
             path: /etc/kubernetes/manifests/etcd.yaml }} }}"
        )
    });
    let run = changed("  faults:", &format!("  faults:{}", dead.collect::<String>())).play(1);
    let milestones = healsim::analysis::milestones(&run);
    let lost = milestones.iter().find(|milestone| milestone.name == *"etcdQuorumLost");
    let lost = lost.expect("two of three members are gone").at;
    let after = |entry: &&healsim::timeline::Entry| entry.at > lost;
    let workload = run.timeline.entries().iter().filter(after).filter(|e| e.cluster == *"workload");
    let written: Vec<String> = workload
        .filter(|entry| !["Process", "EtcdMember", "Endpoint"].contains(&entry.kind.as_str()))
        .map(|entry| format!("{} {}", entry.object(), entry.field))
        .collect();
    assert_eq!(written, Vec::<String>::new(), "nobody can write what nobody can commit");
    let machines = run.timeline.entries().iter().filter(after).filter(|e| e.kind == *"Machine");
    assert_eq!(machines.count(), 0, "and the healers know nothing of a dead worker");
    assert_eq!(run.end, End::Stuck);
    let api = run.availability["api"];
    // A member that is told to end lets its clients go a second before its process has ended.
    let (since, second) = (run.ended_at.since(lost), healsim::engine::Duration::from_secs(1));
    assert!(api.unavailable >= since && api.unavailable <= since + second, "until the end");
}

/// Else an expectation on it would be refused, or never be held against what there is.
#[test]
fn every_entry_is_in_the_vocabulary() {
    let mut missing = std::collections::BTreeSet::new();
    for name in models::scenarios() {
        // The laboratory's platforms have its own scenarios, in which all that they show comes up.
        let lab = name.starts_with("lab/");
        for platform in models::platforms().into_iter().filter(|it| it.starts_with("lab") == lab) {
            let scenario = load(name).expect("embedded");
            // A scenario of the recordings names VMs that only its own cluster has.
            let Ok(game) = Game::new(&scenario, Some(platform), &[], None) else { continue };
            for entry in game.play(1).timeline.entries() {
                let value = entry.to.to_string();
                let null = entry.to == healsim::timeline::Value::Null;
                let known = vocabulary::holds(&entry.kind, &entry.field)
                    .is_some_and(|holds| null || holds.can_be(&value));
                if !known {
                    missing.insert(format!("{} {}={value}", entry.kind, entry.field));
                }
            }
        }
    }
    assert!(missing.is_empty(), "add to src/timeline/vocabulary.rs: {missing:#?}");
}

/// The first lines of the story, as they stand in the README. `INSTA_UPDATE=always` accepts others.
#[test]
fn the_readme_shows_what_the_program_prints() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).expect("a README");
    let shown = readme.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown = shown.expect("a block of text");
    let printed = text(&game(NAME, "tkgs-2024", &[]).play(1), Format::Timeline);
    let story = printed.lines().skip_while(|line| !line.contains("+00:00.0  Fault/"));
    let printed: String = story.take(15).map(|line| format!("{}\n", line.trim_end())).collect();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path, readme.replace(shown, &printed)).expect("the README can be written");
    } else {
        assert_eq!(shown, printed, "README.md, What you see");
    }
}

#[test]
fn goldens_hold_the_whole_story() {
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false }, {
        for platform in PLATFORMS {
            let run = game(NAME, platform, &[]).play(1);
            insta::assert_snapshot!(format!("{NAME}.{platform}"), text(&run, Format::Timeline));
        }
        let run = game("lab/worker-killed", PLATFORMS[1], &[]).play(1);
        insta::assert_snapshot!("lab-worker-killed", text(&run, Format::Timeline));
        // Those of workers are told in tests/workers.rs.
        for (name, _) in PAGE.iter().filter(|(name, _)| !name.starts_with("worker-")) {
            let run = game(name, "tkgs-2024", &[]).play(1);
            insta::assert_snapshot!(format!("{name}.tkgs-2024"), text(&run, Format::Timeline));
        }
    });
}

/// The founding page's ten, each with how many observations the page has of it.
const PAGE: [(&str, usize); 10] = [
    ("worker-power-off", 10),
    ("worker-vm-deleted", 10),
    ("control-plane-power-off", 4),
    ("control-plane-vm-deleted", 10),
    ("worker-kubelet-stopped", 10),
    ("worker-kubelet-crashed", 10),
    ("control-plane-kubelet-stopped", 3),
    ("control-plane-kubelet-crashed", 2),
    ("etcd-one-of-three", 7),
    ("apiserver-removed", 4),
];

#[test]
fn every_observation_of_the_page_has_a_line_and_a_mechanism() {
    for (name, count) in PAGE {
        let game = game(name, "tkgs-2024", &[]);
        let mut observed: Vec<&str> = Vec::new();
        for line in game.expectations().iter().filter(|line| !line.says.is_empty()) {
            assert!(!line.because.is_empty(), "{name}: {}", line.says);
            if observed.last() != Some(&line.says.as_str()) {
                observed.push(&line.says);
            }
        }
        assert_eq!(observed.len(), count, "{name}: {observed:#?}");
    }
}

#[test]
fn every_embedded_scenario_is_valid_on_its_own_platform() {
    for name in models::scenarios() {
        let scenario = load(name).expect("readable");
        assert_eq!(scenario.name, name, "a scenario is named like its file");
        Game::new(&scenario, None, &[], None).expect("valid");
    }
}

/// Those of the laboratory on its older platform as well; the others have tests of their own with
/// more seeds, on both platforms.
#[test]
fn every_embedded_scenario_keeps_its_own_expectations() {
    for name in models::scenarios() {
        let scenario = load(name).expect("readable");
        let older = match name {
            _ if name.starts_with("lab/kcp-") => Some("lab-planes-capi-1.7"),
            _ if name.starts_with("lab/") => Some("lab-k8s-1.30-capi-1.7"),
            _ => None,
        };
        for platform in [None].into_iter().chain(older.map(Some)) {
            let game = Game::new(&scenario, platform, &[], None).expect("valid");
            let run = game.play(1);
            let any = run.expectations.iter().any(|line| line.applicable);
            assert!(any || run.expectations.is_empty(), "{name}, {platform:?}: none applies");
            assert_eq!(failed(&run), Vec::<String>::new(), "{name}, {platform:?}");
        }
    }
}

#[test]
fn a_fork_goes_on_like_the_run_it_was_taken_from() {
    let game = game(NAME, "tkgs-2024", &[]);
    let mut run = game.begin(5);
    run.run_until(healsim::engine::SimTime::from_micros(400_000_000));
    let mut fork = run.fork();
    run.run_to_end();
    fork.run_to_end();
    assert_eq!(run.finish().timeline.hash(), fork.finish().timeline.hash());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_same_seed_gives_the_same_bytes(seed: u64, platform in 0usize..3) {
        let game = game(NAME, PLATFORMS[platform], &[]);
        let lines = || text(&game.play(seed), Format::Jsonl);
        prop_assert_eq!(lines(), lines());
    }

    #[test]
    fn every_entry_after_the_fault_has_a_cause_or_a_pass_that_found_it(seed: u64) {
        // Among the seeds of `scenarios.proptest-regressions` is one with which a resync of the one
        // control plane's world finds a Node's change before its Machine tells of it.
        let one = changed("  faults:", "  cluster: { controlPlane: 1 }\n  faults:");
        for game in [one, game(NAME, "tkgs-2024", &[])] {
            let run = game.play(seed);
            let fault = run.first_fault.expect("a fault");
            // What a periodic pass finds came in no message: the pass names no entry.
            // So it is with a VM that VM Operator's resync brings in line.
            let passes = ["pod-garbage-collector@", "node-lifecycle@", "node-controller@", "kubelet@"];
            for entry in run.timeline.entries().iter().filter(|entry| entry.at >= fault) {
                prop_assert!(entry.cause.is_none_or(|cause| cause < entry.id));
                let by_pass = passes.iter().any(|by| entry.by.starts_with(by));
                let found = entry.cause.is_some() || entry.kind == *"Fault" || entry.kind == *"VM";
                prop_assert!(found || by_pass, "{} {} by {}", entry.object(), entry.field, entry.by);
            }
        }
    }

    #[test]
    fn the_replacement_leads_back_to_the_fault(seed: u64) {
        let run = game(NAME, "tkgs-2024", &[]).play(seed);
        let mut backward = run.timeline.entries().iter().rev();
        let mut last = backward.find(|e| e.kind == *"Node" && e.field == *"Ready");
        let mut kinds = Vec::new();
        while let Some(entry) = last {
            kinds.push(entry.kind.to_string());
            last = entry.cause.and_then(|cause| run.timeline.get(cause));
        }
        prop_assert_eq!(kinds.last().map(String::as_str), Some("Fault"), "{:?}", kinds);
    }
}
