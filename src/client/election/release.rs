//! A leader that gives its Lease away before it ends, so that nobody has to wait until it runs out.
//!
//! Follows `release` of client-go's `tools/leaderelection/leaderelection.go`; of a cluster's own
//! components only kube-scheduler does so (`ReleaseOnCancel`).
//!
//! Simplified: from 1.34 on it reads the Lease once more before.

use super::record::released;
use super::{Asked, LeaderElection, Role, Verdict};
use crate::api::Verb;
use crate::client::api::Alarm;
use crate::infra::Ctx;
use std::sync::Arc;

impl LeaderElection {
    /// The process is asked to end: it does, and a leader first gives its Lease away.
    pub(super) fn terminate<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>) {
        if !self.is_leader() || !self.release(Verdict::Released, ctx) {
            ctx.exit();
        }
    }

    /// Gives the Lease away, if that is to be done; what comes of it comes with the answer.
    pub(super) fn release<E: From<Alarm>>(&mut self, then: Verdict, ctx: &mut Ctx<E>) -> bool {
        self.attempt.cancel();
        self.over.cancel();
        self.role = Role::Idle;
        // What another holds is not its to give.
        let gives = self.settings.release_on_cancel && self.is_holder();
        let Some((object, _)) = self.observed.as_ref().filter(|_| gives) else { return false };
        let verb = Verb::Update(Arc::new(released(object, ctx.wall_clock())));
        self.role = Role::Releasing(then);
        self.ask(verb, Asked::Release, ctx);
        true
    }
}
