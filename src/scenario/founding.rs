//! Whether the workload cluster still has the data with which the run began.
//!
//! A lone member of etcd that finds its disk empty begins anew, and its API server answers without an
//! object of all that there were. That is another cluster, though it has the name.

use crate::api::{Kind, ObjectKey, Uid};
use crate::world::{View, WORKLOAD_CLUSTER};

/// Where those who lead the control plane are written down: as long as the data, and not longer.
const LOCKS: &str = "kube-system";

/// What would be there for as long as the data are.
#[derive(Clone, Debug)]
pub struct Founding(Vec<(ObjectKey, Uid)>);

impl Founding {
    /// Of a run at its beginning.
    pub fn of(view: View) -> Founding {
        let all = view.objects_in(&WORKLOAD_CLUSTER, Kind::Lease);
        let locks = all.filter(|lease| lease.key().namespace == LOCKS);
        Founding(locks.map(|lease| (lease.key().clone(), lease.meta.uid)).collect())
    }

    /// True if etcd serves, and has nothing of what was there: each lock is another or gone. What was
    /// restored from a backup has its own again.
    pub fn is_lost(&self, view: View) -> bool {
        let is_kept = |(key, uid): &(ObjectKey, Uid)| {
            let lock = view.object_in(&WORKLOAD_CLUSTER, key);
            lock.is_some_and(|lock| lock.meta.uid == *uid)
        };
        // The leader is asked for last: it takes longest to find.
        !self.0.is_empty()
            && !self.0.iter().any(is_kept)
            && view.etcd_leader(&WORKLOAD_CLUSTER).is_some()
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::{Duration, SimTime};
    use crate::scenario::{Game, Scenario, Source};
    use crate::timeline::Run;

    /// A member of so many loses its data.
    fn run(control_planes: u32) -> Run {
        let text = format!(
            "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  platform: \
             tkgs-2024\n  cluster: {{ controlPlane: {control_planes}, workers: 3 }}\n  faults:\n    \
             - {{ at: 60s, removeFile: {{ vm: control-plane-0, path: /var/lib/etcd/member }} }}\n    \
             - {{ at: 60s, killProcess: {{ vm: control-plane-0, process: etcd }} }}\n  until: 15m\n"
        );
        let scenario = Scenario::read(Source::embedded("test.yaml", &text)).expect("a scenario");
        Game::new(&scenario, None, &[], None).expect("valid").play(1)
    }

    #[test]
    fn a_cluster_without_any_of_its_data_is_down_and_never_well() {
        let run = run(1);
        assert_eq!(run.missing[0].what, "all objects of its API are lost");
        let since = run.ended_at.since(SimTime::ZERO + Duration::from_secs(61));
        for (service, down) in &run.availability {
            assert!(down.unavailable >= since.scaled(9, 10), "{service}: {down:?}");
        }
    }

    #[test]
    fn a_member_of_three_that_lost_its_data_costs_no_service() {
        let run = run(3);
        assert!(run.availability.values().all(|down| down.unavailable < Duration::from_secs(5)));
        assert!(run.missing.iter().all(|lack| lack.what != *"all objects of its API are lost"));
    }
}
