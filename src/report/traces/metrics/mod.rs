//! The metrics that a Prometheus would have scraped during a run, as OpenMetrics text.
//!
//! Names and labels are those of kube-state-metrics, of Cluster API's configuration for it, of
//! etcd, and of Prometheus itself (`families.rs`); what the timeline does not tell has no sample.
//! The text is what `promtool tsdb create-blocks-from openmetrics` reads: each family with its
//! series, each series with its samples in order, and `# EOF`.
//!
//! Simplified: all targets are scraped at once, at whole multiples of the interval, from a place that
//! no cut link reaches. Backfilled series have no staleness markers: what has gone is seen for
//! another five minutes by a query that does not ask `up` as well.

mod families;
mod scrape;

use crate::api::unix_micros;
use crate::engine::{Duration, SimTime};
use crate::timeline::Run;
use families::FAMILIES;
use scrape::Scraper;
use std::collections::BTreeMap;
use std::io;

/// How often everything is scraped: `scrape_interval` of the configuration that Prometheus is
/// shipped with (`prometheus/prometheus:documentation/examples/prometheus.yml`).
pub const SCRAPE_INTERVAL: Duration = Duration::from_secs(15);

/// What a family is to a reader of OpenMetrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Gauge,
    /// Its samples' name ends in `_total`, the family's does not.
    Counter,
}

/// One metric with its explanation.
#[derive(Clone, Copy, Debug)]
struct Family {
    /// As its samples are called.
    name: &'static str,
    kind: Type,
    help: &'static str,
}

/// A sample: when, in scrapes since the run began, and the value.
type Sample = (u32, i64);

/// What has been scraped: metrics by name, series by their labels.
#[derive(Default)]
struct Page {
    scrape: u32,
    samples: BTreeMap<&'static str, BTreeMap<String, Vec<Sample>>>,
}

/// Writes all samples of a run.
pub fn metrics(run: &Run, to: &mut impl io::Write) -> io::Result<()> {
    let mut page = Page::default();
    let mut scraper = Scraper::default();
    let mut at = SimTime::ZERO;
    while at <= run.ended_at {
        scraper.advance(&run.timeline, at);
        scraper.scrape(&mut page);
        page.scrape += 1;
        at += SCRAPE_INTERVAL;
    }
    for family in FAMILIES {
        if let Some(series) = page.samples.get(family.name) {
            family.write(series, to)?;
        }
    }
    writeln!(to, "# EOF")
}

impl Page {
    /// Notes a value of the present scrape.
    fn put(&mut self, name: &'static str, labels: &[(&str, &str)], value: i64) {
        let labels: Vec<String> = labels
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        let series = self.samples.entry(name).or_default();
        series.entry(labels.join(",")).or_default().push((self.scrape, value));
    }

    /// One series for each word, 1 for the one that holds and 0 for all others.
    fn put_states<'a>(
        &mut self,
        name: &'static str,
        labels: &[(&str, &str)],
        label: &str,
        words: impl Iterator<Item = (&'a str, bool)>,
    ) {
        for (word, holds) in words {
            self.put(name, &[labels, &[(label, word)]].concat(), i64::from(holds));
        }
    }
}

impl Family {
    fn write(
        &self,
        series: &BTreeMap<String, Vec<Sample>>,
        to: &mut impl io::Write,
    ) -> io::Result<()> {
        let (of, kind) = match self.kind {
            Type::Gauge => (self.name, "gauge"),
            Type::Counter => (self.name.trim_end_matches("_total"), "counter"),
        };
        writeln!(to, "# HELP {of} {}", self.help)?;
        writeln!(to, "# TYPE {of} {kind}")?;
        for (labels, samples) in series {
            for (scrape, value) in samples {
                writeln!(to, "{}{{{labels}}} {value} {}", self.name, unix_seconds(*scrape))?;
            }
        }
        Ok(())
    }
}

/// When a scrape was, in seconds of Unix time.
fn unix_seconds(scrape: u32) -> u64 {
    let since = Duration::from_micros(SCRAPE_INTERVAL.as_micros() * u64::from(scrape));
    unix_micros(SimTime::ZERO + since) / 1_000_000
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
