//! What is held against what: recordings of control planes, and the experiment that plays each.

use super::super::compare::{Comparison, compare};
use super::super::explained::Known;
use super::super::recorded::{NEW, OLD};
use super::super::recording::Recording;
use super::super::steps::Steps;
use super::experiments::{self, DOWN, End, Gone, Trial};
use super::explained::{DOWN_FOR_60_S, QUORUM_1_30, QUORUM_1_34, SILENT, WORDS};
use super::rig::machines;
use super::{leases, probes, processes, words};
use crate::analysis::parallel::each;
use crate::engine::{Delay, Duration};
use crate::world::Blueprint;
use std::path::Path;

/// One recording and how its fault is played.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub title: &'static str,
    /// Its file in `tests/measured`.
    pub file: &'static str,
    pub platform: &'static str,
    pub experiment: Experiment,
    /// How long quick requests took before the fault, from the tenth to the ninetieth of a hundred: the
    /// recording machine's two cores were saturated.
    pub busy: Delay,
    /// How many trials `cargo test` plays.
    pub test_trials: u64,
    pub known: &'static [Known],
}

/// Which fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    QuorumLost,
    BackendGone(Gone),
    ServerDown,
    Takeover(End),
    Words,
}

/// All comparisons, in the order of the document.
pub const ALL: &[Held] = &[
    Held {
        title: "A lost quorum: Kubernetes 1.30.14",
        file: "etcd_quorum_lost.k8s-1.30.14.jsonl",
        platform: OLD,
        experiment: Experiment::QuorumLost,
        busy: between(18, 302),
        test_trials: 36,
        known: &QUORUM_1_30,
    },
    Held {
        title: "A lost quorum: Kubernetes 1.34.4",
        file: "etcd_quorum_lost.k8s-1.34.4.jsonl",
        platform: NEW,
        experiment: Experiment::QuorumLost,
        busy: between(19, 128),
        test_trials: 36,
        known: &QUORUM_1_34,
    },
    Held {
        title: "An API server behind a load balancer goes silent: Kubernetes 1.34.4",
        file: "apiserver_behind_lb_silent.k8s-1.34.4.jsonl",
        platform: NEW,
        experiment: Experiment::BackendGone(Gone::Silent),
        busy: between(0, 0),
        test_trials: 40,
        known: &SILENT,
    },
    Held {
        title: "An API server behind a load balancer is gone, its connections reset: Kubernetes 1.34.4",
        file: "apiserver_behind_lb_reset.k8s-1.34.4.jsonl",
        platform: NEW,
        experiment: Experiment::BackendGone(Gone::Reset),
        busy: between(0, 0),
        test_trials: 40,
        known: &[],
    },
    Held {
        title: "The only API server killed, and started again after 60 s: Kubernetes 1.30.14",
        file: "apiserver_down_60s.k8s-1.30.14.jsonl",
        platform: OLD,
        experiment: Experiment::ServerDown,
        busy: between(18, 302),
        test_trials: 60,
        known: &DOWN_FOR_60_S,
    },
    Held {
        title: "The only API server killed, and started again after 60 s: Kubernetes 1.34.4",
        file: "apiserver_down_60s.k8s-1.34.4.jsonl",
        platform: NEW,
        experiment: Experiment::ServerDown,
        busy: between(19, 128),
        test_trials: 60,
        known: &DOWN_FOR_60_S,
    },
    takeover(
        "A leading controller-manager gets SIGKILL: Kubernetes 1.30.14",
        "takeover-sigkill.k8s-1.30.14.txt",
        OLD,
        End::Kill,
    ),
    takeover(
        "A leading controller-manager gets SIGKILL: Kubernetes 1.34.4",
        "takeover-sigkill.k8s-1.34.4.txt",
        NEW,
        End::Kill,
    ),
    takeover(
        "A leading controller-manager gets SIGTERM: Kubernetes 1.30.14",
        "takeover-sigterm.k8s-1.30.14.txt",
        OLD,
        End::Terminate,
    ),
    takeover(
        "A leading controller-manager gets SIGTERM: Kubernetes 1.34.4",
        "takeover-sigterm.k8s-1.34.4.txt",
        NEW,
        End::Terminate,
    ),
    Held {
        title: "What kubectl prints without a quorum, and without an API server: Kubernetes 1.34.4",
        file: "kubectl_words.k8s-1.34.4.jsonl",
        platform: NEW,
        experiment: Experiment::Words,
        // What the same commands took when all was well.
        busy: between(320, 950),
        test_trials: 12,
        known: &WORDS,
    },
];

const fn takeover(
    title: &'static str,
    file: &'static str,
    platform: &'static str,
    end: End,
) -> Held {
    let experiment = Experiment::Takeover(end);
    let busy = between(0, 0);
    Held { title, file, platform, experiment, busy, test_trials: 200, known: &[] }
}

/// A delay between two numbers of milliseconds.
const fn between(low: u64, high: u64) -> Delay {
    Delay { low: Duration::from_millis(low), high: Duration::from_millis(high) }
}

impl Experiment {
    /// How many API servers and workers it has.
    fn shape(self) -> (u32, u32) {
        match self {
            Experiment::QuorumLost | Experiment::Words => (3, 3),
            Experiment::BackendGone(_) => (2, 8),
            Experiment::ServerDown => (1, 5),
            // Two controller-managers.
            Experiment::Takeover(_) => (2, 1),
        }
    }

    fn play(self, machines: &Blueprint, trial: Trial) -> Steps {
        match self {
            Experiment::QuorumLost => experiments::quorum_lost(machines, trial),
            Experiment::BackendGone(how) => experiments::backend_gone(machines, how, trial),
            Experiment::ServerDown => experiments::server_down(machines, trial),
            Experiment::Takeover(end) => experiments::takeover(machines, end, trial),
            Experiment::Words => experiments::kubectl_words(machines, trial),
        }
    }

    fn recorded(self, text: &str) -> Result<Vec<Steps>, String> {
        let recording = || Recording::read(text).map_err(|error| error.to_string());
        match self {
            Experiment::QuorumLost => Ok(vec![probes::steps(&probes::of_recording(text)?)]),
            Experiment::BackendGone(_) => {
                Ok(vec![leases::steps(&leases::of_recording(&recording()?)?)])
            }
            Experiment::ServerDown => Ok(vec![processes::steps(&recording()?.rows, 0, DOWN)]),
            Experiment::Takeover(_) => processes::takeovers(text),
            Experiment::Words => Ok(vec![words::steps(&words::of_recording(text)?)]),
        }
    }
}

impl Held {
    /// The recorded steps; the file lies in `folder`.
    ///
    /// # Errors
    /// Why the file cannot be read, or is no recording.
    pub fn recorded(&self, folder: &Path) -> Result<Vec<Steps>, String> {
        let path = folder.join(self.file);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        self.experiment.recorded(&text)
    }

    /// The simulated steps of so many trials with these settings besides, in parallel.
    ///
    /// # Errors
    /// The mistakes in the settings, in words.
    pub fn simulated(
        &self,
        set: &[(&str, &str)],
        trials: u64,
        jobs: usize,
    ) -> Result<Vec<Steps>, String> {
        let machines = machines(self.platform, self.experiment.shape(), set)
            .map_err(|wrong| wrong.to_string())?;
        Ok(each(1..trials + 1, jobs, |seed| self.experiment.play(&machines, (self.busy, seed))))
    }

    /// Both sides, compared.
    ///
    /// # Errors
    /// As its two sides.
    pub fn compared(
        &self,
        folder: &Path,
        set: &[(&str, &str)],
        trials: u64,
        jobs: usize,
    ) -> Result<Comparison, String> {
        let (recorded, simulated) = (self.recorded(folder)?, self.simulated(set, trials, jobs)?);
        Ok(compare(&recorded, &simulated).explain(self.known))
    }
}
