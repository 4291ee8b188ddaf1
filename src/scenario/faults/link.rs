//! A link between two VMs is cut, or a VM is cut off from all others: packets are lost, and nobody is
//! told. Connections stay; only their ends' own timers notice. What heals a link ends whatever was done
//! to it in the same words: `slowLink` and `lossyLink` too.

use super::kind::{FaultKind, Strikes};
use crate::engine::Text;
use crate::infra::{VmId, Way};
use crate::world::{Infra, View};

/// `cutLink: { from: worker-0, to: control-plane-0, oneWay: true }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutLink {
    pub link: Link,
}

/// `healLink: { from: worker-0, to: control-plane-0, oneWay: true }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealLink {
    pub link: Link,
}

/// `isolateVm: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsolateVm {
    pub vm: Text,
}

/// `rejoinVm: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejoinVm {
    pub vm: Text,
}

/// A VM and another, or all others, and which of the two ways between them is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub from: Text,
    /// Nobody named is all others.
    pub to: Option<Text>,
    pub ways: Ways,
}

/// Which ways of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    Both,
    /// From the first to the second only.
    One,
}

impl Link {
    /// Its ways, if its VMs are known by this.
    fn ways(&self, id_of: impl Fn(&str) -> Option<VmId>) -> Option<Vec<Way>> {
        let from = id_of(&self.from)?;
        let mut ways = match &self.to {
            None => vec![Way::From(from), Way::To(from)],
            Some(to) => {
                let to = id_of(to).filter(|to| *to != from)?;
                vec![Way::Between(from, to), Way::Between(to, from)]
            }
        };
        if self.ways == Ways::One {
            ways.truncate(1);
        }
        Some(ways)
    }

    /// The link by its VMs' names, if they exist and one of its ways is such.
    pub(super) fn find(&self, view: View, is_such: impl Fn(Way) -> bool) -> Option<String> {
        let ways = self.ways(|name| view.vm_id(name))?;
        let arrow = if self.ways == Ways::Both { "<->" } else { "->" };
        let name = |vm| view.vm(vm).map(|vm| vm.name.as_str());
        let to = self.to.as_ref().map_or(Some("*"), |to| name(to))?;
        let found = ways.into_iter().any(is_such);
        found.then_some(format!("Link/{}{arrow}{to}", name(&self.from)?))
    }

    pub(super) fn on_each(&self, infra: &mut Infra, act: impl Fn(&mut Infra, Way)) {
        let ways = self.ways(|name| infra.vm(name)).unwrap_or_default();
        ways.into_iter().for_each(|way| act(infra, way));
    }

    /// The names of its VMs.
    pub(super) fn vms(&mut self) -> Vec<&mut Text> {
        std::iter::once(&mut self.from).chain(&mut self.to).collect()
    }
}

impl FaultKind for CutLink {
    const DOES: &'static str = "drops packets silently, both ways or one: \
        { from: worker-0, to: control-plane-0, oneWay: true }";
}

impl Strikes for CutLink {
    /// The link, if it carries in one of these ways.
    fn resolve(&self, view: View) -> Option<String> {
        self.link.find(view, |way| !view.links().has_cut(way))
    }

    /// Cuts it.
    fn inject(&self, infra: &mut Infra) {
        self.link.on_each(infra, |infra, way| infra.cut(way));
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        self.link.vms()
    }
}

impl FaultKind for HealLink {
    const DOES: &'static str =
        "ends cutLink, slowLink and lossyLink: { from: worker-0, to: control-plane-0 }";
}

impl Strikes for HealLink {
    /// The link, if something is wrong with one of these ways.
    fn resolve(&self, view: View) -> Option<String> {
        self.link.find(view, |way| view.links().is_hurt(way))
    }

    /// Heals it.
    fn inject(&self, infra: &mut Infra) {
        self.link.on_each(infra, |infra, way| infra.heal(way));
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        self.link.vms()
    }
}

impl FaultKind for IsolateVm {
    const DOES: &'static str = "cuts a VM off from all others, both ways: { vm: worker-0 }";
}

impl Strikes for IsolateVm {
    /// The VM, if it is not cut off already.
    fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm_id(&self.vm)?;
        (!view.has_cut(Way::From(vm))).then_some(format!("VM/{}", view.vm(&self.vm)?.name))
    }

    /// Cuts it off, both ways.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.cut(Way::From(vm));
            infra.cut(Way::To(vm));
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}

impl FaultKind for RejoinVm {
    const DOES: &'static str = "ends isolateVm: { vm: worker-0 }";
}

impl Strikes for RejoinVm {
    /// The VM, if it is cut off.
    fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm_id(&self.vm)?;
        view.has_cut(Way::From(vm)).then_some(format!("VM/{}", view.vm(&self.vm)?.name))
    }

    /// Takes back what was done to it and all others; what was done to single links stays.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.heal(Way::From(vm));
            infra.heal(Way::To(vm));
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
