//! Workloads as a platform or a scenario writes them, and what they mean.

use super::mistake::{Mistake, nearest};
use super::yaml::{Source, Spanned};
use crate::api::kinds::{Amount, PodManagement, Resources, VolumeSource, Wanted};
use crate::engine::{Duration, Text};
use crate::world::{RunsOn, Workload, WorkloadKind};
use serde::Deserialize;

/// A workload that runs when the run begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WrittenWorkload {
    pub name: Spanned<String>,
    /// `Deployment` if absent.
    kind: Option<Spanned<String>>,
    /// A number, or `perControlPlane` for one on each control-plane VM.
    replicas: Option<Spanned<String>>,
    /// `workers` if absent.
    runs_on: Option<Spanned<String>>,
    #[serde(default)]
    repel_each_other: bool,
    /// `terminationGracePeriodSeconds`; 30s if absent.
    grace: Option<Spanned<String>>,
    /// Its PodDisruptionBudget: one of the two, a number or a percentage.
    min_available: Option<Spanned<String>>,
    max_unavailable: Option<Spanned<String>>,
    /// True if it has an exclusive volume: a StatefulSet's Pods one each.
    volume: Option<Spanned<bool>>,
    /// A StatefulSet's: `OrderedReady` if absent.
    pod_management_policy: Option<Spanned<String>>,
    /// `priorityClassName`, if it is one of the system's.
    priority_class_name: Option<Spanned<String>>,
    /// True if the VMs' template has its image, so that a new VM pulls none.
    #[serde(default)]
    image_in_template: bool,
    /// A Job's: for how long each of its Pods works.
    run_time: Option<Spanned<String>>,
    /// A Job's: 6 if absent.
    backoff_limit: Option<Spanned<u32>>,
}

/// The kinds, as they are written.
const KINDS: [&str; 5] = ["Deployment", "StatefulSet", "DaemonSet", "Job", "Pod"];
/// `terminationGracePeriodSeconds` and `backoffLimit` where nothing is said, as in Kubernetes.
pub const GRACE: Duration = Duration::from_secs(30);
const BACKOFF_LIMIT: u32 = 6;
/// The priority classes whose Pods no kubelet evicts.
pub const CRITICAL: [&str; 2] = ["system-cluster-critical", "system-node-critical"];
/// More Pods of one workload are not a scenario of this release.
pub const MOST_REPLICAS: u32 = 10_000;

impl WrittenWorkload {
    /// What is meant, in a cluster of so many control-plane VMs.
    pub fn resolve(&self, source: &Source, control_planes: u32) -> Result<Workload, Mistake> {
        let kind = self.kind(source)?;
        let name = self.name(source)?;
        Ok(Workload {
            image: name.clone(),
            name,
            replicas: self.replicas(source, kind, control_planes)?,
            runs_on: match self.runs_on.as_ref() {
                None => RunsOn::Workers,
                Some(at) => match one_of(source, at, &["workers", "controlPlane"], "place")? {
                    "workers" => RunsOn::Workers,
                    _ => RunsOn::ControlPlane,
                },
            },
            repel_each_other: self.repel_each_other,
            grace: self.grace.as_ref().map_or(Ok(GRACE), |grace| duration(source, grace))?,
            budget: self.budget(source, kind)?,
            volume: self.volume(source, kind)?,
            requests: Resources { cpu_millis: 100, memory_mib: 128, pods: 1 },
            tolerations: Vec::new(),
            is_critical: match self.priority_class_name.as_ref() {
                None => false,
                Some(class) => one_of(source, class, &CRITICAL, "priority class of the system")
                    .map(|_| true)?,
            },
            image_in_template: self.image_in_template,
            kind,
        })
    }

    fn volume(&self, source: &Source, kind: WorkloadKind) -> Result<Option<VolumeSource>, Mistake> {
        let Some(wished) = self.volume.as_ref().filter(|wished| wished.value) else {
            return Ok(None);
        };
        let replicas = self.replicas.as_ref().map(|replicas| replicas.value.as_str());
        match (kind, replicas) {
            (WorkloadKind::StatefulSet(_), _) => Ok(Some(VolumeSource::PerPod)),
            (WorkloadKind::Deployment, Some("1")) | (WorkloadKind::Pod, None | Some("1")) => {
                let claim = format!("data-{}", self.name.value);
                Ok(Some(VolumeSource::Claim(Text::from(claim))))
            }
            _ => {
                let message = "a volume is exclusive: it needs a StatefulSet, or a Deployment or \
                               Pod with `replicas: 1`";
                Err(source.mistake(wished, message))
            }
        }
    }

    fn budget(&self, source: &Source, kind: WorkloadKind) -> Result<Option<Wanted>, Mistake> {
        let (written, wanted): (_, fn(Amount) -> Wanted) =
            match (&self.min_available, &self.max_unavailable) {
                (None, None) => return Ok(None),
                (Some(at_least), None) => (at_least, Wanted::MinAvailable),
                (None, Some(at_most)) => (at_most, Wanted::MaxUnavailable),
                (Some(_), Some(both)) => {
                    let message = "a budget has either `minAvailable` or `maxUnavailable`";
                    return Err(source.mistake(both, message));
                }
            };
        if !matches!(kind, WorkloadKind::Deployment | WorkloadKind::StatefulSet(_)) {
            let message = "only a Deployment and a StatefulSet have a budget here";
            return Err(source.mistake(written, message));
        }
        Ok(Some(wanted(amount(source, written)?)))
    }

    fn name(&self, source: &Source) -> Result<Text, Mistake> {
        let name = &self.name.value;
        if is_name(name) {
            return Ok(Text::from(name.as_str()));
        }
        let message = format!("a workload cannot be named `{name}`; {NAME_RULE}");
        Err(source.mistake(&self.name, message))
    }

    fn kind(&self, source: &Source) -> Result<WorkloadKind, Mistake> {
        let written = match &self.kind {
            None => "Deployment",
            Some(kind) => one_of(source, kind, &KINDS, "kind of workload")?,
        };
        let misplaced = |owner: &str| format!("only a {owner} has this; this is a {written}");
        if let Some(policy) = self.pod_management_policy.as_ref().filter(|_| written != KINDS[1]) {
            return Err(source.mistake(policy, misplaced("StatefulSet")));
        }
        if let Some(time) = self.run_time.as_ref().filter(|_| written != "Job") {
            return Err(source.mistake(time, misplaced("Job")));
        }
        if let Some(limit) = self.backoff_limit.as_ref().filter(|_| written != "Job") {
            return Err(source.mistake(limit, misplaced("Job")));
        }
        Ok(match written {
            "StatefulSet" => WorkloadKind::StatefulSet(self.policy(source)?),
            "DaemonSet" => WorkloadKind::DaemonSet,
            "Job" => self.job(source)?,
            "Pod" => WorkloadKind::Pod,
            _ => WorkloadKind::Deployment,
        })
    }

    fn policy(&self, source: &Source) -> Result<PodManagement, Mistake> {
        let Some(policy) = &self.pod_management_policy else {
            return Ok(PodManagement::OrderedReady);
        };
        Ok(match one_of(source, policy, &["OrderedReady", "Parallel"], "policy")? {
            "Parallel" => PodManagement::Parallel,
            _ => PodManagement::OrderedReady,
        })
    }

    fn job(&self, source: &Source) -> Result<WorkloadKind, Mistake> {
        let Some(run_time) = &self.run_time else {
            let message = "a Job says for how long its Pods work; write `runTime: 10m`";
            return Err(source.mistake(&self.name, message));
        };
        let length = duration(source, run_time)?;
        if length.is_zero() {
            let message = "a Job's Pods work for some time; write for example `runTime: 10m`";
            return Err(source.mistake(run_time, message));
        }
        let backoff_limit = self.backoff_limit.as_ref().map_or(BACKOFF_LIMIT, |limit| limit.value);
        Ok(WorkloadKind::Job { run_time: length, backoff_limit })
    }

    fn replicas(
        &self,
        source: &Source,
        kind: WorkloadKind,
        control_planes: u32,
    ) -> Result<u32, Mistake> {
        match (&self.replicas, kind) {
            (None, WorkloadKind::DaemonSet) => Ok(0),
            (Some(replicas), WorkloadKind::DaemonSet) => {
                let message = "a DaemonSet has a Pod on each Node; leave `replicas` out";
                Err(source.mistake(replicas, message))
            }
            (None, WorkloadKind::Job { .. } | WorkloadKind::Pod) => Ok(1),
            (None, _) => {
                let message = "how many Pods? write for example `replicas: 3`";
                Err(source.mistake(&self.name, message))
            }
            (Some(replicas), _) if replicas.value == "perControlPlane" => Ok(control_planes),
            (Some(replicas), _) => match replicas.value.parse() {
                Ok(count) if count <= MOST_REPLICAS => Ok(count),
                _ => {
                    let message = format!(
                        "`{}` replicas are not possible; write a number up to {MOST_REPLICAS}, or \
                         `perControlPlane` for one on each control-plane VM",
                        replicas.value
                    );
                    Err(source.mistake(replicas, message))
                }
            },
        }
    }
}

/// What a workload can be called.
pub const NAME_RULE: &str = "write up to 52 lower-case letters, digits and `-`, for example `web`";

/// True if a workload can be called so.
pub fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edge = |c: Option<char>| c.is_some_and(|c| letter(c) && c != '-');
    let fits = name.len() <= 52 && name.chars().all(letter);
    fits && edge(name.chars().next()) && edge(name.chars().last())
}

/// A number of Pods, or a percentage of them.
fn amount(source: &Source, written: &Spanned<String>) -> Result<Amount, Mistake> {
    let text = written.value.as_str();
    let read = match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().filter(|p| *p <= 100).map(Amount::Percent),
        None => text.parse().ok().filter(|count| *count <= MOST_REPLICAS).map(Amount::Count),
    };
    read.ok_or_else(|| {
        let message = format!(
            "`{text}` is not an amount of Pods; write a number up to {MOST_REPLICAS}, or a \
             percentage such as 50%"
        );
        source.mistake(written, message)
    })
}

fn one_of<'a>(
    source: &Source,
    written: &'a Spanned<String>,
    known: &[&str],
    what: &str,
) -> Result<&'a str, Mistake> {
    let name = written.value.as_str();
    if known.contains(&name) {
        return Ok(name);
    }
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known: {}", known.join(", ")),
    };
    Err(source.mistake(written, format!("no {what} `{name}`; {hint}")))
}

fn duration(source: &Source, written: &Spanned<String>) -> Result<Duration, Mistake> {
    let parsed = written.value.parse::<Duration>();
    parsed.map_err(|error| source.mistake(written, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Game, Scenario};

    /// The mistakes of a scenario with these workloads.
    fn mistakes(workloads: &[&str]) -> Vec<String> {
        let lines: String = workloads.iter().map(|line| format!("    - {{ {line} }}\n")).collect();
        let text = format!(
            "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: w }}\nspec:\n  platform: \
             tkgs-2024\n  faults: []\n  until: 1m\n  workloads:\n{lines}"
        );
        let wrong = match Scenario::read(Source::embedded("w.yaml", &text)) {
            Err(mistake) => Some(mistake.into()),
            Ok(scenario) => Game::new(&scenario, None, &[], None).err(),
        };
        let first_line = |mistake: &Mistake| mistake.to_string().lines().next().map(str::to_owned);
        wrong.iter().flat_map(|all| all.iter()).filter_map(first_line).collect()
    }

    #[test]
    fn every_kind_is_understood_and_may_replace_the_platforms() {
        let all = [
            "name: web, replicas: 2",
            "name: db, kind: StatefulSet, replicas: 3, podManagementPolicy: Parallel",
            "name: agent, kind: DaemonSet, runsOn: controlPlane",
            "name: dns, replicas: 1, priorityClassName: system-cluster-critical",
            "name: backup, kind: Job, runTime: 5m, backoffLimit: 0",
            "name: lone, kind: Pod",
        ];
        assert_eq!(mistakes(&all), Vec::<String>::new());
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_its_place_with_a_way_out() {
        for (line, at, words) in [
            ("name: db, kind: Stateful, replicas: 1", "Stateful,", "did you mean `StatefulSet`?"),
            ("name: db, replicas: -1", "-1", "write a number up to 10000"),
            ("name: db, replicas: many", "many", "or `perControlPlane`"),
            ("name: db", "db", "write for example `replicas: 3`"),
            ("name: a, kind: DaemonSet, replicas: 3", "3", "leave `replicas` out"),
            ("name: j, kind: Job", "j,", "write `runTime: 10m`"),
            ("name: j, kind: Job, runTime: 0s", "0s", "for example `runTime: 10m`"),
            ("name: j, kind: Job, runTime: 5 min", "5 min", "5 min"),
            ("name: w, replicas: 1, runTime: 5m", "5m", "only a Job has this"),
            (
                "name: w, replicas: 1, podManagementPolicy: Parallel",
                "Parallel",
                "only a StatefulSet",
            ),
            ("name: w, replicas: 1, runsOn: nodes", "nodes", "known: workers, controlPlane"),
            (
                "name: w, kind: Pod, priorityClassName: high",
                "high",
                "known: system-cluster-critical",
            ),
            ("name: Web_1, replicas: 1", "Web", "lower-case letters"),
        ] {
            let column = 9 + line.find(at).expect("a part of the line");
            let found = mistakes(&[line]);
            assert_eq!(found.len(), 1, "{line}: {found:?}");
            assert!(found[0].starts_with(&format!("w.yaml:9:{column}: ")), "{line}: {found:?}");
            assert!(found[0].contains(words), "{line}: {found:?}");
        }
        let twice = mistakes(&["name: x, replicas: 1", "name: x, kind: Pod"]);
        assert!(twice[0].starts_with("w.yaml:10:15: there is a workload `x` already"), "{twice:?}");
    }
}
