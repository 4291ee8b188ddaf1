//! The renewal of a Lease that nothing disturbs, from its request to the last acknowledgment: what the
//! world has to know to see it coming, and what it leaves behind in a member.
//!
//! A Lease that keeps its holder is what members write all day. Whether who waits for it only sets his
//! clock, and who watches it only notes it down, so that nothing comes of it but what is done here, the
//! world looks (`world::rest`).

use super::requests::Client;
use super::{Etcd, Event, Member};
use crate::api::{Kind, Object, Revision};
use crate::engine::{Delay, Purpose, SimTime};
use crate::infra::{ConnectionId, Ctx};
use crate::raft::{Entry, MemberId, Payload};
use crate::wire::{Proposal, StoreOperation, StoreRequest, Write};

/// When a member has an entry that nothing disturbs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// It has heard of it, and begins to write.
    pub came: SimTime,
    /// It is on its disk.
    pub flushed: SimTime,
    /// The member knows that it is committed, and applies it.
    pub applied: SimTime,
}

impl Etcd {
    /// True if this is a Lease as the member knows it, and keeps its holder, who renews it.
    pub fn is_renewal(&self, new: &Object, known: Revision) -> bool {
        let is_plain = new.meta.deletion.is_none() && new.meta.finalizers.is_empty();
        if new.key().kind != Kind::Lease || !is_plain {
            return false;
        }
        let old = self.store().and_then(|store| store.get(new.key()));
        old.is_some_and(|old| {
            let keeps = holder(&old).is_some_and(|holds| Some(holds) == holder(new));
            keeps && old.meta.resource_version == known
        })
    }

    /// True if nothing at all is under way in the member, in a group with so many others.
    pub fn is_even(&self, others: usize) -> bool {
        self.is_idle() && self.member.as_ref().is_some_and(|member| member.is_even(others))
    }

    /// Which draw tells how long a flush takes, and between what.
    pub fn flush(&self) -> Option<(Purpose, Delay)> {
        self.member.as_ref().map(|member| (member.flush_purpose(), member.settings.wal_fsync))
    }

    /// Where the member's changes are watched.
    pub fn watchers(&self) -> impl Iterator<Item = ConnectionId> {
        self.member.iter().flat_map(|member| member.streams.connections())
    }

    /// Takes a request that will go as foreseen: what the members will write. Who waits is answered.
    pub fn take_renewal(
        &mut self,
        from: Option<ConnectionId>,
        request: StoreRequest,
        ctx: &mut Ctx<Event>,
    ) -> Option<Proposal> {
        self.member.as_mut()?.take_renewal(from, request, ctx)
    }

    /// The member has written and applied it; the present is when it did.
    pub fn pass_over_renewal(&mut self, proposal: &Proposal, course: Course, ctx: &mut Ctx<Event>) {
        if let Some(member) = &mut self.member {
            member.pass_over_renewal(proposal, course, ctx);
        }
    }

    /// Of a leader: when a follower answered last.
    pub fn answered_unplayed(&mut self, from: MemberId, at: SimTime) {
        if let Some(member) = &mut self.member {
            member.answered_unplayed(from, at);
        }
    }

    /// Of a follower: when it heard from its leader last.
    pub fn follow_unplayed(&mut self, at: SimTime) {
        if let Some(member) = &mut self.member {
            member.followed = at;
        }
    }
}

impl Member {
    fn is_even(&self, others: usize) -> bool {
        self.raft.is_even(others)
            && self.sending.is_empty()
            && self.transfers.is_empty()
            && self.proposals.are_over()
    }

    fn take_renewal(
        &mut self,
        from: Option<ConnectionId>,
        request: StoreRequest,
        ctx: &mut Ctx<Event>,
    ) -> Option<Proposal> {
        let client = from.map_or(Client::Nobody, |from| Client::Connection(from, request.id));
        let StoreOperation::Transact { key, expected, put, by, writer } = request.operation else {
            return None;
        };
        let write = Write::Transact { key, expected, put, by, writer, lease: None };
        let id = self.next_number();
        Some(self.open_proposal(id, client, (request.sender, request.count), write, ctx))
    }

    /// In the order of `turn` and `finish`.
    fn pass_over_renewal(&mut self, proposal: &Proposal, course: Course, ctx: &mut Ctx<Event>) {
        let payload = Payload::Normal(proposal.clone());
        let (term, index) = (self.raft.term(), self.raft.pass_over_append(payload.clone()));
        let entry = Entry { index, term, payload };
        self.wal.write_entry(entry.clone());
        self.cut_log(course.flushed);
        self.apply(&entry, ctx);
        self.raft.pass_over_commit();
        self.seen_commit = self.raft.committed();
        self.cut_log(course.applied);
    }
}

fn holder(object: &Object) -> Option<&str> {
    object.lease().map(|lease| &*lease.holder).filter(|holder| !holder.is_empty())
}
