//! Messages between processes, and the end of their connections, over links that carry.

use super::core::{Core, NOW, What, purpose};
use crate::engine::{Rule, SimTime};
use crate::infra::{Broken, ConnectionId, Direction, End, Port, ProcessId, Route, Segment};
use crate::timeline::Cause;
use crate::wire::Message;

/// What a link that is cut or lossy takes waits until it is sent again and gets through.
pub(super) const RETRANSMISSION: Rule = "packets were lost";

/// What a packet takes longer on a link that is slow.
const SLOW_LINK: Rule = "the link was slow";

impl Core {
    /// Sends a message on a connection.
    pub(super) fn send(
        &mut self,
        from: ProcessId,
        connection: ConnectionId,
        message: Message,
        cause: Cause,
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
        let (network, processes) = (&datacenter.network, &datacenter.processes);
        let route = network.route(connection, from, &datacenter.vms, processes, *now);
        match datacenter.is_calm() {
            true => route,
            false => route.later(datacenter.lag((connection, End::of(from, connection)))),
        }
    }

    /// Has happen what becomes of a message.
    pub(super) fn follow_route(
        &mut self,
        route: Route,
        from: ProcessId,
        connection: ConnectionId,
        message: Message,
        cause: Cause,
    ) {
        let rule = self.way_rule_since(connection, cause);
        match route {
            Route::Silent => {}
            Route::Deliver { .. } if matches!(message, Message::Handshake) => {
                let established = self.datacenter.network.established_at(connection);
                let at = self.now.max(established.unwrap_or(self.now));
                let what = What::Message(connection, message);
                self.push_to(at, from, from, purpose::MESSAGE, (cause, rule), what);
            }
            Route::Deliver { to, at } => {
                let (at, led) =
                    self.arrival((connection, End::of(from, connection)), at, (cause, rule), to);
                let what = What::Message(connection, message);
                self.push_to(at, to, from, purpose::MESSAGE, led, what);
            }
            Route::Echo { at } => {
                let (at, led) = self.arrival((connection, End::Server), at, (cause, rule), from);
                let what = What::Message(connection, message);
                self.push_to(at, from, from, purpose::MESSAGE, led, what);
            }
            Route::Fail { at, how } => {
                let back = (connection, End::of(from, connection).other());
                let (at, led) = self.arrival(back, at, (cause, rule), from);
                let what = What::Broken(connection, how);
                self.push_to(at, from, from, purpose::CONNECTION, led, what);
            }
        }
    }

    /// When something arrives that would at `at` if nothing were before it, and what it waits for.
    pub(super) fn arrival(
        &mut self,
        direction: Direction,
        at: SimTime,
        (cause, rule): (Cause, Rule),
        to: ProcessId,
    ) -> (SimTime, (Cause, Rule)) {
        if self.datacenter.is_calm() {
            return (at, (cause, rule));
        }
        let delay = self.datacenter.lag(direction).there;
        let arrives = self.datacenter.transport.in_order(direction, at, !delay.is_zero());
        if delay.is_zero() && arrives == at {
            return (at, (cause, rule));
        }
        let unhindered = SimTime::ZERO + at.since(SimTime::ZERO + delay);
        let led = self.step_on(cause, unhindered, rule, to);
        (arrives, (led, SLOW_LINK))
    }

    /// Closes a connection; the other end learns it.
    pub(super) fn close(&mut self, id: ProcessId, connection: ConnectionId, cause: Cause) {
        let direction = (connection, End::of(id, connection));
        let was_left = self.datacenter.network.left(connection).is_some();
        if was_left || self.datacenter.is_disturbed(direction) {
            return self.leave(direction, cause);
        }
        let latency = self.datacenter.network.latency(connection).unwrap_or_default();
        if let Some(peer) = self.datacenter.network.peer(connection, id) {
            // Not before what was sent earlier on the same connection.
            let at = self.now + latency;
            let what = What::Broken(connection, Broken::Closed);
            let rule = self.way_rule(connection);
            self.push_to(at, peer, id, purpose::CONNECTION, (cause, rule), what);
        }
        self.datacenter.network.close(connection);
    }

    /// Sends a message on a connection of its own.
    pub(super) fn post(
        &mut self,
        from: ProcessId,
        to: (&str, Port),
        message: Message,
        cause: Cause,
    ) {
        let Some((to, takes)) = self.datacenter.post_way(from, to, &self.random) else { return };
        let what = What::Message(ConnectionId::of_posts(from), message);
        let led = (cause, way_name(false));
        self.push_to(self.now + takes, to, from, purpose::MESSAGE, led, what);
    }

    /// Closes what others have opened to all ports of a process but one.
    pub(super) fn close_all_but(&mut self, id: ProcessId, port: Port, cause: Cause) {
        for (connection, ..) in self.datacenter.network.of(id) {
            if connection.client != id && self.datacenter.network.port(connection) != Some(port) {
                self.close(id, connection, cause);
            }
        }
    }

    /// What a message waits for on a connection.
    pub(super) fn way_rule(&self, connection: ConnectionId) -> Rule {
        // Nobody writes it down.
        if self.ledger.is_none() {
            return NOW;
        }
        let vm = |end| {
            let process = self.datacenter.network.process_at(connection, end)?;
            Some(self.datacenter.processes.get(process).vm)
        };
        // Who comes back to his own VM through a load balancer has been in the network.
        let latency = self.datacenter.network.latency(connection).unwrap_or_default();
        let is_near = latency <= self.datacenter.latency.loopback.high;
        way_name(vm(End::Client) == vm(End::Server) && is_near)
    }

    /// The same of a message that was sent a while ago, if it was.
    fn way_rule_since(&self, connection: ConnectionId, cause: Cause) -> Rule {
        let sent = self.ledger.as_ref().and_then(|ledger| ledger.at(cause.step));
        match sent.is_some_and(|sent| sent < self.now) {
            true => RETRANSMISSION,
            false => self.way_rule(connection),
        }
    }
}

/// What a way is called: within a VM, or through the network.
pub(super) const fn way_name(is_near: bool) -> Rule {
    match is_near {
        true => "infra.loopbackLatency",
        false => "infra.networkLatency",
    }
}
