//! A VM: power, disk, units and containers.
//!
//! A container outlives the kubelet that started it and dies with its VM; a file outlives both, and
//! dies with its disk. Nothing here decides anything.

use super::ProcessId;
use crate::api::Uid;
use crate::engine::{Duration, SimTime, Text};
use std::collections::BTreeMap;

/// A VM's number; VMs of one name that follow each other have different numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VmId(pub u32);

/// A virtual machine.
#[derive(Clone, Debug)]
pub struct Vm {
    pub name: Text,
    pub power: Power,
    pub disk: Disk,
    /// What systemd manages, by name; enabled units start when the VM boots.
    pub units: BTreeMap<Text, Unit>,
    /// What the container runtime runs, by Pod.
    pub containers: BTreeMap<Uid, Container>,
    /// How long it takes from power-on until units start.
    pub boot: Duration,
}

/// Whether a VM runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    On,
    Off,
    /// Destroyed: only its number is left.
    Gone,
}

/// The files of a VM, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    files: BTreeMap<Text, Text>,
}

/// A systemd unit.
#[derive(Clone, Debug)]
pub struct Unit {
    pub process: ProcessId,
    pub restart: Restart,
    /// True while it should run: not after `systemctl stop`.
    pub wanted: bool,
}

/// What happens when a unit's process exits by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    Never,
    /// `Restart=always` with this `RestartSec`.
    After(Duration),
}

/// A Pod's containers, taken as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container {
    /// When it runs, or ran, from; later than now while it is being started.
    pub running_from: SimTime,
    /// When it ends by itself, if it does.
    pub ends_at: Option<SimTime>,
    /// It has done its work and ended by itself, and well.
    pub completed: bool,
}

impl Disk {
    /// A file's content.
    pub fn read(&self, path: &str) -> Option<&Text> {
        self.files.get(path)
    }

    /// Writes a file.
    pub fn write(&mut self, path: impl Into<Text>, content: impl Into<Text>) {
        self.files.insert(path.into(), content.into());
    }

    /// Removes a file; false if there was none.
    pub fn remove(&mut self, path: &str) -> bool {
        self.files.remove(path).is_some()
    }
}

impl Container {
    /// True if it runs at `now`.
    pub fn is_running(&self, now: SimTime) -> bool {
        !self.completed && self.running_from <= now
    }
}

impl Vm {
    /// A VM that is off, with an empty disk.
    pub fn new(name: impl Into<Text>) -> Vm {
        Vm {
            name: name.into(),
            power: Power::Off,
            disk: Disk::default(),
            units: BTreeMap::new(),
            containers: BTreeMap::new(),
            boot: Duration::ZERO,
        }
    }

    /// True while it runs.
    pub fn is_on(&self) -> bool {
        self.power == Power::On
    }
}
