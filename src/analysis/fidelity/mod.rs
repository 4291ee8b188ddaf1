//! Holds simulated runs against recordings of real clusters.
//!
//! `recording` reads what was measured, `steps` brings both sides into the same words, `compare`
//! judges them step by step and `table` prints the verdicts. `statistics`, `arithmetic` and
//! `heartbeats` answer questions about one distribution. Nothing here knows how runs are made.

pub mod arithmetic;
pub mod campaign;
pub mod compare;
pub mod control_plane;
pub mod etcd;
pub mod explained;
pub mod heartbeats;
pub mod published;
pub mod recorded;
pub mod recording;
pub mod remediation;
pub mod statistics;
pub mod steps;
pub mod table;
pub mod words;
