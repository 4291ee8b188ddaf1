//! Floor 8: proptest strategies for clusters, single faults and whole schedules (feature
//! `strategies`).
//!
//! What a failing test is left with is small: fewer faults first, then simpler ones that come
//! earlier and at times that a person would write, then a smaller cluster, then the seed 1. Faults
//! are kept as choices until the cluster is known, so that each simpler cluster has simpler faults of
//! its own, and every value on the way is a scenario that can be played.
//!
//! ```
//! use healsim::analysis::assertions::Check;
//! use healsim::engine::Duration;
//! use healsim::strategies::Schedules;
//! use proptest::prelude::*;
//!
//! let minute = Check::lasting(Duration::from_secs(60));
//! let schedules = Schedules::on("tkgs-2024").expect("a platform").within_a_minute();
//! proptest!(ProptestConfig::with_cases(2), |(schedule in schedules.strategy())| {
//!     minute.holds(&schedule)?;
//! });
//! ```

use crate::analysis::fuzz::{KINDS, Kind, MOMENTS, Moment, SPELLS, Schedule, Shape, Stage, Strike};
use crate::engine::{Duration, Text};
use crate::scenario::models;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

/// What schedules are drawn from; each call narrows it.
#[derive(Clone, Debug)]
pub struct Schedules {
    platform: Text,
    largest: Shape,
    kinds: Vec<&'static Kind>,
    /// At most so many faults; what mends one of them is not counted.
    most: usize,
    /// When faults can begin: from the first to before the second.
    span: (Duration, Duration),
    seen: Seen,
}

/// Whether a fault can wait for what controllers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Awaited,
    Never,
}

/// A fault before its cluster is known.
#[derive(Clone, Debug)]
struct Drawn {
    kind: &'static Kind,
    /// Which of what the cluster has, and how.
    choices: u64,
    moment: Moment,
    /// When it is mended, if somebody does.
    spell: Option<Duration>,
}

/// Clusters of up to so many machines of each sort: an odd number of control-plane VMs, at least one
/// worker, no zones or `largest.zones`. They shrink to one control-plane VM and one worker.
pub fn shapes(largest: Shape) -> impl Strategy<Value = Shape> + Clone {
    let odd: Vec<u32> = (1..=largest.control_planes.max(1)).step_by(2).collect();
    let zones = if largest.zones > 0 { vec![0, largest.zones] } else { vec![0] };
    (select(odd), 1..=largest.workers.max(1), select(zones)).prop_map(
        move |(control_planes, workers, zones)| Shape { control_planes, workers, zones, ..largest },
    )
}

impl Schedules {
    /// Of a platform of `healsim list platforms`: up to three control-plane VMs and three workers,
    /// in three zones or none, up to four faults of any kind, from the first minute to the tenth, some of which wait for
    /// what controllers do.
    ///
    /// # Errors
    /// There is no such platform, or it has no Supervisor, which some faults hit; the words say so.
    pub fn on(platform: &str) -> Result<Schedules, String> {
        let read = models::platform(platform).map_err(|mistake| mistake.to_string())?;
        if read.provider != models::WrittenProvider::VmOperator {
            return Err(format!(
                "schedules are drawn for platforms with a Supervisor, as tkgs-2024; {platform} has none"
            ));
        }
        let all = Schedules {
            platform: read.name,
            largest: Shape { zones: 3, ..Shape::new(3, 3) },
            kinds: Vec::new(),
            most: 4,
            span: (Duration::from_secs(60), Duration::from_secs(600)),
            seen: Seen::Awaited,
        };
        let all = Schedules { kinds: KINDS.iter().collect(), ..all };
        Ok(if read.hosts > 0 { all } else { all.without_hosts() })
    }

    /// Up to so many machines of each sort; faults of hosts come only where there are some.
    #[must_use]
    pub fn largest(mut self, largest: Shape) -> Schedules {
        self.largest = largest;
        self
    }

    /// Only faults of these kinds, as `stopUnit`.
    ///
    /// # Errors
    /// A kind is not thrown; the words say which are.
    pub fn kinds(mut self, names: &[&str]) -> Result<Schedules, String> {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        if let Some(wrong) = names.iter().find(|name| !known.contains(name)) {
            return Err(models::unknown("kind", wrong, &known));
        }
        self.kinds.retain(|kind| names.contains(&kind.name));
        match self.kinds.is_empty() {
            true => Err(format!("nothing on {} can be broken by {names:?}", self.platform)),
            false => Ok(self),
        }
    }

    /// At most so many faults.
    #[must_use]
    pub fn most(mut self, most: usize) -> Schedules {
        self.most = most;
        self
    }

    /// Faults begin at `from` at the earliest and before `until`, and what is mended is mended before
    /// it, counted from the run's beginning.
    #[must_use]
    pub fn between(mut self, from: Duration, until: Duration) -> Schedules {
        self.span = (from, until.max(from + Duration::from_secs(1)));
        self
    }

    /// For runs of one simulated minute: faults begin from 5 s to 50 s, and wait for nothing.
    #[must_use]
    pub fn within_a_minute(self) -> Schedules {
        let timed = self.between(Duration::from_secs(5), Duration::from_secs(50));
        Schedules { seen: Seen::Never, ..timed }
    }

    /// Single faults in a cluster of this shape.
    pub fn strikes(&self, shape: Shape) -> impl Strategy<Value = Strike> + Clone + use<> {
        let stage = self.stage(shape);
        let drawn = self.drawn();
        let nothing = "the cluster has nothing of it";
        let until = self.span.1;
        drawn.prop_filter_map(nothing, move |drawn| drawn.strikes(&stage, until).into_iter().next())
    }

    /// Whole schedules, with the platform's own settings and workloads.
    pub fn strategy(&self) -> impl Strategy<Value = Schedule> + Clone + use<> {
        let all = self.clone();
        // In the order in which they are made simpler.
        let faults = vec(self.drawn(), 0..=self.most);
        (faults, shapes(self.largest), 1u64..=1_000_000)
            .prop_map(move |(drawn, shape, seed)| all.schedule(&drawn, shape, seed))
    }

    fn schedule(&self, drawn: &[Drawn], shape: Shape, seed: u64) -> Schedule {
        let stage = self.stage(shape);
        let mut strikes: Vec<Strike> =
            drawn.iter().flat_map(|drawn| drawn.strikes(&stage, self.span.1)).collect();
        // What waits for nothing comes in order of time; a scenario begins with such a fault.
        strikes
            .sort_by_key(|strike| strike.moment.time().map_or((1, Duration::ZERO), |at| (0, at)));
        if let Some(first) = strikes.first_mut()
            && first.moment.time().is_none()
        {
            first.moment = Moment::At(self.span.0);
        }
        Schedule { strikes, ..Schedule::on(&self.platform, shape).seed(seed) }
    }

    fn drawn(&self) -> impl Strategy<Value = Drawn> + Clone + use<> {
        let spell = weighted(0.3, select(&SPELLS[..]));
        let choices = any::<u64>().no_shrink();
        (select(self.kinds.clone()).no_shrink(), choices, self.moments(), spell)
            .prop_map(|(kind, choices, moment, spell)| Drawn { kind, choices, moment, spell })
    }

    /// The simpler ones first: whole seconds, any millisecond, after something.
    fn moments(&self) -> BoxedStrategy<Moment> {
        let (from, until) = (self.span.0.as_micros() / 1_000, self.span.1.as_micros() / 1_000);
        let seconds = (from.div_ceil(1_000)..until.div_ceil(1_000).max(from.div_ceil(1_000) + 1))
            .prop_map(|seconds| Moment::At(Duration::from_secs(seconds)));
        let millis = (from..until.max(from + 1))
            .prop_map(|millis| Moment::At(Duration::from_millis(millis)));
        let seen = (select(MOMENTS), 0u64..20)
            .prop_map(|(what, after)| Moment::Seen(what.to_owned(), Duration::from_secs(after)));
        match self.seen {
            Seen::Awaited => prop_oneof![4 => seconds, 2 => millis, 2 => seen].boxed(),
            Seen::Never => prop_oneof![2 => seconds, 1 => millis].boxed(),
        }
    }

    fn stage(&self, shape: Shape) -> Stage {
        Stage::of(&self.platform, shape).expect("a platform that was found before")
    }

    fn without_hosts(mut self) -> Schedules {
        self.kinds.retain(|kind| kind.name != "powerOffHost");
        self
    }
}

impl Drawn {
    /// The fault, and what mends it, if that comes in time; nothing if the cluster has nothing of it to
    /// break.
    fn strikes(&self, stage: &Stage, until: Duration) -> Vec<Strike> {
        let Some(broken) = self.kind.broken(stage, self.choices) else { return Vec::new() };
        let strike = Strike { moment: self.moment.clone(), words: broken.words };
        let mended = self.spell.zip(broken.mended).zip(self.moment.time());
        let mended = mended.map(|((spell, words), at)| (at + spell, words));
        let mended = mended.filter(|(at, _)| *at < until);
        let mended = mended.map(|(at, words)| Strike::at(at, words));
        std::iter::once(strike).chain(mended).collect()
    }
}
