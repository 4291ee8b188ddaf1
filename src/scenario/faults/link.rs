//! A link between two VMs is cut, or a VM is cut off from all others: packets are lost, and nobody is
//! told. Connections stay; only their ends' own timers notice.

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

/// Two VMs, and which of the two ways between them is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub from: Text,
    pub to: Text,
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
    /// Its ways between these VMs.
    fn ways(&self, from: VmId, to: VmId) -> Vec<Way> {
        let mut ways = vec![Way::Between(from, to)];
        if self.ways == Ways::Both {
            ways.push(Way::Between(to, from));
        }
        ways
    }

    /// The link by its VMs' names, if both exist and one of its ways is, or is not, cut.
    fn find(&self, view: View, is_cut: bool) -> Option<String> {
        let (from, to) = (view.vm_id(&self.from)?, view.vm_id(&self.to)?);
        let mut ways = self.ways(from, to).into_iter();
        let found = from != to && ways.any(|way| view.has_cut(way) == is_cut);
        let arrow = if self.ways == Ways::Both { "<->" } else { "->" };
        let name = |vm| view.vm(vm).map(|vm| vm.name.clone());
        found.then_some(format!("Link/{}{arrow}{}", name(&self.from)?, name(&self.to)?))
    }

    fn on_each(&self, infra: &mut Infra, act: impl Fn(&mut Infra, Way)) {
        if let (Some(from), Some(to)) = (infra.vm(&self.from), infra.vm(&self.to)) {
            self.ways(from, to).into_iter().for_each(|way| act(infra, way));
        }
    }
}

impl CutLink {
    /// The link, if it carries in one of these ways.
    pub fn resolve(&self, view: View) -> Option<String> {
        self.link.find(view, false)
    }

    /// Cuts it.
    pub fn inject(&self, infra: &mut Infra) {
        self.link.on_each(infra, |infra, way| infra.cut(way));
    }
}

impl HealLink {
    /// The link, if it is cut in one of these ways.
    pub fn resolve(&self, view: View) -> Option<String> {
        self.link.find(view, true)
    }

    /// Heals it.
    pub fn inject(&self, infra: &mut Infra) {
        self.link.on_each(infra, |infra, way| infra.heal(way));
    }
}

impl IsolateVm {
    /// The VM, if it is not cut off already.
    pub fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm_id(&self.vm)?;
        (!view.has_cut(Way::From(vm))).then_some(format!("VM/{}", view.vm(&self.vm)?.name))
    }

    /// Cuts it off, both ways.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.cut(Way::From(vm));
            infra.cut(Way::To(vm));
        }
    }
}

impl RejoinVm {
    /// The VM, if it is cut off.
    pub fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm_id(&self.vm)?;
        view.has_cut(Way::From(vm)).then_some(format!("VM/{}", view.vm(&self.vm)?.name))
    }

    /// Takes back what cut it off; links that were cut by themselves stay cut.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.heal(Way::From(vm));
            infra.heal(Way::To(vm));
        }
    }
}
