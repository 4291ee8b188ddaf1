//! A run as the page's scripts read it: columns of numbers that name values in one table.
//!
//! Times are whole microseconds, written as the step from the line before. `assets/model.js` is the
//! other side of this file.

use super::film::{Film, RowChange, TABLES};
use super::levels;
use super::members::{MemberState, Members};
use super::texts::{Texts, numbers, runs};
use super::troubles::{self, Change};
use super::way::Way;
use super::{Shown, answers::SOURCES};
use crate::engine::{SimTime, Text};
use crate::report::json::{list, object};
use crate::report::kubectl;
use crate::timeline::Entry;
use serde_json::json;
use std::collections::BTreeMap;

/// All of a run as one JSON object.
pub fn run(shown: &Shown) -> String {
    written(shown).0
}

/// The same, and who wrote it, for what refers to its texts and objects.
pub fn written(shown: &Shown) -> (String, Writer) {
    let mut writer = Writer::default();
    let (first, happened) = (shown.timeline.beginning(), shown.timeline.happened());
    let beginning = writer.beginning(first);
    let entries = writer.entries(happened);
    let troubles = writer.troubles(troubles::changes(happened).iter());
    let mut members = vec![
        ("label", json!(shown.label).to_string()),
        ("command", json!(shown.command).to_string()),
        ("summary", shown.summary.clone()),
        ("ending", json!(shown.ending).to_string()),
        ("first", (first.len() + 1).to_string()),
        ("beginning", beginning),
        ("entries", entries),
        ("took", took(0, happened)),
        ("troubles", troubles),
        ("told", numbers(shown.told.iter().map(|place| wide(*place)))),
        ("tables", writer.tables(&shown.tables)),
        ("notes", json!(shown.notes).to_string()),
    ];
    if let Some(film) = shown.film {
        members.push(("etcd", etcd(&film.members)));
        members.push(("answers", writer.answers(film)));
        members.push(("zones", zones(film)));
        members.push(("endpoints", endpoints(film)));
        // For a learner they stand in what is turned.
        members.extend(hindsight(film).into_iter().filter(|_| shown.ending.is_empty()));
    }
    members.push(("objects", writer.objects_json(0)));
    members.push(("texts", writer.texts_json(0)));
    (object(members), writer)
}

/// What tells of a film how it ends: how the services served, and the critical path.
pub fn hindsight(film: &Film) -> [(&'static str, String); 2] {
    [("levels", levels::written(&film.levels)), ("way", way(&film.way))]
}

/// A table of the page: what `kubectl get` prints, change by change.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The word after `get`.
    pub name: &'static str,
    pub columns: Vec<&'static str>,
    /// What stands there if it has no row.
    pub empty: String,
    pub changes: Vec<RowChange>,
}

/// The tables of a film.
pub fn tables(film: &Film) -> Vec<Table> {
    let table = |((name, kind), changes): (&(&'static str, crate::api::Kind), &Vec<RowChange>)| {
        let (columns, empty) = (kubectl::head(*kind), kubectl::nothing(*kind));
        Table { name, columns, empty, changes: changes.clone() }
    };
    TABLES.iter().zip(&film.tables).map(table).collect()
}

/// Numbers texts and objects as it writes.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    texts: Texts,
    /// Each object's number.
    numbers: BTreeMap<(Text, Text), usize>,
    /// Kind, name and cluster of each, as numbers of texts.
    objects: Vec<[usize; 3]>,
}

/// A clock that says how much later something is than what came before.
#[derive(Default)]
struct Steps(u64);

impl Steps {
    fn to(&mut self, at: SimTime) -> i64 {
        let step = at.as_micros().saturating_sub(self.0);
        self.0 = at.as_micros();
        step.try_into().expect("a run is shorter than 292,000 years")
    }
}

pub fn wide(number: usize) -> i64 {
    number.try_into().expect("a page has fewer than 2^63 of anything")
}

impl Writer {
    fn object(&mut self, entry: &Entry) -> usize {
        let key = (entry.kind.clone(), entry.name.clone());
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = self.objects.len();
        self.numbers.insert(key, number);
        let texts = [&entry.kind, &entry.name, &entry.cluster];
        self.objects.push(texts.map(|text| self.texts.text(text)));
        number
    }

    /// How many texts and objects have a number.
    pub fn counts(&self) -> (usize, usize) {
        (self.texts.count(), self.objects.len())
    }

    /// The objects from a number on.
    pub fn objects_json(&self, first: usize) -> String {
        numbers(self.objects[first..].iter().flatten().map(|number| wide(*number)))
    }

    /// The texts from a number on.
    pub fn texts_json(&self, first: usize) -> String {
        self.texts.to_json(first)
    }

    /// What there was at first: facts that many objects share, and which of them each object has.
    fn beginning(&mut self, entries: &[Entry]) -> String {
        let mut facts: BTreeMap<[usize; 4], usize> = BTreeMap::new();
        let mut of: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
        let mut written: Vec<i64> = Vec::new();
        for entry in entries {
            let number = self.object(entry);
            let texts = [&entry.field, &entry.reason, &entry.message];
            let [field, reason, message] = texts.map(|text| self.texts.text(text));
            let fact = [field, self.texts.value(&entry.to), reason, message];
            let next = facts.len();
            let place = *facts.entry(fact).or_insert_with(|| {
                written.extend(fact.map(wide));
                next
            });
            of.entry(number).or_default().push(wide(place));
        }
        let of = (0..self.objects.len()).map(|number| {
            let facts = of.remove(&number).unwrap_or_default();
            numbers(facts)
        });
        object([("facts", numbers(written)), ("of", list(of))])
    }

    /// What happened: nine numbers each.
    pub fn entries(&mut self, entries: &[Entry]) -> String {
        let mut steps = Steps::default();
        let mut written = Vec::with_capacity(9 * entries.len());
        for entry in entries {
            let back = entry.cause.map_or(0, |cause| i64::from(entry.id.0) - i64::from(cause.0));
            written.push(steps.to(entry.at));
            written.push(wide(self.object(entry)));
            written.push(wide(self.texts.text(&entry.field)));
            written.push(wide(self.texts.value(&entry.from)));
            written.push(wide(self.texts.value(&entry.to)));
            let texts = [&entry.reason, &entry.message, &entry.by];
            written.extend(texts.map(|text| wide(self.texts.text(text))));
            written.push(back);
        }
        numbers(written)
    }

    /// What goes wrong and is mended: where it is told, what, of which VM or zone, to whom, and 1 if it begins.
    pub fn troubles<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) -> String {
        let mut written = Vec::new();
        for Change { place, trouble, begins } in changes {
            let texts = [&Text::word(trouble.what), &trouble.of, &trouble.to];
            written.push(wide(*place));
            written.extend(texts.map(|text| wide(self.texts.text(text))));
            written.push(i64::from(*begins));
        }
        numbers(written)
    }

    fn tables(&mut self, tables: &[Table]) -> String {
        list(tables.iter().map(|table| {
            let age = table.columns.iter().position(|column| *column == kubectl::AGE);
            object([
                ("name", json!(table.name).to_string()),
                ("columns", json!(table.columns).to_string()),
                ("age", age.map_or_else(|| "null".to_owned(), |place| place.to_string())),
                ("empty", json!(table.empty).to_string()),
                ("rows", self.rows(table)),
            ])
        }))
    }

    /// Each change: when, whose row, since when it is there (or -1), and its cells.
    pub fn rows(&mut self, table: &Table) -> String {
        let mut steps = Steps::default();
        let mut written = Vec::new();
        for RowChange { at, name, row } in &table.changes {
            written.push(steps.to(*at));
            written.push(wide(self.texts.text(name)));
            match row {
                None => written.push(-1),
                Some(row) => {
                    let created = i64::try_from(row.created.as_micros());
                    written.push(created.expect("a run is shorter than 292,000 years"));
                    written.extend(row.cells.iter().map(|cell| wide(self.texts.text(cell))));
                }
            }
        }
        numbers(written)
    }

    pub fn answers(&mut self, film: &Film) -> String {
        let until = film.answers.asked_until.map(SimTime::as_micros);
        let mut said = |answers: &[(SimTime, Option<String>)]| {
            let mut steps = Steps::default();
            let pairs = answers.iter().flat_map(|(at, words)| {
                let words = words.as_deref().unwrap_or_default();
                [steps.to(*at), wide(self.texts.text(words))]
            });
            numbers(pairs.collect::<Vec<i64>>())
        };
        let sources = SOURCES.iter().zip(&film.answers.said).map(|((_, tables), answers)| {
            object([("tables", json!(tables).to_string()), ("said", said(answers))])
        });
        object([("until", json!(until).to_string()), ("sources", list(sources))])
    }
}

/// The samples' times; and of each member its term (-1 for one that does not work), how much longer its
/// log is than in the sample before, and how much of it is not applied yet.
pub fn etcd(members: &Members) -> String {
    let mut steps = Steps::default();
    let at: Vec<i64> = members.samples.iter().map(|sample| steps.to(sample.at)).collect();
    let of = members.names.iter().enumerate().map(|(place, name)| {
        let states: Vec<Option<MemberState>> =
            members.samples.iter().map(|it| it.states.get(place).copied().flatten()).collect();
        let column = |of: fn(&MemberState) -> u64, none: i64| {
            let small = |number: u64| i64::try_from(number).expect("logs are shorter than 2^63");
            let all = states.iter().map(|state| state.as_ref().map_or(none, |it| small(of(it))));
            all.collect::<Vec<i64>>()
        };
        let mut before = 0;
        let longer = column(|state| state.index, 0).into_iter().map(|index| {
            let longer = index - before;
            before = index;
            longer
        });
        object([
            ("name", json!(name).to_string()),
            ("term", runs(column(|state| state.term, -1))),
            ("longer", numbers(longer)),
            ("behind", runs(column(|state| state.index.saturating_sub(state.applied), 0))),
        ])
    });
    let every = members.every.as_micros().to_string();
    object([("every", every), ("at", numbers(at)), ("of", list(of))])
}

/// How long deciding tries took, by the place of their entries, of which the first has this one.
pub fn took(first: usize, entries: &[Entry]) -> String {
    let took = (first..).zip(entries).filter_map(|(place, entry)| {
        let took = i64::try_from(entry.took?.as_micros()).ok()?;
        Some([wide(place), took])
    });
    numbers(took.flatten())
}

fn zones(film: &Film) -> String {
    let zones: BTreeMap<&str, &str> =
        film.zones.iter().map(|(host, zone)| (host.as_str(), zone.as_str())).collect();
    json!(zones).to_string()
}

fn endpoints(film: &Film) -> String {
    let all = film.endpoints.iter();
    let endpoints: BTreeMap<&str, Vec<&str>> = all
        .map(|(name, backends)| (name.as_str(), backends.iter().map(|it| it.as_str()).collect()))
        .collect();
    json!(endpoints).to_string()
}

fn way(way: &Way) -> String {
    let part = |part: &super::way::Part| {
        object([
            ("from", part.from.as_micros().to_string()),
            ("to", part.to.as_micros().to_string()),
            ("rule", json!(part.rule).to_string()),
            ("who", json!(part.who).to_string()),
            ("value", json!(part.value).to_string()),
            ("flag", json!(part.flag).to_string()),
        ])
    };
    object([
        ("milestone", json!(way.milestone).to_string()),
        ("object", json!(way.object).to_string()),
        ("parts", list(way.parts.iter().map(part))),
        ("stations", numbers(way.stations.iter().map(|id| i64::from(id.0)))),
        ("absent", json!(way.absent).to_string()),
    ])
}
