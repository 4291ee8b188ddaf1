//! What processes let a watcher of the run see: it is written down, and moves causes on.

use super::core::Core;
use crate::infra::{ProcessId, Trace};
use crate::timeline::Cause;

impl Core {
    /// Writes down what a process shows; `cause` moves on with what has become an entry.
    pub(super) fn trace(&mut self, id: ProcessId, trace: Trace, cause: &mut Cause) {
        if matches!(trace, Trace::Member(_) | Trace::Up) {
            self.leave_crash_loop(id, *cause);
        }
        match trace {
            Trace::Committed { history, revision, old, new, by, writer } => {
                let cluster = self.clusters.get(&id).cloned().unwrap_or_default();
                let entry = match self.recorder.seen(&cluster, history, revision) {
                    Some(entry) => entry,
                    None => {
                        let writer = self.datacenter.processes.get(ProcessId(writer));
                        let host = &self.datacenter.vm(writer.vm).name;
                        let entry = self.recorder.committed(
                            self.now,
                            &cluster,
                            old.as_deref(),
                            new.as_deref(),
                            (by, host),
                            cause.entry,
                        );
                        self.recorder.note(cluster, history, revision, entry);
                        entry
                    }
                };
                cause.entry = entry.or(cause.entry);
            }
            Trace::Member(change) => {
                let by = self.datacenter.processes.get(id).name.clone();
                let cluster = self.clusters.get(&id).cloned().unwrap_or_default();
                let entry = self.recorder.member(self.now, &cluster, *change, by, cause.entry);
                cause.entry = entry.or(cause.entry);
            }
            Trace::Probe(report) => {
                let by = self.datacenter.processes.get(id).name.clone();
                let cluster = self.clusters.get(&id).cloned().unwrap_or_default();
                let entry = self.recorder.probe(self.now, &cluster, *report, by, cause.entry);
                cause.entry = Some(entry);
            }
            Trace::Backends(change) => {
                let by = self.datacenter.processes.get(id).name.clone();
                cause.entry = Some(self.recorder.backends(self.now, *change, by, cause.entry));
            }
            Trace::Up | Trace::Down => {
                let name = &self.datacenter.processes.get(id).name;
                let cluster = self.clusters.get(&id).cloned().unwrap_or_default();
                let serves = ("serving", matches!(trace, Trace::Up));
                let entry = self.recorder.process(self.now, &cluster, name, serves, cause.entry);
                cause.entry = Some(entry);
            }
            Trace::Serves => self.unwritten += 1,
            Trace::Host(change) => {
                let by = &self.datacenter.processes.get(id).name;
                cause.entry = Some(self.recorder.host(self.now, &change, by, cause.entry));
            }
            Trace::Log(line) => {
                let process = self.datacenter.processes.get(id);
                let cluster = self.clusters.get(&id).cloned().unwrap_or_default();
                let name = &process.name;
                let entry = self.recorder.log(self.now, &cluster, name, line, cause.entry);
                cause.entry = entry.or(cause.entry);
            }
            Trace::Printed(line, exit) => {
                let name = self.datacenter.processes.get(id).name.clone();
                let entry = self.recorder.printed(self.now, &name, (line, exit), cause.entry);
                cause.entry = Some(entry);
            }
        }
    }
}
