//! `check`: scenarios validated, then played with many seeds.

use super::args::{Common, Seeds};
use super::commands::{Exit, Trouble, can_write, file, stats, stdout, verdict};
use super::estimate::mentions;
use super::output::{note, print, write_file};
use super::player::{Linted, Options, Player};
use super::progress::{Progress, watch};
use crate::analysis::estimate::{Asked, Sample, Threshold};
use crate::analysis::{Control, Estimate};
use crate::engine::{Duration, Text, counted};
use crate::report::{self, Case};
use crate::timeline::{self, End};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Validate scenarios, then play them with many seeds
///
/// Prints one line per scenario; exit code 4 if an expectation fails with any seed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim check worker-kubelet-stopped
  healsim check --seeds 1..100 mine.yaml --junit report.xml
  healsim check --seeds 1..200 mine.yaml --threshold 'recoveryTime p95 < 15m'
  healsim check --lint *.yaml")]
pub struct Check {
    /// Scenarios: names or files
    #[arg(value_name = "NAME|FILE", required = true)]
    pub inputs: Vec<String>,
    /// The seeds to play, first and last: the scenario's `seed` alone, or 1..20
    #[arg(long, value_name = "A..B", allow_hyphen_values = true)]
    pub seeds: Option<Seeds>,
    /// Only read and validate, do not play
    #[arg(long, conflicts_with_all = ["seeds", "stats"])]
    pub lint: bool,
    /// A bound that the runs of each scenario have to keep together, as 'recoveryTime p95 < 15m';
    /// exit code 4 if it fails; may be given several times
    #[arg(long, value_name = "EXPR", conflicts_with = "lint")]
    pub threshold: Vec<Threshold>,
    /// Write the verdicts as JUnit XML into a file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print the engine's own counts to standard error
    #[arg(long)]
    pub stats: bool,
    #[command(flatten)]
    pub common: Common,
}

/// What was found of all inputs.
#[derive(Default)]
struct Found {
    cases: Vec<Case>,
    mistakes: Vec<String>,
    /// Not all was played.
    is_cut: bool,
}

/// One scenario, checked.
struct Checked {
    line: String,
    exit: Exit,
    case: Case,
    is_cut: bool,
}

/// Checks every input even when an earlier one is wrong: one call shows all mistakes. Ctrl-C ends it with
/// the run that is being played, and what there is is written all the same.
pub(super) fn check(asked: &Check, player: &impl Player) -> Result<Exit, Trouble> {
    asked.junit.iter().try_for_each(|path| can_write(path))?;
    let options = asked.common.options()?;
    let mut found = Found::default();
    let work = |control: &Control| check_all(asked, &options, player, (control, &mut found));
    let (worst, _) = watch(0, Progress::Never, work);
    let worst = worst?;
    write_cases(asked, &found.cases)?;
    if found.is_cut {
        found.mistakes.iter().for_each(|mistake| note(mistake.trim_end()));
        let (checked, all) = (found.cases.len(), asked.inputs.len() as u64);
        note(&format!("partial: interrupted at number {checked} of {}", counted(all, "scenario")));
        return Ok(Exit::Interrupted);
    }
    if found.mistakes.is_empty() { Ok(worst) } else { Err(Trouble::Input(found.mistakes)) }
}

fn check_all(
    asked: &Check,
    options: &Options,
    player: &impl Player,
    (control, found): (&Control, &mut Found),
) -> Result<Exit, Trouble> {
    let mut worst = Exit::Done;
    let mut told = BTreeSet::new();
    for input in &asked.inputs {
        if control.is_stopped() {
            found.is_cut = true;
            break;
        }
        match check_one(asked, input, options, player, (control, &mut told)) {
            Ok(checked) => {
                print(format!("{}\n", checked.line).as_bytes()).map_err(stdout)?;
                worst = worst.max(checked.exit);
                found.is_cut |= checked.is_cut;
                found.cases.push(checked.case);
            }
            Err(wrong) => {
                let case = Case { name: input.clone(), failures: wrong.clone(), ..Case::default() };
                found.cases.push(case);
                found.mistakes.extend(wrong);
            }
        }
    }
    Ok(worst)
}

/// Checks one scenario; what was told already is not told again.
fn check_one(
    asked: &Check,
    input: &str,
    options: &Options,
    player: &impl Player,
    (control, told): (&Control, &mut BTreeSet<String>),
) -> Result<Checked, Vec<String>> {
    let Linted { name, seed, reach, notes, .. } = player.lint(input, options)?;
    let new = notes.into_iter().filter(|text| told.insert(text.clone()));
    new.for_each(|text| note(&text));
    let mut case = Case { name: name.clone(), ..Case::default() };
    if asked.lint {
        let line = format!("valid  {name}");
        return Ok(Checked { line, exit: Exit::Done, case, is_cut: false });
    }
    let (mut exit, mut failed, mut played) = (Exit::Done, 0, 0);
    let (mut samples, mut unstruck) = (Vec::new(), None);
    let seeds = asked.seeds.or(seed.map(Seeds::only)).unwrap_or_default();
    let of_this = |wrong: Vec<String>| -> Vec<String> {
        wrong.iter().map(|wrong| format!("{name}: {wrong}")).collect()
    };
    let named = mentions(&asked.threshold);
    player.knows(input, options, seeds.first, &named).map_err(of_this)?;
    for seed in seeds.iter().take_while(|_| !control.is_stopped()) {
        let run = player.play(input, options, seed)?;
        if asked.stats {
            stats(&run);
        }
        if unstruck.is_none() {
            unstruck = run.unstruck.first().map(|text| format!("{name}: with seed {seed} {text}"));
        }
        let failures = failures(&run);
        failed += usize::from(!failures.is_empty());
        played += 1;
        exit = exit.max(verdict(&run));
        case.class = run.platform.to_string();
        case.failures.extend(failures);
        samples.extend((!asked.threshold.is_empty()).then(|| Sample::of(&run)));
    }
    unstruck.into_iter().for_each(|text| note(&format!("note: {text}")));
    let is_cut = played < seeds.count();
    if is_cut {
        // Nobody is to take what was not played for a test that has passed.
        case.failures.push(format!("interrupted after {played} of {} seeds", seeds.count()));
    } else {
        let broken = broken_bounds(asked, (&case, seeds, reach), samples)?;
        if !broken.is_empty() {
            exit = exit.max(Exit::Expectation);
            case.failures.splice(0..0, broken);
        }
    }
    let line = line(&case, failed, played);
    Ok(Checked { line, exit, case, is_cut })
}

/// The bounds that the runs of a scenario do not keep together; how near it was is told of each.
fn broken_bounds(
    asked: &Check,
    (case, seeds, reach): (&Case, Seeds, Option<Duration>),
    samples: Vec<Sample>,
) -> Result<Vec<String>, Vec<String>> {
    if asked.threshold.is_empty() {
        return Ok(Vec::new());
    }
    let question = Asked {
        scenario: Text::from(case.name.as_str()),
        platform: Text::from(case.class.as_str()),
        fingerprint: Text::EMPTY,
        words: Vec::new(),
        first_seed: seeds.first,
        runs: seeds.count(),
        assumed_runs: 0,
        until_recovered: false,
        reach: reach.map(Duration::as_micros),
        users: BTreeSet::new(),
    };
    let estimate = Estimate::of_samples(question, samples);
    let mut broken = Vec::new();
    for threshold in &asked.threshold {
        let verdict = threshold.judge(&estimate).map_err(|wrong| vec![wrong])?;
        note(&format!("{}: {}", case.name, verdict.text));
        broken.extend((!verdict.met).then_some(verdict.text));
    }
    Ok(broken)
}

/// `ok`, or what failed first: one line, however much went wrong.
fn line(case: &Case, failed: usize, played: u64) -> String {
    let Case { name, class, failures } = case;
    match failures.first() {
        None => format!("ok     {name} on {class}: {}", counted(played, "seed")),
        Some(first) if class.is_empty() => format!("FAILED {name}: {first}"),
        // Together they miss a bound, and each of them holds what is expected.
        Some(first) if failed == 0 => format!("FAILED {name} on {class}: {first}"),
        Some(first) => {
            let all = counted(played, "seed");
            format!("FAILED {name} on {class}: {failed} of {all}; {first}")
        }
    }
}

/// What a run broke, each in one line that names its seed.
fn failures(run: &timeline::Run) -> Vec<String> {
    let seed = run.seed;
    let broken = run.violated.iter().map(|text| format!("seed {seed}: invariant violated: {text}"));
    let failed = run.failed().map(|expectation| {
        let why = &expectation.why_not;
        let why = if why.is_empty() { String::new() } else { format!(" — {why}") };
        format!("seed {seed}: {}{why}", expectation.text)
    });
    let is_cut =
        (run.end == End::Budget).then(|| format!("seed {seed}: {}", report::out_of_events(run)));
    broken.chain(failed).chain(is_cut).collect()
}

fn write_cases(asked: &Check, cases: &[Case]) -> Result<(), Trouble> {
    let Some(path) = &asked.junit else { return Ok(()) };
    let mut bytes = Vec::new();
    report::write_junit(cases, &mut bytes).map_err(stdout)?;
    write_file(path, &bytes).map_err(|error| file(path, &error))
}
