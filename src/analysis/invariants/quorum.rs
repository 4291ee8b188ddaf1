//! The healer itself must not throw etcd's quorum away.

use super::facts::{EachEntry, HEARD, is_asked_for, is_by, is_deleted, lately};
use super::{Breach, Invariant, Kind};
use crate::timeline::Entry;
use crate::world::{EtcdMember, View, WORKLOAD_CLUSTER};

pub(super) const QUORUM_IS_KEPT: Invariant = Invariant {
    name: "healers-keep-quorum",
    kind: Kind::Always,
    law: "a control plane deletes no Machine if the etcd voters besides it are too few for a quorum \
          of their own, as far as it can have heard; what breaks while the Machine is drained it \
          does not look at again, and a user may delete any",
    source: "Cluster API, kubeadm control plane: canSafelyRemoveEtcdMember (up to 1.12), \
             targetEtcdClusterHealthy (from 1.13); reconcilePreTerminateHook asks nobody",
    begin: || Box::new(EachEntry(quorum_is_thrown_away)),
};

fn quorum_is_thrown_away(view: View, entry: &Entry) -> Option<Breach> {
    let is_decision =
        is_deleted(entry, "Machine") && is_by(entry, "kubeadm-control-plane-controller");
    if !is_decision || is_asked_for(view.timeline(), entry) {
        return None;
    }
    // Without a leader nobody can be removed, and there is nothing to lose.
    let leader = view.etcd_leader(&WORKLOAD_CLUSTER)?;
    let members = view.etcd_members(&WORKLOAD_CLUSTER);
    let others: Vec<&EtcdMember> = members
        .iter()
        .filter(|member| !member.info.learner && member.info.vm != entry.name)
        .collect();
    let counts = |member: &&&EtcdMember| {
        member.follows(leader.info.id) || has_just_changed(view, &member.info.vm)
    };
    let (well, quorum) = (others.iter().filter(counts).count(), others.len() / 2 + 1);
    let says = format!(
        "is deleted by its control plane, and of the {} etcd voters besides it {well} work",
        others.len()
    );
    (well < quorum).then(|| Breach::shown_by(entry, says))
}

/// True if something happened to a VM's member of late, which not everybody has heard of.
fn has_just_changed(view: View, vm: &str) -> bool {
    lately(view, HEARD).any(|entry| {
        let is_process = entry.kind == *"Process" && entry.field != *"log";
        let is_etcd = is_process && entry.name.strip_prefix("etcd@") == Some(vm);
        is_etcd || ((entry.kind == *"VM" || entry.kind == *"EtcdMember") && entry.name == *vm)
    })
}
