//! Whether every cluster's etcd is whole again: a leader with a quorum, and every member that is
//! listed works, votes and has caught up. The truth, as nobody inside the cluster sees it.

use crate::engine::{Duration, SimTime, Text};
use crate::raft::Index;
use crate::world::{EtcdMember, View};

/// A member that lacks what was committed so long ago has not caught up. In a healthy cluster an
/// entry takes two flushes and a round trip.
pub const BEHIND: Duration = Duration::from_secs(1);

/// How far the clusters' logs were committed when this was last noted, and the time before.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    latest: Option<Mark>,
    /// At least `BEHIND` older.
    before: Option<Mark>,
}

#[derive(Clone, Debug)]
struct Mark {
    at: SimTime,
    committed: Vec<(Text, Index)>,
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
    /// Notes how far the leaders' logs are committed now, unless that was noted a moment ago.
    pub fn look(&mut self, view: View) {
        let now = view.now();
        if self.latest.as_ref().is_some_and(|mark| mark.at + BEHIND > now) {
            return;
        }
        let committed = |cluster: &Text| {
            let status = view.etcd_leader(cluster)?.status?;
            Some((cluster.clone(), status.index))
        };
        let committed = view.etcd_clusters().into_iter().filter_map(committed).collect();
        self.before = self.latest.replace(Mark { at: now, committed });
    }

    /// True if each working member has applied what was committed a while ago.
    pub fn is_kept(&self, view: View) -> bool {
        let Some(mark) = &self.before else { return true };
        mark.committed.iter().all(|(cluster, index)| {
            let members = view.etcd_members(cluster);
            let mut told = members.iter().filter_map(|member| member.status.as_ref());
            told.all(|status| status.applied >= *index)
        })
    }
}
