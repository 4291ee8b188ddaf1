//! The way back from an event to the fault: which wait followed which, without gap or overlap.
//!
//! Knows the ledger's steps only. What a rule is, and where it can be changed, is not known here.

use crate::engine::{Duration, Rule, SimTime};
use crate::timeline::{Ledger, Step, StepId, Turn};
use std::collections::BTreeSet;

/// A stretch of time that was waited because of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub from: SimTime,
    pub to: SimTime,
    pub rule: Rule,
    /// The event at its end.
    pub step: StepId,
}

impl Part {
    /// How long it lasted.
    pub fn length(&self) -> Duration {
        self.to.since(self.from)
    }
}

/// The parts from a time to the event at the end of a step, in order. They add up to just the time
/// between the two: each begins where the one before it ends.
/// Beside them the steps that were taken.
pub fn way(ledger: &Ledger, end: StepId, from: SimTime) -> (Vec<Part>, BTreeSet<StepId>) {
    let at = ledger.at(end).unwrap_or(from);
    let steps = BTreeSet::from([end]);
    let faults = ledger.faults().collect();
    let mut walk = Walk { ledger, from, upto: at, parts: Vec::new(), steps, faults };
    walk.back(end, from);
    walk.parts.reverse();
    (walk.parts, walk.steps)
}

/// A walk back through the ledger.
struct Walk<'a> {
    ledger: &'a Ledger,
    /// Where it ends.
    from: SimTime,
    /// What is later is explained.
    upto: SimTime,
    /// The last one first.
    parts: Vec<Part>,
    steps: BTreeSet<StepId>,
    /// When the scenario did something, and by which step.
    faults: Vec<(SimTime, StepId)>,
}

impl Walk<'_> {
    /// Follows a step and what led to it back to a time; the step in which that time lies, or ends.
    fn back(&mut self, mut step: StepId, low: SimTime) -> StepId {
        let low = low.max(self.from);
        let mut asks = false;
        while self.upto > low {
            self.steps.insert(step);
            step = match self.ledger.step(step) {
                Some(Step::Wait { before, at, rule, .. }) => {
                    // Where another time is to be reached, what had waited is known already.
                    asks |= *rule == ASKS && low == self.from;
                    let (began, before) = self.set_off(*before, *at, asks);
                    self.explain(began.max(low), rule, step);
                    if began < low {
                        return step;
                    }
                    before
                }
                Some(Step::Turn(turn)) => self.turn(turn, step, low),
                // Set off before the ledger was opened, and not by a step of it.
                None => {
                    self.explain(low, BEFORE, step);
                    step
                }
            };
        }
        step
    }

    /// When a wait began, and the step that set it off. Who asks again and again asks whatever happens: what
    /// he finds after a fault goes back to the fault, and not to his questions before it.
    fn set_off(&self, before: StepId, at: SimTime, asks: bool) -> (SimTime, StepId) {
        let began = self.ledger.at(before).unwrap_or(SimTime::ZERO);
        let faults = self.faults.iter().take_while(|(fault, _)| asks && *fault < at);
        let between = faults.last().filter(|(fault, _)| *fault > began);
        between.copied().unwrap_or((began, before))
    }

    /// A turn leads back to what had been waiting for it, or to what its limit began with.
    fn turn(&mut self, turn: &Turn, step: StepId, low: SimTime) -> StepId {
        let back_to = self.ledger.at(turn.back_to);
        let Some((rule, since, until)) = turn.limit else {
            let rest = self.back(turn.now, back_to.unwrap_or(low).max(low));
            return self.onward(turn.back_to, rest, step, low);
        };
        let rest = self.back(turn.now, until.max(low));
        // A limit that began before what set it off waited for that only since then.
        let began = back_to.map_or(since, |back_to| back_to.max(since));
        self.explain(began.max(low), rule, step);
        let Some(back_to) = back_to else { return rest };
        self.back(rest, back_to.max(low));
        self.onward(turn.back_to, rest, step, low)
    }

    /// Where the way goes on beyond a turn: not before the time that is asked for.
    fn onward(&self, back_to: StepId, rest: StepId, step: StepId, low: SimTime) -> StepId {
        match self.ledger.at(back_to) {
            None => rest,
            Some(at) if at < low => step,
            Some(_) => back_to,
        }
    }

    /// The time since `from` was waited because of a rule.
    fn explain(&mut self, from: SimTime, rule: Rule, step: StepId) {
        if from < self.upto {
            self.parts.push(Part { from, to: self.upto, rule, step });
            self.upto = from;
        }
    }
}

/// The rule of those who ask again and again, whatever they find.
const ASKS: Rule = "users.askInterval";

/// The rule of what was under way already when the ledger was opened.
const BEFORE: Rule = "what was under way before";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{EntryId, FAULT};

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + Duration::from_secs(seconds)
    }

    fn wait(ledger: &mut Ledger, before: StepId, seconds: u64, rule: Rule) -> StepId {
        ledger.push(Step::Wait { before, at: at(seconds), rule, process: 0 })
    }

    fn read(ledger: &Ledger, end: StepId) -> Vec<(u64, u64, Rule)> {
        let (found, _) = way(ledger, end, at(10));
        let seconds = |at: SimTime| at.since(SimTime::ZERO).as_secs();
        let whole = |part: &Part| (seconds(part.from), seconds(part.to), part.rule);
        assert!(found.windows(2).all(|two| two[0].to == two[1].from), "{found:?}");
        found.iter().map(whole).collect()
    }

    fn turn(
        ledger: &mut Ledger,
        now: StepId,
        seconds: u64,
        limit: Option<(Rule, u64, u64)>,
        back_to: StepId,
    ) -> StepId {
        let limit = limit.map(|(rule, since, until)| (rule, at(since), at(until)));
        ledger.push(Step::Turn(Turn { now, at: at(seconds), limit, back_to }))
    }

    fn opened() -> (Ledger, StepId) {
        let mut ledger = Ledger::new(EntryId(1));
        let fault = wait(&mut ledger, StepId::default(), 10, FAULT);
        (ledger, fault)
    }

    #[test]
    fn waits_follow_one_another_from_the_fault_on() {
        let (mut ledger, fault) = opened();
        let sent = wait(&mut ledger, fault, 11, "message");
        let due = wait(&mut ledger, sent, 15, "timer");
        assert_eq!(read(&ledger, due), [(10, 11, "message"), (11, 15, "timer")]);
        assert_eq!(read(&ledger, fault), []);
    }

    #[test]
    fn who_asks_again_and_again_is_not_followed_past_a_fault() {
        let (mut ledger, fault) = opened();
        let first = wait(&mut ledger, fault, 19, ASKS);
        wait(&mut ledger, StepId::default(), 20, FAULT);
        let asked = wait(&mut ledger, first, 22, ASKS);
        let told = wait(&mut ledger, asked, 23, "message");
        let found = [(10, 20, FAULT), (20, 22, ASKS), (22, 23, "message")];
        assert_eq!(read(&ledger, told), found);
    }

    #[test]
    fn of_two_faults_after_each_other_the_way_leads_to_the_first() {
        let (mut ledger, fault) = opened();
        let asked = wait(&mut ledger, fault, 15, ASKS);
        wait(&mut ledger, fault, 20, FAULT);
        let told = wait(&mut ledger, asked, 22, ASKS);
        assert_eq!(read(&ledger, told), [(10, 20, FAULT), (20, 22, ASKS)]);
    }

    #[test]
    fn what_ticked_before_the_fault_counts_since_the_fault() {
        let (mut ledger, _) = opened();
        let before = wait(&mut ledger, StepId::default(), 12, "tick");
        let tick = wait(&mut ledger, before, 17, "tick");
        assert_eq!(read(&ledger, tick), [(10, 12, "tick"), (12, 17, "tick")]);
    }

    #[test]
    fn what_had_waited_leads_back_to_its_own_cause() {
        let (mut ledger, fault) = opened();
        let wanted = wait(&mut ledger, fault, 12, "message");
        let busy = wait(&mut ledger, StepId::default(), 20, "tick");
        let turned = turn(&mut ledger, busy, 20, None, wanted);
        assert_eq!(read(&ledger, turned), [(10, 12, "message"), (12, 20, "tick")]);
        let limit = Some(("workers", 12, 20));
        let turned = turn(&mut ledger, busy, 20, limit, wanted);
        assert_eq!(read(&ledger, turned), [(10, 12, "message"), (12, 20, "workers")]);
    }

    #[test]
    fn a_limit_that_had_begun_earlier_counts_since_the_silence() {
        let (mut ledger, fault) = opened();
        let ended = wait(&mut ledger, fault, 11, "signal");
        let first = wait(&mut ledger, StepId::default(), 47, "tick");
        let tick = wait(&mut ledger, first, 52, "tick");
        // Last heard at 8, before the end; over at 48, seen at 52.
        let turned = turn(&mut ledger, tick, 52, Some(("grace", 8, 48)), ended);
        assert_eq!(
            read(&ledger, turned),
            [(10, 11, "signal"), (11, 48, "grace"), (48, 52, "tick")]
        );
        // Last heard at 13, after the end, in a pass of its own.
        let turned = turn(&mut ledger, tick, 52, Some(("grace", 13, 50)), ended);
        let late = [(10, 11, "signal"), (11, 13, "tick"), (13, 50, "grace"), (50, 52, "tick")];
        assert_eq!(read(&ledger, turned), late);
    }
}
