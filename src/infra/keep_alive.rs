//! How an end of a connection finds out that the other has fallen silent.
//!
//! There are two ways. A **program** sends a ping of its own (HTTP/2, gRPC): whoever is frozen does not
//! answer it, and like everything that is sent it waits behind what was lost before. Or the **kernel**
//! sends probes of which neither program knows: a frozen one does not matter, and a probe is never
//! repeated but followed by the next (`net/ipv4/tcp_timer.c`, `tcp_keepalive_timer`).
//!
//! Simplified: only what dials is watched over by its kernel, since it mostly listens. What the other end
//! writes is not acknowledged, and as long as something is not, a kernel sends no probes but
//! retransmits.

use super::{ConnectionId, Datacenter, Direction, End, Happening, Port, ProcessId};
use crate::engine::{Duration, Rule, SimTime};
use std::collections::BTreeMap;

/// When a silent connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    pub by: Asker,
    /// Without a sign of the other for this long, it is asked for one.
    pub idle: Duration,
    /// For how long an answer is waited for.
    pub answer: Duration,
    /// By which rules these two are waited for.
    pub rules: [Rule; 2],
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The program, once.
    Program,
    /// The kernel, so many times.
    Kernel { probes: u32 },
}

/// For how long a client that was accepted waits until the other program has answered its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// As long as Go's HTTP client does for that of TLS.
    Tls,
    Within(Rule, Duration),
}

/// The keep-alives of all connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepAlives {
    pub tls_handshake: (Rule, Duration),
    pub usual: KeepAlive,
    /// Of those that lead to these ports.
    pub to_port: BTreeMap<Port, KeepAlive>,
}

/// A kernel's probes in a row that had no answer, and when it had heard of the other end before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probing {
    pub heard: SimTime,
    pub unanswered: u32,
}

impl KeepAlive {
    /// A program's pings.
    pub const fn pings(idle: Duration, answer: Duration, rules: [Rule; 2]) -> KeepAlive {
        KeepAlive { by: Asker::Program, idle, answer, rules }
    }

    /// For how long a connection may be silent before it is given up, at most; nothing ends one that nobody asks on.
    pub fn silence(self) -> Duration {
        match self.by {
            Asker::Program => self.idle + self.answer,
            Asker::Kernel { probes } => self.idle + self.answer.scaled(u64::from(probes), 1),
        }
    }

    /// When an end that last heard of the other at `heard`, and whose questions have been answered
    /// since, asks next; never without an idle time.
    pub fn next_ping(self, heard: SimTime, now: SimTime) -> Option<SimTime> {
        if self.idle.is_zero() {
            return None;
        }
        let silent = now.since(heard);
        let rest = silent.modulo(self.idle);
        Some(if silent >= self.idle && rest.is_zero() { now } else { now + (self.idle - rest) })
    }

    /// True if an end of a connection asks at all.
    pub fn is_for(self, end: End) -> bool {
        self.by == Asker::Program || end == End::Client
    }
}

impl KeepAlives {
    /// The same for all connections.
    pub fn all(usual: KeepAlive) -> KeepAlives {
        KeepAlives { tls_handshake: ("", Duration::ZERO), usual, to_port: BTreeMap::new() }
    }

    /// Nobody ever asks.
    pub fn none() -> KeepAlives {
        KeepAlives::all(KeepAlive::pings(Duration::ZERO, Duration::ZERO, ["", ""]))
    }
}

impl Datacenter {
    /// How the ends of a connection find out that the other has fallen silent.
    pub fn keep_alive(&self, id: ConnectionId) -> KeepAlive {
        let port = self.network.port(id);
        let own = port.and_then(|port| self.keep_alives.to_port.get(&port));
        *own.unwrap_or(&self.keep_alives.usual)
    }

    /// When the living end of a connection that fell silent now asks whether the other lives. One that has
    /// been idle for long has asked before, and had its answers: it asks again in its old rhythm.
    pub fn asks_at(&self, id: ConnectionId, now: SimTime) -> SimTime {
        let heard = self.network.heard_at(id).unwrap_or(now);
        self.keep_alive(id).next_ping(heard, now).unwrap_or(now)
    }

    /// The host of the other end has lost its power: what its end notices of that.
    pub(super) fn fallen_silent(
        &self,
        id: ConnectionId,
        who: ProcessId,
        now: SimTime,
    ) -> Happening {
        let keep_alive = self.keep_alive(id);
        let asks = self.asks_at(id, now);
        let direction: Direction = (id, End::of(who, id));
        match keep_alive.by {
            Asker::Program => {
                let (at, rules) = (asks + keep_alive.answer, keep_alive.rules);
                Happening::ConnectionSilent { who, connection: id, asks, at, rules }
            }
            Asker::Kernel { .. } => Happening::Unheard(direction),
        }
    }
}
