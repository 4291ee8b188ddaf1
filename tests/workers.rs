//! The page's worker disasters on the page's platform and on today's: every expectation over seeds,
//! what makes each fail, the race of two healers, and the faults' own mistakes.

use healsim::analysis::milestones;
use healsim::api::Kind;
use healsim::engine::{Duration, SimTime};
use healsim::report::{self, Format, Style};
use healsim::scenario::{Game, Scenario, Source, load, models};
use healsim::timeline::{End, Run};

const THEN: &str = "tkgs-2024";
const NOW: &str = "tkgs-current";
const SCENARIOS: [&str; 4] =
    ["worker-power-off", "worker-vm-deleted", "worker-kubelet-stopped", "worker-kubelet-crashed"];

fn game(name: &str, platform: &str, set: &[(&str, &str)], until: Option<Duration>) -> Game {
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let scenario = load(name).expect("an embedded scenario");
    Game::new(&scenario, Some(platform), &set, until).expect("a valid scenario")
}

fn failed(run: &Run) -> Vec<String> {
    run.failed().map(|line| line.text.to_string()).collect()
}

/// When a milestone was first reached, of any object or of one.
fn reached(run: &Run, name: &str, object: &str) -> Option<SimTime> {
    let all = milestones(run);
    let mine = all.iter().find(|m| m.name == *name && m.object.starts_with(object));
    mine.map(|milestone| milestone.at)
}

#[test]
fn every_expectation_holds_over_seeds() {
    for name in SCENARIOS {
        for platform in [THEN, NOW] {
            let game = game(name, platform, &[], None);
            for seed in 1..=3 {
                let run = game.play(seed);
                assert_eq!(failed(&run), Vec::<String>::new(), "{name}, {platform}, seed {seed}");
                assert_eq!(run.end, End::Recovered, "{name}, {platform}, seed {seed}");
            }
        }
    }
    for platform in ["lab-k8s-1.34-capi-1.14", "lab-k8s-1.30-capi-1.7"] {
        let game = game("worker-kubelet-crashed", platform, &[], None);
        for seed in 1..=5 {
            assert_eq!(failed(&game.play(seed)), Vec::<String>::new(), "{platform}, seed {seed}");
        }
    }
}

/// Shows that a line holds at first, and fails when a setting is changed.
fn fails_with(name: &str, platform: &str, cases: &[(&str, (&str, &str))]) {
    let before = game(name, platform, &[], None).play(1);
    for (line, set) in cases {
        let lines = before.expectations.iter().filter(|l| l.applicable && l.text.contains(line));
        assert_eq!(lines.count(), 1, "`{line}` is one line of {name} on {platform}");
        assert!(!failed(&before).iter().any(|text| text.contains(line)), "{line} holds at first");
        let after = failed(&game(name, platform, &[*set], None).play(1));
        assert!(after.iter().any(|text| text.contains(line)), "{line} with {set:?}: {after:?}");
    }
}

const GRACE: (&str, &str) = ("kubernetes.nodeMonitorGracePeriod", "120s");
const VERDICT: (&str, &str) = ("machineHealthCheck.unknownTimeout", "10m");
const SLOW_BOOT: (&str, &str) = ("infra.boot", "3m..3m");
const WATCHED: (&str, &str) = ("vmOperator.asyncSignal", "true");
const UNWATCHED: (&str, &str) = ("vmOperator.asyncSignal", "false");
const QUICK_DRAIN: (&str, &str) = ("clusterApi.drainUnreachableSkip", "1s");
const SLOW_DRAIN: (&str, &str) = ("clusterApi.drainUnreachableSkip", "300s");
const NO_CLONE: (&str, &str) = ("infra.cloneAndPowerOn", "2h..2h");
const NO_JOIN: (&str, &str) = ("infra.joinWorker", "2h..2h");

#[test]
fn each_line_of_a_power_off_fails_when_its_mechanism_is_changed() {
    let then = [
        ("see Node/worker-0 Ready=Unknown after", GRACE),
        ("Machine/worker-0 phase=Running while", GRACE),
        ("VirtualMachine/worker-0 powerState=PoweredOn while", WATCHED),
        ("Pod/web-* phase=Pending while", GRACE),
        ("PodScheduled=False", GRACE),
        ("log=Waiting", GRACE),
        ("HealthCheckSucceeded=False", VERDICT),
        ("VM/worker-0 power=on while", WATCHED),
        ("VirtualMachine/worker-0 deletionTimestamp=set", SLOW_BOOT),
        ("VM/worker-0 deleted", SLOW_BOOT),
        ("Node/worker-0 deleted", SLOW_BOOT),
        ("see Machine/worker-0 deleted", SLOW_BOOT),
        ("new VirtualMachine created", WATCHED),
        ("new VM created", NO_CLONE),
        ("new Node Ready=True", NO_JOIN),
    ];
    fails_with("worker-power-off", THEN, &then);
    let now = [
        ("VM/worker-0 power=on", UNWATCHED),
        ("never Machine/worker-0 HealthCheckSucceeded=False", UNWATCHED),
        ("never Machine deletionTimestamp=set", UNWATCHED),
    ];
    fails_with("worker-power-off", NOW, &now);
}

#[test]
fn each_line_of_a_deleted_vm_fails_when_its_mechanism_is_changed() {
    let then = [
        ("see Node/worker-0 Ready=Unknown after", GRACE),
        ("VirtualMachine/worker-0 powerState=PoweredOn while", GRACE),
        ("HealthCheckSucceeded=False", VERDICT),
        ("see Node/worker-0 unschedulable=true while", VERDICT),
        ("see Machine/worker-0 phase=Deleting after", VERDICT),
        ("VM/worker-0 created while", WATCHED),
        ("log=*failed*to*load*", WATCHED),
        ("log=*cluster-info*does*not*yet*", WATCHED),
        ("see Node/worker-0 Ready=Unknown while", WATCHED),
        ("VirtualMachine/worker-0 deleted", QUICK_DRAIN),
        ("see Machine/worker-0 deleted", QUICK_DRAIN),
        ("new VM/md-0-* created", NO_CLONE),
        ("new Node/md-0-* Ready=True", NO_JOIN),
    ];
    fails_with("worker-vm-deleted", THEN, &then);
    let now = [
        ("see Node/worker-0 Ready=Unknown after", GRACE),
        ("HealthCheckSucceeded=False", VERDICT),
        ("see Machine/worker-0 phase=Deleting after", VERDICT),
        ("see VM/worker-0 created after", UNWATCHED),
        ("log=*failed*to*load*", UNWATCHED),
        ("log=*could*not*find*", UNWATCHED),
        ("see Machine/worker-0 deleted", SLOW_DRAIN),
        ("new VM/md-0-* created", NO_CLONE),
        ("new Node/md-0-* Ready=True", NO_JOIN),
    ];
    fails_with("worker-vm-deleted", NOW, &now);
}

/// Without a new disk there is nothing to join again.
#[test]
fn a_vm_that_keeps_its_disk_needs_no_token() {
    let text = models::scenario("worker-vm-deleted").expect("embedded").text;
    let text = text.replace("deleteVm:", "powerOff:").replace("Resync: 8m", "Resync: 2m");
    let scenario = Scenario::read(Source::embedded("off.yaml", &text)).expect("a scenario");
    let run = Game::new(&scenario, None, &[], None).expect("valid").play(1);
    assert!(
        failed(&run).contains(&"never Node/worker-0 Ready=True".to_owned()),
        "{:?}",
        failed(&run)
    );
}

/// The page: a functioning cluster 13 minutes after. Grace 40 s, health check 300 s, the Pod's 30 s,
/// the drain's rule for unreachable Nodes (300 s, or 1 s), deletion, clone, boot and join.
#[test]
fn a_deleted_vm_costs_13_minutes_then_and_half_of_the_drain_less_now() {
    for (platform, low, high) in [(THEN, 750, 870), (NOW, 450, 570)] {
        let game = game("worker-vm-deleted", platform, &[], Some(Duration::from_secs(17 * 60)));
        let mut times: Vec<Duration> = (1..=11)
            .map(|seed| {
                let run = game.play(seed);
                for milestone in ["vmRecreated", "joinFailed"] {
                    assert!(reached(&run, milestone, "VM/worker-0").is_some(), "seed {seed}");
                }
                run.recovery_time().expect("it recovers")
            })
            .collect();
        times.sort_unstable();
        let median = times[times.len() / 2].as_secs();
        assert!((low..=high).contains(&median), "{platform}: {median} s");
    }
}

#[test]
fn each_line_of_a_dead_kubelet_fails_when_its_mechanism_is_changed() {
    for (platform, other_drain) in [(THEN, QUICK_DRAIN), (NOW, SLOW_DRAIN)] {
        let cases = [
            ("see Node/worker-0 Ready=Unknown after", GRACE),
            ("Machine/worker-0 phase=Running while", GRACE),
            ("VirtualMachine/worker-0 powerState=PoweredOn while", GRACE),
            ("Pod/web-* phase=Pending while", GRACE),
            ("PodScheduled=False", GRACE),
            ("log=Waiting", GRACE),
            ("HealthCheckSucceeded=False", VERDICT),
            ("see VM/worker-0 deleted", other_drain),
            ("Node/worker-0 deleted", other_drain),
            ("new VM created", NO_CLONE),
            ("new Node Ready=True", NO_JOIN),
        ];
        let crash = [("log=*failed*to*load*", ("kubernetes.kubeletRestart", "30s"))];
        fails_with("worker-kubelet-stopped", platform, &cases);
        fails_with("worker-kubelet-crashed", platform, &cases);
        fails_with("worker-kubelet-crashed", platform, &crash);
    }
    for name in ["worker-kubelet-stopped", "worker-kubelet-crashed"] {
        let goes = [("VirtualMachine/worker-0 deletionTimestamp=set while", QUICK_DRAIN)];
        fails_with(name, THEN, &goes);
    }
}

#[test]
fn a_stopped_kubelets_vm_is_powered_on_only_if_it_was_off() {
    let more = "  faults:\n    - { at: 2m, powerOff: { vm: worker-0 } }\n    \
                - { at: 3m, powerOn: { vm: worker-0 } }";
    let text = models::scenario("worker-kubelet-stopped").expect("embedded").text;
    let source = Source::embedded("changed.yaml", &text.replace("  faults:", more));
    let scenario = Scenario::read(source).expect("still a scenario");
    let run = Game::new(&scenario, None, &[], None).expect("valid").play(1);
    assert!(failed(&run).contains(&"never VM/worker-0 power=on".to_owned()), "{:?}", failed(&run));
}

#[test]
fn a_stopped_kubelets_containers_run_on_until_their_vm_is_destroyed() {
    let game = game("worker-kubelet-stopped", THEN, &[], None);
    for seed in 1..=2 {
        let mut run = game.begin(seed);
        let pods = |view: healsim::world::View| -> Vec<_> {
            let pods = view.objects(Kind::Pod);
            let on =
                |pod: &healsim::api::Object| pod.pod().is_some_and(|p| p.node_name == *"worker-0");
            pods.filter(|pod| on(pod)).map(|pod| pod.meta.uid).collect()
        };
        let mine = pods(run.view());
        assert!(!mine.is_empty());
        let mut last_seen = SimTime::ZERO;
        while run.step() {
            if run.view().vm("worker-0").is_some_and(|vm| vm.is_on()) {
                let runs = mine.iter().all(|pod| run.view().runs_container("worker-0", *pod));
                assert!(runs, "seed {seed}, {:?}", run.view().now());
                last_seen = run.view().now();
            }
        }
        assert!(last_seen > SimTime::ZERO + Duration::from_secs(11 * 60), "long after the verdict");
    }
}

/// Two healers race for a VM that is off: VM Operator's resync and the health check. The resync
/// comes R after the power went, uniform in its period P, which is uniform in 540 to 660 s. It wins
/// if the VM has booted (0.3 s to find it, 3 s to power it on, 27.5 s to boot, in the mean) before
/// the verdict (a Lease 5.1 s old in the mean, 40 s of grace, 2.5 s until the next pass, 300 s):
/// R < 337.6 - 30.8 = 306.8 s. The share is 306.8 s * E[1/P] = 306.8 * ln(660/540) / 120 = 0.513.
#[test]
fn the_share_healed_by_power_on_is_that_of_the_arithmetic() {
    // Of the control plane the race needs only that it serves: one VM of it costs a tenth of three.
    let text = models::scenario("worker-power-off").expect("embedded").text;
    let text = text.replace("  faults:", "  cluster: { controlPlane: 1 }\n  faults:");
    let scenario = Scenario::read(Source::embedded("race.yaml", &text)).expect("a scenario");
    // The latest verdict comes within 6 minutes of the fault, which comes after one.
    let until = Some(Duration::from_secs(7 * 60));
    let game = Game::new(&scenario, Some(THEN), &[], until).expect("valid").free();
    let runs: u32 = 400;
    let replaced = |seed: &u64| reached(&game.play(*seed), "machineDeleting", "Machine").is_some();
    let count = |seeds: std::ops::RangeInclusive<u64>| seeds.filter(&replaced).count();
    let replacements = std::thread::scope(|scope| {
        let half = u64::from(runs / 2);
        let first = scope.spawn(move || count(1..=half));
        count(half + 1..=u64::from(runs)) + first.join().expect("a run does not panic")
    });
    let kept = runs - u32::try_from(replacements).expect("few");
    let share = f64::from(kept) / f64::from(runs);
    // Three standard deviations of a share of 400; `docs/worker-recovery.md` has 10,000 runs.
    assert!((share - 0.513).abs() < 0.075, "{share}");
}

#[test]
fn with_its_given_a_power_off_is_always_healed_by_replacement() {
    let game = game("worker-power-off", THEN, &[], None);
    for seed in 1..=4 {
        let run = game.play(seed);
        assert_eq!(run.given.len(), 1, "the output says what was given");
        assert!(reached(&run, "replacementReady", "Machine").is_some(), "seed {seed}");
    }
    assert!(game.free().play(1).given.is_empty());
}

#[test]
fn a_dead_kubelet_never_races_with_the_resync() {
    for resync in ["1m", "2m", "5m", "9m"] {
        let given = format!("spec:\n  given: {{ vmOperatorResync: {resync} }}");
        let text = models::scenario("worker-kubelet-stopped").expect("embedded").text;
        let source = Source::embedded("given.yaml", &text.replacen("spec:", &given, 1));
        let scenario = Scenario::read(source).expect("still a scenario");
        let run = Game::new(&scenario, None, &[], None).expect("valid").play(1);
        assert_eq!(failed(&run), Vec::<String>::new(), "resync after {resync}");
    }
}

#[test]
fn goldens_hold_the_whole_story() {
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false }, {
        for name in SCENARIOS {
            for platform in [THEN, NOW] {
                if (name, platform) == ("worker-kubelet-stopped", THEN) {
                    continue; // Told in tests/scenarios.rs.
                }
                let run = game(name, platform, &[], None).play(1);
                let mut bytes = Vec::new();
                report::write(Format::Timeline, &run, Style::Plain, &mut bytes).expect("memory");
                let text = String::from_utf8(bytes).expect("reports are text");
                insta::assert_snapshot!(format!("{name}.{platform}"), text);
            }
        }
    });
}

/// What is said about a scenario with this fault, or this `given`.
fn mistake(given: &str, fault: &str) -> String {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: wrong }}\nspec:\n  platform: \
         tkgs-2024\n  given: {{ {given} }}\n  faults:\n    - {{ at: 1m, {fault} }}\n  until: 10m\n"
    );
    match Scenario::read(Source::embedded("wrong.yaml", &text)) {
        Err(mistake) => mistake.to_string(),
        Ok(scenario) => {
            Game::new(&scenario, None, &[], None).map(drop).expect_err("it is wrong").to_string()
        }
    }
}

#[test]
fn wrong_faults_are_refused_with_their_place_and_a_way_out() {
    let cases = [
        ("deleteVm: { vm: worker-9 }", "wrong.yaml:8:33: no VM `worker-9`"),
        ("deleteVm: { machine: worker-0 }", "wrong.yaml:8:"),
        ("powerOn: { vm: workr-0 }", "did you mean `worker-0`?"),
        ("startUnit: { vm: worker-0, unit: kublet }", "did you mean `kubelet`?"),
        ("startUnit: { vm: worker-0 }", "wrong.yaml:8:"),
        (
            "removeFile: { vm: worker-0, path: var/lib/kubelet/config.yaml }",
            "`var/lib/kubelet/config.yaml` is not a whole path",
        ),
    ];
    for (fault, said) in cases {
        let mistake = mistake("", fault);
        assert!(mistake.contains(said), "{fault}: {mistake}");
    }
}

#[test]
fn a_wrong_given_is_refused_with_what_can_be_given() {
    let fault = "powerOff: { vm: worker-0 }";
    let cases = [
        ("etcdElection: 3s", "no hidden phase `etcdElection`; known: vmOperatorResync, etcdLeader"),
        ("vmOperatorResnc: 3s", "did you mean `vmOperatorResync`?"),
        ("vmOperatorResync: 9 min", "wrong.yaml:6:30:"),
        ("vmOperatorResync: 9m1s", "one comes at least every 9m0s"),
        ("etcdLeader: worker-0", "no control-plane VM `worker-0`; there: control-plane-0"),
    ];
    for (given, said) in cases {
        let mistake = mistake(given, fault);
        assert!(mistake.contains(said), "{given}: {mistake}");
    }
}

#[test]
fn a_vm_that_is_being_deleted_is_not_powered_on_again() {
    let game = game("lab/node-deleted-kubelet-restarted", "lab-k8s-1.30-capi-1.7", &[], None);
    let run = game.play(1);
    let entries = run.timeline.entries();
    let at = |field: &str, object: &str| {
        let found = entries.iter().find(|e| e.field == *field && e.object() == object);
        found.map(|entry| entry.at).expect("it comes")
    };
    let switched_on = at("injected", "Fault/powerOn");
    assert!(at("deletionTimestamp", "InfraMachine/worker-0") < switched_on);
    let later = entries.iter().filter(|e| e.at > switched_on);
    let power = later.filter(|e| e.field == *"power" && e.object() == "VM/worker-0");
    assert_eq!(power.count(), 0);
}
