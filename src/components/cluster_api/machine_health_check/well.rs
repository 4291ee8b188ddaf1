//! Machines that were well at the last look, and of which nothing has changed since: they are counted,
//! and not judged again. A large pool is looked at whenever one of its Nodes reports.
//!
//! That somebody is well depends on the check, the Cluster, the Machine and its Node, and on no clock.
//! Objects in caches are never changed in place, so the same object is the same content.

use super::super::node_in;
use crate::api::{Kind, Object};
use crate::client::Caches;
use std::iter::Peekable;
use std::sync::Arc;

/// Who was well at the last look of one check.
#[derive(Clone, Debug, Default)]
pub struct Well {
    /// The check and its Cluster, as they were then.
    basis: Option<[Arc<Object>; 2]>,
    /// Machines that say so, with their Nodes, in the order of the cache.
    pairs: Vec<[Arc<Object>; 2]>,
}

/// One look over all Machines, in the order of the cache.
pub struct Round<N: Iterator> {
    before: Peekable<std::vec::IntoIter<[Arc<Object>; 2]>>,
    nodes: Peekable<N>,
    now: Well,
}

impl Well {
    /// How many they are.
    pub fn count(&self) -> usize {
        self.pairs.len()
    }

    /// Begins a look; what was known counts only if the check and its Cluster are the same.
    pub fn look<'a>(
        self,
        basis: [&Arc<Object>; 2],
        nodes: &'a Caches,
    ) -> Round<impl Iterator<Item = &'a Arc<Object>> + use<'a>> {
        let is_same = self.basis.is_some_and(|before| are_same(&before, basis));
        let before = if is_same { self.pairs } else { Vec::new() };
        let pairs = Vec::with_capacity(before.len());
        Round {
            before: before.into_iter().peekable(),
            nodes: nodes.list(Kind::Node).peekable(),
            now: Well { basis: Some(basis.map(Arc::clone)), pairs },
        }
    }
}

impl<'a, N: Iterator<Item = &'a Arc<Object>>> Round<N> {
    /// True if the next Machine was well and is as it was, and so is its Node: it is counted.
    pub fn passes(&mut self, machine: &Arc<Object>, nodes: &'a Caches) -> bool {
        let is_it = |[known, _]: &[Arc<Object>; 2]| Arc::ptr_eq(known, machine);
        let Some(known) = self.before.next_if(is_it) else {
            // Those before it are gone, and it has changed, or is new.
            while self.before.next_if(|[known, _]| known.key() <= machine.key()).is_some() {}
            return false;
        };
        let is_same = self.has(&known[1], nodes);
        if is_same {
            self.now.pairs.push(known);
        }
        is_same
    }

    /// The Machine that was asked for last is well.
    pub fn note(&mut self, machine: &Arc<Object>, node: &Arc<Object>) {
        self.now.pairs.push([machine, node].map(Arc::clone));
    }

    /// What is known at the end of the look.
    pub fn end(self) -> Well {
        self.now
    }

    /// True if a Node is as it was. Most pools have their Nodes in the order of their Machines: then
    /// it is the next one.
    fn has(&mut self, known: &Arc<Object>, nodes: &'a Caches) -> bool {
        if self.nodes.next_if(|node| Arc::ptr_eq(node, known)).is_some() {
            return true;
        }
        let name = known.name();
        while self.nodes.next_if(|node| node.name() <= name).is_some() {}
        node_in(nodes, name).is_some_and(|node| Arc::ptr_eq(node, known))
    }
}

fn are_same(before: &[Arc<Object>; 2], now: [&Arc<Object>; 2]) -> bool {
    before.iter().zip(now).all(|(before, now)| Arc::ptr_eq(before, now))
}
