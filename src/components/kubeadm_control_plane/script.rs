//! A reconcile that reads as if every answer came at once.
//!
//! What it has heard so far is kept beside it. To go on, it runs again from its beginning over the
//! same objects and what was heard, up to the first answer that is still missing. So the order of
//! the real controller stands in the code as it is, although the shell wants plain data.

use crate::api::{Answered, Verb};
use crate::api::{Object, ObjectKey};
use crate::client::{Ask, Target, View};
use crate::engine::{Duration, Purpose, Rule, SimTime, Skew, Text};
use std::sync::Arc;

/// The result of a part of a reconcile, or why it does not go on now.
pub type Flow<T> = Result<T, Stop>;

/// Why a reconcile does not go on now.
#[derive(Clone, Debug)]
pub enum Stop {
    /// An answer is missing.
    Ask(Box<Ask>),
    /// It blocks its worker for a while.
    Wait(Duration),
    /// It ends with an error.
    Failed(Text),
}

/// What a reconcile has heard.
#[derive(Clone, Debug)]
pub enum Heard {
    Answer(SimTime, Answered),
    Elapsed(SimTime),
    Drawn(u64),
}

/// One run over what was heard.
pub struct Script<'a, 'b> {
    heard: &'a mut Vec<Heard>,
    /// How much of it this run has taken up.
    place: usize,
    view: &'a mut View<'b>,
    now: SimTime,
    /// As it was when the reconcile began: it repeats itself, so its clock must not be set meanwhile.
    skew: Skew,
}

impl<'a, 'b> Script<'a, 'b> {
    /// A run from the beginning of a reconcile that began at a time.
    pub fn new(
        (began, skew): (SimTime, Skew),
        heard: &'a mut Vec<Heard>,
        view: &'a mut View<'b>,
    ) -> Self {
        Script { heard, place: 0, view, now: began, skew }
    }

    /// The time at which this point was reached.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// The same by the wall clock.
    pub fn wall_clock(&self) -> SimTime {
        self.shown(self.now)
    }

    /// A time as the clock of its VM shows it.
    pub fn shown(&self, at: SimTime) -> SimTime {
        self.skew.shown(at)
    }

    /// Asks; any answer is an answer.
    pub fn ask(&mut self, target: Target, verb: Verb) -> Flow<Answered> {
        match self.heard.get(self.place) {
            Some(Heard::Answer(at, answered)) => {
                (self.place, self.now) = (self.place + 1, *at);
                Ok(answered.clone())
            }
            Some(other) => unreachable!("a reconcile repeats itself, but heard {other:?}"),
            None => Err(Stop::Ask(Box::new(Ask::new(target, verb)))),
        }
    }

    /// Waits, and blocks the worker.
    pub fn wait(&mut self, length: Duration) -> Flow<()> {
        match self.heard.get(self.place) {
            Some(Heard::Elapsed(at)) => {
                (self.place, self.now) = (self.place + 1, *at);
                Ok(())
            }
            Some(other) => unreachable!("a reconcile repeats itself, but heard {other:?}"),
            None => Err(Stop::Wait(length)),
        }
    }

    /// Draws.
    pub fn draw(&mut self, purpose: Purpose) -> u64 {
        if self.is_new() {
            let drawn = (self.view.draw)(purpose);
            self.heard.push(Heard::Drawn(drawn));
        }
        match self.heard.get(self.place) {
            Some(Heard::Drawn(drawn)) => {
                self.place += 1;
                *drawn
            }
            other => unreachable!("a reconcile repeats itself, but heard {other:?}"),
        }
    }

    /// Writes a change of an object of the management cluster, if it is one; the object as it is
    /// then.
    pub fn patch(&mut self, base: &Arc<Object>, changed: Object) -> Flow<Arc<Object>> {
        if changed == **base {
            return Ok(base.clone());
        }
        let verb = Verb::Patch { base: base.clone(), changed: Arc::new(changed) };
        let answer = self.must(verb)?;
        Ok(answer.unwrap_or_else(|| base.clone()))
    }

    /// Writes to the management cluster; a refusal ends the reconcile.
    pub fn must(&mut self, verb: Verb) -> Flow<Option<Arc<Object>>> {
        match self.ask(Target::Local, verb)? {
            Ok(answer) => Ok(answer.object().cloned()),
            Err(error) => Err(Stop::Failed(error.message)),
        }
    }

    /// A line of the log.
    pub fn log(&mut self, line: impl Into<Text>) {
        if self.is_new() {
            self.view.logs.push(line.into());
        }
    }

    /// A Warning Event.
    pub fn warn(&mut self, regarding: &ObjectKey, reason: &'static str, message: impl Into<Text>) {
        if self.is_new() {
            self.view.warn(regarding, reason, message);
        }
    }

    /// Nobody looks at the control plane again before this much time has passed.
    pub fn defer(&mut self, rule: Rule, length: Duration) {
        if self.is_new() && !length.is_zero() {
            self.view.defer(rule, length);
        }
    }

    /// True if this point was never reached before: what is said here is said once.
    fn is_new(&self) -> bool {
        self.place == self.heard.len()
    }
}

/// Ends a reconcile with an error.
pub fn fail<T>(why: impl Into<Text>) -> Flow<T> {
    Err(Stop::Failed(why.into()))
}
