//! Requests over one connection to one API server, each with its own time-out.
//!
//! The connection is opened when it is first needed, and anew after it broke; who waits for an
//! answer is told then. Follows client-go's transport: one HTTP/2 connection for everything.
//!
//! Simplified: what is asked while it is being opened waits for this one dial, where the real client
//! dials once for each request until a first connection is open.

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
    number: u8,
    server: Address,
    timeout: Duration,
    patience: Patience,
    connection: Option<ConnectionId>,
    /// The server has spoken on this connection.
    proven: bool,
    next: u32,
    /// Requests that do not count for themselves.
    counted: u64,
    pending: BTreeMap<u32, Pending<T>>,
    watches: BTreeMap<u32, T>,
    alarm: Earliest,
}

#[derive(Clone, Debug)]
struct Pending<T> {
    token: T,
    /// Nothing if it is waited for as long as the connection lasts; else with the rule that says so.
    deadline: Option<(SimTime, Rule)>,
    cause: Cause,
    watch: bool,
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
    pub fn new(number: u8, server: Address, timeout: Duration) -> Api<T> {
        Api {
            number,
            server,
            timeout,
            patience: Patience::Bounded,
            connection: None,
            proven: false,
            next: 0,
            counted: 0,
            pending: BTreeMap::new(),
            watches: BTreeMap::new(),
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
        (rule, timeout): Limit,
        sender: Owner,
        count: u64,
    ) {
        let connection = match self.connection {
            Some(connection) => connection,
            None => {
                self.proven = false;
                let connection = ctx.connect(self.server);
                ctx.await_handshake(connection, Handshake::Tls);
                *self.connection.insert(connection)
            }
        };
        self.next += 1;
        let watch = matches!(verb, Verb::Watch(..));
        let bounded = !self.proven || (self.patience == Patience::Bounded && !watch);
        let deadline = bounded.then(|| (ctx.now() + timeout, rule));
        let pending = Pending { token, deadline, cause: ctx.cause(), watch };
        self.pending.insert(self.next, pending);
        let request = Request { id: self.next, agent, sender, count, verb };
        ctx.send(connection, Message::Request(Box::new(request)));
        if let Some(deadline) = deadline {
            self.set_alarm(ctx, deadline);
        }
    }

    /// Asks for no more than a sign of life: what a handshake shows.
    pub fn knock<E>(&mut self, ctx: &mut Ctx<E>) {
        if let Some(connection) = self.connection {
            ctx.send(connection, Message::HealthCheck(0, "/version"));
        }
    }

    /// Takes a message, if it came on this client's connection.
    pub fn on_message(&mut self, from: ConnectionId, message: Message) -> Option<Incoming<T>> {
        if self.connection != Some(from) {
            return None;
        }
        if !std::mem::replace(&mut self.proven, true) {
            let patient = self.patience == Patience::Dial;
            for pending in self.pending.values_mut().filter(|pending| patient || pending.watch) {
                pending.deadline = None;
            }
        }
        match message {
            Message::Answer(id, answered) => {
                let pending = self.pending.remove(&id)?;
                if pending.watch && answered.is_ok() {
                    self.watches.insert(id, pending.token.clone());
                }
                Some(Incoming::Answer(pending.token, answered))
            }
            Message::Watch(event) => {
                let token = self.watches.get(&event.watch)?.clone();
                Some(Incoming::Watch(token, event))
            }
            Message::WatchEnded(id, error) => {
                Some(Incoming::WatchEnded(self.watches.remove(&id)?, error))
            }
            _ => None,
        }
    }

    /// Notes that a connection is over; what was waiting on it fails.
    pub fn on_broken(&mut self, connection: ConnectionId, how: Broken) -> Vec<Incoming<T>> {
        if self.connection != Some(connection) {
            return Vec::new();
        }
        self.connection = None;
        let error = ApiError::unreachable(match how {
            Broken::Refused => "connect: connection refused",
            Broken::Closed | Broken::Reset => "read: connection reset by peer",
            Broken::Unanswered => "net/http: TLS handshake timeout",
            Broken::Lost if !self.proven => "dial tcp: i/o timeout",
            Broken::Lost => "http2: client connection lost",
        });
        let pending = std::mem::take(&mut self.pending);
        let watches = std::mem::take(&mut self.watches);
        let failed = pending.into_values().map(|pending| (pending.token, false));
        failed
            .chain(watches.into_values().map(|token| (token, true)))
            .map(|(token, is_watch)| match is_watch {
                true => Incoming::WatchEnded(token, error.clone()),
                false => Incoming::Answer(token, Err(error.clone())),
            })
            .collect()
    }

    /// Gives up the requests whose time is over.
    pub fn on_alarm<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>) -> Vec<Incoming<T>> {
        let now = ctx.now();
        if !self.alarm.has_come(now) {
            return Vec::new();
        }
        let is_late = |pending: &Pending<T>| pending.deadline.is_some_and(|(at, _)| at <= now);
        let late: Vec<u32> =
            self.pending.iter().filter(|(_, p)| is_late(p)).map(|(id, _)| *id).collect();
        let error = ApiError::unreachable(
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        );
        let given_up = late
            .into_iter()
            .filter_map(|id| self.pending.remove(&id))
            .map(|pending| Incoming::Answer(pending.token, Err(error.clone())))
            .collect();
        let deadlines = self.pending.values().filter_map(|pending| pending.deadline);
        if let Some(next) = deadlines.min_by_key(|(at, _)| *at) {
            self.set_alarm(ctx, next);
        }
        given_up
    }

    /// True if this is the client's connection.
    pub fn is_on(&self, connection: ConnectionId) -> bool {
        self.connection == Some(connection)
    }

    /// Drops the connection, so that the next request opens another.
    pub fn disconnect<E>(&mut self, ctx: &mut Ctx<E>) {
        if let Some(connection) = self.connection.take() {
            ctx.close(connection);
        }
        self.watches.clear();
    }

    /// Drops the connection; what was waiting on it fails.
    pub fn let_go<E>(&mut self, ctx: &mut Ctx<E>) -> Vec<Incoming<T>> {
        let Some(connection) = self.connection else { return Vec::new() };
        ctx.close(connection);
        self.on_broken(connection, Broken::Lost)
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
