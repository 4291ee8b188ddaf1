//! The words of a scenario's faults, read into faults or refused with their place.

use super::disk_words::{OnZone, Skewed, Slowed};
use super::expect::Pattern;
use super::faults::{
    DeleteVm, Etcdctl, Fault, FreezeProcess, KINDS, KillProcess, Kubectl, PowerOff, PowerOffHost,
    PowerOn, PowerOnHost, ROLES, RemoveFile, RestoreFile, Signal, StartUnit, StopUnit, ThawProcess,
    WriteFile, is_like_a_role,
};
use super::file::Scenario;
use super::link_words::{LinkWords, OnLink, OnLossyLink, OnSlowLink};
use super::mistake::Mistake;
use super::stage::Stage;
use super::yaml::Spanned;
use crate::components::kubectl::Context;
use crate::engine::{Duration, SimTime, Text};
use serde::Deserialize;

/// One item of `faults`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WrittenFault {
    at: Option<Spanned<String>>,
    /// What it waits for, in the place of a time.
    when: Option<Spanned<String>>,
    after: Option<Spanned<String>>,
    power_off: Option<OnVm>,
    power_on: Option<OnVm>,
    delete_vm: Option<OnVm>,
    power_off_host: Option<OnHost>,
    power_on_host: Option<OnHost>,
    stop_unit: Option<OnUnit>,
    start_unit: Option<OnUnit>,
    remove_file: Option<OnFile>,
    restore_file: Option<OnFile>,
    write_file: Option<Written>,
    kill_process: Option<Killed>,
    freeze_process: Option<OnProcess>,
    thaw_process: Option<OnProcess>,
    cut_link: Option<OnLink>,
    slow_link: Option<OnSlowLink>,
    lossy_link: Option<OnLossyLink>,
    heal_link: Option<OnLink>,
    isolate_vm: Option<OnVm>,
    rejoin_vm: Option<OnVm>,
    pub(super) power_off_zone: Option<OnZone>,
    pub(super) power_on_zone: Option<OnZone>,
    pub(super) cut_zone: Option<OnZone>,
    pub(super) rejoin_zone: Option<OnZone>,
    pub(super) slow_disk: Option<Slowed>,
    pub(super) stall_disk: Option<OnVm>,
    pub(super) heal_disk: Option<OnVm>,
    pub(super) fill_disk: Option<OnVm>,
    pub(super) free_disk: Option<OnVm>,
    pub(super) skew_clock: Option<Skewed>,
    pub(super) sync_clock: Option<OnVm>,
    kubectl: Option<Spanned<String>>,
    etcdctl: Option<Spanned<String>>,
    /// Which cluster `kubectl` is for.
    cluster: Option<Spanned<String>>,
}

/// When a fault comes: at a time, or so long after something was seen.
pub enum Moment {
    At(SimTime),
    /// The pattern, as written too.
    When(Pattern, Text, Duration),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnVm {
    pub vm: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnHost {
    host: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnUnit {
    vm: Spanned<String>,
    unit: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnFile {
    vm: Spanned<String>,
    path: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    vm: Spanned<String>,
    path: Spanned<String>,
    content: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnProcess {
    vm: Spanned<String>,
    process: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Killed {
    vm: Spanned<String>,
    process: Spanned<String>,
    signal: Option<Spanned<String>>,
}

impl WrittenFault {
    /// True if it waits for something and has no time.
    pub fn waits(&self) -> bool {
        self.at.is_none() && self.when.is_some()
    }

    /// The Deployment that it creates, if it does.
    pub fn deploys(&self) -> Option<String> {
        let read = super::faults::Kubectl::read(&self.kubectl.as_ref()?.value, None).ok()?;
        read.deploys().map(str::to_owned)
    }
}

/// The units that a VM has.
pub(super) const UNITS: [&str; 2] = ["kubelet", "cloud-init"];

impl Scenario {
    /// Reads a fault that must come before the run's end, on what there is when it begins.
    pub(super) fn fault(
        &self,
        written: &Spanned<WrittenFault>,
        stage: &Stage,
        until: Duration,
    ) -> Result<(Moment, Fault), Mistake> {
        let moment = self.moment(written, stage, until)?;
        let mut found = self.found(&written.value, stage)?;
        match found.pop() {
            Some(fault) if found.is_empty() => Ok((moment, fault)),
            Some(last) => {
                let names: Vec<&str> = found.iter().chain([&last]).map(Fault::kind).collect();
                let names = names.join("` and `");
                let message = format!("`{names}` in one item; write an item for each fault");
                Err(self.in_fault(written, &message))
            }
            None => {
                let known: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
                let known = known.join(", ");
                let message = format!("nothing breaks here; a fault is one of {known}");
                Err(self.in_fault(written, &message))
            }
        }
    }

    /// When a fault comes.
    fn moment(
        &self,
        item: &Spanned<WrittenFault>,
        stage: &Stage,
        until: Duration,
    ) -> Result<Moment, Mistake> {
        let written = &item.value;
        let after = written.after.as_ref();
        let after = after.map(|after| Ok((after, self.duration(after)?))).transpose()?;
        match (&written.at, &written.when) {
            (Some(at), None) => {
                if let Some((after, _)) = after {
                    let message = "`after` goes with `when`; a fault with `at` has its time";
                    return Err(self.source.mistake(after, message));
                }
                let time = self.duration(at)?;
                if time > until {
                    let message = format!(
                        "the fault comes at {time}, after the run's end at {until}; raise `until` \
                         (or --until), or let it come earlier"
                    );
                    return Err(self.source.mistake(at, message));
                }
                Ok(Moment::At(SimTime::ZERO + time))
            }
            (None, Some(when)) => {
                let pattern = Pattern::read(&when.value, &|kind| stage.names(kind))
                    .map_err(|(at, message)| self.source.mistake_after(when, at, message))?;
                let after = after.map_or(Duration::ZERO, |(_, after)| after);
                Ok(Moment::When(pattern, Text::from(when.value.as_str()), after))
            }
            (Some(_), Some(when)) => {
                Err(self.source.mistake(when, "`at` and `when` exclude each other"))
            }
            (None, None) => {
                let message = "a fault says `at` which time it comes, or `when` what is seen";
                Err(self.source.mistake(item, message))
            }
        }
    }

    /// A mistake of a whole fault, shown at its moment, or where it has none at its beginning.
    pub(super) fn in_fault(&self, item: &Spanned<WrittenFault>, message: &str) -> Mistake {
        match item.value.at.as_ref().or(item.value.when.as_ref()) {
            Some(place) => self.source.mistake(place, message),
            None => self.source.mistake(item, message),
        }
    }

    /// Everything that one item breaks.
    fn found(&self, written: &WrittenFault, stage: &Stage) -> Result<Vec<Fault>, Mistake> {
        let mut found = Vec::new();
        self.on_vms(written, stage, &mut found)?;
        self.on_what_runs(written, stage, &mut found)?;
        let links = LinkWords {
            cut: written.cut_link.as_ref(),
            slow: written.slow_link.as_ref(),
            lossy: written.lossy_link.as_ref(),
            heal: written.heal_link.as_ref(),
            isolate: written.isolate_vm.as_ref(),
            rejoin: written.rejoin_vm.as_ref(),
        };
        self.on_links(links, stage, &mut found)?;
        self.on_zones(written, stage, &mut found)?;
        self.on_disks(written, stage, &mut found)?;
        self.on_clocks(written, stage, &mut found)?;
        if let Some(command) = &written.etcdctl {
            let read = Etcdctl::read(&command.value)
                .map_err(|(at, message)| self.source.mistake_after(command, at, message));
            found.push(Fault::Etcdctl(read?));
        }
        if let Some(command) = &written.kubectl {
            found.push(Fault::Kubectl(self.command(command, written.cluster.as_ref())?));
        } else if let Some(cluster) = &written.cluster {
            let message = "`cluster` says where `kubectl` goes; this is another fault";
            return Err(self.source.mistake(cluster, message));
        }
        Ok(found)
    }

    /// What breaks VMs, hosts and files.
    fn on_vms(
        &self,
        written: &WrittenFault,
        stage: &Stage,
        found: &mut Vec<Fault>,
    ) -> Result<(), Mistake> {
        let vm = |name| self.vm(name, stage);
        if let Some(on) = &written.power_off {
            found.push(Fault::PowerOff(PowerOff { vm: vm(&on.vm)? }));
        }
        if let Some(on) = &written.power_on {
            found.push(Fault::PowerOn(PowerOn { vm: vm(&on.vm)? }));
        }
        if let Some(on) = &written.delete_vm {
            found.push(Fault::DeleteVm(DeleteVm { vm: vm(&on.vm)? }));
        }
        if let Some(on) = &written.power_off_host {
            let host = self.host(&on.host, stage)?;
            found.push(Fault::PowerOffHost(PowerOffHost { host }));
        }
        if let Some(on) = &written.power_on_host {
            let host = self.host(&on.host, stage)?;
            found.push(Fault::PowerOnHost(PowerOnHost { host }));
        }
        if let Some(on) = &written.remove_file {
            let (vm, path) = (vm(&on.vm)?, self.path(&on.path)?);
            found.push(Fault::RemoveFile(RemoveFile { vm, path }));
        }
        if let Some(on) = &written.restore_file {
            let (vm, path) = (vm(&on.vm)?, self.path(&on.path)?);
            found.push(Fault::RestoreFile(RestoreFile { vm, path }));
        }
        if let Some(on) = &written.write_file {
            let (vm, path) = (vm(&on.vm)?, self.path(&on.path)?);
            let content = Text::from(on.content.as_str());
            found.push(Fault::WriteFile(WriteFile { vm, path, content }));
        }
        Ok(())
    }

    /// What breaks units and processes.
    fn on_what_runs(
        &self,
        written: &WrittenFault,
        stage: &Stage,
        found: &mut Vec<Fault>,
    ) -> Result<(), Mistake> {
        let programs = stage.all_programs();
        let unit =
            |on: &OnUnit| Ok((self.vm(&on.vm, stage)?, self.one_of(&on.unit, &UNITS, "unit")?));
        if let Some((vm, unit)) = written.start_unit.as_ref().map(unit).transpose()? {
            found.push(Fault::StartUnit(StartUnit { vm, unit }));
        }
        if let Some((vm, unit)) = written.stop_unit.as_ref().map(unit).transpose()? {
            found.push(Fault::StopUnit(StopUnit { vm, unit }));
        }
        let place = |vm: &Spanned<String>, process: &Spanned<String>| {
            Ok((self.vm(vm, stage)?, self.one_of(process, &programs, "process")?))
        };
        if let Some(on) = &written.kill_process {
            let (vm, process) = place(&on.vm, &on.process)?;
            let signal = self.signal(on.signal.as_ref())?;
            found.push(Fault::KillProcess(KillProcess { vm, process, signal }));
        }
        if let Some(on) = &written.freeze_process {
            let (vm, process) = place(&on.vm, &on.process)?;
            found.push(Fault::FreezeProcess(FreezeProcess { vm, process }));
        }
        if let Some(on) = &written.thaw_process {
            let (vm, process) = place(&on.vm, &on.process)?;
            found.push(Fault::ThawProcess(ThawProcess { vm, process }));
        }
        Ok(())
    }

    /// A VM: by its name, by a part of it if the VM does not exist yet, or by what it does.
    pub(super) fn vm(&self, name: &Spanned<String>, stage: &Stage) -> Result<Text, Mistake> {
        let word = name.value.as_str();
        if is_like_a_role(word) {
            return self.one_of(name, &ROLES, "role of a VM");
        }
        match word.contains('*') {
            true => Ok(Text::from(word)),
            false => self.one_of(name, &stage.vms(), "VM"),
        }
    }

    fn host(&self, name: &Spanned<String>, stage: &Stage) -> Result<Text, Mistake> {
        match stage.hosts().as_slice() {
            [] => Err(self.mistake(name, self.no_hosts(&name.value))),
            hosts => self.one_of(name, hosts, "host"),
        }
    }

    pub(super) fn one_of(
        &self,
        spanned: &Spanned<String>,
        known: &[&str],
        what: &str,
    ) -> Result<Text, Mistake> {
        match known.contains(&spanned.value.as_str()) {
            true => Ok(Text::from(spanned.value.as_str())),
            false => Err(self.unknown(spanned, known, what)),
        }
    }

    fn signal(&self, written: Option<&Spanned<String>>) -> Result<Signal, Mistake> {
        match written.map(|signal| (signal, signal.value.as_str())) {
            None | Some((_, "SIGKILL")) => Ok(Signal::Kill),
            Some((_, "SIGTERM")) => Ok(Signal::Terminate),
            Some((signal, _)) => Err(self.unknown(signal, &["SIGKILL", "SIGTERM"], "signal")),
        }
    }

    /// A file is named by its whole path.
    fn path(&self, path: &Spanned<String>) -> Result<Text, Mistake> {
        match path.value.starts_with('/') {
            true => Ok(Text::from(path.value.as_str())),
            false => {
                let message = format!(
                    "`{}` is not a whole path; write it from the root, for example \
                     /var/lib/kubelet/config.yaml",
                    path.value
                );
                Err(self.source.mistake(path, message))
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

    /// A unit or a program that is not on the VM, so that the fault would hit nothing.
    pub(super) fn target_that_is_not_there(
        &self,
        item: &Spanned<WrittenFault>,
        stage: &Stage,
    ) -> Option<Mistake> {
        let written = &item.value;
        let process = [&written.freeze_process, &written.thaw_process].into_iter().flatten().next();
        let process = process.map(|on| (&on.vm, &on.process));
        let process = process.or(written.kill_process.as_ref().map(|on| (&on.vm, &on.process)));
        let on_unit = written.stop_unit.as_ref().or(written.start_unit.as_ref());
        let (vm, target, there, what) = match (on_unit, process) {
            (Some(on), _) => (&on.vm, &on.unit, stage.units(&on.vm.value), "unit"),
            (_, Some((vm, process))) => (vm, process, stage.programs(&vm.value), "process"),
            _ => return None,
        };
        let comes_later = vm.value.contains('*') || is_like_a_role(&vm.value);
        if comes_later || there.contains(&target.value.as_str()) {
            return None;
        }
        let (vm, target_name) = (&vm.value, &target.value);
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        let message = format!("no {what} `{target_name}` on {vm}; there: {there}");
        Some(self.source.mistake(target, message))
    }
}
