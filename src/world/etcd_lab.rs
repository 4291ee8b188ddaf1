//! A lab of etcd alone: members on VMs of their own, a machine for whoever drives the experiment, and
//! no Kubernetes.

use super::blueprint::Blueprint;
use super::build::{ETCD_PORT, add_process, start_all};
use super::core::{NOW, What, World, empty_core, purpose};
use super::process::{Buffers, Event, Process};
use crate::components::etcd;
use crate::engine::Text;
use crate::infra::{Power, Restart, Unit, Vm};
use crate::timeline::Cause;

/// What the members of a lab have behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// They have long agreed; the first leads.
    Settled,
    /// They start now, without data.
    New,
}

/// The machine of whoever drives an experiment.
const DRIVER: &str = "driver";

impl World {
    /// A lab of members on VMs of these names. Of the blueprint it takes etcd's settings and the
    /// network's.
    pub fn etcd_lab(
        blueprint: Blueprint,
        names: &[&'static str],
        history: History,
        seed: u64,
    ) -> World {
        let mut core = empty_core(&blueprint, seed);
        let mut components = Vec::new();
        core.datacenter.add_vm(running(DRIVER));
        let vms: Vec<Text> = names.iter().copied().map(Text::word).collect();
        let settings = blueprint.settings.etcd;
        let members = match history {
            History::Settled => etcd::Etcd::group(settings, &vms, 0, Vec::new()),
            History::New => {
                let new = |_| etcd::Etcd::joining(settings, vms.clone());
                vms.iter().map(new).collect()
            }
        };
        let program = Text::word("etcd");
        for (name, member) in names.iter().zip(members) {
            let mut vm = running(name);
            if history == History::Settled {
                vm.disk.write(etcd::DATA_DIR, "snap, wal");
            }
            let vm = core.datacenter.add_vm(vm);
            let member = Process::from(member);
            let process =
                add_process(&mut core, &mut components, vm, "etcd", Some(ETCD_PORT), member);
            core.datacenter.processes.get_mut(process).listens.push(etcd::PEER_PORT);
            let unit = Unit { process, restart: Restart::Never, wanted: true };
            core.datacenter.vm_mut(vm).units.insert(program.clone(), unit);
        }
        core.recorder.begin();
        match history {
            History::Settled => start_all(&mut core),
            History::New => {
                for name in names {
                    let vm = core.datacenter.vm_named(name).expect("just added");
                    core.start_unit(vm, "etcd", Cause::NONE);
                }
            }
        }
        World { core, components, buffers: Buffers::default(), blueprint }
    }

    /// Wakes a process that was written outside this crate with one of its own timers.
    pub fn wake(&mut self, vm: &str, program: &str, timer: u64) {
        let Some(vm) = self.core.datacenter.vm_named(vm) else { return };
        let found = {
            let mut all = self.core.datacenter.processes.iter();
            all.find(|(_, process)| process.vm == vm && process.program == *program)
                .map(|(id, _)| id)
        };
        let Some(id) = found else { return };
        let what = What::Due(Event::Custom(timer));
        self.core.push_to(self.core.now, id, id, purpose::TIMER, (Cause::NONE, NOW), what);
    }

    /// Writes a file on a VM of a lab.
    pub fn write_lab_file(&mut self, vm: &str, path: &'static str, content: &'static str) {
        if let Some(vm) = self.core.datacenter.vm_named(vm) {
            self.core.datacenter.vm_mut(vm).disk.write(path, content);
        }
    }
}

/// A VM that has been running for long.
fn running(name: &'static str) -> Vm {
    let mut vm = Vm::new(name);
    (vm.power, vm.booted) = (Power::On, true);
    vm
}
