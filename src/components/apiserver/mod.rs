//! kube-apiserver: serves what its etcd committed, and keeps nothing of its own but open requests,
//! open watches and a window of recent events.
//!
//! It knows the rules of objects (conflicts, graceful deletion, finalizers, admission), not what
//! any client wants with them. Follows `k/k:staging/src/k8s.io/apiserver`.

mod eviction;
#[cfg(test)]
mod eviction_tests;
mod modify;
#[cfg(test)]
mod tests;
mod watches;

use crate::api::{
    Answer, Answered, ApiError, Object, ObjectKey, Reason, Request, Revision, Uid, Verb,
};
use crate::engine::{Delay, Duration, Purpose, SimTime};
use crate::infra::{Address, Broken, ConnectionId, Ctx, Input, Port, ProcessId};
use crate::wire::{Consistency, Message, StoreAnswer, StoreOperation, StoreRequest};
use eviction::{Eviction, Waits};
use modify::{Decision, Modification};
use std::collections::BTreeMap;
use std::sync::Arc;
use watches::Watches;

/// How an API server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its own time for a request, before it asks etcd.
    pub service: Delay,
    /// After how long a reading request is given up (`--request-timeout`).
    pub request_timeout: Duration,
    /// After how long a writing request is given up.
    pub mutating_timeout: Duration,
    /// How many events of each kind a watch can be resumed over.
    pub watch_window: usize,
    /// How long Pods tolerate unready and unreachable Nodes, unless they say otherwise.
    pub default_toleration: Duration,
    /// How often an eviction tries to write a budget that others write too, and the pause between.
    pub eviction_tries: u32,
    pub eviction_pause: Duration,
    /// Between tries to reach etcd.
    pub etcd_retry: Duration,
    /// Where its etcd listens.
    pub etcd: Port,
}

/// What an API server reacts to besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its own work on a request is done.
    Serve(u32),
    /// Some request may have taken too long.
    Deadline,
    /// Time to try etcd again.
    Reconnect,
    /// Time to look at a contended budget again.
    RetryEviction(u32),
}

/// One API server process.
#[derive(Clone, Debug)]
pub struct Apiserver {
    settings: Settings,
    etcd: Option<ConnectionId>,
    next: u32,
    open: BTreeMap<u32, Open>,
    watches: Watches,
    deadline_at: Option<SimTime>,
    reconnecting: bool,
}

/// A request that has not been answered.
#[derive(Clone, Debug)]
struct Open {
    client: ConnectionId,
    /// Who is behind the connection, as `managedFields` would say.
    writer: ProcessId,
    request: Request,
    deadline: SimTime,
    stage: Stage,
}

/// Where a request stands.
#[derive(Clone, Debug)]
enum Stage {
    Serving,
    Reading,
    Creating(ObjectKey),
    Updating(ObjectKey),
    /// The change is computed on the object as it is, and proposed.
    Modifying(Modification),
    /// Whether the Pod may be evicted is being found out.
    Evicting(Eviction),
    /// Not a client's: the watch on etcd.
    WatchingEtcd,
}

/// The draws for service times; the number is the API server's own among all servers.
const SERVICE: Purpose = Purpose(100);
/// The draws for uids.
const UID: Purpose = Purpose(0);

impl Apiserver {
    /// An API server that is not running yet.
    pub fn new(settings: Settings) -> Apiserver {
        Apiserver {
            settings,
            etcd: None,
            next: 0,
            open: BTreeMap::new(),
            watches: Watches::new(settings.watch_window),
            deadline_at: None,
            reconnecting: false,
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Started(_) => {
                *self = Apiserver::new(self.settings);
                self.watch_etcd(ctx);
            }
            Input::Message(client, Message::Request(request)) => self.accept(client, *request, ctx),
            Input::Message(_, Message::Stored(id, answer)) => self.on_stored(id, answer, ctx),
            Input::Message(_, Message::Committed(committed)) => {
                self.watches.publish(committed, |to, message| ctx.send(to, message));
            }
            Input::Due(Event::Serve(id)) => self.serve(id, ctx),
            Input::Due(Event::Deadline) => self.give_up_late(ctx),
            Input::Due(Event::Reconnect) => {
                self.reconnecting = false;
                self.watch_etcd(ctx);
            }
            Input::Due(Event::RetryEviction(id)) => self.retry_eviction(id, ctx),
            Input::Broken(connection, how) => self.on_broken(connection, how, ctx),
            Input::Message(..)
            | Input::Tick(_)
            | Input::Container(..)
            | Input::VmChanged(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
    }

    fn accept(&mut self, client: ConnectionId, request: Request, ctx: &mut Ctx<Event>) {
        let timeout = match request.verb.is_mutating() {
            true => self.settings.mutating_timeout,
            false => self.settings.request_timeout,
        };
        let work =
            ctx.draw_delay_for(SERVICE, self.settings.service, request.sender, request.count);
        let deadline = ctx.now() + timeout;
        let writer = client.client;
        let id = self.enter(Open { client, writer, request, deadline, stage: Stage::Serving });
        self.set_deadline(deadline, ctx);
        ctx.after(work, Event::Serve(id));
    }

    fn enter(&mut self, open: Open) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.open.insert(self.next, open);
        self.next
    }

    /// The request's own work is done: etcd is asked.
    fn serve(&mut self, id: u32, ctx: &mut Ctx<Event>) {
        let Some(open) = self.open.get(&id) else { return };
        let writer = open.writer.0;
        let by = open.request.agent;
        let (stage, operation) = match &open.request.verb {
            Verb::Get(key) => {
                (Stage::Reading, StoreOperation::Get(key.clone(), Consistency::Linearizable))
            }
            Verb::List(kind, _) => {
                (Stage::Reading, StoreOperation::Range(*kind, Consistency::Linearizable))
            }
            Verb::Watch(..) => return self.open_watch(id, ctx),
            Verb::Create(object) => {
                let uid = Uid(ctx.draw(UID));
                let toleration = self.settings.default_toleration;
                let new = modify::admitted(object, uid, ctx.now(), toleration, writer);
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

    fn ask_etcd(&mut self, id: u32, stage: Stage, operation: StoreOperation, ctx: &mut Ctx<Event>) {
        let Some(etcd) = self.etcd else {
            return self.answer(id, Err(etcd_unavailable()), ctx);
        };
        let Some(open) = self.open.get_mut(&id) else { return };
        open.stage = stage;
        let (sender, count) = (open.request.sender, open.request.count);
        ctx.send(
            etcd,
            Message::Store(Box::new(StoreRequest {
                id,
                operation,
                require_leader: false,
                sender,
                count,
            })),
        );
    }

    fn on_stored(&mut self, id: u32, answer: StoreAnswer, ctx: &mut Ctx<Event>) {
        let Some(open) = self.open.get(&id) else { return };
        match (open.stage.clone(), answer) {
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
            (Stage::Evicting(eviction), answer) => self.eviction_stored(id, eviction, answer, ctx),
            (Stage::WatchingEtcd, answer) => {
                self.open.remove(&id);
                self.on_etcd_watch(answer, ctx);
            }
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
        let put = match modification.decide(&current, ctx.now(), writer) {
            Decision::Write(object) => Some(object),
            Decision::Remove => None,
            Decision::Leave => match modification.next_after(&current) {
                Some(next) => return self.modify(id, next, Some(current), ctx),
                None => return self.answer(id, Ok(Answer::Object(current)), ctx),
            },
            Decision::Refuse(error) => return self.answer(id, Err(error), ctx),
        };
        let key = current.key().clone();
        let expected = current.meta.resource_version;
        let operation = StoreOperation::Transact { key, expected, put, by, writer };
        self.ask_etcd(id, Stage::Modifying(modification), operation, ctx);
    }

    fn open_watch(&mut self, id: u32, ctx: &mut Ctx<Event>) {
        let Some(open) = self.open.remove(&id) else { return };
        let Verb::Watch(kind, selector, from) = open.request.verb else { return };
        let number = open.request.id;
        match self.watches.open(open.client, number, kind, selector, from) {
            Err(error) => ctx.send(open.client, Message::Answer(number, Err(error))),
            Ok(missed) => {
                ctx.send(open.client, Message::Answer(number, Ok(Answer::Watching)));
                for event in missed {
                    ctx.send(open.client, Message::Watch(event));
                }
            }
        }
    }

    /// Who asked for a request, as the store notes it down.
    fn author(&self, id: u32) -> Option<(&'static str, u32)> {
        self.open.get(&id).map(|open| (open.request.agent, open.writer.0))
    }

    fn stage_of(&self, id: u32) -> Option<Stage> {
        self.open.get(&id).map(|open| open.stage.clone())
    }

    fn wait_in(&mut self, id: u32, stage: Stage) {
        if let Some(open) = self.open.get_mut(&id) {
            open.stage = stage;
        }
    }

    fn answer(&mut self, id: u32, answered: Answered, ctx: &mut Ctx<Event>) {
        if let Some(open) = self.open.remove(&id) {
            ctx.send(open.client, Message::Answer(open.request.id, answered));
        }
    }

    fn on_broken(&mut self, connection: ConnectionId, how: Broken, ctx: &mut Ctx<Event>) {
        if self.etcd != Some(connection) {
            self.watches.close(connection);
            self.open.retain(|_, open| open.client != connection);
            return;
        }
        self.etcd = None;
        if how != Broken::Refused {
            ctx.log("etcd: transport is closing; retrying");
        }
        let waiting: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, open)| !matches!(open.stage, Stage::Serving))
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            match self.open[&id].stage {
                Stage::WatchingEtcd => drop(self.open.remove(&id)),
                _ => self.answer(id, Err(etcd_unavailable()), ctx),
            }
        }
        self.retry_etcd(ctx);
    }

    /// Watches etcd for everything after what was heard last.
    fn watch_etcd(&mut self, ctx: &mut Ctx<Event>) {
        let etcd = *self.etcd.insert(ctx.connect(Address::Here(self.settings.etcd)));
        let (sender, count) = (ctx.owner(), 0);
        let request =
            Request { id: 0, agent: "watch-cache", sender, count, verb: self.watches.own_verb() };
        let deadline = ctx.now() + self.settings.request_timeout;
        let writer = ctx.process();
        let stage = Stage::WatchingEtcd;
        let id = self.enter(Open { client: etcd, writer, request, deadline, stage });
        let operation = StoreOperation::Watch(self.watches.heard());
        ctx.send(
            etcd,
            Message::Store(Box::new(StoreRequest {
                id,
                operation,
                require_leader: false,
                sender,
                count,
            })),
        );
    }

    fn on_etcd_watch(&mut self, answer: StoreAnswer, ctx: &mut Ctx<Event>) {
        match answer {
            StoreAnswer::Watching(from) => self.watches.begin(from),
            // What was missed is gone: every client has to list anew.
            StoreAnswer::Compacted(oldest) => {
                self.watches.end_all(oldest, |to, message| ctx.send(to, message));
                if let Some(etcd) = self.etcd.take() {
                    ctx.close(etcd);
                }
                self.retry_etcd(ctx);
            }
            _ => {}
        }
    }

    fn retry_etcd(&mut self, ctx: &mut Ctx<Event>) {
        if !std::mem::replace(&mut self.reconnecting, true) {
            ctx.after(self.settings.etcd_retry, Event::Reconnect);
        }
    }

    fn give_up_late(&mut self, ctx: &mut Ctx<Event>) {
        self.deadline_at = None;
        let now = ctx.now();
        let late: Vec<u32> =
            self.open.iter().filter(|(_, open)| open.deadline <= now).map(|(id, _)| *id).collect();
        for id in late {
            self.answer(id, Err(request_timed_out()), ctx);
        }
        if let Some(next) = self.open.values().map(|open| open.deadline).min() {
            self.set_deadline(next, ctx);
        }
    }

    /// One timer serves all requests: set for the earliest deadline, and again when it is due.
    fn set_deadline(&mut self, deadline: SimTime, ctx: &mut Ctx<Event>) {
        if self.deadline_at.is_none_or(|at| deadline < at) {
            self.deadline_at = Some(deadline);
            ctx.after(deadline.since(ctx.now()), Event::Deadline);
        }
    }
}

/// The answer to a request that is served by one operation.
fn plain_answer(stage: &Stage, verb: &Verb, answer: StoreAnswer) -> Answered {
    match (stage, verb, answer) {
        (_, Verb::Get(key), StoreAnswer::Value(_, None)) => Err(ApiError::not_found(key)),
        (_, _, StoreAnswer::Value(_, Some(object))) | (_, _, StoreAnswer::Committed(object)) => {
            Ok(Answer::Object(object))
        }
        (_, Verb::List(_, selector), StoreAnswer::Values(revision, mut items)) => {
            items.retain(|object| selector.matches(object));
            Ok(Answer::List(revision, items))
        }
        (Stage::Creating(key), _, StoreAnswer::Conflict(_)) => Err(ApiError::already_exists(key)),
        (Stage::Updating(key), _, StoreAnswer::Conflict(None)) => Err(ApiError::not_found(key)),
        (Stage::Updating(key), _, StoreAnswer::Conflict(Some(_))) => Err(ApiError::conflict(key)),
        _ => Err(etcd_unavailable()),
    }
}

fn etcd_unavailable() -> ApiError {
    ApiError::new(
        Reason::InternalError,
        "rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while \
         dialing: dial tcp 127.0.0.1:2379: connect: connection refused\"",
    )
}

fn request_timed_out() -> ApiError {
    ApiError::new(
        Reason::Timeout,
        "Timeout: request did not complete within requested timeout - context deadline exceeded",
    )
}
