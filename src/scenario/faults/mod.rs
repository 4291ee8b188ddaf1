//! Faults: each reads the world to find its target, then breaks something in the datacenter.
//!
//! No fault can touch a Kubernetes object: `inject` gets VMs, disks, units, links and processes only. What a
//! person does with kubectl is typed on a laptop, and asks an API server.

mod clock;
#[cfg(test)]
mod clock_tests;
mod cut_link;
mod delete_vm;
mod disk;
mod etcdctl;
mod fill_disk;
#[cfg(test)]
mod fill_disk_tests;
mod freeze_process;
mod isolate_vm;
mod item;
mod kill_process;
mod kind;
mod kubectl;
mod kubectl_patch;
mod link;
#[cfg(test)]
mod link_tests;
mod lossy_link;
mod power_off;
mod power_off_host;
mod power_on;
mod power_on_host;
mod reading;
mod remove_file;
mod restore_file;
mod role;
mod slow_link;
mod start_unit;
mod stop_unit;
#[cfg(test)]
mod tests;
mod words;
mod write_file;
mod zone;
#[cfg(test)]
mod zone_tests;

pub use clock::{SkewClock, SyncClock};
pub use cut_link::{CutLink, HealLink};
pub use delete_vm::DeleteVm;
pub use disk::{HealDisk, SlowDisk, StallDisk};
pub use etcdctl::Etcdctl;
pub use fill_disk::{FillDisk, FreeDisk};
pub use freeze_process::{FreezeProcess, ThawProcess};
pub use isolate_vm::{IsolateVm, RejoinVm};
pub use item::Moment;
pub use kill_process::{KillProcess, Signal};
pub use kubectl::{Kubectl, NO_NAMESPACES};
pub use link::{Link, Ways};
pub use lossy_link::LossyLink;
pub use power_off::PowerOff;
pub use power_off_host::PowerOffHost;
pub use power_on::PowerOn;
pub use power_on_host::PowerOnHost;
pub use remove_file::RemoveFile;
pub use restore_file::RestoreFile;
pub use slow_link::SlowLink;
pub use start_unit::StartUnit;
pub use stop_unit::{StopUnit, UNITS};
pub use write_file::WriteFile;
pub use zone::{CutZone, PowerOffZone, PowerOnZone, RejoinZone};

use super::mistake::Mistake;
use super::yaml::Spanned;
use crate::engine::Text;
use crate::world::World;
use kind::{FaultKind, Strikes};
use reading::Reading;
use serde::Deserialize;

/// Makes of the table of all kinds whatever has to know each of them. A kind's word is its key in a
/// scenario too, by its own name: serde would lose the places of what is flattened.
macro_rules! kinds {
    ($($kind:ident: $Name:ident),* $(,)?) => {
        /// A fault of any kind.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Fault {
            $($Name($Name)),*
        }

        /// Every kind of fault with what it does, for `healsim list faults`.
        pub const KINDS: [(&str, &str); [$(stringify!($kind)),*].len()] =
            [$((stringify!($kind), $Name::DOES)),*];

        /// One item of `faults`.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(non_snake_case, reason = "a kind's key is its word")]
        pub struct WrittenFault {
            at: Option<Spanned<String>>,
            /// What it waits for, in the place of a time.
            when: Option<Spanned<String>>,
            after: Option<Spanned<String>>,
            $($kind: Option<<$Name as FaultKind>::Written>,)*
            /// Which cluster `kubectl` is for.
            cluster: Option<Spanned<String>>,
        }

        impl WrittenFault {
            /// Every fault in it, in the order of the table.
            fn found(&self, reading: &Reading) -> Result<Vec<Fault>, Mistake> {
                let mut found = Vec::new();
                $(if let Some(on) = &self.$kind {
                    found.push(Fault::$Name($Name::from_written(on, reading)?));
                })*
                Ok(found)
            }

            /// What is wrong if its fault is to hit what the run does not begin with.
            fn not_there(&self, reading: &Reading) -> Option<Mistake> {
                None$(.or_else(|| $Name::not_there(self.$kind.as_ref()?, reading)))*
            }
        }

        impl Fault {
            /// The kind, as it is written in a scenario.
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Fault::$Name(_) => stringify!($kind)),*
                }
            }

            fn strikes(&self) -> &dyn Strikes {
                match self {
                    $(Fault::$Name(fault) => fault),*
                }
            }

            fn strikes_mut(&mut self) -> &mut dyn Strikes {
                match self {
                    $(Fault::$Name(fault) => fault),*
                }
            }
        }
    };
}

// The table: each kind by its word in a scenario, in the order in which they are listed.
kinds! {
    powerOff: PowerOff,
    powerOn: PowerOn,
    deleteVm: DeleteVm,
    powerOffHost: PowerOffHost,
    powerOnHost: PowerOnHost,
    stopUnit: StopUnit,
    startUnit: StartUnit,
    removeFile: RemoveFile,
    restoreFile: RestoreFile,
    writeFile: WriteFile,
    killProcess: KillProcess,
    freezeProcess: FreezeProcess,
    thawProcess: ThawProcess,
    cutLink: CutLink,
    slowLink: SlowLink,
    lossyLink: LossyLink,
    healLink: HealLink,
    isolateVm: IsolateVm,
    rejoinVm: RejoinVm,
    powerOffZone: PowerOffZone,
    powerOnZone: PowerOnZone,
    cutZone: CutZone,
    rejoinZone: RejoinZone,
    slowDisk: SlowDisk,
    stallDisk: StallDisk,
    healDisk: HealDisk,
    fillDisk: FillDisk,
    freeDisk: FreeDisk,
    skewClock: SkewClock,
    syncClock: SyncClock,
    kubectl: Kubectl,
    etcdctl: Etcdctl,
}

/// What is written down as the target of a fault that hits nothing.
pub const NO_TARGET: &str = "nothing: no such target";

impl Fault {
    /// What a person typed, if it is something that a person does with words.
    pub(super) fn words(&self) -> Text {
        self.strikes().words()
    }

    /// Breaks the target, if it is there; the resolved target is recorded either way.
    pub fn strike(&self, world: &mut World) {
        let mut aimed = self.clone();
        aimed.strikes_mut().aim(world.view());
        let fault = aimed.strikes();
        let target = fault.resolve(world.view());
        let is_there = target.is_some();
        let target = target.unwrap_or_else(|| NO_TARGET.to_owned());
        world.inject_in_words(self.kind(), target, fault.words(), |infra| {
            if is_there {
                fault.inject(infra);
            }
        });
    }
}
