//! How Nodes are ranked, by hand from the formulas of the source.

use super::fit::Occupied;
use super::score::{Candidate, Company, scores};
use super::tests::{bound_to, node, settings};
use super::*;
use crate::api::kinds::{Pod, PodTemplate, ReplicaSet, Resources, label};
use crate::api::{Labels, Meta, Uid, labels};
use crate::client::testing::Bench;
use crate::engine::SimTime;
use crate::infra::EndpointId;

/// A Node of a zone, which has room for ten such Pods and more.
fn node_in(name: &'static str, zone: &'static str) -> Object {
    let mut node = node(name, |_| {});
    if !zone.is_empty() {
        node.meta.labels = labels([(label::ZONE, Text::word(zone))]);
    }
    node
}

fn app() -> Labels {
    labels([("app", Text::word("web"))])
}

fn set() -> Object {
    let mut meta = Meta::new(Kind::ReplicaSet, "default", "web");
    meta.uid = Uid(7);
    Object::new(meta, ReplicaSet { selector: app(), ..ReplicaSet::default() })
}

/// A Pod of the set that asks for this much of cpu and memory.
fn pod_of(name: &'static str, bound: &'static str, (cpu_millis, memory_mib): (u64, u64)) -> Object {
    let requests = Resources { cpu_millis, memory_mib, pods: 1 };
    let template = PodTemplate { labels: app(), requests, ..PodTemplate::default() };
    let mut pod = Pod::new(Arc::new(template));
    pod.node_name = Text::word(bound);
    let mut meta = Meta::new(Kind::Pod, "default", name).owned_by(&set().meta);
    meta.labels = app();
    Object::new(meta, pod)
}

fn pod(name: &'static str, bound: &'static str) -> Object {
    pod_of(name, bound, (10, 10))
}

/// What each Node scores for a Pod, if all fit.
fn scored(pod: &Object, selector: Option<&Labels>, nodes: &[Object], pods: &[Object]) -> Vec<u64> {
    let there: Vec<Vec<Occupied>> = nodes
        .iter()
        .map(|node| {
            let all = pods.iter().filter_map(|object| Some((object, object.pod()?)));
            let on = all.filter(|(_, pod)| pod.node_name == *node.name());
            on.map(|(object, pod)| Occupied { object, pod }).collect()
        })
        .collect();
    let all: Vec<Candidate> = nodes
        .iter()
        .zip(&there)
        .map(|(object, there)| Candidate { object, body: object.node().expect("a Node"), there })
        .collect();
    let company = Company::of(pod, selector);
    scores(pod.pod().expect("a Pod"), company.as_ref(), &all, &all)
}

/// The same without what cpu and memory say, which is the same of each Node.
fn spread(nodes: &[Object], pods: &[Object]) -> Vec<u64> {
    let pod = pod_of("new", "", (0, 0));
    let resources = scored(&pod, None, nodes, pods);
    let all = scored(&pod, Some(&app()), nodes, pods);
    all.iter().zip(&resources).map(|(all, resources)| (all - resources) / 2).collect()
}

#[test]
fn a_zone_without_its_company_is_better_than_a_node_without_it() {
    let nodes = [node_in("a1", "a"), node_in("a2", "a"), node_in("b1", "b"), node_in("b2", "b")];
    // Four hosts weigh ln 6 = 1.792, two zones ln 4 = 1.386. What counts against a1 is
    // 1 * 1.792 + 2 and 1 * 1.386 + 4, together 9; against a2 0 + 2 and 1.386 + 4: 7; against the others 6.
    // Of 100 * (9 + 6 - x) / 9 that leaves 66, 88 and 100.
    assert_eq!(spread(&nodes, &[pod("one", "a1")]), [66, 88, 100, 100]);
    // One in each zone: 9, 7, 9, 7, of which 100 * (9 + 7 - x) / 9.
    let pods = [pod("one", "a1"), pod("two", "b1")];
    assert_eq!(spread(&nodes, &pods), [77, 100, 77, 100]);
    // Two of the zone on one host: 2 * 1.792 + 2 + 2 * 1.386 + 4 = 12.4, and 2 + 2 * 1.386 + 4 = 8.8.
    let pods = [pod("one", "a1"), pod("two", "a1")];
    assert_eq!(spread(&nodes, &pods), [50, 75, 100, 100]);
}

#[test]
fn without_zones_only_hosts_count_and_a_node_without_one_is_not_left_out() {
    // Three hosts weigh ln 5 = 1.609: 1.609 + 2 is 4 when rounded, 0 + 2 is 2; 100 * (4 + 2 - x) / 4.
    let nodes = [node_in("a", ""), node_in("b", ""), node_in("c", "")];
    assert_eq!(spread(&nodes, &[pod("one", "a")]), [50, 100, 100]);
    // "Without" is a zone for the weight, ln 4, and no zone for the Nodes in it: they have its 4 spared.
    // a: 1.609 + 2 + 1.386 + 4 = 9; b: 2 + 1.386 + 4 = 7; c: 2. Of 100 * (9 + 2 - x) / 9.
    let nodes = [node_in("a", "a"), node_in("b", "a"), node_in("c", "")];
    assert_eq!(spread(&nodes, &[pod("one", "a")]), [22, 44, 100]);
}

#[test]
fn only_living_pods_of_the_same_set_and_namespace_are_company() {
    let nodes = [node_in("a", ""), node_in("b", "")];
    let change = |change: &dyn Fn(&mut Meta)| {
        let mut pod = pod("one", "a");
        change(&mut pod.meta);
        spread(&nodes, &[pod])
    };
    // Two hosts weigh ln 4 = 1.386: 3 and 2, of which 100 * (3 + 2 - x) / 3.
    assert_eq!(change(&|_| {}), [66, 100]);
    let ends = crate::api::Deletion { at: SimTime::ZERO, grace: Duration::ZERO };
    assert_eq!(change(&|meta| meta.deletion = Some(ends)), [100, 100]);
    assert_eq!(change(&|meta| meta.key.namespace = Text::word("other")), [100, 100]);
    assert_eq!(change(&|meta| meta.labels = Labels::default()), [100, 100]);
    assert_eq!(change(&|meta| meta.owners = Arc::new([])), [100, 100], "of an older ReplicaSet");
}

#[test]
fn a_pod_that_nothing_selects_is_not_spread() {
    let nodes = [node_in("a", "a"), node_in("b", "b")];
    let pods = [pod_of("one", "a", (0, 0)), pod_of("two", "a", (0, 0))];
    // What is left is 100 of each of both: 100 * (1000 - 3 * 100) / 1000 of cpu, 100 * (1000 - 3 * 200) / 1000 of
    // memory on a, 90 and 80 on b; nobody has asked for anything, so both are balanced.
    assert_eq!(scored(&pod_of("new", "", (0, 0)), None, &nodes, &pods), [55 + 100, 85 + 100]);
}

#[test]
fn the_less_is_asked_for_and_the_more_evenly_the_better() {
    let mut large = node_in("a", "");
    let room = Resources { cpu_millis: 4000, memory_mib: 8192, pods: 110 };
    large.node_mut().expect("a Node").allocatable = room;
    let pods = [pod_of("one", "a", (100, 128)), pod_of("two", "a", (100, 128))];
    let score = scored(&pod_of("new", "", (100, 128)), None, &[large], &pods);
    // 100 * 3700 / 4000 = 92 of cpu, 100 * 7808 / 8192 = 95 of memory, 93 in the mean. The used shares
    // are 0.075 and 0.046875: 100 * (1 - 0.028125 / 2) = 98.
    assert_eq!(score, [93 + 98]);
    // All of cpu and none of memory: 0 is left and 80, which is 40 in the mean, as 200 are taken for none; and
    // 100 * (1 - 1 / 2).
    let small = node_in("a", "");
    let score = scored(&pod_of("new", "", (1000, 0)), None, &[small], &[]);
    assert_eq!(score, [40 + 50]);
}

/// Nodes in zones, and Pods of a set one after the other: the zone of each.
fn landed(zones: usize, each: usize, pods: usize, scheduler: &'static str) -> Vec<usize> {
    const ZONES: [&str; 4] = ["a", "b", "c", "d"];
    const NODES: [[&str; 3]; 4] =
        [["a1", "a2", "a3"], ["b1", "b2", "b3"], ["c1", "c2", "c3"], ["d1", "d2", "d3"]];
    const PODS: [&str; 8] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];
    let mut objects = vec![set()];
    for (zone, names) in ZONES.iter().zip(NODES).take(zones) {
        objects.extend(names.iter().take(each).map(|name| node_in(name, zone)));
    }
    objects.extend(PODS.iter().take(pods).map(|name| pod(name, "")));
    let server = Address::Endpoint(EndpointId(1));
    let new = Scheduler::new(settings(), server, Standing::Leader);
    let mut bench = Bench::started(new, scheduler, Scheduler::on_event, Start::Steady, &objects);
    (0..pods).for_each(|_| bench.pass(Duration::from_millis(1)));
    let zone_of = |node: &Text| {
        NODES.iter().position(|names| names.iter().any(|name| *name == &**node)).expect("a Node")
    };
    bound_to(&bench).iter().map(zone_of).collect()
}

#[test]
fn with_room_everywhere_each_replica_takes_the_zone_with_the_fewest() {
    let owners = ["kube-scheduler", "one", "two", "three", "four"];
    for (zones, each) in [(2, 1), (2, 3), (3, 1), (3, 2), (3, 3), (4, 2)] {
        for owner in owners {
            let landed = landed(zones, each, 2 * zones, owner);
            for round in landed.chunks(zones) {
                let mut taken = round.to_vec();
                taken.sort_unstable();
                assert_eq!(taken, (0..zones).collect::<Vec<_>>(), "{zones} of {each}: {landed:?}");
            }
        }
    }
}
