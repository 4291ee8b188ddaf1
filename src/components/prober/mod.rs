//! Users who try whether things work, from outside and over and over: one asks an app through its
//! ingress, one deploys something and waits until it is ready.
//!
//! They know what they asked and what came back, nothing of the cluster. What a user finds is a
//! status; only its changes are told.

pub mod api;
pub mod app;
pub mod deploy;
#[cfg(test)]
mod tests;

use crate::engine::{Duration, SimTime, Text};
use crate::infra::{Ctx, ProbeReport, Trace};

/// How things stand for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Every try of late has succeeded.
    Ok,
    /// Some try of late has failed, and some have succeeded.
    Degraded,
    /// None has succeeded for a while.
    Down,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Nothing if it succeeded, else in which way it failed.
    pub failure: Option<&'static str>,
    pub message: Text,
    pub took: Duration,
}

/// What a user remembers of his tries.
#[derive(Clone, Debug)]
pub struct Standing {
    status: Status,
    last_success: SimTime,
    last_failure: Option<SimTime>,
    last: Outcome,
    /// Without a success for so long things are down.
    outage: Duration,
    /// Without a failure for so long things are well again.
    calm: Duration,
}

impl Status {
    /// As it stands in a timeline.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Degraded => "degraded",
            Status::Down => "down",
        }
    }
}

impl Outcome {
    /// A try that succeeded.
    pub fn success(took: Duration) -> Outcome {
        Outcome { failure: None, message: Text::EMPTY, took }
    }

    /// A try that failed in this way.
    pub fn failure(how: &'static str, message: impl Into<Text>, took: Duration) -> Outcome {
        Outcome { failure: Some(how), message: message.into(), took }
    }
}

impl Standing {
    /// Everything has been well for long.
    pub fn new(outage: Duration, calm: Duration) -> Standing {
        Standing {
            status: Status::Ok,
            last_success: SimTime::ZERO,
            last_failure: None,
            last: Outcome::success(Duration::ZERO),
            outage,
            calm,
        }
    }

    /// No try of late has failed.
    pub fn is_well(&self) -> bool {
        self.status == Status::Ok
    }

    /// Takes a try into account. Returns after how long to look again, if nothing else happens.
    pub fn note<E>(
        &mut self,
        probe: &Text,
        outcome: Outcome,
        ctx: &mut Ctx<E>,
    ) -> Option<Duration> {
        let now = ctx.now();
        let succeeded = outcome.failure.is_none();
        match succeeded {
            true => self.last_success = now,
            false => self.last_failure = Some(now),
        }
        self.last = outcome;
        self.look(probe, ctx);
        let until = match (self.status, succeeded) {
            (Status::Ok | Status::Down, _) => None,
            (Status::Degraded, false) => Some(self.last_success + self.outage),
            (Status::Degraded, true) => self.last_failure.map(|failed| failed + self.calm),
        };
        until.map(|until| until.since(now))
    }

    /// Tells if the status has become another.
    pub fn look<E>(&mut self, probe: &Text, ctx: &mut Ctx<E>) {
        let now = ctx.now();
        let failed_lately = self.last_failure.is_some_and(|failed| now < failed + self.calm);
        let failing = self.last_failure.is_some_and(|failed| failed > self.last_success);
        let status = match () {
            () if failing && self.last_success + self.outage <= now => Status::Down,
            () if failed_lately => Status::Degraded,
            () => Status::Ok,
        };
        let from = std::mem::replace(&mut self.status, status);
        if from != status {
            ctx.trace(Trace::Probe(Box::new(ProbeReport {
                probe: probe.clone(),
                field: "status",
                from: Text::word(from.name()),
                to: Text::word(status.name()),
                reason: Text::word(self.last.failure.unwrap_or_default()),
                message: self.last.message.clone(),
                took: self.last.took,
            })));
        }
    }
}
