//! A VM: power, disk, units and containers.
//!
//! A container outlives the kubelet that started it and dies with its VM; a file outlives both, and
//! dies with its disk. Nothing here decides anything.

use super::{HostId, ProcessId};
use crate::api::Uid;
use crate::engine::{Duration, Owner, SimTime, Skew, Text};
use crate::timeline::Cause;
use std::collections::BTreeMap;
use std::fmt;

/// A VM's number; VMs of one name that follow each other have different numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VmId(pub u32);

/// A virtual machine.
#[derive(Clone, Debug)]
pub struct Vm {
    pub name: Text,
    /// What the firmware tells the guest that it is (BIOS UUID); the name, unless it was given one.
    pub uuid: Text,
    /// The address of its network interface, which stays with the name.
    pub ip: Text,
    pub power: Power,
    /// True while its guest runs, which then has its address.
    pub booted: bool,
    /// How often it was powered on.
    pub starts: u32,
    /// True while it is being deleted.
    pub is_locked: bool,
    /// True if it belongs to the datacenter itself and is not among its VMs.
    pub is_appliance: bool,
    pub disk: Disk,
    /// What systemd manages, by name; enabled units start when the VM boots.
    pub units: BTreeMap<Text, Unit>,
    /// What the container runtime runs, by Pod.
    pub containers: BTreeMap<Uid, Container>,
    /// Programs that the container runtime has an image of, by the name of their container. They are
    /// processes of this world, which a container in `containers` is not.
    pub programs: BTreeMap<Text, Program>,
    /// Where it stands, as the metadata service tells its guest; nowhere if there are no zones.
    pub place: Option<Place>,
    /// The host on which it is placed, if hosts are known.
    pub host: Option<HostId>,
    /// True from the time it is switched on until somebody switches it off; a host that dies does not.
    pub switched_on: bool,
    /// How long it takes from power-on until units start.
    pub boot: Duration,
    /// How wrong its wall clock is.
    pub skew: Skew,
}

/// A region and a zone in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub region: Text,
    pub zone: Text,
}

/// Whether a VM runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    On,
    Off,
    /// Destroyed: only its number is left.
    Gone,
}

/// A UUID as vCenter makes them, out of 120 random bits.
pub fn bios_uuid(high: u64, low: u64) -> Text {
    let digits = format!("42{:014x}{low:016x}", high >> 8);
    let part = |from: usize, to: usize| &digits[from..to];
    let parts = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)];
    Text::from(parts.join("-"))
}

/// The address that the network gives an interface of this name.
///
/// Simplified: a function of the name. Two names may share an address; nobody is reached by it.
fn address_of(name: &str) -> Text {
    let number = Owner::named(name).number();
    Text::from(format!("10.244.{}.{}", number >> 8 & 0xff, number % 253 + 2))
}

/// The files of a VM, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    files: BTreeMap<Text, Text>,
    /// What somebody took away and can put back.
    taken: BTreeMap<Text, Text>,
    pub health: DiskHealth,
    /// Since when it has not flushed at its own speed, if it does not.
    pub ill_since: Option<SimTime>,
    /// Nothing can be written to it any more.
    pub is_full: bool,
    /// What filled it, or made room again, last.
    pub room_changed: Cause,
    /// The files that were written or removed since anybody who watches was told.
    changed: Vec<Text>,
}

/// A write has failed: ENOSPC, as a program tells its user of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSpace;

impl fmt::Display for NoSpace {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("no space left on device")
    }
}

/// How a disk flushes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskHealth {
    #[default]
    Well,
    /// Each flush takes so much longer.
    Slow(Duration),
    /// No flush ends.
    Stalled,
}

/// A program that the container runtime starts and stops at the kubelet's wish, and what it keeps of
/// the containers that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    pub process: ProcessId,
    /// Since when its container runs, if it does.
    pub running_since: Option<SimTime>,
    /// When the last container that has ended did so, as long as the runtime keeps it.
    pub ended: Option<SimTime>,
    /// It ended with its VM, which the runtime finds out when it runs again.
    pub is_lost: bool,
    /// How many containers of it were started, as far as the runtime knows.
    pub starts: u32,
}

/// A signal that the container runtime sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, which a program may catch.
    Terminate,
    /// SIGKILL.
    Kill,
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
    /// How many there were before it, as its label says (`restartCount`).
    pub restarts: u32,
}

impl Place {
    /// The zone of this number in the one region that there is.
    pub fn numbered(number: u32) -> Place {
        Place { region: Text::word("region-0"), zone: Text::from(format!("zone-{number}")) }
    }
}

impl Disk {
    /// True if it writes, at its own speed.
    pub fn flushes_well(&self) -> bool {
        self.health == DiskHealth::Well && !self.is_full
    }

    /// A file's content.
    pub fn read(&self, path: &str) -> Option<&Text> {
        self.files.get(path)
    }

    /// Writes a file.
    pub fn write(&mut self, path: impl Into<Text>, content: impl Into<Text>) {
        let path = path.into();
        self.changed.push(path.clone());
        self.files.insert(path, content.into());
    }

    /// Removes a file; false if there was none.
    pub fn remove(&mut self, path: &str) -> bool {
        let removed = self.files.remove_entry(path);
        self.changed.extend(removed.iter().map(|(path, _)| path.clone()));
        removed.is_some()
    }

    /// Removes a file so that it can be put back.
    pub fn take_away(&mut self, path: &str) {
        if let Some((path, content)) = self.files.remove_entry(path) {
            self.changed.push(path.clone());
            self.taken.insert(path, content);
        }
    }

    /// True if the file was taken away, and no other stands in its place.
    pub fn can_restore(&self, path: &str) -> bool {
        self.taken.contains_key(path) && !self.files.contains_key(path)
    }

    /// The files that were taken away, and can be put back.
    pub fn restorable(&self) -> impl Iterator<Item = &Text> {
        self.taken.keys().filter(|path| self.can_restore(path))
    }

    /// Puts a file back that was taken away, as it was.
    pub fn restore(&mut self, path: &str) {
        if let Some((path, content)) = self.taken.remove_entry(path) {
            self.write(path, content);
        }
    }

    /// The files of a folder with their contents, by path.
    pub fn under<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a Text, &'a Text)> {
        self.files.iter().filter(move |(path, _)| is_under(path, folder))
    }

    /// The files that were written or removed since this was asked last.
    pub fn take_changes(&mut self) -> Vec<Text> {
        std::mem::take(&mut self.changed)
    }
}

/// True if a file is in a folder, or in one within it.
pub fn is_under(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

impl Program {
    /// A program that runs in no container yet.
    pub fn new(process: ProcessId) -> Program {
        Program { process, running_since: None, ended: None, is_lost: false, starts: 0 }
    }

    /// A container of it runs from now on.
    pub fn begin(&mut self, now: SimTime) {
        self.running_since = Some(now);
        self.starts += 1;
    }

    /// Its container has ended.
    pub fn end(&mut self, now: SimTime) {
        if self.running_since.take().is_some() {
            self.ended = Some(now);
        }
    }

    /// Its container has ended with its VM.
    pub fn lose(&mut self, now: SimTime) {
        self.is_lost |= self.running_since.is_some();
        self.end(now);
    }

    /// The runtime has started: what it finds gone counts as ended now
    /// (`containerd/containerd:internal/cri/server/restart.go`).
    pub fn find(&mut self, now: SimTime) {
        if std::mem::take(&mut self.is_lost) {
            self.ended = Some(now);
        }
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
        let name = name.into();
        Vm {
            uuid: name.clone(),
            ip: address_of(&name),
            name,
            power: Power::Off,
            booted: false,
            starts: 0,
            is_locked: false,
            is_appliance: false,
            disk: Disk::default(),
            units: BTreeMap::new(),
            containers: BTreeMap::new(),
            programs: BTreeMap::new(),
            place: None,
            host: None,
            switched_on: false,
            boot: Duration::ZERO,
            skew: Skew::NONE,
        }
    }

    /// True while it runs.
    pub fn is_on(&self) -> bool {
        self.power == Power::On
    }

    /// True while its guest has its address, for answers and refusals: until it has booted, firmware
    /// and boot loader say nothing to anybody.
    pub fn answers(&self) -> bool {
        self.is_on() && self.booted
    }
}
