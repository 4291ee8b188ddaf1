//! `estimate` and `merge`: many runs, or the shards of many, and what is printed of them.

use super::args::{Common, OutFile, can_begin_with, seed};
use super::commands::{Exit, Trouble, can_write, file, stdout};
use super::output::{note, print, write_file};
use super::player::{Many, Mention, Player};
use super::progress::{Progress, watch};
use crate::analysis;
use crate::analysis::estimate::{
    MOST_RUNS, Merged, Missing, Named, Part, Shard, Threshold, Unread, merge,
};
use crate::engine::{Text, counted};
use crate::report::{EstimateFormat, Style, Wanted, shell, write_estimate};
use clap::ValueEnum;
use std::fs;
use std::path::{Path, PathBuf};

/// Play one scenario many times: when each milestone comes, how long services are down, how the
/// runs end, and how sure that is
///
/// Plays consecutive seeds in parallel; any number of jobs and any split into shards gives the same
/// result. Expectations are not judged. Ctrl-C prints what there is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim estimate worker-kubelet-stopped --runs 10000
  healsim estimate worker-power-off --free --out svg=power-off.svg
  healsim estimate mine.yaml --of recovered --of 'nodeReady:Node/worker-*'
  healsim estimate worker-power-off --free -f my-health-check.yaml
  healsim estimate mine.yaml --threshold 'recoveryTime p95 < 15m' -o json
  healsim estimate mine.yaml --runs 100000 --shard 3/8 -o json > shard-3-of-8.json")]
pub struct Estimate {
    /// The scenario: a name or a file
    #[arg(value_name = "NAME|FILE")]
    pub input: String,
    /// How many runs
    #[arg(long, value_name = "N", default_value_t = 1000, allow_hyphen_values = true, value_parser = super::args::count::<u64>(1..=MOST_RUNS))]
    pub runs: u64,
    /// The seed of the first run
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true, default_value_t = 1)]
    pub seed: u64,
    /// How many runs are played at once; by default as many as there are processors
    #[arg(long, value_name = "J", allow_hyphen_values = true, value_parser = super::args::count::<u16>(1..=1024))]
    pub jobs: Option<u16>,
    /// Play only the I-th of N parts; `healsim merge` joins what `-o json` prints of each
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// How many of the runs are played twice more, with all assumed numbers at the low and at the
    /// high ends of their ranges; 0 for none
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub assumed_runs: u64,
    /// End each run when it has recovered for good, in half the time: of milestones that come later
    /// nothing is told
    #[arg(long)]
    pub until_recovered: bool,
    /// Tell the progress on standard error even if that is no terminal
    #[arg(long)]
    pub progress: bool,
    #[command(flatten)]
    pub printed: Printed,
    #[command(flatten)]
    pub common: Common,
}

/// Join the shards of an estimate
///
/// Refuses shards that overlap, are missing, cut off, of another version or of another question.
/// With --missing it prints the commands that make what is missing instead.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim merge shard-*.json
  healsim merge --missing shard-*.json
  healsim merge shard-*.json --threshold 'recoveryTime p95 < 15m' --out svg=all.svg")]
pub struct Merge {
    /// What `healsim estimate --shard I/N -o json` printed, for each I
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Print the commands that make the missing shards, one a line, and nothing else
    #[arg(long, conflicts_with_all = ["output", "out", "of", "threshold"])]
    pub missing: bool,
    #[command(flatten)]
    pub printed: Printed,
}

/// What is printed of an estimate, and what it has to keep.
#[derive(Clone, Debug, clap::Args)]
pub struct Printed {
    /// What to print
    #[arg(short = 'o', value_name = "FORMAT", default_value = "table")]
    pub output: EstimateFormat,
    /// Write a format into a file as well; may be given several times
    #[arg(long, value_name = "FORMAT=FILE")]
    pub out: Vec<OutFile<EstimateFormat>>,
    /// Show only these milestones, each by its name or how it begins, perhaps with an object; `*`
    /// stands for anything; may be given several times; json and csv have all
    #[arg(long, value_name = "MILESTONE[:OBJECT]")]
    pub of: Vec<Wanted>,
    /// A bound to keep, as 'recoveryTime p95 < 15m' or 'recovered share >= 99%'; exit code 4 if it
    /// fails; may be given several times
    #[arg(long, value_name = "EXPR")]
    pub threshold: Vec<Threshold>,
}

impl Estimate {
    /// Fails with what would be right if numbers do not fit one another.
    pub fn fits(&self) -> Result<(), String> {
        let runs = self.runs;
        can_begin_with(self.seed, runs)?;
        let reads_input = self.common.files.iter().any(|file| *file == Path::new("-"));
        match self.shard {
            Some(_) if reads_input => {
                Err("a shard cannot have its manifests from standard input: \
                 whoever makes the others would not have them; save them and write -f FILE"
                    .to_owned())
            }
            Some(Shard { of, .. }) if of > runs => Err(format!(
                "{of} shards of {runs} runs: some would be empty; write at most {runs}"
            )),
            _ => Ok(()),
        }
    }

    /// The question as the player takes it.
    fn many(&self) -> Many {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        let words = std::iter::once(self.input.clone()).chain(self.common.words());
        Many {
            words: words.map(Text::from).collect(),
            first_seed: self.seed,
            runs: self.runs,
            assumed_runs: self.assumed_runs.min(self.runs),
            until_recovered: self.until_recovered,
            shard: self.shard.unwrap_or(Shard::WHOLE),
            jobs: self.jobs.map_or_else(processors, usize::from),
        }
    }
}

/// Plays an estimate or one of its shards.
pub(super) fn play_many(asked: &Estimate, player: &impl Player) -> Result<Exit, Trouble> {
    asked.printed.can_write()?;
    let options = asked.common.options()?;
    player.lint(&asked.input, &options)?.notes.iter().for_each(|text| note(text));
    let named = mentions(&asked.printed.threshold);
    player.knows(&asked.input, &options, asked.seed, &named)?;
    let many = asked.many();
    let length = |of: u64| {
        let seeds = many.shard.seeds(0, of);
        seeds.end - seeds.start
    };
    let runs = length(many.runs) + 2 * length(many.assumed_runs);
    let progress = if asked.progress { Progress::Always } else { Progress::IfTerminal };
    let (part, interrupted) =
        watch(runs, progress, |control| player.estimate(&asked.input, &options, &many, control));
    let part = part?;
    let played = part.runs.runs() + part.low.runs() + part.high.runs();
    let partial = part.partial;
    let exit = asked.printed.print(part, asked.shard)?;
    if partial {
        note(&format!("partial: interrupted after {played} of {}", counted(runs, "run")));
    }
    Ok(if interrupted { Exit::Interrupted } else { exit })
}

/// What these bounds name.
pub(super) fn mentions(bounds: &[Threshold]) -> Vec<Mention> {
    let object = |bound: &Threshold| {
        let object = bound.object()?.clone();
        Some(match bound.is_of_a_service() {
            true => Mention::Service(object),
            false => Mention::OfMany(object),
        })
    };
    let milestone = |bound: &Threshold| bound.milestone().cloned().map(Mention::Milestone);
    bounds.iter().flat_map(|bound| milestone(bound).into_iter().chain(object(bound))).collect()
}

/// Joins shards, or says what is missing of them.
pub(super) fn merge_files(asked: &Merge) -> Result<Exit, Trouble> {
    asked.printed.can_write()?;
    let files = asked.files.iter().map(|path| Named {
        file: path.display().to_string(),
        found: match fs::read_to_string(path) {
            Ok(text) => Part::from_json(&text).map_err(Unread::Text),
            Err(error) => Err(Unread::File(format!("cannot read it: {error}"))),
        },
    });
    let Merged { whole, mut mistakes, strangers, unusable, missing } = merge(files.collect());
    let is_known = whole.is_some() || !missing.is_empty();
    if asked.missing && mistakes.is_empty() && is_known {
        // Whatever else lies there, what is missing of these shards is known.
        let beside = strangers.iter().chain(&unusable);
        beside.for_each(|text| note(&format!("note: {text}")));
        let commands = missing.iter().map(command).collect::<String>();
        print(commands.as_bytes()).map_err(stdout)?;
        return Ok(Exit::Done);
    }
    match whole {
        Some(whole) if strangers.is_empty() => asked.printed.print(whole, None),
        _ => {
            mistakes.extend(strangers);
            mistakes.extend(unusable);
            mistakes.extend(missing.iter().map(|missing| {
                let Missing { shard, first_seed, last_seed, words } = missing;
                let seeds = format!("seeds {first_seed}..{last_seed}");
                format!("missing: shard {shard} ({seeds}); make it: {}", shell::command(words))
            }));
            Err(Trouble::Input(mistakes))
        }
    }
}

/// A command that makes a missing shard, into a file named for it.
fn command(missing: &Missing) -> String {
    let Shard { number, of } = missing.shard;
    format!("{} > shard-{number}-of-{of}.json\n", shell::command(&missing.words))
}

impl Printed {
    /// What cannot be written is found before the runs, which would be in vain.
    fn can_write(&self) -> Result<(), Trouble> {
        self.out.iter().try_for_each(|out| can_write(&out.path))
    }

    /// Prints what there is and judges it.
    fn print(&self, part: Part, shard: Option<Shard>) -> Result<Exit, Trouble> {
        // Of a shard, and only of one, the document is what can be merged.
        let mergeable = shard.map(|_| format!("{}\n", part.to_json()));
        let estimate = analysis::Estimate::of(part);
        let bytes = |format: EstimateFormat, style: Style| -> Result<Vec<u8>, Trouble> {
            if let (EstimateFormat::Json, Some(document)) = (format, &mergeable) {
                return Ok(document.clone().into_bytes());
            }
            let mut bytes = Vec::new();
            write_estimate(format, &estimate, &self.of, style, &mut bytes).map_err(stdout)?;
            Ok(bytes)
        };
        print(&bytes(self.output, Style::Colored)?).map_err(stdout)?;
        for out in &self.out {
            let written = write_file(&out.path, &bytes(out.format, Style::Plain)?);
            written.map_err(|error| file(&out.path, &error))?;
        }
        self.judge(&estimate)
    }

    /// Says on standard error how the estimate stands to each bound.
    fn judge(&self, estimate: &analysis::Estimate) -> Result<Exit, Trouble> {
        let verdicts = self.threshold.iter().map(|threshold| threshold.judge(estimate));
        let verdicts = verdicts.collect::<Result<Vec<_>, String>>();
        let verdicts = verdicts.map_err(|wrong| Trouble::Input(vec![wrong]))?;
        verdicts.iter().for_each(|verdict| note(&verdict.text));
        let met = verdicts.iter().all(|verdict| verdict.met);
        Ok(if met { Exit::Done } else { Exit::Expectation })
    }
}

impl ValueEnum for EstimateFormat {
    fn value_variants<'a>() -> &'a [EstimateFormat] {
        &[
            EstimateFormat::Table,
            EstimateFormat::Json,
            EstimateFormat::Csv,
            EstimateFormat::Plot,
            EstimateFormat::Svg,
        ]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let (name, _) = EstimateFormat::ALL.iter().find(|(_, format)| format == self)?;
        Some(clap::builder::PossibleValue::new(*name))
    }
}
