//! Whether etcd has a leader and a quorum, in truth: from what members tell of themselves, and
//! from which of their processes run.
//!
//! A leader counts while its process runs and a quorum of running members follows it; a quorum is
//! there while enough of them run. Members that a cut link keeps apart are seen by their roles: who
//! has lost its leader follows nobody.

use super::milestones::{Milestone, reached};
use crate::timeline::{Entry, Value};
use std::collections::BTreeMap;

/// The moments at which the clusters' etcd loses and finds a leader, and a quorum.
pub fn milestones(entries: &[Entry]) -> Vec<Milestone> {
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in entries {
        let group = groups.entry(&entry.cluster).or_default();
        let before = (group.leader(), group.has_quorum());
        if !group.take(entry) {
            continue;
        }
        // What is written at the beginning is no change.
        if entry.at.as_micros() == 0 {
            continue;
        }
        let (leader, quorum) = (group.leader(), group.has_quorum());
        match (before.0, leader) {
            (Some(old), None) => found.push(at("etcdLeaderLost", old, entry)),
            (old, Some(new)) if old != Some(new) => {
                found.push(at("etcdLeaderElected", new, entry));
            }
            _ => {}
        }
        let cluster = format!("Cluster/{}", entry.cluster);
        match (before.1, quorum) {
            (true, false) => found.push(reached("etcdQuorumLost", cluster, entry)),
            (false, true) => found.push(reached("etcdQuorumRestored", cluster, entry)),
            _ => {}
        }
    }
    found
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
    leads: bool,
    follows: Option<&'a str>,
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
                // A process that begins anew knows no leader, and does not lead.
                (member.leads, member.follows) = (false, None);
            }
            _ => return false,
        }
        true
    }

    fn quorum(&self) -> usize {
        self.0.values().filter(|member| member.is_listed).count() / 2 + 1
    }

    fn has_quorum(&self) -> bool {
        self.0.values().filter(|member| member.is_listed && member.runs).count() >= self.quorum()
    }

    /// The running member that a quorum follows.
    fn leader(&self) -> Option<&'a str> {
        let follow = |vm: &str| self.0.values().filter(|m| m.runs && m.follows == Some(vm)).count();
        let mut leaders = self.0.iter().filter(|(_, member)| member.runs && member.leads);
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
    fn one_follower_less_changes_nothing_and_a_member_removed_makes_the_group_smaller() {
        let lines = ["5 Process etcd@c running -", "6 EtcdMember c exists -"];
        assert!(told(&lines).is_empty());
        // Two members, both needed.
        let more = [lines[0], lines[1], "7 Process etcd@b running -"];
        assert_eq!(told(&more).len(), 2);
    }
}
