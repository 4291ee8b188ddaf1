//! What an API server answers when it does not do what was asked: `metav1.Status`.

use super::{ObjectKey, Revision};
use crate::engine::{Duration, Rule, Text};
use std::fmt;

/// A refusal, with the words that a client would print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub reason: Reason,
    pub message: Text,
    /// What `details.causes` adds to the message; empty if there is nothing to add.
    pub cause: Text,
    /// `Retry-After`: for how long the client is to wait before it asks again, and which rule says so.
    pub retry_after: Option<(Rule, Duration)>,
}

/// The machine-readable reasons in use, spelled as in `metav1.StatusReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    NotFound,
    AlreadyExists,
    Conflict,
    /// The watch's revision is older than what the server still has (HTTP 410).
    Expired,
    TooManyRequests,
    /// Somebody who is asked before a change does not want it (HTTP 403).
    Forbidden,
    /// What is wanted cannot be (HTTP 422).
    Invalid,
    /// The request's own deadline passed (HTTP 504).
    Timeout,
    /// The server cannot serve at all (HTTP 500).
    InternalError,
    /// An error that the server only hands on (HTTP 500, no reason), for example etcd's.
    Unknown,
    /// No answer came: the client gave up, or the connection was refused or broke.
    Unreachable,
}

impl Reason {
    /// As `metav1.StatusReason` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::NotFound => "NotFound",
            Reason::AlreadyExists => "AlreadyExists",
            Reason::Conflict => "Conflict",
            Reason::Expired => "Expired",
            Reason::TooManyRequests => "TooManyRequests",
            Reason::Forbidden => "Forbidden",
            Reason::Invalid => "Invalid",
            Reason::Timeout => "Timeout",
            Reason::InternalError => "InternalError",
            Reason::Unknown => "",
            Reason::Unreachable => "Unreachable",
        }
    }

    /// The status of the HTTP answer; 0 if there is none.
    pub const fn http_status(self) -> u16 {
        match self {
            Reason::NotFound => 404,
            Reason::AlreadyExists | Reason::Conflict => 409,
            Reason::Expired => 410,
            Reason::TooManyRequests => 429,
            Reason::Forbidden => 403,
            Reason::Invalid => 422,
            Reason::Timeout => 504,
            Reason::InternalError | Reason::Unknown => 500,
            Reason::Unreachable => 0,
        }
    }
}

impl ApiError {
    /// A refusal with a reason and its words.
    pub fn new(reason: Reason, message: impl Into<Text>) -> ApiError {
        ApiError { reason, message: message.into(), cause: Text::EMPTY, retry_after: None }
    }

    /// The same refusal with a time after which it is to be asked again.
    pub fn retry_after(mut self, rule: Rule, pause: Duration) -> ApiError {
        self.retry_after = Some((rule, pause));
        self
    }

    /// The same refusal with a cause.
    pub fn caused_by(mut self, cause: impl Into<Text>) -> ApiError {
        self.cause = cause.into();
        self
    }

    /// The object does not exist.
    pub fn not_found(key: &ObjectKey) -> ApiError {
        let message = format!("{} \"{}\" not found", key.kind.qualified_resource(), key.name);
        ApiError::new(Reason::NotFound, message)
    }

    /// An object of this name exists.
    pub fn already_exists(key: &ObjectKey) -> ApiError {
        let message = format!("{} \"{}\" already exists", key.kind.qualified_resource(), key.name);
        ApiError::new(Reason::AlreadyExists, message)
    }

    /// The object was written since the client read it.
    pub fn conflict(key: &ObjectKey) -> ApiError {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{}\": the object has been modified; \
             please apply your changes to the latest version and try again",
            key.kind.qualified_resource(),
            key.name
        );
        ApiError::new(Reason::Conflict, message)
    }

    /// The history behind `asked` is gone.
    pub fn expired(asked: Revision, oldest: Revision) -> ApiError {
        let message = format!("too old resource version: {} ({})", asked.0, oldest.0);
        ApiError::new(Reason::Expired, message)
    }

    /// The server has ended a stream without saying why.
    pub fn ended() -> ApiError {
        ApiError::new(Reason::Unreachable, "EOF")
    }

    /// No answer came.
    pub fn unreachable(message: impl Into<Text>) -> ApiError {
        ApiError::new(Reason::Unreachable, message)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    #[test]
    fn a_resource_is_named_with_its_group_unless_that_is_the_core_group() {
        let key = |kind| ObjectKey { kind, namespace: Text::EMPTY, name: Text::word("w") };
        let said = |error: ApiError| error.message.to_string();
        let (node, deployment) = (key(Kind::Node), key(Kind::Deployment));
        assert_eq!(said(ApiError::not_found(&node)), "nodes \"w\" not found");
        assert_eq!(said(ApiError::not_found(&deployment)), "deployments.apps \"w\" not found");
        let machine = ApiError::already_exists(&key(Kind::Machine));
        assert_eq!(said(machine), "machines.cluster.x-k8s.io \"w\" already exists");
        let lease = said(ApiError::conflict(&key(Kind::Lease)));
        let words = "Operation cannot be fulfilled on leases.coordination.k8s.io \"w\": the object";
        assert!(lease.starts_with(words), "{lease}");
    }
}
