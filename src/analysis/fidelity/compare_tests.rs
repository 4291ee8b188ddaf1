//! Tests of `compare`: a few steps on each side, every kind of verdict.

use super::*;

fn step(role: &str, value: &str) -> Step {
    Step { role: role.to_owned(), field: "f".to_owned(), value: value.to_owned() }
}

fn run(steps: &[(&str, u64)]) -> Steps {
    let seen = |at: &u64| Seen {
        after: vec![Duration::from_millis(*at)],
        messages: BTreeSet::from(["said".to_owned()]),
    };
    steps.iter().map(|(value, at)| (step("Node/$victim", value), seen(at))).collect()
}

fn verdict(found: &Comparison, value: &str) -> Verdict {
    found.rows.iter().find(|row| row.step.value == value).unwrap().verdict
}

#[test]
fn a_time_is_inside_up_to_the_slack() {
    let simulated = [run(&[("a", 40_000)]), run(&[("a", 45_000)])];
    let judged = |at| verdict(&compare(&[run(&[("a", at)])], &simulated), "a");
    assert_eq!(judged(38_500), Verdict::Inside);
    assert_eq!(judged(38_499), Verdict::Outside(1));
    assert_eq!(judged(46_500), Verdict::Inside);
    assert_eq!(judged(46_501), Verdict::Outside(1));
    // 3 % of 100 s are more than 1.5 s.
    assert_eq!(slack(Duration::from_secs(100)), Duration::from_secs(3));
}

#[test]
fn steps_of_one_side_only_are_told() {
    let recorded = [run(&[("a", 1_000), ("b", 2_000)]), run(&[("a", 1_000)]), run(&[("a", 1_000)])];
    let found = compare(&recorded, &[run(&[("c", 1_000)])]);
    assert_eq!(verdict(&found, "a"), Verdict::Missing);
    assert_eq!(verdict(&found, "b"), Verdict::RareMissing);
    assert_eq!(verdict(&found, "c"), Verdict::OnlySimulated);
    assert_eq!(found.disagreements(), 2);
    assert_eq!(found.rows.last().unwrap().step.value, "c");
}

#[test]
fn an_order_is_foreign_if_no_simulated_run_has_it() {
    let recorded = [run(&[("a", 1_000), ("b", 1_600)])];
    let opposite = run(&[("a", 1_600), ("b", 1_500)]);
    let found = compare(&recorded, std::slice::from_ref(&opposite));
    assert_eq!(found.orders, [(step("Node/$victim", "a"), step("Node/$victim", "b"))]);
    let sometimes = [opposite.clone(), run(&[("a", 1_500), ("b", 1_500)])];
    assert!(compare(&recorded, &sometimes).orders.is_empty());
    // The fields of one object have an order, however near; an Event is an object of its own.
    let near = [run(&[("a", 1_000), ("b", 1_001)])];
    assert_eq!(compare(&near, std::slice::from_ref(&opposite)).orders.len(), 1);
    let as_event = |mut run: Steps| {
        let (mut step, seen) = run.pop_last().expect("two steps");
        step.field = "event".to_owned();
        run.insert(step, seen);
        run
    };
    let [near] = near.map(as_event);
    assert!(compare(&[near], &[as_event(opposite)]).orders.is_empty());
}

#[test]
fn messages_differ_if_none_is_common() {
    let recorded = [run(&[("a", 1_000)])];
    let mut other = recorded.clone();
    assert!(compare(&recorded, &other).messages.is_empty());
    let seen = other[0].get_mut(&step("Node/$victim", "a")).unwrap();
    seen.messages = BTreeSet::from(["else".to_owned()]);
    assert_eq!(compare(&recorded, &other).messages.len(), 1);
}

#[test]
fn a_distribution_is_tested_from_eight_runs() {
    let runs = |n: u64, first: u64| -> Vec<Steps> {
        (0..n).map(|i| run(&[("a", first + 10 * i)])).collect()
    };
    assert_eq!(compare(&runs(7, 1_000), &runs(100, 1_000)).rows[0].ks, None);
    // All 8 recorded before all 100 simulated: 2 merges of (108 over 8), far below 1 %.
    let found = compare(&runs(8, 1_000), &runs(100, 2_000));
    assert!(found.rows[0].ks_rejected && found.rows[0].disagrees());
    assert_eq!(found.rows[0].verdict, Verdict::Inside);
}

#[test]
fn what_is_known_to_differ_is_told_apart_by_its_reason() {
    let recorded = [run(&[("a", 13_000), ("b", 2_000)])];
    let simulated = [run(&[("a", 10_000)])];
    let late = |seconds| Known::Late { roles: &["Node/$victim"], seconds, why: "slow" };
    let missing = Known::Step { role: "Node/$victim", field: "f", value: "b", why: "fake" };
    let disagreements =
        |known: &[Known]| compare(&recorded, &simulated).explain(known).disagreements();
    assert_eq!(disagreements(&[]), 2);
    assert_eq!(disagreements(&[missing]), 1);
    assert_eq!(disagreements(&[missing, late(2)]), 1, "3 s late");
    assert_eq!(disagreements(&[missing, late(3)]), 0);
    let early = [run(&[("a", 7_000)])];
    assert_eq!(compare(&early, &simulated).explain(&[late(9)]).disagreements(), 1);
}
