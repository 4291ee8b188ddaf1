//! Floor 5: builds the processes, delivers events and messages, keeps the timeline and its causes.
//!
//! The only place that knows every component. It is a table and a post office, not a place for
//! behavior.

mod blueprint;
mod build;
mod causes;
mod control_plane;
mod core;
mod deliver;
mod disk;
mod etcd_lab;
mod etcd_view;
mod freeze;
mod furnish;
mod hosts;
mod infra;
mod managers;
mod messages;
mod power;
mod probing;
mod process;
mod programs;
mod record;
mod rest;
mod steady;
mod trace;
mod transport;
mod view;

pub use blueprint::{
    ApiUser, Blueprint, ClusterApiTables, ControlPlaneMachines, ControlPlaneNodes,
    DeletionTimeouts, HostPlan, JobsTable, Leaders, Management, Probe, Provider, RunsOn, Settings,
    Users, Workload, WorkloadKind,
};
pub use build::{API_PORT, ETCD_PORT, MANAGEMENT_CLUSTER, WORKLOAD_CLUSTER};
pub use control_plane::{CONTROLLER_MANAGER_PORT, SCHEDULER_PORT};
pub use core::{Core, World};
pub use etcd_lab::History;
pub use etcd_view::{EtcdMember, EtcdProcess};
pub use hosts::host_name;
pub use infra::Infra;
pub use managers::ManagerElections;
pub use process::{CustomProcess, Process};
pub use record::OUT_OF_CRASH_LOOP;
pub use view::{EtcdRole, View};
