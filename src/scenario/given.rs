//! `given`: hidden phases that a scenario pins, so that its expectations hold for every seed.
//!
//! What is not given is drawn; `--free` draws everything.

use super::mistake::nearest;
use crate::engine::{Duration, SimTime, Text};
use crate::world::{Blueprint, Leaders, Provider};
use std::collections::BTreeMap;

/// The pinned phases of a run, counted from its first fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// How far VM Operator's next resync is away.
    vm_operator_resync: Option<Duration>,
    leaders: Leaders,
}

/// Every phase that can be given, with what it is.
pub const PHASES: [(&str, &str); 5] = [
    ("vmOperatorResync", "how long after the first fault VM Operator's next resync comes"),
    ("etcdLeader", "the control-plane VM whose etcd member leads when the run begins"),
    ("controllerManagerLeader", "the control-plane VM whose kube-controller-manager leads"),
    ("schedulerLeader", "the control-plane VM whose kube-scheduler leads"),
    ("cloudControllerLeader", "the control-plane VM whose cloud-controller-manager leads"),
];

impl Given {
    /// Notes a phase, or says what is wrong with it on a platform of this blueprint.
    pub fn note(&mut self, key: &str, value: &str, blueprint: &Blueprint) -> Result<(), String> {
        match key {
            "vmOperatorResync" => self.note_resync(value, blueprint)?,
            "etcdLeader" => self.leaders.etcd = Some(plane(value, blueprint)?),
            "controllerManagerLeader" => {
                self.leaders.controller_manager = Some(plane(value, blueprint)?);
            }
            "schedulerLeader" => self.leaders.scheduler = Some(plane(value, blueprint)?),
            "cloudControllerLeader" => {
                self.leaders.cloud_controller = Some(plane(value, blueprint)?);
            }
            _ => {
                let known: Vec<&str> = PHASES.iter().map(|(name, _)| *name).collect();
                return Err(match nearest(key, known.iter().copied()) {
                    Some(near) => format!("no hidden phase `{key}`; did you mean `{near}`?"),
                    None => format!("no hidden phase `{key}`; known: {}", known.join(", ")),
                });
            }
        }
        Ok(())
    }

    /// Whether there is a phase of this name.
    pub fn knows(key: &str) -> bool {
        PHASES.iter().any(|(name, _)| *name == key)
    }

    fn note_resync(&mut self, value: &str, blueprint: &Blueprint) -> Result<(), String> {
        let away: Duration =
            value.parse().map_err(|error: crate::engine::NotADuration| error.to_string())?;
        // A platform without VM Operator has no such phase: there is nothing to pin.
        let Provider::VmOperator { operator, .. } = &blueprint.settings.provider else {
            return Ok(());
        };
        let longest = operator.shortest_resync();
        if away > longest {
            return Err(format!(
                "the next resync is never {away} away: one comes at least every {longest} (setting \
                 vmOperator.resync, less its jitter)"
            ));
        }
        self.vm_operator_resync = Some(away);
        Ok(())
    }

    /// Pins the phases of a world whose first fault comes at this time.
    pub fn pin(self, blueprint: &mut Blueprint, first_fault: SimTime) {
        let resync = self.vm_operator_resync.map(|away| first_fault + away);
        if let Provider::VmOperator { operator, .. } = &mut blueprint.settings.provider {
            operator.resync_at = resync;
        }
        blueprint.leaders = self.leaders;
    }

    /// The phases in words, by name.
    pub fn words(self) -> BTreeMap<Text, Text> {
        let resync = self.vm_operator_resync.map(|away| away.to_string());
        let Leaders { etcd, controller_manager, scheduler, cloud_controller } = self.leaders;
        let leaders = [etcd, controller_manager, scheduler, cloud_controller]
            .map(|leader| leader.map(plane_name));
        let values = [resync].into_iter().chain(leaders);
        let words = PHASES.iter().zip(values);
        words
            .filter_map(|((name, _), value)| Some((Text::word(name), Text::from(value?))))
            .collect()
    }
}

fn plane_name(number: u32) -> String {
    format!("control-plane-{number}")
}

/// The number of the control-plane VM of this name.
fn plane(name: &str, blueprint: &Blueprint) -> Result<u32, String> {
    let known: Vec<String> = (0..blueprint.control_planes).map(plane_name).collect();
    match (0..).zip(&known).find(|(_, plane)| *plane == name) {
        Some((number, _)) => Ok(number),
        None => Err(format!("no control-plane VM `{name}`; there: {}", known.join(", "))),
    }
}
