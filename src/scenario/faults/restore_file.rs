//! A file that `removeFile` took is put back as it was: what an operator does with a backup.

use super::kind::{FaultKind, Strikes};
use super::reading::Reading;
use super::remove_file::OnFile;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::world::{Infra, View};

/// `restoreFile: { vm: worker-0, path: /var/lib/kubelet/config.yaml }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreFile {
    pub vm: Text,
    pub path: Text,
}

impl FaultKind for RestoreFile {
    type Written = OnFile;
    const DOES: &'static str = "puts back what removeFile took: { vm: worker-0, path: ... }";

    fn from_written(on: &OnFile, reading: &Reading) -> Result<RestoreFile, Mistake> {
        let (vm, path) = on.read(reading)?;
        Ok(RestoreFile { vm, path })
    }
}

impl Strikes for RestoreFile {
    /// The file, if the VM runs, it was removed, and nobody has written another since.
    fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm(&self.vm).filter(|vm| vm.booted)?;
        vm.disk.can_restore(&self.path).then(|| format!("File{}@{}", self.path, vm.name))
    }

    /// Puts it back.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.restore_file(vm, &self.path);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
