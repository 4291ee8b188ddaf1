//! What a campaign has to have seen: what is never reached was never tried.

use super::facts::{Once, is_by, is_deleted, is_gone, is_new, turns};
use super::members::Moved;
use super::{Invariant, Kind, Law, Seen, Verdict};
use crate::engine::Text;
use crate::timeline::{Entry, Value};
use crate::world::{View, WORKLOAD_CLUSTER};
use std::collections::BTreeSet;

/// A law that is reached with an entry.
macro_rules! sometimes {
    ($($constant:ident $name:literal: $law:literal, $source:literal, $begin:expr;)*) => {
        $(pub(super) const $constant: Invariant = Invariant {
            name: $name,
            kind: Kind::Sometimes,
            law: $law,
            source: $source,
            begin: || Box::new($begin),
        };)*
    };
}

sometimes! {
    ELECTED_AGAIN "etcd-elects-again": "a group of etcd members elects another leader",
        "etcd-io/raft doc.go: a follower that hears no leader for its time-out campaigns",
        Once(|entry| turns(entry, "EtcdMember", "role", "Leader"));
    QUORUM_RETURNS "etcd-quorum-returns": "a group of etcd members loses its quorum and gets it back",
        "etcd documentation, Failure modes: majority failure",
        QuorumReturns::default();
    SNAPSHOT "etcd-catches-up-by-snapshot": "a member of etcd gets a snapshot in the place of entries",
        "etcd-io/raft doc.go: a leader sends a snapshot to who needs entries that it has compacted",
        Snapshot;
    MEMBER_REMOVED "etcd-member-removed": "a member leaves its group of etcd members",
        "etcd documentation, Runtime reconfiguration",
        Once(|entry| is_gone(entry, "EtcdMember"));
    MEMBER_ADDED "etcd-member-added": "a member joins a group of etcd members",
        "etcd documentation, Runtime reconfiguration",
        Once(|entry| is_new(entry, "EtcdMember"));
    API_UNAVAILABLE "api-unavailable": "no API server of the workload cluster serves",
        "incidents: only one of three etcd members left; API servers removed one by one",
        ApiUnavailable::default();
    BALANCER_FAILS_OVER "load-balancer-fails-over": "the load balancer takes a backend out and leads to others",
        "haproxy documentation, server options fall and rise",
        Once(|entry| entry.kind == *"Endpoint" && entry.message.contains(" is DOWN"));
    MANAGER_FAILS_OVER "controller-manager-fails-over": "another kube-controller-manager leads",
        "Kubernetes documentation, Leases: leader election",
        Once(|entry| holder_changes(entry, "kube-controller-manager"));
    SCHEDULER_FAILS_OVER "scheduler-fails-over": "another kube-scheduler leads",
        "Kubernetes documentation, Leases: leader election",
        Once(|entry| holder_changes(entry, "kube-scheduler"));
    NODE_UNKNOWN "node-unknown": "a Node's kubelet is found silent",
        "Kubernetes documentation, Nodes: heartbeats",
        Once(|entry| turns(entry, "Node", "Ready", "Unknown"));
    NODE_RETURNS "node-returns": "a Node that was Unknown is Ready again",
        "kubernetes/kubernetes#84931: nodes back within a minute",
        Once(|entry| turns(entry, "Node", "Ready", "True") && entry.from.as_text() == Some("Unknown"));
    POD_EVICTED "pod-evicted": "a Pod is deleted because of its Node's taint",
        "Kubernetes documentation, Taint based evictions",
        Once(|entry| is_deleted(entry, "Pod") && is_by(entry, "taint-eviction-controller"));
    POD_COLLECTED "pod-garbage-collected": "the Pod garbage collector removes a Pod by force",
        "Kubernetes documentation, Garbage collection of Pods",
        Once(|entry| is_gone(entry, "Pod") && is_by(entry, "pod-garbage-collector"));
    MACHINE_UNHEALTHY "machine-marked-unhealthy": "a health check marks a Machine for remediation",
        "Cluster API book, Configure a MachineHealthCheck",
        Once(|entry| turns(entry, "Machine", "OwnerRemediated", "False") && is_by(entry, "machinehealthcheck-controller"));
    REFUSED "remediation-refused": "a Machine's owner refuses to remediate it",
        "kubernetes-sigs/cluster-api#8465, #4472: remediation that would lose quorum",
        Once(is_refusal);
    SHORT_CIRCUITED "remediation-short-circuited": "a health check stops remediation because too many are unhealthy",
        "Cluster API book, MachineHealthCheck: short-circuiting",
        Once(|entry| turns(entry, "MachineHealthCheck", "RemediationAllowed", "False"));
    STARTS_TOO_SLOWLY "machine-starts-too-slowly": "a Machine is marked because it has got no Node in time",
        "aws/eks-anywhere#4709: nodeStartupTimeout",
        Once(|entry| turns(entry, "Machine", "HealthCheckSucceeded", "False") && entry.reason.contains("Startup"));
    MACHINE_REPLACED "machine-replaced": "a MachineSet creates a Machine",
        "Cluster API book, MachineSet",
        Once(|entry| is_new(entry, "Machine") && is_by(entry, "machineset-controller"));
    PLANE_REPLACED "control-plane-machine-replaced": "a KubeadmControlPlane creates a Machine",
        "Cluster API, kubeadm control plane proposal: remediation",
        Once(|entry| is_new(entry, "Machine") && is_by(entry, "kubeadm-control-plane-controller"));
    DRAIN_BLOCKED "drain-blocked-by-a-budget": "the eviction of a drain is refused because of a budget",
        "devantler-tech/platform#1880: a budget that can never be met",
        Once(|entry| entry.message.contains("disruption budget") && !is_by(entry, "disruption-controller"));
    VM_RECREATED "vm-recreated-under-its-name": "a VM that was deleted is made anew under its name",
        "vmware-tanzu/vm-operator: a VirtualMachine without a VM gets one",
        VmRecreated::default();
    JOIN_FAILED "join-failed": "a machine cannot join because its bootstrap token has no signature",
        "kubernetes-sigs/cluster-api#2770: a token's 15 minutes",
        Once(|entry| entry.field == *"log" && entry.message.contains("JWS signature"));
    TOKEN_EXPIRED "bootstrap-token-expired": "the token cleaner deletes a bootstrap token",
        "kubeadm documentation: tokens expire",
        Once(|entry| is_gone(entry, "Secret") && is_by(entry, "token-cleaner"));
}

fn holder_changes(entry: &Entry, lease: &str) -> bool {
    entry.kind == *"Lease"
        && entry.cluster == WORKLOAD_CLUSTER
        && entry.name == *lease
        && entry.field == *"holder"
        && entry.from != Value::Null
        && entry.to != Value::Null
}

/// True if an owner says that it does not remediate a Machine now.
fn is_refusal(entry: &Entry) -> bool {
    let goes = ["RemediationInProgress", "MachineDeleting"].contains(&entry.reason.as_str());
    turns(entry, "Machine", "OwnerRemediated", "False")
        && !is_by(entry, "machinehealthcheck-controller")
        && !goes
}

/// The clusters whose etcd has no quorum at the moment.
#[derive(Clone, Debug, Default)]
struct QuorumReturns {
    without: BTreeSet<Text>,
}

/// True if more than half of the voters work.
fn has_quorum(view: View, cluster: &str) -> bool {
    let members = view.etcd_members(cluster);
    let voters = members.iter().filter(|member| !member.info.learner);
    let working = voters.clone().filter(|member| member.status.is_some()).count();
    working > voters.count() / 2
}

impl Law for QuorumReturns {
    fn look(&mut self, seen: Seen) -> Verdict {
        let bears = |entry: &Entry| {
            let is_process = entry.kind == *"Process" && entry.field != *"log";
            entry.kind == *"EtcdMember" || is_process && entry.name.starts_with("etcd@")
        };
        if !seen.news.iter().any(bears) {
            return Verdict::Holds;
        }
        for cluster in seen.view.etcd_clusters() {
            if !has_quorum(seen.view, cluster) {
                self.without.insert(cluster.clone());
            } else if self.without.contains(cluster) && seen.view.etcd_leader(cluster).is_some() {
                return Verdict::Reached;
            }
        }
        Verdict::Holds
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}

#[derive(Clone, Copy, Debug)]
struct Snapshot;

impl Law for Snapshot {
    fn look_at_member(&mut self, moved: &Moved) -> Verdict {
        // What it had ends before what it has now begins: no entry can have led from one to the other.
        let is_it = moved.before.is_some_and(|before| before.last.0 + 1 < moved.raft.first_index());
        if is_it { Verdict::Reached } else { Verdict::Holds }
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(*self)
    }
}

#[derive(Clone, Debug, Default)]
struct ApiUnavailable {
    service: super::endpoint::Service,
}

impl Law for ApiUnavailable {
    fn look(&mut self, seen: Seen) -> Verdict {
        self.service.look(seen);
        if self.service.none_since.is_some() { Verdict::Reached } else { Verdict::Holds }
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}

#[derive(Clone, Debug, Default)]
struct VmRecreated {
    gone: BTreeSet<Text>,
}

impl Law for VmRecreated {
    fn look(&mut self, seen: Seen) -> Verdict {
        for entry in seen.news {
            if is_gone(entry, "VM") {
                self.gone.insert(entry.name.clone());
            }
            if is_new(entry, "VM") && self.gone.contains(&entry.name) {
                return Verdict::Reached;
            }
        }
        Verdict::Holds
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}
