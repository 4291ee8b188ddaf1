//! A Machine that is gone has taken everything with it.

use super::endpoint::Service;
use super::facts::{HEARD, is_asked_for, is_gone, named};
use super::{Breach, Ending, Invariant, Kind, Law, Seen, Verdict};
use crate::api::{self, Object};
use crate::engine::Text;
use crate::timeline::Entry;
use crate::world::View;
use std::sync::Arc;

pub(super) const NOTHING_IS_LEFT: Invariant = Invariant {
    name: "nothing-is-left-behind",
    kind: Kind::Always,
    law: "a Machine that is gone leaves no VM behind and no object of its infrastructure that it had taken \
          over; what lost its owner before the owner's controller saw it (a part, its user data, a Machine) \
          is the garbage collector's, and once a run has recovered for two minutes there is none; and no \
          Node that it had found, if the \
          API has long been there to delete it, with disks of etcd that write: after nodeDeletionTimeout \
          Cluster API goes without",
    source: "Cluster API book, Machine deletion process, Owner References; spec.nodeDeletionTimeout, 10 s by \
             default; Kubernetes documentation, Garbage Collection: owners and dependents",
    begin: || Box::new(NothingIsLeft::default()),
};

#[derive(Clone, Debug, Default)]
struct NothingIsLeft {
    service: Service,
}

const INFRASTRUCTURE: [api::Kind; 3] =
    [api::Kind::InfraMachine, api::Kind::VSphereMachine, api::Kind::VirtualMachine];

/// What else has owners beside Machines.
const OWNED: [api::Kind; 4] =
    [api::Kind::MachineSet, api::Kind::Machine, api::Kind::KubeadmConfig, api::Kind::Secret];

impl NothingIsLeft {
    fn judge(&self, view: View, entry: &Entry) -> Option<Breach> {
        if !is_gone(entry, "Machine") || is_asked_for(view.timeline(), entry) {
            return None;
        }
        let name = &entry.name;
        let left = || infrastructure(view).filter(|object| object.name() == name);
        let mut own =
            left().filter(|object| object.meta.controlled_by(api::Kind::Machine).is_some());
        if let Some(object) = own.next() {
            return Some(Breach::shown_by(entry, format!("is gone, and {} is not", object.key())));
        }
        if left().next().is_none() && view.vm(name).is_some() {
            return Some(Breach::shown_by(entry, format!("is gone, and VM/{name} is not")));
        }
        let could_be_asked =
            self.service.all_since.is_some_and(|since| since + HEARD <= view.now());
        let node = named(view, api::Kind::Node, name);
        let node = node.filter(|_| could_be_asked && had_found_its_node(view, name));
        node.map(|_| Breach::shown_by(entry, format!("is gone, and Node/{name} is not")))
    }
}

/// What providers have made of Machines.
fn infrastructure(view: View<'_>) -> impl Iterator<Item = &Arc<Object>> {
    INFRASTRUCTURE.into_iter().flat_map(move |kind| view.objects(kind))
}

/// True for an object whose owner is gone: it is the garbage collector's.
fn is_orphan(view: View, object: &Object) -> bool {
    object.meta.controller().is_some_and(|owner| {
        let there = named(view, owner.kind, &owner.name);
        there.is_none_or(|there| there.meta.uid != owner.uid)
    })
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

    fn end(&mut self, ending: &Ending) -> Verdict {
        let view = ending.view;
        if ending.recovered_at.is_none_or(|at| at + HEARD > view.now()) {
            return Verdict::Holds;
        }
        let owned = OWNED.into_iter().flat_map(|kind| view.objects(kind));
        let mut left = owned.chain(infrastructure(view)).filter(|object| is_orphan(view, object));
        left.find(|object| !object.meta.is_deleting()).map_or(Verdict::Holds, |object| {
            Verdict::Broken(Breach {
                object: Text::from(object.key().to_string()),
                says: Text::word("is there, and its owner is gone"),
                entries: super::facts::latest(view),
            })
        })
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}
