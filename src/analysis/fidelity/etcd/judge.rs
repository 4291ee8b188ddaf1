//! Judges simulated trials by recorded ones, metric by metric and request by request.
//!
//! What the protocol makes is held as a distribution, what the machine makes as a range. This file
//! does not explain a disagreement, it only finds it.

use super::explained::Known;
use super::recorded::{Got, Recorded};
use super::trial::Trial;
use crate::analysis::fidelity::statistics::{
    FAMILY_ALPHA, KolmogorovSmirnov, holm, ks_two_samples, percentile,
};
use std::collections::{BTreeMap, BTreeSet};

/// With fewer recorded trials a distribution is not tested.
pub const FEWEST_FOR_KS: usize = 5;
/// From so many recorded trials on the distance counts by itself.
pub const MANY: usize = 60;
/// The greatest distance then.
pub const GREATEST_DISTANCE: f64 = 0.25;
/// What the recording machine may add to a time, in milliseconds: its stalls.
pub const STALL: u64 = 50;
/// Fewer simulated times do not reach the ends of their distribution: the range of so few is widened
/// on either side by a fifth.
const REACHES_THE_ENDS: usize = 200;
/// What it may add to a request that waits for a timer of the member.
pub const SLOW_REQUEST: u64 = 100;
/// The recording driver sent requests one after the other, so one that joined a batch of reads waited
/// for so much less than its first.
pub const ONE_BY_ONE: u64 = 10;

/// The comparison of one file.
#[derive(Clone, Debug)]
pub struct Compared {
    pub file: &'static str,
    pub recorded: usize,
    pub simulated: usize,
    pub rows: Vec<Row>,
    pub requests: Vec<Request>,
}

/// One metric on both sides; values are sorted, in milliseconds (or counts).
#[derive(Clone, Debug)]
pub struct Row {
    pub metric: String,
    pub nature: Nature,
    pub recorded: Vec<u64>,
    pub simulated: Vec<u64>,
    pub ks: Option<KolmogorovSmirnov>,
    /// True if Holm's correction over the rows of all files rejects that both sides are the same.
    pub is_rejected: bool,
    /// Recorded medians in the calmer and the busier half of the trials.
    pub by_load: (u64, u64),
    pub why: Option<&'static str>,
}

/// What makes a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Time-outs, ticks, who asks whom.
    Protocol,
    /// The speed of a processor and of a disk.
    Machine,
}

/// What the requests of one kind got on both sides.
#[derive(Clone, Debug)]
pub struct Request {
    pub kind: String,
    pub recorded: BTreeMap<String, Got>,
    pub simulated: BTreeMap<String, Got>,
    pub why: Option<&'static str>,
}

/// How a row came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Same,
    /// The test rejects it.
    Rejected,
    /// The distance is too large for so many trials.
    TooFar,
    /// So many recorded values are outside the simulated range.
    Outside(usize),
    /// The simulated times are not those that the machine showed.
    NotInRange,
    /// It was not seen in the simulation.
    Missing,
}

/// Holds trials against a recording.
pub fn compare(file: &'static str, recorded: &Recorded, trials: &[Trial]) -> Compared {
    let metrics = recorded.millis.keys().filter(|metric| **metric != "restartAt");
    let rows = metrics.map(|metric| row(file, metric, recorded, trials)).collect();
    let mut simulated: BTreeMap<String, BTreeMap<String, Got>> = BTreeMap::new();
    for (kind, got) in trials.iter().flat_map(|trial| &trial.outcomes) {
        let sum = simulated.entry(kind.clone()).or_default();
        for (what, got) in got {
            sum.entry(what.clone()).or_default().join(*got);
        }
    }
    let requests = recorded.outcomes.iter().map(|(kind, got)| Request {
        kind: kind.clone(),
        recorded: got.clone(),
        simulated: simulated.get(kind).cloned().unwrap_or_default(),
        why: None,
    });
    Compared {
        file,
        recorded: recorded.trials(),
        simulated: trials.len(),
        rows,
        requests: requests.collect(),
    }
}

/// Rejects by all rows together, then explains what is known to differ.
pub fn judge(all: &mut [Compared], known: &[Known]) {
    let tested = |row: &&mut Row| row.ks.is_some();
    let p: Vec<f64> =
        all.iter().flat_map(|file| &file.rows).filter_map(|row| row.ks).map(|ks| ks.p).collect();
    let rows = all.iter_mut().flat_map(|file| &mut file.rows).filter(tested);
    for (row, rejected) in rows.zip(holm(&p, FAMILY_ALPHA)) {
        row.is_rejected = rejected;
    }
    for file in all {
        let why = |subject: &str| {
            known.iter().find(|known| known.covers(file.file, subject)).map(|known| known.why)
        };
        for row in file.rows.iter_mut().filter(|row| row.verdict() != Verdict::Same) {
            row.why = why(&row.metric);
        }
        for request in file.requests.iter_mut().filter(|request| !request.differences().is_empty())
        {
            request.why = why(&request.kind);
        }
    }
}

impl Compared {
    /// How many findings speak against the simulation, and nothing explains them.
    pub fn disagreements(&self) -> usize {
        let rows = self.rows.iter().filter(|row| row.verdict() != Verdict::Same);
        let requests = self.requests.iter().filter(|request| !request.differences().is_empty());
        rows.filter(|row| row.why.is_none()).count()
            + requests.filter(|request| request.why.is_none()).count()
    }
}

impl Row {
    /// How it came out.
    pub fn verdict(&self) -> Verdict {
        if self.simulated.is_empty() {
            return Verdict::Missing;
        }
        let at = |per_mille| percentile(&self.simulated, per_mille).unwrap_or_default();
        if self.nature == Nature::Machine {
            let (least, greatest) = (self.recorded[0], self.recorded[self.recorded.len() - 1]);
            let inside = least <= at(50) && at(950) <= greatest;
            return if inside { Verdict::Same } else { Verdict::NotInRange };
        }
        match self.ks {
            Some(_) if self.is_rejected => Verdict::Rejected,
            Some(ks) if self.recorded.len() >= MANY && ks.distance >= GREATEST_DISTANCE => {
                Verdict::TooFar
            }
            Some(_) => Verdict::Same,
            None => {
                let (low, high) = (at(5), at(995));
                let is_few = self.simulated.len() < REACHES_THE_ENDS;
                let wider = if is_few { (high - low) / 5 } else { 0 };
                let range = low.saturating_sub(wider)..=high + wider + STALL;
                let fits = |value: &&u64| range.contains(*value);
                match self.recorded.iter().filter(|value| !fits(value)).count() {
                    0 => Verdict::Same,
                    outside => Verdict::Outside(outside),
                }
            }
        }
    }
}

impl Request {
    /// What differs, in words: answers of one side only, and times that do not fit.
    pub fn differences(&self) -> Vec<String> {
        let total = |side: &BTreeMap<String, Got>| side.values().map(|got| got.0).sum::<u64>();
        let (recorded, simulated) = (total(&self.recorded), total(&self.simulated));
        let mut found = Vec::new();
        let all: BTreeSet<&String> = self.recorded.keys().chain(self.simulated.keys()).collect();
        for what in all {
            match (self.recorded.get(what), self.simulated.get(what)) {
                // Once in a thousand requests anything may happen on a busy machine.
                (Some(got), None) if got.0 * 1_000 >= recorded => {
                    found.push(format!("`{what}` never simulated"));
                }
                // What is rare may not have come in so few requests.
                (None, Some(got)) if got.0 * recorded >= 5 * simulated => {
                    found.push(format!("`{what}` only simulated"));
                }
                (Some(real), Some(model)) if !real.fits(*model) => {
                    found.push(format!("`{what}` at other times"));
                }
                _ => {}
            }
        }
        found
    }
}

impl Got {
    /// These, too.
    fn join(&mut self, other: Got) {
        self.0 += other.0;
        for latency in [other.1, other.2].into_iter().flatten() {
            self.1 = Some(self.1.map_or(latency, |least| least.min(latency)));
            self.2 = Some(self.2.map_or(latency, |greatest| greatest.max(latency)));
        }
    }

    /// True if recorded latencies lie in the simulated range, but for what the machine adds.
    fn fits(self, simulated: Got) -> bool {
        let (Got(_, Some(least), Some(greatest)), Got(_, Some(low), Some(high))) =
            (self, simulated)
        else {
            return true;
        };
        low <= least + ONE_BY_ONE && greatest <= high + SLOW_REQUEST
    }
}

fn row(file: &str, metric: &str, recorded: &Recorded, trials: &[Trial]) -> Row {
    let mut measured: Vec<(u64, f64)> = recorded.measured(metric).collect();
    measured.sort_by(|one, other| one.1.total_cmp(&other.1));
    let median = |part: &[(u64, f64)]| {
        let mut values: Vec<u64> = part.iter().map(|(value, _)| *value).collect();
        values.sort_unstable();
        percentile(&values, 500).unwrap_or_default()
    };
    let (calm, busy) = measured.split_at(measured.len() / 2);
    let by_load = (median(calm), median(busy));
    let mut real: Vec<u64> = measured.iter().map(|(value, _)| *value).collect();
    real.sort_unstable();
    let mut model: Vec<u64> =
        trials.iter().filter_map(|trial| trial.millis.get(metric).copied()).collect();
    model.sort_unstable();
    let nature = nature(file, metric);
    let is_tested = nature == Nature::Protocol && real.len() >= FEWEST_FOR_KS;
    let micros = |side: &[u64]| side.iter().map(|value| value * 1_000).collect::<Vec<u64>>();
    let ks = ks_two_samples(&micros(&real), &micros(&model)).filter(|_| is_tested);
    Row {
        metric: metric.to_owned(),
        nature,
        recorded: real,
        simulated: model,
        ks,
        is_rejected: false,
        by_load,
        why: None,
    }
}

/// Process starts and ends, and what takes milliseconds because no time-out is in it.
fn nature(file: &str, metric: &str) -> Nature {
    let started_or_ended = ["restart", "exit", "remove", "serving"].contains(&metric)
        || metric.starts_with("caughtUp/")
        || metric.starts_with("putGap/")
        || metric.starts_with("slowest");
    // A handover of the office, and a group that keeps its leader: nobody waits for a time-out.
    let counts =
        ["terms", "campaigns", "leaderKept", "isolatedSeesNoLeader", "converged", "followsAgain"];
    let nobody_waits = ["b_", "c_"].iter().any(|prefix| file.starts_with(prefix))
        || file == "p_follower_isolated_3.3.5.16"
        || file == "p_leader_isolated_3.3.5.16" && metric == "putGapAfterHeal";
    if started_or_ended || nobody_waits && !counts.contains(&metric) {
        Nature::Machine
    } else {
        Nature::Protocol
    }
}
