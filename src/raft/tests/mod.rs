//! Raft, rule by rule and law by law.

mod bench;
mod elections;
mod groups;
mod laws;
mod network;
mod properties;
mod replication;
mod timing;
