//! The container runtime's part for programs, and the file system's notifications.
//!
//! Both only carry on: what is started, stopped or read is decided by the kubelet.

use super::core::{Core, NOW, Runtime, What, purpose};
use crate::api::Uid;
use crate::engine::{Duration, Rule};
use crate::infra::{ProcessId, Signal, Start, VmId, is_under};
use crate::timeline::Cause;

impl Core {
    /// The runtime has a Pod's containers run after a wait; they end by themselves after a length, if
    /// they do.
    pub(super) fn start_container(
        &mut self,
        by: ProcessId,
        pod: Uid,
        (rule, start): (Rule, Duration),
        life: (Option<Duration>, u32),
        cause: Cause,
    ) {
        let vm = self.datacenter.processes.get(by).vm;
        let at = self.now + start;
        let ends_at = self.datacenter.start_container(vm, pod, at, life);
        self.push_host(at, by, (cause, rule), What::Runtime(vm, pod, Runtime::Runs));
        if let Some(ends_at) = ends_at {
            let led = self.step_on(cause, at, rule, by);
            let what = What::Runtime(vm, pod, Runtime::Completes);
            self.push_host(ends_at, by, (led, "the container's own work"), what);
        }
    }

    /// The runtime runs a program in a new container on the VM of who asked, unless one runs.
    pub(super) fn start_program(&mut self, by: ProcessId, name: &str, cause: Cause) {
        let (vm, now) = (self.datacenter.processes.get(by).vm, self.now);
        let Some(program) = self.datacenter.vm_mut(vm).programs.get_mut(name) else { return };
        if program.running_since.is_none() {
            program.begin(now);
            let process = program.process;
            self.start_process(process, Start::Fresh, cause);
        }
    }

    /// The runtime sends a signal to what runs in a container.
    pub(super) fn signal_program(
        &mut self,
        by: ProcessId,
        name: &str,
        signal: Signal,
        cause: Cause,
    ) {
        let vm = self.datacenter.processes.get(by).vm;
        let Some(program) = self.datacenter.vm(vm).programs.get(name) else { return };
        match signal {
            Signal::Terminate => self.terminate_process(program.process, cause),
            Signal::Kill => self.end_process(program.process, cause),
        }
    }

    /// The runtime notes that a container has ended, and shows it to the kubelet that asks.
    pub(super) fn program_ended(&mut self, vm: VmId, process: ProcessId, cause: Cause) {
        let now = self.now;
        let host = self.datacenter.vm_mut(vm);
        let is_on = host.is_on();
        let found = host.programs.iter_mut().find(|(_, program)| program.process == process);
        let Some((name, program)) = found else { return };
        match is_on {
            true => program.end(now),
            false => program.lose(now),
        }
        let name = name.clone();
        let kubelet = host.units.get("kubelet").map(|unit| unit.process);
        if let Some(kubelet) = kubelet.filter(|_| is_on) {
            let what = What::ProgramEnded(name);
            self.push_to(now, kubelet, kubelet, purpose::HOST, (cause, NOW), what);
        }
    }

    /// Tells the processes of a VM that watch a folder of the files in it that have changed.
    pub(super) fn tell_of_files(&mut self, vm: VmId, cause: Cause) {
        for path in self.datacenter.vm_mut(vm).disk.take_changes() {
            let watching: Vec<ProcessId> = self
                .datacenter
                .processes
                .iter()
                .filter(|(_, process)| process.vm == vm && process.alive)
                .filter(|(_, process)| {
                    process.watched_folder.is_some_and(|folder| is_under(&path, folder))
                })
                .map(|(id, _)| id)
                .collect();
            for id in watching {
                let what = What::FileChanged(path.clone());
                self.push_to(self.now, id, id, purpose::HOST, (cause, NOW), what);
            }
        }
    }
}
