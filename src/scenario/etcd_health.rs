//! Whether every cluster's etcd is whole again: a leader with a quorum, and every member that is
//! listed works, votes and has caught up. The truth, as nobody inside the cluster sees it.

use crate::engine::{Duration, SimTime, Text};
use crate::raft::Index;
use crate::world::{EtcdMember, View};

/// A member that lacks what was proposed so long ago has not caught up, the leader too: behind a disk that
/// does not write nothing is committed. In a healthy cluster an entry takes two flushes and a round trip.
pub const BEHIND: Duration = Duration::from_secs(1);

/// How far the leaders' logs had come when this was last noted, and the time before.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    latest: Option<Mark>,
    /// At least `BEHIND` older.
    before: Option<Mark>,
}

#[derive(Clone, Debug)]
struct Mark {
    at: SimTime,
    proposed: Vec<(Text, Index)>,
}

/// Every cluster whose etcd has no leader that a quorum follows.
pub fn leaderless<'a>(view: View<'a>) -> impl Iterator<Item = &'a Text> {
    view.etcd_clusters().into_iter().filter(move |cluster| view.etcd_leader(cluster).is_none())
}

/// Every listed member of a cluster with a leader that has not started, does not vote, or does not
/// follow that leader.
pub fn strangers(view: View) -> impl Iterator<Item = EtcdMember> {
    view.etcd_clusters().into_iter().flat_map(move |cluster| {
        let leader = view.etcd_leader(cluster);
        let is_part = move |member: &EtcdMember| {
            leader.as_ref().is_none_or(|leader| {
                member.info.started && !member.info.learner && member.follows(leader.info.id)
            })
        };
        view.etcd_members(cluster).into_iter().filter(move |member| !is_part(member))
    })
}

impl Pace {
    /// Notes how far the leaders' logs have come, unless that was noted a moment ago.
    pub fn look(&mut self, view: View) {
        let now = view.now();
        if self.latest.as_ref().is_some_and(|mark| mark.at + BEHIND > now) {
            return;
        }
        let proposed = |cluster: &Text| Some((cluster.clone(), view.etcd_leader(cluster)?.last));
        let proposed = view.etcd_clusters().into_iter().filter_map(proposed).collect();
        self.before = self.latest.replace(Mark { at: now, proposed });
    }

    /// True if each working member has applied what was proposed a while ago.
    pub fn is_kept(&self, view: View) -> bool {
        let Some(mark) = &self.before else { return true };
        mark.proposed.iter().all(|(cluster, index)| {
            let members = view.etcd_members(cluster);
            let mut told = members.iter().filter_map(|member| member.status.as_ref());
            told.all(|status| status.applied >= *index)
        })
    }
}
