//! A process is killed (SIGKILL, or SIGTERM, which it may catch to end in its own way); only systemd's
//! own units come back by themselves.

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

impl KillProcess {
    /// The process, if it runs.
    pub fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm(&self.vm)?;
        let runs = view.runs(&self.process, &vm.name);
        runs.then(|| format!("Process/{}@{}", self.process, vm.name))
    }

    /// Kills it.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(process) = infra.process(&self.process, &self.vm) {
            match self.signal {
                Signal::Kill => infra.kill(process),
                Signal::Terminate => infra.terminate(process),
            }
        }
    }
}
