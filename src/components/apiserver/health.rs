//! `/livez`, `/readyz` and `/healthz`: whether etcd answers a quorum read in time.
//!
//! Follows `k/k:staging/src/k8s.io/apiserver/pkg/storage/storagebackend/factory/etcd3.go`: each of
//! two checks asks etcd at most once in half its time-out, and tells whoever comes in between what
//! it found last. A server that is still starting says 500, and one that has been told to end is not ready.
//!
//! Simplified: the start-up's own checks (informers, post-start hooks) are one.

use super::channel::Line;
use super::reflector::Own;
use super::{Apiserver, Event};
use crate::engine::{Duration, SimTime, Text};
use crate::infra::{ConnectionId, Ctx, Start};
use crate::wire::{Message, StoreError};

/// Both checks: `etcd`, in all three endpoints, and `etcd-readiness`, in `/readyz` only.
#[derive(Clone, Debug)]
pub struct Health([Check; 2]);

/// What the checks are called in an answer.
const NAMES: [&str; 2] = ["etcd", "etcd-readiness"];

/// One check.
#[derive(Clone, Copy, Debug)]
struct Check {
    /// What it found last.
    well: bool,
    asked: Option<SimTime>,
}

/// Somebody who asks how the server is.
#[derive(Clone, Debug)]
pub struct Caller {
    client: ConnectionId,
    id: u32,
    /// The check that is running, and the last one.
    at: usize,
    last: usize,
    /// Which checks have failed, as the answer says.
    failed: String,
}

impl Caller {
    /// The check that is running.
    pub fn check(&self) -> usize {
        self.at
    }

    fn note_failed(&mut self, name: &str) {
        let line = if self.failed.is_empty() { "" } else { "\n" };
        self.failed.push_str(&format!("{line}[-]{name} failed: reason withheld"));
    }
}

/// The checks that a health endpoint would make of etcd now, if they succeeded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Foreseen {
    /// When each would be asked.
    asked: [Option<SimTime>; 2],
}

impl Health {
    /// Checks that have found nothing yet, or everything well for long.
    pub fn new(start: Start) -> Health {
        Health([Check { well: start == Start::Steady, asked: None }; 2])
    }
}

/// The place of the last check that an endpoint makes.
fn last_check(path: &str) -> usize {
    usize::from(path == "/readyz")
}

/// Health checks that nothing can disturb.
impl Apiserver {
    /// When a server that is well would answer a health check that comes at a time. `read` tells when
    /// etcd's answer to a read on a connection would be here, if that is known.
    pub fn foresee_check(
        &self,
        path: &str,
        came: SimTime,
        mut read: impl FnMut(ConnectionId, SimTime) -> Option<SimTime>,
    ) -> Option<(SimTime, Foreseen)> {
        let is_well = self.is_up && !self.terminating && self.health.0.iter().all(|it| it.well);
        if !is_well || path == "/version" {
            return None;
        }
        let (mut at, mut foreseen) = (came, Foreseen::default());
        for place in 0..=last_check(path) {
            if !self.health.0[place].is_recent(at, self.settings.health_timeout) {
                foreseen.asked[place] = Some(at);
                let asked = at;
                at = read(self.channels.proven(Line::Check(place))?, asked)?;
                if at.since(asked) >= self.settings.health_timeout {
                    return None;
                }
            }
        }
        Some((at, foreseen))
    }

    /// True for the end of a wait for something that has been answered.
    pub fn is_void(&self, event: &Event) -> bool {
        let (Event::CheckOver(id) | Event::RemovalOver(id)) = event else { return false };
        !self.own.contains_key(id)
    }

    /// A health check was not played that has gone as foreseen.
    pub fn pass_check(&mut self, foreseen: Foreseen) {
        for (check, asked) in self.health.0.iter_mut().zip(foreseen.asked) {
            if asked.is_some() {
                check.asked = asked;
                self.next = self.next.wrapping_add(1);
            }
        }
    }
}

impl Check {
    /// True if etcd was asked so short a time ago that it is not asked again.
    fn is_recent(&self, now: SimTime, timeout: Duration) -> bool {
        self.asked.is_some_and(|asked| now.since(asked) < timeout.scaled(1, 2))
    }
}

impl Apiserver {
    /// Somebody asks how the server is.
    pub(super) fn check_health(
        &mut self,
        client: ConnectionId,
        (id, path): (u32, &'static str),
        ctx: &mut Ctx<Event>,
    ) {
        // Anybody who is there at all can say which version he is.
        if path == "/version" {
            return ctx.send(client, Message::Health(id, 200, Text::EMPTY));
        }
        // A probe dials, and its port is closed.
        if self.draining {
            return ctx.close(client);
        }
        if !self.is_up {
            let failed =
                Text::word("[-]poststarthook/rbac/bootstrap-roles failed: reason withheld");
            return ctx.send(client, Message::Health(id, 500, failed));
        }
        let (at, last, failed) = (0, last_check(path), String::new());
        self.run_check(Caller { client, id, at, last, failed }, ctx);
    }

    fn run_check(&mut self, caller: Caller, ctx: &mut Ctx<Event>) {
        let (now, timeout) = (ctx.now(), self.settings.health_timeout);
        let check = &mut self.health.0[caller.at];
        if check.is_recent(now, timeout) {
            let well = check.well;
            return self.judged(caller, well, ctx);
        }
        check.asked = Some(now);
        let id = self.ask_own(Own::Check(caller), ctx);
        ctx.after("kubernetes.etcdHealthcheckTimeout", timeout, Event::CheckOver(id));
    }

    /// Etcd has answered a check, or its time is over.
    pub(super) fn check_ended(&mut self, id: u32, well: bool, ctx: &mut Ctx<Event>) {
        self.channels.forget(id);
        if let Some(Own::Check(caller)) = self.own.remove(&id) {
            self.health.0[caller.at].well = well;
            self.judged(caller, well, ctx);
        }
    }

    /// Etcd has failed a check: it is made again within its time, or over.
    pub(super) fn check_failed(&mut self, id: u32, error: &StoreError, ctx: &mut Ctx<Event>) {
        match self.repeats(false, error) {
            true => {
                ctx.after(
                    "kubernetes.etcdRetryPause",
                    self.settings.retry.pause,
                    Event::AskAgain(id),
                );
            }
            false => self.check_ended(id, false, ctx),
        }
    }

    fn judged(&mut self, mut caller: Caller, well: bool, ctx: &mut Ctx<Event>) {
        if !well {
            caller.note_failed(NAMES[caller.at]);
        }
        if caller.at < caller.last {
            caller.at += 1;
            return self.run_check(caller, ctx);
        }
        if self.terminating && caller.last > 0 {
            caller.note_failed("shutdown");
        }
        let status = if caller.failed.is_empty() { 200 } else { 500 };
        ctx.send(caller.client, Message::Health(caller.id, status, Text::from(caller.failed)));
    }
}
