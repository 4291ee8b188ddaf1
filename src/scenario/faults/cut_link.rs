//! A link between two VMs is cut: packets are lost, and nobody is told. Connections stay; only their
//! ends' own timers notice. What heals a link ends whatever was done to it in the same words: `slowLink`
//! and `lossyLink` too.

use super::kind::{FaultKind, Strikes};
use super::link::{Link, OnLink};
use super::reading::Reading;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
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

impl FaultKind for CutLink {
    type Written = OnLink;
    const DOES: &'static str = "drops packets silently, both ways or one: \
        { from: worker-0, to: control-plane-0, oneWay: true }";

    fn from_written(on: &OnLink, reading: &Reading) -> Result<CutLink, Mistake> {
        if on.to.is_none() {
            let message = "`to` is missing: which VM is the other end of the link? \
                           `isolateVm` cuts a VM off from all others";
            return Err(reading.scenario.mistake(&on.from, message));
        }
        Ok(CutLink { link: on.read(reading)? })
    }
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
    type Written = OnLink;
    const DOES: &'static str =
        "ends cutLink, slowLink and lossyLink: { from: worker-0, to: control-plane-0 }";

    fn from_written(on: &OnLink, reading: &Reading) -> Result<HealLink, Mistake> {
        Ok(HealLink { link: on.read(reading)? })
    }
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
