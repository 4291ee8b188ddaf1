//! Pauses between renewals of Nodes' Leases around a fault, as steps: who was pinned to what went silent, for
//! how long, and when he was back.
//!
//! Both sides come here: what the driver's watch showed, and the lines of a recording.

use super::super::recording::Recording;
use super::super::steps::{Step, Steps};
use crate::engine::Duration;
use std::collections::BTreeMap;

/// One renewal; microseconds after the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// When a watch showed it.
    pub seen: i64,
    /// The time that the Lease has, on any clock.
    pub written: i64,
}

/// The renewals of each Lease, in their order.
pub type Renewals = BTreeMap<String, Vec<Renewed>>;

/// Whoever does not renew for longer than this was pinned to what went silent.
const PINNED: i64 = 20_000_000;

/// The renewals in a recording.
///
/// # Errors
/// A Lease has a time that is none.
pub fn of_recording(recording: &Recording) -> Result<Renewals, String> {
    let mut renewals = Renewals::new();
    for row in recording.rows.iter().filter(|row| row.field == "renewTime") {
        let text = row.to.as_deref().unwrap_or_default();
        let written = micros(text).ok_or_else(|| format!("`{text}` is not a time"))?;
        let renewed = Renewed { seen: row.micros, written };
        renewals.entry(row.name.clone()).or_default().push(renewed);
    }
    Ok(renewals)
}

/// The pauses as steps. Each Lease's pause around the fault is one; so is when it was renewed again.
pub fn steps(renewals: &Renewals) -> Steps {
    let mut steps = Steps::new();
    let mut add = |role: &str, field: &str, micros: i64| {
        let step =
            Step { role: role.to_owned(), field: field.to_owned(), value: "renewed".to_owned() };
        let after = Duration::from_micros(micros.max(0).unsigned_abs());
        steps.entry(step).or_default().after.push(after);
    };
    for one in renewals.values() {
        for pair in one.windows(2) {
            let pause = pair[1].written - pair[0].written;
            let over_the_fault = pair[0].seen <= 0 && pair[1].seen > 0;
            match over_the_fault {
                true if pause > PINNED => {
                    add("Lease/$pinned", "again", pair[1].seen);
                    add("Lease/$pinned pause", "took", pause);
                }
                true => {
                    add("Lease/$other", "again", pair[1].seen);
                    add("Lease/$other pause", "took", pause);
                }
                false if pair[0].seen > 0 => add("Lease later pause", "took", pause),
                false => {}
            }
        }
    }
    steps
}

/// Microseconds of a month, of `2026-11-23T21:03:16.235214Z`.
fn micros(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let day: i64 = date.rsplit('-').next()?.parse().ok()?;
    let parts: Vec<&str> = time.split([':', '.']).collect();
    let [hours, minutes, seconds, fraction] = parts[..] else { return None };
    let of = |part: &str| part.parse::<i64>().ok();
    let seconds = (of(hours)? * 60 + of(minutes)?) * 60 + of(seconds)? + day * 86_400;
    let scale = 10_i64.pow(6_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?);
    Some(seconds * 1_000_000 + of(fraction)? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_microseconds() {
        assert_eq!(micros("2026-11-01T00:00:01.5Z"), Some(86_401_500_000));
        assert_eq!(micros("2026-11-23T21:03Z"), None);
    }
}
