//! The network: connections, and the four ways in which a message fails.
//!
//! A live host without the process **refuses**. A host without power is **silent**. A server that
//! dies **breaks** its connections, or leaves them hanging if its host died with it. The fourth way,
//! an **answer** that says no, is a message like any other and not known here.

use super::{End, Lag, ProcessId, Processes, Vm, VmId};
use crate::api::Uid;
use crate::engine::{Duration, Rule, SimTime};
use std::collections::BTreeMap;

/// A port of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port(pub u16);

/// An address that leads to one of several backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointId(pub u8);

/// Where a connection is to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// A port of the VM itself (127.0.0.1).
    Here(Port),
    /// Through a load balancer.
    Endpoint(EndpointId),
}

/// A connection, named by who opened it and how many that one had opened before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId {
    pub client: ProcessId,
    pub count: u32,
}

impl ConnectionId {
    /// What stands for the connections of a process on which a single message is sent.
    pub const fn of_posts(client: ProcessId) -> ConnectionId {
        ConnectionId { client, count: u32::MAX }
    }
}

/// How a connection ended, as one of its ends learns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Nobody listens there.
    Refused,
    /// The other end has closed it, or its process has ended: its host said so (FIN).
    Closed,
    /// The other end is not there any more, says its host when something comes for it (RST); or a load
    /// balancer has cut it.
    Reset,
    /// Nothing was heard for so long that the transport gave up.
    Lost,
    /// Its host has accepted the connection, and its program has not answered the handshake in time.
    Unanswered,
}

/// What a load balancer does with a connection that it cannot lead where it wants to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback {
    pub none_up: NoneUp,
    /// A backend that does not work is left for another (haproxy's `option redispatch`).
    pub redispatch: bool,
    /// How long it waits until its own connection to a backend is open; zero for one that passes packets
    /// on and opens none.
    pub connect_timeout: Duration,
}

/// What becomes of a connection to an endpoint that has no backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoneUp {
    /// It is refused.
    #[default]
    Refuse,
    /// It is accepted, and closed at once.
    Close,
}

/// What becomes of a message that is sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Deliver {
        to: ProcessId,
        at: SimTime,
    },
    /// A container answers with the same message.
    Echo {
        at: SimTime,
    },
    /// The sender learns that the connection is over.
    Fail {
        at: SimTime,
        how: Broken,
    },
    /// Nobody learns anything.
    Silent,
}

impl Route {
    /// The same over links that are slow.
    pub fn later(self, lag: Lag) -> Route {
        match self {
            Route::Deliver { to, at } => Route::Deliver { to, at: at + lag.there },
            Route::Echo { at } => Route::Echo { at: at + lag.round_trip() },
            Route::Fail { at, how } => Route::Fail { at: at + lag.round_trip(), how },
            Route::Silent => Route::Silent,
        }
    }
}

/// One connection.
#[derive(Clone, Debug)]
pub struct ConnectionState {
    /// Where it leads; nowhere if the endpoint has no backend.
    host: Option<VmId>,
    port: Port,
    server: Option<ProcessId>,
    /// It leads to the containers of a Pod, not to a process.
    container: Option<Uid>,
    client_incarnation: u32,
    server_incarnation: u32,
    /// One way, drawn once when the connection opened; so messages cannot overtake each other.
    latency: Duration,
    established: SimTime,
    /// When either end last heard of the other.
    heard: SimTime,
    /// The end that has closed, while the other cannot hear of it.
    left: Option<End>,
    /// The endpoint through which it was opened, and what that does if it has no backend.
    through: Option<(EndpointId, NoneUp)>,
    /// For how long the client waits for the server's part of the handshake, and by which rule.
    handshake: Option<(Rule, Duration)>,
}

/// Connections by who opened them, and in the order in which: each message looks some of them up.
#[derive(Clone, Debug, Default)]
struct Connections(Vec<Vec<(u32, ConnectionState)>>);

impl Connections {
    fn get(&self, id: ConnectionId) -> Option<&ConnectionState> {
        let own = self.0.get(id.client.0 as usize)?;
        own.binary_search_by_key(&id.count, |(count, _)| *count).ok().map(|place| &own[place].1)
    }

    fn get_mut(&mut self, id: ConnectionId) -> Option<&mut ConnectionState> {
        let own = self.0.get_mut(id.client.0 as usize)?;
        let place = own.binary_search_by_key(&id.count, |(count, _)| *count).ok()?;
        Some(&mut own[place].1)
    }

    fn insert(&mut self, id: ConnectionId, state: ConnectionState) {
        let client = id.client.0 as usize;
        if self.0.len() <= client {
            self.0.resize(client + 1, Vec::new());
        }
        let own = &mut self.0[client];
        match own.binary_search_by_key(&id.count, |(count, _)| *count) {
            Ok(place) => own[place].1 = state,
            Err(place) => own.insert(place, (id.count, state)),
        }
    }

    fn remove(&mut self, id: ConnectionId) {
        let Some(own) = self.0.get_mut(id.client.0 as usize) else { return };
        if let Ok(place) = own.binary_search_by_key(&id.count, |(count, _)| *count) {
            own.remove(place);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (ConnectionId, &ConnectionState)> {
        let clients = (0..).map(ProcessId).zip(&self.0);
        clients.flat_map(|(client, own)| {
            own.iter().map(move |(count, state)| (ConnectionId { client, count: *count }, state))
        })
    }
}

/// All connections and load balancers.
#[derive(Clone, Debug, Default)]
pub struct Network {
    connections: Connections,
    endpoints: BTreeMap<EndpointId, Vec<(VmId, Port)>>,
}

impl Network {
    /// Sets the backends of an endpoint.
    pub fn set_endpoint(&mut self, endpoint: EndpointId, backends: Vec<(VmId, Port)>) {
        self.endpoints.insert(endpoint, backends);
    }

    /// The backends of an endpoint.
    pub fn backends(&self, endpoint: EndpointId) -> &[(VmId, Port)] {
        self.endpoints.get(&endpoint).map_or(&[], Vec::as_slice)
    }

    /// Opens a connection to a port of a VM: the handshake takes a round trip.
    pub fn open(
        &mut self,
        id: ConnectionId,
        to: Option<(VmId, Port)>,
        latency: Duration,
        processes: &Processes,
        now: SimTime,
    ) {
        let server = to.and_then(|(vm, port)| processes.listener(vm, port));
        let state = ConnectionState {
            host: to.map(|(vm, _)| vm),
            port: to.map_or(Port(0), |(_, port)| port),
            server,
            container: None,
            client_incarnation: processes.get(id.client).incarnation,
            server_incarnation: server.map_or(0, |server| processes.get(server).incarnation),
            latency,
            established: now + latency * 2,
            heard: now,
            left: None,
            through: None,
            handshake: None,
        };
        self.connections.insert(id, state);
    }

    /// Opens a connection to an address that nobody has: nothing ever comes back.
    pub fn open_to_nowhere(
        &mut self,
        id: ConnectionId,
        latency: Duration,
        processes: &Processes,
        now: SimTime,
    ) {
        self.open_to_container(id, (None, Uid(0)), latency, processes, now);
    }

    /// Opens a connection to the containers of a Pod; to nowhere if the VM is gone.
    pub fn open_to_container(
        &mut self,
        id: ConnectionId,
        (vm, pod): (Option<VmId>, Uid),
        latency: Duration,
        processes: &Processes,
        now: SimTime,
    ) {
        let state = ConnectionState {
            host: vm,
            port: Port(0),
            server: None,
            container: Some(pod),
            client_incarnation: processes.get(id.client).incarnation,
            server_incarnation: 0,
            latency,
            established: now + latency * 2,
            heard: now,
            left: None,
            through: None,
            handshake: None,
        };
        self.connections.insert(id, state);
    }

    /// Forgets a connection.
    pub fn close(&mut self, id: ConnectionId) {
        self.connections.remove(id);
    }

    /// Notes through which endpoint a connection was opened.
    pub fn note_endpoint(&mut self, id: ConnectionId, endpoint: EndpointId, none_up: NoneUp) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.through = Some((endpoint, none_up));
        }
    }

    /// Notes that the client waits for so long until the server has done its part of a handshake.
    pub fn note_handshake(&mut self, id: ConnectionId, limit: (Rule, Duration)) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.handshake = Some(limit);
        }
    }

    /// For how long, and by which rule.
    pub fn handshake(&self, id: ConnectionId) -> Option<(Rule, Duration)> {
        self.connections.get(id)?.handshake
    }

    /// The connections through an endpoint to a VM.
    pub fn sessions(&self, endpoint: EndpointId, vm: VmId) -> Vec<ConnectionId> {
        let through = |connection: &ConnectionState| {
            connection.host == Some(vm)
                && connection.through.is_some_and(|(through, _)| through == endpoint)
        };
        self.connections.iter().filter(|(_, state)| through(state)).map(|(id, _)| id).collect()
    }

    /// When a connection is, or was, established.
    pub fn established_at(&self, id: ConnectionId) -> Option<SimTime> {
        self.connections.get(id).map(|connection| connection.established)
    }

    /// A connection whose handshake does not get through: no server knows of it.
    pub fn pend(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.server = None;
        }
    }

    /// A connection whose handshake gets through now, to whoever listens there now.
    pub fn establish(&mut self, id: ConnectionId, processes: &Processes, now: SimTime) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let (host, port) = (connection.host, connection.port);
        let server = host.and_then(|host| processes.listener(host, port));
        connection.server = server;
        connection.server_incarnation = server.map_or(0, |id| processes.get(id).incarnation);
        connection.established = now + connection.latency * 2;
        connection.heard = now;
    }

    /// The handshake of a connection takes so much longer.
    pub fn delay_handshake(&mut self, id: ConnectionId, delay: Duration) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.established += delay;
        }
    }

    /// An end closes, and the other cannot hear of it yet.
    pub fn leave(&mut self, id: ConnectionId, end: End) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.left = Some(end);
        }
    }

    /// The end that has closed a connection of which the other end still has its part.
    pub fn left(&self, id: ConnectionId) -> Option<End> {
        self.connections.get(id)?.left
    }

    /// True if a connection leads to an address that nobody has.
    pub fn leads_nowhere(&self, id: ConnectionId) -> bool {
        self.connections.get(id).is_some_and(|it| it.host.is_none() && it.container.is_some())
    }

    /// Where a connection leads.
    pub fn host(&self, id: ConnectionId) -> Option<VmId> {
        self.connections.get(id)?.host
    }

    /// The port to which a connection leads.
    pub fn port(&self, id: ConnectionId) -> Option<Port> {
        self.connections.get(id).map(|connection| connection.port)
    }

    /// The process at an end of a connection.
    pub fn process_at(&self, id: ConnectionId, end: End) -> Option<ProcessId> {
        let connection = self.connections.get(id)?;
        if end == End::Client { Some(id.client) } else { connection.server }
    }

    /// When either end of a connection last heard of the other.
    pub fn heard_at(&self, id: ConnectionId) -> Option<SimTime> {
        self.connections.get(id).map(|connection| connection.heard)
    }

    /// All connections.
    pub fn all(&self) -> impl Iterator<Item = ConnectionId> {
        self.connections.iter().map(|(id, _)| id)
    }

    /// How long a message on a connection takes, one way.
    pub fn latency(&self, id: ConnectionId) -> Option<Duration> {
        self.connections.get(id).map(|connection| connection.latency)
    }

    /// The other end of a connection.
    pub fn peer(&self, id: ConnectionId, of: ProcessId) -> Option<ProcessId> {
        if of == id.client { self.connections.get(id)?.server } else { Some(id.client) }
    }

    /// What becomes of a message that `sender` sends on a connection.
    pub fn route(
        &self,
        id: ConnectionId,
        sender: ProcessId,
        vms: &[Vm],
        processes: &Processes,
        now: SimTime,
    ) -> Route {
        // One that was closed or given up: what is still written to it goes nowhere.
        let Some(connection) = self.connections.get(id) else { return Route::Silent };
        let from_client = sender == id.client;
        let host = if from_client { connection.host } else { Some(processes.get(id.client).vm) };
        if host.is_some_and(|host| !vms[host.0 as usize].answers()) {
            return Route::Silent;
        }
        let back = now + connection.latency * 2;
        if let Some(pod) = connection.container {
            // The address of a VM that is gone is nobody's: nothing comes back.
            let Some(host) = host else { return Route::Silent };
            let containers = &vms[host.0 as usize].containers;
            return match containers.get(&pod).is_some_and(|found| found.is_running(now)) {
                true => {
                    Route::Echo { at: now.max(connection.established) + connection.latency * 2 }
                }
                false => Route::Fail { at: back, how: Broken::Refused },
            };
        }
        let (peer, incarnation) = match connection.server {
            _ if !from_client => (id.client, connection.client_incarnation),
            Some(server) => (server, connection.server_incarnation),
            // A balancer that has found no backend that works has taken its time.
            None if connection.host.is_none() => {
                let at = back.max(connection.established);
                return Route::Fail { at, how: connection.refusal() };
            }
            None => return Route::Fail { at: back, how: connection.refusal() },
        };
        let has_left = connection.left.is_some_and(|end| (end == End::Client) != from_client);
        if has_left || processes.get(peer).incarnation != incarnation {
            return Route::Fail { at: back, how: Broken::Reset };
        }
        Route::Deliver { to: peer, at: now.max(connection.established) + connection.latency }
    }

    /// Notes that an end heard of the other.
    pub fn heard(&mut self, id: ConnectionId, now: SimTime) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.heard = now;
        }
    }

    /// Notes that an end had heard of the other at a time, or later.
    pub fn heard_by(&mut self, id: ConnectionId, at: SimTime) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.heard = connection.heard.max(at);
        }
    }

    /// All connections of a process, with the other end and the latency.
    pub fn of(&self, process: ProcessId) -> Vec<(ConnectionId, Option<ProcessId>, Duration)> {
        self.connections
            .iter()
            .filter(|(id, state)| id.client == process || state.server == Some(process))
            .map(|(id, state)| (id, self.peer(id, process), state.latency))
            .collect()
    }
}

impl ConnectionState {
    /// How it ends if nobody is there.
    fn refusal(&self) -> Broken {
        match self.through {
            Some((_, NoneUp::Close)) if self.host.is_none() => Broken::Reset,
            _ => Broken::Refused,
        }
    }
}
