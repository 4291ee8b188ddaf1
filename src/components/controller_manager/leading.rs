//! One of several controller-managers leads: from a process's start until its controllers run.
//!
//! Follows `k/k:cmd/kube-controller-manager/app/controllermanager.go`.
//!
//! ```text
//! started ── knows whom to trust ─> listens, candidate ── elected ─> informers sync ─> controllers,
//!    └ has to ask, in vain ─> exits     │                                    which know nothing yet
//!                                       └ cannot renew for 10 s ─> `leaderelection lost`, exits
//! ```
//! kubeadm's manifest names the files of the certificate authorities, so it has nothing to ask
//! (`cmd/kubeadm/app/phases/controlplane/manifests.go`, `getControllerManagerCommand`); one without them asks
//! for a ConfigMap before it listens (`apiserver/pkg/server/options/authentication.go`, `ApplyTo`).
//! What it knew is gone with the process; the Lease is not released, so the next leader waits until
//! it has seen it unchanged for its whole duration.
//!
//! Simplified: the Event `stopped leading` is not attempted; it dies with the process.

use super::{ControllerManager, Event, Token, WATCHED, of_machines};
use crate::api::kinds::EventType;
use crate::api::{Answered, Reason, Selector, Verb};
use crate::client::{Heard, Standing, USUAL, trusted_front_proxy};
use crate::engine::{Duration, Purpose, Text};
use crate::infra::{Ctx, Input, Start};

/// The number of the election's own client.
pub const CLIENT: u8 = 2;
/// The process, and its Lease.
pub const PROGRAM: &str = "kube-controller-manager";
const STARTUP: Purpose = Purpose(41);

impl ControllerManager {
    /// For how long it asks for nothing more of its Lease once that is renewed; none if it does not lead.
    pub fn pause_after_renewal(&self) -> Option<Duration> {
        self.election.pause_after_renewal()
    }

    /// Takes what is for the election; gives back what is for the controllers.
    pub(super) fn election_input(
        &mut self,
        input: Input<Event>,
        ctx: &mut Ctx<Event>,
    ) -> Option<Input<Event>> {
        match input {
            Input::Started(start) => self.start(start, ctx),
            Input::Due(Event::Initialized) => match self.settings.lookup_timeout {
                Some(timeout) => {
                    let verb = Verb::Get(trusted_front_proxy());
                    let (token, limit) = (Token::Authentication, (USUAL, timeout));
                    self.clients.local.ask_within(ctx, PROGRAM, verb, token, limit);
                }
                None => self.stand(ctx),
            },
            other => match self.election.hear(other, Event::alarm, ctx) {
                Heard::NotMine(other) => return Some(other),
                Heard::Nothing => {}
                Heard::Elected => self.elected(ctx),
            },
        }
        None
    }

    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        let (settings, server, standing) = (self.settings.clone(), self.server, self.standing);
        *self = ControllerManager::new(settings, server, standing);
        match start {
            Start::Fresh => {
                ctx.close_ports();
                let startup = ctx.draw_delay(STARTUP, self.settings.startup);
                ctx.after("kubernetes.controllerManagerStartup", startup, Event::Initialized);
            }
            Start::Steady => {
                if standing == Standing::Leader {
                    self.watch(ctx);
                    self.begin_controllers(start, ctx);
                }
                self.election.start(start, standing, ctx);
            }
        }
    }

    /// Without an API server there is nobody to trust, and the process ends.
    pub(super) fn authentication_read(&mut self, answered: &Answered, ctx: &mut Ctx<Event>) {
        match answered {
            // Simplified: a cluster here has no such ConfigMap; that it can be asked for is enough.
            Err(error) if error.reason != Reason::NotFound => {
                ctx.log(format!(
                    "unable to load configmap based request-header-client-ca-file: {error}"
                ));
                ctx.exit();
            }
            _ => self.stand(ctx),
        }
    }

    /// It listens, and is a candidate.
    fn stand(&mut self, ctx: &mut Ctx<Event>) {
        ctx.open_ports();
        self.election.start(Start::Fresh, self.standing, ctx);
    }

    fn elected(&mut self, ctx: &mut Ctx<Event>) {
        let message = Text::from(format!("{} became leader", self.election.identity()));
        let (lock, kind) = (self.election.lock().clone(), EventType::Normal);
        self.clients.local.record(ctx, PROGRAM, kind, &lock, "LeaderElection", message);
        self.watch(ctx);
    }

    fn watch(&mut self, ctx: &mut Ctx<Event>) {
        let machines = if self.settings.has_machines { &of_machines::KINDS[..] } else { &[] };
        for kind in WATCHED.iter().chain(machines) {
            self.clients.local.watch(ctx, *kind, Selector::All);
        }
        self.start_bootstrap(ctx);
    }

    /// A new leader's controllers begin once their caches have had their first lists.
    pub(super) fn begin_passes(&mut self, ctx: &mut Ctx<Event>) {
        if !self.works && self.clients.local.caches.are_synced() {
            self.begin_controllers(Start::Fresh, ctx);
        }
    }

    fn begin_controllers(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        self.works = true;
        self.node_lifecycle.begin(start);
        self.start_node_lifecycle(start, ctx);
        self.start_pod_gc(start, ctx);
    }
}
