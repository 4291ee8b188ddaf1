//! One cluster beside another, year by year: what the things that both have go through is the same in both,
//! so their difference is that of the clusters.

use super::resampled::{interval, mean};
use super::sums::{Availability, Service};
use crate::engine::{Duration, Text};
use std::collections::BTreeSet;

/// For how much longer a service is down in the one cluster than in the other, in microseconds a year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    pub service: Text,
    /// Less than nothing where it is down for less.
    pub longer: i64,
    /// The 95 % interval of that average; nothing where the years that it rests on are too few for one.
    pub interval: Option<[i64; 2]>,
    /// The years in which it was down for less, as long, and for more.
    pub years: [u64; 3],
}

/// Years that differ by less are as long: an outage that both have does not end at the same instant.
pub const AS_LONG: Duration = Duration::from_secs(60);

impl Beside {
    /// Over how many years.
    pub fn played(&self) -> u64 {
        self.years.iter().sum()
    }

    /// Whether no year had any difference.
    pub fn is_same(&self) -> bool {
        self.longer == 0 && self.interval.is_none() && self.years[0] + self.years[2] == 0
    }
}

/// How a cluster does beside the first of several, over the years that both have played; nothing if there
/// are none.
pub fn beside(first: &Availability, other: &Availability) -> Vec<Beside> {
    let years = usize::try_from(first.years.min(other.years)).expect("they are in memory");
    let services = first.services.iter().chain(&other.services).filter(|_| years > 0);
    let names: BTreeSet<&Text> = services.map(|service| &service.name).collect();
    names.into_iter().map(|name| one(name, [first, other], years)).collect()
}

fn one(name: &Text, [first, other]: [&Availability; 2], years: usize) -> Beside {
    let of = |all: &Availability, year: usize| {
        let service: Option<&Service> = all.services.iter().find(|it| it.name == *name);
        service.map_or(0, |service| service.each[year])
    };
    let longer: Vec<i64> = (0..years).map(|year| of(other, year) - of(first, year)).collect();
    let differs = |it: &&i64| it.unsigned_abs() >= AS_LONG.as_micros();
    let different: Vec<i64> = longer.iter().filter(differs).copied().collect();
    let less = different.iter().filter(|it| **it < 0).count() as u64;
    let (same, more) = ((years - different.len()) as u64, different.len() as u64 - less);
    let (service, years) = (name.clone(), [less, same, more]);
    Beside { service, longer: mean(&longer), interval: interval(&longer), years }
}
