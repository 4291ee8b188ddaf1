//! What a client does that an API server sends away (GOAWAY): it asks on a new connection, and keeps what is
//! open on the old one until that ends.
//!
//! ```text
//!             ┌─ taken by the server ──> stays, answered or watched on the old connection ── all over ─> closed
//! GOAWAY(n) ──┤
//!             └─ later than n ─────────> asked again at once on a new one; nobody is told
//! ```
//! This is the one place for whoever asks through an `Api`: kubelets, informers, elections and kubectl. The user who
//! tries the API (`components/prober`) has connections of his own, and the same rule.
//!
//! Follows `golang/net:http2/transport.go`: `setGoAway` ends streams above the last one that the server has
//! taken with `errClientConnGotGoAway`, which `shouldRetryRequest` lets `RoundTripOpt` ask again, writes too:
//! no server has seen them. `forgetStreamID` closes a connection with its last stream once it got a GOAWAY.
//!
//! Simplified: it is asked again at once however often, where the real transport pauses from the second time
//! on and gives up after the seventh; a server that drains takes no new connection, so there is no second.

use super::api::{Alarm, Api};
use crate::infra::{ConnectionId, Ctx};

/// A client's connections to its server.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    /// On which it asks.
    current: Option<ConnectionId>,
    /// The server has spoken on that one, or had on the last.
    proven: bool,
    /// From which it has been sent away, and on which something is still open.
    left: Vec<ConnectionId>,
}

impl Connections {
    pub fn current(&self) -> Option<ConnectionId> {
        self.current
    }

    /// True if the server has spoken on the connection on which the client asks.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    pub fn opened(&mut self, connection: ConnectionId) {
        (self.current, self.proven) = (Some(connection), false);
    }

    /// The server has spoken; true for the first time on a new connection.
    pub fn heard(&mut self, from: ConnectionId) -> bool {
        self.current == Some(from) && !std::mem::replace(&mut self.proven, true)
    }

    pub fn has(&self, connection: ConnectionId) -> bool {
        self.current == Some(connection) || self.is_left(connection)
    }

    pub fn is_left(&self, connection: ConnectionId) -> bool {
        self.left.contains(&connection)
    }

    /// A connection is over.
    pub fn remove(&mut self, connection: ConnectionId) {
        self.current.take_if(|current| *current == connection);
        self.left.retain(|left| *left != connection);
    }

    /// Nothing more is asked on a connection.
    fn leave(&mut self, connection: ConnectionId) {
        if self.current.take_if(|current| *current == connection).is_some() {
            self.left.push(connection);
        }
    }

    pub fn close_all<E>(&mut self, ctx: &mut Ctx<E>) {
        let all = self.current.take().into_iter().chain(self.left.drain(..));
        all.for_each(|connection| ctx.close(connection));
    }
}

impl<T: Clone> Api<T> {
    /// The server takes no requests after that of number `last` on a connection.
    pub(super) fn go_away<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        from: ConnectionId,
        last: u32,
    ) {
        self.connections.leave(from);
        let later = self.pending.range(last.saturating_add(1)..);
        let untaken = later.filter(|(_, pending)| pending.on == Some(from));
        let untaken: Vec<u32> = untaken.map(|(id, _)| *id).collect();
        let told = ctx.cause();
        for id in untaken {
            let Some(pending) = self.pending.remove(&id) else { continue };
            ctx.because(pending.cause);
            self.transmit(ctx, pending);
        }
        ctx.because(told);
    }

    /// Closes the connections that the client has been sent away from and on which nothing is open any more.
    pub(super) fn close_done<E>(&mut self, ctx: &mut Ctx<E>) {
        let Api { connections, pending, watches, .. } = self;
        connections.left.retain(|left| {
            let is_open = pending.values().any(|pending| pending.on == Some(*left))
                || watches.values().any(|watch| watch.on == *left);
            if !is_open {
                ctx.close(*left);
            }
            is_open
        });
    }
}
