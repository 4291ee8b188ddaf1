//! A KubeadmControlPlane: how many VMs serve the API, how they are replaced, and the arguments of
//! what runs on them.

use super::fields::{Fields, Placed, Unit};
use super::kinds::Version;
use super::{Manifests, Versioned, VmCount};
use crate::api::kinds::Version as Semantic;
use crate::engine::Duration;
use crate::scenario::mistake::{Mistake, crop};

/// A control plane of more VMs than this is refused by whoever counts them.
const MOST: u32 = 100;
/// Where nothing is said, by api/controlplane/kubeadm: DefaultMinHealthyPeriod and the webhooks.
const MIN_HEALTHY: Duration = Duration::from_secs(3600);
const DELETION: Duration = Duration::from_secs(10);
const NO_ROLLOUT: &str = "no rollout begins by itself here";
const TAINTS: &str = "Nodes have the taints of kubeadm and of the node lifecycle controller";
const GATES: &str = "a Machine is ready by its Node and its own conditions";

/// The names of a Machine's three time-outs, each with its setting.
pub(super) type Timeouts = [(&'static str, &'static str); 3];
const FLAT: Timeouts = [
    ("nodeDrainTimeout", "clusterApi.controlPlaneNodeDrainTimeout"),
    ("nodeVolumeDetachTimeout", "clusterApi.controlPlaneNodeVolumeDetachTimeout"),
    ("nodeDeletionTimeout", "clusterApi.controlPlaneNodeDeletionTimeout"),
];
const SECONDS: Timeouts = [
    ("nodeDrainTimeoutSeconds", "clusterApi.controlPlaneNodeDrainTimeout"),
    ("nodeVolumeDetachTimeoutSeconds", "clusterApi.controlPlaneNodeVolumeDetachTimeout"),
    ("nodeDeletionTimeoutSeconds", "clusterApi.controlPlaneNodeDeletionTimeout"),
];

impl Manifests {
    pub(super) fn kubeadm_control_plane(
        &mut self,
        root: &Fields,
        version: Version,
    ) -> Result<(), Mistake> {
        self.name(root)?;
        self.only(root, "KubeadmControlPlane", "A cluster has one; leave one out")?;
        let before = self.wishes.len();
        let spec = root.needed("spec", "`spec: ...`")?;
        let spec = root.reader.fields(spec, "spec")?;
        let replicas = spec.count("replicas", MOST)?;
        let replicas = replicas.unwrap_or(Placed { value: 1, place: root.place });
        let place = root.reader.place(replicas.place);
        self.take(
            root,
            "cluster.controlPlane".to_owned(),
            replicas.value.to_string(),
            replicas.place,
        );
        self.control_planes = Some(VmCount { count: replicas.value, place });
        self.version(&spec)?;
        if let Some(kubeadm) = spec.fields("kubeadmConfigSpec")? {
            self.kubeadm(&kubeadm)?;
        }
        let template = spec.fields("machineTemplate")?;
        match version {
            Version::V1Beta2 => self.new_shape(root, &spec, template.as_ref())?,
            _ => self.old_shape(root, &spec, template.as_ref())?,
        }
        root.finish(&[], &["status"]);
        self.plane_wishes = self.wishes.split_off(before);
        Ok(())
    }

    fn old_shape(
        &mut self,
        root: &Fields,
        spec: &Fields,
        template: Option<&Fields>,
    ) -> Result<(), Mistake> {
        self.timeouts(root, template, FLAT, Unit::Go)?;
        if let Some(template) = template {
            template.finish(&[("readinessGates", GATES), ("taints", TAINTS)], TEMPLATE);
        }
        let strategy = spec.fields("remediationStrategy")?;
        self.retries(root, strategy.as_ref(), ["retryPeriod", "minHealthyPeriod"], Unit::Go)?;
        let rollout = spec.fields("rolloutStrategy")?;
        self.surge(root, rollout.as_ref())?;
        spec.finish(
            &[("rolloutBefore", NO_ROLLOUT), ("rolloutAfter", NO_ROLLOUT)],
            &["machineNamingStrategy"],
        );
        Ok(())
    }

    fn new_shape(
        &mut self,
        root: &Fields,
        spec: &Fields,
        template: Option<&Fields>,
    ) -> Result<(), Mistake> {
        let machine = template.map_or(Ok(None), |template| template.fields("spec"))?;
        let deletion = machine.as_ref().map_or(Ok(None), |machine| machine.fields("deletion"))?;
        self.timeouts(root, deletion.as_ref(), SECONDS, Unit::Seconds)?;
        deletion.iter().for_each(|deletion| deletion.finish(&[], &[]));
        if let Some(machine) = machine {
            machine.finish(&[("readinessGates", GATES), ("taints", TAINTS)], TEMPLATE);
        }
        template.iter().for_each(|template| template.finish(&[], TEMPLATE));
        let remediation = spec.fields("remediation")?;
        let names = ["retryPeriodSeconds", "minHealthyPeriodSeconds"];
        self.retries(root, remediation.as_ref(), names, Unit::Seconds)?;
        let rollout = spec.fields("rollout")?;
        let strategy = rollout.as_ref().map_or(Ok(None), |rollout| rollout.fields("strategy"))?;
        self.surge(root, strategy.as_ref())?;
        if let Some(rollout) = rollout {
            rollout.finish(&[("before", NO_ROLLOUT), ("after", NO_ROLLOUT)], &[]);
        }
        spec.finish(&[], &["machineNaming"]);
        Ok(())
    }

    /// The three time-outs of a Machine that goes; without a word, no limit for the first two.
    pub(super) fn timeouts(
        &mut self,
        root: &Fields,
        fields: Option<&Fields>,
        names: Timeouts,
        unit: Unit,
    ) -> Result<(), Mistake> {
        for ((name, key), default) in
            names.into_iter().zip([Duration::ZERO, Duration::ZERO, DELETION])
        {
            let found = fields.map_or(Ok(None), |fields| fields.length(name, unit))?;
            let Placed { value, place } =
                found.unwrap_or(Placed { value: default, place: root.place });
            self.wish(root, key, value.to_string(), place);
        }
        Ok(())
    }

    fn retries(
        &mut self,
        root: &Fields,
        fields: Option<&Fields>,
        [period, healthy]: [&str; 2],
        unit: Unit,
    ) -> Result<(), Mistake> {
        let most = fields.map_or(Ok(None), |fields| fields.count("maxRetry", 1_000_000))?;
        let most = most.map(|Placed { value, place }| (value.to_string(), place));
        let (value, place) = most.unwrap_or(("none".to_owned(), root.place));
        self.wish(root, "clusterApi.controlPlaneMaxRetry", value, place);
        for (name, key, default) in [
            (period, "clusterApi.controlPlaneRetryPeriod", Duration::ZERO),
            (healthy, "clusterApi.controlPlaneMinHealthyPeriod", MIN_HEALTHY),
        ] {
            let found = fields.map_or(Ok(None), |fields| fields.length(name, unit))?;
            let Placed { value, place } =
                found.unwrap_or(Placed { value: default, place: root.place });
            self.wish(root, key, value.to_string(), place);
        }
        fields.iter().for_each(|fields| fields.finish(&[], &[]));
        Ok(())
    }

    /// `rollingUpdate.maxSurge`: 0 or 1.
    fn surge(&mut self, root: &Fields, strategy: Option<&Fields>) -> Result<(), Mistake> {
        let rolling = strategy.map_or(Ok(None), |strategy| strategy.fields("rollingUpdate"))?;
        let surge = rolling.as_ref().map_or(Ok(None), |rolling| rolling.amount("maxSurge"))?;
        let surge = surge.unwrap_or(Placed { value: "1".to_owned(), place: root.place });
        if !["0", "1"].contains(&surge.value.as_str()) {
            let message = format!("maxSurge `{}` is not possible; write 0 or 1", surge.value);
            return Err(root.reader.mistake(surge.place, message));
        }
        self.wish(root, "clusterApi.controlPlaneMaxSurge", surge.value, surge.place);
        rolling.iter().for_each(|rolling| rolling.finish(&[], &[]));
        strategy.iter().for_each(|strategy| strategy.finish(&[], &["type"]));
        Ok(())
    }

    /// A version is compared with the platform's once that is known. The webhooks put a missing `v`
    /// before it.
    pub(super) fn version(&mut self, spec: &Fields) -> Result<(), Mistake> {
        let Some(node) = spec.get("version") else { return Ok(()) };
        let version = spec.reader.text(node, &spec.path_of("version"))?.to_owned();
        if !Semantic::is_semantic(&format!("v{}", version.strip_prefix('v').unwrap_or(&version))) {
            let message =
                format!("version `{}` is refused; write three numbers, as v1.30.2", crop(&version));
            return Err(spec.reader.mistake(node.place, message));
        }
        self.versions.push(Versioned { version, place: spec.reader.place(node.place) });
        Ok(())
    }
}

const TEMPLATE: &[&str] = &["metadata", "infrastructureRef"];
