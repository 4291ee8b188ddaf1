//! Requests to the datacenter's management over one connection, which is opened when it is needed
//! and anew after it broke. A task has no time-out of its own: its end, or the connection's, comes.

use crate::infra::{Address, ConnectionId, Ctx};
use crate::wire::{DatacenterRequest, Message, TaskEnd};
use std::collections::BTreeMap;

/// A client of the datacenter's management; `T` says what a task is for.
#[derive(Clone, Debug)]
pub struct VcenterClient<T> {
    server: Address,
    connection: Option<ConnectionId>,
    /// Tasks under way, by number.
    tasks: BTreeMap<u32, T>,
    next: u32,
}

impl<T> VcenterClient<T> {
    /// A client that is not connected yet.
    pub fn new(server: Address) -> VcenterClient<T> {
        VcenterClient { server, connection: None, tasks: BTreeMap::new(), next: 0 }
    }

    /// Asks for something; its end comes back with `token`.
    pub fn ask<E>(&mut self, ctx: &mut Ctx<E>, request: DatacenterRequest, token: T) {
        let connection = *self.connection.get_or_insert_with(|| ctx.connect(self.server));
        self.next += 1;
        self.tasks.insert(self.next, token);
        ctx.send(connection, Message::Datacenter(self.next, Box::new(request)));
    }

    /// What a task was for that has ended; nothing if it was of an earlier connection.
    pub fn ended(&mut self, from: ConnectionId, task: u32, end: TaskEnd) -> Option<(T, TaskEnd)> {
        let token = self.tasks.remove(&task).filter(|_| self.connection == Some(from))?;
        Some((token, end))
    }

    /// Notes that a connection is over: what nobody will hear the end of, if it was this client's.
    pub fn lost(&mut self, connection: ConnectionId) -> Option<Vec<T>> {
        if self.connection != Some(connection) {
            return None;
        }
        self.connection = None;
        Some(std::mem::take(&mut self.tasks).into_values().collect())
    }

    /// What the tasks under way are for.
    pub fn tasks(&self) -> impl Iterator<Item = &T> {
        self.tasks.values()
    }
}
