//! A Deployment: a workload of the user's own, in the place of the platform's of its name.

use super::budget::selector;
use super::fields::{Fields, Placed};
use super::{Manifests, OwnWorkload};
use crate::api::Labels;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::scenario::workloads::{MOST_REPLICAS, NAME_RULE, is_name};
use crate::world::{Workload, WorkloadKind};
use std::sync::Arc;

const READY: &str = "a Pod is available as soon as it is ready";

impl Manifests {
    pub(super) fn deployment(&mut self, root: &Fields) -> Result<(), Mistake> {
        let reader = root.reader;
        let name = self.name(root)?.to_owned();
        if !is_name(&name) {
            let message = format!("a workload cannot be named `{name}` here; {NAME_RULE}");
            return Err(reader.mistake(root.place, message));
        }
        if let Some(first) = self.workloads.iter().find(|other| *other.workload.name == name) {
            let place = &first.place;
            let message = format!(
                "a second Deployment `{name}`; the first is at {place}. Namespaces are one here; \
                 give them different names"
            );
            return Err(reader.mistake(root.place, message));
        }
        let spec = root.needed("spec", "`spec: ...`")?;
        let spec = reader.fields(spec, "spec")?;
        let replicas = spec.count("replicas", MOST_REPLICAS)?;
        let replicas = replicas.unwrap_or(Placed { value: 1, place: root.place });
        let template = spec.needed("template", "`template: { metadata: ..., spec: ... }`")?;
        let template = reader.fields(template, "spec.template")?;
        let labels = template_labels(&template)?;
        self.check_selector(&spec, &labels)?;
        let pod = template.needed("spec", "`spec: { containers: [...] }`")?;
        let pod = reader.fields(pod, "spec.template.spec")?;
        let key = |field: &str| format!("Deployment/{name} {field}");
        self.take(root, key("replicas"), replicas.value.to_string(), replicas.place);
        let taken = self.pod(&pod, &key, &labels, replicas.value)?;
        template.finish(&[], &[]);
        spec.finish(
            &[("minReadySeconds", READY)],
            &["strategy", "revisionHistoryLimit", "progressDeadlineSeconds", "paused"],
        );
        root.finish(&[], &["status"]);
        let workload = Workload {
            name: Text::from(name.as_str()),
            kind: WorkloadKind::Deployment,
            replicas: replicas.value,
            runs_on: taken.runs_on,
            repel_each_other: taken.repel_each_other,
            grace: taken.grace,
            budget: None,
            volume: taken.volume,
            requests: taken.requests,
            tolerations: taken.tolerations,
            is_critical: taken.is_critical,
            image: taken.image.unwrap_or_else(|| Text::from(name)),
            image_in_template: false,
        };
        self.workloads.push(OwnWorkload { workload, labels, place: reader.place(root.place) });
        Ok(())
    }

    /// An API server refuses a Deployment that would not select its own Pods.
    fn check_selector(&self, spec: &Fields, labels: &Labels) -> Result<(), Mistake> {
        let example = "`selector: { matchLabels: { app: web } }`";
        let Some(selected) = selector(spec, "selector", example)? else { return Ok(()) };
        let misses = selected.iter().find(|(key, value)| labels.get(*key) != Some(*value));
        match misses {
            None => Ok(()),
            Some((key, value)) => {
                let message = format!(
                    "spec.selector wants {key}={value}, which spec.template.metadata.labels does \
                     not have; an API server refuses this, so give both the same"
                );
                Err(spec.reader.mistake(spec.place, message))
            }
        }
    }
}

fn template_labels(template: &Fields) -> Result<Labels, Mistake> {
    let Some(metadata) = template.fields("metadata")? else { return Ok(Labels::default()) };
    let labels = metadata.labels("labels")?;
    metadata.finish(&[], &["annotations", "creationTimestamp", "name", "namespace"]);
    let pairs = labels.into_iter();
    Ok(Arc::new(
        pairs.map(|(key, value)| (Text::from(key.name.as_str()), Text::from(value))).collect(),
    ))
}
