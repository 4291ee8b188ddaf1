//! What a campaign plays in one run: a cluster, and what breaks in it when. It is a scenario, as a
//! person could have written it, so a finding is a file that everybody can play.

use crate::engine::{Duration, SimTime, Text};
use crate::scenario::{Game, Mistakes, Repair, Scenario, Source};
use std::fmt::Write as _;

/// A cluster and its faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub platform: Text,
    pub shape: Shape,
    /// Settings that are not the platform's, each with its value.
    pub settings: Vec<(String, String)>,
    /// Beside the platform's, each in the words of a scenario.
    pub workloads: Vec<String>,
    /// Users who try whether things work, each in the words of a scenario.
    pub probes: Vec<String>,
    pub strikes: Vec<Strike>,
    /// Of everything that is random in the run.
    pub seed: u64,
}

/// How many machines of which sort a cluster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub control_planes: u32,
    pub workers: u32,
    /// None for Nodes without zone labels.
    pub zones: u32,
    /// None for as many as the platform has.
    pub hosts: u32,
}

/// Something that is done to the cluster from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    pub moment: Moment,
    /// In the words of a scenario, as `stopUnit: { vm: worker-0, unit: kubelet }`.
    pub words: String,
}

/// When it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Counted from the run's beginning.
    At(Duration),
    /// So long after something was seen, in the words of an expectation.
    Seen(String, Duration),
}

impl Strike {
    /// At a time.
    pub fn at(at: Duration, words: impl Into<String>) -> Strike {
        Strike { moment: Moment::At(at), words: words.into() }
    }

    /// What an operator does at a time, or once he sees what he waits for.
    pub fn of(repair: Repair, at: SimTime) -> Strike {
        let moment = match repair.seen {
            None => Moment::At(at.since(SimTime::ZERO)),
            Some(seen) => Moment::Seen(seen.to_string(), Duration::ZERO),
        };
        Strike { moment, words: repair.words.to_string() }
    }

    /// The kind of the fault, as `stopUnit`.
    pub fn kind(&self) -> &str {
        self.words.split(':').next().unwrap_or_default()
    }
}

impl Schedule {
    /// The scenario of this name, with more lines of `spec` after the faults.
    pub fn scenario(&self, name: &str, until: Duration, more: &str) -> String {
        let Shape { control_planes, workers, zones, hosts } = self.shape;
        let some =
            |what, count| if count > 0 { format!(", {what}: {count}") } else { String::new() };
        let (hosts, zones) = (some("hosts", hosts), some("zones", zones));
        let mut text = format!(
            "apiVersion: healsim/v1\nkind: Scenario\nmetadata:\n  name: {name}\nspec:\n  platform: \
             {}\n  seed: {}\n  cluster: {{ controlPlane: {control_planes}, workers: \
             {workers}{hosts}{zones} }}\n",
            self.platform, self.seed
        );
        if !self.settings.is_empty() {
            text.push_str("  settings:\n");
        }
        for (key, value) in &self.settings {
            let _ = writeln!(text, "    {key}: \"{value}\"");
        }
        if !self.workloads.is_empty() {
            text.push_str("  workloads:\n");
        }
        for workload in &self.workloads {
            let _ = writeln!(text, "    - {workload}");
        }
        if !self.probes.is_empty() {
            let _ = writeln!(text, "  probes: [{}]", self.probes.join(", "));
        }
        text.push_str(if self.strikes.is_empty() { "  faults: []\n" } else { "  faults:\n" });
        for strike in &self.strikes {
            let _ = writeln!(text, "    - {{ {}, {} }}", strike.moment.words(), strike.words);
        }
        let _ = writeln!(text, "  until: {until}");
        text.push_str(more);
        text
    }

    /// The run, ready to be played.
    ///
    /// # Errors
    /// Something of it cannot be: a setting that does not go with another, for example.
    pub fn game(&self, until: Duration) -> Result<Game, Mistakes> {
        let text = self.scenario("fuzz", until, "");
        let scenario = Scenario::read(Source::embedded("fuzz.yaml", &text))?;
        Game::new(&scenario, None, &[], None)
    }
}

impl Moment {
    fn words(&self) -> String {
        match self {
            Moment::At(at) => format!("at: {at}"),
            Moment::Seen(what, after) if after.is_zero() => format!("when: \"{what}\""),
            Moment::Seen(what, after) => format!("when: \"{what}\", after: {after}"),
        }
    }
}
