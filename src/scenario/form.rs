//! What values a setting can have: its unit, or the words among which it chooses.
//!
//! The getter that takes a setting says it, so no second list can differ from what is accepted.

use crate::engine::{Delay, Duration};

/// What a setting's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A length of time, perhaps none.
    Duration,
    /// A length of time, or `none`.
    DurationOrNone,
    /// A length of time of at least a millisecond.
    Period,
    /// `LOW..HIGH`, two lengths of time between which each use draws one.
    Delay,
    /// A whole number, both bounds included.
    Count { least: u64, most: u64 },
    /// One of these words; a rule has `true` and `false`.
    Choice(Vec<String>),
    /// What is described here.
    Other(String),
    /// Any word.
    Word,
}

/// A bound that is there only to keep the machine's memory safe says nothing to a reader.
const MANY: u64 = 1_000_000;

impl Form {
    /// What a value looks like that nobody takes.
    pub(super) fn of(key: &str, value: &str) -> Form {
        let is_length = |text: &str| text.parse::<Duration>().is_ok();
        match value.split_once("..") {
            Some((low, high)) if is_length(low) && is_length(high) => Form::Delay,
            _ if matches!(value, "true" | "false") => {
                Form::Choice(vec!["true".to_owned(), "false".to_owned()])
            }
            _ if value.parse::<u64>().is_ok() => match key.ends_with("Percent") {
                true => Form::Count { least: 0, most: 100 },
                false => Form::Count { least: 0, most: u64::MAX },
            },
            _ if is_length(value) => Form::Duration,
            _ => Form::Word,
        }
    }

    /// The unit of the value of a setting of this name.
    pub fn unit(&self, key: &str) -> String {
        match self {
            Form::Duration | Form::Period => "duration".to_owned(),
            Form::DurationOrNone => "duration | none".to_owned(),
            Form::Delay => "durations LOW..HIGH".to_owned(),
            Form::Count { .. } if key.ends_with("Percent") => "percent".to_owned(),
            Form::Count { .. } if key.ends_with("Millis") => {
                "thousandths of a processor".to_owned()
            }
            Form::Count { .. } if key.ends_with("Mib") => "MiB".to_owned(),
            Form::Count { least, most } if *most < MANY => format!("number {least}..{most}"),
            Form::Count { least, .. } => format!("number from {least}"),
            Form::Choice(words) => words.join(" | "),
            Form::Other(wanted) => wanted.replace('`', ""),
            Form::Word => "word".to_owned(),
        }
    }
}

/// `LOW..HIGH`, both durations, in this order; or what is wrong with it.
pub fn delay(text: &str) -> Result<Delay, String> {
    let Some((low, high)) = text.split_once("..") else {
        return Err(format!(
            "`{text}` is not a range of durations; write LOW..HIGH, for example 29s..47s"
        ));
    };
    let read = |text: &str| text.parse::<Duration>().map_err(|error| error.to_string());
    let (low, high) = (read(low)?, read(high)?);
    if low > high {
        return Err(format!("`{text}` is reversed; write the lower bound first: {high}..{low}"));
    }
    Ok(Delay { low, high })
}

/// The least and the most that a text means, in microseconds or as a count.
pub(super) fn span(text: &str) -> Option<(u64, u64)> {
    let one = |text: &str| {
        let length = text.parse::<Duration>().map(Duration::as_micros);
        text.parse().or(length).ok()
    };
    match text.split_once("..") {
        Some((low, high)) => Some((one(low)?, one(high)?)),
        None => Some((one(text)?, one(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{blueprint, models};

    #[test]
    fn a_form_is_what_the_getter_accepts() {
        let platform = models::platform("tkgs-2024").expect("embedded");
        blueprint(&platform, 3, 3);
        let unit = |key: &str| platform.catalog.form(key).unit(key);
        assert_eq!(unit("kubernetes.nodeMonitorGracePeriod"), "duration");
        assert_eq!(unit("infra.boot"), "durations LOW..HIGH");
        assert_eq!(unit("infra.supervisors"), "number 1..7");
        assert_eq!(unit("kubernetes.controllerWorkers"), "number from 1");
        assert_eq!(unit("clusterApi.drainBlocks"), "true | false");
        assert_eq!(unit("clusterApi.deletePolicy"), "Random | Oldest | Newest");
        assert_eq!(unit("clusterApi.resyncJitterPercent"), "percent");
        assert!(unit("machineHealthCheck.maxUnhealthy").contains("a percentage up to 100%"));
    }

    #[test]
    fn a_value_that_nobody_takes_is_told_by_its_looks() {
        let unit = |key: &str, value: &str| Form::of(key, value).unit(key);
        assert_eq!(unit("a", "5m"), "duration");
        assert_eq!(unit("a", "0s..20ms"), "durations LOW..HIGH");
        assert_eq!(unit("aPercent", "4"), "percent");
        assert_eq!(unit("a", "4"), "number from 0");
        assert_eq!(unit("a", "true"), "true | false");
        assert_eq!(unit("a", "keep"), "word");
    }

    #[test]
    fn a_reversed_range_is_told_apart_from_none() {
        assert!(delay("50s..20s").expect_err("reversed").contains("reversed"));
        assert!(delay("50s").expect_err("no range").contains("LOW..HIGH"));
        assert!(delay("5s..x").expect_err("no duration").contains("`x` is not a duration"));
    }
}
