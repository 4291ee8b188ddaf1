//! What each kind of fault says of itself: what it does, what it hits, and how that breaks.
//!
//! A kind is a file beside this one, and a row of the table in `mod.rs`.

use super::role;
use crate::engine::Text;
use crate::world::{Infra, View};

/// What is the same for all faults of a kind.
pub(super) trait FaultKind: Strikes {
    /// What it does, with an example, for `healsim list faults`.
    const DOES: &'static str;
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

    /// What it hits in this world, as `VM/worker-0`; nothing if there is no such thing (any more).
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
