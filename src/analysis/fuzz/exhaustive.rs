//! All schedules of few faults: which single faults and which pairs a platform does not survive.
//!
//! The first fault strikes a steady cluster; each further one strikes when the run before it reaches
//! another phase. What is alike at that instant is tried once. Every case goes on in a copy of the world at that
//! instant; nothing is played again from the beginning.

use super::choices::Choices;
use super::draw::{BEGINS, LONG, fixed, plain};
use super::failure::caught;
use super::gap::Gap;
use super::phase::Phase;
use super::schedule::{Schedule, Shape};
use super::trial::{Outcome, Then, Trial, watch};
use crate::analysis::invariants::Laws;
use crate::analysis::parallel::{Control, fold};
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::{Observer, Simulation, models};
use crate::timeline::Entry;
use crate::world::View;
use std::collections::BTreeMap;

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct Question {
    pub platform: Text,
    /// Settings that are not the platform's, each with its value.
    pub settings: Vec<(String, String)>,
    /// How many faults strike, at most.
    pub faults: u32,
    /// Of everything that is random.
    pub seed: u64,
    /// Only these kinds; all if there are none.
    pub kinds: Vec<String>,
    pub jobs: usize,
}

/// Everything that was tried.
#[derive(Clone, Debug)]
pub struct Exhausted {
    pub question: Question,
    pub shape: Shape,
    /// In the order of the first faults, then the second's instants and faults.
    pub cases: Vec<Case>,
    /// At how many instants a target was left out because it was like another.
    pub merged: usize,
    /// Of the faults that were left out as the first, those that they are like.
    pub alike: BTreeMap<Text, Text>,
    pub events: u64,
    /// It was stopped before everything was tried.
    pub partial: bool,
}

/// One schedule, and what came of it.
#[derive(Clone, Debug)]
pub struct Case {
    pub strikes: Vec<Struck>,
    pub class: Class,
    /// From the first fault to the recovery.
    pub took: Option<Duration>,
    pub gap: Option<Gap>,
    /// Laws that were broken, each with what happened.
    pub violated: Vec<Text>,
}

/// A fault, and at what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struck {
    pub at: SimTime,
    /// Into which phase.
    pub phase: Phase,
    pub words: Text,
}

/// How a case came out, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Heals,
    /// More than 20 minutes after the last fault.
    HealsSlowly,
    NeverHeals,
    /// A quorum of etcd's members has lost its data.
    LosesData,
    /// A law was broken.
    Violation,
}

/// A recovery that takes longer is slow: the slowest of the documented disasters that heal take
/// about 15 minutes.
const SLOW: Duration = Duration::from_secs(20 * 60);
/// Later faults are not more of the same disaster.
const MOST_FAULTS: u32 = 3;

impl Class {
    /// All of them.
    pub const ALL: [Class; 5] =
        [Class::Heals, Class::HealsSlowly, Class::NeverHeals, Class::LosesData, Class::Violation];

    /// In a word or two.
    pub const fn words(self) -> &'static str {
        match self {
            Class::Heals => "heals",
            Class::HealsSlowly => "heals slowly",
            Class::NeverHeals => "never heals",
            Class::LosesData => "loses data",
            Class::Violation => "breaks a law",
        }
    }
}

impl Question {
    /// Fails with what would be right if so many cannot be tried.
    pub fn fits(&self) -> Result<(), String> {
        match (1..=MOST_FAULTS).contains(&self.faults) {
            true => Ok(()),
            false => Err(format!(
                "{} faults are not possible; write 1 to {MOST_FAULTS}: each more takes hundreds of \
                 times as long",
                self.faults
            )),
        }
    }
}

/// Tries everything, as long as `control` lets it.
///
/// # Errors
/// There is no such platform, setting or kind of fault.
pub fn exhaust(question: &Question, control: &Control) -> Result<Exhausted, Vec<String>> {
    let platform = models::platform(&question.platform).map_err(|wrong| vec![wrong.to_string()])?;
    let hosts = platform.hosts;
    let shape = Shape { control_planes: 3, workers: 3, zones: platform.zones, hosts };
    let settings = fixed(&question.platform, &question.settings)?;
    let seed = question.seed;
    let schedule = Schedule { shape, settings, seed, ..plain(&question.platform) };
    let game = schedule.game(LONG).map_err(|wrong| wrong.texts())?;
    let mut beginning = game.begin(question.seed);
    beginning.run_until(SimTime::ZERO + BEGINS);
    let choices = Choices::of(beginning.view(), &schedule, question)?;
    let firsts = choices.at(beginning.view(), &[], question.faults > 1);
    let root = Root { beginning: &beginning, choices: &choices, faults: question.faults, control };
    control.expect(firsts.distinct.len() as u64);
    let add = |sum: &mut Vec<(u64, Branch)>, place: u64| {
        let first = firsts.distinct[usize::try_from(place).expect("a place in memory")];
        sum.push((place, root.from(first)));
    };
    let found = fold(0..firsts.distinct.len() as u64, question.jobs, control, Vec::new, add);
    let mut found: Vec<(u64, Branch)> = found.into_iter().flatten().collect();
    found.sort_by_key(|(place, _)| *place);
    let words = |place: usize| choices.all()[place].words.clone();
    let mut all = Exhausted {
        question: question.clone(),
        shape,
        cases: Vec::new(),
        merged: firsts.alike.len(),
        alike: firsts
            .alike
            .iter()
            .map(|(left_out, like)| (words(*left_out), words(*like)))
            .collect(),
        events: 0,
        partial: control.is_stopped(),
    };
    for (_, branch) in found {
        all.cases.extend(branch.cases);
        all.merged += branch.merged;
        all.events += branch.events;
    }
    Ok(all)
}

/// All cases that begin with the same fault.
#[derive(Default)]
struct Branch {
    cases: Vec<Case>,
    merged: usize,
    events: u64,
}

/// Where everything begins.
struct Root<'a> {
    beginning: &'a Simulation,
    choices: &'a Choices,
    faults: u32,
    control: &'a Control,
}

impl Root<'_> {
    /// All cases that begin with a choice.
    fn from(&self, place: usize) -> Branch {
        let mut branch = Branch::default();
        let at = SimTime::ZERO + BEGINS;
        let mut laws = Laws::new();
        laws.look(self.beginning.view());
        let begun = (self.beginning, &laws);
        self.go_on(begun, Vec::new(), (at, Phase::Quiet), place, &mut branch);
        branch
    }

    /// Strikes at this instant, and then, if more may strike, at each phase that follows. The laws
    /// have watched from the beginning: nobody can judge what he has not seen happen.
    fn go_on(
        &self,
        (before, laws): (&Simulation, &Laws),
        struck: Vec<Struck>,
        (at, phase): (SimTime, Phase),
        place: usize,
        branch: &mut Branch,
    ) {
        let choice = &self.choices.all()[place];
        let mut strikes = struck;
        strikes.push(Struck { at, phase, words: choice.words.clone() });
        let mut simulation = before.fork();
        simulation.add_fault(at, choice.fault.clone());
        let played = simulation.played();
        let mut laws = laws.fork();
        let watched = caught(|| watch(simulation.fork(), laws.fork(), Then::Stop));
        let (trial, end) = watched.unwrap_or_else(|says| (Trial::failed(says), simulation.fork()));
        let is_last = u32::try_from(strikes.len()).is_ok_and(|count| count >= self.faults);
        let instants = if is_last { Vec::new() } else { instants(end.view(), at) };
        branch.cases.push(case(&strikes, &trial, &end));
        branch.events += trial.events.saturating_sub(played);
        for (instant, phase) in instants {
            simulation.watch_until(instant, &mut laws);
            let words: Vec<&Text> = strikes.iter().map(|it| &it.words).collect();
            let more = u32::try_from(strikes.len() + 1).is_ok_and(|count| count < self.faults);
            let next = self.choices.at(simulation.view(), &words, more);
            branch.merged += next.alike.len();
            for next in next.distinct {
                if !self.control.is_stopped() {
                    let instant = (instant + Duration::from_micros(1), phase);
                    let so_far = (&simulation, &laws);
                    self.go_on(so_far, strikes.clone(), instant, next, branch);
                }
            }
        }
    }
}

/// The beginning of each phase of healing after a fault, each once.
fn instants(view: View, fault: SimTime) -> Vec<(SimTime, Phase)> {
    let after = |entry: &&Entry| entry.at >= fault;
    let mut found: Vec<(SimTime, Phase)> = vec![(fault, Phase::Quiet)];
    for entry in view.timeline().happened().iter().filter(after) {
        let Some(phase) = Phase::begun_by(entry) else { continue };
        if found.iter().all(|(_, other)| *other != phase) {
            found.push((entry.at, phase));
        }
    }
    found
}

fn case(strikes: &[Struck], trial: &Trial, end: &Simulation) -> Case {
    let since = |struck: Option<&Struck>| {
        let at = struck.map_or(SimTime::ZERO, |struck| struck.at);
        end.recovered_at().map(|recovered| recovered.since(at))
    };
    // Faults that come one after the other take longer, each as long as it would alone.
    let is_slow = since(strikes.last()).is_some_and(|took| took > SLOW);
    let took = since(strikes.first());
    let class = match trial.outcome {
        Outcome::Violation => Class::Violation,
        Outcome::Heals if is_slow => Class::HealsSlowly,
        Outcome::Heals => Class::Heals,
        _ if has_lost_data(end) => Class::LosesData,
        _ => Class::NeverHeals,
    };
    Case {
        strikes: strikes.to_vec(),
        class,
        took,
        gap: trial.gap.clone(),
        violated: trial.violations.iter().map(|it| Text::from(it.to_string())).collect(),
    }
}

/// True if so many of a cluster's etcd members have no data any more that the others are no quorum, or
/// if a cluster began anew without any. A VM that was made again under its name has an empty disk.
fn has_lost_data(end: &Simulation) -> bool {
    let view = end.view();
    let is_lost = |cluster: &Text| {
        let members = view.etcd_members(cluster);
        let voters = || members.iter().filter(|member| !member.info.learner);
        let kept = voters().filter(|member| view.keeps_data(cluster, member.info.id)).count();
        kept < voters().count() / 2 + 1
    };
    !end.lost().is_empty() || view.etcd_clusters().into_iter().any(is_lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Game, Scenario, Source};

    /// Whether data are lost after a fault at these control-plane VMs has had ten minutes.
    fn loses(fault: &str, planes: u32) -> bool {
        let each = |n| format!("    - {{ at: 1m, {fault}: {{ vm: control-plane-{n} }} }}\n");
        let faults: String = (0..planes).map(each).collect();
        let text = format!(
            "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  platform: \
             tkgs-2024\n  faults:\n{faults}  until: 11m\n"
        );
        let scenario = Scenario::read(Source::embedded("test.yaml", &text)).expect("a scenario");
        let mut simulation = Game::new(&scenario, None, &[], None).expect("valid").begin(1);
        simulation.run_to_end();
        let made_again = |n| simulation.view().vm(&format!("control-plane-{n}")).is_some();
        assert!((0..planes).all(made_again), "under its name");
        has_lost_data(&simulation)
    }

    #[test]
    fn a_disk_that_is_gone_is_lost_though_its_vm_is_made_again_under_its_name() {
        assert!(loses("deleteVm", 2));
        assert!(!loses("deleteVm", 1), "two of three have it");
        assert!(!loses("powerOff", 2), "the disks are there");
    }

    #[test]
    fn what_takes_long_because_its_faults_come_one_after_the_other_is_not_slow() {
        let minutes = |count: u64| SimTime::ZERO + Duration::from_secs(count * 60);
        let struck = |at| Struck { at, phase: Phase::Quiet, words: Text::word("deleteVm") };
        let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: test }\nspec:\n  platform: \
                    tkgs-2024\n  faults:\n    - { at: 1m, powerOff: { vm: worker-0 } }\n    - { at: 25m, \
                    powerOff: { vm: worker-0 } }\n  until: 40m\n";
        let scenario = Scenario::read(Source::embedded("test.yaml", text)).expect("a scenario");
        let mut end = Game::new(&scenario, None, &[], None).expect("valid").begin(1);
        end.run_until_recovered();
        let trial = Trial { outcome: Outcome::Heals, ..Trial::failed(Text::EMPTY) };
        let both = case(&[struck(minutes(1)), struck(minutes(25))], &trial, &end);
        assert_eq!(both.class, Class::Heals);
        assert!(both.took.is_some_and(|took| took > SLOW), "{:?}", both.took);
        let one = case(&[struck(minutes(1))], &trial, &end);
        assert_eq!(one.class, Class::HealsSlowly);
    }
}
