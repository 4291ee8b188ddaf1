//! A process is frozen (SIGSTOP) and thawed (SIGCONT): a hang, not a death. Its connections stay, its
//! containers go on, and what falls due waits.

use super::kind::{FaultKind, Strikes};
use super::reading::Reading;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

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

/// What a process is named with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnProcess {
    vm: Spanned<String>,
    process: Spanned<String>,
}

impl FaultKind for FreezeProcess {
    type Written = OnProcess;
    const DOES: &'static str =
        "kill -STOP: it hangs, its connections stay: { vm: worker-0, process: kubelet }";

    fn from_written(on: &OnProcess, reading: &Reading) -> Result<FreezeProcess, Mistake> {
        let (vm, process) = reading.process(&on.vm, &on.process)?;
        Ok(FreezeProcess { vm, process })
    }

    fn not_there(on: &OnProcess, reading: &Reading) -> Option<Mistake> {
        reading.no_process(&on.vm, &on.process)
    }
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
    type Written = OnProcess;
    const DOES: &'static str = "kill -CONT: { vm: worker-0, process: kubelet }";

    fn from_written(on: &OnProcess, reading: &Reading) -> Result<ThawProcess, Mistake> {
        let (vm, process) = reading.process(&on.vm, &on.process)?;
        Ok(ThawProcess { vm, process })
    }

    fn not_there(on: &OnProcess, reading: &Reading) -> Option<Mistake> {
        reading.no_process(&on.vm, &on.process)
    }
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
