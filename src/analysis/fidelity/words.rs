//! Takes out of a message what differs from run to run: names become roles, times `$time`.
//!
//! It does not know why a name has its role.

use std::collections::BTreeMap;

/// The kinds by which a provider calls its machines; all stand for the same part.
const INFRA_KINDS: &[&str] = &["RigMachine", "InfraMachine", "DevMachine"];

/// Names and the roles that stand for them.
#[derive(Clone, Debug, Default)]
pub struct Words {
    roles: BTreeMap<String, String>,
}

impl Words {
    /// Lets `role` stand for `name`; the first role given to a name stays.
    pub fn add(&mut self, name: &str, role: &str) {
        self.roles.entry(name.to_owned()).or_insert_with(|| role.to_owned());
    }

    /// The message in roles.
    pub fn abstracted(&self, message: &str) -> String {
        let mut out = String::with_capacity(message.len());
        let mut word = String::new();
        for letter in message.chars() {
            if letter.is_ascii_alphanumeric() || "-.:_".contains(letter) {
                word.push(letter);
            } else {
                out.push_str(&self.word(&word));
                word.clear();
                out.push(letter);
            }
        }
        out.push_str(&self.word(&word));
        out
    }

    /// One word, which may end in the sentence's own period or colon.
    fn word(&self, word: &str) -> String {
        let name = word.trim_end_matches(['.', ':']);
        let rest = &word[name.len()..];
        if let Some(role) = self.roles.get(name) {
            format!("{role}{rest}")
        } else if INFRA_KINDS.contains(&name) {
            format!("$infra{rest}")
        } else if is_time(name) {
            format!("$time{rest}")
        } else if is_measured_length(name) {
            format!("$length{rest}")
        } else {
            word.to_owned()
        }
    }
}

/// True for a time as `2026-11-23T19:40:11Z`.
fn is_time(word: &str) -> bool {
    let shape = "dddd-dd-ddTdd:dd:dd";
    word.ends_with('Z')
        && word.len() > shape.len()
        && shape.chars().zip(word.chars()).all(|(expected, found)| match expected {
            'd' => found.is_ascii_digit(),
            other => found == other,
        })
}

/// True for a length that was measured, as `3m20.655546358s`; a set one has no fraction.
fn is_measured_length(word: &str) -> bool {
    let digit = |letter: char| letter.is_ascii_digit();
    word.ends_with('s')
        && word.contains('.')
        && word.starts_with(digit)
        && word.chars().all(|letter| digit(letter) || ".hms".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_become_roles() {
        let mut words = Words::default();
        words.add("worker-1", "$victim");
        words.add("web-x", "$pod");
        let said = words.abstracted("Pod default/web-x: on worker-1, not worker-10 (worker-1).");
        assert_eq!(said, "Pod default/$pod: on $victim, not worker-10 ($victim).");
    }

    #[test]
    fn a_measured_length_is_abstracted_and_a_set_one_is_not() {
        let said = Words::default().abstracted("seen 3m20.655546358s ago; threshold is 3m0s");
        assert_eq!(said, "seen $length ago; threshold is 3m0s");
    }

    #[test]
    fn times_and_infrastructure_kinds_are_abstracted() {
        let said = Words::default()
            .abstracted("Waiting for RigMachine (started at 2026-11-23T19:40:11Z):");
        assert_eq!(said, "Waiting for $infra (started at $time):");
    }
}
