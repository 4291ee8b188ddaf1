//! From a game and a seed to a sheet: the run is played once for its answers, and once more to stop at
//! each question.

use super::choices::Dice;
use super::disasters::both;
use super::sheet::{Choice, Form, Posed, Sheet};
use super::statuses::Statuses;
use super::value::{Change, changes};
use super::{action, cause, disasters, value};
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::{
    About, Claim, Game, Instant, Observer as _, Question, STATUS, Seen, Sight, Simulation, Subject,
};
use crate::timeline::{EntryId, Run};

/// A lesson that can begin.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub sheet: Sheet,
    /// The lesson's run at the instant of each question of the sheet.
    pub stops: Vec<Simulation>,
}

/// The scenario has no questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NothingAsked;

/// Computes all answers of a lesson with a seed, on so many threads.
///
/// # Errors
/// The scenario asks nothing. A question that this seed cannot ask is left out and told of in
/// [`Sheet::left_out`].
pub fn prepare(game: &Game, seed: u64, jobs: usize) -> Result<Prepared, NothingAsked> {
    if game.questions().is_empty() {
        return Err(NothingAsked);
    }
    let mut simulation = game.begin(seed);
    let mut statuses = Statuses::default();
    statuses.look(simulation.view());
    simulation.run(&mut statuses);
    let run = game.judge(simulation.finish(), seed);
    let mut left_out = Vec::new();
    let mut leave = |question: &Question, why: &str| {
        let words = format!("{}: not asked with seed {seed}: {why}", question.place);
        left_out.push(Text::from(words));
    };
    let mut timed: Vec<(SimTime, usize, &Question)> = Vec::new();
    for (place, question) in game.questions().iter().enumerate() {
        match instant(&run, question) {
            Some(at) if at <= run.ended_at => timed.push((at, place, question)),
            Some(_) => leave(question, "the run is over then"),
            None => leave(question, "`when` is not seen"),
        }
    }
    timed.sort_by_key(|(at, place, _)| (*at, *place));
    let mut replay = game.begin(seed);
    let (mut questions, mut stops) = (Vec::new(), Vec::new());
    for (at, place, question) in timed {
        replay.run_until(at);
        let dice = Dice::new(seed, &game.scenario, place + 1);
        let desk = Desk { game, run: &run, statuses: &statuses.changes, stop: &replay, at };
        match desk.pose(question, (&dice, jobs)) {
            Ok(posed) => {
                questions.push(posed);
                stops.push(replay.fork());
            }
            Err(why) => leave(question, &why),
        }
    }
    let introduction = game.introduction().clone();
    Ok(Prepared { sheet: Sheet { introduction, run, questions, left_out }, stops })
}

/// When a question is asked.
fn instant(run: &Run, question: &Question) -> Option<SimTime> {
    match &question.when {
        Instant::AfterFault(after) => Some(run.first_fault.unwrap_or_default() + *after),
        Instant::AfterSight(pattern, after) => {
            let (at, _) = Sight::Entries(pattern.clone()).first(seen(run, None), |_| true)?;
            Some(at + *after)
        }
    }
}

/// The run as a question sees it: what counts comes since the first fault, or since the question.
fn seen(run: &Run, since: Option<SimTime>) -> Seen<'_> {
    let recovered = run.recovered_at.filter(|at| since.is_none_or(|since| *at >= since));
    Seen {
        timeline: &run.timeline,
        first_fault: since.or(run.first_fault),
        recovered_at: recovered,
    }
}

/// What a question is answered from.
struct Desk<'a> {
    game: &'a Game,
    run: &'a Run,
    statuses: &'a [Change],
    /// The run at the question's instant.
    stop: &'a Simulation,
    at: SimTime,
}

/// A question's form, when its answer is told, and which entries show it.
type Told = (Form, SimTime, Vec<EntryId>);

impl Desk<'_> {
    fn pose(&self, question: &Question, (dice, jobs): (&Dice, usize)) -> Result<Posed, String> {
        let (game, seed, at) = (self.game, self.run.seed, self.at);
        let mut ask = question.ask.clone();
        let (form, told_at, shown_by) = match &question.about {
            About::Value { of, field, ahead } => {
                let object = self.object(of)?;
                ask = Text::from(ask.replace("{object}", &object));
                self.value((&object, field), *ahead, dice)?
            }
            About::Which { claims } => self.which(claims, dice)?,
            About::HowLong { until, tolerance } => self.how_long(until, *tolerance)?,
            About::Cause { of } => {
                let sight = Sight::Entries(of.clone());
                let found = sight.first(seen(self.run, None), |seen| seen <= at);
                let (_, of) = found.ok_or("what it asks the cause of has not been seen yet")?;
                let fault = self.run.first_fault.unwrap_or_default();
                let (form, _) = cause::form(&self.run.timeline, fault, of, dice)?;
                (form, at, vec![of])
            }
            About::Heals { disasters, within } => {
                let form = disasters::form(game, seed, disasters, *within, (dice, jobs))?;
                (form, at, Vec::new())
            }
            About::Act { within } => {
                let form = action::form(game, (self.run, self.stop), *within, (dice, jobs))?;
                (form, at, Vec::new())
            }
        };
        Ok(Posed {
            at,
            told_at,
            kind: question.about.name(),
            ask,
            because: question.because.clone(),
            show: question.show.clone(),
            form,
            shown_by,
        })
    }

    /// The object that is meant now, as `Node/worker-0`.
    fn object(&self, of: &Subject) -> Result<String, String> {
        let so_far = self.run.timeline.entries().iter().take_while(|entry| entry.at <= self.at);
        let name = of.name(so_far).ok_or("there is no such object then")?;
        Ok(format!("{}/{name}", of.kind()))
    }

    fn value(
        &self,
        (object, field): (&str, &str),
        ahead: Duration,
        dice: &Dice,
    ) -> Result<Told, String> {
        let then = self.at + ahead;
        if then > self.run.ended_at {
            return Err("the run is over when it would be known".to_owned());
        }
        let kind = object.split('/').next().unwrap_or_default();
        let own;
        let all = match field {
            STATUS => self.statuses,
            _ => {
                own = changes(&self.run.timeline, kind, field);
                own.as_slice()
            }
        };
        let of_kind: Vec<Change> =
            all.iter().filter(|it| it.object.split('/').next() == Some(kind)).cloned().collect();
        let (form, entry) = value::form(&of_kind, (object, field), (self.at, then), dice)?;
        Ok((form, then, entry.into_iter().collect()))
    }

    fn which(&self, claims: &[Claim], dice: &Dice) -> Result<Told, String> {
        let mut told_at = self.at;
        let mut shown_by = Vec::new();
        let mut choices = Vec::new();
        for claim in claims {
            let verdict = claim.is.judge(seen(self.run, Some(self.at)), &self.run.platform);
            let last = claim.is.after.map_or(self.run.ended_at, |(_, high)| self.at + high);
            // Once it is seen, nothing that comes later changes that.
            told_at = told_at.max(verdict.at.unwrap_or(last.min(self.run.ended_at)));
            shown_by.extend(verdict.entry);
            let choice = Choice::plain(claim.says.clone(), verdict.met);
            choices.push(Choice { because: claim.because.of(verdict.met), ..choice });
        }
        shown_by.sort_unstable();
        shown_by.dedup();
        Ok((Form::All(dice.shuffled(both(choices)?)), told_at, shown_by))
    }

    fn how_long(&self, until: &Sight, tolerance: Duration) -> Result<Told, String> {
        let found = until.first(seen(self.run, Some(self.at)), |_| true);
        let is_over = matches!(until, Sight::Recovery)
            && self.run.recovered_at.is_some_and(|at| at < self.at);
        if is_over {
            return Err("everything is well already".to_owned());
        }
        let right = found.map(|(at, _)| at.since(self.at));
        let told_at = found.map_or(self.run.ended_at, |(at, _)| at);
        let shown_by = found.map(|(_, entry)| entry).into_iter().collect();
        Ok((Form::Length { right, tolerance }, told_at, shown_by))
    }
}
