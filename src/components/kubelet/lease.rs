//! The Lease loop: the heartbeat by which a Node is judged.
//!
//! A failed renewal is repeated at once, up to five times; then the Lease is looked up with growing
//! pauses until that works. So an API server that comes back is noticed within seconds, not within
//! a period.

use super::{AGENT, Beat, Event, Kubelet, LEASE, Start};
use crate::api::kinds::Lease;
use crate::api::{Answer, Answered, ApiError, Kind, Meta, Object, ObjectKey, Reason, Verb};
use crate::client::{Backoff, BackoffRules, Token, USUAL};
use crate::engine::{Duration, Text};
use crate::infra::Ctx;
use std::sync::Arc;

/// What the loop has in its memory.
#[derive(Clone, Debug)]
pub struct LeaseLoop {
    /// The Lease as it was written last.
    latest: Option<Arc<Object>>,
    /// Renewals tried in a row.
    tries: u32,
    backoff: Backoff,
    /// True while the loop is inside its look-up.
    ensuring: bool,
}

/// What the loop asked the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Renewal,
    /// The Lease as it is, after a conflict.
    Refresh,
    /// The Lease, because renewing failed or there is none in memory.
    LookUp,
    /// The Node, which is to own a new Lease.
    Owner,
    Creation,
}

/// The namespace of all Nodes' Leases.
const NAMESPACE: Text = Text::word("kube-node-lease");

const BACKOFF: BackoffRules = BackoffRules {
    first: "kubernetes.nodeLeaseBackoffFirst",
    limit: "kubernetes.nodeLeaseBackoffLimit",
};

impl Default for LeaseLoop {
    fn default() -> LeaseLoop {
        let backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        LeaseLoop { latest: None, tries: 0, backoff, ensuring: false }
    }
}

impl Kubelet {
    /// For how long it asks for nothing more of its Lease once that is renewed.
    pub fn pause_after_renewal(&self) -> Duration {
        self.settings.lease_renewal
    }

    pub(super) fn start_lease(&mut self, _start: Start, _ctx: &mut Ctx<Event>) {
        let first = self.settings.lease_backoff_first;
        self.lease.backoff = Backoff::new(first, self.settings.lease_backoff_limit);
    }

    /// A tick: renews the Lease in memory, or looks it up first.
    pub(super) fn renew_lease(&mut self, ctx: &mut Ctx<Event>) {
        self.lease.tries = 0;
        match self.lease.latest {
            Some(_) => self.put_lease(ctx),
            None => self.ensure_lease(ctx),
        }
    }

    fn put_lease(&mut self, ctx: &mut Ctx<Event>) {
        let Some(latest) = &self.lease.latest else { return };
        let mut renewed = Object::clone(latest);
        if let Some(lease) = renewed.lease_mut() {
            lease.renewed = ctx.wall_clock();
        }
        self.lease.tries += 1;
        self.ask_lease(Verb::Update(Arc::new(renewed)), Asked::Renewal, ctx);
    }

    pub(super) fn ensure_lease(&mut self, ctx: &mut Ctx<Event>) {
        self.lease.ensuring = true;
        self.ask_lease(Verb::Get(self.lease_key()), Asked::LookUp, ctx);
    }

    pub(super) fn lease_answered(
        &mut self,
        asked: Asked,
        answered: Answered,
        ctx: &mut Ctx<Event>,
    ) {
        match (asked, answered) {
            (Asked::Renewal, Ok(Answer::Object(lease))) => {
                self.lease.latest = Some(lease);
                self.end_lease_pass(ctx);
            }
            (Asked::Renewal, Err(error)) => self.renewal_failed(&error, ctx),
            (Asked::Refresh, Ok(Answer::Object(lease))) => {
                self.lease.latest = Some(lease);
                self.put_lease(ctx);
            }
            (Asked::LookUp, Ok(Answer::Object(lease))) => self.lease_found(lease, true, ctx),
            (Asked::LookUp, Err(error)) if error.reason == Reason::NotFound => {
                self.ask_lease(Verb::Get(self.node_key()), Asked::Owner, ctx);
            }
            (Asked::Owner, Ok(Answer::Object(node))) => self.create_lease(&node, ctx),
            // Without its Node no Lease is made: the next tick tries again.
            (Asked::Owner, _) => self.end_lease_pass(ctx),
            (Asked::Creation, Ok(Answer::Object(lease))) => self.lease_found(lease, false, ctx),
            (Asked::Refresh, _) => self.retry_or_look_up(ctx),
            (Asked::LookUp | Asked::Creation, _) => self.look_up_later(ctx),
            (Asked::Renewal, Ok(_)) => self.end_lease_pass(ctx),
        }
    }

    fn renewal_failed(&mut self, error: &ApiError, ctx: &mut Ctx<Event>) {
        if error.reason == Reason::Conflict && self.lease.tries < self.settings.lease_retries {
            let key = self.lease_key();
            return self.ask_lease(Verb::Get(key), Asked::Refresh, ctx);
        }
        self.retry_or_look_up(ctx);
    }

    fn retry_or_look_up(&mut self, ctx: &mut Ctx<Event>) {
        if self.lease.tries < self.settings.lease_retries {
            self.put_lease(ctx);
        } else if self.lease.ensuring {
            // The look-up worked and the renewals after it did not: wait for the next tick.
            self.end_lease_pass(ctx);
        } else {
            ctx.log("Failed to update lease, will retry");
            self.ensure_lease(ctx);
        }
    }

    fn lease_found(&mut self, lease: Arc<Object>, stale: bool, ctx: &mut Ctx<Event>) {
        self.lease.latest = Some(lease);
        self.lease.backoff.reset();
        self.lease.tries = 0;
        if stale { self.put_lease(ctx) } else { self.end_lease_pass(ctx) }
    }

    fn look_up_later(&mut self, ctx: &mut Ctx<Event>) {
        let (rule, pause) = self.lease.backoff.fail(&BACKOFF);
        ctx.after(rule, pause, Event::EnsureLease);
    }

    /// A Lease is owned by its Node, so there is none before the Node is there.
    fn create_lease(&mut self, node: &Object, ctx: &mut Ctx<Event>) {
        let meta = Meta::new(Kind::Lease, NAMESPACE, self.name.clone()).owned_by(&node.meta);
        let lease = Lease {
            holder: self.name.clone(),
            duration: self.settings.lease_duration,
            acquired: ctx.wall_clock(),
            renewed: ctx.wall_clock(),
            transitions: 0,
        };
        self.ask_lease(Verb::Create(Arc::new(Object::new(meta, lease))), Asked::Creation, ctx);
    }

    fn end_lease_pass(&mut self, ctx: &mut Ctx<Event>) {
        self.lease.ensuring = false;
        ctx.rest(LEASE);
    }

    fn ask_lease(&mut self, verb: Verb, asked: Asked, ctx: &mut Ctx<Event>) {
        self.beat(verb, Beat::Lease(asked), LEASE, ctx);
    }

    /// Sends a heartbeat's request; it counts for itself, so that one which is not played shifts
    /// no other draw.
    pub(super) fn beat(
        &mut self,
        verb: Verb,
        beat: Beat,
        lane: crate::infra::ActivityId,
        ctx: &mut Ctx<Event>,
    ) {
        let sender = ctx.owner().part(u64::from(lane.0) + 1);
        let count = ctx.count(lane) * 16 + u64::from(self.lease.tries);
        let limit = (USUAL, self.settings.heartbeat_timeout);
        let token = Token::Own(super::Asked::Beat(beat));
        self.client.api.send_as(ctx, AGENT, verb, token, limit, sender, count);
    }

    fn lease_key(&self) -> ObjectKey {
        ObjectKey { kind: Kind::Lease, namespace: NAMESPACE, name: self.name.clone() }
    }
}
