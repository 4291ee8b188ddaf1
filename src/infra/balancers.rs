//! Load balancers, as the network sees them: where an endpoint leads at the moment, and to which of
//! its backends a connection is led.
//!
//! Which backends are up is found out by `components/load_balancer`; here its verdict is carried out.

use super::{ConnectionId, Datacenter, EndpointId, Fallback, NoneUp, Port, ProcessId};
use crate::engine::{Duration, Owner, Purpose, Random, SimTime, Text};
use std::collections::BTreeMap;

/// All endpoints that a load balancer steers.
#[derive(Clone, Debug, Default)]
pub struct Balancers {
    /// Where they lead.
    steered: BTreeMap<EndpointId, Steered>,
    /// Whom a balancer leads to the same backend again (persistence by source address).
    persistent: BTreeMap<(EndpointId, ProcessId), Text>,
}

/// Where an endpoint leads.
#[derive(Clone, Debug)]
struct Steered {
    /// To one of these ports of the VMs that have these names at the moment.
    to: Vec<(Text, Port)>,
    fallback: Fallback,
}

impl Balancers {
    /// True if a load balancer steers this endpoint.
    pub fn know(&self, endpoint: EndpointId) -> bool {
        self.steered.contains_key(&endpoint)
    }
}

impl Datacenter {
    /// Opens a connection through a load balancer.
    pub(super) fn connect_balanced(
        &mut self,
        id: ConnectionId,
        endpoint: EndpointId,
        random: &Random,
        now: SimTime,
    ) {
        let owner = self.link(id, random);
        let Some(steered) = self.balancers.steered.get(&endpoint) else { return };
        let none_up = steered.fallback.none_up;
        let (to, tried) = match self.known_backend(steered, (endpoint, id.client)) {
            Some(known) => (Some(known.clone()), Duration::ZERO),
            None => self.dispatched(steered, random, owner),
        };
        if let (Some((vm, _)), Some(known)) =
            (&to, self.balancers.persistent.get_mut(&(endpoint, id.client)))
        {
            known.clone_from(vm);
        }
        self.connect_through(id, (endpoint, none_up), to, random, now);
        // The client's own connection is open; what he says waits in the balancer.
        self.network.delay_handshake(id, tried);
    }

    /// Has a balancer know a client by his address: he is led to this VM while it is up, then to
    /// whichever is drawn for him, and stays there.
    pub fn remember(&mut self, endpoint: EndpointId, client: ProcessId, vm: Text) {
        self.balancers.persistent.insert((endpoint, client), vm);
    }

    /// The backend that a balancer remembers for a client, if it is up.
    fn known_backend<'a>(
        &self,
        Steered { to, .. }: &'a Steered,
        client: (EndpointId, ProcessId),
    ) -> Option<&'a (Text, Port)> {
        let known = self.balancers.persistent.get(&client)?;
        to.iter().find(|(vm, _)| vm == known)
    }

    /// The backend to which a balancer leads a connection, and for how long it has tried others
    /// before: one that does not work is not yet known to be down, and the connection is tried once more with
    /// another, if that is the rule.
    fn dispatched(
        &self,
        Steered { to, fallback }: &Steered,
        random: &Random,
        link: Owner,
    ) -> (Option<(Text, Port)>, Duration) {
        let Some(first) = pick(to, random, link) else { return (None, Duration::ZERO) };
        let (patience, is_silent) = (fallback.connect_timeout, self.is_silent_for(first, fallback));
        if !is_silent && (!fallback.redispatch || !self.refuses(first)) {
            return (Some(first.clone()), Duration::ZERO);
        }
        let tried = if is_silent { patience } else { Duration::ZERO };
        let others: Vec<&(Text, Port)> =
            to.iter().filter(|other| fallback.redispatch && *other != first).collect();
        let draw = random.draw(link, Purpose(2), 0);
        let chosen = crate::engine::index_below(others.len() as u64, draw);
        let chosen = usize::try_from(chosen).expect("an index of a small list");
        let second = others.get(chosen).copied().unwrap_or(first);
        match self.is_silent_for(second, fallback) {
            true => (None, tried + patience),
            // It has accepted the connection long ago: all that is left is to close it.
            false if is_silent && self.refuses(second) => (None, tried),
            false => (Some(second.clone()), tried),
        }
    }

    /// True for a balancer that opens connections of its own, if nothing comes back from a backend.
    fn is_silent_for(&self, (vm, _): &(Text, Port), fallback: &Fallback) -> bool {
        let answers = |vm| self.vm(vm).answers() && self.path_outside(vm).is_whole();
        !fallback.connect_timeout.is_zero() && !self.vm_named(vm).is_some_and(answers)
    }

    /// Its host lives, and nobody listens there.
    fn refuses(&self, (vm, port): &(Text, Port)) -> bool {
        self.vm_named(vm)
            .is_some_and(|vm| self.vm(vm).answers() && self.processes.listener(vm, *port).is_none())
    }

    /// Opens a connection through a load balancer to one of its backends, if any is up.
    fn connect_through(
        &mut self,
        id: ConnectionId,
        (endpoint, none_up): (EndpointId, NoneUp),
        to: Option<(Text, Port)>,
        random: &Random,
        now: SimTime,
    ) {
        match to {
            Some((vm, port)) => self.connect_to_vm(id, (&vm, port), random, now),
            None => {
                let draw = random.draw(self.link(id, random), Purpose(0), 0);
                let latency = self.latency.between_vms.pick(draw);
                self.network.open(id, None, latency, &self.processes, now);
            }
        }
        self.network.note_endpoint(id, endpoint, none_up);
    }

    /// Has an endpoint lead to these ports of the VMs of these names.
    pub fn steer(&mut self, endpoint: EndpointId, to: Vec<(Text, Port)>, fallback: Fallback) {
        self.balancers.steered.insert(endpoint, Steered { to, fallback });
    }
}

/// One of the backends of an endpoint, drawn for a connection.
pub(super) fn pick<'a, T>(backends: &'a [T], random: &Random, link: Owner) -> Option<&'a T> {
    let draw = random.draw(link, Purpose(1), 0);
    let chosen = crate::engine::index_below(backends.len() as u64, draw);
    backends.get(usize::try_from(chosen).expect("an index of a small list"))
}
