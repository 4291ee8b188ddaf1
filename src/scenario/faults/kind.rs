//! What each kind of fault says of itself: how it is written, what it hits, and how that breaks.
//!
//! A kind lives in a file beside this one, perhaps with what ends it, and has a row of the table in `mod.rs`.

use super::reading::Reading;
use super::role;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::world::{Infra, View};

/// How a kind is listed, and read from a scenario.
pub(super) trait FaultKind: Strikes + Sized {
    /// What stands after its word in an item of `faults`.
    type Written;

    /// What it does, with an example, for `healsim list faults`.
    const DOES: &'static str;

    /// Reads what is written, or refuses it with its place.
    fn from_written(written: &Self::Written, reading: &Reading) -> Result<Self, Mistake>;

    /// What is wrong if it is to hit what the run does not begin with. A fault that waits for
    /// something is not asked.
    fn not_there(_: &Self::Written, _: &Reading) -> Option<Mistake> {
        None
    }
}

/// How a fault strikes: first it is aimed, then what it hits is looked for, and only that breaks.
pub(super) trait Strikes {
    /// Names what its words leave open as it is at the moment: which VMs have the roles in it.
    fn aim(&mut self, view: View) {
        for vm in self.vms() {
            if let Some(holder) = role::holder(vm, view) {
                *vm = holder;
            }
        }
    }

    /// What it hits once it is aimed, as `VM/worker-0`; nothing if there is no such thing (any more).
    fn resolve(&self, view: View) -> Option<String>;

    /// Breaks it.
    fn inject(&self, infra: &mut Infra);

    /// The names of VMs in it, which may be roles.
    fn vms(&mut self) -> Vec<&mut Text> {
        Vec::new()
    }

    /// What a person types, if it is something that a person does with words.
    fn words(&self) -> Text {
        Text::EMPTY
    }
}
