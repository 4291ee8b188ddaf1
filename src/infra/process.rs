//! What the operating systems know of processes: where they run, whether they live, their counts.
//!
//! A process that dies takes a new incarnation number, so all its old events are dropped without
//! being searched. What a process does is not known here.

use super::{Port, VmId};
use crate::engine::{Activity, Owner, Purpose, Rhythmic, SimTime, Text};
use crate::timeline::Cause;

/// A process's number; it stays over restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

/// One of a process's periodic activities, numbered by the process from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActivityId(pub u8);

/// A process as its operating system sees it.
#[derive(Clone, Debug)]
pub struct ProcessState {
    /// The program, as in a process list: `kubelet`, `etcd` ...
    pub program: Text,
    /// The program and its VM, as `kubelet@worker-0`.
    pub name: Text,
    pub owner: Owner,
    pub vm: VmId,
    pub listens: Vec<Port>,
    /// It has not opened its ports yet.
    pub is_closed: bool,
    /// It has closed all its ports but this one.
    pub serves_only: Option<Port>,
    pub alive: bool,
    /// It has run; until then its memory is what an earlier life left.
    pub has_begun: bool,
    pub incarnation: u32,
    pub started: SimTime,
    /// True in a crash loop: it was started again after a life of less than a second.
    pub is_retry: bool,
    /// The entry of its last end, or of its freezing, for causes.
    pub ended: Cause,
    /// Stopped by SIGSTOP: it does nothing, and its kernel goes on for it.
    pub frozen: Option<SimTime>,
    /// The last time that it was frozen: from when to when.
    pub slept: Option<(SimTime, SimTime)>,
    /// How many of its flushes have not ended.
    pub flushes: u32,
    /// It was killed, and lives in the kernel until its disk has done what it waits for.
    pub is_killed: bool,
    /// It has a handler for SIGTERM.
    pub catches_term: bool,
    /// The folder whose files it wants to hear of (inotify).
    pub watched_folder: Option<&'static str>,
    /// Some of its activities are not played, since they would change nothing.
    pub is_resting: bool,
    activities: Vec<Option<Rhythmic>>,
    /// How many draws each purpose has had; few purposes, with numbers far apart.
    draws: Vec<(Purpose, u64)>,
    events: u32,
    connections: u32,
}

/// All processes, living and dead, by number.
#[derive(Clone, Debug, Default)]
pub struct Processes(Vec<ProcessState>);

impl ProcessState {
    /// A process that has not been started yet.
    pub fn new(
        program: impl Into<Text>,
        vm: VmId,
        vm_name: &str,
        listens: impl IntoIterator<Item = Port>,
    ) -> Self {
        let program = program.into();
        let name = Text::from(format!("{program}@{vm_name}"));
        ProcessState {
            owner: Owner::named(&name),
            program,
            name,
            vm,
            listens: listens.into_iter().collect(),
            is_closed: false,
            serves_only: None,
            alive: false,
            has_begun: false,
            incarnation: 0,
            started: SimTime::ZERO,
            is_retry: false,
            ended: Cause::NONE,
            frozen: None,
            slept: None,
            flushes: 0,
            is_killed: false,
            catches_term: false,
            watched_folder: None,
            is_resting: false,
            activities: Vec::new(),
            draws: Vec::new(),
            events: 0,
            connections: 0,
        }
    }

    /// Comes to life anew; what an earlier incarnation had queued is void.
    pub fn start(&mut self, now: SimTime) {
        self.incarnation += 1;
        self.started = now;
        self.alive = true;
        self.has_begun = false;
        self.is_closed = false;
        self.serves_only = None;
        self.frozen = None;
        self.slept = None;
        self.flushes = 0;
        self.is_killed = false;
        self.catches_term = false;
        self.watched_folder = None;
        self.activities.clear();
    }

    /// True if it lives, has begun to, and is not frozen.
    pub fn is_at_work(&self) -> bool {
        self.alive && self.has_begun && self.frozen.is_none()
    }

    /// True if it is stopped, and goes on as soon as it is told to.
    pub fn can_thaw(&self) -> bool {
        self.frozen.is_some() && !self.is_killed
    }

    /// Ends; its events are void from now on.
    pub fn end(&mut self, entry: Cause) {
        self.incarnation += 1;
        self.alive = false;
        self.frozen = None;
        self.is_killed = false;
        self.ended = entry;
    }

    /// The address of the next draw for a purpose.
    pub fn next_draw(&mut self, purpose: Purpose) -> u64 {
        if let Some((_, count)) = self.draws.iter_mut().find(|(other, _)| *other == purpose) {
            *count += 1;
            return *count - 1;
        }
        self.draws.push((purpose, 1));
        0
    }

    /// The count of the next event that it queues.
    pub fn next_event(&mut self) -> u32 {
        self.events = self.events.wrapping_add(1);
        self.events
    }

    /// The count of the next connection that it opens.
    pub fn next_connection(&mut self) -> u32 {
        self.connections += 1;
        self.connections
    }

    /// Declares an activity in the place of an earlier one of that number.
    pub fn declare(&mut self, id: ActivityId, activity: Activity) -> &mut Rhythmic {
        let place = usize::from(id.0);
        if self.activities.len() <= place {
            self.activities.resize(place + 1, None);
        }
        self.activities[place].insert(Rhythmic::new(activity))
    }

    /// A declared activity, to look at.
    pub fn look_at(&self, id: ActivityId) -> Option<&Rhythmic> {
        self.activities.get(usize::from(id.0))?.as_ref()
    }

    /// The activities whose passes are not played, since they would find nothing to do.
    pub fn sleeping(&self) -> Vec<ActivityId> {
        let sleeps = |it: &Option<Rhythmic>| it.as_ref().is_some_and(|it| it.asleep.is_some());
        let numbered = (0..).map(ActivityId).zip(&self.activities);
        numbered.filter(|(_, it)| sleeps(it)).map(|(id, _)| id).collect()
    }

    /// The state of a declared activity.
    pub fn activity(&mut self, id: ActivityId) -> Option<&mut Rhythmic> {
        self.activities.get_mut(usize::from(id.0))?.as_mut()
    }
}

impl Processes {
    /// Adds a process.
    pub fn add(&mut self, state: ProcessState) -> ProcessId {
        self.0.push(state);
        ProcessId(u32::try_from(self.0.len() - 1).expect("fewer than 2^32 processes"))
    }

    /// A process by number.
    pub fn get(&self, id: ProcessId) -> &ProcessState {
        &self.0[id.0 as usize]
    }

    /// A process to change.
    pub fn get_mut(&mut self, id: ProcessId) -> &mut ProcessState {
        &mut self.0[id.0 as usize]
    }

    /// All processes with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (ProcessId, &ProcessState)> {
        (0..).map(ProcessId).zip(&self.0)
    }

    /// The living process that listens on a port of a VM.
    pub fn listener(&self, vm: VmId, port: Port) -> Option<ProcessId> {
        self.iter()
            .find(|(_, process)| {
                process.alive
                    && !process.is_closed
                    && process.serves_only.is_none_or(|only| only == port)
                    && process.vm == vm
                    && process.listens.contains(&port)
            })
            .map(|(id, _)| id)
    }
}
