//! Nodes that a kubelet has registered are initialized: their machine is looked up by its name, they
//! get its `providerID`, and the taint that has kept Pods away is taken off.
//!
//! ```text
//! Node added or changed, with the taint ─> queue ─> VirtualMachine of that name ─> Node updated
//!                                            └──── any failure: later, with growing pauses
//! ```
//! Follows the cloud node controller of `k/k:staging/src/k8s.io/cloud-provider`: one worker, and an
//! update that is written again if somebody else wrote meanwhile.
//!
//! Simplified: a look at the VirtualMachine is not repeated before it counts as a failure, and
//! answers what is asked about addresses and zone as well; all failures together have no limit.

use super::{CloudController, Event, Token};
use crate::api::kinds::{EventType, Taint, TaintEffect, VirtualMachine, taint};
use crate::api::{Answer, Answered, Kind, Object, ObjectKey, Reason, Verb};
use crate::client::{Backoff, BackoffRules};
use crate::engine::{Delay, Duration, Purpose, Text};
use crate::infra::Ctx;
use crate::timeline::Cause;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How Nodes are initialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initialization {
    /// The pause after a failure, at first and at most.
    pub backoff_first: Duration,
    pub backoff_limit: Duration,
    /// Between two tries to write a Node that somebody else writes, and how many there are.
    pub update_pause: Delay,
    pub update_tries: u32,
}

/// The queue of Nodes, and its one worker.
#[derive(Clone, Debug, Default)]
pub struct Newcomers {
    waiting: VecDeque<(Text, Cause)>,
    at_work: Option<Work>,
    failed: BTreeMap<Text, Backoff>,
}

/// What is being done for a Node.
#[derive(Clone, Debug)]
struct Work {
    node: Text,
    cause: Cause,
    provider_id: Text,
    tries: u32,
}

const AGENT: &str = "cloud-node-controller";
const UPDATE_PAUSE: Purpose = Purpose(1);
/// Where the VirtualMachines are.
const NAMESPACE: &str = "default";
const BACKOFF: BackoffRules = BackoffRules {
    first: "kubernetes.cloudNodeBackoffFirst",
    limit: "kubernetes.cloudNodeBackoffLimit",
};

impl CloudController {
    /// A Node was added or changed.
    pub(super) fn may_be_new(&mut self, node: &Object, ctx: &mut Ctx<Event>) {
        if is_uninitialized(node) {
            self.enqueue(node.name().clone(), ctx);
        }
    }

    /// A Node is wanted in the queue.
    pub(super) fn enqueue(&mut self, name: Text, ctx: &mut Ctx<Event>) {
        if self.newcomers.waiting.iter().all(|(waiting, _)| *waiting != name) {
            self.newcomers.waiting.push_back((name, ctx.cause()));
        }
        self.initialize_next(ctx);
    }

    /// The worker takes the next Node, if it has none and knows all.
    pub(super) fn initialize_next(&mut self, ctx: &mut Ctx<Event>) {
        while self.works && self.newcomers.at_work.is_none() {
            let Some((name, cause)) = self.newcomers.waiting.pop_front() else { return };
            if self.node(&name).is_none_or(|node| !is_uninitialized(&node)) {
                self.newcomers.failed.remove(&name);
                continue;
            }
            ctx.turn_of(cause, None);
            ctx.log(format!("Initializing node {name} with cloud provider"));
            let key = ObjectKey {
                kind: Kind::VirtualMachine,
                namespace: Text::word(NAMESPACE),
                name: name.clone(),
            };
            let work = Work { node: name, cause, provider_id: Text::EMPTY, tries: 0 };
            self.newcomers.at_work = Some(work);
            self.cloud.ask(ctx, AGENT, Verb::Get(key), Token::Instance);
        }
    }

    /// The Supervisor has said which machine has the Node's name.
    pub(super) fn instance_read(&mut self, answered: Answered, ctx: &mut Ctx<Event>) {
        let Some(work) = &mut self.newcomers.at_work else { return };
        let found = match &answered {
            Ok(Answer::Object(object)) => object.virtual_machine(),
            _ => None,
        };
        let uuid = found.map(|machine: &VirtualMachine| machine.bios_uuid.clone());
        match uuid {
            Some(uuid) if !uuid.is_empty() => {
                let prefix = &self.settings.provider_prefix;
                work.provider_id = Text::from(format!("{prefix}{uuid}"));
                self.update_node(ctx);
            }
            Some(_) => self.initialization_failed("discovered Bios UUID is empty", ctx),
            None => match answered {
                Err(error) if error.reason != Reason::NotFound => {
                    self.initialization_failed(&error.message, ctx);
                }
                _ => self.initialization_failed("instance not found", ctx),
            },
        }
    }

    /// Writes the Node as it was last heard of, without the taint.
    pub(super) fn update_node(&mut self, ctx: &mut Ctx<Event>) {
        let Some(work) = &mut self.newcomers.at_work else { return };
        work.tries += 1;
        let (name, cause, id) = (work.node.clone(), work.cause, work.provider_id.clone());
        let Some(node) = self.node(&name) else {
            return self.initialization_failed(&format!("node \"{name}\" not found"), ctx);
        };
        ctx.turn_of(cause, None);
        let mut changed = Object::clone(&node);
        if let Some(body) = changed.node_mut() {
            body.taints.retain(|taint| !is_mark(taint));
            if body.provider_id.is_empty() {
                body.provider_id = id;
            }
        }
        self.client.ask(ctx, AGENT, Verb::Update(Arc::new(changed)), Token::Initialized);
    }

    pub(super) fn node_updated(&mut self, answered: Answered, ctx: &mut Ctx<Event>) {
        let Some(work) = &self.newcomers.at_work else { return };
        match answered {
            Ok(_) => {
                let name = work.node.clone();
                ctx.log(format!("Successfully initialized node {name} with cloud provider"));
                let message = Text::word("Node synced successfully");
                let node = ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name };
                self.client.record(ctx, AGENT, EventType::Normal, &node, "Synced", message);
                self.newcomers.failed.remove(&node.name);
                self.newcomers.at_work = None;
                self.initialize_next(ctx);
            }
            Err(error)
                if error.reason == Reason::Conflict
                    && work.tries < self.settings.initialization.update_tries =>
            {
                let pause = self.settings.initialization.update_pause;
                let pause = ctx.draw_delay(UPDATE_PAUSE, pause);
                ctx.after("kubernetes.cloudNodeUpdatePause", pause, Event::UpdateNode);
            }
            Err(error) => self.initialization_failed(&error.message, ctx),
        }
    }

    fn initialization_failed(&mut self, why: &str, ctx: &mut Ctx<Event>) {
        let Some(Work { node, .. }) = self.newcomers.at_work.take() else { return };
        ctx.log(format!("error syncing '{node}': {why}, requeuing"));
        let Initialization { backoff_first, backoff_limit, .. } = self.settings.initialization;
        let fresh = || Backoff::new(backoff_first, backoff_limit);
        let backoff = self.newcomers.failed.entry(node.clone()).or_insert_with(fresh);
        let (rule, pause) = backoff.fail(&BACKOFF);
        ctx.after(rule, pause, Event::Initialize(node));
        self.initialize_next(ctx);
    }
}

/// True for a Node that waits for the cloud's word.
fn is_uninitialized(node: &Object) -> bool {
    node.node().is_some_and(|body| body.taints.iter().any(is_mark))
}

fn is_mark(found: &Taint) -> bool {
    found.is(taint::UNINITIALIZED, TaintEffect::NoSchedule)
}
