//! What an entry of the log does to this member's store.
//!
//! Every member applies every entry to a store of its own, so all of them come to the same state.

use super::errors::{LEASE_EXISTS, LEASE_NOT_FOUND, failed};
use super::requests::Client;
use super::{Event, Member};
use crate::infra::{Ctx, Trace};
use crate::raft::{Entry, MemberId, Payload, Ready};
use crate::wire::{Committed, Lease, LeaseId, Proposal, Proposed, StoreAnswer, Write};
use std::collections::BTreeSet;

impl Member {
    /// Applies what is committed.
    pub fn apply_all(&mut self, ready: &Ready<Proposal>, ctx: &mut Ctx<Event>) {
        if ready.committed.is_empty() || self.puts_aside(&ready.committed) {
            return;
        }
        let cause = ctx.cause();
        for entry in &ready.committed {
            self.apply(entry, ctx);
        }
        ctx.back_to(cause);
    }

    /// Applies one entry.
    pub fn apply(&mut self, entry: &Entry<Proposal>, ctx: &mut Ctx<Event>) {
        self.applied_term = entry.term;
        // After a restart the log is replayed over a database that is ahead of it.
        if entry.index <= self.store.applied() {
            return;
        }
        self.store.set_applied(entry.index);
        match &entry.payload {
            Payload::Empty => self.ask_reads_again(),
            Payload::Normal(proposal) => {
                ctx.turn_of(proposal.cause, None);
                let answer = self.carry_out(proposal, ctx);
                if !matches!(answer, StoreAnswer::Conflict(_) | StoreAnswer::Failed(_)) {
                    self.backend.touch(ctx.now());
                }
                self.answer_proposal(proposal.id, answer, ctx);
            }
            Payload::Change(change, proposal) => {
                ctx.turn_of(proposal.cause, None);
                self.backend.touch(ctx.now());
                self.apply_change(*change, proposal, ctx);
            }
        }
    }

    fn carry_out(&mut self, proposal: &Proposed, ctx: &mut Ctx<Event>) -> StoreAnswer {
        match &proposal.write {
            Write::Transact { .. } => self.transact(proposal, ctx),
            Write::LeaseGrant(id, length) => {
                let (length, keys) = (*length, BTreeSet::new());
                if !self.store.grant(*id, Lease { length, keys }) {
                    return failed(LEASE_EXISTS);
                }
                self.lease_granted(*id, length, ctx);
                StoreAnswer::Lease(*id, Some(length))
            }
            Write::LeaseRevoke(id) => self.revoke(*id, ctx),
            Write::Publish(id) => {
                self.published(*id, ctx);
                StoreAnswer::Done
            }
            Write::AddMember { .. } | Write::PromoteMember | Write::RemoveMember => {
                unreachable!("a change of the group is proposed as one")
            }
        }
    }

    fn transact(&mut self, proposal: &Proposed, ctx: &mut Ctx<Event>) -> StoreAnswer {
        let Write::Transact { key, expected, put, by, writer, lease } = &proposal.write else {
            unreachable!("the caller has looked")
        };
        if lease.is_some_and(|lease| self.store.lease(lease).is_none()) {
            return failed(LEASE_NOT_FOUND);
        }
        match self.store.transact(key, *expected, put.as_deref(), &proposal.made) {
            Err(current) => StoreAnswer::Conflict(current),
            Ok(committed) => {
                self.store.attach(key, *lease);
                let result = committed.new.as_ref().or(committed.old.as_ref());
                let result = result.expect("a commit has an object").clone();
                self.announce(&committed, (by, *writer), ctx);
                StoreAnswer::Committed(result)
            }
        }
    }

    fn revoke(&mut self, id: LeaseId, ctx: &mut Ctx<Event>) -> StoreAnswer {
        self.lease_revoked(id);
        let Some(deleted) = self.store.revoke(id) else { return failed(LEASE_NOT_FOUND) };
        for committed in &deleted {
            self.announce(committed, ("etcd", ctx.process().0), ctx);
        }
        StoreAnswer::Done
    }

    /// Shows a change to the timeline and to every watcher.
    fn announce(
        &self,
        committed: &Committed,
        (by, writer): (&'static str, u32),
        ctx: &mut Ctx<Event>,
    ) {
        let Committed { revision, old, new } = committed.clone();
        let history = self.store.origin().history;
        ctx.trace(Trace::Committed { history, revision, old, new, by, writer });
        self.publish_change(committed, ctx);
    }

    /// Tells the cluster its name; until the log has it, no client is served.
    pub fn publish(&mut self, ctx: &mut Ctx<Event>) {
        let address = (ctx.owner(), u64::from(self.next));
        self.propose(Client::Publish, address, Write::Publish(self.id), ctx);
    }

    fn published(&mut self, id: MemberId, ctx: &mut Ctx<Event>) {
        self.store.set_member(id, |member| member.started = true);
        if id != self.id || std::mem::replace(&mut self.is_serving, true) {
            return;
        }
        ctx.log("ready to serve client requests");
        for early in std::mem::take(&mut self.early) {
            ctx.turn_of(early.cause, None);
            self.accept(early.from, early.request, ctx);
        }
    }
}
