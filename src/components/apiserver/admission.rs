//! What validating webhooks say to a change, before it is stored.
//!
//! Only those of KubeadmControlPlane, about its size: with etcd on the same machines it is odd. Follows
//! `cluster-api:controlplane/kubeadm`, webhooks (`scale.go`, and `validateKubeadmControlPlaneSpec`).
//!
//! Simplified: the server answers for them. Really their provider is called, and nothing can be
//! written while that does not answer (`failurePolicy=fail`).

use crate::api::{ApiError, Object, Reason};

/// Why a change of the object itself is refused, if it is.
pub fn refused_update(current: &Object, new: &Object) -> Option<ApiError> {
    let replicas = changed_size(current, new)?;
    let mut causes = Vec::new();
    if replicas == 0 {
        causes.push("spec.replicas: Forbidden: cannot be less than or equal to 0");
    }
    if replicas.is_multiple_of(2) {
        causes.push("spec.replicas: Forbidden: cannot be an even number when etcd is stacked");
    }
    let all = match &causes[..] {
        [] => return None,
        [one] => (*one).to_owned(),
        _ => format!("[{}]", causes.join(", ")),
    };
    let (kind, name) = (current.key().kind, current.name());
    let words = format!("{}.{} \"{name}\" is invalid: {all}", kind.name(), kind.group());
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

/// The size that a control plane is to have, if it has another now.
fn changed_size(current: &Object, new: &Object) -> Option<u32> {
    let replicas = |object: &Object| Some(object.kubeadm_control_plane()?.replicas);
    replicas(new).filter(|wanted| replicas(current) != Some(*wanted))
}

fn denied(webhook: &str, reason: Reason, words: &str) -> ApiError {
    let name = format!("{webhook}.kubeadmcontrolplane.controlplane.cluster.x-k8s.io");
    ApiError::new(reason, format!("admission webhook \"{name}\" denied the request: {words}"))
}
