//! What validating webhooks say to a change, before it is stored.
//!
//! Only those of KubeadmControlPlane, about its size, its version and how it is rolled out. Follows
//! `cluster-api:controlplane/kubeadm`, webhooks (`scale.go`; `validateKubeadmControlPlaneSpec`,
//! `validateRolloutStrategy` and `validateVersion`). The one over the object looks at all of it, at
//! every change of its metadata or spec; the one over `scale` only at the size.
//!
//! Simplified: the server answers for them. Really their provider is called, and nothing can be
//! written while that does not answer (`failurePolicy=fail`). Nobody moves to v1.19.0, or back to a
//! release before v1.25, which older releases of Cluster API refuse too.

use crate::api::kinds::{KubeadmControlPlane, Version};
use crate::api::{ApiError, Object, Reason};

/// Why a change of the object itself is refused, if it is.
pub fn refused_update(current: &Object, new: &Object) -> Option<ApiError> {
    let (before, after) = (current.kubeadm_control_plane()?, new.kubeadm_control_plane()?);
    if !is_asked(current, new) {
        return None;
    }
    let mut causes = wrong_spec(after);
    causes.extend(wrong_step(&before.version, &after.version));
    let all = match &causes[..] {
        [] => return None,
        [one] => one.clone(),
        _ => format!("[{}]", causes.join(", ")),
    };
    let kind = current.key().kind.name();
    // It names the group of Cluster API's core, not its own.
    let words = format!("{kind}.cluster.x-k8s.io \"{}\" is invalid: {all}", current.name());
    Some(denied("validation", Reason::Invalid, &words).caused_by(causes.join("\n")))
}

/// Why another size, asked of the subresource `scale`, is refused, if it is.
pub fn refused_scale(current: &Object, new: &Object) -> Option<ApiError> {
    let words = match changed_size(current, new)? {
        0 => "replicas cannot be 0",
        even if even.is_multiple_of(2) => "replicas cannot be an even number when etcd is stacked",
        _ => return None,
    };
    Some(denied("validation-scale", Reason::Forbidden, words))
}

/// The webhook does not hear of `status`, which is a subresource.
fn is_asked(current: &Object, new: &Object) -> bool {
    let meta = |object: &Object| {
        let meta = &object.meta;
        let (labels, annotations) = (meta.labels.clone(), meta.annotations.clone());
        (labels, annotations, meta.owners.clone(), meta.finalizers.clone())
    };
    let spec = |object: &Object| {
        let body = object.kubeadm_control_plane()?;
        let (version, template) = (body.version.clone(), body.template.clone());
        Some((body.replicas, version, template, body.max_surge, body.remediation))
    };
    meta(current) != meta(new) || spec(current) != spec(new)
}

fn wrong_spec(spec: &KubeadmControlPlane) -> Vec<String> {
    let KubeadmControlPlane { replicas, version, max_surge, .. } = spec;
    let mut causes = Vec::new();
    if *replicas == 0 {
        causes.push("spec.replicas: Forbidden: cannot be less than or equal to 0".to_owned());
    }
    if replicas.is_multiple_of(2) {
        let even = "spec.replicas: Forbidden: cannot be an even number when etcd is stacked";
        causes.push(even.to_owned());
    }
    if !Version::is_semantic(version) {
        causes.push(format!(
            "spec.version: Invalid value: \"{version}\": must be a valid semantic version"
        ));
    }
    // Only the newer contract counts these.
    let strategy = match spec.up_to_date_replicas {
        Some(_) => "rollout.strategy",
        None => "rolloutStrategy",
    };
    if *max_surge == 0 && *replicas < 3 {
        causes.push(format!(
            "spec.{strategy}.rollingUpdate: Required value: when KubeadmControlPlane is configured \
             to scale-in, replica count needs to be at least 3"
        ));
    }
    if *max_surge > 1 {
        causes.push(format!(
            "spec.{strategy}.rollingUpdate.maxSurge: Required value: value must be 1 or 0"
        ));
    }
    causes
}

/// Why a control plane cannot go from one version to another: it skips a minor version. Back it may
/// go as far as it likes.
fn wrong_step(before: &str, after: &str) -> Option<String> {
    let skips = Version::of(after)?.skips_a_minor_after(&Version::of(before)?);
    skips.then(|| {
        format!(
            "spec.version: Forbidden: cannot update Kubernetes version from {before} to {after}"
        )
    })
}

/// The size that a control plane is to have, if it has another now.
fn changed_size(current: &Object, new: &Object) -> Option<u32> {
    let replicas = |object: &Object| Some(object.kubeadm_control_plane()?.replicas);
    replicas(new).filter(|wanted| replicas(current) != Some(*wanted))
}

fn denied(webhook: &str, reason: Reason, words: &str) -> ApiError {
    let name = format!("{webhook}.kubeadmcontrolplane.controlplane.cluster.x-k8s.io");
    ApiError::new(reason, format!("admission webhook \"{name}\" denied the request: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Kind, Meta};
    use crate::engine::Text;

    fn plane(replicas: u32, version: &str, max_surge: u32) -> Object {
        let version = Text::from(version);
        let body = KubeadmControlPlane { replicas, version, max_surge, ..Default::default() };
        Object::new(Meta::new(Kind::KubeadmControlPlane, "default", "p"), body)
    }

    /// What is wrong, a line each.
    fn causes(current: &Object, new: &Object) -> String {
        refused_update(current, new).map_or(String::new(), |error| error.cause.to_string())
    }

    #[test]
    fn a_control_plane_skips_no_minor_version_forwards() {
        let to = |to: &str| causes(&plane(3, "v1.28.8", 1), &plane(3, to, 1));
        for fine in ["v1.28.8", "v1.28.9", "v1.29.0", "v1.29.14+vmware.1", "v1.27.1", "v1.20.0"] {
            assert_eq!(to(fine), "", "{fine}");
        }
        for far in ["v1.30.0", "v1.30.0-rc.1", "v1.31.2+vmware.1", "v2.0.0"] {
            let cannot =
                "spec.version: Forbidden: cannot update Kubernetes version from v1.28.8 to";
            assert_eq!(to(far), format!("{cannot} {far}"));
        }
        for wrong in ["v", "v1", "v1.29", "v01.29.0", "v1.29.x", "v1.29.0 ", "1.29.0"] {
            let invalid = "must be a valid semantic version";
            let value = format!("spec.version: Invalid value: \"{wrong}\": {invalid}");
            assert_eq!(to(wrong), value);
        }
        let message = refused_update(&plane(3, "v1.28.8", 1), &plane(3, "v1.30.0", 1));
        let message = message.expect("refused").message;
        assert!(
            message.contains("KubeadmControlPlane.cluster.x-k8s.io \"p\" is invalid: spec.version"),
            "{message}"
        );
    }

    #[test]
    fn who_deletes_before_creating_has_three_machines() {
        let version = "v1.28.8";
        let from =
            |replicas, surge| causes(&plane(3, version, 1), &plane(replicas, version, surge));
        let few = "when KubeadmControlPlane is configured to scale-in, replica count needs to be at \
                   least 3";
        let few = format!("spec.rolloutStrategy.rollingUpdate: Required value: {few}");
        assert_eq!(from(1, 0), few);
        assert_eq!([from(3, 0), from(5, 0), from(1, 1)], ["", "", ""]);
        let many = "spec.rolloutStrategy.rollingUpdate.maxSurge: Required value";
        assert_eq!(from(1, 2), format!("{many}: value must be 1 or 0"));
        // The newer contract has another name for it.
        let mut newer = plane(1, version, 0);
        newer.kubeadm_control_plane_mut().expect("one").up_to_date_replicas = Some(1);
        let renamed = few.replace("rolloutStrategy", "rollout.strategy");
        assert_eq!(causes(&plane(3, version, 1), &newer), renamed);
    }

    /// `scale` asks about the size only, so what it leaves behind stops the next change.
    #[test]
    fn what_is_wrong_stops_every_change_but_that_of_the_status() {
        let current = plane(1, "v1.28.8", 0);
        let before = plane(3, "v1.28.8", 0);
        assert!(refused_scale(&before, &current).is_none());
        let mut status = current.clone();
        status.kubeadm_control_plane_mut().expect("one").ready_replicas = 1;
        assert_eq!(causes(&current, &status), "");
        let upgraded = plane(1, "v1.29.0", 0);
        assert!(causes(&current, &upgraded).contains("at least 3"));
    }
}
