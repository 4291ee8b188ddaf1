//! Assertions for tests: a schedule is played under laws, and what breaks one is told with the
//! timeline up to it and with a test to paste.
//!
//! `holds` and the like return what was broken, for property tests, which shrink it; `assert` panics
//! with the same words.

use super::fuzz::{LONG, Schedule, Then, chain, duration, line, watch};
use super::invariants::{Laws, OwnLaw, Violation};
use crate::engine::{Duration, SimTime};
use crate::scenario::{Mistakes, Observer, Simulation};
use crate::timeline::Entry;
use std::fmt::{self, Write as _};

/// What a schedule is held to, and how long it is played.
///
/// ```
/// use healsim::analysis::assertions::Check;
/// use healsim::analysis::fuzz::{Schedule, Shape};
/// use healsim::analysis::invariants::OwnLaw;
/// use healsim::engine::Duration;
///
/// fn no_kubelet_stops() -> OwnLaw {
///     OwnLaw::always("no_kubelet_stops", |seen| {
///         let stopped = seen.view.processes().find(|it| it.program == *"kubelet" && !it.alive);
///         stopped.map_or(Ok(()), |_| Err("a kubelet has stopped".to_owned()))
///     })
/// }
/// let schedule = Schedule::on("tkgs-2024", Shape::new(1, 1))
///     .at(Duration::from_secs(10), "stopUnit: { vm: worker-0, unit: kubelet }");
/// let minute = Check::lasting(Duration::from_secs(60));
/// assert!(minute.holds(&schedule).is_ok());
/// let broken = minute.with(no_kubelet_stops()).holds(&schedule).unwrap_err();
/// assert!(broken.to_string().contains("#[test]\nfn no_kubelet_stops_"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// Nothing for as long as a campaign plays.
    lasts: Option<Duration>,
    ready_made: ReadyMade,
    own: Vec<OwnLaw>,
}

/// Whether the laws of `healsim list invariants` watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ReadyMade {
    #[default]
    Watch,
    Leave,
}

/// Why a schedule does not pass.
#[derive(Clone, Debug)]
pub enum Failure {
    /// It cannot be played: what is wrong with it, each with its place in the scenario that it is.
    NotAScenario(Mistakes),
    /// It breaks a law.
    Broken(Box<Broken>),
}

/// A law that was broken, and how it came to that.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The first violation.
    pub violation: Violation,
    /// The entries that led to it, each in a line.
    pub led: Vec<String>,
    /// The latest entries, the deciding one last, each in a line.
    pub latest: Vec<String>,
    /// A `#[test]` that shows it again, for a crate that depends on this one.
    pub test: String,
}

/// So many of the latest entries are told.
const LATEST: usize = 12;

/// Plays a schedule as a campaign does, under all ready-made laws.
///
/// # Panics
/// A law is broken, or the schedule is no scenario; see [`Failure`].
#[track_caller]
pub fn assert_holds(schedule: &Schedule) {
    Check::new().assert(schedule);
}

/// Plays a schedule as a campaign does, under one law of one's own and no other.
///
/// # Panics
/// The law is broken, or the schedule is no scenario; see [`Failure`].
#[track_caller]
pub fn assert_law(schedule: &Schedule, own: OwnLaw) {
    Check::new().without_ready_made().with(own).assert(schedule);
}

impl Check {
    /// All ready-made laws, over a run as a campaign plays it: until it has healed, or nothing
    /// changes for 20 minutes, or for 62 minutes after the last fault; then an operator repairs what
    /// can be repaired, and it goes on for as long again.
    pub fn new() -> Check {
        Check::default()
    }

    /// All ready-made laws, over so much simulated time. Laws of what has to happen in the end hold
    /// in a run that ends before their bound.
    pub fn lasting(length: Duration) -> Check {
        Check { lasts: Some(length), ..Check::default() }
    }

    /// Held to a law of one's own, too.
    #[must_use]
    pub fn with(mut self, own: OwnLaw) -> Check {
        self.own.push(own);
        self
    }

    /// Held to laws of one's own alone.
    #[must_use]
    pub fn without_ready_made(mut self) -> Check {
        self.ready_made = ReadyMade::Leave;
        self
    }

    /// Plays a schedule; well if it breaks no law.
    ///
    /// # Errors
    /// It breaks one, or it is no scenario.
    pub fn holds(&self, schedule: &Schedule) -> Result<(), Failure> {
        let game = schedule.game(self.lasts.unwrap_or(LONG)).map_err(Failure::NotAScenario)?;
        let begun = game.begin(schedule.seed);
        let (violations, simulation) = match self.lasts {
            Some(_) => to_the_end(begun, self.laws()),
            None => {
                let (trial, simulation) = watch(begun, self.laws(), Then::Repair);
                (trial.violations, simulation)
            }
        };
        let Some(violation) = violations.into_iter().next() else { return Ok(()) };
        let entries = simulation.view().timeline().entries();
        let decided = violation.breach.entries.last().copied();
        let happened = simulation.view().timeline().happened();
        let latest = &happened[happened.len().saturating_sub(LATEST)..];
        let lines = |entries: Vec<&Entry>| entries.into_iter().map(line).collect();
        Err(Failure::Broken(Box::new(Broken {
            led: lines(chain(entries, decided)),
            latest: lines(latest.iter().collect()),
            test: self.test(schedule, violation.law),
            violation,
        })))
    }

    /// Plays a schedule that has to break no law.
    ///
    /// # Panics
    /// It breaks one, or it is no scenario; see [`Failure`].
    #[track_caller]
    pub fn assert(&self, schedule: &Schedule) {
        if let Err(failure) = self.holds(schedule) {
            panic!("{failure}");
        }
    }

    fn laws(&self) -> Laws {
        let laws = match self.ready_made {
            ReadyMade::Watch => Laws::new(),
            ReadyMade::Leave => Laws::none(),
        };
        self.own.iter().fold(laws, Laws::with)
    }

    /// The test that shows it again.
    fn test(&self, schedule: &Schedule, law: &str) -> String {
        let name = format!("{}_{:04x}", law.replace('-', "_"), short_hash(schedule));
        let mut check = match self.lasts {
            Some(length) => format!("Check::lasting({})", duration(length)),
            None => "Check::new()".to_owned(),
        };
        if self.ready_made == ReadyMade::Leave {
            check.push_str(".without_ready_made()");
        }
        for own in &self.own {
            let _ = write!(check, ".with({}())", own.name());
        }
        let schedule = schedule.to_code().replace('\n', "\n    ");
        format!(
            "#[test]\nfn {name}() {{\n    use healsim::analysis::assertions::Check;\n    \
             use healsim::analysis::fuzz::{{Schedule, Shape}};\n    \
             use healsim::engine::Duration;\n\n    let schedule = {schedule};\n    \
             {check}.assert(&schedule);\n}}\n"
        )
    }
}

/// Plays a run to its own end, or until a law is broken.
fn to_the_end(mut simulation: Simulation, mut laws: Laws) -> (Vec<Violation>, Simulation) {
    laws.look(simulation.view());
    while !laws.is_broken() && simulation.step() {
        laws.look(simulation.view());
    }
    let violations = match laws.is_broken() {
        true => laws.violations(),
        false => laws.end(&simulation),
    };
    (violations, simulation)
}

/// Tells the tests of one law apart.
fn short_hash(schedule: &Schedule) -> u16 {
    let hash = blake3::hash(schedule.to_code().as_bytes());
    u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]])
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Broken(broken) => broken.fmt(f),
            Failure::NotAScenario(mistakes) => {
                f.write_str("the schedule is no scenario:")?;
                mistakes.iter().try_for_each(|mistake| write!(f, "\n{mistake}"))
            }
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { law, at, breach } = &self.violation;
        let after = at.since(SimTime::ZERO);
        // A law of one's own says all in its sentence.
        let said = format!("{} {}", breach.object, breach.says);
        writeln!(f, "{law} is broken at {after}: {}", said.trim_start())?;
        let lines = |f: &mut fmt::Formatter<'_>, head: &str, lines: &[String]| {
            if lines.is_empty() {
                return Ok(());
            }
            writeln!(f, "{head}:")?;
            lines.iter().try_for_each(|line| writeln!(f, "{line}"))
        };
        lines(f, "What led to it", &self.led)?;
        lines(f, "What happened last", &self.latest)?;
        write!(f, "To see it again, paste:\n\n{}", self.test)
    }
}

impl std::error::Error for Failure {}
