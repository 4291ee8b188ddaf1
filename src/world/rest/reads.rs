//! Linearizable reads that nothing can disturb: they are answered ahead.
//!
//! Before a member answers such a read, the leader asks a quorum by heartbeats whether it still
//! leads: up to six messages and a timer. If the group rests with no disk busy and nothing under
//! way, and until the quorum has answered nothing at all falls due in the world and no fault
//! strikes, it is known when that will be and that nothing will have changed. So the member answers
//! at once, and its answer leaves at that time. The heartbeats count when the group is woken.

use super::super::core::{Payload, What, World};
use super::super::process::Process;
use super::Group;
use crate::components::etcd::Etcd;
use crate::engine::{Duration, SimTime};
use crate::infra::{DiskHealth, ProcessId};
use crate::wire::StoreOperation::{Get, Range};
use crate::wire::{Consistency, Message, StoreOperation};

/// How a read will go.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Read {
    process: ProcessId,
    /// Its group, and the place of the member that is asked; the leader has the first. None of a
    /// member that is alone: it asks nobody.
    group: Option<(usize, usize)>,
    /// The leader hears of it.
    asked_at: SimTime,
    /// The member answers.
    pub answered_at: SimTime,
}

impl World {
    /// How a read goes that comes now, if this is one and nothing can disturb it.
    pub(in crate::world) fn undisturbed_read(
        &mut self,
        id: ProcessId,
        payload: &Payload,
    ) -> Option<Read> {
        let What::Message(_, Message::Store(request)) = &payload.what else { return None };
        if !is_linearizable(&request.operation) || self.core.plays_all() {
            return None;
        }
        let read = self.foresee_read(id, self.core.now)?;
        self.drop_void_until(read.answered_at);
        self.is_left_alone(read.answered_at).then_some(read)
    }

    /// Plays a read that nothing can disturb, with its answer.
    pub(in crate::world) fn answer_ahead(
        &mut self,
        id: ProcessId,
        mut payload: Payload,
        read: Read,
    ) {
        if !self.core.admit(id, &payload) {
            return;
        }
        // Until then nothing changes, so what the member has now is as fresh as a quorum says.
        if let What::Message(_, Message::Store(request)) = &mut payload.what
            && let Get(_, how) | Range(_, how) = &mut request.operation
        {
            *how = Consistency::Serializable;
        }
        self.pass_read(read);
        let now = std::mem::replace(&mut self.core.now, read.answered_at);
        let component = &mut self.components[id.0 as usize];
        component.play(id, payload.what, payload.cause, &mut self.core, &mut self.buffers);
        self.core.now = now;
    }

    /// How a linearizable read at a member goes that comes at a time, if nothing disturbs it.
    pub(super) fn foresee_read(&self, id: ProcessId, came: SimTime) -> Option<Read> {
        match &self.components[id.0 as usize] {
            Process::Etcd(etcd) if etcd.leads_alone() => {
                let process = self.core.datacenter.processes.get(id);
                let disk = self.core.datacenter.vm(process.vm).disk.health;
                let is_well = etcd.is_idle()
                    && process.alive
                    && process.frozen.is_none()
                    && disk == DiskHealth::Well;
                let read = Read { process: id, group: None, asked_at: came, answered_at: came };
                is_well.then_some(read)
            }
            _ => self.foresee_quorum(id, came),
        }
    }

    fn foresee_quorum(&self, id: ProcessId, came: SimTime) -> Option<Read> {
        let of = |group: &Group| group.members.iter().position(|member| member.process == id);
        let mut groups = self.core.rests.groups.iter().enumerate();
        let (place, group, member) =
            groups.find_map(|(place, group)| Some((place, group, of(group)?)))?;
        if !self.are_idle(group, member) {
            return None;
        }
        let [there, back] = match member {
            0 => [Duration::ZERO; 2],
            _ => group.members[member].ways,
        };
        let asked_at = came + back;
        let answered_at = asked_at + group.confirmation + there;
        // Else it would be asked again first.
        if answered_at.since(came) >= self.etcd(id).read_retry() {
            return None;
        }
        Some(Read { process: id, group: Some((place, member)), asked_at, answered_at })
    }

    /// True if no member of a group has anything to do, and one of them has applied all.
    fn are_idle(&self, group: &Group, member: usize) -> bool {
        let etcd = |place: usize| self.etcd(group.members[place].process);
        let last = etcd(0).last_index();
        (0..group.members.len()).all(|place| etcd(place).is_idle())
            && etcd(0).is_committed(last)
            && etcd(member).has_applied(last)
    }

    /// A read has gone as foreseen: the leader has asked its followers, and a quorum has answered.
    pub(super) fn pass_read(&mut self, read: Read) {
        let Read { process, group, asked_at, answered_at } = read;
        self.etcd_mut(process).count_read();
        let Some((group, member)) = group else { return };
        let group = &mut self.core.rests.groups[group];
        let tick = group.members[0].ticks.period;
        group.asked.push(asked_at, |old| *old + tick * 2 < asked_at);
        let [leader, asking] = [0, member].map(|place| group.members[place].process);
        let [leader_id, asking_id] = [0, member].map(|place| group.members[place].id);
        let [there, back] = group.members[member].links;
        if member == 0 {
            return;
        }
        self.core.datacenter.network.heard_by(back, asked_at);
        self.core.datacenter.network.heard_by(there, answered_at);
        self.etcd_mut(leader).hear_unplayed(asking_id, asked_at);
        self.etcd_mut(asking).hear_unplayed(leader_id, answered_at);
    }

    pub(super) fn etcd_mut(&mut self, id: ProcessId) -> &mut Etcd {
        match &mut self.components[id.0 as usize] {
            Process::Etcd(etcd) => etcd,
            _ => unreachable!("only members of etcd are asked for reads"),
        }
    }

    pub(super) fn etcd(&self, id: ProcessId) -> &Etcd {
        match &self.components[id.0 as usize] {
            Process::Etcd(etcd) => etcd,
            _ => unreachable!("only members of etcd are asked for reads"),
        }
    }
}

/// True for a read of objects that asks a quorum. A list of members asks one where the release does.
fn is_linearizable(operation: &StoreOperation) -> bool {
    matches!(operation, Get(..) | Range(..)) && operation.asks_quorum()
}
