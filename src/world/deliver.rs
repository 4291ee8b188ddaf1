//! Playing one event, and carrying out what a component asked for.

use super::core::{Core, NOBODY, NOW, Payload, Runtime, What, World, purpose};
use super::messages::way_name;
use super::process::Event;
use crate::engine::{Duration, Generation, Key, Rhythm, Rule, Text};
use crate::infra::{ActivityId, Broken, Effect, Happening, ProcessId, Restart, Start, VmId};
use crate::timeline::{Cause, EntryId, StepId};

/// Where the pause is set before a unit of this name is started again.
fn restart_rule(unit: &str) -> Rule {
    match unit {
        "kubelet" => "kubernetes.kubeletRestart",
        _ => "kubernetes.controllerRestart",
    }
}

/// What a flush takes longer on a disk that is slow.
const SLOW_DISK: Rule = "the disk was slow";

/// A process that ends sooner than this has not really run.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// What is waited for before a process that has crashed again and again is said to run.
const LIVES_ON: Rule = "a process that crashes does so within a second";

impl World {
    /// Plays the next event; false if there is none.
    pub fn step(&mut self) -> bool {
        let Some((key, payload)) = self.core.queue.pop() else { return false };
        self.core.now = key.at;
        self.core.playing = Some(key);
        self.play(key, payload);
        self.core.playing = None;
        true
    }

    fn play(&mut self, key: Key, payload: Payload) {
        self.core.played += 1;
        self.core.latest = key.target;
        self.core.step = payload.cause.step;
        if key.target == NOBODY {
            self.wake_for_host(&payload.what);
            self.core.on_host_event(payload);
            self.core.note_entries(self.core.step);
            self.furnish_new_vms();
            return self.note_woken();
        }
        let id = ProcessId(key.target);
        if self.core.is_killed(id) {
            return self.core.play_killed(id, key, payload);
        }
        let waits = self.core.waits_for_disk(id, &payload.what);
        if self.core.is_frozen(id) && !waits {
            return self.core.hold(id, key, payload);
        }
        if self.goes_to_rest(id, &payload) || self.passes_over_probe(id, &payload) {
            return;
        }
        if let Some(read) = self.undisturbed_read(id, &payload) {
            return self.answer_ahead(id, payload, read);
        }
        if let Some(renewal) = self.undisturbed_renewal(id, &payload) {
            return self.pass_renewal(id, payload, &renewal);
        }
        if let Some(exchange) = self.undisturbed_request(id, &payload) {
            return self.pass_request(id, payload, exchange);
        }
        self.wake_for(id, &payload.what);
        if waits {
            self.core.wait_for_disk(id, key, payload);
            return self.note_rest(id);
        }
        if !self.core.admit(id, &payload) {
            self.core.note_entries(self.core.step);
            return self.note_rest(id);
        }
        let component = &mut self.components[id.0 as usize];
        component.play(id, payload.what, payload.cause, &mut self.core, &mut self.buffers);
        self.core.tell_of_files(self.core.datacenter.processes.get(id).vm, Cause::NONE);
        self.note_rest(id);
        self.furnish_new_vms();
    }
}

impl Core {
    /// False for what was meant for an earlier incarnation, or is not current any more.
    pub(super) fn admit(&mut self, id: ProcessId, payload: &Payload) -> bool {
        let now = self.now;
        let process = self.datacenter.processes.get_mut(id);
        if !process.alive || process.incarnation != payload.incarnation {
            return false;
        }
        match &payload.what {
            What::Tick(activity, generation) => return self.tick(id, *activity, *generation),
            What::Started(_) => process.has_begun = true,
            What::Flushed(_) => process.flushes = process.flushes.saturating_sub(1),
            What::Message(connection, _) => self.datacenter.network.heard(*connection, now),
            What::Broken(connection, _) => self.told(id, *connection),
            // It was frozen when the signal came.
            What::Terminate if !process.catches_term => {
                self.end_process(id, payload.cause);
                return false;
            }
            _ => {}
        }
        true
    }

    /// Counts a pass of an activity, and arms the next if it is a ticker.
    fn tick(&mut self, id: ProcessId, activity: ActivityId, generation: Generation) -> bool {
        let now = self.now;
        let process = self.datacenter.processes.get_mut(id);
        let Some(rhythmic) = process.activity(activity) else { return false };
        if !rhythmic.timer.is_current(generation) {
            return false;
        }
        rhythmic.count += 1;
        rhythmic.last = Some(now);
        if rhythmic.activity.rhythm == Rhythm::Ticker {
            let pause = rhythmic.pause(0);
            self.arm(id, activity, pause, self.step);
        }
        true
    }

    /// Carries out one effect; `cause` is what led to it, and moves on with each entry.
    pub(super) fn carry_out<E>(
        &mut self,
        id: ProcessId,
        effect: Effect<E>,
        cause: &mut Cause,
        wrap: fn(E) -> Event,
    ) {
        let vm = self.datacenter.processes.get(id).vm;
        match effect {
            Effect::After(rule, delay, event) => {
                let at = self.now + delay;
                self.push_to(at, id, id, purpose::TIMER, (*cause, rule), What::Due(wrap(event)));
            }
            Effect::Flush(rule, takes, event) => {
                self.datacenter.processes.get_mut(id).flushes += 1;
                let at = self.now + self.flush_length(id, takes);
                let led = self.step_on(*cause, self.now + takes, rule, id);
                let what = What::Flushed(wrap(event));
                self.push_to(at, id, id, purpose::TIMER, (led, SLOW_DISK), what);
            }
            Effect::Arm(activity, pause) => self.arm(id, activity, pause, cause.step),
            Effect::Sleep(activity) => self.sleep(id, activity),
            Effect::Wake(activity) => _ = self.wake(id, activity),
            Effect::Connect(connection, to) => {
                self.datacenter.connect(connection, to, &self.random, self.now);
                self.connecting(connection);
            }
            Effect::ConnectToVm(connection, vm, port) => {
                let (random, now) = (&self.random, self.now);
                self.datacenter.connect_to_vm(connection, (&vm, port), random, now);
                self.connecting(connection);
            }
            Effect::ConnectToContainer(connection, vm, pod) => {
                let (random, now) = (&self.random, self.now);
                self.datacenter.connect_to_container(connection, (&vm, pod), random, now);
                self.connecting(connection);
            }
            Effect::AwaitHandshake(connection, limit) => self.await_handshake(connection, limit),
            Effect::Send(connection, message) => self.send(id, connection, message, *cause),
            Effect::Post(vm, port, message) => self.post(id, (&vm, port), message, *cause),
            Effect::Close(connection) => self.close(id, connection, *cause),
            Effect::CloseAllBut(port) => self.close_all_but(id, port, *cause),
            Effect::StartContainer(pod, wait, length, restarts) => {
                self.start_container(id, pod, wait, (length, restarts), *cause);
            }
            Effect::StopContainer(pod, rule, delay) => {
                let at = self.now + delay;
                self.push_host(at, id, (*cause, rule), What::Runtime(vm, pod, Runtime::Stops));
            }
            Effect::StartUnit(unit) => self.start_unit(vm, &unit, *cause),
            Effect::StopUnit(unit) => self.stop_unit(vm, &unit, *cause),
            Effect::StartProgram(program) => self.start_program(id, &program, *cause),
            Effect::SignalProgram(name, how) => self.signal_program(id, &name, how, *cause),
            Effect::Exit => self.end_process(id, *cause),
            Effect::Trace(trace) => self.trace(id, trace, cause),
            Effect::Datacenter(action) => self.act(id, action, cause),
            Effect::TellHosts(news) => self.tell_other_hosts(id, &news, *cause),
            Effect::Steer(endpoint, to, fallback) => self.datacenter.steer(endpoint, to, fallback),
            Effect::ShutSessions(endpoint, vm) => self.shut_sessions(endpoint, &vm, *cause),
            Effect::Because(entry) => cause.entry = entry,
            Effect::CameBy(step) => cause.step = step,
            Effect::BecauseWritten(write) => cause.entry = self.told_of(&write).or(cause.entry),
            Effect::Elapsed(elapsed) => cause.step = self.elapsed(id, &elapsed, cause.step),
            Effect::Missed(object) => cause.step = self.missed(&object, cause.step),
            Effect::BecauseSilent { process, rule, since, limit } => {
                *cause = self.silence_of(ProcessId(process), (rule, since, limit), *cause);
            }
        }
        self.note_entries(cause.step);
    }

    pub(super) fn arm(
        &mut self,
        id: ProcessId,
        activity: ActivityId,
        pause: Duration,
        step: StepId,
    ) {
        let at = self.now + pause;
        let process = self.datacenter.processes.get_mut(id);
        let incarnation = process.incarnation;
        let Some(rhythmic) = process.activity(activity) else { return };
        let rule = rhythmic.activity.rule;
        let generation = rhythmic.timer.restart();
        // Its own count, not the process's: a pass that is not played must shift no other event.
        let k = u32::try_from(rhythmic.count & 0xffff_ffff).expect("masked to 32 bits");
        let purpose = purpose::ACTIVITY + u16::from(activity.0);
        let key = Key { at, target: id.0, source: id.0, purpose, k };
        let what = What::Tick(activity, generation);
        let cause = self.step_on(Cause { entry: None, step }, at, rule, id);
        self.queue.push(key, Payload { incarnation, cause, what });
    }

    /// SIGTERM: a process that catches it ends itself in its own way; one that is frozen does not
    /// see it until it is thawed.
    pub(super) fn terminate_process(&mut self, id: ProcessId, cause: Cause) {
        let process = self.datacenter.processes.get(id);
        match process.alive && (process.catches_term || process.frozen.is_some()) {
            true => self.push_to(self.now, id, id, purpose::HOST, (cause, NOW), What::Terminate),
            false => self.end_process(id, cause),
        }
    }

    /// Ends a process on a live host: at once, unless its disk has to do something for it first.
    pub(super) fn end_process(&mut self, id: ProcessId, cause: Cause) {
        self.wake_resting();
        if self.outlives_signal(id) {
            return self.kill_in_flush(id, cause);
        }
        self.end_at_once(id, cause);
    }

    /// Ends a process of which no thread is left in the kernel.
    pub(super) fn end_at_once(&mut self, id: ProcessId, cause: Cause) {
        let mut then = Vec::new();
        self.datacenter.end_process(id, self.now, &mut then);
        let mut cause = cause;
        self.follow(then, &mut cause);
    }

    /// `systemctl start`: somebody wants it to run from now on. To what runs it does nothing.
    pub(super) fn start_unit(&mut self, vm: VmId, name: &str, cause: Cause) {
        if let Some(unit) = self.datacenter.vm(vm).units.get(name) {
            let process = self.datacenter.processes.get_mut(unit.process);
            process.is_retry &= process.alive;
        }
        self.start_wanted(vm, name, cause);
    }

    /// `systemctl stop`: the unit's process ends and is not started again.
    pub(super) fn stop_unit(&mut self, vm: VmId, name: &str, cause: Cause) {
        let Some(unit) = self.datacenter.vm_mut(vm).units.get_mut(name) else { return };
        unit.wanted = false;
        let process = unit.process;
        self.end_process(process, cause);
    }

    /// Starts a unit, unless it runs already or its VM is off.
    fn start_wanted(&mut self, vm: VmId, name: &str, cause: Cause) {
        if !self.datacenter.vm(vm).booted {
            return;
        }
        let Some(unit) = self.datacenter.vm_mut(vm).units.get_mut(name) else { return };
        unit.wanted = true;
        let id = unit.process;
        self.start_process(id, Start::Fresh, cause);
    }

    /// Brings a process to life.
    pub(super) fn start_process(&mut self, id: ProcessId, start: Start, cause: Cause) {
        let process = self.datacenter.processes.get_mut(id);
        if process.alive {
            return;
        }
        // What a leader posts reaches it from now on.
        if self.etcd.contains(&id) {
            self.wake_resting();
        }
        let process = self.datacenter.processes.get_mut(id);
        process.start(self.now);
        let is_retry = process.is_retry;
        let led = match is_retry {
            true => {
                let lives_on = What::LivesOn(id, process.incarnation);
                self.push_host(self.now + SHORT_LIFE, id, (cause, LIVES_ON), lives_on);
                cause
            }
            false => cause.of(self.record_process(id, true, cause)),
        };
        self.push_to(self.now, id, id, purpose::TIMER, (led, NOW), What::Started(start));
    }

    /// A process that ended soon after each start has lived for longer, if it is this incarnation.
    fn lives_on(&mut self, id: ProcessId, incarnation: u32, cause: Cause) {
        if self.datacenter.processes.get(id).incarnation == incarnation {
            self.leave_crash_loop(id, cause);
        }
    }

    /// Of the start of a process that lives nothing may have been written down, since its last lives were
    /// short: before anything else is written of it, that it runs is.
    pub(super) fn leave_crash_loop(&mut self, id: ProcessId, cause: Cause) {
        let process = self.datacenter.processes.get_mut(id);
        if process.alive && std::mem::take(&mut process.is_retry) {
            let cluster = self.clusters.get(&id).cloned().unwrap_or_default();
            self.recorder.out_of_crash_loop(self.now, &cluster, &process.name, cause.entry);
        }
    }

    /// A process that has been running for long when the run begins.
    pub(super) fn resume_process(&mut self, id: ProcessId) {
        let now = self.now;
        let process = self.datacenter.processes.get_mut(id);
        process.start(now);
        process.has_begun = true;
        let what = What::Started(Start::Steady);
        self.push_to(self.now, id, id, purpose::TIMER, (Cause::NONE, NOW), what);
    }

    /// Tells those who notice, and writes down what a watcher of the datacenter would see.
    pub(super) fn follow(&mut self, then: Vec<Happening>, cause: &mut Cause) {
        for happening in then {
            match happening {
                Happening::PowerChanged(vm, power) => self.power_changed(vm, power, cause),
                Happening::ProcessEnded(process) => self.process_ended(process, *cause),
                Happening::ConnectionEnds { who, connection, at, how } => {
                    let what = What::Broken(connection, how);
                    // It is gone already: how long the news takes says which way it comes.
                    let is_near = at.since(self.now) <= self.datacenter.latency.loopback.high;
                    let led = (*cause, way_name(is_near));
                    self.push_to(at, who, who, purpose::CONNECTION, led, what);
                }
                Happening::ConnectionSilent { who, connection, asks, at, rules } => {
                    let what = What::Broken(connection, Broken::Lost);
                    let led = (self.step_on(*cause, asks, rules[0], who), rules[1]);
                    self.push_to(at, who, who, purpose::CONNECTION, led, what);
                }
                Happening::Unheard(direction) => self.unheard(direction, *cause),
                Happening::Left(direction) => self.leave(direction, *cause),
                // Containers that died with their VM have nobody left to notice it.
                Happening::ContainerStopped(..) => {}
            }
        }
    }

    fn process_ended(&mut self, id: ProcessId, cause: Cause) {
        self.held.remove(&id);
        let process = self.datacenter.processes.get(id);
        let (vm, life) = (process.vm, self.now.since(process.started));
        // A crash loop changes nothing from its second round on.
        // It has been silent since the first.
        let led = match process.is_retry && life < SHORT_LIFE {
            true => Cause { step: process.ended.step, ..cause },
            false => cause.of(self.record_process(id, false, cause)),
        };
        let process = self.datacenter.processes.get_mut(id);
        process.ended = led;
        process.is_retry = life < SHORT_LIFE;
        self.program_ended(vm, id, led);
        let host = self.datacenter.vm(vm);
        if !host.is_on() {
            return;
        }
        let again = host.units.iter().find(|(_, unit)| unit.process == id && unit.wanted);
        if let Some((unit, Restart::After(pause))) =
            again.map(|(name, u)| (name.clone(), u.restart))
        {
            let at = self.now + pause;
            self.push_host(at, id, (led, restart_rule(&unit)), What::Restart(vm, unit));
        }
    }

    fn record_process(&mut self, id: ProcessId, runs: bool, cause: Cause) -> EntryId {
        let name = self.datacenter.processes.get(id).name.clone();
        let cluster = self.clusters.get(&id).cloned().unwrap_or_default();
        self.recorder.process(self.now, &cluster, &name, ("running", runs), cause.entry)
    }

    fn on_host_event(&mut self, payload: Payload) {
        match payload.what {
            What::Booted(vm, starts) => self.booted(vm, starts, payload.cause),
            What::LivesOn(id, incarnation) => self.lives_on(id, incarnation, payload.cause),
            What::Unanswered(connection, frozen, how) => {
                self.unanswered(connection, frozen, how, payload.cause);
            }
            What::Retransmit(direction, due) => self.retransmit(direction, due),
            What::PingDue(direction) => self.ping_due(direction),
            What::ResendUnheard(direction, tries) => {
                self.resend_unheard(direction, tries, payload.cause);
            }
            What::ProbeDue(direction, probing) => {
                self.probe_due(direction, probing, payload.cause);
            }
            What::PingOverdue(direction, since) => self.ping_overdue(direction, since),
            What::Restart(vm, unit) => {
                let wanted = self.datacenter.vm(vm).units.get(&unit).is_some_and(|u| u.wanted);
                if wanted {
                    self.start_wanted(vm, &unit, payload.cause);
                }
            }
            What::Runtime(vm, pod, change) => {
                self.container_changed(vm, pod, change, payload.cause)
            }
            _ => unreachable!("an event for a process has that process as its target"),
        }
    }

    /// The enabled units start; what runs at first boot only is a unit like any other.
    fn booted(&mut self, vm: VmId, starts: u32, cause: Cause) {
        let now = self.now;
        let state = self.datacenter.vm_mut(vm);
        if !state.is_on() || state.starts != starts {
            return;
        }
        state.booted = true;
        state.programs.values_mut().for_each(|program| program.find(now));
        let name = state.name.clone();
        match self.datacenter.host_on(vm) {
            Some(host) => self.host_booted(host, cause),
            None => self.tell_management(name, cause),
        }
        let wanted: Vec<Text> = self
            .datacenter
            .vm(vm)
            .units
            .iter()
            .filter(|(_, unit)| unit.wanted)
            .map(|(name, _)| name.clone())
            .collect();
        for unit in wanted {
            self.start_unit(vm, &unit, cause);
        }
    }

    /// The container runtime tells the kubelet, if there is one.
    fn container_changed(&mut self, vm: VmId, pod: crate::api::Uid, change: Runtime, cause: Cause) {
        let host = self.datacenter.vm_mut(vm);
        let known = match change {
            Runtime::Runs => host.containers.contains_key(&pod),
            Runtime::Stops => host.containers.remove(&pod).is_some(),
            // What has ended by itself is kept, with how it ended, until it is removed.
            Runtime::Completes => match host.containers.get_mut(&pod) {
                Some(container) if container.ends_at == Some(self.now) => {
                    container.completed = true;
                    true
                }
                _ => false,
            },
        };
        let kubelet = host.units.get("kubelet").map(|unit| unit.process);
        if let (true, Some(kubelet)) = (known, kubelet) {
            let what = What::Container(pod, change == Runtime::Runs);
            self.push_to(self.now, kubelet, kubelet, purpose::HOST, (cause, NOW), what);
        }
    }
}
