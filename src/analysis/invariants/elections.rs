//! Elections of etcd's members, as a campaign has to have seen them.

use super::{Invariant, Kind, Law, Seen, Verdict};
use crate::engine::SimTime;

pub(super) const ELECTED_AGAIN: Invariant = Invariant {
    name: "etcd-elects-again",
    kind: Kind::Sometimes,
    law: "a group of etcd members elects another leader",
    source: "etcd-io/raft doc.go: a follower that hears no leader for its time-out campaigns",
    begin: || Box::new(ElectedAgain),
};

#[derive(Clone, Debug)]
struct ElectedAgain;

impl Law for ElectedAgain {
    fn look(&mut self, seen: Seen) -> Verdict {
        let mut elected = seen.news.iter().filter(|entry| {
            entry.at > SimTime::ZERO
                && entry.kind == *"EtcdMember"
                && entry.field == *"role"
                && entry.to.as_text() == Some("Leader")
        });
        elected.next().map_or(Verdict::Holds, |_| Verdict::Reached)
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}
