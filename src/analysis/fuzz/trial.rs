//! One run of a campaign: its faults, then patience, then an operator who mends everything that can
//! be mended, then patience again. All laws watch.

use super::draw::LONG;
use super::failure::caught;
use super::gap::Gap;
use super::phase::{self, Pair};
use super::schedule::{Moment, Schedule, Strike};
use crate::analysis::invariants::{BOUND, Laws, Violation};
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::{Mistakes, Observer, Simulation, moves};
use crate::timeline::Entry;

/// What came of a schedule.
#[derive(Clone, Debug)]
pub struct Trial {
    pub outcome: Outcome,
    /// What it was stuck on before the operator came.
    pub gap: Option<Gap>,
    /// What not even the operator could mend.
    pub left: Option<Gap>,
    /// The first violation of each law, in the order in which they came.
    pub violations: Vec<Violation>,
    /// The `sometimes` that it reached.
    pub reached: Vec<&'static str>,
    /// Which kinds of faults struck in which phases of healing.
    pub pairs: Vec<Pair>,
    /// Faults that found their target.
    pub struck: u64,
    pub events: u64,
    pub ended_at: SimTime,
    /// What the operator did.
    pub repairs: Vec<Strike>,
    /// When faults struck that had waited for something, in the order of the schedule.
    pub found: Vec<(SimTime, Text)>,
}

/// How a run came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Everything wanted was back, without anybody's help.
    Heals,
    /// Nothing changed any more; then an operator mended what was broken, and it healed.
    NeedsRepair,
    /// It was still changing when patience was over.
    Slow,
    /// Nothing changed any more, and mending what was broken did not help.
    Stuck,
    /// A law was broken; the run ended there.
    Violation,
    /// The engine's limit of events was reached.
    Budget,
}

/// Without an entry that changes the cluster for this long, a run is stuck: longer than any time-out
/// of a platform but the start-up time of a Node, which is hours.
const QUIET: Duration = Duration::from_secs(20 * 60);
/// Longer than a recovery may take by the law `recovers-or-says-why`.
const PATIENCE: Duration = Duration::from_secs(62 * 60);

impl Outcome {
    /// All of them, the best first.
    pub const ALL: [Outcome; 6] = [
        Outcome::Heals,
        Outcome::NeedsRepair,
        Outcome::Slow,
        Outcome::Stuck,
        Outcome::Violation,
        Outcome::Budget,
    ];

    /// In a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Outcome::Heals => "heals",
            Outcome::NeedsRepair => "stuck, heals after repairs",
            Outcome::Slow => "still changing",
            Outcome::Stuck => "stuck in spite of repairs",
            Outcome::Violation => "breaks a law",
            Outcome::Budget => "too many events",
        }
    }
}

impl Trial {
    /// Of a run of which nothing is known yet.
    pub(super) fn begun() -> Trial {
        Trial {
            outcome: Outcome::Heals,
            gap: None,
            left: None,
            violations: Vec::new(),
            reached: Vec::new(),
            pairs: Vec::new(),
            struck: 0,
            events: 0,
            ended_at: SimTime::ZERO,
            repairs: Vec::new(),
            found: Vec::new(),
        }
    }
}

/// Plays a schedule.
///
/// # Errors
/// It is no scenario.
pub fn play(schedule: &Schedule) -> Result<Trial, Mistakes> {
    let game = schedule.game(LONG)?;
    let played = caught(|| watch(game.begin(schedule.seed), Laws::new(), Then::Repair).0);
    Ok(played.unwrap_or_else(Trial::failed))
}

/// What happens when a run does not heal by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// An operator mends what can be mended.
    Repair,
    /// Nothing; the run is over.
    Stop,
}

/// Plays on, under laws that have watched so far.
pub fn watch(simulation: Simulation, laws: Laws, then: Then) -> (Trial, Simulation) {
    let mut watched = Watched { moved: simulation.view().now(), seen: 0, simulation, laws };
    let mut trial = Trial::begun();
    let first = watched.play();
    trial.outcome = first.outcome();
    if first.can_be_repaired() {
        trial.gap = Gap::of(&watched.simulation);
    }
    match trial.gap {
        Some(_) if then == Then::Repair => watched.repair(first, trial),
        _ => watched.finish(first, trial),
    }
}

/// A run, and who looks at it.
struct Watched {
    simulation: Simulation,
    laws: Laws,
    /// How many entries were looked at.
    seen: usize,
    /// When the cluster changed last.
    moved: SimTime,
}

/// Why a part of a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Heals,
    Stuck,
    Slow,
    Violation,
    Budget,
}

impl Stop {
    /// How long after its last fault such a run has to have recovered: what nothing has changed for so
    /// long is as it will be.
    fn bound(self) -> Duration {
        if self == Stop::Stuck { QUIET } else { BOUND }
    }

    fn can_be_repaired(self) -> bool {
        matches!(self, Stop::Stuck | Stop::Slow)
    }

    fn outcome(self) -> Outcome {
        match self {
            Stop::Heals => Outcome::Heals,
            Stop::Stuck => Outcome::Stuck,
            Stop::Slow => Outcome::Slow,
            Stop::Violation => Outcome::Violation,
            Stop::Budget => Outcome::Budget,
        }
    }
}

impl Watched {
    /// An operator comes at a whole second after the event that shows that he is needed.
    fn repairs_not_before(&self) -> SimTime {
        let next = self.simulation.next_at();
        next.map_or(SimTime::ZERO, next_second)
    }

    fn play(&mut self) -> Stop {
        self.laws.look(self.simulation.view());
        loop {
            if !self.simulation.step_within(self.repairs_not_before()) {
                // Without an event left nothing can change any more.
                let has_run_away = self.simulation.has_run_away();
                return if has_run_away { Stop::Budget } else { Stop::Stuck };
            }
            self.laws.look(self.simulation.view());
            if self.laws.is_broken() {
                return Stop::Violation;
            }
            self.note_changes();
            let now = self.simulation.view().now();
            if self.simulation.has_faults_left() {
                continue;
            }
            if self.simulation.recovered_at().is_some() {
                return Stop::Heals;
            }
            let fault = self.simulation.last_fault().unwrap_or_default();
            if now > fault.max(self.moved) + QUIET {
                return Stop::Stuck;
            }
            if now > fault + PATIENCE {
                return Stop::Slow;
            }
        }
    }

    /// An operator mends what can be mended, and comes again if something struck after him that had
    /// waited for what he did.
    fn repair(mut self, first: Stop, mut trial: Trial) -> (Trial, Simulation) {
        let mut last = first;
        loop {
            // What stands now has to have its reason now: the repairs take away what would show that.
            if !self.laws.before_repairs(&self.simulation, last.bound()).is_empty() {
                trial.outcome = Outcome::Violation;
                return self.finish(last, trial);
            }
            let at = next_second(self.simulation.view().now());
            let repairs = self.simulation.repair_at(at);
            trial.repairs.extend(repairs.into_iter().map(|repair| Strike::of(repair, at)));
            last = self.play();
            let is_over = self.simulation.last_fault().is_none_or(|fault| fault <= at);
            if is_over || !last.can_be_repaired() {
                break;
            }
        }
        trial.outcome = match (last, first) {
            (Stop::Heals, Stop::Stuck) => Outcome::NeedsRepair,
            (Stop::Heals, _) => Outcome::Slow,
            _ => last.outcome(),
        };
        if last.can_be_repaired() {
            trial.left = Gap::of(&self.simulation);
        }
        self.finish(last, trial)
    }

    fn note_changes(&mut self) {
        let entries = self.simulation.view().timeline().entries();
        let news = &entries[self.seen..];
        if let Some(last) = news.iter().rfind(|entry| moves(entry)) {
            self.moved = last.at;
        }
        self.seen = entries.len();
    }

    fn finish(mut self, stop: Stop, mut trial: Trial) -> (Trial, Simulation) {
        trial.violations = match trial.outcome {
            Outcome::Violation => self.laws.violations(),
            _ => self.laws.end_within(&self.simulation, stop.bound()),
        };
        if !trial.violations.is_empty() {
            trial.outcome = Outcome::Violation;
        }
        trial.reached = self.laws.reached().collect();
        trial.events = self.simulation.played();
        trial.ended_at = self.simulation.view().now();
        let happened = self.simulation.view().timeline().happened();
        let strikes = || happened.iter().filter(|entry| entry.kind == *"Fault");
        trial.struck = strikes().filter(|entry| found_its_target(entry)).count() as u64;
        trial.found = strikes().map(|entry| (entry.at, entry.name.clone())).collect();
        trial.pairs = phase::pairs(happened);
        (trial, self.simulation)
    }
}

/// False if there was no such target (any more).
fn found_its_target(fault: &Entry) -> bool {
    !fault.to.as_text().is_some_and(|to| to.starts_with("nothing"))
}

/// A whole second, so that a scenario can say when, at which no event has been played yet.
pub fn next_second(now: SimTime) -> SimTime {
    SimTime::ZERO + Duration::from_secs(now.since(SimTime::ZERO).as_secs() + 1)
}

impl Moment {
    /// The time, if it has one.
    pub fn time(&self) -> Option<Duration> {
        match self {
            Moment::At(at) => Some(*at),
            Moment::Seen(..) => None,
        }
    }
}
