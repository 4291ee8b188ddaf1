//! The arguments that a KubeadmControlPlane gives to what runs on its VMs: `extraArgs`, a map in
//! v1beta1 and a list of names and values in v1beta2.

use super::Manifests;
use super::fields::Fields;
use super::tree::{Node, Value};
use crate::engine::Duration;
use crate::scenario::mistake::{Mistake, crop};

/// An argument, its setting, and how its value is written.
type Argument = (&'static str, &'static str, Written);

#[derive(Clone, Copy)]
enum Written {
    Go,
    Seconds,
    Milliseconds,
    Count,
    Rule,
}

const API_SERVER: &[Argument] = &[
    (
        "default-unreachable-toleration-seconds",
        "kubernetes.defaultTolerationSeconds",
        Written::Seconds,
    ),
    ("request-timeout", "kubernetes.requestTimeout", Written::Go),
    ("etcd-compaction-interval", "etcd.compactionInterval", Written::Go),
];
const CONTROLLER_MANAGER: &[Argument] = &[
    ("node-monitor-period", "kubernetes.nodeMonitorPeriod", Written::Go),
    ("node-monitor-grace-period", "kubernetes.nodeMonitorGracePeriod", Written::Go),
    ("node-startup-grace-period", "kubernetes.nodeStartupGracePeriod", Written::Go),
    ("large-cluster-size-threshold", "kubernetes.largeClusterSizeThreshold", Written::Count),
    ("concurrent-gc-syncs", "kubernetes.garbageCollectorWorkers", Written::Count),
    ("kube-api-burst", "kubernetes.controllerRequestBurst", Written::Count),
];
const ETCD: &[Argument] = &[
    ("heartbeat-interval", "etcd.heartbeatInterval", Written::Milliseconds),
    ("election-timeout", "etcd.electionTimeout", Written::Milliseconds),
    ("snapshot-count", "etcd.snapshotCount", Written::Count),
    ("pre-vote", "etcd.preVote", Written::Rule),
];

/// Arguments that decide about healing too, and have no setting that is theirs alone.
const MATTER: &[(&str, &str)] = &[
    (
        "default-not-ready-toleration-seconds",
        "--set kubernetes.defaultTolerationSeconds sets it for both",
    ),
    ("etcd-healthcheck-timeout", "--set kubernetes.etcdHealthcheckTimeout sets it"),
    ("etcd-readycheck-timeout", "--set kubernetes.etcdHealthcheckTimeout sets it"),
    ("goaway-chance", "connections are not closed to spread them"),
    ("node-eviction-rate", "--set kubernetes.nodeEvictionInterval sets it"),
    ("secondary-node-eviction-rate", "--set kubernetes.secondaryNodeEvictionInterval sets it"),
    ("unhealthy-zone-threshold", "--set kubernetes.unhealthyZoneThresholdPercent sets it"),
    ("kube-api-qps", "--set kubernetes.controllerRequestInterval sets it"),
    ("concurrent-replicaset-syncs", "--set kubernetes.controllerWorkers sets it"),
    ("concurrent-deployment-syncs", "--set kubernetes.controllerWorkers sets it"),
    ("leader-elect", "controllers always elect a leader"),
    ("leader-elect-lease-duration", "--set kubernetes.leaderElectLeaseDuration sets it for all"),
    ("leader-elect-renew-deadline", "--set kubernetes.leaderElectRenewDeadline sets it for all"),
    ("leader-elect-retry-period", "--set kubernetes.leaderElectRetryPeriod sets it for all"),
    ("node-status-update-frequency", "--set kubernetes.nodeStatusUpdateFrequency sets it for all"),
    ("max-pods", "--set kubernetes.maxPods sets it for all"),
    ("shutdown-grace-period", "a kubelet does not hold up its VM's shutdown"),
    ("feature-gates", "gates of Kubernetes are the release's"),
    ("strict-reconfig-check", "--set etcd.strictReconfigCheck sets it"),
];
const COMMANDS: &str = "nothing of it is run; what it takes is part of infra.joinWorker";

/// The names of the arguments that are read.
#[cfg(test)]
pub fn known() -> impl Iterator<Item = &'static str> {
    [API_SERVER, CONTROLLER_MANAGER, ETCD].into_iter().flatten().map(|(name, ..)| *name)
}

impl Manifests {
    pub(super) fn kubeadm(&mut self, kubeadm: &Fields) -> Result<(), Mistake> {
        if let Some(cluster) = kubeadm.fields("clusterConfiguration")? {
            self.part(&cluster, "apiServer", API_SERVER)?;
            self.part(&cluster, "controllerManager", CONTROLLER_MANAGER)?;
            self.part(&cluster, "scheduler", &[])?;
            if let Some(etcd) = cluster.fields("etcd")? {
                self.part(&etcd, "local", ETCD)?;
                let external = "each control-plane VM has its own etcd member here";
                etcd.finish(&[("external", external)], &[]);
            }
            cluster.finish(&[("featureGates", "the release decides how kubeadm joins")], CLUSTER);
        }
        for name in ["initConfiguration", "joinConfiguration"] {
            let Some(join) = kubeadm.fields(name)? else { continue };
            if let Some(node) = join.fields("nodeRegistration")? {
                self.arguments(&node, "kubeletExtraArgs", &[])?;
                let taints = "Nodes of a control plane have kubeadm's taint";
                node.finish(&[("taints", taints)], NODE);
            }
            join.finish(&[("timeouts", "--set kubernetes.discoveryTimeout sets it")], JOIN);
        }
        kubeadm.finish(
            &[
                ("preKubeadmCommands", COMMANDS),
                ("postKubeadmCommands", COMMANDS),
                ("bootCommands", COMMANDS),
                (
                    "useExperimentalRetryJoin",
                    "one rule holds for all Machines: clusterApi.retryJoin",
                ),
            ],
            &["files", "diskSetup", "mounts", "users", "ntp", "format", "verbosity", "ignition"],
        );
        Ok(())
    }

    fn part(&mut self, of: &Fields, name: &str, known: &[Argument]) -> Result<(), Mistake> {
        let Some(part) = of.fields(name)? else { return Ok(()) };
        self.arguments(&part, "extraArgs", known)?;
        let timeout = "--set kubernetes.probeStartupFailures sets it";
        part.finish(&[("timeoutForControlPlane", timeout)], PART);
        Ok(())
    }

    fn arguments(&mut self, of: &Fields, name: &str, known: &[Argument]) -> Result<(), Mistake> {
        for (flag, place, value) in pairs(of, name)? {
            let path = format!("{}.{flag}", of.path_of(name));
            if let Some((_, key, written)) = known.iter().find(|(known, ..)| *known == flag) {
                let text = read(*written, value).ok_or_else(|| {
                    let message = format!("{path}: {} is not {}", value.shown(), written.words());
                    of.reader.mistake(value.place, message)
                })?;
                self.wish(of, key, text, value.place);
            } else if let Some((_, why)) = MATTER.iter().find(|(known, _)| *known == flag) {
                let path = format!("{}.{}", of.path_of(name), crop(flag));
                of.reader.warn(place, format!("{path} isn't read: {why}"));
            }
        }
        Ok(())
    }
}

/// An argument, where it stands, and its value.
type Pair<'a> = (&'a str, (usize, usize), &'a Node);

fn pairs<'a>(of: &Fields<'a>, name: &str) -> Result<Vec<Pair<'a>>, Mistake> {
    let Some(node) = of.get(name) else { return Ok(Vec::new()) };
    match &node.value {
        Value::Map(map) => {
            Ok(map.iter().map(|(key, value)| (key.name.as_str(), key.place, value)).collect())
        }
        Value::List(items) => {
            let one = |item: &'a Node| {
                let fields = of.reader.fields(item, &of.path_of(name))?;
                let flag = fields.needed("name", "`name: node-monitor-grace-period`")?;
                let value = fields.needed("value", "`value: 50s`")?;
                let flag_name = of.reader.text(flag, &fields.path_of("name"))?;
                Ok((flag_name, flag.place, value))
            };
            items.iter().map(one).collect()
        }
        _ => Err(of.reader.wrong(node, &of.path_of(name), "names with values")),
    }
}

/// An argument's value, as the setting has it.
fn read(written: Written, node: &Node) -> Option<String> {
    let Value::Text(text) = &node.value else { return None };
    let whole = || text.parse::<u64>().ok();
    match written {
        Written::Go => text.parse::<Duration>().ok().map(|length| length.to_string()),
        Written::Seconds => whole().map(|count| Duration::from_secs(count).to_string()),
        Written::Milliseconds => whole().map(|count| Duration::from_millis(count).to_string()),
        Written::Count => whole().map(|count| count.to_string()),
        Written::Rule => ["true", "false"].contains(&text.as_str()).then(|| text.clone()),
    }
}

impl Written {
    fn words(self) -> &'static str {
        match self {
            Written::Go => "a duration as a text, for example \"50s\"",
            Written::Seconds => "a number of seconds in quotes, for example \"300\"",
            Written::Milliseconds => "a number of milliseconds in quotes, for example \"100\"",
            Written::Count => "a whole number in quotes, for example \"50\"",
            Written::Rule => "\"true\" or \"false\" in quotes",
        }
    }
}

const CLUSTER: &[&str] = &[
    "controlPlaneEndpoint",
    "dns",
    "certificatesDir",
    "imageRepository",
    "apiVersion",
    "kind",
    "clusterName",
    "kubernetesVersion",
    "networking",
    "certificateValidityPeriodDays",
    "caCertificateValidityPeriodDays",
    "encryptionAlgorithm",
];
const PART: &[&str] = &[
    "extraVolumes",
    "extraEnvs",
    "certSANs",
    "imageRepository",
    "imageTag",
    "dataDir",
    "serverCertSANs",
    "peerCertSANs",
];
const NODE: &[&str] =
    &["name", "criSocket", "ignorePreflightErrors", "imagePullPolicy", "imagePullSerial"];
const JOIN: &[&str] = &[
    "bootstrapTokens",
    "localAPIEndpoint",
    "skipPhases",
    "patches",
    "caCertPath",
    "discovery",
    "controlPlane",
    "apiVersion",
    "kind",
];
