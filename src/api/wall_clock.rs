//! Simulated time as the objects of a cluster write it: RFC 3339.
//!
//! Every run begins at one fixed date, the day of the founding page's own log. Nothing reads a
//! clock.

use crate::engine::{Duration, SimTime};

/// The beginning of every run, in seconds of Unix time: 2024-09-12T14:00:00Z.
const BEGIN: i64 = 1_726_149_600;

/// How long a cluster has existed when a run begins: its first objects are that old.
pub const AGE_AT_BEGIN: Duration = Duration::from_secs(30 * 86_400);

/// A time of the run; what was there at its beginning is as old as the cluster.
pub fn rfc3339(at: SimTime) -> String {
    let seconds = |micros: u64| i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX / 2);
    let seconds = match at {
        SimTime::ZERO => BEGIN - seconds(AGE_AT_BEGIN.as_micros()),
        at => BEGIN.saturating_add(seconds(at.as_micros())),
    };
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The microseconds of Unix time at which something happens in a run.
pub fn unix_micros(at: SimTime) -> u64 {
    BEGIN.unsigned_abs() * 1_000_000 + at.as_micros()
}

/// The time that a text of `rfc3339` says; its beginning for what was before the run.
pub fn from_rfc3339(text: &str) -> Option<SimTime> {
    let seconds = text.parse::<jiff::Timestamp>().ok()?.as_second().saturating_sub(BEGIN);
    Some(SimTime::ZERO + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}
