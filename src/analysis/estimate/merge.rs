//! Shards joined to the whole: each once, all of the same question, none left out.
//!
//! Reads no files: whoever did hands over what stands in them, with their names.

use super::part::{Asked, NotAPart, Part, Shard};
use super::tally::Sums;
use crate::engine::Text;
use std::collections::BTreeMap;

/// What was found in a file.
#[derive(Clone, Debug)]
pub struct Named {
    pub file: String,
    pub found: Result<Part, Unread>,
}

/// Why there is no part in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The file cannot be read, with the system's words.
    File(String),
    Text(NotAPart),
}

/// What came of joining.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// The whole, if nothing is wrong with the shards and none is missing.
    pub whole: Option<Part>,
    /// Files that contradict one another, a sentence each.
    pub mistakes: Vec<String>,
    /// Files that hold no shard at all, a sentence each.
    pub strangers: Vec<String>,
    /// Files that hold no whole shard, a sentence each.
    pub unusable: Vec<String>,
    /// The shards that no file holds whole, each with the words after `healsim` that make it.
    pub missing: Vec<Missing>,
}

/// A shard that no file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub shard: Shard,
    pub first_seed: u64,
    pub last_seed: u64,
    pub words: Vec<Text>,
}

/// Joins what stands in the files, in any order of them.
pub fn merge(files: Vec<Named>) -> Merged {
    let mut merged = Merged::default();
    let mut parts: BTreeMap<u64, (String, Part)> = BTreeMap::new();
    let mut first: Option<(String, Part)> = None;
    for Named { file, found } in files {
        let part = match found {
            Ok(part) => part,
            Err(why) => {
                merged.note_unread(&file, &why);
                continue;
            }
        };
        let (first_file, first_part) = first.get_or_insert_with(|| (file.clone(), part.clone()));
        if let Some(why) = difference(&part, first_part) {
            merged.mistakes.push(format!("{file}: {why} (in {first_file})"));
            continue;
        }
        let shard = part.shard;
        if let Some(cut) = part.cut() {
            merged.unusable.push(format!("{file}: {cut}; play shard {shard} again"));
        } else if let Some((other, _)) = parts.get(&shard.number) {
            let why = match *other == file {
                true => format!("named twice, with shard {shard}; name each file once"),
                false => format!("shard {shard}, which {other} holds too; leave one of them out"),
            };
            merged.mistakes.push(format!("{file}: {why}"));
        } else {
            parts.insert(shard.number, (file, part));
        }
    }
    let Some((_, first)) = first else { return merged };
    let numbers = 1..=first.shard.of;
    let absent = numbers.filter(|number| !parts.contains_key(number));
    merged.missing = absent.map(|number| Missing::of(&first, number)).collect();
    if merged.mistakes.is_empty() && merged.unusable.is_empty() && merged.missing.is_empty() {
        merged.whole = whole(parts.into_values().map(|(_, part)| part).collect());
    }
    merged
}

/// All parts added up; the words are those of the first.
fn whole(parts: Vec<Part>) -> Option<Part> {
    let asked = parts.first()?.asked.clone();
    let runs = Sums::of(parts.iter().map(|part| &part.runs));
    let low = Sums::of(parts.iter().map(|part| &part.low));
    let high = Sums::of(parts.iter().map(|part| &part.high));
    Some(Part::new(asked, Shard::WHOLE, [runs, low, high]))
}

/// In what a part is another question than the first one, with what would be right.
fn difference(part: &Part, first: &Part) -> Option<String> {
    let (mine, right) = (&part.asked, &first.asked);
    let differs = |what: &str, mine: &dyn ToString, right: &dyn ToString| {
        let (mine, right) = (mine.to_string(), right.to_string());
        (mine != right).then(|| format!("{what} is {mine}, not {right}"))
    };
    differs("the scenario", &mine.scenario, &right.scenario)
        .or_else(|| differs("the platform", &mine.platform, &right.platform))
        .or_else(|| {
            let words = |asked: &Asked| match asked.until_recovered {
                true => "with --until-recovered",
                false => "without --until-recovered",
            };
            differs("the shard", &words(mine), &words(right))
        })
        .or_else(|| {
            let words = |asked: &Asked| asked.words.join(" ");
            (mine.fingerprint != right.fingerprint).then(|| {
                let what = "the scenario's text, settings, `--free` or `--until` are not the same";
                format!("{what}: `{}`, not `{}`", words(mine), words(right))
            })
        })
        .or_else(|| differs("--seed", &mine.first_seed, &right.first_seed))
        .or_else(|| differs("--runs", &mine.runs, &right.runs))
        .or_else(|| differs("--assumed-runs", &mine.assumed_runs, &right.assumed_runs))
        .or_else(|| differs("the number of shards", &part.shard.of, &first.shard.of))
}

impl Merged {
    fn note_unread(&mut self, file: &str, why: &Unread) {
        match why {
            Unread::File(why) => self.unusable.push(format!("{file}: {why}")),
            Unread::Text(why @ (NotAPart::CutOff | NotAPart::Unsound)) => {
                self.unusable.push(format!("{file}: {why}"));
            }
            Unread::Text(why @ NotAPart::Version(_)) => {
                self.mistakes.push(format!("{file}: {why}"))
            }
            Unread::Text(why) => self.strangers.push(format!("{file}: {why}")),
        }
    }
}

impl Missing {
    fn of(first: &Part, number: u64) -> Missing {
        let shard = Shard { number, ..first.shard };
        let Asked { words, first_seed, runs, assumed_runs, until_recovered, .. } = &first.asked;
        let seeds = shard.seeds(*first_seed, *runs);
        let mut command = vec![Text::word("estimate")];
        command.extend(words.iter().cloned());
        let numbers = [("--seed", first_seed), ("--runs", runs), ("--assumed-runs", assumed_runs)];
        for (flag, number) in numbers {
            command.extend([Text::word(flag), Text::from(number.to_string())]);
        }
        command.extend(until_recovered.then(|| Text::word("--until-recovered")));
        command.extend(["--shard", &shard.to_string(), "-o", "json"].map(Text::from));
        Missing {
            shard,
            first_seed: seeds.start,
            last_seed: seeds.end.saturating_sub(1),
            words: command,
        }
    }
}
