//! How often things fail for long, and how soon people come: read from `models/rates/`, or from a
//! user's own file.
//!
//! Failures come each on its own, at random times. What a cluster makes of one is played; what it
//! comes to over years is not known here.

use super::file::{MOST_ZONES, possible_control_planes};
use super::form::delay;
use super::hosts::MOST_HOSTS;
use super::manifests::Place;
use super::mistake::{Mistake, nearest};
use super::models::{self, Platform, WrittenCluster};
use super::outages::rate_per_year;
use super::settings::blueprint;
use super::yaml::{Mapping, Source, Spanned, place};
use crate::engine::{Delay, Duration, Text};
use serde::Deserialize;
use std::path::Path;

/// Something that fails for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    VmOff,
    VmDeleted,
    HostDown,
    ZoneDown,
    DiskFull,
    NetworkLost,
    KubeletStopped,
    EtcdDataLost,
    ApiServerRemoved,
}

/// A cluster that lives for years, and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plant {
    pub name: Text,
    pub platform: Text,
    pub control_planes: u32,
    pub workers: u32,
    /// None for Nodes without zone labels.
    pub zones: u32,
    /// None where the platform knows none.
    pub hosts: u32,
    /// Settings that are not the platform's, each with its value.
    pub settings: Vec<(String, String)>,
    /// For each failure how often a thing has it, in thousandths a year.
    pub rates: Vec<(Failure, u64)>,
    /// How long after the latest failure a person comes.
    pub response: Delay,
    /// How long it takes to build the cluster anew.
    pub rebuild: Delay,
    /// The numbers that nobody has published, as `rates.vmOff`.
    pub assumed: Vec<Text>,
}

/// What there can be more or fewer of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantCount {
    ControlPlane,
    Workers,
    Hosts,
    Zones,
}

/// Fails with what would be right if there cannot be so many.
fn possible(what: PlantCount, count: u32) -> Result<(), String> {
    let (name, fits, else_nothing) = match what {
        PlantCount::ControlPlane => return possible_control_planes(count),
        PlantCount::Workers => ("workers", 1..=MOST_WORKERS, ""),
        // VMs run on some, known or not.
        PlantCount::Hosts => ("hosts", 1..=MOST_HOSTS, ", or nothing for the platform's"),
        PlantCount::Zones => ("zones", 0..=MOST_ZONES, ""),
    };
    if fits.contains(&count) {
        return Ok(());
    }
    let (least, most) = fits.into_inner();
    Err(format!("{count} {name} are not possible; write {least} to {most}{else_nothing}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenFile {
    api_version: Spanned<String>,
    kind: Spanned<String>,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    platform: Option<Spanned<String>>,
    cluster: Option<WrittenCluster>,
    #[serde(default)]
    settings: Mapping<Spanned<String>>,
    #[serde(default)]
    rates: Mapping<Spanned<String>>,
    repair: Option<WrittenRepair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRepair {
    after: Option<Spanned<String>>,
    rebuild: Option<Spanned<String>>,
}

/// Nobody waits longer for a new cluster than a week.
const LONGEST_REBUILD: Duration = Duration::from_secs(7 * 86_400);
/// People come up to four times within a run, which lasts a week at most.
const LONGEST_RESPONSE: Duration = Duration::from_secs(40 * 3600);
/// More workers than anybody would play for years.
const MOST_WORKERS: u32 = 1_000;

impl Failure {
    /// All of them, with their names, what has them, and what they are.
    pub const ALL: [(Failure, &str, &str, &str); 9] = [
        (Failure::VmOff, "vmOff", "VM", "a VM loses its power"),
        (Failure::VmDeleted, "vmDeleted", "VM", "a VM is deleted by mistake"),
        (Failure::HostDown, "hostDown", "host", "a host fails"),
        (Failure::ZoneDown, "zoneDown", "zone", "a zone loses its power"),
        (Failure::DiskFull, "diskFull", "VM", "a VM's disk is full"),
        (Failure::NetworkLost, "networkLost", "VM", "a VM loses its network"),
        (Failure::KubeletStopped, "kubeletStopped", "VM", "a kubelet stops for good"),
        (
            Failure::EtcdDataLost,
            "etcdDataLost",
            "control-plane VM",
            "an etcd member loses its data",
        ),
        (
            Failure::ApiServerRemoved,
            "apiServerRemoved",
            "control-plane VM",
            "an API server's manifest is removed",
        ),
    ];

    /// The name, as in a file.
    pub fn name(self) -> &'static str {
        Failure::ALL[self as usize].1
    }

    /// What has it.
    pub fn thing(self) -> &'static str {
        Failure::ALL[self as usize].2
    }

    /// What it is, in words.
    pub fn words(self) -> &'static str {
        Failure::ALL[self as usize].3
    }

    /// Those of an episode in words, of each kind how many.
    pub fn together(failures: &[Failure]) -> String {
        let kinds = failures.chunk_by(|one, next| one == next);
        let words = kinds.map(|kind| match kind.len() {
            1 => kind[0].name().to_owned(),
            count => format!("{count} × {}", kind[0].name()),
        });
        words.collect::<Vec<_>>().join(" + ")
    }

    /// How many things a cluster has that can fail so.
    pub fn targets(self, plant: &Plant) -> u32 {
        match self {
            Failure::HostDown => plant.hosts,
            Failure::ZoneDown => plant.zones,
            Failure::EtcdDataLost | Failure::ApiServerRemoved => plant.control_planes,
            _ => plant.control_planes + plant.workers,
        }
    }

    /// One of them fails, in the words of a scenario.
    pub fn strikes(self, plant: &Plant, target: u32) -> Vec<String> {
        let one = self.strike(plant, target);
        match self {
            // A member that runs has its files open, and does not miss them before it starts again.
            Failure::EtcdDataLost => {
                vec![one, format!("killProcess: {{ vm: control-plane-{target}, process: etcd }}")]
            }
            _ => vec![one],
        }
    }

    /// The name of one of the things that can fail so, the same in clusters of any size.
    pub fn target(self, plant: &Plant, target: u32) -> String {
        match (self, target.checked_sub(plant.control_planes)) {
            (Failure::HostDown, _) => format!("esxi-{target}"),
            (Failure::ZoneDown, _) => format!("zone-{target}"),
            (_, Some(worker)) => format!("worker-{worker}"),
            (_, None) => format!("control-plane-{target}"),
        }
    }

    fn strike(self, plant: &Plant, target: u32) -> String {
        let it = self.target(plant, target);
        match self {
            Failure::VmOff => format!("powerOff: {{ vm: {it} }}"),
            Failure::VmDeleted => format!("deleteVm: {{ vm: {it} }}"),
            Failure::HostDown => format!("powerOffHost: {{ host: {it} }}"),
            Failure::ZoneDown => format!("powerOffZone: {{ zone: {it} }}"),
            Failure::DiskFull => format!("fillDisk: {{ vm: {it} }}"),
            Failure::NetworkLost => format!("isolateVm: {{ vm: {it} }}"),
            Failure::KubeletStopped => format!("stopUnit: {{ vm: {it}, unit: kubelet }}"),
            Failure::EtcdDataLost => {
                format!("removeFile: {{ vm: {it}, path: /var/lib/etcd/member }}")
            }
            Failure::ApiServerRemoved => {
                let path = "/etc/kubernetes/manifests/kube-apiserver.yaml";
                format!("removeFile: {{ vm: {it}, path: {path} }}")
            }
        }
    }
}

impl Plant {
    /// An embedded cluster by its name, or one in a file.
    ///
    /// # Errors
    /// There is no such thing, or something in the file cannot be: with its place.
    pub fn load(input: &str) -> Result<Plant, Mistake> {
        Plant::load_on(input, None, &[])
    }

    /// The same on another platform than the file's, and with settings that win over the file's, each
    /// with its value.
    ///
    /// # Errors
    /// As [`Plant::load`]; or there is no such platform or setting.
    pub fn load_on(
        input: &str,
        platform: Option<&str>,
        set: &[(String, String)],
    ) -> Result<Plant, Mistake> {
        let source = match models::plant(input) {
            Some(source) => source,
            None if input.contains(['/', '.']) => {
                let instead = format!("take {}", models::plants().join(" or "));
                Source::read(Path::new(input), &instead)?
            }
            None => {
                let known = models::plants();
                let words = models::unknown("cluster with rates", input, &known);
                let message = format!("{words}; or a file, as ./mine.yaml");
                return Err(Mistake::of("availability", message));
            }
        };
        Plant::read_on(&source, platform, set)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// Something in it cannot be, with its place.
    pub fn read(source: &Source) -> Result<Plant, Mistake> {
        Plant::read_on(source, None, &[])
    }

    fn read_on(
        source: &Source,
        instead: Option<&str>,
        set: &[(String, String)],
    ) -> Result<Plant, Mistake> {
        let WrittenFile { api_version, kind, metadata, spec } = source.parse()?;
        for (written, right) in [(&api_version, "healsim/v1"), (&kind, "Availability")] {
            if written.value != right {
                let message = format!("`{}` is not `{right}`", written.value);
                return Err(source.mistake(written, message));
            }
        }
        let own = spec.platform.as_ref().map_or("tkgs-2024", |it| it.value.as_str());
        let platform = instead.unwrap_or(own);
        let mut known = models::platform(platform).map_err(|mistake| match &spec.platform {
            Some(written) if instead.is_none() => {
                let words = models::unknown("platform", platform, &models::platforms());
                source.mistake(written, words)
            }
            _ => mistake,
        })?;
        let mut plant = Plant {
            name: Text::from(metadata.name.value.as_str()),
            platform: Text::from(platform),
            control_planes: known.control_planes,
            workers: known.workers,
            zones: known.zones,
            hosts: known.hosts,
            settings: Vec::new(),
            rates: Vec::new(),
            response: Delay::default(),
            rebuild: Delay::default(),
            assumed: Vec::new(),
        };
        plant.take_cluster(source, spec.cluster.as_ref())?;
        plant.take_settings(source, &mut known, spec.settings, set)?;
        plant.take_rates(source, &spec.rates)?;
        plant.take_repair(source, spec.repair.as_ref())?;
        Ok(plant)
    }

    fn take_cluster(
        &mut self,
        source: &Source,
        written: Option<&WrittenCluster>,
    ) -> Result<(), Mistake> {
        let Some(cluster) = written else { return Ok(()) };
        if let Some(count) = &cluster.control_plane {
            possible_control_planes(count.value).map_err(|words| source.mistake(count, words))?;
            self.control_planes = count.value;
        }
        for (written, own, what) in [
            (&cluster.workers, &mut self.workers, PlantCount::Workers),
            (&cluster.zones, &mut self.zones, PlantCount::Zones),
            (&cluster.hosts, &mut self.hosts, PlantCount::Hosts),
        ] {
            let Some(count) = written else { continue };
            possible(what, count.value).map_err(|words| source.mistake(count, words))?;
            *own = count.value;
        }
        match &cluster.hosts {
            Some(few) if few.value < self.zones => {
                let (hosts, zones) = (few.value, self.zones);
                let words =
                    format!("{hosts} hosts cannot stand in {zones} zones; write at least {zones}");
                return Err(source.mistake(few, words));
            }
            // As in a scenario.
            None if self.hosts > 0 => self.hosts = self.hosts.max(self.zones),
            _ => {}
        }
        if let Some(host) = cluster.placement.first().map(|placed| &placed.host) {
            let words = "availability places VMs itself, each beside as few others as it can";
            return Err(source.mistake(host, words));
        }
        if let Some(on) = cluster.high_availability {
            self.settings.push(("vsphere.highAvailability".to_owned(), on.to_string()));
        }
        Ok(())
    }

    /// How many there are of something.
    pub fn count(&self, what: PlantCount) -> u32 {
        match what {
            PlantCount::ControlPlane => self.control_planes,
            PlantCount::Workers => self.workers,
            PlantCount::Hosts => self.hosts,
            PlantCount::Zones => self.zones,
        }
    }

    /// The same with another number of workers, hosts or zones.
    ///
    /// # Errors
    /// There cannot be so many, in words.
    pub fn with(self, what: PlantCount, count: u32) -> Result<Plant, String> {
        possible(what, count)?;
        Ok(match what {
            PlantCount::ControlPlane => Plant { control_planes: count, ..self },
            PlantCount::Workers => Plant { workers: count, ..self },
            PlantCount::Hosts => Plant { hosts: count, ..self },
            PlantCount::Zones => Plant { zones: count, ..self },
        })
    }

    /// The same with another rate of one failure, by its name: `2/year`, or `0` for never.
    ///
    /// # Errors
    /// There is no such failure, or that is no rate, in words.
    pub fn rated(mut self, name: &str, rate: &str) -> Result<Plant, String> {
        let names = Failure::ALL.map(|(_, name, ..)| name);
        let is_it = |(failure, _): &&mut (Failure, u64)| failure.name() == name;
        let Some((_, own)) = self.rates.iter_mut().find(is_it) else {
            return Err(models::unknown("failure", name, &names));
        };
        *own = read_rate(rate)?;
        self.assumed.retain(|it| it.strip_prefix("rates.") != Some(name));
        Ok(self)
    }

    fn take_settings(
        &mut self,
        source: &Source,
        platform: &mut Platform,
        own: Mapping<Spanned<String>>,
        instead: &[(String, String)],
    ) -> Result<(), Mistake> {
        for (key, value) in own.0 {
            let (line, column) = place(&value);
            let place = Place { file: source.file.clone(), line, column };
            let set = platform.catalog.set_at(&key.value, &value.value, place);
            set.map_err(|wrong| source.mistake(&key, wrong.message))?;
            self.settings.push((key.value, value.value));
        }
        for (key, value) in instead {
            platform.catalog.set(key, value)?;
            self.settings.retain(|(other, _)| other != key);
            self.settings.push((key.clone(), value.clone()));
        }
        // Only who takes a setting knows what it can be.
        let _ = blueprint(platform, self.control_planes, self.workers);
        platform.catalog.mistakes().into_iter().next().map_or(Ok(()), Err)
    }

    fn take_rates(
        &mut self,
        source: &Source,
        own: &Mapping<Spanned<String>>,
    ) -> Result<(), Mistake> {
        let names = Failure::ALL.map(|(_, name, ..)| name);
        if let Some((key, _)) = own.0.iter().find(|(key, _)| !names.contains(&key.value.as_str())) {
            let name = &key.value;
            let near = nearest(name, names.into_iter());
            let hint =
                near.map_or_else(|| names.join(", "), |near| format!("did you mean `{near}`?"));
            return Err(source.mistake(key, format!("no failure `{name}`; {hint}")));
        }
        let known = models::failures();
        for (failure, name, ..) in Failure::ALL {
            let rate = match own.0.iter().find(|(key, _)| key.value == name).map(|(_, own)| own) {
                Some(own) => read_rate(&own.value).map_err(|words| source.mistake(own, words))?,
                None => {
                    let value = known.value(name).expect("models: every kind of failure");
                    self.note_assumed(&known, name, "rates");
                    rate_per_year(value).expect("models: a rate")
                }
            };
            self.rates.push((failure, rate));
        }
        Ok(())
    }

    fn take_repair(&mut self, source: &Source, own: Option<&WrittenRepair>) -> Result<(), Mistake> {
        let known = models::failures();
        let mut take = |name: &str, own: Option<&Spanned<String>>, longest: Duration| match own {
            Some(own) => {
                let read = delay(&own.value).map_err(|words| source.mistake(own, words))?;
                match read.low.is_zero() || read.high > longest {
                    true => {
                        let words = format!("write more than nothing and at most {longest}");
                        Err(source.mistake(own, words))
                    }
                    false => Ok(read),
                }
            }
            None => {
                self.note_assumed(&known, name, "repair");
                let value = known.value(name).expect("models: how soon people come");
                Ok(delay(value).expect("models: a range"))
            }
        };
        let after = take("response", own.and_then(|own| own.after.as_ref()), LONGEST_RESPONSE)?;
        let rebuild = take("rebuild", own.and_then(|own| own.rebuild.as_ref()), LONGEST_REBUILD)?;
        (self.response, self.rebuild) = (after, rebuild);
        Ok(())
    }

    fn note_assumed(&mut self, known: &super::Catalog, name: &str, group: &str) {
        let is = known.iter().find(|(key, _)| *key == name);
        if is.is_some_and(|(_, setting)| setting.basis == super::Basis::Assumed) {
            self.assumed.push(Text::from(format!("{group}.{name}")));
        }
    }
}

/// In thousandths a year; `0` needs no unit.
fn read_rate(text: &str) -> Result<u64, String> {
    if text == "0" { Ok(0) } else { rate_per_year(text) }
}
