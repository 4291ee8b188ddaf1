//! A control-plane VM's static Pods when the run begins: the files that kubeadm has written, and the
//! programs that the container runtime runs because of them.

use super::core::Core;
use crate::api::StaticPodManifest;
use crate::infra::{Program, VmId};

/// The programs that answer health checks; the others are not probed, for they would be killed.
const ANSWERING: [&str; 2] = ["etcd", "kube-apiserver"];

/// The manifests as they are on a VM's disk.
pub(super) fn manifests(written: &[StaticPodManifest]) -> Vec<StaticPodManifest> {
    let mut all = written.to_vec();
    for manifest in &mut all {
        if !ANSWERING.contains(&manifest.name.as_str()) {
            manifest.probes.clear();
        }
    }
    all
}

impl Core {
    /// Makes the programs of a VM containers of static Pods that have long been running.
    pub(super) fn add_static_pods(&mut self, vm: VmId, written: &[StaticPodManifest]) {
        for manifest in manifests(written) {
            let all = self.datacenter.processes.iter();
            let mut found = all.filter(|(_, it)| it.vm == vm && it.program == manifest.name);
            let (process, _) = found.next().expect("a control plane runs what its manifests name");
            drop(found);
            let mut program = Program::new(process);
            program.begin(self.now);
            let host = self.datacenter.vm_mut(vm);
            host.disk.write(manifest.path(), manifest.to_file());
            host.programs.insert(manifest.name, program);
        }
    }
}
