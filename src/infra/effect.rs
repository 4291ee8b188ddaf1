//! What a process reacts to, and what it asks of its operating system: data only.

use super::{
    ActivityId, Address, Broken, ConnectionId, EndpointId, Fallback, Handshake, HostChange,
    HostNews, Port, Signal,
};
use crate::api::{Object, ObjectKey, Revision, Uid};
use crate::engine::{Duration, Rule, SimTime, Text};
use crate::timeline::{EntryId, StepId, Value};
use crate::wire::Message;
use std::sync::Arc;

/// What a process reacts to; `E` are the timers that it set itself.
#[derive(Clone, Debug)]
pub enum Input<E> {
    Started(Start),
    /// A timer that the process set.
    Due(E),
    /// A periodic activity that it declared.
    Tick(ActivityId),
    Message(ConnectionId, Message),
    /// A connection is over.
    Broken(ConnectionId, Broken),
    /// The container runtime reports that a Pod's containers run, or have stopped.
    Container(Uid, bool),
    /// The datacenter tells its management that a VM was created, powered, booted or deleted.
    VmChanged(Text),
    /// SIGTERM, to a process that catches it (`Ctx::catch_term`).
    Terminate,
    /// The container runtime has something new to show of the program of this name: its container
    /// has ended.
    ProgramEnded(Text),
    /// A file was written or removed in the folder that the process watches.
    FileChanged(Text),
    /// What the hosts' own network tells those who listen there.
    Host(HostNews),
}

/// How a process begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The run begins, and the process has been running for long.
    Steady,
    /// A new process, with nothing in its memory.
    Fresh,
}

/// What a process asked for, in order.
#[derive(Clone, Debug)]
pub enum Effect<E> {
    /// Falls due after a delay, which is there because of this rule.
    After(Rule, Duration, E),
    /// Written, and flushed to the disk, which takes this long if it is well.
    Flush(Rule, Duration, E),
    /// Arms a declared activity; the pause is already drawn.
    Arm(ActivityId, Duration),
    /// The passes of a ticker would find nothing to do from now on.
    Sleep(ActivityId),
    /// They may again.
    Wake(ActivityId),
    Connect(ConnectionId, Address),
    /// Connects to the containers of a Pod on the VM of a name.
    ConnectToContainer(ConnectionId, Text, Uid),
    /// Connects to a port of the VM of a name.
    ConnectToVm(ConnectionId, Text, Port),
    /// It is over if the program at its other end does not answer a handshake in time.
    AwaitHandshake(ConnectionId, Handshake),
    Send(ConnectionId, Message),
    /// Sent on a connection of its own to a port of the VM of a name.
    Post(Text, Port, Message),
    Close(ConnectionId),
    /// Closes what others have opened to all its ports but one.
    CloseAllBut(Port),
    /// The Pod's containers run after a wait, and end by themselves after a length, if they
    /// do; there were so many before.
    StartContainer(Uid, (Rule, Duration), Option<Duration>, u32),
    /// The Pod's containers have ended after a delay.
    StopContainer(Uid, Rule, Duration),
    StartUnit(Text),
    StopUnit(Text),
    /// A new container of the program of this name runs.
    StartProgram(Text),
    /// A signal to the program that runs in the container of this name.
    SignalProgram(Text, Signal),
    Exit,
    Trace(Trace),
    Datacenter(VmAction),
    /// Told on the hosts' own network to those who listen there.
    TellHosts(HostNews),
    /// New connections to an endpoint go to one of these VMs.
    Steer(EndpointId, Vec<(Text, Port)>, Fallback),
    /// The connections through an endpoint to the VM of a name are reset.
    ShutSessions(EndpointId, Text),
    /// What follows was led to by this entry.
    Because(Option<EntryId>),
    /// What follows came by this step of the ledger.
    CameBy(StepId),
    /// What follows was led to by this write.
    BecauseWritten(Box<Written>),
    /// What follows had to wait for limits that began with a write.
    Elapsed(Box<Elapsed>),
    /// What follows goes back to the end of an object that is missed.
    Missed(Box<ObjectKey>),
    /// What follows was led to by the silence of this process, last heard at a time, which has
    /// lasted longer than a limit that there is because of a rule.
    BecauseSilent {
        process: u32,
        rule: Rule,
        since: SimTime,
        limit: Duration,
    },
}

/// What a process lets a watcher of the run see. It changes nothing.
#[derive(Clone, Debug)]
pub enum Trace {
    /// A member of etcd applied a change, asked for by this writer. The first to do so commits it;
    /// the others follow. A change is known by its revision in a history of the cluster.
    Committed {
        history: SimTime,
        revision: Revision,
        old: Option<Arc<Object>>,
        new: Option<Arc<Object>>,
        by: &'static str,
        writer: u32,
    },
    /// Something about an etcd member changed, as itself or another member sees it.
    Member(Box<MemberChange>),
    /// A line in the process's log.
    Log(Text),
    /// What a person reads on a terminal when a command ends, and its exit code.
    Printed(Text, u8),
    /// Things stand otherwise for a user.
    Probe(Box<ProbeReport>),
    /// An endpoint leads elsewhere.
    Backends(Box<BackendsChange>),
    /// Somebody of the datacenter's own sees a host otherwise.
    Host(Box<HostChange>),
    /// An API server's start is over.
    Up,
    /// An API server was told to end: it refuses whoever connects.
    Down,
    /// An API server serves now, or does no more, perhaps objects of some kinds alone. No entry tells of it, but who
    /// judges looks again.
    Serves,
}

/// A write of a field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub object: ObjectKey,
    /// The field of the entry that tells of the write.
    pub field: Text,
    /// As the object says, perhaps in whole seconds.
    pub at: SimTime,
}

/// Limits that are over, one after the other; the first began when an object was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elapsed {
    pub began: Written,
    pub limits: [(Rule, Duration); 2],
}

/// A change of where a load balancer leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendsChange {
    /// The endpoint, as `workload`.
    pub endpoint: Text,
    /// The VMs that were up, and are now.
    pub from: Vec<Text>,
    pub to: Vec<Text>,
    pub why: Text,
}

/// A change of an etcd member.
#[derive(Clone, Debug)]
pub struct MemberChange {
    /// The VM that it runs on.
    pub member: Text,
    pub field: &'static str,
    pub from: Value,
    pub to: Value,
    /// Several members may tell of one change, which has one number: only the first is heard.
    pub once: Option<u64>,
}

/// A change of how things stand for a user who tries them.
#[derive(Clone, Debug)]
pub struct ProbeReport {
    /// The user, as `app-web`.
    pub probe: Text,
    /// `status`, or `response`: what the last try got.
    pub field: &'static str,
    pub from: Text,
    pub to: Text,
    /// How the deciding try failed; empty if it succeeded.
    pub reason: Text,
    pub message: Text,
    /// How long that try took.
    pub took: Duration,
}

/// What only the datacenter's management can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VmAction {
    /// A VM from the template on a host, if hosts are known, powered on; its units start after
    /// `boot`.
    CreateAndPowerOn { vm: Text, host: Option<Text>, uuid: Text, user_data: Text, boot: Duration },
    /// Its units start after `boot`; its disk is as it was.
    PowerOn { vm: Text, boot: Duration },
    /// Powers off and locks: while its deletion is under way, nobody powers it on again (vSphere Web
    /// Services API, fault `TaskInProgress` of `PowerOnVM_Task`).
    BeginDestroy { vm: Text },
    /// Powers off if need be, and deletes with the disk.
    Destroy { vm: Text },
    /// A deletion has failed: others may power the VM on again.
    EndDestroy { vm: Text },
    /// Registers a VM with another host, which powers it on; its units start after `boot`.
    RestartOn { vm: Text, host: Text, boot: Duration },
}
