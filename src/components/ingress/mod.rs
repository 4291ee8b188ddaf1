//! The ingress: where users ask, and what leads them to a Pod.
//!
//! It is a machine of its own outside the cluster, as the load balancers of vSphere and of clouds
//! are, so no fault on a worker reaches it by accident. It knows the endpoints of one Service as an
//! API server told it, a little later than it was told, and has no health check of its own: a Node
//! that fell silent gets its share of the requests until its Pods are no endpoints any more.
//! While the API is away it goes on with what it heard last.
//!
//! ```text
//! user ── request ─> ingress ── on a connection of its own ─> container ── echo ─> ingress ─> user
//!                       ├ nobody there to ask: 503            ├ refused: 502
//!                       └ the host is silent: the user waits until he gives up
//! ```
//! As kube-proxy does, it asks Pods that are on their way out and still serve where no other is ready
//! (`k/k:pkg/proxy/topology.go`, `CategorizeEndpoints`; in all releases from 1.28).
//!
//! Simplified: kube-proxy on the Nodes is part of the one delay until an endpoint's change has
//! effect; a request that fails is not sent to another endpoint.

#[cfg(test)]
mod tests;

use crate::api::kinds::{Endpoint, SERVICE_NAME};
use crate::api::{Kind, Selector, Uid, labels};
use crate::client::{Alarm, Client, ClientSettings, News};
use crate::engine::{Delay, Purpose, Text};
use crate::infra::{Address, ConnectionId, Ctx, Input};
use crate::wire::{Message, Served};
use std::collections::BTreeMap;

/// How the ingress behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    /// From hearing of a change of the endpoints until requests follow it.
    pub programming: Delay,
}

/// What the ingress reacts to besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Client(Alarm),
    /// The endpoints that were heard of take effect.
    Programmed,
}

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event::Client(alarm)
    }
}

/// The ingress of one app.
#[derive(Clone, Debug)]
pub struct Ingress {
    settings: Settings,
    server: Address,
    service: Text,
    client: Client<()>,
    /// Where requests go.
    routes: Vec<Route>,
    /// How many requests came: they go to one endpoint after the other.
    requests: u64,
    /// Whose request waits on which connection to a container.
    waiting: BTreeMap<ConnectionId, (ConnectionId, u32)>,
}

/// A Pod that gets requests: all that are ready, or the last that still serve.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    node: Text,
    pod: Uid,
}

const PROGRAMMING: Purpose = Purpose(0);

impl Ingress {
    /// An ingress that knows no endpoint yet.
    pub fn new(settings: Settings, server: Address, service: Text) -> Ingress {
        Ingress {
            client: Client::new(0, server, settings.client),
            settings,
            server,
            service,
            routes: Vec::new(),
            requests: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let mut news = Vec::new();
        match input {
            Input::Started(_) => {
                *self = Ingress::new(self.settings, self.server, self.service.clone());
                let of_service = labels([(SERVICE_NAME, self.service.clone())]);
                self.client.watch(ctx, Kind::EndpointSlice, Selector::Labeled(of_service));
            }
            Input::Message(from, Message::App(number)) => self.pass_on(from, number, ctx),
            Input::Message(from, message) => self.client.on_message(ctx, from, message, &mut news),
            Input::Broken(connection, how) => {
                self.over(connection, ctx);
                self.client.on_broken(ctx, connection, how, &mut news);
            }
            Input::Due(Event::Client(alarm)) => self.client.on_alarm(ctx, alarm, &mut news),
            Input::Due(Event::Programmed) => self.program(),
            Input::Tick(_)
            | Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
        for item in news {
            match item {
                // The first list is what it has routed by for long.
                News::Synced(_) => self.program(),
                News::Changed(_) => {
                    let delay = ctx.draw_delay(PROGRAMMING, self.settings.programming);
                    ctx.after("users.endpointProgramming", delay, Event::Programmed);
                }
                News::Answer(..) => {}
            }
        }
    }

    fn program(&mut self) {
        let slices = self.client.caches.list(Kind::EndpointSlice);
        let endpoints = slices.filter_map(|slice| slice.endpoint_slice());
        let all: Vec<&Endpoint> = endpoints.flat_map(|slice| &slice.endpoints).collect();
        let of = |fits: fn(&Endpoint) -> bool| -> Vec<Route> {
            let fitting = all.iter().filter(|endpoint| fits(endpoint));
            fitting.map(|e| Route { node: e.node.clone(), pod: e.uid }).collect()
        };
        let ready = of(|endpoint| endpoint.ready);
        self.routes = match ready.is_empty() {
            false => ready,
            true => of(|endpoint| endpoint.serving && endpoint.terminating),
        };
    }

    /// A request of a user, or a container's answer: that is the request itself, echoed.
    fn pass_on(&mut self, from: ConnectionId, number: u32, ctx: &mut Ctx<Event>) {
        if let Some((user, number)) = self.waiting.remove(&from) {
            ctx.close(from);
            return ctx.send(user, Message::AppServed(number, Served::Well));
        }
        let count = self.routes.len() as u64;
        if count == 0 {
            return ctx.send(from, Message::AppServed(number, Served::NoEndpoint));
        }
        let turn = usize::try_from(self.requests % count).expect("an index of a list");
        self.requests += 1;
        let Route { node, pod } = self.routes[turn].clone();
        let upstream = ctx.connect_to_container(node, pod);
        self.waiting.insert(upstream, (from, number));
        ctx.send(upstream, Message::App(number));
    }

    /// A container refused, or a user went away.
    fn over(&mut self, connection: ConnectionId, ctx: &mut Ctx<Event>) {
        if let Some((user, number)) = self.waiting.remove(&connection) {
            return ctx.send(user, Message::AppServed(number, Served::BadGateway));
        }
        let left = self.waiting.iter().filter(|(_, (user, _))| *user == connection);
        let left: Vec<ConnectionId> = left.map(|(upstream, _)| *upstream).collect();
        for upstream in left {
            self.waiting.remove(&upstream);
            ctx.close(upstream);
        }
    }
}
