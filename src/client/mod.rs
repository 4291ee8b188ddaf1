//! Floor 3: client-go's parts: requests with time-outs, informers, work queues, event recorders,
//! and the shell in which a controller runs.
//!
//! Knows how a client talks to an API server; what any particular controller wants is not known.

mod api;
mod away;
#[cfg(test)]
mod away_tests;
mod clients;
mod cluster;
mod cluster_cache;
#[cfg(test)]
mod cluster_cache_tests;
mod elected;
#[cfg(test)]
mod elected_tests;
mod election;
#[cfg(test)]
mod election_tests;
mod informer;
mod limiter;
mod pause;
mod queue;
mod reconcile;
mod recorder;
#[cfg(test)]
mod recorder_tests;
mod retry;
#[cfg(test)]
mod retry_tests;
mod shell;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod throttle;
#[cfg(test)]
mod throttle_tests;
mod trust;
mod vcenter;

pub use api::{Alarm, Api, Incoming, Limit, Ring, USUAL};
pub use clients::Clients;
pub use cluster::{Caches, Client, ClientSettings, News, Token};
pub use cluster_cache::{ClusterCache, Contact, ProbeSettings};
pub use elected::{Elected, Manager, manager_lock};
pub use election::{
    ElectionRules, ElectionSettings, Heard, LeaderElection, Renewal, Standing, lock as lease_lock,
    steady_identity,
};
pub use informer::{Cache, Delta};
pub use limiter::TokenBucket;
pub use pause::{PAUSED, Pauses};
pub use queue::{Backoff, BackoffRules, WorkQueue};
pub use reconcile::{Ask, EventDraft, Ground, Outcome, Reconciler, Reply, Step, Target, View};
pub use recorder::RecorderSettings;
pub use retry::{BEFORE, RetrySettings, UnansweredPings};
pub use shell::{Call, Flight, ManagerEvent, ManagerToken, Shell, ShellRules, ShellSettings, Work};
pub use throttle::{Clientset, Pace, Turn};
pub use trust::trusted_front_proxy;
pub use vcenter::VcenterClient;
