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

/// True if every cluster's etcd has a leader that a quorum follows, and every listed member has
/// started, votes and follows that leader.
pub fn is_whole(view: View) -> bool {
    view.etcd_clusters().into_iter().all(|cluster| {
        let Some(leader) = view.etcd_leader(cluster) else { return false };
        let is_part = |member: &EtcdMember| {
            member.info.started && !member.info.learner && member.follows(leader.info.id)
        };
        view.etcd_members(cluster).iter().all(is_part)
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
