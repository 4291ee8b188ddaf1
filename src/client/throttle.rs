//! The limit on the client's own side: a request without a token is sent as soon as it has one.
//!
//! Each controller of a process asks with a clientset of its own, and each clientset has one bucket, which its
//! Events draw from too. The time-out counts from the sending; what is sent again takes another token.
//! Follows `client-go:rest/request.go` (`tryThrottle`, before the time-out is set),
//! `rest/with_retry.go` (`Before`) and `kubernetes/clientset.go` (`NewForConfigAndClient`, one limiter for all groups).
//!
//! ```text
//! asked ── a token is there ─> sent
//!    ├ none ─> has reserved the next ─> sent
//!    └ behind another of its line that waits ─> reserves when that one is sent
//! ```
//! While there are tokens nothing of this shows: no timer, no event, no draw.
//!
//! Simplified: who goes after another does so when that one is sent, where the real loops await its answer; who is
//! sent again after a refusal has left its line; lines
//! of Events have no end, where the real queue drops what comes after a thousand.

use super::api::{Alarm, Api, Pending, Ring};
use super::limiter::TokenBucket;
use crate::engine::{Duration, Rule, SimTime, Text};
use crate::infra::Ctx;
use std::collections::{BTreeMap, VecDeque};

/// How fast the agents of a client ask.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub rule: Rule,
    /// Between two requests of a clientset.
    pub interval: Duration,
    /// How many may go at once.
    pub burst: u64,
    /// With which clientset an agent asks; nothing if there is no limit for it.
    pub clientset: fn(&'static str) -> Option<Clientset>,
}

/// What has a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clientset {
    pub name: &'static str,
    /// How many times as fast as usual.
    pub times: u64,
}

/// How a request comes to its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Whoever asks in a line asks one after the other; nothing if nobody is waited for.
    line: Option<Text>,
    /// How many tokens it still has to take, one after the other.
    tokens: u8,
}

/// The line of all Events of a clientset: one goroutine sends them. No object has this name.
pub(super) const EVENTS: Text = Text::word("/events");

impl Turn {
    /// Beside all others.
    pub const FREE: Turn = Turn { line: None, tokens: 1 };

    /// After all those of this name.
    pub const fn after_others(name: Text) -> Turn {
        Turn { line: Some(name), tokens: 1 }
    }

    /// The same, after a read that is not played: it takes a token, too.
    pub fn with_read(self) -> Turn {
        Turn { tokens: self.tokens + 1, ..self }
    }
}

/// The limits of a client's agents, and who waits because of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Throttle {
    pub pace: Option<Pace>,
    buckets: BTreeMap<&'static str, TokenBucket>,
    /// Lines whose first has reserved a token; the others, by their numbers.
    lines: BTreeMap<Line, VecDeque<u32>>,
}

/// A line of a clientset.
type Line = (&'static str, Text);

impl Throttle {
    fn clientset(&self, agent: &'static str) -> Option<Clientset> {
        (self.pace?.clientset)(agent)
    }

    fn line_of<T>(&self, pending: &Pending<T>) -> Option<Line> {
        Some((self.clientset(pending.asked.agent)?.name, pending.turn.line.clone()?))
    }

    /// Takes a token, and says how long it is until it is there.
    fn reserve(&mut self, agent: &'static str, now: SimTime) -> Option<(Rule, Duration)> {
        let (pace, Clientset { name, times }) = (self.pace?, self.clientset(agent)?);
        let full = || TokenBucket::new(pace.interval.scaled(1, times.max(1)), pace.burst);
        let wait = self.buckets.entry(name).or_insert_with(full).reserve(now);
        (!wait.is_zero()).then_some((pace.rule, wait))
    }

    /// Nobody waits any more.
    pub fn forget_lines(&mut self) {
        self.lines.clear();
    }
}

impl<T: Clone> Api<T> {
    /// The same, with limits for its agents.
    pub fn paced(mut self, pace: Pace) -> Api<T> {
        self.throttle.pace = Some(pace);
        self
    }

    /// Sends a request when its turn comes.
    pub(super) fn send_paced<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, pending: Pending<T>) {
        let line = self.throttle.line_of(&pending);
        if line.as_ref().is_none_or(|line| !self.throttle.lines.contains_key(line)) {
            self.take_tokens(ctx, pending);
            return;
        }
        let id = self.hold(pending);
        if let Some(waiting) = line.and_then(|line| self.throttle.lines.get_mut(&line)) {
            waiting.push_back(id);
        }
    }

    /// The token of a request is there, or the pause before it is sent again is over.
    pub(super) fn go_on<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, pending: Pending<T>) {
        let line = self.throttle.line_of(&pending);
        if self.take_tokens(ctx, pending)
            && let Some(line) = line
        {
            self.next_in_line(ctx, &line);
        }
    }

    /// True if a request of the agent's clientset waits for its turn.
    pub fn holds_back(&self, agent: &'static str) -> bool {
        let of = |agent| self.throttle.clientset(agent).map(|clientset| clientset.name);
        let is_held = |p: &Pending<T>| p.is_held && of(p.asked.agent) == of(agent);
        self.pending.values().any(is_held)
    }

    /// Sends a request if it has all its tokens; true then. Else it waits for the next.
    fn take_tokens<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, mut pending: Pending<T>) -> bool {
        while pending.turn.tokens > 0 {
            pending.turn.tokens -= 1;
            let Some((rule, wait)) = self.throttle.reserve(pending.asked.agent, ctx.now()) else {
                continue;
            };
            let line = self.throttle.line_of(&pending);
            let ring = Ring::Again(self.hold(pending));
            if let Some(line) = line {
                self.throttle.lines.entry(line).or_default();
            }
            ctx.after(rule, wait, E::from(Alarm { client: self.number, ring }));
            return false;
        }
        self.transmit(ctx, pending);
        true
    }

    fn next_in_line<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, line: &Line) {
        while let Some(waiting) = self.throttle.lines.get_mut(line) {
            let Some(id) = waiting.pop_front() else {
                self.throttle.lines.remove(line);
                return;
            };
            let Some(pending) = self.pending.remove(&id) else { continue };
            let before = ctx.cause();
            ctx.turn_of(pending.cause, self.throttle.pace.map(|pace| pace.rule));
            let is_sent = self.take_tokens(ctx, pending);
            ctx.back_to(before);
            if !is_sent {
                return;
            }
        }
    }

    /// Keeps a request until its turn comes; its number.
    fn hold(&mut self, mut pending: Pending<T>) -> u32 {
        pending.is_held = true;
        self.next += 1;
        self.pending.insert(self.next, pending);
        self.next
    }
}
