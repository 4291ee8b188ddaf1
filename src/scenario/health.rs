//! Since when everything that is wanted is there, and which services answer: the truth, as nobody
//! inside the cluster sees it.

use super::api_health::{Api, api_now};
use super::etcd_health::{BEHIND, Pace};
use super::lacks::{is_well, lacks};
use crate::api::kinds::{DaemonSet, Node};
use crate::api::{Body, Kind, Object, PROBES};
use crate::components::controller_manager;
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Downtime, Lack, Level};
use crate::world::View;
use std::collections::{BTreeMap, BTreeSet};

/// For how long everything has to be well before that counts as recovered.
pub const STAYS: Duration = Duration::from_secs(60);

/// Since when everything has been well.
#[derive(Clone, Debug)]
pub struct Health {
    /// Nothing before the last fault counts.
    not_before: SimTime,
    /// Pods that are wanted for themselves.
    bare: Vec<Text>,
    well_since: Option<SimTime>,
    /// What members of etcd have to have caught up with.
    pace: Pace,
    /// Everything is well but for members that have not caught up.
    is_catching_up: bool,
    /// The clusters that have lost all their objects.
    lost: Vec<Text>,
    /// What ended the last good state that did not stay.
    spoiled_by: Option<Lack>,
    /// A recovery that has stayed.
    recovered: Option<SimTime>,
}

impl Health {
    /// A judgement that begins after the last fault; `bare` are Pods that nobody would replace.
    pub fn new(not_before: SimTime, bare: Vec<Text>) -> Health {
        Health {
            not_before,
            bare,
            well_since: None,
            pace: Pace::default(),
            is_catching_up: false,
            lost: Vec::new(),
            spoiled_by: None,
            recovered: None,
        }
    }

    /// One more fault will strike: nothing before it counts.
    pub fn wait_until(&mut self, fault: SimTime) {
        self.not_before = self.not_before.max(fault);
        self.well_since = None;
        self.is_catching_up = false;
        self.spoiled_by = None;
        self.recovered = None;
    }

    /// How long the world may go on without another look though nothing is written down. That a
    /// member of etcd falls behind or catches up no entry tells.
    pub fn patience(&self) -> Option<Duration> {
        let waits = self.well_since.is_some() || self.is_catching_up;
        (waits && self.recovered.is_none()).then_some(BEHIND)
    }

    /// Judges the world as it is; the clusters that are lost have nothing of their data any more.
    pub fn look(&mut self, view: View, lost: Vec<Text>) {
        self.lost = lost;
        if self.recovered.is_some() || view.now() < self.not_before {
            return;
        }
        self.recovered = self.recovered_at(view.now());
        if self.recovered.is_none() {
            self.pace.look(view);
            let is_well = is_well(view, &self.bare);
            let is_kept = self.pace.is_kept(view);
            self.is_catching_up = is_well && !is_kept;
            let is_good = is_well && is_kept && self.lost.is_empty();
            if !is_good && self.well_since.is_some() {
                self.spoiled_by = self.lacks(view).into_iter().next();
            }
            let since = self.well_since.or(Some(view.now()));
            self.well_since = since.filter(|_| is_good);
        }
    }

    /// What a recovery still waits for, what others mostly follow from first.
    pub fn missing(&self, view: View) -> Vec<Lack> {
        let mut missing = self.lacks(view);
        if missing.is_empty() {
            let now_and_then = |lack: &Lack| Lack {
                object: lack.object.clone(),
                what: Text::from(format!("{}, on and off", lack.what)),
            };
            let only_time = || of_the_cluster("nothing any more, but not for 60 s");
            missing.push(self.spoiled_by.as_ref().map_or_else(only_time, now_and_then));
        }
        missing
    }

    /// What is not as it is wanted now.
    pub fn lacks(&self, view: View) -> Vec<Lack> {
        let lost = self.lost.iter().map(|cluster| Lack {
            object: Text::from(format!("Cluster/{cluster}")),
            what: Text::word("all objects of its API are lost"),
        });
        let mut lacks: Vec<Lack> = lost.chain(lacks(view, &self.bare)).collect();
        if lacks.is_empty() && self.is_catching_up {
            lacks.push(of_the_cluster("a member of etcd has not caught up"));
        }
        lacks
    }

    /// True once it was seen that a good state has lasted for long enough.
    pub fn has_recovered(&self) -> bool {
        self.recovered.is_some()
    }

    /// The clusters that had nothing of their data any more at the last look.
    pub fn lost(&self) -> &[Text] {
        &self.lost
    }

    /// The beginning of a good state, however short it is yet.
    pub fn well_since(&self) -> Option<SimTime> {
        self.well_since
    }

    /// The beginning of a good state that has lasted until now for long enough.
    pub fn recovered_at(&self, now: SimTime) -> Option<SimTime> {
        self.recovered.or(self.well_since.filter(|since| *since + STAYS <= now))
    }
}

fn of_the_cluster(what: &'static str) -> Lack {
    Lack { object: Text::word("Cluster/workload"), what: Text::word(what) }
}

/// The kinds of objects that keep Pods for a user.
pub(super) const WORKLOADS: [Kind; 4] =
    [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job];

/// How many Pods a workload is to have at this time.
pub(super) fn wanted_pods(view: View, object: &Object) -> usize {
    let wanted = match &object.body {
        Body::Deployment(deployment) => deployment.replicas,
        Body::StatefulSet(set) => set.replicas,
        Body::Job(job) => job.completions.saturating_sub(job.succeeded),
        // One on each Node that it suits; a Node that is not well is looked at for itself.
        Body::DaemonSet(set) => {
            return view
                .objects(Kind::Node)
                .filter(|node| node.node().is_some_and(|body| suits(set, node, body)))
                .count();
        }
        _ => 0,
    };
    wanted as usize
}

fn suits(set: &DaemonSet, node: &Object, body: &Node) -> bool {
    controller_manager::daemon_suits(set, node, body) == controller_manager::Suits::Run
}

/// False for what a user makes only to see whether that works.
pub(super) fn is_wanted(object: &Object) -> bool {
    object.key().namespace != PROBES
}

/// The Pods of a workload that are Ready and whose containers run.
pub(super) fn ready_pods(view: View, workload: &Object) -> usize {
    serving_pods(view, workload)
        .filter(|object| object.pod().is_some_and(|pod| pod.is_ready()))
        .filter(|object| !object.meta.is_deleting())
        .count()
}

/// The Pods of a workload whose containers run, whatever the API says of them.
fn serving_pods<'a>(view: View<'a>, workload: &'a Object) -> impl Iterator<Item = &'a Object> {
    // Every workload of this program labels itself as it labels its Pods.
    let labels = workload.meta.labels.clone();
    view.objects(Kind::Pod).map(|object| &**object).filter(move |object| {
        object.meta.matches(&labels)
            && object.pod().is_some_and(|pod| {
                !pod.node_name.is_empty()
                    && !pod.phase.is_terminal()
                    && view.runs_container(&pod.node_name, object.meta.uid)
            })
    })
}

/// How long each service has been down or short of replicas since the first fault.
#[derive(Clone, Debug)]
pub struct Services {
    from: Option<SimTime>,
    /// An API that hangs for so long is down (`users.outage`).
    outage: Duration,
    states: BTreeMap<Text, (Level, SimTime, Downtime)>,
    /// Each service's level from when on, as often as it changed.
    levels: BTreeMap<Text, Vec<(SimTime, Level)>>,
}

impl Services {
    /// Counts from the first fault on.
    pub fn new(from: Option<SimTime>, outage: Duration) -> Services {
        Services { from, outage, states: BTreeMap::new(), levels: BTreeMap::new() }
    }

    /// Notes how the services are now; `is_lost` if the cluster has nothing of its data any more: what
    /// answers then is not its API. Its containers run on, for the kubelets still watch the API server's
    /// cache.
    ///
    /// Simplified: apps are counted as they were then, though a VM may end later.
    pub fn look(&mut self, view: View, is_lost: bool) {
        let now = view.now();
        self.look_at_api(view, is_lost);
        if is_lost {
            return;
        }
        // A Job serves nobody.
        let serving = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];
        let serving = serving.into_iter().flat_map(|kind| view.objects(kind));
        let mut there = BTreeSet::new();
        for workload in serving.filter(|object| is_wanted(object)) {
            let name = Text::from(format!("app/{}", workload.name()));
            let wanted = wanted_pods(view, workload);
            // While the API is away its objects are what they were; the containers are the truth.
            let serving = serving_pods(view, workload)
                .filter(|pod| pod.pod().is_some_and(|pod| view.hears_users(&pod.node_name)));
            let level = match serving.count() {
                0 if wanted > 0 => Level::Down,
                serving if serving < wanted => Level::Degraded,
                _ => Level::Full,
            };
            there.insert(name.clone());
            self.note(name, now, level);
        }
        // Whose workload somebody has deleted is served by nobody. Where not even a Node is left, the data are
        // gone and not the containers.
        let has_data = view.objects(Kind::Node).next().is_some();
        let is_gone = |name: &&Text| has_data && name.starts_with("app/") && !there.contains(*name);
        let gone: Vec<Text> = self.states.keys().filter(is_gone).cloned().collect();
        gone.into_iter().for_each(|name| self.note(name, now, Level::Down));
    }

    /// That etcd hangs is known later than it begins: it was down from then on. Until that is known
    /// the API stays what it was.
    fn look_at_api(&mut self, view: View, is_lost: bool) {
        let (api, now) = (Text::word("api"), view.now());
        let state = self.states.get(&api).map(|(level, looked, _)| (*level, *looked));
        match if is_lost { Api::Down } else { api_now(view) } {
            Api::Down => self.note(api, now, Level::Down),
            Api::Hangs(since) if since + self.outage <= now => {
                let looked = state.map_or(now, |(_, looked)| looked);
                self.note(api, since.max(looked), Level::Down);
            }
            Api::Hangs(_) if state.is_some_and(|(level, _)| level == Level::Full) => {}
            Api::Hangs(_) | Api::Serves => self.note(api, now, Level::Full),
        }
    }

    /// Ends the count.
    pub fn close(&mut self, now: SimTime) {
        let names: Vec<(Text, Level)> =
            self.states.iter().map(|(name, (level, ..))| (name.clone(), *level)).collect();
        for (name, level) in names {
            self.note(name, now, level);
        }
    }

    /// What was counted.
    pub fn downtimes(&self) -> BTreeMap<Text, Downtime> {
        let states = self.states.iter();
        let downtime = |(level, _, summed): &(Level, SimTime, Downtime)| Downtime {
            at_end: *level,
            ..*summed
        };
        states.map(|(name, state)| (name.clone(), downtime(state))).collect()
    }

    /// How well each has served, change by change.
    pub fn levels(&self) -> &BTreeMap<Text, Vec<(SimTime, Level)>> {
        &self.levels
    }

    /// Those that are down now.
    pub fn down(&self) -> Vec<Text> {
        let down = self.states.iter().filter(|(_, (level, ..))| *level == Level::Down);
        down.map(|(name, _)| name.clone()).collect()
    }

    fn note(&mut self, name: Text, now: SimTime, level: Level) {
        let is_app = name.starts_with("app/");
        let degraded = is_app.then_some(Duration::ZERO);
        let fresh = Downtime { degraded, ..Downtime::default() };
        let levels = self.levels.entry(name.clone()).or_default();
        // What lasted for no time was not so.
        levels.pop_if(|(at, _)| *at == now);
        if levels.last().is_none_or(|(_, last)| *last != level) {
            levels.push((now, level));
        }
        let state = self.states.entry(name).or_insert((level, now, fresh));
        let begun = self.from.map_or(now, |from| state.1.max(from));
        let lasted = now.since(begun);
        match state.0 {
            Level::Down => state.2.unavailable = state.2.unavailable + lasted,
            Level::Degraded => state.2.degraded = state.2.degraded.map(|before| before + lasted),
            Level::Full => {}
        }
        state.0 = level;
        state.1 = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Game, Scenario, Source};
    use crate::timeline::{Entry, Value};

    #[test]
    fn who_is_cut_off_from_the_outside_serves_nobody() {
        let run = |vm: &str| {
            let text = format!(
                "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  \
                 platform: tkgs-2024\n  cluster: {{ controlPlane: 1, workers: 3 }}\n  faults:\n    \
                 - {{ at: 60s, isolateVm: {{ vm: {vm} }} }}\n    - {{ at: 90s, rejoinVm: {{ vm: {vm} }} }}\n  \
                 until: 3m\n"
            );
            let scenario = Scenario::read(Source::embedded("test.yaml", &text));
            let scenario = scenario.expect("a scenario");
            Game::new(&scenario, None, &[], None).expect("valid").play(1).availability
        };
        let half_a_minute = Duration::from_secs(30);
        let [plane, worker] = ["control-plane-0", "worker-0"].map(run);
        assert_eq!(plane["api"].unavailable, half_a_minute);
        assert!(plane["app/web"].unavailable.is_zero());
        assert!(worker["api"].unavailable.is_zero());
        assert_eq!(worker["app/web"].degraded, Some(half_a_minute), "one of three Pods");
    }

    const OUTAGE: Duration = Duration::from_secs(5);

    #[test]
    fn an_api_that_hangs_at_its_disks_is_down_from_then_on() {
        let stalled = |planes: std::ops::Range<u32>, probes| {
            let each = |at: &str, fault: &str| -> String {
                let one =
                    |n| format!("    - {{ at: {at}, {fault}: {{ vm: control-plane-{n} }} }}\n");
                planes.clone().map(one).collect()
            };
            let faults = format!("{}{}", each("1m", "stallDisk"), each("6m", "healDisk"));
            played(&faults, probes, "8m")
        };
        let run = stalled(0..3, "[]");
        // API servers that were killed meanwhile come back as their kubelets' pauses end.
        let [stuck, well] = [60, 360].map(|second| SimTime::ZERO + Duration::from_secs(second));
        let serves = |it: &&Entry| it.field == "serving" && it.to == Value::Bool(true);
        let mut later = run.timeline.happened().iter().filter(|entry| entry.at >= well);
        let down = later.find(serves).expect("one serves again").at.since(stuck);
        let told = run.availability["api"].unavailable;
        assert!(
            told.max(down).saturating_sub(told.min(down)) < OUTAGE,
            "{told}, back after {down}"
        );
        let asked = stalled(0..3, "[{ api: each }]").availability["api"].unavailable;
        let apart = told.max(asked).saturating_sub(told.min(asked));
        assert!(apart < OUTAGE, "{told}, for who asks {asked}");
        let one = stalled(0..1, "[]");
        assert!(one.availability["api"].unavailable < OUTAGE, "two of three go on");
    }

    #[test]
    fn for_how_long_an_api_may_hang_is_what_its_users_say() {
        let one = |at: &str, fault: &str| -> String {
            let at = |n| format!("    - {{ at: {at}, {fault}: {{ vm: control-plane-{n} }} }}\n");
            (0..3).map(at).collect()
        };
        let faults = one("1m", "stallDisk") + &one("90s", "healDisk");
        let down = |outage: &str| {
            let set = [("users.outage".to_owned(), outage.to_owned())];
            played_with(&set, &faults, "[]", "3m").availability["api"].unavailable
        };
        assert!(down("5s") > Duration::from_secs(29), "{}", down("5s"));
        assert_eq!(down("45s"), Duration::ZERO);
    }

    fn played(faults: &str, probes: &str, until: &str) -> crate::timeline::Run {
        played_with(&[], faults, probes, until)
    }

    fn played_with(
        set: &[(String, String)],
        faults: &str,
        probes: &str,
        until: &str,
    ) -> crate::timeline::Run {
        let text = format!(
            "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  \
             platform: tkgs-2024\n  probes: {probes}\n  faults:\n{faults}\n  until: {until}\n"
        );
        let scenario = Scenario::read(Source::embedded("test.yaml", &text));
        Game::new(&scenario.expect("a scenario"), None, set, None).expect("valid").play(1)
    }

    #[test]
    fn an_app_whose_deployment_is_deleted_is_down_as_its_user_finds() {
        let faults = "    - { at: 1m, kubectl: delete deployment web }";
        let [asked, seen] = ["[{ app: web }]", "[]"].map(|probes| {
            let run = played(faults, probes, "5m");
            run.availability["app/web"].unavailable
        });
        let apart = asked.saturating_sub(seen).max(seen.saturating_sub(asked));
        assert!(apart <= Duration::from_secs(1), "{asked} for who asks, {seen}");
        assert!(seen > Duration::from_secs(200), "{seen}");
    }

    #[test]
    fn an_etcd_whose_disks_do_not_write_is_not_well() {
        let stalled = |vm| format!("    - {{ at: 1m, stallDisk: {{ vm: control-plane-{vm} }} }}");
        let faults = [0, 1, 2].map(stalled).join("\n");
        let run = played(&faults, "[]", "20m");
        assert_eq!(run.recovered_at, None);
    }

    #[test]
    fn a_vm_that_is_cut_off_is_missed_while_its_node_still_counts_as_ready() {
        // The Node is still taken for well when everything would have been well for a minute.
        let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: test }\nspec:\n  \
                    platform: tkgs-2024\n  faults:\n    - { at: 60s, isolateVm: { vm: worker-0 } }\n  until: 20m\n";
        let scenario = Scenario::read(Source::embedded("test.yaml", text)).expect("a scenario");
        let late = [("kubernetes.nodeMonitorGracePeriod".to_owned(), "4m".to_owned())];
        let game = Game::new(&scenario, None, &late, None).expect("valid");
        let mut simulation = game.begin(1);
        simulation.run_until(SimTime::ZERO + Duration::from_secs(200));
        let lacks = simulation.lacks();
        assert_eq!(lacks[0].what, "a VM is cut off from the outside");
        assert!(!simulation.has_recovered_for_good(), "{lacks:?}");
    }

    #[test]
    fn a_good_state_that_does_not_stay_is_named_after_what_ended_it() {
        let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: test }\nspec:\n  \
                    platform: tkgs-2024\n  faults:\n    - { at: 60s, stopUnit: { vm: worker-0, unit: \
                    kubelet } }\n    - { at: 150s, startUnit: { vm: worker-0, unit: kubelet } }\n  \
                    until: 10m\n";
        let scenario = Scenario::read(Source::embedded("test.yaml", text)).expect("a scenario");
        let mut simulation = Game::new(&scenario, None, &[], None).expect("valid").begin(1);
        let mut health = Health::new(SimTime::ZERO, Vec::new());
        let mut missing = |seconds| {
            simulation.run_until(SimTime::ZERO + Duration::from_secs(seconds));
            health.look(simulation.view(), Vec::new());
            let lack = health.missing(simulation.view()).remove(0);
            format!("{} {}", lack.object, lack.what)
        };
        assert_eq!(missing(30), "Cluster/workload nothing any more, but not for 60 s");
        assert_eq!(missing(80), "VM/worker-0 a kubelet does not run");
        assert_eq!(missing(240), "VM/worker-0 a kubelet does not run, on and off");
    }

    /// How long the API of a lone control plane is down, for a user who asks it and without one.
    fn both_down(faults: &str, seed: u64) -> [Duration; 2] {
        let run = |probes: &str| {
            let text = format!(
                "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  \
                 platform: tkgs-2024\n  cluster: {{ controlPlane: 1, workers: 3 }}\n  probes: {probes}\n  \
                 faults:\n{faults}\n  until: 12m\n"
            );
            let scenario = Scenario::read(Source::embedded("test.yaml", &text));
            let scenario = scenario.expect("a scenario");
            let run = Game::new(&scenario, None, &[], None).expect("valid").play(seed);
            run.availability["api"].unavailable
        };
        ["[{ api: each }]", "[]"].map(run)
    }

    #[test]
    fn an_api_server_is_up_when_it_serves_not_when_it_runs() {
        let killed =
            "    - { at: 60s, killProcess: { vm: control-plane-0, process: kube-apiserver } }";
        let without_etcd = "    - { at: 60s, removeFile: { vm: control-plane-0, path: \
                            /etc/kubernetes/manifests/etcd.yaml } }\n    - { at: 4m, restoreFile: \
                            { vm: control-plane-0, path: /etc/kubernetes/manifests/etcd.yaml } }";
        let off = "    - { at: 60s, powerOff: { vm: control-plane-0 } }\n    - { at: 4m, powerOn: \
                   { vm: control-plane-0 } }";
        for faults in [killed, without_etcd, off] {
            for seed in 1..=3 {
                let [asked, seen] = both_down(faults, seed);
                let apart = asked.saturating_sub(seen).max(seen.saturating_sub(asked));
                // He asks once a second.
                assert!(apart <= Duration::from_secs(1), "{faults}: {asked} for who asks, {seen}");
                assert!(seen > Duration::from_secs(5), "{faults}: {seen}");
            }
        }
    }
}
