//! Cluster API's KubeadmControlPlane: the Machines that serve the API, and how they are replaced.

use super::{Conditions, MachineSpec};
use crate::api::merge::merge_fields;
use crate::api::{from_rfc3339, rfc3339};
use crate::engine::{Duration, SimTime, Text};

/// A KubeadmControlPlane. Counts that only one of the contracts has are absent under the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubeadmControlPlane {
    pub replicas: u32,
    pub version: Text,
    /// What new Machines are made from.
    pub template: MachineSpec,
    /// `rolloutStrategy.rollingUpdate.maxSurge`: 1, or 0 to delete before creating.
    pub max_surge: u32,
    pub remediation: RemediationStrategy,
    pub initialized: bool,
    /// v1beta1: some Machine's API server answers.
    pub ready: bool,
    /// `status.versions[0]`, and `status.version`: the lowest among its Machines; empty before the
    /// first of them.
    pub lowest_version: Text,
    pub status_replicas: u32,
    pub ready_replicas: u32,
    /// v1beta1.
    pub updated_replicas: Option<u32>,
    /// v1beta1.
    pub unavailable_replicas: Option<u32>,
    /// v1beta2.
    pub up_to_date_replicas: Option<u32>,
    /// v1beta2.
    pub available_replicas: Option<u32>,
    pub last_remediation: Option<LastRemediation>,
    pub conditions: Conditions,
}

/// How often a Machine is replaced, and how soon again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemediationStrategy {
    /// Nothing means: without limit.
    pub max_retry: Option<u32>,
    /// Between two remediations of one sequence.
    pub retry_period: Duration,
    /// A Machine that fails later than this after the last remediation begins a new sequence.
    pub min_healthy_period: Duration,
}

/// What stands in the annotations `remediation-in-progress` and `remediation-for`, and in
/// `status.lastRemediation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRemediation {
    /// The Machine that was removed.
    pub machine: Text,
    /// RFC 3339 has whole seconds.
    pub at: SimTime,
    pub retry_count: u32,
}

merge_fields!(KubeadmControlPlane {
    replicas,
    version,
    template,
    max_surge,
    remediation,
    initialized,
    ready,
    lowest_version,
    status_replicas,
    ready_replicas,
    updated_replicas,
    unavailable_replicas,
    up_to_date_replicas,
    available_replicas,
    last_remediation,
} deep { conditions });

impl KubeadmControlPlane {
    /// The annotation of a control plane of which a Machine is being replaced.
    pub const IN_PROGRESS: &str = "controlplane.cluster.x-k8s.io/remediation-in-progress";
    /// The annotation of a Machine that replaces another.
    pub const REMEDIATION_FOR: &str = "controlplane.cluster.x-k8s.io/remediation-for";
    /// Holds it until its Machines are gone.
    pub const FINALIZER: Text = Text::word("kubeadm.controlplane.cluster.x-k8s.io");
    /// The label of its Machines.
    pub const LABEL: &str = "cluster.x-k8s.io/control-plane";
    /// Its hook on each of its Machines: nobody ends one before its etcd member has gone.
    pub const HOOK: &str = "pre-terminate.delete.hook.machine.cluster.x-k8s.io/kcp-cleanup";
}

impl Default for RemediationStrategy {
    fn default() -> RemediationStrategy {
        let min_healthy_period = Duration::from_secs(3600);
        RemediationStrategy { max_retry: None, retry_period: Duration::ZERO, min_healthy_period }
    }
}

impl LastRemediation {
    /// As the annotations have it.
    pub fn to_annotation(&self) -> Text {
        let LastRemediation { machine, at, retry_count } = self;
        let at = rfc3339(*at);
        Text::from(format!(
            "{{\"machine\":\"{machine}\",\"timestamp\":\"{at}\",\"retryCount\":{retry_count}}}"
        ))
    }

    /// What an annotation says; nothing if a person has written something else into it.
    pub fn from_annotation(text: &str) -> Option<LastRemediation> {
        let field = |name: &str| {
            let rest = text.split_once(&format!("\"{name}\":"))?.1;
            let end = rest.find([',', '}'])?;
            // A time has no comma in it, and a name neither.
            Some(rest[..end].trim().trim_matches('"'))
        };
        Some(LastRemediation {
            machine: Text::from(field("machine")?),
            at: from_rfc3339(field("timestamp")?)?,
            retry_count: field("retryCount")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_annotation_says_is_read_back() {
        let at = SimTime::ZERO + Duration::from_millis(310_855);
        let said = LastRemediation { machine: Text::word("control-plane-1"), at, retry_count: 2 };
        let text = said.to_annotation();
        assert_eq!(
            text,
            *"{\"machine\":\"control-plane-1\",\"timestamp\":\"2024-09-12T14:05:10Z\",\"retryCount\":2}"
        );
        let read = LastRemediation::from_annotation(&text).expect("its own words");
        assert_eq!(read, LastRemediation { at: at.to_whole_seconds(), ..said });
    }

    #[test]
    fn what_a_person_wrote_into_it_is_no_remediation() {
        for text in ["", "{}", "yes", "{\"machine\":\"a\",\"timestamp\":\"now\",\"retryCount\":0}"]
        {
            assert_eq!(LastRemediation::from_annotation(text), None, "{text}");
        }
    }
}
