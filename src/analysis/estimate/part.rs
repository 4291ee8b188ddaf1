//! A part of an estimate, or the whole: what was asked, which shard of it this is, and the sums.
//!
//! It is also the document that a shard writes and `merge` reads. It holds whole numbers only.

use super::tally::Sums;
use crate::engine::{Duration, Text, counted};
use crate::scenario::Game;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// What distinguishes this document from others.
const KIND: &str = "healsim estimate shard";
/// What it is made of; a program that writes another form counts on.
const FORM: u32 = 2;
/// More runs than this tell no more.
pub const MOST_RUNS: u64 = 10_000_000;

/// What an estimate is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Asked {
    pub scenario: Text,
    pub platform: Text,
    /// Equal where scenario, platform, settings, given phases and end are.
    pub fingerprint: Text,
    /// The words after `healsim run` that play one of the runs again, all but the seed.
    pub words: Vec<Text>,
    pub first_seed: u64,
    /// Of all shards together.
    pub runs: u64,
    /// How many of the seeds are played with the assumed numbers at each end of their ranges.
    pub assumed_runs: u64,
    /// Whether each run ends when it has recovered for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub until_recovered: bool,
    /// The longest recovery time that a run can show, in microseconds, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<u64>,
    /// The services that are told as a user of `probes` finds them; of all others what runs counts.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub users: BTreeSet<Text>,
}

/// One of several parts; the number counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    pub number: u64,
    pub of: u64,
}

/// What the runs of one shard came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Part {
    kind: Text,
    form: u32,
    /// The program's version.
    pub healsim: Text,
    pub asked: Asked,
    pub shard: Shard,
    /// Whether it was interrupted before all its runs were played.
    pub partial: bool,
    /// Everything as the platform has it.
    pub runs: Sums,
    /// The assumed numbers at the low ends of their ranges.
    pub low: Sums,
    /// And at the high ends.
    pub high: Sums,
    /// Of all that stands before it; there only in a document.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    checksum: Text,
}

/// Where a part was interrupted: in the first pass over its seeds that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    pub pass: Pass,
    pub played: u64,
    pub wanted: u64,
}

/// The passes over a part's seeds, in the order in which they are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    AsItIs,
    /// With the assumed numbers at the low ends of their ranges.
    Low,
    /// And at the high ends.
    High,
}

/// Words that are no shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAShard(String);

/// Why a text cannot be read as a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAPart {
    /// It ends before it should.
    CutOff,
    /// It is something else.
    Other(String),
    /// Written by another version of the program.
    Version(String),
    /// Somebody has changed it, or its numbers do not fit one another.
    Unsound,
}

impl Asked {
    /// So many runs of a scenario, from a seed on.
    pub fn of(game: &Game, first_seed: u64, runs: u64) -> Asked {
        let words = [game.scenario.as_str(), "--platform", game.platform.as_str()];
        Asked {
            scenario: game.scenario.clone(),
            platform: game.platform.clone(),
            fingerprint: game.fingerprint(),
            words: words.map(Text::from).to_vec(),
            first_seed,
            runs,
            assumed_runs: 0,
            until_recovered: game.is_cut(),
            reach: game.reach().map(Duration::as_micros),
            users: game.asked_services(),
        }
    }
}

impl Shard {
    /// All of it.
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// Which of so many consecutive seeds are this shard's.
    pub fn seeds(self, first: u64, runs: u64) -> Range<u64> {
        let end = |number: u64| {
            let share = u128::from(runs) * u128::from(number) / u128::from(self.of);
            first + u64::try_from(share).expect("at most as many as there are")
        };
        end(self.number - 1)..end(self.number)
    }
}

impl Part {
    /// What came of a shard's runs.
    pub fn new(asked: Asked, shard: Shard, [runs, low, high]: [Sums; 3]) -> Part {
        let (kind, healsim) = (Text::word(KIND), Text::word(env!("CARGO_PKG_VERSION")));
        let (partial, checksum) = (false, Text::EMPTY);
        let mut part =
            Part { kind, form: FORM, healsim, asked, shard, partial, runs, low, high, checksum };
        part.partial = part.cut().is_some();
        part
    }

    /// Where it was interrupted; nothing if it is whole.
    pub fn cut(&self) -> Option<Cut> {
        let wanted = |of: u64| {
            let seeds = self.shard.seeds(self.asked.first_seed, of);
            seeds.end - seeds.start
        };
        let ends = wanted(self.asked.assumed_runs);
        let passes = [
            (Pass::AsItIs, &self.runs, wanted(self.asked.runs)),
            (Pass::Low, &self.low, ends),
            (Pass::High, &self.high, ends),
        ];
        let cuts = passes.map(|(pass, sums, wanted)| Cut { pass, played: sums.runs(), wanted });
        cuts.into_iter().find(|cut| cut.played < cut.wanted)
    }

    /// The seeds that it is to play.
    pub fn seeds(&self) -> Range<u64> {
        self.shard.seeds(self.asked.first_seed, self.asked.runs)
    }

    /// The document, as one line.
    pub fn to_json(&self) -> String {
        let checksum = Text::from(self.checksum());
        let signed = Part { checksum, ..self.clone() };
        serde_json::to_string(&signed).expect("plain data")
    }

    /// Of the document without it.
    fn checksum(&self) -> String {
        let unsigned = Part { checksum: Text::EMPTY, ..self.clone() };
        let text = serde_json::to_string(&unsigned).expect("plain data");
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }

    /// Reads a document.
    ///
    /// # Errors
    /// It is cut off, something else, of another version, or was changed.
    pub fn from_json(text: &str) -> Result<Part, NotAPart> {
        let read: serde_json::Value = serde_json::from_str(text).map_err(|error| {
            if error.is_eof() { NotAPart::CutOff } else { NotAPart::Other(error.to_string()) }
        })?;
        if read["kind"] != KIND {
            return Err(NotAPart::Other("no member `kind` says that it is one".to_owned()));
        }
        if read["form"] != FORM || read["healsim"] != env!("CARGO_PKG_VERSION") {
            let version = read["healsim"].as_str().unwrap_or("?");
            return Err(NotAPart::Version(format!("{version} (form {})", read["form"])));
        }
        let mut part: Part =
            serde_json::from_value(read).map_err(|error| NotAPart::Other(error.to_string()))?;
        let is_as_written = part.checksum == part.checksum().as_str();
        part.checksum = Text::EMPTY;
        if is_as_written && part.is_sound() { Ok(part) } else { Err(NotAPart::Unsound) }
    }

    fn is_sound(&self) -> bool {
        let Shard { number, of } = self.shard;
        let Asked { first_seed, runs, assumed_runs, .. } = self.asked;
        let fits = (1..=of).contains(&number)
            && of <= runs.max(1)
            && runs <= MOST_RUNS
            && assumed_runs <= runs
            && first_seed.checked_add(runs).is_some();
        fits && {
            let of_all = self.seeds();
            let ends = self.shard.seeds(first_seed, assumed_runs);
            let (all, some) = (of_all.end - of_all.start, ends.end - ends.start);
            let whole = [(&self.runs, of_all, all), (&self.low, ends.clone(), some)];
            let whole = whole.into_iter().chain([(&self.high, ends, some)]);
            let mut sound = whole.map(|(sums, seeds, runs)| {
                let played = if self.partial { sums.runs() } else { runs };
                played <= runs && sums.are_sound(seeds.start, played)
            });
            sound.all(|sound| sound) && self.partial == self.cut().is_some()
        }
    }
}

impl FromStr for Shard {
    type Err = NotAShard;
    fn from_str(text: &str) -> Result<Shard, NotAShard> {
        let pair = text.split_once('/').map(|(number, of)| (number.parse(), of.parse()));
        match pair {
            Some((Ok(number), Ok(of))) if 0 < number && number <= of => Ok(Shard { number, of }),
            _ => Err(NotAShard(text.to_owned())),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cut { pass, played, wanted } = self;
        write!(f, "interrupted after {played} of {}", counted(*wanted, "run"))?;
        match pass {
            Pass::AsItIs => Ok(()),
            Pass::Low => write!(f, " with all assumed numbers low"),
            Pass::High => write!(f, " with all assumed numbers high"),
        }
    }
}

impl fmt::Display for NotAShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a shard; write I/N with I from 1 to N, for example 2/8", self.0)
    }
}

impl std::error::Error for NotAShard {}

impl fmt::Display for NotAPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let this = env!("CARGO_PKG_VERSION");
        match self {
            NotAPart::CutOff => write!(f, "it is cut off; play this shard again"),
            NotAPart::Other(why) => {
                write!(f, "not a shard: {why}; it is what `estimate --shard I/N -o json` prints")
            }
            NotAPart::Version(other) => {
                let this = format!("{this} (form {FORM})");
                write!(f, "made by healsim {other}, and this is {this}: use one version for all")
            }
            NotAPart::Unsound => {
                write!(
                    f,
                    "it is not as it was written, somebody has changed it; play this shard again"
                )
            }
        }
    }
}

impl std::error::Error for NotAPart {}
