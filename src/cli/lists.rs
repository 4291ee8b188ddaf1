//! What `list` lists: the names and settings that the library knows, all or by a word.

use super::player::Listing;
use crate::analysis::invariants::{self, Invariant};
use crate::report::{Listed, SettingRow, wrapped};
use crate::scenario::{self, CHECK, KINDS, PLANE_CHECK, models, nearest};
use std::collections::BTreeSet;

/// The word that means all settings which who runs a cluster can set.
const SETTABLE: &str = "settable";

/// Of more names only the beginnings are told.
const MOST_NAMES: usize = 12;

/// Everything of a kind whose name has the word in it; of settings, the flag or field counts too.
pub fn list(what: Listing, platform: &str, word: &str) -> Result<Listed, Vec<String>> {
    let mut names: Vec<(String, String)> = match what {
        Listing::Scenarios => models::scenarios().into_iter().map(scenario).collect(),
        Listing::Lessons => models::lessons().into_iter().map(scenario).collect(),
        Listing::Platforms => {
            let all = models::platforms().into_iter();
            let all = all.map(|name| Ok((name.to_owned(), description_of(name)?)));
            all.collect::<Result<Vec<_>, Vec<String>>>()?
        }
        Listing::Settings => return settings(platform, word),
        Listing::Invariants => invariants::ALL.iter().map(invariant).collect(),
        Listing::Faults => {
            KINDS.iter().map(|(kind, does)| ((*kind).to_owned(), (*does).to_owned())).collect()
        }
    };
    let known: Vec<String> = names.iter().map(|(name, _)| name.clone()).collect();
    names.retain(|(name, _)| has(name, word));
    if names.is_empty() { Err(vec![nothing(word, &known)]) } else { Ok(Listed::Names(names)) }
}

/// The name of a scenario or lesson, and what it says of itself.
fn scenario(name: &str) -> (String, String) {
    let says = scenario::load(name).map(|scenario| scenario.says.to_string());
    (name.to_owned(), says.unwrap_or_default())
}

/// The law's name; its kind, words and source.
fn invariant(law: &Invariant) -> (String, String) {
    let says = format!("{}: {} ({})", law.kind.as_str(), law.law, law.source);
    (law.name.to_owned(), says)
}

/// Every `--set` key.
fn settings(platform: &str, word: &str) -> Result<Listed, Vec<String>> {
    let mut platform = models::platform(platform).map_err(|mistake| vec![mistake.to_string()])?;
    // Who sets one of them has a second check; until then they are as those of the first.
    platform.catalog.tell_checks_apart();
    // Only who takes a setting knows what values it can have.
    scenario::blueprint(&platform, platform.control_planes, platform.workers);
    let all: Vec<(String, scenario::Setting)> =
        platform.catalog.iter().map(|(key, setting)| (key.clone(), setting.clone())).collect();
    let is_meant = |(key, setting): &&(String, scenario::Setting)| {
        has(key, word) || has(&setting.flag, word) || (word == SETTABLE && setting.settable)
    };
    let found = all.iter().filter(is_meant);
    let same = |key: &str| key.strip_prefix(PLANE_CHECK).map(|field| format!("{CHECK}{field}"));
    let rows: Vec<SettingRow> = found
        .map(|(key, setting)| SettingRow {
            key: key.clone(),
            value: setting.value.clone(),
            unit: match &setting.derived {
                Some(derived) => format!("always {derived}"),
                None => platform.catalog.form(same(key).as_ref().unwrap_or(key)).unit(key),
            },
            basis: setting.basis.name(),
            range: setting.range.clone().unwrap_or_default(),
            settable: setting.settable,
            flag: setting.flag.clone(),
            source: match same(key) {
                Some(same) => format!("as {same} until one of {PLANE_CHECK}* is set"),
                None => setting.source.clone(),
            },
        })
        .collect();
    if rows.is_empty() {
        let known: Vec<String> = all.into_iter().map(|(key, _)| key).collect();
        return Err(vec![nothing(word, &known)]);
    }
    Ok(Listed::Settings { platform: platform.name.to_string(), rows })
}

fn has(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(&word.to_lowercase())
}

/// Words for a word that is in no name, with what is nearest: a name, or a part of one.
fn nothing(word: &str, known: &[String]) -> String {
    let parts = known.iter().flat_map(|name| name.split('.'));
    let all = known.iter().map(String::as_str).chain(parts);
    let hint = match nearest(word, all) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.len() <= MOST_NAMES => format!("there are {}", known.join(", ")),
        None => {
            let first: BTreeSet<&str> = known.iter().map(|name| beginning(name)).collect();
            format!("names begin with {}", Vec::from_iter(first).join(", "))
        }
    };
    wrapped(&format!("nothing here is named `{word}`; {hint}"))
}

/// The group of a setting, and what a longer name has up to its first dash or slash.
fn beginning(name: &str) -> &str {
    let group = name.split('.').next().unwrap_or_default();
    group.split_inclusive(['-', '/']).next().unwrap_or_default()
}

fn description_of(name: &str) -> Result<String, Vec<String>> {
    let platform = models::platform(name).map_err(|mistake| vec![mistake.to_string()])?;
    Ok(platform.description.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_the_control_planes_own_check_are_listed_as_well() {
        let Ok(Listed::Settings { rows, .. }) =
            list(Listing::Settings, "tkgs-2024", "HealthCheck.unknownTimeout")
        else {
            panic!("there are settings");
        };
        let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        let both = ["controlPlaneHealthCheck.unknownTimeout", "machineHealthCheck.unknownTimeout"];
        assert_eq!(keys, both);
        assert_eq!((&rows[0].value, &rows[0].unit), (&rows[1].value, &rows[1].unit));
        let like =
            "as machineHealthCheck.unknownTimeout until one of controlPlaneHealthCheck.* is set";
        assert_eq!(rows[0].source, like);
    }

    #[test]
    fn a_word_that_is_in_no_name_is_told_with_how_names_begin_on_a_page() {
        let told = |what| list(what, "tkgs-2024", "zzz").expect_err("no name")[0].clone();
        let scenarios = told(Listing::Scenarios);
        let words = "nothing here is named `zzz`; names begin with apiserver-, control-, etcd-, host-, lab/,";
        assert!(scenarios.starts_with(words), "{scenarios}");
        let platforms = told(Listing::Platforms);
        assert!(platforms.contains("; there are lab-k8s-1.30-capi-1.7, "), "{platforms}");
        for what in [Listing::Settings, Listing::Faults, Listing::Invariants, Listing::Lessons] {
            let told = told(what);
            assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");
        }
    }

    #[test]
    fn scenarios_say_what_happens_else_where_they_are_from_in_the_order_of_their_names() {
        let Ok(Listed::Names(all)) = list(Listing::Scenarios, "tkgs-2024", "") else {
            panic!("there are scenarios");
        };
        let place = |wanted: &str| all.iter().position(|(name, _)| name == wanted);
        assert!(place("apiserver-removed") < place("apiserver-removed-repaired"));
        let says = |wanted: &str| &all[place(wanted).expect("it is there")].1;
        assert!(says("worker-vm-deleted").starts_with("The VM comes back under its name"));
        assert!(says("lab/heartbeats").starts_with("recordings heartbeats"));
        assert!(all.iter().all(|(_, says)| !says.is_empty()));
    }
}
