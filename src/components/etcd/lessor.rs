//! Leases: granted and revoked through the log, timed by the leader alone.
//!
//! A new leader gives every lease its full length again and one election time-out more, because it
//! does not know how much of it was left. Follows `server/lease/lessor.go`.

use super::requests::Client;
use super::{Event, Member};
use crate::engine::{Duration, Generation, Owner, SimTime, Timer};
use crate::infra::Ctx;
use crate::raft::Role;
use crate::wire::{LeaseId, StoreAnswer, Write};
use std::collections::BTreeMap;

/// What only the leader knows: when leases expire.
#[derive(Clone, Debug, Default)]
pub struct Lessor {
    expires: BTreeMap<LeaseId, SimTime>,
    timer: Timer,
    /// When the timer that runs falls due.
    due_at: Option<SimTime>,
}

impl Member {
    /// Grants a lease; short ones are made longer, so that an election cannot end them.
    pub fn grant(
        &mut self,
        client: Client,
        address: (Owner, u64),
        length: Duration,
        ctx: &mut Ctx<Event>,
    ) {
        let id = self.next_number();
        let length = length.max(self.settings.shortest_lease());
        let write = Write::LeaseGrant(LeaseId(id), length);
        self.propose_as(id, client, address, write, ctx);
    }

    /// The leader renews a lease. Nobody else learns of it: a new leader would renew it anyway.
    pub fn keep_alive(&mut self, client: Client, id: LeaseId, ctx: &mut Ctx<Event>) {
        let length = self.store.lease(id).map(|lease| lease.length);
        if let Some(length) = length {
            self.time_lease(id, ctx.now() + length, ctx);
        }
        self.answer(client, StoreAnswer::Lease(id, length), ctx);
    }

    /// This member leads from now on.
    pub fn promote_lessor(&mut self, ctx: &mut Ctx<Event>) {
        let from = ctx.now() + self.settings.election_timeout();
        let all: Vec<_> = self.store.leases().map(|(id, lease)| (id, lease.length)).collect();
        for (id, length) in all {
            self.time_lease(id, from + length, ctx);
        }
    }

    /// It leads no more.
    pub fn demote_lessor(&mut self) {
        self.lessor.expires.clear();
        self.lessor.timer.cancel();
        self.lessor.due_at = None;
    }

    /// A lease was granted.
    pub fn lease_granted(&mut self, id: LeaseId, length: Duration, ctx: &mut Ctx<Event>) {
        if self.raft.role() == Role::Leader {
            self.time_lease(id, ctx.now() + length, ctx);
        }
    }

    /// A lease is gone.
    pub fn lease_revoked(&mut self, id: LeaseId) {
        self.lessor.expires.remove(&id);
    }

    /// Revokes what has expired, through the log.
    pub fn expire_leases(&mut self, due: Generation, ctx: &mut Ctx<Event>) {
        if !self.lessor.timer.is_current(due) {
            return;
        }
        self.lessor.due_at = None;
        let now = ctx.now();
        let expired: Vec<LeaseId> =
            self.lessor.expires.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        for id in expired {
            let again = now + self.settings.lease_retry;
            self.lessor.expires.insert(id, again);
            let address = (ctx.owner(), id.0);
            self.propose(Client::Nobody, address, Write::LeaseRevoke(id), ctx);
        }
        self.set_lease_timer(ctx);
    }

    fn time_lease(&mut self, id: LeaseId, expires: SimTime, ctx: &mut Ctx<Event>) {
        self.lessor.expires.insert(id, expires);
        self.set_lease_timer(ctx);
    }

    /// The leader looks at fixed times, counted from its process's start.
    fn set_lease_timer(&mut self, ctx: &mut Ctx<Event>) {
        let Some(first) = self.lessor.expires.values().min().copied() else { return };
        let look = self.settings.lease_check;
        let over = first.since(self.started).modulo(look);
        let at = first + look.saturating_sub(over).modulo(look);
        if self.lessor.due_at.is_none_or(|due| at < due) {
            self.lessor.due_at = Some(at);
            let due = self.lessor.timer.restart();
            ctx.after("etcd.leaseCheck", at.since(ctx.now()), Event::Leases(due));
        }
    }
}
