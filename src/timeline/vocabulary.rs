//! The words of a timeline: which kinds there are, which fields each has, and what these can hold.
//!
//! Who asks for what no entry can say would wait for ever, so questions are held against this
//! table. A new kind of object, or a new field in `api/change.rs`, adds its line here; a test plays
//! all scenarios and fails for what is missing.

/// What a field can hold, besides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A text that nobody can list: a name, a message, a list of taints.
    Text,
    Count,
    /// Present or absent.
    True,
    OneOf(&'static [&'static str]),
}

/// A name, which may end in `*` where a part of it is drawn, and what the field can hold.
type Field = (&'static str, Holds);

/// A condition's status.
const STATUS: Holds = Holds::OneOf(&["True", "False", "Unknown"]);
const SET: Holds = Holds::OneOf(&["set"]);

/// What every object of an API has: it comes, it goes, and Events tell of it.
const COMMON: &[Field] =
    &[("exists", Holds::True), ("event", Holds::OneOf(EVENTS)), ("deletionTimestamp", SET)];

/// The reasons of all Events that anybody here records; a debug build stops at another.
pub const EVENTS: &[&str] = &[
    "BackOff",
    "BackoffLimitExceeded",
    "Completed",
    "ControlPlaneUnhealthy",
    "DeletingNode",
    "DetectedUnhealthy",
    "Evicted",
    "EvictionThresholdMet",
    "Failed",
    "FailedAttachVolume",
    "FailedCreate",
    "FailedDaemonPod",
    "FailedDeleteNode",
    "FailedDrainNode",
    "FailedScaleUp",
    "FailedScheduling",
    "FailedToUpdateEndpointSlices",
    "FailedWaitForVolumeDetach",
    "Killing",
    "LeaderElection",
    "MachineMarkedUnhealthy",
    "NoPods",
    "NodeNotReady",
    "NodeVolumesDetached",
    "NotDeleted",
    "Pulled",
    "Pulling",
    "RegisteredNode",
    "RemediationRestricted",
    "RemovingNode",
    "ScalingReplicaSet",
    "Scheduled",
    "SucceededDaemonPod",
    "SuccessfulAttachVolume",
    "SuccessfulCreate",
    "SuccessfulDelete",
    "SuccessfulDrainNode",
    "SuccessfulScale",
    "SuccessfulSetNodeRef",
    "Synced",
    "TaintManagerEviction",
    "Unhealthy",
];

const COUNT: Holds = Holds::Count;

const REPLICAS: &[Field] =
    &[("replicas", COUNT), ("readyReplicas", COUNT), ("availableReplicas", COUNT)];

/// What is no object of an API, with all of its fields.
const THINGS: &[(&str, &[Field])] = &[
    ("Endpoint", &[("backends", Holds::Text)]),
    (
        "EtcdMember",
        &[
            ("exists", Holds::True),
            ("leader", Holds::Text),
            ("role", Holds::OneOf(&["Follower", "PreCandidate", "Candidate", "Leader"])),
        ],
    ),
    ("Fault", &[("injected", Holds::Text)]),
    (
        "Host",
        &[
            ("power", Holds::OneOf(&["on", "off"])),
            ("connectionState", Holds::OneOf(&["connected", "notResponding"])),
            (
                "dasHostState",
                Holds::OneOf(&[
                    "master",
                    "connectedToMaster",
                    "election",
                    "fdmUnreachable",
                    "hostDown",
                ]),
            ),
        ],
    ),
    ("Probe", &[("status", Holds::OneOf(&["ok", "degraded", "down"])), ("response", Holds::Text)]),
    (
        "Process",
        &[
            ("running", Holds::True),
            ("serving", Holds::True),
            ("frozen", Holds::True),
            ("log", Holds::Text),
        ],
    ),
    (
        "VM",
        &[
            ("exists", Holds::True),
            ("power", Holds::OneOf(&["on", "off"])),
            ("host", Holds::Text),
            ("connectionState", Holds::OneOf(&["connected", "disconnected"])),
        ],
    ),
];

/// Each kind of object with the fields that it has besides the common ones.
const OBJECTS: &[(&str, &[Field])] = &[
    ("Cluster", &[("InfrastructureReady", STATUS), ("ControlPlaneInitialized", STATUS)]),
    ("Deployment", REPLICAS),
    ("ConfigMap", &[("jws-kubeconfig-*", Holds::True)]),
    (
        "DaemonSet",
        &[
            ("desiredNumberScheduled", COUNT),
            ("currentNumberScheduled", COUNT),
            ("numberReady", COUNT),
            ("numberAvailable", COUNT),
        ],
    ),
    ("EndpointSlice", &[("endpoints", COUNT)]),
    ("InfraMachine", &[("providerID", Holds::Text), ("ready", Holds::True)]),
    (
        "Job",
        &[
            ("active", COUNT),
            ("succeeded", COUNT),
            ("failed", COUNT),
            ("Complete", STATUS),
            ("SuccessCriteriaMet", STATUS),
            ("FailureTarget", STATUS),
            ("Failed", STATUS),
        ],
    ),
    (
        "KubeadmConfig",
        &[
            ("dataSecretName", Holds::Text),
            ("ready", Holds::True),
            ("DataSecretAvailable", STATUS),
            ("Ready", STATUS),
            ("Paused", STATUS),
        ],
    ),
    (
        "KubeadmControlPlane",
        &[
            ("spec.replicas", COUNT),
            ("initialized", Holds::True),
            ("ready", Holds::True),
            ("replicas", COUNT),
            ("readyReplicas", COUNT),
            ("updatedReplicas", COUNT),
            ("unavailableReplicas", COUNT),
            ("upToDateReplicas", COUNT),
            ("availableReplicas", COUNT),
            ("Ready", STATUS),
            ("Available", STATUS),
            ("MachinesReady", STATUS),
            ("Resized", STATUS),
            ("ScalingUp", STATUS),
            ("Remediating", STATUS),
            ("Paused", STATUS),
            ("ControlPlaneComponentsHealthy", STATUS),
            ("EtcdClusterHealthy", STATUS),
            ("annotation *", Holds::Text),
        ],
    ),
    ("Lease", &[("holder", Holds::Text)]),
    (
        "Machine",
        &[
            (
                "phase",
                Holds::OneOf(&["Pending", "Provisioning", "Provisioned", "Running", "Deleting"]),
            ),
            ("dataSecretName", Holds::Text),
            ("annotation *", Holds::Text),
            ("nodeRef", Holds::Text),
            ("providerID", Holds::Text),
            ("infrastructureReady", Holds::True),
            ("BootstrapReady", STATUS),
            ("BootstrapConfigReady", STATUS),
            ("InfrastructureReady", STATUS),
            ("NodeHealthy", STATUS),
            ("HealthCheckSucceeded", STATUS),
            ("OwnerRemediated", STATUS),
            ("APIServerPodHealthy", STATUS),
            ("ControllerManagerPodHealthy", STATUS),
            ("SchedulerPodHealthy", STATUS),
            ("EtcdPodHealthy", STATUS),
            ("EtcdMemberHealthy", STATUS),
            ("DrainingSucceeded", STATUS),
            ("v1beta1.DrainingSucceeded", STATUS),
            ("VolumeDetachSucceeded", STATUS),
            ("v1beta1.VolumeDetachSucceeded", STATUS),
            ("Deleting", STATUS),
            ("Ready", STATUS),
            ("Paused", STATUS),
        ],
    ),
    (
        "MachineDeployment",
        &[
            ("phase", Holds::OneOf(&["Running", "ScalingUp", "ScalingDown"])),
            ("spec.replicas", COUNT),
            ("replicas", COUNT),
            ("readyReplicas", COUNT),
            ("availableReplicas", COUNT),
            ("unavailableReplicas", COUNT),
            ("Remediating", STATUS),
            ("Paused", STATUS),
        ],
    ),
    (
        "MachineHealthCheck",
        &[
            ("expectedMachines", COUNT),
            ("currentHealthy", COUNT),
            ("remediationsAllowed", COUNT),
            ("RemediationAllowed", STATUS),
            ("Paused", STATUS),
        ],
    ),
    (
        "MachineSet",
        &[
            ("spec.replicas", COUNT),
            ("replicas", COUNT),
            ("readyReplicas", COUNT),
            ("availableReplicas", COUNT),
            ("Remediating", STATUS),
            ("Paused", STATUS),
        ],
    ),
    (
        "Node",
        &[
            ("label *", Holds::Text),
            ("Ready", STATUS),
            ("MemoryPressure", STATUS),
            ("DiskPressure", STATUS),
            ("PIDPressure", STATUS),
            ("taints", Holds::Text),
            ("unschedulable", Holds::True),
            ("volumesAttached", Holds::Text),
            ("volumesInUse", Holds::Text),
            ("providerID", Holds::Text),
        ],
    ),
    (
        "Pod",
        &[
            ("phase", Holds::OneOf(&["Pending", "Running", "Succeeded", "Failed"])),
            ("nodeName", Holds::Text),
            ("restartCount", COUNT),
            ("waiting", Holds::Text),
            ("Ready", STATUS),
            ("Initialized", STATUS),
            ("ContainersReady", STATUS),
            ("PodScheduled", STATUS),
            ("DisruptionTarget", STATUS),
        ],
    ),
    ("PersistentVolumeClaim", &[]),
    (
        "PodDisruptionBudget",
        &[
            ("expectedPods", COUNT),
            ("desiredHealthy", COUNT),
            ("currentHealthy", COUNT),
            ("disruptionsAllowed", COUNT),
        ],
    ),
    ("ReplicaSet", REPLICAS),
    ("Secret", &[("expiration", Holds::Text)]),
    ("Service", &[]),
    ("StatefulSet", REPLICAS),
    (
        "VSphereMachine",
        &[
            ("providerID", Holds::Text),
            ("vmstatus", Holds::Text),
            ("ready", Holds::True),
            ("Ready", STATUS),
            ("VMProvisioned", STATUS),
        ],
    ),
    (
        "VirtualMachine",
        &[
            ("powerState", Holds::OneOf(&["PoweredOn", "PoweredOff"])),
            ("biosUUID", Holds::Text),
            ("primaryIP4", Holds::Text),
            ("VirtualMachineCreated", STATUS),
            ("Ready", STATUS),
        ],
    ),
    ("VolumeAttachment", &[("attached", Holds::True), ("nodeName", Holds::Text)]),
];

/// The names of all kinds.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    OBJECTS.iter().chain(THINGS).map(|(kind, _)| *kind)
}

/// The fields of a kind; none if there is no such kind.
pub fn fields(kind: &str) -> impl Iterator<Item = Field> {
    let of = |table: &'static [(&str, &'static [Field])]| {
        table.iter().find(|(name, _)| *name == kind).map(|(_, fields)| *fields)
    };
    let (object, thing) = (of(OBJECTS), of(THINGS));
    let common = object.map_or(&[] as &[Field], |_| COMMON);
    object.or(thing).unwrap_or_default().iter().chain(common).copied()
}

/// What a field of a kind can hold; nothing if the kind has no such field.
pub fn holds(kind: &str, field: &str) -> Option<Holds> {
    let is = |name: &str| match name.strip_suffix('*') {
        Some(start) => field.starts_with(start),
        None => field == name,
    };
    fields(kind).find(|(name, _)| is(name)).map(|(_, holds)| holds)
}

impl Holds {
    /// All that a field of this sort can hold, if that can be listed.
    pub const fn words(self) -> Option<&'static [&'static str]> {
        match self {
            Holds::Text | Holds::Count => None,
            Holds::True => Some(&["true", "false"]),
            Holds::OneOf(words) => Some(words),
        }
    }

    /// True if a field of this sort can hold a value of this text.
    pub fn can_be(self, text: &str) -> bool {
        match (self, self.words()) {
            (_, Some(words)) => words.contains(&text),
            (Holds::Count, None) => text.parse::<i64>().is_ok(),
            _ => true,
        }
    }
}
