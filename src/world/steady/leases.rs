//! The Leases that are held when a run begins.

use super::Maker;
use crate::api::kinds::Lease;
use crate::api::{Kind, Meta, Object, ObjectKey};
use crate::client::{lease_lock, steady_identity};
use crate::components::cloud_controller;
use crate::engine::{Duration, Owner, Text};

impl Maker<'_> {
    /// The Leases by which the leaders among the control plane's processes lead.
    pub(super) fn held_leases(&mut self) -> Vec<Object> {
        let leaders = self.blueprint.leaders;
        let cloud = self.blueprint.settings.cloud.as_ref();
        let mut held = vec![
            ("kube-controller-manager", leaders.controller_manager),
            ("kube-scheduler", leaders.scheduler),
        ];
        held.extend(cloud.map(|_| (cloud_controller::PROGRAM, leaders.cloud_controller)));
        let lease = |(program, leader): (&'static str, Option<u32>)| {
            let host = Text::from(format!("control-plane-{}", leader.unwrap_or_default()));
            let length = self.blueprint.settings.scheduler.election.lease;
            self.held_lease(lease_lock(program), length, program, &host)
        };
        held.into_iter().map(lease).collect()
    }

    /// Those of the Supervisor's managers, where there are several.
    pub(super) fn managers_leases(&mut self) -> Vec<Object> {
        let mut held = Vec::new();
        for kind in self.blueprint.managers() {
            if let Some(leader) = self.blueprint.leader_of(kind) {
                let host = Text::from(format!("supervisor-{leader}"));
                let length = self.blueprint.settings.manager_elections.of(kind).lease;
                held.push(self.held_lease(kind.lock(), length, kind.program, &host));
            }
        }
        held
    }

    /// The Lease that a program's process on a VM holds.
    fn held_lease(
        &mut self,
        key: ObjectKey,
        duration: Duration,
        program: &str,
        host: &Text,
    ) -> Object {
        let process = Owner::named(&format!("{program}@{host}"));
        let lease = Lease { holder: steady_identity(host, process), duration, ..Lease::default() };
        self.object(Meta::new(Kind::Lease, key.namespace, key.name), lease)
    }
}
