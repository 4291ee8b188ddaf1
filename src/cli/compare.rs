//! `compare`: two scenarios, platforms or settings beside each other, seed by seed.

use super::args::{Common, OutFile, Setting, can_begin_with, seed};
use super::commands::{Exit, Trouble, again, can_write, stdout};
use super::output::{note, print};
use super::player::{Linted, Options, Player, Versus};
use super::progress::{Progress, watch};
use super::report::{PageFormat, page, write_pages};
use crate::analysis::estimate::MOST_RUNS;
use crate::engine::{Text, counted};
use crate::report::{Style, comparison_json, write_comparison};
use crate::scenario::models;
use clap::ValueEnum;
use std::collections::BTreeSet;
use std::path::Path;

/// Play two scenarios, platforms or settings with the same random numbers, and tell what differs
///
/// A and B are two scenarios; or, with --scenario, two platforms, two settings KEY=VALUE (several
/// with commas), or two files of manifests. Each seed is played with both, so that luck is the same and the difference is that
/// of what was changed. Then it says where the two timelines of the first seed part.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim compare worker-power-off worker-vm-deleted
  healsim compare tkgs-2024 tkgs-current --scenario worker-vm-deleted
  healsim compare machineHealthCheck.unknownTimeout=5m machineHealthCheck.unknownTimeout=2m \\
    --scenario worker-kubelet-stopped --runs 200
  healsim compare tkgs-2024 my-health-check.yaml --scenario worker-power-off
  healsim compare worker-power-off worker-vm-deleted --runs 20 --out html=both.html")]
pub struct Compare {
    /// A scenario, a platform, settings or a file of manifests
    #[arg(value_name = "A")]
    pub a: String,
    /// What A is compared with
    #[arg(value_name = "B")]
    pub b: String,
    /// The scenario that both play, where A and B are platforms or settings
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: Option<String>,
    /// How many runs of each
    #[arg(long, value_name = "N", default_value_t = 100, allow_hyphen_values = true, value_parser = super::args::count::<u64>(1..=MOST_RUNS))]
    pub runs: u64,
    /// The seed of the first run: the scenario's `seed`, of two scenarios A's before B's, or 1
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// How many runs are played at once; by default as many as there are processors
    #[arg(long, value_name = "J", allow_hyphen_values = true, value_parser = super::args::count::<u16>(1..=1024))]
    pub jobs: Option<u16>,
    /// What to print
    #[arg(short = 'o', value_name = "FORMAT", default_value = "table")]
    pub output: CompareFormat,
    /// Write a page that shows the runs of the first seed beside each other
    #[arg(long, value_name = "html=FILE")]
    pub out: Vec<OutFile<PageFormat>>,
    /// Tell the progress on standard error even if that is no terminal
    #[arg(long)]
    pub progress: bool,
    #[command(flatten)]
    pub common: Common,
}

/// How a comparison is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    Table,
    Json,
}

impl Compare {
    /// Fails with what would be right if the words do not fit one another.
    pub fn fits(&self) -> Result<(), String> {
        self.seed.map_or(Ok(()), |seed| can_begin_with(seed, self.runs))?;
        self.sides().map(|_| ())
    }

    /// The seed of both sides' first run: theirs would else not have the same random numbers.
    fn seed_of(&self, [a, b]: &[Linted; 2]) -> u64 {
        if let (None, Some(one), Some(other)) = (self.seed, a.seed, b.seed)
            && one != other
        {
            note(&format!("{} has seed {one}, {} has {other}: both play {one}", a.name, b.name));
        }
        a.seed(self.seed.or(a.seed).or(b.seed))
    }

    /// What is played on each side: the input, its options, and what it is called.
    fn sides(&self) -> Result<[(String, Options, String); 2], String> {
        Ok([self.side(&self.a)?, self.side(&self.b)?])
    }

    fn side(&self, word: &str) -> Result<(String, Options, String), String> {
        let mut options = self.common.unread();
        let is_platform = models::platforms().contains(&word);
        // A file may have `=` in its name.
        let path = Path::new(word);
        let is_setting = word.contains('=') && !path.exists();
        let is_file = path.is_file() || word.ends_with(".yaml") || word.ends_with(".yml");
        if !is_platform && !is_setting {
            return match &self.scenario {
                None => Ok((word.to_owned(), options, word.to_owned())),
                Some(scenario) if is_file => {
                    options.files.push(path.to_owned());
                    Ok((scenario.clone(), options, format!("{scenario} with {word}")))
                }
                Some(_) => Err(format!(
                    "with --scenario, A and B are platforms, settings or files of manifests, and \
                     `{word}` is none of these; platforms: {}",
                    models::platforms().join(", ")
                )),
            };
        }
        let Some(scenario) = &self.scenario else {
            return Err(format!("`{word}` needs a scenario to be played with: --scenario NAME"));
        };
        if is_platform {
            options.platform = Some(word.to_owned());
        } else {
            let settings = word.split(',').map(str::parse::<Setting>);
            options.set.extend(settings.collect::<Result<Vec<Setting>, String>>()?);
        }
        Ok((scenario.clone(), options, format!("{scenario} with {word}")))
    }
}

/// Plays both sides and tells what differs.
pub(super) fn play_both(asked: &Compare, player: &impl Player) -> Result<Exit, Trouble> {
    let [a, b] = asked.sides().map_err(|wrong| Trouble::Input(vec![wrong]))?;
    asked.out.iter().try_for_each(|out| can_write(&out.path))?;
    let a = (a.0, a.1.read(None)?, a.2);
    let b = (b.0, b.1.read(Some(&a.1))?, b.2);
    let sides = [a, b];
    let lint = |(input, options, _): &(String, Options, String)| player.lint(input, options);
    let linted = [lint(&sides[0])?, lint(&sides[1])?];
    let notes: BTreeSet<&String> = linted.iter().flat_map(|side| &side.notes).collect();
    notes.into_iter().for_each(|text| note(text));
    let labels = sides.each_ref().map(|(_, _, label)| label.as_str());
    measured_apart(&linted, &labels).iter().for_each(|text| note(text));
    let seed = asked.seed_of(&linted);
    can_begin_with(seed, asked.runs).map_err(|wrong| vec![wrong])?;
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let versus = Versus {
        first_seed: seed,
        runs: asked.runs,
        jobs: asked.jobs.map_or_else(processors, usize::from),
    };
    let [a, b] = sides.each_ref().map(|(input, options, _)| (input.as_str(), options));
    let progress = if asked.progress { Progress::Always } else { Progress::IfTerminal };
    let (found, interrupted) =
        watch(asked.runs, progress, |control| player.compare([a, b], &versus, control));
    let found = found?;
    let bytes = match asked.output {
        CompareFormat::Json => format!("{}\n", comparison_json(&found, labels)).into_bytes(),
        CompareFormat::Table => {
            let mut bytes = Vec::new();
            write_comparison(&found, labels, Style::Colored, &mut bytes).map_err(stdout)?;
            bytes
        }
    };
    print(&bytes).map_err(stdout)?;
    if !asked.out.is_empty() && !interrupted {
        let film = |(input, options, label): &(String, Options, String)| {
            let mut film = player.film(input, options, seed)?;
            film.run.command = again(input, seed, &options.words());
            Ok::<_, Vec<String>>((film, label.clone()))
        };
        let [a, b] = &sides;
        write_pages(&asked.out, &page(&[film(a)?, film(b)?])?)?;
    }
    if interrupted {
        note(&format!(
            "partial: interrupted after {} of {}",
            found.runs,
            counted(asked.runs, "run")
        ));
    }
    Ok(if interrupted { Exit::Interrupted } else { Exit::Done })
}

/// What a user finds and what his app's containers do are two things: their difference says nothing of the clusters.
fn measured_apart([a, b]: &[Linted; 2], [one, other]: &[&str; 2]) -> Vec<String> {
    let told = |service: &Text| {
        let (asks, counts) = if a.asked.contains(service) { (one, other) } else { (other, one) };
        format!(
            "{service} is what a user finds with {asks}, and what is up and running with {counts}: give both the same \
             `probes`, or do not compare it"
        )
    };
    a.asked.symmetric_difference(&b.asked).map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn a_service_that_only_one_side_asks_is_not_to_be_compared() {
        let side = |asked: &[&'static str]| {
            let asked = asked.iter().map(|name| Text::word(name)).collect();
            Linted { asked, ..Linted::default() }
        };
        let labels = ["one.yaml", "two.yaml"];
        let told =
            |a: &[&'static str], b: &[&'static str]| measured_apart(&[side(a), side(b)], &labels);
        assert_eq!(told(&["api", "app/web"], &["api", "app/web"]), [""; 0]);
        let words = "app/web is what a user finds with two.yaml, and what is up and running with one.yaml: give \
                     both the same `probes`, or do not compare it";
        assert_eq!(told(&["api"], &["api", "app/web"]), [words]);
        assert_eq!(told(&["api"], &[]).len(), 1);
    }

    fn asked(line: &str) -> Compare {
        let words = std::iter::once("healsim").chain(line.split_whitespace());
        match crate::cli::Cli::parse_from(words).command {
            crate::cli::Command::Compare(asked) => asked,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn two_scenarios_are_played_as_they_are() {
        let sides = asked("compare one two --set a.b=1s").sides().expect("two scenarios");
        let inputs = sides
            .each_ref()
            .map(|(input, options, label)| (input.as_str(), options.set.len(), label.as_str()));
        assert_eq!(inputs, [("one", 1, "one"), ("two", 1, "two")]);
    }

    #[test]
    fn two_platforms_or_settings_play_one_scenario() {
        let line = "compare tkgs-2024 a.b=1s,c.d=2s --scenario one --set e.f=3s";
        let [a, b] = asked(line).sides().expect("a platform and settings");
        assert_eq!((a.0.as_str(), a.1.platform.as_deref()), ("one", Some("tkgs-2024")));
        let keys: Vec<&str> = b.1.set.iter().map(|set| set.key.as_str()).collect();
        assert_eq!((b.0.as_str(), keys), ("one", vec!["e.f", "a.b", "c.d"]));
        assert_eq!([a.2, b.2], ["one with tkgs-2024", "one with a.b=1s,c.d=2s"]);
    }

    #[test]
    fn words_that_do_not_fit_are_refused_with_what_would_be_right() {
        for (line, hint) in [
            ("compare tkgs-2024 tkgs-current", "--scenario NAME"),
            ("compare a.b=1s two", "--scenario NAME"),
            ("compare one tkgs-current --scenario one", "`one` is none of these"),
            ("compare a.b= tkgs-current --scenario one", "KEY=VALUE"),
            ("compare one two --seed 18446744073709551615", "the largest seed is"),
        ] {
            let wrong = asked(line).fits().expect_err(line);
            assert!(wrong.contains(hint), "{line}: {wrong}");
        }
        assert_eq!(asked("compare one two").fits(), Ok(()));
    }
}
