//! Which faults a campaign throws, and at what. What mends is not among them: an operator does it in
//! the end, or it is the second half of something that comes and goes.

use super::dice::{Dice, Topic};
use super::schedule::Shape;
use crate::engine::Duration;
use crate::scenario::{Mistake, models};

/// A kind of fault that a campaign can throw.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    /// How much more often than the rarest.
    pub weight: u64,
    /// What breaks, and what mends it; nothing if this cluster has nothing of it to break.
    pub draw: fn(&mut Dice, &Stage) -> Option<Broken>,
}

/// In the words of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub words: String,
    /// What ends it, for what comes and goes.
    pub mended: Option<String>,
}

/// The cluster that is to be broken.
#[derive(Clone, Debug)]
pub struct Stage {
    pub shape: Shape,
    pub has_cloud: bool,
}

/// All kinds.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "powerOff",
        weight: 4,
        draw: |dice, on| flips("powerOff", "powerOn", on.vm(dice)),
    },
    Kind { name: "deleteVm", weight: 3, draw: |dice, on| once("deleteVm", &on.vm(dice)) },
    Kind { name: "powerOffHost", weight: 2, draw: |dice, on| on.host(dice) },
    Kind { name: "stopUnit", weight: 4, draw: |dice, on| unit(&on.node(dice)) },
    Kind { name: "removeFile", weight: 2, draw: |dice, on| on.file(dice) },
    Kind { name: "killProcess", weight: 4, draw: |dice, on| on.kill(dice) },
    Kind { name: "freezeProcess", weight: 3, draw: |dice, on| on.freeze(dice) },
    Kind { name: "cutLink", weight: 3, draw: |dice, on| on.link("cutLink", "", dice) },
    Kind { name: "slowLink", weight: 2, draw: |dice, on| on.slow_link(dice) },
    Kind { name: "lossyLink", weight: 2, draw: |dice, on| on.lossy_link(dice) },
    Kind {
        name: "isolateVm",
        weight: 3,
        draw: |dice, on| flips("isolateVm", "rejoinVm", on.vm(dice)),
    },
    Kind { name: "slowDisk", weight: 2, draw: |dice, on| on.slow_disk(dice) },
    Kind {
        name: "fillDisk",
        weight: 2,
        draw: |dice, on| flips("fillDisk", "freeDisk", on.vm(dice)),
    },
    Kind { name: "skewClock", weight: 2, draw: |dice, on| on.skew(dice) },
    Kind {
        name: "powerOffZone",
        weight: 2,
        draw: |dice, on| on.zone("powerOffZone", "powerOnZone", dice),
    },
    Kind { name: "cutZone", weight: 2, draw: |dice, on| on.zone("cutZone", "rejoinZone", dice) },
    Kind { name: "kubectl", weight: 3, draw: |dice, on| on.person(dice) },
    Kind { name: "etcdctl", weight: 1, draw: |dice, on| on.leader_moved(dice) },
];

/// Faults of a scenario that no campaign throws, and why.
pub const NOT_THROWN: &[(&str, &str)] = &[
    (
        "stallDisk",
        "what a leader on a disk that stands for an hour is asked piles up without bound, in gigabytes; \
         slowDisk and fillDisk are thrown",
    ),
    ("powerOn", "mends powerOff"),
    ("powerOnHost", "mends powerOffHost"),
    ("startUnit", "mends stopUnit"),
    ("restoreFile", "mends removeFile"),
    ("thawProcess", "mends freezeProcess"),
    ("healLink", "mends cutLink, slowLink and lossyLink"),
    ("rejoinVm", "mends isolateVm"),
    ("healDisk", "mends slowDisk and stallDisk"),
    ("freeDisk", "mends fillDisk"),
    ("syncClock", "mends skewClock"),
    ("powerOnZone", "mends powerOffZone"),
    ("rejoinZone", "mends cutZone"),
    ("writeFile", "what is written matters, and nobody writes at random"),
];

fn once(kind: &str, vm: &str) -> Option<Broken> {
    Some(Broken { words: format!("{kind}: {{ vm: {vm} }}"), mended: None })
}

fn flips(kind: &str, back: &str, vm: String) -> Option<Broken> {
    let mended = Some(format!("{back}: {{ vm: {vm} }}"));
    Some(Broken { words: format!("{kind}: {{ vm: {vm} }}"), mended })
}

fn unit(vm: &str) -> Option<Broken> {
    let on = format!("{{ vm: {vm}, unit: kubelet }}");
    Some(Broken { words: format!("stopUnit: {on}"), mended: Some(format!("startUnit: {on}")) })
}

impl Kind {
    /// What it breaks in this cluster by the choices of a number, and what mends that; nothing if
    /// the cluster has nothing of it to break.
    pub fn broken(&self, on: &Stage, choices: u64) -> Option<Broken> {
        (self.draw)(&mut Dice::new(choices), on)
    }
}

impl Stage {
    /// A cluster of a platform.
    ///
    /// # Errors
    /// There is no such platform.
    pub fn of(platform: &str, shape: Shape) -> Result<Stage, Mistake> {
        let read = models::platform(platform)?;
        Ok(Stage { shape, has_cloud: read.provider == models::WrittenProvider::VmOperator })
    }
}

/// The VM of the management cluster, one for all platforms of campaigns.
const SUPERVISOR: &str = "supervisor-0";

impl Stage {
    fn worker(&self, dice: &mut Dice) -> String {
        format!("worker-{}", dice.below(Topic::Faults, u64::from(self.shape.workers)))
    }

    /// A control-plane VM, by its name or by what it does.
    fn control_plane(&self, dice: &mut Dice) -> String {
        let count = u64::from(self.shape.control_planes);
        match dice.below(Topic::Faults, 10) {
            0..2 => "leader(etcd)".to_owned(),
            2 if count > 1 => "follower(etcd)".to_owned(),
            _ => format!("control-plane-{}", dice.below(Topic::Faults, count)),
        }
    }

    fn node(&self, dice: &mut Dice) -> String {
        match dice.percent(Topic::Faults, 55) {
            true => self.worker(dice),
            false => self.control_plane(dice),
        }
    }

    /// A Node's VM, or now and then one that came later, or the Supervisor.
    fn vm(&self, dice: &mut Dice) -> String {
        match dice.below(Topic::Faults, 100) {
            0..4 => SUPERVISOR.to_owned(),
            4..12 => "md-0-*".to_owned(),
            _ => self.node(dice),
        }
    }

    fn host(&self, dice: &mut Dice) -> Option<Broken> {
        let hosts = u64::from(self.shape.hosts);
        (hosts > 0).then(|| {
            let on = format!("{{ host: esxi-{} }}", dice.below(Topic::Faults, hosts));
            let mended = Some(format!("powerOnHost: {on}"));
            Broken { words: format!("powerOffHost: {on}"), mended }
        })
    }

    fn file(&self, dice: &mut Dice) -> Option<Broken> {
        const CONTROL_PLANE: [&str; 4] = [
            "/etc/kubernetes/manifests/etcd.yaml",
            "/etc/kubernetes/manifests/kube-apiserver.yaml",
            "/etc/kubernetes/manifests/kube-controller-manager.yaml",
            "/var/lib/kubelet/config.yaml",
        ];
        let (vm, path) = match dice.percent(Topic::Faults, 30) {
            true => (self.worker(dice), "/var/lib/kubelet/config.yaml"),
            false => (self.control_plane(dice), *dice.one(Topic::Faults, &CONTROL_PLANE)),
        };
        let on = format!("{{ vm: {vm}, path: {path} }}");
        let mended = Some(format!("restoreFile: {on}"));
        Some(Broken { words: format!("removeFile: {on}"), mended })
    }

    /// A program, and the VM on which it runs.
    fn process(&self, dice: &mut Dice) -> (String, &'static str) {
        const CONTROL_PLANE: [&str; 5] =
            ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"];
        const MANAGEMENT: [&str; 4] = [
            "capi-controller-manager",
            "capi-kubeadm-control-plane-controller-manager",
            "etcd",
            "kube-apiserver",
        ];
        match dice.below(Topic::Faults, 100) {
            0..25 => (self.worker(dice), "kubelet"),
            25..40 => (SUPERVISOR.to_owned(), *dice.one(Topic::Faults, &MANAGEMENT)),
            40..45 if self.has_cloud => (self.control_plane(dice), "cloud-controller-manager"),
            _ => (self.control_plane(dice), *dice.one(Topic::Faults, &CONTROL_PLANE)),
        }
    }

    fn kill(&self, dice: &mut Dice) -> Option<Broken> {
        let (vm, process) = self.process(dice);
        let signal = if dice.percent(Topic::Faults, 25) { ", signal: SIGTERM" } else { "" };
        let words = format!("killProcess: {{ vm: {vm}, process: {process}{signal} }}");
        Some(Broken { words, mended: None })
    }

    fn freeze(&self, dice: &mut Dice) -> Option<Broken> {
        let (vm, process) = self.process(dice);
        let on = format!("{{ vm: {vm}, process: {process} }}");
        let mended = Some(format!("thawProcess: {on}"));
        Some(Broken { words: format!("freezeProcess: {on}"), mended })
    }

    /// A link between two VMs, with what else is said of the fault.
    fn link(&self, kind: &str, how: &str, dice: &mut Dice) -> Option<Broken> {
        let from = self.node(dice);
        let to = match dice.percent(Topic::Faults, 20) {
            true => SUPERVISOR.to_owned(),
            false => self.control_plane(dice),
        };
        // A role may turn out to be the same VM, which is then no link, and nothing is hit.
        if from == to {
            return None;
        }
        let way = if dice.percent(Topic::Faults, 35) { ", oneWay: true" } else { "" };
        let on = format!("{{ from: {from}, to: {to}{way} }}");
        let mended = Some(format!("healLink: {on}"));
        let words = format!("{kind}: {{ from: {from}, to: {to}{way}{how} }}");
        Some(Broken { words, mended })
    }

    fn slow_link(&self, dice: &mut Dice) -> Option<Broken> {
        let delay = *dice.one(Topic::Faults, &["20ms", "200ms", "700ms", "5s"]);
        self.bad_link("slowLink", &format!(", delay: {delay}"), dice)
    }

    fn lossy_link(&self, dice: &mut Dice) -> Option<Broken> {
        let loss = *dice.one(Topic::Faults, &["1%", "10%", "40%", "80%"]);
        self.bad_link("lossyLink", &format!(", loss: {loss}"), dice)
    }

    /// All links of a VM now and then, else one.
    fn bad_link(&self, kind: &str, how: &str, dice: &mut Dice) -> Option<Broken> {
        if !dice.percent(Topic::Faults, 40) {
            return self.link(kind, how, dice);
        }
        let vm = self.vm(dice);
        let mended = Some(format!("healLink: {{ from: {vm} }}"));
        Some(Broken { words: format!("{kind}: {{ from: {vm}{how} }}"), mended })
    }

    fn skew(&self, dice: &mut Dice) -> Option<Broken> {
        let vm = self.vm(dice);
        let by = *dice.one(Topic::Faults, &["2s", "-2s", "1m", "-1m", "20m", "-20m"]);
        let mended = Some(format!("syncClock: {{ vm: {vm} }}"));
        Some(Broken { words: format!("skewClock: {{ vm: {vm}, by: {by} }}"), mended })
    }

    fn zone(&self, kind: &str, back: &str, dice: &mut Dice) -> Option<Broken> {
        let zones = u64::from(self.shape.zones);
        (zones > 0).then(|| {
            let on = format!("{{ zone: zone-{} }}", dice.below(Topic::Faults, zones));
            Broken { words: format!("{kind}: {on}"), mended: Some(format!("{back}: {on}")) }
        })
    }

    fn slow_disk(&self, dice: &mut Dice) -> Option<Broken> {
        let vm = self.control_plane(dice);
        let flush = dice.one(Topic::Faults, &["50ms", "200ms", "1s", "5s"]);
        let mended = Some(format!("healDisk: {{ vm: {vm} }}"));
        Some(Broken { words: format!("slowDisk: {{ vm: {vm}, flush: {flush} }}"), mended })
    }

    /// What a person does at a wrong moment.
    fn person(&self, dice: &mut Dice) -> Option<Broken> {
        let machine = match dice.percent(Topic::Faults, 75) {
            true => self.worker(dice),
            false => {
                let count = u64::from(self.shape.control_planes);
                format!("control-plane-{}", dice.below(Topic::Faults, count))
            }
        };
        let words = match dice.below(Topic::Faults, 4) {
            0 => format!("delete node {machine}"),
            1 => format!("delete machine {machine}"),
            2 => format!("annotate machine {machine} cluster.x-k8s.io/remediate-machine="),
            // As many as find a place: what never can be is no disaster.
            _ => {
                let most = u64::from(self.shape.workers.min(3));
                format!("scale deployment web --replicas={}", dice.below(Topic::Faults, most + 1))
            }
        };
        Some(Broken { words: format!("kubectl: \"{words}\""), mended: None })
    }

    fn leader_moved(&self, dice: &mut Dice) -> Option<Broken> {
        let count = u64::from(self.shape.control_planes);
        if count < 2 {
            return None;
        }
        let to = dice.below(Topic::Faults, count);
        let asked = dice.below(Topic::Faults, count);
        let words = format!(
            "etcdctl: \"move-leader control-plane-{to} --endpoints=control-plane-{asked}\""
        );
        Some(Broken { words, mended: None })
    }
}

/// What a campaign waits for before it strikes into the middle of something.
pub const MOMENTS: &[&str] = &[
    "Node Ready=Unknown",
    "Machine HealthCheckSucceeded=False",
    "Node unschedulable=true",
    "Machine deletionTimestamp=set",
    "VM deleted",
    "new Machine created",
    "VM created",
    "new Node created",
    "new Node Ready=True",
    "Pod deletionTimestamp=set",
    "EtcdMember role=Leader",
    "EtcdMember deleted",
];

/// How long what comes and goes stays, at most.
pub const SPELLS: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(240),
    Duration::from_secs(600),
];
