//! VSphereMachine: the VirtualMachine that it wants, and how far that one has come.
//!
//! ```text
//! lives     VirtualMachine written ─> Created ─> powered on ─> has its address ─> has its UUID ─> ready
//! goes      VirtualMachine deleted ─> looked for every 10 s, or woken by watch ─> finalizer
//! ```
//! The wanted VirtualMachine is compared at each look, and written only if it differs: nothing else
//! of what this controller does would wake VM Operator.

use crate::api::kinds::{
    Condition, KubeadmControlPlane, Machine, PowerState, Status, VSphereMachine, VirtualMachine,
};
use crate::api::{Kind, Meta, Object, ObjectKey, Verb};
use crate::client::{Outcome, Reconciler, Reply, Step, View};
use crate::engine::{Duration, SimTime, Text};
use std::sync::Arc;

/// The controller.
#[derive(Clone, Debug)]
pub struct VSphereMachineController {
    requeue: Duration,
    /// Where a control-plane VM's readiness is probed, if it is.
    readiness_port: Option<u16>,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    /// The VirtualMachine was written: its state is judged as it was read.
    Wanted(Option<Arc<Object>>),
    /// The VirtualMachine's deletion was asked for.
    Deleted,
    /// The last write: nothing follows but the outcome.
    Last(Outcome),
}

/// How far a VirtualMachine has come: `status.vmstatus`, and what it waits for, if for anything.
type Progress = (&'static str, Option<&'static str>);

impl VSphereMachineController {
    /// A controller that looks again after this while, as long as something is missing.
    pub fn new(requeue: Duration, readiness_port: Option<u16>) -> VSphereMachineController {
        VSphereMachineController { requeue, readiness_port }
    }

    /// Of a control plane that is initialized only, and no worker's.
    fn probe_port(&self, object: &Object) -> Option<u16> {
        let is_plane = object.meta.labels.contains_key(KubeadmControlPlane::LABEL);
        self.readiness_port.filter(|_| is_plane)
    }

    fn live(&self, object: &Arc<Object>, view: &View) -> Step<State> {
        let machine = view.local.named(Kind::Machine, &object.key().namespace, object.name());
        let Some(machine) = machine.and_then(|machine| machine.machine()) else {
            return Step::done();
        };
        if machine.spec.data_secret_name.is_empty() {
            return self.report(
                object,
                ("", Some("WaitingForBootstrapData")),
                None,
                view.wall_clock(),
            );
        }
        let found = view.local.get(&virtual_machine(object)).cloned();
        match &found {
            None => {
                let verb = Verb::Create(Arc::new(wanted(object, machine, self.probe_port(object))));
                Step::write(verb, State::Wanted(None))
            }
            Some(found) => match differing(found, machine, self.probe_port(object)) {
                Some(changed) => {
                    let verb = Verb::Patch { base: found.clone(), changed: Arc::new(changed) };
                    Step::write(verb, State::Wanted(Some(found.clone())))
                }
                None => self.judge(object, Some(found), view.wall_clock()),
            },
        }
    }

    /// Goes through what has to be true of the VirtualMachine, in its order.
    fn judge(
        &self,
        object: &Arc<Object>,
        found: Option<&Arc<Object>>,
        now: SimTime,
    ) -> Step<State> {
        let vm = found.and_then(|found| found.virtual_machine());
        let progress = vm.map_or(("pending", Some("VMProvisionStarted")), progress);
        self.report(object, progress, vm, now)
    }

    fn report(
        &self,
        object: &Arc<Object>,
        (state, waits_for): Progress,
        vm: Option<&VirtualMachine>,
        now: SimTime,
    ) -> Step<State> {
        let mut changed = Object::clone(object);
        let Some(body) = changed.vsphere_machine_mut() else { return Step::done() };
        body.vm_status = Text::word(state);
        let (status, reason) = match waits_for {
            Some(reason) => (Status::False, reason),
            None => (Status::True, ""),
        };
        let kind = VSphereMachine::PROVISIONED;
        body.conditions.say(Condition::new(kind, status, Text::word(reason), "", now));
        if let (None, Some(vm)) = (waits_for, vm) {
            // A VM that was made anew with another UUID is another machine.
            body.provider_id = Text::from(format!("vsphere://{}", vm.bios_uuid));
            body.ready = true;
        }
        let outcome = match waits_for {
            None => Outcome::done(),
            Some(_) => Outcome::after("capv.requeue", self.requeue),
        };
        finish(object, changed, outcome)
    }

    fn delete(&self, object: &Arc<Object>, view: &View) -> Step<State> {
        if !object.meta.finalizers.contains(&VSphereMachine::FINALIZER) {
            return Step::done();
        }
        let key = virtual_machine(object);
        match view.local.get(&key) {
            None => {
                let mut changed = Object::clone(object);
                changed.meta.finalizers = Arc::new([]);
                finish(object, changed, Outcome::done())
            }
            Some(vm) if vm.meta.is_deleting() => self.say_deleting(object),
            Some(_) => Step::write(Verb::Delete { key, grace: None, uid: None }, State::Deleted),
        }
    }

    fn say_deleting(&self, object: &Arc<Object>) -> Step<State> {
        let mut changed = Object::clone(object);
        if let Some(body) = changed.vsphere_machine_mut() {
            body.vm_status = Text::word("deleting");
        }
        finish(object, changed, Outcome::after("capv.requeue", self.requeue))
    }
}

impl Reconciler for VSphereMachineController {
    type State = State;

    fn agent(&self) -> &'static str {
        "vspheremachine-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        // "Waiting on Machine controller to set OwnerRef on infra machine".
        if object.meta.controlled_by(Kind::Machine).is_none() {
            return Step::done();
        }
        if object.meta.is_deleting() {
            return self.delete(&object, view);
        }
        if object.meta.finalizers.is_empty() {
            // The watch brings it back, held.
            let mut changed = Object::clone(&object);
            changed.meta.finalizers = Arc::new([VSphereMachine::FINALIZER]);
            return finish(&object, changed, Outcome::done());
        }
        self.live(&object, view)
    }

    fn resume(&mut self, key: &ObjectKey, state: State, _: Reply, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        match state {
            State::Wanted(found) => self.judge(&object, found.as_ref(), view.wall_clock()),
            State::Deleted => self.say_deleting(&object),
            State::Last(outcome) => Step::Done(outcome),
        }
    }
}

/// What has to be true of a VirtualMachine, in the order in which the provider asks.
fn progress(vm: &VirtualMachine) -> Progress {
    if !vm.conditions.is(&VirtualMachine::CREATED, Status::True) {
        return ("pending", Some("VMProvisionStarted"));
    }
    if vm.power != PowerState::PoweredOn {
        return ("created", Some("PoweringOn"));
    }
    if vm.ip.is_empty() {
        return ("poweredOn", Some("WaitingForNetworkAddress"));
    }
    if vm.bios_uuid.is_empty() {
        return ("poweredOn", Some("WaitingForBIOSUUID"));
    }
    ("ready", None)
}

/// The key of its VirtualMachine: they have one name, as by default.
fn virtual_machine(object: &Object) -> ObjectKey {
    ObjectKey { kind: Kind::VirtualMachine, ..object.key().clone() }
}

fn wanted(object: &Object, machine: &Machine, readiness_port: Option<u16>) -> Object {
    let key = virtual_machine(object);
    let mut meta = Meta::new(key.kind, key.namespace, key.name).owned_by(&object.meta);
    meta.labels = object.meta.labels.clone();
    let body = VirtualMachine {
        power_wanted: PowerState::PoweredOn,
        bootstrap_secret: machine.spec.data_secret_name.clone(),
        readiness_port,
        ..VirtualMachine::default()
    };
    Object::new(meta, body)
}

/// The VirtualMachine as it should be, if it is not so.
fn differing(found: &Object, machine: &Machine, readiness_port: Option<u16>) -> Option<Object> {
    let mut changed = found.clone();
    let vm = changed.virtual_machine_mut()?;
    vm.power_wanted = PowerState::PoweredOn;
    vm.bootstrap_secret = machine.spec.data_secret_name.clone();
    vm.readiness_port = readiness_port;
    (changed != *found).then_some(changed)
}

/// Writes what changed, and ends.
fn finish(object: &Arc<Object>, changed: Object, outcome: Outcome) -> Step<State> {
    if changed == **object {
        return Step::Done(outcome);
    }
    let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
    Step::write(verb, State::Last(outcome))
}
