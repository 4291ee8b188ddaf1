//! Which faults can strike at an instant: those that have something to hit, but for those that are
//! like another.

use super::draw::{BEGINS, LONG};
use super::exhaustive::Question;
use super::kinds::KINDS;
use super::schedule::{Schedule, Strike};
use super::symmetry::Symmetry;
use crate::engine::Text;
use crate::scenario::{Fault, models};
use crate::world::View;
use std::collections::BTreeMap;

/// Every fault that is tried.
pub struct Choices {
    all: Vec<Choice>,
    /// Hosts can fail.
    hosts_fail: bool,
}

/// A fault that can strike.
pub struct Choice {
    pub words: Text,
    pub fault: Fault,
    template: &'static str,
    /// The VM or host that it hits.
    target: Text,
    /// Where its target is among others that may be like it.
    group: usize,
}

/// The faults of an instant, by their places among all.
pub struct AtInstant {
    /// Those that make a difference.
    pub distinct: Vec<usize>,
    /// Those that are left out, each with one that it is like.
    pub alike: Vec<(usize, usize)>,
}

impl Choices {
    /// All faults of a question on the cluster as it begins.
    ///
    /// # Errors
    /// There is no such kind, or none is left.
    pub fn of(view: View, schedule: &Schedule, question: &Question) -> Result<Self, Vec<String>> {
        let kinds = &question.kinds;
        let is_wanted = |kind: &str| kinds.is_empty() || kinds.iter().any(|name| name == kind);
        refuse_unknown(kinds)?;
        let names = |program: &str, is_there: bool| -> Vec<Text> {
            let vms = view.vms().filter(|vm| vm.units.contains_key("kubelet"));
            vms.map(|vm| vm.name.clone()).filter(|vm| view.runs(program, vm) == is_there).collect()
        };
        let (servers, workers) = (names("etcd", true), names("etcd", false));
        let is_supervisor = |name: &&Text| name.starts_with("supervisor-");
        let supervisors = view.vms().map(|vm| &vm.name).filter(is_supervisor);
        let supervisors: Vec<Text> = supervisors.cloned().collect();
        let hosts: Vec<Text> = view.hosts().map(|host| host.name.clone()).collect();
        let mut all = Vec::new();
        for (group, (names, templates)) in [
            (&workers, ON_NODES),
            (&servers, ON_NODES),
            (&servers, ON_SERVERS),
            (&hosts, &ON_HOSTS),
            (&supervisors, &ON_SUPERVISORS),
        ]
        .into_iter()
        .enumerate()
        {
            for template in templates.iter().filter(|template| is_wanted(kind(template))) {
                for target in names {
                    let words = Text::from(template.replace('*', target));
                    let fault = read(schedule, &words)?;
                    all.push(Choice { words, fault, template, target: target.clone(), group });
                }
            }
        }
        match all.is_empty() {
            true => Err(vec![format!(
                "{} has nothing that these kinds could hit; without --kinds all are tried",
                question.platform
            )]),
            false => Ok(Choices { all, hosts_fail: is_wanted("powerOffHost") }),
        }
    }

    /// All of them.
    pub fn all(&self) -> &[Choice] {
        &self.all
    }

    /// Those that make a difference to the world as it is, after those that have struck. A VM that
    /// fails does not ask on which host it is, unless a host has failed or may fail later.
    pub fn at(&self, view: View, struck: &[&Text], more_may_follow: bool) -> AtInstant {
        let before: Vec<&Choice> =
            self.all.iter().filter(|choice| struck.contains(&&choice.words)).collect();
        let hosts_matter =
            self.hosts_fail && (more_may_follow || before.iter().any(|choice| is_on_host(choice)));
        let struck = |name: &str| -> Vec<&str> {
            let here = before.iter().filter(|choice| choice.target == *name);
            here.map(|choice| choice.template).collect()
        };
        let [whole, plain] = [true, hosts_matter].map(|hosts| Symmetry::of(view, hosts, struck));
        let mut known: BTreeMap<(&str, &str), bool> = BTreeMap::new();
        let mut found = AtInstant { distinct: Vec::new(), alike: Vec::new() };
        for (place, choice) in self.all.iter().enumerate() {
            let is_new = before.iter().all(|other| other.words != choice.words);
            if !is_new || !has_target(view, choice) {
                continue;
            }
            let symmetry = if is_on_host(choice) { &whole } else { &plain };
            let mut others = found.distinct.iter().copied().filter(|other: &usize| {
                let other = &self.all[*other];
                other.template == choice.template && other.group == choice.group
            });
            let target = choice.target.as_str();
            let like = others.find(|other| {
                let other = self.all[*other].target.as_str();
                let known = known.entry((other, target));
                *known.or_insert_with(|| symmetry.are_alike(other, target))
            });
            match like {
                Some(like) => found.alike.push((place, like)),
                None => found.distinct.push(place),
            }
        }
        found
    }
}

/// True if there is something that the fault can hit.
fn has_target(view: View, choice: &Choice) -> bool {
    let target = choice.target.as_str();
    let is_on = || view.vm(target).is_some_and(|vm| vm.is_on());
    match kind(&choice.template) {
        "powerOffHost" => view.is_host_on(target),
        "killProcess" => program(choice.template).is_some_and(|program| view.runs(program, target)),
        "stopUnit" => view.runs("kubelet", target),
        "powerOff" | "isolateVm" | "slowDisk" => is_on(),
        _ => view.vm(target).is_some(),
    }
}

/// The process that a fault names.
fn program(template: &'static str) -> Option<&'static str> {
    template.split("process: ").nth(1)?.split(' ').next()
}

fn is_on_host(choice: &Choice) -> bool {
    kind(&choice.template) == "powerOffHost"
}

const ON_NODES: &[&str] = &[
    "powerOff: { vm: * }",
    "deleteVm: { vm: * }",
    "stopUnit: { vm: *, unit: kubelet }",
    "isolateVm: { vm: * }",
];
const ON_SERVERS: &[&str] = &[
    "killProcess: { vm: *, process: etcd }",
    "killProcess: { vm: *, process: kube-controller-manager }",
    "removeFile: { vm: *, path: /etc/kubernetes/manifests/etcd.yaml }",
    "removeFile: { vm: *, path: /etc/kubernetes/manifests/kube-apiserver.yaml }",
    "slowDisk: { vm: *, flush: 5s }",
];
const ON_HOSTS: [&str; 1] = ["powerOffHost: { host: * }"];
const ON_SUPERVISORS: [&str; 1] = ["powerOff: { vm: * }"];

fn refuse_unknown(kinds: &[String]) -> Result<(), Vec<String>> {
    let mut known: Vec<&str> =
        ON_NODES.iter().chain(ON_SERVERS).chain(&ON_HOSTS).map(kind).collect();
    known.dedup();
    let wrong = kinds.iter().filter(|name| !known.contains(&name.as_str()));
    let told = |name: &String| match KINDS.iter().any(|kind| kind.name == *name) {
        true => format!("`{name}` is for campaigns; these are tried at all: {}", known.join(", ")),
        false => models::unknown("kind", name, &known),
    };
    let wrong: Vec<String> = wrong.map(told).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn kind<'a>(template: &&'a str) -> &'a str {
    template.split(':').next().unwrap_or_default()
}

/// A fault as a scenario of this cluster reads it.
fn read(schedule: &Schedule, words: &Text) -> Result<Fault, Vec<String>> {
    let strikes = vec![Strike::at(BEGINS, words.as_str())];
    let game = Schedule { strikes, ..schedule.clone() }.game(LONG);
    let game = game.map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<String>>())?;
    let fault = game.faults().first().map(|(_, fault)| fault.clone());
    fault.ok_or_else(|| vec![format!("`{words}` is no fault")])
}

#[cfg(test)]
mod tests {
    use super::super::draw::plain;
    use super::super::schedule::Shape;
    use super::*;
    use crate::engine::{Duration, SimTime};
    use crate::scenario::Simulation;

    fn cluster() -> (Simulation, Choices) {
        let shape = Shape { control_planes: 3, workers: 3, zones: 0, hosts: 4 };
        let platform = Text::word("tkgs-2024");
        let schedule = Schedule { shape, seed: 1, ..plain(&platform) };
        let game = schedule.game(LONG).expect("a cluster");
        let mut simulation = game.begin(1);
        simulation.run_until(SimTime::ZERO + BEGINS);
        let kinds = ["deleteVm", "stopUnit", "killProcess"].map(ToOwned::to_owned).to_vec();
        let settings = Vec::new();
        let question = Question { platform, settings, faults: 2, seed: 1, kinds, jobs: 1 };
        let choices = Choices::of(simulation.view(), &schedule, &question).expect("kinds");
        (simulation, choices)
    }

    /// The deletions of workers among them.
    fn deletions(choices: &Choices, at: &AtInstant) -> Vec<Text> {
        let words = at.distinct.iter().map(|place| choices.all()[*place].words.clone());
        words.filter(|words| words.starts_with("deleteVm: { vm: worker")).collect()
    }

    #[test]
    fn of_workers_that_are_alike_one_is_hit_and_then_another() {
        let (mut simulation, choices) = cluster();
        let first = choices.at(simulation.view(), &[], true);
        let at_first = deletions(&choices, &first);
        assert_eq!(at_first, ["deleteVm: { vm: worker-0 }"]);
        let struck = &choices.all()[first.distinct[0]];
        assert_eq!(struck.words, at_first[0]);
        let at = SimTime::ZERO + BEGINS;
        simulation.add_fault(at, struck.fault.clone());
        simulation.run_until(at + Duration::from_secs(1));
        let second = choices.at(simulation.view(), &[&struck.words], false);
        let at_second = deletions(&choices, &second);
        assert_eq!(at_second, ["deleteVm: { vm: worker-1 }"]);
        // What is gone has no kubelet that could be stopped.
        let words = |place: &usize| choices.all()[*place].words.clone();
        let hit = |target: &str| second.distinct.iter().map(words).any(|it| it.contains(target));
        assert!(!hit("worker-0") && hit("vm: worker-1, unit: kubelet"));
    }

    #[test]
    fn whoever_leads_anything_is_like_nobody() {
        let (simulation, choices) = cluster();
        let view = simulation.view();
        let leads = |vm: &str| {
            let leases = view.objects(crate::api::Kind::Lease);
            let mut holders = leases.filter_map(|object| match &object.body {
                crate::api::Body::Lease(lease) => Some(lease.holder.clone()),
                _ => None,
            });
            view.etcd_member(crate::world::EtcdRole::Leader).is_some_and(|leader| leader == *vm)
                || holders.any(|holder| holder.starts_with(&format!("{vm}_")))
        };
        let planes = ["control-plane-0", "control-plane-1", "control-plane-2"];
        let leaders: Vec<&str> = planes.into_iter().filter(|vm| leads(vm)).collect();
        let first = choices.at(view, &[], false);
        let is_tried = |vm: &&str| {
            let words = format!("killProcess: {{ vm: {vm}, process: etcd }}");
            first.distinct.iter().any(|place| choices.all()[*place].words == *words)
        };
        assert!(leaders.len() > 1 && leaders.iter().all(is_tried), "{leaders:?}");
    }
}
