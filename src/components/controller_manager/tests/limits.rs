//! The limit of each controller's clientset: what many Pods of one Node take.

use super::*;
use crate::infra::Effect;

const TICK: Duration = Duration::from_millis(50);

fn pods(count: usize) -> impl Iterator<Item = Object> {
    (0..count).map(|number| pod(format!("web-{number}"), "a"))
}

/// A manager that has just turned Node `a` of two Unknown, which had so many ready Pods.
fn with_lost_pods(count: usize) -> Manager {
    let nodes = [node("a"), node("b"), lease("a", 1), lease("b", 1)];
    let objects: Vec<Object> = nodes.into_iter().chain(pods(count)).collect();
    let settings = Settings { no_execute: NoExecute::NextPass, ..settings() };
    let mut manager = manager(settings, &objects);
    pass(&mut manager, 0);
    manager.pass(Duration::from_secs(1));
    manager.shows(WatchKind::Modified, lease("b", 30));
    manager.writes();
    pass(&mut manager, 41);
    let unknown = manager.grant("update Node/a");
    manager.shows(WatchKind::Modified, Object::clone(&unknown));
    manager
}

/// Plays a token's time, and answers what it brings; in words.
fn tick(manager: &mut Manager) -> Vec<String> {
    let waiting = manager.waiting();
    waiting.iter().for_each(|what| drop(manager.grant(what)));
    manager.pass(TICK);
    let word = |words: String| match words.split_once('/') {
        Some((start, _)) => start.to_owned(),
        None => words,
    };
    waiting.into_iter().map(word).collect()
}

fn count(words: &[String], what: &str) -> usize {
    words.iter().filter(|word| *word == what).count()
}

#[test]
fn the_pods_of_a_lost_node_are_marked_at_20_requests_a_second_with_their_events() {
    let mut manager = with_lost_pods(100);
    let at_once = tick(&mut manager);
    // 30 requests, of which the Node's status is one; its Event is among those of the Pods.
    assert_eq!(count(&at_once, "update Pod") + count(&at_once, "create Event"), 29, "{at_once:?}");
    let mut marked = count(&at_once, "update Pod");
    let mut ticks = 0;
    while marked < 100 && ticks < 1000 {
        marked += count(&tick(&mut manager), "update Pod");
        ticks += 1;
    }
    // 200 requests of Pods, 27 or so at once, every second of the others a mark.
    assert!((165..=175).contains(&ticks), "{ticks}");
}

#[test]
fn a_taint_does_not_wait_behind_all_pods() {
    let mut manager = with_lost_pods(100);
    let mut before = 0;
    while count(&tick(&mut manager), "patch Node") == 0 && before < 1000 {
        before += 1;
    }
    assert!(before <= 6, "{before} ticks");
}

#[test]
fn a_pass_that_the_limit_holds_back_ends_after_its_last_mark() {
    for (pods, goes_on) in [(5, false), (100, true)] {
        let mut manager = with_lost_pods(pods);
        let ends = |manager: &mut Manager| {
            let effects = manager.play(Input::Due(Event::PassEnded));
            effects.iter().any(|effect| matches!(effect, Effect::Arm(MONITOR, _)))
        };
        assert_eq!(ends(&mut manager), !goes_on, "{pods}");
        (0..250).for_each(|_| drop(tick(&mut manager)));
        assert!(ends(&mut manager));
    }
}

#[test]
fn evictions_for_taints_take_four_requests_each_and_deletions_come_last() {
    let mut tainted = node("a");
    let out = Taint::new(taint::OUT_OF_SERVICE, TaintEffect::NoExecute, Some(SimTime::ZERO));
    tainted.node_mut().expect("a Node").taints = vec![out];
    let objects: Vec<Object> = [node("a"), lease("a", 1)].into_iter().chain(pods(20)).collect();
    let mut manager = manager(settings(), &objects);
    manager.writes();
    manager.shows(WatchKind::Modified, tainted);
    manager.pass(Duration::ZERO);
    // An Event, a read and a patch for each of the first ten.
    let mut all = vec![tick(&mut manager)];
    assert_eq!((count(&all[0], "patch Pod"), count(&all[0], "create Event")), (10, 10));
    while count(&all.concat(), "delete Pod") < 20 && all.len() < 1000 {
        all.push(tick(&mut manager));
    }
    // 80 requests, 30 at once; a few Events are still to come.
    assert!((40..=51).contains(&all.len()), "{}", all.len());
    let first_deletion = all.iter().position(|words| count(words, "delete Pod") > 0);
    assert!(first_deletion.is_some_and(|tick| tick >= 10), "all reads come before: {all:?}");
}

#[test]
fn a_nodes_taints_are_asked_for_once_until_that_is_answered() {
    let mut manager = manager(settings(), &[node("a"), lease("a", 1)]);
    let mut ill = node("a");
    ill.node_mut().expect("a Node").unschedulable = true;
    manager.shows(WatchKind::Modified, ill.clone());
    let pressure = Condition::new("MemoryPressure", Status::True, "", "", SimTime::ZERO);
    ill.node_mut().expect("a Node").conditions.set(pressure);
    manager.shows(WatchKind::Modified, ill.clone());
    assert_eq!(manager.waiting(), ["patch Node/a"]);
    let cordoned = manager.grant("patch Node/a");
    assert_eq!(taints(&cordoned), ["node.kubernetes.io/unschedulable:NoSchedule"]);
    // What came meanwhile.
    let written = manager.grant("patch Node/a");
    assert!(taints(&written).contains(&"node.kubernetes.io/memory-pressure:NoSchedule".to_owned()));
    assert!(manager.waiting().is_empty());
}

#[test]
fn a_pass_waits_for_the_taints_that_it_takes_off() {
    let mut back = node("a");
    back.node_mut().expect("a Node").taints =
        vec![Taint::new(taint::UNREACHABLE, TaintEffect::NoExecute, Some(SimTime::ZERO))];
    let mut manager = manager(settings(), &[back, lease("a", 1)]);
    pass(&mut manager, 1);
    manager.play(Input::Due(Event::PassEnded));
    let asked = |manager: &Manager| {
        let waiting = manager.waiting();
        waiting.iter().filter(|what| *what == "patch Node/a").count()
    };
    assert_eq!(asked(&manager), 1);
    manager.play(Input::Tick(MONITOR));
    assert_eq!(asked(&manager), 1, "not once more while that is under way");
    manager.grant("patch Node/a");
    manager.play(Input::Tick(MONITOR));
    assert_eq!(asked(&manager), 1, "its cache still shows the taint");
}
