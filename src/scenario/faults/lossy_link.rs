//! A link loses a share of its packets. A lost segment comes with TCP's next retransmission, and what
//! was sent after it waits for it.

use super::kind::{FaultKind, Strikes};
use super::link::Link;
use super::reading::Reading;
use crate::engine::Text;
use crate::infra::Loss;
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

/// `lossyLink: { from: worker-0, to: control-plane-0, loss: 30% }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossyLink {
    pub link: Link,
    /// How many packets are lost, each way.
    pub loss: Loss,
}

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Written {
    from: Spanned<String>,
    to: Option<Spanned<String>>,
    #[serde(default)]
    one_way: bool,
    loss: Spanned<String>,
}

impl FaultKind for LossyLink {
    type Written = Written;
    const DOES: &'static str = "loses a share of the packets, which TCP repeats: \
        { from: worker-0, to: control-plane-0, loss: 30% }; without `to`, likewise";

    fn from_written(on: &Written, reading: &Reading) -> Result<LossyLink, Mistake> {
        let link = Link::read((&on.from, on.to.as_ref(), on.one_way), reading)?;
        Ok(LossyLink { link, loss: loss(&on.loss, reading)? })
    }
}

impl Strikes for LossyLink {
    /// The link, unless it loses as much already.
    fn resolve(&self, view: View) -> Option<String> {
        self.link.find(view, |way| view.links().loss_of(way) != Some(self.loss))
    }

    /// Has it lose packets.
    fn inject(&self, infra: &mut Infra) {
        self.link.on_each(infra, |infra, way| infra.lose(way, self.loss));
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        self.link.vms()
    }
}

/// A share in percent, with up to two decimals.
fn loss(written: &Spanned<String>, reading: &Reading) -> Result<Loss, Mistake> {
    let wrong = |message: String| Err(reading.scenario.mistake(written, message));
    match hundredths(&written.value) {
        None => wrong(format!(
            "`{}` is not a share of the packets; write, for example, 30% or 0.5%",
            written.value
        )),
        Some(0) => wrong(
            "a link that loses nothing is whole; write, for example, 30%, or `healLink`".into(),
        ),
        Some(Loss::EVERY..) => {
            wrong("a link that loses everything is cut; write less than 100%, or `cutLink`".into())
        }
        Some(share) => Ok(Loss(share)),
    }
}

/// Hundredths of a percent: `0.5%` is 50.
fn hundredths(text: &str) -> Option<u16> {
    let number = text.strip_suffix('%')?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str, most: usize| {
        (1..=most).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
    };
    if !is_number(whole, 3) || !is_number(decimals, 2) {
        return None;
    }
    let tens = if decimals.len() == 1 { 10 } else { 1 };
    Some(whole.parse::<u16>().ok()? * 100 + decimals.parse::<u16>().ok()? * tens)
}

#[cfg(test)]
mod tests {
    use super::hundredths;

    #[test]
    fn a_share_is_written_in_percent() {
        for (text, share) in [("30%", 3000), ("0.5%", 50), ("12.34%", 1234), ("100%", 10_000)] {
            assert_eq!(hundredths(text), Some(share), "{text}");
        }
        for text in ["30", "%", "", "-1%", "1.234%", ".5%", "5.%", "1e1%", "9999%", "a%"] {
            assert_eq!(hundredths(text), None, "{text}");
        }
    }
}
