//! Probes, with a server played by hand.

use super::static_pods::{Stage, Why};
use super::static_pods_tests::{ETCD, Kubelets, manifest, spec, stage, with};
use super::*;
use crate::api::ProbeSpec;
use crate::infra::testbed::logs;
use crate::infra::{Broken, ConnectionId, Effect, Signal};
use crate::wire::Message;

/// What was asked: on which connection, and with which number and path.
fn asked(effects: &[Effect<Event>]) -> Option<(ConnectionId, u32, &'static str)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(to, Message::HealthCheck(number, path)) => Some((*to, *number, *path)),
        _ => None,
    })
}

/// How the played server reacts to a check.
#[derive(Clone, Copy)]
enum Reacts {
    Says(u16),
    Refuses,
    Hangs,
}

/// The probe of this place in the manifest is due, and answered. Returns all effects, or nothing if
/// it did not ask.
fn probe(bench: &mut Kubelets, place: u8, reacts: Reacts) -> Option<Vec<Effect<Event>>> {
    let mut effects = bench.play(Input::Tick(ActivityId(8 + place)));
    let (to, number, _) = asked(&effects)?;
    effects.extend(match reacts {
        Reacts::Says(status) => {
            bench.play(Input::Message(to, Message::Health(number, status, Text::EMPTY)))
        }
        Reacts::Refuses => bench.play(Input::Broken(to, Broken::Refused)),
        Reacts::Hangs => Vec::new(),
    });
    Some(effects)
}

fn is_stopped(effects: &[Effect<Event>]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::SignalProgram(_, Signal::Terminate)))
}

fn ready(bench: &Kubelets) -> Option<bool> {
    bench.component.statics.get(&ETCD).map(|pod| pod.probes.are_ready())
}

fn running(probes: Vec<ProbeSpec>) -> Kubelets {
    let mut bench = with(Start::Steady, true, probes);
    bench.list(&[]);
    bench.bed.pass(Duration::from_secs(60));
    bench
}

#[test]
fn eight_failures_in_a_row_of_liveness_end_the_container_and_seven_do_not() {
    for reacts in [Reacts::Says(500), Reacts::Refuses] {
        let mut bench = running(vec![spec(ProbeKind::Liveness, 10, 8)]);
        for _ in 0..7 {
            assert!(!is_stopped(&probe(&mut bench, 0, reacts).expect("asked")));
        }
        probe(&mut bench, 0, Reacts::Says(200));
        for _ in 0..7 {
            assert!(!is_stopped(&probe(&mut bench, 0, reacts).expect("asked")));
        }
        assert!(is_stopped(&probe(&mut bench, 0, reacts).expect("asked")));
        assert_eq!(stage(&bench), Some(Stage::Stopping(Why::Unhealthy(None))));
        assert!(probe(&mut bench, 0, reacts).is_none(), "who is stopped is not asked");
    }
}

#[test]
fn an_answer_that_does_not_come_in_time_is_a_failure() {
    let mut bench = running(vec![spec(ProbeKind::Liveness, 10, 1)]);
    let effects = probe(&mut bench, 0, Reacts::Hangs).expect("asked");
    let (to, number, path) = asked(&effects).expect("asked");
    assert_eq!(path, "/livez");
    bench.bed.pass(Duration::from_secs(10));
    assert!(probe(&mut bench, 0, Reacts::Hangs).is_none(), "it waits for one answer at a time");
    let late = bench.timers.iter().position(|(_, e)| matches!(e, Event::ProbeLate(..)));
    let (left, late) = bench.timers.remove(late.expect("its end is set"));
    assert_eq!(left, Duration::from_secs(5), "15 s after it was asked");
    bench.bed.pass(left);
    let effects = bench.play(Input::Due(late));
    assert!(is_stopped(&effects));
    assert!(effects.iter().any(|e| matches!(e, Effect::Close(closed) if *closed == to)));
    let late = bench.play(Input::Message(to, Message::Health(number, 200, Text::EMPTY)));
    assert!(late.is_empty(), "what comes later is not heard: {late:?}");
}

#[test]
fn one_that_was_due_while_it_waited_asks_again_as_soon_as_it_may() {
    let mut bench = running(vec![spec(ProbeKind::Liveness, 10, 2)]);
    assert!(probe(&mut bench, 0, Reacts::Hangs).is_some());
    let mut ends = Vec::new();
    for _ in 0..2 {
        bench.bed.pass(Duration::from_secs(10));
        assert!(probe(&mut bench, 0, Reacts::Hangs).is_none(), "it waits for one answer at a time");
        let late = bench.timers.iter().position(|(_, e)| matches!(e, Event::ProbeLate(..)));
        let (left, late) = bench.timers.remove(late.expect("its end is set"));
        bench.bed.pass(left);
        let effects = bench.play(Input::Due(late));
        ends.push((asked(&effects).is_some(), is_stopped(&effects)));
    }
    assert_eq!(ends, [(true, false), (false, true)], "two times 15 s, not 20 s and 15 s");
}

#[test]
fn a_timeout_that_is_shorter_than_the_period_is_kept_too() {
    let spec = ProbeSpec { timeout: Duration::from_secs(2), ..spec(ProbeKind::Liveness, 10, 1) };
    let mut bench = running(vec![spec]);
    probe(&mut bench, 0, Reacts::Hangs);
    let late = bench.timers.iter().find(|(_, e)| matches!(e, Event::ProbeLate(..)));
    assert_eq!(late.expect("its end is set").0, Duration::from_secs(2));
}

#[test]
fn three_failures_of_readiness_take_ready_away_and_one_success_gives_it_back() {
    let mut bench = running(vec![spec(ProbeKind::Readiness, 1, 3)]);
    for expected in [Some(true), Some(true), Some(false)] {
        probe(&mut bench, 0, Reacts::Says(500));
        assert_eq!(ready(&bench), expected);
    }
    assert!(matches!(stage(&bench), Some(Stage::Running { .. })), "it goes on running");
    probe(&mut bench, 0, Reacts::Says(200));
    assert_eq!(ready(&bench), Some(true));
}

/// As kubeadm has them.
fn all_three() -> Vec<ProbeSpec> {
    vec![
        spec(ProbeKind::Startup, 10, 2),
        spec(ProbeKind::Liveness, 10, 8),
        spec(ProbeKind::Readiness, 1, 3),
    ]
}

/// A kubelet that has just started the container itself.
fn begun(probes: Vec<ProbeSpec>) -> Kubelets {
    let mut bench = with(Start::Fresh, false, probes);
    for _ in 0..2 {
        let place = bench.timers.iter().position(|(_, e)| matches!(e, Event::StaticPod(..)));
        let (_, due) = bench.timers.remove(place.expect("its next step"));
        bench.play(Input::Due(due));
    }
    let now = bench.bed.now;
    bench.bed.vm.programs.get_mut(&ETCD).expect("there").begin(now);
    bench
}

#[test]
fn the_startup_probe_comes_first_and_then_never_again() {
    let mut bench = begun(all_three());
    assert_eq!(ready(&bench), Some(false));
    for other in [1, 2] {
        assert!(probe(&mut bench, other, Reacts::Says(200)).is_none(), "it waits");
    }
    probe(&mut bench, 0, Reacts::Says(200));
    assert!(probe(&mut bench, 0, Reacts::Says(200)).is_none(), "it has started");
    for other in [1, 2] {
        assert!(probe(&mut bench, other, Reacts::Says(200)).is_some());
    }
    assert_eq!(ready(&bench), Some(true));
    let mut bench = begun(all_three());
    assert!(!is_stopped(&probe(&mut bench, 0, Reacts::Refuses).expect("asked")));
    assert!(is_stopped(&probe(&mut bench, 0, Reacts::Refuses).expect("asked")));
}

#[test]
fn a_container_that_was_taken_over_is_not_ready_from_its_startup_probes_first_look_to_the_second() {
    let mut bench = with(Start::Fresh, true, all_three());
    assert_eq!(ready(&bench), Some(true), "no probe has begun yet");
    assert!(probe(&mut bench, 1, Reacts::Says(200)).is_some(), "and so it has started");
    assert!(probe(&mut bench, 0, Reacts::Says(200)).is_none(), "it finds a started container");
    assert_eq!(ready(&bench), Some(false), "of which it knows nothing");
    for other in [1, 2] {
        assert!(probe(&mut bench, other, Reacts::Says(200)).is_none(), "they wait");
    }
    probe(&mut bench, 0, Reacts::Says(200)).expect("asked");
    assert_eq!(ready(&bench), Some(false), "readiness has been found by none");
    probe(&mut bench, 2, Reacts::Says(200)).expect("asked");
    assert_eq!(ready(&bench), Some(true));
}

#[test]
fn without_a_startup_probe_one_that_was_taken_over_is_unready_until_the_first_answer() {
    let mut bench = with(Start::Fresh, true, vec![spec(ProbeKind::Readiness, 1, 3)]);
    assert_eq!(ready(&bench), Some(true));
    let effects = probe(&mut bench, 0, Reacts::Hangs).expect("asked at once");
    assert_eq!(ready(&bench), Some(false));
    let (to, number, _) = asked(&effects).expect("asked");
    bench.play(Input::Message(to, Message::Health(number, 200, Text::EMPTY)));
    assert_eq!(ready(&bench), Some(true));
}

#[test]
fn the_probes_of_a_kubelet_that_starts_begin_anywhere_in_their_period_and_later_ones_at_once() {
    let first = |up_for: Duration| {
        let mut bench = with(Start::Fresh, true, vec![]);
        bench.bed.pass(up_for);
        let path = manifest(vec![]).path();
        bench.bed.vm.disk.write(path.clone(), manifest(all_three()).to_file());
        bench.component.statics = Default::default();
        let effects = bench.play(Input::FileChanged(path));
        let armed = effects.iter().filter_map(|effect| match effect {
            Effect::Arm(_, pause) => Some(*pause),
            _ => None,
        });
        armed.collect::<Vec<_>>()
    };
    let (secs, none) = (Duration::from_secs, Duration::ZERO);
    assert!(first(none).iter().all(|pause| !pause.is_zero()));
    let [startup, liveness, readiness] = first(secs(5))[..] else { panic!("three probes") };
    assert!((none..secs(10)).contains(&startup) && !startup.is_zero() && !liveness.is_zero());
    assert_eq!(readiness, none, "its period is over");
    assert_eq!(first(secs(10)), [none; 3]);
}

#[test]
fn nothing_is_asked_before_its_delay_has_passed_since_the_containers_start() {
    let delay = Duration::from_secs(10);
    let spec = ProbeSpec { initial_delay: delay, ..spec(ProbeKind::Liveness, 10, 8) };
    let mut bench = with(Start::Fresh, true, vec![spec]);
    bench.bed.pass(Duration::from_secs(9));
    assert!(probe(&mut bench, 0, Reacts::Says(200)).is_none());
    bench.bed.pass(Duration::from_secs(1));
    assert!(probe(&mut bench, 0, Reacts::Says(200)).is_some());
}

#[test]
fn a_failure_is_told_in_the_kubelets_words() {
    let mut bench = running(vec![spec(ProbeKind::Liveness, 10, 2)]);
    bench.writes();
    let effects = probe(&mut bench, 0, Reacts::Says(500)).expect("asked");
    let said = logs(&effects).join("\n");
    assert!(said.contains("\"Probe failed\" probeType=\"Liveness\""), "{said}");
    assert!(said.contains("HTTP probe failed with statuscode: 500"), "{said}");
    probe(&mut bench, 0, Reacts::Refuses);
    let events = bench.writes().into_iter().filter_map(|(_, object)| {
        let event = object?.event()?.clone();
        Some(format!("{} {}", event.reason, event.message))
    });
    assert_eq!(
        events.collect::<Vec<_>>(),
        [
            "Unhealthy Liveness probe failed: HTTP probe failed with statuscode: 500",
            "Killing Container etcd failed liveness probe, will be restarted",
        ]
    );
}

#[test]
fn a_container_that_a_probe_ended_is_restarted_at_once() {
    let mut bench = running(vec![spec(ProbeKind::Liveness, 10, 1)]);
    probe(&mut bench, 0, Reacts::Refuses);
    bench.bed.vm.programs.get_mut(&ETCD).expect("there").end(bench.bed.now);
    bench.play(Input::ProgramEnded(ETCD));
    assert_eq!(stage(&bench), Some(Stage::Starting));
}

#[test]
fn a_probe_is_foreseen_while_success_would_be_no_news() {
    let mut bench = running(vec![spec(ProbeKind::Readiness, 1, 3)]);
    let foreseen = |bench: &Kubelets, place: u8| {
        bench.component.foresee_probe(ActivityId(8 + place), bench.bed.now).map(|(_, path, _)| path)
    };
    assert_eq!(foreseen(&bench, 0), None, "it has no connection yet");
    probe(&mut bench, 0, Reacts::Says(200));
    assert_eq!(foreseen(&bench, 0), Some("/readyz"));
    assert_eq!(foreseen(&bench, 1), None, "there is no second one");
    bench.component.pass_probe();
    let effects = probe(&mut bench, 0, Reacts::Hangs).expect("asked");
    assert_eq!(
        asked(&effects).map(|(_, number, _)| number),
        Some(3),
        "what was passed over counts"
    );
    assert_eq!(foreseen(&bench, 0), None, "one is under way");
    let (to, number, _) = asked(&effects).expect("asked");
    bench.play(Input::Message(to, Message::Health(number, 500, Text::EMPTY)));
    assert_eq!(foreseen(&bench, 0), None, "success would end the failures in a row");
    probe(&mut bench, 0, Reacts::Says(200));
    assert_eq!(foreseen(&bench, 0), Some("/readyz"));
    for _ in 0..3 {
        probe(&mut bench, 0, Reacts::Says(500));
    }
    assert_eq!(foreseen(&bench, 0), None, "it is not ready");
}

#[test]
fn a_probe_of_a_container_that_starts_is_not_foreseen() {
    let mut bench = running(vec![spec(ProbeKind::Startup, 1, 3)]);
    probe(&mut bench, 0, Reacts::Says(200));
    let now = bench.bed.now;
    assert_eq!(bench.component.foresee_probe(ActivityId(8), now), None);
}
