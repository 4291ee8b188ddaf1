//! Whether anything at all falls due in the world up to a time.

use super::super::core::{Payload, What, World};
use super::super::process::{Event, Process};
use crate::engine::{Key, SimTime};
use crate::infra::ProcessId;

impl World {
    /// No fault strikes, and nobody steps in, before this time.
    pub fn leave_alone_until(&mut self, at: SimTime) {
        self.core.left_alone_until = at;
    }

    /// True if nothing falls due, and nobody steps in, up to a time.
    pub(super) fn is_left_alone(&self, until: SimTime) -> bool {
        self.core.left_alone_until > until
            && self.core.queue.next_at().is_none_or(|next| next > until)
    }

    /// Drops what comes next up to a time and would find nothing to do: it is of no use to anybody.
    pub(super) fn drop_void_until(&mut self, until: SimTime) {
        while let Some((key, payload)) = self.core.queue.peek()
            && key.at <= until
            && self.is_void(key, payload)
        {
            self.core.queue.pop();
        }
    }

    /// True for the end of a wait that is over already, and stays so.
    fn is_void(&self, key: Key, payload: &Payload) -> bool {
        let Some(component) = self.components.get(key.target as usize) else { return false };
        let process = self.core.datacenter.processes.get(ProcessId(key.target));
        if process.frozen.is_some() || process.incarnation != payload.incarnation {
            return false;
        }
        match (component, &payload.what) {
            (Process::Apiserver(server), What::Due(Event::Apiserver(event))) => {
                server.is_void(event)
            }
            (Process::Etcd(member), What::Due(Event::Etcd(event))) => member.is_void(event),
            _ => false,
        }
    }
}
