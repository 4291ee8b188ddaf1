//! Control planes that are remediated: their recordings, what plays them, and what is known to differ.
//!
//! They come from the in-memory backend of Cluster API's own test provider. What that backend does
//! otherwise than machines is named here, each time with its reason; it is nowhere copied.

use super::explained::{Known, Place};
use super::recorded::{About, Held, held};

const OLD: &str = "lab-planes-capi-1.7";
const NEW: &str = "lab-planes-capi-1.14";

/// A comparison in which nothing counts about Pods.
const fn planes(
    title: &'static str,
    files: &'static [&'static str],
    scenario: &'static str,
    platform: &'static str,
) -> Held {
    let about = About::ControlPlane;
    Held { about, ..held(title, files, scenario, platform) }.seeds(8)
}

const KUBELET: &str = "the backend has no kubelets: a Node is written Ready from its birth; here a kubelet registers, \
     is not ready at first, and kubeadm adds the control plane's taint";
const NO_CONTROLLER: &str = "the backend has no node lifecycle controller; here it taints a cordoned Node and writes Events";
const FAKE_PODS: &str = "the drain deletes the backend's fake static Pods, and the etcd Pod is made again at once, with a \
     new member's id (README of the recordings); here static Pods are not drained";
const NODE_GOES: &str = "the backend deletes the Node with its VM, so that somebody looks between that and the Machine's \
     end; here Cluster API deletes it itself, and the Machine is gone milliseconds later";
const NOT_WOKEN: &str = "in the backend of 1.7.3 the Machine's controller is not woken by its Node, and with it the \
     control plane's controller is not (no NodeHealthy at the fault); on a real API server the same release writes \
     NodeHealthy=Unknown at once (worker_killed)";
const DRAIN: &str = "one attempt of the drain lasted its full 20 s, because the etcd Pod that the backend had made again \
     did not go; here static Pods are not drained";
const NODE_READY: &str = "follows the Node's Ready: written with the Node in the backend; a kubelet says it some seconds after it has \
     registered, when the API server of its own VM answers";
const SATURATED: &str = "the recording machine was saturated: 0.1 to 3 s more at every step from reconcile to reconcile (README of the \
     recordings), and these steps lead to each other";

const fn ready_first(healthy: &'static str, other: (&'static str, &'static str)) -> Known {
    Known::Order {
        role: "Machine/$new",
        first: ("NodeHealthy", healthy),
        second: other,
        why: KUBELET,
    }
}

const fn step(
    role: &'static str,
    (field, value): (&'static str, &'static str),
    why: &'static str,
) -> Known {
    Known::Step { role, field, value, why }
}

const NODE: Known =
    Known::Fields { role: "Node/$new", fields: &["Ready", "taint", "event"], why: KUBELET };
const OLD_NODE: Known = Known::Fields {
    role: "Node/$victim",
    fields: &["taint unschedulable", "event"],
    why: NO_CONTROLLER,
};
const SEEN_READY: Known = Known::Earlier {
    steps: &[
        ("Machine/$new", "NodeHealthy", "True NodeHealthy"),
        ("Node/$new", "Ready", "True KubeletReady"),
        ("KubeadmControlPlane", "readyReplicas", "3"),
        ("KubeadmControlPlane", "availableReplicas", "3"),
    ],
    why: NODE_READY,
};
const BACK: Known = step("EtcdMember/$victim", ("member", "member"), FAKE_PODS);
/// From the Node that is Unknown to the control plane's status.
const SEEN: &[&[Place]] = &[
    &[
        ("Machine/$victim", "NodeHealthy", "Unknown NodeHealthyUnknown"),
        ("MachineHealthCheck", "currentHealthy", "2"),
        ("MachineHealthCheck", "remediationsAllowed", "2"),
    ],
    &[
        ("KubeadmControlPlane", "availableReplicas", "2"),
        ("KubeadmControlPlane", "readyReplicas", "2"),
    ],
];
/// From the verdict to the end of a Machine, a reconcile each.
const REPLACING: &[&[Place]] = &[
    &[
        ("Machine/$victim", "HealthCheckSucceeded", "False UnhealthyNode"),
        ("Machine/$victim", "HealthCheckSucceeded", "False HasRemediateAnnotation"),
    ],
    &[("Machine/$victim", "deletionTimestamp", "set")],
    &[
        ("Machine/$victim", "OwnerRemediated", "False MachineDeleting"),
        ("KubeadmControlPlane", "Remediating", "True Remediating"),
        ("Node/$victim", "unschedulable", "True"),
        ("Machine/$victim", "event", "SuccessfulDrainNode"),
        ("Machine/$victim", "event", "NodeVolumesDetached"),
    ],
    &[
        ("Machine/$victim", "Deleting", "True WaitingForPreTerminateHook"),
        ("Machine/$victim", "phase", "Deleting"),
    ],
    &[
        ("KubeadmControlPlane", "availableReplicas", "2"),
        ("KubeadmControlPlane", "readyReplicas", "2"),
        ("EtcdMember/$victim", "member", "removed"),
    ],
    &[
        ("InfraMachine/$victim", "deletionTimestamp", "set"),
        ("Machine/$victim", "Deleting", "True WaitingForInfrastructureDeletion"),
    ],
    &[("InfraMachine/$victim", "exists", "none"), ("Node/$victim", "exists", "none")],
    &[("Machine/$victim", "Deleting", "True WaitingForBootstrapDeletion")],
    &[
        ("Machine/$victim", "Deleting", "True DeletionCompleted"),
        ("Machine/$victim", "exists", "none"),
    ],
    &[
        ("InfraMachine/$new", "exists", "True"),
        ("Machine/$new", "exists", "True"),
        ("KubeadmControlPlane", "Remediating", "False NotRemediating"),
        ("KubeadmControlPlane", "replicas", "2"),
        ("KubeadmControlPlane", "upToDateReplicas", "2"),
    ],
    &[
        ("KubeadmControlPlane", "replicas", "3"),
        ("KubeadmControlPlane", "upToDateReplicas", "3"),
        ("Machine/$new", "Deleting", "False NotDeleting"),
        ("Machine/$new", "NodeHealthy", "Unknown InspectionFailed"),
        ("Machine/$new", "phase", "Pending"),
    ],
    &[("Machine/$new", "phase", "Provisioning")],
    &[("InfraMachine/$new", "ready", "True")],
    &[
        ("Machine/$new", "phase", "Provisioned"),
        ("EtcdMember/$new", "member", "member"),
        ("Machine/$new", "nodeRef", "set"),
        ("Machine/$new", "event", "SuccessfulSetNodeRef"),
        ("Machine/$new", "phase", "Running"),
    ],
    &[
        ("KubeadmControlPlane", "availableReplicas", "3"),
        ("KubeadmControlPlane", "readyReplicas", "3"),
    ],
];
const fn chain(links: &'static [&'static [Place]]) -> Known {
    Known::Chain { links, seconds: 3, why: SATURATED }
}
const NOT_WOKEN_OLD: [Known; 3] = [
    step("KubeadmControlPlane", ("readyReplicas", "2"), NOT_WOKEN),
    step("KubeadmControlPlane", ("unavailableReplicas", "1"), NOT_WOKEN),
    step("Machine/$victim", ("NodeHealthy", "Unknown NodeConditionsFailed"), NOT_WOKEN),
];

/// What differs in every comparison with 1.7.3 in which a Machine is replaced.
const REPLACED_OLD: &[Known] = &[
    NODE,
    OLD_NODE,
    BACK,
    NOT_WOKEN_OLD[0],
    NOT_WOKEN_OLD[1],
    NOT_WOKEN_OLD[2],
    step("Machine/$new", ("NodeHealthy", "False NodeConditionsFailed"), KUBELET),
    ready_first("True", ("nodeRef", "set")),
    ready_first("True", ("phase", "Running")),
    step("Machine/$victim", ("HealthCheckSucceeded", "False NodeNotFound"), NODE_GOES),
    Known::Order {
        role: "Machine/$victim",
        first: ("DrainingSucceeded", "False Draining"),
        second: ("OwnerRemediated", "False RemediationInProgress"),
        why: SATURATED,
    },
    Known::Order {
        role: "Machine/$victim",
        first: ("phase", "Deleting"),
        second: ("NodeHealthy", "False Deleting"),
        why: DRAIN,
    },
];

/// The same with 1.14.0.
const REPLACED_NEW: &[Known] = &[
    NODE,
    OLD_NODE,
    SEEN_READY,
    chain(SEEN),
    chain(REPLACING),
    step("Machine/$new", ("NodeHealthy", "False NodeNotHealthy"), KUBELET),
    ready_first("True NodeHealthy", ("nodeRef", "set")),
    ready_first("True NodeHealthy", ("phase", "Running")),
    step("Machine/$victim", ("NodeHealthy", "False NodeDeleted"), NODE_GOES),
];

/// All comparisons of control planes, in the order of the document.
pub const REMEDIATION: &[Held] = &[
    planes(
        "The Node of etcd's leader is Unknown: capi-v1.7.3",
        &["kcp_leader_unknown-capi-v1.7.3-inmemory-1"],
        "lab/kcp-leader-unknown",
        OLD,
    )
    .known(REPLACED_OLD),
    planes(
        "The Node of etcd's leader is Unknown: capi-v1.14.0",
        &[
            "kcp_leader_unknown-capi-v1.14.0-inmemory-1",
            "kcp_leader_unknown-capi-v1.14.0-inmemory-2",
        ],
        "lab/kcp-leader-unknown",
        NEW,
    )
    .known(REPLACED_NEW)
    .seeds(24),
    planes(
        "The Node of a follower is Unknown: capi-v1.7.3",
        &["kcp_follower_unknown-capi-v1.7.3-inmemory-1"],
        "lab/kcp-follower-unknown",
        OLD,
    )
    .known(REPLACED_OLD),
    planes(
        "The Node of a follower is Unknown: capi-v1.14.0",
        &[
            "kcp_follower_unknown-capi-v1.14.0-inmemory-1",
            "kcp_follower_unknown-capi-v1.14.0-inmemory-2",
        ],
        "lab/kcp-follower-unknown",
        NEW,
    )
    .known(REPLACED_NEW)
    .seeds(24),
    planes(
        "The kubelet of etcd's leader is dead: capi-v1.7.3",
        &["kcp_leader_kubelet_stopped-capi-v1.7.3-inmemory-1"],
        "lab/kcp-leader-kubelet-stopped",
        OLD,
    )
    .known(&NOT_WOKEN_OLD),
    planes(
        "The kubelet of etcd's leader is dead: capi-v1.14.0",
        &["kcp_leader_kubelet_stopped-capi-v1.14.0-inmemory-1"],
        "lab/kcp-leader-kubelet-stopped",
        NEW,
    ),
    planes(
        "The kubelet of a follower is dead: capi-v1.7.3",
        &["kcp_follower_kubelet_stopped-capi-v1.7.3-inmemory-1"],
        "lab/kcp-follower-kubelet-stopped",
        OLD,
    )
    .known(REPLACED_OLD)
    // How many dials of 10 s come before is drawn.
    .seeds(16),
    planes(
        "A person marks a follower's Machine: capi-v1.14.0",
        &["kcp_remediate_annotation-capi-v1.14.0-inmemory-1"],
        "lab/kcp-remediate-annotation",
        NEW,
    )
    .known(REPLACED_NEW),
];
