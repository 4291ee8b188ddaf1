//! A link between two VMs, or from one to all others, one way or both: what `cutLink`, `slowLink`,
//! `lossyLink` and `healLink` are about.

use super::reading::Reading;
use crate::engine::Text;
use crate::infra::{VmId, Way};
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

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

/// What a link is named with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OnLink {
    pub from: Spanned<String>,
    pub to: Option<Spanned<String>>,
    #[serde(default)]
    one_way: bool,
}

impl OnLink {
    /// The link.
    pub(super) fn read(&self, reading: &Reading) -> Result<Link, Mistake> {
        Link::read((&self.from, self.to.as_ref(), self.one_way), reading)
    }
}

impl Link {
    /// Two VMs, or one and all others.
    pub(super) fn read(
        (from, to, one_way): (&Spanned<String>, Option<&Spanned<String>>, bool),
        reading: &Reading,
    ) -> Result<Link, Mistake> {
        let ways = if one_way { Ways::One } else { Ways::Both };
        let name = reading.vm(from)?;
        let Some(to) = to else { return Ok(Link { from: name, to: None, ways }) };
        let other = reading.vm(to)?;
        if name == other {
            let message = format!("`{other}` is the VM that the link comes from; name another");
            return Err(reading.scenario.mistake(to, message));
        }
        Ok(Link { from: name, to: Some(other), ways })
    }

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
