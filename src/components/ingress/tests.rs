//! The ingress: where requests go, and what is said when nobody answers.

use super::*;
use crate::api::kinds::EndpointSlice;
use crate::api::{Meta, Object, WatchKind};
use crate::client::testing::Bench;
use crate::engine::Duration;
use crate::infra::{Broken, Effect, EndpointId, ProcessId, Start};

const USER: ConnectionId = ConnectionId { client: ProcessId(7), count: 1 };

fn slice(ready: &[(&'static str, u64, bool)]) -> Object {
    let endpoints = ready
        .iter()
        .map(|(node, uid, ready)| Endpoint {
            node: Text::word(node),
            uid: Uid(*uid),
            ready: *ready,
            ..Endpoint::default()
        })
        .collect();
    let mut meta = Meta::new(Kind::EndpointSlice, "default", "web-1");
    meta.labels = labels([(SERVICE_NAME, Text::word("web"))]);
    Object::new(meta, EndpointSlice { endpoints })
}

fn ingress(slice: Object) -> Bench<Ingress, Event> {
    let client = ClientSettings {
        request_timeout: Duration::from_secs(60),
        retries: crate::client::testing::RETRIES,
        relist_first: Duration::from_secs(1),
        relist_limit: Duration::from_secs(30),
        relist_jitter_percent: 0,
        relist_reset: Duration::from_secs(120),
        recorder: crate::client::testing::RECORDER,
    };
    let settings = Settings { client, programming: Delay::fixed(Duration::from_millis(500)) };
    let ingress = Ingress::new(settings, Address::Endpoint(EndpointId(1)), Text::word("web"));
    Bench::started(ingress, "ingress", Ingress::on_event, Start::Steady, &[slice])
}

/// A user asks; the VM and Pod that are asked in turn, or what he is told at once.
fn ask(bench: &mut Bench<Ingress, Event>) -> Result<(Text, ConnectionId), Served> {
    let effects = bench.play(Input::Message(USER, Message::App(1)));
    for effect in effects {
        match effect {
            Effect::ConnectToContainer(connection, vm, _) => return Ok((vm, connection)),
            Effect::Send(USER, Message::AppServed(1, served)) => return Err(served),
            _ => {}
        }
    }
    panic!("the user is left alone")
}

fn told(effects: &[Effect<Event>]) -> Option<Served> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(USER, Message::AppServed(_, served)) => Some(*served),
        _ => None,
    })
}

#[test]
fn requests_go_to_one_ready_endpoint_after_the_other() {
    let mut bench = ingress(slice(&[("a", 1, true), ("b", 2, false), ("c", 3, true)]));
    let hosts: Vec<Text> = (0..4).map(|_| ask(&mut bench).expect("somebody").0).collect();
    assert_eq!(hosts, ["a", "c", "a", "c"]);
}

#[test]
fn who_is_on_the_way_out_and_serves_is_asked_only_where_nobody_is_ready() {
    let asks = |serving, other_is_ready| {
        let of = |node, uid| Endpoint { node: Text::word(node), uid, ..Endpoint::default() };
        let leaving = Endpoint { serving, terminating: true, ..of("a", Uid(1)) };
        let other = Endpoint { ready: other_is_ready, ..of("b", Uid(2)) };
        let endpoints = EndpointSlice { endpoints: vec![leaving, other] };
        let asked = ask(&mut ingress(Object::new(slice(&[]).meta, endpoints)));
        asked.map(|(node, _)| node)
    };
    assert_eq!(asks(true, true), Ok(Text::word("b")));
    assert_eq!(asks(true, false), Ok(Text::word("a")));
    assert_eq!(asks(false, false), Err(Served::NoEndpoint));
}

#[test]
fn a_containers_answer_is_passed_on_and_its_refusal_is_a_bad_gateway() {
    let mut bench = ingress(slice(&[("a", 1, true)]));
    let (_, upstream) = ask(&mut bench).expect("somebody");
    let effects = bench.play(Input::Message(upstream, Message::App(1)));
    assert_eq!(told(&effects), Some(Served::Well));
    let (_, upstream) = ask(&mut bench).expect("somebody");
    let effects = bench.play(Input::Broken(upstream, Broken::Refused));
    assert_eq!(told(&effects), Some(Served::BadGateway));
}

#[test]
fn without_an_endpoint_it_says_so_at_once() {
    let mut bench = ingress(slice(&[("a", 1, false)]));
    assert_eq!(ask(&mut bench), Err(Served::NoEndpoint));
}

#[test]
fn what_it_hears_of_endpoints_takes_effect_after_a_while() {
    let mut bench = ingress(slice(&[("a", 1, true)]));
    bench.shows(WatchKind::Modified, slice(&[("b", 2, true)]));
    assert_eq!(ask(&mut bench).expect("somebody").0, "a");
    bench.pass(Duration::from_millis(500));
    assert_eq!(ask(&mut bench).expect("somebody").0, "b");
}

#[test]
fn a_user_who_goes_away_takes_his_request_with_him() {
    let mut bench = ingress(slice(&[("a", 1, true)]));
    let (_, upstream) = ask(&mut bench).expect("somebody");
    let effects = bench.play(Input::Broken(USER, Broken::Reset));
    assert!(effects.iter().any(|e| matches!(e, Effect::Close(closed) if *closed == upstream)));
    let effects = bench.play(Input::Message(upstream, Message::App(1)));
    assert_eq!(told(&effects), None);
}
