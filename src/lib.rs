//! healsim: a deterministic discrete-event simulator of how a cluster heals itself.

pub mod analysis;
pub mod engine;
pub mod timeline;
