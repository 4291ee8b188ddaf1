//! A load balancer before the API servers: it checks its backends, and leads new connections to those
//! that are up.
//!
//! Knows a backend by the name of its VM and by what a check says, nothing of who else uses it.
//! Which of the backends a new connection goes to is drawn by the network; an open connection stays
//! with its backend, whatever the checks say, unless the balancer shuts it. Follows haproxy
//! (server.c, check.c: health counters, a check's time-outs, `on-marked-down`).
//!
//! Simplified: all backends are checked at one time, where haproxy spreads them over an interval; a
//! connection does not pass through the balancer's VM.

#[cfg(test)]
mod tests;

use crate::engine::{Activity, Duration, Path, Phase, Rhythm, Text};
use crate::infra::{
    ActivityId, BackendsChange, Broken, ConnectionId, Ctx, EndpointId, Fallback, Input, Port,
    Start, Trace,
};
use crate::wire::Message;
use std::collections::BTreeMap;

/// Whose balancer it is, and of what.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The endpoint's name in the timeline: the cluster whose API it is for.
    pub name: Text,
    pub endpoint: EndpointId,
    /// The names of the backends' VMs, in which `*` stands for anything.
    pub pool: Text,
    pub port: Port,
    pub rules: Rules,
}

/// How it checks, and what it does about the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub check: Check,
    /// From one check of a backend to the next; one that lasts longer delays it to the next beat.
    pub interval: Duration,
    /// Without a connection for so long a check has failed.
    pub connect_timeout: Duration,
    /// Without an answer for so long after it was connected a check has failed.
    pub answer_timeout: Duration,
    /// After so many failed checks in a row a backend is down.
    pub fall: u32,
    /// After so many good checks in a row a backend is up.
    pub rise: u32,
    pub marked_down: MarkedDown,
    pub fallback: Fallback,
}

/// What a check asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Whether somebody listens.
    Connect,
    /// For status 200 at this path.
    Get(&'static str),
}

/// What becomes of the open connections to a backend that goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkedDown {
    Keep,
    /// They are reset (`on-marked-down shutdown-sessions`).
    Shut,
}

/// Its own timers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The check on this connection has not got this far in its time.
    Overdue(ConnectionId, Stage),
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Connecting,
    Waiting,
}

/// A load balancer.
#[derive(Clone, Debug)]
pub struct LoadBalancer {
    settings: Settings,
    backends: BTreeMap<Text, Backend>,
    checks: BTreeMap<ConnectionId, OpenCheck>,
}

#[derive(Clone, Copy, Debug)]
struct Backend {
    is_up: bool,
    /// How many checks in a row have said otherwise.
    against: u32,
}

#[derive(Clone, Debug)]
struct OpenCheck {
    backend: Text,
    stage: Stage,
}

/// The beat of the checks.
const ROUND: ActivityId = ActivityId(0);

impl LoadBalancer {
    /// A balancer that has not checked anything.
    pub fn new(settings: Settings) -> LoadBalancer {
        LoadBalancer { settings, backends: BTreeMap::new(), checks: BTreeMap::new() }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Started(start) => self.start(start, ctx),
            Input::Tick(_) => self.round(ctx),
            Input::Message(from, Message::Handshake) => self.connected(from, ctx),
            Input::Message(from, Message::Health(_, 200, _)) => self.judge(from, "", ctx),
            Input::Message(from, Message::Health(_, status, _)) => {
                self.judge(from, &format!("Layer7 wrong status, code: {status}"), ctx);
            }
            Input::Broken(connection, how) => {
                let why = match how {
                    Broken::Refused => "Layer4 connection problem, info: \"Connection refused\"",
                    Broken::Closed | Broken::Reset => {
                        "Layer7 invalid response, info: \"Connection reset by peer\""
                    }
                    Broken::Lost | Broken::Unanswered => "Layer4 timeout",
                };
                self.judge(connection, why, ctx);
            }
            Input::Due(Event::Overdue(check, stage)) => self.overdue(check, stage, ctx),
            _ => {}
        }
    }

    /// What has been there from the start counts as up.
    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        self.checks.clear();
        let against = match start {
            Start::Steady => 0,
            // A server of which nothing is known is up until its first check fails.
            Start::Fresh => self.settings.rules.fall.saturating_sub(1),
        };
        let pool = self.pool(ctx);
        self.backends =
            pool.into_iter().map(|name| (name, Backend { is_up: true, against })).collect();
        self.steer(ctx);
        let rhythm = Activity {
            rule: "loadBalancer.checkInterval",
            period: self.settings.rules.interval,
            jitter_percent: 0,
            rhythm: Rhythm::Ticker,
            path: Path::Server,
        };
        let phase = if start == Start::Steady { Phase::Stationary } else { Phase::Now };
        ctx.every(ROUND, rhythm, phase);
    }

    /// Checks each backend whose last check is over. A VM that has joined the pool is down until its
    /// checks say otherwise; one that is gone is forgotten once it is down.
    fn round(&mut self, ctx: &mut Ctx<Event>) {
        let pool = self.pool(ctx);
        self.backends.retain(|name, backend| backend.is_up || pool.contains(name));
        for name in pool {
            self.backends.entry(name).or_insert(Backend { is_up: false, against: 0 });
        }
        let busy = |name: &Text, checks: &BTreeMap<ConnectionId, OpenCheck>| {
            checks.values().any(|check| check.backend == *name)
        };
        let due: Vec<Text> =
            self.backends.keys().filter(|name| !busy(name, &self.checks)).cloned().collect();
        for backend in due {
            let Rules { check, connect_timeout, .. } = self.settings.rules;
            let connection = ctx.connect_to_vm(backend.clone(), self.settings.port);
            ctx.send(connection, Message::Handshake);
            if let Check::Get(path) = check {
                ctx.send(connection, Message::HealthCheck(0, path));
            }
            let stage = Stage::Connecting;
            self.checks.insert(connection, OpenCheck { backend, stage });
            let event = Event::Overdue(connection, stage);
            ctx.after("loadBalancer.checkConnectTimeout", connect_timeout, event);
        }
    }

    fn connected(&mut self, connection: ConnectionId, ctx: &mut Ctx<Event>) {
        let Rules { check, answer_timeout, .. } = self.settings.rules;
        let Some(open) = self.checks.get_mut(&connection) else { return };
        match check {
            Check::Connect => self.judge(connection, "", ctx),
            Check::Get(_) => {
                open.stage = Stage::Waiting;
                let event = Event::Overdue(connection, Stage::Waiting);
                ctx.after("loadBalancer.checkAnswerTimeout", answer_timeout, event);
            }
        }
    }

    fn overdue(&mut self, check: ConnectionId, stage: Stage, ctx: &mut Ctx<Event>) {
        let is_there = self.checks.get(&check).is_some_and(|open| open.stage == stage);
        match stage {
            _ if !is_there => {}
            Stage::Connecting => self.judge(check, "Layer4 timeout", ctx),
            Stage::Waiting => self.judge(check, "Layer7 timeout", ctx),
        }
    }

    /// A check is over: well, or for this reason not.
    fn judge(&mut self, connection: ConnectionId, why_not: &str, ctx: &mut Ctx<Event>) {
        let Some(check) = self.checks.remove(&connection) else { return };
        ctx.close(connection);
        let rules = self.settings.rules;
        let Some(backend) = self.backends.get_mut(&check.backend) else { return };
        if why_not.is_empty() == backend.is_up {
            backend.against = 0;
            return;
        }
        backend.against += 1;
        if backend.against < if backend.is_up { rules.fall } else { rules.rise } {
            return;
        }
        let before = self.up();
        let backend = self.backends.get_mut(&check.backend).expect("found just above");
        *backend = Backend { is_up: !backend.is_up, against: 0 };
        let is_up = backend.is_up;
        let (name, why) = (&check.backend, if is_up { "check passed" } else { why_not });
        ctx.trace(Trace::Backends(Box::new(BackendsChange {
            endpoint: self.settings.name.clone(),
            from: before,
            to: self.up(),
            why: Text::from(format!("{name} is {}: {why}", if is_up { "UP" } else { "DOWN" })),
        })));
        self.steer(ctx);
        if !is_up && rules.marked_down == MarkedDown::Shut {
            ctx.shut_sessions(self.settings.endpoint, check.backend);
        }
    }

    /// Tells the network where new connections go.
    fn steer(&self, ctx: &mut Ctx<Event>) {
        let Settings { endpoint, port, rules, .. } = &self.settings;
        let up = self.backends.iter().filter(|(_, backend)| backend.is_up);
        let up = up.map(|(name, _)| (name.clone(), *port)).collect();
        ctx.steer(*endpoint, up, rules.fallback);
    }

    /// The backends that are up, by name.
    fn up(&self) -> Vec<Text> {
        let up = self.backends.iter().filter(|(_, backend)| backend.is_up);
        up.map(|(name, _)| name.clone()).collect()
    }

    /// The VMs that are its backends now.
    fn pool(&self, ctx: &Ctx<Event>) -> Vec<Text> {
        let inventory = ctx.inventory().expect("a load balancer is an appliance");
        inventory.names_like(&self.settings.pool)
    }
}
