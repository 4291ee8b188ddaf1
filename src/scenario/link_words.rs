//! The words of a scenario's faults on links, read into faults or refused with their place.

use super::fault_words::OnVm;
use super::faults::{
    CutLink, Fault, HealLink, IsolateVm, Link, LossyLink, RejoinVm, SlowLink, Ways,
};
use super::file::Scenario;
use super::mistake::Mistake;
use super::stage::Stage;
use super::yaml::Spanned;
use crate::engine::Duration;
use crate::infra::Loss;
use serde::Deserialize;

/// What an item may do to links.
#[derive(Clone, Copy)]
pub(super) struct LinkWords<'a> {
    pub cut: Option<&'a OnLink>,
    pub slow: Option<&'a OnSlowLink>,
    pub lossy: Option<&'a OnLossyLink>,
    pub heal: Option<&'a OnLink>,
    pub isolate: Option<&'a OnVm>,
    pub rejoin: Option<&'a OnVm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OnLink {
    from: Spanned<String>,
    to: Option<Spanned<String>>,
    #[serde(default)]
    one_way: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OnSlowLink {
    from: Spanned<String>,
    to: Option<Spanned<String>>,
    #[serde(default)]
    one_way: bool,
    delay: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OnLossyLink {
    from: Spanned<String>,
    to: Option<Spanned<String>>,
    #[serde(default)]
    one_way: bool,
    loss: Spanned<String>,
}

/// A link that is slower answers no keep-alive in its 15 s.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

impl Scenario {
    /// What breaks links.
    pub(super) fn on_links(
        &self,
        written: LinkWords,
        stage: &Stage,
        found: &mut Vec<Fault>,
    ) -> Result<(), Mistake> {
        if let Some(on) = written.cut {
            if on.to.is_none() {
                let message = "`to` is missing: which VM is the other end of the link? \
                               `isolateVm` cuts a VM off from all others";
                return Err(self.source.mistake(&on.from, message));
            }
            let link = self.link((&on.from, on.to.as_ref(), on.one_way), stage)?;
            found.push(Fault::CutLink(CutLink { link }));
        }
        if let Some(on) = written.slow {
            let link = self.link((&on.from, on.to.as_ref(), on.one_way), stage)?;
            let delay = self.delay(&on.delay)?;
            found.push(Fault::SlowLink(SlowLink { link, delay }));
        }
        if let Some(on) = written.lossy {
            let link = self.link((&on.from, on.to.as_ref(), on.one_way), stage)?;
            let loss = self.loss(&on.loss)?;
            found.push(Fault::LossyLink(LossyLink { link, loss }));
        }
        if let Some(on) = written.heal {
            let link = self.link((&on.from, on.to.as_ref(), on.one_way), stage)?;
            found.push(Fault::HealLink(HealLink { link }));
        }
        if let Some(on) = written.isolate {
            found.push(Fault::IsolateVm(IsolateVm { vm: self.vm(&on.vm, stage)? }));
        }
        if let Some(on) = written.rejoin {
            found.push(Fault::RejoinVm(RejoinVm { vm: self.vm(&on.vm, stage)? }));
        }
        Ok(())
    }

    /// Two VMs, or one and all others.
    fn link(
        &self,
        (from, to, one_way): (&Spanned<String>, Option<&Spanned<String>>, bool),
        stage: &Stage,
    ) -> Result<Link, Mistake> {
        let ways = if one_way { Ways::One } else { Ways::Both };
        let name = self.vm(from, stage)?;
        let Some(to) = to else { return Ok(Link { from: name, to: None, ways }) };
        let other = self.vm(to, stage)?;
        if name == other {
            let message = format!("`{other}` is the VM that the link comes from; name another");
            return Err(self.source.mistake(to, message));
        }
        Ok(Link { from: name, to: Some(other), ways })
    }

    fn delay(&self, written: &Spanned<String>) -> Result<Duration, Mistake> {
        let delay = self.duration(written)?;
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
        Err(self.source.mistake(written, message))
    }

    /// A share in percent, with up to two decimals.
    fn loss(&self, written: &Spanned<String>) -> Result<Loss, Mistake> {
        let wrong = |message: String| Err(self.source.mistake(written, message));
        match hundredths(&written.value) {
            None => wrong(format!(
                "`{}` is not a share of the packets; write, for example, 30% or 0.5%",
                written.value
            )),
            Some(0) => wrong(
                "a link that loses nothing is whole; write, for example, 30%, or `healLink`".into(),
            ),
            Some(Loss::EVERY..) => wrong(
                "a link that loses everything is cut; write less than 100%, or `cutLink`".into(),
            ),
            Some(share) => Ok(Loss(share)),
        }
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
