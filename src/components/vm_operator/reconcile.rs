//! VirtualMachine: looks its VM up, does what is missing, and reports what it saw.
//!
//! ```text
//! lives     find ─┬─ there and on ────────────────────────────────> report
//!                 ├─ there and off ─> power on ─────────> find again ─> report
//!                 └─ not there ─> user data ─> clone ───> find again ─> report
//! goes      find ─┬─ there ─> power off and destroy ──> finalizer
//!                 └─ not there ───────────────────────> finalizer
//! ```
//! A VM that is gone is made again from what the object says: the same name and bootstrap Secret,
//! a fresh disk. Nobody asks whether its bootstrap token still lives.

use super::Rules;
use crate::api::kinds::{Condition, PowerState, Status, VirtualMachine};
use crate::api::{Answer, Answered, Kind, Object, ObjectKey, Verb};
use crate::client::{Outcome, Reconciler, Reply, Step, View};
use crate::engine::{Purpose, Text};
use crate::infra::bios_uuid;
use crate::wire::{DatacenterRequest, TaskEnd, VmFacts};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The controller, with the creations that block nobody.
#[derive(Clone, Debug)]
pub struct VirtualMachineController {
    rules: Rules,
    /// VirtualMachines whose VMs are being made.
    creating: BTreeSet<ObjectKey>,
    /// Creations that the owner has not sent yet.
    creations: Vec<(ObjectKey, DatacenterRequest)>,
    /// VirtualMachines whose reconcile has come to its end; the owner has not heard of it yet.
    ended: Vec<ObjectKey>,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    /// For the VM to be found, or not.
    Finding,
    /// For the Secret with the user data of a VM that is to be made.
    ReadingUserData,
    /// For the new VM to be on.
    Creating,
    PoweringOn,
    /// For the VM as it is after what was done.
    FindingAgain,
    Destroying,
    /// For the last write: nothing follows but the outcome.
    Last(Outcome),
}

const UUID: Purpose = Purpose(10);

impl VirtualMachineController {
    /// A controller with these rules.
    pub fn new(rules: Rules) -> VirtualMachineController {
        let (creations, ended) = (Vec::new(), Vec::new());
        VirtualMachineController { rules, creating: BTreeSet::new(), creations, ended }
    }

    /// The VirtualMachines whose reconcile has come to its end; what it wrote may still be on its way.
    pub fn take_ended(&mut self) -> Vec<ObjectKey> {
        std::mem::take(&mut self.ended)
    }

    /// The creations that nobody waits for, to be asked for by the owner.
    pub fn take_creations(&mut self) -> Vec<(ObjectKey, DatacenterRequest)> {
        std::mem::take(&mut self.creations)
    }

    /// A creation has ended, well or not: the next look tells.
    pub fn creation_ended(&mut self, key: &ObjectKey) {
        self.creating.remove(key);
    }

    /// Takes the object under control. Its UUID is settled now if it is to outlive the VM.
    ///
    /// Simplified: VM Operator's webhook does the latter while the object is created.
    fn adopt(&self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let mut changed = Object::clone(object);
        changed.meta.finalizers = Arc::new([VirtualMachine::FINALIZER]);
        let keeps = self.rules.recreate_keeps_uuid;
        if let Some(vm) = changed.virtual_machine_mut().filter(|vm| vm.uuid_wanted.is_empty())
            && keeps
        {
            vm.uuid_wanted = bios_uuid((view.draw)(UUID), (view.draw)(UUID));
        }
        // The watch brings it back, held.
        finish(object, changed, Outcome::done())
    }

    fn found(&mut self, object: &Arc<Object>, end: &TaskEnd, view: &View) -> Step<State> {
        let Some(vm) = object.virtual_machine() else { return Step::done() };
        let name = object.name().clone();
        match end {
            // The datacenter's events will tell when it is connected again.
            TaskEnd::Found(facts) if !facts.is_connected && self.rules.skips_disconnected => {
                Step::done()
            }
            TaskEnd::Found(_) if object.meta.is_deleting() => {
                Step::Call(DatacenterRequest::Destroy { vm: name }, State::Destroying)
            }
            _ if object.meta.is_deleting() => release(object),
            TaskEnd::Found(facts) if !facts.is_on && vm.power_wanted == PowerState::PoweredOn => {
                Step::Call(DatacenterRequest::PowerOn { vm: name }, State::PoweringOn)
            }
            TaskEnd::Found(facts) => self.report(object, facts, view),
            // Too many are being made already: a worker is to be left for what is not a creation.
            _ if self.creating.len() >= self.rules.max_creations => {
                Step::Done(Outcome::after("vmOperator.requeue", self.rules.requeue))
            }
            _ => {
                self.creating.insert(object.key().clone());
                self.read_user_data(object, vm)
            }
        }
    }

    /// The Secret is read anew for each VM; what is in it may have been dead for long.
    fn read_user_data(&mut self, object: &Arc<Object>, vm: &VirtualMachine) -> Step<State> {
        if vm.bootstrap_secret.is_empty() {
            return self.create(object, Text::EMPTY);
        }
        let namespace = object.key().namespace.clone();
        let name = vm.bootstrap_secret.clone();
        let key = ObjectKey { kind: Kind::Secret, namespace, name };
        Step::ask(Verb::Get(key), State::ReadingUserData)
    }

    fn user_data_read(&mut self, object: &Arc<Object>, answered: Answered) -> Step<State> {
        let secret = match answered {
            Ok(Answer::Object(secret)) => secret,
            Ok(_) => return Step::done(),
            Err(error) => return Step::Done(Outcome::error(error.message)),
        };
        match secret.secret().and_then(|secret| secret.user_data()) {
            Some(user_data) => self.create(object, user_data.clone()),
            None => Step::Done(Outcome::error("the bootstrap Secret has no user data")),
        }
    }

    fn create(&mut self, object: &Arc<Object>, user_data: Text) -> Step<State> {
        let Some(vm) = object.virtual_machine() else { return Step::done() };
        let keeps = self.rules.recreate_keeps_uuid && !vm.uuid_wanted.is_empty();
        let uuid = keeps.then(|| vm.uuid_wanted.clone());
        let request = DatacenterRequest::Clone { vm: object.name().clone(), uuid, user_data };
        self.creating.insert(object.key().clone());
        if self.rules.create_blocks {
            return Step::Call(request, State::Creating);
        }
        self.creations.push((object.key().clone(), request));
        Step::Done(Outcome::after("vmOperator.requeue", self.rules.requeue))
    }

    /// Notes it if this is the last step of a VirtualMachine that is to live.
    fn note_end(&mut self, object: &Object, step: Step<State>) -> Step<State> {
        let ends = match &step {
            Step::Done(outcome) => outcome.error.is_none() || self.rules.probes_after_failure,
            Step::Write(_, State::Last(_)) => true,
            _ => false,
        };
        if ends && !object.meta.is_deleting() {
            self.ended.push(object.key().clone());
        }
        step
    }

    fn report(&self, object: &Arc<Object>, facts: &VmFacts, view: &View) -> Step<State> {
        let mut changed = Object::clone(object);
        let Some(vm) = changed.virtual_machine_mut() else { return Step::done() };
        let created =
            Condition::new(VirtualMachine::CREATED, Status::True, "True", "", view.wall_clock());
        vm.conditions.say(created);
        vm.power = match facts.is_on {
            true => PowerState::PoweredOn,
            false => PowerState::PoweredOff,
        };
        vm.bios_uuid = facts.uuid.clone();
        vm.ip = facts.ip.clone().unwrap_or_default();
        // With the datacenter's events, the address is one of them.
        let waits = facts.is_on && facts.ip.is_none() && !self.rules.async_signal;
        let outcome = match waits {
            true => Outcome::after("vmOperator.requeue", self.rules.requeue),
            false => Outcome::done(),
        };
        finish(object, changed, outcome)
    }
}

impl Reconciler for VirtualMachineController {
    type State = State;

    fn agent(&self) -> &'static str {
        "virtualmachine-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        if object.meta.is_deleting() {
            // A resync that comes first does what the deletion would have been called for.
            view.found(key);
        }
        let held = object.meta.finalizers.contains(&VirtualMachine::FINALIZER);
        match (held, object.meta.is_deleting()) {
            (false, true) => Step::done(),
            (false, false) => self.adopt(&object, view),
            // A VM that is being made cannot be looked at, nor deleted.
            (true, _) if self.creating.contains(key) => {
                let step = Step::Done(Outcome::after("vmOperator.requeue", self.rules.requeue));
                self.note_end(&object, step)
            }
            (true, _) => find(&object, State::Finding),
        }
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        if matches!(state, State::ReadingUserData | State::Creating) {
            self.creation_ended(key);
        }
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        if object.meta.is_deleting() {
            view.found(key);
        }
        let step = match (state, reply) {
            (State::Last(outcome), _) => return Step::Done(outcome),
            (_, Reply::Task(Err(error))) => Step::Done(Outcome::error(error)),
            (State::Finding, Reply::Task(Ok(end))) => self.found(&object, &end, view),
            (State::ReadingUserData, Reply::Answer(answered)) => {
                self.user_data_read(&object, answered)
            }
            (State::PoweringOn, Reply::Task(Ok(TaskEnd::NotFound))) => {
                Step::Done(Outcome::error("the VM went while it was powered on"))
            }
            (State::PoweringOn, Reply::Task(Ok(TaskEnd::TaskInProgress))) => {
                Step::Done(Outcome::error("the VM is being deleted"))
            }
            (_, Reply::Task(Ok(TaskEnd::HostNotConnected))) => {
                Step::Done(Outcome::error("the VM's host is not connected"))
            }
            (State::Creating, Reply::Task(Ok(TaskEnd::NoCompatibleHost))) => {
                Step::Done(Outcome::error("no host can take the VM"))
            }
            // One of this name that somebody else made meanwhile is taken as it is.
            (State::Creating | State::PoweringOn, Reply::Task(Ok(_))) => {
                find(&object, State::FindingAgain)
            }
            (State::FindingAgain, Reply::Task(Ok(TaskEnd::Found(facts)))) => {
                self.report(&object, &facts, view)
            }
            (State::FindingAgain, _) => Step::Done(Outcome::error("the VM went again")),
            (State::Destroying, _) => release(&object),
            _ => Step::done(),
        };
        self.note_end(&object, step)
    }
}

fn find(object: &Object, then: State) -> Step<State> {
    Step::Call(DatacenterRequest::Find { vm: object.name().clone() }, then)
}

/// The VM is gone: the object may go too.
fn release(object: &Arc<Object>) -> Step<State> {
    let mut changed = Object::clone(object);
    changed.meta.finalizers = Arc::new([]);
    finish(object, changed, Outcome::done())
}

/// Writes what changed, and ends.
fn finish(object: &Arc<Object>, changed: Object, outcome: Outcome) -> Step<State> {
    if changed == **object {
        return Step::Done(outcome);
    }
    let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
    Step::write(verb, State::Last(outcome))
}
