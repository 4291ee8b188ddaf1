//! A call to the etcd member beside the kubelet: what comes back, and what when it is not there.

use super::tests::kubelet;
use super::*;
use crate::api::{EtcdCall, EtcdReply};
use crate::infra::testbed::Testbed;
use crate::infra::{Broken, ConnectionId, Effect, Port, ProcessId};
use crate::raft::MemberId;
use crate::wire::{GrpcCode, MemberInfo, Message, StoreAnswer, StoreError};

/// An API server's connection to the kubelet.
const SERVER: ConnectionId = ConnectionId { client: ProcessId(7), count: 3 };

/// A kubelet that was asked to carry a call; its connection to the member.
fn asked(call: EtcdCall) -> (Testbed<Event>, Kubelet, ConnectionId) {
    let (mut bed, mut kubelet) = (Testbed::new("kubelet", "control-plane-0"), kubelet());
    let input = Input::Message(SERVER, Message::Forward(5, call));
    let effects = bed.play(|ctx| kubelet.on_event(input, ctx));
    let connected = effects.iter().find_map(|effect| match effect {
        Effect::Connect(id, Address::Here(Port(2379))) => Some(*id),
        _ => None,
    });
    let member = connected.expect("the member's own port");
    let sent = |effect: &Effect<Event>| matches!(effect, Effect::Send(to, _) if *to == member);
    assert!(effects.iter().any(sent));
    (bed, kubelet, member)
}

/// What the API server hears then.
fn hears(
    (mut bed, mut kubelet): (Testbed<Event>, Kubelet),
    input: Input<Event>,
) -> Vec<Result<EtcdReply, Text>> {
    let effects = bed.play(|ctx| kubelet.on_event(input, ctx));
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Send(SERVER, Message::Forwarded(5, answered)) => Some(answered),
            _ => None,
        })
        .collect()
}

#[test]
fn what_the_member_says_goes_back_to_who_asked() {
    let info = |id, started, learner| MemberInfo {
        id: MemberId(id),
        vm: Text::word("control-plane-0"),
        started,
        learner,
    };
    let (bed, kubelet, member) = asked(EtcdCall::MemberList);
    let answer = StoreAnswer::Members(vec![info(1, true, false), info(2, false, true)]);
    let heard = hears((bed, kubelet), Input::Message(member, Message::Stored(5, answer)));
    let [Ok(EtcdReply::Members(members))] = &heard[..] else { panic!("{heard:?}") };
    let names: Vec<(&str, bool)> =
        members.iter().map(|member| (member.name.as_str(), member.learner)).collect();
    // One that has not started has told nobody its name.
    assert_eq!(names, [("control-plane-0", false), ("", true)]);
}

#[test]
fn a_refusal_of_the_member_is_an_answer_too() {
    let (bed, kubelet, member) = asked(EtcdCall::MoveLeader(MemberId(2)));
    let error = StoreError::new(GrpcCode::FailedPrecondition, "etcdserver: not leader");
    let answer = Message::Stored(5, StoreAnswer::Failed(error));
    let heard = hears((bed, kubelet), Input::Message(member, answer));
    assert_eq!(heard, [Ok(EtcdReply::Failed(Text::word("etcdserver: not leader")))]);
}

#[test]
fn without_a_member_it_says_that_nobody_listens() {
    let (bed, kubelet, member) = asked(EtcdCall::Status);
    let heard = hears((bed, kubelet), Input::Broken(member, Broken::Refused));
    let [Err(words)] = &heard[..] else { panic!("{heard:?}") };
    assert!(words.ends_with("127.0.0.1:2379: connect: connection refused"), "{words}");
}

#[test]
fn nobody_is_told_once_the_api_server_is_gone() {
    let (mut bed, mut kubelet, member) = asked(EtcdCall::Status);
    let effects = bed.play(|ctx| kubelet.on_event(Input::Broken(SERVER, Broken::Reset), ctx));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Close(id) if *id == member)));
    assert_eq!(hears((bed, kubelet), Input::Broken(member, Broken::Reset)), []);
}
