//! Images: who waits for a pull, for how long, and what a pull leaves.

use super::images::put_image;
use super::tests::{kubelet, pod, started_as};
use super::*;
use crate::api::kinds::PodTemplate;
use crate::api::{Deletion, Object, Uid, WatchKind};
use crate::client::testing::Bench;
use crate::engine::Delay;
use crate::infra::Effect;
use std::sync::Arc;

pub(super) fn settings() -> ImageSettings {
    ImageSettings {
        pull: Delay::fixed(Duration::ZERO),
        serialize: true,
        backoff_first: Duration::from_secs(10),
        backoff_limit: Duration::from_secs(300),
    }
}

/// A kubelet on a new VM, where each pull takes five seconds.
fn new_vm(serialize: bool) -> Bench<Kubelet, Event> {
    let mut settings = kubelet().settings;
    settings.images.pull = Delay::fixed(Duration::from_secs(5));
    settings.images.serialize = serialize;
    let mut bench = started_as(Kubelet { settings, ..kubelet() }, Start::Steady, &[]);
    bench.list(&[]);
    bench
}

fn of(image: &'static str, name: &'static str, number: u64) -> Object {
    pod(|object| {
        object.meta.key.name = Text::word(name);
        object.meta.uid = Uid(number);
        let template = PodTemplate { image: Text::word(image), ..PodTemplate::default() };
        object.pod_mut().expect("a Pod").template = Arc::new(template);
    })
}

fn is_of_images(event: &Event) -> bool {
    matches!(event, Event::StartPod(_) | Event::ImagePulled(_) | Event::PullAgain(_))
}

/// Whose containers start, and after how many milliseconds, until nothing more is waited for or two
/// minutes are over.
fn starts(bench: &mut Bench<Kubelet, Event>) -> Vec<(u64, u64)> {
    let (mut now, mut found) = (Duration::ZERO, Vec::new());
    // When each timer rings, from the first look on.
    let mut due: Vec<(Duration, Event)> = Vec::new();
    loop {
        let set = std::mem::take(&mut bench.timers);
        due.extend(
            set.into_iter()
                .filter(|(_, event)| is_of_images(event))
                .map(|(wait, event)| (now + wait, event)),
        );
        let next = (0..due.len()).min_by_key(|place| due[*place].0);
        let Some(next) = next.filter(|place| due[*place].0 < Duration::from_secs(120)) else {
            return found;
        };
        let (at, event) = due.remove(next);
        bench.bed.pass(at.saturating_sub(now));
        now = at;
        for effect in bench.play(Input::Due(event)) {
            if let Effect::StartContainer(uid, (rule, _), ..) = effect {
                assert_eq!(rule, "kubernetes.containerStart");
                found.push((uid.0, now.as_micros() / 1000));
            }
        }
    }
}

#[test]
fn what_the_disk_has_is_not_pulled() {
    let mut bench = new_vm(true);
    put_image(&mut bench.bed.vm.disk, "shop:1");
    bench.shows(WatchKind::Added, of("shop:1", "shop", 5));
    bench.shows(WatchKind::Added, of("shop:2", "other", 6));
    assert_eq!(starts(&mut bench), [(5, 10), (6, 5010)]);
    bench.shows(WatchKind::Added, of("shop:2", "third", 7));
    assert_eq!(starts(&mut bench), [(7, 10)], "what was pulled stays");
}

#[test]
fn one_image_after_the_other_is_pulled_unless_the_kubelet_is_told_otherwise() {
    for (serialize, expected) in
        [(true, [(5, 5010), (6, 10_010), (7, 10_010)]), (false, [(5, 5010), (6, 5010), (7, 5010)])]
    {
        let mut bench = new_vm(serialize);
        for (image, name, number) in [("a", "one", 5), ("b", "two", 6), ("b", "three", 7)] {
            bench.shows(WatchKind::Added, of(image, name, number));
        }
        assert_eq!(starts(&mut bench), expected, "serializeImagePulls: {serialize}");
    }
}

#[test]
fn who_goes_while_it_waits_leaves_its_turn_to_the_next() {
    let mut bench = new_vm(true);
    for (image, name, number) in [("a", "one", 5), ("b", "two", 6), ("c", "three", 7)] {
        bench.shows(WatchKind::Added, of(image, name, number));
    }
    let timers = std::mem::take(&mut bench.timers);
    for (_, event) in timers.into_iter().filter(|(_, event)| is_of_images(event)) {
        bench.play(Input::Due(event));
    }
    let mut gone = of("b", "two", 6);
    gone.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
    bench.shows(WatchKind::Modified, gone);
    assert_eq!(starts(&mut bench), [(5, 5000), (7, 10_000)]);
}

#[test]
fn the_pull_of_a_pod_that_goes_is_given_up_and_the_next_begins() {
    let mut bench = new_vm(true);
    for (image, name, number) in [("a", "db-0", 5), ("b", "two", 6)] {
        bench.shows(WatchKind::Added, of(image, name, number));
    }
    let timers = std::mem::take(&mut bench.timers);
    for (_, event) in timers.into_iter().filter(|(_, event)| is_of_images(event)) {
        bench.play(Input::Due(event));
    }
    bench.bed.pass(Duration::from_secs(1));
    bench.shows(WatchKind::Deleted, of("a", "db-0", 5));
    // A Pod of the same name has its own start and its own pull.
    bench.shows(WatchKind::Added, of("a", "db-0", 7));
    assert_eq!(starts(&mut bench), [(6, 5000), (7, 10_000)]);
}

#[test]
fn pods_of_one_image_wait_for_one_pull_also_where_others_are_pulled_beside_it() {
    let mut bench = new_vm(false);
    let (low, high) = (Duration::from_secs(1), Duration::from_secs(60));
    bench.component.settings.images.pull = Delay { low, high };
    for (image, name, number) in [("a", "one", 5), ("b", "two", 6), ("b", "three", 7)] {
        bench.shows(WatchKind::Added, of(image, name, number));
    }
    let found = starts(&mut bench);
    let at = |number: u64| found.iter().find(|(uid, _)| *uid == number).expect("started").1;
    assert!(at(6) == at(7) && at(5) != at(6), "{found:?}");
    bench.shows(WatchKind::Added, of("c", "four", 8));
    bench.shows(WatchKind::Added, of("c", "five", 9));
    let timers = std::mem::take(&mut bench.timers);
    for (_, event) in timers.into_iter().filter(|(_, event)| is_of_images(event)) {
        bench.play(Input::Due(event));
    }
    bench.shows(WatchKind::Deleted, of("c", "four", 8));
    let found = starts(&mut bench);
    assert!(matches!(found[..], [(9, _)]), "who still wants it gets it: {found:?}");
}

#[test]
fn events_say_what_is_pulled_and_how_long_that_took() {
    let mut bench = new_vm(true);
    for (image, name, number) in [("shop:1", "one", 5), ("shop:1", "two", 6)] {
        bench.shows(WatchKind::Added, of(image, name, number));
    }
    starts(&mut bench);
    let mut words = Vec::new();
    while let Some(what) = bench.waiting().into_iter().find(|words| words.contains(" Event/")) {
        let object = bench.grant(&what);
        let event = object.event().expect("an Event");
        words.push(format!("{} {}: {}", event.regarding, event.reason, event.message));
    }
    words.sort();
    let pulled = "Pulled: Successfully pulled image \"shop:1\" in";
    assert_eq!(
        words,
        [
            format!("Pod/one {pulled} 5s (5s including waiting)"),
            "Pod/one Pulling: Pulling image \"shop:1\"".to_owned(),
            format!("Pod/two {pulled} 0s (5s including waiting)"),
            "Pod/two Pulling: Pulling image \"shop:1\"".to_owned(),
        ]
    );
}

#[test]
fn a_full_disk_takes_no_image_and_each_try_waits_for_twice_as_long() {
    let mut bench = new_vm(true);
    bench.bed.vm.disk.is_full = true;
    bench.shows(WatchKind::Added, of("a", "one", 5));
    let mut pauses = Vec::new();
    for round in 0..16 {
        let timers = std::mem::take(&mut bench.timers);
        let next = timers.into_iter().find(|(_, event)| is_of_images(event));
        let (pause, event) = next.expect("it goes on");
        pauses.extend(matches!(event, Event::PullAgain(_)).then(|| pause.as_secs()));
        bench.bed.vm.disk.is_full = round < 15;
        bench.bed.pass(pause);
        let effects = bench.play(Input::Due(event));
        let starts = effects.iter().any(|effect| matches!(effect, Effect::StartContainer(..)));
        assert_eq!(starts, round == 15, "there is room after the eighth pull only");
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300]);
}
