//! Whether there are Nodes enough for the Pods that are wanted.

use super::file::Scenario;
use super::manifests::{Place, Warning};
use super::own::Own;
use super::yaml::place;
use crate::api::kinds::{Resources, Taint, TaintEffect, taint};
use crate::engine::Text;
use crate::world::{Blueprint, RunsOn, Workload, WorkloadKind};

impl Scenario {
    /// Where there are too few Nodes, some Pods wait from the beginning on, and nothing counts as recovered
    /// until somebody changes that.
    pub(super) fn without_room(&self, blueprint: &Blueprint, own: &Own) -> Vec<Warning> {
        let all = blueprint.without_room();
        all.into_iter()
            .filter_map(|(workload, missing)| {
                let what = too_few_nodes(workload, blueprint)
                    .or_else(|| too_small_nodes(workload, missing, blueprint))?;
                let place = own.place_of_too_few(workload).cloned();
                let place = place.unwrap_or_else(|| self.place_of_the_size(workload.runs_on));
                Some(never_well(workload, &what, place))
            })
            .collect()
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

/// Pods that repel each other need as many Nodes as there are of them.
fn too_few_nodes(workload: &Workload, blueprint: &Blueprint) -> Option<String> {
    let is_kept = matches!(workload.kind, WorkloadKind::Deployment | WorkloadKind::StatefulSet(_));
    if !is_kept || !workload.repel_each_other {
        return None;
    }
    let (there, what) = nodes_for(workload, blueprint);
    if workload.replicas <= there {
        return None;
    }
    Some(format!("on {what} of their own, and there are {there}"))
}

/// All Pods together ask for no more than the Nodes have.
fn too_small_nodes(workload: &Workload, missing: u32, blueprint: &Blueprint) -> Option<String> {
    // A Pod that waits may find a control-plane VM.
    if missing == 0 || tolerates_planes(workload) {
        return None;
    }
    let Resources { cpu_millis, memory_mib, pods } = blueprint.settings.kubelet.resources;
    Some(format!(
        "and {missing} of them find no room on Nodes with {cpu_millis}m of cpu, {memory_mib}Mi of memory \
         and {pods} Pods each (--set infra.nodeCpuMillis, infra.nodeMemoryMib and kubernetes.maxPods \
         say how much)"
    ))
}

fn never_well(workload: &Workload, what: &str, place: Place) -> Warning {
    let kind = match workload.kind {
        WorkloadKind::StatefulSet(_) => "StatefulSet",
        WorkloadKind::Job { .. } => "Job",
        WorkloadKind::Pod => "Pod",
        WorkloadKind::Deployment | WorkloadKind::DaemonSet => "Deployment",
    };
    let message = format!(
        "{kind}/{} wants {} Pods {what}: the cluster is not well as it begins, and does not recover unless \
         somebody changes either number",
        workload.name, workload.replicas
    );
    Warning { place, message }
}

/// How many Nodes a workload's Pods may run on, and what they are.
fn nodes_for(workload: &Workload, blueprint: &Blueprint) -> (u32, &'static str) {
    let (workers, planes) = (blueprint.workers, blueprint.control_planes);
    match workload.runs_on {
        RunsOn::Workers if tolerates_planes(workload) => (workers + planes, "Nodes"),
        RunsOn::Workers => (workers, "workers"),
        RunsOn::ControlPlane => (planes, "control-plane VMs"),
    }
}

/// True where a workload's Pods may run on control-plane VMs too.
fn tolerates_planes(workload: &Workload) -> bool {
    let (key, value) = (Text::word(taint::CONTROL_PLANE), Text::EMPTY);
    let taint = Taint { key, value, effect: TaintEffect::NoSchedule, added: None };
    workload.tolerations.iter().any(|toleration| toleration.covers(&taint))
}

#[cfg(test)]
mod tests {
    use crate::scenario::play::Changes;
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
                      the cluster is not well as it begins, and does not recover unless somebody changes \
                      either number";
        assert_eq!(two, [wanted]);
        assert_eq!(warnings("  cluster: { workers: 3 }\n"), [""; 0]);
        let own = "  workloads:\n    - { name: api, kind: StatefulSet, replicas: 5, runsOn: workers, \
                   repelEachOther: true }\n";
        let [told] = &warnings(own)[..] else { panic!("{:?}", warnings(own)) };
        assert!(told.starts_with("test.yaml:5:13: StatefulSet/api wants 5 Pods"), "{told}");
        let alone = own.replace("StatefulSet", "DaemonSet").replace("replicas: 5, ", "");
        assert_eq!(warnings(&alone), [""; 0]);
    }

    #[test]
    fn whoever_finds_no_room_is_told_with_what_a_node_has() {
        let own =
            "  workloads:\n    - { name: api, kind: Deployment, replicas: 400, runsOn: workers }\n";
        let [told] = &warnings(own)[..] else { panic!("{:?}", warnings(own)) };
        // 40 Pods of 100m on each of three workers, less three of `web`.
        assert!(told.contains("400 Pods and 283 of them find no room on Nodes with"), "{told}");
        assert_eq!(warnings(&own.replace("400", "117")), [""; 0]);
    }

    #[test]
    fn control_plane_vms_are_room_for_who_tolerates_them() {
        let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: test }\nspec:\n  platform: \
                    tkgs-2024\n  faults:\n    - { at: 1m, powerOff: { vm: worker-0 } }\n  until: 5m\n";
        let scenario = Scenario::read(Source::embedded("test.yaml", text)).expect("a scenario");
        let warned = |tolerations: &str| {
            let manifest = format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: web }}\nspec:\n  replicas: 4\n  \
                 selector: {{ matchLabels: {{ app: web }} }}\n  template:\n    metadata: {{ labels: {{ app: \
                 web }} }}\n    spec:\n{tolerations}      containers: [{{ name: web, image: web }}]\n      \
                 affinity:\n        podAntiAffinity:\n          \
                 requiredDuringSchedulingIgnoredDuringExecution:\n            - labelSelector: {{ \
                 matchLabels: {{ app: web }} }}\n              topologyKey: kubernetes.io/hostname\n"
            );
            let manifests = [Source::embedded("web.yaml", &manifest)];
            let changes = Changes { manifests: &manifests, ..Changes::default() };
            let game = Game::with(&scenario, changes).expect("valid");
            game.warnings().iter().any(|warning| warning.contains("of their own"))
        };
        assert!(warned(""));
        let key = "node-role.kubernetes.io/control-plane";
        let tolerates = format!("      tolerations: [{{ key: {key}, operator: Exists }}]\n");
        assert!(!warned(&tolerates));
    }
}
