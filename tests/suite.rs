//! All tests of whole worlds, as one program: it is linked once, and its tests fill both processors to
//! the end. `cargo test --test suite NAME::` runs one file of them.

mod budgets;
mod cli;
mod cloud;
mod cluster_api;
mod control_planes;
mod disks;
mod estimate;
mod fidelity;
mod fidelity_control_plane;
mod fidelity_etcd;
mod fidelity_published;
mod fidelity_remediation;
mod fidelity_workloads;
mod frozen;
mod health;
mod hosts;
mod inputs;
mod joining;
mod lines;
mod links;
mod load_balancer;
mod mechanism;
mod probes;
mod quorum;
mod scenarios;
mod sparse;
mod static_pods;
mod tidy;
mod traces;
mod tune;
mod volumes;
mod why;
mod workers;
mod zones;
