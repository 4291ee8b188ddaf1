//! The readiness probe: when it asks, what it writes, and whom that wakes.

use super::tests::{Operator, operator, settings, vm};
use super::*;
use crate::api::kinds::{Condition, PowerState, Status, VirtualMachine};
use crate::api::{Object, WatchKind};
use crate::infra::{Broken, Effect};
use crate::wire::VmFacts;

/// A VM that is on, with a probe that has long succeeded.
fn probed(change: impl FnOnce(&mut VirtualMachine)) -> Object {
    vm("control-plane-1", |object| {
        let Some(body) = object.virtual_machine_mut() else { return };
        body.power = PowerState::PoweredOn;
        body.readiness_port = Some(6443);
        let ready = Condition::new(VirtualMachine::READY, Status::True, "", "", SimTime::ZERO);
        body.conditions.set(ready);
        change(body);
    })
}

/// The connections that were tried.
fn asked(effects: &[Effect<Event>]) -> Vec<ConnectionId> {
    let is_check = |effect: &Effect<Event>| match effect {
        Effect::Send(to, Message::Handshake) => Some(*to),
        _ => None,
    };
    effects.iter().filter_map(is_check).collect()
}

/// Plays the next probe; the connection on which it asks.
fn next_probe(bench: &mut Operator) -> Vec<ConnectionId> {
    let is_probe = |(_, event): &&(Duration, Event)| matches!(event, Event::Probe(..));
    let due = bench.timers.iter().find(is_probe).cloned().expect("there is always a next one");
    bench.timers.retain(|timer| *timer != due);
    bench.bed.pass(due.0);
    asked(&bench.play(Input::Due(due.1)))
}

fn said(bench: &mut Operator) -> Vec<String> {
    bench
        .writes()
        .into_iter()
        .filter_map(|(what, object)| {
            let ready = object?.virtual_machine()?.conditions.get("Ready").cloned()?;
            Some(format!("{what}: {} {}", ready.status.name(), ready.message))
        })
        .collect()
}

#[test]
fn one_that_answers_is_asked_again_after_the_period_and_nothing_is_written() {
    let mut bench = operator(settings(), Start::Steady, &[probed(|_| {})]);
    let first = bench.timers.iter().find(|(_, event)| matches!(event, Event::Probe(..)));
    assert!(first.expect("probed").0 < Duration::from_secs(10), "somewhere in its period");
    for _ in 0..3 {
        let asked = next_probe(&mut bench);
        let [connection] = asked[..] else { panic!("one connection: {asked:?}") };
        bench.play(Input::Message(connection, Message::Handshake));
        assert_eq!(said(&mut bench), Vec::<String>::new(), "it is there, whatever it would say");
    }
}

#[test]
fn one_that_is_silent_or_refuses_is_not_ready_and_its_reconcile_looks() {
    for silent in [true, false] {
        let mut bench = operator(settings(), Start::Steady, &[probed(|_| {})]);
        let connection = next_probe(&mut bench)[0];
        let words = match silent {
            true => {
                bench.pass(Duration::from_secs(9));
                assert_eq!(said(&mut bench), Vec::<String>::new());
                bench.pass(Duration::from_secs(1));
                "dial tcp: i/o timeout"
            }
            false => {
                bench.play(Input::Broken(connection, Broken::Refused));
                "connect: connection refused"
            }
        };
        let written = format!("patch VirtualMachine/control-plane-1: False {words}");
        assert_eq!(said(&mut bench), [written]);
        let before = bench.calls.len();
        bench.shows(
            WatchKind::Modified,
            probed(|body| {
                let (kind, refused) = (VirtualMachine::READY, "connect: connection refused");
                let said = Condition::new(kind, Status::False, "NotReady", refused, SimTime::ZERO);
                body.conditions.set(said);
            }),
        );
        bench.pass(Duration::from_millis(1));
        assert_eq!(bench.calls.len(), before + 1, "the VM is looked at");
        // It stays so: once is enough. Other words for it are news.
        let connection = next_probe(&mut bench)[0];
        bench.play(Input::Broken(connection, Broken::Refused));
        assert_eq!(said(&mut bench), Vec::<String>::new());
        next_probe(&mut bench);
        bench.pass(Duration::from_secs(10));
        let other = "patch VirtualMachine/control-plane-1: False dial tcp: i/o timeout";
        assert_eq!(said(&mut bench), [other]);
    }
}

#[test]
fn who_is_known_to_be_off_is_not_asked_and_a_worker_has_no_probe() {
    let off = probed(|body| body.power = PowerState::PoweredOff);
    let mut bench = operator(settings(), Start::Steady, &[off]);
    assert_eq!(next_probe(&mut bench), Vec::<ConnectionId>::new());
    let words = "patch VirtualMachine/control-plane-1: False virtual machine is not powered on";
    assert_eq!(said(&mut bench), [words]);
    let worker = probed(|body| body.readiness_port = None);
    let bench = operator(settings(), Start::Steady, &[worker]);
    let probes = bench.timers.iter().filter(|(_, event)| matches!(event, Event::Probe(..)));
    assert_eq!(probes.count(), 0);
}

#[test]
fn a_probe_ends_with_its_virtual_machine() {
    let mut bench = operator(settings(), Start::Steady, &[probed(|_| {})]);
    next_probe(&mut bench);
    bench.shows(WatchKind::Deleted, probed(|_| {}));
    let due: Vec<Event> = bench
        .timers
        .iter()
        .filter(|(_, event)| matches!(event, Event::Probe(..) | Event::ProbeOver(..)))
        .map(|(_, event)| event.clone())
        .collect();
    for event in due {
        assert_eq!(asked(&bench.play(Input::Due(event))), Vec::<ConnectionId>::new());
    }
    assert_eq!(said(&mut bench), Vec::<String>::new());
}

/// How many probes have begun.
fn begun(bench: &Operator) -> usize {
    bench.timers.iter().filter(|(_, event)| matches!(event, Event::ProbeOver(..))).count()
}

/// A reconcile that a resync called, and this end of its look at the VM.
fn reconciled(bench: &mut Operator, end: TaskEnd) {
    bench.play(Input::Tick(RESYNC));
    bench.pass(Duration::ZERO);
    bench.end_call(end);
    bench.pass(Duration::ZERO);
}

fn is_on() -> TaskEnd {
    let (ip, uuid) = (Some(Text::word("10.0.0.1")), Text::word("42-its-own"));
    TaskEnd::Found(VmFacts { is_on: true, uuid, ip, is_connected: true })
}

#[test]
fn the_end_of_a_reconcile_asks_at_once_and_puts_no_regular_probe_off() {
    let mut bench = operator(settings(), Start::Steady, &[probed(|_| {})]);
    let due = |bench: &Operator| {
        let regular = bench.timers.iter().filter(|(_, event)| matches!(event, Event::Probe(..)));
        regular.map(|(pause, _)| *pause).collect::<Vec<_>>()
    };
    let before = due(&bench);
    reconciled(&mut bench, is_on());
    assert_eq!((begun(&bench), due(&bench)), (1, before));
    // Another one while the probe is under way: it comes right after, once.
    for _ in 0..2 {
        bench.grant("patch VirtualMachine/control-plane-1");
        reconciled(&mut bench, is_on());
    }
    assert_eq!(begun(&bench), 1);
    bench.bed.pass(Duration::from_secs(10));
    let over = bench.timers.iter().find(|(_, event)| matches!(event, Event::ProbeOver(..)));
    let event = over.expect("it is under way").1.clone();
    bench.play(Input::Due(event));
    assert_eq!(begun(&bench), 2);
}

#[test]
fn a_reconcile_that_failed_asks_only_in_the_newer_release() {
    for probes_after_failure in [false, true] {
        let rules = Rules { probes_after_failure, ..settings().rules };
        let rules = Settings { rules, ..settings() };
        let mut bench = operator(rules, Start::Steady, &[probed(|_| {})]);
        bench.play(Input::Tick(RESYNC));
        bench.pass(Duration::ZERO);
        let off = TaskEnd::Found(VmFacts {
            is_on: false,
            uuid: Text::word("42-its-own"),
            ip: None,
            is_connected: true,
        });
        bench.end_call(off);
        bench.end_call(TaskEnd::HostNotConnected);
        assert_eq!(begun(&bench), usize::from(probes_after_failure));
    }
}
