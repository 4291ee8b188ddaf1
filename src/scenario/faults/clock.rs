//! A VM's wall clock jumps, and is wrong by so much from then on. Its monotonic clock does not: timers,
//! and what a process measures itself, go on. What it writes is wrong, and so is what it makes of the
//! times that others have written.

use super::kind::{FaultKind, Strikes};
use super::reading::{OnVm, Reading};
use crate::engine::{Duration, Skew, Text};
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

/// `skewClock: { vm: worker-0, by: -5s }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkewClock {
    pub vm: Text,
    /// How far it is from true time; not from what it showed before.
    pub by: Skew,
}

/// `syncClock: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncClock {
    pub vm: Text,
}

/// The clock of a VM, if it will be another.
fn clock(view: View, vm: &str, skew: Skew) -> Option<String> {
    let vm = view.vm(vm).filter(|vm| vm.skew != skew)?;
    Some(format!("Clock/{}", vm.name))
}

/// A wrong clock as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Skewed {
    vm: Spanned<String>,
    by: Spanned<String>,
}

impl FaultKind for SkewClock {
    type Written = Skewed;
    const DOES: &'static str = "sets a VM's wall clock wrong, at once: { vm: worker-0, by: -5s }";

    fn from_written(on: &Skewed, reading: &Reading) -> Result<SkewClock, Mistake> {
        let (vm, by) = (reading.vm(&on.vm)?, skew(&on.by, reading)?);
        Ok(SkewClock { vm, by })
    }
}

impl Strikes for SkewClock {
    /// The clock, unless it is wrong by as much already.
    fn resolve(&self, view: View) -> Option<String> {
        clock(view, &self.vm, self.by)
    }

    /// Sets it.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.skew_clock(vm, self.by);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}

impl FaultKind for SyncClock {
    type Written = OnVm;
    const DOES: &'static str = "sets it right: { vm: worker-0 }";

    fn from_written(on: &OnVm, reading: &Reading) -> Result<SyncClock, Mistake> {
        Ok(SyncClock { vm: reading.vm(&on.vm)? })
    }
}

impl Strikes for SyncClock {
    /// The clock, if it is wrong.
    fn resolve(&self, view: View) -> Option<String> {
        clock(view, &self.vm, Skew::NONE)
    }

    /// Sets it to true time, at once.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.skew_clock(vm, Skew::NONE);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}

/// A length with its sign: ahead, or behind.
fn skew(written: &Spanned<String>, reading: &Reading) -> Result<Skew, Mistake> {
    let text = written.value.as_str();
    let (sign, length) = match text.strip_prefix('-') {
        Some(length) => (-1, length),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let parsed = length.parse::<Duration>();
    let length = parsed.map_err(|error| {
        let hint = "by how much the clock is ahead, or with a minus behind: 5s, -10m";
        reading.scenario.mistake(written, format!("{error}; write {hint}"))
    })?;
    let micros = i64::try_from(length.as_micros()).expect("a length is a century at most");
    match micros {
        0 => {
            let message = "a clock that is wrong by nothing is right; write, for example, -5s, \
                           or `syncClock`";
            Err(reading.scenario.mistake(written, message))
        }
        micros => Ok(Skew::from_micros(sign * micros)),
    }
}
