//! Floor 7: what can be derived from finished runs.
//!
//! Reads runs and changes none. It does not know how anything is printed.

mod api_servers;
pub mod assertions;
pub mod availability;
mod compare;
pub mod estimate;
pub mod fidelity;
pub mod fuzz;
pub mod invariants;
pub mod lanes;
pub mod lesson;
mod milestones;
pub mod moment;
mod observations;
mod parallel;
mod phases;
mod quorum;
#[cfg(test)]
mod tests;
pub mod tune;
pub mod why;

pub use compare::{Comparison, Difference, Differing, Paired, Parting, Side, compare};
pub use estimate::{Estimate, estimate};
pub use milestones::{Milestone, NAMES as MILESTONES, milestones};
pub use observations::{Line, Observation, observations};
pub use parallel::Control;
pub use phases::{Phase, Phases, phases};
