//! Which Node a Pod is bound to: of those that fit the one with the best score.
//!
//! It looks at Nodes, Pods, Services and sets as the watches show them. Follows `schedulePod` and `selectHost`
//! of `k/k:pkg/scheduler/schedule_one.go`.

use super::fit::{self, Misfits, Occupied};
use super::score::{self, Candidate, Company};
use super::{Event, Scheduler, TIE};
use crate::api::kinds::Pod;
use crate::api::{Kind, Labels, Object};
use crate::engine::{Text, index_below};
use crate::infra::Ctx;
use std::collections::BTreeMap;

impl Scheduler {
    /// The Node with the best score among those that fit; ties are drawn.
    pub(super) fn choose(
        &self,
        object: &Object,
        pod: &Pod,
        ctx: &mut Ctx<Event>,
    ) -> Result<Text, Misfits> {
        let there = self.pods_by_node();
        let nodes = self.client.caches.list(Kind::Node);
        let all: Vec<Candidate> = nodes
            .filter_map(|object| {
                let there = there.get(object.name()).map_or(&[][..], Vec::as_slice);
                Some(Candidate { object, body: object.node()?, there })
            })
            .collect();
        let mut misfits = Misfits::default();
        let mut fit = Vec::new();
        for node in &all {
            match fit::why_not(pod, object, node.object, node.body, node.there) {
                Some(why) => misfits.add(why),
                None => fit.push(*node),
            }
        }
        match fit.as_slice() {
            [] => return Err(misfits),
            [one] => return Ok(one.object.name().clone()),
            _ => {}
        }
        let company = Company::of(object, self.selectors_of(object));
        let scores = score::scores(pod, company.as_ref(), &all, &fit);
        let top = scores.iter().max().copied();
        let best: Vec<Candidate> = fit
            .into_iter()
            .zip(&scores)
            .filter(|(_, score)| Some(**score) == top)
            .map(|(node, _)| node)
            .collect();
        let chosen = match best.len() {
            1 => 0,
            many => index_below(many as u64, ctx.draw(TIE)),
        };
        let chosen = usize::try_from(chosen).expect("an index of a list");
        Ok(best[chosen].object.name().clone())
    }

    /// The selectors of a Pod's Services and of the set that owns it.
    fn selectors_of<'a>(&'a self, pod: &'a Object) -> Vec<&'a Labels> {
        let caches = &self.client.caches;
        let namespace = &pod.key().namespace;
        let services = caches.list(Kind::Service).filter(|it| it.key().namespace == *namespace);
        let services = services.filter_map(|service| Some(&service.service()?.selector));
        let mut all: Vec<&Labels> = services
            .filter(|selector| !selector.is_empty() && pod.meta.matches(selector))
            .collect();
        let owner = pod.meta.controller();
        let set = owner.and_then(|owner| caches.named(owner.kind, namespace, &owner.name));
        all.extend(set.and_then(|set| match owner?.kind {
            Kind::ReplicaSet => set.replica_set().map(|set| &set.selector),
            Kind::StatefulSet => set.stateful_set().map(|set| &set.selector),
            _ => None,
        }));
        all
    }

    /// The Pods that take up room, by the Node that they are on, bound or assumed.
    fn pods_by_node(&self) -> BTreeMap<&Text, Vec<Occupied<'_>>> {
        let mut all: BTreeMap<&Text, Vec<Occupied<'_>>> = BTreeMap::new();
        for (node, pod) in self.placed_pods() {
            all.entry(node).or_default().push(pod);
        }
        all
    }

    /// The Pods that take up room on a Node.
    pub(super) fn pods_on(&self, node: &Text) -> Vec<Occupied<'_>> {
        self.placed_pods().filter(|(on, _)| *on == node).map(|(_, pod)| pod).collect()
    }

    /// The Pods that take up room, each with its Node: where it is bound, or assumed to be.
    fn placed_pods(&self) -> impl Iterator<Item = (&Text, Occupied<'_>)> {
        let pods = self.client.caches.list(Kind::Pod);
        let pods = pods.filter_map(|object| Some((object, object.pod()?)));
        let pods = pods.filter(|(_, pod)| !pod.phase.is_terminal()).map(|(object, pod)| {
            let node = self.assumed.get(object.key()).unwrap_or(&pod.node_name);
            (node, Occupied { object, pod })
        });
        pods.filter(|(node, _)| !node.is_empty())
    }
}
