//! A control-plane VM's static Pods when the run begins: the files that kubeadm has written, and the
//! programs that the container runtime runs because of them.

use super::core::Core;
use crate::api::StaticPodManifest;
use crate::infra::{Port, Program, VmId};

/// Where the controller-manager and the scheduler are asked how they are.
pub const CONTROLLER_MANAGER_PORT: Port = Port(10257);
pub const SCHEDULER_PORT: Port = Port(10259);

impl Core {
    /// Makes the programs of a VM containers of static Pods that have long been running.
    pub(super) fn add_static_pods(&mut self, vm: VmId, written: &[StaticPodManifest]) {
        for manifest in written.iter().cloned() {
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
