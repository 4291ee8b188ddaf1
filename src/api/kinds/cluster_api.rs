//! Cluster API's sets and checks: Cluster, MachineDeployment, MachineSet, MachineHealthCheck.

use super::{Conditions, MachineSpec, Status};
use crate::api::Labels;
use crate::api::merge::merge_fields;
use crate::engine::{Duration, Text};
use std::fmt;

/// A Cluster, as far as its Machines' controllers look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    pub paused: bool,
    pub infrastructure_ready: bool,
    pub conditions: Conditions,
}

/// A MachineDeployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineDeployment {
    pub replicas: u32,
    pub selector: Labels,
    pub template: MachineSpec,
    /// `spec.remediation.maxInFlight`; nothing means: all at once.
    pub max_in_flight: Option<InFlight>,
    pub status_replicas: u32,
    pub ready_replicas: u32,
    pub available_replicas: u32,
    pub unavailable_replicas: u32,
    pub updated_replicas: u32,
    /// `Running`, `ScalingUp`, `ScalingDown`.
    pub phase: Text,
    pub conditions: Conditions,
}

/// A MachineSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineSet {
    pub replicas: u32,
    pub selector: Labels,
    pub template: MachineSpec,
    pub status_replicas: u32,
    pub ready_replicas: u32,
    pub available_replicas: u32,
    pub conditions: Conditions,
}

/// A MachineHealthCheck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineHealthCheck {
    pub selector: Labels,
    pub unhealthy_conditions: Vec<UnhealthyCondition>,
    pub max_unhealthy: MaxUnhealthy,
    /// Nothing disables it.
    pub node_startup_timeout: Duration,
    pub expected_machines: u32,
    pub current_healthy: u32,
    pub remediations_allowed: u32,
    pub conditions: Conditions,
}

/// A Node condition that makes a Machine unhealthy once it has lasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnhealthyCondition {
    pub kind: Text,
    pub status: Status,
    pub timeout: Duration,
}

/// How many Machines may be unhealthy for remediation to go on: `maxUnhealthy`, or in its place
/// `unhealthyRange`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxUnhealthy {
    Count(u32),
    /// Of the expected Machines, rounded down.
    Percent(u32),
    /// At least, and at most.
    Range(u32, u32),
}

/// How many Machines of a pool may be remediated at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InFlight {
    Count(u32),
    /// Of the wanted Machines, rounded up.
    Percent(u32),
}

impl InFlight {
    /// The number among `replicas`.
    pub fn of(self, replicas: u32) -> u32 {
        match self {
            InFlight::Count(count) => count,
            InFlight::Percent(percent) => {
                let scaled = (u64::from(replicas) * u64::from(percent)).div_ceil(100);
                u32::try_from(scaled).unwrap_or(u32::MAX)
            }
        }
    }
}

impl fmt::Display for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InFlight::Count(count) => count.fmt(f),
            InFlight::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

merge_fields!(Cluster { paused, infrastructure_ready } whole { conditions });
merge_fields!(MachineDeployment {
    replicas,
    selector,
    template,
    max_in_flight,
    status_replicas,
    ready_replicas,
    available_replicas,
    unavailable_replicas,
    updated_replicas,
    phase,
} whole { conditions });
merge_fields!(MachineSet {
    replicas,
    selector,
    template,
    status_replicas,
    ready_replicas,
    available_replicas,
} whole { conditions });
merge_fields!(MachineHealthCheck {
    selector,
    unhealthy_conditions,
    max_unhealthy,
    node_startup_timeout,
    expected_machines,
    current_healthy,
    remediations_allowed,
} whole { conditions });

impl MaxUnhealthy {
    /// True if so many unhealthy ones among `expected` may be remediated.
    pub fn allows(self, unhealthy: u32, expected: u32) -> bool {
        let least = if let MaxUnhealthy::Range(least, _) = self { least } else { 0 };
        (least..=self.of(expected)).contains(&unhealthy)
    }

    /// True if there is a least number too.
    pub const fn is_range(self) -> bool {
        matches!(self, MaxUnhealthy::Range(..))
    }

    /// The greatest number of Machines among `expected`.
    pub fn of(self, expected: u32) -> u32 {
        match self {
            MaxUnhealthy::Count(count) | MaxUnhealthy::Range(_, count) => count,
            MaxUnhealthy::Percent(percent) => {
                let scaled = u64::from(expected) * u64::from(percent) / 100;
                u32::try_from(scaled).unwrap_or(u32::MAX)
            }
        }
    }
}

impl fmt::Display for MaxUnhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MaxUnhealthy::Count(count) => count.fmt(f),
            MaxUnhealthy::Percent(percent) => write!(f, "{percent}%"),
            MaxUnhealthy::Range(least, most) => write!(f, "[{least}-{most}]"),
        }
    }
}
