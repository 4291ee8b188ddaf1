//! Disruption budgets in whole worlds: what they hold back, and what they do not.

use healsim::analysis::{invariants, milestones};
use healsim::api::kinds::{Amount, Wanted};
use healsim::engine::{Duration, SimTime, Text};
use healsim::scenario::{Fault, Game, Kubectl, Plan, PowerOff, Scenario, Simulation, Source};
use healsim::scenario::{blueprint, models};
use healsim::timeline::{Entry, Run, Timeline, Value};

const OLD: &str = "lab-k8s-1.30-capi-1.7";
const NEW: &str = "lab-k8s-1.34-capi-1.14";

/// Three Pods on four workers, one each on the first three.
struct Case {
    platform: &'static str,
    wanted: Wanted,
    drain_timeout: Duration,
}

impl Case {
    fn of(platform: &'static str, at_least: u32) -> Case {
        let wanted = Wanted::MinAvailable(Amount::Count(at_least));
        Case { platform, wanted, drain_timeout: Duration::ZERO }
    }

    /// An hour, with this at one minute.
    fn play(self, fault: Fault) -> Timeline {
        let platform = models::platform(self.platform).expect("a platform");
        let mut blueprint = blueprint(&platform, 1, 4);
        blueprint.workloads[0].budget = Some(self.wanted);
        blueprint.settings.deletion.node_drain = self.drain_timeout;
        let until = SimTime::ZERO + Duration::from_secs(3600);
        let faults = vec![(at(60), fault)];
        let (awaited, outage, budget) = (Vec::new(), Duration::from_secs(5), 20_000_000);
        let plan = Plan { blueprint, faults, awaited, until, outage, budget };
        let mut simulation = Simulation::new(plan, 1);
        simulation.run_to_end();
        simulation.finish().timeline
    }
}

fn at(seconds: u64) -> SimTime {
    SimTime::ZERO + Duration::from_secs(seconds)
}

fn delete_machine() -> Fault {
    Fault::Kubectl(Kubectl::read("delete machine worker-0", None).expect("a command"))
}

fn power_off() -> Fault {
    Fault::PowerOff(PowerOff { vm: Text::word("worker-0") })
}

/// What happened to a field of an object after the beginning.
fn seen<'a>(timeline: &'a Timeline, object: &str, field: &str) -> Vec<&'a Entry> {
    let fits = |entry: &&Entry| {
        entry.at > SimTime::ZERO && entry.object() == object && entry.field == *field
    };
    timeline.entries().iter().filter(fits).collect()
}

fn deletions_of_pods(timeline: &Timeline) -> Vec<&Entry> {
    let fits = |e: &&Entry| e.kind == *"Pod" && e.field == *"deletionTimestamp";
    timeline.entries().iter().filter(fits).collect()
}

#[test]
fn on_a_node_that_is_reachable_a_budget_without_room_holds_a_machine_for_ever() {
    for platform in [OLD, NEW] {
        let timeline = Case::of(platform, 3).play(delete_machine());
        assert_eq!(deletions_of_pods(&timeline), Vec::<&Entry>::new(), "{platform}");
        let cordoned = seen(&timeline, "Node/worker-0", "unschedulable");
        assert_eq!(cordoned[0].to, Value::Bool(true), "{platform}");
        assert!(seen(&timeline, "Machine/worker-0", "exists").is_empty(), "{platform}");
        assert!(seen(&timeline, "InfraMachine/worker-0", "deletionTimestamp").is_empty());
        let numbers = "The disruption budget web needs 3 healthy pods and has 3 currently";
        let said = match platform {
            OLD => seen(&timeline, "Process/capi-controller-manager@control-plane-0", "log"),
            _ => seen(&timeline, "Machine/worker-0", "Deleting"),
        };
        let words = match platform {
            OLD => {
                "(will retry after 5s): Cannot evict pod as it would violate the pod's".to_owned()
            }
            _ => format!(
                "cannot evict pod as it would violate the pod's disruption budget. {numbers}"
            ),
        };
        assert!(said.iter().any(|entry| entry.message.contains(&words)), "{platform}: {said:#?}");
    }
}

#[test]
fn a_node_drain_timeout_ends_the_wait_for_a_budget() {
    for platform in [OLD, NEW] {
        let ten_minutes = Duration::from_secs(600);
        let case = Case { drain_timeout: ten_minutes, ..Case::of(platform, 3) };
        let timeline = case.play(delete_machine());
        let infra = seen(&timeline, "InfraMachine/worker-0", "deletionTimestamp");
        let after = infra[0].at.since(at(60));
        // Noticed by the next attempt or pass.
        assert!(after >= ten_minutes && after < Duration::from_secs(625), "{platform}: {after}");
        let drained = match platform {
            OLD => "DrainingSucceeded",
            _ => "v1beta1.DrainingSucceeded",
        };
        let drained = seen(&timeline, "Machine/worker-0", drained);
        assert!(drained.iter().all(|e| e.to == Value::text("False")), "{platform}: {drained:#?}");
        let gone = seen(&timeline, "Machine/worker-0", "exists");
        assert_eq!(gone[0].to, Value::Null, "{platform}");
    }
}

#[test]
fn a_budget_with_room_for_one_lets_a_node_be_drained() {
    for platform in [OLD, NEW] {
        let timeline = Case::of(platform, 2).play(delete_machine());
        let pods = deletions_of_pods(&timeline);
        assert!(pods[0].by.starts_with("machine-controller@"), "{platform}: {pods:#?}");
        let room: Vec<String> = seen(&timeline, "PodDisruptionBudget/web", "disruptionsAllowed")
            .iter()
            .map(|entry| entry.to.to_string())
            .collect();
        assert_eq!(room, ["0", "1"], "{platform}: spent, then there is a new Pod");
        assert_eq!(seen(&timeline, "Machine/worker-0", "exists")[0].to, Value::Null, "{platform}");
    }
}

#[test]
fn on_a_dead_node_taint_eviction_asks_no_budget_and_lets_the_drain_go_on() {
    for platform in [OLD, NEW] {
        let timeline = Case::of(platform, 3).play(power_off());
        let pods = deletions_of_pods(&timeline);
        assert!(pods[0].by.starts_with("taint-eviction-controller@"), "{platform}: {pods:#?}");
        let gone = seen(&timeline, "Machine/worker-0", "exists");
        assert_eq!(gone[0].to, Value::Null, "{platform}: the Machine goes for all that");
    }
}

/// A Machine is deleted; the API server dies when it has marked the first Pod and not yet deleted it, and
/// nobody is left to drain on. Later nobody wants the Pods any more.
fn half_an_eviction(scaled_at: &str) -> Run {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: half }}\nspec:\n  platform: tkgs-2024\n  \
         cluster: {{ controlPlane: 1, workers: 4 }}\n  workloads:\n    - {{ name: web, replicas: 3, runsOn: \
         workers, repelEachOther: true, grace: 30s, minAvailable: 2 }}\n  faults:\n    - {{ at: 1m, kubectl: \
         \"delete machine worker-0\" }}\n    - {{ when: \"Pod/web-* DisruptionTarget=True\", killProcess: {{ \
         vm: control-plane-0, process: kube-apiserver }} }}\n    - {{ when: \"Pod/web-* \
         DisruptionTarget=True\", powerOff: {{ vm: supervisor-0 }} }}\n    - {{ at: {scaled_at}, kubectl: \
         \"scale deployment web --replicas=0\" }}\n  until: 12m\n"
    );
    let scenario = Scenario::read(Source::embedded("half.yaml", &text)).expect("a scenario");
    let game = Game::new(&scenario, None, &[], None).expect("a game");
    invariants::play(&game, 1)
}

#[test]
fn a_pod_that_was_marked_and_not_deleted_loses_its_mark() {
    let run = half_an_eviction("10m");
    let marks: Vec<&Entry> =
        run.timeline.happened().iter().filter(|e| e.field == *"DisruptionTarget").collect();
    let [set, taken_back] = marks[..] else { panic!("{marks:#?}") };
    assert!(set.by.starts_with("machine-controller@"), "{set:#?}");
    assert!(taken_back.by.starts_with("disruption-controller@"), "{taken_back:#?}");
    assert_eq!((taken_back.object(), &taken_back.to), (set.object(), &Value::text("False")));
    // It has its time in whole seconds.
    let stood = taken_back.at.since(set.at);
    assert!(stood > Duration::from_secs(119) && stood < Duration::from_secs(121), "{stood}");
    assert!(run.violated.is_empty(), "{:?}", run.violated);
}

#[test]
fn a_set_that_is_scaled_evicts_no_pod_that_somebody_else_has_marked() {
    for (scaled_at, words) in [("2m30s", &["True"][..]), ("10m", &["True", "False"])] {
        let run = half_an_eviction(scaled_at);
        let happened = run.timeline.happened();
        let marks = happened.iter().filter(|entry| entry.field == *"DisruptionTarget");
        let said: Vec<&str> = marks.clone().filter_map(|entry| entry.to.as_text()).collect();
        assert_eq!(said, words, "{scaled_at}");
        let marked = marks.map(Entry::object).next();
        let goes = |e: &&Entry| Some(e.object()) == marked && e.field == *"deletionTimestamp";
        let deletion = happened.iter().find(goes).expect("it goes at last");
        assert!(deletion.by.starts_with("replicaset-controller@"), "{deletion:#?}");
        let names: Vec<Text> = milestones(&run).into_iter().map(|found| found.name).collect();
        assert!(!names.contains(&Text::word("podEvicted")), "{scaled_at}: {names:?}");
        assert!(run.violated.is_empty(), "{scaled_at}: {:?}", run.violated);
    }
}
