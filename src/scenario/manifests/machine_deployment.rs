//! A MachineDeployment: how many workers there are, and how their Machines go.

use super::control_plane::Timeouts;
use super::fields::{Fields, Placed, Unit};
use super::kinds::Version;
use super::{Manifests, VmCount};
use crate::scenario::file::MOST_WORKERS;
use crate::scenario::mistake::{Mistake, crop, nearest};

const POLICIES: [&str; 3] = ["Random", "Newest", "Oldest"];
const READY: &str = "a Machine is available as soon as its Node is Ready";
const GATES: &str = "a Machine is ready by its Node and its own conditions";
const TAINTS: &str = "Nodes have the taints of kubeadm and of the node lifecycle controller";
/// It leads to `sync`, which sizes MachineSets; those replace Machines as ever.
const PAUSED: &str = "it holds a rollout back, and none begins here; a pool that is paused is still \
                      sized, and its Machines are replaced";
const ZONE: &str = "a scenario spreads VMs over zones by `cluster: { zones: N }`";
/// From this annotation the replicas come where the autoscaler decides.
const LEAST: &str = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size";

const FLAT: Timeouts = [
    ("nodeDrainTimeout", "clusterApi.nodeDrainTimeout"),
    ("nodeVolumeDetachTimeout", "clusterApi.nodeVolumeDetachTimeout"),
    ("nodeDeletionTimeout", "clusterApi.nodeDeletionTimeout"),
];
const SECONDS: Timeouts = [
    ("nodeDrainTimeoutSeconds", "clusterApi.nodeDrainTimeout"),
    ("nodeVolumeDetachTimeoutSeconds", "clusterApi.nodeVolumeDetachTimeout"),
    ("nodeDeletionTimeoutSeconds", "clusterApi.nodeDeletionTimeout"),
];

impl Manifests {
    pub(super) fn machine_deployment(
        &mut self,
        root: &Fields,
        version: Version,
    ) -> Result<(), Mistake> {
        self.name(root)?;
        let why = "A cluster has one pool of workers here; leave one out, or add their replicas up";
        self.only(root, "MachineDeployment", why)?;
        let spec = root.needed("spec", "`spec: ...`")?;
        let spec = root.reader.fields(spec, "spec")?;
        self.pool_size(root, &spec)?;
        let template = spec.needed("template", "`template: { spec: ... }`")?;
        let template = root.reader.fields(template, "spec.template")?;
        self.pool_labels(root, &template)?;
        let machine = template.needed("spec", "`spec: ...`")?;
        let machine = root.reader.fields(machine, "spec.template.spec")?;
        self.version(&machine)?;
        match version {
            Version::V1Beta2 => self.new_pool(root, &spec, &machine)?,
            _ => self.old_pool(root, &spec, &machine)?,
        }
        template.finish(&[], &[]);
        root.finish(&[], &["status"]);
        Ok(())
    }

    fn old_pool(&mut self, root: &Fields, spec: &Fields, machine: &Fields) -> Result<(), Mistake> {
        self.timeouts(root, Some(machine), FLAT, Unit::Go)?;
        let strategy = spec.fields("strategy")?;
        let within = |name| strategy.as_ref().map_or(Ok(None), |strategy| strategy.fields(name));
        let (remediation, rolling) = (within("remediation")?, within("rollingUpdate")?);
        self.in_flight(root, remediation.as_ref())?;
        self.order(root, rolling.as_ref(), "deletePolicy")?;
        rolling.iter().for_each(|rolling| rolling.finish(&[], &["maxUnavailable", "maxSurge"]));
        strategy.iter().for_each(|strategy| strategy.finish(&[], &["type"]));
        machine.finish(
            &[("failureDomain", ZONE), ("readinessGates", GATES), ("taints", TAINTS)],
            MACHINE,
        );
        spec.finish(
            &[("minReadySeconds", READY), ("paused", PAUSED)],
            &[
                "clusterName",
                "selector",
                "rolloutAfter",
                "machineNamingStrategy",
                "revisionHistoryLimit",
                "progressDeadlineSeconds",
            ],
        );
        Ok(())
    }

    fn new_pool(&mut self, root: &Fields, spec: &Fields, machine: &Fields) -> Result<(), Mistake> {
        let deletion = machine.fields("deletion")?;
        self.timeouts(root, deletion.as_ref(), SECONDS, Unit::Seconds)?;
        deletion.iter().for_each(|deletion| deletion.finish(&[], &[]));
        let remediation = spec.fields("remediation")?;
        self.in_flight(root, remediation.as_ref())?;
        let deletion = spec.fields("deletion")?;
        self.order(root, deletion.as_ref(), "order")?;
        deletion.iter().for_each(|deletion| deletion.finish(&[], &[]));
        machine.finish(
            &[
                ("failureDomain", ZONE),
                ("readinessGates", GATES),
                ("taints", TAINTS),
                ("minReadySeconds", READY),
            ],
            MACHINE,
        );
        spec.finish(
            &[("paused", PAUSED)],
            &["clusterName", "selector", "rollout", "machineNaming"],
        );
        Ok(())
    }

    /// `replicas`; without, what the autoscaler keeps at least, or 1.
    fn pool_size(&mut self, root: &Fields, spec: &Fields) -> Result<(), Mistake> {
        let replicas = match spec.count("replicas", MOST_WORKERS)? {
            Some(replicas) => replicas,
            None => {
                let metadata = root.fields("metadata")?;
                let annotations =
                    metadata.as_ref().map_or(Ok(Vec::new()), |it| it.labels("annotations"))?;
                let least = annotations.iter().find(|(key, _)| key.name == LEAST);
                let least = least.and_then(|(key, text)| Some((text.parse().ok()?, key.place)));
                let (value, place) = least.unwrap_or((1, root.place));
                Placed { value, place }
            }
        };
        let value = replicas.value.to_string();
        self.take(root, "cluster.workers".to_owned(), value, replicas.place);
        let place = root.reader.place(replicas.place);
        self.workers = Some(VmCount { count: replicas.value, place });
        Ok(())
    }

    /// The labels of its Machines, Cluster API's own among them.
    fn pool_labels(&mut self, root: &Fields, template: &Fields) -> Result<(), Mistake> {
        let metadata = template.fields("metadata")?;
        let labels = metadata.as_ref().map_or(Ok(Vec::new()), |it| it.labels("labels"))?;
        let mut labels: Vec<(String, String)> =
            labels.iter().map(|(key, value)| (key.name.clone(), (*value).to_owned())).collect();
        let name = self.name(root)?.to_owned();
        labels.push(("cluster.x-k8s.io/deployment-name".to_owned(), name));
        metadata.iter().for_each(|it| it.finish(&[], &["annotations"]));
        self.pool_labels = Some(labels);
        Ok(())
    }

    fn in_flight(&mut self, root: &Fields, remediation: Option<&Fields>) -> Result<(), Mistake> {
        let most = remediation.map_or(Ok(None), |it| it.amount("maxInFlight"))?;
        let most = most.unwrap_or(Placed { value: "none".to_owned(), place: root.place });
        self.wish(root, "clusterApi.maxInFlight", most.value, most.place);
        remediation.iter().for_each(|it| it.finish(&[], &[]));
        Ok(())
    }

    /// Which Machines go first when the pool shrinks.
    fn order(&mut self, root: &Fields, fields: Option<&Fields>, name: &str) -> Result<(), Mistake> {
        let node = fields.and_then(|fields| Some((fields, fields.get(name)?)));
        let (policy, place) = match node {
            None => (POLICIES[0], root.place),
            Some((fields, node)) => (fields.reader.text(node, &fields.path_of(name))?, node.place),
        };
        if !POLICIES.contains(&policy) {
            let hint = match nearest(policy, POLICIES.into_iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known: {}", POLICIES.join(", ")),
            };
            let message = format!("no order of deletion `{}`; {hint}", crop(policy));
            return Err(root.reader.mistake(place, message));
        }
        self.wish(root, "clusterApi.deletePolicy", policy.to_owned(), place);
        Ok(())
    }
}

const MACHINE: &[&str] = &["clusterName", "bootstrap", "infrastructureRef", "providerID"];
