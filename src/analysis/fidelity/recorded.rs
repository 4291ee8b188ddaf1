//! What is held against what: recordings, the scenario that plays them, on which platform and with which
//! settings. A new recording is one line.
//!
//! `docs/fidelity.md` is made from this table, and `cargo test` walks it with fewer seeds. Which findings
//! are explained stands in `explained`, not here.

use super::campaign::Campaign;
use super::compare::{Comparison, compare};
use super::explained::{
    CHECK_BEFORE_MACHINE, COMBINED, CSI_NODE_LATE, FAKE_PROBES, Known, NEVER_UNREADY, PROVISIONED,
    READY_AT_ONCE, SEEN_ONCE, SPAM_FILTER, late,
};
use super::recording::Recording;
use super::steps::{Step, Steps, of_recording};
use std::path::Path;

/// One comparison.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub title: &'static str,
    /// Files of `tests/measured`.
    pub files: &'static [&'static str],
    pub scenario: &'static str,
    pub platform: &'static str,
    pub set: &'static [(&'static str, &'static str)],
    pub about: About,
    /// How many blows one run of the scenario has.
    pub blows: usize,
    /// How many seeds `cargo test` plays.
    pub test_seeds: u64,
    /// A race that went one way when it was recorded: only the simulated runs without this step
    /// went the same way.
    pub without: Option<(&'static str, &'static str, &'static str)>,
    /// What disagrees, and why.
    pub known: &'static [Known],
    /// The first of its blows that are compared, and the one after the last.
    pub part: (usize, usize),
}

/// Which objects a recording knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Everything,
    /// There was no Cluster API.
    Kubernetes,
    /// There were no kubelets, and nothing counts about Pods.
    ControlPlane,
}

/// The platform of Kubernetes 1.30 and Cluster API 1.7.3.
pub const OLD: &str = "lab-k8s-1.30-capi-1.7";
/// The platform of Kubernetes 1.34 and Cluster API 1.14.0.
pub const NEW: &str = "lab-k8s-1.34-capi-1.14";
/// Release 1.7.4 differs from 1.7.3 in these rules.
const V1_7_4: &[(&str, &str)] = &[
    ("clusterApi.drainUnreachableSkip", "1s"),
    ("clusterApi.drainUnreachableGrace", "1s"),
    ("clusterApi.startupCountsInfrastructure", "true"),
    ("clusterApi.nodeProvisioningSaysWhatFor", "true"),
];
const STARTUP: (&str, &str) = ("machineHealthCheck.nodeStartupTimeout", "3m");
const STARTUP_1_7_4: &[(&str, &str)] = &[STARTUP, V1_7_4[0], V1_7_4[1], V1_7_4[2], V1_7_4[3]];
/// A health check that never finds anything.
const NOBODY_REMEDIATES: &[(&str, &str)] = &[
    ("machineHealthCheck.unknownTimeout", "24h"),
    ("machineHealthCheck.falseTimeout", "24h"),
    ("machineHealthCheck.maxUnhealthy", "0"),
];
/// What several reconciles in a row lead to.
const HAND_OVERS: &[&str] = &[
    "Machine/$new",
    "MachineSet",
    "MachineDeployment",
    "MachineHealthCheck",
    "InfraMachine/$new",
    "Node/$new",
];
/// Kubernetes 1.34 under the old Cluster API.
const ON_1_34: &[(&str, &str)] = &[
    ("kubernetes.nodeMonitorGracePeriod", "50s"),
    ("kubernetes.noExecuteInSamePass", "true"),
    ("kubernetes.schedulerNamesTaints", "false"),
];

/// A comparison of everything, with nothing set.
pub(super) const fn held(
    title: &'static str,
    files: &'static [&'static str],
    scenario: &'static str,
    platform: &'static str,
) -> Held {
    let about = About::Everything;
    let (set, without, known): (&[(&str, &str)], _, &[Known]) = (&[], None, &[]);
    let (blows, part, test_seeds) = (1, (0, 1), 40);
    Held { title, files, scenario, platform, set, about, blows, part, test_seeds, without, known }
}

/// A comparison with a run of Kubernetes alone: of so many blows some are alike.
const fn alone(
    title: &'static str,
    files: &'static [&'static str],
    scenario: &'static str,
    platform: &'static str,
    (blows, part): (usize, (usize, usize)),
) -> Held {
    let set = NOBODY_REMEDIATES;
    let about = About::Kubernetes;
    Held { about, set, blows, part, ..held(title, files, scenario, platform) }
}

/// All comparisons with Cluster API and with killed workers, in the order of the document.
pub const ALL: &[Held] = &[
    held(
        "A killed worker, from its last heartbeat to its replacement: capi-v1.7.3-k8s-v1.30.14",
        &[
            "worker_killed-capi-v1.7.3-k8s-v1.30.14-1",
            "worker_killed-capi-v1.7.3-k8s-v1.30.14-2",
            "worker_killed-capi-v1.7.3-k8s-v1.30.14-3",
        ],
        "lab/worker-killed",
        OLD,
    )
    .seeds(120),
    held(
        "A killed worker, from its last heartbeat to its replacement: capi-v1.14.0-k8s-v1.34.4",
        &[
            "worker_killed-capi-v1.14.0-k8s-v1.34.4-1",
            "worker_killed-capi-v1.14.0-k8s-v1.34.4-2",
            "worker_killed-capi-v1.14.0-k8s-v1.34.4-3",
            "worker_killed-capi-v1.14.0-k8s-v1.34.4-4",
        ],
        "lab/worker-killed",
        NEW,
    )
    .seeds(400),
    held(
        "A killed worker: capi-v1.7.4-k8s-v1.30.14",
        &[
            "worker_killed-capi-v1.7.4-k8s-v1.30.14-1",
            "worker_killed-capi-v1.7.4-k8s-v1.30.14-2",
            "worker_killed-capi-v1.7.4-k8s-v1.30.14-3",
        ],
        "lab/worker-killed",
        OLD,
    )
    .set(V1_7_4),
    held(
        "A killed worker: the cross of capi-v1.7.3 on k8s-v1.34.4",
        &["worker_killed-capi-v1.7.3-k8s-v1.34.4-1"],
        "lab/worker-killed",
        OLD,
    )
    .set(ON_1_34)
    .seeds(160),
    alone(
        "Workers killed one after the other: Kubernetes 1.30.14",
        &[
            "worker_killed.k8s-1.30.14.0",
            "worker_killed.k8s-1.30.14.1",
            "worker_killed.k8s-1.30.14.2",
        ],
        "lab/workers-killed",
        OLD,
        (9, (0, 9)),
    )
    .seeds(30),
    alone(
        "Workers killed one after the other: Kubernetes 1.34.4",
        &["worker_killed.k8s-1.34.4.0", "worker_killed.k8s-1.34.4.1", "worker_killed.k8s-1.34.4.2"],
        "lab/workers-killed",
        NEW,
        (9, (0, 9)),
    )
    .seeds(90),
    held(
        "Two of four workers lost at once: capi-v1.7.3-k8s-v1.30.14",
        &["max_unhealthy-capi-v1.7.3-k8s-v1.30.14-1"],
        "lab/max-unhealthy",
        OLD,
    )
    .known(&[FAKE_PROBES, SPAM_FILTER, READY_AT_ONCE[0], READY_AT_ONCE[1], READY_AT_ONCE[2]]),
    held(
        "Two of four workers lost at once: capi-v1.14.0-k8s-v1.34.4",
        &["max_unhealthy-capi-v1.14.0-k8s-v1.34.4-1"],
        "lab/max-unhealthy",
        NEW,
    )
    .known(&[FAKE_PROBES])
    .seeds(200),
    held(
        "A kubelet killed and its Node deleted: capi-v1.7.3-k8s-v1.30.14",
        &["node_deleted_kubelet_dead-capi-v1.7.3-k8s-v1.30.14-1"],
        "lab/node-deleted-kubelet-dead",
        OLD,
    ),
    held(
        "A kubelet killed and its Node deleted: capi-v1.14.0-k8s-v1.34.4",
        &["node_deleted_kubelet_dead-capi-v1.14.0-k8s-v1.34.4-1"],
        "lab/node-deleted-kubelet-dead",
        NEW,
    )
    .known(&[PROVISIONED, late(&["MachineSet"], 3)]),
    held(
        "A Node deleted, its kubelet alive: capi-v1.7.3-k8s-v1.30.14",
        &["node_deleted_kubelet_alive-capi-v1.7.3-k8s-v1.30.14-1"],
        "lab/node-deleted-kubelet-alive",
        OLD,
    )
    .known(&[CHECK_BEFORE_MACHINE, late(HAND_OVERS, 3)]),
    held(
        "A Node deleted, its kubelet alive: capi-v1.14.0-k8s-v1.34.4",
        &["node_deleted_kubelet_alive-capi-v1.14.0-k8s-v1.34.4-1"],
        "lab/node-deleted-kubelet-alive",
        NEW,
    )
    .known(&[PROVISIONED, SEEN_ONCE[0], SEEN_ONCE[1], late(HAND_OVERS, 12)]),
    held(
        "A Node deleted, its kubelet restarted: capi-v1.7.3-k8s-v1.30.14",
        &["node_deleted_kubelet_restarted-capi-v1.7.3-k8s-v1.30.14-1"],
        "lab/node-deleted-kubelet-restarted",
        OLD,
    )
    .known(&[late(HAND_OVERS, 3)]),
    held(
        "A Node deleted, its kubelet restarted: capi-v1.14.0-k8s-v1.34.4",
        &["node_deleted_kubelet_restarted-capi-v1.14.0-k8s-v1.34.4-1"],
        "lab/node-deleted-kubelet-restarted",
        NEW,
    )
    .known(&NEVER_UNREADY)
    .without(("Machine/$victim", "HealthCheckSucceeded", "False NodeDeleted")),
    held(
        "A Machine whose node never starts: capi-v1.7.3-k8s-v1.30.14",
        &["startup_timeout-capi-v1.7.3-k8s-v1.30.14-1"],
        "lab/startup-timeout",
        OLD,
    )
    .set(&[STARTUP]),
    held(
        "A Machine whose node never starts: capi-v1.7.4-k8s-v1.30.14",
        &["startup_timeout-capi-v1.7.4-k8s-v1.30.14-1"],
        "lab/startup-timeout",
        OLD,
    )
    .set(STARTUP_1_7_4),
    held(
        "A Machine whose node never starts: capi-v1.14.0-k8s-v1.34.4",
        &["startup_timeout-capi-v1.14.0-k8s-v1.34.4-1"],
        "lab/startup-timeout",
        NEW,
    )
    .set(&[STARTUP])
    .known(&[late(HAND_OVERS, 12)])
    .seeds(120),
    held(
        "A worker back before the verdict: capi-v1.7.3-k8s-v1.30.14",
        &["recovers_before_timeout-capi-v1.7.3-k8s-v1.30.14-1"],
        "lab/recovers-before-timeout",
        OLD,
    ),
    held(
        "A worker back before the verdict: capi-v1.14.0-k8s-v1.34.4",
        &["recovers_before_timeout-capi-v1.14.0-k8s-v1.34.4-1"],
        "lab/recovers-before-timeout",
        NEW,
    ),
    held(
        "A worker back after the verdict: capi-v1.7.3-k8s-v1.30.14",
        &["recovers_after_marking-capi-v1.7.3-k8s-v1.30.14-1"],
        "lab/recovers-after-marking",
        OLD,
    )
    .known(&[FAKE_PROBES]),
    held(
        "A worker back after the verdict: capi-v1.14.0-k8s-v1.34.4",
        &["recovers_after_marking-capi-v1.14.0-k8s-v1.34.4-1"],
        "lab/recovers-after-marking",
        NEW,
    )
    .known(&[FAKE_PROBES, PROVISIONED]),
];

/// All comparisons of workloads and Nodes without Cluster API, in the order of their document.
pub const WORKLOADS: &[Held] = &[
    alone(
        "A kubelet that hangs for 25 s: Kubernetes 1.30.14",
        &["kubelet_frozen.k8s-1.30.14"],
        "lab/kubelet-frozen",
        OLD,
        (5, (0, 1)),
    ),
    alone(
        "A kubelet that hangs for 25 s: Kubernetes 1.34.4",
        &["kubelet_frozen.k8s-1.34.4"],
        "lab/kubelet-frozen",
        NEW,
        (5, (0, 1)),
    ),
    alone(
        "Kubelets that hang for 70 and 120 s: Kubernetes 1.30.14",
        &["kubelet_frozen.k8s-1.30.14"],
        "lab/kubelet-frozen",
        OLD,
        (5, (1, 3)),
    ),
    alone(
        "Kubelets that hang for 70 and 120 s: Kubernetes 1.34.4",
        &["kubelet_frozen.k8s-1.34.4"],
        "lab/kubelet-frozen",
        NEW,
        (5, (1, 3)),
    ),
    alone(
        "Kubelets that hang for 200 and 330 s: Kubernetes 1.30.14",
        &["kubelet_frozen.k8s-1.30.14"],
        "lab/kubelet-frozen",
        OLD,
        (5, (3, 5)),
    ),
    alone(
        "Kubelets that hang for 200 and 330 s: Kubernetes 1.34.4",
        &["kubelet_frozen.k8s-1.34.4"],
        "lab/kubelet-frozen",
        NEW,
        (5, (3, 5)),
    ),
    alone(
        "Nodes of dead kubelets deleted: Kubernetes 1.30.14",
        &["node_deleted.k8s-1.30.14"],
        "lab/node-deleted",
        OLD,
        (8, (0, 5)),
    ),
    alone(
        "Nodes of dead kubelets deleted: Kubernetes 1.34.4",
        &["node_deleted.k8s-1.34.4"],
        "lab/node-deleted",
        NEW,
        (8, (0, 5)),
    ),
    alone(
        "Nodes of running kubelets deleted: Kubernetes 1.30.14",
        &["node_deleted.k8s-1.30.14"],
        "lab/node-deleted",
        OLD,
        (8, (5, 8)),
    ),
    alone(
        "Nodes of running kubelets deleted: Kubernetes 1.34.4",
        &["node_deleted.k8s-1.34.4"],
        "lab/node-deleted",
        NEW,
        (8, (5, 8)),
    ),
    alone(
        "7 of 12 Nodes lost at once: Kubernetes 1.30.14",
        &["zone_partial_7_of_12.k8s-1.30.14"],
        "lab/zone-partial-7-of-12",
        OLD,
        (1, (0, 1)),
    )
    .known(&[COMBINED]),
    alone(
        "7 of 12 Nodes lost at once: Kubernetes 1.34.4",
        &["zone_partial_7_of_12.k8s-1.34.4"],
        "lab/zone-partial-7-of-12",
        NEW,
        (1, (0, 1)),
    )
    .known(&[COMBINED, CSI_NODE_LATE[0], CSI_NODE_LATE[1], CSI_NODE_LATE[2]]),
    alone(
        "A killed node with Pods of a StatefulSet, a DaemonSet, a Deployment: Kubernetes 1.30.14",
        &["workloads_on_killed_node.k8s-1.30.14"],
        "lab/workloads-on-killed-node",
        OLD,
        (1, (0, 1)),
    ),
    alone(
        "A killed node with Pods of a StatefulSet, a DaemonSet, a Deployment: Kubernetes 1.34.4",
        &["workloads_on_killed_node.k8s-1.34.4"],
        "lab/workloads-on-killed-node",
        NEW,
        (1, (0, 1)),
    ),
];

impl Held {
    const fn set(mut self, set: &'static [(&'static str, &'static str)]) -> Held {
        self.set = set;
        self
    }

    pub(super) const fn seeds(mut self, seeds: u64) -> Held {
        self.test_seeds = seeds;
        self
    }

    pub(super) const fn known(mut self, known: &'static [Known]) -> Held {
        self.known = known;
        self
    }

    /// Only runs in which this did not come.
    const fn without(mut self, step: (&'static str, &'static str, &'static str)) -> Held {
        self.without = Some(step);
        self
    }

    /// The recorded steps; the files lie in `folder`.
    ///
    /// # Errors
    /// Why a file cannot be read, or is no recording.
    pub fn recorded(&self, folder: &Path) -> Result<Vec<Steps>, String> {
        let mut all = Vec::new();
        for name in self.files {
            let path = folder.join(format!("{name}.jsonl"));
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let recording = Recording::read(&text).map_err(|error| format!("{name}: {error}"))?;
            let steps = of_recording(&recording);
            all.extend(self.alike(&steps).cloned());
        }
        Ok(all)
    }

    /// The simulated steps of so many blows, in parallel.
    ///
    /// # Errors
    /// The scenario's mistakes in words.
    pub fn simulated(&self, blows: u64, jobs: u64) -> Result<Vec<Steps>, String> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let each = u64::try_from(self.part.1 - self.part.0).unwrap_or(1);
        let seeds = 1..blows.div_ceil(each) + 1;
        let set = self.set.iter().map(pair).collect();
        let campaign =
            Campaign { scenario: self.scenario, platform: self.platform, set, seeds, jobs };
        let mut steps = campaign.steps().map_err(|wrong| wrong.to_string())?;
        steps = self.alike(&steps).cloned().collect();
        if let Some((role, field, value)) = self.without {
            let gone =
                |step: &Step| step.role == role && step.field == field && step.value == value;
            steps.retain(|run| !run.keys().any(gone));
        }
        let without = match self.about {
            About::Everything => return Ok(steps),
            About::Kubernetes => "Machine",
            About::ControlPlane => "Pod/",
        };
        for run in &mut steps {
            run.retain(|step, _| !step.role.starts_with(without));
        }
        Ok(steps)
    }

    /// Both sides, compared.
    ///
    /// # Errors
    /// As its two sides.
    pub fn compared(&self, folder: &Path, blows: u64, jobs: u64) -> Result<Comparison, String> {
        let (recorded, simulated) = (self.recorded(folder)?, self.simulated(blows, jobs)?);
        Ok(compare(&recorded, &simulated).explain(self.known))
    }

    /// The blows of each run that are compared.
    fn alike<'a>(&self, steps: &'a [Steps]) -> impl Iterator<Item = &'a Steps> {
        let (from, to) = self.part;
        steps.chunks(self.blows).flat_map(move |run| &run[from.min(run.len())..to.min(run.len())])
    }
}
