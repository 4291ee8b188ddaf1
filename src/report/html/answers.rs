//! What kubectl is answered over a run: the table, or why there is none.
//!
//! A person's question is played in a copy of the run (`Simulation::ask_for`). It is asked whenever
//! something of the way to the objects changes, and in between where the answers before and after
//! differ. Simplified: an answer that changes and changes back between two such moments is not seen.

use crate::api::Kind;
use crate::engine::{Duration, SimTime};
use crate::report::kubectl;
use crate::scenario::{Game, Simulation};
use crate::timeline::{Entry, Run};

/// Who answers for whom: a kind that stands for its cluster's API, and the tables that come from it. Words that
/// name the kind (`(get nodes)`, the path that was asked for) the page says with the table's own.
pub const SOURCES: [(Kind, &[&str]); 2] =
    [(Kind::Node, &["nodes", "pods"]), (Kind::Machine, &["machines"])];

/// What kubectl says, from when on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// In the order of [`SOURCES`]; none: it prints the table.
    pub said: [Vec<(SimTime, Option<String>)>; SOURCES.len()],
    /// From then on nobody was asked any more, for it would have taken too long.
    pub asked_until: Option<SimTime>,
}

/// A change of the answer is found to within this time.
const FINE: Duration = Duration::from_millis(20);

/// So many VMs times questions are played; with more a page would take minutes.
const EFFORT: usize = 20_000;

/// Asks over the whole of a run that was played already.
pub fn answers(game: &Game, run: &Run) -> Answers {
    asked(game.begin(run.seed), run.timeline.happened(), run.ended_at)
}

/// Asks from now on over what will happen, which is known already, up to a time.
pub fn asked(mut simulation: Simulation, happened: &[Entry], until: SimTime) -> Answers {
    let beginning = [simulation.view().now()];
    let moments = happened.iter().filter(|entry| matters(entry));
    let mut moments: Vec<SimTime> = beginning.into_iter().chain(moments.map(|it| it.at)).collect();
    moments.dedup();
    let vms = simulation.view().vms().count().max(1);
    let mut asker = Asker { answers: Answers::default(), left: (EFFORT / vms).max(8) };
    for at in moments {
        asker.stretch(&simulation, at);
        simulation.run_until(at);
        asker.note(&simulation);
    }
    asker.stretch(&simulation, until + Duration::from_micros(1));
    asker.answers
}

/// True for what may change how an API server is reached, or what it can answer.
fn matters(entry: &Entry) -> bool {
    let serves = |name: &str| name.starts_with("kube-apiserver@") || name.starts_with("etcd@");
    match entry.kind.as_str() {
        "Process" => serves(&entry.name) && entry.field != "log",
        "VM" => entry.field != "host" && !entry.name.starts_with("worker-"),
        "Fault" | "Endpoint" | "EtcdMember" | "Host" => true,
        "Probe" => entry.name.starts_with("api"),
        _ => false,
    }
}

struct Asker {
    answers: Answers,
    /// How many questions may still be asked.
    left: usize,
}

type Said = [Option<String>; SOURCES.len()];

impl Asker {
    /// Looks for changes from now until just before a time.
    fn stretch(&mut self, from: &Simulation, until: SimTime) {
        let mut low = from.fork();
        let end = SimTime::from_micros(until.as_micros().saturating_sub(1));
        while low.view().now() < end && self.left > 0 {
            let last = self.last();
            let mut high = at(&low, end);
            if self.ask(&high) == last {
                return;
            }
            while high.view().now().since(low.view().now()) > FINE && self.left > 0 {
                let half = high.view().now().since(low.view().now()).scaled(1, 2);
                let middle = at(&low, low.view().now() + half);
                match self.ask(&middle) == last {
                    true => low = middle,
                    false => high = middle,
                }
            }
            self.note(&high);
            low = high;
        }
    }

    fn note(&mut self, simulation: &Simulation) {
        let now = simulation.view().now();
        if self.left == 0 {
            self.answers.asked_until.get_or_insert(now);
            return;
        }
        for (said, words) in self.ask(simulation).into_iter().zip(&mut self.answers.said) {
            if words.last().is_none_or(|(_, last)| *last != said) {
                words.push((now, said));
            }
        }
    }

    fn ask(&mut self, simulation: &Simulation) -> Said {
        self.left = self.left.saturating_sub(1);
        SOURCES.map(|(kind, _)| kubectl::refusal(simulation.ask_for(kind)))
    }

    fn last(&self) -> Said {
        self.answers.said.each_ref().map(|said| said.last().and_then(|(_, words)| words.clone()))
    }
}

/// A copy of the run at a later time.
fn at(simulation: &Simulation, time: SimTime) -> Simulation {
    let mut copy = simulation.fork();
    copy.run_until(time);
    copy
}
