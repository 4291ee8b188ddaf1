//! A link gets slow: packets take so much longer.

use super::kind::{FaultKind, Strikes};
use super::link::Link;
use super::reading::Reading;
use crate::engine::{Duration, Text};
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

/// `slowLink: { from: worker-0, to: control-plane-0, delay: 200ms }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowLink {
    pub link: Link,
    /// How much longer a packet takes, each way.
    pub delay: Duration,
}

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Written {
    from: Spanned<String>,
    to: Option<Spanned<String>>,
    #[serde(default)]
    one_way: bool,
    delay: Spanned<String>,
}

/// A link that is slower answers no keep-alive in its 15 s.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

impl FaultKind for SlowLink {
    type Written = Written;
    const DOES: &'static str = "packets take so much longer: \
        { from: worker-0, to: control-plane-0, delay: 200ms }; without `to`, those to and from all others";

    fn from_written(on: &Written, reading: &Reading) -> Result<SlowLink, Mistake> {
        let link = Link::read((&on.from, on.to.as_ref(), on.one_way), reading)?;
        Ok(SlowLink { link, delay: delay(&on.delay, reading)? })
    }
}

impl Strikes for SlowLink {
    /// The link, unless it is as slow already.
    fn resolve(&self, view: View) -> Option<String> {
        self.link.find(view, |way| view.links().slowed(way) != Some(self.delay))
    }

    /// Slows it down.
    fn inject(&self, infra: &mut Infra) {
        self.link.on_each(infra, |infra, way| infra.slow(way, self.delay));
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        self.link.vms()
    }
}

fn delay(written: &Spanned<String>, reading: &Reading) -> Result<Duration, Mistake> {
    let delay = reading.scenario.duration(written)?;
    let message = match delay {
        Duration::ZERO => {
            "a link that is slower by nothing is whole; write a length, for example 200ms, or \
             `healLink`"
                .to_owned()
        }
        long if long > LONGEST_DELAY => format!(
            "a packet that takes {long} longer is as good as lost; write up to \
             {LONGEST_DELAY}, or `cutLink`"
        ),
        fine => return Ok(fine),
    };
    Err(reading.scenario.mistake(written, message))
}
