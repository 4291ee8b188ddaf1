//! Simulated time as the objects of a cluster write it: RFC 3339.
//!
//! Every run begins at one fixed date, the day of the founding page's own log. Nothing reads a
//! clock.

use crate::engine::{Duration, SimTime, Skew};

/// The beginning of every run, in seconds of Unix time: 2024-09-12T14:00:00Z.
const BEGIN: i64 = 1_726_149_600;

/// How long a cluster has existed when a run begins: its first objects are that old.
pub const AGE_AT_BEGIN: Duration = Duration::from_secs(30 * 86_400);

/// A time that a clock shows; what was there at the run's beginning is as old as the cluster.
pub fn rfc3339(at: SimTime) -> String {
    let seconds = match at {
        SimTime::ZERO => created(),
        at => BEGIN.saturating_add(at.micros_from_begin().div_euclid(1_000_000)),
    };
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The microseconds of Unix time that a clock shows, be it before the run's beginning; none of them before 1970.
pub fn unix_micros(at: SimTime) -> u64 {
    let begin = BEGIN.saturating_mul(1_000_000);
    u64::try_from(begin.saturating_add(at.micros_from_begin())).unwrap_or(0)
}

/// The time that a text of `rfc3339` says; the run's beginning for the first objects' age.
pub fn from_rfc3339(text: &str) -> Option<SimTime> {
    match text.parse::<jiff::Timestamp>().ok()?.as_second() {
        seconds if seconds == created() => Some(SimTime::ZERO),
        seconds => {
            let micros = seconds.saturating_sub(BEGIN).saturating_mul(1_000_000);
            Some(Skew::from_micros(micros).shown(SimTime::ZERO))
        }
    }
}

/// When the cluster was created, in seconds of Unix time.
fn created() -> i64 {
    let age = i64::try_from(AGE_AT_BEGIN.as_secs()).expect("30 days are a number");
    BEGIN - age
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_what_was_before_the_run() {
        let back = Skew::from_micros(-3_600_000_000);
        let shown = |seconds| back.shown(SimTime::ZERO + Duration::from_secs(seconds));
        let [then, later] = [shown(300), shown(301)];
        assert_eq!(rfc3339(then), "2024-09-12T13:05:00Z");
        assert_eq!(rfc3339(later), "2024-09-12T13:05:01Z");
        assert_eq!(from_rfc3339(&rfc3339(then)), Some(then));
        for at in [SimTime::ZERO, SimTime::ZERO + Duration::from_secs(1)] {
            assert_eq!(from_rfc3339(&rfc3339(at)), Some(at));
        }
        assert_eq!(rfc3339(SimTime::ZERO), "2024-08-13T14:00:00Z");
        assert_eq!(unix_micros(then) + 3_300_000_000, unix_micros(SimTime::ZERO));
    }
}
