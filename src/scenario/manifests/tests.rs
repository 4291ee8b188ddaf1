//! What is taken of manifests, what is warned about, and what is refused where.

use super::Manifests;
use crate::scenario::Source;

fn read(text: &str) -> Result<Manifests, Vec<String>> {
    let shown = |mistake: &crate::scenario::Mistake| {
        mistake.to_string().lines().next().unwrap_or_default().to_owned()
    };
    Manifests::read(&[Source::embedded("m.yaml", text)])
        .map_err(|mistakes| mistakes.iter().map(shown).collect())
}

/// Key, value and line of everything that is set.
fn taken(text: &str) -> String {
    let manifests = read(text).expect("manifests");
    let wishes = manifests.wishes.iter().chain(&manifests.plane_wishes);
    let wishes =
        wishes.map(|wish| format!("{} = {} ({})\n", wish.key, wish.value, wish.place.line));
    let others = manifests.taken.iter();
    let others =
        others.map(|taken| format!("{} = {} ({})\n", taken.key, taken.value, taken.place.line));
    let warnings = manifests.warnings.iter().map(|warning| format!("warning: {warning}\n"));
    wishes.chain(others).chain(warnings).collect()
}

fn refused(text: &str) -> String {
    let mistakes = read(text).expect_err("a mistake");
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes[0].clone()
}

#[test]
fn a_text_without_keys_and_an_empty_one_are_refused_with_an_example() {
    let shown = refused("hello\n");
    assert!(shown.starts_with("m.yaml:1:1: `hello` stands here; write keys"), "{shown}");
    let shown = refused("# nothing\n");
    let example = "m.yaml:1:1: is empty; examples/my-health-check.yaml shows an example";
    assert!(shown.starts_with(example), "{shown}");
}

const CHECK: &str = "\
apiVersion: cluster.x-k8s.io/v1beta1
kind: MachineHealthCheck
metadata: { name: mine }
spec:
  clusterName: prod
  maxUnhealthy: 40%
  nodeStartupTimeout: 20m0s
  selector:
    matchLabels:
      cluster.x-k8s.io/cluster-name: prod
  unhealthyConditions:
    - type: Ready
      status: Unknown
      timeout: 2m
    - type: Ready
      status: \"False\"
      timeout: 300s
";

const CHECK_IN_GROUPS: &str = "\
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineHealthCheck
metadata: { name: mine }
spec:
  clusterName: prod
  selector: { matchLabels: { cluster.x-k8s.io/deployment-name: pool } }
  checks:
    nodeStartupTimeoutSeconds: 0
    unhealthyNodeConditions:
      - { type: Ready, status: Unknown, timeoutSeconds: 120 }
      - { type: DiskPressure, status: \"True\", timeoutSeconds: 600 }
    unhealthyMachineConditions: [{ type: X, status: \"True\", timeoutSeconds: 1 }]
  remediation:
    triggerIf: { unhealthyInRange: \"[1-2]\" }
";

#[test]
fn a_health_check_is_read_in_both_shapes() {
    insta::assert_snapshot!(taken(CHECK), @r"
    machineHealthCheck.unknownTimeout = 2m0s (14)
    machineHealthCheck.falseTimeout = 5m0s (17)
    machineHealthCheck.maxUnhealthy = 40% (6)
    machineHealthCheck.unhealthyRange = none (1)
    machineHealthCheck.nodeStartupTimeout = 20m0s (7)
    ");
    insta::assert_snapshot!(taken(CHECK_IN_GROUPS), @r"
    machineHealthCheck.unknownTimeout = 2m0s (10)
    machineHealthCheck.falseTimeout = none (1)
    machineHealthCheck.maxUnhealthy = 100% (1)
    machineHealthCheck.unhealthyRange = [1-2] (14)
    machineHealthCheck.nodeStartupTimeout = 0s (8)
    MachineHealthCheck/mine DiskPressure=True = 10m0s (11)
    warning: m.yaml:12:5: spec.checks.unhealthyMachineConditions isn't modeled: only conditions of Nodes are looked at
    ");
}

#[test]
fn a_check_over_the_control_plane_leaves_the_workers_alone() {
    let plane = CHECK.replace(
        "      cluster.x-k8s.io/cluster-name: prod\n",
        "      cluster.x-k8s.io/control-plane: \"\"\n",
    );
    let manifests = read(&plane).expect("a check");
    assert!(manifests.wishes.is_empty());
    let own = manifests.control_plane_check.expect("its own");
    assert!(own.iter().any(|wish| wish.value == "2m0s"), "{own:?}");
    // One for each may stand beside the other, and none beside one over both.
    let workers = CHECK.replace("cluster.x-k8s.io/cluster-name: prod", "pool: blue");
    let both = read(&format!("{plane}---\n{workers}")).expect("two checks");
    assert!(!both.wishes.is_empty() && both.control_plane_check.is_some_and(|own| !own.is_empty()));
    assert!(refused(&format!("{CHECK}---\n{plane}")).contains("a second MachineHealthCheck"));
}

#[test]
fn what_stands_wrong_in_a_check_is_shown_at_its_place() {
    for (from, to, place, words) in [
        ("timeout: 2m", "timeout: 120", "14:16", "a duration with its unit, as 5m or 300s"),
        ("timeout: 2m", "timeout: 2 min", "14:16", "`2 min`"),
        ("\"False\"", "False", "16:15", "write it in quotes: \"False\""),
        ("status: Unknown", "status: Unkown", "13:15", "`Unkown` is no status"),
        ("40%", "140%", "6:17", "a percentage up to 100%"),
        ("40%", "\"2\"", "6:17", "a whole number, or a percentage"),
        ("      timeout: 300s\n", "", "15:7", "spec.unhealthyConditions[1].timeout is missing"),
        ("MachineHealthCheck", "MachineHealthcheck", "2:7", "did you mean `MachineHealthCheck`?"),
        ("io/v1beta1", "io/v1alpha4", "1:13", "write `cluster.x-k8s.io/v1beta1` or"),
        ("  maxUnhealthy: 40%", "  unhealthyRange: [3-5]", "6:19", "in quotes, as \"[3-5]\""),
        ("  maxUnhealthy: 40%", "  unhealthyRange: \"[5-3]\"", "6:19", "in quotes, as \"[3-5]\""),
        ("spec:\n", "spec: []\nother:\n", "4:7", "a list stands here; write keys with values"),
    ] {
        let found = refused(&CHECK.replacen(from, to, 1));
        assert!(found.starts_with(&format!("m.yaml:{place}: ")), "{to}: {found}");
        assert!(found.contains(words), "{to}: {found}");
    }
}

#[test]
fn a_field_that_would_matter_is_named_and_a_misspelled_one_too() {
    let odd = CHECK
        .replace(
            "  clusterName: prod\n",
            "  clusterName: prod\n  remediationTemplate: { kind: X }\n",
        )
        .replace("maxUnhealthy", "maxUnhealty");
    let warnings = read(&odd).expect("a check").warnings;
    let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(
        shown[0].starts_with("m.yaml:6:3: spec.remediationTemplate isn't modeled"),
        "{shown:?}"
    );
    assert!(shown[1].starts_with("m.yaml:7:3: spec.maxUnhealty is no field"), "{shown:?}");
    assert!(shown[1].ends_with("did you mean `maxUnhealthy`?"), "{shown:?}");
}

#[test]
fn a_selector_that_a_pool_beside_it_does_not_have_is_named() {
    let check = CHECK.replace("cluster.x-k8s.io/cluster-name: prod", "pool: blue");
    let warnings = |text: &str| {
        let warnings = read(text).expect("manifests").warnings;
        let about = warnings.iter().filter(|warning| warning.message.contains("label"));
        about.map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(warnings(&check)[0].contains("no Machine here is known to have the label pool=blue"));
    let pool = |label: &str| POOL.replace("pool: green", label);
    assert_eq!(warnings(&format!("{check}---\n{}", pool("pool: blue"))), [""; 0]);
    let other = warnings(&format!("{check}---\n{POOL}"));
    assert!(other[0].contains("would watch none"), "{other:?}");
}

const POOL: &str = "\
apiVersion: cluster.x-k8s.io/v1beta1
kind: MachineDeployment
metadata: { name: blue }
spec:
  clusterName: prod
  replicas: 5
  minReadySeconds: 10
  selector: { matchLabels: { pool: green } }
  strategy:
    rollingUpdate: { deletePolicy: Oldest, maxSurge: 1 }
    remediation: { maxInFlight: 20% }
  template:
    metadata: { labels: { pool: green } }
    spec:
      clusterName: prod
      version: v1.28.8
      failureDomain: a
      nodeDrainTimeout: 5m
      bootstrap: { configRef: { kind: KubeadmConfigTemplate, name: blue } }
      infrastructureRef: { kind: VSphereMachineTemplate, name: blue }
";

const POOL_IN_GROUPS: &str = "\
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineDeployment
metadata:
  name: blue
  annotations: { cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size: \"4\" }
spec:
  clusterName: prod
  remediation: { maxInFlight: 1 }
  deletion: { order: Newest }
  template:
    spec:
      clusterName: prod
      deletion: { nodeDrainTimeoutSeconds: 300, nodeDeletionTimeoutSeconds: 20 }
";

#[test]
fn a_pool_is_read_in_both_shapes() {
    insta::assert_snapshot!(taken(POOL), @r"
    clusterApi.nodeDrainTimeout = 5m0s (18)
    clusterApi.nodeVolumeDetachTimeout = 0s (1)
    clusterApi.nodeDeletionTimeout = 10s (1)
    clusterApi.maxInFlight = 20% (11)
    clusterApi.deletePolicy = Oldest (10)
    cluster.workers = 5 (6)
    warning: m.yaml:17:7: spec.template.spec.failureDomain isn't modeled: a scenario spreads VMs over zones by `cluster: { zones: N }`
    warning: m.yaml:7:3: spec.minReadySeconds isn't modeled: a Machine is available as soon as its Node is Ready
    ");
    insta::assert_snapshot!(taken(POOL_IN_GROUPS), @r"
    clusterApi.nodeDrainTimeout = 5m0s (13)
    clusterApi.nodeVolumeDetachTimeout = 0s (1)
    clusterApi.nodeDeletionTimeout = 20s (13)
    clusterApi.maxInFlight = 1 (8)
    clusterApi.deletePolicy = Newest (9)
    cluster.workers = 4 (5)
    ");
    let paused = POOL.replace("minReadySeconds: 10", "paused: true");
    let told = "spec.paused isn't modeled: it holds a rollout back, and none begins here";
    assert!(taken(&paused).contains(told), "{}", taken(&paused));
    let wrong = refused(&POOL.replace("Oldest", "Oldst"));
    assert!(wrong.starts_with("m.yaml:10:36: no order of deletion `Oldst`"), "{wrong}");
    assert!(refused(&format!("{POOL}---\n{POOL}")).contains("the first is at m.yaml:1."));
}

const PLANE: &str = "\
apiVersion: controlplane.cluster.x-k8s.io/v1beta1
kind: KubeadmControlPlane
metadata: { name: prod, annotations: { cluster.x-k8s.io/paused: \"\" } }
spec:
  replicas: 3
  version: v1.28.8
  machineTemplate:
    infrastructureRef: { kind: VSphereMachineTemplate, name: prod }
    nodeDrainTimeout: 10m
  remediationStrategy: { maxRetry: 5, retryPeriod: 2m }
  rolloutStrategy: { type: RollingUpdate, rollingUpdate: { maxSurge: 0 } }
  kubeadmConfigSpec:
    preKubeadmCommands: [hostname]
    clusterConfiguration:
      apiServer: { extraArgs: { default-unreachable-toleration-seconds: \"60\" } }
      controllerManager: { extraArgs: { node-monitor-grace-period: 20s, kube-api-qps: \"50\", v: \"2\" } }
      etcd: { local: { extraArgs: { heartbeat-interval: \"500\" } } }
    joinConfiguration: { nodeRegistration: { kubeletExtraArgs: { max-pods: \"200\" } } }
";

const PLANE_IN_GROUPS: &str = "\
apiVersion: controlplane.cluster.x-k8s.io/v1beta2
kind: KubeadmControlPlane
metadata: { name: prod }
spec:
  replicas: 5
  machineTemplate:
    spec: { deletion: { nodeVolumeDetachTimeoutSeconds: 60 }, infrastructureRef: { name: prod } }
  remediation: { minHealthyPeriodSeconds: 600 }
  rollout: { strategy: { type: RollingUpdate }, before: { certificatesExpiryDays: 7 } }
  kubeadmConfigSpec:
    clusterConfiguration:
      controllerManager: { extraArgs: [{ name: node-monitor-period, value: 2s }] }
";

#[test]
fn a_control_plane_is_read_in_both_shapes_with_its_arguments() {
    insta::assert_snapshot!(taken(PLANE), @r"
    kubernetes.defaultTolerationSeconds = 1m0s (15)
    kubernetes.nodeMonitorGracePeriod = 20s (16)
    etcd.heartbeatInterval = 500ms (17)
    clusterApi.controlPlaneNodeDrainTimeout = 10m0s (9)
    clusterApi.controlPlaneNodeVolumeDetachTimeout = 0s (1)
    clusterApi.controlPlaneNodeDeletionTimeout = 10s (1)
    clusterApi.controlPlaneMaxRetry = 5 (10)
    clusterApi.controlPlaneRetryPeriod = 2m0s (10)
    clusterApi.controlPlaneMinHealthyPeriod = 1h0m0s (1)
    clusterApi.controlPlaneMaxSurge = 0 (11)
    cluster.controlPlane = 3 (5)
    warning: m.yaml:3:40: the annotation cluster.x-k8s.io/paused isn't modeled here: it stops a controller; a scenario's fault sets it, as `kubectl: annotate ...`
    warning: m.yaml:16:73: spec.kubeadmConfigSpec.clusterConfiguration.controllerManager.extraArgs.kube-api-qps isn't read: --set kubernetes.controllerRequestInterval sets it
    warning: m.yaml:18:66: spec.kubeadmConfigSpec.joinConfiguration.nodeRegistration.kubeletExtraArgs.max-pods isn't read: --set kubernetes.maxPods sets it for all
    warning: m.yaml:13:5: spec.kubeadmConfigSpec.preKubeadmCommands isn't modeled: nothing of it is run; what it takes is part of infra.joinWorker
    ");
    insta::assert_snapshot!(taken(PLANE_IN_GROUPS), @r"
    kubernetes.nodeMonitorPeriod = 2s (12)
    clusterApi.controlPlaneNodeDrainTimeout = 0s (1)
    clusterApi.controlPlaneNodeVolumeDetachTimeout = 1m0s (7)
    clusterApi.controlPlaneNodeDeletionTimeout = 10s (1)
    clusterApi.controlPlaneMaxRetry = none (1)
    clusterApi.controlPlaneRetryPeriod = 0s (1)
    clusterApi.controlPlaneMinHealthyPeriod = 10m0s (8)
    clusterApi.controlPlaneMaxSurge = 1 (1)
    cluster.controlPlane = 5 (5)
    warning: m.yaml:9:49: spec.rollout.before isn't modeled: no rollout begins by itself here
    ");
    let wrong = refused(&PLANE.replace("\"60\"", "60s"));
    assert!(wrong.starts_with("m.yaml:15:73: "), "{wrong}");
    assert!(wrong.contains("a number of seconds in quotes"), "{wrong}");
    let wrong = refused(&PLANE.replace("maxSurge: 0", "maxSurge: 2"));
    assert!(wrong.contains("maxSurge `2` is not possible; write 0 or 1"), "{wrong}");
    let wrong = refused(&PLANE.replace("v1.28.8", "v1.28"));
    assert!(wrong.starts_with("m.yaml:6:12: version `v1.28` is refused; write three"), "{wrong}");
}

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop, namespace: prod }
spec:
  replicas: 4
  selector: { matchLabels: { tier: front } }
  template:
    metadata: { labels: { tier: front, app: shop } }
    spec:
      terminationGracePeriodSeconds: 60
      priorityClassName: high
      tolerations:
        - { key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 30 }
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - topologyKey: kubernetes.io/hostname
              labelSelector: { matchLabels: { tier: front } }
          preferredDuringSchedulingIgnoredDuringExecution: []
      containers:
        - name: shop
          image: shop:1
          env: [{ name: A, value: b }]
          readinessProbe: { httpGet: { port: 80 } }
          resources: { requests: { cpu: 0.5, memory: 1Gi } }
        - { name: side, image: side:1, resources: { limits: { cpu: 250m } } }
";

#[test]
fn a_deployment_is_read_with_what_decides_about_its_pods() {
    insta::assert_snapshot!(taken(WEB), @r"
    Deployment/shop replicas = 4 (5)
    Deployment/shop terminationGracePeriodSeconds = 1m0s (10)
    Deployment/shop podAntiAffinity = one of them on each Node (17)
    Deployment/shop requests = 750m of cpu, 1024Mi of memory (21)
    Deployment/shop tolerations = node.kubernetes.io/unreachable for 30s (13)
    warning: m.yaml:24:11: spec.template.spec.containers.readinessProbe isn't modeled: Pods are ready as soon as their containers run
    warning: m.yaml:26:25: spec.template.spec.containers.image isn't modeled: a Pod pulls the image of its first container alone
    warning: m.yaml:11:7: spec.template.spec.priorityClassName isn't modeled: no Pod is preempted here
    ");
    let own = &read(WEB).expect("a Deployment").workloads[0].workload;
    assert_eq!((own.requests.cpu_millis, own.requests.memory_mib), (750, 1024));
    assert!(own.repel_each_other && own.tolerations.len() == 1 && !own.is_critical);
    assert_eq!(own.image, "shop:1");
    let critical = WEB.replacen("high", "system-node-critical", 1);
    let words = taken(&critical);
    assert!(
        words.contains("Deployment/shop priorityClassName = system-node-critical (11)"),
        "{words}"
    );
    assert!(read(&critical).expect("a Deployment").workloads[0].workload.is_critical);
    for (from, to, place, words) in [
        ("replicas: 4", "replicas: four", "5:13", "`four` stands here; write a whole number"),
        (
            "{ tier: front } }\n  temp",
            "{ tier: back } }\n  temp",
            "5:3",
            "an API server refuses this",
        ),
        ("cpu: 0.5", "cpu: half", "25:41", "a quantity, as 500m of cpu"),
        ("Seconds: 60", "Seconds: 60s", "10:38", "whole seconds without a unit"),
        ("NoExecute", "NoExcute", "13:11", "`NoExcute` is no effect of a taint"),
        ("Exists,", "Exist,", "13:11", "`Exist` is no operator of a toleration"),
        ("Exists,", "Exists, value: \"1\",", "13:11", "takes any value, so it has none"),
        ("key: node.kubernetes.io/unreachable, operator: Exists,", "", "13:11", "without a key"),
        ("name: shop,", "name: Shop_1,", "1:1", "cannot be named `Shop_1`"),
    ] {
        let found = refused(&WEB.replacen(from, to, 1));
        assert!(found.starts_with(&format!("m.yaml:{place}: ")), "{to}: {found}");
        assert!(found.contains(words), "{to}: {found}");
    }
    for (written, wanted) in [
        ("operator: Exists", None),
        ("operator: Equal, value: down", Some("down")),
        ("value: \"7\"", Some("7")),
        ("operator: Equal", Some("")),
    ] {
        let own = read(&WEB.replacen("operator: Exists", written, 1)).expect("a Deployment");
        let found = &own.workloads[0].workload.tolerations[0].value;
        assert_eq!(found.as_deref(), wanted, "{written}");
    }
    assert!(refused(&format!("{WEB}---\n{WEB}")).contains("a second Deployment `shop`"));
}

#[test]
fn a_budget_has_one_of_two_amounts_and_a_selector() {
    let budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: { name: shop }\nspec:\n  \
                  minAvailable: 50%\n  selector: { matchLabels: { tier: front } }\n";
    insta::assert_snapshot!(taken(budget), @"PodDisruptionBudget/shop minAvailable = 50% (5)");
    let both = budget.replace("  selector", "  maxUnavailable: 1\n  selector");
    assert!(refused(&both).contains("either minAvailable or maxUnavailable"));
    let none = budget.replace("  minAvailable: 50%\n", "");
    assert!(refused(&none).contains("says minAvailable or maxUnavailable"));
}

#[test]
fn kinds_that_stand_beside_are_left_out_and_lists_are_opened() {
    let beside = "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: apps/v1\n    kind: StatefulSet\n  \
                  - apiVersion: infrastructure.cluster.x-k8s.io/v1beta1\n    kind: VSphereCluster\n";
    let warnings = read(beside).expect("kinds that are known").warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].to_string().starts_with("m.yaml:5:11: StatefulSet is left out"));
    let wrong = refused("kind: Deployment\n");
    assert!(wrong.starts_with("m.yaml:1:1: apiVersion is missing"), "{wrong}");
    assert!(refused("").contains("is empty"));
    // What `kubectl get ... -o yaml` prints of a namespace that has none.
    let none = refused("apiVersion: v1\nkind: List\nitems: []\n");
    assert!(none.starts_with("m.yaml:2:7: an empty list changes nothing"), "{none}");
    let scenario = refused("apiVersion: healsim/v1\nkind: Scenario\n");
    assert!(scenario.contains("kind `Scenario`"), "{scenario}");
    let whole =
        refused("apiVersion: run.tanzu.vmware.com/v1alpha3\nkind: TanzuKubernetesCluster\n");
    let words = "m.yaml:2:7: a TanzuKubernetesCluster isn't read; give what the Supervisor has made of \
                 it: `kubectl get kcp,md,mhc -n NAMESPACE -o yaml`";
    assert!(whole.starts_with(words), "{whole}");
}

#[test]
fn every_mistake_of_every_document_is_told_at_once() {
    let text = format!("{}---\n{}", CHECK.replace("2m", "soon"), POOL.replace("5m", "later"));
    assert_eq!(read(&text).expect_err("two mistakes").len(), 2);
}

#[test]
fn the_documentation_has_every_kind_argument_and_setting() {
    let page = include_str!("../../../docs/manifests.md");
    let kinds = super::kinds::PLAYED.iter().map(|played| played.kind);
    for word in kinds.chain(super::arguments::known()) {
        assert!(page.contains(word), "{word}");
    }
    for text in [CHECK, CHECK_IN_GROUPS, POOL, POOL_IN_GROUPS, PLANE_IN_GROUPS] {
        let manifests = read(text).expect("manifests");
        for wish in manifests.wishes.iter().chain(&manifests.plane_wishes) {
            let name = wish.key.rsplit('.').next().unwrap_or_default();
            // The three time-outs of a Machine are named once.
            let named = name.replace("VolumeDetach", "Drain").replace("Deletion", "Drain");
            let is_argument = wish.key.starts_with("kubernetes.") || wish.key.starts_with("etcd.");
            assert!(is_argument || page.contains(&named), "{}", wish.key);
        }
    }
}

#[test]
fn a_field_of_the_other_version_is_told_with_the_name_that_it_has_here() {
    let warned = |text: &str| -> String {
        let warnings = read(text).expect("a check").warnings;
        warnings.iter().map(|warning| format!("{warning}\n")).collect()
    };
    let newer = CHECK.replace("x-k8s.io/v1beta1", "x-k8s.io/v1beta2");
    let warned_newer = warned(&newer);
    for here in [
        "spec.maxUnhealthy is a field of another apiVersion; write \
         `remediation.triggerIf.unhealthyLessThanOrEqualTo` here",
        "write `checks.unhealthyNodeConditions` here",
    ] {
        assert!(warned_newer.contains(here), "{warned_newer}");
    }
    let misspelled = warned(&newer.replace("maxUnhealthy", "maxUnhelthy"));
    assert!(misspelled.contains("did you mean `remediation.triggerIf.unhealthy"), "{misspelled}");
    let older = warned(&format!("{CHECK}  checks: {{ nodeStartupTimeoutSeconds: 300 }}\n"));
    assert!(older.contains("write `unhealthyConditions` or `nodeStartupTimeout`"), "{older}");
}

#[test]
fn a_value_of_a_wrong_type_is_shown_as_it_stands_in_the_file() {
    let label = refused(&CHECK.replace("cluster.x-k8s.io/cluster-name: prod", "x: y"));
    assert!(label.contains("`y` stands here; write it in quotes: \"y\""), "{label}");
    let replicas = format!("{}\n", POOL.replace("replicas: 5", "replicas: \"5\""));
    let quoted = refused(&replicas);
    assert!(quoted.contains("`\"5\"` stands here; write a whole number"), "{quoted}");
}
