//! The gRPC channels to etcd: requests wait until theirs is connected, and it reconnects with a growing
//! pause.
//!
//! It knows messages only by their numbers. Follows `grpc-go` as etcd's client sets it up: every
//! call waits for a connection (`WaitForReady`), so a member that refuses is waited for until the
//! caller's own deadline; a call that was under way when the connection broke fails. One that is accepted, and
//! on which etcd's HTTP/2 settings never come, counts like a refused one (`clientconn.go`, `resetTransport`).
//!
//! Every kind of resource has a client of etcd of its own, and so has each health check
//! (`k/k:apiserver/pkg/storage/storagebackend/factory/etcd3.go`, `newETCD3Client`), each with its own
//! pause: after an outage a server is well again kind by kind.
//!
//! Simplified: the one watch that feeds the cache has a channel of its own, where the real server has
//! one for each kind, on the kind's channel.

use super::Event;
use crate::api::Kind;
use crate::client::BackoffRules;
use crate::engine::{Duration, Purpose, Rule, below};
use crate::infra::{Address, Broken, ConnectionId, Ctx, Handshake, Port};
use crate::wire::{Message, StoreRequest};
use std::collections::BTreeMap;

/// How a channel behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelSettings {
    /// Where its etcd listens, on the server's own VM.
    pub etcd: Port,
    /// The pause after a first refusal, and the longest.
    pub backoff_first: Duration,
    pub backoff_limit: Duration,
    /// Each pause is this percentage of the one before.
    pub backoff_growth_percent: u64,
    /// A pause is longer or shorter by up to this percentage.
    pub jitter_percent: u64,
    /// How long a connection may take until etcd has answered on it, or the present pause, if that is
    /// longer.
    pub min_connect_timeout: Duration,
}

/// What a channel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    Kind(Kind),
    /// A health check, by its place.
    Check(usize),
    Watch,
}

/// All channels of a server, by the numbers of their lines.
#[derive(Clone, Debug)]
pub struct Channels(Vec<Channel>);

/// One channel.
#[derive(Clone, Debug)]
struct Channel {
    number: u8,
    settings: ChannelSettings,
    connection: Option<ConnectionId>,
    /// Etcd has answered on this connection.
    proven: bool,
    /// What waits for a connection.
    waiting: BTreeMap<u32, StoreRequest>,
    sent: BTreeMap<u32, Sent>,
    pause: Duration,
}

/// A call under way.
#[derive(Clone, Debug)]
struct Sent {
    is_proposal: bool,
    /// To be sent again if the connection turns out to be refused.
    request: Option<StoreRequest>,
}

/// The draws for pauses; the channel's number is added.
const RECONNECT: u16 = 200;
const BACKOFF: BackoffRules =
    BackoffRules { first: "kubernetes.etcdBackoffFirst", limit: "kubernetes.etcdBackoffLimit" };
const MIN_CONNECT: Rule = "kubernetes.etcdMinConnectTimeout";
/// How many health checks there are.
const CHECKS: usize = 2;

impl Line {
    /// True if the channel of this number is the line's.
    pub fn is(self, number: u8) -> bool {
        self.number() == usize::from(number)
    }

    fn number(self) -> usize {
        match self {
            Line::Kind(kind) => kind as usize,
            Line::Check(place) => Kind::ALL.len() + place,
            Line::Watch => Kind::ALL.len() + CHECKS,
        }
    }
}

impl Channels {
    /// Channels that are not connected.
    pub fn new(settings: ChannelSettings) -> Channels {
        let numbers = 0..=Line::Watch.number();
        let number = |number| u8::try_from(number).expect("a server has few channels");
        Channels(numbers.map(|place| Channel::new(number(place), settings)).collect())
    }

    /// The number of the channel that has this connection.
    pub fn on(&self, connection: ConnectionId) -> Option<u8> {
        let found = self.0.iter().find(|channel| channel.connection == Some(connection));
        found.map(|channel| channel.number)
    }

    /// The connection of a line, for tests.
    #[cfg(test)]
    pub fn connection(&self, line: Line) -> Option<ConnectionId> {
        self.0[line.number()].connection
    }

    /// All connections, for tests.
    #[cfg(test)]
    pub fn connections(&self) -> Vec<ConnectionId> {
        self.0.iter().filter_map(|channel| channel.connection).collect()
    }

    /// The connection of a line on which etcd has spoken.
    pub fn proven(&self, line: Line) -> Option<ConnectionId> {
        let channel = &self.0[line.number()];
        channel.connection.filter(|_| channel.proven)
    }

    /// Dials on every channel.
    pub fn connect_all(&mut self, ctx: &mut Ctx<Event>) {
        self.0.iter_mut().for_each(|channel| channel.connect(ctx));
    }

    /// Dials on one; what waits is sent.
    pub fn connect(&mut self, number: u8, ctx: &mut Ctx<Event>) {
        self.0[usize::from(number)].connect(ctx);
    }

    /// Sends a request, now or as soon as there is a connection.
    pub fn send(&mut self, line: Line, request: StoreRequest, ctx: &mut Ctx<Event>) {
        self.0[line.number()].send(request, ctx);
    }

    /// Etcd has spoken on a channel: its connection is a good one.
    pub fn heard(&mut self, number: u8) {
        self.0[usize::from(number)].heard();
    }

    /// A call on this channel is over; true if it was a proposal.
    pub fn done_on(&mut self, number: u8, id: u32) -> bool {
        self.0[usize::from(number)].done(id)
    }

    /// Nobody waits for a call any more.
    pub fn forget(&mut self, id: u32) {
        self.0.iter_mut().for_each(|channel| _ = channel.done(id));
    }

    /// True if a line has its connection, or dials.
    pub fn is_connected(&self, line: Line) -> bool {
        self.0[line.number()].connection.is_some()
    }

    /// True if no channel lacks its connection.
    pub fn are_connected(&self) -> bool {
        self.0.iter().all(|channel| channel.connection.is_some())
    }

    /// A connection is over. What nobody has heard waits for the next; the numbers of the calls
    /// that were under way, and whether each was a proposal.
    pub fn on_broken(&mut self, number: u8, how: Broken, ctx: &mut Ctx<Event>) -> Vec<(u32, bool)> {
        self.0[usize::from(number)].on_broken(how, ctx)
    }
}

impl Channel {
    fn new(number: u8, settings: ChannelSettings) -> Channel {
        Channel {
            number,
            settings,
            connection: None,
            proven: false,
            waiting: BTreeMap::new(),
            sent: BTreeMap::new(),
            pause: settings.backoff_first,
        }
    }

    fn connect(&mut self, ctx: &mut Ctx<Event>) {
        let connection = ctx.connect(Address::Here(self.settings.etcd));
        let limit = self.settings.min_connect_timeout.max(self.pause);
        ctx.await_handshake(connection, Handshake::Within(MIN_CONNECT, limit));
        self.connection = Some(connection);
        self.proven = false;
        for request in std::mem::take(&mut self.waiting).into_values() {
            self.send(request, ctx);
        }
    }

    fn send(&mut self, request: StoreRequest, ctx: &mut Ctx<Event>) {
        let Some(connection) = self.connection else {
            self.waiting.insert(request.id, request);
            return;
        };
        let kept = (!self.proven).then(|| request.clone());
        let sent = Sent { is_proposal: request.is_proposal(), request: kept };
        self.sent.insert(request.id, sent);
        ctx.send(connection, Message::Store(Box::new(request)));
    }

    fn heard(&mut self) {
        if !self.proven {
            self.proven = true;
            self.pause = self.settings.backoff_first;
        }
    }

    fn done(&mut self, id: u32) -> bool {
        self.waiting.remove(&id);
        self.sent.remove(&id).is_some_and(|sent| sent.is_proposal)
    }

    fn on_broken(&mut self, how: Broken, ctx: &mut Ctx<Event>) -> Vec<(u32, bool)> {
        self.connection = None;
        let sent = std::mem::take(&mut self.sent);
        if !matches!(how, Broken::Refused | Broken::Unanswered) {
            // The first new dial follows at once.
            ctx.after(BACKOFF.first, Duration::ZERO, Event::Reconnect(self.number));
            return sent.into_iter().map(|(id, sent)| (id, sent.is_proposal)).collect();
        }
        let unheard = sent.into_iter().filter_map(|(id, sent)| Some((id, sent.request?)));
        self.waiting.extend(unheard);
        let spread = self.pause.scaled(self.settings.jitter_percent, 100);
        let pause = self.pause.saturating_sub(spread)
            + below(spread * 2, ctx.draw(Purpose(RECONNECT + u16::from(self.number))));
        let ChannelSettings { backoff_first, backoff_limit, .. } = self.settings;
        let rule = BACKOFF.of(self.pause, backoff_first, backoff_limit);
        ctx.after(rule, pause, Event::Reconnect(self.number));
        let grown = self.pause.scaled(self.settings.backoff_growth_percent, 100);
        self.pause = grown.min(backoff_limit);
        Vec::new()
    }
}
