//! Times and lengths as people read them in a report: to the tenth of a second.
//!
//! Rounded down through integers, so a time printed here never lies after the instant it names.
//! JSON has the exact microseconds.

use crate::engine::{Duration, SimTime};

/// Time since the first fault: `+05:41.2`, before it `-00:59.9`, from one hour on `+1:05:41.2`.
pub fn since(fault: SimTime, at: SimTime) -> String {
    if at < fault { format!("-{}", clock(fault.since(at))) } else { after(at.since(fault)) }
}

/// A length as time since the first fault.
pub fn after(length: Duration) -> String {
    format!("+{}", clock(length))
}

/// A length in Go's form without more than tenths of a second.
pub fn length(length: Duration) -> String {
    Duration::from_micros(length.as_micros() / 100_000 * 100_000).to_string()
}

/// Tenths of a second, or milliseconds below one second.
pub fn fine(length: Duration) -> String {
    match length.as_micros() {
        micros if micros < 1_000_000 => format!("{}ms", micros / 1_000),
        _ => self::length(length),
    }
}

fn clock(length: Duration) -> String {
    let tenths = length.as_micros() / 100_000;
    let (minutes, rest) = (tenths / 600, tenths % 600);
    let seconds = format!("{:02}.{}", rest / 10, rest % 10);
    match minutes / 60 {
        0 => format!("{minutes:02}:{seconds}"),
        hours => format!("{hours}:{:02}:{seconds}", minutes % 60),
    }
}
