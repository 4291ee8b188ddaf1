//! Frozen processes: SIGSTOP and SIGCONT.
//!
//! Simplified: a connection without requests stays open however long its client is frozen; an API
//! server would close it after 90 s, and the thawed client open another within milliseconds.

use super::core::{Core, NOW, Payload, What, purpose};
use crate::engine::{Duration, Key, SimTime};
use crate::infra::{Asker, Broken, ConnectionId, ProcessId};
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
        let now = self.now;
        let process = self.datacenter.processes.get(id);
        if !process.alive || process.frozen.is_some() {
            return;
        }
        // A ticker's next pass waits for the thaw, whatever it would have found.
        self.wake_tickers(id);
        self.datacenter.processes.get_mut(id).frozen = Some(now);
        let entry = self.record_frozen(id, true, cause);
        self.datacenter.processes.get_mut(id).ended = cause.of(entry);
        for (connection, peer, _) in self.datacenter.network.of(id) {
            let Some(client) = peer.filter(|_| connection.client != id) else { continue };
            let keep_alive = self.datacenter.keep_alive(connection);
            // A kernel's probes are answered by the kernel.
            if keep_alive.by != Asker::Program {
                continue;
            }
            let asks = self.datacenter.network.asks_at(connection, keep_alive, now);
            let what = What::PingLost(connection, id, now);
            let led = self.step_on(cause.of(entry), asks, keep_alive.rules[0], client);
            self.push_host(asks + keep_alive.answer, client, (led, keep_alive.rules[1]), what);
        }
    }

    /// SIGCONT: what fell due meanwhile is noticed at once, and then what lies in the sockets.
    pub(super) fn thaw(&mut self, id: ProcessId, cause: Cause) {
        let now = self.now;
        let process = self.datacenter.processes.get_mut(id);
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

    /// A client gives up its connection to a process that is still frozen.
    pub(super) fn ping_lost(
        &mut self,
        connection: ConnectionId,
        frozen: ProcessId,
        since: SimTime,
    ) {
        if self.datacenter.processes.get(frozen).frozen == Some(since) {
            let client = connection.client;
            let what = What::Broken(connection, Broken::Lost);
            self.push_to(self.now, client, client, purpose::CONNECTION, (Cause::NONE, NOW), what);
        }
    }
}
