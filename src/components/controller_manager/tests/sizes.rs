//! Deployment and ReplicaSet: who goes when a set shrinks, and what is said of sizes.

use super::workloads::{owned, pod_writes, settle, template};
use super::*;
use crate::api::kinds::Deployment;
use crate::api::labels;

/// How a Pod is made to be missed less.
type Change = fn(&mut Object);

#[test]
fn a_set_that_shrinks_loses_first_what_is_missed_least() {
    let template = template();
    let owner = {
        let mut object =
            Object::new(Meta::new(Kind::Deployment, "default", "web"), Deployment::default());
        object.meta.uid = Uid(70);
        object
    };
    let set = ReplicaSet { replicas: 1, template: template.clone(), ..Default::default() };
    let mut set =
        Object::new(Meta::new(Kind::ReplicaSet, "default", "web-1").owned_by(&owner.meta), set);
    set.meta.uid = Uid(71);
    let at = |seconds| SimTime::ZERO + Duration::from_secs(seconds);
    let ready = |pod: &mut Object, status, since| {
        let condition = Condition::new("Ready", status, "", "", at(since));
        pod.pod_mut().expect("a Pod").conditions.set(condition);
    };
    // Each is to go before `b`, though its name or its uid would let it stay.
    let worse: [(&str, Change); 6] = [
        ("it has no Node", |pod| pod.pod_mut().expect("a Pod").node_name = Text::EMPTY),
        ("it does not run", |pod| pod.pod_mut().expect("a Pod").phase = PodPhase::Pending),
        ("it is not ready", |pod| pod.pod_mut().expect("a Pod").conditions = Conditions::default()),
        ("it shares its Node", |pod| pod.pod_mut().expect("a Pod").node_name = Text::word("full")),
        ("it was restarted", |pod| pod.pod_mut().expect("a Pod").restarts = 1),
        ("it is younger", |pod| pod.meta.created = SimTime::ZERO + Duration::from_secs(900)),
    ];
    let victim = |mut worse: Object, mut other: Object| {
        (worse.meta.uid, other.meta.uid) = (Uid(2000), Uid(1000));
        let mut old = set.clone();
        (old.meta.uid, old.meta.key) =
            (Uid(72), ObjectKey { name: Text::word("web-0"), ..old.meta.key });
        let mut companion = owned(&old, "c", "full");
        companion.meta.uid = Uid(3000);
        let objects = [node("a"), lease("a", 1), set.clone(), old, worse, other, companion];
        let mut manager = manager(settings(), &objects[..0]);
        manager.pass(Duration::from_secs(1000));
        for object in objects {
            manager.shows(WatchKind::Added, object);
        }
        pod_writes(&mut manager)
            .into_iter()
            .find(|words| words.ends_with("/z") || words.ends_with("/b"))
    };
    for (why, change) in worse {
        let mut pod = owned(&set, "z", "a");
        change(&mut pod);
        assert_eq!(
            victim(pod, owned(&set, "b", "other")).as_deref(),
            Some("delete Pod/z"),
            "{why}"
        );
    }
    // Ready for 100 s and not for 1,000; and for 600 s, which is of the same magnitude.
    for (since, gone) in [(900, "delete Pod/z"), (400, "delete Pod/b")] {
        let mut pod = owned(&set, "z", "a");
        ready(&mut pod, Status::True, since);
        assert_eq!(victim(pod, owned(&set, "b", "other")).as_deref(), Some(gone), "{since}");
    }
}

#[test]
fn a_set_that_gets_another_size_is_said_in_the_words_of_the_release() {
    let deployment = |replicas| {
        let (template, selector) = (template(), labels([("app", Text::word("web"))]));
        let body = Deployment { replicas, selector, template, ..Deployment::default() };
        let mut object = Object::new(Meta::new(Kind::Deployment, "default", "web"), body);
        object.meta.uid = Uid(70);
        object
    };
    let said = |manager: &mut Manager| {
        let events = about(manager, "create Event/").into_iter();
        let words = |object: Arc<Object>| object.event().expect("an Event").message.to_string();
        let mut said: Vec<String> = events.filter_map(|(_, event)| event.map(words)).collect();
        said.retain(|words| words.starts_with("Scaled"));
        said
    };
    for (words, new, larger, smaller) in [
        (ScalingWords::ToFrom, "to 2", "to 3 from 2", "to 1 from 3"),
        (ScalingWords::FromTo, "from 0 to 2", "from 2 to 3", "from 3 to 1"),
    ] {
        let mut manager =
            manager(Settings { scaling_words: words, ..settings() }, &[deployment(2)]);
        settle(&mut manager);
        let waiting = manager.waiting();
        assert!(waiting.iter().all(|words| !words.contains("Event/")), "not before it is written");
        let create = waiting.into_iter().find(|words| words.starts_with("create ReplicaSet/"));
        let mut set = Object::clone(&manager.grant(&create.expect("a set")));
        set.meta.uid = Uid(71);
        let name = set.name().clone();
        assert_eq!(said(&mut manager), [format!("Scaled up replica set {name} {new}")]);
        for (size, way, sizes) in [(3, "up", larger), (1, "down", smaller)] {
            manager.shows(WatchKind::Modified, set);
            manager.shows(WatchKind::Modified, deployment(size));
            settle(&mut manager);
            set = Object::clone(&manager.grant(&format!("patch ReplicaSet/{name}")));
            let expected = format!("Scaled {way} replica set {name} {sizes}");
            assert_eq!(said(&mut manager), [expected]);
        }
    }
}
