//! healsim: a deterministic discrete-event simulator of how a cluster heals itself.

pub mod analysis;
pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
pub mod client;
pub mod components;
pub mod engine;
pub mod infra;
pub mod raft;
pub mod report;
pub mod scenario;
pub mod timeline;
pub mod wire;
pub mod world;
