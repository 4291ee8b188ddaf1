//! The gRPC channel to etcd: requests wait until it is connected, and it reconnects with a growing
//! pause.
//!
//! It knows messages only by their numbers. Follows `grpc-go` as etcd's client sets it up: every
//! call waits for a connection (`WaitForReady`), so a member that refuses is waited for until the
//! caller's own deadline; a call that was under way when the connection broke fails.
//!
//! Simplified: one channel for everything. The real server has one for each kind of resource and
//! one for each health check, and each keeps its own pause.

use super::Event;
use crate::engine::{Duration, Purpose, below};
use crate::infra::{Address, Broken, ConnectionId, Ctx, Port};
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
}

/// One channel.
#[derive(Clone, Debug)]
pub struct Channel {
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

/// The draws for pauses.
const RECONNECT: Purpose = Purpose(1);

impl Channel {
    /// A channel that is not connected.
    pub fn new(settings: ChannelSettings) -> Channel {
        Channel {
            settings,
            connection: None,
            proven: false,
            waiting: BTreeMap::new(),
            sent: BTreeMap::new(),
            pause: settings.backoff_first,
        }
    }

    /// True if this is the channel's connection.
    pub fn is_on(&self, connection: ConnectionId) -> bool {
        self.connection == Some(connection)
    }

    /// The connection, for tests.
    #[cfg(test)]
    pub fn connection(&self) -> Option<ConnectionId> {
        self.connection
    }

    /// Dials; what waits is sent.
    pub fn connect(&mut self, ctx: &mut Ctx<Event>) {
        self.connection = Some(ctx.connect(Address::Here(self.settings.etcd)));
        self.proven = false;
        for request in std::mem::take(&mut self.waiting).into_values() {
            self.send(request, ctx);
        }
    }

    /// Sends a request, now or as soon as there is a connection.
    pub fn send(&mut self, request: StoreRequest, ctx: &mut Ctx<Event>) {
        let Some(connection) = self.connection else {
            self.waiting.insert(request.id, request);
            return;
        };
        let kept = (!self.proven).then(|| request.clone());
        let sent = Sent { is_proposal: request.is_proposal(), request: kept };
        self.sent.insert(request.id, sent);
        ctx.send(connection, Message::Store(Box::new(request)));
    }

    /// Etcd has spoken: the connection is a good one.
    pub fn heard(&mut self) {
        if !self.proven {
            self.proven = true;
            self.pause = self.settings.backoff_first;
        }
    }

    /// A call is over; true if it was a proposal.
    pub fn done(&mut self, id: u32) -> bool {
        self.waiting.remove(&id);
        self.sent.remove(&id).is_some_and(|sent| sent.is_proposal)
    }

    /// True if there is a connection on which etcd has answered.
    pub fn is_ready(&self) -> bool {
        self.connection.is_some() && self.proven
    }

    /// The connection is over. What nobody has heard waits for the next; the numbers of the calls
    /// that were under way, and whether each was a proposal.
    pub fn on_broken(&mut self, how: Broken, ctx: &mut Ctx<Event>) -> Vec<(u32, bool)> {
        self.connection = None;
        let sent = std::mem::take(&mut self.sent);
        if how != Broken::Refused {
            // The first new dial follows at once.
            ctx.after(Duration::ZERO, Event::Reconnect);
            return sent.into_iter().map(|(id, sent)| (id, sent.is_proposal)).collect();
        }
        let unheard = sent.into_iter().filter_map(|(id, sent)| Some((id, sent.request?)));
        self.waiting.extend(unheard);
        let spread = self.pause.scaled(self.settings.jitter_percent, 100);
        let pause = self.pause.saturating_sub(spread) + below(spread * 2, ctx.draw(RECONNECT));
        ctx.after(pause, Event::Reconnect);
        let grown = self.pause.scaled(self.settings.backoff_growth_percent, 100);
        self.pause = grown.min(self.settings.backoff_limit);
        Vec::new()
    }
}
