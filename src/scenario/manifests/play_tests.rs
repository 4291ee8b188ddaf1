//! Worlds with a user's manifests: what they do there, and what is said about them.

use crate::engine::{Duration, SimTime};
use crate::scenario::{Changes, Game, Mistakes, Source, load};

/// The checks that every platform has, but for how long a Node may be Unknown.
const CHECK: &str = "\
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineHealthCheck
metadata: { name: mine }
spec:
  clusterName: prod
  selector: { matchLabels: { cluster.x-k8s.io/cluster-name: prod } }
  checks:
    nodeStartupTimeoutSeconds: 14400
    unhealthyNodeConditions:
      - { type: Ready, status: Unknown, timeoutSeconds: 120 }
      - { type: Ready, status: \"False\", timeoutSeconds: 720 }
";

const SHOP: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec:
  replicas: 3
  selector: { matchLabels: { tier: front } }
  template:
    metadata: { labels: { tier: front } }
    spec:
      tolerations: [{ key: node.kubernetes.io/unreachable, effect: NoExecute, tolerationSeconds: 30 }]
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - topologyKey: kubernetes.io/hostname
              labelSelector: { matchLabels: { tier: front } }
      containers: [{ name: shop, image: shop }]
";

fn budget(label: &str) -> String {
    format!(
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{ name: mine }}\nspec: {{ \
         minAvailable: 2, selector: {{ matchLabels: {{ {label} }} }} }}\n"
    )
}

/// Twelve minutes of a scenario on a platform, with these manifests and settings.
fn game(
    scenario: &str,
    platform: Option<&str>,
    texts: &[&str],
    set: &[(&str, &str)],
) -> Result<Game, Mistakes> {
    let scenario = load(scenario).expect("embedded");
    let text = texts.join("---\n");
    let manifests: Vec<Source> =
        (!texts.is_empty()).then(|| Source::embedded("m.yaml", &text)).into_iter().collect();
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let until = Some(Duration::from_secs(720));
    Game::with(&scenario, Changes { platform, set: &set, until, manifests: &manifests })
}

fn warnings(platform: Option<&str>, texts: &[&str]) -> Vec<String> {
    let game = game("worker-power-off", platform, texts, &[]).expect("valid");
    game.warnings().iter().map(ToString::to_string).collect()
}

#[test]
fn a_check_of_two_minutes_plays_as_the_setting_does() {
    let of = |texts: &[&str], set: &[(&str, &str)]| {
        game("worker-kubelet-stopped", None, texts, set).expect("valid")
    };
    let by_setting = of(&[], &[("machineHealthCheck.unknownTimeout", "2m")]);
    let workers = CHECK.replace("cluster-name: prod", "deployment-name: pool");
    let (both, workers) = (of(&[CHECK], &[]), of(&[&workers], &[]));
    assert_eq!(both.fingerprint(), by_setting.fingerprint());
    // The check over the control plane stays as it is, so this is another question, and here the
    // same answer.
    assert_ne!(workers.fingerprint(), by_setting.fingerprint());
    let hash = |game: &Game| game.play(3).timeline.hash();
    assert_eq!(hash(&both), hash(&by_setting));
    assert_eq!(hash(&workers), hash(&by_setting));
    assert_ne!(hash(&of(&[], &[])), hash(&by_setting));
    let run = both.play(3);
    let taken: Vec<String> =
        run.changes.iter().map(|it| format!("{} {} {}", it.key, it.value, it.from)).collect();
    assert!(
        taken.contains(&"machineHealthCheck.unknownTimeout 2m0s m.yaml:10".to_owned()),
        "{taken:?}"
    );
    assert_eq!(taken.len(), 3, "a default that changes nothing is not told: {taken:?}");
    assert!(both.doubts().is_empty(), "{:?}", both.doubts());
    // `--set` wins.
    let set = of(&[CHECK], &[("machineHealthCheck.unknownTimeout", "5m")]);
    assert_eq!(hash(&set), hash(&of(&[], &[])));
}

#[test]
fn each_of_two_checks_has_settings_of_its_own() {
    const POOL: &str = "machineHealthCheck.unknownTimeout";
    const PLANE: &str = "controlPlaneHealthCheck.unknownTimeout";
    let plane = CHECK.replace("cluster-name: prod", "control-plane: \"\"").replace("120", "600");
    let workers = CHECK.replace("cluster-name: prod", "deployment-name: pool");
    let of = |texts: &[&str], set: &[(&str, &str)]| {
        let game = game("control-plane-vm-deleted", None, texts, set).expect("valid");
        let known = |key: &str| game.user_settings().iter().find(|known| known.key == key);
        let value = |key: &str| known(key).map(|known| known.value.clone());
        let changed = game.changes().iter().filter(|it| it.key.ends_with("unknownTimeout"));
        let changed = changed.map(|it| format!("{} {} {}", it.key, it.value, it.from)).collect();
        (value(POOL).expect("a setting"), value(PLANE), changed)
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(of(&[], &[]), ("5m".to_owned(), None, none), "one setting for both");
    let (pool, own, changed) = of(&[&workers], &[]);
    assert_eq!((&*pool, own.as_deref()), ("2m0s", Some("5m")));
    assert_eq!(changed, [format!("{POOL} 2m0s m.yaml:10")]);
    let (pool, own, changed) = of(&[&plane], &[(POOL, "3m")]);
    assert_eq!((&*pool, own.as_deref()), ("3m", Some("10m0s")));
    assert_eq!(changed, [format!("{PLANE} 10m0s m.yaml:10"), format!("{POOL} 3m --set")]);
    let (pool, own, changed) = of(&[&plane], &[(PLANE, "3m")]);
    assert_eq!((&*pool, own.as_deref()), ("5m", Some("3m")));
    assert_eq!(changed, [format!("{PLANE} 3m --set")]);
    // Whoever sets one tells the two apart, in whatever order; the rest is as the workers' check has it.
    const LIMIT: &str = "controlPlaneHealthCheck.maxUnhealthy";
    for set in [[(POOL, "4m"), (PLANE, "3m")], [(PLANE, "3m"), (POOL, "4m")]] {
        let (pool, own, _) = of(&[], &set);
        assert_eq!((&*pool, own.as_deref()), ("4m", Some("3m")));
    }
    for set in [[(POOL, "4m"), (LIMIT, "1")], [(LIMIT, "1"), (POOL, "4m")]] {
        let (pool, own, changed) = of(&[], &set);
        assert_eq!((&*pool, own.as_deref()), ("4m", Some("4m")));
        assert_eq!(changed, [format!("{POOL} 4m --set")]);
    }
    let wrong = game("worker-power-off", None, &[], &[("controlPlaneHealthCheck.timeout", "1m")]);
    let wrong = wrong.expect_err("no such setting").to_string();
    assert!(wrong.contains("no setting `controlPlaneHealthCheck.timeout`"), "{wrong}");
    assert!(wrong.contains("unknownTimeout"), "{wrong}");
}

#[test]
fn a_setting_of_the_workers_check_moves_no_control_plane() {
    let plane = CHECK.replace("cluster-name: prod", "control-plane: \"\"");
    let marked = |set: &[(&str, &str)]| {
        let run = game("control-plane-vm-deleted", None, &[&plane], set).expect("valid").play(3);
        let marks = |it: &&crate::timeline::Entry| it.field == "OwnerRemediated";
        run.timeline.happened().iter().find(marks).map(|it| it.at)
    };
    let as_it_is = marked(&[]).expect("within twelve minutes");
    assert_eq!(marked(&[("machineHealthCheck.unknownTimeout", "5m")]), Some(as_it_is));
    let later =
        marked(&[("controlPlaneHealthCheck.unknownTimeout", "3m")]).expect("a minute later");
    let by = later.since(as_it_is);
    assert!((Duration::from_secs(55)..Duration::from_secs(65)).contains(&by), "{by}");
}

#[test]
fn pods_go_when_their_own_toleration_ends() {
    let game = game("worker-power-off", None, &[SHOP], &[]).expect("valid");
    let run = game.play(2);
    let entries = run.timeline.entries();
    let of = |field: &str, name: &str| {
        let found = entries.iter().find(|it| it.field == *field && it.name.starts_with(name));
        found.unwrap_or_else(|| panic!("no {field} of {name}")).at
    };
    let evicted = of("deletionTimestamp", "shop-");
    let taint = entries.iter().find(|it| it.name == *"worker-0" && it.field == *"taints");
    let tainted = taint.expect("an unreachable Node").at;
    let after = evicted.since(tainted);
    let seconds = Duration::from_secs;
    assert!((seconds(30)..seconds(46)).contains(&after), "{after}");
    // The platform's own workload waits for five minutes.
    assert!(of("deletionTimestamp", "web-") > evicted + seconds(200), "{evicted:?}");
    assert!(run.availability.contains_key("app/shop"));
    assert!(evicted < SimTime::ZERO + seconds(200));
}

#[test]
fn a_budget_is_given_to_the_one_workload_that_it_selects() {
    let of = |texts: &[&str]| game("worker-power-off", None, texts, &[]).expect("valid");
    let (without, with) = (of(&[SHOP]), of(&[SHOP, &budget("tier: front")]));
    assert_ne!(without.fingerprint(), with.fingerprint());
    assert_eq!(warnings(None, &[SHOP, &budget("tier: front")]), [""; 0]);
    assert_eq!(warnings(None, &[&budget("app: web")]), [""; 0]);
    let lost = warnings(None, &[&budget("app: shop")]);
    assert!(
        lost[0].contains("m.yaml:1:1: the PodDisruptionBudget mine selects no Pod here"),
        "{lost:?}"
    );
    let twice = warnings(None, &[&budget("app: web"), &budget("app: web")]);
    assert!(twice[0].contains("a second PodDisruptionBudget over the Pods of web"), "{twice:?}");
}

#[test]
fn what_a_platform_does_not_have_is_a_warning_and_too_much_of_it_is_refused() {
    let plane = "apiVersion: controlplane.cluster.x-k8s.io/v1beta1\nkind: KubeadmControlPlane\n\
                 metadata: { name: p }\nspec: { replicas: 3, version: v1.31.2 }\n";
    let pool = "apiVersion: cluster.x-k8s.io/v1beta1\nkind: MachineDeployment\nmetadata: { name: p }\n\
                spec: { replicas: 4, strategy: { remediation: { maxInFlight: 1 } }, template: { spec: {} } }\n";
    let lab = warnings(Some("lab-k8s-1.34-capi-1.14"), &[plane]);
    assert!(lab[0].contains("the KubeadmControlPlane is left out"), "{lab:?}");
    assert!(lab[1].contains("version v1.31.2 isn't played"), "{lab:?}");
    let old = warnings(None, &[pool]);
    assert!(old[0].contains("maxInFlight changes nothing"), "{old:?}");
    assert_eq!(warnings(Some("tkgs-current"), &[pool]), [""; 0]);
    let refused = |text: &str| {
        let mistakes = game("worker-power-off", None, &[text], &[]).expect_err("a mistake");
        mistakes[0].to_string()
    };
    let even = refused(&plane.replace("replicas: 3", "replicas: 4"));
    assert!(even.starts_with("m.yaml:4:19: a control plane of 4 is not possible"), "{even}");
    let surge = "replicas: 1, rolloutStrategy: { rollingUpdate: { maxSurge: 0 } }";
    let alone = refused(&plane.replace("replicas: 3", surge));
    let words = "clusterApi.controlPlaneMaxSurge: maxSurge `0` is refused for a control plane of 1";
    assert!(alone.starts_with("m.yaml:4:") && alone.contains(words), "{alone}");
    let many = refused(&pool.replace("replicas: 4", "replicas: 0"));
    assert!(many.starts_with("m.yaml:4:19: 0 workers are not possible"), "{many}");
    for wrong in ["100000", "-1"] {
        let count = refused(&pool.replace("replicas: 4", &format!("replicas: {wrong}")));
        let words =
            format!("spec.replicas: `{wrong}` stands here; write a whole number up to 5000");
        assert!(count.contains(&words), "{count}");
    }
}

#[test]
fn pods_that_a_worker_cannot_hold_are_named() {
    let ask = |cpu: &str| {
        let asks = format!("image: shop, resources: {{ requests: {{ cpu: {cpu} }} }} }}]");
        warnings(None, &[&SHOP.replace("image: shop }]", &asks)])
    };
    assert_eq!(ask("3"), [""; 0]);
    assert!(
        ask("4")[0].contains("of them find no room on Nodes with 4000m of cpu"),
        "{:?}",
        ask("4")
    );
}

#[test]
fn manifests_may_stand_in_the_scenarios_own_file() {
    let scenario = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: s }\nspec:\n  platform: \
                    tkgs-2024\n  faults: []\n  until: 1m\n";
    let text = format!("{scenario}---\n{CHECK}");
    let scenario =
        crate::scenario::Scenario::read(Source::embedded("s.yaml", &text)).expect("read");
    let game = Game::new(&scenario, None, &[], None).expect("valid");
    let from: Vec<&str> = game.changes().iter().map(|it| it.from.as_str()).collect();
    assert!(from.contains(&"s.yaml:18"), "{from:?}");
}
