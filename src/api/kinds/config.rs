//! What is configured: Secret, ConfigMap, and Cluster API's KubeadmConfig.

use super::Conditions;
use crate::api::merge::{Merge, merge_fields};
use crate::engine::{Owner, SimTime, Text};
use std::collections::BTreeMap;

/// A Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secret {
    /// `type`, for example `bootstrap.kubernetes.io/token`.
    pub kind: Text,
    /// Plain, not in base64.
    pub data: BTreeMap<Text, Text>,
    /// The keys of `data` that make a bootstrap token, in their own types.
    pub token: Option<BootstrapToken>,
}

/// A bootstrap token: lets a new machine trust the cluster, and be trusted by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapToken {
    /// The public part, six characters.
    pub id: Text,
    /// The part that signs.
    pub secret: Text,
    /// Never, if there is none. RFC 3339 has whole seconds.
    pub expiration: Option<SimTime>,
    pub usages: Vec<TokenUsage>,
}

/// What a bootstrap token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUsage {
    /// Its signature stands in `cluster-info` (`usage-bootstrap-signing`).
    Signing,
    /// Its bearer may ask for a certificate (`usage-bootstrap-authentication`).
    Authentication,
}

/// A ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigMap {
    pub data: BTreeMap<Text, Text>,
}

/// Cluster API's KubeadmConfig: how one Machine becomes a Node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubeadmConfig {
    pub ready: bool,
    /// The Secret with the Machine's user data; empty until it is written, and never changed.
    pub data_secret_name: Text,
    /// `spec.joinConfiguration.discovery.bootstrapToken.token`, once there is one.
    pub token: Text,
    pub conditions: Conditions,
}

merge_fields!(Secret { kind, token } deep { data });
merge_fields!(ConfigMap {} deep { data });
merge_fields!(KubeadmConfig { ready, data_secret_name, token } whole { conditions });

/// Maps merge by key.
impl Merge for BTreeMap<Text, Text> {
    fn merge(&mut self, base: &BTreeMap<Text, Text>, changed: &BTreeMap<Text, Text>) {
        self.retain(|key, _| !base.contains_key(key) || changed.contains_key(key));
        for (key, value) in changed {
            if base.get(key) != Some(value) {
                self.insert(key.clone(), value.clone());
            }
        }
    }
}

impl Secret {
    /// The type of a bootstrap token's Secret.
    pub const TOKEN: Text = Text::word("bootstrap.kubernetes.io/token");
    /// Where tokens live.
    pub const TOKEN_NAMESPACE: Text = Text::word("kube-system");
    /// The type of Cluster API's own Secrets.
    pub const CLUSTER_API: Text = Text::word("cluster.x-k8s.io/secret");
    /// The key of a Machine's user data.
    pub const USER_DATA: &str = "value";

    /// The Secret of a bootstrap token.
    pub fn of_token(token: BootstrapToken) -> Secret {
        Secret { kind: Secret::TOKEN, data: BTreeMap::new(), token: Some(token) }
    }

    /// The Secret with a Machine's user data.
    pub fn of_user_data(user_data: impl Into<Text>) -> Secret {
        let data = BTreeMap::from([
            (Text::word(Secret::USER_DATA), user_data.into()),
            (Text::word("format"), Text::word("cloud-config")),
        ]);
        Secret { kind: Secret::CLUSTER_API, data, token: None }
    }

    /// A Machine's user data, if this is such a Secret.
    pub fn user_data(&self) -> Option<&Text> {
        self.data.get(Secret::USER_DATA)
    }
}

impl BootstrapToken {
    /// The name of its Secret.
    pub fn secret_name(&self) -> Text {
        Text::from(format!("bootstrap-token-{}", self.id))
    }

    /// True from its expiration on; one that has none lives for ever.
    pub fn is_expired(&self, now: SimTime) -> bool {
        self.expiration.is_some_and(|expiration| expiration <= now)
    }

    /// True if it may be used for this.
    pub fn serves_for(&self, usage: TokenUsage) -> bool {
        self.usages.contains(&usage)
    }
}

impl ConfigMap {
    /// The name of the one that joining machines ask for, and its namespace.
    pub const CLUSTER_INFO: Text = Text::word("cluster-info");
    /// What everybody may read, unknown machines too.
    pub const CLUSTER_INFO_NAMESPACE: Text = Text::word("kube-public");

    /// What begins the keys of its signatures, before a token's id.
    pub const SIGNATURE: &str = "jws-kubeconfig-";

    /// The signature of a token over the cluster's kubeconfig.
    pub fn signature_of(&self, token_id: &str) -> Option<&Text> {
        self.data.get(format!("{}{token_id}", ConfigMap::SIGNATURE).as_str())
    }

    /// What a token's secret makes of the kubeconfig in it.
    ///
    /// Simplified: a hash with the secret in it, not a detached JWS; equal for equal secrets is all
    /// that anybody asks of it.
    pub fn sign(&self, secret: &str) -> Text {
        let kubeconfig = self.data.get("kubeconfig").cloned().unwrap_or_default();
        Text::from(format!("{:016x}", Owner::named(&format!("{secret}\n{kubeconfig}")).number()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Duration;

    fn token() -> BootstrapToken {
        BootstrapToken {
            id: Text::word("5j3q2p"),
            secret: Text::word("0123456789abcdef"),
            expiration: Some(SimTime::ZERO + Duration::from_secs(900)),
            usages: vec![TokenUsage::Signing],
        }
    }

    #[test]
    fn a_token_is_dead_from_its_expiration_on() {
        let second = |seconds| SimTime::ZERO + Duration::from_secs(seconds);
        assert!(!token().is_expired(second(899)));
        assert!(token().is_expired(second(900)), "nothing is left of it at that instant");
        let for_ever = BootstrapToken { expiration: None, ..token() };
        assert!(!for_ever.is_expired(second(1_000_000)));
    }

    #[test]
    fn a_signature_is_good_for_its_own_secret_only() {
        let mut info = ConfigMap::default();
        info.data.insert(Text::word("kubeconfig"), Text::word("server: https://10.0.0.1:6443"));
        assert_eq!(info.sign("a"), info.sign("a"));
        assert_ne!(info.sign("a"), info.sign("b"));
    }

    #[test]
    fn two_writers_of_different_keys_do_not_undo_each_other() {
        let map = |keys: &[&'static str]| -> BTreeMap<Text, Text> {
            keys.iter().map(|key| (Text::word(key), Text::EMPTY)).collect()
        };
        let mut stored = map(&["kubeconfig", "jws-kubeconfig-aaaaaa", "from-another"]);
        let base = map(&["kubeconfig", "jws-kubeconfig-aaaaaa"]);
        Merge::merge(&mut stored, &base, &map(&["kubeconfig", "jws-kubeconfig-bbbbbb"]));
        assert_eq!(stored, map(&["kubeconfig", "jws-kubeconfig-bbbbbb", "from-another"]));
    }
}
