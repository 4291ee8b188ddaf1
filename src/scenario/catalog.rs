//! The numbers of `models/`: each with its unit, flag or field, source and basis.
//!
//! Whoever takes a number out of the catalog is noted, so that a run can name the assumed ones that
//! it relied on. What a number means is not known here.

use super::mistake::{Mistake, nearest};
use super::yaml::Spanned;
use crate::engine::{Delay, Duration, Text};
use crate::timeline::Assumption;
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// All settings of a platform, by dotted key.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    settings: BTreeMap<String, Setting>,
    taken: RefCell<BTreeSet<String>>,
}

/// One number or rule.
#[derive(Clone, Debug)]
pub struct Setting {
    /// As it is written: `5m`, `1ms..8ms`, `100%`, `true` ...
    pub value: String,
    pub flag: String,
    pub source: String,
    pub basis: Basis,
    /// Within which nobody knows where it lies.
    pub range: Option<String>,
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Basis {
    Documented,
    SourceCode,
    Measured,
    Assumed,
}

/// A setting as it stands in a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    value: Spanned<Scalar>,
    flag: String,
    source: String,
    basis: Basis,
    range: Option<String>,
}

/// Any scalar, as its text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Count(u64),
    Text(String),
}

impl Basis {
    /// As it is written in `models/`.
    pub const fn name(self) -> &'static str {
        match self {
            Basis::Documented => "documented",
            Basis::SourceCode => "sourceCode",
            Basis::Measured => "measured",
            Basis::Assumed => "assumed",
        }
    }
}

impl Catalog {
    /// Adds the settings of a file, under a prefix.
    pub fn add(&mut self, prefix: &str, written: BTreeMap<String, Written>) {
        for (key, written) in written {
            let value = match written.value.value {
                Scalar::Flag(flag) => flag.to_string(),
                Scalar::Count(count) => count.to_string(),
                Scalar::Text(text) => text,
            };
            let Written { flag, source, basis, range, .. } = written;
            let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            self.settings.insert(key, Setting { value, flag, source, basis, range });
        }
    }

    /// `--set KEY=VALUE`: the value must be of the kind that the setting has.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Mistake> {
        let place = format!("--set {key}={value}");
        let Some(setting) = self.settings.get_mut(key) else {
            let near = nearest(key, self.settings.keys().map(String::as_str));
            let hint = near.map_or_else(
                || "; `healsim list settings` names them all".to_owned(),
                |near| format!("; did you mean `{near}`?"),
            );
            return Err(Mistake::of(&place, format!("no setting `{key}`{hint}")));
        };
        let wanted = Kind::of(&setting.value);
        if Kind::of(value) != wanted {
            let message = format!("`{value}` is not {}, as `{}` is", wanted.words(), setting.value);
            return Err(Mistake::of(&place, message));
        }
        setting.value = value.to_owned();
        Ok(())
    }

    /// All settings, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Setting)> {
        self.settings.iter()
    }

    /// A duration.
    pub fn duration(&self, key: &str) -> Duration {
        self.take(key).parse().unwrap_or_else(|error| panic!("models: {key}: {error}"))
    }

    /// A delay that is drawn from a range.
    pub fn delay(&self, key: &str) -> Delay {
        let text = self.take(key);
        delay(text).unwrap_or_else(|| panic!("models: {key}: `{text}` is no range of durations"))
    }

    /// A count.
    pub fn count(&self, key: &str) -> u64 {
        self.take(key).parse().unwrap_or_else(|error| panic!("models: {key}: {error}"))
    }

    /// A rule that holds or not.
    pub fn rule(&self, key: &str) -> bool {
        self.take(key) == "true"
    }

    /// A word.
    pub fn word(&self, key: &str) -> Text {
        Text::from(self.take(key))
    }

    /// The assumed numbers that were taken.
    pub fn assumptions(&self) -> Vec<Assumption> {
        let taken = self.taken.borrow();
        taken
            .iter()
            .filter_map(|key| Some((key, self.settings.get(key)?)))
            .filter(|(_, setting)| setting.basis == Basis::Assumed)
            .map(|(key, setting)| Assumption {
                key: Text::from(key.as_str()),
                value: Text::from(setting.value.as_str()),
                range: Text::from(setting.range.clone().unwrap_or_default()),
                source: Text::from(setting.source.as_str()),
            })
            .collect()
    }

    /// A setting's text. Every key that the program asks for is in every platform: a test reads
    /// them all.
    fn take(&self, key: &str) -> &str {
        let setting = self.settings.get(key);
        let setting = setting.unwrap_or_else(|| panic!("models: no setting `{key}`"));
        self.taken.borrow_mut().insert(key.to_owned());
        &setting.value
    }
}

/// What kind of value a setting has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rule,
    Count,
    Percent,
    Duration,
    Delay,
    Word,
}

impl Kind {
    fn of(value: &str) -> Kind {
        match value {
            "true" | "false" => Kind::Rule,
            value if value.parse::<u64>().is_ok() => Kind::Count,
            value if value.strip_suffix('%').is_some_and(|n| n.parse::<u32>().is_ok()) => {
                Kind::Percent
            }
            value if value.parse::<Duration>().is_ok() => Kind::Duration,
            value if delay(value).is_some() => Kind::Delay,
            _ => Kind::Word,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Kind::Rule => "`true` or `false`",
            Kind::Count => "a whole number",
            Kind::Percent => "a percentage",
            Kind::Duration => "a duration",
            Kind::Delay => "a range of durations LOW..HIGH",
            Kind::Word => "a word",
        }
    }
}

/// `LOW..HIGH`, both durations, in this order.
pub fn delay(text: &str) -> Option<Delay> {
    let (low, high) = text.split_once("..")?;
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high).then_some(Delay { low, high })
}
