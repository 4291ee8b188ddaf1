//! `learn`: a lesson on the terminal. Asks, reads what is typed, and lets the clock go on.
//!
//! What is right is computed before the first question; nothing typed here changes the run.

use super::args::{Common, OutFile, seed};
use super::commands::{Exit, Trouble, again, can_write, file, list_names, stdout};
use super::output::{note, print, write_file};
use super::player::{Listing, Player};
use super::report::lesson_page;
use crate::analysis::lesson::{Mark, Posed, Prepared, Score, Sheet, Stop};
use crate::engine::SimTime;
use crate::report::Style;
use crate::report::lesson::{
    Answers, score_json, sheet_json, write_answers, write_between, write_fork, write_introduction,
    write_question, write_score, write_told,
};
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Take a lesson: predict what happens next, and see why
///
/// Plays a lesson up to each question, prints what kubectl would print then, and reads an answer from
/// standard input; then the clock goes on. Every answer is computed from the run of the seed: another
/// seed has other timings. `skip` passes a question over, `quit` leaves. Without a lesson all are
/// listed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim learn
  healsim learn lost-worker
  healsim learn lost-worker --seed 7 --out json=score.json
  healsim learn lost-worker --seed 7 --with-answers
  healsim learn lost-worker --seed 7 --out html=lesson.html
  healsim learn my-lesson.yaml")]
pub struct Learn {
    /// The lesson: a name, or a file with `questions`
    #[arg(value_name = "LESSON|FILE")]
    pub input: Option<String>,
    /// The draw of everything that is random: one for each learner. By default the lesson's, or 1
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true, requires = "input")]
    pub seed: Option<u64>,
    /// Print all questions with their answers, for a teacher, and ask nothing
    #[arg(long, requires = "input")]
    pub with_answers: bool,
    /// Write the score, or with --with-answers the whole sheet, as JSON into a file; or the lesson as a
    /// page, which then asks in the terminal's place
    #[arg(long, value_name = "FORMAT=FILE", requires = "input")]
    pub out: Vec<OutFile<Written>>,
    #[command(flatten)]
    pub common: Common,
}

/// What a lesson is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The score, or the sheet.
    Json,
    /// A page that asks.
    Html,
}

impl FromStr for Written {
    type Err = String;
    fn from_str(word: &str) -> Result<Written, String> {
        match word {
            "json" => Ok(Written::Json),
            "html" => Ok(Written::Html),
            _ => Err(format!("`{word}` is not what a lesson is written as; known: json, html")),
        }
    }
}

/// After so many answers that cannot be read a question is passed over.
const MOST_TRIES: usize = 5;
/// Nobody types a longer answer.
const LONGEST_LINE: u64 = 4096;

/// Asks a lesson.
pub fn learn(asked: &Learn, player: &impl Player) -> Result<Exit, Trouble> {
    let Some(input) = &asked.input else { return list_names(Listing::Lessons, player) };
    asked.out.iter().try_for_each(|out| can_write(&out.path))?;
    let options = asked.common.options()?;
    let linted = player.lint(input, &options)?;
    linted.notes.iter().for_each(|text| note(text));
    let seed = linted.seed(asked.seed);
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut prepared = player.lesson(input, &options, seed, jobs)?;
    prepared.sheet.run.command = again(input, seed, &asked.common.words());
    let left_out: Vec<String> = prepared.sheet.left_out.iter().map(ToString::to_string).collect();
    if prepared.sheet.questions.is_empty() {
        return Err(Trouble::Input(left_out));
    }
    left_out.iter().for_each(|text| note(text));
    let wants = |format| asked.out.iter().any(|out| out.format == format);
    if wants(Written::Html) {
        let mut film = player.film(input, &options, seed)?;
        film.run.command.clone_from(&prepared.sheet.run.command);
        let answers = if asked.with_answers { Answers::Told } else { Answers::Hidden };
        write_out(asked, Written::Html, &lesson_page(&film, &prepared, answers)?)?;
        if !asked.with_answers && !wants(Written::Json) {
            return Ok(Exit::Done);
        }
    }
    if asked.with_answers {
        say(|to| write_answers((&prepared.sheet, &prepared.stops), Style::Colored, to))?;
        let sheet = sheet_json(&prepared.sheet, Answers::Told);
        write_out(asked, Written::Json, format!("{sheet}\n").as_bytes())?;
        return Ok(Exit::Done);
    }
    let score = Desk::open(&prepared).ask()?;
    say(|to| {
        writeln!(to)?;
        write_score(&prepared.sheet, &score, Style::Colored, to)
    })?;
    let written = score_json(&prepared.sheet, &score);
    write_out(asked, Written::Json, format!("{written}\n").as_bytes())?;
    Ok(if score.stop == Stop::Interrupted { Exit::Interrupted } else { Exit::Done })
}

fn write_out(asked: &Learn, format: Written, bytes: &[u8]) -> Result<(), Trouble> {
    asked
        .out
        .iter()
        .filter(|out| out.format == format)
        .try_for_each(|out| write_file(&out.path, bytes).map_err(|error| file(&out.path, &error)))
}

fn say(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<(), Trouble> {
    let mut bytes = Vec::new();
    write(&mut bytes).and_then(|()| print(&bytes)).map_err(stdout)
}

/// A lesson that is being asked.
struct Desk<'a> {
    sheet: &'a Sheet,
    prepared: &'a Prepared,
    lines: Lines,
    marks: Vec<Mark>,
    /// Up to when the run has been told.
    told: Option<SimTime>,
    /// Questions that are answered, and whose answer the run has not shown yet.
    open: Vec<usize>,
    /// Questions of whose forks not all could be told, because it answers what was still to be asked.
    cut: Vec<usize>,
}

impl<'a> Desk<'a> {
    fn open(prepared: &'a Prepared) -> Desk<'a> {
        let lines = Lines::of_standard_input();
        let sheet = &prepared.sheet;
        let (marks, open, cut) = (Vec::new(), Vec::new(), Vec::new());
        Desk { sheet, prepared, lines, marks, told: None, open, cut }
    }

    /// Asks everything in its order, as long as somebody answers.
    fn ask(mut self) -> Result<Score, Trouble> {
        say(|to| write_introduction(self.sheet, Style::Colored, to))?;
        for (place, posed) in self.sheet.questions.iter().enumerate() {
            self.tell_until(posed.at)?;
            self.go_on(posed.at)?;
            let stop = &self.prepared.stops[place];
            say(|to| {
                writeln!(to)?;
                write_question(self.sheet, place, stop, Style::Colored, to)
            })?;
            match self.answer(place, posed)? {
                Ok(mark) => self.marks.push(mark),
                Err(stop) => return Ok(Score { marks: self.marks, stop }),
            }
            self.open.push(place);
            // What is computed in a fork is told at once.
            self.tell_until(posed.at)?;
        }
        let last = self.open.iter().map(|place| self.sheet.questions[*place].told_at).max();
        self.tell_until(last.unwrap_or_default())?;
        for place in std::mem::take(&mut self.cut) {
            say(|to| writeln!(to, "\nQuestion {} again, now that nothing is asked.", place + 1))?;
            self.tell_fork(place)?;
        }
        Ok(Score { marks: self.marks, stop: Stop::Done })
    }

    /// Tells all answers that the run has shown up to a time, in the order of their times.
    fn tell_until(&mut self, at: SimTime) -> Result<(), Trouble> {
        let told_at = |place: &usize| self.sheet.questions[*place].told_at;
        let mut due: Vec<usize> =
            self.open.iter().copied().filter(|place| told_at(place) <= at).collect();
        due.sort_by_key(|place| (told_at(place), *place));
        self.open.retain(|place| !due.contains(place));
        for place in due {
            self.go_on(self.sheet.questions[place].told_at)?;
            say(|to| writeln!(to))?;
            self.tell_fork(place)?;
            let mark = self.marks.iter().find(|mark| mark.question == place);
            let Some(mark) = mark else { continue };
            say(|to| write_told(self.sheet, mark, Style::Colored, to))?;
        }
        Ok(())
    }

    /// Tells what came of the action that was chosen, as far as it answers nothing that is still to be
    /// asked.
    fn tell_fork(&mut self, place: usize) -> Result<(), Trouble> {
        let posed = &self.sheet.questions[place];
        let mark = self.marks.iter().find(|mark| mark.question == place);
        let Some(mark) = mark.filter(|_| posed.kind == "act") else { return Ok(()) };
        let next = self.sheet.questions.get(self.marks.len()).map(|posed| posed.at);
        let course = self.sheet.chosen(mark).and_then(|(_, outcome)| outcome.course);
        if course.is_some_and(|course| course.told_until(next).is_some()) {
            self.cut.push(place);
        }
        say(|to| write_fork(self.sheet, mark, next, Style::Colored, to))
    }

    /// The clock goes on, and what happens is told.
    fn go_on(&mut self, at: SimTime) -> Result<(), Trouble> {
        if self.told.is_none_or(|told| told < at) {
            let range = (self.told, at);
            say(|to| write_between(&self.sheet.run, range, Style::Colored, to))?;
            self.told = Some(at);
        }
        Ok(())
    }

    /// Reads an answer that can be read, or why the lesson ends.
    fn answer(&mut self, place: usize, posed: &Posed) -> Result<Result<Mark, Stop>, Trouble> {
        let passed = Mark { question: place, answer: None, points: 0 };
        for _ in 0..MOST_TRIES {
            say(|to| write!(to, "> "))?;
            let words = match self.lines.next() {
                Ok(words) => words,
                Err(stop) => {
                    say(|to| writeln!(to))?;
                    return Ok(Err(stop));
                }
            };
            match words.as_str() {
                "quit" => return Ok(Err(Stop::Quit)),
                "skip" => return Ok(Ok(passed)),
                _ => {}
            }
            match posed.read(&words) {
                Ok(answer) => {
                    let points = posed.points(&answer);
                    return Ok(Ok(Mark { question: place, answer: Some(answer), points }));
                }
                Err(hint) => say(|to| writeln!(to, "{hint}; or `skip`, or `quit`"))?,
            }
        }
        say(|to| writeln!(to, "Passed over after {MOST_TRIES} answers that cannot be read."))?;
        Ok(Ok(passed))
    }
}

/// What is typed, line by line, until it ends or Ctrl-C is pressed.
struct Lines {
    typed: Receiver<String>,
    interrupted: Arc<AtomicBool>,
    /// Nobody sees what comes from a file or pipe.
    echoes: bool,
}

impl Lines {
    fn of_standard_input() -> Lines {
        let interrupted = Arc::new(AtomicBool::new(false));
        // If it cannot be caught, Ctrl-C ends the program as ever.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupted));
        // A thread of its own reads: a read that waits does not return for a signal.
        let (send, typed) = mpsc::sync_channel(1);
        thread::spawn(move || {
            let mut input = io::stdin().lock();
            loop {
                let mut line = Vec::new();
                let read = (&mut input).take(LONGEST_LINE).read_until(b'\n', &mut line);
                let has_ended = !matches!(read, Ok(length) if length > 0);
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                if has_ended || send.send(line).is_err() {
                    return;
                }
            }
        });
        Lines { typed, interrupted, echoes: !io::stdin().is_terminal() }
    }

    fn next(&mut self) -> Result<String, Stop> {
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Stop::Interrupted);
            }
            match self.typed.recv_timeout(Duration::from_millis(50)) {
                Ok(words) => {
                    if self.echoes {
                        let shown: String =
                            words.chars().filter(|letter| !letter.is_control()).collect();
                        // A reader that has left had what it wanted.
                        let _ = print(format!("{shown}\n").as_bytes());
                    }
                    return Ok(words);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Stop::EndOfInput),
            }
        }
    }
}
