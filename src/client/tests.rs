//! Queues, limiters and caches: the laws that controllers rely on.

use super::*;
use crate::api::{EtcdCall, Forward, Kind, ObjectKey, Verb};
use crate::engine::{Duration, SimTime, Text};
use crate::infra::{Address, EndpointId};
use crate::timeline::Cause;

fn key(name: &'static str) -> ObjectKey {
    ObjectKey { kind: Kind::Machine, namespace: Text::word("default"), name: Text::word(name) }
}

fn secs(seconds: u64) -> SimTime {
    SimTime::ZERO + Duration::from_secs(seconds)
}

const RULES: BackoffRules = BackoffRules { first: "first", limit: "limit" };

fn queue(gap: u64) -> WorkQueue {
    let backoff = Backoff::new(Duration::from_millis(5), Duration::from_secs(1000));
    WorkQueue::new(backoff, Duration::from_secs(gap))
}

#[test]
fn a_key_that_waits_already_is_not_queued_twice() {
    let mut queue = queue(0);
    let (pause, first) =
        queue.add(&key("a"), Duration::ZERO, Cause::NONE, secs(1)).expect("queued");
    assert_eq!(pause, Duration::ZERO);
    assert!(queue.add(&key("a"), Duration::ZERO, Cause::NONE, secs(1)).is_none());
    assert!(queue.begin(&key("a"), first, secs(1)).is_some());
    assert!(queue.begin(&key("a"), first, secs(1)).is_none(), "one timer, one turn");
}

#[test]
fn an_earlier_delay_replaces_a_later_one() {
    let mut queue = queue(0);
    let (_, later) =
        queue.add(&key("a"), Duration::from_secs(9), Cause::NONE, secs(1)).expect("queued");
    let (_, sooner) =
        queue.add(&key("a"), Duration::from_secs(2), Cause::NONE, secs(1)).expect("sooner");
    assert!(queue.begin(&key("a"), sooner, secs(3)).is_some());
    assert!(queue.begin(&key("a"), later, secs(10)).is_none());
}

#[test]
fn a_delayed_turn_comes_even_if_the_key_had_one_in_between() {
    let mut queue = queue(0);
    let (_, later) =
        queue.add(&key("a"), Duration::from_secs(20), Cause::NONE, secs(1)).expect("queued");
    let (_, now) = queue.add(&key("a"), Duration::ZERO, Cause::NONE, secs(1)).expect("at once");
    assert!(queue.begin(&key("a"), now, secs(1)).is_some());
    assert!(queue.begin(&key("a"), later, secs(21)).is_none(), "it is being worked on");
    assert!(queue.end(&key("a")).is_some(), "so it comes right after");
}

#[test]
fn a_key_that_changes_while_it_is_worked_on_comes_again_afterwards() {
    let mut queue = queue(0);
    let (_, timer) = queue.add(&key("a"), Duration::ZERO, Cause::NONE, secs(1)).expect("queued");
    queue.begin(&key("a"), timer, secs(1));
    assert!(queue.add(&key("a"), Duration::ZERO, Cause::NONE, secs(2)).is_none());
    assert!(queue.end(&key("a")).is_some(), "wanted again");
    assert!(queue.end(&key("a")).is_none());
}

#[test]
fn two_turns_of_one_key_keep_the_minimum_gap() {
    let mut queue = queue(15);
    let (_, timer) = queue.add(&key("a"), Duration::ZERO, Cause::NONE, secs(100)).expect("queued");
    queue.begin(&key("a"), timer, secs(100));
    queue.end(&key("a"));
    queue.forget(&key("a"));
    let (pause, _) = queue.add(&key("a"), Duration::ZERO, Cause::NONE, secs(104)).expect("queued");
    assert_eq!(pause, Duration::from_secs(11));
}

#[test]
fn failures_pause_longer_and_longer_until_a_success() {
    let mut queue = queue(0);
    queue.add(&key("a"), Duration::ZERO, Cause::NONE, secs(1));
    let millis = |duration: Duration| duration.as_micros() / 1000;
    let pauses: Vec<u64> = (0..4).map(|_| millis(queue.fail(&key("a"), &RULES).1)).collect();
    assert_eq!(pauses, [5, 10, 20, 40]);
    for _ in 0..30 {
        queue.fail(&key("a"), &RULES);
    }
    assert_eq!(queue.fail(&key("a"), &RULES), ("limit", Duration::from_secs(1000)));
    queue.succeed(&key("a"));
    assert_eq!(millis(queue.fail(&key("a"), &RULES).1), 5);
}

#[test]
fn a_pause_is_there_for_the_first_value_until_the_limit_has_taken_over() {
    let pauses = |first, limit| {
        let [first, limit] = [first, limit].map(Duration::from_secs);
        let mut backoff = Backoff::new(first, limit);
        [(); 3].map(|()| backoff.fail(&RULES)).map(|(rule, pause)| (rule, pause.as_secs()))
    };
    assert_eq!(pauses(4, 10), [("first", 4), ("first", 8), ("limit", 10)]);
    assert_eq!(pauses(11, 10), [("first", 11), ("limit", 10), ("limit", 10)]);
}

#[test]
fn a_bucket_of_one_lets_one_through_each_interval() {
    let mut bucket = TokenBucket::new(Duration::from_secs(10), 1);
    assert!(bucket.try_take(secs(100)));
    assert!(!bucket.try_take(secs(109)));
    assert!(bucket.try_take(secs(110)));
    bucket.drain(secs(200));
    assert!(!bucket.try_take(secs(209)));
    assert!(bucket.try_take(secs(210)));
}

#[test]
fn a_bucket_of_thirty_lets_a_burst_through_and_then_its_rate() {
    let mut bucket = TokenBucket::new(Duration::from_millis(50), 30);
    for _ in 0..30 {
        assert_eq!(bucket.reserve(secs(1)), Duration::ZERO);
    }
    assert_eq!(bucket.reserve(secs(1)), Duration::from_millis(50));
    assert_eq!(bucket.reserve(secs(1)), Duration::from_millis(100));
}

#[test]
fn a_deferred_key_waits_whoever_wants_it_and_whenever_it_was_wanted() {
    let mut queue = queue(1);
    let (_, before) =
        queue.add(&key("a"), Duration::from_secs(3), Cause::NONE, secs(0)).expect("queued");
    let (_, timer) = queue.add(&key("a"), Duration::ZERO, Cause::NONE, secs(0)).expect("queued");
    assert!(queue.begin(&key("a"), timer, secs(0)).is_some());
    queue.defer(&key("a"), "deferral", secs(5));
    queue.end(&key("a"));
    let (pause, event) =
        queue.add(&key("a"), Duration::ZERO, Cause::NONE, secs(2)).expect("queued");
    assert_eq!((pause, queue.held_by(&key("a"), "gap")), (Duration::from_secs(3), "deferral"));
    let held = queue.hold_back(&key("a"), before, secs(3)).expect("it was set before");
    assert_eq!((held.0, held.1), ("deferral", Duration::from_secs(2)));
    assert_eq!(queue.hold_back(&key("a"), before, secs(3)), None, "it is not current any more");
    assert_eq!(queue.hold_back(&key("a"), event, secs(5)), None, "its time has come");
    assert!(queue.begin(&key("a"), event, secs(5)).is_some());
    queue.end(&key("a"));
    assert_eq!(queue.held_by(&key("a"), "gap"), "gap");
}

#[test]
fn the_other_cluster_has_its_own_limit_and_what_goes_on_to_a_node_has_not() {
    let client = |number| {
        let settings = ClientSettings {
            request_timeout: Duration::from_secs(60),
            retries: super::testing::RETRIES,
            relist_first: Duration::from_secs(1),
            relist_limit: Duration::from_secs(30),
            relist_jitter_percent: 0,
            relist_reset: Duration::from_secs(120),
            recorder: super::testing::RECORDER,
        };
        Client::<Flight>::new(number, Address::Endpoint(EndpointId(0)), settings)
    };
    let remote_limit = Some(("remote", Duration::from_secs(10)));
    let mut clients = Clients { local: client(0), remote: Some(client(1)), remote_limit };
    let mut limit = |target, verb, within| {
        let (rule, length) = clients.limit_of(&Ask { within, ..Ask::new(target, verb) });
        (rule, length.as_secs())
    };
    let get = || Verb::Get(key("a"));
    assert_eq!(limit(Target::Local, get(), None), (USUAL, 60));
    assert_eq!(limit(Target::Remote, get(), None), ("remote", 10));
    let own = |secs| Some(("own", Duration::from_secs(secs)));
    assert_eq!(limit(Target::Remote, get(), own(3)), ("own", 3));
    assert_eq!(limit(Target::Remote, get(), own(30)), ("remote", 10));
    let (node, timeout) = (Text::word("w"), Duration::from_secs(15));
    let call = Verb::Forward(Forward { node, call: EtcdCall::Status, timeout });
    assert_eq!(limit(Target::Remote, call, None), (USUAL, 15));
}
