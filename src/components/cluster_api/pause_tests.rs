//! A paused Cluster: nobody acts, and where objects say so they say it first.

use super::tests::{Manager, check, cluster, machine, node, settings};
use super::*;
use crate::api::kinds::{MachineDeployment, MachineSet, MaxUnhealthy, Status};
use crate::api::{Meta, WatchKind};
use crate::client::testing::Bench;
use crate::engine::{Duration, SimTime};
use crate::infra::EndpointId;

/// A pool that wants three Machines, and its set, which has been told of two.
fn pool() -> [Object; 2] {
    let body = MachineDeployment { replicas: 3, ..MachineDeployment::default() };
    let pool = Object::new(Meta::new(Kind::MachineDeployment, "default", "md"), body);
    let body = MachineSet { replicas: 2, ..MachineSet::default() };
    let meta = Meta::new(Kind::MachineSet, "default", "ms").owned_by(&pool.meta);
    [pool, Object::new(meta, body)]
}

fn started(settings: Settings, paused: bool) -> Manager {
    let manager = ClusterApi::new(settings, Address::Endpoint(EndpointId(0)), None);
    let cluster = cluster(|cluster| cluster.paused = paused);
    let mut objects = vec![cluster, machine(|_| {}), node(Status::True, 0)];
    objects.extend(pool());
    objects.push(check(MaxUnhealthy::Percent(100)));
    let react = ClusterApi::on_event;
    Bench::started(manager, "capi-controller-manager", react, Start::Steady, &objects)
}

/// Grants all that is asked for, shows it, and says what it was, with what each says as Paused.
fn written(bench: &mut Manager) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..8 {
        bench.pass(Duration::from_millis(1));
        while let Some(what) = bench.waiting().first().cloned() {
            let object = bench.grant(&what);
            let paused = object.conditions().and_then(|all| all.get("Paused")).cloned();
            let paused = paused.map(|said| format!(" Paused={}", said.status.name()));
            found.push(format!("{what}{}", paused.unwrap_or_default()));
            bench.shows(WatchKind::Modified, Object::clone(&object));
        }
    }
    found.sort_unstable();
    found
}

#[test]
fn nobody_sizes_a_set_or_judges_a_machine_of_a_paused_cluster() {
    let mut bench = started(settings(), true);
    assert_eq!(written(&mut bench), [""; 0], "nothing is written");
    assert_eq!(bench.lines, ["Reconciliation is paused for this object"; 4]);
    bench.shows(WatchKind::Modified, cluster(|_| {}));
    let found = written(&mut bench);
    assert!(found.contains(&"patch MachineSet/ms".to_owned()), "afterwards it is: {found:?}");
}

#[test]
fn each_object_says_first_whether_it_is_paused_and_the_rest_waits_for_the_next_look() {
    let rules = Settings { pauses: Pauses::Said, ..settings() };
    let mut bench = started(rules, true);
    let all = |status: &str| {
        ["Machine/w", "MachineDeployment/md", "MachineHealthCheck/mhc", "MachineSet/ms"]
            .map(|object| format!("patch {object} Paused={status}"))
    };
    assert_eq!(written(&mut bench), all("True"), "this and no more");
    let line =
        "Pausing reconciliation for this object reason=\"Cluster spec.paused is set to true\"";
    assert_eq!(bench.lines, [line; 4]);
    bench.shows(WatchKind::Modified, cluster(|_| {}));
    let found = written(&mut bench);
    assert!(all("False").iter().all(|said| found.contains(said)), "{found:?}");
    assert!(found.len() > 4, "and then they go on: {found:?}");
}

#[test]
fn an_older_release_hears_nothing_of_an_object_that_is_paused_by_itself() {
    let mut bench = started(settings(), false);
    written(&mut bench);
    let paused = machine(|object| {
        super::brakes_tests::annotate(object, "cluster.x-k8s.io/paused");
        object.meta.deletion =
            Some(crate::api::Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
    });
    bench.shows(WatchKind::Modified, paused);
    assert_eq!(written(&mut bench), [""; 0]);
}
