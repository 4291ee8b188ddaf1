//! Whether a workload cluster answers, as Cluster API's controllers find it out: a probe at times, and
//! after several failures the connection and its caches are dropped until one can be made anew.
//!
//! Follows the ClusterCache of Cluster API 1.9 (`controllers/clustercache`), and the
//! ClusterCacheTracker before it (`controllers/remote`). Up to the drop, everybody reads caches that
//! nothing renews; after it nobody may judge by them until they are listed anew.
//!
//! Simplified: the old objects stay in the caches until the new list replaces them. Whoever asks
//! whether the cluster is connected does not look at them. What controllers up to 1.8 ask of the
//! cluster itself while it is disconnected is sent nevertheless, and fails for itself. Another try to
//! connect comes with the next tick of the probe after its time, and so does the end of a list that
//! lasts too long. Until then nothing is probed, for that list is part of connecting.

use super::api::Alarm;
use super::cluster::{Client, News, Token};
use crate::api::{Answered, Verb};
use crate::engine::{Activity, Duration, Path, Phase, Rhythm, SimTime};
use crate::infra::{ActivityId, Ctx};

/// How a workload cluster is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    pub interval: Duration,
    /// From where the interval counts, and the time to the next try to connect: from the beginning of
    /// the last one, or from its end.
    pub rhythm: Rhythm,
    pub timeout: Duration,
    /// So many failures in a row, and the cluster counts as disconnected.
    pub failures: u64,
    /// From one try to connect again to the next.
    pub reconnect: Duration,
    /// So long a cluster that answers again may take to be listed; then the try has failed.
    pub sync: Duration,
}

/// The probe, and what it has found.
#[derive(Clone, Copy, Debug)]
pub struct ClusterCache {
    activity: ActivityId,
    settings: ProbeSettings,
    stage: Stage,
    /// When the last probe succeeded.
    reached: SimTime,
}

/// What the probe has found, as a reconcile takes it with it.
#[derive(Clone, Copy, Debug)]
pub struct Contact {
    pub connected: bool,
    /// When the last probe succeeded.
    pub reached: SimTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// So many probes in a row have failed.
    Connected { failed: u64 },
    /// It was tried last at this time.
    Lost { tried: SimTime },
    /// It answers again, and is listed since this time.
    Listing { since: SimTime },
}

impl ClusterCache {
    /// Of a cluster that has answered.
    pub fn new(activity: ActivityId, settings: ProbeSettings) -> ClusterCache {
        let stage = Stage::Connected { failed: 0 };
        ClusterCache { activity, settings, stage, reached: SimTime::ZERO }
    }

    /// What it has found.
    pub fn contact(&self) -> Contact {
        Contact { connected: matches!(self.stage, Stage::Connected { .. }), reached: self.reached }
    }

    /// Begins to probe.
    pub fn start<E>(&mut self, phase: Phase, ctx: &mut Ctx<E>) {
        self.reached = ctx.now();
        let activity = Activity {
            rule: "clusterApi.probeInterval",
            period: self.settings.interval,
            jitter_percent: 0,
            rhythm: self.settings.rhythm,
            path: Path::Server,
        };
        ctx.every(self.activity, activity, phase);
    }

    /// Its time has come: asks the cluster's API for `/`, unless it is not yet time for another try. The
    /// answer comes back with `token`. An API server answers it without its etcd. True if a try to
    /// connect is over because it is not listed in time: it is begun anew, and what that cuts off fails.
    pub fn tick<T: Clone, E: From<Alarm>>(
        &mut self,
        client: &mut Client<T>,
        token: T,
        news: &mut Vec<News<T>>,
        ctx: &mut Ctx<E>,
    ) -> bool {
        match &mut self.stage {
            Stage::Connected { .. } => {}
            Stage::Lost { tried } if *tried + self.settings.reconnect <= ctx.now() => {
                *tried = ctx.now();
            }
            Stage::Listing { since } if *since + self.settings.sync <= ctx.now() => {
                self.stage = Stage::Lost { tried: ctx.now() };
                client.let_go(ctx, news);
                self.rest(ctx);
                return true;
            }
            Stage::Lost { .. } | Stage::Listing { .. } => {
                self.rest(ctx);
                return false;
            }
        }
        let (sender, count) = (ctx.owner().part(1), ctx.count(self.activity));
        let limit = ("clusterApi.probeTimeout", self.settings.timeout);
        let (agent, token) = ("cluster-cache-probe", Token::Own(token));
        client.api.send_as(ctx, agent, Verb::Paths, token, limit, sender, count);
        false
    }

    /// A probe has ended; true if the cluster is lost by that, or connected again because there is
    /// nothing to list. What a loss cuts off fails: that is news.
    pub fn answered<T: Clone, E: From<Alarm>>(
        &mut self,
        answered: &Answered,
        client: &mut Client<T>,
        news: &mut Vec<News<T>>,
        ctx: &mut Ctx<E>,
    ) -> bool {
        // Any error counts, of whatever status.
        let answers = answered.is_ok();
        match &mut self.stage {
            Stage::Connected { failed } if answers => {
                *failed = 0;
                self.reached = ctx.now();
            }
            Stage::Connected { failed } => {
                *failed += 1;
                if *failed >= self.settings.failures {
                    self.stage = Stage::Lost { tried: ctx.now() };
                    self.rest(ctx);
                    client.let_go(ctx, news);
                    return true;
                }
            }
            // The rest comes when it is listed.
            Stage::Lost { .. } if answers => {
                self.stage = Stage::Listing { since: ctx.now() };
                client.begin_again(ctx);
                if client.caches.hold_nothing() {
                    return self.synced(ctx);
                }
            }
            Stage::Lost { tried } if self.settings.rhythm == Rhythm::AfterEnd => {
                *tried = ctx.now();
            }
            Stage::Lost { .. } | Stage::Listing { .. } => {}
        }
        self.rest(ctx);
        false
    }

    /// The cluster's objects were listed; true if it is connected again by that.
    pub fn synced<E>(&mut self, ctx: &mut Ctx<E>) -> bool {
        let is_back = matches!(self.stage, Stage::Listing { .. });
        if is_back {
            self.stage = Stage::Connected { failed: 0 };
            self.reached = ctx.now();
            self.rest(ctx);
        }
        is_back
    }

    /// A probe or a try has ended, or there was none; a ticker does not care.
    fn rest<E>(&self, ctx: &mut Ctx<E>) {
        if self.settings.rhythm == Rhythm::AfterEnd {
            ctx.rest(self.activity);
        }
    }

    /// Puts it into the stage after so many failures; for tests.
    #[cfg(test)]
    pub fn pretend_failed(&mut self, failed: u64) {
        self.stage = match failed >= self.settings.failures {
            true => Stage::Lost { tried: SimTime::ZERO },
            false => Stage::Connected { failed },
        };
    }
}
