//! kubeadm's JoinConfiguration, and the user data in which a new VM finds it.
//!
//! Whoever makes the VM's disk carries the text without looking into it; cloud-init on the VM reads
//! it. Follows `k/k:cmd/kubeadm/app/apis/kubeadm` and the cloud-config of Cluster API's bootstrap
//! provider.

use crate::engine::{Duration, Text};

/// How a machine joins its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinConfiguration {
    pub node_name: Text,
    /// Whether it becomes a part of the control plane (`controlPlane`).
    pub control_plane: bool,
    /// The bootstrap token, both parts.
    pub token_id: Text,
    pub token_secret: Text,
    /// The script around kubeadm that tries again; without one, a failure is final.
    pub retry: Option<RetryJoin>,
}

/// How the script of Cluster API's `useExperimentalRetryJoin` tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryJoin {
    /// How often each phase is tried.
    pub tries: u32,
    pub pause: Duration,
}

/// What stands in the configuration of a machine that joins the control plane.
const CONTROL_PLANE: &str = "    controlPlane: {}\n";
const CONFIG: &str = "/run/kubeadm/kubeadm-join-config.yaml";
const SCRIPT: &str = "/usr/local/bin/kubeadm-bootstrap-script";

impl JoinConfiguration {
    /// The text for the VM's disk.
    pub fn to_user_data(&self) -> Text {
        let JoinConfiguration { node_name, control_plane, token_id, token_secret, retry } = self;
        let control_plane = if *control_plane { CONTROL_PLANE } else { "" };
        let command = match retry {
            None => format!("kubeadm join --config {CONFIG}"),
            Some(RetryJoin { tries, pause }) => {
                format!("{SCRIPT} {CONFIG} {tries} {pause} # kubeadm join, phase by phase")
            }
        };
        Text::from(format!(
            "#cloud-config\n\
             write_files:\n\
             - path: {CONFIG}\n  \
               content: |\n    \
                 kind: JoinConfiguration\n    \
                 discovery:\n      \
                   bootstrapToken:\n        \
                     token: {token_id}.{token_secret}\n    \
                 nodeRegistration:\n      \
                   name: {node_name}\n\
             {control_plane}\
             runcmd:\n\
             - {command}\n"
        ))
    }

    /// What the text says; nothing if it names no token, as where a VM is prepared otherwise.
    pub fn from_user_data(text: &str) -> Option<JoinConfiguration> {
        let field = |name: &str| {
            let mut lines = text.lines().map(str::trim);
            lines.find_map(|line| line.strip_prefix(name)).map(str::trim)
        };
        let (token_id, token_secret) = field("token:")?.split_once('.')?;
        let retry = field(&format!("- {SCRIPT} {CONFIG}")).and_then(|arguments| {
            let mut words = arguments.split_whitespace();
            let tries = words.next()?.parse().ok()?;
            let pause = words.next()?.parse().ok()?;
            Some(RetryJoin { tries, pause })
        });
        Some(JoinConfiguration {
            node_name: Text::from(field("name:").unwrap_or_default()),
            control_plane: text.contains(CONTROL_PLANE),
            token_id: Text::from(token_id),
            token_secret: Text::from(token_secret),
            retry,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_for_a_vm_is_what_it_reads() {
        for retry in [None, Some(RetryJoin { tries: 5, pause: Duration::from_secs(15) })] {
            let join = JoinConfiguration {
                node_name: Text::word("worker-0"),
                control_plane: retry.is_some(),
                token_id: Text::word("5j3q2p"),
                token_secret: Text::word("0123456789abcdef"),
                retry,
            };
            let text = join.to_user_data();
            assert!(text.contains("5j3q2p") && text.contains("kubeadm join"), "{text}");
            assert_eq!(JoinConfiguration::from_user_data(&text), Some(join), "{text}");
        }
    }

    #[test]
    fn without_a_token_there_is_no_configuration() {
        assert_eq!(JoinConfiguration::from_user_data("kubeadm join --node-name=w"), None);
        assert_eq!(JoinConfiguration::from_user_data(""), None);
        assert_eq!(JoinConfiguration::from_user_data("token: without-a-dot"), None);
    }
}
