//! Cluster API's brakes, one by one: what holds a verdict or a mark back, and who goes first.

use super::tests::{MARKS, Manager, check, cluster, machine, manager, node, pool, settings};
use super::*;
use crate::api::kinds::{
    Condition, InFlight, Machine, MachineDeployment, MachineSet, MaxUnhealthy, Status,
};
use crate::api::{Answer, Deletion, Meta, Uid, WatchKind};
use crate::engine::{Duration, SimTime};
use std::sync::Arc;

const ALL: MaxUnhealthy = MaxUnhealthy::Percent(100);

pub(super) fn annotate(object: &mut Object, name: &str) {
    let mut all = (*object.meta.annotations).clone();
    all.insert(Text::from(name), Text::EMPTY);
    object.meta.annotations = Arc::new(all);
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Grants every request that waits; what was said of the Machine `w`.
fn granted(bench: &mut Manager) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(what) = bench.waiting().first().cloned() {
        let machine = (what == "patch Machine/w").then(|| bench.grant(&what));
        let Some(machine) = machine else {
            bench.grant(&what);
            continue;
        };
        let conditions = machine.machine().map(|body| body.conditions.clone()).unwrap_or_default();
        let mine = conditions.iter().filter(|c| MARKS.contains(&c.kind.as_str()));
        found.extend(mine.map(|c| format!("{}={} {}", c.kind, c.status.name(), c.reason)));
    }
    found
}

/// What the health check says of the Machine `w` after a while.
fn after(settings: Settings, seconds: u64, objects: &[Object]) -> Vec<String> {
    let mut bench = manager(settings, objects);
    bench.pass(secs(seconds));
    // Any event will do to look again.
    let check = objects.iter().find(|object| object.key().kind == Kind::MachineHealthCheck);
    bench.shows(WatchKind::Modified, check.expect("a check").clone());
    for _ in 0..10 {
        bench.pass(Duration::from_millis(1));
    }
    granted(&mut bench)
}

#[test]
fn paused_and_skipped_machines_are_not_even_looked_at() {
    let dead = || [node(Status::Unknown, 0), check(ALL)];
    let plain = [vec![machine(|_| {})], dead().to_vec()].concat();
    assert_eq!(after(settings(), 400, &plain).len(), 2, "judged and marked");
    for annotation in ["cluster.x-k8s.io/paused", "cluster.x-k8s.io/skip-remediation"] {
        let exempt = machine(|object| annotate(object, annotation));
        let objects = [vec![exempt], dead().to_vec()].concat();
        assert!(after(settings(), 400, &objects).is_empty(), "{annotation}");
    }
    let mut paused = check(ALL);
    annotate(&mut paused, "cluster.x-k8s.io/paused");
    let objects = [machine(|_| {}), node(Status::Unknown, 0), paused];
    assert!(after(settings(), 400, &objects).is_empty(), "the check is paused");
    let objects = [plain, vec![cluster(|cluster| cluster.paused = true)]].concat();
    assert!(after(settings(), 400, &objects).is_empty(), "the Cluster is paused");
}

#[test]
fn a_machine_that_a_person_names_is_remediated_whatever_its_health() {
    let named = machine(|object| annotate(object, "cluster.x-k8s.io/remediate-machine"));
    let mut bench = manager(settings(), &[]);
    for object in [node(Status::True, 0), check(ALL), named] {
        bench.shows(WatchKind::Added, object);
    }
    for _ in 0..4 {
        bench.pass(Duration::from_millis(1));
    }
    let marks = granted(&mut bench);
    let both = [
        "HealthCheckSucceeded=False HasRemediateMachineAnnotation",
        "OwnerRemediated=False WaitingForRemediation",
    ];
    assert_eq!(marks, both);
}

#[test]
fn beyond_the_range_or_below_it_nobody_is_marked() {
    let dead = |max| [machine(|_| {}), node(Status::Unknown, 0), check(max)];
    for (range, marked) in [((1, 2), true), ((2, 4), false), ((0, 0), false)] {
        let found = after(settings(), 400, &dead(MaxUnhealthy::Range(range.0, range.1)));
        let last = found.last().is_some_and(|mark| mark.starts_with("OwnerRemediated"));
        assert_eq!(last, marked, "{range:?}: {found:?}");
    }
    let text = MaxUnhealthy::Range(3, 5).to_string();
    assert_eq!(text, "[3-5]");
}

#[test]
fn a_running_clock_uses_up_what_may_be_unhealthy() {
    let mut second = node(Status::Unknown, 300);
    second.meta.key.name = Text::word("v");
    let other = machine(|object| {
        object.meta.key.name = Text::word("v");
        object.meta.uid = Uid(10);
        if let Some(body) = object.machine_mut() {
            body.node_ref = Some(Text::word("v"));
        }
    });
    let objects = |most| {
        let max = MaxUnhealthy::Count(most);
        [machine(|_| {}), other.clone(), node(Status::Unknown, 0), second.clone(), check(max)]
    };
    // At 400 s, `w` has been dead for longer than 300 s and `v` has not.
    let found = after(settings(), 400, &objects(1));
    assert_eq!(found, ["HealthCheckSucceeded=False UnhealthyNode"], "judged, but not marked");
    assert_eq!(after(settings(), 400, &objects(2)).len(), 2);
}

#[test]
fn the_startup_clock_begins_with_the_latest_that_its_release_counts() {
    let ready_at = |seconds| {
        machine(move |object| {
            let Some(body) = object.machine_mut() else { return };
            body.node_ref = None;
            let at = SimTime::ZERO + secs(seconds);
            let ready = Condition::new("InfrastructureReady", Status::True, "", "", at);
            body.conditions.set(ready);
        })
    };
    let at = |rules, seconds, objects: &[Object]| after(rules, seconds, objects).len();
    let objects = [ready_at(100), check(ALL)];
    assert_eq!(at(settings(), 601, &objects), 2, "from the Machine's creation");
    let newer = Settings { startup_counts_infrastructure: true, ..settings() };
    assert_eq!(at(newer, 601, &objects), 0, "from its infrastructure");
    assert_eq!(at(newer, 701, &objects), 2);
    let late = cluster(|cluster| {
        let at = SimTime::ZERO + secs(200);
        let up = Condition::new("ControlPlaneInitialized", Status::True, "", "", at);
        cluster.conditions.set(up);
    });
    let objects = [ready_at(100), check(ALL), late];
    assert_eq!((at(newer, 701, &objects), at(newer, 801, &objects)), (0, 2), "from the Cluster's");
}

#[test]
fn a_cluster_that_is_not_up_excuses_its_machines() {
    let down = cluster(|cluster| {
        let kind = "ControlPlaneInitialized";
        cluster.conditions.set(Condition::new(kind, Status::False, "", "", SimTime::ZERO));
    });
    let objects = [
        machine(|object| {
            if let Some(body) = object.machine_mut() {
                body.node_ref = None;
            }
        }),
        check(ALL),
        down,
    ];
    assert!(after(settings(), 5_000, &objects).is_empty());
    let no_infra = cluster(|cluster| {
        let kind = "InfrastructureReady";
        cluster.conditions.set(Condition::new(kind, Status::False, "", "", SimTime::ZERO));
    });
    // A Node that is gone is judged before the Cluster is, in the older release.
    for (first, marks) in [(false, 2), (true, 0)] {
        let rules = Settings { health_check_asks_cluster_first: first, ..settings() };
        let mut bench = manager(rules, &[check(ALL), no_infra.clone()]);
        bench.pass(secs(100));
        bench.shows(WatchKind::Added, machine(|_| {}));
        for _ in 0..10 {
            bench.pass(Duration::from_millis(1));
        }
        assert_eq!(granted(&mut bench).len(), marks, "{first}");
    }
}

#[test]
fn a_restricted_check_comes_again_only_where_the_release_says_so() {
    for (requeues, comes) in [(true, true), (false, false)] {
        let rules = Settings { health_check_requeues_restricted: requeues, ..settings() };
        let max = MaxUnhealthy::Count(0);
        let objects = [machine(|_| {}), node(Status::Unknown, 0), check(max)];
        let mut bench = began(rules, &objects);
        // No event comes; growing pauses alone lead beyond 300 s.
        let mut judged = granted(&mut bench);
        for _ in 0..200 {
            bench.pass(secs(5));
            judged.extend(granted(&mut bench));
        }
        assert_eq!(!judged.is_empty(), comes, "{judged:?}");
    }
}

/// A MachineSet of three with a pool, and how its Machines stand.
pub(super) fn set_with(
    limit: Option<InFlight>,
    change: impl Fn(usize, &mut Object),
) -> Vec<Object> {
    let owner = MachineDeployment { replicas: 3, max_in_flight: limit, ..Default::default() };
    let pool_object = Object::new(Meta::new(Kind::MachineDeployment, "default", "md"), owner);
    let mut set = Object::new(
        Meta::new(Kind::MachineSet, "default", "ms").owned_by(&pool_object.meta),
        MachineSet { replicas: 3, selector: pool(), ..MachineSet::default() },
    );
    set.meta.uid = Uid(77);
    let mut all = vec![pool_object, set.clone()];
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        let mut meta = Meta::new(Kind::Machine, "default", name).owned_by(&set.meta);
        meta.labels = pool();
        meta.uid = Uid(100 + number as u64);
        meta.finalizers = Arc::new([Text::word("machine.cluster.x-k8s.io")]);
        meta.created = SimTime::ZERO + secs(number as u64);
        let body = Machine { node_ref: Some(Text::word(name)), ..Machine::default() };
        let mut object = Object::new(meta, body);
        change(number, &mut object);
        all.push(object);
    }
    all
}

pub(super) fn say(object: &mut Object, kind: &'static str, status: Status, reason: &'static str) {
    if let Some(body) = object.machine_mut() {
        body.conditions.set(Condition::new(kind, status, reason, "", SimTime::ZERO));
    }
}

pub(super) fn marked(object: &mut Object) {
    say(object, "HealthCheckSucceeded", Status::False, "UnhealthyNode");
    say(object, "OwnerRemediated", Status::False, "WaitingForRemediation");
}

/// A manager that has just listed these objects and a Cluster, and has not looked at them yet.
pub(super) fn listed(rules: Settings, objects: &[Object]) -> Manager {
    let server = Address::Endpoint(crate::infra::EndpointId(0));
    let manager = ClusterApi::new(rules, server, None);
    let objects: Vec<Object> = objects.iter().cloned().chain([cluster(|_| {})]).collect();
    let program = "capi-controller-manager";
    Manager::started(manager, program, ClusterApi::on_event, Start::Steady, &objects)
}

/// The same, once it has looked.
pub(super) fn began(rules: Settings, objects: &[Object]) -> Manager {
    let mut bench = listed(rules, objects);
    for _ in 0..6 {
        bench.pass(Duration::from_millis(1));
    }
    bench
}

/// What the MachineSet does, answered well each time, as `verb Kind/name`.
pub(super) fn acts(settings: Settings, objects: &[Object]) -> Vec<String> {
    let mut bench = began(settings, objects);
    let mut done = Vec::new();
    while let Some(at) =
        (0..bench.asked.len()).find(|at| bench.asked[*at].1.agent == "machineset-controller")
    {
        let (connection, request) = bench.asked.remove(at);
        let (words, object) = crate::client::testing::words(&request);
        let event = words.contains("Event/");
        let answer = object.clone().map_or(Answer::Done, Answer::Object);
        if !event {
            let remark = object.as_ref().and_then(|object| {
                let said = object.machine()?.conditions.get("OwnerRemediated").cloned();
                Some(said.map_or_else(String::new, |said| format!(" {}", said.reason)))
            });
            done.push(format!("{words}{}", remark.unwrap_or_default()));
        }
        bench.answer(connection, request.id, Ok(answer));
        if done.len() > 20 {
            panic!("for ever: {done:?}");
        }
    }
    done.retain(|words| !words.contains("MachineSet/"));
    done
}

pub(super) fn newer() -> Settings {
    Settings {
        marking: Marking::DeletingBefore,
        forgives_recovered: true,
        limits_remediation: true,
        delete_annotation_first: true,
        scale_down_blames_unknown: false,
        ..settings()
    }
}

#[test]
fn each_release_deletes_and_tells_in_its_own_order() {
    let objects = set_with(None, |number, object| {
        if number > 0 {
            marked(object)
        }
    });
    let done = acts(settings(), &objects);
    let old = ["delete Machine/b", "patch Machine/b ", "delete Machine/c", "patch Machine/c "];
    assert_eq!(done, old);
    let done = acts(newer(), &objects);
    let new = [
        "patch Machine/b MachineDeleting",
        "patch Machine/c MachineDeleting",
        "delete Machine/b",
        "delete Machine/c",
    ];
    assert_eq!(done, new);
}

#[test]
fn no_more_machines_are_in_flight_than_the_pool_allows() {
    let objects = |limit| set_with(Some(limit), |_, object| marked(object));
    let done = acts(newer(), &objects(InFlight::Count(1)));
    // The newest first: a Machine that never came up hosts nothing.
    let one = [
        "patch Machine/b RemediationDeferred",
        "patch Machine/a RemediationDeferred",
        "patch Machine/c MachineDeleting",
        "delete Machine/c",
    ];
    assert_eq!(done, one);
    // 34 % of 3 is rounded up to 2.
    let done = acts(newer(), &objects(InFlight::Percent(34)));
    assert_eq!(done.iter().filter(|words| words.starts_with("delete")).count(), 2, "{done:?}");
    // The older release has no such limit.
    let done = acts(settings(), &objects(InFlight::Count(1)));
    assert_eq!(done.iter().filter(|words| words.starts_with("delete")).count(), 3, "{done:?}");
}

#[test]
fn a_machine_on_its_way_out_takes_up_the_limit() {
    let objects = set_with(Some(InFlight::Count(1)), |number, object| {
        marked(object);
        if number == 2 {
            say(object, "OwnerRemediated", Status::False, "MachineDeleting");
            object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
        }
    });
    let done = acts(newer(), &objects);
    assert!(done.iter().all(|words| !words.starts_with("delete Machine")), "{done:?}");
}

#[test]
fn the_recovered_are_spared_only_by_the_newer_release() {
    let objects = set_with(None, |number, object| {
        if number == 0 {
            marked(object);
            say(object, "HealthCheckSucceeded", Status::True, "");
        }
    });
    let done = acts(settings(), &objects);
    assert_eq!(done, ["delete Machine/a", "patch Machine/a "]);
    let done = acts(newer(), &objects);
    assert_eq!(done, ["patch Machine/a"], "the mark is taken away");
}

/// Whom a set of three that is to be one deletes.
fn shrinks(rules: Settings, change: impl Fn(usize, &mut Object)) -> Vec<String> {
    let mut objects = set_with(None, change);
    if let Some(set) = objects[1].machine_set_mut() {
        set.replicas = 1;
    }
    // The pool would write its own size over that.
    objects.remove(0);
    acts(rules, &objects)
}

#[test]
fn a_shrinking_set_deletes_in_the_documented_order() {
    let named = |object: &mut Object| annotate(object, "cluster.x-k8s.io/delete-machine");
    let ill = |object: &mut Object| say(object, "NodeHealthy", Status::False, "");
    assert_eq!(shrinks(settings(), |_, _| {}), ["delete Machine/a", "delete Machine/b"], "by name");
    let found = shrinks(newer(), |number, object| {
        if number == 2 {
            named(object)
        }
    });
    assert_eq!(found, ["delete Machine/c", "delete Machine/a"]);
    let both = |number, object: &mut Object| match number {
        1 => ill(object),
        2 => named(object),
        _ => {}
    };
    assert_eq!(shrinks(newer(), both), ["delete Machine/c", "delete Machine/b"]);
    assert_eq!(shrinks(settings(), both), ["delete Machine/b", "delete Machine/c"], "one rank");
    let unknown = |number, object: &mut Object| {
        if number == 2 {
            say(object, "NodeHealthy", Status::Unknown, "");
        }
    };
    assert_eq!(shrinks(settings(), unknown)[0], "delete Machine/c", "blames the unknown");
    assert_eq!(shrinks(newer(), unknown)[0], "delete Machine/a", "does not");
    let oldest = Settings { delete_policy: DeletePolicy::Oldest, ..newer() };
    assert_eq!(shrinks(oldest, |_, _| {}), ["delete Machine/a", "delete Machine/b"]);
    let newest = Settings { delete_policy: DeletePolicy::Newest, ..newer() };
    assert_eq!(shrinks(newest, |_, _| {}), ["delete Machine/c", "delete Machine/b"]);
}

#[test]
fn machines_on_their_way_out_are_not_replaced_by_more_deletions() {
    let found = shrinks(settings(), |number, object| {
        if number > 0 {
            object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
        }
    });
    assert!(found.is_empty(), "{found:?}");
}
