//! A file is removed from a VM's disk. Who has read it already goes on; who starts anew misses it.

use super::kind::{FaultKind, Strikes};
use super::reading::Reading;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

/// `removeFile: { vm: worker-0, path: /var/lib/kubelet/config.yaml }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveFile {
    pub vm: Text,
    pub path: Text,
}

/// What a file is named with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnFile {
    vm: Spanned<String>,
    path: Spanned<String>,
}

impl OnFile {
    /// The VM and the whole path.
    pub(super) fn read(&self, reading: &Reading) -> Result<(Text, Text), Mistake> {
        Ok((reading.vm(&self.vm)?, reading.path(&self.path)?))
    }
}

impl FaultKind for RemoveFile {
    type Written = OnFile;
    const DOES: &'static str = "rm: { vm: worker-0, path: /var/lib/kubelet/config.yaml }";

    fn from_written(on: &OnFile, reading: &Reading) -> Result<RemoveFile, Mistake> {
        let (vm, path) = on.read(reading)?;
        Ok(RemoveFile { vm, path })
    }
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
