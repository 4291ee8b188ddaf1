//! The metrics that there are, by name, and which of them tell a field of an object.
//!
//! Names, labels and meaning follow `kubernetes/kube-state-metrics:docs/metrics`,
//! `kubernetes-sigs/cluster-api:config/metrics/crd-metrics-config.yaml` (v1beta2 names; the
//! conditions are those that the run's release writes), `etcd-io/etcd:server/etcdserver/metrics.go`,
//! and Prometheus' and the Blackbox exporter's own. State sets are gauges, as kube-state-metrics
//! exposes them, because OpenMetrics wants another label name for them.

use super::{Family, Type};

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Type::Gauge, help }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Type::Counter, help }
}

/// All metrics, in the order in which they are written.
pub(super) const FAMILIES: &[Family] = &[
    gauge(
        "up",
        "Whether the target's last scrape succeeded: its process runs, on a VM that is on.",
    ),
    gauge("probe_success", "Whether a user who tries it is not down."),
    gauge("etcd_server_has_leader", "Whether the member knows a leader."),
    gauge("etcd_server_is_leader", "Whether the member leads."),
    counter(
        "etcd_server_leader_changes_seen_total",
        "Leaders that the member has seen since it started; before the run that was one.",
    ),
    gauge("kube_node_created", "When the Node was created, in Unix time."),
    gauge("kube_node_spec_unschedulable", "Whether the Node is cordoned."),
    gauge("kube_node_spec_taint", "A taint of the Node."),
    gauge("kube_node_status_condition", "A condition of the Node: 1 for the status that it has."),
    gauge("kube_pod_created", "When the Pod was created, in Unix time."),
    gauge("kube_pod_info", "The Pod, with the Node that it is bound to."),
    gauge("kube_pod_status_phase", "The Pod's phase: 1 for the one that it is in."),
    gauge("kube_pod_status_ready", "Whether the Pod is Ready: 1 for the status that it has."),
    gauge("kube_pod_status_scheduled", "Whether the Pod is scheduled: 1 for the status."),
    counter("kube_pod_container_status_restarts_total", "Restarts of the Pod's container."),
    gauge("kube_deployment_created", "When the Deployment was created, in Unix time."),
    gauge("kube_deployment_spec_replicas", "Pods wanted, once that has changed."),
    gauge("kube_deployment_status_replicas", "Pods of the Deployment."),
    gauge("kube_deployment_status_replicas_ready", "Ready Pods of the Deployment."),
    gauge("kube_deployment_status_replicas_available", "Available Pods of the Deployment."),
    gauge("kube_replicaset_created", "When the ReplicaSet was created, in Unix time."),
    gauge("kube_replicaset_status_replicas", "Pods of the ReplicaSet."),
    gauge("kube_replicaset_status_ready_replicas", "Ready Pods of the ReplicaSet."),
    gauge("kube_statefulset_created", "When the StatefulSet was created, in Unix time."),
    gauge("kube_statefulset_status_replicas", "Pods of the StatefulSet."),
    gauge("kube_statefulset_status_replicas_ready", "Ready Pods of the StatefulSet."),
    gauge("kube_statefulset_status_replicas_available", "Available Pods of the StatefulSet."),
    gauge("kube_daemonset_created", "When the DaemonSet was created, in Unix time."),
    gauge("kube_daemonset_status_desired_number_scheduled", "Nodes that should run its Pod."),
    gauge("kube_daemonset_status_current_number_scheduled", "Nodes that run its Pod."),
    gauge("kube_daemonset_status_number_ready", "Nodes on which its Pod is Ready."),
    gauge("kube_daemonset_status_number_available", "Nodes on which its Pod is available."),
    gauge("kube_job_created", "When the Job was created, in Unix time."),
    gauge("kube_job_status_active", "Running Pods of the Job."),
    gauge("kube_job_status_succeeded", "Pods of the Job that have succeeded."),
    gauge("kube_job_status_failed", "Pods of the Job that have failed."),
    gauge("kube_poddisruptionbudget_created", "When the budget was created, in Unix time."),
    gauge("kube_poddisruptionbudget_status_current_healthy", "Healthy Pods."),
    gauge("kube_poddisruptionbudget_status_desired_healthy", "Healthy Pods wanted at least."),
    gauge("kube_poddisruptionbudget_status_pod_disruptions_allowed", "Pods that may be evicted."),
    gauge("kube_poddisruptionbudget_status_expected_pods", "Pods that the budget counts."),
    gauge("capi_machine_created", "When the Machine was created, in Unix time."),
    gauge("capi_machine_status_phase", "The Machine's phase: 1 for the one that it is in."),
    gauge("capi_machine_status_condition", "A condition of the Machine: 1 for its status."),
    gauge("capi_machine_status_noderef", "The Node that the Machine refers to."),
    gauge("capi_machineset_spec_replicas", "Machines wanted, once that has changed."),
    gauge("capi_machineset_status_replicas", "Machines of the MachineSet."),
    gauge("capi_machineset_status_replicas_ready", "Ready Machines of the MachineSet."),
    gauge("capi_machineset_status_replicas_available", "Available Machines of the MachineSet."),
    gauge("capi_machineset_status_condition", "A condition of the MachineSet: 1 for its status."),
    gauge("capi_machinedeployment_created", "When the MachineDeployment was created."),
    gauge("capi_machinedeployment_spec_replicas", "Machines wanted, once that has changed."),
    gauge("capi_machinedeployment_status_phase", "Its phase: 1 for the one that it is in."),
    gauge("capi_machinedeployment_status_condition", "A condition of it: 1 for its status."),
    gauge("capi_machinedeployment_status_replicas", "Machines of the MachineDeployment."),
    gauge("capi_machinedeployment_status_replicas_ready", "Its ready Machines."),
    gauge("capi_machinedeployment_status_replicas_available", "Its available Machines."),
    gauge("capi_machinehealthcheck_created", "When the MachineHealthCheck was created."),
    gauge("capi_machinehealthcheck_status_condition", "A condition of it: 1 for its status."),
    gauge("capi_machinehealthcheck_status_current_healthy", "Healthy Machines."),
    gauge("capi_machinehealthcheck_status_expected_machines", "Machines that it counts."),
    gauge("capi_machinehealthcheck_status_remediations_allowed", "Remediations allowed now."),
    gauge("capi_kubeadmcontrolplane_created", "When the control plane was created."),
    gauge("capi_kubeadmcontrolplane_spec_replicas", "Machines wanted, once that has changed."),
    gauge("capi_kubeadmcontrolplane_status_condition", "A condition of it: 1 for its status."),
    gauge("capi_kubeadmcontrolplane_status_replicas", "Machines of the control plane."),
    gauge("capi_kubeadmcontrolplane_status_replicas_ready", "Its ready Machines."),
    gauge("capi_kubeadmcontrolplane_status_replicas_available", "Its available Machines."),
    gauge("capi_kubeadmcontrolplane_status_replicas_uptodate", "Its Machines of the newest form."),
];

/// How the objects of a kind are told of.
pub(super) struct Told {
    pub kind: &'static str,
    /// The label with the object's name.
    pub label: &'static str,
    /// Absent where no metric tells it.
    pub created: Option<&'static str>,
    pub conditions: Option<&'static str>,
    /// The metric of each count.
    pub counts: &'static [(&'static str, &'static str)],
}

/// The kinds whose fields are told one by one; Nodes, Pods and Machines have more (`scrape.rs`).
pub(super) const TOLD: &[Told] = &[
    Told {
        kind: "Deployment",
        label: "deployment",
        created: Some("kube_deployment_created"),
        conditions: None,
        counts: &[
            ("spec.replicas", "kube_deployment_spec_replicas"),
            ("replicas", "kube_deployment_status_replicas"),
            ("readyReplicas", "kube_deployment_status_replicas_ready"),
            ("availableReplicas", "kube_deployment_status_replicas_available"),
        ],
    },
    Told {
        kind: "ReplicaSet",
        label: "replicaset",
        created: Some("kube_replicaset_created"),
        conditions: None,
        counts: &[
            ("replicas", "kube_replicaset_status_replicas"),
            ("readyReplicas", "kube_replicaset_status_ready_replicas"),
        ],
    },
    Told {
        kind: "StatefulSet",
        label: "statefulset",
        created: Some("kube_statefulset_created"),
        conditions: None,
        counts: &[
            ("replicas", "kube_statefulset_status_replicas"),
            ("readyReplicas", "kube_statefulset_status_replicas_ready"),
            ("availableReplicas", "kube_statefulset_status_replicas_available"),
        ],
    },
    Told {
        kind: "DaemonSet",
        label: "daemonset",
        created: Some("kube_daemonset_created"),
        conditions: None,
        counts: &[
            ("desiredNumberScheduled", "kube_daemonset_status_desired_number_scheduled"),
            ("currentNumberScheduled", "kube_daemonset_status_current_number_scheduled"),
            ("numberReady", "kube_daemonset_status_number_ready"),
            ("numberAvailable", "kube_daemonset_status_number_available"),
        ],
    },
    Told {
        kind: "Job",
        label: "job_name",
        created: Some("kube_job_created"),
        conditions: None,
        counts: &[
            ("active", "kube_job_status_active"),
            ("succeeded", "kube_job_status_succeeded"),
            ("failed", "kube_job_status_failed"),
        ],
    },
    Told {
        kind: "PodDisruptionBudget",
        label: "poddisruptionbudget",
        created: Some("kube_poddisruptionbudget_created"),
        conditions: None,
        counts: &[
            ("currentHealthy", "kube_poddisruptionbudget_status_current_healthy"),
            ("desiredHealthy", "kube_poddisruptionbudget_status_desired_healthy"),
            ("disruptionsAllowed", "kube_poddisruptionbudget_status_pod_disruptions_allowed"),
            ("expectedPods", "kube_poddisruptionbudget_status_expected_pods"),
        ],
    },
    Told {
        kind: "Machine",
        label: "name",
        created: Some("capi_machine_created"),
        conditions: Some("capi_machine_status_condition"),
        counts: &[],
    },
    Told {
        kind: "MachineSet",
        label: "name",
        created: None,
        conditions: Some("capi_machineset_status_condition"),
        counts: &[
            ("spec.replicas", "capi_machineset_spec_replicas"),
            ("replicas", "capi_machineset_status_replicas"),
            ("readyReplicas", "capi_machineset_status_replicas_ready"),
            ("availableReplicas", "capi_machineset_status_replicas_available"),
        ],
    },
    Told {
        kind: "MachineDeployment",
        label: "name",
        created: Some("capi_machinedeployment_created"),
        conditions: Some("capi_machinedeployment_status_condition"),
        counts: &[
            ("spec.replicas", "capi_machinedeployment_spec_replicas"),
            ("replicas", "capi_machinedeployment_status_replicas"),
            ("readyReplicas", "capi_machinedeployment_status_replicas_ready"),
            ("availableReplicas", "capi_machinedeployment_status_replicas_available"),
        ],
    },
    Told {
        kind: "MachineHealthCheck",
        label: "name",
        created: Some("capi_machinehealthcheck_created"),
        conditions: Some("capi_machinehealthcheck_status_condition"),
        counts: &[
            ("currentHealthy", "capi_machinehealthcheck_status_current_healthy"),
            ("expectedMachines", "capi_machinehealthcheck_status_expected_machines"),
            ("remediationsAllowed", "capi_machinehealthcheck_status_remediations_allowed"),
        ],
    },
    Told {
        kind: "KubeadmControlPlane",
        label: "name",
        created: Some("capi_kubeadmcontrolplane_created"),
        conditions: Some("capi_kubeadmcontrolplane_status_condition"),
        counts: &[
            ("spec.replicas", "capi_kubeadmcontrolplane_spec_replicas"),
            ("replicas", "capi_kubeadmcontrolplane_status_replicas"),
            ("readyReplicas", "capi_kubeadmcontrolplane_status_replicas_ready"),
            ("availableReplicas", "capi_kubeadmcontrolplane_status_replicas_available"),
            ("upToDateReplicas", "capi_kubeadmcontrolplane_status_replicas_uptodate"),
        ],
    },
];
