//! `why`: the way from the fault to a milestone, or what a run that never heals waits for.

use super::args::{Common, can_begin_with, seed};
use super::commands::{Exit, Trouble, stdout};
use super::output::{note, print};
use super::player::{Answer, Asked, Mention, Options, Player};
use super::progress::{Progress, watch};
use crate::analysis::MILESTONES;
use crate::analysis::estimate::MOST_RUNS;
use crate::analysis::why::{Never, Question, Settings, Shares, Why, graph};
use crate::engine::{Duration, Text, counted};
use crate::report::{
    Style, dot, never_json, shares_json, why_json, write_never, write_shares, write_why,
};
use clap::ValueEnum;

/// Say why a milestone comes when it comes, or why it does not
///
/// The critical path from the first fault: every wait in its order, with the setting or delay behind
/// it, where that can be changed, and its share of the whole. The parts add up to the microsecond.
/// For a run that does not get there: who waits for what, since when, and which actions of an
/// operator would release it; each is tried in a copy of the run's end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim why worker-vm-deleted
  healsim why worker-vm-deleted --of nodeUnknown
  healsim why worker-vm-deleted --of machineDeleted:Machine/worker-0 --seed 7
  healsim why worker-vm-deleted --runs 200
  healsim why control-plane-kubelet-stopped
  healsim why worker-vm-deleted -o dot | dot -Tsvg > why.svg


Exit code 4: the milestone does not come; its reasons are printed.")]
pub struct WhyArgs {
    /// The scenario: a name or a file
    #[arg(value_name = "NAME|FILE")]
    pub input: String,
    /// The milestone, of one object if it is named after a colon
    #[arg(long, value_name = "MILESTONE[:OBJECT]", default_value = "recovered")]
    pub of: Of,
    /// The draw of everything that is random, with --runs of the first run: the scenario's `seed`,
    /// or 1
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Play so many runs, and tell what each rule takes of them all
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = super::args::count::<u64>(1..=MOST_RUNS))]
    pub runs: Option<u64>,
    /// How many runs are played at once; by default as many as there are processors
    #[arg(long, value_name = "J", allow_hyphen_values = true, value_parser = super::args::count::<u16>(1..=1024))]
    pub jobs: Option<u16>,
    /// How long an operator's action may take until everything is well
    #[arg(long, value_name = "D", allow_hyphen_values = true, default_value = "30m")]
    pub patience: Duration,
    /// What to print
    #[arg(short = 'o', value_name = "FORMAT", default_value = "table")]
    pub output: WhyFormat,
    /// Tell the progress on standard error even if that is no terminal
    #[arg(long)]
    pub progress: bool,
    #[command(flatten)]
    pub common: Common,
}

/// A milestone, perhaps of one object: `machineDeleted:Machine/worker-0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Of {
    pub milestone: Text,
    pub object: Option<Text>,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhyFormat {
    Table,
    Json,
    /// The graph of causes, for Graphviz
    Dot,
}

impl std::str::FromStr for Of {
    type Err = String;
    fn from_str(text: &str) -> Result<Of, String> {
        let (name, object) = match text.split_once(':') {
            Some((name, object)) => (name, Some(object)),
            None => (text, None),
        };
        if !MILESTONES.contains(&name) {
            return Err(format!("no milestone `{name}`; known: {}", MILESTONES.join(", ")));
        }
        if object.is_some_and(|object| !object.contains('/')) {
            return Err("write the object as KIND/NAME, for example Machine/worker-0".to_owned());
        }
        Ok(Of { milestone: Text::from(name), object: object.map(Text::from) })
    }
}

impl WhyArgs {
    /// The words after `healsim` that play the run.
    fn replay(&self, seed: u64) -> Vec<Text> {
        let words = ["run".to_owned(), self.input.clone()].into_iter();
        let seed = ["--seed".to_owned(), seed.to_string()];
        words.chain(self.common.words()).chain(seed).map(Text::from).collect()
    }

    /// Fails with what would be right if the words do not fit one another.
    pub fn fits(&self) -> Result<(), String> {
        self.seed.map_or(Ok(()), |seed| self.can_begin_with(seed))?;
        if self.patience.is_zero() {
            return Err(
                "with --patience 0s no action has time to help; write for example 30m".into()
            );
        }
        if self.runs.is_some() && self.output == WhyFormat::Dot {
            return Err(
                "a graph is one run's: leave out --runs, or print another format".to_owned()
            );
        }
        Ok(())
    }

    /// Fails if there are not so many seeds from this one on. A way is that of one run alone.
    fn can_begin_with(&self, seed: u64) -> Result<(), String> {
        self.runs.map_or(Ok(()), |runs| can_begin_with(seed, runs))
    }
}

/// Asks, and prints the answer.
pub(super) fn ask(asked: &WhyArgs, player: &impl Player) -> Result<Exit, Trouble> {
    let options = asked.common.options()?;
    let linted = player.lint(&asked.input, &options)?;
    linted.notes.iter().for_each(|text| note(text));
    let seed = linted.seed(asked.seed);
    asked.can_begin_with(seed).map_err(|wrong| vec![format!("{}: {wrong}", linted.name)])?;
    let jobs = asked
        .jobs
        .map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let Of { milestone, object } = asked.of.clone();
    let mention = |object: Text| match object.ends_with("/new") {
        true => Mention::OfMany(object),
        false => Mention::Object(object),
    };
    let named = object.iter().cloned().map(mention);
    let named: Vec<Mention> = named.chain([Mention::Milestone(milestone.clone())]).collect();
    player.knows(&asked.input, &options, seed, &named)?;
    let question = Question { milestone: Some(milestone), object };
    let how = Asked { seed, runs: asked.runs.unwrap_or(1), jobs, patience: asked.patience };
    match asked.runs {
        Some(_) => many(asked, &options, player, &question, &how),
        None => one(asked, &options, player, &question, &how),
    }
}

fn one(
    asked: &WhyArgs,
    options: &Options,
    player: &impl Player,
    question: &Question,
    how: &Asked,
) -> Result<Exit, Trouble> {
    let found = player.why(&asked.input, options, question, how)?;
    let bytes = match &found {
        Answer::Way(why) => way(why, asked, how.seed)?,
        Answer::Never(never) => why_not(never, asked.output)?,
    };
    print(&bytes).map_err(stdout)?;
    Ok(match found {
        Answer::Way(_) => Exit::Done,
        Answer::Never(_) => Exit::Expectation,
    })
}

fn way(why: &Why, asked: &WhyArgs, seed: u64) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    match asked.output {
        WhyFormat::Table => {
            let replay = asked.replay(seed);
            write_why(why, &replay, Style::Colored, &mut bytes).map_err(stdout)?;
        }
        WhyFormat::Json => bytes = format!("{}\n", why_json(why, &graph(why))).into_bytes(),
        WhyFormat::Dot => bytes = dot(why, &graph(why)).into_bytes(),
    }
    Ok(bytes)
}

fn why_not(never: &Never, format: WhyFormat) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    match format {
        WhyFormat::Json => bytes = format!("{}\n", never_json(never)).into_bytes(),
        WhyFormat::Dot => note("there is no way to draw: the milestone does not come"),
        WhyFormat::Table => write_never(never, Style::Colored, &mut bytes).map_err(stdout)?,
    }
    Ok(bytes)
}

fn many(
    asked: &WhyArgs,
    options: &Options,
    player: &impl Player,
    question: &Question,
    how: &Asked,
) -> Result<Exit, Trouble> {
    let progress = if asked.progress { Progress::Always } else { Progress::IfTerminal };
    let runs = how.runs;
    let (found, interrupted) = watch(runs, progress, |control| {
        player.shares(&asked.input, options, question, how, control)
    });
    let (shares, settings, label): (Shares, Settings, String) = found?;
    let label = format!("{label}: what {} waits for", question.words());
    let mut bytes = Vec::new();
    match asked.output {
        WhyFormat::Json => {
            bytes = format!("{}\n", shares_json(&shares, &label, &settings)).into_bytes()
        }
        WhyFormat::Table | WhyFormat::Dot => {
            write_shares(&shares, &label, &settings, Style::Colored, &mut bytes).map_err(stdout)?;
        }
    }
    print(&bytes).map_err(stdout)?;
    if interrupted {
        note(&format!("partial: interrupted after {} of {}", shares.runs, counted(runs, "run")));
    }
    Ok(match (interrupted, shares.reached) {
        (true, _) => Exit::Interrupted,
        (false, 0) => Exit::Expectation,
        (false, _) => Exit::Done,
    })
}
