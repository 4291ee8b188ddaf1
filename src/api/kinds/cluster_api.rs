//! Cluster API's sets and checks: Cluster, MachineDeployment, MachineSet, MachineHealthCheck.

use super::{Conditions, MachineSpec, Status};
use crate::api::Labels;
use crate::api::merge::merge_fields;
use crate::engine::{Duration, Text};

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

/// Up to how many Machines may be unhealthy for remediation to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxUnhealthy {
    Count(u32),
    /// Of the expected Machines, rounded down.
    Percent(u32),
}

merge_fields!(Cluster { paused, infrastructure_ready } deep { conditions });
merge_fields!(MachineDeployment {
    replicas,
    selector,
    template,
    status_replicas,
    ready_replicas,
    available_replicas,
    unavailable_replicas,
    updated_replicas,
    phase,
} deep { conditions });
merge_fields!(MachineSet {
    replicas,
    selector,
    template,
    status_replicas,
    ready_replicas,
    available_replicas,
} deep { conditions });
merge_fields!(MachineHealthCheck {
    selector,
    unhealthy_conditions,
    max_unhealthy,
    node_startup_timeout,
    expected_machines,
    current_healthy,
    remediations_allowed,
} deep { conditions });

impl MaxUnhealthy {
    /// The number of Machines among `expected`.
    pub fn of(self, expected: u32) -> u32 {
        match self {
            MaxUnhealthy::Count(count) => count,
            MaxUnhealthy::Percent(percent) => {
                let scaled = u64::from(expected) * u64::from(percent) / 100;
                u32::try_from(scaled).unwrap_or(u32::MAX)
            }
        }
    }
}
