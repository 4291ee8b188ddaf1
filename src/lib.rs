//! healsim: a deterministic discrete-event simulator of how a cluster heals itself.

pub mod engine;
pub mod timeline;

pub mod analysis;

pub mod report;

#[cfg(feature = "cli")]
pub mod cli;
