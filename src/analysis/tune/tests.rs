//! Tests of what is played: small worlds, few runs, cut short where the milestone has come.

use super::*;
use crate::engine::Duration;
use crate::scenario::{Game, OutageKind, OutageRate, load};
use crate::timeline::Entry;

const LAB: &str = "lab-k8s-1.30-capi-1.7";

fn build(
    scenario: &str,
    until: Option<u64>,
) -> impl Fn(&[(String, String)]) -> Result<Game, Vec<String>> {
    let scenario = load(scenario).expect("an embedded scenario");
    move |set| {
        let until = until.map(|minutes| Duration::from_secs(60 * minutes));
        let game = Game::new(&scenario, Some(LAB), set, until);
        game.map_err(|all| all.iter().map(ToString::to_string).collect())
    }
}

fn question<'a>(of: &'a OfMilestone, runs: u64, jobs: usize) -> Question<'a> {
    Question { of, first_seed: 1, runs, jobs }
}

fn of(text: &str) -> OfMilestone {
    text.parse().expect(text)
}

#[test]
fn a_milestone_comes_when_the_whole_run_says() {
    let game = build("worker-kubelet-stopped", None)(&[]).expect("valid");
    let whole = game.play(3);
    assert_eq!(of("recovered").when(&game, 3), whole.recovery_time());
    for (name, comes) in [("machineUnhealthy:Machine/worker-0", true), ("apiserverDown", false)] {
        let found = of(name).when(&game, 3);
        let sample = crate::analysis::estimate::Sample::of(&whole);
        let figure = name.split(':').next().unwrap_or_default();
        let all = sample.figures.iter().filter(|(name, _)| name.figure == *figure);
        assert_eq!(found, all.map(|(_, time)| *time).min(), "{name}");
        assert_eq!(found.is_some(), comes, "{name}");
    }
    assert_eq!(of("nodeReady:Node/worker-9").when(&game, 3), None);
}

#[test]
fn a_setting_that_is_waited_for_moves_it_by_its_own_change_and_others_are_idle() {
    let build = build("worker-kubelet-stopped", Some(7));
    let keys = [
        "machineHealthCheck.unknownTimeout",
        "clusterApi.nodeDeletionTimeout",
        "machineHealthCheck.nodeStartupTimeout",
        "clusterApi.deletePolicy",
    ];
    let all = build(&[]).expect("valid").user_settings().to_vec();
    let settings: Vec<_> =
        all.into_iter().filter(|setting| keys.contains(&setting.key.as_str())).collect();
    assert_eq!(settings.len(), keys.len());
    let of = of("machineUnhealthy");
    let found = |jobs| {
        let question = question(&of, 6, jobs);
        sensitivity(&build, &settings, 2, &question, &Control::default()).expect("valid")
    };
    let one = found(1);
    assert_eq!(one, found(3), "any number of threads says the same");
    assert_eq!((one.played.runs, one.came), (6, 6));
    let [bar] = &one.bars[..] else { panic!("{:?}", one.bars) };
    assert_eq!(bar.setting.key, keys[0]);
    let [down, up] = &bar.sides[..] else { panic!("{bar:?}") };
    assert_eq!([down.value.as_str(), up.value.as_str()], ["2m30s", "10m0s"]);
    let Move::By(micros) = down.p50.by else { panic!("{down:?}") };
    assert!((-151_000_000..-149_000_000).contains(&micros), "{micros}");
    // Ten minutes are not over at the end of the run.
    assert_eq!((up.p50.by, up.came), (Move::Fails, 0));
    assert!(one.idle.contains(&keys[2].to_owned()), "{:?}", one.idle);
}

#[test]
fn an_interrupted_sensitivity_is_that_of_the_rows_that_were_played() {
    let build = build("worker-kubelet-stopped", Some(2));
    let of = of("nodeUnknown");
    let control = Control::default();
    control.stop();
    let settings = build(&[]).expect("valid").user_settings().to_vec();
    let found = sensitivity(&build, &settings[..2], 0, &question(&of, 6, 2), &control);
    let found = found.expect("valid");
    assert!(found.played.is_partial() && found.played.runs == 0 && found.p50.value.is_none());
    assert_eq!((found.bars, found.idle), (vec![], vec![]), "nobody knows what they move");
    let vary = ["machineHealthCheck.unknownTimeout=1m..2m/1m".parse::<Vary>().expect("a range")];
    let swept = sweep(&build, &vary, &[], &question(&of, 6, 2), &control).expect("valid");
    assert!(swept.played.runs == 0 && swept.points.is_empty());
    let whole = sensitivity(&build, &[], 0, &question(&of, 6, 2), &Control::default());
    assert!(!whole.expect("valid").played.is_partial());
}

#[test]
fn a_hasty_health_check_is_faster_and_takes_outages_for_losses() {
    let build = build("worker-kubelet-stopped", Some(8));
    let vary = ["machineHealthCheck.unknownTimeout=1m..9m/4m".parse::<Vary>().expect("a range")];
    let rate = |text: &str| text.parse::<OutageRate>().expect(text);
    let rates = ["network=1/month,3m..4m", "kubelet=0", "workers=0", "api=0"].map(rate);
    let of = of("machineUnhealthy");
    let found = |jobs| sweep(&build, &vary, &rates, &question(&of, 3, jobs), &Control::default());
    let one = found(1).expect("valid");
    assert_eq!(Ok(one.clone()), found(3), "any number of threads says the same");
    assert_eq!((one.nodes, one.points.len(), one.outages.len()), (4, 3, 1));
    let [hasty, own, slow] = &one.points[..] else { panic!("{:?}", one.points) };
    assert!(!hasty.is_own && own.is_own && !slow.is_own);
    // Unknown after 30 to 47 s, for a minute; the outage ends after three.
    assert_eq!((hasty.struck[0].machines, hasty.struck[0].costly), (3, 3));
    assert_eq!(hasty.price.per_node_year, 12_000_000, "one a month and Node, each costly");
    assert_eq!(hasty.price.per_thousand, 1_000_000_000);
    assert_eq!((own.struck[0].machines, slow.price.per_node_year), (0, 0));
    assert!(hasty.p95.value < own.p95.value && slow.p95.value.is_none());
    let on: Vec<bool> = one.points.iter().map(|point| point.is_on_front).collect();
    assert_eq!(on, [true, true, false]);
}

#[test]
fn where_things_are_now_is_a_point_of_its_own_if_the_range_leaves_it_out() {
    let build = build("worker-kubelet-stopped", Some(2));
    let vary = ["machineHealthCheck.unknownTimeout=1m..2m/1m".parse::<Vary>().expect("a range")];
    let of = of("nodeUnknown");
    let found = sweep(&build, &vary, &[], &question(&of, 1, 1), &Control::default());
    let points = found.expect("valid").points;
    let values: Vec<(&str, bool)> =
        points.iter().map(|point| (point.values[0].as_str(), point.is_own)).collect();
    assert_eq!(values, [("1m0s", false), ("2m0s", false), ("5m", true)]);
    let wrong = ["machineHealthCheck.unknownTimeOut=1m..2m/1m".parse::<Vary>().expect("a range")];
    let refused = sweep(&build, &wrong, &[], &question(&of, 1, 1), &Control::default());
    let refused = refused.expect_err("no such setting").join("\n");
    assert!(refused.contains("did you mean `machineHealthCheck.unknownTimeout`"), "{refused}");
    let written = "--vary machineHealthCheck.unknownTimeOut=1m0s..2m0s/1m0s: ";
    assert!(refused.starts_with(written), "{refused}");
}

/// What a price is counted from has to be true of each kind: it ends, and nothing is lost for good.
#[test]
fn an_outage_of_each_kind_ends_by_itself_and_a_patient_health_check_replaces_nobody() {
    let patient = [("machineHealthCheck.unknownTimeout".to_owned(), "24h".to_owned())];
    let game = build("worker-kubelet-stopped", None)(&patient).expect("valid");
    let quiet = crate::scenario::Quiet::of(&game);
    for (name, kind) in OutageKind::ALL {
        let run = quiet.struck(kind, Duration::from_secs(90), u64::MAX / 2).play(5);
        assert!(run.recovered_at.is_some(), "{name}: {:?}", run.missing);
        let faults = || run.timeline.happened().iter().filter(|entry| entry.kind == *"Fault");
        let hit = |entry: &&Entry| !entry.to.to_string().starts_with("nothing");
        assert_eq!(faults().filter(hit).count(), faults().count(), "{name} hits");
        // While no API server answers nobody can say of a Node that it is unknown.
        let unknown = |entry: &Entry| entry.to.as_text() == Some("Unknown");
        let is_noticed = run.timeline.happened().iter().any(unknown);
        assert_eq!(is_noticed, kind != OutageKind::Api, "{name}");
        let machines = run.timeline.happened().iter().filter(|it| it.kind == *"Machine");
        assert_eq!(machines.filter(|it| it.field == *"deletionTimestamp").count(), 0, "{name}");
    }
}
