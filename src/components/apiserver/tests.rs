//! The API server: rules of objects, watches, and what it says without its etcd.

use super::modify::{Decision, Modification, admitted};
use super::watches::WatchCache;
use super::*;
use crate::api::kinds::{
    KubeadmControlPlane, Machine, Node, Pod, PodPhase, PodTemplate, Status, TaintEffect,
};
use crate::api::{Kind, Meta, Reason, Selector, WatchKind};
use crate::engine::Text;
use crate::wire::Committed;

const NOW: SimTime = SimTime::from_micros(100_000_000);

#[test]
fn the_longer_a_cache_is_not_filled_the_longer_it_asks_to_be_left_alone() {
    let rule = super::bench::settings().cache.unfilled_retry_after;
    let after = |secs| rule.after(Duration::from_secs(secs)).as_secs();
    // e to the 0.06 times the time, in whole seconds.
    for (unfilled, seconds) in [(0, 1), (11, 1), (12, 2), (20, 3), (40, 11), (56, 28), (57, 30)] {
        assert_eq!(after(unfilled), seconds, "{unfilled} s");
    }
    assert_eq!(after(3_600), 30, "never longer");
}

fn pod(node: &'static str) -> Object {
    let template = PodTemplate { grace: Duration::from_secs(30), ..PodTemplate::default() };
    let mut pod = Pod::new(Arc::new(template));
    pod.node_name = Text::word(node);
    pod.phase = PodPhase::Running;
    let mut object = Object::new(Meta::new(Kind::Pod, "default", "web"), pod);
    object.meta.uid = Uid(1);
    object
}

fn delete(object: &Object, grace: Option<u64>) -> Decision {
    let grace = grace.map(Duration::from_secs);
    let modification = Modification::Delete { key: object.key().clone(), grace, uid: None };
    modification.decide(object, NOW, 0)
}

fn written(decision: Decision) -> Object {
    match decision {
        Decision::Write(object) => *object,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_deleted_pod_stays_until_its_kubelet_lets_go() {
    let object = written(delete(&pod("worker-0"), None));
    let deletion = object.meta.deletion.expect("marked");
    assert_eq!(deletion.grace, Duration::from_secs(30));
    assert_eq!(deletion.at, NOW + Duration::from_secs(30));
    assert!(matches!(delete(&object, None), Decision::Leave), "a second deletion changes nothing");
    assert_eq!(written(delete(&object, Some(1))).meta.deletion.map(|d| d.grace.as_secs()), Some(1));
    let last = written(delete(&object, Some(0)));
    assert_eq!(last.meta.deletion.map(|d| d.grace), Some(Duration::ZERO), "seen before it goes");
    let remove = Modification::Remove { key: last.key().clone() };
    assert!(matches!(remove.decide(&last, NOW, 0), Decision::Remove));
}

#[test]
fn a_pod_that_runs_nowhere_is_gone_at_once() {
    let mut failed = pod("worker-0");
    failed.pod_mut().expect("a pod").phase = PodPhase::Failed;
    for object in [pod(""), failed] {
        let last = written(delete(&object, None));
        assert_eq!(last.meta.deletion.map(|d| d.grace), Some(Duration::ZERO), "seen so");
        let next = Modification::Delete { key: last.key().clone(), grace: None, uid: None };
        let then = next.next_after(&last).expect("and removed");
        assert!(matches!(then.decide(&last, NOW, 0), Decision::Remove));
    }
}

#[test]
fn a_finalizer_holds_a_deleted_object_until_it_is_taken_away() {
    let mut machine = Object::new(Meta::new(Kind::Machine, "default", "m"), Machine::default());
    machine.meta.finalizers = Arc::new([Text::word("machine.cluster.x-k8s.io")]);
    let deleting = written(delete(&machine, None));
    let mut freed = deleting.clone();
    freed.meta.finalizers = Arc::new([]);
    let patch = Modification::Patch { base: Arc::new(deleting.clone()), changed: Arc::new(freed) };
    assert!(matches!(patch.decide(&deleting, NOW, 0), Decision::Remove));
}

#[test]
fn patches_of_different_fields_do_not_undo_each_other() {
    let base = Object::new(Meta::new(Kind::Node, "", "n"), Node::default());
    let mut cordoned = base.clone();
    cordoned.node_mut().expect("a node").unschedulable = true;
    let mut current = base.clone();
    current.node_mut().expect("a node").provider_id = Text::word("vsphere://n");
    let patch = Modification::Patch { base: Arc::new(base), changed: Arc::new(cordoned) };
    let node = written(patch.decide(&current, NOW, 0));
    let node = node.node().expect("a node");
    assert!(node.unschedulable && node.provider_id == "vsphere://n");
}

#[test]
fn an_eviction_marks_the_pod_and_then_deletes_it() {
    let object = pod("worker-0");
    let evict = Modification::MarkEvicted { key: object.key().clone(), grace: None, as_read: None };
    let marked = written(evict.decide(&object, NOW, 0));
    let target = marked.pod().expect("a pod").conditions.get("DisruptionTarget").cloned();
    assert_eq!(target.expect("marked").reason, "EvictionByEvictionAPI");
    assert!(matches!(evict.next_after(&marked), Some(Modification::Delete { .. })));
}

#[test]
fn a_bound_pod_cannot_be_bound_again_nor_one_of_another_uid() {
    let bind = |uid| Modification::Bind {
        pod: pod("").key().clone(),
        uid: Uid(uid),
        node: Text::word("worker-1"),
    };
    let bound = written(bind(1).decide(&pod(""), NOW, 0));
    assert!(bound.pod().is_some_and(|pod| pod.conditions.is("PodScheduled", Status::True)));
    assert!(matches!(bind(1).decide(&bound, NOW, 0), Decision::Refuse(_)));
    assert!(matches!(bind(2).decide(&pod(""), NOW, 0), Decision::Refuse(_)));
}

#[test]
fn new_pods_tolerate_lost_nodes_for_the_default_time() {
    let new = admitted(&pod(""), Uid(5), NOW, Duration::from_secs(300), 3);
    let tolerations = &new.pod().expect("a pod").tolerations;
    assert_eq!(tolerations.len(), 2);
    assert!(
        tolerations.iter().all(|t| t.effect == Some(TaintEffect::NoExecute)
            && t.seconds == Some(Duration::from_secs(300)))
    );
}

#[test]
fn a_watch_by_node_sees_pods_come_and_go_as_they_are_bound() {
    let mut watches = WatchCache::new(10);
    watches.begin();
    let client = ConnectionId { client: ProcessId(1), count: 1 };
    let selector = Selector::OnNode(Text::word("worker-0"));
    watches.open(client, 4, Kind::Pod, selector, Revision(0)).expect("in the window");
    let mut seen = Vec::new();
    let (unbound, bound) = (Arc::new(pod("")), Arc::new(pod("worker-0")));
    for (revision, old, new) in
        [(1, None, Some(&unbound)), (2, Some(&unbound), Some(&bound)), (3, Some(&bound), None)]
    {
        let revision = Revision(revision);
        let committed = Committed { revision, old: old.cloned(), new: new.cloned() };
        watches.publish(committed, |_, message| {
            let Message::Watch(event) = message else { panic!("{message:?}") };
            seen.push(event.kind);
        });
    }
    assert_eq!(seen, [WatchKind::Added, WatchKind::Deleted]);
}

#[test]
fn a_watch_from_before_the_window_has_expired() {
    let mut watches = WatchCache::new(2);
    watches.begin();
    for revision in 1..=5 {
        let revision = Revision(revision);
        let committed = Committed { revision, old: None, new: Some(Arc::new(pod(""))) };
        watches.publish(committed, |_, _| {});
    }
    let client = ConnectionId { client: ProcessId(1), count: 1 };
    let mut open = |from| watches.open(client, 1, Kind::Pod, Selector::All, Revision(from));
    assert_eq!(open(2).expect_err("gone").reason, Reason::Expired);
    assert_eq!(open(3).expect("the last two").len(), 2);
}

#[test]
fn an_even_size_of_a_control_plane_is_refused_where_it_is_new() {
    let plane = |replicas| {
        let version = Text::word("v1.30.0");
        let body = KubeadmControlPlane {
            replicas,
            version,
            max_surge: 1,
            ..KubeadmControlPlane::default()
        };
        Object::new(Meta::new(Kind::KubeadmControlPlane, "default", "p"), body)
    };
    let decide = |from: u32, to: u32| {
        let (base, changed) = (Arc::new(plane(from)), Arc::new(plane(to)));
        let key = base.key().clone();
        let scaled = Modification::Scale { key, replicas: to }.decide(&base, NOW, 0);
        let patch = Modification::Patch { base: base.clone(), changed };
        [scaled, patch.decide(&base, NOW, 0)]
    };
    for (from, to) in [(3, 0), (3, 2), (1, 4)] {
        let [scaled, patched] = decide(from, to).map(|decision| match decision {
            Decision::Refuse(error) => error.reason,
            other => panic!("{from} to {to}: {other:?}"),
        });
        assert_eq!((scaled, patched), (Reason::Forbidden, Reason::Invalid), "{from} to {to}");
    }
    assert!(decide(3, 5).iter().all(|decision| matches!(decision, Decision::Write(_))));
    assert!(decide(2, 2).iter().all(|decision| matches!(decision, Decision::Leave)));
}
