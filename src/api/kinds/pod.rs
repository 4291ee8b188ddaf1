//! Pod, and the template from which controllers make Pods.

use super::{Conditions, Resources, Status, Taint, TaintEffect, VolumeSource, taint};
use crate::api::Labels;
use crate::api::merge::merge_fields;
use crate::engine::{Duration, SimTime, Text};
use std::sync::Arc;

/// A Pod's `spec` and `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    pub node_name: Text,
    /// Required node affinity to the Node of this name, as a DaemonSet's Pods have; else empty.
    pub required_node: Text,
    pub template: Arc<PodTemplate>,
    pub tolerations: Arc<[Toleration]>,
    pub phase: PodPhase,
    pub conditions: Conditions,
    pub started: Option<SimTime>,
    pub pod_ip: Text,
    pub restarts: u32,
    /// When its container last ended that was started again (`lastState.terminated.finishedAt`).
    pub last_ended: Option<SimTime>,
    /// Why its container waits (`state.waiting.reason`); empty if it does not.
    pub waiting: Text,
    /// Why the whole Pod is as it is (`status.reason`), and in which words; empty if nobody says.
    pub reason: Text,
    pub message: Text,
}

/// The part of a Pod's `spec` that its controller wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodTemplate {
    pub labels: Labels,
    pub image: Text,
    pub requests: Resources,
    /// `terminationGracePeriodSeconds`.
    pub grace: Duration,
    pub node_selector: Labels,
    /// `requiredDuringSchedulingIgnoredDuringExecution` anti-affinity by hostname to these labels.
    pub anti_affinity: Option<Labels>,
    pub tolerations: Vec<Toleration>,
    /// After how long its container ends by itself, and well; a service's never does.
    pub completes_after: Option<Duration>,
    /// Its exclusive volume, if it has one.
    pub volume: Option<VolumeSource>,
    /// Its priority class is one of the system's two: no kubelet evicts it.
    pub is_critical: bool,
}

impl PodTemplate {
    /// The name of its one container, as `kubectl create deployment` gives it: the image's, without where it
    /// is, and which.
    pub fn container(&self) -> &str {
        let name = self.image.rsplit('/').next().unwrap_or_default();
        name.split([':', '@']).next().unwrap_or_default()
    }
}

/// Which taints a Pod tolerates; an empty key means every key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toleration {
    pub key: Text,
    /// The value that the taint has to have (`operator: Equal`); any if absent (`Exists`).
    pub value: Option<Text>,
    pub effect: Option<TaintEffect>,
    /// For how long a `NoExecute` taint is tolerated; for ever if absent.
    pub seconds: Option<Duration>,
}

/// Where a Pod stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodPhase {
    #[default]
    Pending,
    Running,
    Succeeded,
    Failed,
}

merge_fields!(Pod { node_name, required_node, template, tolerations, phase, started, pod_ip, restarts,
    last_ended, waiting, reason, message }
    deep { conditions });

impl PodPhase {
    /// As it is written in an object.
    pub const fn name(self) -> &'static str {
        match self {
            PodPhase::Pending => "Pending",
            PodPhase::Running => "Running",
            PodPhase::Succeeded => "Succeeded",
            PodPhase::Failed => "Failed",
        }
    }

    /// True once no container will run again.
    pub const fn is_terminal(self) -> bool {
        matches!(self, PodPhase::Succeeded | PodPhase::Failed)
    }
}

impl Pod {
    /// A Pod from a template, not bound to any Node.
    pub fn new(template: Arc<PodTemplate>) -> Pod {
        Pod {
            node_name: Text::EMPTY,
            required_node: Text::EMPTY,
            tolerations: template.tolerations.clone().into(),
            template,
            phase: PodPhase::Pending,
            conditions: Conditions::default(),
            started: None,
            pod_ip: Text::EMPTY,
            restarts: 0,
            last_ended: None,
            waiting: Text::EMPTY,
            reason: Text::EMPTY,
            message: Text::EMPTY,
        }
    }

    /// Adds what a Pod tolerates that says nothing of a Node which is not ready or not reached: both,
    /// for this long. Follows k/k: plugin/pkg/admission/defaulttolerationseconds.
    pub fn tolerate_outages(&mut self, length: Duration) {
        let mut tolerations = self.tolerations.to_vec();
        for key in [taint::NOT_READY, taint::UNREACHABLE] {
            if self.tolerates(&Taint::new(key, TaintEffect::NoExecute, None)).is_none() {
                let (key, effect) = (Text::word(key), Some(TaintEffect::NoExecute));
                tolerations.push(Toleration { key, value: None, effect, seconds: Some(length) });
            }
        }
        self.tolerations = tolerations.into();
    }

    /// True if its Ready condition is True.
    pub fn is_ready(&self) -> bool {
        self.conditions.is("Ready", Status::True)
    }

    /// The toleration that the taint is tolerated by, if there is one.
    pub fn tolerates(&self, taint: &Taint) -> Option<&Toleration> {
        self.tolerations.iter().find(|toleration| toleration.covers(taint))
    }
}

impl Toleration {
    /// True if a taint is covered.
    pub fn covers(&self, taint: &Taint) -> bool {
        (self.key.is_empty() || self.key == taint.key)
            && self.effect.is_none_or(|effect| effect == taint.effect)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
    }
}
