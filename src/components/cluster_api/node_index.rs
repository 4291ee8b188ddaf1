//! Which Machine a Node belongs to, found without looking at every Machine.
//!
//! Follows the cache indexes `index.MachineByNodeName` and `index.MachineByProviderID`. It holds
//! keys only and decides nothing.

use crate::api::{Kind, Object, ObjectKey};
use crate::client::Delta;
use crate::engine::Text;
use std::collections::BTreeSet;

/// Machines by what they are known as in the workload cluster.
#[derive(Clone, Debug, Default)]
pub struct NodeIndex {
    by_node_name: BTreeSet<(Text, ObjectKey)>,
    by_provider_id: BTreeSet<(Text, ObjectKey)>,
}

impl NodeIndex {
    /// Takes a Machine's change over.
    pub fn observe(&mut self, delta: &Delta) {
        if let Some(old) = &delta.old {
            let (name, id) = known_as(old);
            name.map(|name| self.by_node_name.remove(&(name, old.key().clone())));
            id.map(|id| self.by_provider_id.remove(&(id, old.key().clone())));
        }
        if let Some(new) = &delta.new {
            let (name, id) = known_as(new);
            self.by_node_name.extend(name.map(|name| (name, new.key().clone())));
            self.by_provider_id.extend(id.map(|id| (id, new.key().clone())));
        }
    }

    /// The Machine of a Node, by reference or by what the provider called it; the first, if there
    /// are several.
    pub fn machine_of(&self, node: &Object) -> Option<&ObjectKey> {
        let by_name = first(&self.by_node_name, node.name());
        let by_id = first(&self.by_provider_id, &node.node()?.provider_id);
        by_name.into_iter().chain(by_id).min()
    }
}

/// The name of a Machine's Node and its provider ID, as far as they are known.
fn known_as(machine: &Object) -> (Option<Text>, Option<Text>) {
    let Some(body) = machine.machine() else { return (None, None) };
    let id = &body.spec.provider_id;
    (body.node_ref.clone(), (!id.is_empty()).then(|| id.clone()))
}

fn first<'a>(index: &'a BTreeSet<(Text, ObjectKey)>, value: &Text) -> Option<&'a ObjectKey> {
    let least = ObjectKey { kind: Kind::Machine, namespace: Text::EMPTY, name: Text::EMPTY };
    let from = (value.clone(), least);
    index.range(from..).next().filter(|(found, _)| found == value).map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Meta;
    use crate::api::kinds::{Machine, Node};
    use std::sync::Arc;

    fn machine(name: &'static str, node: Option<&'static str>, id: &'static str) -> Arc<Object> {
        let mut body = Machine { node_ref: node.map(Text::word), ..Machine::default() };
        body.spec.provider_id = Text::word(id);
        Arc::new(Object::new(Meta::new(Kind::Machine, "default", name), body))
    }

    fn node(name: &'static str, id: &'static str) -> Object {
        let body = Node { provider_id: Text::word(id), ..Node::default() };
        Object::new(Meta::new(Kind::Node, "", name), body)
    }

    fn found<'a>(index: &'a NodeIndex, node: &Object) -> Option<&'a str> {
        index.machine_of(node).map(|key| key.name.as_str())
    }

    #[test]
    fn a_node_is_found_by_reference_or_provider_id_until_its_machine_is_gone() {
        let mut index = NodeIndex::default();
        let (new, joined) =
            (machine("b", None, "vsphere://1"), machine("b", Some("n"), "vsphere://1"));
        index.observe(&Delta { old: None, new: Some(new.clone()) });
        assert_eq!(found(&index, &node("n", "vsphere://1")), Some("b"));
        assert_eq!(found(&index, &node("n", "")), None, "no ID is not an ID");
        index.observe(&Delta { old: Some(new), new: Some(joined.clone()) });
        assert_eq!(found(&index, &node("n", "")), Some("b"));
        let other = machine("a", None, "vsphere://1");
        index.observe(&Delta { old: None, new: Some(other) });
        assert_eq!(found(&index, &node("n", "vsphere://1")), Some("a"), "the first of two");
        index.observe(&Delta { old: Some(joined), new: None });
        assert_eq!(found(&index, &node("n", "")), None);
    }
}
