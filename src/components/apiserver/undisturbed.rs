//! Requests that nothing disturbs: what the world has to know of a server to see their answers coming, and
//! what they leave behind in it.

use super::channel::Line;
use super::{Apiserver, Event, SERVICE};
use crate::api::{Answered, Kind, Request, Verb};
use crate::engine::{Random, SimTime};
use crate::infra::{ConnectionId, Ctx};
use crate::wire::Message;

/// A request that asks etcd once, and is answered with what etcd says.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// When etcd is asked, and on which connection.
    pub asked_at: SimTime,
    pub line: ConnectionId,
    /// When the request would be given up.
    pub deadline: SimTime,
}

impl Apiserver {
    /// How a request that comes at a time goes on, if it is a plain one and the server is well: a Get of
    /// one object, or an update of a Lease.
    pub fn foresee_request(
        &self,
        request: &Request,
        came: SimTime,
        random: &Random,
    ) -> Option<Plain> {
        let (kind, timeout) = match &request.verb {
            Verb::Get(key) => (key.kind, self.settings.request_timeout),
            Verb::Update(object) if object.key().kind == Kind::Lease => {
                (Kind::Lease, self.settings.mutating_timeout)
            }
            _ => return None,
        };
        if !self.is_up || self.terminating {
            return None;
        }
        let line = self.channels.proven(Line::Kind(kind))?;
        let Request { sender, count, .. } = *request;
        let work = random.delay_for(SERVICE, self.settings.service, sender, count);
        Some(Plain { asked_at: came + work, line, deadline: came + timeout })
    }

    /// True if a list waits until the cache is fresh enough.
    pub fn is_waited_for(&self) -> bool {
        self.reflector.is_waited_for()
    }

    /// Who watches a kind.
    pub fn watchers(&self, kind: Kind) -> impl Iterator<Item = ConnectionId> {
        self.cache.watchers(kind)
    }

    /// A request has gone as foreseen: its client is answered, now.
    pub fn pass_request(
        &mut self,
        (client, request): (ConnectionId, &Request),
        deadline: SimTime,
        answered: Answered,
        ctx: &mut Ctx<Event>,
    ) {
        self.next = self.next.wrapping_add(1);
        self.clients.insert(client, request.id);
        self.set_deadline(deadline, ctx);
        ctx.send(client, Message::Answer(request.id, answered));
    }
}
