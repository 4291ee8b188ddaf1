//! The way back from an event to the fault: which wait followed which, without gap or overlap.
//!
//! Knows the ledger's steps only. What a rule is, and where it can be changed, is not known here.

use super::news::News;
use crate::engine::{Duration, Rule, SimTime, Text};
use crate::timeline::{Ledger, Step, StepId, Turn};
use std::collections::{BTreeMap, BTreeSet};

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
pub fn way(
    ledger: &Ledger,
    news: &News,
    end: StepId,
    from: SimTime,
) -> (Vec<Part>, BTreeSet<StepId>) {
    let at = ledger.at(end).unwrap_or(from);
    let mut walk = Walk {
        ledger,
        news,
        from,
        upto: at,
        parts: Vec::new(),
        steps: BTreeSet::from([end]),
        faults: ledger.faults().collect(),
        places: BTreeSet::new(),
        looks: BTreeMap::new(),
        last: None,
    };
    walk.back(end, from);
    walk.parts.reverse();
    (honest(walk.parts, ledger, news), walk.steps)
}

/// How many looks in a row may be what somebody counts: a probe that has to fail eight times.
const COUNTED: usize = 10;

/// Who has looked more often than anybody counts, and did nothing else for long in between, waited for something that
/// is not told apart.
fn honest(parts: Vec<Part>, ledger: &Ledger, news: &News) -> Vec<Part> {
    let who = |part: &Part| (part.rule, ledger.process(part.step));
    let mut told = Vec::new();
    let mut rest = &parts[..];
    while let Some((first, after)) = rest.split_first() {
        if first.length() < DIAL {
            told.push(*first);
            rest = after;
            continue;
        }
        let is_brief = |part: &Part| part.length() < LOOK || who(part) == who(first);
        let row = 1 + after.iter().take_while(|part| is_brief(part)).count();
        let looks =
            rest[..row].iter().rposition(|part| who(part) == who(first)).unwrap_or_default();
        let is_look =
            |part: &&Part| who(part) == who(first) && news.may_pause(part.rule, part.length());
        let count = rest[..=looks].iter().filter(is_look).count();
        let taken = if count > COUNTED {
            told.push(Part { from: first.from, rule: UNTOLD, ..rest[looks] });
            looks + 1
        } else {
            told.push(*first);
            1
        };
        rest = &rest[taken..];
    }
    told
}

/// A walk back through the ledger.
struct Walk<'a> {
    ledger: &'a Ledger,
    news: &'a News,
    /// Where it ends.
    from: SimTime,
    /// What is later is explained.
    upto: SimTime,
    /// The last one first.
    parts: Vec<Part>,
    steps: BTreeSet<StepId>,
    /// When the scenario did something, and by which step.
    faults: Vec<(SimTime, StepId)>,
    /// Of whom the way has told, from its end on.
    places: BTreeSet<Text>,
    /// When who looks by which rule was met last on the way.
    looks: BTreeMap<(Rule, u32), SimTime>,
    /// The wait that was met last.
    last: Option<(Rule, u32)>,
}

impl Walk<'_> {
    /// Follows a step and what led to it back to a time; the step in which that time lies, or ends.
    fn back(&mut self, mut step: StepId, low: SimTime) -> StepId {
        let low = low.max(self.from);
        let mut asks = false;
        while self.upto > low {
            self.steps.insert(step);
            self.meet(step);
            step = match self.ledger.step(step) {
                Some(Step::Wait { before, at, rule, process }) => {
                    if let Some(found) = self.found(*before, *at, (rule, *process), (step, low)) {
                        step = found;
                        continue;
                    }
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

    /// Notes of whom a step tells.
    fn meet(&mut self, step: StepId) {
        if let Some(Step::Wait { process, .. }) = self.ledger.step(step) {
            self.places.extend(self.news.place(*process).map(Text::from));
        }
        let told: Vec<Text> = match self.ledger.at(step) {
            Some(at) => self.news.places_of(step, at).cloned().collect(),
            None => Vec::new(),
        };
        if !told.is_empty() {
            // Something came of this look.
            self.looks.clear();
        }
        self.places.extend(told);
    }

    /// Who has looked again by a timer of his own, after a look of which nothing came, has found what changed in
    /// between: the step by which it did, from which the time is his who looked so late. Who pauses while a person mends
    /// what is on the way finds that.
    fn found(
        &mut self,
        before: StepId,
        at: SimTime,
        who: (Rule, u32),
        (step, low): (StepId, SimTime),
    ) -> Option<StepId> {
        let began = self.ledger.at(before)?;
        let is_own = self.ledger.process(before) == Some(who.1);
        let shortest = if self.last == Some(who) { DIAL } else { LOOK };
        self.last = Some(who);
        let paused = at.since(began);
        if !is_own || paused < DIAL || !self.news.is_fixed(who.0) {
            return None;
        }
        let repair = self.news.repaired((began.max(low), at), &self.places, who.1);
        if let Some(repair) = repair.filter(|repair| !self.steps.contains(&repair.step)) {
            let (mended, from) = (repair.step, repair.at);
            self.looks.clear();
            self.explain(from, who.0, step);
            return Some(mended);
        }
        if paused < shortest || !self.news.may_pause(who.0, paused) {
            return None;
        }
        let next = self.looks.insert(who, at)?;
        let change = self.news.between((at, next), &self.places, who.1)?;
        if self.steps.contains(&change.step) {
            return None;
        }
        let (found, from) = (change.step, change.at);
        self.looks.clear();
        self.forget_until(from);
        Some(found)
    }

    /// What was explained before a time is not, after all.
    fn forget_until(&mut self, at: SimTime) {
        while let Some(last) = self.parts.last_mut().filter(|last| last.from < at) {
            if last.to > at {
                last.from = at;
                break;
            }
            self.parts.pop();
        }
        self.upto = at;
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

/// The shortest pause of one who looks again: what is shorter is on its way, or at work.
const LOOK: Duration = Duration::from_millis(500);
/// The same of one who does nothing else in between, as a member of etcd that dials another.
const DIAL: Duration = Duration::from_millis(50);

/// The rule of one who looked again and again, and of whose find nothing tells what it was.
pub const UNTOLD: Rule = "somebody looked again and again; for what is not told apart";

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
        let (found, _) = way(ledger, &News::default(), end, at(10));
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

    /// A wait that falls due for a process.
    fn due(ledger: &mut Ledger, before: StepId, seconds: u64, of: (Rule, u32)) -> StepId {
        let (rule, process) = of;
        ledger.push(Step::Wait { before, at: at(seconds), rule, process })
    }

    /// A controller on a VM `s` looks every two seconds, from 12 to its find at `until`, of what a server on `c`
    /// tells it.
    fn looked(ledger: &mut Ledger, until: u64) -> StepId {
        let mut tick = due(ledger, StepId::default(), 12, ("look", 1));
        for seconds in (14..=until).step_by(2) {
            tick = due(ledger, tick, seconds, ("look", 1));
        }
        let asked = due(ledger, tick, until, ("message", 2));
        due(ledger, asked, until, ("message", 1))
    }

    const PROCESSES: [&str; 3] = ["other@o", "controller@s", "server@c"];

    fn read_with(ledger: &Ledger, news: &News, end: StepId) -> Vec<(u64, u64, Rule)> {
        let seconds = |at: SimTime| at.since(SimTime::ZERO).as_secs();
        let (found, _) = way(ledger, news, end, at(10));
        found.iter().map(|part| (seconds(part.from), seconds(part.to), part.rule)).collect()
    }

    #[test]
    fn who_looks_again_and_again_has_waited_for_what_changed_before_his_find() {
        let (mut ledger, fault) = opened();
        let boot = due(&mut ledger, fault, 15, ("boot", 2));
        let end = looked(&mut ledger, 20);
        // Two more looks are what somebody counts, perhaps; of another place is no news.
        let told = [(at(13), fault, "o"), (at(15), boot, "c"), (at(19), fault, "o")];
        let news = News::made_up(&told, &PROCESSES);
        let found = [(10, 15, "boot"), (15, 16, "look"), (16, 18, "look"), (18, 20, "look")];
        assert_eq!(read_with(&ledger, &news, end), found);
    }

    #[test]
    fn of_whose_find_nothing_tells_that_is_said_and_his_looks_are_not_blamed() {
        let (mut ledger, _) = opened();
        let end = looked(&mut ledger, 60);
        let news = News::made_up(&[], &PROCESSES);
        assert_eq!(read_with(&ledger, &news, end), [(10, 60, UNTOLD)]);
        let few = looked(&mut ledger, 24);
        let found = read_with(&ledger, &news, few);
        assert!(
            found.iter().all(|(_, _, rule)| *rule == "look"),
            "a few may be counted: {found:?}"
        );
    }

    #[test]
    fn a_pause_in_which_a_person_mends_goes_back_to_him() {
        let (mut ledger, _) = opened();
        let repair = wait(&mut ledger, StepId::default(), 200, FAULT);
        let begun = due(&mut ledger, StepId::default(), 12, ("pause", 2));
        let end = due(&mut ledger, begun, 312, ("pause", 2));
        let news = News::made_up(&[(at(200), repair, "c")], &PROCESSES);
        assert_eq!(read_with(&ledger, &news, end).len(), 2, "a change is none of his business");
        let found = [(10, 200, FAULT), (200, 312, "pause")];
        assert_eq!(read_with(&ledger, &news.mended(), end), found);
    }

    #[test]
    fn a_controller_elsewhere_waits_for_a_repair_of_one_like_those_it_looks_after() {
        let processes = ["other@o-0", "controller@s-0", "server@c-0"];
        for (looks, place, is_found) in [(1, "c-1", true), (2, "c-1", false), (1, "d-1", false)] {
            let (mut ledger, _) = opened();
            let repair = wait(&mut ledger, StepId::default(), 200, FAULT);
            let begun = due(&mut ledger, StepId::default(), 12, ("pause", looks));
            let paused = due(&mut ledger, begun, 312, ("pause", looks));
            let end = due(&mut ledger, paused, 313, ("message", 2));
            let news = News::made_up(&[(at(200), repair, place)], &processes).mended();
            let found = read_with(&ledger, &news, end);
            assert_eq!(found[0] == (10, 200, FAULT), is_found, "{looks} {place}: {found:?}");
        }
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
