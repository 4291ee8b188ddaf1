//! The control plane's disasters on the page's platform and on today's: every expectation over seeds,
//! and what makes each fail.

use healsim::engine::{Duration, SimTime};
use healsim::scenario::{Game, load};
use healsim::timeline::{End, Run, Value};

const THEN: &str = "tkgs-2024";
const NOW: &str = "tkgs-current";

/// Each scenario, and how it ends, if that is the same on both platforms.
const SCENARIOS: [(&str, Option<End>); 16] = [
    ("control-plane-power-off", Some(End::Recovered)),
    ("control-plane-vm-deleted", Some(End::Recovered)),
    ("control-plane-kubelet-stopped", Some(End::Stuck)),
    ("control-plane-kubelet-crashed", Some(End::Stuck)),
    // Up to Cluster API 1.8.1 not if its own connection leads to the API server that has lost its etcd.
    ("control-plane-kubelet-stopped-follower", None),
    ("control-plane-kubelet-stopped-moved", None),
    ("control-plane-kubelet-crashed-repaired", Some(End::Recovered)),
    ("control-plane-kubelet-stopped-repaired", Some(End::Recovered)),
    ("control-planes-two-off", Some(End::Recovered)),
    ("control-planes-two-deleted", Some(End::Stuck)),
    ("control-planes-two-deleted-repaired", Some(End::Recovered)),
    ("control-planes-two-deleted-restored", Some(End::Recovered)),
    ("control-plane-single-off", Some(End::Recovered)),
    ("control-plane-single-deleted", Some(End::Stuck)),
    ("control-plane-upgrade-vm-dies", None),
    ("management-down", Some(End::Recovered)),
];

fn game(name: &str, platform: &str, set: &[(&str, &str)], until: Option<Duration>) -> Game {
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let scenario = load(name).expect("an embedded scenario");
    Game::new(&scenario, Some(platform), &set, until).expect("a valid scenario")
}

fn failed(run: &Run) -> Vec<String> {
    run.failed().map(|line| line.text.to_string()).collect()
}

#[test]
fn every_expectation_holds_over_seeds_on_both_platforms() {
    for (name, end) in SCENARIOS {
        for (platform, seeds) in [(THEN, 2..=2), (NOW, 1..=1)] {
            let game = game(name, platform, &[], None);
            for seed in seeds {
                let run = game.play(seed);
                assert_eq!(failed(&run), Vec::<String>::new(), "{name}, {platform}, seed {seed}");
                let as_told = end.is_none_or(|end| run.end == end);
                assert!(as_told, "{name}, {platform}, seed {seed}: {:?}", run.end);
            }
        }
    }
}

/// Shows that lines hold at first, and fail when a setting is changed.
fn fails_with(name: &str, platform: &str, cases: &[(&[&str], (&str, &str))]) {
    let before = game(name, platform, &[], None).play(1);
    for (lines, set) in cases {
        let after = failed(&game(name, platform, &[*set], None).play(1));
        for line in *lines {
            let all = before.expectations.iter();
            let found = all.filter(|it| it.applicable && it.text.contains(line)).count();
            assert_eq!(found, 1, "`{line}` is one line of {name} on {platform}");
            assert!(!failed(&before).iter().any(|text| text.contains(line)), "{line} holds");
            assert!(after.iter().any(|text| text.contains(line)), "{line} with {set:?}: {after:?}");
        }
    }
}

const UNPROBED: (&str, &str) = ("capv.probesControlPlane", "false");
const SLOW_BOOT: (&str, &str) = ("infra.boot", "9m..9m");
const VERDICT: (&str, &str) = ("machineHealthCheck.unknownTimeout", "15m");
const GRACE: (&str, &str) = ("kubernetes.nodeMonitorGracePeriod", "120s");
const QUICK_DRAIN: (&str, &str) = ("clusterApi.drainUnreachableSkip", "1s");
const SLOW_DRAIN: (&str, &str) = ("clusterApi.drainUnreachableSkip", "20m");
const NO_CLONE: (&str, &str) = ("infra.cloneAndPowerOn", "2h..2h");
const NO_JOIN: (&str, &str) = ("infra.joinWorker", "2h..2h");

#[test]
fn each_line_of_a_power_off_fails_when_its_mechanism_is_changed() {
    let healed: [&str; 3] = [
        "VM/control-plane-0 power=on",
        "see Process/kube-apiserver@control-plane-0 running=true",
        "see Probe/api@control-plane-0 response=200",
    ];
    let unharmed = [
        "EtcdMember/control-plane-0 leader=",
        "never Pod deletionTimestamp=set",
        "never Machine HealthCheckSucceeded=False",
        "never Node unschedulable=true",
    ];
    fails_with(
        "control-plane-power-off",
        THEN,
        &[
            (&healed, UNPROBED),
            (&unharmed, SLOW_BOOT),
            (&["backends=control-plane-1,control-plane-2"], ("loadBalancer.checkInterval", "2m")),
        ],
    );
}

#[test]
fn each_line_of_a_deleted_vm_fails_when_its_mechanism_is_changed() {
    fails_with(
        "control-plane-vm-deleted",
        THEN,
        &[
            (
                &[
                    "see VM/control-plane-0 created",
                    "see VM/control-plane-0 power=on",
                    "kubelet@control-plane-0 log=",
                    "log=*cluster-info*",
                    "log=*validate*",
                    "etcd@control-plane-1 log=*unhealthy*",
                    "etcd@control-plane-2 log=*unhealthy*",
                ],
                UNPROBED,
            ),
            (&["see Node/control-plane-0 Ready=Unknown"], GRACE),
            (
                &[
                    "HealthCheckSucceeded=False",
                    "unschedulable=true",
                    "EtcdMember/control-plane-0 deleted",
                    "phase=Deleting while",
                ],
                VERDICT,
            ),
            (&["VirtualMachine/control-plane-0 deleted"], QUICK_DRAIN),
            (&["new VM/control-plane-* created"], NO_CLONE),
            (
                &[
                    "new Node/control-plane-* Ready=True",
                    "new EtcdMember/",
                    "new Pod/kube-apiserver-",
                ],
                NO_JOIN,
            ),
        ],
    );
}

#[test]
fn each_line_of_a_stopped_kubelet_fails_when_its_mechanism_is_changed() {
    fails_with(
        "control-plane-kubelet-stopped",
        THEN,
        &[
            (&["see Node/control-plane-1 Ready=Unknown"], GRACE),
            (&["HealthCheckSucceeded=False", "reason=RemediationFailed"], VERDICT),
        ],
    );
    fails_with(
        "control-plane-kubelet-stopped-follower",
        THEN,
        &[(
            &["see Machine/control-plane-0 deletionTimestamp=set", "HealthCheckSucceeded=False"],
            VERDICT,
        )],
    );
    fails_with(
        "control-plane-kubelet-stopped-follower",
        NOW,
        &[
            (&["see VM/control-plane-0 deleted"], SLOW_DRAIN),
            (&["new Node/control-plane-* Ready=True", "new EtcdMember/"], NO_JOIN),
        ],
    );
}

/// The page: "about 15 minutes after"; our parts make it 13 to 15.5.
#[test]
fn a_deleted_control_plane_is_replaced_within_the_pages_time() {
    let game = game("control-plane-vm-deleted", THEN, &[], None);
    let mut times: Vec<Duration> =
        (1..=5).map(|seed| game.play(seed).recovery_time().expect("it recovers")).collect();
    times.sort_unstable();
    let median = times[times.len() / 2];
    let [low, high] = [13 * 60, 15 * 60 + 30].map(Duration::from_secs);
    assert!(low <= median && median <= high, "median {median}");
}

/// When something of the replacement is created for the first time after the fault.
fn created(run: &Run, kind: &str) -> Duration {
    let entries = run.timeline.entries().iter();
    let mut news = entries.filter(|entry| {
        entry.kind == *kind
            && entry.name.starts_with("control-plane-")
            && entry.field == *"exists"
            && entry.to == Value::Bool(true)
    });
    news.find(|entry| entry.at > SimTime::ZERO).expect("it comes").at.since(SimTime::ZERO)
}

/// kubeadm's phase kubelet-start ends only with the Node, unless the kubelet needs the API server beside it.
#[test]
fn without_local_mode_the_node_of_a_control_plane_comes_before_its_member() {
    for (platform, node_first) in [(THEN, true), (NOW, false)] {
        let run = game("control-plane-vm-deleted", platform, &[], None).play(1);
        let (node, member) = (created(&run, "Node"), created(&run, "EtcdMember"));
        assert_eq!(node < member, node_first, "{platform}: Node {node}, member {member}");
    }
}

/// Issue 14197 of Cluster API: the Machine has a Node, and the member that kubeadm has just added no name.
#[test]
fn without_local_mode_todays_cluster_api_may_remove_the_learner_that_joins() {
    let removed = |local_mode: &str| {
        let set = [("kubernetes.kubeletLocalMode", local_mode)];
        let until = Some(Duration::from_secs(12 * 60));
        let game = game("control-plane-vm-deleted", NOW, &set, until);
        let is_nameless = |run: &Run| {
            let mut entries = run.timeline.entries().iter();
            entries.any(|entry| {
                entry.field == *"log"
                    && entry.message.contains("removed from the cluster")
                    && entry.message.contains("(Name not yet assigned)")
            })
        };
        (3..=5).filter(|seed| is_nameless(&game.play(*seed))).count()
    };
    assert_eq!((removed("false"), removed("true")), (3, 0));
}

#[test]
fn the_leaders_dead_kubelet_is_never_replaced_within_a_day() {
    for (platform, hours) in [(THEN, 24), (NOW, 3)] {
        let until = Duration::from_secs(hours * 3600);
        let run = game("control-plane-kubelet-stopped", platform, &[], Some(until)).play(1);
        assert_eq!(failed(&run), Vec::<String>::new(), "{platform}");
        assert_eq!(run.end, End::Stuck, "{platform}");
    }
}
