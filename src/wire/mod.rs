//! Floor 1: every message that two processes can exchange.
//!
//! Messages are data; how they travel, and how they can fail, is `infra`'s matter.

mod members;
mod store;

use crate::api::{Answered, ApiError, EtcdCall, EtcdReply, Request, WatchEvent};
use crate::engine::Text;
pub use members::{Database, Lease, MemberInfo, Origin, PeerMessage, Proposal, Proposed, Write};
pub use store::{
    Committed, Consistency, GrpcCode, LeaseId, MemberStatus, StoreAnswer, StoreError,
    StoreOperation, StoreRequest,
};

/// A message on a connection.
#[derive(Clone, Debug)]
pub enum Message {
    /// A client asks an API server.
    Request(Box<Request>),
    /// The API server answers the request of this number.
    Answer(u32, Answered),
    /// One event of an open watch.
    Watch(WatchEvent),
    /// The API server ends the watch of this number.
    WatchEnded(u32, ApiError),
    /// The API server takes no request on this connection after that of this number (GOAWAY).
    GoAway(u32),
    /// An API server asks its etcd.
    Store(Box<StoreRequest>),
    /// Etcd answers the request of this number.
    Stored(u32, StoreAnswer),
    /// Etcd reports a committed change of a watched kind.
    Committed(Committed),
    /// Etcd ends the stream that the request of this number opened.
    StoreEnded(u32, StoreError),
    /// One etcd member to another.
    Peer(PeerMessage),
    /// An API server has a kubelet carry a call to the etcd member beside it.
    Forward(u32, EtcdCall),
    /// What came of the call of this number, or why the member was not reached.
    Forwarded(u32, Result<EtcdReply, Text>),
    /// `GET` of a health endpoint, as a kubelet or a load balancer asks.
    HealthCheck(u32, &'static str),
    /// The HTTP status of the check of this number, and which of an API server's checks have failed, as
    /// they stand in its answer.
    Health(u32, u16, Text),
    /// A provider asks the datacenter's management (vCenter).
    Datacenter(u32, Box<DatacenterRequest>),
    /// The task of this number has ended.
    DatacenterTask(u32, TaskEnd),
    /// To a subscriber: a VM of this name was created, powered, booted or deleted.
    VmChanged(Text),
    /// Comes back from the kernel at the other end as soon as the connection is established; the
    /// process there sees nothing of it.
    Handshake,
    /// A user's request to an app; a container answers with the same.
    App(u32),
    /// What the ingress says to the request of this number.
    AppServed(u32, Served),
}

/// How a user's request came out at the ingress, if anything came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// A running container has answered.
    Well,
    /// The app has no ready endpoint.
    NoEndpoint,
    /// The endpoint that was chosen refused.
    BadGateway,
}

/// What the datacenter's management is asked to do; each is a task that takes its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatacenterRequest {
    /// Looks a VM up by its name.
    Find { vm: Text },
    /// Clones a VM from the template, gives it its user data, and powers it on. Without a UUID it
    /// gets a new one.
    Clone { vm: Text, uuid: Option<Text>, user_data: Text },
    /// Powers a VM on; well done if it is on.
    PowerOn { vm: Text },
    /// Powers a VM off, if it is on, and deletes it with its disk; well done if there is none.
    Destroy { vm: Text },
    /// Tells of every VM's changes from now on, as long as the connection lasts.
    Subscribe,
}

/// A VM as its management sees it from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmFacts {
    pub is_on: bool,
    /// What its firmware says that it is.
    pub uuid: Text,
    /// What the guest's tools report; nothing until the guest has booted.
    pub ip: Option<Text>,
    /// False if its host does not answer; the rest is how it was then.
    pub is_connected: bool,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    Done,
    Found(VmFacts),
    /// There is no VM of this name.
    NotFound,
    /// A VM of this name exists.
    DuplicateName,
    /// The VM is being deleted: nothing else is done to it.
    TaskInProgress,
    /// The VM's host does not answer (fault `HostNotConnected`).
    HostNotConnected,
    /// No host can take the VM (fault `NoCompatibleHost`).
    NoCompatibleHost,
}
