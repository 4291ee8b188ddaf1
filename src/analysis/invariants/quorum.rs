//! The healer itself must not throw etcd's quorum away.

use super::facts::{
    EachEntry, HEARD, is_asked_for, is_by, is_deleted, is_gone, is_unwanted, lately,
};
use super::{Breach, Invariant, Kind};
use crate::engine::Duration;
use crate::infra::Vm;
use crate::timeline::Entry;
use crate::world::{EtcdMember, View, WORKLOAD_CLUSTER};

pub(super) const QUORUM_IS_KEPT: Invariant = Invariant {
    name: "healers-keep-quorum",
    kind: Kind::Always,
    law: "no controller removes a voter of etcd, or the VM of one that is listed, if too few of the \
          other voters work for a quorum, as far as it can have heard; a user may. From Cluster API \
          1.13 a dead member that is listed counts as healthy and a Machine may be deleted all the \
          same: then etcd refuses, and the Machine waits, unless the dead one fell silent only now: \
          etcd takes it for connected for 165 s (300 s in 3.5), and one that is frozen for ever; \
          without --strict-reconfig-check it refuses nothing",
    source: "Cluster API, kubeadm control plane: canSafelyRemoveEtcdMember (up to 1.12), \
             targetEtcdClusterHealthy (from 1.13), reconcilePreTerminateHook; etcd \
             --strict-reconfig-check, which counts whose streams are open: a silent one is until the \
             kernel's tenth probe (models: etcd.peerKeepAlive*)",
    begin: || Box::new(EachEntry(quorum_is_thrown_away)),
};

fn quorum_is_thrown_away(view: View, entry: &Entry) -> Option<Breach> {
    let is_removed = is_gone(entry, "EtcdMember") && entry.cluster == WORKLOAD_CLUSTER;
    let is_destroyed = is_by(entry, "machine-controller")
        && (is_deleted(entry, "VSphereMachine") || is_deleted(entry, "InfraMachine"));
    let is_asked = || is_asked_for(view.timeline(), entry) || is_unwanted(view, &entry.name);
    // Which control planes rely on (Cluster API 1.13); who has switched it off has nobody who refuses.
    let is_left_to_etcd = is_removed && view.is_removal_left_to_etcd();
    let is_unguarded = is_left_to_etcd && !view.is_etcd_strict();
    if !(is_removed || is_destroyed) || is_unguarded || is_asked() {
        return None;
    }
    let members = view.etcd_members(&WORKLOAD_CLUSTER);
    let is_listed = members.iter().any(|member| member.info.vm == entry.name);
    // Whoever was removed was removed by a quorum; without one a VM that goes costs none.
    let has_quorum = || is_listed && view.etcd_leader(&WORKLOAD_CLUSTER).is_some();
    if !is_removed && !has_quorum() {
        return None;
    }
    let others: Vec<&EtcdMember> = members
        .iter()
        .filter(|member| !member.info.learner && member.info.vm != entry.name)
        .collect();
    let counts = |member: &&&EtcdMember| {
        let vm = &member.info.vm;
        // A process that ends closes its streams; a VM that is off or cut off leaves them open, and of one
        // that is frozen the kernel answers every probe.
        let is_frozen = is_left_to_etcd && view.is_frozen("etcd", vm);
        let is_on = view.vm(vm).is_some_and(Vm::is_on);
        let is_silent = is_removed && !(is_on && view.are_links_whole());
        let heard = if is_silent { HEARD.max(view.stream_silence()) } else { HEARD };
        member.leader.is_some() || is_frozen || has_just_changed(view, vm, heard)
    };
    // One whose VM alone goes stays listed, and counts among those of whom a quorum is needed.
    let all = others.len() + usize::from(is_destroyed);
    let well = others.iter().filter(counts).count();
    let says = format!(
        "is taken from etcd by a controller, and of the {} voters besides it {well} work",
        others.len()
    );
    (well < all / 2 + 1).then(|| Breach::shown_by(entry, says))
}

/// True if something happened to a VM's member of late, which not everybody has heard of.
fn has_just_changed(view: View, vm: &str, late: Duration) -> bool {
    lately(view, late).any(|entry| {
        let is_process = entry.kind == *"Process" && entry.field != *"log";
        let is_etcd = is_process && entry.name.strip_prefix("etcd@") == Some(vm);
        is_etcd || ((entry.kind == *"VM" || entry.kind == *"EtcdMember") && entry.name == *vm)
    })
}
