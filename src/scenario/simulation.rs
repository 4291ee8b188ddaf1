//! One run being played: the world, the faults that are due, and what is judged on the way.
//!
//! Faults come between events: one at time t comes before every event at t. Nothing here decides
//! what the world does.

use super::actions::{Action, repairs, waits_for};
use super::awaited::{Awaited, Lookout, unstruck};
use super::expect::Pattern;
use super::faults::Fault;
use super::founding::Founding;
use super::health::{Health, Services};
use super::members_anew::{anew, lost_members};
use super::probes::{api_downtime, downtimes};
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Downtime, End, Entry, Lack, Ledger, Level, Timeline};
use crate::world::{Blueprint, CustomProcess, View, WORKLOAD_CLUSTER, World};
use std::collections::BTreeMap;

/// What is to be played.
#[derive(Clone, Debug)]
pub struct Plan {
    pub blueprint: Blueprint,
    /// In order of time.
    pub faults: Vec<(SimTime, Fault)>,
    /// Those that come when something is seen.
    pub awaited: Vec<Awaited>,
    pub until: SimTime,
    /// An API that nobody asks, and that hangs for so long, is down.
    pub outage: Duration,
    /// The most events that may be played.
    pub budget: u64,
}

/// Looks at the world after each event; changes nothing.
pub trait Observer {
    /// Called after each event and each fault.
    fn look(&mut self, view: View);
}

/// Does not look.
struct Nobody;

impl Observer for Nobody {
    fn look(&mut self, _: View) {}
}

/// A run that is being played. A clone is a fork: both go on alike until they are treated alike.
#[derive(Clone, Debug)]
pub struct Simulation {
    world: World,
    plan: Plan,
    /// How many faults have struck.
    struck: usize,
    lookout: Lookout,
    health: Health,
    founding: Founding,
    services: Services,
    /// How many changes there had been when the world was last judged, and when that was.
    judged: (u64, SimTime),
}

/// How a played run came out.
#[derive(Debug)]
pub struct Played {
    pub timeline: Timeline,
    pub first_fault: Option<SimTime>,
    pub last_fault: Option<SimTime>,
    pub end: End,
    pub ended_at: SimTime,
    pub recovered_at: Option<SimTime>,
    /// What a run that has not recovered still lacks.
    pub missing: Vec<Lack>,
    pub availability: BTreeMap<Text, Downtime>,
    /// The faults that have not struck, or have hit nothing, a sentence each.
    pub unstruck: Vec<Text>,
    pub engine_events: u64,
}

/// What an operator does, in the words of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    pub words: Text,
    /// What he waits for, in the words of an expectation, if it cannot be done yet.
    pub seen: Option<Text>,
}

/// A budget that no run of so many VMs reaches, and a runaway run does within a minute.
///
/// A healthy cluster plays about 5 events per worker and second, and 70 per control-plane VM, most
/// of them heartbeats of etcd's members; ten times as many is a runaway. The part that does not
/// scale is for short runs with many small periods.
pub fn default_budget(control_planes: u32, workers: u32, until: SimTime) -> u64 {
    let seconds = until.since(SimTime::ZERO).as_secs() + 1;
    2_000_000 + (50 * u64::from(workers) + 700 * u64::from(control_planes)) * seconds
}

/// Without an entry that moves the cluster for this long, a run that has not recovered is stuck.
pub const STUCK_AFTER: Duration = Duration::from_secs(600);

/// True for what changes the cluster. Processes that end and are started again, with what they log,
/// move nothing, and who sees them come and go neither: a load balancer, a readiness probe, a user who
/// tries, a kubelet's mirror Pod. Nor does a member of etcd that stands for leader or hears of one: what a
/// leader makes possible moves by itself. Nor a token whose end is put off, again and again until its
/// Machine has joined.
pub fn moves(entry: &Entry) -> bool {
    let sees = match entry.kind.as_str() {
        "Process" | "Endpoint" | "Probe" => true,
        "VirtualMachine" => entry.field == *"Ready",
        "Pod" => is_of_mirror(entry),
        "EtcdMember" => entry.field == *"role" || entry.field == *"leader",
        "Secret" => entry.field == *"expiration",
        _ => false,
    };
    !sees
}

/// True for what a kubelet says of a mirror Pod, which has its Node's name at its end.
fn is_of_mirror(entry: &Entry) -> bool {
    let node = entry.by.strip_prefix("kubelet@");
    let mirrored = node.and_then(|node| entry.name.strip_suffix(node));
    entry.field != *"exists" && mirrored.is_some_and(|name| name.ends_with('-'))
}

impl Simulation {
    /// A run at its beginning.
    pub fn new(plan: Plan, seed: u64) -> Simulation {
        let world = World::new(plan.blueprint.clone(), seed);
        let first = plan.faults.first().map(|(at, _)| *at);
        let last = plan.faults.last().map(|(at, _)| *at);
        let workloads = &plan.blueprint.workloads;
        let bare = workloads.iter().flat_map(|workload| workload.bare_pods()).collect();
        Simulation {
            health: Health::new(last.unwrap_or_default(), bare),
            services: Services::new(first, plan.outage),
            founding: Founding::of(world.view()),
            lookout: Lookout::new(plan.awaited.clone(), first.unwrap_or_default()),
            world,
            plan,
            struck: 0,
            judged: (0, SimTime::ZERO),
        }
    }

    /// Plays every heartbeat from now on: slower, and the same timeline.
    pub fn play_densely(&mut self) {
        self.world.play_densely();
    }

    /// The world, to look at.
    pub fn view(&self) -> View<'_> {
        self.world.view()
    }

    /// How many events have been played.
    pub fn played(&self) -> u64 {
        self.world.played()
    }

    /// Has every step written down from now on: what leads to what, and by which wait.
    pub fn keep_ledger(&mut self) {
        self.world.open_ledger();
    }

    /// What was written down since, if anything; no more is.
    pub fn take_ledger(&mut self) -> Option<Ledger> {
        self.world.take_ledger()
    }

    /// An independent copy, which goes on from here.
    pub fn fork(&self) -> Simulation {
        self.clone()
    }

    /// The run lasts at least until this time.
    pub(super) fn extend_until(&mut self, end: SimTime) {
        self.plan.until = self.plan.until.max(end);
    }

    /// How long it takes to recover if an operator does this now, or nothing at all, in a copy that
    /// goes on for so long; nothing if it does not. No fault of the scenario strikes any more.
    pub fn release_by(&self, action: Option<&Action>, patience: Duration) -> Option<Duration> {
        let mut copy = self.treated(action, patience);
        copy.run_to_end();
        copy.recovered_at().map(|at| at.since(self.view().now()))
    }

    /// A copy in which an operator does this now, or nothing at all, and which can go on for so long. No
    /// fault of the scenario strikes any more.
    pub fn treated(&self, action: Option<&Action>, patience: Duration) -> Simulation {
        let mut copy = self.fork();
        let now = copy.view().now();
        copy.plan.faults.truncate(copy.struck);
        copy.lookout = Lookout::new(Vec::new(), now);
        copy.extend_until(now + patience);
        copy.plan.budget = copy.plan.budget.saturating_mul(2).max(copy.played() * 2);
        let faults = action.map_or(&[][..], |action| &action.faults);
        faults.iter().for_each(|fault| fault.strike(&mut copy.world));
        copy.health.wait_until(now);
        // It is looked at again, though nothing may be written down any more.
        copy.judged.0 = 0;
        copy
    }

    /// Starts a process of one's own on a VM, best before the first step; false if there is no such
    /// VM. It sees what its VM sees, and reaches API servers as every other client does.
    pub fn add_process(
        &mut self,
        vm: &str,
        program: &'static str,
        process: Box<dyn CustomProcess>,
    ) -> bool {
        self.world.add_process(vm, program, process)
    }

    /// Somebody does something that no scenario has told.
    pub(super) fn strike(&mut self, fault: &Fault) {
        fault.strike(&mut self.world);
    }

    /// One more fault will strike, at a time that has not come yet.
    pub fn add_fault(&mut self, at: SimTime, fault: Fault) {
        self.add_faults(at, vec![fault]);
    }

    fn add_faults(&mut self, at: SimTime, faults: Vec<Fault>) {
        let place = self.plan.faults.partition_point(|(other, _)| *other <= at);
        let place = place.max(self.struck);
        self.plan.faults.splice(place..place, faults.into_iter().map(|fault| (at, fault)));
        self.health.wait_until(at);
        // It is looked at again, though nothing may be written down any more.
        self.judged.0 = 0;
    }

    /// An operator will do all of this at a time, which has not come yet, or as soon as it can be done.
    pub fn repair_at(&mut self, at: SimTime) -> Vec<Repair> {
        self.release();
        let (mut faults, mut awaited, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for action in repairs(self.view()) {
            let seen = waits_for(self.view(), &action);
            match &seen {
                None => faults.extend(action.faults),
                Some(seen) => awaited.extend(action.faults.into_iter().map(|fault| {
                    let pattern = Pattern::read(seen, &|_| None).expect("words of our own");
                    Awaited { seen: seen.clone(), pattern, after: Duration::ZERO, fault }
                })),
            }
            told.push(Repair { words: action.words, seen });
        }
        self.add_faults(at, faults);
        self.lookout.add(awaited, self.world.timeline());
        told
    }

    /// An operator will delete these Machines whose members of etcd have lost their data, from a time on that has not
    /// come yet, if the others are a quorum.
    pub fn replace_members_at(
        &mut self,
        at: SimTime,
        on: impl Fn(&Text) -> bool,
    ) -> Vec<(SimTime, Repair)> {
        let lost: Vec<Text> = lost_members(self.view()).into_iter().filter(on).collect();
        let mut told = Vec::new();
        for (after, action) in anew(&lost) {
            self.add_faults(at + after, action.faults);
            told.push((at + after, Repair { words: action.words, seen: None }));
        }
        told
    }

    /// Plays one event or one fault, or looks whether all is well; false once the run is over.
    /// Whoever steps may step in at any moment, so nothing is foreseen (see `step_within`).
    pub fn step(&mut self) -> bool {
        self.step_within(SimTime::ZERO)
    }

    /// The same, faster, for who promises not to step in before a time: what nothing can disturb
    /// until then is answered ahead. Faults that are added come then or later.
    pub fn step_within(&mut self, limit: SimTime) -> bool {
        if self.has_run_away() {
            return false;
        }
        let until = self.plan.until;
        let next = self.world.next_at().unwrap_or(until + Duration::from_secs(1));
        if let Some(look) = self.next_look().filter(|look| *look <= next.min(until)) {
            self.world.pass_until(look);
            self.judge();
            return true;
        }
        match self.plan.faults.get(self.struck) {
            Some((at, fault)) if *at <= next && *at <= until => {
                self.world.pass_until(*at);
                self.struck += 1;
                fault.strike(&mut self.world);
            }
            _ if next > until => return false,
            next_fault => {
                let fault = next_fault.map_or(limit, |(at, _)| *at);
                self.world.leave_alone_until(limit.min(fault));
                self.world.step();
            }
        }
        self.judge();
        true
    }

    /// Plays everything up to a time, and moves the clock there.
    pub fn run_until(&mut self, at: SimTime) {
        self.watch_until(at, &mut Nobody);
    }

    /// The same while somebody looks.
    pub fn watch_until(&mut self, at: SimTime, observer: &mut dyn Observer) {
        let at = at.min(self.plan.until);
        while self.next_at().is_some_and(|next| next <= at) && self.step_within(at) {
            observer.look(self.world.view());
        }
        if self.next_at().is_none_or(|next| next >= at) {
            self.world.pass_until(at);
        }
    }

    /// Plays to the end.
    pub fn run(&mut self, observer: &mut dyn Observer) {
        while self.step_within(self.plan.until) {
            observer.look(self.world.view());
        }
        self.world.pass_until(self.plan.until.min(self.next_at().unwrap_or(self.plan.until)));
    }

    /// Plays until it has recovered for good, or to the end.
    pub fn run_until_recovered(&mut self) {
        while !self.has_recovered_for_good() {
            if !self.step_within(self.plan.until) {
                return self.run_to_end();
            }
        }
    }

    /// Plays to the end with nobody looking.
    pub fn run_to_end(&mut self) {
        while self.step_within(self.plan.until) {}
        self.world.pass_until(self.plan.until.min(self.next_at().unwrap_or(self.plan.until)));
    }

    /// When the run recovered, if it has and has stayed so.
    pub fn recovered_at(&self) -> Option<SimTime> {
        self.health.recovered_at(self.world.now())
    }

    /// Since when everything has been well, if it is.
    pub fn well_since(&self) -> Option<SimTime> {
        self.health.well_since()
    }

    /// What is not as it is wanted now, what others mostly follow from first.
    pub fn lacks(&self) -> Vec<Lack> {
        self.health.lacks(self.world.view())
    }

    /// What a recovery still waits for, be it only time.
    pub fn missing(&self) -> Vec<Lack> {
        self.health.missing(self.world.view())
    }

    /// The clusters that had nothing of their data any more when last looked at.
    pub fn lost(&self) -> &[Text] {
        self.health.lost()
    }

    /// The services that are down now.
    pub fn services_down(&self) -> Vec<Text> {
        self.services.down()
    }

    /// How well each service has served, change by change: what `availability` counts of those that no
    /// user asks.
    pub fn service_levels(&self) -> &BTreeMap<Text, Vec<(SimTime, Level)>> {
        self.services.levels()
    }

    /// When the last fault struck that has.
    pub fn last_fault(&self) -> Option<SimTime> {
        self.plan.faults[..self.struck].last().map(|(at, _)| *at)
    }

    /// True if as many events have been played as may be.
    pub fn has_run_away(&self) -> bool {
        self.world.played() >= self.plan.budget
    }

    /// True while faults are left that have their time.
    pub fn has_faults_left(&self) -> bool {
        self.struck < self.plan.faults.len()
    }

    /// True once it has recovered, if no fault waits for something that may yet be seen.
    pub fn has_recovered_for_good(&self) -> bool {
        self.lookout.awaited().is_empty() && self.health.has_recovered()
    }

    /// What came of it.
    pub fn finish(mut self) -> Played {
        let ended_at = self.world.now();
        self.services.close(ended_at);
        let recovered_at = self.health.recovered_at(ended_at);
        let end = self.end(recovered_at);
        let missing = match recovered_at {
            Some(_) => Vec::new(),
            None => self.health.missing(self.world.view()),
        };
        let engine_events = self.world.played();
        let faults = &self.plan.faults[..self.struck];
        let mut availability = self.services.downtimes();
        // Where a user asks, what he finds is truer than what serves; but he does not know whether the API
        // that answers him has lost all there was.
        let users = self.plan.blueprint.users.as_ref();
        if let Some(users) = users.filter(|_| !self.health.lost().contains(&WORKLOAD_CLUSTER)) {
            let entries = self.world.timeline().entries();
            let from = faults.first().map(|(at, _)| *at);
            availability.extend(downtimes(entries, from, ended_at, users.app.outage));
            let api = api_downtime(entries, from, ended_at, users.api.outage);
            availability.extend(api.map(|downtime| (Text::word("api"), downtime)));
        }
        Played {
            unstruck: unstruck(
                &self.lookout,
                &self.plan.faults[self.struck..],
                self.world.timeline(),
            ),
            first_fault: faults.first().map(|(at, _)| *at),
            last_fault: faults.last().map(|(at, _)| *at),
            end,
            ended_at,
            recovered_at,
            missing,
            availability,
            engine_events,
            timeline: self.world.into_timeline(),
        }
    }

    fn end(&self, recovered_at: Option<SimTime>) -> End {
        let mut entries = self.world.timeline().entries().iter();
        let last = entries.rfind(|entry| moves(entry)).map_or(SimTime::ZERO, |entry| entry.at);
        if self.has_run_away() {
            End::Budget
        } else if recovered_at.is_some() {
            End::Recovered
        } else if last + STUCK_AFTER <= self.world.now() {
            End::Stuck
        } else {
            End::Horizon
        }
    }

    /// When the next step is: an event, a fault, or a look whether all is well.
    pub fn next_at(&self) -> Option<SimTime> {
        let fault = self.plan.faults.get(self.struck).map(|(at, _)| *at);
        [fault, self.world.next_at(), self.next_look()].into_iter().flatten().min()
    }

    /// Takes in the faults that have waited for what was just seen.
    fn release(&mut self) {
        for (at, fault) in self.lookout.look(self.world.timeline()) {
            let place = self.plan.faults.partition_point(|(other, _)| *other <= at);
            self.plan.faults.insert(place.max(self.struck), (at, fault));
            self.health.wait_until(at);
        }
    }

    /// When the world is to be looked at again though nothing is written down: at its own time, not
    /// at the next event, which may be one that need not be played.
    fn next_look(&self) -> Option<SimTime> {
        let look = self.health.patience().map(|long| self.judged.1 + long)?;
        let fault = self.plan.faults.get(self.struck).map(|(at, _)| *at);
        Some(look.max(self.world.now())).filter(|look| fault.is_none_or(|fault| *look < fault))
    }

    /// The world is judged whenever something has changed, and while its members of etcd have to keep
    /// up: nothing else changes its health.
    fn judge(&mut self) {
        let changes = self.world.changes();
        let is_due = || self.next_look().is_some_and(|look| look <= self.world.now());
        if changes != self.judged.0 || is_due() {
            self.judged = (changes, self.world.now());
            self.release();
            let view = self.world.view();
            let lost = self.founding.lost(view);
            self.services.look(view, lost.contains(&WORKLOAD_CLUSTER));
            self.health.look(view, lost);
        }
    }
}
