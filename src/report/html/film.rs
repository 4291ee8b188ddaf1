//! A run and all that its page shows beside the timeline: kubectl's tables, etcd's members, what
//! kubectl is answered, and the critical path.
//!
//! A film is made while the run is played, for the tables are those of `report::kubectl`: the page
//! and `healsim get --at` print the same rows. It changes nothing of the run.

use super::answers::{Answers, answers, asked};
use super::levels::{Levels, levels, new_levels};
use super::members::Members;
use super::way::{Way, way};
use crate::analysis::invariants::Laws;
use crate::analysis::lesson::Outcome;
use crate::api::Kind;
use crate::engine::{Duration, SimTime, Text};
use crate::report::kubectl::{self, Row};
use crate::scenario::{Game, Observer, Simulation};
use crate::timeline::{Entry, Run};
use crate::world::{View, WORKLOAD_CLUSTER};
use std::collections::BTreeMap;

/// The kinds that have a table on the page, with the word for `get`.
pub const TABLES: [(&str, Kind); 3] =
    [("nodes", Kind::Node), ("machines", Kind::Machine), ("pods", Kind::Pod)];

/// A run, and what was seen of it.
#[derive(Clone, Debug, Default)]
pub struct Film {
    pub run: Run,
    /// Of nodes, machines and pods, in the order of `TABLES`.
    pub tables: Vec<Vec<RowChange>>,
    pub members: Members,
    pub answers: Answers,
    /// Each host with its zone, where there are zones; and each VM that was on none at first.
    pub zones: Vec<(Text, Text)>,
    /// Where each endpoint led at first; no entry tells it until that changes.
    pub endpoints: Vec<(Text, Vec<Text>)>,
    /// How well each service served that no user asks.
    pub levels: Levels,
    pub way: Way,
}

impl From<Run> for Film {
    /// Of a run that nobody filmed there is the timeline alone.
    fn from(run: Run) -> Film {
        Film { run, ..Film::default() }
    }
}

/// A row that came, changed or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    pub at: SimTime,
    pub name: Text,
    /// None once it is gone.
    pub row: Option<Row>,
}

/// Plays a game to its end under all laws, and films it.
pub fn film(game: &Game, seed: u64) -> Film {
    let mut simulation = game.begin(seed);
    let mut laws = Laws::new();
    let mut camera = Camera::of_a_run(game.until().since(SimTime::ZERO));
    laws.look(simulation.view());
    camera.look(simulation.view());
    let zones = zones(simulation.view());
    let endpoints = endpoints(simulation.view());
    camera.play(&mut simulation, game.until(), &mut laws);
    simulation.run(&mut Both(&mut laws, &mut camera));
    let violations = laws.end(&simulation);
    let levels = levels(&simulation);
    let mut run = game.judge(simulation.finish(), seed);
    run.invariants_checked = laws.checked();
    run.violated = violations.iter().map(|violation| violation.told()).collect();
    let answers = answers(game, &run);
    let way = way(game, &run);
    let (tables, members) = (camera.tables.into(), camera.members);
    Film { run, tables, members, answers, zones, endpoints, levels, way }
}

/// Films what comes of an action in a fork of the run, which stops now: all that is new in it. It is the
/// outcome's run, played once more with somebody who looks.
pub fn film_fork(stop: &Simulation, outcome: &Outcome) -> Film {
    let (now, until) = (stop.view().now(), outcome.run.ended_at);
    let mut fork = stop.treated(outcome.action.as_ref(), until.since(now));
    let asked = asked(fork.fork(), new_in(stop, outcome), until);
    let mut camera = Camera::of_a_run(until.since(SimTime::ZERO));
    camera.look(stop.view());
    // What was there before the fork is the run's own.
    camera.tables = Default::default();
    camera.look(fork.view());
    camera.play(&mut fork, until, &mut Nobody);
    let run = outcome.run.clone();
    let tables = camera.tables.into();
    let levels = new_levels(stop, &fork);
    Film { run, tables, members: camera.members, answers: asked, levels, ..Film::default() }
}

/// The entries of an outcome's run that the run does not share, which stops there.
pub fn new_in<'a>(stop: &Simulation, outcome: &'a Outcome) -> &'a [Entry] {
    &outcome.run.timeline.entries()[stop.view().timeline().entries().len()..]
}

/// Looks at nothing.
struct Nobody;

impl Observer for Nobody {
    fn look(&mut self, _: View) {}
}

/// The zones of hosts, and of VMs where no host is known.
fn zones(view: View) -> Vec<(Text, Text)> {
    let hosts = view.hosts().map(|host| (&host.name, &host.place));
    let vms = view.vms().filter(|vm| vm.host.is_none()).map(|vm| (&vm.name, &vm.place));
    let placed = hosts.chain(vms);
    placed.filter_map(|(name, place)| Some((name.clone(), place.as_ref()?.zone.clone()))).collect()
}

fn endpoints(view: View) -> Vec<(Text, Vec<Text>)> {
    let backends = view.balanced_backends().into_iter();
    backends.map(|backends| (WORKLOAD_CLUSTER, backends)).collect()
}

struct Both<'a>(&'a mut dyn Observer, &'a mut Camera);

impl Observer for Both<'_> {
    fn look(&mut self, view: View) {
        self.0.look(view);
        self.1.look(view);
    }
}

/// Writes down rows whenever an entry tells that something may have changed.
#[derive(Default)]
struct Camera {
    tables: [Vec<RowChange>; TABLES.len()],
    /// What each table shows now.
    shown: [BTreeMap<Text, Row>; TABLES.len()],
    members: Members,
    /// How many entries it has seen.
    seen: usize,
}

impl Observer for Camera {
    fn look(&mut self, view: View) {
        let entries = view.timeline().entries();
        let news = &entries[self.seen..];
        if news.is_empty() {
            return;
        }
        // Another member's store may be the one that is looked at from now on.
        if self.seen == 0 || news.iter().any(touches_etcd) {
            (0..TABLES.len()).for_each(|table| self.look_at_all(table, view));
        } else {
            news.iter().for_each(|entry| self.look_at(entry, view));
        }
        self.members.look(view);
        self.seen = entries.len();
    }
}

fn touches_etcd(entry: &Entry) -> bool {
    entry.kind == "EtcdMember"
        || entry.kind == "Process" && entry.field == "running" && entry.name.starts_with("etcd@")
}

impl Camera {
    fn of_a_run(length: Duration) -> Camera {
        Camera { members: Members::of_a_run(length), ..Camera::default() }
    }

    /// Plays up to a time, or to the end, while somebody else looks too, and stops for every sample of
    /// etcd's members.
    fn play(&mut self, simulation: &mut Simulation, until: SimTime, other: &mut dyn Observer) {
        let every = self.members.every.as_micros();
        loop {
            let now = simulation.view().now().as_micros();
            let next = SimTime::from_micros((now / every + 1) * every).min(until);
            simulation.watch_until(next, &mut Both(other, self));
            self.members.look(simulation.view());
            if simulation.view().now() < next || next == until {
                return;
            }
        }
    }

    fn look_at_all(&mut self, table: usize, view: View) {
        let kind = TABLES[table].1;
        let there: BTreeMap<Text, Row> = view
            .objects(kind)
            .filter(|object| kubectl::is_shown(object.key()))
            .map(|object| (object.name().clone(), Row::of(object)))
            .collect();
        let gone = self.shown[table].keys().filter(|name| !there.contains_key(*name));
        let gone: Vec<Text> = gone.cloned().collect();
        gone.into_iter().for_each(|name| self.note(table, view.now(), name, None));
        for (name, row) in there {
            self.note(table, view.now(), name, Some(row));
        }
    }

    fn look_at(&mut self, entry: &Entry, view: View) {
        let Some(table) = TABLES.iter().position(|(_, kind)| entry.kind == *kind.name()) else {
            return;
        };
        let row = view.object(&kubectl::key(TABLES[table].1, &entry.name));
        let row = row.map(|object| Row::of(&object));
        self.note(table, view.now(), entry.name.clone(), row);
    }

    fn note(&mut self, table: usize, at: SimTime, name: Text, row: Option<Row>) {
        if self.shown[table].get(&name) == row.as_ref() {
            return;
        }
        match &row {
            Some(row) => self.shown[table].insert(name.clone(), row.clone()),
            None => self.shown[table].remove(&name),
        };
        self.tables[table].push(RowChange { at, name, row });
    }
}
