//! healsim: a deterministic discrete-event simulator of how a cluster heals itself.

pub mod api;
pub mod client;
pub mod components;
pub mod engine;
pub mod infra;
pub mod timeline;
pub mod wire;
