//! A run in the formats of other people's tools: Perfetto's, Kubernetes' Events, Prometheus' metrics.
//!
//! They tell what the timeline tells, and no more. Where a tool wants a date, it is the date of the
//! objects that kubectl prints: every run begins at the same instant.

mod events;
mod metrics;
mod perfetto;
#[cfg(test)]
mod tests;

pub use events::events;
pub use metrics::{SCRAPE_INTERVAL, metrics};
pub use perfetto::perfetto;
