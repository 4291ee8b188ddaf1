//! All laws over one run, and what they found.

use super::members::Members;
use super::mind::{Breach, Ending, Law, Seen, Verdict};
use super::{ALL, Invariant, Kind, OwnLaw};
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::{Game, Observer, Simulation};
use crate::timeline::{Run, Violated};
use crate::world::View;

/// Watches over a run with every law.
#[derive(Debug)]
pub struct Laws {
    watches: Vec<Watch>,
    members: Members,
    /// How many entries they have seen.
    seen: usize,
    /// Since when two clusters of etcd have the same name, and which. What is true of the one is not of the other,
    /// so only the laws of Raft are judged from then on.
    split: Option<(SimTime, Text)>,
}

#[derive(Debug)]
struct Watch {
    name: &'static str,
    kind: Kind,
    law: Box<dyn Law>,
    was_reached: bool,
    violation: Option<Violation>,
}

/// A law that was broken, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub law: &'static str,
    pub at: SimTime,
    pub breach: Breach,
}

/// A run that heals by itself does so within this time after its last fault: twice the longest of
/// the documented disasters that heal, rounded up (`docs/scenarios.md`).
pub const BOUND: Duration = Duration::from_secs(3600);

/// Plays to the end under all laws, and judges.
pub fn play(game: &Game, seed: u64) -> Run {
    let mut simulation = game.begin(seed);
    let mut laws = Laws::new();
    laws.look(simulation.view());
    simulation.run(&mut laws);
    let violations = laws.end(&simulation);
    let mut run = game.judge(simulation.finish(), seed);
    run.invariants_checked = laws.checked();
    run.violated = violations.iter().map(Violation::told).collect();
    run.warnings.extend(laws.not_judged());
    run
}

impl Default for Laws {
    fn default() -> Laws {
        Laws::new()
    }
}

impl Laws {
    /// A watch over a run that begins.
    pub fn new() -> Laws {
        let watch = |invariant: &'static Invariant| Watch {
            name: invariant.name,
            kind: invariant.kind,
            law: (invariant.begin)(),
            was_reached: false,
            violation: None,
        };
        let watches = ALL.iter().map(watch).collect();
        Laws { watches, members: Members::default(), seen: 0, split: None }
    }

    /// No law but those of one's own that are added.
    pub fn none() -> Laws {
        let mut laws = Laws::new();
        laws.watches.clear();
        laws
    }

    /// With a law of one's own beside the others.
    #[must_use]
    pub fn with(mut self, own: &OwnLaw) -> Laws {
        let (name, kind, law) = (own.name(), own.kind(), own.begin());
        self.watches.push(Watch { name, kind, law, was_reached: false, violation: None });
        self
    }

    /// A watch over a fork of the run.
    pub fn fork(&self) -> Laws {
        let fork = |watch: &Watch| Watch {
            name: watch.name,
            kind: watch.kind,
            law: watch.law.fork(),
            was_reached: watch.was_reached,
            violation: watch.violation.clone(),
        };
        Laws {
            watches: self.watches.iter().map(fork).collect(),
            members: self.members.clone(),
            seen: self.seen,
            split: self.split.clone(),
        }
    }

    /// How many laws it is watched by that can be broken.
    pub fn checked(&self) -> u32 {
        let laws = self.watches.iter().filter(|watch| watch.kind != Kind::Sometimes);
        u32::try_from(laws.count()).expect("a list that people write")
    }

    /// What is not judged, and why.
    pub fn not_judged(&self) -> Option<Text> {
        let (at, name) = self.split.as_ref()?;
        let since = at.since(SimTime::ZERO);
        Some(Text::from(format!(
            "two clusters of etcd called {name} are at work since {since}, one restored beside the other: of what \
             follows only the laws of Raft are judged"
        )))
    }

    /// True once a law was broken.
    pub fn is_broken(&self) -> bool {
        self.watches.iter().any(|watch| watch.violation.is_some())
    }

    /// The `sometimes` that were reached, by name.
    pub fn reached(&self) -> impl Iterator<Item = &'static str> {
        self.watches.iter().filter(|watch| watch.was_reached).map(|watch| watch.name)
    }

    /// The first violation of each law, in the order in which they came.
    pub fn violations(&self) -> Vec<Violation> {
        let all = self.watches.iter().filter_map(|watch| watch.violation.clone());
        let mut all: Vec<Violation> = all.collect();
        all.sort_by_key(|violation| violation.at);
        all
    }

    /// Has the laws look at the run's end, and says which were broken.
    pub fn end(&mut self, simulation: &Simulation) -> Vec<Violation> {
        self.end_within(simulation, BOUND)
    }

    /// The same of a run that is given less time to recover, for nothing has changed it for so long.
    pub fn end_within(&mut self, simulation: &Simulation, bound: Duration) -> Vec<Violation> {
        self.judge(simulation, bound, |_| true)
    }

    /// Has the laws of this program look at what is to be repaired, which for those of other people is
    /// not the end.
    pub fn before_repairs(&mut self, simulation: &Simulation, bound: Duration) -> Vec<Violation> {
        self.judge(simulation, bound, |name| ALL.iter().any(|law| law.name == name))
    }

    fn judge(
        &mut self,
        simulation: &Simulation,
        bound: Duration,
        is_asked: fn(&str) -> bool,
    ) -> Vec<Violation> {
        let missing = simulation.lacks();
        let ending = Ending {
            missing: &missing,
            view: simulation.view(),
            last_fault: simulation.last_fault(),
            recovered_at: simulation.recovered_at(),
            well_since: simulation.well_since(),
            bound,
        };
        let at = ending.view.now();
        for watch in self.watches.iter_mut().filter(|watch| is_asked(watch.name)) {
            let verdict = watch.law.end(&ending);
            watch.note(at, verdict, self.split.is_some());
        }
        self.violations()
    }
}

impl Observer for Laws {
    fn look(&mut self, view: View) {
        if let Some(moved) = self.members.look(view) {
            for watch in self.watches.iter_mut().filter(|watch| watch.wants_to_look()) {
                let verdict = watch.law.look_at_member(&moved);
                watch.note(view.now(), verdict, false);
            }
        }
        let entries = view.timeline().entries();
        if entries.len() == self.seen {
            return;
        }
        // What only says how things stood at the beginning has not happened.
        self.seen = self.seen.max(view.timeline().beginning().len());
        let seen = Seen { view, news: &entries[self.seen..] };
        self.seen = entries.len();
        if self.split.is_none() {
            self.split = view.split_cluster().map(|name| (view.now(), name.clone()));
        }
        for watch in self.watches.iter_mut().filter(|watch| watch.wants_to_look()) {
            let verdict = watch.law.look(seen);
            watch.note(view.now(), verdict, self.split.is_some());
        }
    }
}

impl Watch {
    /// Nobody needs to see twice that a law was broken, or that something was reached.
    fn wants_to_look(&self) -> bool {
        self.violation.is_none() && !self.was_reached
    }

    fn note(&mut self, at: SimTime, verdict: Verdict, is_split: bool) {
        match verdict {
            Verdict::Holds => {}
            Verdict::Broken(_) if is_split => {}
            Verdict::Reached => self.was_reached = true,
            Verdict::Broken(breach) => {
                let law = self.name;
                self.violation.get_or_insert(Violation { law, at, breach });
            }
        }
    }
}

impl Violation {
    /// The violation as a run keeps it.
    pub fn told(&self) -> Violated {
        let law = ALL.iter().find(|invariant| invariant.name == self.law);
        let sentence = law.map_or("", |invariant| invariant.law);
        let Breach { object, says, entries } = self.breach.clone();
        let (law, sentence) = (Text::word(self.law), Text::word(sentence));
        Violated { law, sentence, at: self.at, object, says, entries }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.told().fmt(f)
    }
}
