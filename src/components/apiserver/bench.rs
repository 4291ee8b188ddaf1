//! An API server under test with its etcd played by hand.

use super::channel::Line;
use super::*;
use crate::api::Kind;
use crate::engine::{Owner, Text};
use crate::infra::testbed::{Testbed, logs, timers};
use crate::infra::{Broken, Effect, Port};
use crate::wire::StoreRequest;

/// A user of the server.
pub const CLIENT: ConnectionId = ConnectionId { client: ProcessId(9), count: 1 };

/// A server, and what it waits for.
pub struct Server {
    apiserver: Apiserver,
    pub bed: Testbed<Event>,
    /// What etcd has been asked and has not answered, oldest first.
    pub asked: Vec<(ConnectionId, StoreRequest)>,
    /// What the user was answered, with when.
    pub answered: Vec<(SimTime, Answered)>,
    /// Everything else that the user was sent, with when.
    pub sent: Vec<(SimTime, Message)>,
    pub logged: Vec<String>,
    pub exited: bool,
    /// How often the user's connection was closed.
    pub closed: u32,
    timers: Vec<(SimTime, Event)>,
    requests: u32,
    watch: Option<u32>,
    /// Questions by which a new server learns that a connection to etcd stands.
    pub dials: Vec<(ConnectionId, u32)>,
    dialled: u32,
    /// The connections to kubelets, with the VM.
    pub tunnels: Vec<(ConnectionId, Text, Port)>,
}

/// The numbers of a 1.34 server with everything exact.
pub fn settings() -> Settings {
    Settings {
        service: Delay::fixed(Duration::from_millis(1)),
        request_timeout: Duration::from_secs(60),
        aborted_percent: 0,
        mutating_timeout: Duration::from_secs(34),
        default_toleration: Duration::from_secs(300),
        eviction_tries: 3,
        eviction_pause: Duration::from_millis(500),
        eviction_retry_after: Duration::from_secs(10),
        channel: ChannelSettings {
            etcd: Port(2379),
            backoff_first: Duration::from_secs(1),
            backoff_limit: Duration::from_secs(120),
            backoff_growth_percent: 160,
            jitter_percent: 0,
            min_connect_timeout: Duration::from_secs(20),
        },
        retry: RetrySettings {
            by_client: Retries::InPlace,
            pause: Duration::from_millis(25),
            limit: 100,
        },
        cache: CacheSettings {
            window: 10,
            latest_lists: LatestLists::Cache,
            unfilled: Unfilled::Refuse,
            watch_retry: Duration::from_secs(30),
            retry_pause: Duration::from_secs(1),
            fresh_wait: Duration::from_secs(3),
            fresh_retry_after: Duration::from_secs(1),
            unfilled_retry_after: UnfilledRetryAfter {
                doubling: Duration::from_micros(11_552_453),
                limit: Duration::from_secs(30),
            },
        },
        health_timeout: Duration::from_secs(2),
        startup: Delay::fixed(Duration::from_secs(10)),
        dial_timeout: Duration::from_secs(20),
        removal_timeout: Duration::from_secs(20),
    }
}

/// The same with the rules of 1.30.
pub fn settings_of_1_30() -> Settings {
    let mut settings = settings();
    settings.retry.by_client = Retries::Overwritten;
    settings.cache.latest_lists = LatestLists::Etcd;
    settings.cache.unfilled = Unfilled::Delegate;
    settings
}

impl Server {
    /// A server that has just been started, with an etcd that has not answered.
    pub fn started(settings: Settings, start: Start) -> Server {
        let mut server = Server {
            apiserver: Apiserver::new(settings),
            bed: Testbed::new("kube-apiserver", "control-plane-0"),
            asked: Vec::new(),
            answered: Vec::new(),
            sent: Vec::new(),
            logged: Vec::new(),
            exited: false,
            closed: 0,
            timers: Vec::new(),
            requests: 0,
            watch: None,
            dials: Vec::new(),
            dialled: 0,
            tunnels: Vec::new(),
        };
        server.play(Input::Started(start));
        server
    }

    /// A server that has long been up, over an etcd without objects at revision 5.
    pub fn up(settings: Settings) -> Server {
        let mut server = Server::started(settings, Start::Steady);
        server.fill();
        server
    }

    /// Etcd takes all connections of a new server.
    pub fn takes_dials(&mut self) {
        for (from, id) in std::mem::take(&mut self.dials) {
            self.play(Input::Message(from, Message::Stored(id, StoreAnswer::Done)));
        }
    }

    /// Etcd answers all lists of the cache, and takes its watch.
    pub fn fill(&mut self) {
        self.takes_dials();
        for _ in Kind::ALL {
            assert_eq!(self.stores(StoreAnswer::Values(Revision(5), Vec::new())), "range");
        }
        self.watch = self.asked.first().map(|(_, request)| request.id);
        assert_eq!(self.stores(StoreAnswer::Watching(Revision(5))), "watch");
    }

    pub fn play(&mut self, input: Input<Event>) {
        let apiserver = &mut self.apiserver;
        let effects = self.bed.play(|ctx| apiserver.on_event(input, ctx));
        let now = self.bed.now;
        self.timers.extend(timers(&effects).into_iter().map(|(delay, event)| (now + delay, event)));
        self.logged.extend(logs(&effects));
        for effect in effects {
            match effect {
                Effect::Send(to, Message::Store(request))
                    if matches!(request.operation, StoreOperation::Status) =>
                {
                    self.dials.push((to, request.id));
                }
                Effect::Send(to, Message::Store(request)) => self.asked.push((to, *request)),
                Effect::Send(CLIENT, Message::Answer(_, answered)) => {
                    self.answered.push((now, answered));
                }
                Effect::Send(CLIENT, message) => self.sent.push((now, message)),
                Effect::Connect(..) => self.dialled += 1,
                Effect::ConnectToVm(id, vm, port) => self.tunnels.push((id, vm, port)),
                Effect::Exit => self.exited = true,
                Effect::Close(CLIENT) => self.closed += 1,
                _ => {}
            }
        }
    }

    /// Lets time pass, with the timers that fall due.
    pub fn pass(&mut self, length: Duration) {
        let end = self.bed.now + length;
        while let Some(at) = self.timers.iter().map(|(at, _)| *at).min().filter(|at| *at <= end) {
            let place = self.timers.iter().position(|(due, _)| *due == at).expect("the earliest");
            let (_, event) = self.timers.remove(place);
            self.bed.now = at;
            self.play(Input::Due(event));
        }
        self.bed.now = end;
    }

    /// The user asks, and the server has done its own work on it.
    pub fn ask(&mut self, verb: Verb) {
        self.requests += 1;
        let sender = Owner::named("test");
        let request = Request { id: self.requests, agent: "test", sender, count: 0, verb };
        self.play(Input::Message(CLIENT, Message::Request(Box::new(request))));
        self.pass(Duration::from_millis(1));
    }

    /// Somebody asks how the server is.
    pub fn probe(&mut self, path: &'static str) {
        self.play(Input::Message(CLIENT, Message::HealthCheck(7, path)));
    }

    /// When a check that came now would be answered, and with how many reads, if etcd took so long for
    /// each; the check is passed over.
    pub fn foresees(&mut self, path: &str, takes: Duration) -> Option<(Duration, usize)> {
        let (now, mut reads) = (self.bed.now, 0);
        let (at, foreseen) = self.apiserver.foresee_check(path, now, |_, asked| {
            reads += 1;
            Some(asked + takes)
        })?;
        self.apiserver.pass_check(foreseen);
        Some((at.since(now), reads))
    }

    /// What the last probes got, with when.
    pub fn health(&self) -> Vec<(u64, u16)> {
        let told = self.sent.iter().filter_map(|(at, message)| match message {
            Message::Health(_, status, _) => {
                Some((at.since(SimTime::ZERO).as_micros() / 1000, *status))
            }
            _ => None,
        });
        told.collect()
    }

    /// Etcd answers the oldest question; what it was, in a word.
    pub fn stores(&mut self, answer: StoreAnswer) -> &'static str {
        let (from, request) = self.asked.remove(0);
        self.play(Input::Message(from, Message::Stored(request.id, answer)));
        match request.operation {
            StoreOperation::Get(..) => "get",
            StoreOperation::Range(..) => "range",
            StoreOperation::Transact { put: Some(_), .. } => "put",
            StoreOperation::Transact { .. } => "delete",
            StoreOperation::Watch(_) => "watch",
            other => panic!("an API server does not ask for {other:?}"),
        }
    }

    /// Etcd ends the watch.
    pub fn watch_ends(&mut self, error: crate::wire::StoreError) {
        let (etcd, watch) = (self.etcd(), self.watch.expect("a watch"));
        self.play(Input::Message(etcd, Message::StoreEnded(watch, error)));
    }

    /// Etcd reports a change.
    pub fn commits(&mut self, revision: u64, object: &Object) {
        let (revision, mut new) = (Revision(revision), object.clone());
        new.meta.resource_version = revision;
        let committed = crate::wire::Committed { revision, old: None, new: Some(Arc::new(new)) };
        self.play(Input::Message(self.etcd(), Message::Committed(committed)));
    }

    /// Every connection to etcd is over.
    pub fn breaks(&mut self, how: Broken) {
        self.asked.clear();
        for connection in self.apiserver.channels.connections() {
            self.play(Input::Broken(connection, how));
        }
    }

    /// One channel's connection is over.
    pub fn breaks_one(&mut self, line: Line, how: Broken) {
        let connection = self.apiserver.channels.connection(line).expect("dialled");
        self.asked.retain(|(on, _)| *on != connection);
        self.play(Input::Broken(connection, how));
    }

    /// How often every channel to etcd has been dialled.
    pub fn etcd_count(&self) -> u32 {
        self.dialled / u32::try_from(Kind::ALL.len() + 3).expect("few kinds")
    }

    /// The connection of the watch on etcd.
    pub fn etcd(&self) -> ConnectionId {
        self.apiserver.channels.connection(Line::Watch).expect("dialled")
    }
}
