//! A server that is told to end.

use super::bench::{Server, settings};
use super::*;
use crate::api::kinds::Node;
use crate::api::{Kind, Meta, Selector};
use crate::wire::{GrpcCode, StoreError};

fn node() -> Object {
    Object::new(Meta::new(Kind::Node, "", "worker-0"), Node::default())
}

fn get() -> Verb {
    Verb::Get(node().key().clone())
}

/// Each last request that its user was told is taken.
fn sent_away(server: &Server) -> Vec<u32> {
    let last = server.sent.iter().filter_map(|(_, message)| match message {
        Message::GoAway(last) => Some(*last),
        _ => None,
    });
    last.collect()
}

/// Etcd answers the removal, and the port is closed then.
fn no_endpoint_any_more(server: &mut Server) {
    assert!(!server.bed.process.is_closed);
    assert_eq!(server.stores(StoreAnswer::Value(Revision(5), None)), "get");
    assert!(server.bed.process.is_closed);
}

#[test]
fn a_server_told_to_end_refuses_whoever_connects_and_serves_what_is_under_way() {
    let mut server = Server::up(settings());
    server.ask(get());
    server.play(Input::Terminate);
    let read = server.asked.remove(0);
    no_endpoint_any_more(&mut server);
    server.asked.push(read);
    assert!(!server.exited, "a read is under way");
    server.stores(StoreAnswer::Value(Revision(5), Some(Arc::new(node()))));
    assert!(matches!(server.answered[..], [(_, Ok(Answer::Object(_)))]));
    assert!(server.exited);
}

#[test]
fn a_server_that_is_watched_takes_its_whole_time_to_end() {
    let mut server = Server::up(settings());
    server.ask(Verb::Watch(Kind::Node, Selector::All, Revision(5)));
    server.play(Input::Terminate);
    no_endpoint_any_more(&mut server);
    assert_eq!(sent_away(&server), [1], "what comes after the watch is to go elsewhere");
    server.ask(get());
    assert!(server.asked.is_empty() && server.closed == 0, "what comes too late is not taken");
    server.commits(6, &node());
    assert!(matches!(server.sent[1..], [(_, Message::Watch(_))]), "watches go on");
    server.pass(Duration::from_secs(59));
    assert!(!server.exited);
    server.pass(Duration::from_secs(1));
    assert!(server.exited);
}

#[test]
fn a_server_whose_watchers_have_gone_ends() {
    let mut server = Server::up(settings());
    server.ask(Verb::Watch(Kind::Node, Selector::All, Revision(5)));
    server.play(Input::Terminate);
    no_endpoint_any_more(&mut server);
    assert!(!server.exited);
    server.play(Input::Broken(super::bench::CLIENT, crate::infra::Broken::Closed));
    assert!(server.exited);
}

#[test]
fn who_connected_in_time_and_asks_too_late_is_sent_away_with_all_he_asks() {
    let mut server = Server::up(settings());
    let other = ConnectionId { client: ProcessId(8), count: 1 };
    let verb = Verb::Watch(Kind::Node, Selector::All, Revision(5));
    let sender = crate::engine::Owner::named("other");
    let request = Request { id: 1, agent: "test", sender, count: 0, verb };
    server.play(Input::Message(other, Message::Request(Box::new(request))));
    server.pass(Duration::from_millis(1));
    server.play(Input::Terminate);
    no_endpoint_any_more(&mut server);
    assert!(!server.exited && server.sent.is_empty());
    server.ask(get());
    server.ask(get());
    assert_eq!(sent_away(&server), [0], "once");
    assert!(server.answered.is_empty());
}

#[test]
fn without_etcd_a_server_that_ends_serves_for_20_s_and_is_not_ready() {
    let mut server = Server::up(settings());
    server.play(Input::Terminate);
    server.asked.remove(0);
    server.probe("/livez");
    server.stores(StoreAnswer::Value(Revision(5), None));
    server.probe("/readyz");
    server.stores(StoreAnswer::Value(Revision(5), None));
    assert_eq!(server.health().iter().map(|(_, status)| *status).collect::<Vec<_>>(), [200, 500]);
    server.ask(get());
    server.stores(StoreAnswer::Value(Revision(5), Some(Arc::new(node()))));
    assert!(matches!(server.answered[..], [(_, Ok(Answer::Object(_)))]), "it serves");
    server.pass(Duration::from_millis(19_998));
    assert!(!server.bed.process.is_closed && server.logged.is_empty());
    server.pass(Duration::from_millis(1));
    assert!(server.bed.process.is_closed && server.exited);
    assert_eq!(server.logged, ["RemoveEndpoints() timed out"]);
}

#[test]
fn what_etcd_fails_is_tried_again_where_its_client_does_so() {
    let fails = || StoreAnswer::Failed(StoreError::new(GrpcCode::Unavailable, "no leader"));
    let mut server = Server::up(super::bench::settings_of_1_30());
    server.play(Input::Terminate);
    server.stores(fails());
    assert!(server.exited && server.logged[0].starts_with("Unable to remove endpoints from"));
    let mut server = Server::up(settings());
    server.play(Input::Terminate);
    server.stores(fails());
    assert!(!server.exited);
    server.pass(Duration::from_millis(25));
    no_endpoint_any_more(&mut server);
    assert!(server.exited && server.logged.is_empty());
}

#[test]
fn who_has_no_etcd_yet_ends_at_once() {
    let mut server = Server::started(settings(), Start::Fresh);
    server.play(Input::Terminate);
    assert!(server.exited);
}
