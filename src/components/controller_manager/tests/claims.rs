//! Whose Pod it is: release and adoption by labels.

use super::workloads::{daemon_set, owned, pod_writes, settle, stateful_set};
use super::*;
use crate::api::kinds::PodManagement;
use crate::api::{Labels, labels};

fn app(name: &'static str) -> Labels {
    labels([("app", Text::word(name))])
}

/// Each kind of set, which wants the label of its app and has one Pod with it.
fn sets() -> [(Object, Object); 3] {
    let mut by_name = stateful_set(1, PodManagement::OrderedReady);
    by_name.stateful_set_mut().expect("a StatefulSet").selector = app("web");
    let mut by_node = daemon_set();
    by_node.daemon_set_mut().expect("a DaemonSet").selector = app("web");
    [(replica_set(), "web-1-x"), (by_name, "db-0"), (by_node, "agent-x")].map(|(set, name)| {
        let mut pod = owned(&set, name, "a");
        pod.meta.labels = app("web");
        (set, pod)
    })
}

fn running(set: &Object, pod: &Object) -> Manager {
    let objects = [node("a"), lease("a", 1), set.clone(), pod.clone()];
    let mut manager = manager(settings(), &objects);
    settle(&mut manager);
    if manager.waiting().contains(&"patch ReplicaSet/web-1".to_owned()) {
        manager.grant("patch ReplicaSet/web-1");
    }
    assert_eq!(pod_writes(&mut manager), [""; 0], "all is as it should be");
    manager
}

#[test]
fn a_pod_that_leaves_its_sets_selector_is_released_and_replaced() {
    for (set, mut pod) in sets() {
        let mut manager = running(&set, &pod);
        pod.meta.labels = app("quarantine");
        manager.shows(WatchKind::Modified, pod.clone());
        let patch = format!("patch Pod/{}", pod.name());
        assert_eq!(pod_writes(&mut manager).join(" "), patch);
        let released = manager.grant(&patch);
        assert_eq!(released.meta.owners.len(), 0, "{patch}");
        // The watch has not shown it yet, and its place is free at once.
        let writes = pod_writes(&mut manager);
        assert!(writes.len() == 1 && writes[0].starts_with("create Pod/"), "{writes:?}");
        manager.shows(WatchKind::Modified, Object::clone(&released));
        assert_eq!(pod_writes(&mut manager), writes, "nobody adopts it");
    }
}

#[test]
fn an_orphan_that_a_set_selects_is_adopted_once_the_set_is_known_to_be_there() {
    for (set, mut pod) in sets() {
        pod.meta.owners = Arc::new([]);
        let mut manager =
            manager(settings(), &[node("a"), lease("a", 1), set.clone(), pod.clone()]);
        settle(&mut manager);
        let look = format!("get {:?}/{}", set.key().kind, set.name());
        let at = manager.waiting().iter().position(|words| *words == look);
        let (connection, request) = manager.asked.remove(at.expect("it looks"));
        manager.answer(connection, request.id, Ok(Answer::Object(Arc::new(set.clone()))));
        let adopted = manager.grant(&format!("patch Pod/{}", pod.name()));
        assert_eq!(adopted.meta.controller().map(|owner| owner.uid), Some(set.meta.uid));
        assert_eq!(pod_writes(&mut manager), [""; 0], "it counts at once");
    }
}

#[test]
fn a_set_that_is_another_now_adopts_nobody() {
    let (set, mut pod) = sets()[0].clone();
    pod.meta.owners = Arc::new([]);
    let mut manager = manager(settings(), &[node("a"), lease("a", 1), set.clone(), pod]);
    settle(&mut manager);
    let at = manager.waiting().iter().position(|words| words == "get ReplicaSet/web-1");
    let (connection, request) = manager.asked.remove(at.expect("it looks"));
    let mut other = set;
    other.meta.uid = Uid(77);
    manager.answer(connection, request.id, Ok(Answer::Object(Arc::new(other))));
    assert!(manager.waiting().is_empty(), "{:?}", manager.waiting());
}
