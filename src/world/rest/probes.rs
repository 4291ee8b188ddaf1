//! Probes of an API server that nothing can disturb: a kubelet asks, the server asks its member of
//! etcd, and all are as well as they were.
//!
//! What a probe changes where it changes nothing: the time from which the server asks etcd again,
//! when who was heard last, and the numbers that requests have.

use super::super::core::{Payload, What, World};
use super::super::process::Process;
use super::reads::Read;
use crate::components::apiserver::{Apiserver, Foreseen};
use crate::components::kubelet::Kubelet;
use crate::engine::SimTime;
use crate::infra::{ActivityId, ConnectionId, ProcessId, Route};

/// How a probe will go.
struct Probe {
    connection: ConnectionId,
    server: ProcessId,
    checks: Foreseen,
    /// The server's reads: each with its connection, and when the answer is there.
    reads: [Option<(Read, ConnectionId, SimTime)>; 2],
    /// The kubelet has the answer.
    answered_at: SimTime,
}

impl World {
    /// Passes over a probe that nothing can disturb; false if this is none.
    pub(in crate::world) fn passes_over_probe(&mut self, id: ProcessId, payload: &Payload) -> bool {
        let What::Tick(activity, _) = payload.what else { return false };
        if self.core.plays_all() {
            return false;
        }
        let Some(probe) = self.foresee_probe(id, activity) else { return false };
        self.drop_void_until(probe.answered_at);
        let is_undisturbed = self.is_left_alone(probe.answered_at);
        if is_undisturbed && self.core.admit(id, payload) {
            self.pass_probe(id, probe);
        }
        is_undisturbed
    }

    /// A probe has gone as foreseen.
    fn pass_probe(&mut self, id: ProcessId, probe: Probe) {
        if let Some(kubelet) = self.kubelet(id) {
            kubelet.pass_probe();
        }
        if let Process::Apiserver(server) = &mut self.components[probe.server.0 as usize] {
            server.pass_check(probe.checks);
        }
        self.core.datacenter.network.heard_by(probe.connection, probe.answered_at);
        for (read, connection, answered_at) in probe.reads.into_iter().flatten() {
            self.core.datacenter.network.heard_by(connection, answered_at);
            self.pass_read(read);
        }
    }

    fn kubelet(&mut self, id: ProcessId) -> Option<&mut Kubelet> {
        match &mut self.components[id.0 as usize] {
            Process::Kubelet(kubelet) => Some(kubelet),
            _ => None,
        }
    }

    fn foresee_probe(&self, id: ProcessId, activity: ActivityId) -> Option<Probe> {
        let now = self.core.now;
        let Process::Kubelet(kubelet) = &self.components[id.0 as usize] else { return None };
        let (connection, path, limit) = kubelet.foresee_probe(activity, now)?;
        let (server, came) = self.arrival_of(connection, id, now)?;
        let apiserver = self.apiserver(server)?;
        let mut reads = [None; 2];
        let mut count = 0;
        let read = |line, asked| {
            let (member, came) = self.arrival_of(line, server, asked)?;
            let read = self.foresee_read(member, came)?;
            let answered_at = read.answered_at + self.core.datacenter.network.latency(line)?;
            reads[count] = Some((read, line, answered_at));
            count += 1;
            Some(answered_at)
        };
        let (judged, checks) = apiserver.foresee_check(path, came, read)?;
        let answered_at = judged + self.core.datacenter.network.latency(connection)?;
        let probe = Probe { connection, server, checks, reads, answered_at };
        Some(probe).filter(|probe| probe.answered_at < limit)
    }

    pub(super) fn apiserver(&self, id: ProcessId) -> Option<&Apiserver> {
        let process = self.core.datacenter.processes.get(id);
        match &self.components[id.0 as usize] {
            Process::Apiserver(server) if process.alive && process.frozen.is_none() => Some(server),
            _ => None,
        }
    }

    /// Where a message on a connection arrives that is sent at a time, and when, if all is well.
    pub(super) fn arrival_of(
        &self,
        connection: ConnectionId,
        from: ProcessId,
        sent: SimTime,
    ) -> Option<(ProcessId, SimTime)> {
        let is_clear = self.core.datacenter.is_clear(connection);
        match self.core.route_of(connection, from) {
            Route::Deliver { to, at } if is_clear => Some((to, at + sent.since(self.core.now))),
            _ => None,
        }
    }
}
