//! A user's manifests put into a world that is about to begin: sizes, workloads, budgets, checks.
//!
//! What names something that is not there is told as a warning; the settings among their values are
//! the catalog's affair.

use super::catalog::{Catalog, PLANE_CHECK};
use super::file::{MOST_WORKERS, Scenario, possible_control_planes};
use super::manifests::{Budget, Manifests, OwnWorkload, Place, Taken, VmCount, Warning};
use super::mistake::{Mistake, Mistakes};
use super::models::Platform;
use super::settings::health_check;
use crate::api::Labels;
use crate::engine::{Text, counted};
use crate::timeline::Changed;
use crate::world::{Blueprint, ControlPlaneNodes, RunsOn, Workload, WorkloadKind};

/// A user's manifests as one platform takes them.
#[derive(Clone, Debug)]
pub struct Own<'a> {
    pub manifests: &'a Manifests,
}

impl Own<'_> {
    /// How many control-plane VMs and workers there are, if the manifests say so.
    pub fn shape(
        &self,
        platform: &Platform,
        (mut control_planes, mut workers): (u32, u32),
        note: &mut impl FnMut(Mistake),
    ) -> (u32, u32) {
        let has_plane = platform.control_plane_nodes == ControlPlaneNodes::InCluster;
        if let Some(wanted) = self.manifests.control_planes.as_ref().filter(|_| has_plane) {
            match possible_control_planes(wanted.count) {
                Ok(()) => control_planes = wanted.count,
                Err(message) => note(Mistake::of(&wanted.place.with_column(), message)),
            }
        }
        if let Some(wanted) = &self.manifests.workers {
            match wanted.count {
                1..=MOST_WORKERS => workers = wanted.count,
                other => {
                    let message =
                        format!("{other} workers are not possible; write 1 to {MOST_WORKERS}");
                    note(Mistake::of(&wanted.place.with_column(), message));
                }
            }
        }
        (control_planes, workers)
    }

    /// Tells at a size that stands in them what only this size makes wrong in a scenario: the scenario is
    /// not theirs to mend.
    pub fn blame(
        &self,
        scenario: &Scenario,
        found: Mistakes,
        resolve: impl Fn(&Own) -> Result<(), Mistakes>,
    ) -> Mistakes {
        let Manifests { control_planes, workers, .. } = self.manifests;
        let mut without = [self.manifests.clone(), self.manifests.clone()];
        without[0].control_planes = None;
        without[1].workers = None;
        let sizes = [(control_planes, "control-plane VM"), (workers, "worker")];
        sizes.iter().zip(&without).fold(found, |found, ((size, noun), without)| match size {
            Some(VmCount { count, place }) if !scenario.is_in(&place.file) => {
                let without = resolve(&Own { manifests: without });
                let others: Vec<Mistake> = without.err().into_iter().flatten().collect();
                let is_due = |it: &Mistake| scenario.is_in(&it.file) && !others.contains(it);
                let size = counted(u64::from(*count), noun);
                found.instead(is_due, |due| {
                    Mistake::of(&place.with_column(), not_with(scenario, &size, due))
                })
            }
            _ => found,
        })
    }

    /// Puts workloads, budgets and checks into a blueprint; yields what the user should know.
    pub fn furnish(&self, platform: &Platform, blueprint: &mut Blueprint) -> Vec<Warning> {
        let mut warnings = self.manifests.warnings.clone();
        let own = &self.manifests.workloads;
        let is_own = |name: &Text| own.iter().any(|own| own.workload.name == *name);
        blueprint.workloads.retain(|workload| !is_own(&workload.name));
        blueprint.workloads.extend(own.iter().map(|own| own.workload.clone()));
        for (number, budget) in self.manifests.budgets.iter().enumerate() {
            let earlier = &self.manifests.budgets[..number];
            let warning = put_budget(budget, earlier, own, blueprint);
            warnings.extend(warning.map(|message| budget_warning(budget, message)));
        }
        self.checks(&platform.catalog, blueprint);
        self.no_control_plane(platform, &mut warnings);
        self.versions(platform, &mut warnings);
        self.ignored(platform, &mut warnings);
        warnings
    }

    /// Values that became no setting, as a run tells them.
    pub fn taken(&self, scenario: &Scenario, platform: &Platform) -> Vec<Changed> {
        let written = |count: Option<&super::yaml::Spanned<u32>>, else_: u32| {
            count.map_or(else_, |count| count.value).to_string()
        };
        let cluster = scenario.cluster();
        let has_plane = platform.control_plane_nodes == ControlPlaneNodes::InCluster;
        let changed = |taken: &Taken| {
            let Taken { key, value, place } = taken;
            if key == "cluster.controlPlane" && !has_plane {
                return None;
            }
            let instead_of = match key.as_str() {
                "cluster.workers" => {
                    written(cluster.and_then(|it| it.workers.as_ref()), platform.workers)
                }
                "cluster.controlPlane" => written(
                    cluster.and_then(|it| it.control_plane.as_ref()),
                    platform.control_planes,
                ),
                _ => String::new(),
            };
            let [key, value] = [key, value].map(|text| Text::from(text.as_str()));
            let (instead_of, from) = (Text::from(instead_of), Text::from(place.to_string()));
            Some(Changed { key, value, instead_of, from })
        };
        self.manifests.taken.iter().filter_map(changed).collect()
    }

    /// Where it stands in them that there are so few machines, or so many Pods, if it does.
    pub fn place_of_too_few(&self, workload: &Workload) -> Option<&Place> {
        let size = match workload.runs_on {
            RunsOn::Workers => &self.manifests.workers,
            RunsOn::ControlPlane => &self.manifests.control_planes,
        };
        let key = format!("Deployment/{} replicas", workload.name);
        let replicas = self.manifests.taken.iter().find(|taken| taken.key == key);
        size.as_ref().map(|size| &size.place).or(replicas.map(|taken| &taken.place))
    }

    fn checks(&self, catalog: &Catalog, blueprint: &mut Blueprint) {
        let pool = &mut blueprint.health_check.unhealthy_conditions;
        pool.extend(self.manifests.conditions.iter().cloned());
        if catalog.tells_checks_apart() {
            let mut check = health_check(catalog, PLANE_CHECK);
            let own = self.manifests.control_plane_conditions.iter().cloned();
            check.unhealthy_conditions.extend(own);
            blueprint.control_plane_check = Some(check);
            blueprint.settings.cluster_api.tells_checks_apart = true;
        }
    }

    /// Some platforms have a control plane that Cluster API does not keep.
    fn no_control_plane(&self, platform: &Platform, warnings: &mut Vec<Warning>) {
        if platform.control_plane_nodes == ControlPlaneNodes::InCluster {
            return;
        }
        for what in ["KubeadmControlPlane", "MachineHealthCheck over the control plane"] {
            let Some(place) = self.manifests.place_of(what) else { continue };
            // A check over all Machines still watches the workers.
            if what.starts_with("Machine") && self.manifests.control_plane_check.is_none() {
                continue;
            }
            let message = format!(
                "the {what} is left out: nobody keeps the control plane of platform {}",
                platform.name
            );
            warnings.push(Warning { place: place.clone(), message });
        }
    }

    /// A version of Kubernetes is a word of the manifest; what is played is the platform's.
    fn versions(&self, platform: &Platform, warnings: &mut Vec<Warning>) {
        let minor = |version: &str| {
            let mut parts = version.trim_start_matches('v').split('.').map(str::to_owned);
            (parts.next(), parts.next())
        };
        for wanted in &self.manifests.versions {
            if minor(&wanted.version) != minor(&platform.kubernetes_version) {
                let message = format!(
                    "version {} isn't played: platform {} has Kubernetes {}; see --platform",
                    wanted.version, platform.name, platform.kubernetes_version
                );
                warnings.push(Warning { place: wanted.place.clone(), message });
            }
        }
    }

    /// A field that the platform's release of Cluster API does not look at.
    fn ignored(&self, platform: &Platform, warnings: &mut Vec<Warning>) {
        let wishes = &self.manifests.wishes;
        let limits = wishes.iter().find(|wish| wish.key == "clusterApi.maxInFlight");
        let Some(wish) = limits.filter(|wish| wish.value != "none") else { return };
        if !platform.catalog.rule("clusterApi.ownerLimitsRemediation") {
            let message = format!(
                "maxInFlight changes nothing: Cluster API of platform {} does not look at it",
                platform.name
            );
            warnings.push(Warning { place: wish.place.clone(), message });
        }
    }
}

/// Why a scenario cannot be played with so many machines.
fn not_with(scenario: &Scenario, size: &str, due: &[Mistake]) -> String {
    let first = due.first().expect("something is due");
    // What could be written there instead is not what is asked for here.
    let wrong = first.message.split(';').next().unwrap_or_default();
    let (line, column) = first.place.unwrap_or_default();
    let more = match due.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let place = format!("{}:{line}:{column}{more}", first.file);
    format!("scenario {} cannot be played with {size}: {wrong} ({place})", scenario.name)
}

fn budget_warning(budget: &Budget, message: String) -> Warning {
    Warning { place: budget.place.clone(), message }
}

/// Gives a budget to the one workload whose Pods it selects, or says why not.
fn put_budget(
    budget: &Budget,
    earlier: &[Budget],
    own: &[OwnWorkload],
    blueprint: &mut Blueprint,
) -> Option<String> {
    let name = &budget.name;
    let selects = |workload: &Text| {
        let labels: Option<&Labels> =
            own.iter().find(|own| own.workload.name == *workload).map(|own| &own.labels);
        budget.selector.iter().all(|(key, value)| match labels {
            Some(labels) => labels.get(key) == Some(value),
            None => *key == *"app" && value == workload,
        })
    };
    let mut found: Vec<_> =
        blueprint.workloads.iter_mut().filter(|workload| selects(&workload.name)).collect();
    match found.as_mut_slice() {
        [] => Some(format!(
            "the PodDisruptionBudget {name} selects no Pod here, so it holds nothing back"
        )),
        [one] if !matches!(one.kind, WorkloadKind::Deployment | WorkloadKind::StatefulSet(_)) => {
            let kind = "only a Deployment and a StatefulSet have a budget here";
            Some(format!("the PodDisruptionBudget {name} is left out: {kind}"))
        }
        [one] if earlier.iter().any(|other| other.selector == budget.selector) => Some(format!(
            "a second PodDisruptionBudget over the Pods of {} is left out; the eviction API refuses \
             Pods that have two",
            one.name
        )),
        [one] => {
            one.budget = Some(budget.wanted);
            None
        }
        several => {
            let names: Vec<&str> = several.iter().map(|workload| workload.name.as_str()).collect();
            Some(format!(
                "the PodDisruptionBudget {name} is left out: one over the Pods of several \
                 workloads ({}) isn't modeled",
                names.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Changes, Game, Mistakes, Source, load};

    const PLANE: &str = "apiVersion: controlplane.cluster.x-k8s.io/v1beta1\nkind: KubeadmControlPlane\n\
                         metadata: { name: cp }\nspec:\n  replicas: 1\n";
    const POOL: &str = "apiVersion: cluster.x-k8s.io/v1beta1\nkind: MachineDeployment\nmetadata: { name: \
                        md-0 }\nspec:\n  clusterName: workload\n  replicas: 1\n  selector: {}\n  template: { \
                        spec: { clusterName: workload } }\n";

    fn game(scenario: &str, manifests: &[&str]) -> Result<Game, Mistakes> {
        let scenario = load(scenario).expect("embedded");
        let named =
            |(number, text): (usize, &&str)| Source::embedded(&format!("mine-{number}.yaml"), text);
        let manifests: Vec<Source> = manifests.iter().enumerate().map(named).collect();
        Game::with(&scenario, Changes { manifests: &manifests, ..Changes::default() })
    }

    #[test]
    fn a_size_with_which_a_scenario_cannot_be_played_is_told_where_it_stands() {
        let wrong = game("etcd-one-of-three", &[POOL, PLANE]).expect_err("three are named");
        let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        let begins = "mine-1.yaml:5:13: scenario etcd-one-of-three cannot be played with 1 control-plane VM: \
                      no control-plane VM `control-plane-2` (models/scenarios/etcd-one-of-three.yaml:";
        assert!(matches!(&told[..], [one] if one.starts_with(begins)), "{told:?}");
        assert!(told[0].ends_with(" more)"), "{told:?}");
        let none = PLANE.replace("replicas: 1", "replicas: 2");
        let wrong = game("etcd-one-of-three", &[&none]).expect_err("an even number")[0].to_string();
        assert!(wrong.starts_with("mine-0.yaml:5:13: a control plane of 2"), "{wrong}");
        game("worker-power-off", &[PLANE]).expect("it names none of them");
    }

    #[test]
    fn too_few_nodes_are_told_where_their_number_stands() {
        let warning = |manifest: &str| {
            let game = game("worker-power-off", &[manifest]).expect("valid");
            game.warnings().first().map(ToString::to_string).unwrap_or_default()
        };
        let told = warning(POOL);
        assert!(told.starts_with("mine-0.yaml:6:13: Deployment/web wants 3 Pods on"), "{told}");
    }
}
