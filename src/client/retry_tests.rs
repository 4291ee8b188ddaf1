//! What is sent again by itself, when, and what is told of it.

use super::testing::RETRIES;
use super::*;
use crate::api::{Answer, ApiError, Freshness, Kind, ObjectKey, Reason, Revision, Selector, Verb};
use crate::engine::{Duration, Text};
use crate::infra::testbed::{Testbed, requests, timers};
use crate::infra::{Address, Broken, ConnectionId, Ctx, EndpointId};
use crate::wire::Message;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A client, and what it asks and when it will ask again.
struct Desk {
    api: Api<&'static str>,
    bed: Testbed<Alarm>,
    asked: Vec<(ConnectionId, u32)>,
    again: Vec<(Duration, Ring)>,
}

fn desk(retries: RetrySettings) -> Desk {
    let api = Api::new(0, Address::Endpoint(EndpointId(0)), TIMEOUT, retries);
    Desk { api, bed: Testbed::new("client", "vm"), asked: Vec::new(), again: Vec::new() }
}

impl Desk {
    fn play<R>(&mut self, act: impl FnOnce(&mut Api<&'static str>, &mut Ctx<Alarm>) -> R) -> R {
        let (mut result, api) = (None, &mut self.api);
        let effects = self.bed.play(|ctx| result = Some(act(api, ctx)));
        self.asked = requests(&effects).into_iter().map(|(to, asked)| (to, asked.id)).collect();
        let all = timers(&effects).into_iter().map(|(after, alarm)| (after, alarm.ring));
        self.again = all.filter(|(_, ring)| matches!(ring, Ring::Again(_))).collect();
        result.expect("it was played")
    }

    fn ask(&mut self, verb: Verb) {
        self.play(|api, ctx| api.send(ctx, "test", verb, "token"));
    }

    /// The connection is over: the words of the failures.
    fn broken(&mut self, how: Broken) -> Vec<Text> {
        let connection = self.asked[0].0;
        words(self.play(|api, ctx| api.on_broken(ctx, connection, how)))
    }

    fn answered(&mut self, error: ApiError) -> Vec<Text> {
        let (from, id) = self.asked[0];
        let answer = Message::Answer(id, Err(error));
        words(self.play(|api, ctx| api.on_message(ctx, from, answer)).into_iter().collect())
    }

    /// Waits until the pause is over, and for what is asked then.
    fn pass(&mut self) -> Duration {
        let (pause, ring) = self.again[0];
        self.bed.pass(pause);
        assert!(self.play(|api, ctx| api.on_alarm(ctx, ring)).is_empty());
        assert_eq!(self.asked.len(), 1, "it is asked again");
        pause
    }
}

fn words(all: Vec<Incoming<&'static str>>) -> Vec<Text> {
    let error = |one| match one {
        Incoming::Answer(_, Err(error)) | Incoming::WatchEnded(_, error) => error.message,
        other => panic!("{other:?}"),
    };
    all.into_iter().map(error).collect()
}

fn key() -> ObjectKey {
    ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name: Text::word("worker-0") }
}

fn list() -> Verb {
    Verb::List(Kind::Node, Selector::All, Freshness::Any)
}

fn watch() -> Verb {
    Verb::Watch(Kind::Node, Selector::All, Revision(1))
}

fn write() -> Verb {
    Verb::Delete { key: key(), grace: None, uid: None }
}

fn too_many() -> ApiError {
    let error = ApiError::new(Reason::TooManyRequests, "storage is (re)initializing");
    error.retry_after("rule", Duration::from_secs(3))
}

#[test]
fn reads_whose_connection_ends_are_sent_again_after_a_second_and_writes_are_not() {
    for verb in [Verb::Get(key()), list(), watch(), Verb::Paths] {
        let mut desk = desk(RETRIES);
        desk.ask(verb);
        let before = desk.asked[0].0;
        assert!(desk.broken(Broken::Reset).is_empty(), "nobody is told");
        assert_eq!(desk.pass(), Duration::from_secs(1));
        assert_ne!(desk.asked[0].0, before, "another connection");
    }
    let mut desk = desk(RETRIES);
    desk.ask(write());
    assert_eq!(desk.broken(Broken::Reset), ["read: connection reset by peer"]);
}

#[test]
fn a_refusal_is_told_at_once_and_names_what_went_wrong_before() {
    let mut desk = desk(RETRIES);
    desk.ask(list());
    assert_eq!(desk.broken(Broken::Refused), ["connect: connection refused"]);
    desk.ask(list());
    desk.broken(Broken::Reset);
    desk.pass();
    let both = "connect: connection refused - error from a previous attempt: read: connection \
                reset by peer";
    assert_eq!(desk.broken(Broken::Refused), [both]);
}

#[test]
fn whether_pings_that_nobody_answered_end_a_read_depends_on_the_release() {
    let retries = RetrySettings { unanswered_pings: UnansweredPings::Retry, ..RETRIES };
    for (retries, fails) in [(RETRIES, true), (retries, false)] {
        let mut desk = desk(retries);
        desk.ask(Verb::Get(key()));
        // The server has spoken, so it is not the dial that fails.
        let (from, _) = desk.asked[0];
        desk.play(|api, ctx| api.on_message(ctx, from, Message::Answer(99, Ok(Answer::Done))));
        desk.asked = vec![(from, 0)];
        assert_eq!(desk.broken(Broken::Lost).len(), usize::from(fails));
    }
}

#[test]
fn a_watch_is_opened_again_also_if_the_dial_took_too_long() {
    for (verb, fails) in [(watch(), false), (list(), true)] {
        let mut desk = desk(RETRIES);
        desk.ask(verb);
        assert_eq!(desk.broken(Broken::Unanswered).len(), usize::from(fails));
    }
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it_ten_times() {
    let mut desk = desk(RETRIES);
    desk.ask(write());
    for _ in 0..10 {
        assert!(desk.answered(too_many()).is_empty());
        assert_eq!(desk.pass(), Duration::from_secs(3));
    }
    assert_eq!(desk.answered(too_many()), ["storage is (re)initializing"]);
    desk.ask(write());
    let spent = ApiError::new(Reason::TooManyRequests, "the budget is spent");
    assert_eq!(desk.answered(spent), ["the budget is spent"], "without a header it is told");
}

#[test]
fn a_time_out_counts_over_all_attempts_but_for_who_lists_or_watches() {
    let limit = ("limit", Duration::from_secs(10));
    let long = too_many().retry_after("rule", Duration::from_secs(30));
    for (verb, told) in [(write(), 1), (list(), 0)] {
        let mut desk = desk(RETRIES);
        desk.play(|api, ctx| api.send_within(ctx, "test", verb, "token", limit));
        assert!(desk.answered(long.clone()).is_empty());
        desk.bed.pass(Duration::from_secs(10));
        let late = words(desk.play(|api, ctx| api.on_alarm(ctx, Ring::Deadline)));
        assert_eq!(late.len(), told);
        assert!(late.iter().all(|words| *words == *"context deadline exceeded"));
    }
}

#[test]
fn who_lets_go_hears_of_what_waits_and_who_hangs_up_asks_nothing_more() {
    for lets_go in [true, false] {
        let mut desk = desk(RETRIES);
        desk.ask(list());
        desk.broken(Broken::Reset);
        let ring = desk.again[0].1;
        let told = desk.play(|api, ctx| match lets_go {
            true => api.let_go(ctx),
            false => {
                api.disconnect(ctx);
                Vec::new()
            }
        });
        assert_eq!(told.len(), usize::from(lets_go));
        desk.bed.pass(Duration::from_secs(1));
        desk.play(|api, ctx| api.on_alarm(ctx, ring));
        assert!(desk.asked.is_empty());
    }
}
