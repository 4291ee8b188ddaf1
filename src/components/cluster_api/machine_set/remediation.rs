//! Which of the Machines that were marked unhealthy are deleted now, and what is said of them.
//!
//! Up to 1.8 every marked Machine goes, whether or not it has recovered meanwhile. Later releases
//! forgive the recovered, and delete no more at once than `maxInFlight` allows.

use super::super::Marking;
use super::{Act, MachineSetController, Work, owner_remediated, told};
use crate::api::kinds::{MachineSet, Status};
use crate::api::{Kind, Object};
use crate::client::View;
use crate::engine::{SimTime, Text};
use std::cmp::Reverse;
use std::sync::Arc;

const REMEDIATE: &str = "cluster.x-k8s.io/remediate-machine";

impl MachineSetController {
    /// Plans the remediation of the listed Machines.
    pub(super) fn remediate(
        &self,
        object: &Object,
        set: &MachineSet,
        work: &mut Work,
        view: &mut View,
    ) {
        let now = view.wall_clock();
        if self.settings.forgives_recovered {
            let recovered = work.listed.iter().filter(|machine| !self.goes(machine));
            let forgiven = recovered.filter(|machine| {
                is(machine, "HealthCheckSucceeded", Status::True)
                    && is(machine, "OwnerRemediated", Status::False)
            });
            work.todo.extend(forgiven.filter_map(|machine| {
                told(machine, |body| body.conditions.remove("OwnerRemediated"))
            }));
        }
        let mut marked: Vec<Arc<Object>> =
            work.listed.iter().filter(|machine| self.is_marked(machine)).cloned().collect();
        if marked.is_empty() {
            return;
        }
        if let Some((most, words)) = self.in_flight(object, work, view) {
            // A Machine that never came up hosts nothing yet: the newest go first.
            marked.sort_by_key(|machine| {
                let asked = machine.meta.annotation(REMEDIATE).is_some();
                (Reverse(asked), Reverse(machine.meta.created), machine.name().clone())
            });
            let later = marked.split_off(most.min(marked.len()));
            work.todo.extend(later.iter().filter_map(|machine| {
                let words = words.clone();
                let condition = owner_remediated(Status::False, "RemediationDeferred", words, now);
                told(machine, |body| {
                    body.conditions.say(condition);
                })
            }));
        }
        if marked.is_empty() {
            return;
        }
        let failures = self.holds((object, set), "Machine remediation", work, view);
        if failures.is_empty() {
            return self.delete_marked(&marked, work, view);
        }
        let (reason, words) = self.held_words(&failures);
        work.todo.extend(marked.iter().filter_map(|machine| {
            let condition = owner_remediated(Status::False, reason, words.clone(), now);
            told(machine, |body| {
                body.conditions.say(condition);
            })
        }));
    }

    fn is_marked(&self, machine: &Arc<Object>) -> bool {
        is(machine, "OwnerRemediated", Status::False)
            && !self.goes(machine)
            && (!self.settings.forgives_recovered
                || is(machine, "HealthCheckSucceeded", Status::False))
    }

    /// How many more may be deleted, if there is a limit, and the words for those that may not.
    fn in_flight(&self, set: &Object, work: &Work, view: &View) -> Option<(usize, Text)> {
        if !self.settings.limits_remediation {
            return None;
        }
        let pool = set.meta.controlled_by(Kind::MachineDeployment)?;
        let pool = view.local.named(Kind::MachineDeployment, &set.key().namespace, pool)?;
        let pool = pool.machine_deployment()?;
        let limit = pool.max_in_flight?;
        let most = limit.of(pool.replicas) as usize;
        let under_way = work.listed.iter().filter(|machine| {
            self.goes(machine)
                && match self.settings.marking {
                    Marking::TrueAfterwards => is(machine, "OwnerRemediated", Status::True),
                    Marking::DeletingBefore => machine.machine().is_some_and(|body| {
                        let said = body.conditions.get("OwnerRemediated");
                        said.is_some_and(|said| {
                            said.status == Status::False && said.reason == "MachineDeleting"
                        })
                    }),
                }
        });
        let words = format!(
            "Waiting because there are already too many remediations in progress \
             (spec.strategy.remediation.maxInFlight is {limit})"
        );
        Some((most.saturating_sub(under_way.count()), Text::from(words)))
    }

    /// Tells and deletes, in the order of the release.
    fn delete_marked(&self, marked: &[Arc<Object>], work: &mut Work, view: &mut View) {
        let now = view.wall_clock();
        if self.settings.marking == Marking::DeletingBefore {
            work.todo.extend(marked.iter().filter_map(|machine| {
                let words = Text::word("Machine is deleting");
                let condition = owner_remediated(Status::False, "MachineDeleting", words, now);
                told(machine, |body| {
                    body.conditions.say(condition);
                })
            }));
        }
        for machine in marked {
            let key = machine.key().clone();
            let (line, then) = match self.settings.marking {
                Marking::DeletingBefore => {
                    (format!("Deleting Machine {} (remediating unhealthy Machine)", key.name), None)
                }
                Marking::TrueAfterwards => (
                    format!(
                        "Deleting Machine {}/{} because it was marked as unhealthy by the \
                         MachineHealthCheck controller",
                        key.namespace, key.name
                    ),
                    remediated(machine, now),
                ),
            };
            view.logs.push(line.into());
            work.todo.push_back(Act::Delete { machine: key, then, announced: false });
        }
    }
}

/// The patch after the deletion; the health check may write over it at once.
fn remediated(machine: &Arc<Object>, now: SimTime) -> Option<crate::api::Verb> {
    let condition = owner_remediated(Status::True, "", "", now);
    match told(machine, |body| {
        body.conditions.say(condition);
    })? {
        Act::Patch(verb) => Some(verb),
        _ => None,
    }
}

pub fn is(machine: &Object, condition: &str, status: Status) -> bool {
    machine.machine().is_some_and(|body| body.conditions.is(condition, status))
}
