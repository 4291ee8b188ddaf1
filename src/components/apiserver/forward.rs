//! Port-forward: what a client says to a Pod's port, carried over the kubelet of the Pod's Node.
//!
//! The way needs both: the Pod has to be looked up, so etcd has to have a quorum, and the kubelet has
//! to answer, however well the container does. Follows `k/k:pkg/registry/core/pod/rest` and the
//! proxy handlers behind it.

use super::{Apiserver, Event, Stage};
use crate::api::{Answer, ApiError, EtcdCall, EtcdReply, Forward, Kind, Object, ObjectKey, Reason};
use crate::engine::Text;
use crate::infra::{Broken, ConnectionId, Ctx, Port};
use crate::wire::{Consistency, Message, StoreOperation};

/// Where a kubelet serves.
const KUBELET: Port = Port(10250);

/// A call on its way through a kubelet.
#[derive(Clone, Debug)]
pub struct Tunnel {
    connection: ConnectionId,
    /// The kubelet's address, as an error names it.
    address: Text,
}

impl Apiserver {
    /// Where such a request begins: which Node has the Pod?
    pub(super) fn begin_forward(forward: &Forward) -> (Stage, StoreOperation) {
        let (kind, namespace) = (Kind::Pod, Text::word("kube-system"));
        let key = ObjectKey { kind, namespace, name: forward.pod() };
        let read = StoreOperation::Get(key.clone(), Consistency::Linearizable);
        (Stage::Forwarding(forward.call, key), read)
    }

    /// The Pod is known: its kubelet is asked.
    pub(super) fn forward(
        &mut self,
        id: u32,
        (call, key): (EtcdCall, &ObjectKey),
        found: Option<&Object>,
        ctx: &mut Ctx<Event>,
    ) {
        let Some(pod) = found.and_then(|object| object.pod()) else {
            return self.answer(id, Err(ApiError::not_found(key)), ctx);
        };
        let connection = ctx.connect_to_vm(pod.node_name.clone(), KUBELET);
        let address = match pod.pod_ip.is_empty() {
            true => pod.node_name.clone(),
            false => pod.pod_ip.clone(),
        };
        self.wait_in(id, Stage::Tunneling(Tunnel { connection, address }));
        ctx.send(connection, Message::Forward(id, call));
    }

    /// The kubelet hands an answer on.
    pub(super) fn forwarded(
        &mut self,
        from: ConnectionId,
        id: u32,
        answered: Result<EtcdReply, Text>,
        ctx: &mut Ctx<Event>,
    ) {
        match self.stage_of(id) {
            Some(Stage::Tunneling(tunnel)) if tunnel.connection == from => {}
            _ => return,
        }
        ctx.close(from);
        let answered = answered.map(Answer::Etcd).map_err(|error| {
            let words = format!("error forwarding port 2379 to pod: {error}");
            ApiError::new(Reason::InternalError, words)
        });
        self.answer(id, answered, ctx);
    }

    /// The connection to a kubelet is over; true if it was one.
    pub(super) fn tunnel_broken(
        &mut self,
        connection: ConnectionId,
        how: Broken,
        ctx: &mut Ctx<Event>,
    ) -> bool {
        let found = self.open.iter().find_map(|(id, open)| match &open.stage {
            Stage::Tunneling(tunnel) if tunnel.connection == connection => {
                Some((*id, tunnel.address.clone()))
            }
            _ => None,
        });
        let Some((id, address)) = found else { return false };
        let how = match how {
            Broken::Refused => "connect: connection refused",
            Broken::Closed | Broken::Reset => "read: connection reset by peer",
            Broken::Lost | Broken::Unanswered => "i/o timeout",
        };
        let words = format!("error dialing backend: dial tcp {address}:10250: {how}");
        self.answer(id, Err(ApiError::new(Reason::InternalError, words)), ctx);
        true
    }
}
