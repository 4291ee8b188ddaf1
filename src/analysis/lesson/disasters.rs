//! "Which of these heals?": other faults in the same cluster, each played from the beginning.

use super::choices::Dice;
use super::sheet::{Choice, Form, Outcome};
use crate::analysis::parallel::each;
use crate::engine::{Duration, SimTime};
use crate::scenario::{Disaster, Game};

/// A recovery counts once it has lasted so long.
pub(super) const STAYS: Duration = Duration::from_secs(61);

/// The disasters, played. Fails if all of them heal, or none.
pub fn form(
    game: &Game,
    seed: u64,
    disasters: &[Disaster],
    within: Duration,
    (dice, jobs): (&Dice, usize),
) -> Result<Form, String> {
    let count = u64::try_from(disasters.len()).expect("a file has fewer");
    let played = each(0..count, jobs, |place| {
        let disaster = usize::try_from(place).ok().and_then(|place| disasters.get(place));
        let faults = &disaster.expect("one of them").faults;
        let first = faults.first().map_or(SimTime::ZERO, |(at, _)| *at);
        let run = game.instead(faults.clone(), first + within + STAYS).play_until_recovered(seed);
        let took = run.recovery_time().filter(|took| *took <= within);
        Outcome { took, action: None, course: None, run }
    });
    let choices: Vec<Choice> = disasters
        .iter()
        .zip(played)
        .map(|(disaster, outcome)| {
            let choice = Choice::plain(disaster.says.clone(), outcome.took.is_some());
            let because = disaster.because.of(choice.is_right);
            Choice { because, outcome: Some(outcome), ..choice }
        })
        .collect();
    Ok(Form::All(dice.shuffled(both(choices)?)))
}

/// The choices, if at least one is right and one is not.
pub(super) fn both(choices: Vec<Choice>) -> Result<Vec<Choice>, String> {
    let right = choices.iter().filter(|choice| choice.is_right).count();
    match right {
        0 => Err("no choice is right".to_owned()),
        all if all == choices.len() => Err("no choice is wrong".to_owned()),
        _ => Ok(choices),
    }
}
