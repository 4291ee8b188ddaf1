//! Long-run availability: years of failures at random times, the cluster's own healing, and people
//! who mend the rest.
//!
//! Nothing happens between failures but heartbeats, so only episodes are played: from a failure until
//! everything is back, with those that strike meanwhile. A year is one sample; its seed is the
//! campaign's first seed plus its number, and years are added up in whole numbers, so any number of
//! threads gives the same bytes.

mod beside;
mod episode;
mod named;
mod resampled;
mod sums;
#[cfg(test)]
mod tests;
mod year;

pub use beside::{AS_LONG, Beside, beside};
pub use episode::{Episode, play as play_episode};
pub use named::{EpisodeId, NotAnEpisode, Told, find};
pub use sums::{Availability, Cause, Outage, Service};
pub use year::{Blow, YEAR, failures_of};

use super::parallel::{Control, fold};
use crate::scenario::{Mistakes, Plant};
use std::sync::Mutex;
use sums::Year;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub plant: Plant,
    pub years: u64,
    pub first_seed: u64,
    pub jobs: usize,
}

/// Plays so many years; fewer if it is stopped.
///
/// # Errors
/// The cluster cannot be: a setting that does not go with another, for example; or a failure cannot
/// strike it.
pub fn availability(asked: &Asked, control: &Control) -> Result<Availability, Mistakes> {
    episode::check(&asked.plant)?;
    let wrong = Mutex::new(None);
    let add = |years: &mut Vec<Year>, seed: u64| match year(&asked.plant, seed) {
        Ok(year) => years.push(year),
        Err(mistakes) => {
            control.stop();
            *wrong.lock().expect("nobody panics with it") = Some(mistakes);
        }
    };
    let seeds = asked.first_seed..asked.first_seed + asked.years;
    let mut years = fold(seeds, asked.jobs, control, Vec::new, add).concat();
    if let Some(mistakes) = wrong.into_inner().expect("nobody panics with it") {
        return Err(mistakes);
    }
    years.sort_unstable_by_key(|year| year.seed);
    Ok(Availability::of(asked, &years))
}

fn year(plant: &Plant, seed: u64) -> Result<Year, Mistakes> {
    let blows = failures_of(plant, seed);
    let (mut year, mut done) = (Year::new(seed), 0);
    while done < blows.len() {
        let episode = play_next(plant, &blows[done..])?;
        year.add(EpisodeId { seed, failure: done as u64 + 1 }, &episode);
        done += episode.failures.len();
    }
    Ok(year)
}

/// The episode that the first of these failures begins. It has its own world, the same where another
/// cluster has the same failure.
fn play_next(plant: &Plant, blows: &[Blow]) -> Result<Episode, Mistakes> {
    play_episode(plant, blows, blows[0].draw)
}
