//! The rules and numbers of a Cluster API release, one setting per rule.

use crate::api::Kind;
use crate::client::{ClientSettings, Pauses, ProbeSettings, ShellSettings};
use crate::engine::Duration;

/// How the controllers behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    /// How long an answer of the workload cluster is waited for.
    pub remote_timeout: Duration,
    pub shell: ShellSettings,
    /// Whether the control plane's MachineHealthCheck has limits of its own.
    pub tells_checks_apart: bool,
    /// Between two reconciles of one MachineHealthCheck.
    pub health_check_gap: Duration,
    /// Added to a MachineHealthCheck's next look.
    pub health_check_slack: Duration,
    /// Whether it reacts only to changes of conditions, references, labels and annotations.
    pub health_check_filters_events: bool,
    /// Whether a restricted check comes again by itself, with growing pauses.
    pub health_check_requeues_restricted: bool,
    /// Whether the infrastructure's readiness restarts the startup clock.
    pub startup_counts_infrastructure: bool,
    /// Whether `NodeHealthy=False NodeProvisioning` of v1beta1 says what is waited for.
    pub node_provisioning_says_what_for: bool,
    /// Whether a Cluster that is not up yet excuses a Machine whose Node is gone.
    pub health_check_asks_cluster_first: bool,
    /// Whether Machines that are being deleted are marked for remediation again.
    pub marks_deleting_machines: bool,
    /// What a MachineSet writes about a Machine that it deletes for its health.
    pub marking: Marking,
    /// Whether a MachineSet spares a marked Machine that has recovered before it acted.
    pub forgives_recovered: bool,
    /// Whether a MachineSet counts Machines that say they are ready, else those whose Node is.
    pub counts_ready_machines: bool,
    /// Whether it looks at `maxInFlight`.
    pub limits_remediation: bool,
    pub delete_policy: DeletePolicy,
    /// Whether, when it shrinks at random, the annotation `delete-machine` comes before ill health.
    pub delete_annotation_first: bool,
    /// Whether then a Node of unknown health counts as ill.
    pub scale_down_blames_unknown: bool,
    /// Whether a Machine that goes without a Node looks for one once more.
    pub deletion_looks_for_node: bool,
    /// Whether nobody waits for the volumes of a Node whose Ready is Unknown.
    pub volume_wait_skips_unreachable: bool,
    /// While not all of its Machines are ready, a MachineSet looks again this soon.
    pub not_ready_requeue: Duration,
    /// Whether a MachineSet looks at the control plane before it creates Machines or deletes
    /// unhealthy ones, and when it looks again while that holds it.
    pub machine_set_preflight: Option<Duration>,
    /// How a MachineSet waits for its cache to show what it did: how often, and for how long. With no
    /// pause it writes its status at once, and what it did counts until the cache shows it.
    pub cache_poll: Duration,
    pub cache_timeout: Duration,
    /// By which count a MachineDeployment is `ScalingUp`.
    pub scaling_phase: Counting,
    pub drain: Drain,
    /// Between two tries to delete a Node, and for how long in one reconcile.
    pub node_deletion_poll: Duration,
    pub node_deletion_limit: Duration,
    pub resync: Duration,
    pub resync_jitter_percent: u64,
    pub probe: ProbeSettings,
    /// For how long Machines say what they did of their Nodes once the workload cluster is
    /// disconnected.
    pub conditions_grace: Duration,
    /// Everything is looked at again when the workload cluster is lost, and when it is connected
    /// again.
    pub reconnection_enqueues: bool,
    pub pauses: Pauses,
    pub bootstrap: Bootstrap,
    pub wording: Wording,
    /// The kind of the provider's objects, of which the manager watches one.
    ///
    /// Simplified: the real one begins to watch a kind when it first meets a reference to it.
    pub infrastructure: Kind,
}

/// How Nodes are drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    pub style: DrainStyle,
    /// On an unreachable Node, Pods are not waited for once their deletion time is this long past.
    pub unreachable_skip: Duration,
    /// The grace period that evictions on an unreachable Node ask for; the Pod's own if none.
    pub unreachable_grace: Option<Duration>,
    /// Until the next attempt or pass.
    pub retry: Duration,
    /// Whether each reconcile drains again, even while the provider's object goes.
    pub repeats: bool,
    pub clock: DrainClock,
}

/// From when on a Machine's `nodeDrainTimeout` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainClock {
    /// From the last change of the condition DrainingSucceeded: each error with other words begins it anew.
    Condition,
    /// From the first attempt.
    Beginning,
}

/// Which Machines go first when a MachineSet shrinks, among healthy ones that nobody named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletePolicy {
    /// By name, in truth.
    Random,
    Oldest,
    Newest,
}

/// Whether a drain blocks its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainStyle {
    /// Attempts that last this long and look this often (up to 1.8). Each evicts every Pod, and
    /// tries one that a budget refuses again after `refused_retry`.
    Attempts { length: Duration, poll: Duration, refused_retry: Duration },
    /// Single passes. Pods that are being deleted are not evicted again.
    Passes,
}

/// What becomes of `OwnerRemediated` when a MachineSet deletes the Machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marking {
    /// True, after the deletion.
    TrueAfterwards,
    /// False with reason MachineDeleting, before it.
    DeletingBefore,
}

/// Which replicas are compared with the wanted ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    Ready,
    All,
}

/// Where the user data of new Machines comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// `dataSecretName` stands in the template; nothing has to be made.
    Given,
    /// Each Machine has a KubeadmConfig, from which the bootstrap provider makes it.
    Kubeadm,
}

/// The words of conditions and Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    V1Beta1,
    V1Beta2,
}
