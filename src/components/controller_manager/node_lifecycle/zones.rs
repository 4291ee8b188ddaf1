//! Zones: how fast Nodes get their `NoExecute` taint depends on how many of a zone are lost.
//!
//! Follows `ComputeZoneState`, `handleDisruption` and the rate-limited queue of the node lifecycle
//! controller.

use super::super::{ControllerManager, Event, Settings};
use crate::api::{Kind, Labels};
use crate::client::TokenBucket;
use crate::engine::{Duration, SimTime, Text};
use crate::infra::Ctx;
use crate::timeline::EntryId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// All zones.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    zones: BTreeMap<Text, Zone>,
    /// The zone of each Node that is not ready, and the entry that says so.
    places: BTreeMap<Text, (Text, Option<EntryId>)>,
    all_full: bool,
}

#[derive(Clone, Debug)]
struct Zone {
    state: State,
    /// Between two taints; none at all if there is none.
    limiter: Option<TokenBucket>,
    waiting: VecDeque<(Text, Option<EntryId>)>,
    /// Waiting or tainted already: not queued again before it was ready.
    queued: BTreeSet<Text>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Normal,
    Partial,
    Full,
}

/// How many Nodes of each zone are ready, and how many are not.
#[derive(Clone, Debug, Default)]
pub struct Counts(BTreeMap<Text, (usize, usize)>);

/// The zone that a Node's labels put it in.
pub fn zone_of(labels: &Labels) -> Text {
    labels.get("topology.kubernetes.io/zone").cloned().unwrap_or_default()
}

impl Counts {
    /// Counts a Node.
    pub fn add(&mut self, zone: &Text, ready: bool) {
        let (up, down) = self.0.entry(zone.clone()).or_default();
        *(if ready { up } else { down }) += 1;
    }
}

impl Zones {
    /// Makes sure that a zone is there.
    pub fn add(&mut self, zone: &Text, settings: &Settings) {
        self.zones.entry(zone.clone()).or_insert_with(|| Zone {
            state: State::Normal,
            limiter: Some(TokenBucket::new(settings.eviction_interval, 1)),
            waiting: VecDeque::new(),
            queued: BTreeSet::new(),
        });
    }

    /// Notes in which zone a Node is that is not ready.
    pub fn place(&mut self, node: &Text, zone: &Text) {
        if !self.places.contains_key(node) {
            self.places.insert(node.clone(), (zone.clone(), None));
        }
    }

    /// Notes which entry says that a Node is not ready.
    pub fn note_cause(&mut self, node: &Text, cause: Option<EntryId>) {
        if let Some((_, known)) = self.places.get_mut(node) {
            *known = cause;
        }
    }

    /// Queues a Node for its taint, once.
    pub fn queue(&mut self, node: &Text) {
        let (zone, cause) = self.places.get(node).cloned().unwrap_or_default();
        if let Some(zone) = self.zones.get_mut(&zone)
            && zone.queued.insert(node.clone())
        {
            zone.waiting.push_back((node.clone(), cause));
        }
    }

    /// The Node is ready or gone.
    pub fn release(&mut self, node: &Text) {
        for zone in self.zones.values_mut() {
            if zone.queued.remove(node) {
                zone.waiting.retain(|(waiting, _)| waiting != node);
            }
        }
        self.places.remove(node);
    }

    /// The next Node that a limiter lets through.
    pub fn next(&mut self, now: SimTime) -> Option<(Text, Option<EntryId>)> {
        self.zones.values_mut().find_map(|zone| {
            if zone.waiting.is_empty() || !zone.limiter.as_mut()?.try_take(now) {
                return None;
            }
            zone.waiting.pop_front()
        })
    }

    fn set(&mut self, name: &Text, state: State, interval: Option<Duration>, now: SimTime) {
        let Some(zone) = self.zones.get_mut(name) else { return };
        if zone.state == state {
            return;
        }
        zone.state = state;
        let was_stopped = zone.limiter.is_none();
        zone.limiter = interval.map(|interval| {
            let mut limiter = TokenBucket::new(interval, 1);
            // A limiter that comes in place of one that lets nothing through begins empty.
            if was_stopped {
                limiter.drain(now);
            }
            limiter
        });
    }
}

impl ControllerManager {
    /// After a pass: sets each zone's pace by how much of it is lost.
    pub(super) fn disrupt(&mut self, counts: &Counts, ctx: &mut Ctx<Event>) {
        let states: Vec<(Text, State, usize)> = counts
            .0
            .iter()
            .map(|(zone, (up, down))| (zone.clone(), self.state(*up, *down), up + down))
            .collect();
        let all_full =
            !states.is_empty() && states.iter().all(|(_, state, _)| *state == State::Full);
        let was_full = std::mem::replace(&mut self.node_lifecycle.zones.all_full, all_full);
        match (was_full, all_full) {
            (false, true) => self.enter_master_disruption(ctx),
            (true, false) => self.leave_master_disruption(ctx),
            _ => {}
        }
        for (zone, state, size) in states {
            let interval = self.interval(state, size).filter(|_| !all_full);
            self.node_lifecycle.zones.set(&zone, state, interval, ctx.now());
        }
    }

    fn state(&self, up: usize, down: usize) -> State {
        let share = self.settings.unhealthy_zone_percent;
        match () {
            () if up == 0 && down > 0 => State::Full,
            () if down > 2 && down * 100 >= share * (up + down) => State::Partial,
            () => State::Normal,
        }
    }

    fn interval(&self, state: State, size: usize) -> Option<Duration> {
        match state {
            State::Normal | State::Full => Some(self.settings.eviction_interval),
            State::Partial if size > self.settings.large_zone => {
                Some(self.settings.secondary_eviction_interval)
            }
            State::Partial => None,
        }
    }

    /// Every Node looks lost: more likely it is this process that hears nothing.
    fn enter_master_disruption(&mut self, ctx: &mut Ctx<Event>) {
        ctx.log(
            "Controller detected that all Nodes are not-Ready. Entering master disruption mode",
        );
        let nodes: Vec<_> = self.clients.local.caches.list(Kind::Node).cloned().collect();
        for node in nodes {
            self.remove_no_execute(&node, ctx);
        }
        for zone in self.node_lifecycle.zones.zones.values_mut() {
            zone.limiter = None;
            zone.state = State::Full;
        }
    }

    fn leave_master_disruption(&mut self, ctx: &mut Ctx<Event>) {
        ctx.log("Controller detected that some Nodes are Ready. Exiting master disruption mode");
        let now = ctx.now();
        for health in self.node_lifecycle.known.values_mut() {
            health.probed = now;
        }
    }
}
