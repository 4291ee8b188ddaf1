//! Events that nobody takes are tried again in their order, and those that are refused are not.

use super::testing::{Bench, RECORDER, words};
use super::*;
use crate::api::kinds::EventType;
use crate::api::{Answer, ApiError, Kind, ObjectKey, Reason};
use crate::engine::{Duration, Text};
use crate::infra::{Address, Ctx, EndpointId, Input, Start};

#[derive(Clone, Debug)]
struct Event(Alarm);

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event(alarm)
    }
}

/// A controller that only records.
struct Witness(Client<()>);

impl Witness {
    fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let (client, mut news) = (&mut self.0, Vec::new());
        match input {
            Input::Message(from, message) => client.on_message(ctx, from, message, &mut news),
            Input::Broken(which, how) => client.on_broken(ctx, which, how, &mut news),
            Input::Due(Event(alarm)) => client.on_alarm(ctx, alarm, &mut news),
            _ => {}
        }
    }
}

type Witnesses = Bench<Witness, Event>;

fn witness(recorder: RecorderSettings) -> Witnesses {
    let secs = Duration::from_secs;
    let settings = ClientSettings {
        request_timeout: secs(3600),
        retries: super::testing::RETRIES,
        relist_first: secs(1),
        relist_limit: secs(30),
        relist_jitter_percent: 0,
        relist_reset: secs(120),
        recorder,
    };
    let client = Client::new(0, Address::Endpoint(EndpointId(1)), settings);
    Bench::started(Witness(client), "witness", Witness::on_event, Start::Fresh, &[])
}

/// Records about this object, from this source.
fn say(bench: &mut Witnesses, source: &'static str, name: &'static str) {
    let (namespace, name) = (Text::word("default"), Text::word(name));
    let key = ObjectKey { kind: Kind::Pod, namespace, name };
    let client = &mut bench.component.0;
    let effects = bench.bed.play(|ctx| {
        client.record(ctx, source, EventType::Normal, &key, "Scheduled", Text::word("on a"));
    });
    bench.asked.extend(crate::infra::testbed::requests(&effects));
    bench.timers.extend(crate::infra::testbed::timers(&effects));
}

/// Whom the Events that are being sent are about, and whether they are new.
fn sending(bench: &Witnesses) -> Vec<String> {
    let told = |request| {
        let (words, object) = words(request);
        let event = object.expect("an Event");
        let about = event.event().expect("an Event").regarding.name.clone();
        format!("{} {about}", words.split(' ').next().unwrap_or_default())
    };
    bench.asked.iter().map(|(_, request)| told(request)).collect()
}

/// Answers the oldest with this, or with what it wants stored.
fn answer(bench: &mut Witnesses, error: Option<ApiError>) {
    let (connection, request) = bench.asked.remove(0);
    let object = words(&request).1.expect("an Event");
    bench.answer(connection, request.id, error.map_or(Ok(Answer::Object(object)), Err));
}

fn nobody() -> Option<ApiError> {
    Some(ApiError::unreachable("connect: connection refused"))
}

#[test]
fn events_that_nobody_takes_wait_in_order_behind_the_first() {
    let mut bench = witness(RECORDER);
    for name in ["a", "b"] {
        say(&mut bench, "kubelet", name);
    }
    assert_eq!(sending(&bench), ["create a", "create b"]);
    answer(&mut bench, nobody());
    answer(&mut bench, nobody());
    say(&mut bench, "kubelet", "c");
    assert!(sending(&bench).is_empty(), "it waits too");
    say(&mut bench, "scheduler", "d");
    assert_eq!(sending(&bench), ["create d"], "each source waits for itself");
    answer(&mut bench, None);
    bench.pass(RECORDER.pause);
    assert_eq!(sending(&bench), ["create a"], "the first pause is a part of ten seconds");
    answer(&mut bench, nobody());
    bench.pass(Duration::from_millis(9_999));
    assert!(sending(&bench).is_empty());
    bench.pass(Duration::from_millis(1));
    for name in ["a", "b", "c"] {
        assert_eq!(sending(&bench), [format!("create {name}")]);
        answer(&mut bench, None);
    }
    say(&mut bench, "kubelet", "e");
    say(&mut bench, "kubelet", "e");
    assert_eq!(sending(&bench), ["create e", "patch e"], "and then all is as it was");
}

#[test]
fn an_event_is_given_up_after_twelve_tries_and_the_next_has_its_own() {
    let mut bench = witness(RECORDER);
    say(&mut bench, "kubelet", "a");
    say(&mut bench, "kubelet", "b");
    let mut tries = Vec::new();
    while tries.len() < 30 && !sending(&bench).is_empty() {
        tries.push(sending(&bench).remove(0));
        answer(&mut bench, nobody());
        if sending(&bench).is_empty() {
            bench.pass(RECORDER.pause);
        }
    }
    let of = |name: &str| tries.iter().filter(|tried| tried.ends_with(name)).count();
    // `b` was sent beside `a` when all seemed well.
    assert_eq!((of("a"), of("b")), (12, 1 + 12), "{tries:?}");
}

#[test]
fn what_a_server_refuses_is_not_tried_again_and_what_is_gone_begins_anew() {
    let mut bench = witness(RECORDER);
    say(&mut bench, "kubelet", "a");
    answer(&mut bench, Some(ApiError::new(Reason::InternalError, "etcdserver: no leader")));
    bench.pass(RECORDER.pause);
    assert!(sending(&bench).is_empty());
    say(&mut bench, "kubelet", "a");
    assert_eq!(sending(&bench), ["patch a"]);
    let gone = ApiError::new(Reason::NotFound, "not found");
    answer(&mut bench, Some(gone));
    assert_eq!(sending(&bench), ["create a"]);
    let event = words(&bench.asked[0].1).1.expect("an Event");
    assert_eq!(event.event().expect("an Event").count, 2);
}

#[test]
fn more_than_a_queue_full_is_lost() {
    let mut bench = witness(RecorderSettings { queue: 2, ..RECORDER });
    say(&mut bench, "kubelet", "a");
    answer(&mut bench, nobody());
    for name in ["b", "c"] {
        say(&mut bench, "kubelet", name);
    }
    bench.pass(RECORDER.pause);
    for name in ["a", "b"] {
        assert_eq!(sending(&bench), [format!("create {name}")]);
        answer(&mut bench, None);
    }
    assert!(sending(&bench).is_empty());
}

#[test]
fn an_event_is_named_by_the_nanoseconds_of_the_clock() {
    let mut bench = witness(RECORDER);
    for source in ["kubelet", "scheduler", "kubelet"] {
        say(&mut bench, source, if source == "kubelet" { "a" } else { "b" });
    }
    bench.pass(Duration::from_secs(1));
    let before = bench.asked.len();
    say(&mut bench, "kubelet", "c");
    let names: Vec<String> = bench
        .asked
        .iter()
        .map(|(_, request)| words(request).1)
        .map(|object| object.expect("an Event").name().to_string())
        .collect();
    let nanoseconds = |name: &String| {
        let (of, suffix) = name.split_once('.').expect("a suffix");
        (of.to_owned(), u64::from_str_radix(suffix, 16).expect("hex"))
    };
    let (first, second, last) =
        (nanoseconds(&names[0]), nanoseconds(&names[1]), nanoseconds(&names[before]));
    assert_eq!((first.0.as_str(), second.0.as_str(), last.0.as_str()), ("a", "b", "c"));
    assert_eq!(second.1 - first.1, 1, "one microsecond has room for both");
    assert_eq!((last.1 - first.1) / 1_000, 1_000_000, "a second later");
    assert_eq!(names[0].len(), "a.17f4817f8d1ca000".len(), "{names:?}");
}
