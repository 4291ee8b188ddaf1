//! A file is written on a VM's disk, as a person with an editor does: a manifest, a unit's
//! environment, a config. Who watches its folder sees it at once; who starts anew reads it.

use super::kind::{FaultKind, Strikes};
use super::reading::Reading;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

/// `writeFile: { vm: control-plane-0, path: /etc/default/etcd, content: ETCD_FORCE_NEW_CLUSTER=true }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteFile {
    pub vm: Text,
    pub path: Text,
    pub content: Text,
}

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    vm: Spanned<String>,
    path: Spanned<String>,
    content: String,
}

impl FaultKind for WriteFile {
    type Written = Written;
    const DOES: &'static str =
        "as with an editor: { vm: worker-0, path: /etc/default/etcd, content: ... }";

    fn from_written(on: &Written, reading: &Reading) -> Result<WriteFile, Mistake> {
        let (vm, path) = (reading.vm(&on.vm)?, reading.path(&on.path)?);
        Ok(WriteFile { vm, path, content: Text::from(on.content.as_str()) })
    }
}

impl Strikes for WriteFile {
    /// The file, be it there or not, if the VM runs and its disk is not full.
    fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm(&self.vm).filter(|vm| vm.booted && !vm.disk.is_full)?;
        Some(format!("File{}@{}", self.path, vm.name))
    }

    /// Writes it; what stood there is gone.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.write_file(vm, &self.path, &self.content);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
