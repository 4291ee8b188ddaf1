//! Where the ticks of an axis stand, and what is written there.

use crate::engine::Duration;

/// Steps that people count in, in milliseconds.
const STEPS: [u64; 25] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000,
    120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000,
];
/// More would run into one another.
const MOST_TICKS: u64 = 7;

/// The step and the ticks between two lengths.
pub fn ticks(low: Duration, high: Duration) -> (Duration, Vec<Duration>) {
    let span = high.saturating_sub(low).as_micros();
    let fits = |step: &&u64| span / (*step * 1000) < MOST_TICKS;
    let step = STEPS.iter().find(fits).unwrap_or(&STEPS[STEPS.len() - 1]) * 1000;
    let first = low.as_micros().div_ceil(step);
    let last = high.as_micros() / step;
    let ticks = (first..=last).map(|count| Duration::from_micros(count * step));
    (Duration::from_micros(step), ticks.collect())
}

/// What stands at a tick: minutes and seconds, or seconds with decimals where a step is less.
pub fn label(tick: Duration, step: Duration) -> String {
    let (millis, seconds) = (tick.as_micros() / 1000, tick.as_secs());
    if step < Duration::from_secs(1) {
        let text = format!("{}.{:03}", millis / 1000, millis % 1000);
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds % 3600 / 60, seconds % 60),
    }
}

/// In what the labels up to a length are written.
pub fn unit(high: Duration, step: Duration) -> &'static str {
    match (step < Duration::from_secs(1), high < Duration::from_secs(3600)) {
        (true, _) => "seconds",
        (false, true) => "min:s",
        (false, false) => "min:s, from 1 h on h:min:s",
    }
}

/// The end of an axis of thousandths that has room for the largest of them.
pub fn ceiling(largest: u64) -> u64 {
    let ends = [4, 8, 12, 20, 40, 60, 80, 100, 120, 160, 200, 240, 320, 400, 600, 800];
    ends.into_iter().find(|end| *end >= largest).unwrap_or(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round_and_lie_within() {
        let between = |low: u64, high: u64| {
            let (step, ticks) = ticks(Duration::from_millis(low), Duration::from_millis(high));
            ticks.into_iter().map(|tick| label(tick, step)).collect::<Vec<_>>()
        };
        assert_eq!(between(29_000, 47_000), ["0:30", "0:35", "0:40", "0:45"]);
        assert_eq!(
            between(600_000, 900_000),
            ["10:00", "11:00", "12:00", "13:00", "14:00", "15:00"]
        );
        assert_eq!(between(0, 1_000), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(between(7_100_000, 7_340_000), ["1:59:00", "2:00:00", "2:01:00", "2:02:00"]);
        assert!(between(0, 604_800_000).len() <= 8);
    }

    #[test]
    fn an_axis_has_room_for_everything_and_quarters_that_can_be_written() {
        for largest in [0, 1, 4, 5, 99, 333, 801, 1000] {
            assert!(ceiling(largest) >= largest && ceiling(largest).is_multiple_of(4));
        }
    }
}
