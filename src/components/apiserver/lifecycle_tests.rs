//! A server that is told to end.

use super::bench::{Server, settings};
use super::*;
use crate::api::kinds::Node;
use crate::api::{Kind, Meta, Selector};

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

#[test]
fn a_server_told_to_end_refuses_whoever_connects_and_serves_what_is_under_way() {
    let mut server = Server::up(settings());
    server.ask(get());
    server.play(Input::Terminate);
    assert!(server.bed.process.is_closed);
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
    assert!(!server.exited && server.sent.is_empty());
    server.ask(get());
    server.ask(get());
    assert_eq!(sent_away(&server), [0], "once");
    assert!(server.answered.is_empty());
}
