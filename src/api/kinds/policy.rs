//! PodDisruptionBudget: how many Pods of a workload may be missing by somebody's wish.
//!
//! Its status is the disruption controller's; the eviction API spends what it allows. Taint
//! eviction, deletion and death ask no budget.

use crate::api::Labels;
use crate::api::merge::merge_fields;
use crate::engine::{SimTime, Text};
use std::collections::BTreeMap;

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodDisruptionBudget {
    /// Which Pods of its namespace; none at all if it is empty.
    pub selector: Labels,
    pub wanted: Wanted,
    /// `metadata.generation`: how often the `spec` was written.
    pub generation: u64,
    /// The generation that the status was computed from.
    pub observed_generation: u64,
    pub current_healthy: u32,
    pub desired_healthy: u32,
    pub expected_pods: u32,
    pub disruptions_allowed: u32,
    /// Pods whose eviction was granted and that are not being deleted yet, by name, with when.
    pub disrupted_pods: BTreeMap<Text, SimTime>,
}

/// `minAvailable` or `maxUnavailable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    MinAvailable(Amount),
    MaxUnavailable(Amount),
}

/// A number of Pods, or a share of those that their controllers want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Count(u32),
    /// Rounded up.
    Percent(u32),
}

merge_fields!(PodDisruptionBudget {
    selector,
    wanted,
    generation,
    observed_generation,
    current_healthy,
    desired_healthy,
    expected_pods,
    disruptions_allowed,
    disrupted_pods,
});

impl PodDisruptionBudget {
    /// A budget that no controller has looked at yet: it allows nothing.
    pub fn new(selector: Labels, wanted: Wanted) -> PodDisruptionBudget {
        PodDisruptionBudget {
            selector,
            wanted,
            generation: 1,
            observed_generation: 0,
            current_healthy: 0,
            desired_healthy: 0,
            expected_pods: 0,
            disruptions_allowed: 0,
            disrupted_pods: BTreeMap::new(),
        }
    }
}

impl Amount {
    /// The number of Pods among `expected`.
    pub fn of(self, expected: u32) -> u32 {
        match self {
            Amount::Count(count) => count,
            Amount::Percent(percent) => {
                let scaled = (u64::from(expected) * u64::from(percent)).div_ceil(100);
                u32::try_from(scaled).unwrap_or(u32::MAX)
            }
        }
    }
}

impl Wanted {
    /// How many healthy Pods are wanted where the controllers want `scale` of them.
    pub fn desired_healthy(self, scale: u32) -> u32 {
        match self {
            Wanted::MinAvailable(amount) => amount.of(scale),
            Wanted::MaxUnavailable(amount) => scale.saturating_sub(amount.of(scale)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_up_and_never_below_nothing() {
        let desired = |wanted: Wanted| wanted.desired_healthy(7);
        assert_eq!(desired(Wanted::MinAvailable(Amount::Percent(50))), 4);
        assert_eq!(desired(Wanted::MaxUnavailable(Amount::Percent(30))), 4);
        assert_eq!(desired(Wanted::MinAvailable(Amount::Count(9))), 9);
        assert_eq!(desired(Wanted::MaxUnavailable(Amount::Count(9))), 0);
    }
}
