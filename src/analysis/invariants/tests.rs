//! Each law in a real world with made-up entries: what breaks it does, what is ordinary does not.

use super::{ALL, Ending, Invariant, Kind, Law, Laws, Seen, Verdict};
use crate::analysis::fuzz::{Schedule, Shape};
use crate::engine::{Duration, SimTime, Text};

use crate::scenario::{Game, Scenario, Simulation, Source, load};
use crate::timeline::{Entry, Lack, Value};
use crate::world::{View, WORKLOAD_CLUSTER};
use std::collections::BTreeSet;

const NEW: &str = "lab-k8s-1.34-capi-1.14";

/// A world with one control plane and three workers, at an instant.
pub fn world(faults: &[&str], set: &[(&str, &str)], seconds: u64) -> Simulation {
    world_on(NEW, "controlPlane: 1, workers: 3", faults, set, seconds)
}

pub fn world_on(
    platform: &str,
    cluster: &str,
    faults: &[&str],
    set: &[(&str, &str)],
    seconds: u64,
) -> Simulation {
    let lines: Vec<String> = faults.iter().map(|fault| format!("    - {{ {fault} }}\n")).collect();
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  \
         platform: {platform}\n  cluster: {{ {cluster} }}\n  faults:\n{}  until: 2h\n",
        lines.concat()
    );
    let scenario = Scenario::read(Source::embedded("test.yaml", &text)).expect("a scenario");
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let set: Vec<_> = set.iter().map(pair).collect();
    let mut simulation = Game::new(&scenario, None, &set, None).expect("valid").begin(1);
    simulation.run_until(SimTime::ZERO + Duration::from_secs(seconds));
    simulation
}

/// A made-up entry: `Kind/name field`, from nothing to this, by this program.
pub fn entry(view: View, words: &str, to: Value, by: &str) -> Entry {
    let (object, field) = words.split_once(' ').expect("an object and a field");
    let (kind, name) = object.split_once('/').expect("a kind and a name");
    let latest = view.timeline().entries().last().expect("a beginning");
    Entry {
        at: view.now(),
        kind: Text::from(kind),
        name: Text::from(name),
        field: Text::from(field),
        from: Value::Null,
        to,
        reason: Text::EMPTY,
        message: Text::EMPTY,
        by: Text::from(format!("{by}@somewhere")),
        cause: None,
        took: None,
        ..latest.clone()
    }
}

pub fn text(text: &str) -> Value {
    Value::text(text)
}

fn law(name: &str) -> &'static Invariant {
    ALL.iter().find(|law| law.name == name).expect("a law of this name")
}

/// What a law says of these entries, one after the other.
pub fn judge(name: &str, view: View, entries: &[Entry]) -> Verdict {
    let mut law: Box<dyn Law> = (law(name).begin)();
    look_at(&mut *law, view, entries)
}

fn look_at(law: &mut dyn Law, view: View, entries: &[Entry]) -> Verdict {
    law.look(Seen { view, news: &[] });
    for entry in entries {
        match law.look(Seen { view, news: std::slice::from_ref(entry) }) {
            Verdict::Holds => {}
            found => return found,
        }
    }
    Verdict::Holds
}

/// What a law finds wrong, as object and sentence.
#[track_caller]
pub fn breach(verdict: Verdict) -> String {
    match verdict {
        Verdict::Broken(breach) => format!("{} {}", breach.object, breach.says),
        other => panic!("{other:?}"),
    }
}

pub fn mark(view: View, machine: &str) -> Entry {
    let words = format!("Machine/{machine} OwnerRemediated");
    entry(view, &words, text("False"), "machinehealthcheck-controller")
}

fn delete(view: View, machine: &str, by: &str) -> Entry {
    entry(view, &format!("Machine/{machine} deletionTimestamp"), text("set"), by)
}

#[test]
fn names_and_words_are_fit_for_lists() {
    let names: BTreeSet<&str> = ALL.iter().map(|law| law.name).collect();
    assert_eq!(names.len(), ALL.len(), "a name twice");
    for law in ALL {
        let words = [law.law, law.source];
        assert!(words.iter().all(|words| !words.is_empty() && !words.contains("  ")), "{law:?}");
        assert!(law.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", law.name);
        assert!(!law.law.ends_with('.'), "{}: a clause, not a sentence", law.name);
    }
}

/// Every law as a row of the documentation.
fn table() -> String {
    let row = |law: &Invariant| {
        let Invariant { name, kind, law, source, .. } = law;
        format!("| `{name}` | {} | {law} | {source} |\n", kind.as_str())
    };
    let rows: String = ALL.iter().map(row).collect();
    format!("| law | kind | says | source |\n|---|---|---|---|\n{rows}")
}

#[test]
fn the_documented_laws_are_those_of_the_code() {
    let page = include_str!("../../../docs/invariants.md");
    let (_, rest) = page.split_once("<!-- laws -->\n").expect("where they begin");
    let (written, _) = rest.split_once("<!-- end of laws -->").expect("where they end");
    assert!(written == table(), "docs/invariants.md is to have\n{}", table());
}

#[test]
fn owners_delete_who_was_marked_and_not_too_many_at_once() {
    let off = ["at: 1m, powerOff: { vm: worker-0 }", "at: 1m, powerOff: { vm: worker-1 }"];
    let set = [("clusterApi.maxInFlight", "1"), ("machineHealthCheck.maxUnhealthy", "100%")];
    let simulation = world(&off, &set, 450);
    let view = simulation.view();
    let by_set = |machine| delete(view, machine, "machineset-controller");
    let found = breach(judge("only-the-marked-go", view, &[by_set("worker-2")]));
    assert_eq!(found, "Machine/worker-2 is deleted by its owner, and nobody marked it");
    for ordinary in [by_set("worker-0"), delete(view, "worker-2", "kubectl")] {
        assert_eq!(judge("only-the-marked-go", view, &[ordinary]), Verdict::Holds);
    }
    let both = [by_set("worker-0"), by_set("worker-1")];
    let found = breach(judge("max-in-flight-is-kept", view, &both));
    assert!(found.starts_with("Machine/worker-1 is deleted as number 2 at once of"), "{found}");
    let gone = entry(view, "Machine/worker-0 exists", Value::Null, "machine-controller");
    let in_turn = [both[0].clone(), gone, both[1].clone()];
    assert_eq!(judge("max-in-flight-is-kept", view, &in_turn), Verdict::Holds);
}

#[test]
fn a_control_plane_deletes_one_at_a_time_and_keeps_quorum() {
    let lost =
        ["at: 1m, removeFile: { vm: control-plane-1, path: /etc/kubernetes/manifests/etcd.yaml }"];
    let simulation = world_on("tkgs-2024", "controlPlane: 3, workers: 1", &lost, &[], 300);
    let view = simulation.view();
    let by_plane = |machine| delete(view, machine, "kubeadm-control-plane-controller");
    let remove = |vm| {
        let words = format!("EtcdMember/{vm} exists");
        Entry { cluster: WORKLOAD_CLUSTER, ..entry(view, &words, Value::Null, "etcd") }
    };
    let found = breach(judge("healers-keep-quorum", view, &[remove("control-plane-0")]));
    let says = "is taken from etcd by a controller, and of the 2 voters besides it 1 work";
    assert_eq!(found, format!("EtcdMember/control-plane-0 {says}"));
    assert_eq!(judge("healers-keep-quorum", view, &[remove("control-plane-1")]), Verdict::Holds);
    let destroy = |vm| {
        let words = format!("VSphereMachine/{vm} deletionTimestamp");
        entry(view, &words, text("set"), "machine-controller")
    };
    let found = breach(judge("healers-keep-quorum", view, &[destroy("control-plane-2")]));
    assert_eq!(found, format!("VSphereMachine/control-plane-2 {says}"));
    assert_eq!(judge("healers-keep-quorum", view, &[destroy("worker-0")]), Verdict::Holds);
    let both = [by_plane("control-plane-1"), by_plane("control-plane-2")];
    let found = breach(judge("one-control-plane-machine-at-a-time", view, &both));
    assert!(found.starts_with("Machine/control-plane-2 is deleted as number 2 at once"), "{found}");
    let one = judge("one-control-plane-machine-at-a-time", view, &both[..1]);
    assert_eq!(one, Verdict::Holds);
}

#[test]
fn what_is_gone_has_left_nothing() {
    let simulation = world(&["at: 1m, stopUnit: { vm: worker-2, unit: kubelet }"], &[], 130);
    let view = simulation.view();
    let gone = entry(view, "Machine/worker-0 exists", Value::Null, "machine-controller");
    let found = breach(judge("nothing-is-left-behind", view, &[gone]));
    assert_eq!(found, "Machine/worker-0 is gone, and InfraMachine/worker-0 is not");
    let gone = entry(view, "Machine/worker-9 exists", Value::Null, "machine-controller");
    assert_eq!(judge("nothing-is-left-behind", view, &[gone]), Verdict::Holds);
}

#[test]
fn users_get_what_the_servers_can_give() {
    let simulation = world(&["at: 1m, stopUnit: { vm: worker-2, unit: kubelet }"], &[], 10);
    let down = |view| entry(view, "Probe/api status", text("down"), "api-prober");
    let answer = |view| entry(view, "Probe/api response", text("200"), "api-prober");
    let mut law = (law("api-answers-if-it-can").begin)();
    assert_eq!(look_at(&mut *law, simulation.view(), &[down(simulation.view())]), Verdict::Holds);
    let mut later = simulation.fork();
    later.run_until(SimTime::ZERO + Duration::from_secs(150));
    let view = later.view();
    let found = breach(look_at(&mut *law, view, &[down(view)]));
    assert_eq!(
        found,
        "Probe/api is down, and all that the load balancer leads to has served since 10s"
    );
    assert_eq!(judge("api-answers-only-if-it-can", view, &[answer(view)]), Verdict::Holds);

    let off = ["at: 20s, powerOff: { vm: control-plane-0 }"];
    let mut simulation = world(&off, &[], 25);
    let mut law = (self::law("api-answers-only-if-it-can").begin)();
    look_at(&mut *law, simulation.view(), &[]);
    simulation.run_until(SimTime::ZERO + Duration::from_secs(40));
    let view = simulation.view();
    let found = breach(look_at(&mut *law, view, &[answer(view)]));
    assert_eq!(
        found,
        "Probe/api gets an answer, and no API server has had etcd's quorum since 25s"
    );
    // He asks each second, and has to notice.
    assert_eq!(look_at(&mut *law, view, &[stands(view, "down")]), Verdict::Holds);
    simulation.run_until(SimTime::ZERO + Duration::from_secs(146));
    let view = simulation.view();
    assert_eq!(look_at(&mut *law, view, &[]), Verdict::Holds);
    let found = breach(look_at(&mut *law, view, &[stands(view, "degraded")]));
    assert_eq!(found, "Probe/api is not down, and no API server has had etcd's quorum since 25s");
}

fn stands(view: View, to: &str) -> Entry {
    entry(view, "Probe/api status", text(to), "api-prober")
}

fn behind(view: View, vms: &str) -> Entry {
    entry(view, "Endpoint/workload backends", text(vms), "load-balancer")
}

#[test]
fn a_server_that_has_just_come_behind_the_endpoint_has_its_time() {
    let mut simulation = world(&["at: 1m, stopUnit: { vm: worker-2, unit: kubelet }"], &[], 10);
    let mut law = (law("api-answers-if-it-can").begin)();
    look_at(&mut *law, simulation.view(), &[behind(simulation.view(), "none")]);
    simulation.run_until(SimTime::ZERO + Duration::from_secs(100));
    let view = simulation.view();
    look_at(&mut *law, view, &[behind(view, "control-plane-0")]);
    simulation.run_until(SimTime::ZERO + Duration::from_secs(219));
    let view = simulation.view();
    assert_eq!(look_at(&mut *law, view, &[stands(view, "down")]), Verdict::Holds);
    simulation.run_until(SimTime::ZERO + Duration::from_secs(220));
    let view = simulation.view();
    let found = breach(look_at(&mut *law, view, &[stands(view, "down")]));
    assert!(found.ends_with("since 1m40s"), "{found}");
}

#[test]
fn evictions_ask_budgets_and_budgets_count() {
    let simulation = budgeted(200);
    let view = simulation.view();
    let pod = view
        .objects(crate::api::Kind::Pod)
        .find(|pod| pod.name().starts_with("web-"))
        .expect("a Pod with a budget")
        .name()
        .clone();
    let words = format!("Pod/{pod} deletionTimestamp");
    let evicted = entry(view, &words, text("set"), "machine-controller");
    let found = breach(judge("budgets-are-spent", view, std::slice::from_ref(&evicted)));
    assert_eq!(found, format!("Pod/{pod} is evicted, and its budget web was not asked"));
    let found = breach(judge("budgets-are-kept", view, &[evicted]));
    assert_eq!(
        found,
        format!("Pod/{pod} is evicted, and its budget web has 2 ready Pods left and wants 3")
    );
    let deleted = entry(view, &words, text("set"), "taint-eviction-controller");
    assert_eq!(judge("budgets-are-kept", view, &[deleted]), Verdict::Holds);
    let allows = |count| {
        let words = "PodDisruptionBudget/web disruptionsAllowed";
        entry(view, words, Value::Count(count), "disruption-controller")
    };
    let found = breach(judge("budgets-allow-what-is-there", view, &[allows(1)]));
    assert!(found.ends_with("of the 3 Pods that are ready 3 are wanted"), "{found}");
    assert_eq!(judge("budgets-allow-what-is-there", view, &[allows(0)]), Verdict::Holds);
}

/// Three Pods, all of which the budget wants.
fn budgeted(seconds: u64) -> Simulation {
    use crate::api::kinds::{Amount, Wanted};
    use crate::scenario::{Fault, Kubectl, Plan, blueprint, models};

    let platform = models::platform(NEW).expect("a platform");
    let mut blueprint = blueprint(&platform, 1, 3);
    blueprint.workloads[0].budget = Some(Wanted::MinAvailable(Amount::Count(3)));
    let cordon = Fault::Kubectl(Kubectl::read("cordon worker-2", None).expect("a command"));
    let faults = vec![(SimTime::ZERO + Duration::from_secs(60), cordon)];
    let until = SimTime::ZERO + Duration::from_secs(3600);
    let outage = Duration::from_secs(5);
    let plan = Plan { blueprint, faults, awaited: Vec::new(), until, outage, budget: 20_000_000 };
    let mut simulation = Simulation::new(plan, 1);
    simulation.run_until(SimTime::ZERO + Duration::from_secs(seconds));
    simulation
}

#[test]
fn refusals_say_why() {
    let simulation = world(&["at: 1m, stopUnit: { vm: worker-2, unit: kubelet }"], &[], 5);
    let view = simulation.view();
    let words = "Machine/control-plane-0 OwnerRemediated";
    let mut refused = entry(view, words, text("False"), "kubeadm-control-plane-controller");
    refused.reason = Text::word("CannotBeRemediated");
    let found = breach(judge("refusals-have-a-reason", view, std::slice::from_ref(&refused)));
    assert!(
        found.ends_with("refuses to remediate (CannotBeRemediated) and says nothing"),
        "{found}"
    );
    refused.message = Text::word("could result in etcd quorum loss");
    assert_eq!(judge("refusals-have-a-reason", view, &[refused.clone()]), Verdict::Holds);
    assert_eq!(judge("remediation-refused", view, &[refused]), Verdict::Reached);
    assert_eq!(judge("refusals-have-a-reason", view, &[mark(view, "worker-0")]), Verdict::Holds);
    assert_eq!(judge("remediation-refused", view, &[mark(view, "worker-0")]), Verdict::Holds);
}

#[test]
fn the_end_tells_stuck_from_well() {
    let simulation = world(&["at: 1m, kubectl: \"cordon worker-2\""], &[], 4000);
    let view = simulation.view();
    let lack =
        Lack { object: Text::word("Node/worker-0"), what: Text::word("a Node is not Ready") };
    let end = |missing: &[Lack], recovered_at, well_since| {
        let bound = Duration::from_secs(3600);
        let last_fault = Some(SimTime::ZERO);
        let ending = Ending { view, last_fault, recovered_at, well_since, missing, bound };
        (law("recovers-or-says-why").begin)().end(&ending)
    };
    assert_eq!(end(&[], None, None), Verdict::Holds, "it has just become well");
    assert_eq!(end(std::slice::from_ref(&lack), None, None), Verdict::Holds);
    // What only somebody on the spot sees has to show elsewhere as well.
    let hidden = |object, what| Lack { object: Text::word(object), what: Text::word(what) };
    let off = hidden("VM/worker-0", "a kubelet does not run");
    let node = hidden("Node/worker-0", crate::scenario::SEEN_ON_THE_SPOT);
    let found = breach(end(&[off.clone(), node], None, None));
    assert!(found.starts_with("VM/worker-0 has not recovered 1h0m0s"), "{found}");
    assert_eq!(end(&[off, lack], None, None), Verdict::Holds);
    assert_eq!(end(&[], Some(view.now()), None), Verdict::Holds);
    assert_eq!(end(&[], None, Some(view.now())), Verdict::Holds, "it has yet to stay so");
}

#[test]
fn a_program_that_does_not_run_shows_in_its_mirror_pod() {
    let schedule = Schedule::on("tkgs-2024", Shape::new(1, 1));
    let mut simulation = schedule.game(Duration::from_secs(60)).expect("a scenario").begin(1);
    simulation.run_until(SimTime::ZERO + Duration::from_secs(30));
    let shows = |process: &'static str| {
        let what = Text::word("an API server does not run");
        super::reasons::shows(simulation.view(), &Lack { object: Text::word(process), what })
    };
    assert!(!shows("Process/kube-apiserver@control-plane-0"), "its Pod is Ready");
    assert!(shows("Process/kube-apiserver@control-plane-9"), "it has no Pod");
}

/// Nobody says why a Machine waits while the health check's own words are missing.
#[test]
fn who_waits_says_what_for() {
    let off = ["at: 1m, powerOff: { vm: worker-0 }", "at: 1m, powerOff: { vm: worker-1 }"];
    let limit = [("machineHealthCheck.maxUnhealthy", "1")];
    let simulation = world(&off, &limit, 1800);
    let judged = super::reasons::silent(simulation.view()).map(|machine| machine.name().clone());
    assert_eq!(judged.collect::<Vec<Text>>(), Vec::<Text>::new());
    let unexplained = super::reasons::long_unhealthy(simulation.view());
    assert_eq!(unexplained.count(), 2, "both wait, and the health check says why");
}

#[test]
fn an_identity_runs_once() {
    let simulation = world(&["at: 1m, stopUnit: { vm: worker-2, unit: kubelet }"], &[], 60);
    let view = simulation.view();
    let uids: Vec<crate::api::Uid> = view
        .objects(crate::api::Kind::Pod)
        .filter(|pod| {
            pod.pod().is_some_and(|body| view.runs_container(&body.node_name, pod.meta.uid))
        })
        .map(|pod| pod.meta.uid)
        .collect();
    let named = |forced| super::stateful::OneOfAnIdentity::holding("db-0", &uids[..2], forced);
    let ready = entry(view, "Pod/db-0 Ready", text("True"), "kubelet");
    let found = breach(look_at(&mut named(false), view, std::slice::from_ref(&ready)));
    assert_eq!(found, "Pod/db-0 runs twice: an earlier Pod of its identity has not stopped");
    assert_eq!(look_at(&mut named(true), view, &[ready]), Verdict::Holds);
}

#[test]
fn a_daemon_pod_is_where_it_belongs_and_alone() {
    let cluster =
        "controlPlane: 1, workers: 3 }\n  workloads:\n    - { name: agent, kind: DaemonSet";
    let stop = ["at: 1m, stopUnit: { vm: worker-2, unit: kubelet }"];
    let simulation = world_on(NEW, cluster, &stop, &[], 10);
    let view = simulation.view();
    let pods = || view.objects(crate::api::Kind::Pod);
    let is_on = |pod: &crate::api::Object, node: &str| {
        let owned = pod.meta.controlled_by(crate::api::Kind::DaemonSet).is_some();
        owned && pod.pod().is_some_and(|body| body.node_name == *node)
    };
    let mine = pods().find(|pod| is_on(pod, "worker-0")).expect("its Pod");
    let bound = |node| entry(view, &format!("Pod/{} nodeName", mine.name()), text(node), "x");
    let found = breach(judge("one-daemon-pod-per-node", view, &[bound("worker-1")]));
    assert_eq!(found, format!("Pod/{} is bound to worker-1, and is for worker-0", mine.name()));
    let made = entry(
        view,
        &format!("Pod/{} exists", mine.name()),
        Value::Bool(true),
        "daemonset-controller",
    );
    let ordinary = [bound("worker-0"), made];
    assert_eq!(judge("one-daemon-pod-per-node", view, &ordinary), Verdict::Holds);
    let rival = |other: &std::sync::Arc<crate::api::Object>| {
        super::daemons::rival(std::iter::once(other), mine).is_some()
    };
    let mut other = std::sync::Arc::clone(mine);
    assert!(!rival(&other), "it is itself");
    let twin = std::sync::Arc::make_mut(&mut other);
    twin.meta.uid = crate::api::Uid(1 << 40);
    twin.pod_mut().expect("a Pod").node_name = Text::EMPTY;
    assert!(rival(&other), "for the same Node");
    let twin = std::sync::Arc::make_mut(&mut other);
    twin.meta.deletion = Some(crate::api::Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
    assert!(!rival(&other), "it goes");
}

/// A whole disaster keeps all laws, and reaches what it is about.
#[test]
fn a_documented_disaster_keeps_the_laws() {
    let game =
        Game::new(&load("worker-vm-deleted").unwrap(), Some("tkgs-2024"), &[], None).unwrap();
    let mut simulation = game.begin(1);
    let mut laws = Laws::new();
    simulation.run(&mut laws);
    assert_eq!(laws.end(&simulation), Vec::new());
    let reached: BTreeSet<&str> = laws.reached().collect();
    let about = ["vm-recreated-under-its-name", "join-failed", "machine-replaced", "node-unknown"];
    let missing: Vec<_> = about.iter().filter(|name| !reached.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?} of {reached:?}");
    assert!(!reached.contains("etcd-elects-again"), "{reached:?}");
    let breakable = ALL.iter().filter(|law| law.kind != Kind::Sometimes).count();
    assert_eq!(laws.checked() as usize, breakable);
    assert_eq!(laws.fork().reached().count(), reached.len());
}

#[test]
fn of_two_clusters_of_one_name_only_rafts_laws_are_judged_and_that_is_said() {
    let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: test }\nspec:\n  platform: \
                tkgs-2024\n  faults:\n    - { at: 1m, etcdctl: \"--endpoints=control-plane-2 snapshot save\" }\n    \
                - { at: 2m, writeFile: { vm: control-plane-2, path: /var/lib/etcd/member, content: restored } }\n    \
                - { at: 2m, killProcess: { vm: control-plane-2, process: etcd } }\n  until: 40m\n";
    let scenario = Scenario::read(Source::embedded("test.yaml", text)).expect("a scenario");
    let game = Game::new(&scenario, None, &[], None).expect("valid");
    for seed in 1..=3 {
        let run = super::play(&game, seed);
        assert_eq!(run.violated, [], "seed {seed}");
        let told: Vec<&Text> =
            run.warnings.iter().filter(|it| it.contains("two clusters")).collect();
        assert!(told[0].contains("called workload"), "{told:?}");
    }
}
