//! The words of a scenario's faults, read into faults or refused with their place.

use super::expect::Pattern;
use super::faults::{
    DeleteVm, Fault, FreezeProcess, KINDS, KillProcess, Kubectl, PowerOff, PowerOn, RemoveFile,
    StartUnit, StopUnit, ThawProcess,
};
use super::file::Scenario;
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
    stop_unit: Option<OnUnit>,
    start_unit: Option<OnUnit>,
    remove_file: Option<OnFile>,
    kill_process: Option<OnProcess>,
    freeze_process: Option<OnProcess>,
    thaw_process: Option<OnProcess>,
    kubectl: Option<Spanned<String>>,
    /// Which cluster `kubectl` is for.
    cluster: Option<Spanned<String>>,
}

/// When a fault comes: at a time, or so long after something was seen.
pub enum Moment {
    At(SimTime),
    When(Pattern, Duration),
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
struct OnFile {
    vm: Spanned<String>,
    path: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnProcess {
    vm: Spanned<String>,
    process: Spanned<String>,
}

impl WrittenFault {
    /// True if it waits for something and has no time.
    pub fn waits(&self) -> bool {
        self.at.is_none() && self.when.is_some()
    }
}

/// The units that a VM has.
const UNITS: [&str; 2] = ["kubelet", "cloud-init"];

impl Scenario {
    /// Reads a fault that must come before the run's end, on what there is when it begins.
    pub(super) fn fault(
        &self,
        written: &WrittenFault,
        stage: &Stage,
        until: Duration,
    ) -> Result<(Moment, Fault), Mistake> {
        let moment = self.moment(written, stage, until)?;
        let mut found = self.found(written, stage)?;
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
        written: &WrittenFault,
        stage: &Stage,
        until: Duration,
    ) -> Result<Moment, Mistake> {
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
                Ok(Moment::When(pattern, after.map_or(Duration::ZERO, |(_, after)| after)))
            }
            (Some(_), Some(when)) => {
                Err(self.source.mistake(when, "`at` and `when` exclude each other"))
            }
            (None, None) => {
                let message = "a fault says `at` which time it comes, or `when` what is seen";
                Err(Mistake::of(&self.source.file, message))
            }
        }
    }

    /// A mistake of a whole fault, shown at its moment.
    pub(super) fn in_fault(&self, written: &WrittenFault, message: &str) -> Mistake {
        match written.at.as_ref().or(written.when.as_ref()) {
            Some(place) => self.source.mistake(place, message),
            None => Mistake::of(&self.source.file, message),
        }
    }

    /// Everything that one item breaks.
    fn found(&self, written: &WrittenFault, stage: &Stage) -> Result<Vec<Fault>, Mistake> {
        let (vms, programs) = (&stage.vms(), &stage.all_programs());
        let one = |spanned: &Spanned<String>, known: &[&str], what: &str| match known
            .contains(&spanned.value.as_str())
        {
            true => Ok(Text::from(spanned.value.as_str())),
            // A VM that does not exist yet is named by a part of its name.
            false if what == "VM" && spanned.value.contains('*') => {
                Ok(Text::from(spanned.value.as_str()))
            }
            false => Err(self.unknown(spanned, known, what)),
        };
        let mut found = Vec::new();
        if let Some(on) = &written.power_off {
            found.push(Fault::PowerOff(PowerOff { vm: one(&on.vm, vms, "VM")? }));
        }
        if let Some(on) = &written.power_on {
            found.push(Fault::PowerOn(PowerOn { vm: one(&on.vm, vms, "VM")? }));
        }
        if let Some(on) = &written.delete_vm {
            found.push(Fault::DeleteVm(DeleteVm { vm: one(&on.vm, vms, "VM")? }));
        }
        if let Some(on) = &written.start_unit {
            let (vm, unit) = (one(&on.vm, vms, "VM")?, one(&on.unit, &UNITS, "unit")?);
            found.push(Fault::StartUnit(StartUnit { vm, unit }));
        }
        if let Some(on) = &written.remove_file {
            let (vm, path) = (one(&on.vm, vms, "VM")?, self.path(&on.path)?);
            found.push(Fault::RemoveFile(RemoveFile { vm, path }));
        }
        if let Some(on) = &written.stop_unit {
            let (vm, unit) = (one(&on.vm, vms, "VM")?, one(&on.unit, &UNITS, "unit")?);
            found.push(Fault::StopUnit(StopUnit { vm, unit }));
        }
        let place =
            |on: &OnProcess| Ok((one(&on.vm, vms, "VM")?, one(&on.process, programs, "process")?));
        if let Some((vm, process)) = written.kill_process.as_ref().map(place).transpose()? {
            found.push(Fault::KillProcess(KillProcess { vm, process }));
        }
        if let Some((vm, process)) = written.freeze_process.as_ref().map(place).transpose()? {
            found.push(Fault::FreezeProcess(FreezeProcess { vm, process }));
        }
        if let Some((vm, process)) = written.thaw_process.as_ref().map(place).transpose()? {
            found.push(Fault::ThawProcess(ThawProcess { vm, process }));
        }
        if let Some(command) = &written.kubectl {
            found.push(Fault::Kubectl(self.command(command, written.cluster.as_ref())?));
        } else if let Some(cluster) = &written.cluster {
            let message = "`cluster` says where `kubectl` goes; this is another fault";
            return Err(self.source.mistake(cluster, message));
        }
        Ok(found)
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
        written: &WrittenFault,
        stage: &Stage,
    ) -> Option<Mistake> {
        let WrittenFault { kill_process, freeze_process, thaw_process, .. } = written;
        let process = kill_process.as_ref().or(freeze_process.as_ref()).or(thaw_process.as_ref());
        let on_unit = written.stop_unit.as_ref().or(written.start_unit.as_ref());
        let (vm, target, there, what) = match (on_unit, process) {
            (Some(on), _) => (&on.vm, &on.unit, stage.units(&on.vm.value), "unit"),
            (_, Some(on)) => (&on.vm, &on.process, stage.programs(&on.vm.value), "process"),
            _ => return None,
        };
        let comes_later = vm.value.contains('*');
        if comes_later || there.contains(&target.value.as_str()) {
            return None;
        }
        let (vm, target_name) = (&vm.value, &target.value);
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        let message = format!("no {what} `{target_name}` on {vm}; there: {there}");
        Some(self.source.mistake(target, message))
    }
}
