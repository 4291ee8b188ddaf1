//! A process is killed (SIGKILL, or SIGTERM, which it may catch to end in its own way); only systemd's
//! own units come back by themselves.

use super::kind::{FaultKind, Strikes};
use super::reading::Reading;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

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

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    vm: Spanned<String>,
    process: Spanned<String>,
    signal: Option<Spanned<String>>,
}

impl FaultKind for KillProcess {
    type Written = Written;
    const DOES: &'static str = "kill -9; systemd restarts its own units: \
        { vm: control-plane-0, process: etcd }; signal: SIGTERM lets it end in its own way";

    fn from_written(on: &Written, reading: &Reading) -> Result<KillProcess, Mistake> {
        let (vm, process) = reading.process(&on.vm, &on.process)?;
        let signal = match on.signal.as_ref().map(|signal| (signal, signal.value.as_str())) {
            None | Some((_, "SIGKILL")) => Signal::Kill,
            Some((_, "SIGTERM")) => Signal::Terminate,
            Some((signal, _)) => {
                let known = ["SIGKILL", "SIGTERM"];
                return Err(reading.scenario.unknown(signal, &known, "signal"));
            }
        };
        Ok(KillProcess { vm, process, signal })
    }

    fn not_there(on: &Written, reading: &Reading) -> Option<Mistake> {
        reading.no_process(&on.vm, &on.process)
    }
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
