//! What each command does, in terms of a player, a report and an exit code.
//!
//! It does not know how a scenario is played; mistakes of the input arrive as finished texts.

use super::args::OutFile;
use super::output::{note, print, try_file, write_file};
use super::player::{Listing, Player, Question};
use super::{Cli, Command, Get, List, Run, Show};
use super::{availability, check, compare, estimate, fuzz, learn, report as pages, tune, why};
use crate::engine::{SimTime, Text};
use crate::report::html::Film;
use crate::report::{self, Format, ListFormat, Listed, Style};
use crate::timeline::{self, End};
use clap::builder::{PossibleValue, StyledStr};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

/// Of more words that are possible an example says more.
const MOST_WORDS: usize = 12;

/// Why a command ended; the number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Input = 3,
    Expectation = 4,
    Invariant = 5,
    Interrupted = 130,
}

/// Why a command could not answer.
#[derive(Debug)]
pub enum Trouble {
    /// Mistakes in the input, each a finished text.
    Input(Vec<String>),
    /// The program's own or the disk's.
    Failed(String),
}

/// Reads the arguments and does what they say. Wrong usage ends here, with exit code 2.
pub fn main(player: &impl Player) -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let cli = Cli::try_parse_from(&words).unwrap_or_else(|wrong| unread(wrong, &words).exit());
    if let Err(wrong) = cli.command.fits() {
        let mut program = Cli::command();
        program.build();
        let command =
            program.find_subcommand_mut(cli.command.name()).expect("a command of this name");
        command.error(ErrorKind::ValueValidation, wrong).exit();
    }
    ExitCode::from(execute(&cli.command, player) as u8)
}

/// What is said of words that cannot be read. Who leaves some out is shown what would be right, and who asks
/// for help with a command that there is not hears what he would who types it: which one is meant.
fn unread(mut wrong: clap::Error, words: &[OsString]) -> clap::Error {
    if wrong.kind() == ErrorKind::MissingRequiredArgument {
        let tips = words.get(1).map(right_words).unwrap_or_default();
        let tips = tips.into_iter().map(StyledStr::from).collect();
        wrong.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        return wrong;
    }
    let asks = words.get(1).is_some_and(|word| word == "help");
    match words.get(2).filter(|_| asks && wrong.kind() == ErrorKind::InvalidSubcommand) {
        Some(command) if !Cli::command().get_subcommands().any(|it| *command == *it.get_name()) => {
            Cli::try_parse_from([&words[0], command]).err().unwrap_or(wrong)
        }
        _ => wrong,
    }
}

/// What the first word of a command can be, if these are few, and an example of it all.
fn right_words(command: &OsString) -> Vec<String> {
    let program = Cli::command();
    let Some(command) = program.find_subcommand(command) else { return Vec::new() };
    let first = command.get_positionals().next();
    let known = first.map(|first| (first, first.get_possible_values()));
    let known = known.filter(|(_, words)| (1..=MOST_WORDS).contains(&words.len()));
    let one_of = known.map(|(first, words)| {
        let words: Vec<&str> = words.iter().map(PossibleValue::get_name).collect();
        format!("<{}> is one of {}", first.get_id().as_str().to_uppercase(), words.join(", "))
    });
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let example = examples.lines().nth(1).map(|line| format!("for example: {}", line.trim()));
    one_of.into_iter().chain(example).collect()
}

/// Does one command and says what went wrong.
pub fn execute(command: &Command, player: &impl Player) -> Exit {
    let result = match command {
        Command::Run(run) => play(run, player),
        Command::Check(asked) => check::check(asked, player),
        Command::List(list) => list_all(list, player),
        Command::Show(show) => show_one(show, player),
        Command::Get(get) => get_at(get, player),
        Command::Estimate(asked) => estimate::play_many(asked, player),
        Command::Merge(asked) => estimate::merge_files(asked),
        Command::Compare(asked) => compare::play_both(asked, player),
        Command::Why(asked) => why::ask(asked, player),
        Command::Tune(asked) => tune::tune(asked, player),
        Command::Availability(asked) => availability::play_years(asked),
        Command::Fuzz(asked) => fuzz::fuzz(asked),
        Command::Replay(asked) => fuzz::replay(asked, player),
        Command::Report(asked) => pages::report(asked),
        Command::Learn(asked) => learn::learn(asked, player),
    };
    match result {
        Ok(exit) => exit,
        Err(Trouble::Input(mistakes)) => {
            mistakes.iter().for_each(|mistake| note(mistake.trim_end()));
            Exit::Input
        }
        Err(Trouble::Failed(why)) => {
            note(&format!("healsim: {why}"));
            Exit::Failed
        }
    }
}

pub(super) fn play(asked: &Run, player: &impl Player) -> Result<Exit, Trouble> {
    asked.out.iter().try_for_each(|out| can_write(&out.path))?;
    let options = asked.common.options()?;
    let mut films = Vec::new();
    for input in &asked.inputs {
        let seed = match asked.seed {
            Some(seed) => seed,
            None => player.lint(input, &options)?.seed(None),
        };
        let mut film = match asked.wants_page() {
            true => player.film(input, &options, seed)?,
            false => player.play(input, &options, seed)?.into(),
        };
        notes(&film.run).iter().for_each(|text| note(text));
        violations(&film.run).iter().for_each(|text| note(text));
        film.run.command = again(input, seed, &asked.common.words());
        if asked.stats {
            stats(&film.run);
        }
        let label = film.run.scenario.to_string();
        films.push((film, label));
    }
    let mut interrupted = false;
    match films.first_mut().filter(|_| asked.play) {
        Some((film, _)) => interrupted = watch(&mut film.run, asked.speed)?,
        None => print(&rendered(asked.output, &films, Style::Colored)?).map_err(stdout)?,
    }
    asked.out.iter().try_for_each(|out| write_out(out, &films))?;
    if interrupted {
        return Ok(Exit::Interrupted);
    }
    Ok(films.iter().map(|(film, _)| verdict(&film.run)).max().unwrap_or(Exit::Done))
}

/// Plays a run back on the terminal; true if the user has ended the program with it.
#[cfg(feature = "tui")]
fn watch(run: &mut timeline::Run, speed: u64) -> Result<bool, Trouble> {
    let terminal = |error| Trouble::Failed(format!("the terminal does not do it: {error}"));
    let (played, interrupted) = super::play::play(std::mem::take(run), speed).map_err(terminal)?;
    *run = played;
    Ok(interrupted)
}

/// Without the feature `tui` nobody gets here: `Run::fits` has said so.
#[cfg(not(feature = "tui"))]
fn watch(_: &mut timeline::Run, _: u64) -> Result<bool, Trouble> {
    Ok(false)
}

/// The words after `healsim` that play the run again.
pub(super) fn again(input: &str, seed: u64, options: &[String]) -> Vec<crate::engine::Text> {
    let mut words = vec!["run".to_owned(), input.to_owned()];
    words.extend(["--seed".to_owned(), seed.to_string()]);
    words.extend(options.iter().cloned());
    words.into_iter().map(Into::into).collect()
}

/// What the user should know about settings and manifests.
fn notes(run: &timeline::Run) -> Vec<String> {
    game_notes(&run.doubts, &run.warnings)
}

/// A text for each violated law: which, when, by what, what it says, and the entries around it.
fn violations(run: &timeline::Run) -> Vec<String> {
    let line = |entry: &timeline::Entry, mark: &str| {
        let (at, by) = (entry.at.since(SimTime::ZERO), &entry.by);
        let (object, field) = (entry.object(), &entry.field);
        let words = [&*entry.reason, &*entry.message].join(" ");
        let text = format!("{mark} {at} {object} {field} {} -> {}", entry.from, entry.to);
        format!("\n  {} {} {by}", text, words.trim())
    };
    let say = |violated: &timeline::Violated| {
        let mut text = format!("invariant violated: {violated}\n  law: {}", violated.sentence);
        let deciding = violated.entries.last().map_or(0, |entry| entry.0 as usize);
        let first = deciding.saturating_sub(AROUND);
        let around = run.timeline.entries().iter().skip(first).take(2 * AROUND);
        let shows = |entry: &timeline::Entry| violated.entries.contains(&entry.id);
        text.extend(around.map(|entry| line(entry, if shows(entry) { ">" } else { " " })));
        text
    };
    run.violated.iter().map(say).collect()
}

/// How many entries before and after a violation are shown.
const AROUND: usize = 5;

/// A line for each doubt and warning.
pub(super) fn game_notes(doubts: &[Text], warnings: &[Text]) -> Vec<String> {
    let warnings = warnings.iter().map(|warning| format!("warning: {warning}"));
    warnings.chain(doubts.iter().map(|doubt| format!("note: {doubt}"))).collect()
}

pub(super) fn stats(run: &timeline::Run) {
    let entries = run.timeline.entries().len();
    let name = &run.scenario;
    note(&format!("{name}: {} engine events, {entries} timeline entries", run.engine_events));
}

fn write_out(out: &OutFile<Format>, films: &[(Film, String)]) -> Result<(), Trouble> {
    let bytes = rendered(out.format, films, Style::Plain)?;
    write_file(&out.path, &bytes).map_err(|error| file(&out.path, &error))
}

/// All runs in one format, one after the other; one page for all of them.
fn rendered(format: Format, films: &[(Film, String)], style: Style) -> Result<Vec<u8>, Trouble> {
    if format == Format::Html {
        return pages::page(films);
    }
    let mut bytes = Vec::new();
    for (i, (Film { run, .. }, _)) in films.iter().enumerate() {
        let text = matches!(format, Format::Timeline | Format::Summary);
        if text && i > 0 {
            bytes.extend_from_slice(b"\n\n");
        }
        report::write(format, run, style, &mut bytes).map_err(stdout)?;
    }
    Ok(bytes)
}

pub(super) fn can_write(path: &std::path::Path) -> Result<(), Trouble> {
    try_file(path).map_err(|error| file(path, &error))
}

pub(super) fn verdict(run: &timeline::Run) -> Exit {
    if !run.violated.is_empty() {
        Exit::Invariant
    } else if run.failed().next().is_some() {
        Exit::Expectation
    } else if run.end == End::Budget {
        // What it was to show was not played.
        Exit::Failed
    } else {
        Exit::Done
    }
}

fn list_all(asked: &List, player: &impl Player) -> Result<Exit, Trouble> {
    let listed = player.list(asked.what, asked.platform.as_deref(), asked.word.as_deref())?;
    print_list(&listed, asked.output)
}

/// Lists all names of a kind.
pub(super) fn list_names(what: Listing, player: &impl Player) -> Result<Exit, Trouble> {
    print_list(&player.list(what, None, None)?, None)
}

fn print_list(listed: &Listed, format: Option<ListFormat>) -> Result<Exit, Trouble> {
    let for_people = io::stdout().is_terminal();
    let format = format.unwrap_or(match for_people {
        true => ListFormat::Table,
        false => ListFormat::Lines,
    });
    let mut bytes = Vec::new();
    report::write_list(format, listed, Style::Colored, &mut bytes).map_err(stdout)?;
    print(&bytes).map_err(stdout)?;
    Ok(Exit::Done)
}

fn show_one(asked: &Show, player: &impl Player) -> Result<Exit, Trouble> {
    let text = player.show(asked.what, &asked.name)?;
    print(text.as_bytes()).map_err(stdout)?;
    Ok(Exit::Done)
}

fn get_at(asked: &Get, player: &impl Player) -> Result<Exit, Trouble> {
    let options = asked.common.options()?;
    let input = asked.input();
    let linted = player.lint(input, &options)?;
    linted.notes.iter().for_each(|text| note(text));
    let question = Question {
        resource: asked.what.resource,
        name: asked.name().map(str::to_owned),
        scope: asked.scope(),
        moment: asked.moment(),
        seed: linted.seed(asked.seed),
        view: asked.output,
    };
    let got = player.get(input, &options, &question)?;
    print(got.text.as_bytes()).map_err(stdout)?;
    got.beside.lines().for_each(note);
    // As kubectl itself ends.
    Ok(if got.failed { Exit::Failed } else { Exit::Done })
}

impl From<Vec<String>> for Trouble {
    fn from(mistakes: Vec<String>) -> Trouble {
        Trouble::Input(mistakes)
    }
}

pub(super) fn stdout(error: io::Error) -> Trouble {
    Trouble::Failed(format!("cannot write the result: {error}"))
}

pub(super) fn file(path: &std::path::Path, error: &io::Error) -> Trouble {
    Trouble::Failed(format!("cannot write {}: {error}", path.display()))
}
