//! StatefulSet and DaemonSet.

use super::*;
use crate::api::kinds::{DaemonSet, PodManagement, StatefulSet};
use crate::api::labels;

/// A Pod that this object manages; with a uid of its own, if it is shown.
pub(super) fn owned(owner: &Object, name: &'static str, node: &'static str) -> Object {
    let mut pod = pod(name, node);
    pod.meta = pod.meta.owned_by(&owner.meta);
    if let Some(set) = owner.replica_set() {
        pod.meta.labels = set.selector.clone();
    }
    pod.meta.uid = Uid(1000 + u64::from(name.as_bytes()[name.len() - 1]));
    pod
}

pub(super) fn terminating(mut pod: Object) -> Object {
    let (at, grace) = (SimTime::ZERO + Duration::from_secs(30), Duration::from_secs(30));
    pod.meta.deletion = Some(crate::api::Deletion { at, grace });
    pod
}

pub(super) fn with_phase(mut pod: Object, phase: PodPhase) -> Object {
    pod.pod_mut().expect("a Pod").phase = phase;
    pod
}

pub(super) fn template() -> Arc<PodTemplate> {
    Arc::new(PodTemplate { grace: Duration::from_secs(30), ..PodTemplate::default() })
}

pub(super) fn stateful_set(replicas: u32, policy: PodManagement) -> Object {
    let set = StatefulSet { replicas, policy, template: template(), ..StatefulSet::default() };
    let mut object = Object::new(Meta::new(Kind::StatefulSet, "default", "db"), set);
    object.meta.uid = Uid(7);
    object
}

/// Lets queued work begin and decide; counts are written down as they are wanted.
pub(super) fn settle(manager: &mut Manager) {
    for _ in 0..6 {
        manager.pass(Duration::from_millis(1));
        for counts in ["patch StatefulSet/db", "patch DaemonSet/agent", "patch Deployment/web"] {
            if manager.waiting().iter().any(|words| words == counts) {
                manager.grant(counts);
            }
        }
    }
}

/// What the manager wants to do to Pods now.
pub(super) fn pod_writes(manager: &mut Manager) -> Vec<String> {
    settle(manager);
    manager.waiting().into_iter().filter(|words| words.contains(" Pod/")).collect()
}

#[test]
fn a_stateful_set_creates_its_pods_in_order_each_after_the_last_is_ready() {
    let set = stateful_set(3, PodManagement::OrderedReady);
    let mut manager = manager(settings(), std::slice::from_ref(&set));
    assert_eq!(pod_writes(&mut manager), ["create Pod/db-0"]);
    let created = manager.grant("create Pod/db-0");
    let mut shown = Object::clone(&created);
    shown.meta.uid = Uid(70);
    manager.shows(WatchKind::Added, shown.clone());
    assert!(pod_writes(&mut manager).is_empty(), "db-0 is not ready yet");
    *shown.pod_mut().expect("a Pod") = pod("db-0", "a").pod().expect("a Pod").clone();
    manager.shows(WatchKind::Modified, shown);
    assert_eq!(pod_writes(&mut manager), ["create Pod/db-1"]);
    let event = about(&mut manager, "create Event/").remove(0).1.expect("an Event");
    let message = &event.event().expect("an Event").message;
    assert_eq!(message, "create Pod db-0 in StatefulSet db successful");
}

#[test]
fn in_parallel_it_creates_them_all() {
    let set = stateful_set(3, PodManagement::Parallel);
    let mut manager = manager(settings(), &[set]);
    for name in ["db-0", "db-1", "db-2"] {
        assert_eq!(pod_writes(&mut manager), [format!("create Pod/{name}")]);
        manager.grant(&format!("create Pod/{name}"));
    }
}

#[test]
fn a_terminating_pod_is_not_replaced_before_its_object_is_gone() {
    let set = stateful_set(3, PodManagement::OrderedReady);
    let old = owned(&set, "db-1", "a");
    let objects = [
        node("a"),
        lease("a", 1),
        set.clone(),
        owned(&set, "db-0", "a"),
        terminating(old.clone()),
        owned(&set, "db-2", "a"),
    ];
    let mut manager = manager(settings(), &objects);
    assert!(pod_writes(&mut manager).is_empty());
    manager.shows(WatchKind::Deleted, old);
    assert_eq!(pod_writes(&mut manager), ["create Pod/db-1"]);
}

#[test]
fn in_order_a_terminating_pod_holds_up_those_after_it_and_in_parallel_it_does_not() {
    for (policy, wanted) in
        [(PodManagement::OrderedReady, vec![]), (PodManagement::Parallel, vec!["create Pod/db-1"])]
    {
        let set = stateful_set(2, policy);
        let first = terminating(owned(&set, "db-0", "a"));
        let mut manager = manager(settings(), &[node("a"), lease("a", 1), set, first]);
        assert_eq!(pod_writes(&mut manager), wanted, "{policy:?}");
    }
}

#[test]
fn a_failed_pod_of_a_stateful_set_is_deleted_so_that_a_new_one_can_come() {
    let set = stateful_set(1, PodManagement::OrderedReady);
    let failed = with_phase(owned(&set, "db-0", "a"), PodPhase::Failed);
    let mut manager = manager(settings(), &[node("a"), lease("a", 1), set, failed.clone()]);
    assert_eq!(pod_writes(&mut manager), ["delete Pod/db-0"]);
    manager.grant("delete Pod/db-0");
    manager.shows(WatchKind::Deleted, failed);
    assert_eq!(pod_writes(&mut manager), ["create Pod/db-0"]);
}

#[test]
fn a_smaller_stateful_set_loses_its_last_pod_first() {
    let set = stateful_set(1, PodManagement::OrderedReady);
    let pods = ["db-0", "db-1", "db-2"].map(|name| owned(&set, name, "a"));
    let mut objects = vec![node("a"), lease("a", 1), set];
    objects.extend(pods);
    let mut manager = manager(settings(), &objects);
    assert_eq!(pod_writes(&mut manager), ["delete Pod/db-2"]);
}

#[test]
fn in_parallel_all_that_are_not_wanted_go_at_once() {
    let set = stateful_set(1, PodManagement::Parallel);
    let pods = ["db-0", "db-1", "db-2"].map(|name| owned(&set, name, "a"));
    let mut objects = vec![node("a"), lease("a", 1), set];
    objects.extend(pods);
    let mut manager = manager(settings(), &objects);
    for gone in ["delete Pod/db-2", "delete Pod/db-1"] {
        assert_eq!(pod_writes(&mut manager), [gone]);
        manager.grant(gone);
    }
    assert!(pod_writes(&mut manager).is_empty());
}

/// It could get well, and who is not wanted first is the one with the lower number.
#[test]
fn in_order_an_ill_pod_that_is_not_wanted_waits_for_an_ill_one_below_it() {
    let set = stateful_set(1, PodManagement::OrderedReady);
    let ill = |name| with_phase(owned(&set, name, "a"), PodPhase::Pending);
    for (second, wanted) in
        [(owned(&set, "db-1", "a"), vec!["delete Pod/db-2"]), (ill("db-1"), vec![])]
    {
        let objects =
            [node("a"), lease("a", 1), set.clone(), owned(&set, "db-0", "a"), second, ill("db-2")];
        let mut manager = manager(settings(), &objects);
        assert_eq!(pod_writes(&mut manager), wanted);
    }
}

pub(super) fn daemon_set() -> Object {
    let set = DaemonSet { template: template(), ..DaemonSet::default() };
    let mut object = Object::new(Meta::new(Kind::DaemonSet, "default", "agent"), set);
    object.meta.uid = Uid(8);
    object
}

fn tainted(name: &'static str, key: &'static str, effect: TaintEffect) -> Object {
    let mut node = node(name);
    node.node_mut().expect("a Node").taints = vec![Taint::new(key, effect, None)];
    node
}

#[test]
fn a_daemon_set_puts_one_pod_on_each_node_that_it_suits() {
    let plane = tainted("p", taint::CONTROL_PLANE, TaintEffect::NoSchedule);
    let cordoned = tainted("c", taint::UNSCHEDULABLE, TaintEffect::NoSchedule);
    let mut manager = manager(settings(), &[node("a"), plane, cordoned, daemon_set()]);
    let mut wanted = Vec::new();
    for _ in 0..2 {
        let [write] = &pod_writes(&mut manager)[..] else { panic!("{:?}", manager.waiting()) };
        let write = write.clone();
        let created = manager.grant(&write);
        let body = created.pod().expect("a Pod").clone();
        assert!(body.node_name.is_empty(), "the scheduler binds it");
        wanted.push(body.required_node.to_string());
        let unreachable = Taint::new(taint::UNREACHABLE, TaintEffect::NoExecute, None);
        let tolerated = body.tolerates(&unreachable).expect("tolerated");
        assert_eq!(tolerated.seconds, None, "for ever");
    }
    assert_eq!(wanted, ["a", "c"]);
    assert!(pod_writes(&mut manager).is_empty(), "not on the control plane, and none twice");
}

#[test]
fn a_new_node_gets_its_daemon_pod_once_it_is_ready() {
    let set = daemon_set();
    let mut manager = manager(settings(), &[node("a"), owned(&set, "agent-x", "a"), set]);
    assert!(pod_writes(&mut manager).is_empty());
    let unready = tainted("b", taint::NOT_READY, TaintEffect::NoSchedule);
    manager.shows(WatchKind::Added, unready);
    assert!(pod_writes(&mut manager).is_empty());
    manager.shows(WatchKind::Modified, node("b"));
    let writes = pod_writes(&mut manager);
    assert!(writes.len() == 1 && writes[0].starts_with("create Pod/agent-"), "{writes:?}");
}

#[test]
fn a_daemon_pod_stays_on_an_unreachable_node_and_leaves_one_that_is_out_of_service() {
    // Taint eviction marks it, and the DaemonSet deletes it.
    let leaves = vec!["patch Pod/agent-x", "delete Pod/agent-x"];
    for (key, wanted) in [(taint::UNREACHABLE, vec![]), (taint::OUT_OF_SERVICE, leaves)] {
        let set = daemon_set();
        let lost = tainted("a", key, TaintEffect::NoExecute);
        let pod = owned(&set, "agent-x", "a");
        let mut manager = manager(settings(), &[node("a"), pod, set]);
        settle(&mut manager);
        manager.shows(WatchKind::Modified, lost);
        let writes: Vec<String> = pod_writes(&mut manager);
        assert_eq!(writes, wanted, "{key}");
    }
}

#[test]
fn a_daemon_pod_that_terminates_still_has_its_place() {
    let set = daemon_set();
    let pod = terminating(owned(&set, "agent-x", "a"));
    let mut manager = manager(settings(), &[node("a"), pod.clone(), set]);
    assert!(pod_writes(&mut manager).is_empty());
    manager.shows(WatchKind::Deleted, pod);
    assert_eq!(pod_writes(&mut manager).len(), 1);
}

/// After how many seconds each of so many Pods is deleted that fail on one Node, each made for the last.
fn deleted_after(count: u64) -> Vec<u64> {
    let set = daemon_set();
    let mut failed = with_phase(owned(&set, "agent-x", "a"), PodPhase::Failed);
    let mut manager = manager(settings(), &[node("a"), lease("a", 1), set, failed.clone()]);
    let mut waits = Vec::new();
    for number in 0..count {
        let delete = format!("delete Pod/{}", failed.name());
        let mut seconds = 0;
        while !pod_writes(&mut manager).contains(&delete) {
            // Together with the settling it is a second.
            manager.pass(Duration::from_millis(994));
            seconds += 1;
            assert!(seconds < 2000, "it stays: {:?}", manager.waiting());
        }
        waits.push(seconds);
        manager.grant(&delete);
        manager.shows(WatchKind::Deleted, failed);
        let creates = pod_writes(&mut manager);
        let [create] = &creates[..] else { panic!("another in its place: {creates:?}") };
        failed = with_phase(Object::clone(&manager.grant(create)), PodPhase::Failed);
        failed.meta.uid = Uid(2000 + number);
        manager.shows(WatchKind::Added, failed.clone());
    }
    waits
}

#[test]
fn a_daemon_pod_that_fails_again_and_again_is_deleted_after_pauses_that_double() {
    assert_eq!(deleted_after(12), [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900]);
}

/// Two were created while the watch lagged, say: the first stays, or the one that was bound.
#[test]
fn of_several_daemon_pods_on_a_node_the_oldest_stays() {
    let set = daemon_set();
    let aged = |name, node, seconds| {
        let mut pod = owned(&set, name, node);
        pod.meta.created = SimTime::ZERO + Duration::from_secs(seconds);
        pod.pod_mut().expect("a Pod").required_node = Text::word("a");
        pod
    };
    let all = [aged("agent-x", "a", 9), aged("agent-y", "a", 5), aged("agent-z", "", 1)];
    let mut objects = vec![node("a"), lease("a", 1), set.clone()];
    objects.extend(all.iter().cloned());
    let mut manager = manager(settings(), &objects);
    for gone in ["delete Pod/agent-z", "delete Pod/agent-x"] {
        assert_eq!(pod_writes(&mut manager), [gone]);
        manager.grant(gone);
    }
    assert!(pod_writes(&mut manager).is_empty());
    let two = [node("a"), lease("a", 1), set.clone(), terminating(all[1].clone()), all[0].clone()];
    let mut manager = super::manager(settings(), &two);
    assert!(pod_writes(&mut manager).is_empty(), "one of them goes already");
}

/// It came and went while the watch was broken, say.
#[test]
fn a_pod_that_is_never_shown_is_expected_for_five_minutes() {
    let sets = [replica_set(), daemon_set(), super::jobs::job(6)];
    for (set, pods) in sets.iter().zip(["web-1-", "agent-", "backup-"]) {
        let mut manager = manager(settings(), &[node("a"), lease("a", 1), set.clone()]);
        let creates = |manager: &mut Manager| {
            settle(manager);
            let waiting = manager.waiting().into_iter();
            let prefix = format!("create Pod/{pods}");
            waiting.filter(|words| words.starts_with(&prefix)).collect::<Vec<String>>()
        };
        let mut again = set.clone();
        again.meta.uid = Uid(99);
        let create = |manager: &mut Manager| {
            let [words] = &creates(manager)[..] else { panic!("{:?}", manager.waiting()) };
            manager.grant(words);
            if manager.waiting().iter().any(|words| words == "update Job/backup") {
                manager.grant("update Job/backup");
            }
        };
        create(&mut manager);
        for (pause, wanted) in [(290, 0), (11, 1)] {
            manager.pass(Duration::from_secs(pause));
            assert_eq!(creates(&mut manager), [""; 0], "nobody looks at it by itself");
            manager.shows(WatchKind::Modified, set.clone());
            manager.pass(Duration::from_secs(1));
            assert_eq!(creates(&mut manager).len(), wanted, "{pods}: {pause}");
        }
        create(&mut manager);
        // Whoever is made anew under the name expects nothing.
        manager.shows(WatchKind::Deleted, set.clone());
        manager.shows(WatchKind::Added, again);
        assert_eq!(creates(&mut manager).len(), 1, "{pods}");
    }
}

#[test]
fn labels_say_where_a_daemon_set_belongs() {
    let mut set = daemon_set();
    let body = set.daemon_set_mut().expect("a DaemonSet");
    let selector = labels([("disk", Text::word("ssd"))]);
    body.template = Arc::new(PodTemplate { node_selector: selector.clone(), ..Default::default() });
    let body = set.daemon_set().expect("a DaemonSet");
    let mut here = node("a");
    let of = |node: &Object| daemon_suits(body, node, node.node().expect("a Node"));
    assert_eq!(of(&here), Suits::Not);
    here.meta.labels = selector;
    assert_eq!(of(&here), Suits::Run);
}
