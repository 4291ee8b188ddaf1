//! Zones: how fast Nodes get their `NoExecute` taint depends on how many of a zone are lost.
//!
//! Follows `ComputeZoneState`, `handleDisruption` and the rate-limited queue of the node lifecycle
//! controller.

#[cfg(test)]
mod tests;

use super::super::{ControllerManager, Event, Settings};
use crate::api::kinds::label;
use crate::api::{Kind, Labels};
use crate::client::TokenBucket;
use crate::engine::{Duration, SimTime, Text};
use crate::infra::Ctx;
use crate::timeline::Cause;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// All zones.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    zones: BTreeMap<Text, Zone>,
    /// The zone of each Node that is not ready, and the entry that says so.
    places: BTreeMap<Text, (Text, Cause)>,
}

#[derive(Clone, Debug)]
struct Zone {
    state: State,
    /// Between two taints; none at all if there is none.
    interval: Option<Duration>,
    limiter: TokenBucket,
    waiting: VecDeque<(Text, Cause)>,
    /// Waiting, or served: not queued again while it has its taint.
    queued: BTreeSet<Text>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No pass has judged it yet.
    Initial,
    Normal,
    Partial,
    Full,
}

/// How many Nodes of each zone are ready, and how many are not.
#[derive(Clone, Debug, Default)]
pub struct Counts(BTreeMap<Text, (usize, usize)>);

/// The zone that a Node's labels put it in: region and zone together. Without labels all Nodes are
/// in one zone, the control plane's among them.
pub fn zone_of(labels: &Labels) -> Text {
    let label = |key: &str| labels.get(key).map_or("", Text::as_str);
    match (label(label::REGION), label(label::ZONE)) {
        ("", "") => Text::EMPTY,
        (region, zone) => Text::from(format!("{region}/{zone}")),
    }
}

/// True for a Node that does not count when the state of its zone is judged.
pub fn is_excluded(labels: &Labels) -> bool {
    labels.contains_key("node.kubernetes.io/exclude-disruption")
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
            state: State::Initial,
            interval: Some(settings.eviction_interval),
            limiter: TokenBucket::new(settings.eviction_interval, 1),
            waiting: VecDeque::new(),
            queued: BTreeSet::new(),
        });
    }

    /// Notes in which zone a Node is that is not ready: the one that its labels say now.
    pub fn place(&mut self, node: &Text, zone: &Text) {
        let (known, _) =
            self.places.entry(node.clone()).or_insert_with(|| (zone.clone(), Cause::NONE));
        if known != zone {
            known.clone_from(zone);
        }
    }

    /// Notes which entry says that a Node is not ready.
    pub fn note_cause(&mut self, node: &Text, cause: Cause) {
        if let Some((_, known)) = self.places.get_mut(node) {
            *known = cause;
        }
    }

    /// Queues a Node for its taint. One without it goes to the end: it waits already, or was served and
    /// lost it, or its write failed. One that still has it is queued only if it was not before.
    pub fn queue(&mut self, node: &Text, is_tainted: bool, by: Cause) {
        let (zone, cause) = self.places.get(node).cloned().unwrap_or_default();
        let Some(zone) = self.zones.get_mut(&zone) else { return };
        let mut entry = (node.clone(), Cause { step: by.step, ..cause });
        if !is_tainted && zone.queued.remove(node) {
            let waits = zone.waiting.iter().position(|(waiting, _)| waiting == node);
            entry = waits.and_then(|place| zone.waiting.remove(place)).unwrap_or(entry);
        }
        if zone.queued.insert(node.clone()) {
            zone.waiting.push_back(entry);
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

    /// True if some Node waits for its taint.
    pub fn have_waiting(&self) -> bool {
        self.zones.values().any(|zone| !zone.waiting.is_empty())
    }

    /// The next Node that a limiter lets through.
    pub fn next(&mut self, now: SimTime) -> Option<(Text, Cause)> {
        self.zones.values_mut().find_map(|zone| {
            let may =
                !zone.waiting.is_empty() && zone.interval.is_some() && zone.limiter.try_take(now);
            if may { zone.waiting.pop_front() } else { None }
        })
    }

    /// Gives a zone another pace. A limiter that comes in place of one without a token, or of one
    /// that lets nothing through, begins without a token too.
    fn swap_limiter(&mut self, name: &Text, interval: Option<Duration>, now: SimTime) {
        let Some(zone) = self.zones.get_mut(name).filter(|zone| zone.interval != interval) else {
            return;
        };
        let had_token = zone.interval.is_some() && zone.limiter.try_take(now);
        zone.interval = interval;
        if let Some(interval) = interval {
            zone.limiter = TokenBucket::new(interval, 1);
            if !had_token {
                zone.limiter.drain(now);
            }
        }
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
        let all_full = states.iter().all(|(_, state, _)| *state == State::Full);
        let zones = &mut self.node_lifecycle.zones.zones;
        for (_, zone) in zones.iter_mut().filter(|(name, _)| !counts.0.contains_key(*name)) {
            zone.state = State::Initial; // All its Nodes are gone, or do not count.
        }
        let judged = zones.iter().filter(|(name, _)| counts.0.contains_key(*name));
        let was_full = judged.into_iter().all(|(_, zone)| zone.state == State::Full);
        match (was_full, all_full) {
            (true, true) => return,
            (false, true) => return self.enter_master_disruption(ctx),
            (true, false) => self.leave_master_disruption(ctx),
            (false, false) => {}
        }
        for (name, state, size) in states {
            let Some(zone) = self.node_lifecycle.zones.zones.get_mut(&name) else { continue };
            let before = std::mem::replace(&mut zone.state, state);
            if before != state || was_full {
                if !was_full && before != State::Initial {
                    ctx.log(new_state(&name, state));
                }
                let interval = self.interval(state, size);
                self.node_lifecycle.zones.swap_limiter(&name, interval, ctx.now());
            }
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
            State::Initial | State::Normal | State::Full => Some(self.settings.eviction_interval),
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
        let zones = &mut self.node_lifecycle.zones;
        let names: Vec<Text> = zones.zones.keys().cloned().collect();
        for zone in zones.zones.values_mut() {
            // What waits is taken out, and put in again by the next pass.
            zone.waiting.clear();
            zone.queued.clear();
            zone.state = State::Full;
        }
        for name in names {
            zones.swap_limiter(&name, None, ctx.now());
        }
        for node in nodes {
            self.remove_no_execute_in_pass(&node, ctx);
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

/// The controller's log line for a zone whose state has changed.
fn new_state(zone: &Text, state: State) -> String {
    let state = match state {
        State::Initial => "Initial",
        State::Normal => "Normal",
        State::Partial => "PartialDisruption",
        State::Full => "FullDisruption",
    };
    format!(
        "\"Controller detected that zone is now in new state\" zone=\"{zone}\" newState=\"{state}\""
    )
}
