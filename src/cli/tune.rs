//! `tune`: what would shorten it, and what that costs in false alarms.

use super::args::{Common, OutFile, Setting, can_begin_with, seed};
use super::commands::{Exit, Trouble, can_write, file, stdout};
use super::output::{note, print, write_file};
use super::player::{Mention, Options, Player, Tuned, Tuning};
use super::progress::{Progress, watch};
use crate::analysis::estimate::MOST_RUNS;
use crate::analysis::tune::{OfMilestone, Played, Vary};
use crate::engine::counted;
use crate::report::{self, Style};
use crate::scenario::OutageRate;
use clap::ValueEnum;
use std::str::FromStr;

/// Find which settings shorten a recovery, and what a faster one costs in false alarms
///
/// Without --vary each setting that you can change (flags and fields of manifests, not how a release
/// is built or how long the world takes) is tried at half and at double its value, or as far as it can
/// go; `none` at 1, nothing (0s) at 1m, words at each other word; what is not valid is left out. All runs have the same random numbers, so the difference is that of the setting.
///
/// With --vary one or two settings take each value of a range. Beside the recovery stands the price:
/// Machines that are replaced although they would have come back, because an outage that ends by
/// itself was taken for a loss. Each run of the price plays one outage of drawn length in a cluster
/// in which nothing else breaks, and is multiplied by how often outages come (--outages).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim tune worker-kubelet-stopped
  healsim tune worker-power-off --of nodeUnknown --out svg=tornado.svg
  healsim tune worker-kubelet-stopped --vary machineHealthCheck.unknownTimeout=1m..10m/30s \\
    --out svg=front.svg
  healsim tune mine.yaml --vary machineHealthCheck.unknownTimeout=1m..9m/2m \\
    --vary kubernetes.nodeMonitorGracePeriod=20s..60s/20s --outages network=2/month,5s..30m

Outages: network (one Node loses its network, rate per Node), kubelet (one kubelet hangs, per Node),
workers (all workers lose their network at once, per cluster), api (all API servers hang, per
cluster). KIND=RATE/year,LOW..HIGH or /month; KIND=0 leaves one out.")]
pub struct Tune {
    /// The scenario: a name or a file
    #[arg(value_name = "NAME|FILE")]
    pub input: String,
    /// What is to come sooner: a milestone, perhaps with its object, as nodeReady:Node/worker-0
    #[arg(long, value_name = "MILESTONE[:OBJECT]", default_value = "recovered")]
    pub of: OfMilestone,
    /// Let a setting take each value of a range; once or twice
    #[arg(long, value_name = "KEY=LOW..HIGH/STEP")]
    pub vary: Vec<Vary>,
    /// How often outages of a kind come and how long they last, instead of the assumed numbers
    #[arg(long, value_name = "KIND=RATE/year,LOW..HIGH", requires = "vary")]
    pub outages: Vec<OutageRate>,
    /// How many runs of each value, and of each kind of outage at each value
    #[arg(long, value_name = "N", default_value_t = 100, allow_hyphen_values = true, value_parser = super::args::count::<u64>(1..=MOST_RUNS))]
    pub runs: u64,
    /// A setting that moves none of the first N runs is not played further; 0 plays all
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "vary")]
    pub screen: u64,
    /// The seed of the first run
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true, default_value_t = 1)]
    pub seed: u64,
    /// How many runs are played at once; by default as many as there are processors
    #[arg(long, value_name = "J", allow_hyphen_values = true, value_parser = super::args::count::<u16>(1..=1024))]
    pub jobs: Option<u16>,
    /// What to print
    #[arg(short = 'o', value_name = "FORMAT", default_value = "table")]
    pub output: TuneFormat,
    /// Write a format into a file as well; may be given several times
    #[arg(long, value_name = "FORMAT=FILE")]
    pub out: Vec<OutFile<TuneFormat>>,
    /// Tell the progress on standard error even if that is no terminal
    #[arg(long)]
    pub progress: bool,
    #[command(flatten)]
    pub common: Common,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TuneFormat {
    Table,
    Json,
    Csv,
    Svg,
}

impl FromStr for TuneFormat {
    type Err = String;
    fn from_str(word: &str) -> Result<TuneFormat, String> {
        ValueEnum::from_str(word, false)
            .map_err(|_| format!("`{word}` is not a format of this; known: table, json, csv, svg"))
    }
}

impl Tune {
    /// Fails with what would be right if the words do not fit one another.
    pub fn fits(&self) -> Result<(), String> {
        can_begin_with(self.seed, self.runs)?;
        Vary::fit(&self.vary)
    }

    fn tuning(&self) -> Tuning {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        Tuning {
            of: self.of.clone(),
            vary: self.vary.clone(),
            outages: OutageRate::all(&self.outages),
            first_seed: self.seed,
            runs: self.runs,
            screened: self.screen,
            jobs: self.jobs.map_or_else(processors, usize::from),
        }
    }
}

/// Plays all and prints what came of it.
pub(super) fn tune(asked: &Tune, player: &impl Player) -> Result<Exit, Trouble> {
    asked.out.iter().try_for_each(|out| can_write(&out.path))?;
    let (tuning, options) = (asked.tuning(), asked.common.options()?);
    notes(asked, &options, player)?.iter().for_each(|text| note(text));
    let object = asked.of.object.iter().cloned().map(Mention::OfMany);
    let named: Vec<Mention> = object.chain([Mention::Milestone(asked.of.name.clone())]).collect();
    player.knows(&asked.input, &options, asked.seed, &named)?;
    let progress = if asked.progress { Progress::Always } else { Progress::IfTerminal };
    let (found, interrupted) =
        watch(0, progress, |control| player.tune(&asked.input, &options, &tuning, control));
    let found = found?;
    print(&bytes(asked.output, &found, Style::Colored)?).map_err(stdout)?;
    for out in &asked.out {
        let written = write_file(&out.path, &bytes(out.format, &found, Style::Plain)?);
        written.map_err(|error| file(&out.path, &error))?;
    }
    let Played { runs, wanted, .. } = found.played();
    if interrupted {
        note(&format!("partial: interrupted after {runs} of {} of each", counted(*wanted, "run")));
    }
    Ok(if interrupted { Exit::Interrupted } else { Exit::Done })
}

/// What there is to know of the settings, and of those that are varied at the ends of their ranges: one that
/// nobody reads has no front.
fn notes(
    asked: &Tune,
    options: &Options,
    player: &impl Player,
) -> Result<Vec<String>, Vec<String>> {
    let mut notes = player.lint(&asked.input, options)?.notes;
    for vary in &asked.vary {
        let values = vary.values();
        for value in values.first().into_iter().chain(values.last()) {
            let set = Setting { key: vary.key.clone(), value: value.clone() };
            let set = [options.set.clone(), vec![set]].concat();
            let varied = Options { set, ..options.clone() };
            let blamed =
                |wrong| Vary::blame(wrong, std::slice::from_ref(vary), std::slice::from_ref(value));
            let all = player.lint(&asked.input, &varied).map_err(blamed)?.notes;
            let new: Vec<String> = all.into_iter().filter(|it| !notes.contains(it)).collect();
            notes.extend(new);
        }
    }
    Ok(notes)
}

fn bytes(format: TuneFormat, found: &Tuned, style: Style) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let written = match (found, format) {
        (Tuned::Sensitivity(found), TuneFormat::Table) => {
            report::write_sensitivity(found, style, &mut bytes)
        }
        (Tuned::Sweep(found), TuneFormat::Table) => report::write_sweep(found, style, &mut bytes),
        (Tuned::Sensitivity(found), TuneFormat::Csv) => report::sensitivity_csv(found, &mut bytes),
        (Tuned::Sweep(found), TuneFormat::Csv) => report::sweep_csv(found, &mut bytes),
        (Tuned::Sensitivity(found), TuneFormat::Json) => {
            bytes = format!("{}\n", report::sensitivity_json(found)).into_bytes();
            Ok(())
        }
        (Tuned::Sweep(found), TuneFormat::Json) => {
            bytes = format!("{}\n", report::sweep_json(found)).into_bytes();
            Ok(())
        }
        (Tuned::Sensitivity(found), TuneFormat::Svg) => {
            bytes = report::sensitivity_svg(found).into_bytes();
            Ok(())
        }
        (Tuned::Sweep(found), TuneFormat::Svg) => {
            bytes = report::sweep_svg(found).into_bytes();
            Ok(())
        }
    };
    written.map(|()| bytes).map_err(stdout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn asked(line: &str) -> Result<Tune, String> {
        let words = std::iter::once("healsim").chain(line.split_whitespace());
        match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
            Command::Tune(asked) => Ok(asked),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_asked_has_the_assumed_outages_but_for_ones_own() {
        let line = "tune one --vary a.b=1m..2m/30s --outages network=2/month,1s..2s";
        let tuning = asked(line).expect("valid").tuning();
        assert_eq!(tuning.of.name, *"recovered");
        let rates: Vec<(u64, bool)> =
            tuning.outages.iter().map(|it| (it.per_year, it.basis.is_empty())).collect();
        assert_eq!(rates, [(24_000, true), (1000, false), (200, false), (1000, false)]);
    }

    #[test]
    fn words_that_do_not_fit_are_refused_with_what_would_be_right() {
        for (line, hint) in [
            ("tune one --of nodeUnknwon", "known: nodeUnknown"),
            ("tune one --vary a.b=2m..1m/30s", "reversed"),
            (
                "tune one --vary a.b=",
                "nothing comes after `a.b=`; write LOW..HIGH/STEP, as machine",
            ),
            ("tune one --vary a.b=1,2", "is not KEY=LOW..HIGH/STEP, as machineHealthCheck."),
            ("tune one --vary controlPlane=2", "as --vary controlPlane=1,3,5"),
            ("tune one --outages network=0", "--vary"),
            ("tune one --vary a.b=1m..2m/30s --outages net=0", "known: network, kubelet"),
            ("tune one --out png=x", "known: table, json, csv, svg"),
        ] {
            let wrong = asked(line).map(|_| ()).expect_err(line);
            assert!(wrong.contains(hint), "{line}: {wrong}");
        }
        let twice = "tune one --vary a.b=1m..2m/30s --vary a.b=1m..2m/30s";
        assert!(asked(twice).expect("words").fits().expect_err(twice).contains("varied twice"));
        let last = "tune one --seed 18446744073709551615";
        assert!(asked(last).expect("words").fits().expect_err(last).contains("largest seed"));
    }
}
