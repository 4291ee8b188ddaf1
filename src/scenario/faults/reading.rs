//! What the words of a fault are read with, and the words that kinds share: each is read, or refused with
//! its place.

use super::role::{ROLES, is_like_a_role};
use crate::engine::Text;
use crate::scenario::file::Scenario;
use crate::scenario::mistake::Mistake;
use crate::scenario::stage::Stage;
use crate::scenario::yaml::Spanned;
use serde::Deserialize;

/// The scenario whose words they are, and what there is when its run begins.
pub(super) struct Reading<'a> {
    pub scenario: &'a Scenario,
    pub stage: &'a Stage,
    /// In which cluster a person types `kubectl`, where that is written.
    pub cluster: Option<&'a Spanned<String>>,
}

/// What a VM is named with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnVm {
    pub vm: Spanned<String>,
}

impl Reading<'_> {
    /// A VM: by its name, by a part of it if the VM does not exist yet, or by what it does.
    pub(super) fn vm(&self, name: &Spanned<String>) -> Result<Text, Mistake> {
        let word = name.value.as_str();
        if is_like_a_role(word) {
            return self.one_of(name, &ROLES, "role of a VM");
        }
        match word.contains('*') {
            true => Ok(Text::from(word)),
            false => self.one_of(name, &self.stage.vms(), "VM"),
        }
    }

    /// A VM, and a program that runs on any.
    pub(super) fn process(
        &self,
        vm: &Spanned<String>,
        process: &Spanned<String>,
    ) -> Result<(Text, Text), Mistake> {
        Ok((self.vm(vm)?, self.one_of(process, &self.stage.all_programs(), "process")?))
    }

    /// A file is named by its whole path.
    pub(super) fn path(&self, path: &Spanned<String>) -> Result<Text, Mistake> {
        match path.value.starts_with('/') {
            true => Ok(Text::from(path.value.as_str())),
            false => {
                let message = format!(
                    "`{}` is not a whole path; write it from the root, for example \
                     /var/lib/kubelet/config.yaml",
                    path.value
                );
                Err(self.scenario.mistake(path, message))
            }
        }
    }

    /// One of the words that are known.
    pub(super) fn one_of(
        &self,
        spanned: &Spanned<String>,
        known: &[&str],
        what: &str,
    ) -> Result<Text, Mistake> {
        match known.contains(&spanned.value.as_str()) {
            true => Ok(Text::from(spanned.value.as_str())),
            false => Err(self.scenario.unknown(spanned, known, what)),
        }
    }

    /// A mistake if the program does not run on the VM when the run begins.
    pub(super) fn no_process(
        &self,
        vm: &Spanned<String>,
        process: &Spanned<String>,
    ) -> Option<Mistake> {
        self.not_on(vm, process, "process", &self.stage.programs(&vm.value))
    }

    /// A mistake if what is meant is not among what there is on the VM when the run begins; of a VM
    /// that comes to be later, or is named by what it does, nobody knows.
    pub(super) fn not_on(
        &self,
        vm: &Spanned<String>,
        target: &Spanned<String>,
        what: &str,
        there: &[&str],
    ) -> Option<Mistake> {
        let (vm, name) = (vm.value.as_str(), target.value.as_str());
        if vm.contains('*') || is_like_a_role(vm) || there.contains(&name) {
            return None;
        }
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        let message = format!("no {what} `{name}` on {vm}; there: {there}");
        Some(self.scenario.mistake(target, message))
    }
}
