//! `Ctx`: the operating system of a process's own VM, and what a process asked of it.
//!
//! Nothing here reaches another component, the store or the truth about the datacenter.

mod activities;
mod causes;

use super::effect::{Effect, Trace, VmAction};
use super::process::ProcessState;
use super::{
    ActivityId, Address, ConnectionId, Disk, EndpointId, Fallback, Handshake, HostNews, Inventory,
    NoSpace, Place, Port, ProcessId, Program, Signal, Vm,
};
use crate::api::Uid;
use crate::engine::{Delay, Duration, Owner, Purpose, Random, Rule, SimTime, Skew, Text};
use crate::timeline::{Cause, Ledger, StepId};
use crate::wire::Message;

/// The operating system as one process sees it during one event.
pub struct Ctx<'a, E> {
    me: ProcessId,
    now: SimTime,
    cause: Cause,
    process: &'a mut ProcessState,
    vm: &'a mut Vm,
    inventory: Option<Inventory<'a>>,
    random: &'a Random,
    effects: &'a mut Vec<Effect<E>>,
    /// What was traced since has become the cause of what follows.
    cause_moved: bool,
    ledger: Option<&'a mut Ledger>,
    /// The step that this event came by.
    event: StepId,
    /// What follows came by another step than `cause` has.
    step_moved: bool,
}

impl<'a, E> Ctx<'a, E> {
    /// The context of one event.
    pub fn new(
        me: ProcessId,
        (now, cause): (SimTime, Cause),
        process: &'a mut ProcessState,
        vm: &'a mut Vm,
        inventory: Option<Inventory<'a>>,
        random: &'a Random,
        effects: &'a mut Vec<Effect<E>>,
    ) -> Ctx<'a, E> {
        Ctx {
            me,
            now,
            cause,
            process,
            vm,
            inventory,
            random,
            effects,
            cause_moved: false,
            ledger: None,
            event: cause.step,
            step_moved: false,
        }
    }

    /// Has turns written down.
    pub fn with_ledger(mut self, ledger: Option<&'a mut Ledger>) -> Ctx<'a, E> {
        self.ledger = ledger;
        self
    }

    /// The VM's monotonic clock, by which timers run and a process measures lengths: nothing that is
    /// done to its wall clock moves it.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// The VM's wall clock: what is written into objects and logs, and compared with what another VM
    /// has written. The time since an earlier look may be nothing, if the clock was set back.
    pub fn wall_clock(&self) -> SimTime {
        self.skew().shown(self.now)
    }

    /// How wrong the VM's wall clock is. Only for who hands it on with the time: no process knows.
    pub fn skew(&self) -> Skew {
        self.vm.skew
    }

    /// The VM's name.
    pub fn host(&self) -> &Text {
        &self.vm.name
    }

    /// What the VM's firmware says that it is.
    pub fn uuid(&self) -> &Text {
        &self.vm.uuid
    }

    /// Where the VM stands, as the metadata service says.
    pub fn place(&self) -> Option<&Place> {
        self.vm.place.as_ref()
    }

    /// The process's own number, as a server notes it down.
    pub fn process(&self) -> ProcessId {
        self.me
    }

    /// The last time that the process was frozen and thawed, as it can tell from a gap between two
    /// looks at its clock.
    pub fn slept(&self) -> Option<(SimTime, SimTime)> {
        self.process.slept
    }

    /// Whose draws these are; a client hands it on, so that servers can address theirs.
    pub fn owner(&self) -> Owner {
        self.process.owner
    }

    /// The next draw for a purpose.
    pub fn draw(&mut self, purpose: Purpose) -> u64 {
        let k = self.process.next_draw(purpose);
        self.random.draw(self.process.owner, purpose, k)
    }

    /// The next delay for a purpose.
    pub fn draw_delay(&mut self, purpose: Purpose, delay: Delay) -> Duration {
        if delay.low == delay.high { delay.low } else { delay.pick(self.draw(purpose)) }
    }

    /// The delay in serving the `count`-th request of a sender.
    pub fn draw_delay_for(
        &self,
        purpose: Purpose,
        delay: Delay,
        sender: Owner,
        count: u64,
    ) -> Duration {
        self.random.delay_for(purpose, delay, sender, count)
    }

    /// The draw in serving the `count`-th request of a sender.
    pub fn draw_for(&self, purpose: Purpose, sender: Owner, count: u64) -> u64 {
        self.random.draw_for(purpose, sender, count)
    }

    /// Sets a timer; the rule says what the delay is there for.
    pub fn after(&mut self, rule: Rule, delay: Duration, event: E) {
        self.effects.push(Effect::After(rule, delay, event));
    }

    /// Sets a timer for the end of several waits, one after the other.
    pub fn after_all(&mut self, waits: &[(Rule, Duration)], event: E) {
        let waits = waits.iter().filter(|(_, length)| !length.is_zero());
        let total = waits.clone().fold(Duration::ZERO, |sum, (_, length)| sum + *length);
        let (mut at, mut last, came_by) = (self.now, "at once", self.cause.step);
        for (rule, length) in waits {
            at += *length;
            if at < self.now + total {
                self.wait(at, rule);
            }
            last = rule;
        }
        self.effects.push(Effect::After(last, total, event));
        self.come_by(came_by);
    }

    /// Writes and flushes to the disk (fdatasync), which takes this long if the disk is well; the
    /// timer falls due when it is done. On a full disk nothing is written, and no timer set.
    pub fn flush(&mut self, rule: Rule, takes: Duration, event: E) -> Result<(), NoSpace> {
        if self.vm.disk.is_full {
            return Err(NoSpace);
        }
        self.effects.push(Effect::Flush(rule, takes, event));
        Ok(())
    }

    /// Writes a file of the VM, in place of an earlier one; on a full disk that stays as it was.
    pub fn write(
        &mut self,
        path: impl Into<Text>,
        content: impl Into<Text>,
    ) -> Result<(), NoSpace> {
        if self.vm.disk.is_full {
            return Err(NoSpace);
        }
        self.vm.disk.write(path, content);
        Ok(())
    }

    /// Removes a file of the VM, if there is one: that works on a full disk too.
    pub fn remove(&mut self, path: &str) {
        self.vm.disk.remove(path);
    }

    /// Removes all files of a folder of the VM.
    pub fn clean_folder(&mut self, folder: &str) {
        let files: Vec<Text> = self.vm.disk.under(folder).map(|(path, _)| path.clone()).collect();
        for path in files {
            self.vm.disk.remove(&path);
        }
    }

    /// Installs a handler for SIGTERM, which ends a process without one.
    pub fn catch_term(&mut self) {
        self.process.catches_term = true;
    }

    /// Whoever connects from now on is refused; a new process listens from its beginning.
    pub fn close_ports(&mut self) {
        self.process.is_closed = true;
    }

    /// Of its ports only this one stays open, with the connections that lead to it.
    pub fn serve_only(&mut self, port: Port) {
        self.process.serves_only = Some(port);
        self.effects.push(Effect::CloseAllBut(port));
    }

    /// Listens again.
    pub fn open_ports(&mut self) {
        self.process.is_closed = false;
    }

    /// Wants to be told of every file that is written or removed in this folder (inotify).
    pub fn watch_folder(&mut self, folder: &'static str) {
        self.process.watched_folder = Some(folder);
    }

    /// Opens a connection.
    pub fn connect(&mut self, to: Address) -> ConnectionId {
        let id = ConnectionId { client: self.me, count: self.process.next_connection() };
        self.effects.push(Effect::Connect(id, to));
        id
    }

    /// Opens a connection to the containers of a Pod on the VM of this name.
    pub fn connect_to_container(&mut self, vm: Text, pod: Uid) -> ConnectionId {
        let id = ConnectionId { client: self.me, count: self.process.next_connection() };
        self.effects.push(Effect::ConnectToContainer(id, vm, pod));
        id
    }

    /// Opens a connection to a port of the VM of this name.
    pub fn connect_to_vm(&mut self, vm: Text, port: Port) -> ConnectionId {
        let id = ConnectionId { client: self.me, count: self.process.next_connection() };
        self.effects.push(Effect::ConnectToVm(id, vm, port));
        id
    }

    /// Has a connection be over (`Broken::Unanswered`) if its host accepts it, and its program does not
    /// answer a handshake in time.
    pub fn await_handshake(&mut self, connection: ConnectionId, limit: Handshake) {
        self.effects.push(Effect::AwaitHandshake(connection, limit));
    }

    /// Sends a message on a connection.
    pub fn send(&mut self, connection: ConnectionId, message: Message) {
        self.effects.push(Effect::Send(connection, message));
    }

    /// Sends a message on a connection of its own to a port of the VM of this name; nobody is told if it
    /// does not arrive.
    pub fn post(&mut self, vm: Text, port: Port, message: Message) {
        self.effects.push(Effect::Post(vm, port, message));
    }

    /// Closes a connection; the other end learns it.
    pub fn close(&mut self, connection: ConnectionId) {
        self.effects.push(Effect::Close(connection));
    }

    /// The VM's files, to read.
    pub fn disk(&self) -> &Disk {
        &self.vm.disk
    }

    /// True if the Pod's containers run on this VM.
    pub fn runs_container(&self, pod: Uid) -> bool {
        self.vm.containers.get(&pod).is_some_and(|container| container.is_running(self.now))
    }

    /// How many containers of the Pod there were before the one that runs on this VM, if one does.
    pub fn restarts_of(&self, pod: Uid) -> Option<u32> {
        let found = self.vm.containers.get(&pod);
        found.filter(|it| it.is_running(self.now)).map(|it| it.restarts)
    }

    /// The Pods that the container runtime has containers of.
    pub fn containers(&self) -> Vec<Uid> {
        self.vm.containers.keys().copied().collect()
    }

    /// True if the Pod's containers have done their work and ended by themselves.
    pub fn completed_container(&self, pod: Uid) -> bool {
        self.vm.containers.get(&pod).is_some_and(|container| container.completed)
    }

    /// Has the container runtime start a Pod's containers; they run after a wait, and end by
    /// themselves after `length`, if they do. They are told how many there were before.
    pub fn start_container(
        &mut self,
        pod: Uid,
        wait: (Rule, Duration),
        (length, restarts): (Option<Duration>, u32),
    ) {
        self.effects.push(Effect::StartContainer(pod, wait, length, restarts));
    }

    /// Has the container runtime stop a Pod's containers; they have ended after `delay`.
    pub fn stop_container(&mut self, pod: Uid, rule: Rule, delay: Duration) {
        self.effects.push(Effect::StopContainer(pod, rule, delay));
    }

    /// What the container runtime knows of the program in the container of this name.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.vm.programs.get(name)
    }

    /// The names of the containers of programs that run.
    pub fn running_programs(&self) -> Vec<Text> {
        let running = self.vm.programs.iter().filter(|(_, it)| it.running_since.is_some());
        running.map(|(name, _)| name.clone()).collect()
    }

    /// Has the container runtime run a program in a new container.
    pub fn start_program(&mut self, name: Text) {
        self.effects.push(Effect::StartProgram(name));
    }

    /// Has the container runtime send a signal to a program in its container.
    pub fn signal_program(&mut self, name: Text, signal: Signal) {
        self.effects.push(Effect::SignalProgram(name, signal));
    }

    /// Has the container runtime remove what it kept of a program's containers that have ended.
    pub fn remove_program(&mut self, name: &str) {
        if let Some(program) = self.vm.programs.get_mut(name) {
            (program.ended, program.starts) = (None, u32::from(program.running_since.is_some()));
        }
    }

    /// `systemctl start`.
    pub fn start_unit(&mut self, unit: &'static str) {
        self.effects.push(Effect::StartUnit(Text::word(unit)));
    }

    /// `systemctl stop`: it stays stopped until somebody starts it.
    pub fn stop_unit(&mut self, unit: &'static str) {
        self.effects.push(Effect::StopUnit(Text::word(unit)));
    }

    /// Ends the process itself.
    pub fn exit(&mut self) {
        self.effects.push(Effect::Exit);
    }

    /// Writes a line to the log.
    pub fn log(&mut self, line: impl Into<Text>) {
        self.effects.push(Effect::Trace(Trace::Log(line.into())));
    }

    /// Shows a watcher of the run what happened; changes nothing.
    pub(crate) fn trace(&mut self, trace: Trace) {
        self.cause_moved |= matches!(trace, Trace::Committed { .. } | Trace::Member(_));
        self.effects.push(Effect::Trace(trace));
    }

    /// Tells the processes of the hosts something on their own network; only an appliance may.
    pub fn tell_hosts(&mut self, news: HostNews) {
        assert!(self.inventory.is_some(), "guests have no access to the hosts' own network");
        self.effects.push(Effect::TellHosts(news));
    }

    /// Has the datacenter's management act; only its own process may, and a host's.
    pub fn datacenter(&mut self, action: VmAction) {
        self.effects.push(Effect::Datacenter(action));
    }

    /// Has an endpoint lead to these ports of the VMs of these names; only an appliance may.
    pub fn steer(&mut self, endpoint: EndpointId, to: Vec<(Text, Port)>, fallback: Fallback) {
        assert!(self.inventory.is_some(), "an endpoint is steered from outside the cluster");
        self.effects.push(Effect::Steer(endpoint, to, fallback));
    }

    /// Resets the connections through an endpoint to the VM of a name; only an appliance may.
    pub fn shut_sessions(&mut self, endpoint: EndpointId, vm: Text) {
        assert!(self.inventory.is_some(), "an endpoint is steered from outside the cluster");
        self.effects.push(Effect::ShutSessions(endpoint, vm));
    }

    /// The datacenter's VMs; only its own management is shown them.
    pub fn inventory(&self) -> Option<Inventory<'a>> {
        self.inventory
    }

    /// A pause's draw is addressed by the activity and how often it has taken place.
    fn activity_draw(&self, id: ActivityId, count: u64) -> u64 {
        let purpose = Purpose(0xff00 + u16::from(id.0));
        let owner = self.process.owner.part(u64::from(self.process.incarnation));
        self.random.draw(owner, purpose, count)
    }
}
