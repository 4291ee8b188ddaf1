//! From a name or a file to a played run.

use super::catalog::{Catalog, Setting};
use super::changed::pod_grace;
use super::expect::{Expectation, Seen};
use super::faults::Fault;
use super::file::{Resolved, Scenario};
use super::form::Form;
use super::given::Given;
use super::health::STAYS;
use super::lesson::Question;
use super::manifests::Manifests;
use super::mistake::{Mistake, Mistakes};
use super::models::{self, Platform};
use super::own::Own;
use super::simulation::{Plan, Played, Simulation, default_budget};
use super::yaml::Source;
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Assumption, Changed, Run};
use crate::world::{Blueprint, Probe};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// A scenario on a platform, ready to be played with any seed.
#[derive(Clone, Debug)]
pub struct Game {
    pub scenario: Text,
    pub platform: Text,
    /// The scenario's own seed, if it has one.
    pub seed: Option<u64>,
    /// Every heartbeat is played.
    is_dense: bool,
    /// A run ends when it has recovered for good.
    is_cut: bool,
    plan: Plan,
    expectations: Vec<Expectation>,
    introduction: Text,
    questions: Vec<Question>,
    given: Given,
    assumptions: Vec<Assumption>,
    doubts: Vec<Text>,
    changes: Vec<Changed>,
    warnings: Vec<Text>,
    has_room: bool,
    settings: Arc<BTreeMap<String, Setting>>,
    /// Those that who runs a cluster can change, by key.
    users: Arc<Vec<KnownSetting>>,
}

/// A setting that who runs a cluster can change; see [`Setting::settable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSetting {
    pub key: String,
    pub value: String,
    pub flag: String,
    pub form: Form,
}

/// What is changed of a scenario as it is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes<'a> {
    /// The platform, instead of the scenario's.
    pub platform: Option<&'a str>,
    /// Settings, each with its value.
    pub set: &'a [(String, String)],
    /// How long it is played, instead of the scenario's `until`.
    pub until: Option<Duration>,
    /// Files of the user's own manifests.
    pub manifests: &'a [Source],
}

/// Plays an embedded scenario, or a file, on its own platform.
pub fn play(input: &str, seed: u64) -> Result<Run, Mistakes> {
    Ok(Game::new(&load(input)?, None, &[], None)?.play(seed))
}

/// Reads the scenario or lesson of a name, or of a file.
pub fn load(input: &str) -> Result<Scenario, Mistakes> {
    let looks_like_a_file = input.contains(std::path::MAIN_SEPARATOR)
        || input.ends_with(".yaml")
        || input.ends_with(".yml");
    let source = match models::scenario(input).or_else(|| models::lesson(input)) {
        Some(source) => source,
        None if looks_like_a_file || Path::new(input).exists() => {
            Source::read(Path::new(input), "take a name of `healsim list scenarios`")?
        }
        None => {
            let unknown = models::unknown_scenario(input);
            let message = format!("{unknown}. A file is named by its path, as ./mine.yaml.");
            return Err(Mistake::of("scenario", message).into());
        }
    };
    Ok(Scenario::read(source)?)
}

impl Game {
    /// Sets a scenario up: on another platform, with changed settings, or to another end.
    pub fn new(
        scenario: &Scenario,
        platform: Option<&str>,
        set: &[(String, String)],
        until: Option<Duration>,
    ) -> Result<Game, Mistakes> {
        Game::with(scenario, Changes { platform, set, until, manifests: &[] })
    }

    /// Sets a scenario up with what is changed of it. A setting of `set` wins over a manifest's
    /// value, that over the scenario's, and that over the platform's.
    pub fn with(scenario: &Scenario, changes: Changes) -> Result<Game, Mistakes> {
        let Changes { platform, set, until, manifests } = changes;
        let sources: Vec<Source> = scenario.beside.iter().chain(manifests).cloned().collect();
        let manifests = Manifests::read(&sources)?;
        let platform = match platform {
            Some(name) => models::platform(name),
            None => scenario.own_platform(),
        };
        let mut platform: Platform = platform?;
        let mut mistakes = scenario.set_up(&mut platform);
        manifests.set(&mut platform.catalog, platform.control_plane_nodes);
        let set = set.iter().map(|(key, value)| platform.catalog.set(key, value));
        mistakes.extend(set.filter_map(Result::err));
        let own = Own { manifests: &manifests };
        let resolved = scenario.resolve(&platform, &own, until);
        // Only who takes a setting knows what it can be.
        mistakes.extend(platform.catalog.mistakes());
        let resolved = match resolved {
            Ok(resolved) => {
                Mistakes::none_or(mistakes)?;
                resolved
            }
            Err(more) => {
                let resolve = |own: &Own| scenario.resolve(&platform, own, until).map(drop);
                return Err(own.blame(scenario, more, resolve).after(mistakes));
            }
        };
        let Resolved { mut blueprint, faults, awaited, until, outage, given, warnings, .. } =
            resolved;
        let has_room = scenario.without_room(&blueprint, &own).is_empty();
        let first_fault = faults.first().map_or(SimTime::ZERO, |(at, _)| *at);
        given.pin(&mut blueprint, first_fault);
        let budget = default_budget(blueprint.control_planes, blueprint.workers, until);
        let graces = blueprint.workloads.iter().map(|workload| workload.grace);
        let grace = pod_grace(graces, &manifests);
        let plan = Plan { blueprint, faults, awaited, until, outage, budget };
        let users = Arc::new(user_settings(&platform.catalog));
        let changes = platform.catalog.changes().into_iter();
        let changes = changes.chain(own.taken(scenario, &platform)).collect();
        let assumptions = platform.catalog.assumptions();
        let doubts = platform.catalog.doubts();
        let settings = platform.catalog.into_settings().into_iter().chain(grace).collect();
        Ok(Game {
            scenario: scenario.name.clone(),
            platform: platform.name.clone(),
            seed: scenario.seed(),
            is_dense: false,
            is_cut: false,
            plan,
            expectations: resolved.expectations,
            introduction: resolved.introduction,
            questions: resolved.questions,
            given,
            assumptions,
            doubts,
            changes,
            has_room,
            warnings: warnings.iter().map(|warning| Text::from(warning.to_string())).collect(),
            users,
            settings: Arc::new(settings),
        })
    }

    /// The same with nothing given: every hidden phase is drawn from the seed.
    pub fn free(mut self) -> Game {
        self.given = Given::default();
        let first_fault = self.first_fault().unwrap_or_default();
        self.given.pin(&mut self.plan.blueprint, first_fault);
        self
    }

    /// The same with every heartbeat played: slower, and the same timelines.
    pub fn dense(mut self) -> Game {
        self.is_dense = true;
        self
    }

    /// The same, with runs that end when they have recovered for good: of what comes later they tell
    /// nothing.
    pub fn until_recovered(mut self) -> Game {
        self.is_cut = true;
        self
    }

    /// Whether its runs end when they have recovered for good.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The same cluster with other faults, in order of time, and nothing that is expected.
    pub fn instead(&self, faults: Vec<(SimTime, Fault)>, until: SimTime) -> Game {
        let mut game = self.clone();
        let Plan { blueprint, .. } = &game.plan;
        game.plan.budget = default_budget(blueprint.control_planes, blueprint.workers, until);
        game.plan.faults = faults;
        game.plan.awaited.clear();
        game.plan.until = until;
        game.expectations.clear();
        game.questions.clear();
        game
    }

    /// The run at its beginning.
    pub fn begin(&self, seed: u64) -> Simulation {
        let mut simulation = Simulation::new(self.plan.clone(), seed);
        if self.is_dense {
            simulation.play_densely();
        }
        simulation
    }

    /// Equal for games that play the same with every seed: a hash of all that they are set up with.
    pub fn fingerprint(&self) -> Text {
        // Debug text names every value, and only games of one version are ever compared.
        let cut = if self.is_cut { " cut" } else { "" };
        let all = format!("{:?} {:?}{cut}", self.plan, self.given);
        let hash = blake3::hash(all.as_bytes()).to_hex();
        Text::from(&hash[..16])
    }

    /// The services that a user of `probes` asks, as in the run's availability.
    pub fn asked_services(&self) -> BTreeSet<Text> {
        let probes = self.plan.blueprint.users.iter().flat_map(|users| &users.probes);
        let service = |probe: &Probe| match probe {
            Probe::App(app) => Some(Text::from(format!("app/{app}"))),
            Probe::Api(_) => Some(Text::word("api")),
            Probe::Deploy(_) => None,
        };
        probes.filter_map(service).collect()
    }

    /// The assumed numbers that its runs rely on.
    pub fn assumptions(&self) -> &[Assumption] {
        &self.assumptions
    }

    /// All settings of its platform, changed as they are, by key.
    pub fn settings(&self) -> &Arc<BTreeMap<String, Setting>> {
        &self.settings
    }

    /// Settings that a person may want to think about again, a sentence each.
    pub fn doubts(&self) -> &[Text] {
        &self.doubts
    }

    /// What the user has changed, by `--set` and by manifests.
    pub fn changes(&self) -> &[Changed] {
        &self.changes
    }

    /// What the user should know about these manifests, each with its place.
    pub fn warnings(&self) -> &[Text] {
        &self.warnings
    }

    /// False if Pods that repel each other are more than the Nodes for them: such a cluster is not well
    /// as it begins, and never recovers by itself.
    pub fn has_room(&self) -> bool {
        self.has_room
    }

    /// The value of a setting, if there is one of this key.
    pub fn setting(&self, key: &str) -> Option<&str> {
        let users = self.users.iter().find(|setting| setting.key == key);
        let any = || self.settings.get(key).map(|setting| setting.value.as_str());
        users.map(|setting| setting.value.as_str()).or_else(any)
    }

    /// The settings that who runs a cluster can change, by key.
    pub fn user_settings(&self) -> &[KnownSetting] {
        &self.users
    }

    /// What is expected of each run, in the order of a run's verdicts.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// What it asks its reader, in the order of the file.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// What it says before it begins; empty if it says nothing.
    pub fn introduction(&self) -> &Text {
        &self.introduction
    }

    /// What its world is made of.
    pub(super) fn blueprint(&self) -> &Blueprint {
        &self.plan.blueprint
    }

    /// The faults that have their time, in order of it.
    pub fn faults(&self) -> &[(SimTime, Fault)] {
        &self.plan.faults
    }

    /// When the first fault comes.
    pub fn first_fault(&self) -> Option<SimTime> {
        self.plan.faults.first().map(|(at, _)| *at)
    }

    /// When the run ends.
    pub fn until(&self) -> SimTime {
        self.plan.until
    }

    /// The longest recovery time that a run can show: of one that has not recovered is known that it
    /// takes longer. Nothing without a fault that has its time.
    pub fn reach(&self) -> Option<Duration> {
        let end = self.plan.until.since(SimTime::ZERO).saturating_sub(STAYS);
        Some(end.saturating_sub(self.first_fault()?.since(SimTime::ZERO)))
    }

    /// Plays to the end and judges.
    pub fn play(&self, seed: u64) -> Run {
        if self.is_cut {
            return self.play_until_recovered(seed);
        }
        let mut simulation = self.begin(seed);
        simulation.run_to_end();
        self.judge(simulation.finish(), seed)
    }

    /// Plays until it has recovered for good, or to the end. Up to there it is the whole run.
    pub fn play_until_recovered(&self, seed: u64) -> Run {
        let mut simulation = self.begin(seed);
        simulation.run_until_recovered();
        self.judge(simulation.finish(), seed)
    }

    /// Judges a run that was played to its end.
    pub fn judge(&self, played: Played, seed: u64) -> Run {
        let seen = Seen {
            timeline: &played.timeline,
            first_fault: played.first_fault,
            recovered_at: played.recovered_at,
        };
        let judge = |expectation: &Expectation| expectation.judge(seen, &self.platform);
        Run {
            scenario: self.scenario.clone(),
            platform: self.platform.clone(),
            seed,
            given: self.given.words(),
            expectations: self.expectations.iter().map(judge).collect(),
            assumptions: self.assumptions.clone(),
            doubts: self.doubts.clone(),
            changes: self.changes.clone(),
            warnings: self.warnings.clone(),
            first_fault: played.first_fault,
            last_fault: played.last_fault,
            end: played.end,
            ended_at: played.ended_at,
            recovered_at: played.recovered_at,
            missing: played.missing,
            unstruck: played.unstruck,
            availability: played.availability,
            engine_events: played.engine_events,
            timeline: played.timeline,
            ..Run::default()
        }
    }
}

/// What a user can change.
fn user_settings(catalog: &Catalog) -> Vec<KnownSetting> {
    let known = |(key, setting): (&String, &Setting)| KnownSetting {
        key: key.clone(),
        value: setting.value.clone(),
        flag: setting.flag.clone(),
        form: catalog.form(key),
    };
    catalog.user_settings().map(known).collect()
}
