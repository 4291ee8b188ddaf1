//! `given`: hidden phases that a scenario pins, so that its expectations hold for every seed.
//!
//! What is not given is drawn; `--free` draws everything.

use super::mistake::nearest;
use crate::engine::{Duration, SimTime, Text};
use crate::world::{Blueprint, Provider};
use std::collections::BTreeMap;

/// The pinned phases of a run, counted from its first fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// How far VM Operator's next resync is away.
    vm_operator_resync: Option<Duration>,
}

/// Every phase that can be given, with what it is.
pub const PHASES: [(&str, &str); 1] =
    [("vmOperatorResync", "how long after the first fault VM Operator's next resync comes")];

impl Given {
    /// Notes a phase, or says what is wrong with it on a platform of this blueprint.
    pub fn note(&mut self, key: &str, value: &str, blueprint: &Blueprint) -> Result<(), String> {
        if key != PHASES[0].0 {
            let known: Vec<&str> = PHASES.iter().map(|(name, _)| *name).collect();
            return Err(match nearest(key, known.iter().copied()) {
                Some(near) => format!("no hidden phase `{key}`; did you mean `{near}`?"),
                None => format!("no hidden phase `{key}`; known: {}", known.join(", ")),
            });
        }
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
    }

    /// The phases in words, by name.
    pub fn words(self) -> BTreeMap<Text, Text> {
        let word = |away: Duration| (Text::word(PHASES[0].0), Text::from(away.to_string()));
        self.vm_operator_resync.map(word).into_iter().collect()
    }
}
