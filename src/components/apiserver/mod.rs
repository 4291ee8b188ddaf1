//! kube-apiserver: serves what its etcd committed, and keeps nothing of its own but open requests,
//! open watches, and a cache of what a watch on etcd shows.
//!
//! ```text
//! get, write ──────────────────────────> etcd, with a quorum
//! list ── latest ──> etcd, or the cache once it is as fresh as etcd says        (`reflector`)
//!  │   └─ any ─────> the cache <── one watch ── etcd
//! watch ───────────> the cache's window                                         (`watches`)
//! livez, readyz ───> etcd, for 2 s                                              (`health`)
//! ```
//! It knows the rules of objects (conflicts, graceful deletion, finalizers, admission), not what
//! any client wants with them. Follows `k/k:staging/src/k8s.io/apiserver`.

mod admission;
#[cfg(test)]
mod bench;
mod channel;
mod eviction;
#[cfg(test)]
mod eviction_tests;
mod forward;
#[cfg(test)]
mod forward_tests;
mod health;
mod lifecycle;
#[cfg(test)]
mod lifecycle_tests;
mod modify;
mod reflector;
mod storage;
#[cfg(test)]
mod storage_tests;
#[cfg(test)]
mod tests;
mod undisturbed;
mod watches;

pub use channel::ChannelSettings;
pub use health::Foreseen;
pub use lifecycle::ASKED;
pub use modify::replaced;
pub use reflector::{CacheSettings, LatestLists, Unfilled, UnfilledRetryAfter};
use storage::plain_answer;
pub use storage::{Retries, RetrySettings};
pub use undisturbed::Plain;

use crate::api::{
    Answer, Answered, ApiError, EtcdCall, Object, ObjectKey, Request, Revision, Uid, Verb,
};
use crate::engine::{Delay, Duration, Earliest, Purpose, SimTime};
use crate::infra::{ConnectionId, Ctx, Input, ProcessId, Start};
use crate::wire::{Consistency, Message, StoreAnswer, StoreOperation};
use channel::Channels;
use eviction::{Eviction, Waits};
use forward::Tunnel;
use health::Health;
use modify::{Decision, Modification};
use reflector::{Own, Reflector, WithoutCache};
use std::collections::BTreeMap;
use std::sync::Arc;
use watches::WatchCache;

/// How an API server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its own time for a request, before it asks etcd.
    pub service: Delay,
    /// After how long a reading request is given up (`--request-timeout`).
    pub request_timeout: Duration,
    /// So many of a hundred reading requests that are given up end without an answer.
    pub aborted_percent: u64,
    /// After how long a writing request is given up.
    pub mutating_timeout: Duration,
    /// How long Pods tolerate unready and unreachable Nodes, unless they say otherwise.
    pub default_toleration: Duration,
    /// How often an eviction tries to write a budget that others write too, and the pause between.
    pub eviction_tries: u32,
    pub eviction_pause: Duration,
    /// After which an eviction is to be asked for again that could not be decided.
    pub eviction_retry_after: Duration,
    pub channel: ChannelSettings,
    pub retry: RetrySettings,
    pub cache: CacheSettings,
    /// How long a health check waits for etcd (`--etcd-healthcheck-timeout`).
    pub health_timeout: Duration,
    /// From its start until it serves: its start hooks.
    pub startup: Delay,
    /// After how long a new process ends that cannot connect to etcd.
    pub dial_timeout: Duration,
    /// How long one that is told to end tries to remove itself from the endpoints.
    pub removal_timeout: Duration,
}

/// What an API server reacts to besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its own work on a request is done.
    Serve(u32),
    /// Some request may have taken too long.
    Deadline,
    /// Time to dial etcd again, on the channel of this number.
    Reconnect(u8),
    /// Time to look at a contended budget again.
    RetryEviction(u32),
    /// A call that etcd failed is made again.
    AskEtcdAgain(u32),
    /// A read of its own is made again.
    AskAgain(u32),
    /// The cache is filled anew.
    Refill,
    /// A list has waited long enough for the cache.
    NotFresh(u32),
    /// A health check has waited long enough for etcd.
    CheckOver(u32),
    /// The start hooks are through.
    HooksOver,
    /// A new process has waited long enough for a connection to etcd.
    DialOver,
    /// A new process has waited long enough for its first reads.
    FirstReadOver,
    /// It has tried for long enough to remove itself from the endpoints.
    RemovalOver(u32),
    /// Its port was closed long enough ago.
    ShutdownOver,
}

/// One API server process.
#[derive(Clone, Debug)]
pub struct Apiserver {
    settings: Settings,
    channels: Channels,
    next: u32,
    open: BTreeMap<u32, Open>,
    /// Reads of its own that are under way.
    own: BTreeMap<u32, Own>,
    cache: WatchCache,
    reflector: Reflector,
    health: Health,
    deadline: Earliest,
    /// Its start hooks are through.
    hooks_over: bool,
    /// It serves.
    is_up: bool,
    /// It has been told to end.
    terminating: bool,
    /// Its port is closed: it serves what is under way.
    draining: bool,
    /// The last request that was taken on each connection.
    clients: BTreeMap<ConnectionId, u32>,
    /// Whether it served all and some when that was last told.
    served: [bool; 2],
}

/// A request that has not been answered.
#[derive(Clone, Debug)]
struct Open {
    client: ConnectionId,
    /// Who is behind the connection, as `managedFields` would say.
    writer: ProcessId,
    request: Request,
    /// A watch has none.
    deadline: Option<SimTime>,
    stage: Stage,
    /// How often etcd has failed it.
    tries: u32,
}

/// Where a request stands.
#[derive(Clone, Debug)]
enum Stage {
    /// The server itself is not up yet.
    Starting,
    Serving,
    Reading,
    /// How fresh the cache has to be is asked of etcd.
    AskingRevision,
    AwaitingRevision(Revision),
    /// The cache is being filled.
    AwaitingCache,
    Creating(ObjectKey),
    Updating(ObjectKey),
    /// The change is computed on the object as it is, and proposed.
    Modifying(Modification),
    /// Whether the Pod may be evicted is being found out.
    Evicting(Eviction),
    /// The Pod that a call is for is looked up.
    Forwarding(EtcdCall, ObjectKey),
    /// The call is on its way through a kubelet.
    Tunneling(Tunnel),
}

/// The draws for service times; the number is the API server's own among all servers.
const SERVICE: Purpose = Purpose(100);
/// The draws for who is first at a deadline; the number is the API server's own, too.
const AT_DEADLINE: Purpose = Purpose(101);
/// The draws for uids.
const UID: Purpose = Purpose(0);

impl Apiserver {
    /// An API server that is not running yet.
    pub fn new(settings: Settings) -> Apiserver {
        Apiserver {
            settings,
            channels: Channels::new(settings.channel),
            next: 0,
            open: BTreeMap::new(),
            own: BTreeMap::new(),
            cache: WatchCache::new(settings.cache.window),
            reflector: Reflector::new(),
            health: Health::new(Start::Steady),
            deadline: Earliest::default(),
            hooks_over: true,
            is_up: true,
            terminating: false,
            draining: false,
            clients: BTreeMap::new(),
            served: [false; 2],
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Started(start) => self.start(start, ctx),
            Input::Message(client, Message::Request(request)) => self.accept(client, *request, ctx),
            Input::Message(from, Message::Forwarded(id, answered)) => {
                self.forwarded(from, id, answered, ctx);
            }
            Input::Message(client, Message::HealthCheck(id, path)) => {
                self.check_health(client, (id, path), ctx);
            }
            Input::Message(from, message) => {
                if let Some(channel) = self.channels.on(from) {
                    self.on_etcd(channel, message, ctx);
                }
            }
            Input::Due(event) => self.on_due(event, ctx),
            Input::Broken(connection, how) => match self.channels.on(connection) {
                Some(channel) => self.etcd_broken(channel, how, ctx),
                None if self.tunnel_broken(connection, how, ctx) => {}
                None => self.on_client_gone(connection, ctx),
            },
            Input::Terminate => self.terminate(ctx),
            Input::Tick(_)
            | Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
    }

    fn on_due(&mut self, event: Event, ctx: &mut Ctx<Event>) {
        match event {
            Event::Serve(id) => self.serve(id, ctx),
            Event::Deadline => self.give_up_late(ctx),
            Event::Reconnect(channel) => {
                self.channels.connect(channel, ctx);
                self.tell_if_serves(ctx);
            }
            Event::RetryEviction(id) => self.retry_eviction(id, ctx),
            Event::AskEtcdAgain(id) => self.ask_etcd_again(id, ctx),
            Event::AskAgain(id) => self.ask_again(id, ctx),
            Event::Refill => self.fill_cache(ctx),
            Event::NotFresh(id) => self.not_fresh(id, ctx),
            Event::CheckOver(id) => self.check_ended(id, false, ctx),
            Event::HooksOver => {
                self.hooks_over = true;
                self.rise(ctx);
            }
            Event::DialOver => self.dial_over(ctx),
            Event::FirstReadOver => self.first_read_over(ctx),
            Event::RemovalOver(id) => self.removal_over(id, ctx),
            Event::ShutdownOver => ctx.exit(),
        }
    }

    fn on_etcd(&mut self, channel: u8, message: Message, ctx: &mut Ctx<Event>) {
        self.channels.heard(channel);
        match message {
            Message::Stored(id, answer) => {
                let is_proposal = self.channels.done_on(channel, id);
                match self.own.contains_key(&id) {
                    true => self.own_stored(id, answer, ctx),
                    false => self.on_stored(id, is_proposal, answer, ctx),
                }
            }
            Message::StoreEnded(id, error) if self.own.contains_key(&id) => {
                self.etcd_watch_ended(id, &error, ctx);
            }
            Message::Committed(committed) => {
                self.cache.publish(committed, |to, message| ctx.send(to, message));
                self.cache_moved(ctx);
            }
            _ => {}
        }
    }

    fn accept(&mut self, client: ConnectionId, request: Request, ctx: &mut Ctx<Event>) {
        if self.draining {
            return self.leave_untaken(client, ctx);
        }
        self.clients.insert(client, request.id);
        let timeout = match &request.verb {
            Verb::Watch(..) => None,
            verb if verb.is_mutating() => Some(self.settings.mutating_timeout),
            _ => Some(self.settings.request_timeout),
        };
        let work =
            ctx.draw_delay_for(SERVICE, self.settings.service, request.sender, request.count);
        let deadline = timeout.map(|timeout| ctx.now() + timeout);
        let writer = client.client;
        let stage = if self.is_up { Stage::Serving } else { Stage::Starting };
        self.next = self.next.wrapping_add(1);
        let open = Open { client, writer, request, deadline, stage, tries: 0 };
        self.open.insert(self.next, open);
        if let Some(deadline) = deadline {
            self.set_deadline(deadline, ctx);
        }
        if self.is_up {
            ctx.after("kubernetes.apiserverService", work, Event::Serve(self.next));
        }
    }

    /// The request's own work is done: etcd is asked.
    fn serve(&mut self, id: u32, ctx: &mut Ctx<Event>) {
        let Some(open) = self.open.get(&id) else { return };
        let (by, writer) = (open.request.agent, open.writer.0);
        let (stage, operation) = match &open.request.verb {
            Verb::Paths => return self.answer(id, Ok(Answer::Done), ctx),
            Verb::Get(key) => {
                (Stage::Reading, StoreOperation::Get(key.clone(), Consistency::Linearizable))
            }
            Verb::List(kind, selector, freshness) => {
                let asked = (*kind, selector.clone(), *freshness);
                return self.list(id, asked, ctx);
            }
            Verb::Watch(..) => return self.open_watch(id, ctx),
            Verb::Create(object) => {
                let uid = Uid(ctx.draw(UID));
                let toleration = self.settings.default_toleration;
                let new = modify::admitted(object, uid, ctx.wall_clock(), toleration, writer);
                let key = new.key().clone();
                let put = Some(Box::new(new));
                let expected = Revision::default();
                let operation =
                    StoreOperation::Transact { key: key.clone(), expected, put, by, writer };
                (Stage::Creating(key), operation)
            }
            Verb::Update(object) => {
                let key = object.key().clone();
                let expected = object.meta.resource_version;
                let put = modify::replaced(object, writer).map(Box::new);
                let operation =
                    StoreOperation::Transact { key: key.clone(), expected, put, by, writer };
                (Stage::Updating(key), operation)
            }
            Verb::Forward(forward) => Apiserver::begin_forward(forward),
            Verb::Evict { key, grace } => {
                let eviction = Eviction { key: key.clone(), grace: *grace, waits: Waits::Pod };
                (
                    Stage::Evicting(eviction),
                    StoreOperation::Get(key.clone(), Consistency::Linearizable),
                )
            }
            verb => {
                let modification = Modification::of(verb);
                let operation =
                    StoreOperation::Get(modification.key().clone(), Consistency::Linearizable);
                (Stage::Modifying(modification), operation)
            }
        };
        self.ask_etcd(id, stage, operation, ctx);
    }

    fn on_stored(&mut self, id: u32, is_proposal: bool, answer: StoreAnswer, ctx: &mut Ctx<Event>) {
        let Some(open) = self.open.get(&id) else { return };
        match (open.stage.clone(), answer) {
            (_, StoreAnswer::Failed(error)) => self.etcd_failed(id, is_proposal, &error, ctx),
            (Stage::AskingRevision, StoreAnswer::Value(revision, _)) => {
                self.list_as_fresh_as(id, revision, ctx);
            }
            (Stage::Modifying(modification), StoreAnswer::Value(_, current))
            | (Stage::Modifying(modification), StoreAnswer::Conflict(current)) => {
                self.modify(id, modification, current, ctx);
            }
            (Stage::Modifying(modification), StoreAnswer::Committed(object)) => {
                match modification.next_after(&object) {
                    Some(next) => self.modify(id, next, Some(object), ctx),
                    None => self.answer(id, Ok(Answer::Object(object)), ctx),
                }
            }
            (Stage::Forwarding(call, key), StoreAnswer::Value(_, pod)) => {
                self.forward(id, (call, &key), pod.as_deref(), ctx);
            }
            (Stage::Evicting(eviction), answer) => self.eviction_stored(id, eviction, answer, ctx),
            (stage, answer) => {
                let answered = plain_answer(&stage, &open.request.verb, answer);
                self.answer(id, answered, ctx);
            }
        }
    }

    /// Computes a change on the object as it is now, and proposes it.
    fn modify(
        &mut self,
        id: u32,
        modification: Modification,
        current: Option<Arc<Object>>,
        ctx: &mut Ctx<Event>,
    ) {
        let Some(open) = self.open.get(&id) else { return };
        let (by, writer) = (open.request.agent, open.writer.0);
        let Some(current) = current else {
            let error = ApiError::not_found(modification.key());
            return self.answer(id, Err(error), ctx);
        };
        let put = match modification.decide(&current, ctx.wall_clock(), writer) {
            Decision::Write(object) => Some(object),
            Decision::Remove => None,
            Decision::Leave => match modification.next_after(&current) {
                Some(next) => return self.modify(id, next, Some(current), ctx),
                None => return self.answer(id, Ok(Answer::Object(current)), ctx),
            },
            Decision::Refuse(error) => return self.answer(id, Err(error), ctx),
            Decision::RefuseForNow(error) => return self.refuse_for_now(id, error, ctx),
        };
        let key = current.key().clone();
        let expected = current.meta.resource_version;
        let operation = StoreOperation::Transact { key, expected, put, by, writer };
        self.ask_etcd(id, Stage::Modifying(modification), operation, ctx);
    }

    fn open_watch(&mut self, id: u32, ctx: &mut Ctx<Event>) {
        if !self.reflector.is_filled {
            if let WithoutCache::Delegated = self.without_cache(id, ctx) {
                // A watch cannot be served without the cache: it waits for it.
                self.wait_in(id, Stage::AwaitingCache);
            }
            return;
        }
        let Some(open) = self.open.remove(&id) else { return };
        let Verb::Watch(kind, selector, from) = open.request.verb else { return };
        let number = open.request.id;
        match self.cache.open(open.client, number, kind, selector, from) {
            Err(error) => {
                ctx.send(open.client, Message::Answer(number, Err(error)));
                self.end_if_idle(ctx);
            }
            Ok(missed) => {
                ctx.send(open.client, Message::Answer(number, Ok(Answer::Watching)));
                for event in missed {
                    ctx.send(open.client, Message::Watch(event));
                }
            }
        }
    }

    fn answer(&mut self, id: u32, answered: Answered, ctx: &mut Ctx<Event>) {
        if let Some(open) = self.open.remove(&id) {
            ctx.send(open.client, Message::Answer(open.request.id, answered));
        }
        self.end_if_idle(ctx);
    }

    fn on_client_gone(&mut self, client: ConnectionId, ctx: &mut Ctx<Event>) {
        self.cache.close(client);
        self.clients.remove(&client);
        let gone: Vec<u32> =
            self.open.iter().filter(|(_, open)| open.client == client).map(|(id, _)| *id).collect();
        for id in gone {
            self.channels.forget(id);
            self.open.remove(&id);
        }
        self.end_if_idle(ctx);
    }

    /// Requests that have waited are served.
    fn serve_those(&mut self, waited: impl Fn(&Stage) -> bool, ctx: &mut Ctx<Event>) {
        let ids: Vec<u32> =
            self.open.iter().filter(|(_, open)| waited(&open.stage)).map(|(id, _)| *id).collect();
        for id in ids {
            self.wait_in(id, Stage::Serving);
            self.serve(id, ctx);
        }
    }
}
