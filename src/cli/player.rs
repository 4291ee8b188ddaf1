//! What the command line asks of whoever plays scenarios, and the words of the questions.
//!
//! An interface only, so that the command line is tested without a world.

use super::args::{Moment, Setting};
use crate::analysis::estimate::{Part, Shard};
use crate::analysis::lesson::Prepared;
use crate::analysis::tune::{OfMilestone, Played, Sensitivity, Sweep, Vary};
use crate::analysis::why::{self, Never, Settings, Shares, Why};
use crate::analysis::{Comparison, Control};
use crate::engine::{Duration, Text};
use crate::report::Listed;
use crate::report::html::Film;
use crate::report::kubectl::Got;
use crate::scenario::{OutageRate, Source};
use crate::timeline::Run;
use clap::ValueEnum;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Reads scenarios and plays them. An input is a name or a file, as typed. Each mistake in the
/// input is one text, complete with its place, and goes to standard error as it is (exit code 3).
pub trait Player {
    /// Plays one scenario with one seed.
    fn play(&self, input: &str, options: &Options, seed: u64) -> Result<Run, Vec<String>>;
    /// Plays one scenario with one seed, and keeps what its page shows beside the timeline.
    fn film(&self, input: &str, options: &Options, seed: u64) -> Result<Film, Vec<String>> {
        self.play(input, options, seed).map(Film::from)
    }
    /// Reads and validates one scenario without playing it.
    fn lint(&self, input: &str, options: &Options) -> Result<Linted, Vec<String>>;
    /// Fails if a question names what is not there; plays no more than one run for that.
    fn knows(
        &self,
        _input: &str,
        _options: &Options,
        _seed: u64,
        _named: &[Mention],
    ) -> Result<(), Vec<String>> {
        Ok(())
    }
    /// Everything of a kind, or what a word names of it.
    fn list(
        &self,
        what: Listing,
        platform: Option<&str>,
        word: Option<&str>,
    ) -> Result<Listed, Vec<String>>;
    /// The data of a scenario or platform, ending in a line's end.
    fn show(&self, what: Shown, name: &str) -> Result<String, Vec<String>>;
    /// Plays one scenario many times, as long as `control` lets it.
    fn estimate(
        &self,
        input: &str,
        options: &Options,
        many: &Many,
        control: &Control,
    ) -> Result<Part, Vec<String>>;
    /// Plays two scenarios with the same seeds, as long as `control` lets it.
    fn compare(
        &self,
        sides: [(&str, &Options); 2],
        versus: &Versus,
        control: &Control,
    ) -> Result<Comparison, Vec<String>>;
    /// Asks one run why a milestone comes when it comes, or why it does not.
    fn why(
        &self,
        input: &str,
        options: &Options,
        question: &why::Question,
        asked: &Asked,
    ) -> Result<Answer, Vec<String>>;
    /// Asks many runs, as long as `control` lets it; with the settings and a title.
    fn shares(
        &self,
        input: &str,
        options: &Options,
        question: &why::Question,
        asked: &Asked,
        control: &Control,
    ) -> Result<(Shares, Settings, String), Vec<String>>;
    /// Plays one scenario with other settings, as long as `control` lets it.
    fn tune(
        &self,
        input: &str,
        options: &Options,
        tuning: &Tuning,
        control: &Control,
    ) -> Result<Tuned, Vec<String>>;
    /// A lesson of a seed with all its answers.
    fn lesson(
        &self,
        input: &str,
        options: &Options,
        seed: u64,
        jobs: usize,
    ) -> Result<Prepared, Vec<String>>;
    /// What kubectl would print.
    fn get(&self, input: &str, options: &Options, get: &Question) -> Result<Got, Vec<String>>;
}

/// Something that a question names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mention {
    /// `Node/worker-0`, in one run.
    Object(Text),
    /// `Node/worker-0` or `Machine/new`, over many runs.
    OfMany(Text),
    /// One whose availability is measured, as `api`.
    Service(Text),
    /// `apiUnavailable`
    Milestone(Text),
}

/// A scenario that can be played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linted {
    pub name: String,
    /// With which it is played where nobody names another.
    pub seed: Option<u64>,
    /// The longest recovery time that a run can show.
    pub reach: Option<Duration>,
    /// What the user should know, each a line that says where it comes from.
    pub notes: Vec<String>,
    /// The services whose downtime is what a user of `probes` finds; that of others is counted by their containers.
    pub asked: BTreeSet<Text>,
}

impl Linted {
    /// The seed of the one run that is asked for: the user's, else the scenario's, else 1.
    pub fn seed(&self, asked: Option<u64>) -> u64 {
        asked.or(self.seed).unwrap_or(1)
    }
}

/// What a run of the scenario changes from what is written in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub platform: Option<String>,
    pub until: Option<Duration>,
    pub set: Vec<Setting>,
    /// Files of the user's own manifests.
    pub files: Vec<PathBuf>,
    /// What stands in them, once they are read.
    pub manifests: Vec<Source>,
    /// Whether what the scenario pins is drawn.
    pub free: bool,
    /// Whether every heartbeat is played.
    pub dense: bool,
}

impl Options {
    /// The words that give these options again; `--dense` changes no output.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        self.platform.iter().for_each(|platform| add("--platform", platform.clone()));
        self.until.iter().for_each(|until| add("--until", until.to_string()));
        words.extend(Setting::words("--set", &self.set));
        let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        self.files.iter().for_each(|file| add("-f", file.display().to_string()));
        words.extend(self.free.then(|| "--free".to_owned()));
        words
    }

    /// Reads the files; one that others have read already is not read again, because standard input
    /// can be read once.
    pub fn read(mut self, others: Option<&Options>) -> Result<Options, Vec<String>> {
        let known = |path: &PathBuf| {
            let others = others?;
            let at = others.files.iter().position(|other| other == path)?;
            others.manifests.get(at).cloned()
        };
        let read = |path: &PathBuf| match known(path) {
            Some(source) => Ok(source),
            None => Source::manifests(path).map_err(|mistake| vec![mistake.to_string()]),
        };
        self.manifests = self.files.iter().map(read).collect::<Result<_, _>>()?;
        Ok(self)
    }
}

/// How often a scenario is played, and on how many threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Many {
    /// The words after `healsim run` that play one run, all but the seed.
    pub words: Vec<Text>,
    pub first_seed: u64,
    /// Of all shards.
    pub runs: u64,
    /// How many of them are played with the assumed numbers at each end of their ranges.
    pub assumed_runs: u64,
    /// Whether each run ends when it has recovered for good.
    pub until_recovered: bool,
    pub shard: Shard,
    pub jobs: usize,
}

/// How often two scenarios are played beside each other, and on how many threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versus {
    pub first_seed: u64,
    pub runs: u64,
    pub jobs: usize,
}

/// Which runs a `why` asks, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Of the first run.
    pub seed: u64,
    pub runs: u64,
    pub jobs: usize,
    /// How long an operator's action may take until everything is well.
    pub patience: Duration,
}

/// What came of a question about one run.
#[derive(Clone, Debug)]
pub enum Answer {
    Way(Box<Why>),
    Never(Box<Never>),
}

/// Which other settings a scenario is played with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// What is to come sooner.
    pub of: OfMilestone,
    /// None for one step up and down of each.
    pub vary: Vec<Vary>,
    pub outages: Vec<OutageRate>,
    pub first_seed: u64,
    /// Of each.
    pub runs: u64,
    /// After how many runs a setting that has moved nothing is left; 0 for never.
    pub screened: u64,
    pub jobs: usize,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tuned {
    Sensitivity(Sensitivity),
    Sweep(Sweep),
}

impl Tuned {
    /// What was played.
    pub fn played(&self) -> &Played {
        match self {
            Tuned::Sensitivity(found) => &found.played,
            Tuned::Sweep(found) => &found.played,
        }
    }
}

/// One `get`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub resource: Resource,
    /// The one object that is asked for.
    pub name: Option<String>,
    /// Absent for the namespace `default`.
    pub scope: Option<Scope>,
    pub moment: Moment,
    pub seed: u64,
    /// Absent for kubectl's plain table.
    pub view: Option<View>,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Listing {
    Scenarios,
    Lessons,
    Platforms,
    Faults,
    Invariants,
    Settings,
}

/// What can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shown {
    Scenario,
    Platform,
}

/// What `get` can print; also one of each, and the short names that kubectl knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resource {
    #[value(aliases = ["node", "no"])]
    Nodes,
    #[value(aliases = ["machine", "ma"])]
    Machines,
    Vms,
    #[value(alias = "host")]
    Hosts,
    #[value(aliases = ["pod", "po"])]
    Pods,
    Etcd,
    #[value(aliases = ["deployment", "deploy"])]
    Deployments,
    #[value(name = "statefulsets", aliases = ["statefulset", "sts"])]
    StatefulSets,
    #[value(name = "daemonsets", aliases = ["daemonset", "ds"])]
    DaemonSets,
    #[value(alias = "job")]
    Jobs,
    #[value(name = "kubeadmcontrolplanes", aliases = ["kubeadmcontrolplane", "kcp"])]
    KubeadmControlPlanes,
    #[value(name = "virtualmachines", aliases = ["virtualmachine", "vm"])]
    VirtualMachines,
    #[value(alias = "secret")]
    Secrets,
    #[value(name = "configmaps", aliases = ["configmap", "cm"])]
    ConfigMaps,
    #[value(aliases = ["service", "svc"])]
    Services,
    #[value(name = "poddisruptionbudgets", aliases = ["poddisruptionbudget", "pdb"])]
    PodDisruptionBudgets,
    #[value(aliases = ["event", "ev"])]
    Events,
    #[value(alias = "lease")]
    Leases,
    #[value(name = "replicasets", aliases = ["replicaset", "rs"])]
    ReplicaSets,
    #[value(aliases = ["cluster", "cl"])]
    Clusters,
    #[value(name = "machinedeployments", aliases = ["machinedeployment", "md"])]
    MachineDeployments,
    #[value(name = "machinesets", aliases = ["machineset", "ms"])]
    MachineSets,
    #[value(name = "machinehealthchecks", aliases = ["machinehealthcheck", "mhc"])]
    MachineHealthChecks,
    #[value(name = "kubeadmconfigs", alias = "kubeadmconfig")]
    KubeadmConfigs,
    #[value(name = "vspheremachines", alias = "vspheremachine")]
    VSphereMachines,
    #[value(name = "volumeattachments", alias = "volumeattachment")]
    VolumeAttachments,
    /// What kubectl prints for the category `all`.
    All,
}

/// In which namespaces `get` looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Namespace(String),
    All,
}

/// How `get` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum View {
    Wide,
    Yaml,
    Json,
    Name,
}
