//! One of several schedulers leads; the others keep their caches and queues filled, and wait.
//!
//! Follows `k/k:cmd/kube-scheduler/app/server.go`: a new process takes part in the election once its
//! informers have had their first lists, so an API server that was away for long delays it by their
//! pauses too.
//!
//! Its manifest names no certificate authorities, so it asks whom to trust before it listens, and goes on
//! without an answer (`app/options/options.go`, `TolerateInClusterLookupFailure`).

use super::{AGENT, Event, Scheduler, Token};
use crate::api::kinds::EventType;
use crate::api::{Answered, Reason, Verb};
use crate::client::{Heard, USUAL, trusted_front_proxy};
use crate::engine::{Duration, Text};
use crate::infra::{Ctx, Input, Start};

/// The number of the election's own client.
pub const CLIENT: u8 = 1;
/// The process, and its Lease.
pub const PROGRAM: &str = "kube-scheduler";

impl Scheduler {
    /// For how long it asks for nothing more of its Lease once that is renewed; none if it does not lead.
    pub fn pause_after_renewal(&self) -> Option<Duration> {
        self.election.pause_after_renewal()
    }

    /// Takes what is for the election; gives back what is not.
    pub(super) fn election_input(
        &mut self,
        input: Input<Event>,
        ctx: &mut Ctx<Event>,
    ) -> Option<Input<Event>> {
        match self.election.hear(input, Event::alarm, ctx) {
            Heard::NotMine(other) => return Some(other),
            Heard::Nothing => {}
            Heard::Elected => self.elected(ctx),
        }
        None
    }

    /// A new process asks whom to trust; nobody can ask it anything before.
    pub(super) fn look_up_trust(&mut self, ctx: &mut Ctx<Event>) {
        ctx.close_ports();
        let verb = Verb::Get(trusted_front_proxy());
        let limit = (USUAL, self.settings.lookup_timeout);
        self.client.ask_within(ctx, PROGRAM, verb, Token::Authentication, limit);
    }

    /// It listens and begins, whatever the answer.
    pub(super) fn trust_looked_up(&mut self, answered: &Answered, ctx: &mut Ctx<Event>) {
        // Simplified: a cluster here has no such ConfigMap; that it can be asked for is enough.
        if let Err(error) = answered
            && error.reason != Reason::NotFound
        {
            ctx.log(format!("Error looking up in-cluster authentication configuration: {error}"));
        }
        ctx.open_ports();
        self.begin(Start::Fresh, ctx);
    }

    /// An informer has had its first list: after the last one a new process becomes a candidate.
    pub(super) fn take_part(&mut self, ctx: &mut Ctx<Event>) {
        if self.election.is_idle() && self.client.caches.are_synced() {
            self.election.start(Start::Fresh, self.standing, ctx);
        }
    }

    fn elected(&mut self, ctx: &mut Ctx<Event>) {
        let message = Text::from(format!("{} became leader", self.election.identity()));
        let (lock, kind) = (self.election.lock().clone(), EventType::Normal);
        self.client.record(ctx, AGENT, kind, &lock, "LeaderElection", message);
        self.run_queue(Start::Fresh, ctx);
        self.take_next(ctx);
    }
}
