//! Recovery times that somebody has published, beside what the simulation shows.
//!
//! Each row is a line of a scenario that plays what was published. Nothing is tuned to a number: where
//! the mechanism gives another one, the row says why. Rows that the model does not cover are listed
//! with the reason.

use super::super::parallel::each;
use super::statistics::percentile;
use crate::engine::{Duration, Text};
use crate::scenario::{Game, Mistakes, load};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

/// One published number.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Who published it, and of what.
    pub source: &'static str,
    /// What was published, in our words.
    pub says: &'static str,
    pub published: Published,
    pub scenario: &'static str,
    /// `recovered`, or the beginning of a line that the scenario expects.
    pub seen: &'static str,
    /// Why it agrees, or differs.
    pub why: &'static str,
    /// Whether the two are known to differ.
    pub differs: bool,
}

/// A published number in seconds, with how exactly it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    Between(u64, u64),
    Never,
}

/// A row with what was simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub runs: u64,
    /// In how many of them it came.
    pub came: u64,
    /// The earliest, the middle and the latest.
    pub simulated: Option<[Duration; 3]>,
    /// How far the published number lies from all simulated ones; nothing if only one of the two is
    /// never.
    pub apart: Option<Duration>,
}

/// What was published and is not played, with the reason.
pub const NOT_COVERED: &[(&str, &str)] = &[
    (
        "container and pause container killed: 1.766 s and 32.019 s (arXiv:1901.04946)",
        "containers of users' Pods do not fail in this model",
    ),
    (
        "Raft: election time-outs of 150-155, 150-200 and 12-24 ms: median 287, worst 513, mean 35 ms (Ongaro and Ousterhout, figure 16)",
        "etcd draws its time-outs in whole ticks between one and two election time-outs, and never from such ranges; the election itself is held against recorded etcd in fidelity-etcd.md",
    ),
    (
        "a kubelet needs 15 min 25 s to drop the connection to a lost API server (Azure/acs-engine#1032)",
        "kubelets from before HTTP/2 pings and request time-outs; the kernel's 924.6 s are in models/network and played by tests/links.rs",
    ),
    (
        "45 s on a dead HTTP/2 connection, 40 s for a dead etcd server (openshift/ibm-roks-toolkit#1021)",
        "settings of the model (30 s and 15 s; to etcd 30 s and 10 s), no outcome; played by tests/links.rs",
    ),
    (
        "\"no leader\" after three failed election cycles closes all watches (kubernetes/kubernetes#111116)",
        "told as a rule without a time; the line `etcdserver: no leader` is expected by etcd-one-of-three",
    ),
    (
        "host isolation after 5, 12 or 30 s, and its response (Broadcom KB 322784, vm-guru.com)",
        "the isolation response of vSphere HA is not modeled, only the loss of a host",
    ),
    (
        "Proxmox VE 2 min; AKS 5 min to 1 h; Google 15 min; EKS 30 min; Gardener 10 and 20 min",
        "other healers with rules of their own",
    ),
    (
        "OpenShift Virtualization 545 s, its last two parts: self-remediation 180 s, restart 15 s",
        "self-node-remediation is not modeled; the first two parts are a row above",
    ),
    (
        "in-memory provider: VM 10 s, Node, API server and etcd 2 s each (Cluster API's example)",
        "a configuration, no outcome",
    ),
    (
        "krkn: stop 140.7 and 146.7 s, start 12.3 s, Ready 43.5 and 48.3 s",
        "a cloud provider's own times, which a platform would have to assume",
    ),
    (
        "Cloudflare 2020, Reddit 2023, OpenAI 2024, Datadog 2023, Roblox 2021: 5 to 73 h",
        "people searched and repaired; which packets were lost in the first is not public",
    ),
    (
        "conflicts of several controllers (gangmuk/k8s-failure-reproduction), failures by altered etcd data (arXiv:2404.11169)",
        "topology spread constraints and wrong data are not modeled",
    ),
    (
        "all kubelets lose the API server behind one gateway (Gardener's dependency-watchdog)",
        "a pattern without a measured time; `published/gateway-lost` and `published/gateway-lost-short-circuit` play it, and tests judge what they expect",
    ),
    (
        "a volume is used again 1 to 7 min after a Node returns late (Longhorn)",
        "a storage engine's own recovery; here a volume is attached or not",
    ),
    (
        "remediation within 5 min (Cluster API's end-to-end tests, docker provider)",
        "a test's budget, no measurement",
    ),
    (
        "the founding page's own numbers (a VM under its old name, API servers removed one by one)",
        "observation by observation in [scenarios.md](scenarios.md)",
    ),
];

const PAGE: &str = "\"Disaster Scenarios\", the founding page";
const AVAILABILITY: &str = "arXiv:1901.04946, node failure, secondary transcription";
const KUBESPRAY: &str = "Kubespray, kubernetes-reliability";

/// All rows.
pub const ROWS: &[Row] = &[
    row(PAGE, "a powered-off worker's Machine is deleted after 5 min", Published::Between(300, 360))
        .of("worker-kubelet-stopped", "see Machine/worker-0 HealthCheckSucceeded=False")
        .because("5 min of the health check begin 29 to 47 s after the fault, when the Node is Unknown; the page tells whole minutes"),
    row(PAGE, "a worker deleted from disk is replaced after 13 min", Published::Between(750, 810))
        .of("worker-vm-deleted", "recovered")
        .because("VM Operator's re-creation under the old name, its failed join, then the health check and the drain's 300 s add up"),
    row(PAGE, "a control-plane VM deleted from disk is replaced after about 15 min", Published::Between(810, 990))
        .of("control-plane-vm-deleted", "recovered")
        .because("as with the worker; the etcd member's removal and the join's checks come on top"),
    row(PAGE, "the API is gone for a few seconds for who was connected to that control plane", Published::Between(2, 10))
        .of("control-plane-power-off", "see Probe/api@via-control-plane-0 response=200")
        .differing("the load balancer leads this user to the dead VM until its check has failed three times, 5 s apart, or the VM is back; the page's words are rough, and its load balancer's numbers are not public"),
    row(PAGE, "a control plane without kubelet is not replaced", Published::Never)
        .of("control-plane-kubelet-stopped", "recovered")
        .because("etcd's member lives on the VM, and the controller refuses to act through a Node that does not answer"),
    row(PAGE, "with one of three etcd members nothing heals", Published::Never)
        .of("etcd-one-of-three", "recovered")
        .because("without a quorum nobody can write"),
    row(PAGE, "without API servers nothing heals", Published::Never)
        .of("apiserver-removed", "recovered")
        .because("who removed the manifests has to put them back"),
    row(AVAILABILITY, "first reaction after 38.187 s", Published::Between(38, 39))
        .of("published/private-cloud-node", "see Node/worker-0 Ready=Unknown")
        .because("40 s of grace from the last Lease"),
    row(AVAILABILITY, "outage of 300.852 s", Published::Between(300, 301))
        .of("published/private-cloud-node", "see new Pod/web-* Ready=True")
        .differing("that generation's controller evicted 5 min after the last heartbeat (--pod-eviction-timeout); taint-based eviction, which replaced it, counts 300 s from the taint (kubernetes/kubernetes#72024): 40 s more. The older mode is not modeled"),
    row("B. Bhikkaji (2020); kubernetes/website#39681", "grace 40 s and toleration 300 s: 340 s", Published::Between(340, 340))
        .of("published/node-eviction-default", "see Pod/web-* deletionTimestamp=set")
        .because("less the age of the last Lease (up to 10 s), plus the pause until the monitor's next looks"),
    row("antrea-io/antrea#5521", "5 s more for the NoExecute taint: 345 s or more", Published::Between(345, 360))
        .of("published/node-eviction-default", "see Pod/web-* deletionTimestamp=set")
        .because("the taint comes with the monitor's next pass, 5 s later; the Lease's age, which the sum leaves out, makes it less in most runs"),
    row("scality/metalk8s#4966", "10 + 50 + 300 s: about 6 min", Published::Between(345, 375))
        .of("published/node-eviction-current", "see Pod/web-* deletionTimestamp=set")
        .because("the heartbeat is a part of the grace period and not added to it; in the same pass as Unknown comes the taint"),
    row(KUBESPRAY, "fast: eviction at 50 s", Published::Between(50, 50))
        .of("published/kubespray-fast", "see Pod/web-* deletionTimestamp=set")
        .because("20 s and 30 s; a Lease is renewed every 10 s, whatever nodeStatusUpdateFrequency is"),
    row(KUBESPRAY, "medium: 3 min", Published::Between(150, 210))
        .of("published/kubespray-medium", "see Pod/web-* deletionTimestamp=set")
        .because("2 min and 1 min, less the Lease's age, plus the monitor's looks"),
    row(KUBESPRAY, "low: 6 min", Published::Between(330, 390))
        .of("published/kubespray-low", "see Pod/web-* deletionTimestamp=set")
        .because("5 min are 60 of the monitor's looks, 303 s; then 1 min"),
    row("etcd-io/etcd#3053", "a new leader within twice the election time-out, 2 s", Published::Between(1, 2))
        .of("published/etcd-leader-lost", "see EtcdMember role=Leader")
        .because("between one and two time-outs from the last heartbeat; votes that split, in a few runs, cost another"),
    row("kubernetes/kubernetes#44887, #19621", "a lease of 15 s, tried every 2 s", Published::Between(15, 17))
        .of("published/controller-takeover", "see Lease/kube-controller-manager holder=")
        .because("15 s from the last renewal, up to 2 s before the kill, then the next try"),
    row("Longhorn, Node failure handling", "NotReady after about 1 min", Published::Between(45, 75))
        .of("published/volume-forced-detach", "see Node/worker-0 Ready=Unknown")
        .because("the grace period of 50 s"),
    row("Longhorn, Node failure handling", "Pods go after about 5 min", Published::Between(300, 360))
        .of("published/volume-forced-detach", "see Pod/db-0 deletionTimestamp=set")
        .because("grace period and toleration; about 5 min 45 s"),
    row("Longhorn, Node failure handling", "the volume is released 6 min after a forced deletion (here at 9 min)", Published::Between(870, 930))
        .of("published/volume-forced-detach", "see VolumeAttachment deleted")
        .because("the controller's 6 min, then the detachment itself"),
    row("medik8s/poison-pill#99", "a missing Node's Pods are deleted after 40 s, looked for every 20 s", Published::Between(40, 80))
        .of("published/node-garbage-collection", "see Pod/web-* deleted")
        .because("40 s from the look that misses the Node, to the next look"),
    row("VMware, failure detection", "a host is declared failed after 15 s", Published::Between(15, 15))
        .of("host-down", "see Host/esxi-1 dasHostState=hostDown")
        .differing("15 s hold for hosts without heartbeat datastores; the platform's have some, and vSphere then takes 18 s (vsphere.haDead)"),
    row("cluster-api book; Red Hat livestream slide (2025-10)", "50 s of detection and 300 s of health check", Published::Between(350, 350))
        .of("published/health-check-example", "see Machine/worker-0 HealthCheckSucceeded=False")
        .because("less the Lease's age, plus up to 15 s between two looks of the health check"),
    row("cluster-api, end-to-end tests", "a Machine is remediated within 5 min", Published::Between(0, 300))
        .of("published/remediation-budget", "see new Node Ready=True")
        .because("the drain of a Node that answers takes its Pods' 30 s; the rest is the provider's"),
];

const fn row(source: &'static str, says: &'static str, published: Published) -> Row {
    Row { source, says, published, scenario: "", seen: "", why: "", differs: false }
}

impl Row {
    const fn of(self, scenario: &'static str, seen: &'static str) -> Row {
        Row { scenario, seen, ..self }
    }

    const fn because(self, why: &'static str) -> Row {
        Row { why, ..self }
    }

    const fn differing(self, why: &'static str) -> Row {
        Row { why, differs: true, ..self }
    }

    /// What these runs show of it: the times of their lines.
    fn held(&self, runs: &[BTreeMap<Text, Duration>]) -> Held {
        let mut times: Vec<u64> = runs
            .iter()
            .filter_map(|run| run.iter().find(|(text, _)| text.starts_with(self.seen)))
            .map(|(_, time)| time.as_micros())
            .collect();
        times.sort_unstable();
        let at = |per_mille| percentile(&times, per_mille).map(Duration::from_micros);
        let simulated = at(0).zip(at(500)).zip(at(1000));
        let simulated = simulated.map(|((low, middle), high)| [low, middle, high]);
        let apart = match (self.published, simulated) {
            (Published::Never, None) => Some(Duration::ZERO),
            (Published::Between(low, high), Some([first, _, last])) => {
                let [low, high] = [low, high].map(Duration::from_secs);
                Some(first.saturating_sub(high).max(low.saturating_sub(last)))
            }
            _ => None,
        };
        Held { runs: runs.len() as u64, came: times.len() as u64, simulated, apart }
    }
}

impl Held {
    /// Whether the published number lies among the simulated ones.
    pub fn agrees(&self) -> bool {
        self.apart == Some(Duration::ZERO)
    }
}

/// Plays the scenario of each row with these seeds.
///
/// # Errors
/// A scenario cannot be played.
pub fn hold(seeds: Range<u64>, jobs: usize) -> Result<Vec<Held>, Mistakes> {
    let mut played: BTreeMap<&str, Vec<BTreeMap<Text, Duration>>> = BTreeMap::new();
    for row in ROWS {
        if !played.contains_key(row.scenario) {
            let game = Game::new(&load(row.scenario)?, None, &[], None)?;
            played.insert(row.scenario, each(seeds.clone(), jobs, |seed| times(&game, seed)));
        }
    }
    Ok(ROWS.iter().map(|row| row.held(&played[row.scenario])).collect())
}

/// When each line of the scenario was seen, and when it recovered.
fn times(game: &Game, seed: u64) -> BTreeMap<Text, Duration> {
    let run = game.play(seed);
    let fault = run.first_fault.unwrap_or_default();
    let recovered = run.recovery_time().map(|time| (Text::word("recovered"), time));
    let lines = run.expectations.iter();
    let lines = lines.filter_map(|line| Some((line.text.clone(), line.at?.since(fault))));
    lines.chain(recovered).collect()
}

/// The rows as a table, then what is not covered.
pub fn markdown(held: &[Held]) -> String {
    let mut out = "| source | published | scenario, and what is seen | simulated: least, median, most | | why |\n\
                   |---|---|---|---|---|---|\n"
        .to_owned();
    for (row, held) in ROWS.iter().zip(held) {
        let verdict = match (held.agrees(), row.differs) {
            (true, _) => "agrees",
            (false, true) => "differs, explained",
            (false, false) => "**differs**",
        };
        let simulated = held.simulated.map_or_else(
            || format!("never, in {} runs", held.runs),
            |times| {
                let times = times.map(tenths).join(", ");
                match held.came == held.runs {
                    true => times,
                    false => format!("{times} in {} of {} runs", held.came, held.runs),
                }
            },
        );
        let seen = row.seen.trim_start_matches("see ").trim_end_matches('=');
        let _ = writeln!(
            out,
            "| {} | {} | `{}`: {seen} | {simulated} | {verdict} | {} |",
            row.source, row.says, row.scenario, row.why
        );
    }
    out.push_str("\n## Not covered\n\n| published | why not |\n|---|---|\n");
    for (what, why) in NOT_COVERED {
        let _ = writeln!(out, "| {what} | {why} |");
    }
    out
}

/// Seconds, or minutes and seconds, to the tenth.
fn tenths(length: Duration) -> String {
    Duration::from_micros((length.as_micros() + 50_000) / 100_000 * 100_000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(seconds: &[u64]) -> Vec<BTreeMap<Text, Duration>> {
        let run = |seconds: &u64| {
            BTreeMap::from([(Text::word("see a after 1s..2s"), Duration::from_secs(*seconds))])
        };
        seconds.iter().map(run).collect()
    }

    #[test]
    fn a_row_agrees_if_the_published_number_lies_among_the_simulated() {
        let of = |published| row("", "", published).of("", "see a");
        let held = of(Published::Between(9, 10)).held(&runs(&[10, 30, 20]));
        let seconds = [10, 20, 30].map(Duration::from_secs);
        assert_eq!((held.simulated, held.agrees()), (Some(seconds), true));
        assert!(!of(Published::Between(31, 40)).held(&runs(&[10, 30])).agrees());
        assert!(!of(Published::Between(1, 2)).held(&runs(&[])).agrees());
        assert!(of(Published::Never).held(&runs(&[])).agrees());
        assert!(!of(Published::Never).held(&runs(&[5])).agrees());
    }
}
