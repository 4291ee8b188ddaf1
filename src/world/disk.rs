//! Flushes: when a disk says that what was written is safe.
//!
//! A stalled disk says nothing; what waits for it ends when the disk is well again, in the order in
//! which it was asked for.
//!
//! The thread that has asked sleeps in the kernel, where no signal reaches it (state D): a process that
//! is killed meanwhile does nothing more, but keeps its ports and connections open, until its last flush
//! has ended. Follows Linux, `wait_on_page_writeback` (TASK_UNINTERRUPTIBLE) and `exit_files`, by which the
//! last thread closes what all of them share.
//!
//! Simplified: on a disk that is well those milliseconds are left out, and it ends at once.

use super::core::{Core, Payload, What};
use crate::engine::{Duration, Key};
use crate::infra::{DiskHealth, ProcessId, VmId};
use crate::timeline::Cause;

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
        let now = self.now;
        let disk = &mut self.datacenter.vm_mut(vm).disk;
        disk.health = health;
        disk.ill_since = match health {
            DiskHealth::Well => None,
            DiskHealth::Slow(_) | DiskHealth::Stalled => disk.ill_since.or(Some(now)),
        };
        if health == DiskHealth::Stalled {
            return;
        }
        for (key, payload) in self.unflushed.remove(&vm).unwrap_or_default() {
            let process = ProcessId(key.target);
            let cause = self.step_on(payload.cause, now, "the disk was stalled", process);
            self.queue.push(Key { at: now, ..key }, Payload { cause, ..payload });
        }
    }

    /// A disk has no room left, or some again. What was written before is safe. Who looks at it now and
    /// then, and need not as long as there is room, looks again.
    pub(super) fn fill_disk(&mut self, vm: VmId, is_full: bool, cause: Cause) {
        let disk = &mut self.datacenter.vm_mut(vm).disk;
        (disk.is_full, disk.room_changed) = (is_full, cause);
        let processes = self.datacenter.processes.iter().filter(|(_, process)| process.vm == vm);
        let ids: Vec<ProcessId> = processes.map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| self.wake_tickers(id));
    }

    /// True for a process that was killed, and whose disk has not done what it waits for.
    pub(super) fn is_killed(&self, id: ProcessId) -> bool {
        self.datacenter.processes.get(id).is_killed
    }

    /// True if no signal ends a process now.
    pub(super) fn outlives_signal(&self, id: ProcessId) -> bool {
        let process = self.datacenter.processes.get(id);
        process.alive && process.flushes > 0 && self.disk_of(id) != DiskHealth::Well
    }

    /// A process is killed whose disk is at work for it: all its threads end but those.
    pub(super) fn kill_in_flush(&mut self, id: ProcessId, cause: Cause) {
        // Of what came while it was stopped, ends of flushes count.
        let held = self.held.remove(&id).unwrap_or_default();
        let process = self.datacenter.processes.get_mut(id);
        let incarnation = process.incarnation;
        let is_end = |payload: &Payload| {
            matches!(payload.what, What::Flushed(_)) && payload.incarnation == incarnation
        };
        let ended = held.iter().filter(|(_, payload)| is_end(payload)).count();
        process.flushes -= u32::try_from(ended).expect("counted in 32 bits before");
        if process.flushes == 0 {
            return self.end_at_once(id, cause);
        }
        if std::mem::replace(&mut process.is_killed, true) {
            return;
        }
        let name = process.name.clone();
        let is_frozen = process.frozen.is_some();
        let cluster = self.clusters.get(&id).cloned().unwrap_or_default();
        let of = (&cluster, &name);
        let entry = self.recorder.killed_in_flush(self.now, of, is_frozen, cause.entry);
        match is_frozen {
            true => self.datacenter.processes.get_mut(id).ended = cause.of(entry),
            false => self.fall_silent(id, cause.of(entry)),
        }
    }

    /// Of all that falls due for a process that was killed, only the ends of its flushes count.
    pub(super) fn play_killed(&mut self, id: ProcessId, key: Key, payload: Payload) {
        let process = self.datacenter.processes.get(id);
        let is_flush = matches!(payload.what, What::Flushed(_));
        if !is_flush || payload.incarnation != process.incarnation {
            return;
        }
        if self.waits_for_disk(id, &payload.what) {
            return self.wait_for_disk(id, key, payload);
        }
        let process = self.datacenter.processes.get_mut(id);
        process.flushes -= 1;
        if process.flushes == 0 {
            let entry = process.ended.entry;
            self.end_at_once(id, Cause { entry, ..payload.cause });
            self.note_entries(self.step);
        }
    }

    fn disk_of(&self, process: ProcessId) -> DiskHealth {
        self.datacenter.vm(self.datacenter.processes.get(process).vm).disk.health
    }
}
