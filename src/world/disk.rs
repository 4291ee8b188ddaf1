//! Flushes: when a disk says that what was written is safe.
//!
//! A stalled disk says nothing; what waits for it ends when the disk is well again, in the order in
//! which it was asked for. A process that died meanwhile is not told.

use super::core::{Core, Payload, What};
use crate::engine::{Duration, Key};
use crate::infra::{DiskHealth, ProcessId, VmId};

impl Core {
    /// How long a flush that takes this long on a disk that is well takes on a process's own.
    pub(super) fn flush_length(&self, process: ProcessId, takes: Duration) -> Duration {
        match self.disk_of(process) {
            DiskHealth::Slow(longer) => takes + longer,
            DiskHealth::Well | DiskHealth::Stalled => takes,
        }
    }

    /// True for the end of a flush on a disk that is stalled.
    pub(super) fn waits_for_disk(&self, process: ProcessId, what: &What) -> bool {
        matches!(what, What::Flushed(_)) && self.disk_of(process) == DiskHealth::Stalled
    }

    /// The end of a flush waits until the disk is well.
    pub(super) fn wait_for_disk(&mut self, process: ProcessId, key: Key, payload: Payload) {
        let vm = self.datacenter.processes.get(process).vm;
        self.unflushed.entry(vm).or_default().push((key, payload));
    }

    /// A disk gets slow, stalls or is well again.
    pub(super) fn set_disk(&mut self, vm: VmId, health: DiskHealth) {
        self.datacenter.vm_mut(vm).disk.health = health;
        if health == DiskHealth::Stalled {
            return;
        }
        let now = self.now;
        for (key, payload) in self.unflushed.remove(&vm).unwrap_or_default() {
            let process = ProcessId(key.target);
            let cause = self.step_on(payload.cause, now, "the disk was stalled", process);
            self.queue.push(Key { at: now, ..key }, Payload { cause, ..payload });
        }
    }

    /// A disk has no room left, or some again. What was written before is safe.
    pub(super) fn fill_disk(&mut self, vm: VmId, is_full: bool) {
        self.datacenter.vm_mut(vm).disk.is_full = is_full;
    }

    fn disk_of(&self, process: ProcessId) -> DiskHealth {
        self.datacenter.vm(self.datacenter.processes.get(process).vm).disk.health
    }
}
