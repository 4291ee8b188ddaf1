//! What is drawn can be played, and is told alike at any number of threads.

use super::draw::LONG;
use super::*;
use crate::analysis::Control;
use crate::engine::Duration;
use crate::scenario;

const PLATFORMS: [&str; 2] = ["tkgs-2024", "tkgs-current"];

fn deck(platform: &str) -> Deck {
    Deck::new(platform, &[]).expect("a platform")
}

#[test]
fn every_seed_gives_a_scenario_that_can_be_read_and_the_same_again() {
    for platform in PLATFORMS {
        let deck = deck(platform);
        for seed in 0..150 {
            let schedule = deck.draw(seed);
            let game = schedule.game(LONG);
            assert!(game.is_ok(), "{platform}, seed {seed}: {:?}", game.err());
            assert_eq!(schedule, deck.draw(seed));
        }
    }
}

#[test]
fn schedules_differ_in_everything() {
    let deck = deck("tkgs-2024");
    let all: Vec<Schedule> = (0..300).map(|seed| deck.draw(seed)).collect();
    for control_planes in [1, 3, 5] {
        assert!(all.iter().any(|it| it.shape.control_planes == control_planes));
    }
    assert!(all.iter().any(|it| it.shape.zones == 3) && all.iter().any(|it| it.shape.zones == 0));
    assert!(
        all.iter().any(|it| it.settings.len() > 1) && all.iter().any(|it| it.settings.is_empty())
    );
    assert!(all.iter().any(|it| it.workloads.len() > 1));
    assert!(all.iter().any(|it| it.strikes.len() >= 20), "long schedules are there to be reduced");
    let waits = |strike: &Strike| strike.moment.time().is_none();
    assert!(all.iter().any(|it| it.strikes.iter().any(waits)));
    for kind in KINDS {
        let struck = |schedule: &Schedule| schedule.strikes.iter().any(|it| it.kind() == kind.name);
        assert!(all.iter().any(struck), "{} is never thrown", kind.name);
    }
}

#[test]
fn only_the_kinds_that_are_asked_for_are_thrown() {
    let deck = Deck::new("tkgs-2024", &["stopUnit".to_owned()]).expect("a kind");
    let strikes = (0..40).flat_map(|seed| deck.draw(seed).strikes);
    assert!(strikes.clone().count() > 40);
    assert!(strikes.into_iter().all(|it| ["stopUnit", "startUnit"].contains(&it.kind())));
    let wrong = Deck::new("tkgs-2024", &["stopUnits".to_owned()]).unwrap_err();
    assert_eq!(wrong, ["no kind `stopUnits`; did you mean `stopUnit`?"]);
    let wrong = Deck::new("tkgs-2024", &["healLink".to_owned()]).unwrap_err();
    assert!(wrong[0].starts_with("`healLink` is not thrown: mends"), "{wrong:?}");
    let wrong = Deck::new("tkgs-2042", &[]).unwrap_err();
    assert!(wrong[0].contains("tkgs-2024"), "{wrong:?}");
}

#[test]
fn settings_that_are_asked_for_are_in_every_run() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    // The second does not go with a control plane of one.
    let set = [pair("clusterApi.maxInFlight", "1"), pair("clusterApi.controlPlaneMaxSurge", "0")];
    let fixed = deck("tkgs-2024").with_settings(&set).expect("they can be");
    for seed in 0..60 {
        let schedule = fixed.draw(seed);
        assert_eq!(schedule.settings[..2], set, "seed {seed}");
        assert!(schedule.shape.control_planes >= 3, "seed {seed}");
        let game = schedule.game(LONG);
        assert!(game.is_ok(), "seed {seed}: {:?}", game.err());
    }
    let same = deck("tkgs-2024").with_settings(&[]).expect("nothing is changed");
    assert!((0..20).all(|seed| same.draw(seed) == deck("tkgs-2024").draw(seed)));
    let refused = |key: &str| deck("tkgs-2024").with_settings(&[pair(key, "soon")]).unwrap_err();
    let key = "machineHealthCheck.unknownTimeout";
    let wrong = refused(key);
    assert!(wrong[0].starts_with(&format!("--set {key}=soon: `soon` is not")), "{wrong:?}");
    let wrong = refused("machineHealthCheck.unknwnTimeout");
    assert!(wrong[0].contains(&format!("did you mean `{key}`?")), "{wrong:?}");
}

#[test]
fn a_campaign_is_the_same_at_any_number_of_threads() {
    let asked = |jobs| Asked {
        deck: Deck::new("tkgs-2024", &["killProcess".to_owned()]).expect("a kind"),
        first_seed: 3,
        runs: 4,
        jobs,
        go_on: true,
    };
    let one = campaign(&asked(1), &Control::default());
    let three = campaign(&asked(3), &Control::default());
    assert_eq!(format!("{one:?}"), format!("{three:?}"));
    assert_eq!(one.played, 4);
}

/// A cluster with one control-plane VM, whose kubelet stops among much else that ends by itself.
fn lonely() -> Schedule {
    let at = |seconds, words: &str| Strike::at(Duration::from_secs(seconds), words);
    Schedule {
        shape: Shape { control_planes: 1, workers: 2, zones: 0, hosts: 0 },
        settings: vec![("kubernetes.nodeMonitorGracePeriod".to_owned(), "80s".to_owned())],
        strikes: vec![
            at(60, "killProcess: { vm: worker-0, process: kubelet }"),
            at(67, "stopUnit: { vm: control-plane-0, unit: kubelet }"),
            at(90, "killProcess: { vm: supervisor-0, process: capi-controller-manager }"),
        ],
        workloads: vec!["{ name: web, replicas: 2, runsOn: workers }".to_owned()],
        probes: vec!["{ api: endpoint }".to_owned()],
        ..draw::plain("tkgs-2024")
    }
}

#[test]
fn what_is_found_is_reduced_to_the_one_fault_that_shows_it_and_its_file_fails_a_check() {
    let trial = play(&lonely()).expect("a scenario");
    assert_eq!(trial.outcome, Outcome::NeedsRepair);
    let gap = trial.gap.expect("what it is stuck on");
    let words = gap.to_string();
    assert!(words.starts_with("control plane: a kubelet does not run; OwnerRemediated"), "{words}");
    let shown = Shown::Gap(gap);
    let shrunk = shrink(&lonely(), &shown, &Control::default()).expect("it shows it");
    let strikes = &shrunk.schedule.strikes;
    assert_eq!(strikes.len(), 1, "{strikes:?}");
    assert_eq!(strikes[0], Strike::at(Duration::from_secs(60), lonely().strikes[1].words.clone()));
    assert!(shrunk.schedule.settings.is_empty());
    assert_eq!(shrunk.schedule.shape.workers, 1);
    let finding = Finding {
        shown,
        name: 7,
        schedule: shrunk.schedule,
        command: "fuzz --seed 7 --runs 1".to_owned(),
        reduced: Some((3, shrunk.runs)),
    };
    let text = finding.text().expect("a scenario");
    assert_eq!(text, finding.text().expect("a scenario"));
    let source = scenario::Source::embedded("found.yaml", &text);
    let read = scenario::Scenario::read(source).expect("it can be read");
    let game = scenario::Game::new(&read, None, &[], None).expect("it can be played");
    let run = game.play(game.seed.expect("its own seed"));
    assert_eq!(run.failed().count(), 1, "it is not seen to recover");
    assert_eq!(finding.file_name(), "stuck-control-plane-a-kubelet-does-not-run-7.yaml");
}

#[test]
fn what_is_stuck_keeps_the_room_that_its_pods_need() {
    let shape = Shape { control_planes: 1, workers: 5, zones: 0, hosts: 0 };
    let schedule = Schedule { shape, workloads: Vec::new(), ..lonely() };
    let shown = Shown::Gap(play(&schedule).expect("a scenario").gap.expect("it is stuck"));
    let shrunk = shrink(&schedule, &shown, &Control::default()).expect("it shows it").schedule;
    // The platform's web has three Pods that repel each other.
    assert_eq!(shrunk.shape.workers, 3);
    assert!(shrunk.game(LONG).expect("a scenario").has_room());
}

#[test]
fn a_machine_that_waits_for_the_volumes_of_a_lost_node_says_so() {
    let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let schedule = Schedule {
        shape: Shape { control_planes: 1, workers: 2, zones: 0, hosts: 0 },
        settings: vec![
            set("machineHealthCheck.maxUnhealthy", "100%"),
            set("clusterApi.volumeWaitSkipsUnreachable", "false"),
        ],
        workloads: vec!["{ name: db, kind: StatefulSet, replicas: 1, volume: true }".to_owned()],
        strikes: vec![Strike::at(Duration::from_secs(60), "powerOff: { vm: worker-0 }")],
        ..draw::plain("lab-k8s-1.30-capi-1.7")
    };
    let gap = play(&schedule).expect("a scenario").gap.expect("it is stuck");
    let says =
        "VolumeDetachSucceeded WaitingForVolumeDetach: Waiting for node volumes to be detached";
    assert_eq!(gap.because, says);
}

#[test]
fn crash_loops_and_elections_in_vain_change_nothing() {
    let removed = |vm| {
        let path = "/etc/kubernetes/manifests/etcd.yaml";
        let words = format!("removeFile: {{ vm: control-plane-{vm}, path: {path} }}");
        Strike::at(Duration::from_secs(60), words)
    };
    // The API server beside it begins anew every five minutes; the one member of two for ever stands
    // for leader.
    for strikes in [vec![removed(1)], vec![removed(1), removed(2)]] {
        let trial = play(&Schedule { strikes, ..draw::plain("tkgs-2024") }).expect("a scenario");
        assert_eq!(trial.outcome, Outcome::NeedsRepair, "{:?}", trial.gap);
    }
}

#[test]
fn the_operator_comes_again_when_something_has_waited_for_what_he_did() {
    let alone = Schedule { strikes: vec![lonely().strikes.remove(1)], ..lonely() };
    let trial = play(&alone).expect("a scenario");
    assert_eq!((trial.outcome, trial.repairs.len()), (Outcome::NeedsRepair, 1));
    let again = alone.seen(
        "Node/control-plane-0 Ready=True",
        Duration::from_secs(30),
        "stopUnit: { vm: control-plane-0, unit: kubelet }",
    );
    let trial = play(&again).expect("a scenario");
    assert_eq!((trial.outcome, trial.left), (Outcome::NeedsRepair, None));
    assert_eq!(trial.repairs.len(), 2, "{:?}", trial.repairs);
    assert_eq!(trial.repairs[0].words, trial.repairs[1].words);
}

#[test]
fn a_vm_that_is_made_again_with_its_old_token_is_named_where_nobody_replaces_its_machine() {
    let delete = |vm| Strike::at(Duration::from_secs(60), format!("deleteVm: {{ vm: {vm} }}"));
    let schedule = Schedule {
        shape: Shape { control_planes: 1, workers: 3, zones: 0, hosts: 0 },
        settings: vec![("machineHealthCheck.maxUnhealthy".to_owned(), "50%".to_owned())],
        strikes: vec![delete("worker-0"), delete("worker-1")],
        ..draw::plain("tkgs-2024")
    };
    let trial = play(&schedule).expect("a scenario");
    let gap = trial.gap.expect("what it is stuck on").to_string();
    assert!(gap.contains("a VM cannot join: cluster-info has no signature of its token"), "{gap}");
    assert!(gap.contains("RemediationAllowed TooManyUnhealthy"), "{gap}");
}

#[test]
fn every_kind_of_fault_is_thrown_or_it_is_said_why_not() {
    for (name, _) in scenario::KINDS {
        let thrown = KINDS.iter().any(|kind| kind.name == name);
        let explained = NOT_THROWN.iter().any(|(kind, _)| *kind == name);
        assert!(thrown != explained, "{name}");
    }
}

#[test]
fn a_platform_without_a_supervisor_or_hosts_has_schedules_that_can_be_read() {
    for platform in ["lab-k8s-1.30-capi-1.7", "lab-planes-capi-1.14"] {
        let deck = Deck::new(platform, &[]).expect("a platform");
        let all: Vec<Schedule> = (1..40).map(|seed| deck.draw(seed)).collect();
        let wrong = all.iter().find(|schedule| schedule.game(LONG).is_err());
        assert!(wrong.is_none(), "{platform}: {wrong:?}");
        assert!(all.iter().any(|schedule| !schedule.strikes.is_empty()), "{platform}");
        let nothing = Deck::new(platform, &["powerOffHost".to_owned()]).err();
        assert!(nothing.is_some_and(|says| says[0].contains("no hosts")), "{platform}");
    }
}
