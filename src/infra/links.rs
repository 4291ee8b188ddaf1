//! Links between VMs: which are cut, which lose packets, which are slow.
//!
//! Whatever a link does to packets, it says nothing. What the ends of a connection make of that is
//! [`Transport`](super::Transport)'s matter.

use super::VmId;
use crate::engine::{Duration, Text, index_below};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with which ways; all others carry at once.
#[derive(Clone, Debug, Default)]
pub struct Links {
    cut: BTreeSet<Ends>,
    /// How much longer a packet takes.
    slow: BTreeMap<Ends, Duration>,
    lossy: BTreeMap<Ends, Loss>,
    /// The zones that are cut off from all others, and from what is in none.
    zones: BTreeSet<Text>,
}

/// From this VM to that one; nobody named is everybody else.
type Ends = (Option<VmId>, Option<VmId>);

/// One way between VMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the first to the second.
    Between(VmId, VmId),
    /// From a VM to all others.
    From(VmId),
    /// From all others to a VM.
    To(VmId),
}

/// The share of packets that is lost, in hundredths of a percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss(pub u16);

/// How much longer packets take than the network does, each way of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    pub there: Duration,
    pub back: Duration,
}

impl Way {
    const fn ends(self) -> Ends {
        match self {
            Way::Between(from, to) => (Some(from), Some(to)),
            Way::From(vm) => (Some(vm), None),
            Way::To(vm) => (None, Some(vm)),
        }
    }
}

impl Loss {
    /// Every packet: that is a cut.
    pub const EVERY: u16 = 10_000;

    /// True if the packet that drew this is lost.
    pub fn takes(self, draw: u64) -> bool {
        index_below(u64::from(Loss::EVERY), draw) < u64::from(self.0)
    }

    /// What is lost on two ways of which one follows the other.
    fn and(self, then: Loss) -> Loss {
        let all = u32::from(Loss::EVERY);
        let pass = (all - u32::from(self.0)) * (all - u32::from(then.0)) / all;
        Loss(u16::try_from(all - pass).expect("no more than all"))
    }
}

impl Lag {
    /// For a packet and its answer.
    pub fn round_trip(self) -> Duration {
        self.there + self.back
    }
}

impl Links {
    /// Cuts a way; false if it was cut already.
    pub fn cut(&mut self, way: Way) -> bool {
        self.cut.insert(way.ends())
    }

    /// Has packets on a way take so much longer than the network does.
    pub fn slow(&mut self, way: Way, delay: Duration) {
        self.slow.insert(way.ends(), delay);
    }

    /// Has a share of the packets on a way get lost.
    pub fn lose(&mut self, way: Way, loss: Loss) {
        self.lossy.insert(way.ends(), loss);
    }

    /// Takes back what was done to a way in the same words.
    pub fn heal(&mut self, way: Way) {
        let ends = way.ends();
        self.cut.remove(&ends);
        self.slow.remove(&ends);
        self.lossy.remove(&ends);
    }

    /// Cuts a zone off, or has it back.
    pub fn cut_zone(&mut self, zone: &Text, is_cut: bool) {
        match is_cut {
            true => self.zones.insert(zone.clone()),
            false => self.zones.remove(zone),
        };
    }

    /// True if the zone was cut off.
    pub fn has_cut_zone(&self, zone: &str) -> bool {
        self.zones.contains(zone)
    }

    /// True if packets get from a zone to another; nowhere is in no zone.
    pub fn joins(&self, from: Option<&Text>, to: Option<&Text>) -> bool {
        from == to || !from.into_iter().chain(to).any(|zone| self.zones.contains(zone))
    }

    /// True if the way was cut in these words.
    pub fn has_cut(&self, way: Way) -> bool {
        self.cut.contains(&way.ends())
    }

    /// How much slower the way was made in these words.
    pub fn slowed(&self, way: Way) -> Option<Duration> {
        self.slow.get(&way.ends()).copied()
    }

    /// How much the way was made to lose in these words.
    pub fn loss_of(&self, way: Way) -> Option<Loss> {
        self.lossy.get(&way.ends()).copied()
    }

    /// True if anything was done to the way in these words.
    pub fn is_hurt(&self, way: Way) -> bool {
        self.has_cut(way) || self.slowed(way).is_some() || self.loss_of(way).is_some()
    }

    /// True if nothing is wrong anywhere.
    pub fn are_whole(&self) -> bool {
        self.cut.is_empty()
            && self.slow.is_empty()
            && self.lossy.is_empty()
            && self.zones.is_empty()
    }

    /// True if some link loses packets: what comes over it may be late by minutes.
    pub fn lose_packets(&self) -> bool {
        !self.lossy.is_empty()
    }

    /// True if a packet gets from one VM to another, unless it is lost. Within a VM it always does.
    pub fn carries(&self, from: VmId, to: VmId) -> bool {
        from == to
            || self.cut.is_empty()
            || !all_words(from, to).iter().any(|ends| self.cut.contains(ends))
    }

    /// How much longer a packet takes from one VM to another.
    pub fn delay(&self, from: VmId, to: VmId) -> Duration {
        if from == to || self.slow.is_empty() {
            return Duration::ZERO;
        }
        let found = all_words(from, to).into_iter().filter_map(|ends| self.slow.get(&ends));
        found.fold(Duration::ZERO, |sum, delay| sum + *delay)
    }

    /// The share of the packets from one VM to another that is lost, where not all are.
    pub fn loss(&self, from: VmId, to: VmId) -> Loss {
        if from == to || self.lossy.is_empty() {
            return Loss::default();
        }
        let found = all_words(from, to).into_iter().filter_map(|ends| self.lossy.get(&ends));
        found.fold(Loss::default(), |sum, loss| sum.and(*loss))
    }

    /// Forgets a VM that is gone.
    pub fn forget(&mut self, vm: VmId) {
        let stays = |(from, to): &Ends| *from != Some(vm) && *to != Some(vm);
        self.cut.retain(stays);
        self.slow.retain(|ends, _| stays(ends));
        self.lossy.retain(|ends, _| stays(ends));
    }
}

/// All words in which something may have been done to the way from one VM to another.
fn all_words(from: VmId, to: VmId) -> [Ends; 3] {
    [(Some(from), Some(to)), (Some(from), None), (None, Some(to))]
}
