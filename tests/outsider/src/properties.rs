//! Clusters and faults at random, under the ready-made laws; and what a law that is wrong prints.

use healsim::analysis::assertions::{Check, Failure, assert_holds};
use healsim::analysis::fuzz::{Schedule, Shape};
use healsim::analysis::invariants::OwnLaw;
use healsim::engine::Duration;
use healsim::strategies::{Schedules, shapes};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRng, TestRunner};
use std::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

fn schedules() -> Schedules {
    Schedules::on("tkgs-2024").expect("a platform")
}

/// So many cases, the same ones each time.
fn cases(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() }
}

/// All with `--release`; without it healsim is not optimized, and few have to do.
const fn few_of(all: u32, few: u32) -> u32 {
    if cfg!(debug_assertions) { few } else { all }
}

#[test]
fn no_law_is_broken_in_a_thousand_minutes_and_they_take_seconds() {
    let check = Check::lasting(MINUTE);
    let config = cases(few_of(1_000, 60));
    let (begun, cases) = (Instant::now(), config.cases);
    let schedules = schedules().largest(Shape { zones: 3, ..Shape::new(3, 1) }).within_a_minute();
    let run =
        TestRunner::new(config).run(&schedules.strategy(), |schedule| Ok(check.holds(&schedule)?));
    if let Err(failure) = run {
        panic!("{failure}");
    }
    let took = begun.elapsed();
    println!("{cases} cases of one simulated minute took {took:?}");
    assert!(cfg!(debug_assertions) || took.as_secs() < 10, "they took {took:?}");
}

proptest! {
    #![proptest_config(cases(few_of(50, 2)))]

    /// As a campaign plays: until it has healed, or an operator has repaired it.
    #[test]
    fn whatever_breaks_on_a_few_vms_no_law_is_broken_until_it_has_healed(
        schedule in schedules().largest(Shape::new(1, 2)).most(2).strategy()
    ) {
        Check::new().holds(&schedule)?;
    }

    #[test]
    fn clusters_of_every_shape_stay_well_when_nothing_breaks(
        shape in shapes(Shape { zones: 3, ..Shape::new(5, 3) }), seed in 0u64..1_000
    ) {
        Check::lasting(MINUTE).with(no_kubelet_stops())
            .holds(&Schedule::on("tkgs-2024", shape).seed(seed))?;
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn every_single_fault_goes_with_its_cluster(
        strike in schedules().within_a_minute().strikes(Shape::new(3, 2))
    ) {
        let mut schedule = Schedule::on("tkgs-2024", Shape::new(3, 2));
        schedule.strikes.push(strike);
        prop_assert!(schedule.game(MINUTE).is_ok(), "{:?}", schedule.game(MINUTE));
    }
}

/// What no cluster is held to.
fn no_kubelet_stops() -> OwnLaw {
    OwnLaw::always("no_kubelet_stops", |seen| {
        let mut kubelets = seen.view.processes().filter(|it| it.program == *"kubelet");
        match kubelets.all(|kubelet| kubelet.alive) {
            true => Ok(()),
            false => Err("a kubelet has stopped".to_owned()),
        }
    })
}

/// The smallest schedule that breaks the law, and what is printed.
fn broken_law() -> (String, Schedule) {
    let config = cases(50);
    let schedules = schedules().kinds(&["stopUnit"]).expect("a kind").within_a_minute();
    let check = Check::lasting(MINUTE).with(no_kubelet_stops());
    let random = TestRng::deterministic_rng(config.rng_algorithm);
    let run = TestRunner::new_with_rng(config, random)
        .run(&schedules.strategy(), |schedule| Ok(check.holds(&schedule)?));
    match run {
        Err(TestError::Fail(reason, schedule)) => (reason.message().to_owned(), schedule),
        other => panic!("the law is wrong, and nobody finds it: {other:?}"),
    }
}

#[test]
fn a_wrong_law_is_broken_by_one_fault_in_the_smallest_cluster_and_printed_as_a_test() {
    let (printed, schedule) = broken_law();
    assert_eq!(schedule.strikes.len(), 1, "{schedule:?}");
    assert_eq!((schedule.shape, schedule.seed), (Shape::new(1, 1), 1));
    assert_eq!(schedule.strikes[0].moment.time(), Some(Duration::from_secs(5)));
    println!("{printed}");
    let page = include_str!("../../../docs/library.md");
    assert!(page.contains(printed.trim_end()), "docs/library.md shows another output:\n{printed}");
}

/// The test that the page shows, as it was pasted.
#[test]
#[should_panic(expected = "no_kubelet_stops is broken at 5s")]
fn no_kubelet_stops_26d6() {
    let schedule = Schedule::on("tkgs-2024", Shape::new(1, 1))
        .at(Duration::from_millis(5000), "stopUnit: { vm: control-plane-0, unit: kubelet }");
    Check::lasting(Duration::from_millis(60000)).with(no_kubelet_stops()).assert(&schedule);
}

#[test]
fn what_is_no_scenario_says_where_and_why() {
    let schedule = Schedule::on("tkgs-2024", Shape::new(1, 1))
        .at(Duration::from_secs(5), "stopUnit: { vm: worker-7, unit: kubelet }");
    let failure = Check::lasting(MINUTE).holds(&schedule).expect_err("there is no such VM");
    assert!(matches!(failure, Failure::NotAScenario(_)));
    let words = failure.to_string();
    assert!(words.contains("fuzz.yaml:10:") && words.contains("worker-7"), "{words}");
    assert!(Schedules::on("tkgs-2042").is_err_and(|words| words.contains("tkgs-2024")));
    let wrong = schedules().kinds(&["stopUnits"]);
    assert!(wrong.is_err_and(|words| words.contains("did you mean `stopUnit`?")));
}

#[test]
#[should_panic(expected = "is no scenario")]
fn an_assertion_on_what_is_no_scenario_panics_with_its_words() {
    assert_holds(&Schedule::on("tkgs-2042", Shape::new(1, 1)));
}
