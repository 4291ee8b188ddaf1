//! How candidates and leaders of a release behave. What an election does with it is not known here.

use crate::client::retry::RetrySettings;
use crate::engine::{Duration, Rule};

/// How candidates and leaders behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElectionSettings {
    /// `--leader-elect-lease-duration`
    pub lease: Duration,
    /// `--leader-elect-renew-deadline`; a request is given up after half of it.
    pub deadline: Duration,
    /// `--leader-elect-retry-period`
    pub retry: Duration,
    /// A candidate's pause is longer by a random part of it, up to this percentage.
    pub jitter_percent: u64,
    pub retries: RetrySettings,
    /// Rule: a leader that ends gives its Lease away.
    pub release_on_cancel: bool,
    pub renewal: Renewal,
    pub rules: ElectionRules,
}

/// What the waits of an election are there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElectionRules {
    pub deadline: Rule,
    pub retry: Rule,
}

impl ElectionRules {
    /// Of the control plane's own processes.
    pub const KUBERNETES: ElectionRules = ElectionRules {
        deadline: "kubernetes.leaderElectRenewDeadline",
        retry: "kubernetes.leaderElectRetryPeriod",
    };

    /// Of the managers of Cluster API, and of others that are built on controller-runtime.
    pub const CLUSTER_API: ElectionRules = ElectionRules {
        deadline: "clusterApi.leaderElectRenewDeadline",
        retry: "clusterApi.leaderElectRetryPeriod",
    };

    /// Of the KubeadmControlPlane's manager.
    pub const CONTROL_PLANE: ElectionRules = ElectionRules {
        deadline: "clusterApi.controlPlaneLeaderElectRenewDeadline",
        retry: "clusterApi.controlPlaneLeaderElectRetryPeriod",
    };
}

/// How a leader that has been seen to hold its Lease renews it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It reads the Lease first (up to 1.29).
    Read,
    /// It writes over what it wrote last, and looks only if that fails; with its word for this in the
    /// log, which was misspelled up to 1.31.
    Unread(&'static str),
}
