//! Frozen processes: SIGSTOP and SIGCONT.
//!
//! Simplified: a connection without requests stays open however long its client is frozen; an API
//! server would close it after 90 s, and the thawed client open another within milliseconds.

use super::core::{Core, NOW, Payload, What, purpose};
use crate::engine::{Duration, Key, SimTime};
use crate::infra::{Asker, Broken, ConnectionId, Datacenter, End, Handshake, ProcessId};
use crate::timeline::{Cause, EntryId};

/// What reading a socket takes longer than looking at the clock, when a process is thawed.
const READING: Duration = Duration::from_micros(1);

impl Core {
    /// True if the process was stopped and not continued.
    pub(super) fn is_frozen(&self, id: ProcessId) -> bool {
        self.datacenter.processes.get(id).frozen.is_some()
    }

    /// What falls due for a frozen process waits until it is thawed.
    pub(super) fn hold(&mut self, id: ProcessId, key: Key, payload: Payload) {
        self.held.entry(id).or_default().push((key, payload));
    }

    /// SIGSTOP: nothing happens in the process any more. Its kernel keeps its connections; only a
    /// peer that pings at a higher level notices, as clients of an API server do.
    pub(super) fn freeze(&mut self, id: ProcessId, cause: Cause) {
        let process = self.datacenter.processes.get(id);
        if !process.alive || process.frozen.is_some() {
            return;
        }
        // A ticker's next pass waits for the thaw, whatever it would have found.
        self.wake_tickers(id);
        let entry = self.record_frozen(id, true, cause);
        self.fall_silent(id, cause.of(entry));
    }

    /// From now on a process does nothing, and its kernel goes on for it; whoever pings it finds out.
    pub(super) fn fall_silent(&mut self, id: ProcessId, led: Cause) {
        let now = self.now;
        let process = self.datacenter.processes.get_mut(id);
        (process.frozen, process.ended) = (Some(now), led);
        for (connection, peer, _) in self.datacenter.network.of(id) {
            let Some(client) = peer.filter(|_| connection.client != id) else { continue };
            let keep_alive = self.datacenter.keep_alive(connection);
            // A kernel's probes are answered by the kernel.
            if keep_alive.by != Asker::Program {
                continue;
            }
            let asks = self.datacenter.asks_at(connection, now);
            let what = What::Unanswered(connection, (id, now), Broken::Lost);
            let led = self.step_on(led, asks, keep_alive.rules[0], client);
            self.push_host(asks + keep_alive.answer, client, (led, keep_alive.rules[1]), what);
        }
    }

    /// SIGCONT: what fell due meanwhile is noticed at once, and then what lies in the sockets.
    pub(super) fn thaw(&mut self, id: ProcessId, cause: Cause) {
        let now = self.now;
        let process = self.datacenter.processes.get_mut(id);
        if process.is_killed {
            return;
        }
        let Some(from) = process.frozen.take() else { return };
        process.slept = Some((from, now));
        self.record_frozen(id, false, cause);
        for (key, payload) in self.held.remove(&id).unwrap_or_default() {
            // A timer is seen to be over by looking at the clock; a message has to be read first.
            let at = match &payload.what {
                What::Due(_) | What::Flushed(_) | What::Tick(..) | What::Started(_) => now,
                _ => now + READING,
            };
            let cause = self.step_on(payload.cause, at, "the process was stopped", id);
            self.queue.push(Key { at, ..key }, Payload { cause, ..payload });
        }
    }

    fn record_frozen(&mut self, id: ProcessId, frozen: bool, cause: Cause) -> EntryId {
        let name = self.datacenter.processes.get(id).name.clone();
        let cluster = self.clusters.get(&id).cloned().unwrap_or_default();
        self.recorder.process(self.now, &cluster, &name, ("frozen", frozen), cause.entry)
    }

    /// A client waits for so long until the program at the other end answers its handshake.
    pub(super) fn await_handshake(&mut self, connection: ConnectionId, limit: Handshake) {
        let limit = match limit {
            Handshake::Tls => self.datacenter.keep_alives.tls_handshake,
            Handshake::Within(rule, length) => (rule, length),
        };
        self.datacenter.network.note_handshake(connection, limit);
        self.watch_handshake(connection);
    }

    /// The kernel of a frozen process accepts a connection; nobody answers the handshake.
    ///
    /// Simplified: one that a process has accepted and not answered when it is frozen, milliseconds later,
    /// is found out by its first ping.
    pub(super) fn watch_handshake(&mut self, connection: ConnectionId) {
        let Datacenter { network, processes, transport, .. } = &self.datacenter;
        let Some((rule, length)) = network.handshake(connection) else { return };
        if length.is_zero() || transport.is_connecting(connection) {
            return;
        }
        let Some(server) = network.process_at(connection, End::Server) else { return };
        let (process, opened) = (processes.get(server), network.established_at(connection));
        if let (Some(since), Some(opened)) = (process.frozen, opened) {
            let what = What::Unanswered(connection, (server, since), Broken::Unanswered);
            let led = (process.ended, rule);
            self.push_host(opened + length, connection.client, led, what);
        }
    }

    /// A client gives up its connection to a process that is still frozen.
    pub(super) fn unanswered(
        &mut self,
        connection: ConnectionId,
        (frozen, since): (ProcessId, SimTime),
        how: Broken,
        cause: Cause,
    ) {
        if self.datacenter.processes.get(frozen).frozen != Some(since) {
            return;
        }
        // Without a handshake none of its requests have left.
        let is_unsent = |payload: &Payload| {
            let of = matches!(payload.what, What::Message(on, _) if on == connection);
            how == Broken::Unanswered && of
        };
        if let Some(held) = self.held.get_mut(&frozen) {
            held.retain(|(_, payload)| !is_unsent(payload));
        }
        let (client, what) = (connection.client, What::Broken(connection, how));
        self.push_to(self.now, client, client, purpose::CONNECTION, (cause, NOW), what);
    }
}
