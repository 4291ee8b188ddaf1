//! Floor 9: the command line: words in, text and an exit code out.
//!
//! Says what can be asked for. Who plays a scenario is behind the trait `Player`; what a run looks
//! like in print is `report`'s. Only what works is in the help.

mod args;
mod availability;
mod check;
mod commands;
mod compare;
mod estimate;
mod fuzz;
mod game;
mod get;
mod learn;
mod lists;
mod named;
mod output;
#[cfg(any(feature = "tui", test))]
mod play;
mod player;
mod progress;
mod report;
#[cfg(test)]
mod tests;
mod tune;
mod why;

pub use args::{Moment, Seeds, Setting};
pub use availability::{Availability, AvailabilityFormat, Vary};
pub use check::Check;
pub use commands::{Exit, execute, main};
pub use compare::{Compare, CompareFormat};
pub use estimate::{Estimate, Merge};
pub use fuzz::{Fuzz, FuzzFormat, Replay};
pub use game::Library;
pub use get::{Get, What};
pub use learn::Learn;
pub use player::{
    Answer, Asked, Linted, Listing, Many, Options, Player, Question, Resource, Scope, Shown, Tuned,
    Tuning, Versus, View,
};
pub use report::Report;
pub use tune::{Tune, TuneFormat};
pub use why::{Of, WhyArgs, WhyFormat};

use crate::report::{Format, ListFormat};
use args::{Common, OutFile, each_once};
use clap::{Parser, Subcommand, ValueEnum};
use std::io::{self, IsTerminal};
use std::path::PathBuf;

const EXIT_CODES: &str = "Exit codes: 0 done and all expectations met, 1 the program or writing \
failed, 2 usage, 3 an input is missing, unknown or wrong, 4 an expectation or threshold failed, 5 an \
invariant was violated, 130 interrupted.";

/// Plays how a Kubernetes cluster heals, minute by minute, and says why.
#[derive(Debug, Parser)]
#[command(name = "healsim", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    Run(Run),
    Check(Check),
    List(List),
    Show(Show),
    Get(Get),
    Estimate(Estimate),
    Merge(Merge),
    Compare(Compare),
    Why(WhyArgs),
    Tune(Tune),
    Availability(Availability),
    Fuzz(Fuzz),
    Replay(Replay),
    Report(Report),
    Learn(Learn),
}

impl Command {
    /// Fails with what would be right if the words do not fit one another.
    pub fn fits(&self) -> Result<(), String> {
        self.common().map_or(Ok(()), Common::fits)?;
        each_once(self.files())?;
        match self {
            Command::Run(asked) => asked.fits(),
            Command::Estimate(asked) => asked.fits(),
            Command::Compare(asked) => asked.fits(),
            Command::Why(asked) => asked.fits(),
            Command::Tune(asked) => asked.fits(),
            Command::Fuzz(asked) => asked.fits(),
            Command::Availability(asked) => asked.fits(),
            Command::Get(asked) => asked.fits(),
            Command::Report(asked) => asked.fits(),
            _ => Ok(()),
        }
    }

    /// As it is typed.
    fn name(&self) -> &'static str {
        match self {
            Command::Run(_) => "run",
            Command::Check(_) => "check",
            Command::List(_) => "list",
            Command::Show(_) => "show",
            Command::Get(_) => "get",
            Command::Estimate(_) => "estimate",
            Command::Merge(_) => "merge",
            Command::Compare(_) => "compare",
            Command::Why(_) => "why",
            Command::Tune(_) => "tune",
            Command::Availability(_) => "availability",
            Command::Fuzz(_) => "fuzz",
            Command::Replay(_) => "replay",
            Command::Report(_) => "report",
            Command::Learn(_) => "learn",
        }
    }

    /// The options of a command that plays a scenario.
    fn common(&self) -> Option<&Common> {
        match self {
            Command::Run(asked) => Some(&asked.common),
            Command::Check(asked) => Some(&asked.common),
            Command::Get(asked) => Some(&asked.common),
            Command::Estimate(asked) => Some(&asked.common),
            Command::Compare(asked) => Some(&asked.common),
            Command::Why(asked) => Some(&asked.common),
            Command::Tune(asked) => Some(&asked.common),
            Command::Replay(asked) => Some(&asked.common),
            Command::Learn(asked) => Some(&asked.common),
            _ => None,
        }
    }

    /// The files that it is to write.
    fn files(&self) -> Vec<&PathBuf> {
        match self {
            Command::Run(asked) => paths(&asked.out),
            Command::Estimate(asked) => paths(&asked.printed.out),
            Command::Merge(asked) => paths(&asked.printed.out),
            Command::Compare(asked) => paths(&asked.out),
            Command::Tune(asked) => paths(&asked.out),
            Command::Report(asked) => paths(&asked.out),
            Command::Learn(asked) => paths(&asked.out),
            _ => Vec::new(),
        }
    }
}

fn paths<F>(out: &[OutFile<F>]) -> Vec<&PathBuf> {
    out.iter().map(|out| &out.path).collect()
}

/// Play scenarios and print what happened
///
/// Each scenario is a name from `healsim list scenarios` or a file of your own. The result goes to
/// standard output, everything else to standard error.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim run worker-kubelet-stopped
  healsim run worker-kubelet-stopped --seed 7 -o summary
  healsim run worker-power-off -f my-health-check.yaml
  healsim run mine.yaml --platform tkgs-2024 --out jsonl=run.jsonl
  healsim run worker-vm-deleted --out html=page.html
  healsim run etcd-one-of-three --out metrics=run.om --out perfetto=run.json")]
pub struct Run {
    /// Scenarios: names or files
    #[arg(value_name = "NAME|FILE", required = true)]
    pub inputs: Vec<String>,
    /// The draw of everything that is random: the scenario's `seed`, or 1
    #[arg(long, value_name = "N", value_parser = args::seed, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// What to print
    #[arg(short = 'o', value_name = "FORMAT", default_value = "timeline")]
    pub output: Format,
    /// Write a format into a file as well, `html` too: a page that shows the run, or two runs beside
    /// each other; may be given several times
    #[arg(long, value_name = "FORMAT=FILE")]
    pub out: Vec<OutFile<Format>>,
    /// Print the engine's own counts to standard error
    #[arg(long)]
    pub stats: bool,
    /// Play the run on the terminal as it happened, instead of printing it
    #[arg(long, hide = cfg!(not(feature = "tui")))]
    pub play: bool,
    /// How many simulated seconds pass in a second while it plays
    #[arg(long, value_name = "N", default_value_t = 60, requires = "play")]
    #[arg(hide = cfg!(not(feature = "tui")), allow_hyphen_values = true, value_parser = args::count::<u64>(1..=3600))]
    pub speed: u64,
    #[command(flatten)]
    pub common: Common,
}

/// Why a terminal gets no page.
const FOR_A_BROWSER: &str = "a page is for a browser; name a file: --out html=FILE";

impl Run {
    fn wants_page(&self) -> bool {
        self.output == Format::Html || self.out.iter().any(|out| out.format == Format::Html)
    }
}

/// List what healsim knows: a table on a terminal, else one a line, the name first
///
/// A setting is a number or rule that `--set` changes: its unit, its value on the platform, the
/// range in which it is assumed, the flag or field that it is, and where it comes from.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim list scenarios
  healsim list lessons
  healsim list invariants
  healsim list settings machineHealthCheck
  healsim list settings settable -o json
  healsim list settings timeout --platform tkgs-current -o csv")]
pub struct List {
    /// What to list
    pub what: Listing,
    /// Only what has this word in its name, or of settings in its flag or field; `settable` for all
    /// that a user can set
    pub word: Option<String>,
    /// What to print: lines, table, json or csv
    #[arg(short = 'o', value_name = "FORMAT")]
    pub output: Option<ListFormat>,
    /// Settings as this platform has them; tkgs-2024 if none is named
    #[arg(long, value_name = "P")]
    pub platform: Option<String>,
}

/// Show a scenario or a platform
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim show scenario worker-kubelet-stopped
  healsim show platform tkgs-2024")]
pub struct Show {
    /// What to show
    pub what: Shown,
    /// Its name
    pub name: String,
}

impl Run {
    /// Fails with what would be right if the words do not fit one another: a document that holds one
    /// run cannot be asked of several, and a run cannot be played where there is no terminal.
    pub fn fits(&self) -> Result<(), String> {
        if self.play {
            self.can_play()?;
        }
        if self.output == Format::Html && !self.play && io::stdout().is_terminal() {
            return Err(FOR_A_BROWSER.to_owned());
        }
        if let (true, runs @ 3..) = (self.wants_page(), self.inputs.len()) {
            return Err(format!("a page shows one run, or two beside each other; here are {runs}"));
        }
        let formats = self.out.iter().map(|out| out.format).chain([self.output]);
        let one = |(_, format): &&(&str, Format)| {
            format.holds_one_run() && formats.clone().any(|asked| asked == *format)
        };
        match Format::ALL.iter().find(one) {
            Some((name, _)) if self.inputs.len() > 1 => {
                Err(format!("a file of `{name}` holds one run; name one scenario"))
            }
            _ => Ok(()),
        }
    }
}

impl Run {
    fn can_play(&self) -> Result<(), String> {
        match () {
            () if cfg!(not(feature = "tui")) => {
                let build = "cargo install healsim --features tui";
                Err(format!("--play is not in this build; `{build}` makes one that has it"))
            }
            () if self.inputs.len() > 1 => Err("--play plays one scenario; name one".to_owned()),
            () if !(io::stdin().is_terminal() && io::stdout().is_terminal()) => {
                Err("--play needs a terminal".to_owned())
            }
            () => Ok(()),
        }
    }
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Format] {
        &[
            Format::Timeline,
            Format::Summary,
            Format::Json,
            Format::Jsonl,
            Format::Html,
            Format::Perfetto,
            Format::Events,
            Format::Metrics,
        ]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let (name, _) = Format::ALL.iter().find(|(_, format)| format == self)?;
        Some(clap::builder::PossibleValue::new(*name))
    }
}

impl ValueEnum for ListFormat {
    fn value_variants<'a>() -> &'a [ListFormat] {
        &[ListFormat::Lines, ListFormat::Table, ListFormat::Json, ListFormat::Csv]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let (name, _) = ListFormat::ALL.iter().find(|(_, format)| format == self)?;
        Some(clap::builder::PossibleValue::new(*name))
    }
}
