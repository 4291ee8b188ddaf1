//! Whether clusters still have the data with which the run began.
//!
//! A lone member of etcd that finds its disk empty begins anew, and its API server answers without an
//! object of all that there were. That is another cluster, though it has the name.

use crate::api::{Kind, ObjectKey, Uid};
use crate::engine::Text;
use crate::world::View;

/// So many of each kind tell whether the data are there: not all of them are ever replaced.
const OF_EACH_KIND: usize = 3;

/// What each cluster had at the beginning.
#[derive(Clone, Debug)]
pub struct Founding(Vec<(Text, Vec<(ObjectKey, Uid)>)>);

impl Founding {
    /// Of a run at its beginning.
    pub fn of(view: View) -> Founding {
        let some = |cluster: &Text| {
            let kinds = Kind::ALL.into_iter();
            let all = kinds.flat_map(|kind| view.objects_in(cluster, kind).take(OF_EACH_KIND));
            all.map(|object| (object.key().clone(), object.meta.uid)).collect::<Vec<_>>()
        };
        let clusters = view.etcd_clusters().into_iter();
        let clusters = clusters.map(|cluster| (cluster.clone(), some(cluster)));
        Founding(clusters.filter(|(_, some)| !some.is_empty()).collect())
    }

    /// The clusters whose etcd serves, and has nothing of what was there: each object is another or
    /// gone. What was restored from a backup has its own again.
    pub fn lost(&self, view: View) -> Vec<Text> {
        let is_lost = |(cluster, objects): &&(Text, Vec<(ObjectKey, Uid)>)| {
            let is_kept = |(key, uid): &(ObjectKey, Uid)| {
                view.object_in(cluster, key).is_some_and(|object| object.meta.uid == *uid)
            };
            // The leader is asked for last: it takes longest to find.
            !objects.iter().any(is_kept) && view.etcd_leader(cluster).is_some()
        };
        self.0.iter().filter(is_lost).map(|(cluster, _)| cluster.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::api::{Kind, Object};
    use crate::engine::{Duration, SimTime};
    use crate::scenario::{Game, Scenario, Source};
    use crate::timeline::Run;
    use crate::world::View;
    use std::sync::Arc;

    /// A member of so many loses its data.
    fn game(control_planes: u32) -> Game {
        let text = format!(
            "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  platform: \
             tkgs-2024\n  cluster: {{ controlPlane: {control_planes}, workers: 3 }}\n  faults:\n    \
             - {{ at: 60s, removeFile: {{ vm: control-plane-0, path: /var/lib/etcd/member }} }}\n    \
             - {{ at: 60s, killProcess: {{ vm: control-plane-0, process: etcd }} }}\n  until: 15m\n"
        );
        let scenario = Scenario::read(Source::embedded("test.yaml", &text)).expect("a scenario");
        Game::new(&scenario, None, &[], None).expect("valid")
    }

    fn run(control_planes: u32) -> Run {
        game(control_planes).play(1)
    }

    #[test]
    fn containers_run_on_without_the_data() {
        let mut simulation = game(1).begin(1);
        let pods: Vec<Arc<Object>> = simulation.view().objects(Kind::Pod).cloned().collect();
        let running = |view: View| {
            let runs = |pod: &&Arc<Object>| {
                let node = pod.pod().map(|pod| pod.node_name.clone()).unwrap_or_default();
                node.starts_with("worker-") && view.runs_container(&node, pod.meta.uid)
            };
            pods.iter().filter(runs).count()
        };
        let before = running(simulation.view());
        assert!(before > 2, "{before}");
        simulation.run_until(SimTime::ZERO + Duration::from_secs(800));
        assert_eq!(running(simulation.view()), before);
    }

    #[test]
    fn a_cluster_without_any_of_its_data_has_no_api_and_is_never_well() {
        let run = run(1);
        assert_eq!(run.missing[0].what, "all objects of its API are lost");
        let since = run.ended_at.since(SimTime::ZERO + Duration::from_secs(61));
        let down = |service| run.availability[service].unavailable;
        assert!(down("api") >= since.scaled(9, 10), "{}", down("api"));
        assert!(down("app/web").is_zero(), "{}", down("app/web"));
    }

    #[test]
    fn the_locks_alone_may_go_and_a_cluster_that_manages_may_be_lost_too() {
        let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: test }\nspec:\n  \
                    platform: tkgs-2024\n  faults:\n    - { at: 60s, kubectl: \"delete lease \
                    kube-scheduler -n kube-system\" }\n    - { at: 60s, kubectl: \"delete lease \
                    kube-controller-manager -n kube-system\" }\n    - { at: 60s, kubectl: \"delete \
                    lease cloud-controller-manager -n kube-system\" }\n    - { at: 5m, removeFile: \
                    { vm: supervisor-0, path: /var/lib/etcd/member } }\n    - { at: 5m, \
                    killProcess: { vm: supervisor-0, process: etcd } }\n  until: 15m\n";
        let scenario = Scenario::read(Source::embedded("test.yaml", text)).expect("a scenario");
        let mut simulation = Game::new(&scenario, None, &[], None).expect("valid").begin(1);
        simulation.run_until(SimTime::ZERO + Duration::from_secs(280));
        assert_eq!(simulation.lacks(), []);
        simulation.run_until(SimTime::ZERO + Duration::from_secs(420));
        let lack = &simulation.lacks()[0];
        assert_eq!(lack.object, "Cluster/management");
        assert_eq!(lack.what, "all objects of its API are lost");
    }

    #[test]
    fn a_member_of_three_that_lost_its_data_costs_no_service() {
        let run = run(3);
        assert!(run.availability.values().all(|down| down.unavailable < Duration::from_secs(5)));
        assert!(run.missing.iter().all(|lack| lack.what != *"all objects of its API are lost"));
    }
}
