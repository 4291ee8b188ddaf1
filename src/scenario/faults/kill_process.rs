//! A process is killed (SIGKILL, or SIGTERM, which it may catch to end in its own way); only systemd's
//! own units come back by themselves.

use super::kind::{FaultKind, Strikes};
use crate::engine::Text;
use crate::world::{Infra, View};

/// `killProcess: { vm: control-plane-0, process: etcd, signal: SIGTERM }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillProcess {
    pub vm: Text,
    pub process: Text,
    pub signal: Signal,
}

/// What is sent to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signal {
    #[default]
    Kill,
    Terminate,
}

impl FaultKind for KillProcess {
    const DOES: &'static str = "kill -9; systemd restarts its own units: \
        { vm: control-plane-0, process: etcd }; signal: SIGTERM lets it end in its own way";
}

impl Strikes for KillProcess {
    /// The process, if it runs.
    fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm(&self.vm)?;
        let runs = view.runs(&self.process, &vm.name);
        runs.then(|| format!("Process/{}@{}", self.process, vm.name))
    }

    /// Kills it.
    fn inject(&self, infra: &mut Infra) {
        if let Some(process) = infra.process(&self.process, &self.vm) {
            match self.signal {
                Signal::Kill => infra.kill(process),
                Signal::Terminate => infra.terminate(process),
            }
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
