//! One of several schedulers leads; the others keep their caches and queues filled, and wait.
//!
//! Follows `k/k:cmd/kube-scheduler/app/server.go`: a new process takes part in the election once its
//! informers have had their first lists, so an API server that was away for long delays it by their
//! pauses too. Unlike the controller-manager it begins without an API server.

use super::{AGENT, Event, Scheduler};
use crate::api::kinds::EventType;
use crate::client::Heard;
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

    /// Stands as it has for long, or waits for its first lists.
    pub(super) fn begin_election(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        if start == Start::Steady {
            self.election.start(start, self.standing, ctx);
        }
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
        self.take_next(ctx);
    }
}
