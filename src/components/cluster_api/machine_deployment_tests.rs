//! What a MachineDeployment does whose MachineSet is gone.

use super::tests::{Manager, manager, settings};
use super::*;
use crate::api::kinds::MachineDeployment;
use crate::api::{Deletion, Labels, Meta, Uid, WatchKind};
use crate::engine::{Duration, SimTime};

/// A MachineDeployment that wants three Machines.
fn deployment() -> Object {
    let label = (Text::word("cluster.x-k8s.io/deployment-name"), Text::word("md"));
    let selector: Labels = Arc::new([label].into());
    let body = MachineDeployment { replicas: 3, selector, ..MachineDeployment::default() };
    let mut object = Object::new(Meta::new(Kind::MachineDeployment, "default", "md"), body);
    object.meta.uid = Uid(5);
    object
}

/// A manager that has just heard of it.
fn hears(object: Object) -> Manager {
    let mut bench = manager(settings(), &[]);
    bench.shows(WatchKind::Added, object);
    (0..3).for_each(|_| bench.pass(Duration::from_millis(1)));
    bench
}

fn creations(bench: &Manager) -> Vec<String> {
    bench.waiting().into_iter().filter(|what| what.starts_with("create MachineSet/")).collect()
}

#[test]
fn it_makes_one_set_and_waits_until_its_cache_shows_that() {
    let mut bench = hears(deployment());
    let [create] = &creations(&bench)[..] else { panic!("{:?}", bench.waiting()) };
    let made = bench.grant(create);
    let set = made.machine_set().expect("a set");
    assert_eq!(made.meta.controller().map(|owner| owner.uid), Some(Uid(5)));
    assert_eq!(set.replicas, 3);
    assert_eq!(set.selector.get("cluster.x-k8s.io/set-name"), Some(made.name()));
    assert_eq!(set.selector.len(), 2, "and those of its MachineDeployment");
    // Somebody else's change before the watch shows the set.
    let mut changed = deployment();
    changed.meta.annotations = Arc::new([("a".into(), "b".into())].into());
    bench.shows(WatchKind::Modified, changed);
    bench.pass(Duration::from_millis(50));
    assert_eq!(creations(&bench), [""; 0]);
    bench.shows(WatchKind::Added, Object::clone(&made));
    (0..3).for_each(|_| bench.pass(Duration::from_millis(100)));
    assert_eq!(creations(&bench), [""; 0], "it has one");
}

#[test]
fn one_that_goes_makes_none() {
    let mut going = deployment();
    going.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
    assert_eq!(creations(&hears(going)), [""; 0]);
}
