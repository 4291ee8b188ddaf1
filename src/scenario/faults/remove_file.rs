//! A file is removed from a VM's disk. Who has read it already goes on; who starts anew misses it.

use super::kind::{FaultKind, Strikes};
use crate::engine::Text;
use crate::world::{Infra, View};

/// `removeFile: { vm: worker-0, path: /var/lib/kubelet/config.yaml }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveFile {
    pub vm: Text,
    pub path: Text,
}

impl FaultKind for RemoveFile {
    const DOES: &'static str = "rm: { vm: worker-0, path: /var/lib/kubelet/config.yaml }";
}

impl Strikes for RemoveFile {
    /// The file, if the VM runs and has it.
    fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm(&self.vm).filter(|vm| vm.booted)?;
        vm.disk.read(&self.path).map(|_| format!("File{}@{}", self.path, vm.name))
    }

    /// Removes it.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.remove_file(vm, &self.path);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
