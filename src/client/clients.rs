//! The clients of a manager: of the cluster whose objects it reconciles, and of the one that they describe.

use super::api::Limit;
use super::cluster::{Caches, Client};
use super::reconcile::{Ask, Target};
use crate::api::Verb;

/// The clients of a manager; without a remote one, both clusters are the same.
#[derive(Clone, Debug)]
pub struct Clients<T> {
    pub local: Client<T>,
    pub remote: Option<Client<T>>,
    /// How long reconciles wait for an answer of the remote cluster, where that is not as long as
    /// for the local one. What they hand on to a Node is waited for as long as it says itself.
    pub remote_limit: Option<Limit>,
}

impl<T: Clone> Clients<T> {
    /// The client of a target.
    pub fn of(&mut self, target: Target) -> &mut Client<T> {
        match (target, &mut self.remote) {
            (Target::Remote, Some(remote)) => remote,
            _ => &mut self.local,
        }
    }

    /// How long the answer to a request is waited for.
    pub(super) fn limit_of(&mut self, ask: &Ask) -> Limit {
        let usual = self.of(ask.target).api.limit_of(&ask.verb);
        let own = ask.target == Target::Remote && !matches!(ask.verb, Verb::Forward(_));
        let remote = self.remote_limit.filter(|_| own);
        [remote, ask.within].into_iter().flatten().fold(usual, |least, limit| {
            match limit.1 < least.1 {
                true => limit,
                false => least,
            }
        })
    }

    /// True once every informer of both has had its first list.
    pub fn are_synced(&self) -> bool {
        self.local.caches.are_synced() && self.remote_caches().are_synced()
    }

    /// The caches that describe the remote cluster.
    pub fn remote_caches(&self) -> &Caches {
        self.remote.as_ref().map_or(&self.local.caches, |remote| &remote.caches)
    }
}
