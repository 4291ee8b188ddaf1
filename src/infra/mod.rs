//! Floor 2: what a datacenter gives: VMs with disks, units and containers, a network, and `Ctx`,
//! the operating system as a process sees it.
//!
//! Knows no Kubernetes. Faults act here and nowhere else.

mod balancers;
mod ctx;
mod datacenter;
mod effect;
mod hosts;
mod inventory;
mod keep_alive;
mod links;
mod network;
mod process;
#[cfg(test)]
pub mod testbed;
#[cfg(test)]
mod tests;
mod transport;
#[cfg(test)]
mod transport_tests;
mod vm;

pub use ctx::Ctx;
pub use datacenter::{Datacenter, Happening, Latency};
pub use effect::{
    BackendsChange, Effect, Elapsed, Input, MemberChange, ProbeReport, Start, Trace, VmAction,
    Written,
};
pub use hosts::{Host, HostChange, HostId, HostNews, Hosts};
pub use inventory::Inventory;
pub use keep_alive::{Asker, Handshake, KeepAlive, KeepAlives, Probing};
pub use links::{Lag, Links, Loss, Way};
pub use network::{
    Address, Broken, ConnectionId, ConnectionState, EndpointId, Fallback, Network, NoneUp, Port,
    Route,
};
pub use process::{ActivityId, ProcessId, ProcessState, Processes};
pub use transport::{
    Again, Direction, End, Path, Retransmission, Retransmitted, Segment, Sent, Transport,
};
pub use vm::{
    Container, Disk, DiskHealth, NoSpace, Place, Power, Program, Restart, Signal, Unit, Vm, VmId,
    bios_uuid, is_under,
};
