//! Which milestones people are told: those that they ask for, or all, and of many alike only the ends.
//!
//! Documents for programs have every figure; nothing is left out there.

use crate::analysis::Estimate;
use crate::analysis::MILESTONES;
use crate::analysis::estimate::{Figure, Kind};
use crate::engine::is_like;
use crate::scenario::models;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A milestone of so many objects alike is told of each: a control plane has up to seven members.
const MOST_APART: usize = 7;

/// The milestones that are to be told: `nodeReady`, all that begin with `node`, `*Lost`, or
/// `nodeReady:Node/worker-*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// A milestone, or a pattern of some.
    name: String,
    object: Option<String>,
}

/// Words that name no milestone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotWanted(String);

/// A figure, and for how many it stands.
pub struct Row<'a> {
    pub figure: &'a Figure,
    /// `first of 40`, or nothing for one that is told for itself.
    pub of: Option<String>,
}

impl Wanted {
    fn has(&self, Figure { name, .. }: &Figure) -> bool {
        let is_it = |object: &String| is_like(&name.object, object);
        name.kind == Kind::Milestone
            && is_like(&name.figure, &self.name)
            && self.object.as_ref().is_none_or(is_it)
    }

    /// What an estimate says of these milestones alone.
    pub fn only(these: &[Wanted], estimate: &Estimate) -> Estimate {
        let mut estimate = estimate.clone();
        estimate.figures.retain(|figure| these.iter().any(|it| it.has(figure)));
        estimate
    }
}

/// The first and the last, by their medians, of many that come to objects of one name but for its end, as
/// `worker-0` to `worker-39`; and all others.
pub fn folded<'a>(figures: &[&'a Figure]) -> Vec<Row<'a>> {
    let mut alike: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (place, figure) in figures.iter().enumerate() {
        alike.entry(stem(figure)).or_default().push(place);
    }
    let row = |(place, figure): (usize, &&'a Figure)| {
        let these = &alike[&stem(figure)];
        let count = these.len();
        let end = match () {
            () if count <= MOST_APART => None,
            () if these.first() == Some(&place) => Some("first"),
            () if these.last() == Some(&place) => Some("last"),
            () => return None,
        };
        Some(Row { figure, of: end.map(|end| format!("{end} of {count}")) })
    };
    figures.iter().enumerate().filter_map(row).collect()
}

/// The milestone, and its object without what comes after the last dash.
fn stem(Figure { name, .. }: &Figure) -> (&str, &str) {
    let object = name.object.rsplit_once('-').map_or(name.object.as_str(), |(stem, _)| stem);
    (&name.figure, object)
}

impl FromStr for Wanted {
    type Err = NotWanted;
    fn from_str(text: &str) -> Result<Wanted, NotWanted> {
        let (name, object) = match text.split_once(':') {
            Some((name, object)) => (name, Some(object)),
            None => (text, None),
        };
        let begin = format!("{name}*");
        let pattern = [name, &begin].into_iter().find(|pattern| {
            !name.is_empty() && MILESTONES.iter().any(|milestone| is_like(milestone, pattern))
        });
        let Some(pattern) = pattern else {
            return Err(NotWanted(models::unknown("milestone", name, &MILESTONES)));
        };
        if object.is_some_and(|object| !object.contains('/')) {
            let words = "write the object as KIND/NAME, for example Node/worker-0 or Node/worker-*";
            return Err(NotWanted(words.to_owned()));
        }
        Ok(Wanted { name: pattern.to_owned(), object: object.map(str::to_owned) })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            None => f.write_str(&self.name),
            Some(object) => write!(f, "{}:{object}", self.name),
        }
    }
}

impl fmt::Display for NotWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotWanted {}
