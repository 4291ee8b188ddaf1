//! Floor 6: scenarios: what breaks when, read from a file, played to the end, and judged.

#[cfg(test)]
mod action_tests;
mod actions;
mod api_health;
mod assumed;
mod awaited;
mod catalog;
#[cfg(test)]
mod catalog_tests;
mod changed;
mod derived;
mod documents;
mod etcd_health;
mod etcd_lab;
mod expect;
mod faults;
mod file;
mod form;
mod founding;
mod given;
mod health;
mod hosts;
mod keys;
mod lacks;
mod lesson;
mod lines;
mod manifests;
mod members_anew;
mod mistake;
pub mod models;
mod names;
mod outages;
mod own;
mod play;
mod probes;
mod question;
mod rates;
mod room;
mod settings;
mod simulation;
mod stage;
#[cfg(test)]
mod tests;
mod workloads;
mod yaml;
mod yaml_words;

pub use actions::{Action, REPAIRS, actions};
pub use assumed::{RangeEnd, at_end};
pub use awaited::only_looks;
pub use catalog::{Basis, CHECK, Catalog, PLANE_CHECK, Setting};
pub use derived::Derived;
pub use etcd_lab::etcd_lab;
pub use expect::{Expectation, Names, Pattern, Seen, Sight, Subject};
pub use faults::{
    CutLink, CutZone, DeleteVm, Fault, FillDisk, FreeDisk, FreezeProcess, HealDisk, HealLink,
    IsolateVm, KINDS, KillProcess, Kubectl, Link, LossyLink, NO_NAMESPACES, PowerOff, PowerOffHost,
    PowerOffZone, PowerOn, PowerOnHost, PowerOnZone, RejoinVm, RejoinZone, RemoveFile, RestoreFile,
    Signal, SkewClock, SlowDisk, SlowLink, StallDisk, StartUnit, StopUnit, SyncClock, ThawProcess,
    Ways, WriteFile,
};
pub use file::{Resolved, Scenario, read_until};
pub use form::Form;
pub use lacks::{SEEN_ON_THE_SPOT, SERVES_NOT, is_well, lacks};
pub use lesson::{About, Because, Claim, Disaster, Instant, Question, STATUS, Table};
pub use mistake::{Mistake, Mistakes, nearest};
pub use names::Known;
pub use outages::{NotAnOutage, OutageKind, OutageRate, Quiet};
pub use play::{Changes, Game, KnownSetting, load, play};
pub use probes::that_says as probes_that_say;
pub use question::Printed;
pub use rates::{Failure, Plant, PlantCount};
pub use settings::blueprint;
pub use simulation::{
    Observer, Plan, Played, Repair, STUCK_AFTER, Simulation, default_budget, moves,
};
pub use yaml::Source;
