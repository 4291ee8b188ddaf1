//! Floor 6: scenarios: what breaks when, read from a file, played to the end, and judged.

mod catalog;
mod expect;
mod faults;
mod file;
mod health;
mod mistake;
pub mod models;
mod play;
mod settings;
mod simulation;
#[cfg(test)]
mod tests;
mod workloads;
mod yaml;

pub use catalog::{Basis, Catalog, Setting};
pub use expect::{Expectation, Pattern};
pub use faults::{Fault, KINDS, KillProcess, Kubectl, PowerOff, StopUnit};
pub use file::{Resolved, Scenario};
pub use health::is_well;
pub use mistake::Mistake;
pub use play::{Game, load, play};
pub use settings::blueprint;
pub use simulation::{DEFAULT_BUDGET, Observer, Plan, Played, Simulation};
pub use yaml::Source;
