//! A process is frozen (SIGSTOP) and thawed (SIGCONT): a hang, not a death. Its connections stay, its
//! containers go on, and what falls due waits.

use super::kind::{FaultKind, Strikes};
use crate::engine::Text;
use crate::world::{Infra, View};

/// `freezeProcess: { vm: worker-0, process: kubelet }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeProcess {
    pub vm: Text,
    pub process: Text,
}

/// `thawProcess: { vm: worker-0, process: kubelet }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThawProcess {
    pub vm: Text,
    pub process: Text,
}

impl FaultKind for FreezeProcess {
    const DOES: &'static str =
        "kill -STOP: it hangs, its connections stay: { vm: worker-0, process: kubelet }";
}

impl Strikes for FreezeProcess {
    /// The process, if it runs and is not frozen yet.
    fn resolve(&self, view: View) -> Option<String> {
        let works = view.works(&self.process, &self.vm);
        works.then(|| format!("Process/{}@{}", self.process, self.vm))
    }

    /// Freezes it.
    fn inject(&self, infra: &mut Infra) {
        if let Some(process) = infra.process(&self.process, &self.vm) {
            infra.freeze(process);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}

impl FaultKind for ThawProcess {
    const DOES: &'static str = "kill -CONT: { vm: worker-0, process: kubelet }";
}

impl Strikes for ThawProcess {
    /// The process, if it is frozen.
    fn resolve(&self, view: View) -> Option<String> {
        let frozen = view.is_frozen(&self.process, &self.vm);
        frozen.then(|| format!("Process/{}@{}", self.process, self.vm))
    }

    /// Thaws it.
    fn inject(&self, infra: &mut Infra) {
        if let Some(process) = infra.process(&self.process, &self.vm) {
            infra.thaw(process);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
