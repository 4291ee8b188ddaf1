//! From a seed to a schedule. Each run switches on a few kinds of faults only (swarm testing): with
//! all of them at once none gets far.

use super::dice::{Dice, Topic};
use super::kinds::{KINDS, Kind, MOMENTS, NOT_THROWN, SPELLS, Stage};
use super::schedule::{Moment, Schedule, Shape, Strike};
use crate::analysis::tune::sides;
use crate::engine::{Duration, Text};
use crate::scenario::{Game, KnownSetting, Scenario, Source, models};

/// What all schedules of a campaign are drawn from.
#[derive(Clone, Debug)]
pub struct Deck {
    pub platform: Text,
    /// Those that who runs a cluster can change.
    settings: Vec<KnownSetting>,
    kinds: Vec<&'static Kind>,
    /// Those that each run has, each with its value.
    pub(super) fixed: Vec<(String, String)>,
    /// How many faults each run throws, instead of a number that is drawn.
    pub strikes: Option<u64>,
    has_cloud: bool,
    has_hosts: bool,
}

/// When the first fault strikes: its controllers have then long been at work, each at its phase.
pub const BEGINS: Duration = Duration::from_secs(60);
/// So often a draw hits nothing by chance only if there is nothing to hit.
const MOST_MISSES: u32 = 64;
/// More strikes in one run hide one another.
pub const MOST_STRIKES: u64 = 24;

impl Deck {
    /// Of a platform, with these kinds of faults; with all if none is named.
    ///
    /// # Errors
    /// There is no such platform, or a kind is not thrown; the words say what there is.
    pub fn new(platform: &str, kinds: &[String]) -> Result<Deck, Vec<String>> {
        // Asked first: what is wrong with it has no place in a file that nobody has written.
        let read = models::platform(platform);
        let read = read.map_err(|mistake| vec![mistake.to_string()])?;
        let game = plain(platform).game(Duration::from_secs(60));
        let game = game.map_err(|wrong| wrong.texts())?;
        let mut kinds = chosen(kinds)?;
        kinds.retain(|kind| read.hosts > 0 || kind.name != "powerOffHost");
        if kinds.is_empty() {
            return Err(vec![format!(
                "{platform} knows no hosts that could fail; write another kind, or another platform"
            )]);
        }
        Ok(Deck {
            platform: Text::from(platform),
            settings: game.user_settings().to_vec(),
            kinds,
            fixed: Vec::new(),
            strikes: None,
            has_cloud: read.provider == models::WrittenProvider::VmOperator,
            has_hosts: read.hosts > 0,
        })
    }

    /// The same with settings that each run has, each with its value; they are drawn no more.
    ///
    /// # Errors
    /// There is no such setting, or it cannot be so; each of the words has its place.
    pub fn with_settings(mut self, set: &[(String, String)]) -> Result<Deck, Vec<String>> {
        self.fixed = fixed(&self.platform, set)?;
        self.settings.retain(|setting| self.fixed.iter().all(|(key, _)| *key != setting.key));
        Ok(self)
    }

    /// The schedule of a seed.
    pub fn draw(&self, seed: u64) -> Schedule {
        let mut dice = Dice::new(seed);
        let shape = self.possible(self.shape(&mut dice));
        let stage = Stage { shape, has_cloud: self.has_cloud };
        let mut schedule = Schedule {
            platform: self.platform.clone(),
            shape,
            settings: [self.fixed.clone(), self.settings(&mut dice)].concat(),
            workloads: workloads(&mut dice, shape.workers),
            // What he gets is judged by two laws.
            probes: vec!["{ api: endpoint }".to_owned()],
            strikes: self.strikes(&mut dice, &stage),
            seed,
        };
        self.make_valid(&mut schedule);
        schedule
    }

    fn shape(&self, dice: &mut Dice) -> Shape {
        // Small clusters are cheap, and most of what can happen happens in them.
        let control_planes = *dice.one(Topic::Shape, &[1, 1, 1, 3, 3, 3, 3, 5]);
        let workers = *dice.one(Topic::Shape, &[1, 2, 3, 3, 4, 5]);
        let zones = *dice.one(Topic::Shape, &[0, 0, 0, 3]);
        let hosts = *dice.one(Topic::Shape, &[3, 4, 4]);
        Shape { control_planes, workers, zones, hosts: if self.has_hosts { hosts } else { 0 } }
    }

    /// A shape, or if it does not go with the settings that each run has, one that does.
    fn possible(&self, shape: Shape) -> Shape {
        let settings = self.fixed.clone();
        let bare = Schedule { shape, settings, ..plain(&self.platform) };
        match self.fixed.is_empty() || bare.game(LONG).is_ok() {
            true => shape,
            false => plain(&self.platform).shape,
        }
    }

    fn settings(&self, dice: &mut Dice) -> Vec<(String, String)> {
        let mut chosen: Vec<(String, String)> = Vec::new();
        let wanted = *dice.one(Topic::Settings, &[0, 0, 1, 1, 2, 4]);
        for _ in 0..wanted {
            // Every second time one of those that decide whether and when something is healed.
            let heals = |setting: &&KnownSetting| HEALING.contains(&setting.key.as_str());
            let healing: Vec<&KnownSetting> = self.settings.iter().filter(heals).collect();
            let all: Vec<&KnownSetting> = self.settings.iter().collect();
            let from = if dice.percent(Topic::Settings, 50) { &healing } else { &all };
            if from.is_empty() {
                continue;
            }
            let setting = *dice.one(Topic::Settings, from);
            let values: Vec<String> =
                sides(&setting.value, &setting.form).into_iter().flatten().collect();
            let short = START_UP_TIMES.iter().map(|time| (*time).to_owned());
            let is_start_up = setting.key == *START_UP;
            let values: Vec<String> =
                values.into_iter().chain(short.filter(|_| is_start_up)).collect();
            if values.is_empty() || chosen.iter().any(|(key, _)| *key == setting.key) {
                continue;
            }
            let value = dice.one(Topic::Settings, &values).clone();
            chosen.push((setting.key.clone(), value));
        }
        // Machines that start too slowly are rare otherwise: somebody has to be too impatient.
        let is_there = self.settings.iter().any(|setting| setting.key == *START_UP);
        let is_chosen = chosen.iter().any(|(key, _)| *key == *START_UP);
        if dice.percent(Topic::StartUp, 6) && is_there && !is_chosen {
            let short = *dice.one(Topic::StartUp, &START_UP_TIMES);
            chosen.push((START_UP.to_owned(), short.to_owned()));
        }
        chosen
    }

    fn strikes(&self, dice: &mut Dice, stage: &Stage) -> Vec<Strike> {
        let swarm = self.swarm(dice);
        let wanted = match dice.below(Topic::Kinds, 20) {
            0..14 => 1 + dice.below(Topic::Kinds, 4),
            14..19 => 4 + dice.below(Topic::Kinds, 6),
            _ => MOST_STRIKES,
        };
        let wanted = self.strikes.unwrap_or(wanted);
        let mut strikes = Vec::new();
        let (mut at, mut misses) = (BEGINS, 0);
        while (strikes.len() as u64) < wanted && misses < MOST_MISSES {
            let weights: u64 = swarm.iter().map(|kind| kind.weight).sum();
            let mut place = dice.below(Topic::Faults, weights);
            let kind = swarm.iter().find(|kind| {
                let found = place < kind.weight;
                place = place.saturating_sub(kind.weight);
                found
            });
            let Some(broken) = kind.and_then(|kind| (kind.draw)(dice, stage)) else {
                // The next draw is another, unless this cluster has nothing of all these kinds.
                misses += 1;
                continue;
            };
            let moment = moment(dice, &mut at, strikes.is_empty());
            strikes.push(Strike { moment: moment.clone(), words: broken.words.clone() });
            if let (Some(mended), Moment::At(at)) = (broken.mended, moment)
                && dice.percent(Topic::Times, 40)
            {
                flap(dice, at, &broken.words, &mended, &mut strikes);
            }
        }
        strikes
    }

    /// A few of the kinds.
    fn swarm(&self, dice: &mut Dice) -> Vec<&'static Kind> {
        let mut left = self.kinds.clone();
        let wanted = 1 + dice.below(Topic::Kinds, 4);
        let mut swarm = Vec::new();
        while (swarm.len() as u64) < wanted && !left.is_empty() {
            let place = dice.below(Topic::Kinds, left.len() as u64);
            swarm.push(left.remove(usize::try_from(place).expect("a place in memory")));
        }
        swarm
    }

    /// Leaves out what does not go together: first the faults for which this platform has nothing,
    /// then settings and workloads, the last first.
    fn make_valid(&self, schedule: &mut Schedule) {
        if schedule.game(LONG).is_ok() {
            return;
        }
        let bare = Schedule {
            settings: Vec::new(),
            workloads: Vec::new(),
            probes: Vec::new(),
            strikes: Vec::new(),
            ..schedule.clone()
        };
        let fits = |strike: &Strike| {
            let alone = Schedule { strikes: vec![strike.clone()], ..bare.clone() };
            alone.game(LONG).is_ok()
        };
        schedule.strikes.retain(fits);
        while schedule.game(LONG).is_err() {
            let is_drawn = schedule.settings.len() > self.fixed.len();
            let dropped = if is_drawn { schedule.settings.pop() } else { None };
            if dropped.is_none() && schedule.workloads.pop().is_none() {
                // What is left is a cluster of this platform and faults that fit it.
                return;
            }
        }
    }
}

/// Settings that every run of a platform has, each key once.
///
/// # Errors
/// There is no such setting, or it cannot be so.
pub fn fixed(
    platform: &str,
    set: &[(String, String)],
) -> Result<Vec<(String, String)>, Vec<String>> {
    let read = plain(platform).scenario("fuzz", LONG, "");
    let scenario = Scenario::read(Source::embedded("fuzz.yaml", &read));
    let scenario = scenario.map_err(|wrong| vec![wrong.to_string()])?;
    Game::new(&scenario, None, set, None).map_err(|wrong| wrong.texts())?;
    let is_last = |(place, (key, _)): &(usize, &(String, String))| {
        set[place + 1..].iter().all(|(other, _)| other != key)
    };
    Ok(set.iter().enumerate().filter(is_last).map(|(_, pair)| pair.clone()).collect())
}

/// A schedule without anything in it.
pub fn plain(platform: &str) -> Schedule {
    Schedule {
        platform: Text::from(platform),
        shape: Shape { control_planes: 3, workers: 3, zones: 0, hosts: 0 },
        settings: Vec::new(),
        workloads: Vec::new(),
        probes: Vec::new(),
        strikes: Vec::new(),
        seed: 1,
    }
}

/// Longer than any run of a campaign.
pub const LONG: Duration = Duration::from_secs(6 * 3600);

/// Hours, as it is, are longer than any run of a campaign, and half of them too.
const START_UP: &str = "machineHealthCheck.nodeStartupTimeout";
const START_UP_TIMES: [&str; 3] = ["1m", "2m", "4m"];

/// Settings on which it depends whether something is healed.
const HEALING: [&str; 10] = [
    "clusterApi.bootstrapTokenTtl",
    "clusterApi.controlPlaneMaxRetry",
    "clusterApi.controlPlaneNodeDrainTimeout",
    "clusterApi.maxInFlight",
    "clusterApi.nodeDrainTimeout",
    "kubernetes.nodeMonitorGracePeriod",
    "machineHealthCheck.falseTimeout",
    "machineHealthCheck.maxUnhealthy",
    "machineHealthCheck.unknownTimeout",
    "vmOperator.resync",
];

fn chosen(kinds: &[String]) -> Result<Vec<&'static Kind>, Vec<String>> {
    let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let wrong = kinds.iter().filter(|name| !known.contains(&name.as_str()));
    let why_not = |name: &str| NOT_THROWN.iter().find(|(kind, _)| *kind == name);
    let told = |name: &String| match why_not(name) {
        Some((kind, reason)) => format!("`{kind}` is not thrown: {reason}"),
        None => models::unknown("kind", name, &known),
    };
    let wrong: Vec<String> = wrong.map(told).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let wanted = |kind: &&Kind| kinds.is_empty() || kinds.iter().any(|name| *name == kind.name);
    Ok(KINDS.iter().filter(wanted).collect())
}

/// Workloads that fit on these workers: `web` in the place of the platform's, and now and then one
/// whose Pods are not easily moved.
fn workloads(dice: &mut Dice, workers: u32) -> Vec<String> {
    let replicas = workers.min(3);
    let least = replicas.saturating_sub(u32::from(dice.percent(Topic::Workloads, 60)));
    let budget = match least {
        0 => String::new(),
        least if dice.percent(Topic::Workloads, 40) => format!(", minAvailable: {least}"),
        _ => String::new(),
    };
    let web = format!(
        "{{ name: web, replicas: {replicas}, runsOn: workers, repelEachOther: true, grace: 30s{budget} }}"
    );
    let mut chosen = vec![web];
    let set = |replicas, more| {
        format!("{{ name: db, kind: StatefulSet, replicas: {replicas}, runsOn: workers{more} }}")
    };
    match dice.below(Topic::Workloads, 10) {
        0 => chosen.push(set(2, ", volume: true")),
        1 => chosen.push(set(3, ", minAvailable: 2")),
        2 => chosen.push(set(1, ", minAvailable: 1")),
        3 => chosen.push("{ name: log, kind: DaemonSet, runsOn: workers }".to_owned()),
        _ => {}
    }
    chosen
}

/// When the next fault strikes: with the last, soon after it, later, or into the middle of what
/// controllers do because of it.
fn moment(dice: &mut Dice, at: &mut Duration, is_first: bool) -> Moment {
    if is_first {
        return Moment::At(*at);
    }
    match dice.below(Topic::Times, 100) {
        0..25 => {}
        25..50 => *at = *at + dice.length(Duration::from_secs(30)),
        50..70 => *at = *at + dice.length(Duration::from_secs(600)),
        _ => {
            let after = match dice.percent(Topic::Times, 60) {
                true => Duration::ZERO,
                false => dice.length(Duration::from_secs(20)),
            };
            return Moment::Seen((*dice.one(Topic::Times, MOMENTS)).to_owned(), after);
        }
    }
    Moment::At(*at)
}

/// What comes and goes: once, or again and again.
fn flap(dice: &mut Dice, at: Duration, words: &str, mended: &str, strikes: &mut Vec<Strike>) {
    let times = *dice.one(Topic::Times, &[1, 1, 1, 2, 4]);
    let mut at = at;
    for round in 0..times {
        let spell = *dice.one(Topic::Times, &SPELLS);
        if round > 0 {
            at = at + dice.length(spell);
            strikes.push(Strike::at(at, words));
        }
        at = at + Duration::from_millis(100) + dice.length(spell);
        strikes.push(Strike::at(at, mended));
    }
}
