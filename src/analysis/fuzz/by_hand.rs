//! A schedule as a person writes it in a test, and as a test has it written out.

use super::schedule::{Moment, Schedule, Shape, Strike};
use crate::engine::{Duration, Text};
use std::fmt::Write as _;

impl Shape {
    /// So many control-plane VMs and workers, in no zones, on as many hosts as the platform has.
    pub const fn new(control_planes: u32, workers: u32) -> Shape {
        Shape { control_planes, workers, zones: 0, hosts: 0 }
    }
}

/// A cluster of a platform in which nothing breaks yet; each call adds something to it. Whether all
/// of it goes together is found when it is played.
///
/// ```
/// use healsim::analysis::fuzz::{Schedule, Shape};
/// use healsim::engine::Duration;
///
/// let schedule = Schedule::on("tkgs-2024", Shape::new(3, 2))
///     .set("machineHealthCheck.unknownTimeout", "3m")
///     .at(Duration::from_secs(10), "stopUnit: { vm: worker-0, unit: kubelet }");
/// assert!(schedule.to_code().contains(".at(Duration::from_millis(10000), \"stopUnit: {"));
/// assert!(schedule.game(Duration::from_secs(60)).is_ok());
/// ```
impl Schedule {
    /// A platform of `healsim list platforms`, and how many machines the cluster has.
    pub fn on(platform: &str, shape: Shape) -> Schedule {
        Schedule {
            platform: Text::from(platform),
            shape,
            settings: Vec::new(),
            workloads: Vec::new(),
            probes: Vec::new(),
            strikes: Vec::new(),
            seed: 1,
        }
    }

    /// With another value of a setting of `healsim list settings`.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<String>) -> Schedule {
        self.settings.push((key.to_owned(), value.into()));
        self
    }

    /// With a workload, as `{ name: web, replicas: 2, runsOn: workers }`.
    #[must_use]
    pub fn workload(mut self, words: &str) -> Schedule {
        self.workloads.push(words.to_owned());
        self
    }

    /// With a user who tries whether things work, as `{ api: endpoint }` (`docs/probes.md`).
    #[must_use]
    pub fn probe(mut self, words: &str) -> Schedule {
        self.probes.push(words.to_owned());
        self
    }

    /// With something that is done at a time, counted from the run's beginning, in the words of a
    /// scenario (`docs/faults.md`).
    #[must_use]
    pub fn at(mut self, at: Duration, words: &str) -> Schedule {
        self.strikes.push(Strike::at(at, words));
        self
    }

    /// With something that is done so long after something was seen, as `Node Ready=Unknown`.
    #[must_use]
    pub fn seen(mut self, what: &str, after: Duration, words: &str) -> Schedule {
        let moment = Moment::Seen(what.to_owned(), after);
        self.strikes.push(Strike { moment, words: words.to_owned() });
        self
    }

    /// With the seed of everything that is random in the run.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Schedule {
        self.seed = seed;
        self
    }

    /// The Rust expression that makes it; it names `Schedule`, `Shape` and `Duration`.
    pub fn to_code(&self) -> String {
        let Shape { control_planes, workers, zones, hosts } = self.shape;
        let shape = match (zones, hosts) {
            (0, 0) => format!("Shape::new({control_planes}, {workers})"),
            _ => format!(
                "Shape {{ zones: {zones}, hosts: {hosts}, ..Shape::new({control_planes}, {workers}) }}"
            ),
        };
        let mut code = format!("Schedule::on({:?}, {shape})", self.platform.as_str());
        for (key, value) in &self.settings {
            let _ = write!(code, "\n    .set({key:?}, {value:?})");
        }
        for workload in &self.workloads {
            let _ = write!(code, "\n    .workload({workload:?})");
        }
        for probe in &self.probes {
            let _ = write!(code, "\n    .probe({probe:?})");
        }
        for Strike { moment, words } in &self.strikes {
            let _ = match moment {
                Moment::At(at) => write!(code, "\n    .at({}, {words:?})", duration(*at)),
                Moment::Seen(what, after) => {
                    write!(code, "\n    .seen({what:?}, {}, {words:?})", duration(*after))
                }
            };
        }
        if self.seed != 1 {
            let _ = write!(code, "\n    .seed({})", self.seed);
        }
        code
    }
}

/// The Rust expression of a length of time.
pub(in crate::analysis) fn duration(length: Duration) -> String {
    match length.as_micros() {
        0 => "Duration::ZERO".to_owned(),
        micros if micros % 1_000 == 0 => format!("Duration::from_millis({})", micros / 1_000),
        micros => format!("Duration::from_micros({micros})"),
    }
}
