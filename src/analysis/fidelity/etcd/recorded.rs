//! Reads what was measured on real etcd: per trial some times, over all trials what requests got.
//!
//! The files are those of `tests/measured/etcd`; how they came about stands in the README beside them.

use serde::Deserialize;
use std::collections::BTreeMap;

/// One recorded file: the same fault, again and again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    pub scenario: String,
    /// The release.
    pub etcd: String,
    /// The recording machine's 1-minute load average at each trial; it had two cores.
    pub load: Vec<f64>,
    /// Milliseconds (or counts) by metric, one for each trial; none where it was not observed.
    pub millis: BTreeMap<String, Vec<Option<u64>>>,
    /// What requests got, by kind of request and by `CODE` or `CODE|text`.
    pub outcomes: BTreeMap<String, BTreeMap<String, Got>>,
}

/// How many requests got the same, and the least and greatest latency in milliseconds of those that
/// were followed to their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Got(pub u64, pub Option<u64>, pub Option<u64>);

impl Recorded {
    /// Reads the text of one file.
    ///
    /// # Errors
    /// The text is not such a file.
    pub fn read(text: &str) -> Result<Recorded, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// How many trials there were.
    pub fn trials(&self) -> usize {
        self.load.len()
    }

    /// The measured values of a metric, with the machine's load at each.
    pub fn measured(&self, metric: &str) -> impl Iterator<Item = (u64, f64)> {
        let values = self.millis.get(metric).into_iter().flatten();
        values.zip(&self.load).filter_map(|(value, load)| Some(((*value)?, *load)))
    }
}

impl Got {
    /// One more, which took this long if it was followed to its end.
    pub fn add(&mut self, latency: Option<u64>) {
        self.0 += 1;
        let Some(latency) = latency else { return };
        self.1 = Some(self.1.map_or(latency, |least| least.min(latency)));
        self.2 = Some(self.2.map_or(latency, |greatest| greatest.max(latency)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_what_was_not_observed() {
        let text = r#"{ "scenario": "a", "etcd": "3.5.1", "load": [2.5, 3.0],
            "millis": { "exit": [null, 7] }, "outcomes": { "put": { "OK": [2, null, null] } } }"#;
        let recorded = Recorded::read(text).unwrap();
        assert_eq!(recorded.trials(), 2);
        assert_eq!(recorded.measured("exit").collect::<Vec<_>>(), [(7, 3.0)]);
        assert_eq!(recorded.measured("start").count(), 0);
        assert_eq!(recorded.outcomes["put"]["OK"], Got(2, None, None));
        assert!(Recorded::read("{}").is_err());
    }

    #[test]
    fn latencies_are_kept_as_a_range() {
        let mut got = Got::default();
        for latency in [Some(7), None, Some(3)] {
            got.add(latency);
        }
        assert_eq!(got, Got(3, Some(3), Some(7)));
    }
}
