//! The options that several commands share, and the words that they read.
//!
//! Reads words only: whether a platform or a setting exists is the player's to say.

use super::player::Options;
use crate::engine::Duration;
use crate::scenario::read_until;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// More seeds than this tell no more, and take a day.
const MOST_SEEDS: u64 = 100_000;

/// Options of every command that plays.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Common {
    /// The platform, instead of the scenario's
    #[arg(long, value_name = "P")]
    pub platform: Option<String>,
    /// How long to play, instead of the scenario's `until`, for example 30m
    #[arg(long, value_name = "D", value_parser = read_until, allow_hyphen_values = true)]
    pub until: Option<Duration>,
    /// Change a number (see `healsim list settings`); may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// Play your own manifests (MachineHealthCheck, KubeadmControlPlane, MachineDeployment,
    /// Deployment, PodDisruptionBudget) in the place of the platform's; `-` is standard input; may
    /// be given several times
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Draw what the scenario pins with `given` from the seed instead
    #[arg(long)]
    pub free: bool,
    /// Play every heartbeat: slower, with the same output
    #[arg(long)]
    pub dense: bool,
}

/// One `--set KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub key: String,
    pub value: String,
}

/// One `--out FORMAT=FILE`, with formats of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutFile<F> {
    pub format: F,
    pub path: PathBuf,
}

/// The seeds of a `check`, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    pub first: u64,
    pub last: u64,
}

/// An instant of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Counted from the run's beginning.
    At(Duration),
    /// Counted from the first fault.
    After(Duration),
}

/// Fails if two of these would be written over each other. Devices and pipes take several.
pub fn each_once<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), String> {
    let mut taken = BTreeSet::new();
    for path in paths {
        let is_file = std::fs::metadata(path).map_or(true, |found| found.is_file());
        if is_file && !taken.insert(whole(path)) {
            return Err(format!("{} is written twice; name two files", path.display()));
        }
    }
    Ok(())
}

/// A path from the root, as far as its folder is there.
fn whole(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

impl Common {
    /// Fails if a setting is given two values.
    pub fn fits(&self) -> Result<(), String> {
        Setting::each_once("--set", &self.set)
    }

    /// The options as the player takes them; files are read.
    pub fn options(&self) -> Result<Options, Vec<String>> {
        self.unread().read(None)
    }

    /// The words that give these options again.
    pub fn words(&self) -> Vec<String> {
        self.unread().words()
    }

    /// The options as they are written, for who changes them before [`Options::read`].
    pub fn unread(&self) -> Options {
        let Common { platform, until, set, files, free, dense } = self.clone();
        Options { platform, until, set, files, manifests: Vec::new(), free, dense }
    }
}

impl Default for Seeds {
    fn default() -> Seeds {
        Seeds { first: 1, last: 20 }
    }
}

impl Seeds {
    /// One alone.
    pub fn only(seed: u64) -> Seeds {
        Seeds { first: seed, last: seed }
    }

    /// How many they are.
    pub fn count(self) -> u64 {
        self.last - self.first + 1
    }

    /// All of them in order.
    pub fn iter(self) -> impl Iterator<Item = u64> {
        self.first..=self.last
    }
}

impl Setting {
    /// Fails if one is given two values by this option.
    pub fn each_once(option: &str, all: &[Setting]) -> Result<(), String> {
        let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
        for Setting { key, value } in all {
            match taken.insert(key, value) {
                Some(before) if before != value => {
                    return Err(format!(
                        "{option} {key} is given twice, as {before} and as {value}; write it once"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Each key with its value, as scenarios take them.
    pub fn pairs(all: &[Setting]) -> Vec<(String, String)> {
        all.iter().map(|Setting { key, value }| (key.clone(), value.clone())).collect()
    }

    /// The words that give these again by this option.
    pub fn words(option: &str, all: &[Setting]) -> impl Iterator<Item = String> {
        let words =
            move |Setting { key, value }: &Setting| [option.to_owned(), format!("{key}={value}")];
        all.iter().flat_map(words)
    }
}

impl FromStr for Setting {
    type Err = String;
    fn from_str(text: &str) -> Result<Setting, String> {
        let (key, value) = pair(text, "KEY=VALUE")?;
        Ok(Setting { key: key.to_owned(), value: value.to_owned() })
    }
}

impl<F: FromStr<Err: Display>> FromStr for OutFile<F> {
    type Err = String;
    fn from_str(text: &str) -> Result<OutFile<F>, String> {
        let (format, path) = pair(text, "FORMAT=FILE")?;
        let format = format.parse().map_err(|wrong: F::Err| wrong.to_string())?;
        Ok(OutFile { format, path: path.into() })
    }
}

impl FromStr for Seeds {
    type Err = String;
    fn from_str(text: &str) -> Result<Seeds, String> {
        let ends = text.split_once("..").map(|(first, last)| (first.parse(), last.parse()));
        match ends {
            Some((Ok(first), Ok(last))) if first <= last && last - first >= MOST_SEEDS => {
                Err(format!("these are more than {MOST_SEEDS} seeds; write fewer"))
            }
            Some((Ok(first), Ok(last))) if first <= last => Ok(Seeds { first, last }),
            _ => Err("write the first and the last seed, for example 1..20".to_owned()),
        }
    }
}

/// Reads a seed.
pub fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

/// Reads how many, between these.
pub fn count<T>(bounds: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        let found = text.parse().ok().filter(|count| bounds.contains(count));
        let (least, most) = (bounds.start(), bounds.end());
        found.ok_or_else(|| format!("write a whole number from {least} to {most}"))
    }
}

/// Fails with what would be right if so many runs cannot begin with this seed. A range of seeds ends
/// before a number, so the largest number of all is in none.
pub fn can_begin_with(seed: u64, runs: u64) -> Result<(), String> {
    let (last, largest) = (u64::MAX, u64::MAX - runs);
    match seed <= largest {
        true => Ok(()),
        false => Err(format!(
            "no {} with --seed {seed}: with so many, the largest seed is {largest}; {last} is for \
             who plays one run alone",
            if runs == 1 { "1 run begins".to_owned() } else { format!("{runs} runs begin") }
        )),
    }
}

fn pair<'a>(text: &'a str, shape: &str) -> Result<(&'a str, &'a str), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key, value)),
        _ => Err(format!("write it as {shape}")),
    }
}
