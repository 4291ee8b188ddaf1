//! Requests over one connection to one API server, each with its own time-out.
//!
//! The connection is opened when it is first needed, and anew after it broke; who waits for an
//! answer is told then, unless it is asked again (`retry`). Follows client-go's transport: one HTTP/2
//! connection for everything, until the server sends the client away from it (`away`).
//!
//! Simplified: what is asked while it is being opened waits for this one dial, where the real client
//! dials once for each request until a first connection is open.

use super::away::Connections;
use super::retry::{Attempts, RetrySettings};
use super::throttle::{Throttle, Turn};
use crate::api::{Answered, ApiError, Request, Verb, WatchEvent};
use crate::engine::{Duration, Earliest, Generation, Owner, Rule, SimTime};
use crate::infra::{Address, Broken, ConnectionId, Ctx, Handshake};
use crate::timeline::Cause;
use crate::wire::Message;
use std::collections::BTreeMap;

/// A client's own timer; clients are numbered by their process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub client: u8,
    pub ring: Ring,
}

/// What a client's timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Some request may have taken too long.
    Deadline,
    /// The request of this number is sent again, or has its token.
    Again(u32),
    /// An informer lists again, after a pause, if this is still its timer.
    Relist(u8, Generation),
    /// An informer opens its watch again, after a pause, if this is still its timer.
    Rewatch(u8, Generation),
    /// The first of a source's Events that wait is tried again, if this is still its timer.
    Event(u8, Generation),
    /// A candidate or leader tries to hold its Lease, if this is still its timer.
    Attempt(Generation),
    /// A leader has tried to renew its Lease for as long as it may, if this is still its timer.
    RenewalOver(Generation),
}

/// What a client's time-out is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// For every request but a watch that a server has heard.
    Bounded,
    /// For a server that says nothing at all: the dial. What a server has accepted is waited for.
    Dial,
}

/// A client of one API server; `T` says what an answer is for.
#[derive(Clone, Debug)]
pub struct Api<T> {
    pub(super) number: u8,
    server: Address,
    timeout: Duration,
    patience: Patience,
    retries: RetrySettings,
    pub(super) connections: Connections,
    pub(super) next: u32,
    /// Requests that do not count for themselves.
    counted: u64,
    pub(super) pending: BTreeMap<u32, Pending<T>>,
    pub(super) watches: BTreeMap<u32, OpenWatch<T>>,
    pub(super) throttle: Throttle,
    alarm: Earliest,
}

#[derive(Clone, Debug)]
pub(super) struct Pending<T> {
    token: T,
    pub(super) asked: Asked,
    limit: Limit,
    /// Nothing if it is waited for as long as the connection lasts; else with the rule that says so.
    deadline: Option<(SimTime, Rule)>,
    pub(super) cause: Cause,
    attempts: Attempts,
    pub(super) turn: Turn,
    /// It waits for its turn at its agent's limit.
    pub(super) is_held: bool,
    /// Nothing if it is to be sent again, or has not been sent yet: nobody has been asked.
    pub(super) on: Option<ConnectionId>,
}

#[derive(Clone, Debug)]
pub(super) struct OpenWatch<T> {
    token: T,
    pub(super) on: ConnectionId,
}

/// What is asked, as long as it may have to be asked again.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub agent: &'static str,
    sender: Owner,
    count: u64,
    verb: Verb,
}

/// How long an answer is waited for, and by which rule.
pub type Limit = (Rule, Duration);

/// That of a client that asks for no other.
pub const USUAL: Rule = "kubernetes.clientRequestTimeout";

/// What came from the server.
#[derive(Clone, Debug)]
pub enum Incoming<T> {
    Answer(T, Answered),
    Watch(T, WatchEvent),
    WatchEnded(T, ApiError),
}

impl<T: Clone> Api<T> {
    /// A client that is not connected yet.
    pub fn new(number: u8, server: Address, timeout: Duration, retries: RetrySettings) -> Api<T> {
        Api {
            number,
            server,
            timeout,
            patience: Patience::Bounded,
            retries,
            connections: Connections::default(),
            next: 0,
            counted: 0,
            pending: BTreeMap::new(),
            watches: BTreeMap::new(),
            throttle: Throttle::default(),
            alarm: Earliest::default(),
        }
    }

    /// The same, with a time-out for the dial only, as most clients have it.
    pub fn patient(self) -> Api<T> {
        Api { patience: Patience::Dial, ..self }
    }

    /// Sends a request; its answer, or its failure, comes back with `token`.
    pub fn send<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        agent: &'static str,
        verb: Verb,
        token: T,
    ) {
        let limit = self.limit_of(&verb);
        self.send_within(ctx, agent, verb, token, limit);
    }

    /// Sends a request with a time-out of its own.
    pub fn send_within<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        agent: &'static str,
        verb: Verb,
        token: T,
        limit: Limit,
    ) {
        let (sender, count) = (ctx.owner(), self.counted);
        self.counted += 1;
        self.send_as(ctx, agent, verb, token, limit, sender, count);
    }

    /// Sends a request at its turn, where its agent's limit holds it back.
    pub fn send_in_turn<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        agent: &'static str,
        verb: Verb,
        token: T,
        turn: Turn,
    ) {
        let limit = self.limit_of(&verb);
        let asked = Asked { agent, sender: ctx.owner(), count: self.counted, verb };
        self.counted += 1;
        self.put(ctx, asked, token, limit, turn);
    }

    /// Whoever forwards a call knows how long he waits for it.
    pub fn limit_of(&self, verb: &Verb) -> Limit {
        let timeout = match verb {
            Verb::Forward(forward) => forward.timeout.min(self.timeout),
            _ => self.timeout,
        };
        (USUAL, timeout)
    }

    /// Sends a request with a time-out and an address for the server's draws of its own: a
    /// heartbeat counts for itself.
    #[expect(clippy::too_many_arguments, reason = "each is a part of one request")]
    pub fn send_as<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        agent: &'static str,
        verb: Verb,
        token: T,
        limit: Limit,
        sender: Owner,
        count: u64,
    ) {
        self.put(ctx, Asked { agent, sender, count, verb }, token, limit, Turn::FREE);
    }

    fn put<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        asked: Asked,
        token: T,
        limit: Limit,
        turn: Turn,
    ) {
        let (cause, attempts) = (ctx.cause(), Attempts::default());
        let (deadline, is_held, on) = (None, false, None);
        let pending = Pending { token, asked, limit, deadline, cause, attempts, turn, is_held, on };
        self.send_paced(ctx, pending);
    }

    pub(super) fn transmit<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, mut pending: Pending<T>) {
        let (connection, dials) = match self.connections.current() {
            Some(connection) => (connection, false),
            None => {
                let connection = ctx.connect(self.server);
                ctx.await_handshake(connection, Handshake::Tls);
                self.connections.opened(connection);
                (connection, true)
            }
        };
        self.next += 1;
        let is_patient = self.patience == Patience::Dial;
        let bounded = !self.connections.is_proven() || !(is_patient || pending.is_watch());
        let (rule, timeout) = pending.limit;
        let until = (ctx.now() + timeout, rule);
        pending.deadline = bounded.then(|| pending.deadline.unwrap_or(until));
        pending.on = Some(connection);
        pending.is_held = false;
        let (deadline, Asked { agent, count, verb, .. }) = (pending.deadline, &pending.asked);
        let sender = pending.attempts.address(pending.asked.sender);
        let request = Request { id: self.next, agent, sender, count: *count, verb: verb.clone() };
        self.pending.insert(self.next, pending);
        ctx.send(connection, Message::Request(Box::new(request)));
        if let Some(deadline) = deadline {
            self.set_alarm(ctx, deadline);
        }
        if dials && is_patient {
            // A sign of life, which the real client has in the handshake.
            ctx.send(connection, Message::HealthCheck(0, "/version"));
        }
    }

    /// Takes a message, if it came on one of this client's connections.
    pub fn on_message<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        from: ConnectionId,
        message: Message,
    ) -> Option<Incoming<T>> {
        if !self.is_on(from) {
            return None;
        }
        let incoming = self.take(ctx, from, message);
        self.close_done(ctx);
        incoming
    }

    fn take<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        from: ConnectionId,
        message: Message,
    ) -> Option<Incoming<T>> {
        if self.connections.heard(from) {
            let patient = self.patience == Patience::Dial;
            let all = self.pending.values_mut();
            for pending in all.filter(|pending| patient || pending.is_watch()) {
                pending.deadline = None;
            }
        }
        match message {
            Message::Answer(id, answered) => {
                let pending = self.pending.remove(&id)?;
                if let Err(error) = answered {
                    return self.fail(ctx, pending, error);
                }
                if pending.is_watch() {
                    self.watches.insert(id, OpenWatch { token: pending.token.clone(), on: from });
                }
                Some(Incoming::Answer(pending.token, answered))
            }
            Message::Watch(event) => {
                let token = self.watches.get(&event.watch)?.token.clone();
                Some(Incoming::Watch(token, event))
            }
            Message::WatchEnded(id, error) => {
                Some(Incoming::WatchEnded(self.watches.remove(&id)?.token, error))
            }
            Message::GoAway(last) => {
                self.go_away(ctx, from, last);
                None
            }
            _ => None,
        }
    }

    /// Notes that a connection is over; what was waiting on it fails, or is sent again.
    ///
    /// Simplified: one that the other end closed is told in the words of a reset.
    pub fn on_broken<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        connection: ConnectionId,
        how: Broken,
    ) -> Vec<Incoming<T>> {
        if !self.is_on(connection) {
            return Vec::new();
        }
        let error = ApiError::unreachable(match how {
            Broken::Refused => "connect: connection refused",
            Broken::Closed | Broken::Reset => "read: connection reset by peer",
            Broken::Unanswered => "net/http: TLS handshake timeout",
            Broken::Lost if self.connections.is_left(connection) => CONNECTION_LOST,
            Broken::Lost => self.words_of_loss(),
        });
        self.connections.remove(connection);
        let mut failed = Vec::new();
        for (id, pending) in std::mem::take(&mut self.pending) {
            match pending.on == Some(connection) {
                false => drop(self.pending.insert(id, pending)),
                true => failed.extend(self.fail(ctx, pending, error.clone())),
            }
        }
        self.end_watches(&error, Some(connection), &mut failed);
        failed
    }

    /// Sends a request again after a pause, if it failed in such a way; else that comes of it.
    fn fail<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        mut pending: Pending<T>,
        error: ApiError,
    ) -> Option<Incoming<T>> {
        let verb = &pending.asked.verb;
        let Some((rule, pause)) = pending.attempts.next(&self.retries, verb, &error) else {
            return Some(pending.failed(error));
        };
        // Whoever reads lists or watches gives his client no time-out.
        if self.patience == Patience::Dial || matches!(verb, Verb::List(..) | Verb::Watch(..)) {
            pending.deadline = None;
        }
        pending.on = None;
        pending.turn = Turn::FREE;
        self.next += 1;
        self.pending.insert(self.next, pending);
        let alarm = Alarm { client: self.number, ring: Ring::Again(self.next) };
        ctx.after(rule, pause, E::from(alarm));
        None
    }

    /// Ends the watches of one connection, or of all.
    fn end_watches(
        &mut self,
        error: &ApiError,
        on: Option<ConnectionId>,
        failed: &mut Vec<Incoming<T>>,
    ) {
        for (id, watch) in std::mem::take(&mut self.watches) {
            match on.is_none_or(|on| watch.on == on) {
                true => failed.push(Incoming::WatchEnded(watch.token, error.clone())),
                false => drop(self.watches.insert(id, watch)),
            }
        }
    }

    /// One of its timers rang: sends a request again, or gives up those whose time is over.
    pub fn on_alarm<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, ring: Ring) -> Vec<Incoming<T>> {
        let now = ctx.now();
        if let Ring::Again(id) = ring
            && let Some(pending) = self.pending.remove(&id)
        {
            self.go_on(ctx, pending);
            return Vec::new();
        }
        if ring != Ring::Deadline || !self.alarm.has_come(now) {
            return Vec::new();
        }
        let is_late = |pending: &Pending<T>| pending.deadline.is_some_and(|(at, _)| at <= now);
        let late: Vec<u32> =
            self.pending.iter().filter(|(_, p)| is_late(p)).map(|(id, _)| *id).collect();
        let mut given_up = Vec::new();
        for pending in late.into_iter().filter_map(|id| self.pending.remove(&id)) {
            let error = ApiError::unreachable(match pending.on.is_none() {
                true => "context deadline exceeded",
                false => TOO_LATE,
            });
            given_up.push(pending.failed(error));
        }
        let deadlines = self.pending.values().filter_map(|pending| pending.deadline);
        if let Some(next) = deadlines.min_by_key(|(at, _)| *at) {
            self.set_alarm(ctx, next);
        }
        self.close_done(ctx);
        given_up
    }

    /// True if this is one of the client's connections.
    pub fn is_on(&self, connection: ConnectionId) -> bool {
        self.connections.has(connection)
    }

    /// Drops the connection, so that the next request opens another.
    pub fn disconnect<E>(&mut self, ctx: &mut Ctx<E>) {
        self.connections.close_all(ctx);
        self.watches.clear();
        self.throttle.forget_lines();
        self.pending.retain(|_, pending| pending.on.is_some());
    }

    /// Drops the connection; what was waiting fails.
    pub fn let_go<E>(&mut self, ctx: &mut Ctx<E>) -> Vec<Incoming<T>> {
        self.connections.close_all(ctx);
        self.throttle.forget_lines();
        let error = ApiError::unreachable(self.words_of_loss());
        let pending = std::mem::take(&mut self.pending).into_values();
        let mut failed = pending.map(|pending| pending.failed(error.clone())).collect();
        self.end_watches(&error, None, &mut failed);
        failed
    }

    fn words_of_loss(&self) -> &'static str {
        if self.connections.is_proven() { CONNECTION_LOST } else { "dial tcp: i/o timeout" }
    }

    /// What led to the requests that still wait; for tests and for telling who waits for what.
    pub fn waiting(&self) -> impl Iterator<Item = (&T, Cause)> {
        self.pending.values().map(|pending| (&pending.token, pending.cause))
    }

    fn set_alarm<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, (deadline, rule): (SimTime, Rule)) {
        if self.alarm.set(deadline) {
            let alarm = Alarm { client: self.number, ring: Ring::Deadline };
            let left = deadline.since(ctx.now());
            ctx.after(rule, left, E::from(alarm));
        }
    }
}

impl<T> Pending<T> {
    fn is_watch(&self) -> bool {
        matches!(self.asked.verb, Verb::Watch(..))
    }

    fn failed(self, error: ApiError) -> Incoming<T> {
        Incoming::Answer(self.token, Err(self.attempts.explain(error)))
    }
}

const CONNECTION_LOST: &str = "http2: client connection lost";
const TOO_LATE: &str = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
