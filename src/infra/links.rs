//! Links between VMs, and which of them are cut.
//!
//! A cut link drops packets and says nothing. What the ends of a connection make of that is
//! [`Transport`](super::Transport)'s matter.

use super::VmId;
use std::collections::BTreeSet;

/// Which ways are cut; all others carry.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// From this VM to that one; nobody named is everybody else.
    cut: BTreeSet<(Option<VmId>, Option<VmId>)>,
}

/// One way between VMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the first to the second.
    Between(VmId, VmId),
    /// From a VM to all others.
    From(VmId),
    /// From all others to a VM.
    To(VmId),
}

impl Way {
    const fn ends(self) -> (Option<VmId>, Option<VmId>) {
        match self {
            Way::Between(from, to) => (Some(from), Some(to)),
            Way::From(vm) => (Some(vm), None),
            Way::To(vm) => (None, Some(vm)),
        }
    }
}

impl Links {
    /// Cuts a way; false if it was cut already.
    pub fn cut(&mut self, way: Way) -> bool {
        self.cut.insert(way.ends())
    }

    /// Heals a way that was cut in the same words; false if it was not.
    pub fn heal(&mut self, way: Way) -> bool {
        self.cut.remove(&way.ends())
    }

    /// True if the way was cut in these words.
    pub fn has_cut(&self, way: Way) -> bool {
        self.cut.contains(&way.ends())
    }

    /// True if nothing is cut anywhere.
    pub fn are_whole(&self) -> bool {
        self.cut.is_empty()
    }

    /// True if a packet gets from one VM to another. Within a VM it always does.
    pub fn carries(&self, from: VmId, to: VmId) -> bool {
        let cut = |from, to| self.cut.contains(&(from, to));
        from == to
            || self.cut.is_empty()
            || !(cut(Some(from), Some(to)) || cut(Some(from), None) || cut(None, Some(to)))
    }

    /// Forgets a VM that is gone.
    pub fn forget(&mut self, vm: VmId) {
        self.cut.retain(|(from, to)| *from != Some(vm) && *to != Some(vm));
    }
}
