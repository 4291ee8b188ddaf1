//! A workload cluster is lost after several failures, and judged again once it is listed anew.

use super::testing::{Bench, words};
use super::*;
use crate::api::kinds::Node;
use crate::api::{Answer, ApiError, Kind, Meta, Object, Selector};
use crate::engine::{Duration, Phase, Rhythm, Text};
use crate::infra::{ActivityId, Address, Broken, Ctx, Effect, EndpointId, Input, Start};

const PROBE: ActivityId = ActivityId(1);

#[derive(Clone, Debug)]
struct Event(Alarm);

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event(alarm)
    }
}

/// A controller that does nothing but know the Nodes.
struct Watcher {
    cache: ClusterCache,
    client: Client<()>,
    /// How often it was connected again.
    returned: u32,
    /// How often it was not listed in time.
    in_vain: u32,
}

impl Watcher {
    fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let mut news = Vec::new();
        match input {
            Input::Started(_) => {
                self.client.watch(ctx, Kind::Node, Selector::All);
                self.cache.start(Phase::AfterPause, ctx);
            }
            Input::Tick(_) => {
                let over = self.cache.tick(&mut self.client, (), &mut news, ctx);
                self.in_vain += u32::from(over);
            }
            Input::Message(from, message) => self.client.on_message(ctx, from, message, &mut news),
            Input::Broken(which, how) => self.client.on_broken(ctx, which, how, &mut news),
            Input::Due(Event(alarm)) => self.client.on_alarm(ctx, alarm, &mut news),
            _ => {}
        }
        while let Some(item) = news.pop() {
            match item {
                News::Answer((), answered) => {
                    self.cache.answered(&answered, &mut self.client, &mut news, ctx);
                }
                News::Synced(_) => self.returned += u32::from(self.cache.synced(ctx)),
                News::Changed(_) => {}
            }
        }
    }
}

fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn node(name: &'static str) -> Object {
    Object::new(Meta::new(Kind::Node, "", name), Node::default())
}

fn watcher() -> Bench<Watcher, Event> {
    watcher_by(Rhythm::Ticker)
}

fn watcher_by(rhythm: Rhythm) -> Bench<Watcher, Event> {
    let (server, timeout) = (Address::Endpoint(EndpointId(1)), secs(10));
    let settings = ClientSettings {
        request_timeout: timeout,
        retries: super::testing::RETRIES,
        relist_first: secs(1),
        relist_limit: secs(30),
        relist_jitter_percent: 0,
        relist_reset: secs(120),
        recorder: crate::client::testing::RECORDER,
    };
    let probe = ProbeSettings {
        interval: secs(10),
        rhythm,
        timeout: secs(5),
        failures: 5,
        reconnect: secs(30),
        sync: secs(300),
    };
    let cache = ClusterCache::new(PROBE, probe);
    let watcher =
        Watcher { cache, client: Client::new(0, server, settings), returned: 0, in_vain: 0 };
    Bench::started(watcher, "watcher", Watcher::on_event, Start::Fresh, &[node("old")])
}

/// Ten seconds pass, and the probe's time comes; what it asked, if it asked.
fn tick(bench: &mut Bench<Watcher, Event>) -> Option<(crate::infra::ConnectionId, u32)> {
    bench.bed.pass(secs(10));
    bench.play(Input::Tick(PROBE));
    let place = bench.asked.iter().position(|(_, it)| it.agent == "cluster-cache-probe")?;
    let (connection, request) = bench.asked.remove(place);
    assert_eq!(words(&request).0, "get /");
    Some((connection, request.id))
}

/// So many probes find nobody.
fn fail(bench: &mut Bench<Watcher, Event>, times: u32) {
    for _ in 0..times {
        let (connection, id) = tick(bench).expect("a probe");
        bench.answer(connection, id, Err(ApiError::unreachable("context deadline exceeded")));
    }
}

/// The next probe is answered.
fn succeed(bench: &mut Bench<Watcher, Event>) {
    let (connection, id) = tick(bench).expect("a probe");
    bench.answer(connection, id, Ok(Answer::Done));
}

fn names(bench: &Bench<Watcher, Event>) -> Vec<Text> {
    let nodes = bench.component.client.caches.list(Kind::Node);
    nodes.map(|node| node.name().clone()).collect()
}

fn is_connected(bench: &Bench<Watcher, Event>) -> bool {
    bench.component.cache.contact().connected
}

#[test]
fn one_answer_in_between_makes_the_failures_begin_anew() {
    let mut bench = watcher();
    fail(&mut bench, 4);
    succeed(&mut bench);
    let reached = bench.component.cache.contact().reached;
    assert_eq!(reached, bench.bed.now);
    fail(&mut bench, 4);
    assert!(is_connected(&bench) && bench.component.cache.contact().reached == reached);
}

#[test]
fn what_was_known_counts_again_only_when_it_is_listed_anew() {
    let mut bench = watcher();
    fail(&mut bench, 5);
    assert!(!is_connected(&bench));
    assert_eq!((tick(&mut bench), tick(&mut bench)), (None, None), "the next try is 30 s later");
    succeed(&mut bench);
    assert!(!is_connected(&bench), "nobody has said yet how things stand");
    assert_eq!(bench.waiting(), ["list Node"]);
    assert_eq!(names(&bench), ["old"]);
    bench.list(&[node("new")]);
    assert!(is_connected(&bench) && bench.component.returned == 1);
    assert_eq!(names(&bench), ["new"]);
    // And from then on it is a connection like any other.
    fail(&mut bench, 4);
    assert!(is_connected(&bench));
}

#[test]
fn a_try_that_fails_is_followed_by_another() {
    let mut bench = watcher();
    fail(&mut bench, 5);
    for _ in 0..3 {
        assert_eq!((tick(&mut bench), tick(&mut bench)), (None, None));
        fail(&mut bench, 1);
    }
    assert!(!is_connected(&bench) && bench.waiting().is_empty());
}

#[test]
fn a_pause_from_before_lists_nothing_twice() {
    let mut bench = watcher();
    let (connection, _) = tick(&mut bench).expect("a probe");
    // The connection is lost: the probe fails, and the Nodes are to be listed after a pause.
    bench.play(Input::Broken(connection, Broken::Lost));
    assert_eq!(bench.timers.iter().filter(|(delay, _)| *delay == secs(1)).count(), 1);
    fail(&mut bench, 4);
    assert!(!is_connected(&bench));
    assert_eq!((tick(&mut bench), tick(&mut bench)), (None, None));
    succeed(&mut bench);
    // The first list fails: the pause after it is not the one from before.
    let (connection, request) = bench.asked.remove(0);
    bench.answer(connection, request.id, Err(ApiError::unreachable("connection refused")));
    bench.pass(secs(60));
    assert_eq!(bench.waiting(), ["list Node"]);
    assert!(!is_connected(&bench));
    bench.list(&[node("new")]);
    assert!(is_connected(&bench) && bench.waiting().is_empty());
}

#[test]
fn a_cluster_that_is_not_listed_in_time_is_connected_to_anew() {
    let mut bench = watcher_by(Rhythm::AfterEnd);
    let reached = bench.component.cache.contact().reached;
    fail(&mut bench, 5);
    bench.bed.pass(secs(20));
    succeed(&mut bench);
    for _ in 0..29 {
        assert_eq!(tick(&mut bench), None);
    }
    assert_eq!((bench.component.in_vain, bench.waiting().len()), (0, 1));
    assert_eq!(tick(&mut bench), None);
    assert_eq!(bench.component.in_vain, 1);
    assert_eq!(bench.component.cache.contact().reached, reached, "it told nothing");
    // The answer to what was dropped comes to nobody.
    bench.list(&[node("late")]);
    assert!(!is_connected(&bench));
    assert_eq!(names(&bench), ["old"]);
    bench.bed.pass(secs(20));
    succeed(&mut bench);
    bench.list(&[node("new")]);
    assert!(is_connected(&bench) && bench.component.returned == 1);
}

/// How often the next probe was set for ten seconds from then.
fn rests(effects: &[Effect<Event>]) -> usize {
    let is_rest =
        |effect: &&Effect<Event>| matches!(effect, Effect::Arm(PROBE, pause) if *pause == secs(10));
    effects.iter().filter(is_rest).count()
}

/// What a tick sets, and the probe that it asks for.
fn tick_at_end(
    bench: &mut Bench<Watcher, Event>,
) -> (usize, Option<(crate::infra::ConnectionId, u32)>) {
    let effects = bench.play(Input::Tick(PROBE));
    let place = bench.asked.iter().position(|(_, it)| it.agent == "cluster-cache-probe");
    let asked = place.map(|place| bench.asked.remove(place));
    (rests(&effects), asked.map(|(connection, request)| (connection, request.id)))
}

#[test]
fn a_probe_that_counts_from_the_end_is_set_by_the_end_of_the_last() {
    let mut bench = watcher_by(Rhythm::AfterEnd);
    let in_vain = || Err(ApiError::unreachable("context deadline exceeded"));
    let begun = bench.bed.now;
    for _ in 0..5 {
        bench.bed.pass(secs(10));
        let (set, probe) = tick_at_end(&mut bench);
        let (connection, id) = probe.expect("a probe");
        assert_eq!(set, 0, "nothing comes before its answer");
        bench.bed.pass(secs(5));
        assert_eq!(rests(&bench.answer(connection, id, in_vain())), 1);
    }
    assert_eq!(bench.bed.now.since(begun), secs(75));
    assert!(!is_connected(&bench));
    for _ in 0..2 {
        for _ in 0..2 {
            bench.bed.pass(secs(10));
            assert_eq!(tick_at_end(&mut bench), (1, None));
        }
        bench.bed.pass(secs(9));
        assert_eq!(tick_at_end(&mut bench), (1, None), "not 30 s from its end");
        bench.bed.pass(secs(1));
        let (connection, id) = tick_at_end(&mut bench).1.expect("a try");
        bench.bed.pass(secs(5));
        assert_eq!(rests(&bench.answer(connection, id, in_vain())), 1);
    }
    bench.bed.pass(secs(30));
    let (connection, id) = tick_at_end(&mut bench).1.expect("a try");
    bench.answer(connection, id, Ok(Answer::Done));
    bench.bed.pass(secs(10));
    assert_eq!(tick_at_end(&mut bench), (1, None), "it is listed first");
    bench.list(&[node("new")]);
    assert!(is_connected(&bench));
}
