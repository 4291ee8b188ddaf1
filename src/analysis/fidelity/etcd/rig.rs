//! The rig of an experiment with etcd: three members, a driver beside them, and the hands of whoever
//! runs it.
//!
//! The driver's desk is on one side, the datacenter on the other; the members are seen from
//! outside only, but for the roles that their own logs tell.

use super::driver::{Burst, DRIVER, Desk, Driver, Load, Notes, Order, timer};
use crate::engine::{Delay, Duration, Owner, Purpose, Random, SimTime, Text};
use crate::infra::Way;
use crate::raft::MemberId;
use crate::world::{Blueprint, History, Infra, World};
use std::sync::MutexGuard;

/// How many members a group has.
pub const MEMBERS: usize = 3;
/// What a member logs that has sent a snapshot.
const SNAPSHOT: &str = "sent database snapshot";
/// The members' machines, by number.
const NAMES: [&str; MEMBERS] = ["m0", "m1", "m2"];

/// A lab in which an experiment takes place.
#[derive(Debug)]
pub struct Rig {
    world: World,
    desk: Desk,
    /// How long this trial pauses before its fault, so that nobody's phase has a say in it.
    pause: Duration,
}

/// Before the pause every member is well.
const SETTLED: SimTime = SimTime::from_micros(2_000_000);
/// The pause of the recording driver.
const PAUSE: Delay = Delay { low: Duration::from_millis(250), high: Duration::from_millis(1_250) };

impl Rig {
    /// A rig of members with such a history.
    pub fn new(blueprint: &Blueprint, history: History, seed: u64) -> Rig {
        let mut world = World::etcd_lab(blueprint.clone(), &NAMES, history, seed);
        let desk = Desk::default();
        let driver = Driver::new(desk.clone(), NAMES.map(Text::word).to_vec());
        let placed = world.add_process(DRIVER, DRIVER, Box::new(driver));
        assert!(placed, "every lab has a machine for its driver");
        let pause = PAUSE.pick(Random::new(seed).draw(Owner::named(DRIVER), Purpose(0), 0));
        Rig { world, desk, pause }
    }

    /// When the fault strikes.
    pub fn fault(&self) -> SimTime {
        SETTLED + self.pause
    }

    /// Pauses.
    pub fn pause(&mut self) {
        self.run_until(self.now() + self.pause);
    }

    /// The driver's notes.
    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.desk.notes()
    }

    /// The present.
    pub fn now(&self) -> SimTime {
        self.world.now()
    }

    /// Plays everything that falls due before a time.
    pub fn run_until(&mut self, at: SimTime) {
        while self.world.next_at().is_some_and(|next| next < at) {
            self.world.step();
        }
        self.world.pass_until(at);
    }

    /// Plays until the notes say so, and returns when that was; none if it was not before `limit`.
    pub fn run_until_noted(
        &mut self,
        limit: SimTime,
        is_so: impl Fn(&Notes) -> bool,
    ) -> Option<SimTime> {
        while !is_so(&self.notes()) {
            if self.world.next_at().is_none_or(|next| next >= limit) {
                return None;
            }
            self.world.step();
        }
        Some(self.now())
    }

    /// Has the driver send these now.
    pub fn ask(&mut self, orders: impl IntoIterator<Item = Order>) {
        self.notes().orders.extend(orders);
        self.world.wake(DRIVER, DRIVER, timer::WAKE);
    }

    /// Has the driver look at each member's status, or stop doing so.
    pub fn poll(&mut self, polls: bool) {
        self.notes().polls = polls;
    }

    /// Starts the load, beginning now.
    pub fn start_load(&mut self, load: Load) {
        self.notes().load = Some(load);
        self.world.wake(DRIVER, DRIVER, timer::LOAD);
    }

    /// Stops the load.
    pub fn stop_load(&mut self) {
        self.notes().load = None;
    }

    /// Starts a burst.
    pub fn burst(&mut self, burst: Burst) {
        self.notes().burst = Some(burst);
        self.world.wake(DRIVER, DRIVER, timer::BURST);
    }

    /// What a member's status said counts no more.
    pub fn forget_status(&mut self, member: usize) {
        self.notes().status[member] = None;
    }

    /// SIGKILL.
    pub fn kill(&mut self, member: usize) {
        self.on_member("killProcess", member, |infra, name| {
            if let Some(process) = infra.process("etcd", name) {
                infra.kill(process);
            }
        });
    }

    /// SIGTERM.
    pub fn terminate(&mut self, member: usize) {
        self.on_member("killProcess", member, |infra, name| {
            if let Some(process) = infra.process("etcd", name) {
                infra.terminate(process);
            }
        });
    }

    /// Starts a member that has ended.
    pub fn start(&mut self, member: usize) {
        self.on_member("startUnit", member, |infra, name| {
            if let Some(vm) = infra.vm(name) {
                infra.start_unit(vm, "etcd");
            }
        });
    }

    /// Removes a file of a member's machine.
    pub fn remove_file(&mut self, member: usize, path: &str) {
        self.on_member("removeFile", member, |infra, name| {
            if let Some(vm) = infra.vm(name) {
                infra.remove_file(vm, path);
            }
        });
    }

    /// Cuts a member off from the other members; its clients reach it.
    pub fn cut_off(&mut self, member: usize) {
        self.on_links("cutLink", member, |infra, way| infra.cut(way));
    }

    /// Ends that.
    pub fn reconnect(&mut self, member: usize) {
        self.on_links("healLink", member, |infra, way| infra.heal(way));
    }

    /// Writes a file on a member's machine.
    pub fn write_file(&mut self, member: usize, path: &'static str, content: &'static str) {
        self.world.write_lab_file(NAMES[member], path, content);
    }

    /// True while a member's process lives.
    pub fn is_alive(&self, member: usize) -> bool {
        self.world.view().runs("etcd", NAMES[member])
    }

    /// Plays until a member's process has ended, and returns when that was.
    pub fn run_until_ended(&mut self, member: usize, limit: SimTime) -> Option<SimTime> {
        while self.is_alive(member) {
            if self.world.next_at().is_none_or(|next| next >= limit) {
                return None;
            }
            self.world.step();
        }
        let process = format!("etcd@{}", NAMES[member]);
        let mut entries = self.world.timeline().entries().iter().rev();
        let ended = entries.find(|entry| entry.field == *"running" && entry.name == *process);
        ended.map(|entry| entry.at)
    }

    /// The member that has the office, by the last looks at all statuses.
    pub fn leader(&self) -> Option<usize> {
        let notes = self.notes();
        let leader = notes.status.iter().flatten().find_map(|status| status.leader)?;
        notes.number_of(leader)
    }

    /// When each member took a role after a time, by its own log.
    pub fn took_role(&self, role: &str, after: SimTime) -> Vec<(SimTime, usize)> {
        let entries = self.world.timeline().entries().iter();
        let taken = entries.filter(|entry| {
            entry.at >= after && entry.field == *"role" && entry.to.as_text() == Some(role)
        });
        let number = |name: &Text| NAMES.iter().position(|known| *name == **known);
        taken.filter_map(|entry| Some((entry.at, number(&entry.name)?))).collect()
    }

    /// When a member first learned of a leader after a time, by its own log.
    pub fn learned_leader(&self, member: usize, after: SimTime) -> Option<SimTime> {
        let mut entries = self.world.timeline().entries().iter();
        let learned = entries.find(|entry| {
            let is_its = entry.field == *"leader" && entry.name == *NAMES[member];
            entry.at >= after && is_its && entry.to.as_text().is_some()
        });
        learned.map(|entry| entry.at)
    }

    /// How often a member began to campaign after a time, by the members' own logs.
    pub fn campaigns(&self, after: SimTime) -> u64 {
        // With pre-vote a campaign begins as pre-candidate, and goes on as candidate.
        let (asked, stood) =
            (self.took_role("PreCandidate", after), self.took_role("Candidate", after));
        if asked.is_empty() { stood.len() as u64 } else { asked.len() as u64 }
    }

    /// How many snapshots members have sent to each other.
    pub fn snapshots_sent(&self) -> usize {
        let entries = self.world.timeline().entries().iter();
        entries.filter(|entry| entry.field == *"log" && entry.message.contains(SNAPSHOT)).count()
    }

    /// What a member has logged that contains these words.
    pub fn logged(&self, member: usize, words: &str) -> Option<String> {
        let process = format!("etcd@{}", NAMES[member]);
        let mut lines = self.world.timeline().entries().iter().rev().filter(|entry| {
            entry.field == *"log" && entry.name == *process && entry.message.contains(words)
        });
        lines.next().map(|entry| entry.message.to_string())
    }

    fn on_member(&mut self, kind: &'static str, member: usize, act: impl Fn(&mut Infra, &str)) {
        let name = NAMES[member];
        self.world.inject(kind, format!("VM/{name}"), |infra| act(infra, name));
    }

    fn on_links(&mut self, kind: &'static str, member: usize, act: impl Fn(&mut Infra, Way)) {
        self.on_member(kind, member, |infra, name| {
            let Some(here) = infra.vm(name) else { return };
            for other in NAMES.iter().filter_map(|other| infra.vm(other)).collect::<Vec<_>>() {
                if other != here {
                    act(infra, Way::Between(here, other));
                    act(infra, Way::Between(other, here));
                }
            }
        });
    }
}

impl Notes {
    /// The number of the member with this identity, by the statuses seen.
    pub fn number_of(&self, id: MemberId) -> Option<usize> {
        self.status.iter().position(|status| status.is_some_and(|status| status.member == id))
    }
}

/// Whole milliseconds from one time to another, rounded as the driver rounds.
pub fn millis(from: SimTime, to: SimTime) -> u64 {
    (to.since(from).as_micros() + 500) / 1_000
}

/// A time this many milliseconds after another, or before it.
pub fn at(from: SimTime, millis: i64) -> SimTime {
    let length = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { SimTime::ZERO + (from.since(SimTime::ZERO) - length) } else { from + length }
}
