//! The numbers of `models/`: each with its unit, flag or field, source and basis.
//!
//! Whoever takes a number out of the catalog is noted, so that a run can name the assumed ones that
//! it relied on. What a number means is not known here.

use super::changed::{By, Change};
use super::derived::{self, Derived, Moved};
use super::form::{Form, delay, span};
use super::keys;
use super::manifests::{Place, Wish, WishSource};
use super::mistake::Mistake;
use super::yaml::Spanned;
use crate::engine::{Delay, Duration, NotADuration, Text};
use crate::timeline::{Assumption, Changed};
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// All settings of a platform, by dotted key.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    settings: BTreeMap<String, Setting>,
    /// What is not said of the control plane's health check is as the workers' has it, whenever that is said.
    plane_follows: bool,
    /// The settings that somebody has taken, and as what.
    taken: RefCell<BTreeMap<String, Form>>,
    /// What was wrong with the values that were taken.
    mistakes: RefCell<Vec<Mistake>>,
}

/// What the settings of the health check over Machines begin with, or of that over the workers' if there are two.
pub const CHECK: &str = "machineHealthCheck.";
/// What the settings of a check that is the control plane's alone begin with.
pub const PLANE_CHECK: &str = "controlPlaneHealthCheck.";

/// One number or rule.
#[derive(Clone, Debug)]
pub struct Setting {
    /// As it is written: `5m`, `1ms..8ms`, `100%`, `true` ...
    pub value: String,
    pub flag: String,
    /// Whether who runs a cluster can set it: by a flag, a field of a manifest or of a configuration,
    /// an environment variable. All else is how a release is built, or how long the world takes.
    pub settable: bool,
    pub source: String,
    pub basis: Basis,
    /// Within which nobody knows where it lies.
    pub range: Option<String>,
    /// How it follows from others, if it does.
    pub derived: Option<Derived>,
    /// How it was changed, if it was.
    pub(super) changed: Option<Change>,
    /// What moves it, if it is derived and one of those was changed.
    pub(super) moved: Option<Moved>,
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
    /// Either this or `derived`.
    value: Option<Spanned<Scalar>>,
    derived: Option<Derived>,
    flag: String,
    #[serde(default)]
    settable: bool,
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
            let Written { value, derived, flag, settable, source, basis, range } = written;
            assert!(value.is_some() != derived.is_some(), "models: {key}: a value, or derived");
            let value = match value.map(|value| value.value) {
                Some(Scalar::Flag(flag)) => flag.to_string(),
                Some(Scalar::Count(count)) => count.to_string(),
                Some(Scalar::Text(text)) => text,
                // Until all are there that it follows from.
                None => String::new(),
            };
            let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            let (changed, moved) = (None, None);
            let setting =
                Setting { value, flag, settable, source, basis, range, derived, changed, moved };
            self.settings.insert(key, setting);
        }
        derived::follow(&mut self.settings);
    }

    /// The control plane's health check is told apart from the workers' from now on: it has settings of its own, which
    /// begin as the workers' are.
    pub fn tell_checks_apart(&mut self) {
        self.plane_follows = false;
        let own = |(key, setting): (&String, &Setting)| {
            let field = key.strip_prefix(CHECK)?;
            Some((format!("{PLANE_CHECK}{field}"), Setting { changed: None, ..setting.clone() }))
        };
        if !self.tells_checks_apart() {
            let own: Vec<(String, Setting)> = self.settings.iter().filter_map(own).collect();
            self.settings.extend(own);
        }
    }

    /// True if the control plane's health check has settings of its own.
    pub fn tells_checks_apart(&self) -> bool {
        self.settings.keys().any(|key| key.starts_with(PLANE_CHECK))
    }

    /// `--set KEY=VALUE`. Whether the value is one that the setting can have is known to whoever
    /// takes it; see [`Catalog::mistakes`].
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Mistake> {
        if key.starts_with(PLANE_CHECK) && !self.tells_checks_apart() {
            self.tell_checks_apart();
            self.plane_follows = true;
        }
        let Some(setting) = self.settings.get(key) else {
            let known: Vec<&str> = self.settings.keys().map(String::as_str).collect();
            let place = format!("--set {key}={value}");
            let own = known.iter().filter(|known| known.starts_with(PLANE_CHECK)).copied();
            let own: Vec<&str> = own.collect();
            let hint = match key.starts_with(PLANE_CHECK) {
                true => format!("known: {}", own.join(", ")),
                false => keys::hint(key, &known),
            };
            let message = format!("no setting `{key}`; {hint}");
            return Err(Mistake::of(&place, message));
        };
        if let Some(derived) = &setting.derived {
            let from = derived.from().join("` or `");
            let message = format!("{key} is always {derived}; set `{from}`");
            return Err(Mistake::of(&format!("--set {key}={value}"), message));
        }
        self.change(key, value, By::Option);
        Ok(())
    }

    /// The same, as it stands in a scenario.
    pub fn set_at(&mut self, key: &str, value: &str, place: Place) -> Result<(), Mistake> {
        self.set(key, value)?;
        self.change(key, value, By::Manifest(place, WishSource::Written));
        Ok(())
    }

    /// The value of a setting, if there is one of this key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(|setting| setting.value.as_str())
    }

    /// A value that stands in a user's manifest.
    ///
    /// # Panics
    /// There is no such setting: which fields are read is the program's to know.
    pub fn wish(&mut self, wish: &Wish) {
        self.change(wish.key, &wish.value, By::Manifest(wish.place.clone(), wish.source));
    }

    fn change(&mut self, key: &str, value: &str, by: By) {
        let setting = self.settings.get_mut(key);
        let setting = setting.unwrap_or_else(|| panic!("models: no setting `{key}`"));
        let before = std::mem::replace(&mut setting.value, value.to_owned());
        let instead_of = match setting.changed.take() {
            Some(change) => change.instead_of,
            None => before,
        };
        setting.changed = Some(Change { instead_of, by });
        let of_plane = key.strip_prefix(CHECK).map(|field| format!("{PLANE_CHECK}{field}"));
        let of_plane = of_plane.filter(|_| self.plane_follows);
        let of_plane = of_plane.and_then(|key| self.settings.get_mut(&key));
        if let Some(own) = of_plane.filter(|own| own.changed.is_none()) {
            value.clone_into(&mut own.value);
        }
        derived::follow(&mut self.settings);
    }

    /// The settings that were changed, by key; a default of a manifest counts if it changes something.
    pub fn changes(&self) -> Vec<Changed> {
        let changed = |(key, setting): (&String, &Setting)| {
            let change = setting.changed.as_ref()?;
            let Change { instead_of, by } = change;
            let is_default = matches!(by, By::Manifest(_, WishSource::Default));
            let is_same = |one: &str, other: &str| match (span(one), span(other)) {
                (Some(one), Some(other)) => one == other,
                _ => one == other,
            };
            (!is_default || !is_same(instead_of, &setting.value)).then(|| Changed {
                key: Text::from(key.as_str()),
                value: Text::from(setting.value.as_str()),
                instead_of: Text::from(instead_of.as_str()),
                from: change.from(),
            })
        };
        self.settings.iter().filter_map(changed).collect()
    }

    /// All settings, by key, when nobody takes any more.
    pub fn into_settings(self) -> BTreeMap<String, Setting> {
        self.settings
    }

    /// All settings, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Setting)> {
        self.settings.iter()
    }

    /// The settings that who runs a cluster can change, by key; see [`Setting::settable`].
    pub fn user_settings(&self) -> impl Iterator<Item = (&String, &Setting)> {
        self.settings.iter().filter(|(_, setting)| setting.settable)
    }

    /// What values a setting can have: as it was last taken, or as its value looks if nobody has
    /// taken it.
    ///
    /// # Panics
    /// There is no such setting.
    pub fn form(&self, key: &str) -> Form {
        let taken = self.taken.borrow().get(key).cloned();
        taken.unwrap_or_else(|| Form::of(key, &self.settings[key].value))
    }

    /// A length of time, perhaps none.
    pub fn duration(&self, key: &str) -> Duration {
        self.length(key, Form::Duration)
    }

    fn length(&self, key: &str, form: Form) -> Duration {
        let text = self.take(key, form);
        text.parse().unwrap_or_else(|error: NotADuration| {
            self.note(key, error.to_string());
            SECOND
        })
    }

    /// The time after which something is tried again or given up: never next to none, else it would
    /// come again and again and time would hardly pass.
    pub fn period(&self, key: &str) -> Duration {
        self.at_least(key, SHORTEST_PERIOD)
    }

    /// The time after which somebody asks or looks at everything again, for as long as he runs: no
    /// run would come to its end if he did nothing else. As short as the platform has it is short
    /// enough for everyone, and a tenth of that for who wants to know what comes of it.
    pub fn rhythm(&self, key: &str) -> Duration {
        let own = self.settings.get(key).and_then(Setting::on_platform);
        let tenth = own.and_then(|own| own.parse::<Duration>().ok()).map(|own| own.scaled(1, 10));
        let least = tenth.map_or(SHORTEST_RHYTHM, |tenth| tenth.min(SHORTEST_RHYTHM));
        self.at_least(key, least.max(SHORTEST_PERIOD))
    }

    fn at_least(&self, key: &str, least: Duration) -> Duration {
        let period = self.length(key, Form::Period);
        if period < least {
            let text = &self.settings[key].value;
            let message = "would come again too soon for a run to end; write at least";
            self.note(key, format!("`{text}` {message} {least}"));
            return SECOND;
        }
        period
    }

    /// A length of time that may not be set: `none`.
    pub fn optional_duration(&self, key: &str) -> Option<Duration> {
        let text = self.take(key, Form::DurationOrNone);
        if text == "none" {
            return None;
        }
        let length = text.parse().map_err(|error: NotADuration| {
            self.note(key, format!("{error}, or `none`"));
        });
        length.ok()
    }

    /// A delay that is drawn from a range.
    pub fn delay(&self, key: &str) -> Delay {
        let text = self.take(key, Form::Delay);
        delay(text).unwrap_or_else(|message| {
            self.note(key, message);
            Delay { low: SECOND, high: SECOND }
        })
    }

    /// A count within bounds, both included.
    pub fn count(&self, key: &str, bounds: RangeInclusive<u64>) -> u64 {
        let (least, most) = (*bounds.start(), *bounds.end());
        let text = self.take(key, Form::Count { least, most });
        text.parse().ok().filter(|count| bounds.contains(count)).unwrap_or_else(|| {
            self.note(key, format!("`{text}` is not a whole number from {least} to {most}"));
            least
        })
    }

    /// A part of a whole, in percent.
    pub fn percent(&self, key: &str) -> u64 {
        self.count(key, 0..=100)
    }

    /// A rule that holds or not.
    pub fn rule(&self, key: &str) -> bool {
        self.choice(key, &["true", "false"]) == 0
    }

    /// One of these words, by its place among them.
    pub fn choice(&self, key: &str, words: &[&str]) -> usize {
        let all = words.iter().map(|word| (*word).to_owned()).collect();
        let text = self.take(key, Form::Choice(all));
        words.iter().position(|word| *word == text).unwrap_or_else(|| {
            self.note(key, format!("`{text}` is not known; write `{}`", words.join("` or `")));
            0
        })
    }

    /// A value of another form; `wanted` says which.
    pub fn parsed<T>(
        &self,
        key: &str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.take(key, Form::Other(wanted.to_owned()));
        let value = parse(text);
        if value.is_none() {
            self.note(key, format!("`{text}` is not {wanted}"));
        }
        value
    }

    /// A word.
    pub fn word(&self, key: &str) -> Text {
        Text::from(self.take(key, Form::Word))
    }

    /// What was wrong with the values that were taken since it was asked last.
    pub fn mistakes(&self) -> Vec<Mistake> {
        self.mistakes.take()
    }

    /// A word on each changed setting that changes nothing, or lies where nobody expects it; to be
    /// asked once all settings were taken. What a user has in a manifest is no guess.
    pub fn doubts(&self) -> Vec<Text> {
        let taken = self.taken.borrow();
        let doubt = |(key, setting): (&String, &Setting)| {
            let change = setting.changed.as_ref()?;
            if !taken.contains_key(key) {
                return Some(Text::from(format!("{key} changes nothing here: nobody reads it")));
            }
            if matches!(change.by, By::Manifest(..)) {
                return None;
            }
            let range = setting.range.as_ref()?;
            let (low, high) = span(range)?;
            let (from, to) = span(&setting.value)?;
            let words =
                format!("{key}={} lies outside {range}, where it is assumed", setting.value);
            (from < low || to > high).then(|| Text::from(words))
        };
        self.settings.iter().filter_map(doubt).collect()
    }

    /// The assumed numbers that were taken.
    pub fn assumptions(&self) -> Vec<Assumption> {
        let taken = self.taken.borrow();
        taken
            .keys()
            .filter_map(|key| Some((key, self.settings.get(key)?)))
            // What the user has chosen is nobody's assumption.
            .filter(|(_, setting)| setting.basis == Basis::Assumed && setting.changed.is_none())
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
    fn take(&self, key: &str, form: Form) -> &str {
        let setting = self.settings.get(key);
        let setting = setting.unwrap_or_else(|| panic!("models: no setting `{key}`"));
        self.taken.borrow_mut().insert(key.to_owned(), form);
        &setting.value
    }

    pub(super) fn note<'a>(&'a self, key: &'a str, message: String) {
        let setting = self.settings.get(key);
        let moved = setting.and_then(|setting| setting.moved.as_ref());
        // Who has changed what this one follows from looks for it there.
        let (by, message) = match moved {
            Some(Moved { key: from, value, change, .. }) => {
                (Some((from.as_str(), value, change)), format!("{key} follows: {message}"))
            }
            None => {
                let own =
                    |setting: &'a Setting| Some((key, &setting.value, setting.changed.as_ref()?));
                (setting.and_then(own), message)
            }
        };
        let place = match by.map(|(key, value, change)| (key, value, &change.by)) {
            Some((key, value, By::Option)) => format!("--set {key}={value}"),
            Some((key, _, By::Manifest(Place { file, line, column }, _))) => {
                format!("{file}:{line}:{column}: {key}")
            }
            None => format!("models: {key}"),
        };
        let was = by.map(|(_, _, change)| &change.instead_of);
        let was = was.map_or_else(String::new, |was| format!(" (it is `{was}` here)"));
        let mistake = Mistake::of(&place, format!("{message}{was}"));
        let mut mistakes = self.mistakes.borrow_mut();
        if !mistakes.contains(&mistake) {
            mistakes.push(mistake);
        }
    }
}

/// The real components have nothing below 5 ms.
const SHORTEST_PERIOD: Duration = Duration::from_millis(1);
/// An hour has 36,000 of these, of each who has it: some seconds to play.
const SHORTEST_RHYTHM: Duration = Duration::from_millis(100);
/// What stands in for a wrong value, until the mistake is reported.
const SECOND: Duration = Duration::from_secs(1);
