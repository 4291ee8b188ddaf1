//! How good the Nodes are that fit a Pod: what each plugin says, weighed as in the default profile.
//!
//! Follows `k/k:pkg/scheduler/framework/plugins`: `podtopologyspread/scoring.go` with its system
//! defaults, `noderesources/least_allocated.go` and `balanced_allocation.go`, and the weights of
//! `pkg/scheduler/apis/config/v1/default_plugins.go`. TaintToleration, NodeAffinity and
//! InterPodAffinity say the same of every Node here, where nothing is only preferred.
//!
//! Whole numbers: logarithms are in units of 2⁻³², and a quotient is rounded where the source rounds
//! it. So a score differs from the source's only where that has lost a unit to its floats.
//!
//! Simplified: no ImageLocality. A new Node really lacks images that others have (`kubernetes.imagePull`), but no
//! Node lists its own (`status.images`), so one that would have to pull is as good as one that has the image. And
//! all Nodes that fit are scored; the source scores 42 % of a thousand (`percentageOfNodesToScore`).

use super::fit::Occupied;
use crate::api::kinds::{Node, Pod, label};
use crate::api::{Kind, Labels, Object, Uid};
use crate::engine::Text;
use std::collections::BTreeMap;

/// A Node as it looks to who decides about one Pod.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    pub object: &'a Object,
    pub body: &'a Node,
    /// The Pods that take up room on it.
    pub there: &'a [Occupied<'a>],
}

/// Which Pods count as company of the one that looks for a Node: what its Services select and its
/// set owns (`helper.DefaultSelector`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company<'a> {
    namespace: &'a Text,
    selector: BTreeMap<Text, Text>,
    /// Its ReplicaSet, which real Pods name in a label of their own (`pod-template-hash`).
    replica_set: Option<Uid>,
}

const MAX: u64 = 100;
const SPREAD_WEIGHT: u64 = 2;
/// `systemDefaultConstraints`: by host and by zone.
const MAX_SKEW: [u64; 2] = [3, 5];

impl<'a> Company<'a> {
    /// The company of a Pod among these selectors; none if nothing selects it, for then it is spread by
    /// nothing.
    pub fn of(
        pod: &'a Object,
        selectors: impl IntoIterator<Item = &'a Labels>,
    ) -> Option<Company<'a>> {
        let all = selectors.into_iter().flat_map(|selector| selector.iter());
        let selector: BTreeMap<Text, Text> =
            all.map(|(key, value)| (key.clone(), value.clone())).collect();
        let owner = pod.meta.controller().filter(|owner| owner.kind == Kind::ReplicaSet);
        let replica_set = owner.map(|owner| owner.uid);
        let company = Company { namespace: &pod.key().namespace, selector, replica_set };
        (!company.selector.is_empty()).then_some(company)
    }

    /// True for a Pod that counts; one that terminates does not.
    fn has(&self, other: &Object) -> bool {
        let selected = |(key, value)| other.meta.labels.get(key) == Some(value);
        !other.meta.is_deleting()
            && other.key().namespace == *self.namespace
            && self.selector.iter().all(selected)
            && self
                .replica_set
                .is_none_or(|uid| other.meta.controller().is_some_and(|owner| owner.uid == uid))
    }

    fn on(&self, node: &Candidate) -> u64 {
        node.there.iter().filter(|other| self.has(other.object)).count() as u64
    }
}

/// The scores of the Nodes that fit, in their order; `all` are those whose Pods count for a zone.
pub fn scores(
    pod: &Pod,
    company: Option<&Company>,
    all: &[Candidate],
    fit: &[Candidate],
) -> Vec<u64> {
    let spread = match company {
        Some(company) => spread(company, pod, all, fit),
        None => vec![0; fit.len()],
    };
    let room = fit.iter().map(|node| least_allocated(pod, node) + balanced(pod, node));
    spread.iter().zip(room).map(|(spread, room)| SPREAD_WEIGHT * spread + room).collect()
}

/// PodTopologySpread: the fewer of its company on the Node and in the zone, the better.
fn spread(company: &Company, pod: &Pod, all: &[Candidate], fit: &[Candidate]) -> Vec<u64> {
    let zone = |node: &Candidate| node.object.meta.labels.get(label::ZONE).cloned();
    // Nodes without a zone are one zone as far as the weight goes, and are not ranked by it.
    let mut zones: BTreeMap<Option<Text>, u64> = fit.iter().map(|node| (zone(node), 0)).collect();
    // Those for which the Pod is not (`NodeAffinityPolicy: Honor`) do not count, those with taints do.
    for node in all.iter().filter(|node| super::fit::is_wanted(pod, node.object)) {
        if let Some(count) = zones.get_mut(&zone(node)) {
            *count += company.on(node);
        }
    }
    let weights = [fit.len() as u64, zones.len() as u64].map(|size| ln(size + 2));
    let raw = |node: &Candidate| {
        let in_zone = zone(node).and_then(|zone| zones.get(&Some(zone)).copied());
        let counts = [Some(company.on(node)), in_zone];
        let parts = counts.into_iter().zip(weights).zip(MAX_SKEW);
        rounded(
            parts.filter_map(|((n, weight), skew)| Some(n? * weight + ((skew - 1) << 32))).sum(),
        )
    };
    let raw: Vec<u64> = fit.iter().map(raw).collect();
    let (least, most) = (raw.iter().min().copied(), raw.iter().max().copied());
    let normalized = |score: &u64| match (least, most) {
        (Some(least), Some(most)) if most > 0 => MAX * (most + least - score) / most,
        _ => MAX,
    };
    raw.iter().map(normalized).collect()
}

/// NodeResourcesFit with `LeastAllocated`: the mean of what is left of cpu and memory. Who asks for
/// nothing counts with a little all the same (`DefaultMilliCPURequest`, `DefaultMemoryRequest`).
///
/// Simplified: of a Pod with several containers only if none of them asks.
fn least_allocated(pod: &Pod, node: &Candidate) -> u64 {
    let cpu = |pod: &Pod| or_default(pod.template.requests.cpu_millis, 100);
    let memory = |pod: &Pod| or_default(pod.template.requests.memory_mib, 200);
    let left = |room: u64, of: &dyn Fn(&Pod) -> u64| {
        room.saturating_sub(asked(pod, node, of)) * MAX / room.max(1)
    };
    let room = node.body.allocatable;
    (left(room.cpu_millis, &cpu) + left(room.memory_mib, &memory)) / 2
}

/// NodeResourcesBalancedAllocation: the closer the used shares of cpu and memory, the better.
///
/// Simplified: from 1.33 on a Pod that asks for nothing is not scored by it.
fn balanced(pod: &Pod, node: &Candidate) -> u64 {
    let room = node.body.allocatable;
    let (cpus, mibs) = (room.cpu_millis.max(1), room.memory_mib.max(1));
    let cpu = asked(pod, node, &|pod| pod.template.requests.cpu_millis).min(cpus);
    let memory = asked(pod, node, &|pod| pod.template.requests.memory_mib).min(mibs);
    // Half the difference of two fractions, over twice their common denominator.
    let whole = 2 * cpus * mibs;
    MAX * (whole - (cpu * mibs).abs_diff(memory * cpus)) / whole
}

/// What the Pods of a Node and this one ask for together.
fn asked(pod: &Pod, node: &Candidate, of: &dyn Fn(&Pod) -> u64) -> u64 {
    node.there.iter().map(|other| of(other.pod)).sum::<u64>() + of(pod)
}

fn or_default(asked: u64, default: u64) -> u64 {
    if asked == 0 { default } else { asked }
}

/// The natural logarithm of a whole number from 1 on, in units of 2⁻³²: `topologyNormalizingWeight`.
fn ln(number: u64) -> u64 {
    const LN_2: u128 = 2_977_044_472;
    let whole = number.ilog2();
    let mut log2 = u128::from(whole) << 32;
    // From 1 to 2, in units of 2⁻⁶⁰: each squaring brings one more digit of its logarithm.
    let mut mantissa = (u128::from(number) << 60) >> whole;
    for digit in (0..32).rev() {
        mantissa = (mantissa * mantissa) >> 60;
        if mantissa >> 61 > 0 {
            mantissa >>= 1;
            log2 |= 1 << digit;
        }
    }
    u64::try_from((log2 * LN_2) >> 32).expect("below 2⁶ in units of 2⁻³²")
}

/// The nearest whole number to one in units of 2⁻³².
fn rounded(number: u64) -> u64 {
    (number + (1 << 31)) >> 32
}
