//! `availability`: how many minutes a year a cluster is down, over years of failures.

use super::args::Setting;
use super::commands::{Exit, Trouble, stdout};
use super::output::{note, print};
use super::progress::{Progress, watch};
use crate::analysis::Control;
use crate::analysis::availability::{Asked, EpisodeId, availability, beside, find};
use crate::engine::Text;
use crate::report::{Again, Style, availability_json, shell, write_availability};
use crate::scenario::{Mistakes, Plant, PlantCount, models};
use clap::ValueEnum;
use std::thread;

/// Estimate the long-run availability of a cluster: nines and minutes per year
///
/// Plays years of failures at random times (of VMs, hosts, zones, disks, kubelets, etcd members, by
/// operators), each from the healthy cluster until everything is back, with people who mend what does
/// not heal. The rates are healsim's (`models/rates`) or your own. FILE is a name (three-and-three,
/// three-zones) or a file of `kind: Availability`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim availability three-and-three
  healsim availability three-and-three --vary controlPlane=1,3,5 --years 500
  healsim availability three-and-three --platform tkgs-current
  healsim availability three-and-three --set machineHealthCheck.unknownTimeout=3m
  healsim availability mine.yaml --vary zones=0,3 -o json
  healsim availability three-and-three --rate vmOff=2/year --rate diskFull=0
  healsim availability three-and-three --episode 3/5 > episode.yaml")]
pub struct Availability {
    /// The cluster and its rates: a name or a file
    #[arg(value_name = "FILE", default_value = "three-and-three")]
    pub input: String,
    /// The platform, instead of the file's
    #[arg(long, value_name = "P")]
    pub platform: Option<String>,
    /// Change a number (see `healsim list settings`), instead of the file's `settings`; may be given
    /// several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// How often each thing fails so, instead of the file's rate: kubeletStopped=0.2/year, or =0 for
    /// never; may be given several times
    #[arg(long, value_name = "FAILURE=RATE")]
    pub rate: Vec<Setting>,
    /// How many years
    #[arg(long, value_name = "N", default_value_t = 100, allow_hyphen_values = true, value_parser = super::args::count::<u64>(1..=1_000_000))]
    pub years: u64,
    /// The seed of the first year; each further year takes the next
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = seed, allow_negative_numbers = true)]
    pub seed: u64,
    /// Compare clusters: controlPlane=1,3,5 or workers=..., hosts=..., zones=...
    #[arg(long, value_name = "WHAT=N,...")]
    pub vary: Option<Vary>,
    /// Print one episode as a scenario instead, which `healsim run` plays: of the year of a seed the
    /// one that begins with its N-th failure
    #[arg(long, value_name = "SEED/N", conflicts_with_all = ["years", "seed", "jobs", "output", "progress"])]
    pub episode: Option<EpisodeId>,
    /// How many years are played at once; by default as many as there are processors
    #[arg(long, value_name = "J", allow_hyphen_values = true, value_parser = super::args::count::<u16>(1..=1024))]
    pub jobs: Option<u16>,
    /// What to print
    #[arg(short = 'o', value_name = "FORMAT", default_value = "table")]
    pub output: AvailabilityFormat,
    /// Tell the progress on standard error even if that is no terminal
    #[arg(long)]
    pub progress: bool,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AvailabilityFormat {
    Table,
    Json,
}

/// One `--vary WHAT=N,...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vary {
    what: PlantCount,
    counts: Vec<u32>,
}

impl Availability {
    /// Fails with what would be right if the words do not fit one another.
    pub fn fits(&self) -> Result<(), String> {
        Setting::each_once("--set", &self.set)?;
        Setting::each_once("--rate", &self.rate)?;
        match (self.episode, &self.vary) {
            (Some(_), Some(Vary { counts, .. })) if counts.len() > 1 => {
                Err("an episode is of one cluster; name one with --vary".to_owned())
            }
            (Some(id), _) => seed(&id.seed.to_string()).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The command that plays these years again.
    fn again(&self) -> String {
        let vary = self.vary.iter().flat_map(|vary| ["--vary".to_owned(), vary.to_string()]);
        let (years, seed) = (self.years.to_string(), self.seed.to_string());
        let years = ["--years".to_owned(), years, "--seed".to_owned(), seed];
        self.command(vary.chain(years))
    }

    /// The command that prints an episode of one of the clusters.
    fn again_episode(&self, plant: &Plant, id: EpisodeId) -> String {
        let vary = self.vary.iter().flat_map(|Vary { what, .. }| {
            let one = Vary { what: *what, counts: vec![plant.count(*what)] };
            ["--vary".to_owned(), one.to_string()]
        });
        self.command(vary.chain(["--episode".to_owned(), id.to_string()]))
    }

    fn command(&self, more: impl Iterator<Item = String>) -> String {
        let platform = self.platform.iter().flat_map(|it| ["--platform".to_owned(), it.clone()]);
        let words = ["availability".to_owned(), self.input.clone()].into_iter();
        let words = words.chain(platform).chain(Setting::words("--set", &self.set));
        let words = words.chain(Setting::words("--rate", &self.rate)).chain(more);
        shell::command(&words.map(Text::from).collect::<Vec<Text>>())
    }
}

/// What can be varied, by name.
const VARIED: [(&str, PlantCount); 4] = [
    ("controlPlane", PlantCount::ControlPlane),
    ("workers", PlantCount::Workers),
    ("hosts", PlantCount::Hosts),
    ("zones", PlantCount::Zones),
];

impl std::fmt::Display for Vary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, _) = VARIED.iter().find(|(_, what)| *what == self.what).expect("all are there");
        let counts: Vec<String> = self.counts.iter().map(u32::to_string).collect();
        write!(f, "{name}={}", counts.join(","))
    }
}

impl std::str::FromStr for Vary {
    type Err = String;
    fn from_str(text: &str) -> Result<Vary, String> {
        let shape = || format!("`{text}` is not WHAT=N,..., as controlPlane=1,3,5");
        let (name, counts) = text.split_once('=').ok_or_else(shape)?;
        let known = VARIED.iter().find(|(known, _)| *known == name).map(|(_, what)| *what);
        let names = VARIED.map(|(name, _)| name);
        let what = known.ok_or_else(|| models::unknown("number of machines", name, &names))?;
        if counts.is_empty() {
            return Err(format!("nothing comes after `{name}=`; write numbers, as {name}=1,3,5"));
        }
        let counts = counts.split(',').map(|count| count.parse().map_err(|_| shape()));
        let counts = counts.collect::<Result<Vec<u32>, String>>()?;
        let is_again = |(place, count): &(usize, &u32)| counts[..*place].contains(count);
        match counts.iter().enumerate().find(is_again) {
            Some((_, count)) => Err(format!("{count} is there twice; write each number once")),
            None => Ok(Vary { what, counts }),
        }
    }
}

/// Years beyond it are far from any overflow.
const LARGEST_SEED: u64 = 1_000_000_000_000;

fn seed(text: &str) -> Result<u64, String> {
    let seed = text.parse().ok().filter(|seed| *seed <= LARGEST_SEED);
    seed.ok_or_else(|| format!("a year's seed is a whole number from 0 to {LARGEST_SEED}"))
}

/// The clusters that are asked for.
fn plants(asked: &Availability) -> Result<Vec<Plant>, Trouble> {
    let set = Setting::pairs(&asked.set);
    let plant = Plant::load_on(&asked.input, asked.platform.as_deref(), &set);
    let mut plant = plant.map_err(|mistake| Trouble::Input(vec![mistake.to_string()]))?;
    for Setting { key, value } in &asked.rate {
        let rated = plant.rated(key, value);
        plant = rated.map_err(|words| vec![format!("--rate {key}={value}: {words}")])?;
    }
    let Some(vary) = &asked.vary else { return Ok(vec![plant]) };
    let varied = |count: u32| plant.clone().with(vary.what, count);
    let varied = vary.counts.iter().map(|count| varied(*count)).collect::<Result<Vec<_>, _>>();
    varied.map_err(|words| Trouble::Input(vec![format!("--vary: {words}")]))
}

/// Plays the years of each cluster, and prints what they come to.
pub(super) fn play_years(asked: &Availability) -> Result<Exit, Trouble> {
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    let jobs = asked.jobs.map_or_else(processors, usize::from);
    let plants = plants(asked)?;
    if let (Some(id), Some(plant)) = (asked.episode, plants.first()) {
        return print_episode(asked, plant, id);
    }
    let total = asked.years * plants.len() as u64;
    let question = |plant| Asked { plant, years: asked.years, first_seed: asked.seed, jobs };
    let progress = if asked.progress { Progress::Always } else { Progress::IfTerminal };
    let work = |control: &Control| {
        let each = plants.into_iter().map(|plant| availability(&question(plant), control));
        let mut all = each.collect::<Result<Vec<_>, _>>()?;
        if let Some((first, others)) = all.split_first_mut() {
            others.iter_mut().for_each(|other| other.beside = Some(beside(first, other)));
        }
        Ok::<_, Mistakes>(all)
    };
    let (found, interrupted) = watch(total, progress, work);
    let found = found.map_err(|mistakes| Trouble::Input(mistakes.texts()))?;
    let mut bytes = Vec::new();
    let episode = |plant: &Plant, id: EpisodeId| asked.again_episode(plant, id);
    let again = Again { all: asked.again(), episode: &episode };
    match asked.output {
        AvailabilityFormat::Table => {
            write_availability(&found, &again, Style::Colored, &mut bytes).map_err(stdout)?;
        }
        AvailabilityFormat::Json => {
            bytes = format!("{}\n", availability_json(&found, &again)).into_bytes();
        }
    }
    print(&bytes).map_err(stdout)?;
    if interrupted {
        note("partial: interrupted before all years were played");
    }
    Ok(if interrupted { Exit::Interrupted } else { Exit::Done })
}

/// Plays a year up to an episode, and prints that as a scenario.
fn print_episode(asked: &Availability, plant: &Plant, id: EpisodeId) -> Result<Exit, Trouble> {
    let told = find(plant, id).map_err(|mistakes| Trouble::Input(mistakes.texts()))?;
    let text = told.scenario(&asked.again_episode(plant, id));
    print(text.as_bytes()).map_err(stdout)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    #[test]
    fn what_was_asked_is_told_as_a_command() {
        let words = "healsim availability mine.yaml --set a.b=2m --vary workers=3,5 --years 7 \
                     --platform tkgs-current --rate vmOff=0";
        let Ok(Cli { command: Command::Availability(asked) }) =
            Cli::try_parse_from(words.split_whitespace())
        else {
            panic!("years")
        };
        let again = "healsim availability mine.yaml --platform tkgs-current --set a.b=2m --rate \
                     vmOff=0 --vary workers=3,5 --years 7 --seed 1";
        assert_eq!(asked.again(), again);
        let id = EpisodeId { seed: 17, failure: 5 };
        let plant = Plant::load("three-and-three").expect("embedded");
        let again = "healsim availability mine.yaml --platform tkgs-current --set a.b=2m --rate \
                     vmOff=0 --vary workers=3 --episode 17/5";
        assert_eq!(asked.again_episode(&plant, id), again);
    }

    #[test]
    fn no_cluster_is_compared_with_itself() {
        let read = |text: &str| text.parse::<Vary>();
        assert!(read("hosts=3,4").is_ok());
        let wrong = read("hosts=3,4,3").expect_err("twice");
        assert_eq!(wrong, "3 is there twice; write each number once");
        for (text, hint) in [
            ("hosts=", "nothing comes after `hosts=`; write numbers, as hosts=1,3,5"),
            ("hosts=x", "`hosts=x` is not WHAT=N,..., as controlPlane=1,3,5"),
            ("worker=3", "no number of machines `worker`; did you mean `workers`?"),
            ("nodes=3", "known: controlPlane, workers, hosts, zones"),
        ] {
            assert!(read(text).expect_err(text).contains(hint), "{text}");
        }
        assert_eq!(read("hosts=3,4").map(|vary| vary.to_string()), Ok("hosts=3,4".to_owned()));
    }
}
