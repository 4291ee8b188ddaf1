//! Retransmissions step by step, as Linux counts them.

use super::*;
use crate::engine::Duration;
use crate::timeline::Cause;
use crate::wire::Message;

const WHOLE: Path = Path { there: true, back: true };
const CUT: Path = Path { there: false, back: false };
const DEAF: Path = Path { there: true, back: false };
const OUT: Direction = (ConnectionId { client: ProcessId(0), count: 1 }, End::Client);

fn linux() -> Retransmission {
    Retransmission {
        first: Duration::from_millis(200),
        limit: Duration::from_secs(120),
        retries: 15,
        connect_first: Duration::from_secs(1),
        connect_retries: 6,
        dial: Duration::from_secs(200),
        orphan_retries: 8,
    }
}

fn data(number: u32) -> Segment {
    Segment::Data(Message::App(number), Cause::NONE)
}

fn numbers(segments: &[Segment]) -> Vec<u32> {
    let number = |segment: &Segment| match segment {
        Segment::Data(Message::App(number), _) => Some(*number),
        _ => None,
    };
    segments.iter().filter_map(number).collect()
}

/// Plays retransmissions on a path that stays as it is; returns when it was given up.
fn until_given_up(transport: &mut Transport, again: Again) -> Duration {
    until_given_up_by(&linux(), transport, again)
}

fn until_given_up_by(
    rules: &Retransmission,
    transport: &mut Transport,
    (mut pause, mut due): Again,
) -> Duration {
    let mut passed = Duration::ZERO;
    loop {
        passed = passed + pause;
        match transport.retransmit(OUT, due, CUT, rules, &mut Vec::new()) {
            Retransmitted::Again(again) => (pause, due) = again,
            Retransmitted::GivenUp => return passed,
            other => panic!("{other:?} on a cut link"),
        }
    }
}

fn lost(sent: Sent) -> Again {
    match sent {
        Sent::Lost(again) | Sent::PassesUnseen(_, again) => again,
        other => panic!("{other:?} is not lost"),
    }
}

#[test]
fn times_of_giving_up_are_those_of_linux() {
    let mut transport = Transport::default();
    let again = lost(transport.send(OUT, data(1), CUT, &linux()));
    // tcp_retries2 = 15: 924.6 s, as its documentation says.
    assert_eq!(until_given_up(&mut transport, again), Duration::from_millis(924_600));
    let again = transport.connect(OUT.0, &linux());
    assert_eq!(until_given_up(&mut transport, again), Duration::from_secs(127));
    let again = lost(transport.send(OUT, Segment::Close(Cause::NONE), CUT, &linux()));
    assert_eq!(until_given_up(&mut transport, again), Duration::from_millis(102_200));
    assert!(transport.is_idle());
}

#[test]
fn who_dials_gives_up_before_the_kernel_does() {
    let mut transport = Transport::default();
    let rules = Retransmission { dial: Duration::from_secs(30), ..linux() };
    let again = transport.connect(OUT.0, &rules);
    assert_eq!(until_given_up_by(&rules, &mut transport, again), rules.dial);
    let again = lost(transport.send(OUT, data(1), CUT, &rules));
    let given_up = until_given_up_by(&rules, &mut transport, again);
    assert_eq!(given_up, Duration::from_millis(924_600), "an open connection has no such limit");
}

#[test]
fn on_a_whole_path_nothing_is_remembered() {
    let mut transport = Transport::default();
    assert!(matches!(transport.send(OUT, data(1), WHOLE, &linux()), Sent::Passes(_)));
    assert!(transport.is_idle());
}

#[test]
fn what_waited_goes_in_order_and_an_old_setting_is_void() {
    let (mut transport, mut arrived) = (Transport::default(), Vec::new());
    let (_, first) = lost(transport.send(OUT, data(1), CUT, &linux()));
    assert!(matches!(transport.send(OUT, data(2), WHOLE, &linux()), Sent::Waits));
    let again = transport.retransmit(OUT, first, CUT, &linux(), &mut arrived);
    let Retransmitted::Again((pause, second)) = again else { panic!("{again:?}") };
    assert_eq!(pause, Duration::from_millis(400));
    let mut retransmit = |due| transport.retransmit(OUT, due, WHOLE, &linux(), &mut arrived);
    assert_eq!(retransmit(first), Retransmitted::Void);
    assert_eq!(retransmit(second), Retransmitted::Through);
    assert_eq!(retransmit(second), Retransmitted::Void);
    assert_eq!(numbers(&arrived), [1, 2]);
}

#[test]
fn the_window_shuts_with_the_first_time_out_and_opens_with_an_acknowledgment() {
    let (mut transport, mut arrived) = (Transport::default(), Vec::new());
    let (_, due) = lost(transport.send(OUT, data(1), DEAF, &linux()));
    assert!(matches!(transport.send(OUT, data(2), DEAF, &linux()), Sent::Passes(_)));
    let again = transport.retransmit(OUT, due, DEAF, &linux(), &mut arrived);
    assert!(matches!(again, Retransmitted::Again(_)) && arrived.is_empty(), "it has arrived");
    assert!(matches!(transport.send(OUT, data(3), DEAF, &linux()), Sent::Waits));
    let due = transport.acknowledged(OUT, &linux()).expect("3 waits");
    let through = transport.retransmit(OUT, due, WHOLE, &linux(), &mut arrived);
    assert_eq!((through, numbers(&arrived)), (Retransmitted::Through, vec![3]));
}

#[test]
fn an_acknowledgment_ends_a_direction_in_which_nothing_waits() {
    let mut transport = Transport::default();
    lost(transport.send(OUT, data(1), DEAF, &linux()));
    assert_eq!(transport.acknowledged(OUT, &linux()), None);
    assert!(transport.is_idle());
    lost(transport.send(OUT, data(1), CUT, &linux()));
    assert_eq!(transport.acknowledged(OUT, &linux()), None);
    assert!(transport.is_stalled(OUT), "what has not arrived is not acknowledged");
}
