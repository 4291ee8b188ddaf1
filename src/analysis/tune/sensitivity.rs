//! Each setting one step down and one step up: how far the milestone moves.

use super::steps::sides;
use super::times::{Move, Moved, Quantile, Resamples, Times};
use super::{Build, Played, Question, rows};
use crate::analysis::Control;
use crate::scenario::{Game, KnownSetting};
use std::cmp::Reverse;
use std::ops::Range;

/// What each setting moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensitivity {
    pub played: Played,
    /// In how many runs it came as things are.
    pub came: u64,
    pub p50: Quantile,
    pub p95: Quantile,
    /// Settings that move p50 or p95 for certain, or that may with too few runs to tell; the most first.
    pub bars: Vec<Bar>,
    /// Settings that do not, by key.
    pub idle: Vec<String>,
    /// Settings for which there is no other value to try, by key.
    pub untried: Vec<Untried>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    pub setting: KnownSetting,
    /// Down, then up; of some settings only one of them is valid.
    pub sides: Vec<Side>,
}

/// One value beside the setting's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub value: String,
    /// In how many runs it came.
    pub came: u64,
    pub p50: Moved,
    pub p95: Moved,
}

/// A setting that could not be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untried {
    pub key: String,
    pub value: String,
}

/// What moves it by less than this part of it, in thousandths, is not worth a line.
const LEAST: u64 = 5;

/// A setting with the games of its sides; none where a side changes nothing in the world.
struct Tried {
    setting: KnownSetting,
    sides: Vec<(String, Option<Game>)>,
}

/// Plays the scenario as it is, and with each of these settings one step down and one up. What
/// moves it in none of the first `screened` runs is not played further; 0 plays all.
///
/// # Errors
/// The scenario cannot be played as it is.
pub fn sensitivity(
    build: Build,
    settings: &[KnownSetting],
    screened: u64,
    question: &Question,
    control: &Control,
) -> Result<Sensitivity, Vec<String>> {
    let base = build(&[])?;
    let (mut tried, mut untried) = (Vec::new(), Vec::new());
    for setting in settings {
        let sides = valid_sides(build, &base, setting);
        match sides.is_empty() {
            true => {
                untried.push(Untried { key: setting.key.clone(), value: setting.value.clone() });
            }
            false => tried.push(Tried { setting: setting.clone(), sides }),
        }
    }
    let screened = if screened == 0 { question.runs } else { screened.min(question.runs) };
    let first = play(&base, &tried, 0..screened, question, control);
    let has_all = first[0].0.len() as u64 == screened;
    let (mut idle, mut left, mut times) = (Vec::new(), Vec::new(), vec![first[0].clone()]);
    let mut columns = first[1..].iter();
    for tried in tried {
        let sides = tried.sides.iter().filter(|(_, game)| game.is_some());
        let own: Vec<&Times> = columns.by_ref().take(sides.count()).collect();
        match own.iter().any(|side| first[0].differs(side, LEAST)) {
            false if has_all => idle.push(tried.setting.key),
            _ => {
                times.extend(own.into_iter().cloned());
                left.push(tried);
            }
        }
    }
    if has_all {
        let rest = play(&base, &left, screened..question.runs, question, control);
        times.iter_mut().zip(rest).for_each(|(times, rest)| times.0.extend(rest.0));
    }
    let played = Played::new(&base, question, times[0].0.len());
    Ok(judged(played, &times, left, (idle, untried)))
}

/// The times of the game as it is, then those of each side that is a game of its own.
fn play(
    base: &Game,
    tried: &[Tried],
    range: Range<u64>,
    question: &Question,
    control: &Control,
) -> Vec<Times> {
    let others = tried.iter().flat_map(|tried| &tried.sides);
    let others = others.filter_map(|(_, game)| game.as_ref());
    let games: Vec<&Game> = std::iter::once(base).chain(others).collect();
    let play = |row: u64, column: usize| question.of.when(games[column], question.first_seed + row);
    let found = rows((range, question.jobs), games.len(), control, play);
    let column = |place: usize| Times::new(found.iter().map(|row| row[place]).collect());
    (0..games.len()).map(column).collect()
}

/// The first valid value on each side, with its game.
fn valid_sides(build: Build, base: &Game, setting: &KnownSetting) -> Vec<(String, Option<Game>)> {
    let own = base.fingerprint();
    let game = |value: &String| {
        let game = build(&[(setting.key.clone(), value.clone())]).ok()?;
        // What nobody reads there gives the same world, and is not played again.
        let changes = game.fingerprint() != own;
        Some((value.clone(), changes.then_some(game)))
    };
    sides(&setting.value, &setting.form)
        .iter()
        .filter_map(|side| side.iter().find_map(game))
        .collect()
}

fn judged(
    played: Played,
    times: &[Times],
    tried: Vec<Tried>,
    (mut idle, untried): (Vec<String>, Vec<Untried>),
) -> Sensitivity {
    let base = &times[0];
    let resamples = Resamples::of(usize::try_from(played.runs).unwrap_or_default());
    let mut bars = Vec::new();
    let mut others = times[1..].iter();
    for Tried { setting, sides } in tried {
        let side = |(value, game): (String, Option<Game>)| {
            let after = if game.is_some() { others.next().expect("one for each") } else { base };
            Side {
                value,
                came: after.came(),
                p50: base.moved(after, 50, &resamples),
                p95: base.moved(after, 95, &resamples),
            }
        };
        let bar = Bar { setting, sides: sides.into_iter().map(side).collect() };
        match bar.sides.iter().any(|side| side.counts(base)) {
            true => bars.push(bar),
            false => idle.push(bar.setting.key),
        }
    }
    // Of what was not played nobody knows that it moves nothing.
    if played.runs == 0 {
        idle.clear();
    }
    idle.sort_unstable();
    bars.sort_by_key(|bar| (Reverse(bar.size()), bar.setting.key.clone()));
    Sensitivity {
        came: base.came(),
        p50: base.quantile(50),
        p95: base.quantile(95),
        played,
        bars,
        idle,
        untried,
    }
}

impl Bar {
    /// The farthest that one of its sides moves p50, then p95.
    fn size(&self) -> (u64, u64) {
        let most = |of: &dyn Fn(&Side) -> Move| self.sides.iter().map(|it| of(it).size()).max();
        let most = |of: &dyn Fn(&Side) -> Move| most(of).unwrap_or_default();
        (most(&|side| side.p50.by), most(&|side| side.p95.by))
    }
}

impl Side {
    fn counts(&self, base: &Times) -> bool {
        [(50, self.p50), (95, self.p95)].iter().any(|(percent, moved)| {
            let whole = base.quantile(*percent).value.unwrap_or_default();
            let is_far = moved.by.size() >= whole.scaled(LEAST, 1000).as_micros().max(1);
            is_far && (moved.is_certain() || moved.is_doubtful())
        })
    }
}
