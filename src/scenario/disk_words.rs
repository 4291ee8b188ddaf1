//! The words of a scenario's faults on disks, clocks and zones, read into faults or refused with their
//! place.

use super::fault_words::OnVm;
use super::fault_words::WrittenFault;
use super::faults::{
    CutZone, Fault, FillDisk, FreeDisk, HealDisk, PowerOffZone, PowerOnZone, RejoinZone, SkewClock,
    SlowDisk, StallDisk, SyncClock,
};
use super::file::Scenario;
use super::mistake::Mistake;
use super::stage::Stage;
use super::yaml::Spanned;
use crate::engine::{Duration, Skew};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnZone {
    zone: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slowed {
    vm: Spanned<String>,
    flush: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Skewed {
    vm: Spanned<String>,
    by: Spanned<String>,
}

impl Scenario {
    /// What breaks zones.
    pub(super) fn on_zones(
        &self,
        written: &WrittenFault,
        stage: &Stage,
        found: &mut Vec<Fault>,
    ) -> Result<(), Mistake> {
        let zone = |on: &OnZone| match stage.zones().as_slice() {
            [] => {
                let message = format!(
                    "no zone `{}`: there are none here; write, for example, `cluster: {{ zones: 3 }}`",
                    on.zone.value
                );
                Err(self.source.mistake(&on.zone, message))
            }
            zones => self.one_of(&on.zone, zones, "zone"),
        };
        if let Some(on) = &written.power_off_zone {
            found.push(Fault::PowerOffZone(PowerOffZone { zone: zone(on)? }));
        }
        if let Some(on) = &written.power_on_zone {
            found.push(Fault::PowerOnZone(PowerOnZone { zone: zone(on)? }));
        }
        if let Some(on) = &written.cut_zone {
            found.push(Fault::CutZone(CutZone { zone: zone(on)? }));
        }
        if let Some(on) = &written.rejoin_zone {
            found.push(Fault::RejoinZone(RejoinZone { zone: zone(on)? }));
        }
        Ok(())
    }

    /// What breaks disks.
    pub(super) fn on_disks(
        &self,
        written: &WrittenFault,
        stage: &Stage,
        found: &mut Vec<Fault>,
    ) -> Result<(), Mistake> {
        let vm = |on: &OnVm| self.vm(&on.vm, stage);
        if let Some(on) = &written.slow_disk {
            let (vm, flush) = (self.vm(&on.vm, stage)?, self.duration(&on.flush)?);
            if flush.is_zero() {
                let message = "a disk that is slower by nothing is well; write a length, for \
                               example 200ms, or `healDisk`";
                return Err(self.source.mistake(&on.flush, message));
            }
            found.push(Fault::SlowDisk(SlowDisk { vm, flush }));
        }
        if let Some(on) = &written.stall_disk {
            found.push(Fault::StallDisk(StallDisk { vm: vm(on)? }));
        }
        if let Some(on) = &written.heal_disk {
            found.push(Fault::HealDisk(HealDisk { vm: vm(on)? }));
        }
        if let Some(on) = &written.fill_disk {
            found.push(Fault::FillDisk(FillDisk { vm: vm(on)? }));
        }
        if let Some(on) = &written.free_disk {
            found.push(Fault::FreeDisk(FreeDisk { vm: vm(on)? }));
        }
        Ok(())
    }

    /// What breaks clocks.
    pub(super) fn on_clocks(
        &self,
        written: &WrittenFault,
        stage: &Stage,
        found: &mut Vec<Fault>,
    ) -> Result<(), Mistake> {
        if let Some(on) = &written.skew_clock {
            let (vm, by) = (self.vm(&on.vm, stage)?, self.skew(&on.by)?);
            found.push(Fault::SkewClock(SkewClock { vm, by }));
        }
        if let Some(on) = &written.sync_clock {
            found.push(Fault::SyncClock(SyncClock { vm: self.vm(&on.vm, stage)? }));
        }
        Ok(())
    }

    /// A length with its sign: ahead, or behind.
    fn skew(&self, written: &Spanned<String>) -> Result<Skew, Mistake> {
        let text = written.value.as_str();
        let (sign, length) = match text.strip_prefix('-') {
            Some(length) => (-1, length),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let parsed = length.parse::<Duration>();
        let length = parsed.map_err(|error| {
            let hint = "by how much the clock is ahead, or with a minus behind: 5s, -10m";
            self.source.mistake(written, format!("{error}; write {hint}"))
        })?;
        let micros = i64::try_from(length.as_micros()).expect("a length is a century at most");
        match micros {
            0 => {
                let message = "a clock that is wrong by nothing is right; write, for example, -5s, \
                               or `syncClock`";
                Err(self.source.mistake(written, message))
            }
            micros => Ok(Skew::from_micros(sign * micros)),
        }
    }
}
