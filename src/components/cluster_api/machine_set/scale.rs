//! Too few Machines, or too many: how many are created, and which are deleted.
//!
//! Follows `syncReplicas` and `machineset_delete_policy.go`.

use super::super::{DeletePolicy, Wording};
use super::{Act, MachineSetController, Work};
use crate::api::Object;
use crate::api::kinds::{MachineSet, Status};
use crate::client::View;
use crate::engine::{SimTime, Text};
use std::cmp::Reverse;
use std::sync::Arc;

/// A person wants these to go first when the set shrinks.
const DELETE_MACHINE: &str = "cluster.x-k8s.io/delete-machine";
/// A person wants no new ones.
const DISABLE_CREATE: &str = "cluster.x-k8s.io/disable-machine-create";

/// What decides who goes first: the group, then the age, then the name.
type Place = (Reverse<u8>, SimTime, Reverse<SimTime>, Text);

impl MachineSetController {
    /// Plans the missing Machines, or the end of those that are too many.
    pub(super) fn scale(
        &self,
        object: &Object,
        set: &MachineSet,
        work: &mut Work,
        view: &mut View,
    ) {
        let have = work.listed.len() + self.unseen(object.key());
        let wanted = set.replicas as usize;
        if have < wanted {
            if let Some(value) = object.meta.annotation(DISABLE_CREATE)
                && (self.settings.wording == Wording::V1Beta1 || *value == "true")
            {
                view.logs.push(Text::word(match self.settings.wording {
                    Wording::V1Beta1 => {
                        "Automatic creation of new machines disabled for machine set"
                    }
                    Wording::V1Beta2 => {
                        "Automatic creation of new machines disabled for MachineSet"
                    }
                }));
                return;
            }
            if !self.holds((object, set), "Scale up", work, view).is_empty() {
                return;
            }
            work.todo.extend((have..wanted).map(|_| Act::Create));
            work.scaled = true;
        }
        if work.listed.len() > wanted {
            self.shrink(wanted, work, view);
        }
    }

    fn shrink(&self, wanted: usize, work: &mut Work, view: &mut View) {
        let surplus = work.listed.len() - wanted;
        view.logs.push(Text::from(format!(
            "MachineSet is scaling down to {wanted} replicas by deleting {surplus} machines"
        )));
        let mut order: Vec<Arc<Object>> = work.listed.clone();
        order.sort_by_key(|machine| self.place(machine));
        for machine in order.into_iter().take(surplus).filter(|machine| !self.goes(machine)) {
            let key = machine.key().clone();
            // One that remediation has just planned to delete is not deleted twice.
            let planned = |act: &Act| matches!(act, Act::Delete { machine, .. } if *machine == key);
            if !work.todo.iter().any(planned) {
                let announced = true;
                work.todo.push_back(Act::Delete { machine: key, then: None, announced });
            }
            work.scaled = true;
        }
    }

    /// Those on their way out count first, else more would be deleted while they go.
    fn place(&self, machine: &Object) -> Place {
        let policy = self.settings.delete_policy;
        let asked = machine.meta.annotation(DELETE_MACHINE).is_some();
        let asked_for_first =
            self.settings.delete_annotation_first || policy != DeletePolicy::Random;
        let group = match () {
            () if self.goes(machine) => 3,
            () if asked && asked_for_first => 2,
            () if asked || !self.is_healthy(machine) => 1,
            () => 0,
        };
        let created = machine.meta.created;
        let (old, young) = match policy {
            _ if group > 0 => (SimTime::ZERO, SimTime::ZERO),
            DeletePolicy::Random => (SimTime::ZERO, SimTime::ZERO),
            DeletePolicy::Oldest => (created, SimTime::ZERO),
            DeletePolicy::Newest => (SimTime::ZERO, created),
        };
        (Reverse(group), old, Reverse(young), machine.name().clone())
    }

    fn is_healthy(&self, machine: &Object) -> bool {
        let Some(body) = machine.machine() else { return false };
        let node = body.conditions.status("NodeHealthy");
        body.node_ref.is_some()
            && match self.settings.scale_down_blames_unknown {
                true => node.is_none_or(|status| status == Status::True),
                false => {
                    node != Some(Status::False)
                        && !body.conditions.is("HealthCheckSucceeded", Status::False)
                }
            }
    }
}
