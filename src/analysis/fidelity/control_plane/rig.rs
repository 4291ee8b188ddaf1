//! The rig of an experiment with a control plane: VMs that nobody looks after, workers with kubelets, and a
//! driver on one of them.
//!
//! Whoever runs it kills, freezes and starts programs; what comes of that is seen through the
//! driver's notes and the timeline.

use super::driver::{DRIVER, Desk, Driver, Notes, Question};
use crate::components::kubectl::Command;
use crate::engine::{Delay, Duration, Owner, Purpose, Random, SimTime, Text};
use crate::scenario::{Mistakes, blueprint, models};
use crate::timeline::Entry;
use crate::world::{Blueprint, Infra, World};
use std::sync::MutexGuard;

/// A lab in which an experiment takes place.
#[derive(Debug)]
pub struct Rig {
    world: World,
    desk: Desk,
    fault: SimTime,
}

/// Before the fault everything has run for so long, so that nobody's phase has a say in it.
const PAUSE: Delay = Delay { low: Duration::from_secs(15), high: Duration::from_secs(25) };
/// Where the driver runs: no fault strikes there.
const DESK: &str = "worker-0";

/// The machines of a rig: so many API servers, each with its member of etcd, and so many workers.
///
/// # Errors
/// There is no such platform or setting, or a setting cannot have its value.
pub fn machines(
    platform: &str,
    (control_planes, workers): (u32, u32),
    set: &[(&str, &str)],
) -> Result<Blueprint, Mistakes> {
    let mut platform = models::platform(platform)?;
    for (key, value) in set {
        platform.catalog.set(key, value)?;
    }
    let blueprint = blueprint(&platform, control_planes, workers);
    Mistakes::none_or(platform.catalog.mistakes())?;
    Ok(blueprint)
}

/// The VM of an API server or member, by its number.
pub fn plane(number: usize) -> String {
    format!("control-plane-{number}")
}

impl Rig {
    /// A rig of these machines, each as busy as this, whose driver asks these questions and watches the Leases at one
    /// API server, if it does.
    pub fn new(
        machines: &Blueprint,
        questions: Vec<Question>,
        leases_at: Option<usize>,
        (busy, seed): (Delay, u64),
    ) -> Rig {
        let mut world = World::new(machines.clone(), seed);
        let desk = Desk::default();
        let leases_of = leases_at.map(|number| Text::from(plane(number)));
        let driver = Driver::new(desk.clone(), questions, leases_of, busy);
        let placed = world.add_process(DESK, DRIVER, Box::new(driver));
        assert!(placed, "every rig has a worker");
        let pause = PAUSE.pick(Random::new(seed).draw(Owner::named(DRIVER), Purpose(1), 0));
        Rig { world, desk, fault: SimTime::ZERO + pause }
    }

    /// When the fault strikes.
    pub fn fault(&self) -> SimTime {
        self.fault
    }

    /// The driver's notes.
    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.desk.notes()
    }

    /// What has happened.
    pub fn entries(&self) -> &[Entry] {
        self.world.timeline().entries()
    }

    /// Plays everything that falls due before so long after the fault.
    pub fn run_until(&mut self, after: Duration) {
        let at = self.fault + after;
        while self.world.next_at().is_some_and(|next| next < at) {
            self.world.step();
        }
        self.world.pass_until(at);
    }

    /// SIGKILL.
    pub fn kill(&mut self, program: &str, number: usize) {
        self.on("killProcess", program, number, |infra, vm| {
            if let Some(process) = infra.process(program, vm) {
                infra.kill(process);
            }
        });
    }

    /// SIGTERM.
    pub fn terminate(&mut self, program: &str, number: usize) {
        self.on("killProcess", program, number, |infra, vm| {
            if let Some(process) = infra.process(program, vm) {
                infra.terminate(process);
            }
        });
    }

    /// SIGSTOP.
    pub fn freeze(&mut self, program: &str, number: usize) {
        self.on("freezeProcess", program, number, |infra, vm| {
            if let Some(process) = infra.process(program, vm) {
                infra.freeze(process);
            }
        });
    }

    /// Types a command on the laptop.
    pub fn type_command(&mut self, command: Command) {
        let target = command.object.name.to_string();
        self.world.inject("kubectl", target, |infra| infra.type_command(command));
    }

    /// Starts a program that has ended.
    pub fn start(&mut self, program: &str, number: usize) {
        self.on("startUnit", program, number, |infra, vm| {
            if let Some(vm) = infra.vm(vm) {
                infra.start_unit(vm, program);
            }
        });
    }

    fn on(
        &mut self,
        kind: &'static str,
        program: &str,
        number: usize,
        act: impl Fn(&mut Infra, &str),
    ) {
        let vm = plane(number);
        self.world.inject(kind, format!("Process/{program}@{vm}"), |infra| act(infra, &vm));
    }
}
