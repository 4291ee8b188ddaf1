//! A file that `removeFile` took is put back as it was: what an operator does with a backup.

use crate::engine::Text;
use crate::world::{Infra, View};

/// `restoreFile: { vm: worker-0, path: /var/lib/kubelet/config.yaml }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreFile {
    pub vm: Text,
    pub path: Text,
}

impl RestoreFile {
    /// The file, if the VM runs, it was removed, and nobody has written another since.
    pub fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm(&self.vm).filter(|vm| vm.booted)?;
        vm.disk.can_restore(&self.path).then(|| format!("File{}@{}", self.path, vm.name))
    }

    /// Puts it back.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.restore_file(vm, &self.path);
        }
    }
}
