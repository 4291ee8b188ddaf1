//! A client's own limit: what is sent at once, what later and in which order, and what counts.

use super::testing::{RECORDER, RETRIES};
use super::*;
use crate::api::kinds::EventType;
use crate::api::{ApiError, Kind, ObjectKey, Reason, Verb};
use crate::engine::{Duration, SimTime, Text};
use crate::infra::testbed::{Testbed, requests, timers};
use crate::infra::{Address, ConnectionId, Ctx, Effect, EndpointId};
use crate::wire::Message;

const TIMEOUT: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(50);
const PACE: Pace = Pace { rule: "the limit", interval: INTERVAL, burst: 30, clientset };

fn clientset(agent: &'static str) -> Option<Clientset> {
    match agent {
        "unlimited" => None,
        "fast" => Some(Clientset { name: agent, times: 2 }),
        "events of test" => clientset("test"),
        _ => Some(Clientset { name: agent, times: 1 }),
    }
}

/// A client, what it has sent and when, and what it waits for.
struct Desk {
    client: Client<u32>,
    bed: Testbed<Alarm>,
    sent: Vec<(u64, ConnectionId, crate::api::Request)>,
    waits: Vec<(Duration, Ring)>,
    news: Vec<News<u32>>,
}

fn desk() -> Desk {
    let settings = ClientSettings {
        request_timeout: TIMEOUT,
        retries: RETRIES,
        relist_first: Duration::from_secs(1),
        relist_limit: Duration::from_secs(30),
        relist_jitter_percent: 0,
        relist_reset: Duration::from_secs(120),
        recorder: RECORDER,
    };
    let client = Client::new(0, Address::Endpoint(EndpointId(0)), settings).paced(PACE);
    let bed = Testbed::new("client", "vm");
    Desk { client, bed, sent: Vec::new(), waits: Vec::new(), news: Vec::new() }
}

impl Desk {
    fn play(&mut self, act: impl FnOnce(&mut Client<u32>, &mut Ctx<Alarm>, &mut Vec<News<u32>>)) {
        let effects: Vec<Effect<Alarm>> =
            self.bed.play(|ctx| act(&mut self.client, ctx, &mut self.news));
        let now = self.now();
        self.sent.extend(requests(&effects).into_iter().map(|(to, asked)| (now, to, asked)));
        let at = self.bed.now.since(SimTime::ZERO);
        self.waits.extend(timers(&effects).into_iter().map(|(after, a)| (at + after, a.ring)));
    }

    /// Milliseconds since the beginning.
    fn now(&self) -> u64 {
        self.bed.now.since(SimTime::ZERO).as_micros() / 1000
    }

    fn ask(&mut self, agent: &'static str, number: u32) {
        self.play(|client, ctx, _| client.ask(ctx, agent, get(), number));
    }

    fn ask_at_turn(&mut self, number: u32, turn: Turn) {
        self.play(|client, ctx, _| client.ask_in_turn(ctx, "test", get(), number, turn));
    }

    fn record(&mut self, message: &'static str) {
        let (kind, about) = (EventType::Normal, key());
        self.play(|client, ctx, _| {
            client.record(ctx, "events of test", kind, &about, "Killing", Text::word(message));
        });
    }

    /// Lets time pass, with all that falls due until then.
    fn pass(&mut self, length: Duration) {
        let end = self.bed.now + length;
        loop {
            self.waits.sort_by_key(|(at, _)| *at);
            let next = self.waits.first().copied();
            let Some((at, ring)) = next.filter(|(at, _)| SimTime::ZERO + *at <= end) else { break };
            self.waits.remove(0);
            self.bed.pass((SimTime::ZERO + at).since(self.bed.now));
            let alarm = Alarm { client: 0, ring };
            self.play(|client, ctx, news| client.on_alarm(ctx, alarm, news));
        }
        self.bed.pass(end.since(self.bed.now));
    }

    /// When what was sent since the last look was.
    fn times(&mut self) -> Vec<u64> {
        self.sent.drain(..).map(|(at, ..)| at).collect()
    }

    fn answer(&mut self, place: usize, error: ApiError) {
        let (_, from, request) = self.sent.remove(place);
        let message = Message::Answer(request.id, Err(error));
        self.play(|client, ctx, news| client.on_message(ctx, from, message, news));
    }
}

fn key() -> ObjectKey {
    ObjectKey { kind: Kind::Pod, namespace: Text::word("default"), name: Text::word("web") }
}

fn get() -> Verb {
    Verb::Get(key())
}

#[test]
fn what_comes_after_the_burst_is_sent_every_50_ms_in_order() {
    let mut desk = desk();
    (0..33).for_each(|number| desk.ask("test", number));
    assert_eq!(desk.times(), [0; 30]);
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.times(), [50, 100, 150]);
    desk.ask("test", 33);
    assert_eq!(desk.times(), [1000], "tokens have come back meanwhile");
}

#[test]
fn without_a_lack_of_tokens_there_is_no_timer_but_the_time_out() {
    let mut desk = desk();
    (0..30).for_each(|number| desk.ask("test", number));
    assert!(desk.waits.iter().all(|(_, ring)| *ring == Ring::Deadline), "{:?}", desk.waits);
    assert!(!desk.client.api.holds_back("test"));
}

#[test]
fn agents_do_not_share_but_those_of_one_clientset_do() {
    let mut desk = desk();
    (0..31).for_each(|number| desk.ask("test", number));
    desk.ask("other", 31);
    desk.ask("unlimited", 32);
    assert_eq!(desk.times().len(), 32);
    assert!(desk.client.api.holds_back("events of test"));
    assert!(!desk.client.api.holds_back("other"));
    desk.record("an Event takes a token of its controller's");
    assert_eq!(desk.times().len(), 0);
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.times(), [50, 100]);
}

#[test]
fn some_ask_faster() {
    let mut desk = desk();
    (0..32).for_each(|number| desk.ask("fast", number));
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.times()[30..], [25, 50]);
}

#[test]
fn the_time_out_counts_from_the_sending() {
    let mut desk = desk();
    (0..130).for_each(|number| desk.ask("test", number));
    desk.pass(TIMEOUT);
    let given_up = |desk: &mut Desk| std::mem::take(&mut desk.news).len();
    assert_eq!(given_up(&mut desk), 30, "those that were sent at once");
    desk.pass(INTERVAL);
    assert_eq!(given_up(&mut desk), 1);
    desk.pass(INTERVAL * 99);
    assert_eq!(given_up(&mut desk), 99);
}

#[test]
fn who_stands_in_a_line_holds_up_nobody_else() {
    let mut desk = desk();
    (0..30).for_each(|number| desk.ask("test", number));
    let line = || Turn::after_others(Text::word("pods"));
    (30..40).for_each(|number| desk.ask_at_turn(number, line()));
    desk.ask("test", 40);
    (0..3).for_each(|_| desk.record("a line, too"));
    let (start, mut order) = (desk.sent.len(), Vec::new());
    desk.pass(Duration::from_secs(1));
    for (at, _, request) in &desk.sent[start..] {
        order.push((*at, matches!(request.verb, Verb::Get(_))));
    }
    let events: Vec<u64> = order.iter().filter(|(_, get)| !get).map(|(at, _)| *at).collect();
    assert_eq!(events, [150, 250, 350], "one of the Pods, one of the Events");
    assert_eq!(order.len(), 14);
}

#[test]
fn a_read_that_is_not_played_takes_its_token_before() {
    let mut desk = desk();
    (0..29).for_each(|number| desk.ask("test", number));
    desk.ask_at_turn(29, Turn::FREE.with_read());
    desk.ask("test", 30);
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.times()[29..], [50, 100]);
}

#[test]
fn what_is_sent_again_takes_another_token() {
    let mut desk = desk();
    (0..30).for_each(|number| desk.ask("test", number));
    let busy = ApiError::new(Reason::TooManyRequests, "later");
    let busy = busy.retry_after("pause", Duration::ZERO);
    desk.answer(0, busy);
    desk.times();
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.times(), [50]);
}

#[test]
fn a_line_that_is_dropped_with_the_connection_does_not_block_the_next() {
    let mut desk = desk();
    let line = || Turn::after_others(Text::word("pods"));
    (0..33).for_each(|number| desk.ask_at_turn(number, line()));
    desk.play(|client, ctx, news| client.let_go(ctx, news));
    assert_eq!(desk.news.len(), 33);
    desk.times();
    desk.ask_at_turn(33, line());
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.times(), [100], "the token that was reserved is gone");
}
