//! An API server's beginning and end.
//!
//! ```text
//! started ── dials etcd, lists everything ── listens ── start hooks over ─> serves ── SIGTERM ─┐
//!    ├ no connection for 20 s ─> exits                                                       │
//!    └ a first read fails     ─> exits             removes itself from the endpoints of the <┘
//!                                                  Service `kubernetes`, and serves ── done, or 20 s ─┐
//!                                                  refuses whoever connects, sends its clients       <┘
//!                                                  away (GOAWAY), and goes on with
//!                                                  what is under way ── all over, or 60 s ─> exits
//! ```
//! It is not ready from SIGTERM on (`shutdown`, `/readyz`), and serves until its port is closed: at once, where
//! etcd answers, since `--shutdown-delay-duration` is 0.
//!
//! Watches are under way too, and nobody ends them (`--shutdown-watch-termination-grace-period` is 0): a server
//! that is watched takes its whole time, or until its kubelet kills it (30 s). Its clients ask on new
//! connections meanwhile, and what was on its way to it too. Who reaches another server sees no failure; who can reach
//! this one only (the controllers of its VM, its kubelet in local mode) is refused.
//! `--shutdown-send-retry-after` is off, as it is unless somebody sets it.
//!
//! Follows `k/k:pkg/controlplane` (`Unable to perform initial IP allocation check`) and
//! `staging/src/k8s.io/apiserver/pkg/server/genericapiserver.go`.
//!
//! Every storage dials etcd and waits for it before the server is complete, so a port is opened only then
//! (`staging/src/k8s.io/apiserver/pkg/storage/storagebackend/factory/etcd3.go`, `grpc.WithBlock`).
//!
//! A member of etcd that has yet to find its cluster lets it wait, one that has lost its leader does not.
//!
//! Simplified: what is asked before it is ready waits, where the real one answers some requests earlier.
//! Its entry among the endpoints is nothing that anybody is led by. Of its removal there is the first read of
//! etcd, which waits for a quorum; the five calls that follow take the real one some ten milliseconds more.

use super::channel::Line;
use super::health::Health;
use super::reflector::Own;
use super::{Apiserver, Event, Stage};
use crate::api::Kind;
use crate::engine::Purpose;
use crate::infra::{ConnectionId, Ctx, Start, Trace};
use crate::wire::{Message, StoreError};
use std::collections::btree_map::Entry;

/// What the users ask for by whom the API's availability is defined.
pub const ASKED: Kind = Kind::ConfigMap;
/// The draws for the time of its start.
const STARTUP: Purpose = Purpose(2);

impl Apiserver {
    pub(super) fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        *self = Apiserver::new(self.settings);
        ctx.catch_term();
        if start == Start::Fresh {
            self.health = Health::new(start);
            self.hooks_over = false;
            self.is_up = false;
            ctx.close_ports();
            let startup = ctx.draw_delay(STARTUP, self.settings.startup);
            ctx.after("kubernetes.apiserverStartup", startup, Event::HooksOver);
            ctx.after("kubernetes.etcdDialTimeout", self.settings.dial_timeout, Event::DialOver);
            ctx.after(
                "kubernetes.requestTimeout",
                self.settings.request_timeout,
                Event::FirstReadOver,
            );
        }
        self.channels.connect_all(ctx);
        self.tell_if_serves(ctx);
        if start == Start::Fresh {
            for kind in Kind::ALL {
                self.ask_own(Own::Dial(kind), ctx);
            }
        }
        self.fill_cache(ctx);
    }

    /// Opens its port once every storage has its etcd.
    pub(super) fn dialled(&mut self, ctx: &mut Ctx<Event>) {
        if !self.is_dialling() && !self.terminating {
            ctx.open_ports();
        }
    }

    /// True while a storage still waits for its connection.
    pub(super) fn is_dialling(&self) -> bool {
        self.own.values().any(|own| matches!(own, Own::Dial(_)))
    }

    /// Serves what has waited for that, once it can.
    pub(super) fn rise(&mut self, ctx: &mut Ctx<Event>) {
        if !self.is_up && self.hooks_over && self.reflector.was_filled {
            self.is_up = true;
            if !self.draining {
                ctx.trace(Trace::Up);
            }
            self.tell_if_serves(ctx);
            self.serve_those(|stage| matches!(stage, Stage::Starting), ctx);
        }
    }

    /// True if it would serve whatever it is asked, as far as it knows: its start is over, and no storage
    /// waits before it dials etcd again.
    pub fn serves(&self) -> bool {
        self.is_at_work() && self.channels.are_connected()
    }

    /// True if it would serve who asks for objects of this kind. That a storage's etcd is away shows only when
    /// somebody asks, so where nobody has meanwhile it pauses less.
    pub fn serves_kind(&self, kind: Kind) -> bool {
        self.is_at_work() && self.channels.is_connected(Line::Kind(kind))
    }

    fn is_at_work(&self) -> bool {
        self.is_up && !self.draining
    }

    /// Shows those who look on that this has changed, if it has.
    pub(super) fn tell_if_serves(&mut self, ctx: &mut Ctx<Event>) {
        let serves = [self.serves(), self.serves_kind(ASKED)];
        if std::mem::replace(&mut self.served, serves) != serves {
            ctx.trace(Trace::Serves);
        }
    }

    /// SIGTERM: nobody is to be led to it any more (`kubernetesservice/controller.go`, `Stop`, a pre-shutdown
    /// hook for which `NotAcceptingNewRequest` waits). One that has not opened its port yet has no hooks.
    pub(super) fn terminate(&mut self, ctx: &mut Ctx<Event>) {
        if std::mem::replace(&mut self.terminating, true) {
            return;
        }
        if self.is_dialling() {
            return self.drain(ctx);
        }
        let id = self.ask_own(Own::Removal, ctx);
        let limit = self.settings.removal_timeout;
        ctx.after("kubernetes.endpointRemovalTimeout", limit, Event::RemovalOver(id));
    }

    /// It is no endpoint any more, or has given that up.
    pub(super) fn removed(&mut self, id: u32, ctx: &mut Ctx<Event>) {
        self.own.remove(&id);
        self.channels.forget(id);
        self.drain(ctx);
    }

    /// Etcd has failed the removal: it is tried again by etcd's client, or not at all.
    pub(super) fn removal_failed(&mut self, id: u32, error: &StoreError, ctx: &mut Ctx<Event>) {
        if self.repeats(false, error) {
            let pause = self.settings.retry.pause;
            return ctx.after("kubernetes.etcdRetryPause", pause, Event::AskAgain(id));
        }
        let why = super::storage::words(error);
        ctx.log(format!("Unable to remove endpoints from kubernetes service: {why}"));
        self.removed(id, ctx);
    }

    pub(super) fn removal_over(&mut self, id: u32, ctx: &mut Ctx<Event>) {
        if self.own.contains_key(&id) {
            ctx.log("RemoveEndpoints() timed out");
            self.removed(id, ctx);
        }
    }

    /// Refuses whoever connects, sends its clients away, and ends when nothing is under way any more, or its
    /// time is over (`RunServer` of `staging/src/k8s.io/apiserver/pkg/server/secure_serving.go`; its
    /// `ShutdownTimeout` is the `RequestTimeout`). `net/http` then tells each connection the last request that
    /// is still served (`golang/net:http2/server.go`, `startGracefulShutdown`).
    fn drain(&mut self, ctx: &mut Ctx<Event>) {
        self.draining = true;
        if self.is_up {
            ctx.trace(Trace::Down);
        }
        self.tell_if_serves(ctx);
        ctx.close_ports();
        for (client, last) in &self.clients {
            ctx.send(*client, Message::GoAway(*last));
        }
        let limit = self.settings.request_timeout;
        ctx.after("kubernetes.requestTimeout", limit, Event::ShutdownOver);
        self.end_if_idle(ctx);
    }

    /// A request comes too late: its client asks elsewhere once he hears that he has been sent away. Who had
    /// connected and not asked yet hears it now.
    pub(super) fn leave_untaken(&mut self, client: ConnectionId, ctx: &mut Ctx<Event>) {
        if let Entry::Vacant(unheard) = self.clients.entry(client) {
            unheard.insert(0);
            ctx.send(client, Message::GoAway(0));
        }
    }

    pub(super) fn end_if_idle(&mut self, ctx: &mut Ctx<Event>) {
        if self.draining && !self.cache.is_watched() && self.open.is_empty() {
            ctx.exit();
        }
    }

    /// A new process has waited long enough for a connection to etcd.
    pub(super) fn dial_over(&mut self, ctx: &mut Ctx<Event>) {
        if self.is_dialling() {
            ctx.log(
                "Error creating leases: error creating storage factory: context deadline exceeded",
            );
            ctx.exit();
        }
    }

    /// A new process has waited long enough for its first reads.
    pub(super) fn first_read_over(&mut self, ctx: &mut Ctx<Event>) {
        if !self.reflector.was_filled {
            ctx.log("Unable to perform initial IP allocation check: context deadline exceeded");
            ctx.exit();
        }
    }
}
