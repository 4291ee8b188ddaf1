//! A scenario file: what is written, read into what can be played, or refused with its place.

use super::awaited::Awaited;
use super::documents::{check_name, the_scenario_among};
use super::expect::Expectation;
use super::faults::{Fault, Moment, WrittenFault};
use super::given::Given;
use super::lesson::{Question, WrittenQuestion};
use super::lines::{Reader, WrittenExpectation};
use super::manifests::{Place, Warning};
use super::mistake::{Mistake, Mistakes, crop, hint};
use super::models::{self, Platform, WrittenCluster};
use super::own::Own;
use super::probes::{self, WrittenProbe};
use super::settings::{add_volumes, blueprint};
use super::stage::Stage;
use super::workloads::WrittenWorkload;
use super::yaml::{Mapping, Source, Spanned, place};
use crate::engine::{Duration, NotADuration, SimTime, Text};
use crate::world::{Blueprint, Workload};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A scenario as it is written, with its text.
#[derive(Debug)]
pub struct Scenario {
    pub name: Text,
    /// In a sentence what happens, else where it is from, as its annotations say.
    pub says: Text,
    pub platform: Spanned<String>,
    pub(super) source: Source,
    /// The user's own manifests that stand beside it in its file.
    pub(super) beside: Vec<Source>,
    pub(super) spec: Spec,
}

/// What a scenario asks for on one platform.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub blueprint: Blueprint,
    pub given: Given,
    pub faults: Vec<(SimTime, Fault)>,
    pub awaited: Vec<Awaited>,
    pub until: SimTime,
    pub outage: Duration,
    pub expectations: Vec<Expectation>,
    /// With the numbers that it names.
    pub introduction: Text,
    pub questions: Vec<Question>,
    /// What the user should know about manifests, and about the cluster's size.
    pub warnings: Vec<Warning>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenFile {
    #[serde(rename = "apiVersion")]
    _api_version: Spanned<String>,
    #[serde(rename = "kind")]
    _kind: Spanned<String>,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Metadata {
    name: Spanned<String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Spec {
    platform: Spanned<String>,
    /// With which it is played where nobody names another.
    seed: Option<u64>,
    pub(super) cluster: Option<WrittenCluster>,
    #[serde(default)]
    given: Mapping<Spanned<String>>,
    faults: Vec<Spanned<WrittenFault>>,
    until: Spanned<String>,
    #[serde(default)]
    expect: Vec<Spanned<WrittenExpectation>>,
    /// Instead of the platform's, as with `--set`.
    #[serde(default)]
    settings: Mapping<Spanned<String>>,
    /// Beside the platform's.
    #[serde(default)]
    workloads: Vec<WrittenWorkload>,
    /// Users who try whether things work.
    #[serde(default)]
    probes: Vec<Spanned<WrittenProbe>>,
    /// What a lesson says before it begins.
    introduction: Option<Spanned<String>>,
    /// What it asks.
    #[serde(default)]
    questions: Vec<Spanned<WrittenQuestion>>,
}

/// A run may last a week.
pub const LONGEST_RUN: Duration = Duration::from_secs(7 * 86_400);
/// How many VMs a control plane can have.
const CONTROL_PLANES: [u32; 4] = [1, 3, 5, 7];
/// Kubernetes itself is made for no more than 5,000 Nodes ("Considerations for large clusters").
pub(super) const MOST_WORKERS: u32 = 5000;
/// More zones than this are no region.
pub(super) const MOST_ZONES: u32 = 20;
/// Fails with what would be right if a control plane cannot have so many VMs.
pub(super) fn possible_control_planes(count: u32) -> Result<(), String> {
    if CONTROL_PLANES.contains(&count) {
        return Ok(());
    }
    Err(format!(
        "a control plane of {count} is not possible; write 1, 3, 5 or 7: each VM has an etcd member, \
         and an even number of them is refused by KubeadmControlPlane too"
    ))
}

fn impossible_until(until: &str) -> String {
    format!(
        "a run of {until} is not possible; write a duration of up to {LONGEST_RUN}, for example `30m`"
    )
}

/// Reads how long a run is.
///
/// # Errors
/// It is no duration, or none that a run can have; the words say what would be right. One that is far too
/// long to be read is too long for a run first of all.
pub fn read_until(text: &str) -> Result<Duration, String> {
    let until = text.parse().map_err(|error: NotADuration| match error.is_too_long() {
        true => impossible_until(error.text()),
        false => error.to_string(),
    })?;
    possible_until(until)
}

fn possible_until(until: Duration) -> Result<Duration, String> {
    match until.is_zero() || until > LONGEST_RUN {
        true => Err(impossible_until(&until.to_string())),
        false => Ok(until),
    }
}

const EXAMPLE: &str = "`healsim show scenario worker-kubelet-stopped`";

impl Scenario {
    /// Reads a scenario's text, and takes what manifests stand beside it.
    pub fn read(source: Source) -> Result<Scenario, Mistake> {
        let (source, beside) = the_scenario_among(source.documents(EXAMPLE)?)?;
        let WrittenFile { metadata, spec, .. } = source.parse()?;
        check_name(&source, &metadata.name)?;
        let name = Text::from(metadata.name.value.as_str());
        let annotations = &metadata.annotations;
        let says = annotations.get("says").or_else(|| annotations.get("source"));
        let says = Text::from(says.map_or("", |says| says.trim()));
        Ok(Scenario { name, says, platform: spec.platform.clone(), source, beside, spec })
    }

    /// The same with nothing `given`: what is not pinned need not fit what is changed of it.
    pub fn free(mut self) -> Scenario {
        self.spec.given = Mapping::default();
        self
    }

    /// The text, as it was written.
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// The seed with which it is played where nobody names another, if it has one: what it shows
    /// is then a matter of chance.
    pub fn seed(&self) -> Option<u64> {
        self.spec.seed
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

    /// What it asks for on a platform, played to its own end or to another; every mistake that is
    /// left is found here.
    pub fn resolve(
        &self,
        platform: &Platform,
        own: &Own,
        until_instead: Option<Duration>,
    ) -> Result<Resolved, Mistakes> {
        let mut mistakes = Vec::new();
        let mut note = |mistake: Mistake| mistakes.push(mistake);
        let shape = self.shape(platform, &mut note);
        let (control_planes, workers) = own.shape(platform, shape, &mut note);
        let until = self.until(until_instead).unwrap_or_else(|mistake| {
            note(mistake);
            LONGEST_RUN
        });
        let mut blueprint = blueprint(platform, control_planes, workers);
        let written = self.workloads(control_planes, &mut note);
        let replaced = |name: &Text| written.iter().any(|workload| workload.name == *name);
        blueprint.workloads.retain(|workload| !replaced(&workload.name));
        blueprint.workloads.extend(written);
        let manifests = own.furnish(platform, &mut blueprint);
        let warnings = [manifests, self.without_room(&blueprint, own)].concat();
        blueprint.zones = self.zones(platform, &mut note);
        self.hosts(platform, &mut blueprint, &mut note);
        add_volumes(&mut blueprint, &platform.catalog);
        let apps: Vec<&str> = blueprint.workloads.iter().map(|it| it.name.as_str()).collect();
        let wanted =
            probes::resolve(&self.spec.probes, &self.source, (&apps, control_planes), &mut note);
        blueprint.users = probes::users(wanted, &platform.catalog);
        let given = self.given(&blueprint, &mut note);
        let stage = Stage::of(blueprint.clone(), &self.deployed());
        let (faults, awaited) = self.faults(&stage, until, &mut note);
        // With another end on the command line it is the user who cuts expectations short.
        let first = faults.first().map_or(SimTime::ZERO, |(at, _)| *at).since(SimTime::ZERO);
        let rest = if until_instead.is_some() { LONGEST_RUN } else { until.saturating_sub(first) };
        let (source, settings) = (&self.source, &platform.catalog);
        let reader = Reader { source, platform: &platform.name, stage: &stage, settings, rest };
        let expectations = reader.read(&self.spec.expect, &mut note);
        let introduction = self.spec.introduction.as_ref().map(|it| reader.text(it, &it.value));
        let introduction = introduction.transpose().unwrap_or_else(|mistake| {
            note(mistake);
            None
        });
        let questions = self.questions(&self.spec.questions, &reader, &mut note);
        let until = SimTime::ZERO + until;
        let resolved = Resolved {
            blueprint,
            given,
            faults,
            awaited,
            until,
            outage: platform.catalog.period("users.outage"),
            expectations,
            introduction: introduction.unwrap_or_default(),
            questions,
            warnings,
        };
        Mistakes::none_or(mistakes)?;
        Ok(resolved)
    }

    /// Puts its own settings in the place of a platform's; what is wrong here is a key.
    pub(super) fn set_up(&self, platform: &mut Platform) -> Vec<Mistake> {
        let set = |(key, value): &(Spanned<String>, Spanned<String>)| {
            let (line, column) = place(value);
            let place = Place { file: self.source.file.clone(), line, column };
            let wrong = platform.catalog.set_at(&key.value, &value.value, place).err()?;
            Some(self.source.mistake(key, wrong.message))
        };
        self.spec.settings.0.iter().filter_map(set).collect()
    }

    /// What the scenario asks for in the place of the platform's VMs.
    pub(super) fn cluster(&self) -> Option<&WrittenCluster> {
        self.spec.cluster.as_ref()
    }

    /// True if a file is its own.
    pub(super) fn is_in(&self, file: &str) -> bool {
        self.source.file == file
    }

    /// A mistake at a place of the file.
    pub(super) fn mistake<T>(&self, place: &Spanned<T>, message: impl Into<String>) -> Mistake {
        self.source.mistake(place, message)
    }

    fn zones(&self, platform: &Platform, note: &mut impl FnMut(Mistake)) -> u32 {
        let written = self.spec.cluster.as_ref().and_then(|cluster| cluster.zones.as_ref());
        let Some(zones) = written else { return platform.zones };
        if !(1..=MOST_ZONES).contains(&zones.value) {
            let message = format!(
                "{} zones are not possible; write 1 to {MOST_ZONES}, or nothing for Nodes without \
                 zone labels",
                zones.value
            );
            note(self.source.mistake(zones, message));
        }
        zones.value.min(MOST_ZONES)
    }

    /// The Deployments that its faults create.
    fn deployed(&self) -> Vec<String> {
        let faults = self.spec.faults.iter();
        faults.filter_map(|fault| fault.value.deploys()).collect()
    }

    /// Its faults: those that have their time, in order of it, and those that wait.
    fn faults(
        &self,
        stage: &Stage,
        until: Duration,
        note: &mut impl FnMut(Mistake),
    ) -> (Vec<(SimTime, Fault)>, Vec<Awaited>) {
        let (mut faults, mut awaited) = (Vec::new(), Vec::new());
        for written in &self.spec.faults {
            match self.fault(written, stage, until) {
                Ok((Moment::At(at), fault)) => {
                    faults.push((at, fault));
                    self.target_that_is_not_there(written, stage).into_iter().for_each(&mut *note);
                }
                Ok((Moment::When(pattern, seen, after), fault)) => {
                    awaited.push(Awaited { seen, pattern, after, fault });
                }
                Err(mistake) => note(mistake),
            }
        }
        faults.sort_by_key(|(at, _)| *at);
        let waits =
            self.spec.faults.first().filter(|first| first.value.waits() && faults.is_empty());
        if let Some(waits) = waits {
            note(self.in_fault(waits, "the first fault needs a time: `at` in the place of `when`"));
        }
        (faults, awaited)
    }

    /// The phases that it pins.
    fn given(&self, blueprint: &Blueprint, note: &mut impl FnMut(Mistake)) -> Given {
        let mut given = Given::default();
        for (key, value) in &self.spec.given.0 {
            if let Err(message) = given.note(&key.value, &value.value, blueprint) {
                let wrong = if Given::knows(&key.value) { value } else { key };
                note(self.source.mistake(wrong, message));
            }
        }
        given
    }

    /// The scenario's own workloads; each takes the place of the platform's of its name.
    fn workloads(&self, control_planes: u32, note: &mut impl FnMut(Mistake)) -> Vec<Workload> {
        let mut taken: Vec<&str> = Vec::new();
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

    fn until(&self, instead: Option<Duration>) -> Result<Duration, Mistake> {
        let written = &self.spec.until;
        match instead {
            Some(until) => possible_until(until)
                .map_err(|message| Mistake::of(&format!("--until {until}"), message)),
            None => {
                read_until(&written.value).map_err(|message| self.source.mistake(written, message))
            }
        }
    }

    fn shape(&self, platform: &Platform, note: &mut impl FnMut(Mistake)) -> (u32, u32) {
        let (mut control_planes, mut workers) = (platform.control_planes, platform.workers);
        let Some(cluster) = &self.spec.cluster else { return (control_planes, workers) };
        if let Some(count) = &cluster.control_plane {
            control_planes = count.value;
            if let Err(message) = possible_control_planes(count.value) {
                note(self.source.mistake(count, message));
                control_planes = 1;
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
        (control_planes, workers.clamp(1, MOST_WORKERS))
    }

    /// A name that is none of those that are known.
    pub(super) fn unknown(&self, spanned: &Spanned<String>, known: &[&str], what: &str) -> Mistake {
        let name = &crop(&spanned.value);
        let hint = hint(name, known).unwrap_or_else(|| {
            let some: Vec<&str> = known.iter().copied().take(8).collect();
            let more = if known.len() > 8 { " ..." } else { "" };
            format!("known: {}{more}", some.join(", "))
        });
        self.source.mistake(spanned, format!("no {what} `{name}`; {hint}"))
    }

    /// A duration.
    pub(super) fn duration(&self, spanned: &Spanned<String>) -> Result<Duration, Mistake> {
        let parsed = spanned.value.parse::<Duration>();
        parsed.map_err(|error| self.source.mistake(spanned, error.to_string()))
    }
}
