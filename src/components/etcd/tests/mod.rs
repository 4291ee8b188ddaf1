//! Etcd: what one member commits, what several agree on, and what clients get when they cannot.

mod backend;
mod check;
mod cluster;
mod elections;
mod errors;
mod leases;
mod membership;
mod recovery;
mod rest;
mod single;
