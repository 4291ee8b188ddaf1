//! The readiness probe of VirtualMachines that have one: a TCP connection every few seconds, and
//! the condition Ready that says how it went.
//!
//! It looks at the guest, not at the datacenter. What it writes wakes the VirtualMachine's own
//! reconcile, which then looks at the VM: so a control-plane VM that is off comes back within
//! seconds, and a worker, which has no probe, does not. Each reconcile that has come to its end asks
//! for a probe at once; the next regular one comes when it would have come. Follows `pkg/prober`,
//! which means to ask only for a probe that is new or changed, but compares a value with a pointer.
//!
//! Simplified: without the limit of five probes at a time.

use super::{Event, VmOperator};
use crate::api::kinds::{Condition, PowerState, Status, VirtualMachine};
use crate::api::{Object, ObjectKey, Verb};
use crate::client::Flight;
use crate::engine::{Duration, Generation, Purpose, Text, Timer, below};
use crate::infra::{ConnectionId, Ctx, Port};
use crate::wire::Message;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How VirtualMachines are probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// From the end of one probe to the next.
    pub period: Duration,
    /// How long a connection may take.
    pub timeout: Duration,
}

/// The probes of all VirtualMachines.
#[derive(Clone, Debug, Default)]
pub struct Prober {
    probes: BTreeMap<ObjectKey, Probe>,
}

/// One VirtualMachine's.
#[derive(Clone, Debug, Default)]
struct Probe {
    /// Tells the end of this round's time from those of earlier ones.
    round: u32,
    /// The connection of a probe under way.
    under_way: Option<ConnectionId>,
    /// It was asked for meanwhile: it comes right after.
    again: bool,
    /// Which timer is that of the next regular probe, if one is set.
    next: Timer,
    is_set: bool,
}

impl Prober {
    /// True if a probe waits on this connection.
    pub fn is_under_way(&self, connection: ConnectionId) -> bool {
        self.probes.values().any(|probe| probe.under_way == Some(connection))
    }
}

/// Where in its period a probe stands that has been running for long.
const PHASE: Purpose = Purpose(11);
/// Writes of the prober, which no reconcile waits for.
const PROBER: u8 = 1;
const AGENT: &str = "virtualmachine-prober";

impl VmOperator {
    /// Ends the probes of a VirtualMachine that is gone or wants none. Of one that has long been
    /// there, to a process that has long been running, they are under way.
    pub(super) fn follow_probe(
        &mut self,
        key: &ObjectKey,
        object: Option<&Object>,
        ctx: &mut Ctx<Event>,
    ) {
        let is_wanted = object.is_some_and(wants_probe);
        match self.prober.probes.contains_key(key) {
            false if is_wanted && !self.settled => {
                let mut probe = Probe { is_set: true, ..Probe::default() };
                let event = Event::Probe(key.clone(), probe.next.restart());
                self.prober.probes.insert(key.clone(), probe);
                let pause = below(self.settings.probe.period, ctx.draw(PHASE));
                ctx.after("vmOperator.probePeriod", pause, event);
            }
            true if !is_wanted => {
                let probe = self.prober.probes.remove(key);
                if let Some(connection) = probe.and_then(|probe| probe.under_way) {
                    ctx.close(connection);
                }
            }
            _ => {}
        }
    }

    /// A reconcile has come to its end: a probe follows at once, or right after the one under way.
    pub(super) fn reconciled(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        let object = self.clients.local.caches.get(key);
        if object.is_some_and(|object| wants_probe(object)) {
            self.prober.probes.entry(key.clone()).or_default();
            self.probe(key, ctx);
        }
    }

    /// The time of a regular probe has come.
    pub(super) fn probe_due(&mut self, key: &ObjectKey, due: Generation, ctx: &mut Ctx<Event>) {
        let probe = self.prober.probes.get_mut(key).filter(|it| it.next.is_current(due));
        if let Some(probe) = probe {
            probe.is_set = false;
            self.probe(key, ctx);
        }
    }

    fn probe(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        let Some(probe) = self.prober.probes.get_mut(key) else { return };
        if probe.under_way.is_some() {
            probe.again = true;
            return;
        }
        let Some(vm) = self.clients.local.caches.get(key).and_then(|it| it.virtual_machine())
        else {
            return;
        };
        // Who is known to be off is not asked.
        if vm.power != PowerState::PoweredOn {
            return self.probed(key, Err("virtual machine is not powered on"), ctx);
        }
        let port = Port(vm.readiness_port.unwrap_or_default());
        let connection = ctx.connect_to_vm(key.name.clone(), port);
        probe.under_way = Some(connection);
        ctx.send(connection, Message::Handshake);
        let event = Event::ProbeOver(key.clone(), probe.round);
        ctx.after("vmOperator.probeTimeout", self.settings.probe.timeout, event);
    }

    /// Nobody has answered in time.
    pub(super) fn probe_over(&mut self, key: &ObjectKey, round: u32, ctx: &mut Ctx<Event>) {
        let waits = self.prober.probes.get(key).filter(|it| it.round == round);
        if waits.is_some_and(|probe| probe.under_way.is_some()) {
            self.probed(key, Err("dial tcp: i/o timeout"), ctx);
        }
    }

    /// Somebody has answered on a probe's connection, or nobody is there.
    pub(super) fn probe_heard(
        &mut self,
        from: ConnectionId,
        outcome: Result<(), &'static str>,
        ctx: &mut Ctx<Event>,
    ) {
        let probes = &mut self.prober.probes.iter();
        let found = probes.find(|(_, probe)| probe.under_way == Some(from));
        if let Some(key) = found.map(|(key, _)| key.clone()) {
            self.probed(&key, outcome, ctx);
        }
    }

    fn probed(&mut self, key: &ObjectKey, outcome: Result<(), &'static str>, ctx: &mut Ctx<Event>) {
        let Some(probe) = self.prober.probes.get_mut(key) else { return };
        probe.round = probe.round.wrapping_add(1);
        if let Some(connection) = probe.under_way.take() {
            ctx.close(connection);
        }
        let again = std::mem::take(&mut probe.again);
        // One that waits already is not put off.
        if !std::mem::replace(&mut probe.is_set, true) {
            let event = Event::Probe(key.clone(), probe.next.restart());
            ctx.after("vmOperator.probePeriod", self.settings.probe.period, event);
        }
        self.say_probed(key, outcome, ctx);
        if again {
            self.probe(key, ctx);
        }
    }

    fn say_probed(
        &mut self,
        key: &ObjectKey,
        outcome: Result<(), &'static str>,
        ctx: &mut Ctx<Event>,
    ) {
        let Some(object) = self.clients.local.caches.get(key).cloned() else { return };
        let (status, reason, message) = match outcome {
            Ok(()) => (Status::True, "", ""),
            Err(error) => (Status::False, "NotReady", error),
        };
        let [kind, reason, message] =
            [VirtualMachine::READY.as_str(), reason, message].map(Text::from);
        let mut changed = Object::clone(&object);
        let said = Condition::new(kind, status, reason, message, ctx.wall_clock());
        // Written only when it says something new, be it in its message: each write wakes the
        // VirtualMachine.
        if changed.virtual_machine_mut().is_some_and(|vm| vm.conditions.say(said)) {
            let verb = Verb::Patch { base: object, changed: Arc::new(changed) };
            let flight = Flight { controller: PROBER, key: key.clone() };
            self.clients.local.ask(ctx, AGENT, verb, flight);
        }
    }
}

fn wants_probe(object: &Object) -> bool {
    let port = object.virtual_machine().and_then(|vm| vm.readiness_port);
    port.is_some() && !object.meta.is_deleting()
}

/// True if an answer is one that no reconcile waits for.
pub fn is_probers(flight: &Flight) -> bool {
    flight.controller == PROBER
}
