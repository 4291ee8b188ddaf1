//! What is owned goes with its owners, and with nobody else.

use super::super::OfMachines;
use super::super::garbage::AGENT;
use super::workloads::owned;
use super::*;
use crate::api::kinds::{KubeadmConfig, Machine, Secret};
use crate::api::{Answered, Reason};

/// The objects of a ReplicaSet and one Pod of it.
fn set_and_pod() -> (Object, Object) {
    let meta = Meta::new(Kind::ReplicaSet, "default", "web-1");
    let mut set = Object::new(meta, ReplicaSet { replicas: 1, ..ReplicaSet::default() });
    set.meta.uid = Uid(70);
    let mut pod = owned(&set, "web-1-x", "a");
    pod.meta.uid = Uid(71);
    (set, pod)
}

/// Plays what is due soon, again and again.
fn settle<C, E: Clone>(bench: &mut Bench<C, E>) {
    (0..4).for_each(|_| bench.pass(Duration::from_millis(2)));
}

/// What the garbage collector asks, in words.
fn asked<C, E: Clone>(bench: &mut Bench<C, E>) -> Vec<String> {
    settle(bench);
    let asked = bench.asked.iter().filter(|(_, request)| request.agent == AGENT);
    asked.map(|(_, request)| crate::client::testing::words(request).0).collect()
}

/// Answers the only request of the garbage collector.
fn answer<C, E: Clone>(bench: &mut Bench<C, E>, answered: Answered) {
    let is_its = |(_, request): &(_, crate::api::Request)| request.agent == AGENT;
    let at = bench.asked.iter().position(is_its).expect("a request");
    let (connection, request) = bench.asked.remove(at);
    bench.answer(connection, request.id, answered);
}

fn shown(object: &Object) -> Answered {
    Ok(Answer::Object(Arc::new(object.clone())))
}

fn missing(object: &Object) -> Answered {
    Err(ApiError::not_found(object.key()))
}

#[test]
fn an_orphan_is_read_before_it_is_deleted_by_its_uid() {
    let (set, pod) = set_and_pod();
    let mut manager = manager(settings(), &[node("a"), set.clone(), pod.clone()]);
    assert_eq!(asked(&mut manager), [""; 0]);
    manager.shows(WatchKind::Deleted, set);
    assert_eq!(asked(&mut manager), ["get Pod/web-1-x"]);
    answer(&mut manager, shown(&pod));
    assert_eq!(asked(&mut manager), ["delete Pod/web-1-x"]);
    let verb = &manager.asked.last().expect("a request").1.verb;
    assert!(matches!(verb, Verb::Delete { uid: Some(Uid(71)), grace: None, .. }), "{verb:?}");
    answer(&mut manager, Ok(Answer::Done));
    assert_eq!(asked(&mut manager), [""; 0]);
}

#[test]
fn another_of_its_name_is_left_alone() {
    let (set, pod) = set_and_pod();
    let mut manager = manager(settings(), &[node("a"), set.clone(), pod.clone()]);
    manager.shows(WatchKind::Deleted, set);
    settle(&mut manager);
    let mut other = pod;
    other.meta.uid = Uid(99);
    answer(&mut manager, shown(&other));
    assert_eq!(asked(&mut manager), [""; 0]);
}

#[test]
fn the_owners_that_count_are_those_that_were_read() {
    let (set, pod) = set_and_pod();
    let released =
        Object { meta: Meta { owners: Arc::new([]), ..pod.meta.clone() }, ..pod.clone() };
    let adopter = Meta { uid: Uid(80), ..Meta::new(Kind::ReplicaSet, "default", "web-2") };
    let adopted = Object { meta: pod.meta.clone().owned_by(&adopter), ..pod.clone() };
    for (now, next) in [(released, None), (adopted, Some("get ReplicaSet/web-2"))] {
        let mut manager = manager(settings(), &[node("a"), set.clone(), pod.clone()]);
        manager.shows(WatchKind::Deleted, set.clone());
        settle(&mut manager);
        answer(&mut manager, shown(&now));
        assert_eq!(asked(&mut manager), Vec::from_iter(next));
    }
}

#[test]
fn who_came_after_its_owner_went_goes_once_the_owner_was_asked_for() {
    let (set, pod) = set_and_pod();
    for is_there in [true, false] {
        let mut manager = manager(settings(), &[node("a")]);
        manager.shows(WatchKind::Added, pod.clone());
        assert_eq!(asked(&mut manager), ["get ReplicaSet/web-1"]);
        answer(&mut manager, if is_there { shown(&set) } else { missing(&set) });
        // It asks until an informer shows the owner, which may be gone again before.
        manager.pass(Duration::from_millis(10));
        let next = if is_there { "get ReplicaSet/web-1" } else { "get Pod/web-1-x" };
        assert_eq!(asked(&mut manager), [next], "{is_there}");
        if is_there {
            manager.shows(WatchKind::Added, set.clone());
            answer(&mut manager, shown(&set));
            manager.pass(Duration::from_secs(1));
            assert_eq!(asked(&mut manager), [""; 0]);
        }
    }
}

#[test]
fn the_first_lists_are_looked_through_once_all_are_there() {
    let (set, pod) = set_and_pod();
    let mut orphaned = manager(settings(), &[node("a"), pod.clone()]);
    assert_eq!(asked(&mut orphaned), ["get ReplicaSet/web-1"]);
    let mut well = manager(settings(), &[node("a"), pod, set]);
    assert_eq!(asked(&mut well), [""; 0]);
}

#[test]
fn one_of_two_owners_is_enough() {
    let (set, mut pod) = set_and_pod();
    let other = node("a");
    pod.meta.owners =
        [pod.meta.owners.to_vec(), pod.meta.clone().owned_by(&other.meta).owners.to_vec()]
            .concat()
            .into();
    let mut manager = manager(settings(), &[other, set.clone(), pod]);
    manager.shows(WatchKind::Deleted, set);
    assert_eq!(asked(&mut manager), [""; 0]);
}

#[test]
fn what_fails_is_tried_again() {
    let (set, pod) = set_and_pod();
    let mut manager = manager(settings(), &[node("a"), set.clone(), pod.clone()]);
    manager.shows(WatchKind::Deleted, set);
    settle(&mut manager);
    answer(&mut manager, Err(ApiError::new(Reason::InternalError, "etcdserver: no leader")));
    let waits = |manager: &Manager| !manager.waiting().contains(&"get Pod/web-1-x".to_owned());
    assert!(waits(&manager));
    assert_eq!(asked(&mut manager), ["get Pod/web-1-x"]);
}

#[test]
fn the_user_data_of_a_machine_goes_with_its_kubeadm_config() {
    let mut machine = Object::new(Meta::new(Kind::Machine, "default", "w"), Machine::default());
    machine.meta.uid = Uid(1);
    let meta = Meta::new(Kind::KubeadmConfig, "default", "w").owned_by(&machine.meta);
    let mut config = Object::new(meta, KubeadmConfig::default());
    config.meta.uid = Uid(2);
    let meta = Meta::new(Kind::Secret, "default", "w").owned_by(&config.meta);
    let mut secret = Object::new(meta, Secret::of_user_data("join"));
    secret.meta.uid = Uid(3);
    let server = Address::Endpoint(EndpointId(1));
    let mut manager = Bench::started(
        OfMachines::new(settings(), server),
        "kube-controller-manager",
        OfMachines::on_event,
        Start::Steady,
        &[machine, config.clone(), secret.clone()],
    );
    assert_eq!(asked(&mut manager), [""; 0]);
    manager.shows(WatchKind::Deleted, config);
    assert_eq!(asked(&mut manager), ["get Secret/w"]);
    answer(&mut manager, shown(&secret));
    assert_eq!(asked(&mut manager), ["delete Secret/w"]);
}
