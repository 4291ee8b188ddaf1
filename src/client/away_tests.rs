//! A client that is sent away: what it asks again, what it keeps, and when it closes.

use super::testing::RETRIES;
use super::*;
use crate::api::{Answer, Freshness, Kind, ObjectKey, Revision, Selector, Verb, WatchEvent};
use crate::api::{Object, WatchKind, kinds::Node};
use crate::engine::{Duration, Text};
use crate::infra::testbed::{Testbed, requests, timers};
use crate::infra::{Address, Broken, ConnectionId, Ctx, Effect, EndpointId};
use crate::wire::Message;
use std::sync::Arc;

/// A client, and what comes of it.
struct Desk {
    api: Api<&'static str>,
    bed: Testbed<Alarm>,
    /// What it has asked, on which connection and by which number, and not yet been answered.
    asked: Vec<(ConnectionId, u32)>,
    closed: Vec<ConnectionId>,
}

/// A client that watches, and whose server has spoken; its connection.
fn watching() -> (Desk, ConnectionId) {
    let server = Address::Endpoint(EndpointId(0));
    let api = Api::new(0, server, Duration::from_secs(60), RETRIES);
    let bed = Testbed::new("client", "vm");
    let mut desk = Desk { api, bed, asked: Vec::new(), closed: Vec::new() };
    desk.ask(Verb::Watch(Kind::Node, Selector::All, Revision(1)), "watch");
    let (old, watch) = desk.asked.remove(0);
    assert!(desk.hear(old, Message::Answer(watch, Ok(Answer::Watching))).is_some());
    (desk, old)
}

impl Desk {
    fn play<R>(&mut self, act: impl FnOnce(&mut Api<&'static str>, &mut Ctx<Alarm>) -> R) -> R {
        let (mut result, api) = (None, &mut self.api);
        let effects = self.bed.play(|ctx| result = Some(act(api, ctx)));
        assert!(timers(&effects).iter().all(|(_, alarm)| alarm.ring == Ring::Deadline));
        self.asked.extend(requests(&effects).into_iter().map(|(to, asked)| (to, asked.id)));
        self.closed.extend(effects.iter().filter_map(|effect| match effect {
            Effect::Close(connection) => Some(*connection),
            _ => None,
        }));
        result.expect("it was played")
    }

    fn ask(&mut self, verb: Verb, token: &'static str) {
        self.play(|api, ctx| api.send(ctx, "test", verb, token));
    }

    fn hear(&mut self, from: ConnectionId, message: Message) -> Option<Incoming<&'static str>> {
        self.play(|api, ctx| api.on_message(ctx, from, message))
    }

    fn breaks(&mut self, connection: ConnectionId) -> Vec<Incoming<&'static str>> {
        self.play(|api, ctx| api.on_broken(ctx, connection, Broken::Closed))
    }
}

fn get() -> Verb {
    let name = Text::word("worker-0");
    Verb::Get(ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name })
}

fn write() -> Verb {
    Verb::Create(Arc::new(node()))
}

fn node() -> Object {
    Object::new(crate::api::Meta::new(Kind::Node, "", "worker-0"), Node::default())
}

fn event(watch: u32) -> Message {
    Message::Watch(WatchEvent { watch, kind: WatchKind::Added, object: Arc::new(node()) })
}

#[test]
fn what_the_server_has_not_taken_is_asked_again_elsewhere_and_nobody_is_told() {
    let (mut desk, old) = watching();
    desk.ask(get(), "taken");
    desk.ask(write(), "untaken");
    let [(_, taken), (_, untaken)] = desk.asked[..] else { panic!("two were asked") };
    desk.asked.clear();
    assert!(desk.hear(old, Message::GoAway(taken)).is_none());
    let [(new, again)] = desk.asked[..] else { panic!("one is asked again: {:?}", desk.asked) };
    assert!(new != old && again > untaken);
    let answer = Message::Answer(taken, Ok(Answer::Done));
    assert!(matches!(desk.hear(old, answer), Some(Incoming::Answer("taken", Ok(_)))));
    let answer = Message::Answer(again, Ok(Answer::Done));
    assert!(matches!(desk.hear(new, answer), Some(Incoming::Answer("untaken", Ok(_)))));
    desk.ask(get(), "next");
    assert_eq!(desk.asked[1].0, new, "it asks on the new connection from now on");
}

#[test]
fn a_watch_goes_on_on_the_old_connection_until_the_server_ends() {
    let (mut desk, old) = watching();
    assert!(desk.hear(old, Message::GoAway(1)).is_none());
    desk.ask(get(), "get");
    let (new, _) = desk.asked[0];
    assert!(new != old);
    assert!(matches!(desk.hear(old, event(1)), Some(Incoming::Watch("watch", _))));
    assert!(desk.closed.is_empty());
    let ended = desk.breaks(old);
    assert!(matches!(ended[..], [Incoming::WatchEnded("watch", _)]), "{ended:?}");
    assert!(desk.breaks(old).is_empty(), "it is over");
    assert!(desk.api.is_on(new) && !desk.api.is_on(old));
}

#[test]
fn a_connection_on_which_nothing_is_open_any_more_is_closed() {
    let (mut desk, old) = watching();
    desk.ask(Verb::List(Kind::Node, Selector::All, Freshness::Any), "list");
    assert!(desk.hear(old, Message::GoAway(2)).is_none());
    let ended = crate::api::ApiError::unreachable("EOF");
    assert!(desk.hear(old, Message::WatchEnded(1, ended)).is_some());
    assert!(desk.closed.is_empty(), "a list is under way");
    let list = Answer::List(Revision(5), Vec::new());
    assert!(desk.hear(old, Message::Answer(2, Ok(list))).is_some());
    assert_eq!(desk.closed, [old]);
    assert!(!desk.api.is_on(old));
}

#[test]
fn who_has_nothing_open_is_gone_at_once() {
    let (mut desk, old) = watching();
    let ended = crate::api::ApiError::unreachable("EOF");
    desk.hear(old, Message::WatchEnded(1, ended));
    assert!(desk.closed.is_empty(), "it is kept for what is asked next");
    assert!(desk.hear(old, Message::GoAway(1)).is_none());
    assert_eq!(desk.closed, [old]);
}
