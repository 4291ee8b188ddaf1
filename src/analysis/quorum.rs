//! Whether etcd has a leader and a quorum, in truth: from what members tell of themselves, and
//! from which of their processes run.
//!
//! A leader counts while its process works and a quorum of working members follows it; a quorum is
//! there while enough of them work and no VM of theirs is cut off. Members that a cut link keeps apart are
//! seen by their roles: who has lost its leader follows nobody.

use super::milestones::{Milestone, reached};
use crate::timeline::{Entry, Value};
use std::collections::BTreeMap;

/// The moments at which the clusters' etcd loses and finds a leader, and a quorum.
pub fn milestones(entries: &[Entry]) -> Vec<Milestone> {
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in entries {
        if let Some((vm, is_isolated)) = isolation(entry) {
            for (cluster, group) in &mut groups {
                follow(cluster, group, entry, &mut found, |group| group.isolate(vm, is_isolated));
            }
        } else {
            let group = groups.entry(&entry.cluster).or_default();
            follow(&entry.cluster, group, entry, &mut found, |group| group.take(entry));
        }
    }
    found
}

/// What comes of an entry that tells something of a group, if it does.
fn follow<'a>(
    cluster: &str,
    group: &mut Group<'a>,
    entry: &Entry,
    found: &mut Vec<Milestone>,
    take: impl FnOnce(&mut Group<'a>) -> bool,
) {
    let before = (group.leader(), group.has_quorum());
    // What is written at the beginning is no change.
    if !take(group) || entry.at.as_micros() == 0 {
        return;
    }
    match (before.0, group.leader()) {
        (Some(old), None) => found.push(at("etcdLeaderLost", old, entry)),
        (old, Some(new)) if old != Some(new) => found.push(at("etcdLeaderElected", new, entry)),
        _ => {}
    }
    let cluster = || format!("Cluster/{cluster}");
    match (before.1, group.has_quorum()) {
        (true, false) => found.push(reached("etcdQuorumLost", cluster(), entry)),
        (false, true) => found.push(reached("etcdQuorumRestored", cluster(), entry)),
        _ => {}
    }
}

/// The VM that was cut off from all others, or is not any more. One of the same name that comes later is
/// another.
fn isolation(entry: &Entry) -> Option<(&str, bool)> {
    let target = || entry.to.as_text()?.strip_prefix("VM/");
    match (entry.kind.as_str(), entry.name.as_str(), entry.field.as_str()) {
        ("Fault", "isolateVm", _) => Some((target()?, true)),
        ("Fault", "rejoinVm", _) => Some((target()?, false)),
        ("VM", vm, "exists") if entry.to == Value::Null => Some((vm, false)),
        _ => None,
    }
}

fn at(name: &'static str, member: &str, entry: &Entry) -> Milestone {
    reached(name, format!("EtcdMember/{member}"), entry)
}

/// The members of one cluster, by the VMs that they run on.
#[derive(Default)]
struct Group<'a>(BTreeMap<&'a str, Member<'a>>);

/// What is known of a member.
#[derive(Default)]
struct Member<'a> {
    is_listed: bool,
    runs: bool,
    is_frozen: bool,
    is_isolated: bool,
    leads: bool,
    follows: Option<&'a str>,
}

impl Member<'_> {
    fn works(&self) -> bool {
        self.runs && !self.is_frozen
    }
}

impl<'a> Group<'a> {
    /// Takes an entry; false if it says nothing of a member.
    fn take(&mut self, entry: &'a Entry) -> bool {
        let vm = match entry.kind.as_str() {
            "EtcdMember" => entry.name.as_str(),
            "Process" => match entry.name.as_str().strip_prefix("etcd@") {
                Some(vm) => vm,
                None => return false,
            },
            _ => return false,
        };
        let member = self.0.entry(vm).or_default();
        match (entry.kind.as_str(), entry.field.as_str()) {
            ("EtcdMember", "exists") => member.is_listed = entry.to != Value::Null,
            ("EtcdMember", "role") => member.leads = entry.to.as_text() == Some("Leader"),
            ("EtcdMember", "leader") => member.follows = entry.to.as_text(),
            ("Process", "running") => {
                member.runs = entry.to == Value::Bool(true);
                member.is_frozen = false;
                // A process that begins anew knows no leader, and does not lead.
                (member.leads, member.follows) = (false, None);
            }
            ("Process", "frozen") => member.is_frozen = entry.to == Value::Bool(true),
            _ => return false,
        }
        true
    }

    /// A VM was cut off from all others, or has its links again; false if no member is there.
    fn isolate(&mut self, vm: &str, is_isolated: bool) -> bool {
        let member = self.0.get_mut(vm);
        member.map(|member| member.is_isolated = is_isolated).is_some()
    }

    fn quorum(&self) -> usize {
        self.0.values().filter(|member| member.is_listed).count() / 2 + 1
    }

    fn has_quorum(&self) -> bool {
        let counts = |member: &&Member| member.is_listed && member.works() && !member.is_isolated;
        self.0.values().filter(counts).count() >= self.quorum()
    }

    /// The working member that a quorum follows.
    fn leader(&self) -> Option<&'a str> {
        let follows = |m: &&Member, vm: &str| m.works() && m.follows == Some(vm);
        let follow = |vm: &str| self.0.values().filter(|member| follows(member, vm)).count();
        let mut leaders = self.0.iter().filter(|(_, member)| member.works() && member.leads);
        leaders.find(|(vm, _)| follow(vm) >= self.quorum()).map(|(vm, _)| *vm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{SimTime, Text};
    use crate::timeline::EntryId;

    /// A line `SECONDS KIND NAME FIELD VALUE`, for the cluster `workload`.
    fn entries(lines: &[&str]) -> Vec<Entry> {
        let mut all = Vec::new();
        for (number, line) in (1..).zip(lines) {
            let words: Vec<&str> = line.split(' ').collect();
            let [seconds, kind, name, field, value] = words[..] else { panic!("{line}") };
            let to = match value {
                "-" => Value::Null,
                "true" => Value::Bool(true),
                text => Value::Text(Text::from(text)),
            };
            all.push(Entry {
                id: EntryId(number),
                at: SimTime::from_micros(seconds.parse::<u64>().expect("seconds") * 1_000_000),
                cluster: Text::word("workload"),
                kind: Text::from(kind),
                name: Text::from(name),
                field: Text::from(field),
                from: Value::Null,
                to,
                reason: Text::EMPTY,
                message: Text::EMPTY,
                by: Text::EMPTY,
                cause: None,
                reads: Vec::new(),
                took: None,
            });
        }
        all
    }

    const BEGINNING: [&str; 12] = [
        "0 Process etcd@a running true",
        "0 Process etcd@b running true",
        "0 Process etcd@c running true",
        "0 EtcdMember a exists true",
        "0 EtcdMember b exists true",
        "0 EtcdMember c exists true",
        "0 EtcdMember a role Leader",
        "0 EtcdMember b role Follower",
        "0 EtcdMember c role Follower",
        "0 EtcdMember a leader a",
        "0 EtcdMember b leader a",
        "0 EtcdMember c leader a",
    ];

    fn told(lines: &[&str]) -> Vec<String> {
        let all = entries(&[&BEGINNING, lines].concat());
        let words =
            |m: &Milestone| format!("{} {} {}", m.at.as_micros() / 1_000_000, m.name, m.object);
        milestones(&all).iter().map(words).collect()
    }

    #[test]
    fn a_dead_leader_is_lost_at_once_and_its_successor_counts_when_a_quorum_follows() {
        let lines = [
            "5 Process etcd@a running -",
            "6 EtcdMember b role Leader",
            "6 EtcdMember b leader b",
            "7 EtcdMember c leader b",
        ];
        assert_eq!(
            told(&lines),
            ["5 etcdLeaderLost EtcdMember/a", "7 etcdLeaderElected EtcdMember/b"]
        );
    }

    #[test]
    fn two_of_three_dead_are_a_quorum_lost_and_one_back_restores_it() {
        let lines = [
            "5 Process etcd@b running -",
            "6 Process etcd@c running -",
            "9 Process etcd@c running true",
        ];
        // The leader still believes that it leads; in truth nobody follows it.
        let lost = ["6 etcdLeaderLost EtcdMember/a", "6 etcdQuorumLost Cluster/workload"];
        let restored = "9 etcdQuorumRestored Cluster/workload";
        assert_eq!(told(&lines), [lost[0], lost[1], restored]);
    }

    #[test]
    fn who_is_frozen_or_cut_off_does_not_count() {
        let lines = [
            "5 Process etcd@a frozen true",
            "5 Process etcd@b frozen true",
            "8 Process etcd@a frozen false",
        ];
        let lost = ["5 etcdLeaderLost EtcdMember/a", "5 etcdQuorumLost Cluster/workload"];
        let back = ["8 etcdLeaderElected EtcdMember/a", "8 etcdQuorumRestored Cluster/workload"];
        assert_eq!(told(&lines), [lost[0], lost[1], back[0], back[1]]);
        let lines = [
            "5 Fault isolateVm injected VM/b",
            "5 Fault isolateVm injected VM/c",
            "6 EtcdMember a leader -",
            "8 Fault rejoinVm injected VM/c",
            "9 VM b exists -",
        ];
        let told = told(&lines);
        let quorum = ["5 etcdQuorumLost Cluster/workload", "8 etcdQuorumRestored Cluster/workload"];
        assert_eq!(told.iter().filter(|line| line.contains("Quorum")).collect::<Vec<_>>(), quorum);
    }

    #[test]
    fn one_follower_less_changes_nothing_and_a_member_removed_makes_the_group_smaller() {
        let lines = ["5 Process etcd@c running -", "6 EtcdMember c exists -"];
        assert!(told(&lines).is_empty());
        // Two members, both needed.
        let more = [lines[0], lines[1], "7 Process etcd@b running -"];
        assert_eq!(told(&more).len(), 2);
    }
}
