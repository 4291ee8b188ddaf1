//! When a cluster counts as recovered: etcd has to be whole, in truth and not as somebody inside sees
//! it.

use healsim::api::Kind;
use healsim::engine::{Duration, SimTime};
use healsim::scenario::{Game, Observer, Printed, Scenario, Source, is_well, load};
use healsim::timeline::Value;
use healsim::world::View;

/// Ten minutes of a healthy cluster of three and three, in which the last member leads, with these
/// faults.
fn game(faults: &[&str]) -> Game {
    let lines: String = faults.iter().map(|fault| format!("    - {{ {fault} }}\n")).collect();
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  \
         platform: tkgs-2024\n  given: {{ etcdLeader: control-plane-2 }}\n  faults:\n{lines}  \
         until: 10m\n"
    );
    let scenario = Scenario::read(Source::embedded("test.yaml", &text)).expect("a scenario");
    Game::new(&scenario, None, &[], None).expect("valid")
}

const ADD: &str = "at: 1m, etcdctl: \"--endpoints=control-plane-0 member add worker-0 --learner\"";
const REMOVE: &str = "at: 4m, etcdctl: \"--endpoints=control-plane-0 member remove worker-0\"";
const SLOW: &str = "at: 1m, slowDisk: { vm: control-plane-0, flush: 1500ms }";
const HEAL: &str = "at: 4m, healDisk: { vm: control-plane-0 }";

#[test]
fn a_member_that_never_started_keeps_the_cluster_from_being_well() {
    assert_eq!(game(&[ADD]).play(1).recovered_at, None);
    let run = game(&[ADD, REMOVE]).play(1);
    let recovered = run.recovered_at.expect("the group is the old one again");
    let late = recovered.since(SimTime::ZERO + Duration::from_secs(240));
    assert!(late < Duration::from_secs(1), "{late}");
}

/// It follows its leader and its API server serves: that it lags is the only thing that is wrong.
#[test]
fn a_member_that_lags_behind_its_leader_keeps_the_cluster_from_being_well() {
    let mut lags = game(&[SLOW]).begin(1);
    lags.run_to_end();
    assert!(is_well(lags.view(), &[]), "nobody else sees it");
    assert_eq!(lags.recovered_at(), None);
    let run = game(&[SLOW, HEAL]).play(1);
    let recovered = run.recovered_at.expect("it catches up");
    let late = recovered.since(SimTime::ZERO + Duration::from_secs(240));
    assert!(late < Duration::from_secs(10), "{late}");
}

#[test]
fn without_a_leader_nothing_is_well() {
    let off = |n| format!("at: 1m, freezeProcess: {{ process: etcd, vm: control-plane-{n} }}");
    let two = [off(0), off(1)];
    let mut run = game(&[&two[0], &two[1]]).begin(1);
    run.run_until(SimTime::ZERO + Duration::from_secs(70));
    assert!(run.view().etcd_leader("workload").is_none());
    assert!(run.view().etcd_leader("management").is_some());
    assert!(!is_well(run.view(), &[]));
}

/// The page's dead end: no quorum. A person writes one file on the survivor and ends its process.
#[test]
fn a_survivor_is_made_a_cluster_of_its_own_with_a_file() {
    let gone = |n| {
        format!(
            "at: 1m, removeFile: {{ vm: control-plane-{n}, \
             path: /etc/kubernetes/manifests/etcd.yaml }}"
        )
    };
    let two = [gone(0), gone(1)];
    let write = "at: 3m, writeFile: { vm: control-plane-2, path: /etc/default/etcd, \
                 content: \"ETCD_FORCE_NEW_CLUSTER=true\" }";
    let kill = "at: 3m, killProcess: { vm: control-plane-2, process: etcd }";
    let mut run = game(&[&two[0], &two[1], write, kill]).begin(1);
    run.run_until(SimTime::ZERO + Duration::from_secs(170));
    assert!(matches!(run.ask_for(Kind::Node), Printed::Failed(_)), "nobody answers");
    run.run_to_end();
    let members = run.view().etcd_members("workload");
    let names: Vec<&str> = members.iter().map(|member| member.info.vm.as_str()).collect();
    assert_eq!(names, ["control-plane-2"]);
    assert!(matches!(run.ask_for(Kind::Node), Printed::Done(_)), "kubectl works again");
    assert_eq!(run.recovered_at(), None, "two members are still missing");
}

/// Looks whether the management's member of etcd leads in the instant in which its process is started.
#[derive(Default)]
struct JustStarted(u32);

impl Observer for JustStarted {
    fn look(&mut self, view: View) {
        let latest = view.timeline().entries().last().expect("a run begins with entries");
        let is_start = latest.name == *"etcd@supervisor-0" && latest.to == Value::Bool(true);
        if is_start && latest.at == view.now() && latest.field == *"running" {
            self.0 += 1;
            assert!(view.etcd_leader("management").is_none(), "it remembers its former life");
        }
    }
}

#[test]
fn a_member_that_has_just_been_started_does_not_lead() {
    let mut run = game(&["at: 1m, killProcess: { vm: supervisor-0, process: etcd }"]).begin(1);
    let mut looks = JustStarted::default();
    run.watch_until(SimTime::ZERO + Duration::from_secs(180), &mut looks);
    assert!(looks.0 > 0);
    assert!(run.view().etcd_leader("management").is_some());
}

/// Nothing is written down when its storages dial etcd again, and it is seen all the same.
#[test]
fn a_run_recovers_when_an_api_server_has_its_connections_to_etcd_again() {
    let mut run = game(&["at: 1m, killProcess: { vm: control-plane-0, process: etcd }"]).begin(1);
    let lack = "an API server does not serve";
    let is_last = |lacks: &[healsim::timeline::Lack]| lacks.len() == 1 && lacks[0].what == *lack;
    run.run_until(SimTime::ZERO + Duration::from_secs(60));
    while !is_last(&run.lacks()) {
        assert!(run.step_within(SimTime::ZERO + Duration::from_secs(120)), "it comes to that");
    }
    let (at, entries) = (run.view().now(), run.view().timeline().entries().len());
    run.run_until_recovered();
    let recovered = run.recovered_at().expect("it recovers");
    assert!(recovered > at && recovered < at + Duration::from_secs(30), "{recovered:?}");
    let mut later = run.view().timeline().entries()[entries..].iter();
    assert!(later.all(|entry| entry.at != recovered), "no entry tells of it");
}

#[test]
fn what_runs_at_the_end_is_told_to_run() {
    for name in ["apiserver-removed-repaired", "etcd-one-of-three-repaired"] {
        let scenario = load(name).expect("an embedded scenario");
        for seed in 1..=3 {
            let mut run = Game::new(&scenario, None, &[], None).expect("valid").begin(seed);
            run.run_to_end();
            let (now, entries) = (run.view().now(), run.view().timeline().entries());
            for process in run.view().processes() {
                let is_its = |name: &str, field: &str| *name == *process.name && field == "running";
                let mut told = entries.iter().rev();
                let told = told.find(|entry| is_its(&entry.name, &entry.field));
                let told = told.map(|entry| entry.to == Value::Bool(true));
                // In a crash loop lives of less than a second are not told.
                if process.alive && process.started + Duration::from_secs(1) < now {
                    assert_ne!(told, Some(false), "{name}, seed {seed}: {}", process.name);
                }
            }
        }
    }
}

/// A life of less than a second is not told, so its member's entries would stand before its start.
#[test]
fn a_member_that_was_killed_twice_is_told_to_run_before_it_is_told_to_follow() {
    let kill =
        |at: &str| format!("at: {at}, killProcess: {{ vm: control-plane-0, process: etcd }}");
    let run = game(&[&kill("60s"), &kill("61800ms")]).play(1);
    let entries = run.timeline.entries();
    let last = |name: &str, field: &str| {
        let found = entries.iter().rposition(|entry| entry.name == *name && entry.field == *field);
        found.expect("it is told")
    };
    let [runs, follows] =
        [last("etcd@control-plane-0", "running"), last("control-plane-0", "leader")];
    assert_eq!(entries[runs].to, Value::Bool(true));
    assert!(runs < follows, "{:?} {:?}", entries[runs], entries[follows]);
    assert_eq!(entries[follows].to, Value::text("control-plane-2"));
}
