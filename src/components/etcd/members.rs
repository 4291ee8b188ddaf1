//! The group: who is added, removed and promoted, and when that is refused.
//!
//! The strict check keeps a person from taking away the quorum: it wants enough members that have
//! started, and voters that have been linked for a while. Follows `etcdserver/server.go` and
//! `membership/cluster.go`. A change takes effect when it is applied.

use super::errors::{
    Failure, LEARNER_NOT_READY, MEMBER_EXISTS, NO_MEMBER, NO_SPACE, NOT_ENOUGH_STARTED,
    NOT_LEARNER, PEER_EXISTS, TOO_MANY_LEARNERS, UNHEALTHY, failed,
};
use super::requests::Client;
use super::{BACKUP, Event, Member};
use crate::engine::{Phase, Text};
use crate::infra::{Ctx, MemberChange, Trace};
use crate::raft::{ConfChange, MemberId};
use crate::timeline::Value;
use crate::wire::{MemberInfo, Proposed, StoreAnswer, Write};
use std::sync::Arc;

/// Requests.
impl Member {
    pub fn add_member(&mut self, client: Client, vm: Text, learner: bool, ctx: &mut Ctx<Event>) {
        if self.settings.strict_reconfig
            && let Err(failure) = self.may_add(learner, ctx)
        {
            return self.answer(client, failed(failure), ctx);
        }
        let id = self.store.next_member();
        let change = match learner {
            true => ConfChange::AddLearner(id),
            false => ConfChange::AddVoter(id),
        };
        self.propose_change(client, change, Write::AddMember { vm, learner }, ctx);
    }

    pub fn remove_member(&mut self, client: Client, id: MemberId, ctx: &mut Ctx<Event>) {
        if self.settings.strict_reconfig
            && let Err(failure) = self.may_remove(id, ctx)
        {
            return self.answer(client, failed(failure), ctx);
        }
        self.propose_change(client, ConfChange::Remove(id), Write::RemoveMember, ctx);
    }

    /// At the leader, which alone knows how far a learner is.
    pub fn promote_member(&mut self, client: Client, id: MemberId, ctx: &mut Ctx<Event>) {
        if let Err(failure) = self.may_promote(id) {
            return self.answer(client, failed(failure), ctx);
        }
        self.propose_change(client, ConfChange::AddVoter(id), Write::PromoteMember, ctx);
    }

    /// `etcdctl snapshot save`: the file lies on this VM.
    pub fn save_backup(&mut self, client: Client, ctx: &mut Ctx<Event>) {
        if ctx.write(BACKUP, "snapshot").is_err() {
            return self.answer(client, failed(NO_SPACE), ctx);
        }
        self.backup = Some(Arc::new(self.store.database().clone()));
        self.answer(client, StoreAnswer::Done, ctx);
    }

    fn may_add(&self, learner: bool, ctx: &Ctx<Event>) -> Result<(), Failure> {
        let voters = self.raft.membership().voters();
        if !learner {
            let started = self.started_among(|_| true);
            let grows_single = started == 1 && voters.len() == 1;
            if started < quorum_of(voters.len() + 1) && !grows_single {
                return Err(NOT_ENOUGH_STARTED);
            }
        }
        let all = voters.iter().all(|id| self.is_long_connected(*id, ctx));
        if all { Ok(()) } else { Err(UNHEALTHY) }
    }

    fn may_remove(&self, id: MemberId, ctx: &Ctx<Event>) -> Result<(), Failure> {
        let voters = self.raft.membership().voters();
        if !voters.contains(&id) {
            return Ok(());
        }
        let left = voters.len() - 1;
        if self.started_among(|member| member != id) < quorum_of(left) {
            return Err(NOT_ENOUGH_STARTED);
        }
        if id != self.id && !self.peer(id).is_some_and(|peer| peer.is_active()) {
            return Ok(());
        }
        let connected = voters.iter().filter(|id| self.is_long_connected(**id, ctx)).count();
        if connected < 2 + (voters.len() - 1) / 2 { Err(UNHEALTHY) } else { Ok(()) }
    }

    fn may_promote(&self, id: MemberId) -> Result<(), Failure> {
        let member = self.store.member(id).ok_or(NO_MEMBER)?;
        if !member.learner {
            return Err(NOT_LEARNER);
        }
        let matched = |id| self.raft.progress(id).map_or(0, |progress| progress.matched);
        let enough = matched(self.id) * self.settings.learner_ready_percent;
        let is_started = member.started || !self.settings.promotes_started_only;
        if matched(id) * 100 < enough || !is_started {
            return Err(LEARNER_NOT_READY);
        }
        let voters = self.raft.membership().voters().len() + 1;
        let started = self.started_among(|_| true) + usize::from(member.started);
        if self.settings.strict_reconfig && started < quorum_of(voters) {
            return Err(NOT_ENOUGH_STARTED);
        }
        Ok(())
    }

    /// How many voters have published their names.
    fn started_among(&self, counts: impl Fn(MemberId) -> bool) -> usize {
        let members = self.store.members().iter();
        members.filter(|member| !member.learner && member.started && counts(member.id)).count()
    }

    fn is_long_connected(&self, id: MemberId, ctx: &Ctx<Event>) -> bool {
        let active = self.peer(id).and_then(|peer| peer.active_since());
        let is_long = |active| ctx.now().since(active) >= self.settings.health_interval;
        id == self.id || active.is_some_and(is_long)
    }
}

/// What the log says.
impl Member {
    /// A change of the group has come out of the log; every member judges it alike.
    pub fn apply_change(&mut self, change: ConfChange, proposal: &Proposed, ctx: &mut Ctx<Event>) {
        let answer = match self.change_members(change, &proposal.write) {
            Err(failure) => failed(failure),
            Ok(moved) => {
                if let Some((vm, exists)) = moved {
                    let (from, to) = match exists {
                        true => (Value::Null, Value::Bool(true)),
                        false => (Value::Bool(true), Value::Null),
                    };
                    let once = Some(proposal.id);
                    let change = MemberChange { member: vm, field: "exists", from, to, once };
                    ctx.trace(Trace::Member(Box::new(change)));
                }
                self.raft.apply_conf_change(change);
                let members = self.store.members().to_vec();
                self.follow_members(&members, ctx);
                StoreAnswer::Members(members)
            }
        };
        self.answer_proposal(proposal.id, answer, ctx);
    }

    /// Changes the list of members; who came or went.
    fn change_members(
        &mut self,
        change: ConfChange,
        write: &Write,
    ) -> Result<Option<(Text, bool)>, Failure> {
        let id = change.member();
        match write {
            Write::AddMember { vm, learner } => {
                let members = self.store.members();
                if self.store.is_removed(id) || self.store.member(id).is_some() {
                    return Err(MEMBER_EXISTS);
                }
                if members.iter().any(|member| member.vm == *vm) {
                    return Err(PEER_EXISTS);
                }
                let learners = members.iter().filter(|member| member.learner).count();
                if *learner && learners >= self.settings.max_learners {
                    return Err(TOO_MANY_LEARNERS);
                }
                let (vm, learner) = (vm.clone(), *learner);
                self.store.add_member(MemberInfo { id, vm: vm.clone(), started: false, learner });
                Ok(Some((vm, true)))
            }
            Write::PromoteMember => {
                match self.store.set_member(id, |member| member.learner = false) {
                    true => Ok(None),
                    false => Err(NO_MEMBER),
                }
            }
            _ => match self.store.remove_member(id) {
                Some(vm) => Ok(Some((vm, false))),
                None => Err(NO_MEMBER),
            },
        }
    }

    fn follow_members(&mut self, members: &[MemberInfo], ctx: &mut Ctx<Event>) {
        if members.iter().all(|member| member.id != self.id) {
            ctx.log("the member has been permanently removed from the cluster");
            ctx.after("etcd.removalDelay", self.settings.removal_delay, Event::Stop);
        }
        self.set_peers(members, ctx);
        self.tick_if_needed(Phase::Stationary, ctx);
    }
}

/// How many of so many voters decide.
fn quorum_of(voters: usize) -> usize {
    voters / 2 + 1
}
