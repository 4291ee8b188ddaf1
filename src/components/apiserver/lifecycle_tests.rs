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
    assert!(server.sent.is_empty(), "watches go on");
    server.ask(get());
    assert_eq!(server.closed, 1, "who asks anew has to go elsewhere");
    server.pass(Duration::from_secs(59));
    assert!(!server.exited);
    server.pass(Duration::from_secs(1));
    assert!(server.exited);
}
