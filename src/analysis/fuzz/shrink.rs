//! From a schedule that shows something to the simplest that still shows it: the fewest faults, the
//! smallest cluster, the platform's own settings, the earliest and roundest times.
//!
//! Each step is kept if the run that it gives still shows the same. All draws of a run have their
//! addresses, so what is taken away leaves the rest mostly as it was.

use super::draw::{BEGINS, LONG};
use super::failure::caught;
use super::finding::Shown;
use super::schedule::{Moment, Schedule, Strike};
use super::trial::{Trial, watch};
use crate::analysis::invariants::Laws;
use crate::analysis::parallel::Control;
use crate::engine::{Duration, SimTime};

/// What is left of a schedule.
#[derive(Clone, Debug)]
pub struct Shrunk {
    pub schedule: Schedule,
    pub trial: Trial,
    /// How many runs it took.
    pub runs: u64,
}

/// More runs than this for one finding are not worth it.
const MOST_RUNS: u64 = 600;

/// Reduces a schedule; nothing if it does not show this at all. Stopped, it has what it has.
pub fn shrink(schedule: &Schedule, shown: &Shown, control: &Control) -> Option<Shrunk> {
    let trial = shows(schedule, shown)?;
    let best = Shrunk { schedule: schedule.clone(), trial, runs: 1 };
    let mut search = Search { best, shown, control };
    // What one pass leaves may let another go further.
    loop {
        let before = search.best.schedule.clone();
        search.fewer_strikes();
        search.smaller_cluster();
        search.own_settings();
        search.plain_times();
        search.plain_strikes();
        if search.best.schedule == before || search.is_over() {
            break;
        }
    }
    search.plain_seed();
    Some(search.best)
}

/// The run, if it shows this.
fn shows(schedule: &Schedule, shown: &Shown) -> Option<Trial> {
    let game = schedule.game(LONG).ok()?;
    let played = caught(|| watch(game.begin(schedule.seed), Laws::new(), shown.then()).0);
    let trial = played.unwrap_or_else(Trial::failed);
    shown.is_in(&trial).then_some(trial)
}

struct Search<'a> {
    best: Shrunk,
    shown: &'a Shown,
    control: &'a Control,
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        self.best.runs >= MOST_RUNS || self.control.is_stopped()
    }

    /// Keeps a simpler schedule if it shows the same.
    fn try_out(&mut self, simpler: impl FnOnce(&mut Schedule)) -> bool {
        let mut schedule = self.best.schedule.clone();
        simpler(&mut schedule);
        let is_new = schedule != self.best.schedule;
        if self.is_over() || !is_new || !has_a_beginning(&schedule.strikes) {
            return false;
        }
        if self.takes_the_room(&schedule) {
            return false;
        }
        self.best.runs += 1;
        match shows(&schedule, self.shown) {
            Some(trial) => {
                let runs = self.best.runs;
                self.best = Shrunk { schedule, trial, runs };
                true
            }
            None => false,
        }
    }

    /// A cluster without Nodes enough for its Pods is never well, so whatever anybody mends in what is
    /// stuck, it would not be seen to recover. A broken law stays one all the same.
    fn takes_the_room(&self, simpler: &Schedule) -> bool {
        let has_room = |schedule: &Schedule| schedule.game(LONG).is_ok_and(|game| game.has_room());
        let is_stuck = matches!(self.shown, Shown::Gap(_));
        is_stuck && !has_room(simpler) && has_room(&self.best.schedule)
    }

    /// Halves first, then quarters, at last one by one, the later ones first.
    fn fewer_strikes(&mut self) {
        let mut size = self.best.schedule.strikes.len().div_ceil(2);
        while size > 0 && !self.is_over() {
            let mut end = self.best.schedule.strikes.len();
            while end > 0 {
                let begin = end.saturating_sub(size);
                self.try_out(|schedule| drop(schedule.strikes.drain(begin..end)));
                end = begin;
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }

    fn smaller_cluster(&mut self) {
        let shape = self.best.schedule.shape;
        for control_planes in [1, 3].into_iter().filter(|count| *count < shape.control_planes) {
            if self.try_out(|schedule| schedule.shape.control_planes = control_planes) {
                break;
            }
        }
        for workers in 1..shape.workers {
            if self.try_out(|schedule| schedule.shape.workers = workers) {
                break;
            }
        }
        self.try_out(|schedule| schedule.shape.zones = 0);
        self.try_out(|schedule| schedule.shape.hosts = 0);
    }

    fn own_settings(&mut self) {
        self.try_out(|schedule| schedule.settings.clear());
        self.try_out(|schedule| schedule.workloads.clear());
        self.try_out(|schedule| schedule.probes.clear());
        for place in (0..self.best.schedule.settings.len()).rev() {
            self.try_out(|schedule| drop(schedule.settings.remove(place)));
        }
        for place in (0..self.best.schedule.workloads.len()).rev() {
            self.try_out(|schedule| drop(schedule.workloads.remove(place)));
        }
    }

    /// A time in the place of something awaited; with the fault before it, or after whole minutes or
    /// seconds.
    fn plain_times(&mut self) {
        for place in 0..self.best.schedule.strikes.len() {
            let strikes = &self.best.schedule.strikes;
            let before = place.checked_sub(1).and_then(|before| strikes[before].moment.time());
            let earliest = before.unwrap_or(BEGINS);
            let times: Vec<Duration> = match strikes[place].moment.time() {
                Some(at) => [earliest, rounded(at, 60), rounded(at, 10), rounded(at, 1)]
                    .into_iter()
                    .filter(|time| *time < at && *time >= BEGINS)
                    .collect(),
                None => self.struck_at(place).into_iter().collect(),
            };
            for at in times {
                if self
                    .try_out(|schedule| schedule.strikes[place] = schedule.strikes[place].timed(at))
                {
                    break;
                }
            }
        }
    }

    /// When a fault struck that had waited for something.
    fn struck_at(&self, place: usize) -> Option<Duration> {
        let strikes = &self.best.schedule.strikes;
        let kind = strikes[place].kind();
        let is_one = |strike: &&Strike| strike.kind() == kind;
        let alike = strikes[..place].iter().filter(is_one).count();
        let mut found = self.best.trial.found.iter().filter(|(_, name)| *name == *kind);
        found.nth(alike).map(|(at, _)| at.since(SimTime::ZERO))
    }

    fn plain_strikes(&mut self) {
        for place in 0..self.best.schedule.strikes.len() {
            for (part, plain) in [(", oneWay: true", ""), (", signal: SIGTERM", "")] {
                self.try_out(|schedule| {
                    let words = &mut schedule.strikes[place].words;
                    *words = words.replace(part, plain);
                });
            }
        }
    }

    /// The seed that everybody takes: then it is no matter of chance.
    fn plain_seed(&mut self) {
        self.try_out(|schedule| schedule.seed = 1);
    }
}

/// Without a fault that has its time a scenario does not begin.
fn has_a_beginning(strikes: &[Strike]) -> bool {
    strikes.is_empty() || strikes.iter().any(|strike| matches!(strike.moment, Moment::At(_)))
}

/// Down to a multiple of so many seconds.
fn rounded(at: Duration, seconds: u64) -> Duration {
    Duration::from_secs(at.as_secs() / seconds * seconds)
}
