//! The datacenter: VMs, processes and network together, and what follows when something ends.
//!
//! Each change returns what happened, so that `world` can tell those who notice and write it down.

use super::balancers::{Balancers, pick};
use super::{
    Address, Broken, ConnectionId, Container, Direction, End, Hosts, Inventory, KeepAlives, Lag,
    Links, Loss, Network, Path, Place, Port, Power, ProcessId, ProcessState, Processes,
    Retransmission, Transport, Vm, VmId,
};
use crate::api::Uid;
use crate::engine::{Delay, Duration, Owner, Purpose, Random, Rule, SimTime, Text, is_like};
use crate::timeline::Cause;
use std::collections::BTreeMap;

/// Everything physical.
#[derive(Clone, Debug)]
pub struct Datacenter {
    pub vms: Vec<Vm>,
    pub processes: Processes,
    pub network: Network,
    pub links: Links,
    pub transport: Transport,
    pub(super) balancers: Balancers,
    /// The VM that has a name now.
    by_name: BTreeMap<Text, VmId>,
    /// How many zones there are; each new VM goes to the one with the fewest.
    pub(super) zones: u32,
    pub hosts: Hosts,
    pub latency: Latency,
    pub keep_alives: KeepAlives,
    pub retransmission: Retransmission,
}

/// How long a message takes, one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    pub between_vms: Delay,
    pub loopback: Delay,
}

/// What somebody notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    ProcessEnded(ProcessId),
    /// The end of a connection, of which its host tells `who` at `at`.
    ConnectionEnds {
        who: ProcessId,
        connection: ConnectionId,
        at: SimTime,
        how: Broken,
    },
    /// A connection that has fallen silent: `who` asks the other end at `asks` whether it lives, and
    /// has given up at `at`.
    ConnectionSilent {
        who: ProcessId,
        connection: ConnectionId,
        asks: SimTime,
        at: SimTime,
        rules: [Rule; 2],
    },
    /// The other end of a connection that nobody asks whether it lives is gone with its host: what
    /// becomes of this end is its kernel's matter.
    Unheard(Direction),
    /// A process has left an end whose other end cannot hear of it at once.
    Left(Direction),
    ContainerStopped(VmId, Uid),
    /// To this; a later change may have followed already.
    PowerChanged(VmId, Power),
}

impl Datacenter {
    /// An empty datacenter.
    pub fn new(
        latency: Latency,
        keep_alives: KeepAlives,
        retransmission: Retransmission,
        zones: u32,
    ) -> Datacenter {
        Datacenter {
            vms: Vec::new(),
            processes: Processes::default(),
            network: Network::default(),
            links: Links::default(),
            transport: Transport::default(),
            balancers: Balancers::default(),
            by_name: BTreeMap::new(),
            zones,
            hosts: Hosts::default(),
            latency,
            keep_alives,
            retransmission,
        }
    }

    /// Adds a VM, on a host that is up if none is said; its name is its own until it is gone.
    pub fn add_vm(&mut self, mut vm: Vm) -> VmId {
        let all = Inventory::of(self);
        vm.place = all.emptiest_zone(&vm.name);
        if vm.host.is_none() {
            let named = (vm.name.as_str(), vm.place.as_ref());
            vm.host = self.hosts.roomiest(named, all, &[], |host| all.is_on(host.machine));
        }
        let id = VmId(u32::try_from(self.vms.len()).expect("fewer than 2^32 VMs"));
        let earlier = self.by_name.insert(vm.name.clone(), id);
        assert!(earlier.is_none(), "the management refuses a second VM of one name");
        self.vms.push(vm);
        id
    }

    /// The zones that there are.
    pub fn zones(&self) -> impl Iterator<Item = Place> + use<> {
        (0..self.zones).map(Place::numbered)
    }

    /// Adds a machine that belongs to the datacenter itself and is not among its VMs.
    pub fn add_appliance(&mut self, name: impl Into<Text>) -> VmId {
        let mut vm = Vm::new(name);
        (vm.power, vm.booted) = (Power::On, true);
        vm.is_appliance = true;
        self.vms.push(vm);
        VmId(u32::try_from(self.vms.len() - 1).expect("fewer than 2^32 VMs"))
    }

    /// Every VM's number, by name.
    pub(super) fn names(&self) -> &BTreeMap<Text, VmId> {
        &self.by_name
    }

    /// A process and its VM to change, beside the network's view of the others if that VM is an
    /// appliance.
    pub fn host(&mut self, id: ProcessId) -> (&mut ProcessState, &mut Vm, Option<Inventory<'_>>) {
        let process = self.processes.get_mut(id);
        let (before, rest) = self.vms.split_at_mut(process.vm.0 as usize);
        let (vm, after) = rest.split_first_mut().expect("a process runs on a VM");
        let around = |vms| Inventory::around(&self.by_name, &self.hosts, self.zones, vms);
        let inventory = vm.is_appliance.then(|| around((&*before, &*after)));
        (process, vm, inventory)
    }

    /// The VM of a name.
    pub fn vm_named(&self, name: &str) -> Option<VmId> {
        self.by_name.get(name).copied()
    }

    /// The VM of a name in which `*` stands for anything: the first by name.
    pub fn vm_like(&self, pattern: &str) -> Option<VmId> {
        if !pattern.contains('*') {
            return self.vm_named(pattern);
        }
        self.by_name.iter().find(|(name, _)| is_like(name, pattern)).map(|(_, id)| *id)
    }

    /// A VM by number.
    pub fn vm(&self, id: VmId) -> &Vm {
        &self.vms[id.0 as usize]
    }

    /// A VM to change.
    pub fn vm_mut(&mut self, id: VmId) -> &mut Vm {
        &mut self.vms[id.0 as usize]
    }

    /// The VMs that exist, by name.
    pub fn existing_vms(&self) -> impl Iterator<Item = (VmId, &Vm)> {
        self.by_name.values().map(|id| (*id, self.vm(*id)))
    }

    /// Opens a connection; which backend, and how far away, is drawn now.
    pub fn connect(&mut self, id: ConnectionId, to: Address, random: &Random, now: SimTime) {
        let client = self.processes.get(id.client);
        let owner = self.link(id, random);
        let (target, delay) = match to {
            Address::Here(port) => (Some((client.vm, port)), self.latency.loopback),
            Address::Endpoint(endpoint) => {
                if self.balancers.know(endpoint) {
                    return self.connect_balanced(id, endpoint, random, now);
                }
                let backend = pick(self.network.backends(endpoint), random, owner);
                (backend.copied(), self.latency.between_vms)
            }
        };
        let latency = delay.pick(random.draw(owner, Purpose(0), 0));
        self.network.open(id, target, latency, &self.processes, now);
        // A host that is off answers nothing: the client's own timers must tell.
    }

    /// Opens a connection to a port of the VM that has this name now; to nobody if there is none.
    pub fn connect_to_vm(
        &mut self,
        id: ConnectionId,
        (vm, port): (&str, Port),
        random: &Random,
        now: SimTime,
    ) {
        let here = self.processes.get(id.client).vm;
        let target = self.vm_named(vm);
        let delay = match target == Some(here) {
            true => self.latency.loopback,
            false => self.latency.between_vms,
        };
        let latency = delay.pick(random.draw(self.link(id, random), Purpose(0), 0));
        match target {
            Some(target) => {
                self.network.open(id, Some((target, port)), latency, &self.processes, now);
            }
            None => self.network.open_to_nowhere(id, latency, &self.processes, now),
        }
    }

    /// Where a message arrives that is sent on a connection of its own, and after how long: three times
    /// the way, since the connection has to be opened first.
    ///
    /// Simplified: nowhere, over a link that is cut or loses packets.
    pub fn post_way(
        &self,
        from: ProcessId,
        (vm, port): (&str, Port),
        random: &Random,
    ) -> Option<(ProcessId, Duration)> {
        let (here, there) = (self.processes.get(from).vm, self.vm_named(vm)?);
        let to = self.processes.listener(there, port)?;
        let path = self.path_between(here, there);
        let ways = [(here, there), (there, here)];
        let is_lossy = ways.iter().any(|(a, b)| self.links.loss(*a, *b) > Loss::default());
        if !path.is_whole() || is_lossy || !self.vm(there).answers() {
            return None;
        }
        let owner = self.link(ConnectionId::of_posts(from), random);
        let way = self.latency.between_vms.pick(random.draw(owner, Purpose(0), 0));
        let slow = self.links.delay(here, there) * 2 + self.links.delay(there, here);
        Some((to, way * 3 + slow))
    }

    /// Opens a connection to the containers of a Pod on the VM that has this name now.
    pub fn connect_to_container(
        &mut self,
        id: ConnectionId,
        (vm, pod): (&str, Uid),
        random: &Random,
        now: SimTime,
    ) {
        let latency =
            self.latency.between_vms.pick(random.draw(self.link(id, random), Purpose(0), 0));
        let to = (self.vm_named(vm), pod);
        self.network.open_to_container(id, to, latency, &self.processes, now);
    }

    /// True while no packet is lost or late anywhere: what is sent arrives.
    pub fn is_calm(&self) -> bool {
        self.links.are_whole() && self.transport.is_idle()
    }

    /// The VMs at an end of a connection and at the other.
    fn ends(&self, (id, end): Direction) -> (VmId, VmId) {
        let client = self.processes.get(id.client).vm;
        let host = self.network.host(id).unwrap_or(client);
        if end == End::Client { (client, host) } else { (host, client) }
    }

    /// Whether packets get from an end of a connection to the other, and back.
    pub fn path(&self, direction: Direction) -> Path {
        let (from, to) = self.ends(direction);
        self.path_between(from, to)
    }

    /// Whether packets get from a VM to what stands outside of all zones, and back: no fault names an
    /// appliance, so one is as good as another.
    pub fn path_outside(&self, from: VmId) -> Path {
        let outside = (0..).zip(&self.vms).find(|(_, vm)| vm.is_appliance);
        let both = Path { there: true, back: true };
        outside.map_or(both, |(number, _)| self.path_between(from, VmId(number)))
    }

    fn path_between(&self, from: VmId, to: VmId) -> Path {
        let zone = |vm| self.vm(vm).place.as_ref().map(|place| &place.zone);
        let joined = self.links.joins(zone(from), zone(to));
        let carries = |from, to| joined && self.links.carries(from, to);
        Path { there: carries(from, to), back: carries(to, from) }
    }

    /// How much longer they take than the network does.
    pub fn lag(&self, direction: Direction) -> Lag {
        let (from, to) = self.ends(direction);
        Lag { there: self.links.delay(from, to), back: self.links.delay(to, from) }
    }

    /// True if what this end sends is lost now and then.
    pub fn is_lossy(&self, direction: Direction) -> bool {
        let (from, to) = self.ends(direction);
        self.links.loss(from, to) > Loss::default()
    }

    /// True if the next segment that this end sends is lost by chance.
    pub fn loses(&mut self, direction: Direction, random: &Random) -> bool {
        let (from, to) = self.ends(direction);
        let loss = self.links.loss(from, to);
        if loss == Loss::default() {
            return false;
        }
        let (id, end) = direction;
        let purpose = Purpose(if end == End::Client { 3 } else { 4 });
        let count = self.transport.next_risk(direction);
        loss.takes(random.draw(self.link(id, random), purpose, count))
    }

    /// How the kernel at an end of a connection retransmits.
    pub fn rules(&self, direction: Direction) -> Retransmission {
        let first = self.retransmission.first + self.lag(direction).round_trip();
        Retransmission { first, ..self.retransmission }
    }

    /// True if nobody is there who could accept a connection, or refuse it.
    pub fn is_deaf(&self, id: ConnectionId) -> bool {
        match self.network.host(id) {
            Some(vm) => !self.vm(vm).answers(),
            None => self.network.leads_nowhere(id),
        }
    }

    /// True if what this end sends now may not arrive, or not at once.
    pub fn is_disturbed(&self, direction: Direction) -> bool {
        !self.is_calm()
            && (!self.path(direction).is_whole()
                || self.transport.is_stalled(direction)
                || self.transport.is_late(direction)
                || self.lag(direction) != Lag::default()
                || self.is_lossy(direction))
    }

    /// True if what its ends send to each other now arrives, and at once.
    pub fn is_clear(&self, id: ConnectionId) -> bool {
        ![End::Client, End::Server].into_iter().any(|end| self.is_disturbed((id, end)))
    }

    /// The VM on which an end of a connection is.
    pub fn vm_of(&self, (id, end): Direction) -> Option<VmId> {
        match end {
            End::Client => Some(self.processes.get(id.client).vm),
            End::Server => self.network.host(id),
        }
    }

    /// Whose draws a connection's are.
    pub(super) fn link(&self, id: ConnectionId, random: &Random) -> Owner {
        let client = self.processes.get(id.client);
        let owner = Owner::named("network").part(u64::from(id.count));
        owner.part(random.draw(client.owner, Purpose(0xfffe), u64::from(id.count)))
    }

    /// Ends a process on a live host: its peers' hosts tell them.
    pub fn end_process(&mut self, process: ProcessId, now: SimTime, then: &mut Vec<Happening>) {
        if !self.processes.get(process).alive {
            return;
        }
        self.processes.get_mut(process).end(Cause::NONE);
        then.push(Happening::ProcessEnded(process));
        for (connection, peer, latency) in self.network.of(process) {
            let end = End::of(process, connection);
            if self.is_disturbed((connection, end)) || self.network.left(connection).is_some() {
                then.push(Happening::Left((connection, end)));
                continue;
            }
            if let Some(who) = peer {
                let at = now + latency;
                let how = Broken::Closed;
                then.push(Happening::ConnectionEnds { who, connection, at, how });
            }
            self.network.close(connection);
        }
    }

    /// Cuts a VM's power: everything on it ends, and the others hear nothing.
    pub fn power_off(&mut self, vm: VmId, now: SimTime, then: &mut Vec<Happening>) {
        if !self.vm(vm).is_on() {
            return;
        }
        self.vm_mut(vm).power = Power::Off;
        self.vm_mut(vm).booted = false;
        then.push(Happening::PowerChanged(vm, Power::Off));
        let victims: Vec<ProcessId> = self
            .processes
            .iter()
            .filter(|(_, process)| process.vm == vm && process.alive)
            .map(|(id, _)| id)
            .collect();
        for process in victims {
            for (connection, peer, _) in self.network.of(process) {
                if let Some(who) = peer.filter(|peer| self.processes.get(*peer).vm != vm) {
                    then.push(self.fallen_silent(connection, who, now));
                }
            }
            self.processes.get_mut(process).end(Cause::NONE);
            then.push(Happening::ProcessEnded(process));
        }
        if !self.transport.is_idle() {
            let mut transport = std::mem::take(&mut self.transport);
            transport.forget_senders(|direction| self.vm_of(direction) == Some(vm));
            self.transport = transport;
        }
        let stopped: Vec<Uid> = self.vm(vm).containers.keys().copied().collect();
        self.vm_mut(vm).containers.clear();
        then.extend(stopped.into_iter().map(|pod| Happening::ContainerStopped(vm, pod)));
    }

    /// Deletes a VM with its disk.
    pub fn destroy(&mut self, vm: VmId, now: SimTime, then: &mut Vec<Happening>) {
        self.power_off(vm, now, then);
        self.by_name.remove(&self.vm(vm).name.clone());
        self.links.forget(vm);
        let gone = self.vm_mut(vm);
        gone.power = Power::Gone;
        gone.disk = Default::default();
        gone.units.clear();
        then.push(Happening::PowerChanged(vm, Power::Gone));
    }

    /// The container runtime has started a Pod's containers, which end by themselves after
    /// `length`, if they do. Returns when that will be.
    pub fn start_container(
        &mut self,
        vm: VmId,
        pod: Uid,
        from: SimTime,
        (length, restarts): (Option<Duration>, u32),
    ) -> Option<SimTime> {
        let ends_at = length.map(|length| from + length);
        let container = Container { running_from: from, ends_at, completed: false, restarts };
        self.vm_mut(vm).containers.insert(pod, container);
        ends_at
    }
}
