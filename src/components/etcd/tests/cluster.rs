//! A cluster in a test: members on VMs of their own, a network that can be cut, and a client.

use crate::api::kinds::Lease;
use crate::api::{Kind, Meta, Object, ObjectKey, Revision};
use crate::components::etcd::*;
use crate::engine::{Delay, Duration, Owner, Random, SimTime};
use crate::infra::{Broken, ConnectionId, Effect, ProcessId, ProcessState, Trace, Vm, VmId};
use crate::raft;
use crate::wire::{
    Consistency, GrpcCode, Message, StoreAnswer, StoreError, StoreOperation, StoreRequest,
};
use std::collections::{BTreeMap, BTreeSet};

pub const LATENCY: Duration = Duration::from_micros(300);

/// Those of etcd 3.5, on good disks.
pub fn settings() -> Settings {
    let millis = Duration::from_millis;
    Settings {
        raft: raft::Settings {
            election_ticks: 10,
            heartbeat_ticks: 1,
            pre_vote: true,
            check_quorum: true,
            max_entries_per_append: 1_000,
            max_inflight: 512,
        },
        heartbeat: millis(100),
        request_base: millis(5_000),
        read_retry: millis(500),
        deadline_code: GrpcCode::DeadlineExceeded,
        member_list_can_be_linearizable: true,
        monitor_looks: 3,
        wal_fsync: Delay { low: millis(1), high: millis(4) },
        backend_batch: millis(100),
        boot: Delay { low: millis(50), high: millis(100) },
        initial_check: false,
        check_reads_database: false,
        compaction: Duration::from_secs(300),
        snapshot_count: 100_000,
        compact_log_every: 100_000,
        catch_up_entries: 5_000,
        snapshot_release: millis(30_000),
        peer_read_timeout: millis(5_000),
        peer_read_timeout_applies: true,
        peer_dial_base: millis(1_000),
        peer_dial_pause: millis(100),
        peer_shutdown: millis(1_000),
        syn_retry: millis(1_000),
        bootstrap_timeout: millis(1_000),
        join_timeout: millis(10_000),
        strict_reconfig: true,
        health_interval: millis(5_000),
        max_learners: 1,
        learner_ready_percent: 90,
        promotes_started_only: true,
        learner_code: GrpcCode::Unavailable,
        learner_sends_snapshot: true,
        readyz_wants_voter: false,
        removal_delay: millis(1_000),
        lease_check: millis(500),
        lease_retry: millis(3_000),
        forward_pause: millis(50),
    }
}

/// A VM, its process, and what it has said.
pub struct Host {
    pub etcd: Etcd,
    pub vm: Vm,
    process: ProcessState,
    pub logs: Vec<(SimTime, String)>,
    /// Everything it told of its applied changes.
    pub applied: Vec<Revision>,
    /// Each flush takes longer by this.
    pub stall: Duration,
}

/// What a client got, and when.
pub type Answers = BTreeMap<u32, (SimTime, StoreAnswer)>;

struct Link {
    server: usize,
    incarnations: (u32, u32),
    is_closed: bool,
}

/// Hosts `0..` named `vm-0` ...; a client that can speak to each.
pub struct Cluster {
    pub now: SimTime,
    pub hosts: Vec<Host>,
    pub answers: Answers,
    pub ended: BTreeMap<u32, (SimTime, StoreError)>,
    pub changes: Vec<(SimTime, u32, Revision)>,
    pub health: BTreeMap<u32, u16>,
    queue: BTreeMap<(SimTime, u64), (usize, u32, Input<Event>)>,
    links: BTreeMap<ConnectionId, Link>,
    /// Pairs between which nothing passes.
    cut: BTreeSet<(usize, usize)>,
    random: Random,
    pushed: u64,
    requests: u32,
}

const CLIENT: usize = 1_000;

pub fn vm_name(number: usize) -> Text {
    Text::from(format!("vm-{number}"))
}

pub fn object(name: &'static str) -> Object {
    Object::new(Meta::new(Kind::Lease, "default", name), Lease::default())
}

pub fn key(name: &'static str) -> ObjectKey {
    object(name).key().clone()
}

pub fn put(name: &'static str, expected: u64) -> StoreOperation {
    let (put, expected) = (Some(Box::new(object(name))), Revision(expected));
    StoreOperation::Transact { key: key(name), expected, put, by: "test", writer: 0 }
}

pub fn get(name: &'static str, how: Consistency) -> StoreOperation {
    StoreOperation::Get(key(name), how)
}

impl Cluster {
    /// The timers of a host that have not run down.
    pub fn timers_of(&self, number: usize) -> impl Iterator<Item = &Event> {
        let own = move |(host, ..): &&(usize, u32, Input<Event>)| *host == number;
        self.queue.values().filter(own).filter_map(|(_, _, input)| match input {
            Input::Due(event) => Some(event),
            _ => None,
        })
    }

    /// So many members that have long agreed, led by the first.
    pub fn of(count: usize, seed: u64) -> Cluster {
        Cluster::with(settings(), count, seed)
    }

    pub fn with(settings: Settings, count: usize, seed: u64) -> Cluster {
        let vms: Vec<Text> = (0..count).map(vm_name).collect();
        let mut cluster = Cluster {
            now: SimTime::ZERO,
            hosts: Vec::new(),
            answers: BTreeMap::new(),
            ended: BTreeMap::new(),
            changes: Vec::new(),
            health: BTreeMap::new(),
            queue: BTreeMap::new(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            random: Random::new(seed),
            pushed: 0,
            requests: 0,
        };
        for member in Etcd::group(settings, &vms, 0, vec![object("a")]) {
            cluster.add_host(member);
        }
        for number in 0..count {
            cluster.hosts[number].process.start(SimTime::ZERO);
            cluster.push(Duration::ZERO, number, Input::Started(Start::Steady));
        }
        // Links that have been up for as long as the strict check wants.
        cluster.run_for(6_000);
        cluster
    }

    pub fn add_host(&mut self, etcd: Etcd) -> usize {
        let number = self.hosts.len();
        let name = vm_name(number);
        let process = ProcessState::new("etcd", VmId(0), &name, [PEER_PORT]);
        let (logs, applied) = (Vec::new(), Vec::new());
        let stall = Duration::ZERO;
        self.hosts.push(Host { etcd, vm: Vm::new(name), process, logs, applied, stall });
        number
    }

    fn push(&mut self, after: Duration, to: usize, input: Input<Event>) {
        self.pushed += 1;
        let incarnation = self.hosts.get(to).map_or(0, |host| host.process.incarnation);
        self.queue.insert((self.now + after, self.pushed), (to, incarnation, input));
    }

    pub fn run_for(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some((&(at, count), _)) = self.queue.first_key_value() {
            if at > until {
                break;
            }
            let (to, incarnation, input) = self.queue.remove(&(at, count)).expect("just seen");
            self.now = at;
            match to {
                CLIENT => self.client_hears(input),
                to if self.hosts[to].process.incarnation == incarnation => self.play(to, input),
                _ => {}
            }
        }
        self.now = until;
    }

    fn play(&mut self, number: usize, input: Input<Event>) {
        if let Input::Tick(activity) = input {
            let rhythmic = self.hosts[number].process.activity(activity).expect("declared");
            rhythmic.count += 1;
            let pause = rhythmic.pause(0);
            self.push(pause, number, Input::Tick(activity));
        }
        let mut effects = Vec::new();
        let me = ProcessId(u32::try_from(number).unwrap());
        let host = &mut self.hosts[number];
        let at = (self.now, crate::timeline::Cause::NONE);
        let (process, vm, random) = (&mut host.process, &mut host.vm, &self.random);
        let mut ctx = Ctx::new(me, at, process, vm, None, random, &mut effects);
        host.etcd.on_event(input, &mut ctx);
        for effect in effects {
            self.carry_out(number, effect);
        }
    }

    fn carry_out(&mut self, number: usize, effect: Effect<Event>) {
        match effect {
            Effect::After(_, after, event) => self.push(after, number, Input::Due(event)),
            Effect::Flush(_, takes, event) => {
                let takes = takes + self.hosts[number].stall;
                self.push(takes, number, Input::Due(event));
            }
            Effect::Arm(activity, pause) => self.push(pause, number, Input::Tick(activity)),
            Effect::ConnectToVm(connection, vm, _) => {
                let server = (0..self.hosts.len()).find(|other| vm_name(*other) == vm);
                // From an address that nobody has, nothing comes back.
                if let Some(server) = server {
                    self.open(connection, number, server);
                }
            }
            Effect::Send(connection, message) => self.send(connection, number, message),
            Effect::Close(connection) => self.close(connection, number),
            Effect::Post(vm, _, message) => self.post(number, &vm, message),
            Effect::CloseAllBut(_) => {
                self.links
                    .retain(|id, link| Self::client_of(*id) != CLIENT || link.server != number);
            }
            Effect::Exit => self.kill(number),
            Effect::Trace(Trace::Log(line)) => {
                self.hosts[number].logs.push((self.now, line.to_string()));
            }
            Effect::Trace(Trace::Committed { revision, .. }) => {
                self.hosts[number].applied.push(revision);
            }
            Effect::Trace(_) | Effect::Because(_) | Effect::CameBy(_) => {}
            other => panic!("etcd does not do that: {other:?}"),
        }
    }

    fn post(&mut self, from: usize, vm: &Text, message: Message) {
        let is_open = |host: &Host| host.process.alive && !host.process.is_closed;
        let to = (0..self.hosts.len()).find(|other| vm_name(*other) == *vm);
        if let Some(to) = to.filter(|to| is_open(&self.hosts[*to]) && !self.is_cut(from, *to)) {
            let client = ProcessId(u32::try_from(from).unwrap());
            let input = Input::Message(ConnectionId::of_posts(client), message);
            self.push(LATENCY * 3, to, input);
        }
    }

    fn incarnation(&self, number: usize) -> u32 {
        self.hosts.get(number).map_or(0, |host| host.process.incarnation)
    }

    fn open(&mut self, id: ConnectionId, client: usize, server: usize) {
        let incarnations = (self.incarnation(client), self.incarnation(server));
        self.links.insert(id, Link { server, incarnations, is_closed: false });
    }

    fn client_of(id: ConnectionId) -> usize {
        if id.client.0 == 1_000 { CLIENT } else { id.client.0 as usize }
    }

    fn send(&mut self, id: ConnectionId, from: usize, message: Message) {
        let Some(link) = self.links.get(&id) else { return };
        let client = Self::client_of(id);
        let (to, incarnation) = match from == client {
            true => (link.server, link.incarnations.1),
            false => (client, link.incarnations.0),
        };
        if self.is_cut(from, to) {
            return;
        }
        let alive = self.hosts.get(to).is_none_or(|host| host.process.alive);
        match !link.is_closed && alive && self.incarnation(to) == incarnation {
            true if matches!(message, Message::Handshake) => {
                self.push(LATENCY * 2, from, Input::Message(id, message));
            }
            true => self.push(LATENCY, to, Input::Message(id, message)),
            false => self.push(LATENCY * 2, from, Input::Broken(id, Broken::Reset)),
        }
    }

    fn close(&mut self, id: ConnectionId, from: usize) {
        let Some(link) = self.links.remove(&id) else { return };
        let client = Self::client_of(id);
        let to = if from == client { link.server } else { client };
        if !self.is_cut(from, to) {
            self.push(LATENCY, to, Input::Broken(id, Broken::Closed));
        }
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cut.contains(&(a, b)) || self.cut.contains(&(b, a))
    }

    /// Nothing passes between this host and all others but the client.
    pub fn isolate(&mut self, number: usize) {
        for other in (0..self.hosts.len()).filter(|other| *other != number) {
            self.cut.insert((number, other));
        }
    }

    /// From now on each flush of a host takes so much longer, or no longer than on a good disk.
    pub fn slow_disk(&mut self, number: usize, longer: Option<Duration>) {
        let (now, host) = (self.now, &mut self.hosts[number]);
        host.stall = longer.unwrap_or_default();
        host.vm.disk.ill_since = longer.map(|_| now);
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// The host of one member says that it knows none of the streams that another has opened to it.
    pub fn reset_streams(&mut self, reader: usize, other: usize) {
        let all = self.links.iter().filter(|(_, link)| link.server == other).map(|(id, _)| *id);
        let streams: Vec<ConnectionId> = all.filter(|id| Self::client_of(*id) == reader).collect();
        for id in streams {
            self.push(LATENCY, reader, Input::Broken(id, Broken::Reset));
        }
    }

    /// SIGKILL: peers on live hosts are told.
    pub fn kill(&mut self, number: usize) {
        self.hosts[number].process.end(crate::timeline::Cause::NONE);
        let ids: Vec<ConnectionId> = self.links.keys().copied().collect();
        for id in ids {
            let (client, server) = (Self::client_of(id), self.links[&id].server);
            if client != number && server != number {
                continue;
            }
            let peer = if client == number { server } else { client };
            if !self.is_cut(number, peer) {
                self.push(LATENCY, peer, Input::Broken(id, Broken::Closed));
            }
            self.links.remove(&id);
        }
    }

    pub fn start(&mut self, number: usize) {
        self.hosts[number].process.start(self.now);
        self.push(Duration::ZERO, number, Input::Started(Start::Fresh));
    }

    pub fn terminate(&mut self, number: usize) {
        self.push(Duration::ZERO, number, Input::Terminate);
    }

    pub fn is_alive(&self, number: usize) -> bool {
        self.hosts[number].process.alive
    }

    /// A request on a connection of its own; the number under which its answer comes.
    pub fn ask(&mut self, member: usize, operation: StoreOperation) -> u32 {
        self.ask_as(member, operation, false)
    }

    pub fn ask_as(
        &mut self,
        member: usize,
        operation: StoreOperation,
        require_leader: bool,
    ) -> u32 {
        self.requests += 1;
        let id = self.requests;
        let connection = ConnectionId { client: ProcessId(1_000), count: id };
        self.open(connection, CLIENT, member);
        let (sender, count) = (Owner::named("test"), u64::from(id));
        let request = StoreRequest { id, operation, require_leader, sender, count };
        self.send(connection, CLIENT, Message::Store(Box::new(request)));
        id
    }

    pub fn check_health(&mut self, member: usize, path: &'static str) -> u32 {
        self.requests += 1;
        let id = self.requests;
        let connection = ConnectionId { client: ProcessId(1_000), count: id };
        self.open(connection, CLIENT, member);
        self.send(connection, CLIENT, Message::HealthCheck(id, path));
        id
    }

    fn client_hears(&mut self, input: Input<Event>) {
        let Input::Message(connection, message) = input else { return };
        match message {
            Message::Stored(id, answer) => _ = self.answers.insert(id, (self.now, answer)),
            Message::StoreEnded(id, error) => _ = self.ended.insert(id, (self.now, error)),
            Message::Committed(change) => {
                self.changes.push((self.now, connection.count, change.revision));
            }
            Message::Health(id, status, _) => _ = self.health.insert(id, status),
            other => panic!("nothing for a client: {other:?}"),
        }
    }

    /// The answer, in words: `CODE text` of an error.
    pub fn words(&self, id: u32) -> String {
        match self.answers.get(&id) {
            None => "open".to_owned(),
            Some((_, StoreAnswer::Failed(error))) => format!("{:?} {}", error.code, error.message),
            Some((_, answer)) => {
                let text = format!("{answer:?}");
                text.split(['(', ' ']).next().unwrap_or_default().to_owned()
            }
        }
    }

    /// When the answer came.
    pub fn at(&self, id: u32) -> SimTime {
        self.answers.get(&id).unwrap_or_else(|| panic!("request {id} is open")).0
    }

    /// Asks, waits for so long, and says what came of it.
    pub fn result(&mut self, member: usize, operation: StoreOperation, millis: u64) -> String {
        let id = self.ask(member, operation);
        self.run_for(millis);
        self.words(id)
    }

    fn member(&self, number: usize) -> &Member {
        self.hosts[number].etcd.member.as_ref().expect("it has data")
    }

    /// Role and leader as the member sees them.
    pub fn role(&self, number: usize) -> (Role, Option<u32>) {
        let member = self.member(number);
        (member.raft.role(), member.raft.leader().map(|leader| leader.0 - 1))
    }

    pub fn term(&self, number: usize) -> u64 {
        self.member(number).raft.term()
    }

    pub fn revision(&self, number: usize) -> u64 {
        self.hosts[number].etcd.store().map_or(0, |store| store.revision().0)
    }

    pub fn store(&self, number: usize) -> &Store {
        self.hosts[number].etcd.store().expect("it has data")
    }

    pub fn first_log_index(&self, number: usize) -> u64 {
        self.member(number).raft.first_index()
    }

    /// The living member that leads.
    pub fn leader(&self) -> Option<usize> {
        let alive = (0..self.hosts.len()).filter(|number| self.is_alive(*number));
        alive.into_iter().find(|number| self.hosts[*number].etcd.leads_in().is_some())
    }

    pub fn logs(&self, number: usize, text: &str) -> bool {
        self.hosts[number].logs.iter().any(|(_, line)| line.contains(text))
    }

    pub fn pending_events(&self) -> usize {
        self.queue.len()
    }
}
