//! What led to what: writes, limits and silences, looked up in what was told and traced.

use super::core::Core;
use crate::api::ObjectKey;
use crate::engine::{Duration, Rule, SimTime};
use crate::infra::{Elapsed, ProcessId, Written};
use crate::timeline::{Cause, EntryId, Step, StepId, Turn};

impl Core {
    /// The entry that tells of a write, if one does.
    pub(super) fn told_of(&self, Written { object, field, at }: &Written) -> Option<EntryId> {
        self.recorder.timeline().written((object.kind.name(), object.name.as_str(), field), *at)
    }

    /// The step by which limits led on that had begun with a write.
    pub(super) fn elapsed(&mut self, id: ProcessId, elapsed: &Elapsed, now: StepId) -> StepId {
        let Elapsed { began: write, limits } = elapsed;
        let written = self.told_of(write);
        let Some(ledger) = &mut self.ledger else { return now };
        // Where the beginning was not seen, nobody can tell what was waited for.
        let began = written.and_then(|entry| ledger.of_entry(entry));
        let Some(mut before) = began else { return now };
        let mut at = write.at;
        for (rule, length) in limits.iter().filter(|(_, length)| !length.is_zero()) {
            at += *length;
            before = ledger.push(Step::Wait { before, at, rule, process: id.0 });
        }
        ledger.push(Step::Turn(Turn { now, at: self.now, limit: None, back_to: before }))
    }

    /// The step by which the end of an object led on that a look has missed.
    pub(super) fn missed(&mut self, object: &ObjectKey, now: StepId) -> StepId {
        let ended = self.recorder.timeline().ended(object.kind.name(), &object.name);
        let Some(ledger) = &mut self.ledger else { return now };
        let Some(back_to) = ended.and_then(|entry| ledger.of_entry(entry)) else { return now };
        ledger.push(Step::Turn(Turn { now, at: self.now, limit: None, back_to }))
    }

    /// What led to the silence of a process, which was last heard at a time and has lasted longer
    /// than the limit of a rule.
    pub(super) fn silence_of(
        &mut self,
        id: ProcessId,
        (rule, since, limit): (Rule, SimTime, Duration),
        cause: Cause,
    ) -> Cause {
        // A process that lives is silent for another reason, which nobody knows.
        let process = self.datacenter.processes.get(id);
        let is_silent = !process.alive || process.frozen.is_some();
        let ended = if is_silent { process.ended } else { Cause::NONE };
        let Some(ledger) = &mut self.ledger else {
            return Cause { step: cause.step, ..ended }.or(cause);
        };
        let limit = Some((rule, since, since + limit));
        let turn = Turn { now: cause.step, at: self.now, limit, back_to: ended.step };
        Cause { step: ledger.push(Step::Turn(turn)), ..ended }.or(cause)
    }
}
