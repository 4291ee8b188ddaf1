//! What a run is stuck on, in words that are the same for all runs that are stuck alike: what is
//! lacking, and who says that he does not act, and why.

use crate::analysis::invariants::{is_the_owners, waits_for_stranger};
use crate::api::Kind;
use crate::engine::Text;
use crate::scenario::Simulation;
use crate::timeline::{Entry, Value};
use crate::world::View;
use std::collections::{BTreeMap, BTreeSet};

/// A way to be stuck.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// As `control plane: a kubelet does not run`.
    pub lack: Text,
    /// As `OwnerRemediated RemediationFailed: ...`; empty if nobody says anything.
    pub because: Text,
}

/// The conditions in which a controller says why it does not act.
const REFUSALS: [&str; 6] = [
    "OwnerRemediated",
    "RemediationAllowed",
    "DrainingSucceeded",
    "v1beta1.DrainingSucceeded",
    "VolumeDetachSucceeded",
    "v1beta1.VolumeDetachSucceeded",
];
/// Longer words are not read in a table.
const LONGEST: usize = 72;

impl Gap {
    /// What a run that has not recovered lacks now; nothing if it has.
    pub fn of(simulation: &Simulation) -> Option<Gap> {
        let view = simulation.view();
        let lack = simulation.missing().into_iter().next()?;
        let is_server = lack.object.contains("control-plane") || lack.object.contains("etcd@");
        let role = if is_server { "control plane: " } else { "" };
        // A Machine that cannot join is often one too many to be replaced: both have to be known.
        let because = token(view).into_iter().chain(stranger(view)).chain(refusal(view));
        let because: Vec<Text> = because.collect();
        let because = Text::from(because.join("; "));
        Some(Gap { lack: Text::from(format!("{role}{}", lack.what)), because })
    }
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.because.is_empty() {
            true => write!(f, "{}", self.lack),
            false => write!(f, "{}; {}", self.lack, self.because),
        }
    }
}

/// The refusal that stands and comes first by the name of its condition.
fn refusal(view: View) -> Option<Text> {
    let mut last: BTreeMap<(&str, &str), &Entry> = BTreeMap::new();
    let mut gone: BTreeSet<(&str, &str)> = BTreeSet::new();
    for entry in view.timeline().happened() {
        if entry.field == *"exists" && entry.to == Value::Null {
            gone.insert((&entry.kind, &entry.name));
        }
        if REFUSALS.contains(&entry.field.as_str()) {
            last.insert((&entry.field, &entry.name), entry);
        }
    }
    let stands = |entry: &&&Entry| {
        entry.to.as_text() == Some("False")
            && is_the_owners(&entry.message)
            && !gone.contains(&(entry.kind.as_str(), entry.name.as_str()))
    };
    // The owner's own words before those of who asked him.
    let by_worth = |entry: &&&Entry| REFUSALS.iter().position(|field| entry.field == **field);
    let entry = last.values().filter(stands).min_by_key(by_worth)?;
    Some(Text::from(format!("{} {}: {}", entry.field, entry.reason, plain(&entry.message))))
}

/// A VM whose kubeadm finds no signature of its token, and whose kubelet has not come to run since.
fn token(view: View) -> Option<Text> {
    let fails = |entry: &&Entry| entry.field == *"log" && entry.message.contains("JWS signature");
    let waits = |entry: &Entry| {
        let vm = entry.name.split('@').nth(1);
        vm.and_then(|vm| view.vm(vm)).is_some_and(|vm| !view.works("kubelet", &vm.name))
    };
    let is_stuck = view.timeline().happened().iter().filter(fails).any(waits);
    is_stuck.then(|| Text::word("a VM cannot join: cluster-info has no signature of its token"))
}

/// A control plane that has first to remove a member of etcd, and does not come to it.
fn stranger(view: View) -> Option<Text> {
    let waits = view.objects(Kind::KubeadmControlPlane).any(|plane| waits_for_stranger(plane));
    waits.then(|| Text::word("EtcdClusterHealthy: a member of etcd has no Machine"))
}

/// The message without names and numbers, which differ from run to run.
fn plain(message: &str) -> String {
    let is_name = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    let words = message.split_whitespace().map(|word| if is_name(word) { "*" } else { word });
    let mut text = words.collect::<Vec<&str>>().join(" ");
    if let Some((cut, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(text[..cut].rfind(' ').unwrap_or(cut));
        text.push_str(" ...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn names_and_numbers_are_left_out_and_what_is_long_is_cut() {
        assert_eq!(plain("Node worker-0 waits  for md-0-x7k2p"), "Node * waits for *");
        assert_eq!(plain("exceeds it (total: 3)"), "exceeds it (total: *");
        assert!(plain(&"word ".repeat(60)).ends_with("word ..."));
    }
}
