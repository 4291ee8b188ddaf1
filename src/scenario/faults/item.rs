//! One item of a scenario's `faults`: when it comes, and the one fault in it, or what is wrong and where.
//! How a kind of fault is written is not known here.

use super::reading::Reading;
use super::{Fault, KINDS, WrittenFault};
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::expect::Pattern;
use crate::scenario::file::Scenario;
use crate::scenario::mistake::Mistake;
use crate::scenario::stage::Stage;
use crate::scenario::yaml::Spanned;

/// When a fault comes: at a time, or so long after something was seen.
pub enum Moment {
    At(SimTime),
    /// The pattern, as written too.
    When(Pattern, Text, Duration),
}

impl WrittenFault {
    /// True if it waits for something and has no time.
    pub fn waits(&self) -> bool {
        self.at.is_none() && self.when.is_some()
    }

    /// What it is read with.
    fn reading<'a>(&'a self, scenario: &'a Scenario, stage: &'a Stage) -> Reading<'a> {
        Reading { scenario, stage, cluster: self.cluster.as_ref() }
    }
}

impl Scenario {
    /// Reads a fault that must come before the run's end, on what there is when it begins.
    pub(in crate::scenario) fn fault(
        &self,
        written: &Spanned<WrittenFault>,
        stage: &Stage,
        until: Duration,
    ) -> Result<(Moment, Fault), Mistake> {
        let moment = self.moment(written, stage, until)?;
        let mut found = self.found(&written.value, stage)?;
        match found.pop() {
            Some(fault) if found.is_empty() => Ok((moment, fault)),
            Some(last) => {
                let names: Vec<&str> = found.iter().chain([&last]).map(Fault::kind).collect();
                let names = names.join("` and `");
                let message = format!("`{names}` in one item; write an item for each fault");
                Err(self.in_fault(written, &message))
            }
            None => {
                let known: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
                let known = known.join(", ");
                let message = format!("nothing breaks here; a fault is one of {known}");
                Err(self.in_fault(written, &message))
            }
        }
    }

    /// What an item's fault needs to find when the run begins, and would not: it would hit nothing.
    pub(in crate::scenario) fn target_that_is_not_there(
        &self,
        item: &Spanned<WrittenFault>,
        stage: &Stage,
    ) -> Option<Mistake> {
        item.value.not_there(&item.value.reading(self, stage))
    }

    /// A mistake of a whole fault, shown at its moment, or where it has none at its beginning.
    pub(in crate::scenario) fn in_fault(
        &self,
        item: &Spanned<WrittenFault>,
        message: &str,
    ) -> Mistake {
        match item.value.at.as_ref().or(item.value.when.as_ref()) {
            Some(place) => self.source.mistake(place, message),
            None => self.source.mistake(item, message),
        }
    }

    /// Everything that one item breaks.
    fn found(&self, written: &WrittenFault, stage: &Stage) -> Result<Vec<Fault>, Mistake> {
        let reading = written.reading(self, stage);
        let found = written.found(&reading)?;
        written.idle_cluster(&reading).map_or(Ok(found), Err)
    }

    /// When a fault comes.
    fn moment(
        &self,
        item: &Spanned<WrittenFault>,
        stage: &Stage,
        until: Duration,
    ) -> Result<Moment, Mistake> {
        let written = &item.value;
        let after = written.after.as_ref();
        let after = after.map(|after| Ok((after, self.duration(after)?))).transpose()?;
        match (&written.at, &written.when) {
            (Some(at), None) => {
                if let Some((after, _)) = after {
                    let message = "`after` goes with `when`; a fault with `at` has its time";
                    return Err(self.source.mistake(after, message));
                }
                let time = self.duration(at)?;
                if time > until {
                    let message = format!(
                        "the fault comes at {time}, after the run's end at {until}; raise `until` \
                         (or --until), or let it come earlier"
                    );
                    return Err(self.source.mistake(at, message));
                }
                Ok(Moment::At(SimTime::ZERO + time))
            }
            (None, Some(when)) => {
                let pattern = Pattern::read(&when.value, &|kind| stage.names(kind))
                    .map_err(|(at, message)| self.source.mistake_after(when, at, message))?;
                let after = after.map_or(Duration::ZERO, |(_, after)| after);
                Ok(Moment::When(pattern, Text::from(when.value.as_str()), after))
            }
            (Some(_), Some(when)) => {
                Err(self.source.mistake(when, "`at` and `when` exclude each other"))
            }
            (None, None) => {
                let message = "a fault says `at` which time it comes, or `when` what is seen";
                Err(self.source.mistake(item, message))
            }
        }
    }
}
