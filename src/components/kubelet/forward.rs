//! Port-forward: the kubelet's end. It connects to the port within the Pod, which for a static Pod
//! with the host's network is a port of its own machine.
//!
//! Simplified: it has the container runtime do so, whose health is the kubelet's here.

use super::{Event, Kubelet};
use crate::api::{EtcdCall, EtcdMember, EtcdReply, EtcdStatus};
use crate::engine::Text;
use crate::infra::{Address, ConnectionId, Ctx, Port};
use crate::wire::{Consistency, MemberInfo, Message, StoreAnswer, StoreOperation, StoreRequest};
use std::collections::BTreeMap;

/// Where an etcd member serves its clients.
const ETCD: Port = Port(2379);

/// The calls that are on their way to the member beside the kubelet.
#[derive(Clone, Debug, Default)]
pub struct Forwards {
    /// By the connection to the member: who asked, and his number.
    open: BTreeMap<ConnectionId, (ConnectionId, u32)>,
    made: u64,
}

impl Kubelet {
    /// An API server wants a call carried to the member on this machine.
    pub(super) fn forward(
        &mut self,
        from: ConnectionId,
        id: u32,
        call: EtcdCall,
        ctx: &mut Ctx<Event>,
    ) {
        let member = ctx.connect(Address::Here(ETCD));
        self.forwards.open.insert(member, (from, id));
        self.forwards.made += 1;
        let request = StoreRequest {
            id,
            operation: operation(call),
            require_leader: false,
            sender: ctx.owner().part(2),
            count: self.forwards.made,
        };
        ctx.send(member, Message::Store(Box::new(request)));
    }

    /// A member has answered; true if it was asked for somebody.
    pub(super) fn forward_answered(
        &mut self,
        from: ConnectionId,
        message: &Message,
        ctx: &mut Ctx<Event>,
    ) -> bool {
        let Message::Stored(_, answer) = message else { return false };
        let Some((client, id)) = self.forwards.open.remove(&from) else { return false };
        ctx.close(from);
        ctx.send(client, Message::Forwarded(id, Ok(reply(answer))));
        true
    }

    /// Nobody listens there, or the member has died over it; or who asked is gone.
    pub(super) fn forward_broken(&mut self, connection: ConnectionId, ctx: &mut Ctx<Event>) {
        if let Some((client, id)) = self.forwards.open.remove(&connection) {
            let words = "failed to connect to localhost:2379 inside namespace: dial tcp4 \
                         127.0.0.1:2379: connect: connection refused";
            ctx.send(client, Message::Forwarded(id, Err(Text::word(words))));
        }
        let orphans: Vec<ConnectionId> = self
            .forwards
            .open
            .iter()
            .filter(|(_, (client, _))| *client == connection)
            .map(|(member, _)| *member)
            .collect();
        for member in orphans {
            self.forwards.open.remove(&member);
            ctx.close(member);
        }
    }
}

/// A call in the words of etcd.
fn operation(call: EtcdCall) -> StoreOperation {
    match call {
        EtcdCall::Status => StoreOperation::Status,
        EtcdCall::MemberList => StoreOperation::MemberList(Consistency::Linearizable),
        EtcdCall::MoveLeader(to) => StoreOperation::MoveLeader(to),
        EtcdCall::MemberRemove(member) => StoreOperation::MemberRemove(member),
    }
}

/// What a member has answered, in the words of its client.
fn reply(answer: &StoreAnswer) -> EtcdReply {
    match answer {
        StoreAnswer::Status(status) => EtcdReply::Status(EtcdStatus {
            member: status.member,
            leader: status.leader,
            errors: status.errors.iter().map(|error| Text::word(error)).collect(),
        }),
        StoreAnswer::Members(members) => EtcdReply::Members(members.iter().map(member).collect()),
        StoreAnswer::Failed(error) => EtcdReply::Failed(error.message.clone()),
        _ => EtcdReply::Done,
    }
}

/// A member is named for its Node; one that has not started yet has told nobody its name.
fn member(info: &MemberInfo) -> EtcdMember {
    let name = if info.started { info.vm.clone() } else { Text::EMPTY };
    EtcdMember { id: info.id, name, learner: info.learner }
}
