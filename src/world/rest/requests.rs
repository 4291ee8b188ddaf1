//! Requests to an API server that nothing can disturb: it asks its member of etcd once, and answers with
//! what that says.
//!
//! A Get, and the renewal of a Lease, from the server's hearing of it to its answer. The condition is that
//! of reads and renewals: until it is over nothing at all falls due in the world, and no fault strikes.

use super::super::core::{Payload, What, World};
use super::super::process::{Event, Process};
use super::reads::Read;
use super::renewals::Renewal;
use crate::api::{Answer, Answered, ApiError, ObjectKey, Request, Verb};
use crate::components::apiserver::{self, Apiserver, Plain, replaced};
use crate::engine::SimTime;
use crate::infra::{ConnectionId, Ctx, ProcessId};
use crate::timeline::Cause;
use crate::wire::{Message, StoreOperation, StoreRequest};

/// How a request will go.
#[derive(Clone, Debug)]
pub(in crate::world) struct Exchange {
    plain: Plain,
    member: ProcessId,
    /// The member hears of it.
    came: SimTime,
    does: Does,
    /// The server answers.
    answered_at: SimTime,
    over_at: SimTime,
}

#[derive(Clone, Debug)]
enum Does {
    Read(Read),
    Renew(Renewal),
}

impl World {
    /// How a request goes that comes to an API server now, if nothing can disturb it.
    pub(in crate::world) fn undisturbed_request(
        &mut self,
        id: ProcessId,
        payload: &Payload,
    ) -> Option<Exchange> {
        let What::Message(from, Message::Request(request)) = &payload.what else { return None };
        if self.core.plays_all() {
            return None;
        }
        let exchange = self.foresee_request(id, (from.client, request))?;
        self.drop_void_until(exchange.over_at);
        self.is_left_alone(exchange.over_at).then_some(exchange)
    }

    /// A request goes as foreseen.
    pub(in crate::world) fn pass_request(
        &mut self,
        id: ProcessId,
        payload: Payload,
        exchange: Exchange,
    ) {
        if !self.core.admit(id, &payload) {
            return;
        }
        let What::Message(client, Message::Request(request)) = payload.what else { return };
        let Exchange { plain, answered_at, .. } = exchange;
        let Some((answered, cause)) = self.answer_of(client, &request, payload.cause, exchange)
        else {
            return;
        };
        self.core.datacenter.network.heard_by(plain.line, answered_at);
        self.at_server(id, (answered_at, cause), |server, ctx| {
            server.pass_request((client, &request), plain.deadline, answered, ctx);
        });
    }

    fn foresee_request(
        &self,
        id: ProcessId,
        (client, request): (ProcessId, &Request),
    ) -> Option<Exchange> {
        let now = self.core.now;
        let plain = self.apiserver(id)?.foresee_request(request, now, &self.core.random)?;
        let (member, came) = self.arrival_of(plain.line, id, plain.asked_at)?;
        let way = self.core.datacenter.network.latency(plain.line)?;
        let (does, answered_at, over_at) = match &request.verb {
            Verb::Update(new) => {
                let (known, address) = (new.meta.resource_version, (request.sender, request.count));
                let asked = (member, plain.line);
                let renewal = self.foresee_renewal(asked, came, (new, known, client), address)?;
                let (answered_at, over_at) = (renewal.applied_at() + way, renewal.over_at);
                (Does::Renew(renewal), answered_at, over_at)
            }
            _ => {
                let read = self.foresee_read(member, came)?;
                let answered_at = read.answered_at + way;
                (Does::Read(read), answered_at, answered_at)
            }
        };
        let is_in_time = answered_at < plain.deadline;
        is_in_time.then_some(Exchange { plain, member, came, does, answered_at, over_at })
    }

    /// What the server answers, and what led to it.
    fn answer_of(
        &mut self,
        client: ConnectionId,
        request: &Request,
        cause: Cause,
        exchange: Exchange,
    ) -> Option<(Answered, Cause)> {
        let Exchange { plain, member, came, does, .. } = exchange;
        self.core.datacenter.network.heard_by(plain.line, came);
        match (does, &request.verb) {
            (Does::Read(read), Verb::Get(key)) => {
                self.pass_read(read);
                Some((self.looked_up(member, key), cause))
            }
            (Does::Renew(renewal), Verb::Update(new)) => {
                let (by, writer) = (request.agent, client.client.0);
                let (key, expected) = (new.key().clone(), new.meta.resource_version);
                let put = replaced(new, writer).map(Box::new);
                let operation = StoreOperation::Transact { key, expected, put, by, writer };
                let (sender, count) = (request.sender, request.count);
                let asked = StoreRequest { id: 0, operation, require_leader: false, sender, count };
                let (proposal, led) = self.renew((member, None), (came, cause), asked, &renewal)?;
                let object = proposal.made.get().expect("it was applied").clone();
                Some((Ok(Answer::Object(object)), led))
            }
            _ => unreachable!("it was foreseen so"),
        }
    }

    fn looked_up(&self, member: ProcessId, key: &ObjectKey) -> Answered {
        let object = self.etcd(member).store().and_then(|store| store.get(key));
        object.map(Answer::Object).ok_or_else(|| ApiError::not_found(key))
    }

    /// Has an API server do something at a time, and carries out what it asks for.
    fn at_server(
        &mut self,
        id: ProcessId,
        (at, cause): (SimTime, Cause),
        act: impl FnOnce(&mut Apiserver, &mut Ctx<apiserver::Event>),
    ) {
        let World { core, components, buffers, .. } = self;
        let Process::Apiserver(server) = &mut components[id.0 as usize] else { return };
        let now = std::mem::replace(&mut core.now, at);
        core.with_ctx(id, cause, &mut buffers.apiserver, |ctx| act(server, ctx));
        let mut led = cause;
        let mut effects = std::mem::take(&mut buffers.apiserver);
        for effect in effects.drain(..) {
            core.carry_out(id, effect, &mut led, Event::Apiserver);
        }
        buffers.apiserver = effects;
        core.now = now;
    }
}
