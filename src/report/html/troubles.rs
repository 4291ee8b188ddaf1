//! What is wrong with links, zones and disks, from when to when.
//!
//! It is told by the entries of faults and of VMs that go, so the page of a trace has it too, and each
//! fork. Both ways of a link are kept apart, as `infra::Links` does: what heals one of them leaves the other.

use crate::engine::Text;
use crate::timeline::{Entry, Value};
use std::collections::BTreeSet;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// One of [`WORDS`].
    pub what: &'static str,
    /// The VM, or the zone.
    pub of: Text,
    /// Where the way of a link leads to.
    pub to: Text,
}

/// All that can be wrong. What a link has comes first.
pub const WORDS: [&str; 7] =
    ["cut", "slow", "lossy", "zone", "slowDisk", "stalledDisk", "fullDisk"];
const OF_LINKS: usize = 3;

/// Stands for all others, where a way leads to or comes from.
const ALL: Text = Text::word("*");

/// A trouble that begins, or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The place among the entries of the entry that tells it.
    pub place: usize,
    pub trouble: Trouble,
    pub begins: bool,
}

/// What comes and goes over these entries.
pub fn changes(entries: &[Entry]) -> Vec<Change> {
    let mut now: BTreeSet<Trouble> = BTreeSet::new();
    let mut changes = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let Effect { ends, begins } = effect(entry, &now);
        let ended = ends.into_iter().filter(|trouble| now.remove(trouble));
        changes.extend(ended.map(|trouble| Change { place, trouble, begins: false }));
        let begun = begins.into_iter().filter(|trouble| now.insert(trouble.clone()));
        changes.extend(begun.map(|trouble| Change { place, trouble, begins: true }));
    }
    changes
}

/// What an entry takes away, and then brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Effect {
    ends: Vec<Trouble>,
    begins: Vec<Trouble>,
}

impl Effect {
    fn begins(begins: Vec<Trouble>) -> Effect {
        Effect { begins, ..Effect::default() }
    }

    fn ends(ends: Vec<Trouble>) -> Effect {
        Effect { ends, ..Effect::default() }
    }
}

fn effect(entry: &Entry, now: &BTreeSet<Trouble>) -> Effect {
    match (entry.kind.as_str(), entry.field.as_str(), &entry.to) {
        ("Fault", "injected", Value::Text(target)) => {
            of_fault(&entry.name, target).unwrap_or_default()
        }
        // A VM of the same name that comes later is another.
        ("VM", "exists", Value::Null) => {
            let has = |trouble: &&Trouble| {
                trouble.what != "zone" && [&trouble.of, &trouble.to].contains(&&entry.name)
            };
            Effect::ends(now.iter().filter(has).cloned().collect())
        }
        _ => Effect::default(),
    }
}

/// What a fault does with what it hits; nothing if it is about something else, or hit nothing.
fn of_fault(fault: &str, target: &str) -> Option<Effect> {
    let of_ways = |whats: &[&'static str]| {
        let on = |what, (of, to)| Trouble { what, of, to };
        let ways = ways(target)?.into_iter();
        Some(ways.flat_map(|way| whats.iter().map(move |what| on(*what, way.clone()))).collect())
    };
    let links = &WORDS[..OF_LINKS];
    let of = |what, kind: &str| {
        let name = target.strip_prefix(kind)?;
        Some(vec![Trouble { what, of: Text::from(name), to: Text::EMPTY }])
    };
    let zone = || of("zone", "Zone/");
    let disk = |what| of(what, "Disk/");
    let effect = match fault {
        "cutLink" | "isolateVm" => Effect::begins(of_ways(&["cut"])?),
        "slowLink" => Effect::begins(of_ways(&["slow"])?),
        "lossyLink" => Effect::begins(of_ways(&["lossy"])?),
        "healLink" | "rejoinVm" => Effect::ends(of_ways(links)?),
        "cutZone" => Effect::begins(zone()?),
        "rejoinZone" => Effect::ends(zone()?),
        "slowDisk" => Effect { ends: disk("stalledDisk")?, begins: disk("slowDisk")? },
        "stallDisk" => Effect { ends: disk("slowDisk")?, begins: disk("stalledDisk")? },
        "healDisk" => Effect::ends([disk("slowDisk")?, disk("stalledDisk")?].concat()),
        "fillDisk" => Effect::begins(disk("fullDisk")?),
        "freeDisk" => Effect::ends(disk("fullDisk")?),
        _ => return None,
    };
    Some(effect)
}

/// The ways that a fault has hit: of a link, or all of a VM.
fn ways(target: &str) -> Option<Vec<(Text, Text)>> {
    if let Some(vm) = target.strip_prefix("VM/").map(Text::from) {
        return Some(vec![(vm.clone(), ALL), (ALL, vm)]);
    }
    let link = target.strip_prefix("Link/")?;
    let both = link.split_once("<->");
    let (from, to) = both.or_else(|| link.split_once("->"))?;
    let there = (Text::from(from), Text::from(to));
    let back = both.map(|_| (there.1.clone(), there.0.clone()));
    Some(std::iter::once(there).chain(back).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fuzz::{Schedule, Shape};
    use crate::engine::{Duration, SimTime};
    use crate::infra::{DiskHealth, Way};
    use crate::world::View;

    #[test]
    fn every_fault_of_a_link_a_zone_or_a_disk_is_known() {
        let about = ["Link", "Disk", "isolate", "rejoin", "cutZone"];
        let kinds = crate::scenario::KINDS.iter().map(|(name, _)| *name);
        let mut known = 0;
        for kind in kinds.filter(|kind| about.iter().any(|part| kind.contains(part))) {
            let targets = ["Link/a<->b", "VM/a", "Zone/zone-0", "Disk/a"];
            let found = targets.iter().find_map(|target| of_fault(kind, target));
            assert!(found.is_some_and(|it| it != Effect::default()), "{kind} is not shown");
            known += 1;
        }
        assert_eq!(known, 13);
        assert_eq!(of_fault("cutLink", "nothing: no such target"), None);
    }

    const LINK: &str = "{ from: worker-0, to: control-plane-0";
    const DISK: &str = "{ vm: control-plane-0";

    /// Cut, hurt, healed, and a VM that goes while its links are cut.
    fn faults() -> Vec<String> {
        let written = [
            format!("cutLink: {LINK}, oneWay: true }}"),
            format!("cutLink: {LINK} }}"),
            format!("healLink: {LINK}, oneWay: true }}"),
            format!("slowLink: {LINK}, delay: 200ms }}"),
            format!("healLink: {LINK} }}"),
            "isolateVm: { vm: worker-1 }".to_owned(),
            "lossyLink: { from: worker-1, loss: 30% }".to_owned(),
            "rejoinVm: { vm: worker-1 }".to_owned(),
            format!("stallDisk: {DISK} }}"),
            format!("slowDisk: {DISK}, flush: 100ms }}"),
            format!("fillDisk: {DISK} }}"),
            format!("healDisk: {DISK} }}"),
            format!("freeDisk: {DISK} }}"),
            "cutZone: { zone: zone-1 }".to_owned(),
            format!("lossyLink: {LINK}, loss: 10% }}"),
            format!("cutLink: {LINK} }}"),
            "deleteVm: { vm: worker-0 }".to_owned(),
            "rejoinZone: { zone: zone-1 }".to_owned(),
        ];
        written.into()
    }

    /// All troubles there are in truth.
    fn there(view: View) -> BTreeSet<Trouble> {
        let mut found = BTreeSet::new();
        let mut add = |what, of: &Text, to: &Text, is_so| {
            let trouble = Trouble { what, of: of.clone(), to: to.clone() };
            found.extend(Some(trouble).filter(|_| is_so));
        };
        for zone in view.zones() {
            add("zone", &zone, &Text::EMPTY, view.links().has_cut_zone(&zone));
        }
        let vms = || view.vms().filter_map(|vm| Some((vm, view.vm_id(&vm.name)?)));
        for (vm, id) in vms() {
            let others = vms().map(|(other, its)| (Way::Between(id, its), &vm.name, &other.name));
            let all = [(Way::From(id), &vm.name, &ALL), (Way::To(id), &ALL, &vm.name)];
            for (way, of, to) in others.chain(all) {
                add("cut", of, to, view.links().has_cut(way));
                add("slow", of, to, view.links().slowed(way).is_some());
                add("lossy", of, to, view.links().loss_of(way).is_some());
            }
            let is_slow = matches!(vm.disk.health, DiskHealth::Slow(_));
            add("slowDisk", &vm.name, &Text::EMPTY, is_slow);
            add("stalledDisk", &vm.name, &Text::EMPTY, vm.disk.health == DiskHealth::Stalled);
            add("fullDisk", &vm.name, &Text::EMPTY, vm.disk.is_full);
        }
        found
    }

    #[test]
    fn at_any_instant_the_page_has_what_is_wrong_in_truth() {
        let shape = Shape { zones: 3, ..Shape::new(1, 2) };
        let begun = Schedule::on("tkgs-2024", shape);
        let all = (1..).zip(faults());
        let schedule = all.fold(begun, |schedule, (second, fault)| {
            schedule.at(Duration::from_secs(second), &fault)
        });
        let game = schedule.game(Duration::from_secs(30)).expect("a schedule that can be played");
        let mut simulation = game.begin(1);
        let mut seen = BTreeSet::new();
        for second in 0..30 {
            simulation.run_until(SimTime::ZERO + Duration::from_secs(second));
            let truth = there(simulation.view());
            let told = simulation.view().timeline().entries();
            let told = changes(told).into_iter().fold(BTreeSet::new(), |mut now, change| {
                let fits = match change.begins {
                    true => now.insert(change.trouble),
                    false => now.remove(&change.trouble),
                };
                assert!(fits, "what begins was not there, and what ends was");
                now
            });
            assert_eq!(told, truth, "after {second} s");
            seen.extend(truth.iter().map(|trouble| trouble.what));
        }
        assert_eq!(seen.len(), WORDS.len(), "{seen:?}");
        assert!(there(simulation.view()).is_empty());
    }
}
