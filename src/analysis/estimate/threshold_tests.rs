//! Bounds held against made-up runs: which figure is told, and how sure that is.

use super::*;
use std::collections::BTreeSet;
use std::iter;

/// A Node, and after how many milliseconds it becomes Unknown in the run of a seed.
type Lost = (&'static str, fn(u64) -> u64);

/// A hundred runs in which these Nodes are lost.
fn estimate(nodes: &[Lost]) -> Estimate {
    let one = |seed: u64| {
        let ending = Ending { outcome: Outcome::Replaced, missing: Text::EMPTY };
        let figure = |(node, millis): &Lost| {
            let (figure, object) = (Text::word("nodeUnknown"), Text::word(node));
            let name = Name { kind: Kind::Milestone, figure, object };
            (name, Duration::from_millis(millis(seed)))
        };
        let figures = nodes.iter().map(figure).collect();
        Sample { seed, ending, figures, open: BTreeSet::new(), unstruck: false }
    };
    let asked = Asked {
        scenario: Text::word("made-up"),
        platform: Text::word("nowhere"),
        fingerprint: Text::EMPTY,
        words: Vec::new(),
        first_seed: 1,
        runs: 100,
        assumed_runs: 0,
        until_recovered: false,
        reach: None,
        users: Default::default(),
    };
    Estimate::of_samples(asked, (1..=100).map(one))
}

fn judged(threshold: &str, estimate: &Estimate) -> Verdict {
    let threshold: Threshold = threshold.parse().expect("a threshold");
    threshold.judge(estimate).expect("something there is")
}

#[test]
fn of_several_figures_the_worst_is_told_and_a_sure_failure_is_worse_than_an_unsure_one() {
    let all = estimate(&[
        ("Node/a", |seed| 1000 * seed),
        ("Node/b", |_| 200_000),
        ("Node/c", |_| 300_000),
        ("Node/d", |_| 20_000),
    ]);
    let told = |threshold: &str| {
        let Verdict { met, certain, text } = judged(threshold, &all);
        let node = text.split_whitespace().find(|word| word.starts_with("Node/"));
        (met, certain, node.expect("it is named").to_owned())
    };
    let verdict = |met, certain, node: &str| (met, certain, node.to_owned());
    assert_eq!(told("nodeUnknown p50 < 50s"), verdict(false, true, "Node/c"));
    assert_eq!(told("nodeUnknown p50 >= 50s"), verdict(false, true, "Node/d"));
    assert_eq!(told("nodeUnknown p50 < 10m"), verdict(true, true, "Node/c"));
    assert_eq!(told("nodeUnknown p50 > 10s"), verdict(true, true, "Node/d"));
    let two = estimate(&[("Node/a", |seed| 1000 * seed), ("Node/b", |_| 20_000)]);
    let verdict = judged("nodeUnknown p50 < 55s", &two);
    assert!(verdict.met && !verdict.certain, "{}", verdict.text);
    assert!(verdict.text.contains("Node/a"), "what holds by luck: {}", verdict.text);
}

/// The step of 400 s is 20 ms wide: rounded up, the whole interval lay above the bound.
#[test]
fn a_bound_within_the_lowest_step_is_not_kept_for_certain() {
    let steps = estimate(&[("Node/a", |seed| 400_000 + seed.min(80))]);
    let verdict = judged("nodeUnknown p50 > 400.041s", &steps);
    assert!(verdict.met && !verdict.certain, "{}", verdict.text);
    let verdict = judged("nodeUnknown p50 > 400.02s", &steps);
    assert!(verdict.met && verdict.certain, "{}", verdict.text);
}

/// Runs that show what takes up to 29 minutes, of which so many do not recover; the others take 10.
fn recoveries(runs: u64, stuck: u64) -> Estimate {
    let one = |seed: u64| {
        let is_stuck = seed <= stuck;
        let outcome = if is_stuck { Outcome::Stuck } else { Outcome::Replaced };
        let ten = (Name::recovered(), Duration::from_secs(600));
        Sample {
            seed,
            ending: Ending { outcome, missing: Text::EMPTY },
            figures: iter::once(ten).filter(|_| !is_stuck).collect(),
            open: BTreeSet::new(),
            unstruck: false,
        }
    };
    let reach = Some(Duration::from_secs(29 * 60).as_micros());
    let asked = Asked { runs, reach, ..estimate(&[]).asked };
    Estimate::of_samples(asked, (1..=runs).map(one))
}

/// What did not recover within its run may have recovered a minute later.
#[test]
fn of_a_bound_beyond_the_end_of_the_runs_nothing_is_claimed() {
    for estimate in [recoveries(100, 100), recoveries(100, 55)] {
        let wrong = "recoveryTime p50 > 1h".parse::<Threshold>().expect("a threshold");
        let wrong = wrong.judge(&estimate).expect_err("nobody knows");
        let words = "cannot be judged: recovered Cluster/workload is longer than the runs show, which is up to 29m";
        assert!(wrong.contains(words) && wrong.contains("--until"), "{wrong}");
        let verdict = judged("recoveryTime p50 < 1h", &estimate);
        assert!(!verdict.met && !verdict.certain, "{}", verdict.text);
        assert!(verdict.text.contains("up to 29m0s only, play longer"), "{}", verdict.text);
        // Within the runs it is known.
        let verdict = judged("recoveryTime p50 > 28m", &estimate);
        assert_eq!((verdict.met, verdict.certain), (true, estimate.figures.is_empty()));
        assert!(!judged("recoveryTime p50 < 28m", &estimate).met);
    }
    let most = recoveries(100, 2);
    let verdict = judged("recoveryTime p50 < 1h", &most);
    assert!(verdict.met && verdict.certain, "{}", verdict.text);
    assert!(!judged("recoveryTime p50 > 1h", &most).met, "the median is known");
}
