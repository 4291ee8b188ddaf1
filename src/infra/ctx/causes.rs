//! Causes: what a process says led to what follows.

use super::Ctx;
use crate::api::ObjectKey;
use crate::engine::{Duration, Rule, SimTime};
use crate::infra::effect::{Effect, Elapsed, Written};
use crate::timeline::{Cause, Step, StepId, Turn};

impl<E> Ctx<'_, E> {
    /// What led to this event.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// Names the entry that led to what follows; this event is still what set it off.
    pub fn because(&mut self, cause: Cause) {
        self.lead(Cause { step: self.cause.step, ..cause });
    }

    /// What follows goes back to something that had been waiting for this event: its turn comes
    /// only now. With a rule, that is what it waited for; without, for whatever held up the event.
    pub fn turn_of(&mut self, waiting: Cause, rule: Option<Rule>) {
        let since = self.ledger.as_ref().and_then(|ledger| ledger.at(waiting.step));
        let limit = rule.zip(since).map(|(rule, since)| (rule, since, self.now));
        let step = match since {
            Some(_) if waiting.step != self.cause.step => self.turn(limit, waiting),
            _ => self.cause.step,
        };
        self.lead(Cause { step, ..waiting });
    }

    /// What follows goes back to something that had to wait for a limit, which was over at a time;
    /// since then it waited for this event.
    pub fn limit_over(&mut self, waiting: Cause, rule: Rule, until: SimTime) {
        let since = self.ledger.as_ref().and_then(|ledger| ledger.at(waiting.step));
        let step = match since {
            Some(since) => self.turn(Some((rule, since, until)), waiting),
            None => self.cause.step,
        };
        self.lead(Cause { step, ..waiting });
    }

    /// A look that comes at its own times has found what this led to; the entry to tell of stays.
    pub fn saw(&mut self, seen: Cause) {
        let known = self.ledger.as_ref().and_then(|ledger| ledger.at(seen.step));
        if known.is_some() && seen.step != self.cause.step {
            let step = self.turn(None, seen);
            self.come_by(step);
        }
    }

    /// What follows has nothing to do with what was seen; the entry to tell of stays.
    pub fn back_to_step(&mut self, before: Cause) {
        self.come_by(before.step);
    }

    /// What follows goes back to this event again, whatever was named since.
    pub fn back_to(&mut self, before: Cause) {
        self.lead(before);
    }

    /// Names a write as what led to what follows, if anything tells of it; this event is still what
    /// set it off.
    pub fn because_written(&mut self, written: Written) {
        self.cause_moved = true;
        self.effects.push(Effect::BecauseWritten(Box::new(written)));
    }

    /// What follows had to wait for these limits, which began with a write.
    pub fn elapsed(&mut self, elapsed: Elapsed) {
        if self.ledger.is_some() {
            self.step_moved = true;
            self.effects.push(Effect::Elapsed(Box::new(elapsed)));
        }
    }

    /// A look that comes at its own times misses an object: what follows goes back to its end.
    pub fn missed(&mut self, object: &ObjectKey) {
        if self.ledger.is_some() {
            self.step_moved = true;
            self.effects.push(Effect::Missed(Box::new(object.clone())));
        }
    }

    /// Names the silence of a process as what led to what follows: it was last heard at a time,
    /// and its silence has lasted longer than the limit that there is because of a rule.
    pub fn because_silent(&mut self, process: u32, rule: Rule, since: SimTime, limit: Duration) {
        self.step_moved = true;
        self.effects.push(Effect::BecauseSilent { process, rule, since, limit });
    }

    pub(super) fn lead(&mut self, cause: Cause) {
        if self.cause.entry != cause.entry || std::mem::take(&mut self.cause_moved) {
            self.effects.push(Effect::Because(cause.entry));
        }
        self.come_by(cause.step);
        self.cause = cause;
    }

    pub(super) fn come_by(&mut self, step: StepId) {
        if self.cause.step != step || std::mem::take(&mut self.step_moved) {
            self.cause.step = step;
            self.effects.push(Effect::CameBy(step));
        }
    }

    pub(super) fn wait(&mut self, at: SimTime, rule: Rule) {
        let step = Step::Wait { before: self.cause.step, at, rule, process: self.me.0 };
        if let Some(ledger) = &mut self.ledger {
            let step = ledger.push(step);
            self.come_by(step);
        }
    }

    pub(super) fn turn(
        &mut self,
        limit: Option<(Rule, SimTime, SimTime)>,
        back_to: Cause,
    ) -> StepId {
        let turn = Turn { now: self.event, at: self.now, limit, back_to: back_to.step };
        match &mut self.ledger {
            Some(ledger) => ledger.push(Step::Turn(turn)),
            None => self.cause.step,
        }
    }
}
