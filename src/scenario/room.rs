//! Whether there are Nodes enough for the Pods that are wanted.

use super::file::Scenario;
use super::manifests::{Place, Warning};
use super::yaml::place;
use crate::world::{Blueprint, RunsOn, Workload, WorkloadKind};

impl Scenario {
    /// Pods that repel each other need as many Nodes as there are of them. Where there are fewer, some
    /// wait from the beginning on, and nothing ever counts as recovered.
    pub(super) fn without_room(&self, blueprint: &Blueprint) -> Vec<Warning> {
        let is_kept = |it: &&Workload| {
            matches!(it.kind, WorkloadKind::Deployment | WorkloadKind::StatefulSet(_))
        };
        let apart = blueprint.workloads.iter().filter(is_kept).filter(|it| it.repel_each_other);
        apart.filter_map(|workload| self.no_room(workload, blueprint)).collect()
    }

    fn no_room(&self, workload: &Workload, blueprint: &Blueprint) -> Option<Warning> {
        let (there, what) = match workload.runs_on {
            RunsOn::Workers => (blueprint.workers, "workers"),
            RunsOn::ControlPlane => (blueprint.control_planes, "control-plane VMs"),
        };
        if workload.replicas <= there {
            return None;
        }
        let kind = match workload.kind {
            WorkloadKind::StatefulSet(_) => "StatefulSet",
            _ => "Deployment",
        };
        let message = format!(
            "{kind}/{} wants {} Pods on {what} of their own, and there are {there}: the cluster is never \
             well, whatever happens, and does not recover",
            workload.name, workload.replicas
        );
        Some(Warning { place: self.place_of_the_size(workload.runs_on), message })
    }

    /// Where the number of Nodes is written, or the platform that has one.
    fn place_of_the_size(&self, runs_on: RunsOn) -> Place {
        let written = self.spec.cluster.as_ref().and_then(|cluster| match runs_on {
            RunsOn::Workers => cluster.workers.as_ref(),
            RunsOn::ControlPlane => cluster.control_plane.as_ref(),
        });
        let (line, column) = written.map_or_else(|| place(&self.platform), place);
        Place { file: self.source.file.clone(), line, column }
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Game, Scenario, Source};

    fn warnings(spec: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  platform: \
             tkgs-2024\n{spec}  faults:\n    - {{ at: 1m, powerOff: {{ vm: worker-0 }} }}\n  until: 5m\n"
        );
        let scenario = Scenario::read(Source::embedded("test.yaml", &text)).expect("a scenario");
        let game = Game::new(&scenario, None, &[], None).expect("valid");
        game.warnings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn who_is_never_well_is_told_so_where_the_number_of_nodes_stands() {
        let two = warnings("  cluster: { workers: 2 }\n");
        let wanted = "test.yaml:6:23: Deployment/web wants 3 Pods on workers of their own, and there are 2: \
                      the cluster is never well, whatever happens, and does not recover";
        assert_eq!(two, [wanted]);
        assert_eq!(warnings("  cluster: { workers: 3 }\n"), [""; 0]);
        let own = "  workloads:\n    - { name: api, kind: StatefulSet, replicas: 5, runsOn: workers, \
                   repelEachOther: true }\n";
        let [told] = &warnings(own)[..] else { panic!("{:?}", warnings(own)) };
        assert!(told.starts_with("test.yaml:5:13: StatefulSet/api wants 5 Pods"), "{told}");
        let alone = own.replace("StatefulSet", "DaemonSet").replace("replicas: 5, ", "");
        assert_eq!(warnings(&alone), [""; 0]);
    }
}
