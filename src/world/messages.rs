//! Messages between processes, and the end of their connections, over links that carry.

use super::core::{Core, What, purpose};
use crate::infra::{Broken, ConnectionId, End, ProcessId, Route, Segment};
use crate::timeline::EntryId;
use crate::wire::Message;

impl Core {
    /// Sends a message on a connection.
    pub(super) fn send(
        &mut self,
        from: ProcessId,
        connection: ConnectionId,
        message: Message,
        cause: Option<EntryId>,
    ) {
        if !self.datacenter.is_calm() {
            let direction = (connection, End::of(from, connection));
            return self.send_segment(direction, Segment::Data(message, cause));
        }
        let route = self.route_of(connection, from);
        self.follow_route(route, from, connection, message, cause);
    }

    /// What becomes of a message that is not lost on its way.
    pub(super) fn route_of(&self, connection: ConnectionId, from: ProcessId) -> Route {
        let Core { datacenter, now, .. } = self;
        datacenter.network.route(connection, from, &datacenter.vms, &datacenter.processes, *now)
    }

    /// Has happen what becomes of a message.
    pub(super) fn follow_route(
        &mut self,
        route: Route,
        from: ProcessId,
        connection: ConnectionId,
        message: Message,
        cause: Option<EntryId>,
    ) {
        match route {
            Route::Silent => {}
            Route::Deliver { .. } if matches!(message, Message::Handshake) => {
                let established = self.datacenter.network.established_at(connection);
                let at = self.now.max(established.unwrap_or(self.now));
                let what = What::Message(connection, message);
                self.push_to(at, from, from, purpose::MESSAGE, cause, what);
            }
            Route::Deliver { to, at } => {
                let what = What::Message(connection, message);
                self.push_to(at, to, from, purpose::MESSAGE, cause, what);
            }
            Route::Echo { at } => {
                let what = What::Message(connection, message);
                self.push_to(at, from, from, purpose::MESSAGE, cause, what);
            }
            Route::Fail { at, how } => {
                let what = What::Broken(connection, how);
                self.push_to(at, from, from, purpose::CONNECTION, cause, what);
            }
        }
    }

    /// Closes a connection; the other end learns it.
    pub(super) fn close(
        &mut self,
        id: ProcessId,
        connection: ConnectionId,
        cause: Option<EntryId>,
    ) {
        let direction = (connection, End::of(id, connection));
        let was_left = self.datacenter.network.left(connection).is_some();
        if was_left || self.datacenter.is_disturbed(direction) {
            return self.leave(direction, cause);
        }
        let latency = self.datacenter.network.latency(connection).unwrap_or_default();
        if let Some(peer) = self.datacenter.network.peer(connection, id) {
            // Not before what was sent earlier on the same connection.
            let at = self.now + latency;
            let what = What::Broken(connection, Broken::Reset);
            self.push_to(at, peer, id, purpose::CONNECTION, cause, what);
        }
        self.datacenter.network.close(connection);
    }
}
