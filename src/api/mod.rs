//! Floor 1: Kubernetes and Cluster API objects, requests, watch events and status errors.
//!
//! Data only, and what an API server derives from data alone: merging a patch, and which fields of
//! an object changed. Who stores objects, and who may write them, is not known here.

mod change;
mod error;
mod forward;
mod join;
pub mod kinds;
mod merge;
mod meta;
mod object;
mod request;
mod static_pod;
mod status;
mod wall_clock;

pub use change::{Change, changes};
pub use error::{ApiError, Reason};
pub use forward::{EtcdCall, EtcdMember, EtcdReply, EtcdStatus, Forward};
pub use join::{JoinConfiguration, RetryJoin};
pub use merge::Merge;
pub use meta::{Deletion, Labels, MIRROR, Meta, OwnerReference, PROBES, Revision, Uid, labels};
pub use object::{Body, Kind, Object, ObjectKey, Provided};
pub use request::{Answer, Answered, Freshness, Request, Selector, Verb, WatchEvent, WatchKind};
pub use static_pod::{MANIFESTS, ProbeKind, ProbeSpec, StaticPodManifest};
pub use wall_clock::{AGE_AT_BEGIN, from_rfc3339, rfc3339, unix_micros};
