//! Times, shares and intervals as an estimate prints them.

use crate::analysis::estimate::{Cut, Figure, Pass, STATISTICS, Upper};
use crate::engine::{Duration, counted};
use crate::report::clock;

/// A tenth of a second, and an hour, in microseconds.
const TENTH: u64 = 100_000;
const HOUR: u64 = 3_600_000_000;

/// A length as it is told: rounded up, so that none is told too short.
pub fn time(length: Duration) -> String {
    begin(up(length))
}

/// The same of where something begins, or of what is the least: rounded down.
pub fn begin(length: Duration) -> String {
    let text = clock::after(down(length));
    let text = text.trim_start_matches('+');
    match text.matches(':').count() {
        0 | 1 => text.to_owned(),
        // From one hour on tenths would not fit, and say nothing.
        _ => text.split('.').next().unwrap_or_default().to_owned(),
    }
}

/// Rounded up to the tenth of a second, from one hour on to the second.
pub fn up(length: Duration) -> Duration {
    let step = if length.as_micros() > HOUR - TENTH { 10 * TENTH } else { TENTH };
    Duration::from_micros(length.as_micros().div_ceil(step) * step)
}

fn down(length: Duration) -> Duration {
    let step = if length.as_micros() < HOUR { TENTH } else { 10 * TENTH };
    Duration::from_micros(length.as_micros() / step * step)
}

/// A statistic of a figure: `≥` before the least that it can be.
pub fn statistic(figure: &Figure, percent: u64) -> String {
    let value = figure.spread.percentile(percent);
    match figure.is_at_least(percent) {
        true => format!("≥{}", begin(value)),
        false => time(value),
    }
}

/// How far an interval reaches below and above a value that is told: `-0.4+1.2`, in seconds, or in
/// minutes if these are many.
pub fn around(told: Duration, (low, high): (Duration, Duration)) -> String {
    format!("-{}+{}", short(told.saturating_sub(low)), short(high.saturating_sub(told)))
}

/// How far it reaches below a value that is open above.
pub fn open_above(told: Duration, low: Duration) -> String {
    format!("-{}+∞", short(told.saturating_sub(low)))
}

/// How far the interval of a figure's quantile reaches; nothing where the runs are too few.
pub fn reach(figure: &Figure, percent: u64) -> Option<String> {
    let value = figure.spread.percentile(percent);
    let told = if figure.is_at_least(percent) { down(value) } else { up(value) };
    match figure.interval(percent) {
        (Some(low), Upper::At(high)) => Some(around(told, (low, high))),
        (Some(low), Upper::Open) => Some(open_above(told, low)),
        _ => None,
    }
}

/// The statistics that are at least as long as they are told, by name.
pub fn at_least(figure: &Figure) -> Vec<&'static str> {
    let open = STATISTICS.into_iter().filter(|(_, percent)| figure.is_at_least(*percent));
    open.map(|(name, _)| name).collect()
}

/// In how many runs a service did not come back: `still down at the end of 3 runs`. Who is down then may
/// yet be degraded on his way back.
pub fn still(figure: &Figure) -> Option<String> {
    let state = if figure.name.figure == *"degraded" { "not whole" } else { "down" };
    let words = || format!("still {state} at the end of {}", counted(figure.open(), "run"));
    (figure.open() > 0).then(words)
}

/// Where an interruption cut it. Which numbers rest on assumed ones is told only if all is played.
pub fn partial(cut: Cut) -> String {
    match cut.pass {
        Pass::AsItIs => format!("partial: {cut}"),
        Pass::Low | Pass::High => format!("partial: {cut}; assumed is left out"),
    }
}

/// The seeds of so many runs: `seeds 1..100`.
pub fn seeds(first: u64, runs: u64) -> String {
    match runs.checked_sub(1) {
        Some(more) => format!("seeds {first}..{}", first + more),
        None => "no seed".to_owned(),
    }
}

/// A length in three letters, rounded up, so that no interval is told narrower than it is.
fn short(length: Duration) -> String {
    let tenths = length.as_micros().div_ceil(100_000);
    match tenths {
        0..100 => format!("{}.{}", tenths / 10, tenths % 10),
        100..1000 => tenths.div_ceil(10).to_string(),
        1000..60_000 => format!("{}m", tenths.div_ceil(600)),
        _ => format!("{}h", tenths.div_ceil(36_000)),
    }
}

/// A share in percent with one decimal, rounded to the nearest.
pub fn tenths(part: u64, all: u64) -> String {
    let tenths = (2000 * part + all) / (2 * all.max(1));
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The ends of an interval of shares in millionths, in percent with one decimal: rounded outward, so that no
/// interval is told narrower than it is.
pub fn ends((low, high): (u64, u64)) -> [String; 2] {
    [low / 1000, high.div_ceil(1000)].map(|tenths| format!("{}.{}", tenths / 10, tenths % 10))
}

/// Thousandths in whole percent, from a thousandfold on only that.
pub fn share_of(thousandths: u64) -> String {
    match (thousandths + 5) / 10 {
        0 if thousandths > 0 => "<1 %".to_owned(),
        percent @ 0..1000 => format!("{percent} %"),
        _ => ">999 %".to_owned(),
    }
}

/// A share between 0 and 1 with six decimals, rounded down.
pub fn share(part: u64, all: u64) -> String {
    let millionths = u128::from(part) * 1_000_000 / u128::from(all.max(1));
    fraction(u64::try_from(millionths).unwrap_or(u64::MAX))
}

/// Millionths as a number between 0 and 1.
pub fn fraction(millionths: u64) -> String {
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_length_is_told_too_short() {
        let micros = Duration::from_micros;
        let told = |length: u64| time(micros(length));
        assert_eq!(
            [0, 1, 100_000, 100_001].map(told),
            ["00:00.0", "00:00.1", "00:00.1", "00:00.2"]
        );
        assert_eq!(told(800_967_000), "13:21.0");
        let hour = 3_600_000_000;
        assert_eq!([hour - 100_000, hour - 1, hour].map(told), ["59:59.9", "1:00:00", "1:00:00"]);
        assert_eq!([hour + 1, 2 * hour].map(told), ["1:00:01", "2:00:00"]);
        assert_eq!(begin(micros(800_967_000)), "13:20.9");
    }

    #[test]
    fn an_interval_reaches_as_far_from_what_is_told_as_it_does() {
        let [low, value, high] = [9_010_000, 10_010_000, 10_190_000].map(Duration::from_micros);
        assert_eq!(time(value), "00:10.1");
        assert_eq!(around(up(value), (low, high)), "-1.1+0.1");
        assert_eq!(open_above(up(value), low), "-1.1+∞");
    }
}
