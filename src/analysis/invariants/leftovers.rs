//! A Machine that is gone has taken everything with it.

use super::endpoint::Service;
use super::facts::{HEARD, is_asked_for, is_gone, named};
use super::{Breach, Invariant, Kind, Law, Seen, Verdict};
use crate::api;
use crate::timeline::Entry;
use crate::world::View;

pub(super) const NOTHING_IS_LEFT: Invariant = Invariant {
    name: "nothing-is-left-behind",
    kind: Kind::Always,
    law: "a Machine that is gone leaves no VM and no object of its infrastructure behind, and no \
          Node that it had found, if the API has long been there to delete it, with disks of etcd that \
          write: after nodeDeletionTimeout Cluster API goes without",
    source: "Cluster API book, Machine deletion process; spec.nodeDeletionTimeout, 10 s by default",
    begin: || Box::new(NothingIsLeft::default()),
};

#[derive(Clone, Debug, Default)]
struct NothingIsLeft {
    service: Service,
}

const INFRASTRUCTURE: [api::Kind; 3] =
    [api::Kind::InfraMachine, api::Kind::VSphereMachine, api::Kind::VirtualMachine];

impl NothingIsLeft {
    fn judge(&self, view: View, entry: &Entry) -> Option<Breach> {
        if !is_gone(entry, "Machine") || is_asked_for(view.timeline(), entry) {
            return None;
        }
        let name = &entry.name;
        if let Some(kind) = INFRASTRUCTURE.iter().find(|kind| named(view, **kind, name).is_some()) {
            return Some(Breach::shown_by(entry, format!("is gone, and {kind:?}/{name} is not")));
        }
        if view.vm(name).is_some() {
            return Some(Breach::shown_by(entry, format!("is gone, and VM/{name} is not")));
        }
        let could_be_asked =
            self.service.all_since.is_some_and(|since| since + HEARD <= view.now());
        let node = named(view, api::Kind::Node, name);
        let node = node.filter(|_| could_be_asked && had_found_its_node(view, name));
        node.map(|_| Breach::shown_by(entry, format!("is gone, and Node/{name} is not")))
    }
}

/// True if the Machine has had a `nodeRef`: one that is given up while it starts knows of no Node to
/// delete, and Cluster API up to 1.8 does not look for one (`clusterApi.deletionLooksForNode`); the
/// cloud's controller deletes it once the VM is gone.
fn had_found_its_node(view: View, machine: &str) -> bool {
    view.timeline().entries().iter().any(|entry| {
        entry.kind == *"Machine"
            && entry.name == *machine
            && entry.field == *"phase"
            && entry.to.as_text() == Some("Running")
    })
}

impl Law for NothingIsLeft {
    fn look(&mut self, seen: Seen) -> Verdict {
        self.service.look(seen);
        let broken = seen.news.iter().find_map(|entry| self.judge(seen.view, entry));
        broken.map_or(Verdict::Holds, Verdict::Broken)
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}
