//! Raft, rule by rule and law by law.

mod bench;
mod disk;
mod elections;
mod groups;
mod laws;
mod network;
mod progress;
mod properties;
mod replication;
mod settled;
mod timing;
