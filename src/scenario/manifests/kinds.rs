//! The kinds of manifests: those that are played, and those that stand beside them in files.

/// Which shape an object has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `cluster.x-k8s.io/v1beta1`: durations as Go writes them.
    V1Beta1,
    /// `cluster.x-k8s.io/v1beta2`: durations in seconds, fields in groups.
    V1Beta2,
    /// Kubernetes' own, which have one.
    V1,
}

/// What a kind and an API version mean together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Played(Version),
    /// It decides nothing here, or what it decides isn't modeled.
    LeftOut(&'static str),
    /// The kind is known, in these API versions.
    OtherVersion(&'static str),
    /// Objects that are played are made from it, and these words say how to come by them.
    Instead(&'static str),
    Unknown,
}

/// A kind that is played.
#[derive(Debug)]
pub struct Played {
    pub kind: &'static str,
    versions: &'static [(&'static str, Version)],
    /// The versions in words.
    right: &'static str,
}

const CLUSTER_API: &[(&str, Version)] = &[
    ("cluster.x-k8s.io/v1beta1", Version::V1Beta1),
    ("cluster.x-k8s.io/v1beta2", Version::V1Beta2),
];
const CONTROL_PLANE: &[(&str, Version)] = &[
    ("controlplane.cluster.x-k8s.io/v1beta1", Version::V1Beta1),
    ("controlplane.cluster.x-k8s.io/v1beta2", Version::V1Beta2),
];

/// The kinds that are played, each with its API versions.
pub const PLAYED: [Played; 5] = [
    Played {
        kind: "MachineHealthCheck",
        versions: CLUSTER_API,
        right: "`cluster.x-k8s.io/v1beta1` or `cluster.x-k8s.io/v1beta2`",
    },
    Played {
        kind: "KubeadmControlPlane",
        versions: CONTROL_PLANE,
        right: "`controlplane.cluster.x-k8s.io/v1beta1` or `controlplane.cluster.x-k8s.io/v1beta2`",
    },
    Played {
        kind: "MachineDeployment",
        versions: CLUSTER_API,
        right: "`cluster.x-k8s.io/v1beta1` or `cluster.x-k8s.io/v1beta2`",
    },
    Played { kind: "Deployment", versions: &[("apps/v1", Version::V1)], right: "`apps/v1`" },
    Played {
        kind: "PodDisruptionBudget",
        versions: &[("policy/v1", Version::V1)],
        right: "`policy/v1`",
    },
];

/// Where a field stands in v1beta1 and where in v1beta2, by kind, from the nearest mapping that both
/// have.
const MOVED: [(&str, &str, &str); 16] = [
    (CHECK, "unhealthyConditions", "checks.unhealthyNodeConditions"),
    (CHECK, "maxUnhealthy", "remediation.triggerIf.unhealthyLessThanOrEqualTo"),
    (CHECK, "unhealthyRange", "remediation.triggerIf.unhealthyInRange"),
    (CHECK, "nodeStartupTimeout", "checks.nodeStartupTimeoutSeconds"),
    (CHECK, "timeout", "timeoutSeconds"),
    (PLANE, "remediationStrategy", "remediation"),
    (PLANE, "retryPeriod", "retryPeriodSeconds"),
    (PLANE, "minHealthyPeriod", "minHealthyPeriodSeconds"),
    (PLANE, "rolloutStrategy", "rollout.strategy"),
    (POOL, "strategy.remediation", "remediation"),
    (POOL, "strategy.rollingUpdate.deletePolicy", "deletion.order"),
    (POOL, "strategy.rollingUpdate", "rollout.strategy.rollingUpdate"),
    (ANY, "nodeDrainTimeout", "deletion.nodeDrainTimeoutSeconds"),
    (ANY, "nodeVolumeDetachTimeout", "deletion.nodeVolumeDetachTimeoutSeconds"),
    (ANY, "nodeDeletionTimeout", "deletion.nodeDeletionTimeoutSeconds"),
    (CHECK, "unhealthyMachineConditions", "checks.unhealthyMachineConditions"),
];
const CHECK: &str = "MachineHealthCheck";
const PLANE: &str = "KubeadmControlPlane";
const POOL: &str = "MachineDeployment";
/// Of what has Machines.
const ANY: &str = "";

/// What the other version's field of this name is called in a version.
pub fn called(kind: &str, version: Version, name: &str) -> Vec<&'static str> {
    let of_kind = |of: &str| of == kind || of == ANY && [PLANE, POOL].contains(&kind);
    let means = |path: &str| {
        let mut parts = path.split('.');
        parts.next() == Some(name) || parts.next_back() == Some(name)
    };
    let moved = MOVED.iter().filter(|(of, ..)| of_kind(of));
    let pair = moved.filter_map(|(_, old, new)| match version {
        Version::V1Beta1 => Some((*new, *old)),
        Version::V1Beta2 => Some((*old, *new)),
        Version::V1 => None,
    });
    let pairs: Vec<(&str, &str)> = pair.collect();
    // A name that this version has too is no sign of the other.
    if pairs.iter().any(|(_, here)| means(here)) {
        return Vec::new();
    }
    pairs.into_iter().filter(|(there, _)| means(there)).map(|(_, here)| here).collect()
}

/// Kinds that stand beside these in files, and why they are not played.
const LEFT_OUT: [(&[&str], &str); 4] = [
    (
        &["StatefulSet", "DaemonSet", "Job", "Pod", "CronJob", "ReplicaSet"],
        "of workloads only a Deployment is read from a manifest; a scenario has the others under \
         spec.workloads",
    ),
    (
        &[
            "Cluster",
            "ClusterClass",
            "MachineSet",
            "MachinePool",
            "Machine",
            "KubeadmConfig",
            "KubeadmConfigTemplate",
        ],
        "the platform has its own; of Cluster API a MachineHealthCheck, a KubeadmControlPlane and a \
         MachineDeployment are read",
    ),
    (
        &[
            "MachineDrainRule",
            "PriorityClass",
            "HorizontalPodAutoscaler",
            "PersistentVolumeClaim",
            "StorageClass",
            "NetworkPolicy",
            "ResourceQuota",
            "LimitRange",
        ],
        "it can matter for healing and isn't modeled",
    ),
    (
        &[
            "Service",
            "Ingress",
            "ConfigMap",
            "Secret",
            "Namespace",
            "ServiceAccount",
            "Role",
            "RoleBinding",
            "ClusterRole",
            "ClusterRoleBinding",
            "CustomResourceDefinition",
            "ClusterResourceSet",
            "Endpoints",
            "EndpointSlice",
        ],
        "it decides nothing about healing",
    ),
];

/// A kind from which somebody makes those that are played, and how to come by them.
const BUILT_FROM: [(&str, &str); 1] = [(
    "TanzuKubernetesCluster",
    "give what the Supervisor has made of it: `kubectl get kcp,md,mhc -n NAMESPACE -o yaml`",
)];

/// What a kind and an API version mean.
pub fn kind_of(kind: &str, api_version: &str) -> Found {
    if let Some(played) = PLAYED.iter().find(|played| played.kind == kind) {
        let found = played.versions.iter().find(|(version, _)| *version == api_version);
        let other = Found::OtherVersion(played.right);
        return found.map_or(other, |(_, version)| Found::Played(*version));
    }
    if let Some((_, why)) = LEFT_OUT.iter().find(|(kinds, _)| kinds.contains(&kind)) {
        return Found::LeftOut(why);
    }
    if let Some((_, instead)) = BUILT_FROM.iter().find(|(built, _)| *built == kind) {
        return Found::Instead(instead);
    }
    if api_version.starts_with("infrastructure.cluster.x-k8s.io/") {
        return Found::LeftOut(
            "how long VMs take is the platform's: `infra.*` of `healsim list settings`",
        );
    }
    Found::Unknown
}

/// The kinds that are played, in a line.
pub fn names() -> String {
    PLAYED.map(|played| played.kind).join(", ")
}
