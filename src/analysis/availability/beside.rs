//! One cluster beside another, year by year: what the things that both have go through is the same in both,
//! so their difference is that of the clusters.

use super::resampled::{interval, mean};
use super::sums::{Availability, Service};
use crate::engine::Text;
use std::collections::BTreeSet;

/// For how much longer a service is down in the one cluster than in the other, in microseconds a year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    pub service: Text,
    /// Less than nothing where it is down for less.
    pub longer: i64,
    /// The 95 % interval of that average; nothing where the years that it rests on are too few for one.
    pub interval: Option<[i64; 2]>,
    /// The years in which it was down for less, equally long, and for more.
    pub years: [u64; 3],
}

/// How a cluster does beside the first of several, over the years that both have played.
pub fn beside(first: &Availability, other: &Availability) -> Vec<Beside> {
    let years = usize::try_from(first.years.min(other.years)).expect("they are in memory");
    let services = first.services.iter().chain(&other.services);
    let names: BTreeSet<&Text> = services.map(|service| &service.name).collect();
    let one = |name: &Text| {
        let of = |all: &Availability, year: usize| {
            let service: Option<&Service> = all.services.iter().find(|it| it.name == *name);
            service.map_or(0, |service| service.each[year])
        };
        let longer: Vec<i64> = (0..years).map(|year| of(other, year) - of(first, year)).collect();
        let count = |is_it: fn(i64) -> bool| longer.iter().filter(|it| is_it(**it)).count() as u64;
        Beside {
            service: name.clone(),
            longer: mean(&longer),
            interval: interval(&longer),
            years: [count(|it| it < 0), count(|it| it == 0), count(|it| it > 0)],
        }
    };
    names.into_iter().map(one).collect()
}
