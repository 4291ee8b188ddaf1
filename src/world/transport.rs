//! Connections over links that lose packets or delay them: what is sent, comes late, or is given up.
//!
//! Beside `deliver` only while a link is not whole, or something still waits for its retransmission. What
//! TCP does is `infra::Transport`'s matter; here its decisions reach the queue. Follows Linux for the
//! transport, and the HTTP/2 health check of Go's clients for the keep-alive, at both ends.
//!
//! Simplified: pings and acknowledgments take no time of their own; through a load balancer a
//! packet goes straight from one end to the other, so a cut link between them cuts it.

use super::core::{Core, NOW, What, purpose};
use super::messages::RETRANSMISSION;
use crate::engine::{Duration, Generation, SimTime, Text};
use crate::infra::{
    Asker, Broken, ConnectionId, Direction, End, EndpointId, Loss, Path, Probing, ProcessId,
    Retransmitted, Route, Segment, Sent, Way,
};
use crate::timeline::Cause;
use crate::wire::Message;

impl Core {
    /// Cuts a way: from now on its packets are lost.
    pub(super) fn cut(&mut self, way: Way) {
        self.datacenter.links.cut(way);
        self.watch_what_is_cut();
    }

    /// Cuts a zone off from all others, or has it back, as `cut` and `heal` do.
    pub(super) fn cut_zone(&mut self, zone: &Text, is_cut: bool) {
        self.datacenter.links.cut_zone(zone, is_cut);
        self.watch_what_is_cut();
    }

    fn watch_what_is_cut(&mut self) {
        let all: Vec<ConnectionId> = self.datacenter.network.all().collect();
        for connection in all {
            if !self.datacenter.path((connection, End::Client)).is_whole() {
                self.watch((connection, End::Client));
                self.watch((connection, End::Server));
            }
        }
    }

    /// Has packets on a way take longer: those that are sent from now on.
    pub(super) fn slow(&mut self, way: Way, delay: Duration) {
        self.datacenter.links.slow(way, delay);
    }

    /// Has a share of the packets on a way get lost from now on.
    pub(super) fn lose(&mut self, way: Way, loss: Loss) {
        self.datacenter.links.lose(way, loss);
        let all: Vec<ConnectionId> = self.datacenter.network.all().collect();
        for connection in all {
            self.watch_if_lossy(connection);
        }
    }

    /// Heals a way: what is sent from now on arrives, and the rest at its next retransmission.
    pub(super) fn heal(&mut self, way: Way) {
        self.datacenter.links.heal(way);
        self.datacenter.transport.settle(self.now);
    }

    /// A connection was asked for; over a cut link, or at a VM that is off, the request is lost.
    pub(super) fn connecting(&mut self, connection: ConnectionId) {
        let out = (connection, End::Client);
        let path = self.try_handshake(connection);
        let datacenter = &mut self.datacenter;
        if !path.is_whole() || datacenter.is_deaf(connection) {
            datacenter.network.pend(connection);
            let again = datacenter.transport.connect(connection, &datacenter.retransmission);
            self.retransmit_after(out, again);
        } else if !datacenter.is_calm() {
            let lag = datacenter.lag(out);
            datacenter.network.delay_handshake(connection, lag.round_trip());
            self.watch_if_lossy(connection);
        }
    }

    /// Whether a request to connect gets there, and its answer back.
    fn try_handshake(&mut self, connection: ConnectionId) -> Path {
        let out = (connection, End::Client);
        let Path { there, back } = self.datacenter.path(out);
        let there = there && !self.datacenter.loses(out, &self.random);
        let back =
            back && !(there && self.datacenter.loses((connection, End::Server), &self.random));
        Path { there, back }
    }

    /// Sends on a connection whose packets may be lost.
    pub(super) fn send_segment(&mut self, direction: Direction, segment: Segment) {
        let path = self.try_way(direction);
        let datacenter = &mut self.datacenter;
        let rules = datacenter.rules(direction);
        match datacenter.transport.send(direction, segment, path, &rules) {
            Sent::Passes(segment) => self.arrive(direction, segment),
            Sent::PassesUnseen(segment, again) => {
                self.arrive(direction, segment);
                self.retransmit_after(direction, again);
            }
            Sent::Waits => {}
            Sent::Lost(again) => self.retransmit_after(direction, again),
        }
    }

    /// Whether the next segment gets there, and its acknowledgment back.
    pub(super) fn try_way(&mut self, direction: Direction) -> Path {
        let path = self.datacenter.path(direction);
        Path { there: path.there && !self.datacenter.loses(direction, &self.random), ..path }
    }

    /// A retransmission is due.
    pub(super) fn retransmit(&mut self, direction: Direction, due: Generation) {
        let (connection, _) = direction;
        let datacenter = &mut self.datacenter;
        let sends = datacenter.vm_of(direction).is_some_and(|vm| datacenter.vm(vm).answers());
        if !sends || datacenter.network.latency(connection).is_none() {
            datacenter.transport.forget(connection);
            return;
        }
        let path = match datacenter.transport.is_connecting(connection) {
            true if datacenter.is_deaf(connection) => Path { there: false, back: false },
            true => self.try_handshake(connection),
            false => self.try_way(direction),
        };
        let datacenter = &mut self.datacenter;
        let mut arrived = Vec::new();
        let rules = datacenter.rules(direction);
        match datacenter.transport.retransmit(direction, due, path, &rules, &mut arrived) {
            Retransmitted::Void | Retransmitted::Through => {}
            Retransmitted::Again(again) => self.retransmit_after(direction, again),
            Retransmitted::Connected => {
                let (now, lag) = (self.now, datacenter.lag(direction));
                datacenter.network.establish(connection, &datacenter.processes, now);
                datacenter.network.delay_handshake(connection, lag.round_trip());
                self.watch_if_lossy(connection);
                self.watch_handshake(connection);
            }
            Retransmitted::GivenUp => self.give_up(direction, Cause::NONE),
        }
        for segment in arrived {
            self.arrive(direction, segment);
        }
    }

    /// A load balancer resets what leads through it to a VM: the client is told, and the server too,
    /// as soon as it can be.
    pub(super) fn shut_sessions(&mut self, endpoint: EndpointId, vm: &str, cause: Cause) {
        let Some(vm) = self.datacenter.vm_named(vm) else { return };
        for connection in self.datacenter.network.sessions(endpoint, vm) {
            let latency = self.datacenter.network.latency(connection).unwrap_or_default();
            let (client, what) = (connection.client, What::Broken(connection, Broken::Reset));
            let at = self.now + latency;
            self.leave((connection, End::Client), cause);
            let led = (cause, self.way_rule(connection));
            self.push_to(at, client, client, purpose::CONNECTION, led, what);
        }
    }

    /// An end closes, and the other hears of it when a packet gets through.
    pub(super) fn leave(&mut self, direction: Direction, cause: Cause) {
        let (connection, end) = direction;
        let datacenter = &mut self.datacenter;
        let other_is_gone = datacenter.network.left(connection) == Some(end.other());
        let has_peer = datacenter.network.process_at(connection, end.other()).is_some();
        if other_is_gone || !has_peer || datacenter.transport.is_connecting(connection) {
            self.forget(connection);
        } else if datacenter.network.left(connection).is_none() {
            datacenter.network.leave(connection, end);
            self.send_segment(direction, Segment::Close(cause));
        }
    }

    /// An end has been told that a connection is over. Its part is forgotten; if it was itself that
    /// gave up, the other end may still have to hear of it.
    pub(super) fn told(&mut self, process: ProcessId, connection: ConnectionId) {
        if self.datacenter.network.left(connection) != Some(End::of(process, connection)) {
            self.forget(connection);
        }
    }

    /// An end looks whether its keep-alive has to ask.
    pub(super) fn ping_due(&mut self, direction: Direction) {
        let (now, (connection, end)) = (self.now, direction);
        let datacenter = &mut self.datacenter;
        let keep_alive = datacenter.keep_alive(connection);
        datacenter.transport.watched.remove(&direction);
        let Some(heard) = datacenter.network.heard_at(connection) else { return };
        if keep_alive.next_ping(heard, now) != Some(now) {
            return self.watch(direction);
        }
        let process = datacenter.network.process_at(connection, end);
        let lives = process.is_some_and(|process| datacenter.processes.get(process).alive);
        let is_over = datacenter.network.left(connection) == Some(end);
        if !lives || is_over || !self.is_doubtful(connection) {
            return;
        }
        if self.datacenter.transport.pings.contains_key(&direction) {
            return;
        }
        self.datacenter.transport.pings.insert(direction, now);
        let at = now + keep_alive.answer;
        let source = connection.client;
        self.push_host(
            at,
            source,
            (Cause::NONE, keep_alive.rules[1]),
            What::PingOverdue(direction, now),
        );
        self.send_segment(direction, Segment::Ping);
    }

    /// A ping has had its time.
    pub(super) fn ping_overdue(&mut self, direction: Direction, since: SimTime) {
        if self.datacenter.transport.pings.get(&direction) == Some(&since) {
            self.give_up(direction, Cause::NONE);
        }
    }

    /// A segment gets through.
    fn arrive(&mut self, direction: Direction, segment: Segment) {
        let (connection, end) = direction;
        let datacenter = &mut self.datacenter;
        let Some(latency) = datacenter.network.latency(connection) else { return };
        let back = (connection, end.other());
        let rules = datacenter.rules(back);
        if let Some(due) = datacenter.transport.acknowledged(back, &rules) {
            self.retransmit_after(back, (latency, due));
        }
        match segment {
            Segment::Data(message, cause) => self.arrive_data(direction, message, cause),
            Segment::Ping => self.arrive_ping(direction),
            Segment::Pong => {
                self.datacenter.transport.pings.remove(&back);
                self.datacenter.network.heard(connection, self.now);
                self.watch(back);
            }
            Segment::Close(cause) => {
                let Some(peer) = self.datacenter.network.process_at(connection, end.other()) else {
                    return;
                };
                let what = What::Broken(connection, Broken::Closed);
                let at = self.now + latency + self.datacenter.lag(direction).there;
                let led = (cause, self.way_rule(connection));
                let (at, led) = self.arrival(direction, at, led, peer);
                self.push_to(at, peer, connection.client, purpose::CONNECTION, led, what);
            }
        }
    }

    fn arrive_data(&mut self, direction: Direction, message: Message, cause: Cause) {
        let (connection, end) = direction;
        let Some(sender) = self.datacenter.network.process_at(connection, end) else {
            // What a container has answered.
            let latency = self.datacenter.network.latency(connection).unwrap_or_default();
            let lag = self.datacenter.lag(direction);
            let route = Route::Echo { at: self.now + latency + lag.round_trip() };
            return self.follow_route(route, connection.client, connection, message, cause);
        };
        let back = (connection, end.other());
        match self.route_of(connection, sender) {
            Route::Echo { .. } if self.datacenter.is_disturbed(back) => {
                self.send_segment(back, Segment::Data(message, cause));
            }
            route => self.follow_route(route, sender, connection, message, cause),
        }
    }

    /// A ping is answered by whoever lives at the other end.
    fn arrive_ping(&mut self, direction: Direction) {
        let (connection, end) = direction;
        let Some(sender) = self.datacenter.network.process_at(connection, end) else { return };
        let back = (connection, end.other());
        match self.route_of(connection, sender) {
            Route::Silent => {}
            Route::Deliver { to, .. } if self.is_frozen(to) => {}
            Route::Deliver { .. } | Route::Echo { .. } => self.send_segment(back, Segment::Pong),
            Route::Fail { at, how } => {
                let what = What::Broken(connection, how);
                let led = (Cause::NONE, self.way_rule(connection));
                self.push_to(at, sender, sender, purpose::CONNECTION, led, what);
            }
        }
    }

    /// The process at an end is told that its connection is lost, and its host drops it.
    pub(super) fn give_up(&mut self, direction: Direction, cause: Cause) {
        let (connection, end) = direction;
        self.datacenter.transport.pings.remove(&direction);
        let was_left = self.datacenter.network.left(connection);
        let process = self.datacenter.network.process_at(connection, end);
        self.leave(direction, cause);
        // The kernel of a process that has left gives up for itself.
        if let Some(process) = process.filter(|_| was_left != Some(end)) {
            let what = What::Broken(connection, Broken::Lost);
            let led = (cause, NOW);
            self.push_to(self.now, process, process, purpose::CONNECTION, led, what);
        }
    }

    fn forget(&mut self, connection: ConnectionId) {
        self.datacenter.network.close(connection);
        if !self.datacenter.is_calm() {
            self.datacenter.transport.forget(connection);
        }
    }

    /// Has an end look at its keep-alive, while it may not hear of the other.
    pub(super) fn watch(&mut self, direction: Direction) {
        let (connection, end) = direction;
        let heard = self.datacenter.network.heard_at(connection);
        let keep_alive = self.datacenter.keep_alive(connection);
        let Some(heard) = heard.filter(|_| keep_alive.is_for(end)) else { return };
        let Some(at) = keep_alive.next_ping(heard, self.now) else { return };
        let has_left = self.datacenter.network.left(connection) == Some(end);
        if !has_left
            && self.is_doubtful(connection)
            && self.datacenter.transport.watched.insert(direction)
        {
            let led = (Cause::NONE, keep_alive.rules[0]);
            let what = match keep_alive.by {
                Asker::Program => What::PingDue(direction),
                Asker::Kernel { .. } => What::ProbeDue(direction, Probing { heard, unanswered: 0 }),
            };
            self.push_host(at, connection.client, led, what);
        }
    }

    /// Has both ends look at their keep-alives, if what they send may be lost.
    fn watch_if_lossy(&mut self, connection: ConnectionId) {
        let ends = [End::Client, End::Server].map(|end| (connection, end));
        if ends.into_iter().any(|direction| self.datacenter.is_lossy(direction)) {
            ends.into_iter().for_each(|direction| self.watch(direction));
        }
    }

    /// True if one of the ends may not hear of the other.
    pub(super) fn is_doubtful(&self, connection: ConnectionId) -> bool {
        !self.datacenter.transport.is_connecting(connection)
            && !self.datacenter.is_clear(connection)
    }

    fn retransmit_after(&mut self, direction: Direction, (pause, due): crate::infra::Again) {
        let at = self.now + pause;
        let led = (Cause::NONE, RETRANSMISSION);
        self.push_host(at, direction.0.client, led, What::Retransmit(direction, due));
    }
}
