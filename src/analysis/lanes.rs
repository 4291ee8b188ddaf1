//! A timeline as lanes: for each thing the states that it is in, one after the other.
//!
//! A state is a word or two, as kubectl or the thing itself would say it. Pods are told by groups,
//! because who looks at a disaster asks how many there are. It knows no picture: lanes are drawn
//! elsewhere.

use super::moment::{Fields, Moment, Thing};
use crate::engine::{SimTime, Text};
use crate::timeline::{Entry, EntryId, Run, Timeline, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The kinds that have lanes, in the order from the datacenter up to the users. Lanes of the kind
/// `Pod` are groups of Pods.
pub const LANES: [&str; 9] =
    ["Host", "VM", "Process", "EtcdMember", "Endpoint", "Node", "Machine", "Pod", "Probe"];

/// The states of one thing, without gaps while it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    pub thing: Thing,
    pub bands: Vec<Band>,
}

/// A state from one instant to another; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    pub from: SimTime,
    pub until: SimTime,
    pub state: String,
    /// The entry with which it began.
    pub entry: EntryId,
}

/// All lanes of a run, in the order of `LANES`, then by cluster and name.
pub fn lanes(run: &Run) -> Vec<Lane> {
    let groups = Groups::of(&run.timeline);
    let mut drawing = Drawing { groups, ..Drawing::default() };
    for entry in run.timeline.entries() {
        drawing.take(&run.timeline, entry);
    }
    let mut lanes: Vec<Lane> = drawing
        .lanes
        .into_iter()
        .map(|(thing, mut lane)| {
            lane.change(run.ended_at, None, EntryId::default());
            Lane { thing, bands: lane.bands }
        })
        .filter(|lane| !lane.bands.is_empty())
        .collect();
    let place = |lane: &Lane| LANES.iter().position(|kind| lane.thing.kind == **kind);
    lanes.sort_by_key(place);
    lanes
}

/// The lane in which an entry would be looked for, if it has one.
pub fn lane_of(groups: &Groups, entry: &Entry) -> Option<Thing> {
    if !LANES.contains(&entry.kind.as_str()) {
        return None;
    }
    let mut thing = Thing::of(entry);
    if thing.kind == "Pod" {
        thing.name = groups.of_pod(&thing.name);
    }
    Some(thing)
}

/// What a thing's state is called; nothing if it has none.
pub fn state(moment: &Moment, thing: &Thing) -> Option<String> {
    let kind = LANES.iter().find(|kind| thing.kind == **kind)?;
    let fields = moment.get(kind, &thing.cluster, &thing.name)?;
    let held = |field: &str| fields.text(field).map(str::to_owned);
    match *kind {
        "Host" => Some(host(fields)),
        "VM" => Some(match fields.text("connectionState") {
            Some("disconnected") => format!("{}, disconnected", fields.text("power")?),
            _ => held("power")?,
        }),
        "Process" => Some(
            match (fields.is_true("running"), fields.is_true("frozen")) {
                (true, true) => "frozen",
                (true, false) if fields.is_false("serving") => match fields.has_served() {
                    true => "ending",
                    false => "starting",
                },
                (true, false) => "running",
                (false, _) => "ended",
            }
            .to_owned(),
        ),
        "EtcdMember" => Some(member(moment, thing, fields)),
        "Endpoint" => held("backends"),
        "Node" => node(fields),
        "Machine" => Some(match fields.text("HealthCheckSucceeded") {
            Some("False") => format!("{}, unhealthy", fields.text("phase")?),
            _ => held("phase")?,
        }),
        "Probe" => held("status"),
        _ => None,
    }
}

fn host(fields: &Fields) -> String {
    let off = fields.text("power").filter(|power| *power == "off");
    off.or(fields.text("connectionState")).unwrap_or("on").to_owned()
}

fn member(moment: &Moment, thing: &Thing, fields: &Fields) -> String {
    if !moment.runs(&thing.cluster, "etcd", &thing.name) {
        return "down".to_owned();
    }
    let role = fields.text("role").unwrap_or("Follower");
    match fields.text("leader") {
        Some(_) => role.to_owned(),
        None => format!("{role}, no leader"),
    }
}

/// As kubectl says it, but that `Unknown` and `False` are told apart.
fn node(fields: &Fields) -> Option<String> {
    let ready = match fields.text("Ready")? {
        "True" => "Ready",
        "Unknown" => "Unknown",
        _ => "NotReady",
    };
    let cordoned = if fields.is_true("unschedulable") { ",SchedulingDisabled" } else { "" };
    Some(format!("{ready}{cordoned}"))
}

/// Which Pods belong together: those of one workload, or the same static Pod of several Nodes.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    replica_sets: BTreeSet<Text>,
    vms: BTreeSet<Text>,
}

impl Groups {
    /// The groups of a timeline, which are told apart by the names in it.
    pub fn of(timeline: &Timeline) -> Groups {
        let names = |kind: &'static str| {
            let entries = timeline.entries().iter().filter(move |entry| entry.kind == kind);
            entries.map(|entry| entry.name.clone()).collect()
        };
        Groups { replica_sets: names("ReplicaSet"), vms: names("VM") }
    }

    /// The group of a Pod of this name.
    pub fn of_pod(&self, pod: &str) -> Text {
        // `kube-apiserver-control-plane-0`: the Node's name may have dashes of its own.
        let static_pod =
            pod.match_indices('-').find(|(dash, _)| self.vms.contains(&pod[dash + 1..]));
        if let Some((dash, _)) = static_pod {
            return Text::from(&pod[..dash]);
        }
        let owner = pod.rsplit_once('-').map_or(pod, |(owner, _)| owner);
        let workload = match self.replica_sets.contains(owner) {
            true => owner.rsplit_once('-').map_or(owner, |(workload, _)| workload),
            false => owner,
        };
        Text::from(workload)
    }
}

/// Lanes in the making.
#[derive(Default)]
struct Drawing {
    moment: Moment,
    groups: Groups,
    pods: BTreeMap<Thing, Group>,
    lanes: BTreeMap<Thing, Open>,
}

/// The Pods of a group, and whether each is Ready.
#[derive(Default)]
struct Group {
    pods: BTreeMap<Text, bool>,
    ready: usize,
}

/// A lane up to now, and the state that lasts.
#[derive(Default)]
struct Open {
    bands: Vec<Band>,
    state: Option<(String, SimTime, EntryId)>,
}

impl Drawing {
    fn take(&mut self, timeline: &Timeline, entry: &Entry) {
        self.moment.apply(timeline, entry);
        let Some(thing) = lane_of(&self.groups, entry) else { return };
        if matches!(entry.field.as_str(), "log" | "event") {
            return;
        }
        if thing.kind == "Pod" {
            return self.pod(thing, entry);
        }
        if let ("Endpoint", Value::Text(before)) = (thing.kind.as_str(), &entry.from) {
            // Where an endpoint leads at first is told when it changes.
            let lane = self.lanes.entry(thing.clone()).or_default();
            if lane.bands.is_empty() && lane.state.is_none() {
                lane.change(SimTime::ZERO, Some(before.to_string()), entry.id);
            }
        }
        if let Some(vm) = entry.name.strip_prefix("etcd@") {
            let (kind, cluster) = (Text::word("EtcdMember"), entry.cluster.clone());
            self.look(Thing { kind, cluster, name: Text::from(vm) }, entry);
        }
        self.look(thing, entry);
    }

    fn look(&mut self, thing: Thing, entry: &Entry) {
        let state = state(&self.moment, &thing);
        self.lanes.entry(thing).or_default().change(entry.at, state, entry.id);
    }

    fn pod(&mut self, lane: Thing, entry: &Entry) {
        let group = self.pods.entry(lane.clone()).or_default();
        let ready = match entry.field.as_str() {
            "exists" if entry.to == Value::Null => None,
            "exists" => Some(false),
            "Ready" => Some(entry.to.as_text() == Some("True")),
            _ => return,
        };
        let before = match ready {
            Some(ready) => group.pods.insert(entry.name.clone(), ready),
            None => group.pods.remove(&entry.name),
        };
        group.ready -= usize::from(before == Some(true));
        group.ready += usize::from(ready == Some(true));
        let all = group.pods.len();
        let state = (all > 0).then(|| format!("{}/{all} ready", group.ready));
        self.lanes.entry(lane).or_default().change(entry.at, state, entry.id);
    }
}

impl Open {
    /// From now on it is in another state, or in none.
    fn change(&mut self, at: SimTime, state: Option<String>, entry: EntryId) {
        if let Some((before, ..)) = &self.state
            && state.as_ref() == Some(before)
        {
            return;
        }
        let before = self.state.take();
        // What is over in the instant in which it began nobody has seen.
        if let Some((state, from, entry)) = before.filter(|(_, from, _)| *from < at) {
            self.bands.push(Band { from, until: at, state, entry });
        }
        self.state = state.map(|state| (state, at, entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_grouped_by_what_made_them() {
        let groups = Groups {
            replica_sets: [Text::word("web-6d4b75cb6d")].into(),
            vms: [Text::word("control-plane-0")].into(),
        };
        for (pod, group) in [
            ("web-6d4b75cb6d-2rzk5", "web"),
            ("kube-apiserver-control-plane-0", "kube-apiserver"),
            ("db-0", "db"),
            ("alone", "alone"),
        ] {
            assert_eq!(groups.of_pod(pod), group, "{pod}");
        }
    }

    #[test]
    fn what_is_over_at_once_leaves_no_band_and_a_state_that_stays_goes_on() {
        let at = |seconds: u64| SimTime::from_micros(seconds * 1_000_000);
        let mut lane = Open::default();
        for (number, (seconds, state)) in
            (1..).zip([(0, "a"), (5, "b"), (5, "c"), (9, "c"), (12, "d")])
        {
            lane.change(at(seconds), Some(state.to_owned()), EntryId(number));
        }
        lane.change(at(20), None, EntryId(9));
        let bands: Vec<(&str, u64, u32)> = lane
            .bands
            .iter()
            .map(|band| (band.state.as_str(), band.until.as_micros() / 1_000_000, band.entry.0))
            .collect();
        assert_eq!(bands, [("a", 5, 1), ("c", 12, 3), ("d", 20, 5)]);
    }
}
