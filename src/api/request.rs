//! What a client asks of an API server, and what it is told.

use super::{ApiError, EtcdReply, Forward, Kind, Labels, Object, ObjectKey, Revision, Uid};
use crate::engine::{Duration, Owner, Text};
use std::sync::Arc;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The client's own number for it; the answer carries it back.
    pub id: u32,
    /// The part of the client that asks (its user agent), for example `node-lifecycle`.
    pub agent: &'static str,
    /// Addresses the server's draws: who asks (process and activity), and its count. A heartbeat
    /// counts for itself, so that one which is not played shifts no other draw.
    pub sender: Owner,
    pub count: u64,
    pub verb: Verb,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Verb {
    /// `GET /`: the paths that the server serves. It knows them without its etcd.
    Paths,
    Get(ObjectKey),
    List(Kind, Selector, Freshness),
    /// Everything that happens to a kind after a revision.
    Watch(Kind, Selector, Revision),
    Create(Arc<Object>),
    /// Replaces the object, if its `resourceVersion` is still the one in it.
    Update(Arc<Object>),
    /// Changes what differs between the two, whatever else was changed meanwhile.
    Patch {
        base: Arc<Object>,
        changed: Arc<Object>,
    },
    /// The scale subresource of whatever has a size, patched.
    Scale {
        key: ObjectKey,
        replicas: u32,
    },
    /// Deletes; `grace` overrides the object's own grace period.
    Delete {
        key: ObjectKey,
        grace: Option<Duration>,
        uid: Option<Uid>,
    },
    /// The eviction subresource of a Pod.
    Evict {
        key: ObjectKey,
        grace: Option<Duration>,
    },
    /// The binding subresource of a Pod.
    Bind {
        pod: ObjectKey,
        uid: Uid,
        node: Text,
    },
    /// The portforward subresource of the Pod of an etcd member, with one call over it.
    Forward(Forward),
}

/// Which objects of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selector {
    #[default]
    All,
    /// Pods whose `spec.nodeName` is this.
    OnNode(Text),
    /// The object of this name.
    Named(Text),
    Labeled(Labels),
}

/// How fresh a list has to be: its `resourceVersion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// None given: as fresh as anything that was acknowledged before.
    #[default]
    Latest,
    /// Likewise, and in chunks (`limit=500`), as kubectl asks, and informers whose revision is too old.
    InChunks,
    /// `0`: whatever the server has.
    Any,
    /// Likewise, and in chunks, as informers begin.
    AnyInChunks,
    /// Not older than this.
    AtLeast(Revision),
}

/// What a request is answered with.
pub type Answered = Result<Answer, ApiError>;

/// A good answer.
#[derive(Clone, Debug)]
pub enum Answer {
    Object(Arc<Object>),
    List(Revision, Vec<Arc<Object>>),
    /// Done; there is nothing left to show.
    Done,
    /// The watch runs; its events carry the request's number.
    Watching,
    /// What the etcd member at the other end of a forward says.
    Etcd(EtcdReply),
}

impl Answer {
    /// The object that the answer shows, if it shows one.
    pub fn object(&self) -> Option<&Arc<Object>> {
        match self {
            Answer::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// One event of a watch.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    /// The number of the request that opened the watch.
    pub watch: u32,
    pub kind: WatchKind,
    /// The object as it is now, or as it was last.
    pub object: Arc<Object>,
}

/// What happened to the object, as seen through the watch's selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchKind {
    Added,
    Modified,
    Deleted,
}

impl Verb {
    /// The verb's name, as in an audit log.
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Paths | Verb::Get(_) => "get",
            Verb::List(..) => "list",
            Verb::Watch(..) => "watch",
            Verb::Create(_) => "create",
            Verb::Update(_) => "update",
            Verb::Patch { .. } | Verb::Scale { .. } => "patch",
            Verb::Delete { .. } => "delete",
            Verb::Evict { .. } => "evict",
            Verb::Bind { .. } => "bind",
            Verb::Forward(_) => "portforward",
        }
    }

    /// True if the request changes something.
    pub fn is_mutating(&self) -> bool {
        !matches!(
            self,
            Verb::Paths | Verb::Get(_) | Verb::List(..) | Verb::Watch(..) | Verb::Forward(_)
        )
    }
}

impl Selector {
    /// True if the object is selected.
    pub fn matches(&self, object: &Object) -> bool {
        match self {
            Selector::All => true,
            Selector::OnNode(node) => object.pod().is_some_and(|pod| pod.node_name == *node),
            Selector::Named(name) => object.name() == name,
            Selector::Labeled(labels) => object.meta.matches(labels),
        }
    }
}
