//! Floor 7: what can be derived from finished runs.
//!
//! Reads runs and changes none. It does not know how anything is printed.

pub mod fidelity;
mod milestones;
#[cfg(test)]
mod tests;

pub use milestones::{Milestone, milestones};
