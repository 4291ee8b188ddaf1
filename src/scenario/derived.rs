//! A setting that always follows from others, as its release computes it: nobody sets it by itself.
//!
//! Where the others get their values is not known here. Follows what the programs do once they have
//! read their flags, for example `kubernetes/kubernetes:cmd/kubelet/app/server.go`.

use super::catalog::Setting;
use super::changed::Change;
use crate::engine::Duration;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// How a length of time follows: `KEY`, `KEY * 5/6` or `min(KEY, KEY)`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Derived {
    text: String,
    from: Vec<String>,
    times: u64,
    of: u64,
}

/// What moves a setting that is derived: another one, and how that was changed.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    pub key: String,
    pub value: String,
    pub change: Change,
    /// What the derived one is on the platform.
    pub was: String,
}

impl TryFrom<String> for Derived {
    type Error = String;

    fn try_from(text: String) -> Result<Derived, String> {
        let wrong = || format!("`{text}` is not `KEY`, `KEY * 5/6` or `min(KEY, KEY)`");
        let (keys, part) = text.split_once(" * ").unwrap_or((text.as_str(), "1/1"));
        let (times, of) = part.split_once('/').ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0);
        let (times, of) = (number(times).ok_or_else(wrong)?, number(of).ok_or_else(wrong)?);
        let least = keys.strip_prefix("min(").and_then(|keys| keys.strip_suffix(')'));
        let from: Vec<String> = least.unwrap_or(keys).split(", ").map(str::to_owned).collect();
        let is_key = |key: &String| {
            key.contains('.') && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
        };
        if !from.iter().all(is_key) || (from.len() > 1) != least.is_some() {
            return Err(wrong());
        }
        Ok(Derived { from, times, of, text })
    }
}

impl fmt::Display for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Derived {
    /// The settings that it follows from.
    pub fn from(&self) -> &[String] {
        &self.from
    }

    /// Nothing if one of them is no length of time: who takes that one says so.
    fn value(&self, settings: &BTreeMap<String, Setting>) -> Option<Duration> {
        let length = |key: &String| settings.get(key)?.value.parse::<Duration>().ok();
        let lengths = self.from.iter().map(length).collect::<Option<Vec<Duration>>>()?;
        Some(lengths.into_iter().min()?.scaled(self.times, self.of))
    }

    /// Of several that were changed the one that decides.
    fn moved(&self, was: &str, settings: &BTreeMap<String, Setting>) -> Option<Moved> {
        let changed = self.from.iter().filter_map(|key| {
            let setting = settings.get(key)?;
            let change = setting.changed.clone()?;
            let (key, value, was) = (key.clone(), setting.value.clone(), was.to_owned());
            Some(Moved { key, value, change, was })
        });
        changed.min_by_key(|moved| moved.value.parse::<Duration>().ok())
    }
}

/// Gives all that is derived the values that follow.
pub(super) fn follow(settings: &mut BTreeMap<String, Setting>) {
    let of = |(key, setting): (&String, &Setting)| {
        let derived = setting.derived.as_ref()?;
        let was = setting.moved.as_ref().map_or(&setting.value, |moved| &moved.was);
        Some((key.clone(), derived.value(settings), derived.moved(was, settings)))
    };
    let new: Vec<(String, Option<Duration>, Option<Moved>)> =
        settings.iter().filter_map(of).collect();
    for (key, value, moved) in new {
        let setting = settings.get_mut(&key).expect("it was among them");
        if let Some(value) = value {
            setting.value = value.to_string();
        }
        setting.moved = moved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Text;
    use crate::scenario::models;

    fn value(platform: &str, set: &[(&str, &str)], key: &str) -> String {
        let mut catalog = models::platform(platform).expect("embedded").catalog;
        for (key, value) in set {
            catalog.set(key, value).expect("a setting");
        }
        catalog.value(key).expect("a setting").to_owned()
    }

    #[test]
    fn what_is_derived_follows_each_change() {
        let check = "clusterApi.bootstrapTokenCheck";
        let below = "clusterApi.bootstrapTokenRefreshBelow";
        for (set, values) in [
            (&[][..], ["5m0s", "12m30s"]),
            (&[("clusterApi.bootstrapTokenTtl", "4m")], ["1m20s", "3m20s"]),
        ] {
            for platform in ["tkgs-2024", "tkgs-current"] {
                assert_eq!([check, below].map(|key| value(platform, set, key)), values);
            }
        }
        let (duration, status) = (
            ("kubernetes.nodeLeaseDuration", "8s"),
            ("kubernetes.nodeStatusUpdateFrequency", "4s"),
        );
        let renewal = "kubernetes.nodeLeaseRenewInterval";
        assert_eq!(value("tkgs-2024", &[], renewal), "10s");
        assert_eq!(value("tkgs-2024", &[duration], renewal), "2s");
        let timeout = "kubernetes.heartbeatTimeout";
        for (set, expected) in
            [(&[][..], "10s"), (&[duration], "8s"), (&[status], "4s"), (&[duration, status], "4s")]
        {
            assert_eq!(value("tkgs-2024", set, timeout), expected);
        }
    }

    /// The flag for dialing ended with the dial that blocks.
    #[test]
    fn one_flag_bounds_the_first_call_and_the_later_ones() {
        let (connect, call) = ("clusterApi.etcdConnectTimeout", "clusterApi.etcdCallTimeout");
        assert_eq!(value("tkgs-current", &[(call, "7s")], connect), "7s");
        assert_eq!(value("tkgs-2024", &[(call, "7s")], connect), "10s");
        assert_eq!(value("tkgs-2024", &[(connect, "7s")], connect), "7s");
    }

    #[test]
    fn nobody_sets_it_by_itself() {
        let mut catalog = models::platform("tkgs-current").expect("embedded").catalog;
        for (key, words) in [
            (
                "clusterApi.bootstrapTokenCheck",
                "is always clusterApi.bootstrapTokenTtl * 1/3; set `clusterApi.bootstrapTokenTtl`",
            ),
            (
                "kubernetes.heartbeatTimeout",
                "set `kubernetes.nodeStatusUpdateFrequency` or `kubernetes.nodeLeaseDuration`",
            ),
            ("clusterApi.etcdConnectTimeout", "set `clusterApi.etcdCallTimeout`"),
        ] {
            let shown = catalog.set(key, "1m").expect_err("derived").to_string();
            assert!(shown.starts_with(&format!("--set {key}=1m: ")), "{shown}");
            assert!(shown.contains(words), "{shown}");
        }
        assert!(catalog.changes().is_empty());
    }

    #[test]
    fn a_value_that_leads_to_a_wrong_one_is_told_at_its_own_place() {
        let mut catalog = models::platform("tkgs-2024").expect("embedded").catalog;
        catalog.set("kubernetes.nodeLeaseDuration", "1ms").expect("a setting");
        catalog.rhythm("kubernetes.nodeLeaseRenewInterval");
        let shown = catalog.mistakes()[0].to_string();
        let words = "--set kubernetes.nodeLeaseDuration=1ms: kubernetes.nodeLeaseRenewInterval";
        assert!(shown.starts_with(words), "{shown}");
        assert!(shown.contains("write at least 100ms"), "{shown}");
        // It is the user's number now, and the report says whence.
        let settings = catalog.into_settings();
        let given = settings["kubernetes.nodeLeaseRenewInterval"].given_by();
        assert_eq!(given, Some(Text::word("--set of kubernetes.nodeLeaseDuration")));
        assert_eq!(settings["kubernetes.heartbeatTimeout"].value, "1ms");
    }

    /// Words of a share in a flag mean that the number moves with another.
    #[test]
    fn what_is_said_to_be_a_part_of_another_is_derived_from_one_that_is_set() {
        let parts =
            ["third of", "sixths of", "quarter of", "half of", "twice ", "min(", "Fraction"];
        for name in models::platforms() {
            let catalog = models::platform(name).expect("embedded").catalog;
            for (key, setting) in catalog.iter() {
                let is_part = parts.iter().any(|part| setting.flag.contains(part));
                assert!(setting.derived.is_some() || !is_part, "{name}: {key}: {}", setting.flag);
                let Some(derived) = &setting.derived else { continue };
                assert!(!setting.settable, "{name}: {key}");
                for from in derived.from() {
                    let from = catalog.iter().find(|(known, _)| *known == from);
                    let (_, from) = from.unwrap_or_else(|| panic!("{name}: {key}: {derived}"));
                    assert!(from.derived.is_none(), "{name}: {key}: one step is all");
                }
            }
        }
    }

    #[test]
    fn other_words_are_refused() {
        let read = |text: &str| Derived::try_from(text.to_owned());
        for text in ["a.b", "a.b * 1/3", "min(a.b, c.d)", "min(a.b, c.d) * 1/2"] {
            assert_eq!(read(text).map(|it| it.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "a", "a.b * 1/0", "a.b * 2", "a.b, c.d", "min(a.b)", "a.b / 3"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    /// Two settings that one flag drives could contradict each other. A flag's name begins with `--`;
    /// a program of its own has its own flag of that name.
    #[test]
    fn no_flag_is_two_settings() {
        for name in models::platforms() {
            let catalog = models::platform(name).expect("embedded").catalog;
            let mut seen = BTreeMap::new();
            for (key, setting) in catalog.user_settings() {
                let program = key.split('.').next().unwrap_or_default();
                for flag in setting.flag.split([' ', ';', ',']).filter(|it| it.starts_with("--")) {
                    // A command's name before the flag says whose it is.
                    let of = setting.flag.split("--").next().unwrap_or_default();
                    let before =
                        seen.insert((program.to_owned(), of.to_owned(), flag.to_owned()), key);
                    assert_eq!(before, None, "{name}: {flag} is {key} too");
                }
            }
        }
    }
}
