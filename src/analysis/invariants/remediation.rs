//! What the controllers that heal may do to Machines: whom they may mark, and how many at once.

use super::facts::{
    EachEntry, HEARD, has_just_woken, has_long_been_going, have_kept_leaders, have_servers_heard,
    is_asked_for, is_by, is_deleted, is_gone, lately, named, turns, were_clocks_right,
};
use super::{Breach, Invariant, Kind, Law, Seen, Verdict};
use crate::api::kinds::{MachineHealthCheck, Status};
use crate::api::{self, Object};
use crate::client::PAUSED;
use crate::engine::Text;
use crate::timeline::Entry;
use crate::world::View;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) const MAX_UNHEALTHY: Invariant = Invariant {
    name: "max-unhealthy-is-kept",
    kind: Kind::Always,
    law: "a health check hands no Machine over for remediation while more of its Machines are \
          unhealthy than maxUnhealthy allows, as far as it can have heard",
    source: "Cluster API book, Configure a MachineHealthCheck: remediation short-circuiting",
    begin: || Box::new(EachEntry(too_many_are_unhealthy)),
};

pub(super) const HEALTHY_NODES_STAY: Invariant = Invariant {
    name: "healthy-nodes-stay",
    kind: Kind::Always,
    law: "no Machine is marked for remediation whose Node has been healthy for long, as far as the \
          health check can have heard, unless a user asked for it by annotation",
    source: "Cluster API, machinehealthcheck_targets.go, needsRemediation; up to 1.8 one that \
             recovers between its mark and its deletion goes all the same",
    begin: || Box::new(EachEntry(a_healthy_node_is_blamed)),
};

pub(super) const START_UP_IS_WAITED_FOR: Invariant = Invariant {
    name: "start-up-is-waited-for",
    kind: Kind::Always,
    law: "no Machine is marked for remediation before it has had nodeStartupTimeout to get a Node: \
          remediation has a pace, whatever keeps failing",
    source: "Cluster API, machinehealthcheck_targets.go, nodeStartupTimeout; without it: \
             openshift/machine-api-operator#736, a loop without a pause",
    begin: || Box::new(EachEntry(a_start_is_cut_short)),
};

pub(super) const ONLY_THE_MARKED_GO: Invariant = Invariant {
    name: "only-the-marked-go",
    kind: Kind::Always,
    law: "the owner of Machines deletes one only if it is marked, one too many, of another version \
          than wanted, or a user wants it gone",
    source: "Cluster API, machineset_controller.go and kubeadmcontrolplane remediation.go: \
             remediation deletes who has OwnerRemediated False, scaling who is one too many",
    begin: || Box::new(EachEntry(an_unmarked_one_goes)),
};

pub(super) const MAX_IN_FLIGHT: Invariant = Invariant {
    name: "max-in-flight-is-kept",
    kind: Kind::Always,
    law: "no more Machines of a pool are remediated at once than maxInFlight allows",
    source: "Cluster API, MachineDeployment spec.strategy.remediation.maxInFlight",
    begin: || InFlight::watch(limit_of_pool),
};

pub(super) const ONE_CONTROL_PLANE: Invariant = Invariant {
    name: "one-control-plane-machine-at-a-time",
    kind: Kind::Always,
    law: "a control plane deletes no Machine while another that it has deleted is still going",
    source: "Cluster API, kubeadm control plane remediation.go: waiting for control plane machine \
             deletion to complete",
    begin: || InFlight::watch(limit_of_plane),
};

const SKIP: &str = "cluster.x-k8s.io/skip-remediation";
const REMEDIATE: &str = "cluster.x-k8s.io/remediate-machine";
const HEALTH_CHECK: &str = "machinehealthcheck-controller";
const MACHINE_SET: &str = "machineset-controller";
const CONTROL_PLANE: &str = "kubeadm-control-plane-controller";

/// The Machine that a health check hands over for remediation with this entry.
fn marked<'a>(view: View<'a>, entry: &Entry) -> Option<&'a Arc<Object>> {
    let marks = turns(entry, "Machine", "OwnerRemediated", "False") && is_by(entry, HEALTH_CHECK);
    let machine = named(view, api::Kind::Machine, &entry.name).filter(|_| marks)?;
    let is_judged = machine.meta.annotation(REMEDIATE).is_none() && were_clocks_right(view);
    is_judged.then_some(machine)
}

/// True if who wrote an entry can have heard all that is older than [`HEARD`](super::facts::HEARD).
fn has_heard(view: View, entry: &Entry) -> bool {
    have_kept_leaders(view) && !view.links().lose_packets() && !has_just_woken(view, entry)
}

/// The health checks whose selector a Machine has.
fn checks<'a>(
    view: View<'a>,
    machine: &'a Object,
) -> impl Iterator<Item = &'a MachineHealthCheck> + 'a {
    let all = view.objects(api::Kind::MachineHealthCheck);
    let all = all.filter_map(|object| object.machine_health_check());
    all.filter(|check| machine.meta.matches(&check.selector))
}

fn too_many_are_unhealthy(view: View, entry: &Entry) -> Option<Breach> {
    let machine = marked(view, entry).filter(|_| has_heard(view, entry))?;
    checks(view, machine).find_map(|check| {
        let is_exempt = |other: &Object| {
            [PAUSED, SKIP].iter().any(|annotation| other.meta.annotation(annotation).is_some())
        };
        let all = view
            .objects(api::Kind::Machine)
            .filter(|other| other.meta.matches(&check.selector) && !is_exempt(other));
        let (mut expected, mut unhealthy) = (0, 0);
        for other in all {
            expected += 1;
            let is_it = other.name() == machine.name() || is_surely_unhealthy(view, check, other);
            unhealthy += u32::from(is_it);
        }
        let most = check.max_unhealthy.of(expected.max(check.expected_machines));
        let says = format!(
            "is marked for remediation while {unhealthy} of {expected} Machines are unhealthy and \
             maxUnhealthy is {}",
            check.max_unhealthy
        );
        (unhealthy > most).then(|| Breach::shown_by(entry, says))
    })
}

/// True if everybody has heard that a Machine is not healthy.
fn is_surely_unhealthy(view: View, check: &MachineHealthCheck, object: &Object) -> bool {
    let now = view.now();
    if has_long_been_going(object, now) {
        return true;
    }
    let Some(machine) = object.machine() else { return false };
    let Some(name) = &machine.node_ref else { return object.meta.created + HEARD <= now };
    let node = named(view, api::Kind::Node, name).and_then(|node| node.node());
    node.is_some_and(|node| {
        check.unhealthy_conditions.iter().any(|unhealthy| {
            node.conditions.get(&unhealthy.kind).is_some_and(|condition| {
                condition.status == unhealthy.status && condition.last_transition + HEARD <= now
            })
        })
    })
}

fn a_healthy_node_is_blamed(view: View, entry: &Entry) -> Option<Breach> {
    let has_heard = has_heard(view, entry) && have_servers_heard(view);
    let machine = marked(view, entry).filter(|_| has_heard)?;
    let name = machine.machine()?.node_ref.as_ref()?;
    let node = named(view, api::Kind::Node, name)?;
    let body = node.node()?;
    let is_fine = |check: &MachineHealthCheck| {
        check.unhealthy_conditions.iter().all(|unhealthy| {
            body.conditions.get(&unhealthy.kind).is_none_or(|condition| {
                let is_long_so = condition.last_transition + HEARD <= view.now();
                condition.status != unhealthy.status && is_long_so
            })
        })
    };
    // Where the management cluster hears of a Node late, the health check hears of it by that.
    let was_found = |entry: &Entry| {
        entry.kind == *"Machine" && entry.field == *"nodeRef" && entry.name == *machine.name()
    };
    let is_new = node.meta.created + HEARD > view.now() || lately(view, HEARD).any(was_found);
    let fine = !is_new && checks(view, machine).all(is_fine);
    let says = format!("is marked for remediation while Node {name} has long been healthy");
    fine.then(|| Breach::shown_by(entry, says))
}

fn a_start_is_cut_short(view: View, entry: &Entry) -> Option<Breach> {
    let machine = marked(view, entry)?;
    machine.machine().filter(|body| body.node_ref.is_none())?;
    // Times in objects are whole seconds.
    let waited = view.now().since(machine.meta.created.to_whole_seconds());
    let shortest = checks(view, machine).map(|check| check.node_startup_timeout).min()?;
    let says = format!(
        "is marked for remediation {waited} after it was created, though nodeStartupTimeout is \
         {shortest}"
    );
    (shortest.is_zero() || waited < shortest).then(|| Breach::shown_by(entry, says))
}

/// The Machine that its owner deletes with this entry, and the owner's kind and name.
fn deleted<'a>(view: View<'a>, entry: &Entry) -> Option<(&'a Arc<Object>, api::Kind, &'a Text)> {
    let owner = match () {
        () if !is_deleted(entry, "Machine") => return None,
        () if is_by(entry, MACHINE_SET) => api::Kind::MachineSet,
        () if is_by(entry, CONTROL_PLANE) => api::Kind::KubeadmControlPlane,
        () => return None,
    };
    let machine = named(view, api::Kind::Machine, &entry.name)?;
    Some((machine, owner, machine.meta.controlled_by(owner)?))
}

fn is_marked(machine: &Object) -> bool {
    machine.machine().is_some_and(|body| body.conditions.is("OwnerRemediated", Status::False))
}

fn an_unmarked_one_goes(view: View, entry: &Entry) -> Option<Breach> {
    let (machine, kind, name) = deleted(view, entry)?;
    if is_marked(machine) {
        return None;
    }
    let owner = named(view, kind, name)?;
    let (replicas, template) = match (owner.machine_set(), owner.kubeadm_control_plane()) {
        (Some(set), _) => (set.replicas, None),
        (_, Some(plane)) => (plane.replicas, Some(&plane.version)),
        _ => return None,
    };
    let is_old = template
        .is_some_and(|version| machine.machine().is_some_and(|body| body.spec.version != *version));
    let others = view
        .objects(api::Kind::Machine)
        .filter(|other| other.meta.controlled_by(kind) == Some(name) && !other.meta.is_deleting());
    let is_one_too_many = others.count() >= replicas as usize;
    let is_wanted = !is_old && !is_one_too_many && !is_asked_for(view.timeline(), entry);
    is_wanted.then(|| Breach::shown_by(entry, "is deleted by its owner, and nobody marked it"))
}

/// The owner whose limit binds a Machine that its own owner deletes, and the limit.
type LimitOf = fn(View, &Object, api::Kind, &Text) -> Option<(Text, u32)>;

/// Machines that their owners have deleted and that are not gone yet.
#[derive(Clone, Debug)]
struct InFlight {
    limit_of: LimitOf,
    going: BTreeMap<Text, BTreeSet<Text>>,
}

impl InFlight {
    fn watch(limit_of: LimitOf) -> Box<dyn Law> {
        Box::new(InFlight { limit_of, going: BTreeMap::new() })
    }
}

impl Law for InFlight {
    fn look(&mut self, seen: Seen) -> Verdict {
        for entry in seen.news.iter().filter(|entry| entry.kind == *"Machine") {
            if is_gone(entry, "Machine") {
                self.going.values_mut().for_each(|going| _ = going.remove(&entry.name));
            }
            let Some((machine, kind, name)) = deleted(seen.view, entry) else { continue };
            let Some((owner, most)) = (self.limit_of)(seen.view, machine, kind, name) else {
                continue;
            };
            let going = self.going.entry(owner.clone()).or_default();
            going.insert(entry.name.clone());
            if going.len() > most as usize {
                let count = going.len();
                let says =
                    format!("is deleted as number {count} at once of {owner}, at most {most}");
                return Verdict::Broken(Breach::shown_by(entry, says));
            }
        }
        Verdict::Holds
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}

/// Only remediation is limited; a MachineSet scales down as it likes.
fn limit_of_pool(view: View, machine: &Object, _: api::Kind, set: &Text) -> Option<(Text, u32)> {
    let conditions = &machine.machine()?.conditions;
    conditions.get("OwnerRemediated")?;
    let set = named(view, api::Kind::MachineSet, set)?;
    let name = set.meta.controlled_by(api::Kind::MachineDeployment)?;
    let pool = named(view, api::Kind::MachineDeployment, name)?.machine_deployment()?;
    Some((Text::from(format!("MachineDeployment/{name}")), pool.max_in_flight?.of(pool.replicas)))
}

fn limit_of_plane(_: View, _: &Object, kind: api::Kind, name: &Text) -> Option<(Text, u32)> {
    let is_plane = kind == api::Kind::KubeadmControlPlane;
    is_plane.then(|| (Text::from(format!("KubeadmControlPlane/{name}")), 1))
}
