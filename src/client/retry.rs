//! Requests that are sent again before whoever asked is told: after a pause that the server has asked
//! for, and reads whose connection was lost.
//!
//! Follows client-go's `rest/with_retry.go` and `rest/request.go`. Nobody sees such a failure but in the
//! words of the next. What is asked over an upgraded connection (portforward) is not asked again.

use crate::api::{ApiError, Reason, Verb};
use crate::engine::{Duration, Owner, Rule, Text};

/// When a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// How often at most.
    pub limit: u32,
    /// The pause after a connection was lost; a server that wants one says how long.
    pub pause: Duration,
    pub unanswered_pings: UnansweredPings,
}

/// What becomes of a read whose connection was given up because the server did not answer pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnansweredPings {
    /// It fails.
    Fail,
    /// It is sent again, as after a connection that was reset.
    Retry,
}

/// What has become of a request so far.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    failed: u32,
    /// The last failure without an answer.
    error: Option<Text>,
}

/// What is added to the address of a request's draws: an attempt has its own.
const AGAIN: u64 = 1 << 32;

impl Attempts {
    /// The address of the server's draws for this attempt.
    pub fn address(&self, sender: Owner) -> Owner {
        match self.failed {
            0 => sender,
            failed => sender.part(AGAIN + u64::from(failed)),
        }
    }

    /// After which pause a request that has failed is sent again, and by which rule; nothing if it has
    /// failed for good.
    pub fn next(
        &mut self,
        settings: &RetrySettings,
        verb: &Verb,
        error: &ApiError,
    ) -> Option<(Rule, Duration)> {
        if self.failed >= settings.limit || matches!(verb, Verb::Forward(_)) {
            return None;
        }
        let pause = match error.reason {
            Reason::Unreachable if is_retried(verb, &error.message, settings) => {
                ("kubernetes.clientRetryPause", settings.pause)
            }
            Reason::Unreachable => return None,
            _ => error.retry_after?,
        };
        self.failed += 1;
        if error.reason == Reason::Unreachable {
            self.error = Some(error.message.clone());
        }
        Some(pause)
    }

    /// The words of a failure for good: without an answer they tell of the one before, too.
    ///
    /// Simplified: two resets say the same here, and there differ by the client's port.
    pub fn explain(self, error: ApiError) -> ApiError {
        match self.error {
            Some(before) if error.reason == Reason::Unreachable && before != error.message => {
                ApiError::unreachable(format!("{}{BEFORE}{before}", error.message))
            }
            _ => error,
        }
    }
}

/// True if a request that was not answered is sent again: a read whose connection has ended, and a watch
/// also if it was not opened in time. Writes are not: they may have been done.
fn is_retried(verb: &Verb, failure: &str, settings: &RetrySettings) -> bool {
    let has_ended = failure == "EOF" || failure.ends_with("reset by peer");
    match verb {
        Verb::Watch(..) => has_ended || failure.contains("timeout"),
        Verb::Get(_) | Verb::List(..) | Verb::Paths => {
            let retries_lost = settings.unanswered_pings == UnansweredPings::Retry;
            has_ended || (retries_lost && failure.ends_with("client connection lost"))
        }
        _ => false,
    }
}

/// Between the words of the last failure and of the one before.
pub const BEFORE: &str = " - error from a previous attempt: ";
