//! "What would you do now?": what an operator could do, each done in a fork of the run.

use super::choices::Dice;
use super::course::Course;
use super::disasters::{STAYS, both};
use super::sheet::{Choice, Form, Outcome};
use crate::analysis::parallel::each;
use crate::engine::{Duration, Text};
use crate::scenario::{Action, Game, Simulation, actions};
use crate::timeline::Run;

/// How much there is to choose.
const OFFERED: usize = 6;
/// How many actions are tried; the world may suggest many that are alike.
const TRIED: usize = 9;
/// What takes no longer than the soonest and so much more is as good.
const AS_GOOD: Duration = Duration::from_secs(30);

/// The actions that the world suggests, and to do nothing. Right is after what everything is well in
/// the given time, best what is so soonest. Fails if everything helps, or nothing.
pub fn form(
    game: &Game,
    (run, stop): (&Run, &Simulation),
    within: Duration,
    (dice, jobs): (&Dice, usize),
) -> Result<Form, String> {
    let mut tried: Vec<Option<Action>> = actions(stop.view()).into_iter().map(Some).collect();
    // All of a kind together stand last, and are what helps where single ones do not.
    if tried.len() > TRIED {
        tried.drain(TRIED / 2..tried.len() - TRIED / 2);
    }
    tried.push(None);
    let count = u64::try_from(tried.len()).expect("few");
    let played = each(0..count, jobs, |place| {
        let action = usize::try_from(place).ok().and_then(|place| tried.get(place));
        outcome(game, (run, stop), action.and_then(Option::as_ref), within)
    });
    let mut choices: Vec<Choice> = tried
        .iter()
        .zip(played)
        .map(|(action, outcome)| {
            let text = action.as_ref().map_or(Text::word(NOTHING), |action| said(&action.words));
            let choice = Choice::plain(text, outcome.took.is_some());
            Choice { outcome: Some(outcome), ..choice }
        })
        .collect();
    let took = |choice: &Choice| choice.outcome.as_ref().and_then(|outcome| outcome.took);
    let soonest = choices.iter().filter_map(took).min().unwrap_or_default();
    for choice in &mut choices {
        choice.is_best = took(choice).is_some_and(|took| took <= soonest + AS_GOOD);
    }
    let choices = both(choices)?;
    Ok(Form::One(dice.shuffled(offered(choices, dice))))
}

const NOTHING: &str = "do nothing, and wait";

/// Of many choices: one that is best, one that is wrong, to do nothing, and some of the others.
fn offered(choices: Vec<Choice>, dice: &Dice) -> Vec<Choice> {
    if choices.len() <= OFFERED {
        return choices;
    }
    let (mut taken, mut rest) = (Vec::new(), choices);
    let wanted: [fn(&Choice) -> bool; 3] =
        [|it| it.text == *NOTHING, |it| it.is_best, |it| !it.is_right];
    for is_wanted in wanted {
        let is_there = taken.iter().any(is_wanted);
        if let Some(place) = rest.iter().position(is_wanted).filter(|_| !is_there) {
            taken.push(rest.remove(place));
        }
    }
    let left = OFFERED - taken.len();
    taken.extend(dice.some(rest, left));
    taken
}

/// What comes of an action, in a fork that goes on until it has recovered or the time is over.
fn outcome(
    game: &Game,
    (run, stop): (&Run, &Simulation),
    action: Option<&Action>,
    within: Duration,
) -> Outcome {
    let now = stop.view().now();
    let mut fork = stop.treated(action, within + STAYS);
    let end = now + within + STAYS;
    while fork.recovered_at().is_none() && fork.view().now() <= end && fork.step_within(end) {}
    let took = fork.recovered_at().map(|at| at.since(now)).filter(|took| *took <= within);
    let played = game.judge(fork.finish(), run.seed);
    let course = Some(Course::of(run, &played, now));
    Outcome { took, action: action.cloned(), course, run: played }
}

/// As a person types it where that is a command, else as a scenario's fault.
fn said(words: &Text) -> Text {
    let one = |word: &str| match word.split_once(": ") {
        Some((tool @ ("kubectl" | "etcdctl"), typed)) => {
            format!("{tool} {}", typed.trim_matches('"'))
        }
        _ => word.to_owned(),
    };
    let all: Vec<String> = words.split(", then ").map(one).collect();
    Text::from(all.join(", then "))
}
