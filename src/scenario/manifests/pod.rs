//! The Pods of a workload: where they may run, how long they take to go, what taints they bear.

use super::budget::selector;
use super::fields::{Fields, Unit};
use super::tree::{Node, Value};
use super::{Manifests, quantity};
use crate::api::Labels;
use crate::api::kinds::{Resources, TaintEffect, Toleration, VolumeSource, label, taint};
use crate::engine::{Duration, Text};
use crate::scenario::mistake::{Mistake, crop};
use crate::scenario::workloads::{CRITICAL, GRACE};
use crate::world::RunsOn;

/// What is played of a Pod.
#[derive(Debug)]
pub struct TakenPod {
    pub runs_on: RunsOn,
    pub repel_each_other: bool,
    pub grace: Duration,
    pub volume: Option<VolumeSource>,
    pub requests: Resources,
    /// That of its first container.
    pub image: Option<Text>,
    pub tolerations: Vec<Toleration>,
    pub is_critical: bool,
}

const PREFERENCE: &str = "preferences of the scheduler are left out; only what is required counts";
const NOT_READY: &str = "Pods are ready as soon as their containers run";
const MATTERS: &[(&str, &str)] = &[
    (
        "initContainers",
        "how long they take; containers start at once, as kubernetes.containerStart says",
    ),
    ("topologySpreadConstraints", "Pods are spread by required anti-affinity alone"),
    ("priorityClassName", "no Pod is preempted here"),
    ("priority", "no Pod is preempted here"),
    ("nodeName", "the scheduler chooses the Node"),
    ("schedulerName", "Pods are placed by kube-scheduler"),
    ("readinessGates", NOT_READY),
    ("schedulingGates", "Pods are scheduled at once"),
    ("activeDeadlineSeconds", "Pods run until they are deleted"),
];
const HARMLESS: &[&str] = &[
    "restartPolicy",
    "serviceAccountName",
    "serviceAccount",
    "automountServiceAccountToken",
    "securityContext",
    "imagePullSecrets",
    "dnsPolicy",
    "dnsConfig",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostUsers",
    "hostname",
    "subdomain",
    "setHostnameAsFQDN",
    "hostAliases",
    "enableServiceLinks",
    "shareProcessNamespace",
    "runtimeClassName",
    "preemptionPolicy",
    "os",
    "overhead",
];
const CONTAINER: &[&str] = &[
    "name",
    "command",
    "args",
    "workingDir",
    "ports",
    "env",
    "envFrom",
    "volumeMounts",
    "volumeDevices",
    "securityContext",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "stdin",
    "stdinOnce",
    "tty",
    "resizePolicy",
];

impl Manifests {
    /// Reads a Pod's `spec`; `key` names what is told of it.
    pub(super) fn pod(
        &mut self,
        pod: &Fields,
        key: &impl Fn(&str) -> String,
        labels: &Labels,
        replicas: u32,
    ) -> Result<TakenPod, Mistake> {
        let grace = pod.length("terminationGracePeriodSeconds", Unit::Seconds)?;
        if let Some(grace) = &grace {
            let value = grace.value.to_string();
            self.take(pod, key("terminationGracePeriodSeconds"), value, grace.place);
        }
        let critical = pod.one_of("priorityClassName", &CRITICAL);
        if let Some(class) = &critical {
            self.take(pod, key("priorityClassName"), class.value.to_owned(), class.place);
        }
        let runs_on = self.runs_on(pod, key)?;
        let repel_each_other = self.repels(pod, key, labels)?;
        let volume = self.volume(pod, key, replicas)?;
        let (requests, image) = self.containers(pod, key)?;
        let taken = TakenPod {
            runs_on,
            repel_each_other,
            grace: grace.map_or(GRACE, |grace| grace.value),
            volume,
            requests,
            image,
            tolerations: self.tolerations(pod, key)?,
            is_critical: critical.is_some(),
        };
        pod.finish(MATTERS, HARMLESS);
        Ok(taken)
    }

    fn runs_on(&mut self, pod: &Fields, key: &impl Fn(&str) -> String) -> Result<RunsOn, Mistake> {
        let mut runs_on = RunsOn::Workers;
        for (name, value) in pod.labels("nodeSelector")? {
            match name.name.as_str() {
                taint::CONTROL_PLANE => {
                    runs_on = RunsOn::ControlPlane;
                    self.take(pod, key("nodeSelector"), name.name.clone(), name.place);
                }
                "kubernetes.io/os" | "kubernetes.io/arch" => {}
                other => {
                    let message = format!(
                        "no Node here has the label {other}={value}, so these Pods would find no \
                         place; they are played on the workers"
                    );
                    pod.reader.warn(name.place, message);
                }
            }
        }
        Ok(runs_on)
    }

    /// Whether its Pods have to be on different Nodes.
    fn repels(
        &mut self,
        pod: &Fields,
        key: &impl Fn(&str) -> String,
        labels: &Labels,
    ) -> Result<bool, Mistake> {
        let Some(affinity) = pod.fields("affinity")? else { return Ok(false) };
        let mut repels = false;
        if let Some(anti) = affinity.fields("podAntiAffinity")? {
            const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
            for item in anti.list(REQUIRED)? {
                let term = pod.reader.fields(item, &anti.path_of(REQUIRED))?;
                let by_host = term.text("topologyKey")? == Some(label::HOSTNAME);
                let from = match term.get("labelSelector") {
                    None => None,
                    Some(_) => selector(&term, "labelSelector", "`labelSelector: ...`")?,
                };
                let itself = from.as_ref().is_some_and(|from| {
                    from.iter().all(|(name, value)| labels.get(name) == Some(value))
                });
                if by_host && itself {
                    repels = true;
                    let value = "one of them on each Node".to_owned();
                    self.take(pod, key("podAntiAffinity"), value, item.place);
                } else {
                    let message = format!(
                        "{} isn't modeled: only Pods that keep away from their own kind, by {}, are",
                        term.path,
                        label::HOSTNAME
                    );
                    pod.reader.warn(item.place, message);
                }
            }
            anti.finish(&[("preferredDuringSchedulingIgnoredDuringExecution", PREFERENCE)], &[]);
        }
        let nodes = "Pods run on the workers, or with a nodeSelector on the control plane";
        affinity.finish(&[("nodeAffinity", nodes), ("podAffinity", PREFERENCE)], &[]);
        Ok(repels)
    }

    fn volume(
        &mut self,
        pod: &Fields,
        key: &impl Fn(&str) -> String,
        replicas: u32,
    ) -> Result<Option<VolumeSource>, Mistake> {
        let mut found = None;
        for item in pod.list("volumes")? {
            let volume = pod.reader.fields(item, &pod.path_of("volumes"))?;
            if volume.get("ephemeral").is_some() {
                let message = "spec.template.spec.volumes: an ephemeral volume isn't modeled";
                pod.reader.warn(item.place, message);
            }
            let Some(claim) = volume.fields("persistentVolumeClaim")? else { continue };
            let name = claim.needed("claimName", "`claimName: data`")?;
            let name = pod.reader.text(name, &claim.path_of("claimName"))?;
            if replicas == 1 && found.is_none() {
                self.take(pod, key("persistentVolumeClaim"), name.to_owned(), item.place);
                found = Some(VolumeSource::Claim(Text::from(name)));
            } else {
                let message = format!(
                    "the volume {} isn't modeled: one exclusive volume of one Pod is",
                    crop(name)
                );
                pod.reader.warn(item.place, message);
            }
        }
        Ok(found)
    }

    /// What its containers ask for together, and the image of the first; a container without a word asks for
    /// nothing.
    fn containers(
        &mut self,
        pod: &Fields,
        key: &impl Fn(&str) -> String,
    ) -> Result<(Resources, Option<Text>), Mistake> {
        let containers = pod.needed("containers", "`containers: [{ name: web, image: web }]`")?;
        let mut all = Resources { cpu_millis: 0, memory_mib: 0, pods: 1 };
        let mut image = None;
        for (place, item) in
            pod.reader.list(containers, &pod.path_of("containers"))?.iter().enumerate()
        {
            let container = pod.reader.fields(item, &pod.path_of("containers"))?;
            if place == 0 {
                image = container.text("image")?.map(Text::from);
            }
            container.one_of("imagePullPolicy", &["IfNotPresent"]);
            let resources = container.fields("resources")?;
            let requests = resources.as_ref().map_or(Ok(None), |it| it.fields("requests"))?;
            // Limits are the requests where only they are written.
            let limits = resources.as_ref().map_or(Ok(None), |it| it.fields("limits"))?;
            let wanted = |name: &str| {
                let of = |fields: &Option<Fields<'_>>| {
                    fields.as_ref().and_then(|it| Some((it.path_of(name), it.get(name)?.clone())))
                };
                of(&requests).or_else(|| of(&limits))
            };
            for (name, read, sum) in [
                ("cpu", quantity::millis as fn(&str) -> Option<u64>, &mut all.cpu_millis),
                ("memory", quantity::mebibytes, &mut all.memory_mib),
            ] {
                let Some((path, node)) = wanted(name) else { continue };
                let amount = written(&node).and_then(|text| read(&text));
                *sum += amount.ok_or_else(|| {
                    let wanted = "a quantity, as 500m of cpu or 256Mi of memory";
                    pod.reader.wrong(&node, &path, wanted)
                })?;
            }
            container.finish(
                &[
                    ("readinessProbe", NOT_READY),
                    ("startupProbe", NOT_READY),
                    ("livenessProbe", "containers do not hang here"),
                    ("lifecycle", "hooks take no time; terminationGracePeriodSeconds bounds them"),
                    ("restartPolicy", NOT_READY),
                    ("image", "a Pod pulls the image of its first container alone"),
                    ("imagePullPolicy", "an image is pulled where the VM's disk lacks it"),
                ],
                CONTAINER,
            );
        }
        let Resources { cpu_millis, memory_mib, .. } = all;
        let value = format!("{cpu_millis}m of cpu, {memory_mib}Mi of memory");
        self.take(pod, key("requests"), value, containers.place);
        Ok((all, image))
    }

    fn tolerations(
        &mut self,
        pod: &Fields,
        key: &impl Fn(&str) -> String,
    ) -> Result<Vec<Toleration>, Mistake> {
        let mut all = Vec::new();
        for item in pod.list("tolerations")? {
            let one = pod.reader.fields(item, &pod.path_of("tolerations"))?;
            let name = one.text("key")?.unwrap_or_default();
            let seconds = one.length("tolerationSeconds", Unit::Seconds)?;
            let effect = match one.text("effect")? {
                None => None,
                Some("NoSchedule") => Some(TaintEffect::NoSchedule),
                Some("NoExecute") => Some(TaintEffect::NoExecute),
                // No Node here has such a taint.
                Some("PreferNoSchedule") => continue,
                Some(other) => {
                    let message = format!(
                        "`{}` is no effect of a taint; write NoSchedule or NoExecute",
                        crop(other)
                    );
                    return Err(pod.reader.mistake(item.place, message));
                }
            };
            let value = wanted_value(&one, name, item)?;
            one.finish(&[], &[]);
            let seconds = seconds.map(|seconds| seconds.value);
            let long = seconds.map_or("for ever".to_owned(), |seconds| format!("for {seconds}"));
            let what = match &value {
                _ if name.is_empty() => "every taint".to_owned(),
                Some(value) if !value.is_empty() => format!("{name}={value}"),
                _ => name.to_owned(),
            };
            self.take(pod, key("tolerations"), format!("{what} {long}"), item.place);
            all.push(Toleration { key: Text::from(name), value, effect, seconds });
        }
        Ok(all)
    }
}

/// The value that a toleration wants of its taint; nothing if it takes any. Without an operator it
/// wants the taint's value to be its own (`k/k:staging/src/k8s.io/api/core/v1/toleration.go`).
fn wanted_value(one: &Fields, key: &str, item: &Node) -> Result<Option<Text>, Mistake> {
    let value = one.text("value")?;
    let refused = |why: &str| {
        Err(one.reader.mistake(item.place, format!("{why}; an API server refuses this")))
    };
    match one.text("operator")? {
        Some("Exists") => match value.is_some_and(|value| !value.is_empty()) {
            true => refused("a toleration with `operator: Exists` takes any value, so it has none"),
            false => Ok(None),
        },
        None | Some("Equal") if key.is_empty() => {
            refused("a toleration without a key is one of every taint: write `operator: Exists`")
        }
        None | Some("Equal") => Ok(Some(Text::from(value.unwrap_or_default()))),
        Some(other) => {
            let words =
                format!("`{}` is no operator of a toleration; write Exists or Equal", crop(other));
            Err(one.reader.mistake(item.place, words))
        }
    }
}

/// A number or a text, as a text.
fn written(node: &Node) -> Option<String> {
    match &node.value {
        Value::Whole(number) => Some(number.to_string()),
        Value::Broken(text) | Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}
