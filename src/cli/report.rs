//! `report`: a page from stored traces; and the pages of runs that have just been played.

use super::FOR_A_BROWSER;
use super::args::OutFile;
use super::commands::{Exit, Trouble, can_write, file, stdout};
use super::output::{print, write_file};
use crate::analysis::lesson::Prepared;
use crate::report::html::{Film, Shown, lesson, write_page};
use crate::report::lesson::Answers;
use crate::report::trace::Trace;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::str::FromStr;

/// Show stored timelines as a page for a browser
///
/// Takes what `healsim run -o jsonl` has written: one trace, or two, which are shown beside each
/// other with their first faults at the same instant. The page is one file that asks nothing of
/// anybody. A trace holds the timeline alone; the page of a run, `healsim run NAME --out html=FILE`,
/// shows more: all columns of kubectl, and the critical path.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim report run.jsonl --out html=page.html
  healsim report before.jsonl after.jsonl -o html=page.html")]
pub struct Report {
    /// Traces, as JSON Lines
    #[arg(value_name = "TRACE", required = true, num_args = 1..=2)]
    pub traces: Vec<PathBuf>,
    /// Where to write it; by default to standard output
    #[arg(short = 'o', long, value_name = "FORMAT=FILE")]
    pub out: Vec<OutFile<PageFormat>>,
}

/// What a trace can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFormat {
    Html,
}

impl FromStr for PageFormat {
    type Err = String;
    fn from_str(word: &str) -> Result<PageFormat, String> {
        match word {
            "html" => Ok(PageFormat::Html),
            _ => Err(format!("`{word}` is no format of a page; known: html")),
        }
    }
}

impl Report {
    /// Fails with what would be right if nobody could read the result.
    pub fn fits(&self) -> Result<(), String> {
        match self.out.is_empty() && io::stdout().is_terminal() {
            true => Err(FOR_A_BROWSER.to_owned()),
            false => Ok(()),
        }
    }
}

/// Reads the traces and writes their page.
pub(super) fn report(asked: &Report) -> Result<Exit, Trouble> {
    asked.out.iter().try_for_each(|out| can_write(&out.path))?;
    let read = |path: &PathBuf| Trace::read(path).map_err(|wrong| vec![wrong]);
    let traces = asked.traces.iter().map(read).collect::<Result<Vec<Trace>, _>>()?;
    let shown: Vec<Shown> = traces.iter().map(Shown::traced).collect();
    let mut bytes = Vec::new();
    write_page(&shown, None, &mut bytes).map_err(stdout)?;
    if asked.out.is_empty() {
        print(&bytes).map_err(stdout)?;
    }
    write_pages(&asked.out, &bytes)?;
    Ok(Exit::Done)
}

/// Writes a finished page into files.
pub(super) fn write_pages(out: &[OutFile<PageFormat>], bytes: &[u8]) -> Result<(), Trouble> {
    out.iter().try_for_each(|OutFile { format: PageFormat::Html, path }| {
        write_file(path, bytes).map_err(|error| file(path, &error))
    })
}

/// The page of one run, or of two beside each other, each with what it is called.
pub(super) fn page(films: &[(Film, String)]) -> Result<Vec<u8>, Trouble> {
    let shown: Vec<Shown> = films.iter().map(|(film, label)| Shown::filmed(film, label)).collect();
    let mut bytes = Vec::new();
    write_page(&shown, None, &mut bytes).map_err(stdout)?;
    Ok(bytes)
}

/// The page of a lesson, with its course mode.
pub(super) fn lesson_page(
    film: &Film,
    prepared: &Prepared,
    answers: Answers,
) -> Result<Vec<u8>, Trouble> {
    let filmed = Shown::filmed(film, &film.run.scenario);
    let shown = match answers {
        Answers::Told => [filmed],
        Answers::Hidden => [filmed.for_learners()],
    };
    let mut bytes = Vec::new();
    let lesson = lesson(prepared, &shown[0], answers);
    write_page(&shown, Some(&lesson), &mut bytes).map_err(stdout)?;
    Ok(bytes)
}
