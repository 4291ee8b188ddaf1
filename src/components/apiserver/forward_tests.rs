//! A call to a Node's etcd: the Pod, then the kubelet, and each way in which that fails.

use super::bench::{Server, settings};
use super::*;
use crate::api::kinds::Pod;
use crate::api::{EtcdCall, EtcdReply, Forward, Kind, Meta, Reason};
use crate::engine::Text;
use crate::infra::{Broken, Port};

/// A server that was asked for the state of the member on `control-plane-1`.
fn asked() -> Server {
    let mut server = Server::up(settings());
    let (node, timeout) = (Text::word("control-plane-1"), Duration::from_secs(10));
    server.ask(Verb::Forward(Forward { node, call: EtcdCall::Status, timeout }));
    server
}

/// The same, and etcd has the Pod: the connection to its kubelet, and the number of the call.
fn tunneling() -> (Server, ConnectionId, u32) {
    let mut server = asked();
    let mut pod = Pod::new(Arc::default());
    pod.node_name = Text::word("control-plane-1");
    pod.pod_ip = Text::word("10.0.0.12");
    let object = Object::new(Meta::new(Kind::Pod, "kube-system", "etcd-control-plane-1"), pod);
    let number = server.asked[0].1.id;
    let value = StoreAnswer::Value(Revision(6), Some(Arc::new(object)));
    assert_eq!(server.stores(value), "get", "the Pod is looked up");
    let (tunnel, vm, port) = server.tunnels.remove(0);
    assert_eq!((vm.as_str(), port), ("control-plane-1", Port(10250)), "the kubelet of its Node");
    (server, tunnel, number)
}

#[test]
fn the_members_answer_comes_back_over_its_kubelet() {
    let (mut server, tunnel, number) = tunneling();
    server.play(Input::Message(tunnel, Message::Forwarded(number, Ok(EtcdReply::Done))));
    let answered = &server.answered[0].1;
    assert!(matches!(answered, Ok(Answer::Etcd(EtcdReply::Done))), "{answered:?}");
}

#[test]
fn a_dead_kubelet_is_an_error_whatever_its_etcd_does() {
    for (how, words) in
        [(Broken::Refused, "connect: connection refused"), (Broken::Lost, "i/o timeout")]
    {
        let (mut server, tunnel, _) = tunneling();
        server.play(Input::Broken(tunnel, how));
        let error = server.answered[0].1.clone().expect_err("not reached");
        let text = format!("error dialing backend: dial tcp 10.0.0.12:10250: {words}");
        assert_eq!((error.reason, error.message.as_str()), (Reason::InternalError, text.as_str()));
    }
}

#[test]
fn without_the_pod_there_is_no_way() {
    let mut server = asked();
    server.stores(StoreAnswer::Value(Revision(6), None));
    let error = server.answered[0].1.clone().expect_err("not there");
    assert_eq!(error.message, *"pods \"etcd-control-plane-1\" not found");
}
