//! Short outages that end by themselves: what a hasty health check mistakes for a lost machine.
//!
//! One outage strikes a cluster in which nothing else breaks. How often they come is a number of
//! `models/outages/`; what the cluster makes of one is played. Nothing here knows what is counted.

use super::faults::{Fault, FreezeProcess, IsolateVm, RejoinVm, ThawProcess};
use super::form::delay;
use super::models;
use super::play::Game;
use super::stage::Stage;
use crate::engine::{Delay, Duration, SimTime, Text, index_below};
use std::fmt;
use std::str::FromStr;

/// What is out for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutageKind {
    /// The network of one Node's VM.
    Network,
    /// One kubelet, which hangs.
    Kubelet,
    /// The network of all workers' VMs.
    Workers,
    /// All API servers of the workload cluster, which hang.
    Api,
}

/// How often outages of a kind come, and how long they last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutageRate {
    pub kind: OutageKind,
    /// Per Node, or per cluster, in thousandths a year.
    pub per_year: u64,
    /// Any factor between the two is as likely as any other (uniform in the logarithm).
    pub length: Delay,
    /// Where the numbers come from; empty for a user's own.
    pub basis: String,
}

/// Words that are no such rate, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnOutage(String);

/// A cluster in which nothing breaks but one outage.
#[derive(Clone, Debug)]
pub struct Quiet {
    game: Game,
    nodes: Vec<Text>,
    workers: Vec<Text>,
    api_servers: Vec<Text>,
}

/// When an outage begins: its controllers have then long been at work, each at a random phase.
const BEGINS: SimTime = SimTime::from_micros(60_000_000);
/// How long it is watched after its end: a silent connection is given up, and found again, in less.
const WATCHED: Duration = Duration::from_secs(300);
/// A longer outage is not short.
const LONGEST: Duration = Duration::from_secs(86_400);

impl OutageKind {
    /// All kinds, with their names.
    pub const ALL: [(&str, OutageKind); 4] = [
        ("network", OutageKind::Network),
        ("kubelet", OutageKind::Kubelet),
        ("workers", OutageKind::Workers),
        ("api", OutageKind::Api),
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        let (name, _) = OutageKind::ALL[self as usize];
        name
    }

    /// What it is, in words.
    pub const fn words(self) -> &'static str {
        match self {
            OutageKind::Network => "one Node loses its network",
            OutageKind::Kubelet => "one kubelet hangs",
            OutageKind::Workers => "all workers lose their network at once",
            OutageKind::Api => "all API servers hang",
        }
    }

    /// Whether its rate is that of one Node, else of the cluster.
    pub const fn is_per_node(self) -> bool {
        matches!(self, OutageKind::Network | OutageKind::Kubelet)
    }
}

impl OutageRate {
    /// Those of `models/outages/`, some replaced by a user's own.
    pub fn all(own: &[OutageRate]) -> Vec<OutageRate> {
        let catalog = models::outages();
        let rate = |(name, kind)| {
            if let Some(own) = own.iter().rfind(|own| own.kind == kind) {
                return own.clone();
            }
            let (_, setting) =
                catalog.iter().find(|(key, _)| *key == name).expect("models: every kind of outage");
            let written = format!("{name}={}", setting.value).parse::<OutageRate>();
            let basis = format!("{}; {}", setting.basis.name(), setting.source);
            OutageRate { basis, ..written.expect("models: an outage that can be read") }
        };
        OutageKind::ALL.into_iter().map(rate).collect()
    }

    /// A length, by a draw: each halving of the draw's range halves the factor between the ends.
    pub fn length_of(&self, draw: u64) -> Duration {
        let [mut low, mut high] =
            [self.length.low, self.length.high].map(|end| u128::from(end.as_micros()) << 20);
        for bit in (0..u64::BITS).rev() {
            let middle = (low * high).isqrt();
            if draw >> bit & 1 == 1 { low = middle } else { high = middle }
        }
        Duration::from_micros(u64::try_from(low >> 20).expect("between two lengths"))
    }
}

impl FromStr for OutageRate {
    type Err = NotAnOutage;
    fn from_str(text: &str) -> Result<OutageRate, NotAnOutage> {
        let names = OutageKind::ALL.map(|(name, _)| name).join(", ");
        let shape = || {
            let example = "network=1/month,10s..15m";
            NotAnOutage(format!(
                "`{text}` is not KIND=RATE/year,LOW..HIGH, as {example}; or KIND=0"
            ))
        };
        let (name, rest) = text.split_once('=').ok_or_else(shape)?;
        let known = OutageKind::ALL.iter().find(|(known, _)| *known == name);
        let Some((_, kind)) = known else {
            return Err(NotAnOutage(format!("no outage `{name}`; known: {names}")));
        };
        let basis = String::new();
        if rest == "0" {
            let length = Delay::fixed(Duration::from_secs(1));
            return Ok(OutageRate { kind: *kind, per_year: 0, length, basis });
        }
        let (rate, lengths) = rest.split_once(',').ok_or_else(shape)?;
        let per_year = rate_per_year(rate).map_err(NotAnOutage)?;
        let length = delay(lengths).map_err(NotAnOutage)?;
        if length.low.is_zero() || length.high > LONGEST {
            let words = format!("`{lengths}`: an outage lasts more than nothing and at most a day");
            return Err(NotAnOutage(words));
        }
        Ok(OutageRate { kind: *kind, per_year, length, basis })
    }
}

impl fmt::Display for NotAnOutage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotAnOutage {}

impl Quiet {
    /// The same cluster without the game's own faults.
    pub fn of(game: &Game) -> Quiet {
        let stage = Stage::of(game.blueprint().clone(), &[]);
        let owned = |names: &[&str]| names.iter().map(|name| Text::from(*name)).collect();
        let vms = stage.vms();
        let serves = |vm: &&str| stage.programs(vm).contains(&"kube-apiserver");
        let is_worker = |vm: &&str| vm.starts_with("worker-");
        // A Supervisor's API server is another cluster's.
        let is_its_own = |vm: &&str| !vm.starts_with("supervisor-");
        let filtered = |keep: &dyn Fn(&&str) -> bool| -> Vec<&str> {
            vms.iter().copied().filter(|vm| keep(vm)).collect()
        };
        Quiet {
            nodes: owned(&stage.nodes().collect::<Vec<_>>()),
            workers: owned(&filtered(&is_worker)),
            api_servers: owned(&filtered(&|vm| serves(vm) && is_its_own(vm))),
            game: game.clone().free(),
        }
    }

    /// How many Nodes there are, one of which an outage of one Node strikes.
    pub fn nodes(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// The most Machines that one outage of a kind touches.
    pub fn most(&self, kind: OutageKind) -> u64 {
        match kind {
            OutageKind::Network | OutageKind::Kubelet => 1,
            OutageKind::Workers => self.workers.len() as u64,
            OutageKind::Api => self.nodes(),
        }
    }

    /// The game in which one outage of this length strikes; the draw says whom.
    pub fn struck(&self, kind: OutageKind, length: Duration, draw: u64) -> Game {
        let one = || {
            let place = usize::try_from(index_below(self.nodes(), draw)).unwrap_or_default();
            self.nodes.get(place).into_iter().cloned().collect::<Vec<Text>>()
        };
        let vms = match kind {
            OutageKind::Network | OutageKind::Kubelet => one(),
            OutageKind::Workers => self.workers.clone(),
            OutageKind::Api => self.api_servers.clone(),
        };
        let begin = vms.iter().map(|vm| (BEGINS, begins(kind, vm.clone())));
        let end = BEGINS + length;
        let ends = vms.iter().map(|vm| (end, ends(kind, vm.clone())));
        self.game.instead(begin.chain(ends).collect(), end + WATCHED)
    }
}

fn begins(kind: OutageKind, vm: Text) -> Fault {
    match kind {
        OutageKind::Network | OutageKind::Workers => Fault::IsolateVm(IsolateVm { vm }),
        OutageKind::Kubelet | OutageKind::Api => {
            Fault::FreezeProcess(FreezeProcess { vm, process: program(kind) })
        }
    }
}

fn ends(kind: OutageKind, vm: Text) -> Fault {
    match kind {
        OutageKind::Network | OutageKind::Workers => Fault::RejoinVm(RejoinVm { vm }),
        OutageKind::Kubelet | OutageKind::Api => {
            Fault::ThawProcess(ThawProcess { vm, process: program(kind) })
        }
    }
}

fn program(kind: OutageKind) -> Text {
    Text::word(if kind == OutageKind::Api { "kube-apiserver" } else { "kubelet" })
}

/// A decimal with up to three places, at most 1000.
/// `RATE/year` or `RATE/month`, in thousandths a year; or what is wrong with it.
pub(super) fn rate_per_year(text: &str) -> Result<u64, String> {
    let shape = || format!("`{text}` is not RATE/year, as 0.5/year");
    let (count, unit) = text.split_once('/').ok_or_else(shape)?;
    let months = match unit {
        "year" => 1,
        "month" => 12,
        _ => return Err(format!("`{unit}` is neither month nor year")),
    };
    let words = "is no number with up to three decimals, at most 1000";
    let count = thousandths(count).ok_or_else(|| format!("`{count}` {words}"))?;
    Ok(count * months)
}

fn thousandths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if part.len() > 3 || whole.is_empty() || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<3}").parse().ok()?;
    (whole <= 1000).then_some(whole * 1000 + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_an_assumed_rate_with_its_basis_and_ones_own_wins() {
        let own = ["api=0.5/month,1s..2s", "network=0"].map(|text| text.parse().expect(text));
        let all = OutageRate::all(&own);
        let rates: Vec<(&str, u64)> = all.iter().map(|it| (it.kind.name(), it.per_year)).collect();
        let expected = [("network", 0), ("kubelet", 1000), ("workers", 200), ("api", 6000)];
        assert_eq!(rates, expected);
        assert!(all[1].basis.starts_with("assumed; no source"), "{}", all[1].basis);
        assert!(all[3].basis.is_empty());
    }

    #[test]
    fn lengths_lie_evenly_in_the_logarithm() {
        let rate: OutageRate = "network=1/year,10s..1000s".parse().expect("a rate");
        let at = |draw: u64| rate.length_of(draw).as_micros();
        assert_eq!((at(0), at(u64::MAX)), (10_000_000, 999_999_999));
        assert!(at(u64::MAX / 2).abs_diff(100_000_000) < 10, "{}", at(u64::MAX / 2));
        assert!(at(u64::MAX / 4).abs_diff(31_622_776) < 10, "{}", at(u64::MAX / 4));
        let always: OutageRate = "network=1/year,10s..10s".parse().expect("a rate");
        assert_eq!(always.length_of(12345), Duration::from_secs(10));
    }

    #[test]
    fn what_is_no_rate_is_refused_with_what_would_be_right() {
        for (text, words) in [
            ("network", "KIND=RATE/year"),
            ("disk=1/year,1s..2s", "no outage `disk`; known: network, kubelet, workers, api"),
            ("api=1/week,1s..2s", "neither month nor year"),
            ("api=often/year,1s..2s", "`often` is no number"),
            ("api=1.2345/year,1s..2s", "three decimals"),
            ("api=-1/year,1s..2s", "`-1` is no number"),
            ("api=1/year,2s..1s", "reversed"),
            ("api=1/year,0s..1s", "more than nothing"),
            ("api=1/year,1s..48h", "at most a day"),
            ("api=1/year", "KIND=RATE/year"),
        ] {
            let wrong = text.parse::<OutageRate>().expect_err(text).to_string();
            assert!(wrong.contains(words), "{text}: {wrong}");
        }
    }
}
