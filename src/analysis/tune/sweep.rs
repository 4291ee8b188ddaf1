//! One or two settings over a range: how fast each point heals, and what it costs in Machines that
//! are replaced though they would have come back.
//!
//! Months are not played. Each run of the price is one outage whose length is drawn, in a cluster
//! in which nothing else breaks; how many Machines it costs is multiplied by how often outages come.

use super::steps::Vary;
use super::times::{Quantile, Times};
use super::{Build, Played, Question, front, rows};
use crate::analysis::Control;
use crate::analysis::estimate::wilson;
use crate::engine::{Duration, Owner, Purpose, Random};
use crate::scenario::{Game, OutageKind, OutageRate, Quiet};
use crate::timeline::{Run, Value};
use std::collections::BTreeSet;

/// All points of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    pub played: Played,
    /// The keys that vary.
    pub keys: Vec<String>,
    pub points: Vec<Point>,
    /// Those that come at all.
    pub outages: Vec<OutageRate>,
    pub nodes: u64,
}

/// One point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// One value for each key.
    pub values: Vec<String>,
    /// Whether these are the values without the sweep.
    pub is_own: bool,
    pub came: u64,
    pub p50: Quantile,
    pub p95: Quantile,
    /// One for each kind of outage that comes at all.
    pub struck: Vec<Struck>,
    pub price: Price,
    /// Whether it has a p95, and no other point has a p95 and a price that are both as good, and one better.
    pub is_on_front: bool,
}

/// What outages of one kind cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struck {
    pub kind: OutageKind,
    /// Runs, each with one outage.
    pub outages: u64,
    /// Outages that cost a Machine.
    pub costly: u64,
    /// Machines deleted in all of them.
    pub machines: u64,
    /// The most Machines that one outage of this kind can cost.
    pub most: u64,
}

/// Machines replaced needlessly, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Per Node and year, with the ends of its 95 % interval.
    pub per_node_year: u64,
    pub interval: [u64; 2],
    /// Per 1000 outages, of all kinds as often as they come.
    pub per_thousand: u64,
}

/// A point that is to be played.
struct Place {
    values: Vec<String>,
    is_own: bool,
    game: Game,
    quiet: Quiet,
}

/// One run of either kind.
#[derive(Clone, Copy)]
enum Cell {
    Healed(Option<Duration>),
    /// So many Machines were deleted.
    Cost(u64),
}

/// Plays the scenario at each point, and one outage of each kind for each of its runs. The values
/// as they are, if they are no point of the range, are one more.
///
/// # Errors
/// A point cannot be played; the words say why.
pub fn sweep(
    build: Build,
    ranges: &[Vary],
    rates: &[OutageRate],
    question: &Question,
    control: &Control,
) -> Result<Sweep, Vec<String>> {
    let outages: Vec<OutageRate> = rates.iter().filter(|rate| rate.per_year > 0).cloned().collect();
    let keys: Vec<String> = ranges.iter().map(|range| range.key.clone()).collect();
    let places = places(build, ranges)?;
    let wide = 1 + outages.len();
    let play = |row: u64, column: usize| {
        let (place, seed) = (&places[column / wide], question.first_seed + row);
        match (column % wide).checked_sub(1) {
            None => Cell::Healed(question.of.when(&place.game, seed)),
            Some(kind) => Cell::Cost(strike(place, &outages[kind], row, question.first_seed)),
        }
    };
    let found = rows((0..question.runs, question.jobs), places.len() * wide, control, play);
    let nodes = places.first().map_or(0, |place| place.quiet.nodes());
    let column = |place: usize| found.iter().map(move |row| row[place]);
    let point = |(number, place): (usize, &Place)| {
        let times = Times::new(column(number * wide).map(Cell::time).collect());
        let struck = |(kind, rate): (usize, &OutageRate)| {
            let costs = column(number * wide + 1 + kind).map(Cell::cost);
            Struck::of(rate.kind, place.quiet.most(rate.kind), costs)
        };
        let struck: Vec<Struck> = outages.iter().enumerate().map(struck).collect();
        Point {
            values: place.values.clone(),
            is_own: place.is_own,
            came: times.came(),
            p50: times.quantile(50),
            p95: times.quantile(95),
            price: Price::of(&struck, &outages, nodes),
            struck,
            is_on_front: false,
        }
    };
    let mut points: Vec<Point> = places.iter().enumerate().map(point).collect();
    // Of what was not played nobody knows what it costs.
    if found.is_empty() {
        points.clear();
    }
    mark_front(&mut points);
    let played = Played::new(&places[0].game, question, found.len());
    Ok(Sweep { played, keys, points, outages, nodes })
}

/// Who never heals gains nothing, however cheap that is: it is on no front.
fn mark_front(points: &mut [Point]) {
    let both = |point: &Point| Some((point.p95.value?, point.price.per_node_year));
    let on = front(&points.iter().filter_map(both).collect::<Vec<_>>());
    let healing = points.iter_mut().filter(|point| point.p95.value.is_some());
    healing.zip(on).for_each(|(point, on)| point.is_on_front = on);
}

/// Every point of the ranges, the first key's values slowest, and where things are now.
fn places(build: Build, ranges: &[Vary]) -> Result<Vec<Place>, Vec<String>> {
    let mut all: Vec<Vec<String>> = vec![Vec::new()];
    for range in ranges {
        let longer = |values: &Vec<String>| {
            let values = values.clone();
            let more = move |value| values.iter().cloned().chain([value]).collect();
            range.values().into_iter().map(more).collect::<Vec<Vec<String>>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    let base = build(&[])?;
    let at = |values: Vec<String>| {
        let set =
            ranges.iter().zip(&values).map(|(range, value)| (range.key.clone(), value.clone()));
        let game =
            build(&set.collect::<Vec<_>>()).map_err(|wrong| Vary::blame(wrong, ranges, &values))?;
        let is_own = game.fingerprint() == base.fingerprint();
        Ok(Place { values, is_own, quiet: Quiet::of(&game), game })
    };
    let mut places = all.into_iter().map(at).collect::<Result<Vec<Place>, Vec<String>>>()?;
    if places.iter().all(|place| !place.is_own) {
        let own = |range: &Vary| base.setting(&range.key).unwrap_or_default().to_owned();
        let (values, quiet) = (ranges.iter().map(own).collect(), Quiet::of(&base));
        places.push(Place { values, is_own: true, quiet, game: base });
    }
    Ok(places)
}

/// How many Machines one outage costs.
fn strike(place: &Place, rate: &OutageRate, row: u64, first_seed: u64) -> u64 {
    let owner = Owner::named("tune: an outage");
    let draw = |seed: u64, purpose: u16| {
        Random::new(seed).draw(owner, Purpose(2 * rate.kind as u16 + purpose), 0)
    };
    // Lengths of consecutive runs lie evenly between the ends, wherever an interruption comes; the
    // beginning is drawn.
    let length = rate.length_of(row.reverse_bits().wrapping_add(draw(first_seed, 0)));
    let seed = first_seed + row;
    let game = place.quiet.struck(rate.kind, length, draw(seed, 1));
    machines_deleted(&game.play(seed))
}

/// Each of them would have come back: nothing was broken that did not end by itself.
fn machines_deleted(run: &Run) -> u64 {
    let deletions = run.timeline.happened().iter().filter(|entry| {
        let begins = entry.field == *"deletionTimestamp" && entry.to != Value::Null;
        entry.kind == *"Machine" && begins
    });
    deletions.map(|entry| &entry.name).collect::<BTreeSet<_>>().len() as u64
}

impl Cell {
    fn time(self) -> Option<Duration> {
        match self {
            Cell::Healed(time) => time,
            Cell::Cost(_) => None,
        }
    }

    fn cost(self) -> u64 {
        match self {
            Cell::Healed(_) => 0,
            Cell::Cost(machines) => machines,
        }
    }
}

impl Struck {
    fn of(kind: OutageKind, most: u64, costs: impl Iterator<Item = u64>) -> Struck {
        let none = Struck { kind, outages: 0, costly: 0, machines: 0, most };
        costs.fold(none, |sum, machines| Struck {
            outages: sum.outages + 1,
            costly: sum.costly + u64::from(machines > 0),
            machines: sum.machines + machines,
            // A replacement that is taken for lost as well costs more than there were.
            most: sum.most.max(machines),
            ..sum
        })
    }

    /// Machines per outage in millionths, with its 95 % interval.
    ///
    /// A share of the most that one outage can cost spreads at most as widely as one of yes and no
    /// with the same mean, so Wilson's interval of that is wide enough.
    pub fn mean(&self) -> (u64, [u64; 2]) {
        let most = self.most.max(1);
        let mean = self.machines * 1_000_000 / self.outages.max(1);
        let (low, _) = wilson(self.machines / most, self.outages);
        let (_, high) = wilson(self.machines.div_ceil(most), self.outages);
        (mean, [low * most, high * most])
    }
}

impl Price {
    /// What all kinds cost together. The ends of the interval are those of all kinds at once, which
    /// is wider than it need be.
    fn of(struck: &[Struck], rates: &[OutageRate], nodes: u64) -> Price {
        let nodes = u128::from(nodes.max(1));
        // In thousandths a year, of the cluster.
        let rate = |rate: &OutageRate| match rate.kind.is_per_node() {
            true => u128::from(rate.per_year) * nodes,
            false => u128::from(rate.per_year),
        };
        let all: u128 = rates.iter().map(rate).sum();
        let sum = |of: &dyn Fn(&Struck) -> u64| -> u128 {
            struck.iter().zip(rates).map(|(it, kind)| u128::from(of(it)) * rate(kind)).sum()
        };
        let yearly = |millionths: u128| (millionths / (1000 * nodes)) as u64;
        let mean = sum(&|it| it.mean().0);
        let [low, high] = [0, 1].map(|end: usize| sum(&|it| it.mean().1[end]));
        Price {
            per_node_year: yearly(mean),
            // Rounded outward.
            interval: [yearly(low), high.div_ceil(1000 * nodes) as u64],
            per_thousand: (1000 * mean).checked_div(all).unwrap_or_default() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_heals_is_on_no_front_however_cheap() {
        let point = |p95: Option<u64>, per_node_year| Point {
            values: Vec::new(),
            is_own: false,
            came: 0,
            p50: Quantile { value: None, interval: None },
            p95: Quantile { value: p95.map(Duration::from_secs), interval: None },
            struck: Vec::new(),
            price: Price { per_node_year, ..Price::default() },
            is_on_front: false,
        };
        let mut points =
            [point(None, 0), point(Some(600), 7), point(Some(900), 9), point(Some(840), 2)];
        mark_front(&mut points);
        assert_eq!(points.map(|point| point.is_on_front), [false, true, false, true]);
    }
}
