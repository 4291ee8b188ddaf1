//! A scenario file: what is written, read into what can be played, or refused with its place.

use super::expect::{Expectation, Pattern};
use super::faults::{Fault, KINDS, KillProcess, Kubectl, PowerOff, StopUnit};
use super::mistake::{Mistake, nearest};
use super::models::{self, Platform, WrittenCluster};
use super::workloads::WrittenWorkload;
use super::yaml::{Source, Spanned};
use crate::components::kubectl::Context;
use crate::engine::{Duration, SimTime, Text};
use crate::world::{Management, Workload};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A scenario as it is written, with its text.
#[derive(Debug)]
pub struct Scenario {
    pub name: Text,
    pub platform: Spanned<String>,
    source: Source,
    spec: Spec,
}

/// What a scenario asks for on one platform.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub control_planes: u32,
    pub workers: u32,
    /// Beside the platform's.
    pub workloads: Vec<Workload>,
    pub faults: Vec<(SimTime, Fault)>,
    pub until: SimTime,
    pub expectations: Vec<Expectation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenFile {
    api_version: Spanned<String>,
    kind: Spanned<String>,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Metadata {
    name: Spanned<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "annotations are for people; `show` prints the text itself")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Spec {
    platform: Spanned<String>,
    cluster: Option<WrittenCluster>,
    #[serde(default)]
    given: BTreeMap<String, Spanned<String>>,
    faults: Vec<WrittenFault>,
    until: Spanned<String>,
    #[serde(default)]
    expect: Vec<WrittenExpectation>,
    /// Beside the platform's.
    #[serde(default)]
    workloads: Vec<WrittenWorkload>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenFault {
    at: Spanned<String>,
    power_off: Option<OnVm>,
    stop_unit: Option<OnUnit>,
    kill_process: Option<OnProcess>,
    kubectl: Option<Spanned<String>>,
    /// Which cluster `kubectl` is for.
    cluster: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnVm {
    vm: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnUnit {
    vm: Spanned<String>,
    unit: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnProcess {
    vm: Spanned<String>,
    process: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenExpectation {
    see: Option<Spanned<String>>,
    never: Option<Spanned<String>>,
    after: Option<Spanned<String>>,
    #[serde(default)]
    on: Vec<Spanned<String>>,
}

/// A run may last a week.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// More workers than this are not a scenario of this release.
const MOST_WORKERS: u32 = 1000;
/// The programs that `killProcess` knows.
const PROGRAMS: [&str; 7] = [
    "kubelet",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "capi-controller-manager",
    "infra-provider",
];
/// The units that a VM has.
const UNITS: [&str; 2] = ["kubelet", "cloud-init"];

impl Scenario {
    /// Reads a scenario's text.
    pub fn read(source: Source) -> Result<Scenario, Mistake> {
        let WrittenFile { api_version, kind, metadata, spec } = source.parse()?;
        for (found, wanted, what) in
            [(&api_version, "healsim/v1", "apiVersion"), (&kind, "Scenario", "kind")]
        {
            if found.value != wanted {
                let message = format!("{what} `{}` is not known; write `{wanted}`", found.value);
                return Err(source.mistake(found, message));
            }
        }
        let name = Text::from(metadata.name.value.as_str());
        Ok(Scenario { name, platform: spec.platform.clone(), source, spec })
    }

    /// The text, as it was written.
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// The platform that the scenario names.
    pub fn own_platform(&self) -> Result<Platform, Mistake> {
        let name = &self.platform.value;
        if !models::platforms().contains(&name.as_str()) {
            let message = models::unknown("platform", name, &models::platforms());
            return Err(self.source.mistake(&self.platform, message));
        }
        models::platform(name)
    }

    /// What it asks for on a platform; every mistake that is left is found here.
    pub fn resolve(&self, platform: &Platform) -> Result<Resolved, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut note = |mistake: Mistake| mistakes.push(mistake);
        for (key, value) in &self.spec.given {
            let message = format!(
                "no hidden phase `{}` on platform `{}`; it has none that could be given",
                key, platform.name
            );
            note(self.source.mistake(value, message));
        }
        let (control_planes, workers) = self.shape(platform, &mut note);
        let until = self.until().unwrap_or_else(|mistake| {
            note(mistake);
            LONGEST
        });
        let vms = vm_names(platform, control_planes, workers);
        let mut faults = Vec::new();
        for written in &self.spec.faults {
            match self.fault(written, &vms, until) {
                Ok(fault) => faults.push(fault),
                Err(mistake) => note(mistake),
            }
        }
        faults.sort_by_key(|(at, _)| *at);
        let mut expectations = Vec::new();
        for written in &self.spec.expect {
            match self.expectation(written) {
                Ok(expectation) => expectations.push(expectation),
                Err(mistake) => note(mistake),
            }
        }
        let workloads = self.workloads(platform, control_planes, &mut note);
        let until = SimTime::ZERO + until;
        let resolved = Resolved { control_planes, workers, workloads, faults, until, expectations };
        if mistakes.is_empty() { Ok(resolved) } else { Err(mistakes) }
    }

    /// The scenario's own workloads; their names must be free on the platform.
    fn workloads(
        &self,
        platform: &Platform,
        control_planes: u32,
        note: &mut impl FnMut(Mistake),
    ) -> Vec<Workload> {
        let mut taken: Vec<&str> =
            platform.workloads.iter().map(|workload| workload.name.value.as_str()).collect();
        let mut workloads = Vec::new();
        for written in &self.spec.workloads {
            let name = written.name.value.as_str();
            if taken.contains(&name) {
                let message = format!("there is a workload `{name}` already; choose another name");
                note(self.source.mistake(&written.name, message));
            }
            taken.push(name);
            match written.resolve(&self.source, control_planes) {
                Ok(workload) => workloads.push(workload),
                Err(mistake) => note(mistake),
            }
        }
        workloads
    }

    fn until(&self) -> Result<Duration, Mistake> {
        let until = self.duration(&self.spec.until)?;
        if until.is_zero() || until > LONGEST {
            let message = format!("a run of {until} is not possible; write up to {LONGEST}");
            return Err(self.source.mistake(&self.spec.until, message));
        }
        Ok(until)
    }

    fn shape(&self, platform: &Platform, note: &mut impl FnMut(Mistake)) -> (u32, u32) {
        let (mut control_planes, mut workers) = (platform.control_planes, platform.workers);
        let Some(cluster) = &self.spec.cluster else { return (control_planes, workers) };
        if let Some(count) = &cluster.control_plane {
            control_planes = count.value;
            if count.value != 1 {
                let message = format!(
                    "a control plane of {} is not there yet; this release plays one VM",
                    count.value
                );
                note(self.source.mistake(count, message));
            }
        }
        if let Some(count) = &cluster.workers {
            workers = count.value;
            if !(1..=MOST_WORKERS).contains(&count.value) {
                let message =
                    format!("{} workers are not possible; write 1 to {MOST_WORKERS}", count.value);
                note(self.source.mistake(count, message));
            }
        }
        (control_planes, workers.min(MOST_WORKERS))
    }

    fn fault(
        &self,
        written: &WrittenFault,
        vms: &[String],
        until: Duration,
    ) -> Result<(SimTime, Fault), Mistake> {
        let at = self.duration(&written.at)?;
        if at > until {
            let message =
                format!("the fault comes at {at}, after the run's end at {until}; raise `until`");
            return Err(self.source.mistake(&written.at, message));
        }
        let one = |spanned: &Spanned<String>, known: &[&str], what: &str| match known
            .contains(&spanned.value.as_str())
        {
            true => Ok(Text::from(spanned.value.as_str())),
            false => Err(self.unknown(spanned, known, what)),
        };
        let vms: Vec<&str> = vms.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        if let Some(on) = &written.power_off {
            found.push(Fault::PowerOff(PowerOff { vm: one(&on.vm, &vms, "VM")? }));
        }
        if let Some(on) = &written.stop_unit {
            let (vm, unit) = (one(&on.vm, &vms, "VM")?, one(&on.unit, &UNITS, "unit")?);
            found.push(Fault::StopUnit(StopUnit { vm, unit }));
        }
        if let Some(on) = &written.kill_process {
            let (vm, process) = (one(&on.vm, &vms, "VM")?, one(&on.process, &PROGRAMS, "process")?);
            found.push(Fault::KillProcess(KillProcess { vm, process }));
        }
        if let Some(command) = &written.kubectl {
            found.push(Fault::Kubectl(self.command(command, written.cluster.as_ref())?));
        } else if let Some(cluster) = &written.cluster {
            let message = "`cluster` says where `kubectl` goes; this is another fault";
            return Err(self.source.mistake(cluster, message));
        }
        match found.pop() {
            Some(fault) if found.is_empty() => Ok((SimTime::ZERO + at, fault)),
            _ => {
                let known: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
                let message = format!("a fault is one of {}", known.join(", "));
                Err(self.source.mistake(&written.at, message))
            }
        }
    }

    /// What a person types, and in which cluster.
    fn command(
        &self,
        text: &Spanned<String>,
        cluster: Option<&Spanned<String>>,
    ) -> Result<Kubectl, Mistake> {
        let context = match cluster.map(|cluster| (cluster, cluster.value.as_str())) {
            None => None,
            Some((_, "management")) => Some(Context::Management),
            Some((_, "workload")) => Some(Context::Workload),
            Some((cluster, _)) => {
                return Err(self.unknown(cluster, &["management", "workload"], "cluster"));
            }
        };
        Kubectl::read(&text.value, context)
            .map_err(|(at, message)| self.source.mistake_after(text, at, message))
    }

    fn unknown(&self, spanned: &Spanned<String>, known: &[&str], what: &str) -> Mistake {
        let name = &spanned.value;
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let some: Vec<&str> = known.iter().copied().take(8).collect();
                let more = if known.len() > 8 { " ..." } else { "" };
                format!("known: {}{more}", some.join(", "))
            }
        };
        self.source.mistake(spanned, format!("no {what} `{name}`; {hint}"))
    }

    fn expectation(&self, written: &WrittenExpectation) -> Result<Expectation, Mistake> {
        let (words, never) = match (&written.see, &written.never) {
            (Some(see), None) => (see, false),
            (None, Some(never)) => (never, true),
            (Some(both), Some(_)) => {
                return Err(self.source.mistake(both, "`see` and `never` exclude each other"));
            }
            (None, None) => {
                let message = "an expectation says what to `see` or what `never` to see";
                return Err(Mistake::of(&self.source.file, message));
            }
        };
        let pattern = Pattern::read(&words.value)
            .map_err(|(at, message)| self.source.mistake_after(words, at, message))?;
        let after = match &written.after {
            None => None,
            Some(range) => {
                let delay = super::catalog::delay(&range.value).ok_or_else(|| {
                    let message = format!(
                        "`{}` is not a range of durations; write LOW..HIGH, for example 29s..47s",
                        range.value
                    );
                    self.source.mistake(range, message)
                })?;
                Some((delay.low, delay.high))
            }
        };
        for platform in &written.on {
            if !models::platforms().contains(&platform.value.as_str()) {
                let message = models::unknown("platform", &platform.value, &models::platforms());
                return Err(self.source.mistake(platform, message));
            }
        }
        let on = written.on.iter().map(|platform| Text::from(platform.value.as_str())).collect();
        let text = Text::from(words.value.as_str());
        Ok(Expectation { text, pattern, never, after, on })
    }

    fn duration(&self, spanned: &Spanned<String>) -> Result<Duration, Mistake> {
        let parsed = spanned.value.parse::<Duration>();
        parsed.map_err(|error| self.source.mistake(spanned, error.to_string()))
    }
}

/// The names of the VMs that a fault can hit.
fn vm_names(platform: &Platform, control_planes: u32, workers: u32) -> Vec<String> {
    let planes = (0..control_planes).map(|number| format!("control-plane-{number}"));
    let workers = (0..workers).map(|number| format!("worker-{number}"));
    let mut all: Vec<String> = planes.chain(workers).collect();
    if platform.management == Management::Separate {
        all.push("supervisor-0".to_owned());
    }
    all
}
