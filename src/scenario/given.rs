//! `given`: hidden phases that a scenario pins, so that its expectations hold for every seed.
//!
//! What is not given is drawn; `--free` draws everything.

use super::mistake::nearest;
use crate::engine::{Duration, SimTime, Text};
use crate::world::{Blueprint, Leaders, Management, Provider};
use std::collections::BTreeMap;

/// The pinned phases of a run, counted from its first fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// How far VM Operator's next resync is away.
    vm_operator_resync: Option<Duration>,
    leaders: Leaders,
}

/// Every phase that can be given, with what it is.
pub const PHASES: [(&str, &str); 6] = [
    ("vmOperatorResync", "how long after the first fault VM Operator's next resync comes"),
    ("etcdLeader", "the control-plane VM whose etcd member leads when the run begins"),
    ("controllerManagerLeader", "the control-plane VM whose kube-controller-manager leads"),
    ("schedulerLeader", "the control-plane VM whose kube-scheduler leads"),
    ("cloudControllerLeader", "the control-plane VM whose cloud-controller-manager leads"),
    (
        "clusterApiLeader",
        "the Supervisor's VM whose capi-controller-manager leads; the other managers' leaders are on the next ones",
    ),
];

impl Given {
    /// Notes a phase, or says what is wrong with it on a platform of this blueprint.
    pub fn note(&mut self, key: &str, value: &str, blueprint: &Blueprint) -> Result<(), String> {
        let plane = |name| number_of(name, "control-plane", blueprint.control_planes);
        match key {
            "vmOperatorResync" => self.note_resync(value, blueprint)?,
            "etcdLeader" => self.leaders.etcd = Some(plane(value)?),
            "controllerManagerLeader" => {
                self.leaders.controller_manager = Some(plane(value)?);
            }
            "schedulerLeader" => self.leaders.scheduler = Some(plane(value)?),
            "cloudControllerLeader" => {
                self.leaders.cloud_controller = Some(plane(value)?);
            }
            "clusterApiLeader" => {
                // A platform that manages itself has no such phase: there is nothing to pin.
                if blueprint.management == Management::Separate {
                    let leader = number_of(value, "supervisor", blueprint.supervisors)?;
                    self.leaders.first_manager = Some(leader);
                }
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
        let Leaders { etcd, controller_manager, scheduler, cloud_controller, first_manager } =
            self.leaders;
        let planes = [etcd, controller_manager, scheduler, cloud_controller]
            .map(|leader| leader.map(|number| name_of("control-plane", number)));
        let manager = first_manager.map(|number| name_of("supervisor", number));
        let values = [resync].into_iter().chain(planes).chain([manager]);
        let words = PHASES.iter().zip(values);
        words
            .filter_map(|((name, _), value)| Some((Text::word(name), Text::from(value?))))
            .collect()
    }
}

fn name_of(kind: &str, number: u32) -> String {
    format!("{kind}-{number}")
}

/// The number of the VM of this name, of so many of its kind.
fn number_of(name: &str, kind: &str, count: u32) -> Result<u32, String> {
    let known: Vec<String> = (0..count).map(|number| name_of(kind, number)).collect();
    match (0..).zip(&known).find(|(_, vm)| *vm == name) {
        Some((number, _)) => Ok(number),
        None => Err(format!("no {kind} VM `{name}`; there: {}", known.join(", "))),
    }
}
