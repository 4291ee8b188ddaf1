//! The distances between Lease renewals, from a recording of healthy nodes.
//!
//! Two clocks tell them: the one that the kubelet wrote into the Lease, and the observer's, which
//! saw the write arrive. Simulated distances are made elsewhere; here they are only compared.

use super::recording::{Recording, Row};
use super::statistics::{KolmogorovSmirnov, ks_two_samples};
use crate::engine::Duration;
use std::collections::BTreeMap;

/// Distances by the text of `renewTime`: what the kubelet meant.
pub fn written_intervals(recording: &Recording) -> Vec<Duration> {
    intervals(recording, |row| parse_micro_time(row.to.as_deref()?))
}

/// Distances by the observer's clock: what a watch saw.
pub fn observed_intervals(recording: &Recording) -> Vec<Duration> {
    intervals(recording, |row| Some(row.micros))
}

/// The two-sample test of recorded and simulated distances; `None` if a side is empty.
pub fn compare(recorded: &[Duration], simulated: &[Duration]) -> Option<KolmogorovSmirnov> {
    let micros = |side: &[Duration]| side.iter().map(|x| x.as_micros()).collect::<Vec<_>>();
    ks_two_samples(&micros(recorded), &micros(simulated))
}

/// Microseconds since 1970 of a time such as `2026-11-23T19:40:11.432316Z`.
pub fn parse_micro_time(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = three_numbers(date, '-')?;
    let [hour, minute, second] = three_numbers(time, ':')?;
    if fraction.len() > 6 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1_000_000 + micros)
}

/// Distances between successive renewals of each Lease, of those that the watch saw happen.
fn intervals(recording: &Recording, when: impl Fn(&Row) -> Option<i64>) -> Vec<Duration> {
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    let mut intervals = Vec::new();
    // The state at the recording's beginning was read, not seen to happen: it begins no distance.
    let renewals = recording.rows.iter().filter(|row| row.field == "renewTime");
    for row in renewals.filter(|row| row.from.is_some()) {
        let Some(now) = when(row) else { continue };
        if let Some(before) = last.insert(&row.name, now) {
            let micros = u64::try_from(now - before).unwrap_or(0);
            intervals.push(Duration::from_micros(micros));
        }
    }
    intervals
}

fn three_numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let numbers: Option<Vec<i64>> = text.split(between).map(|part| part.parse().ok()).collect();
    numbers?.try_into().ok()
}

/// Days of the Gregorian calendar, counted in years that begin in March: then the leap day is a
/// year's last day and the months before it have fixed lengths.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    // 31, 30, 31, 30, 31 days again and again: 153 in five months.
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719,468 days lie between the first of March of year 0 and 1970.
    days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_microsecond() {
        assert_eq!(parse_micro_time("1970-01-01T00:00:00Z"), Some(0));
        // `date -u -d 2000-02-29T12:00:00Z +%s` prints 951825600.
        assert_eq!(parse_micro_time("2000-02-29T12:00:00.5Z"), Some(951_825_600_500_000));
        let next_year = parse_micro_time("2027-01-01T00:00:00.000001Z").unwrap();
        assert_eq!(next_year - parse_micro_time("2026-12-31T23:59:59Z").unwrap(), 1_000_001);
        for wrong in ["", "2026-11-23", "2026-13-01T00:00:00Z", "2026-11-23T19:40Z"] {
            assert_eq!(parse_micro_time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn distances_are_taken_per_lease() {
        let line = |t: &str, name: &str, from: &str, to: &str| {
            format!(
                "{{\"t\":{t},\"object\":\"Lease/{name}\",\"field\":\"renewTime\",\
                 \"from\":{from},\"to\":\"2026-11-23T19:40:{to}Z\"}}\n"
            )
        };
        let text = "{\"header\":true}\n".to_owned()
            + &line("0", "a", "null", "01.0")
            + &line("10", "a", "1", "11.1")
            + &line("12", "b", "1", "12.0")
            + &line("20.5", "a", "1", "21.3");
        let recording = Recording::read(&text).unwrap();
        assert_eq!(observed_intervals(&recording), [Duration::from_millis(10_500)]);
        assert_eq!(written_intervals(&recording), [Duration::from_millis(10_200)]);
    }
}
