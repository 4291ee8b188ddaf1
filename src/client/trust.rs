//! Where a server that does not know by itself whom to trust looks it up.
//!
//! Follows `k/k:staging/src/k8s.io/apiserver/pkg/server/options/authentication.go`; what comes of an answer
//! is each program's own matter.

use crate::api::{Kind, ObjectKey};
use crate::engine::Text;

/// The ConfigMap that names the certificate authority of front proxies.
pub fn trusted_front_proxy() -> ObjectKey {
    ObjectKey {
        kind: Kind::ConfigMap,
        namespace: Text::word("kube-system"),
        name: Text::word("extension-apiserver-authentication"),
    }
}
