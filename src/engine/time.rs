//! Simulated time: a point and a length, both whole microseconds.
//!
//! Microseconds are the finest unit that Kubernetes itself writes (`MicroTime`) and are exact in
//! JavaScript. Durations are read and printed as Go does it (`1h2m3s`, `300ms`). This file does not
//! know the wall clock.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};
use std::str::FromStr;

/// A point on the simulated clock: whole microseconds since the run began. Nothing happens before that;
/// only a wall clock that was set back shows what was before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(i64);

/// A length of simulated time in whole microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotADuration {
    text: String,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Malformed,
    TooLong,
}

impl SimTime {
    /// The beginning of a run.
    pub const ZERO: SimTime = SimTime(0);

    /// The point `micros` microseconds after the beginning.
    pub const fn from_micros(micros: u64) -> SimTime {
        assert!(micros <= i64::MAX.cast_unsigned(), "simulated clock overflow");
        SimTime(micros.cast_signed())
    }

    /// Microseconds since the run began, for a time of the run.
    pub const fn as_micros(self) -> u64 {
        assert!(self.0 >= 0, "nothing happens before a run begins");
        self.0.cast_unsigned()
    }

    /// Microseconds from the run's beginning to what a wall clock shows; negative before it.
    pub const fn micros_from_begin(self) -> i64 {
        self.0
    }

    /// The length from `earlier` to this point; nothing if `earlier` lies after it.
    pub const fn since(self, earlier: SimTime) -> Duration {
        let length = self.0.saturating_sub(earlier.0);
        if length > 0 { Duration(length.cast_unsigned()) } else { Duration::ZERO }
    }

    /// Rounded down to whole seconds, as Kubernetes writes `metav1.Time`.
    pub const fn to_whole_seconds(self) -> SimTime {
        SimTime(self.0 - self.0.rem_euclid(1_000_000))
    }

    /// Seconds since the run began with six decimals, as it stands in a timeline entry.
    pub fn seconds_text(self) -> String {
        let mut text = Vec::new();
        self.write_seconds(&mut text);
        String::from_utf8(text).expect("digits are text")
    }

    /// Appends the same to bytes.
    pub fn write_seconds(self, to: &mut Vec<u8>) {
        use std::io::Write;
        let (seconds, micros) = (self.as_micros() / 1_000_000, self.as_micros() % 1_000_000);
        write!(to, "{seconds}.{micros:06}").expect("memory takes it");
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);
    /// Longer than any run.
    pub const MAX: Duration = Duration(u64::MAX / 4);

    /// A length of `micros` microseconds.
    pub const fn from_micros(micros: u64) -> Duration {
        Duration(micros)
    }

    /// A length of `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Duration {
        Duration(millis * 1_000)
    }

    /// A length of `seconds` seconds.
    pub const fn from_secs(seconds: u64) -> Duration {
        Duration(seconds * 1_000_000)
    }

    /// The length in microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The length in whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// True for a length of nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// This length less `other`; nothing if `other` is longer.
    pub const fn saturating_sub(self, other: Duration) -> Duration {
        Duration(self.0.saturating_sub(other.0))
    }

    /// This length times `numerator / denominator`, rounded down, without overflow in between.
    pub fn scaled(self, numerator: u64, denominator: u64) -> Duration {
        let scaled = u128::from(self.0) * u128::from(numerator) / u128::from(denominator);
        Duration(u64::try_from(scaled).expect("a scaled duration fits the simulated clock"))
    }

    /// What is left of this length after whole periods; nothing if the period is nothing.
    pub fn modulo(self, period: Duration) -> Duration {
        Duration(self.0.checked_rem(period.0).unwrap_or(0))
    }

    /// Doubled until `limit`.
    pub fn doubled_up_to(self, limit: Duration) -> Duration {
        Duration(self.0.saturating_mul(2)).min(limit)
    }
}

/// How far a wall clock is ahead of true time, in microseconds; behind it if negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew(i64);

impl Skew {
    /// A clock that is right.
    pub const NONE: Skew = Skew(0);

    /// A clock that is so many microseconds ahead, or behind.
    pub const fn from_micros(micros: i64) -> Skew {
        Skew(micros)
    }

    /// What the clock shows at a time. None shows the run's first second, which stands for the age of
    /// the cluster: it shows the second after it instead.
    pub fn shown(self, at: SimTime) -> SimTime {
        match (self.0, at.0.saturating_add(self.0)) {
            (0, _) => at,
            (_, 0..1_000_000) => SimTime(1_000_000),
            (_, shown) => SimTime(shown),
        }
    }
}

impl Add<Duration> for SimTime {
    type Output = SimTime;
    fn add(self, length: Duration) -> SimTime {
        SimTime(self.0.checked_add_unsigned(length.0).expect("simulated clock overflow"))
    }
}

impl AddAssign<Duration> for SimTime {
    fn add_assign(&mut self, length: Duration) {
        *self = *self + length;
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, other: Duration) -> Duration {
        Duration(self.0.checked_add(other.0).expect("simulated duration overflow"))
    }
}

impl Sub for Duration {
    type Output = Duration;
    fn sub(self, other: Duration) -> Duration {
        Duration(self.0.checked_sub(other.0).expect("a duration cannot be negative"))
    }
}

impl Mul<u64> for Duration {
    type Output = Duration;
    fn mul(self, times: u64) -> Duration {
        Duration(self.0.checked_mul(times).expect("simulated duration overflow"))
    }
}

impl fmt::Display for Duration {
    /// As Go prints it: `5m0s`, `1h2m3s`, `300ms`, `2.5s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 1_000 {
            return write!(f, "{}µs", self.0);
        }
        if self.0 < 1_000_000 {
            return write!(f, "{}ms", decimals(self.0, 1_000));
        }
        let minutes = self.0 / 60_000_000;
        if minutes >= 60 {
            write!(f, "{}h", minutes / 60)?;
        }
        if minutes > 0 {
            write!(f, "{}m", minutes % 60)?;
        }
        write!(f, "{}s", decimals(self.0 % 60_000_000, 1_000_000))
    }
}

/// `micros / unit` without trailing zeros.
fn decimals(micros: u64, unit: u64) -> String {
    let width = unit.ilog10() as usize;
    let text = format!("{}.{:0width$}", micros / unit, micros % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl FromStr for Duration {
    type Err = NotADuration;

    /// Reads a Go duration: a sequence of numbers, each with its unit.
    fn from_str(text: &str) -> Result<Duration, NotADuration> {
        let wrong = || NotADuration { text: text.to_owned(), why: Why::Malformed };
        let too_long = || NotADuration { text: text.to_owned(), why: Why::TooLong };
        if text == "0" {
            return Ok(Duration::ZERO);
        }
        let mut rest = text;
        let mut micros: u128 = 0;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let (number, after) = rest.split_at(digits);
            let letters =
                after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            micros += length(number, unit).ok_or_else(wrong)?;
            rest = after;
        }
        let micros = u64::try_from(micros).map_err(|_| too_long())?;
        // A century: longer than any question, and far from the end of the clock.
        if micros > 100 * 366 * 86_400 * 1_000_000 { Err(too_long()) } else { Ok(Duration(micros)) }
    }
}

/// Microseconds of one number with its unit; `None` if either is malformed.
fn length(number: &str, unit: &str) -> Option<u128> {
    let micros: u128 = match unit {
        "h" => 3_600_000_000,
        "m" => 60_000_000,
        "s" => 1_000_000,
        "ms" => 1_000,
        "us" | "µs" => 1,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 15 || !digits(fraction) {
        return None;
    }
    let whole: u128 = match whole {
        "" => 0,
        // More digits than this are too long in any unit.
        long if long.len() > 15 && digits(long) => return Some(u128::from(u64::MAX) + 1),
        whole => whole.parse().ok()?,
    };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some(whole * micros + part * micros / scale)
}

impl NotADuration {
    /// True for what is well written, and longer than anything can be.
    pub fn is_too_long(&self) -> bool {
        matches!(self.why, Why::TooLong)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for NotADuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match self.why {
            Why::TooLong => write!(f, "`{text}` is too long; a century is the most"),
            Why::Malformed => write!(
                f,
                "`{text}` is not a duration; write numbers with units and no spaces, \
                 for example `5m`, `1h30m`, `2.5s` or `300ms`"
            ),
        }
    }
}

impl std::error::Error for NotADuration {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Duration {
        text.parse().expect("a duration")
    }

    #[test]
    fn durations_read_and_print_as_go_does() {
        for text in ["0s", "300ms", "1.5ms", "2.5s", "5m0s", "1h2m3s", "12m30s", "7µs", "24h0m0s"]
        {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(Duration::from_micros(1_000).to_string(), "1ms");
        assert_eq!(Duration::from_millis(1_000).to_string(), "1s");
        assert_eq!(read("5m"), Duration::from_secs(300));
        assert_eq!(read("0"), Duration::ZERO);
        assert_eq!(read(".5s"), Duration::from_millis(500));
    }

    #[test]
    fn what_go_would_refuse_is_refused() {
        for text in ["", "5 min", "5", "min", "5x", "-5s", "1..2s", ".s", "99999999999h"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_that_is_too_long_is_told_apart_from_none() {
        for text in ["99999999999h", "9999999h", "99999999999999999999h"] {
            let shown = text.parse::<Duration>().expect_err("too long").to_string();
            assert_eq!(shown, format!("`{text}` is too long; a century is the most"));
        }
    }

    #[test]
    fn a_century_is_not_too_long_and_an_hour_more_is() {
        assert_eq!(read("878400h"), Duration::from_secs(100 * 366 * 86_400));
        assert!(read("878400h") < Duration::MAX);
        assert!("878401h".parse::<Duration>().is_err());
    }

    #[test]
    fn up_to_fifteen_digits_stand_before_and_behind_the_point() {
        assert_eq!(read("100000000000000us"), Duration::from_micros(100_000_000_000_000));
        assert_eq!(read("1.500000000000000s"), Duration::from_millis(1_500));
        let shown = |text: &str| text.parse::<Duration>().expect_err("too many").to_string();
        assert!(shown("1.5000000000000000s").contains("is not a duration"));
        // More than fit a number of 128 bits.
        let long = format!("{}us", "9".repeat(40));
        assert!(shown(&long).contains("is too long"));
    }

    #[test]
    fn scaling_does_not_overflow_on_the_way() {
        let year = Duration::from_secs(365 * 86_400);
        assert_eq!(year.scaled(u64::MAX / 2, u64::MAX / 2), year);
        assert_eq!(Duration::from_micros(7).scaled(2, 3), Duration::from_micros(4));
    }

    #[test]
    fn points_and_lengths_add_up() {
        let (two, five) = (Duration::from_secs(2), Duration::from_secs(5));
        let mut at = SimTime::ZERO + five;
        at += two;
        assert_eq!((at.as_micros(), at), (7_000_000, SimTime::from_micros(7_000_000)));
        assert_eq!(
            (at.since(SimTime::ZERO + two), SimTime::ZERO.since(at)),
            (five, Duration::ZERO)
        );
        assert_eq!(
            (two + five, five - two),
            (Duration::from_secs(7), Duration::from_millis(3_000))
        );
        assert_eq!((two * 3).as_micros(), 6_000_000);
        assert_eq!(
            (five.saturating_sub(two).as_secs(), two.saturating_sub(five)),
            (3, Duration::ZERO)
        );
        assert!(Duration::ZERO.is_zero() && !two.is_zero());
    }

    #[test]
    fn seconds_are_rounded_down_or_written_with_six_decimals() {
        let at = SimTime::from_micros(12_900_345);
        assert_eq!(at.to_whole_seconds(), SimTime::from_micros(12_000_000));
        assert_eq!(at.since(SimTime::ZERO).as_secs(), 12);
        assert_eq!(at.seconds_text(), "12.900345");
        assert_eq!(SimTime::from_micros(3_000_007).seconds_text(), "3.000007");
    }

    #[test]
    fn what_is_left_of_a_period_is_less_than_the_period() {
        let (three, seven) = (Duration::from_micros(3), Duration::from_micros(7));
        assert_eq!(seven.modulo(three), Duration::from_micros(1));
        assert_eq!(seven.modulo(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn a_length_is_doubled_up_to_its_limit() {
        let five = Duration::from_secs(5);
        let doubled = |seconds| Duration::from_secs(seconds).doubled_up_to(five).as_secs();
        assert_eq!((doubled(2), doubled(3)), (4, 5));
    }

    #[test]
    fn a_clock_that_is_wrong_shows_another_time_but_never_the_first_second() {
        let at = SimTime::from_micros(3_000_000);
        assert_eq!(Skew::NONE.shown(SimTime::ZERO), SimTime::ZERO);
        assert_eq!(Skew::from_micros(5).shown(at), SimTime::from_micros(3_000_005));
        assert_eq!(Skew::from_micros(-5).shown(at), SimTime::from_micros(2_999_995));
        assert_eq!(Skew::from_micros(-2_500_000).shown(at), SimTime::from_micros(1_000_000));
    }

    #[test]
    fn a_clock_that_was_set_back_by_more_than_the_age_of_the_run_goes_on() {
        let back = Skew::from_micros(-60_500_000);
        let shown = |seconds| back.shown(SimTime::ZERO + Duration::from_secs(seconds));
        assert_eq!(shown(3).micros_from_begin(), -57_500_000);
        assert_eq!(shown(5).since(shown(3)), Duration::from_secs(2));
        assert_eq!(shown(3).since(shown(5)), Duration::ZERO);
        assert!(shown(3) < shown(5) && shown(5) < SimTime::ZERO);
        assert_eq!(shown(3).to_whole_seconds().micros_from_begin(), -58_000_000);
        assert_eq!((shown(3) + Duration::from_secs(60)).as_micros(), 2_500_000);
    }
}
