//! Heartbeats that are not played change nothing: the same runs come out as when all are.

use healsim::analysis::estimate::{Kind, Name, Sample};
use healsim::analysis::fuzz::Deck;
use healsim::engine::Duration;
use healsim::scenario::{Game, Scenario, Source, load, models};
use healsim::timeline::Run;

/// What every build tries beside the founding page: hosts, and a quorum that is lost and made anew.
const MORE: [&str; 2] = ["host-down", "control-planes-two-deleted-repaired"];

/// How many seeds are tried; more by `HEALSIM_SEEDS`, and with more all scenarios on all platforms.
fn seeds() -> u64 {
    let asked = std::env::var("HEALSIM_SEEDS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(1)
}

fn games(platforms: &[Option<&str>]) -> Vec<Game> {
    let names = models::scenarios();
    let game = |name: &&str, platform| {
        let scenario = load(name).expect("an embedded scenario");
        Game::new(&scenario, platform, &[], None).ok()
    };
    let of = |name: &&str| platforms.iter().filter_map(|it| game(name, *it)).collect::<Vec<_>>();
    names.iter().flat_map(of).collect()
}

/// All of a run but how many events it took.
fn outcome(mut run: Run) -> String {
    run.engine_events = 0;
    format!("{run:?}")
}

fn assert_equal(game: &Game, seed: u64, what: &str) {
    let (sparse, dense) = (game.play(seed), game.clone().dense().play(seed));
    assert!(sparse.engine_events <= dense.engine_events, "{what}, seed {seed}: nothing was spared");
    let (entries, all) = (sparse.timeline.entries(), dense.timeline.entries());
    let parts = entries.iter().zip(all).find(|(entry, dense)| entry != dense);
    if let Some((entry, dense)) = parts {
        panic!("{what}, seed {seed}: it parts at\n{entry:?}\nwhich densely played is\n{dense:?}");
    }
    assert_eq!(outcome(sparse), outcome(dense), "{what}, seed {seed}");
}

#[test]
fn scenarios_are_the_same_without_heartbeats_that_change_nothing() {
    let platforms = match seeds() {
        1 => vec![None],
        _ => vec![None, Some("tkgs-2024"), Some("tkgs-current")],
    };
    let is_tried = |game: &Game| {
        let name = game.scenario.as_str();
        seeds() > 1 || models::FOUNDING_PAGE.contains(&name) || MORE.contains(&name)
    };
    for game in games(&platforms).into_iter().filter(is_tried) {
        for seed in 1..=seeds() {
            assert_equal(&game, seed, &format!("{} on {}", game.scenario, game.platform));
        }
    }
}

#[test]
fn random_schedules_are_the_same_without_heartbeats_that_change_nothing() {
    let deck = Deck::new("tkgs-2024", &[]).expect("all kinds of faults");
    for seed in 1..=6 * seeds() {
        let schedule = deck.draw(seed);
        let minutes = Duration::from_secs(45 * 60);
        let game = schedule.game(minutes).expect("what is drawn can be played");
        assert_equal(&game, seed, &schedule.scenario("drawn", minutes, ""));
    }
}

#[test]
fn disks_that_stall_or_are_slow_are_the_same_without_heartbeats_that_change_nothing() {
    for (planes, seed) in [(3, 1), (3, 2), (1, 3)] {
        let text = format!(
            "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: disks }}\nspec:\n  platform: \
             tkgs-current\n  cluster: {{ controlPlane: {planes}, workers: 2 }}\n  faults:\n    \
             - {{ at: 61s, slowDisk: {{ vm: control-plane-0, flush: 150ms }} }}\n    \
             - {{ at: 90s, stallDisk: {{ vm: control-plane-0 }} }}\n    \
             - {{ at: 300s, killProcess: {{ vm: control-plane-0, process: etcd }} }}\n    \
             - {{ at: 320s, healDisk: {{ vm: control-plane-0 }} }}\n  until: 12m\n"
        );
        let scenario = Scenario::read(Source::embedded("disks.yaml", &text)).expect("a scenario");
        let game = Game::new(&scenario, None, &[], None).expect("valid");
        assert_equal(&game, seed, &format!("{planes} control planes"));
    }
}

#[test]
fn a_run_that_ends_when_it_has_recovered_for_good_is_the_beginning_of_the_whole_run() {
    let page = |game: &Game| models::FOUNDING_PAGE.contains(&game.scenario.as_str());
    for game in games(&[None]).into_iter().filter(page) {
        let cut = game.clone().until_recovered();
        for seed in 1..=seeds() {
            let (whole, cut) = (game.play(seed), cut.play(seed));
            let name = &game.scenario;
            assert_eq!(cut.recovery_time(), whole.recovery_time(), "{name}, seed {seed}");
            assert_eq!(cut.end, whole.end, "{name}, seed {seed}");
            let (some, all) = (cut.timeline.entries(), whole.timeline.entries());
            assert_eq!(some, &all[..some.len()], "{name}, seed {seed}");
            // Of what it tells, nothing is another time; milestones may come later, and few do.
            let all = Sample::of(&whole).figures;
            let milestones = |(name, _): &(Name, _)| name.kind == Kind::Milestone;
            for (figure, length) in Sample::of(&cut).figures.into_iter().filter(milestones) {
                assert_eq!(all.get(&figure), Some(&length), "{name}, seed {seed}: {figure:?}");
            }
        }
    }
}
