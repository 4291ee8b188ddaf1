//! The Lease as candidates and leaders write it.

use super::LeaderElection;
use crate::api::kinds::Lease;
use crate::api::{Meta, Object};
use crate::engine::{Duration, SimTime, Text};

/// What a released Lease says for how long it holds.
const RELEASED: Duration = Duration::from_secs(1);

impl LeaderElection {
    /// The Lease with this candidate as its new holder.
    pub(super) fn claim(&self, object: Option<&Object>, now: SimTime) -> Object {
        let mut claimed = match object {
            Some(object) => object.clone(),
            None => {
                let key = self.lock.clone();
                let meta = Meta::new(key.kind, key.namespace, key.name);
                Object::new(meta, Lease::default())
            }
        };
        if let Some(lease) = claimed.lease_mut() {
            lease.transitions += u32::from(object.is_some());
            lease.holder = self.identity.clone();
            lease.duration = self.settings.lease;
            (lease.acquired, lease.renewed) = (now, now);
        }
        claimed
    }
}

/// The same holder, for another while.
pub fn renewed(object: &Object, now: SimTime) -> Object {
    let mut renewed = object.clone();
    if let Some(lease) = renewed.lease_mut() {
        lease.renewed = now;
    }
    renewed
}

/// Nobody holds it any more.
pub fn released(object: &Object, now: SimTime) -> Object {
    let mut released = object.clone();
    if let Some(lease) = released.lease_mut() {
        lease.holder = Text::EMPTY;
        lease.duration = RELEASED;
        (lease.acquired, lease.renewed) = (now, now);
    }
    released
}
