//! The world: components, and the core that carries events between them.

use super::blueprint::Blueprint;
use super::process::{Buffers, Event, Process};
use super::record::Recorder;
use super::rest::Rests;
use crate::api::Uid;
use crate::engine::{Key, Queue, Random, Rule, SimTime, Text};
use crate::infra::{
    ActivityId, Broken, ConnectionId, Datacenter, Direction, HostNews, Probing, ProcessId, Start,
    VmId,
};
use crate::timeline::{Cause, Ledger, Step, StepId, Timeline};
use crate::wire::Message;
use std::collections::BTreeMap;

/// A whole simulated world at one instant.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) core: Core,
    /// By process number; beside the core, so that a component can be played with it.
    pub(super) components: Vec<Process>,
    pub(super) buffers: Buffers,
    pub(super) blueprint: Blueprint,
}

/// Everything but the components.
#[derive(Clone, Debug)]
pub struct Core {
    pub(super) now: SimTime,
    pub(super) queue: Queue<Payload>,
    pub(super) random: Random,
    pub(super) datacenter: Datacenter,
    pub(super) recorder: Recorder,
    /// The cluster that a process belongs to; none for those of the datacenter.
    pub(super) clusters: BTreeMap<ProcessId, Text>,
    /// The processes of etcd, of all clusters.
    pub(super) etcd: Vec<ProcessId>,
    pub(super) played: u64,
    /// How often something changed that is not written down, and that who judges has to see.
    pub(super) unwritten: u64,
    /// The event that is being played, if one is.
    pub(super) playing: Option<Key>,
    /// Members of etcd whose heartbeats are not played.
    pub(super) rests: Rests,
    /// No fault strikes before this time; the beginning, if nobody has told.
    pub(super) left_alone_until: SimTime,
    /// The target of the event that was played last.
    pub(super) latest: u32,
    /// Every step, if somebody wants to know.
    pub(super) ledger: Option<Ledger>,
    /// The step that led to the event that is being played.
    pub(super) step: StepId,
    /// The process that manages the datacenter.
    pub(super) management: Option<ProcessId>,
    /// VMs that the management created and nobody has furnished with processes yet.
    pub(super) unfurnished: Vec<VmId>,
    /// What fell due for processes that are frozen, in the order in which it did.
    pub(super) held: BTreeMap<ProcessId, Vec<(Key, Payload)>>,
    /// The flushes that wait for stalled disks, in the order in which they would have ended.
    pub(super) unflushed: BTreeMap<VmId, Vec<(Key, Payload)>>,
}

/// A queued event.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    /// The incarnation of the target that it is meant for.
    pub incarnation: u32,
    pub cause: Cause,
    pub what: What,
}

/// What falls due.
#[derive(Clone, Debug)]
pub(super) enum What {
    Started(Start),
    Due(Event),
    /// What was written is safe, unless the disk is stalled; then the process goes on as with a timer.
    Flushed(Event),
    Tick(ActivityId, crate::engine::Generation),
    Message(ConnectionId, Message),
    Broken(ConnectionId, Broken),
    Container(Uid, bool),
    /// The datacenter's management learns of a VM's change.
    VmChanged(Text),
    /// SIGTERM to a process that catches it.
    Terminate,
    /// A kubelet is shown that a program's container has ended.
    ProgramEnded(Text),
    /// A process is told of a file in the folder that it watches.
    FileChanged(Text),
    /// A process hears something on the hosts' own network.
    Host(HostNews),
    /// What becomes of a Pod's containers on a VM.
    Runtime(VmId, Uid, Runtime),
    /// A VM has booted, after it was powered on for so many times: its units start.
    Booted(VmId, u32),
    /// systemd starts a unit again.
    Restart(VmId, Text),
    /// A process that ended soon after each start has lived for longer than that, if it is this incarnation.
    LivesOn(ProcessId, u32),
    /// This process was frozen at that time, and a ping or handshake has had no answer for too long.
    Unanswered(ConnectionId, (ProcessId, SimTime), Broken),
    /// A segment that was not acknowledged is sent again.
    Retransmit(Direction, crate::engine::Generation),
    /// An end that has heard nothing for long asks whether the other lives.
    PingDue(Direction),
    /// A kernel looks whether an end of a connection has been heard since, or asks once more.
    ProbeDue(Direction, Probing),
    /// What an end has written to a host without power is sent again, after so many times before.
    ResendUnheard(Direction, u32),
    /// A ping of that time has had no answer for too long.
    PingOverdue(Direction, SimTime),
}

/// What the container runtime sees a Pod's containers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    Runs,
    /// They were told to stop, and have.
    Stops,
    /// They have done their work and end by themselves.
    Completes,
}

/// The purposes of queue keys: what comes first among events of one instant.
pub(super) mod purpose {
    pub const TIMER: u16 = 0;
    pub const MESSAGE: u16 = 1;
    pub const CONNECTION: u16 = 2;
    pub const HOST: u16 = 3;
    pub const ACTIVITY: u16 = 0x100;
}

/// Why what follows at once follows.
pub(super) const NOW: Rule = "at once";

/// The target of events that are for no process.
pub(super) const NOBODY: u32 = u32::MAX;

impl World {
    /// When the next event falls due.
    pub fn next_at(&self) -> Option<SimTime> {
        self.core.queue.next_at()
    }

    /// The present.
    pub fn now(&self) -> SimTime {
        self.core.now
    }

    /// Moves the clock to a time at which nothing is left to play.
    pub fn pass_until(&mut self, at: SimTime) {
        assert!(self.next_at().is_none_or(|next| next >= at), "an event would be passed over");
        self.core.now = self.core.now.max(at);
    }

    /// How many events have been played.
    pub fn played(&self) -> u64 {
        self.core.played
    }

    /// How many changes there have been on which depends what is well: entries, and what no entry tells of.
    pub fn changes(&self) -> u64 {
        self.timeline().entries().len() as u64 + self.core.unwritten
    }

    /// How many events are pending.
    pub fn pending(&self) -> usize {
        self.core.queue.len()
    }

    /// Has every step written down from now on.
    pub fn open_ledger(&mut self) {
        self.play_all();
        let first = self.core.recorder.timeline().next_id();
        self.core.ledger.get_or_insert_with(|| Ledger::new(first));
    }

    /// Every step since the ledger was opened, if it was; no more are written down.
    pub fn take_ledger(&mut self) -> Option<Ledger> {
        self.core.ledger.take()
    }

    /// What has happened so far.
    pub fn timeline(&self) -> &Timeline {
        self.core.recorder.timeline()
    }

    /// The timeline, when the run is over.
    pub fn into_timeline(self) -> Timeline {
        self.core.recorder.into_timeline()
    }
}

impl Core {
    /// Queues something at the place that its source's count gives it.
    pub(super) fn push(
        &mut self,
        at: SimTime,
        target: u32,
        source: ProcessId,
        purpose: u16,
        payload: Payload,
    ) {
        let k = self.datacenter.processes.get_mut(source).next_event();
        self.queue.push(Key { at, target, source: source.0, purpose, k }, payload);
    }

    /// Queues something for a process as it is now.
    pub(super) fn push_to(
        &mut self,
        at: SimTime,
        target: ProcessId,
        source: ProcessId,
        purpose: u16,
        (cause, rule): (Cause, Rule),
        what: What,
    ) {
        let incarnation = self.datacenter.processes.get(target).incarnation;
        let cause = self.step_on(cause, at, rule, target);
        self.push(at, target.0, source, purpose, Payload { incarnation, cause, what });
    }

    /// Queues something about a VM that no process has to be alive for.
    pub(super) fn push_host(
        &mut self,
        at: SimTime,
        source: ProcessId,
        (cause, rule): (Cause, Rule),
        what: What,
    ) {
        let cause = self.step_on(cause, at, rule, source);
        let payload = Payload { incarnation: 0, cause, what };
        self.push(at, NOBODY, source, purpose::HOST, payload);
    }
    /// The step to something that falls due because of a rule.
    pub(super) fn step_on(
        &mut self,
        cause: Cause,
        at: SimTime,
        rule: Rule,
        process: ProcessId,
    ) -> Cause {
        let Some(ledger) = &mut self.ledger else { return cause };
        let before = if cause.step.is_none() { self.step } else { cause.step };
        let step = Step::Wait { before, at, rule, process: process.0 };
        Cause { step: ledger.push(step), ..cause }
    }

    /// Notes by which step the entries came that were just written.
    pub(super) fn note_entries(&mut self, step: StepId) {
        if let Some(ledger) = &mut self.ledger {
            ledger.note_entries(self.recorder.timeline().next_id(), step);
        }
    }
}

/// The core of a world in which there is nothing yet.
pub(super) fn empty_core(blueprint: &Blueprint, seed: u64) -> Core {
    let settings = &blueprint.settings;
    Core {
        now: SimTime::ZERO,
        queue: Queue::default(),
        random: Random::new(seed),
        datacenter: Datacenter::new(
            settings.latency,
            settings.keep_alives.clone(),
            settings.retransmission,
            blueprint.zones,
        ),
        recorder: Recorder::default(),
        clusters: BTreeMap::new(),
        etcd: Vec::new(),
        played: 0,
        unwritten: 0,
        playing: None,
        rests: Rests::default(),
        left_alone_until: SimTime::ZERO,
        latest: NOBODY,
        ledger: None,
        step: StepId::default(),
        management: None,
        unfurnished: Vec::new(),
        held: BTreeMap::new(),
        unflushed: BTreeMap::new(),
    }
}
