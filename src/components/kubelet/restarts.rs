//! How long a kubelet waits before it starts a container again.
//!
//! The first restart is at once; each one after it waits twice as long as the one before, and who
//! ran well for long begins from the start. Follows `k/k:pkg/kubelet/kuberuntime` (`doBackOff`) and
//! `k8s.io/client-go/util/flowcontrol`. What it remembers dies with the kubelet.

use crate::client::BackoffRules;
use crate::engine::{Duration, Rule, SimTime, below};

/// The numbers of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartSettings {
    pub first: Duration,
    pub limit: Duration,
    /// Who ends so long after the back-off was set last begins from the start.
    pub reset: Duration,
    /// After a refused start the kubelet looks again after this, and up to so many percent more.
    pub recheck: Duration,
    pub recheck_jitter_percent: u64,
    pub rechecks: Rechecks,
}

/// When a kubelet looks again whether it may start a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rechecks {
    /// Every so often.
    EveryPeriod,
    /// When the wait is over, or after a period of this length if that is sooner.
    AtTheEnd { limit: Duration },
}

const BACKOFF: BackoffRules = BackoffRules {
    first: "kubernetes.restartBackoffFirst",
    limit: "kubernetes.restartBackoffLimit",
};

/// What a kubelet remembers of a container's restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartBackoff {
    pause: Duration,
    /// When the pause was set.
    since: SimTime,
}

impl RestartBackoff {
    /// What is remembered from a restart on, `ended` being the last container's end.
    pub fn after(
        before: Option<RestartBackoff>,
        ended: SimTime,
        now: SimTime,
        settings: &RestartSettings,
    ) -> RestartBackoff {
        let pause = match before {
            Some(before) if !before.is_over(ended, settings) => {
                (before.pause + before.pause).min(settings.limit)
            }
            _ => settings.first,
        };
        RestartBackoff { pause, since: now }
    }

    /// The pause, and what is left of it for a container that ended then; nothing if it is over.
    pub fn left(
        &self,
        ended: SimTime,
        now: SimTime,
        settings: &RestartSettings,
    ) -> Option<(Duration, Duration)> {
        let waited = now.since(ended);
        let waits = !self.is_over(ended, settings) && waited < self.pause;
        waits.then(|| (self.pause, self.pause.saturating_sub(waited)))
    }

    /// True if it was set so long before `at` that it does not count any more.
    fn is_over(&self, at: SimTime, settings: &RestartSettings) -> bool {
        self.since < at && settings.reset < at.since(self.since)
    }
}

impl RestartSettings {
    /// What a kubelet waits for until it looks again: for what is left of the pause, and for as much
    /// longer as the look takes to come.
    pub fn waits(&self, (pause, left): (Duration, Duration), draw: u64) -> [(Rule, Duration); 2] {
        let recheck = self.recheck(left, draw);
        let rule = BACKOFF.of(pause, self.first, self.limit);
        [(rule, recheck.min(left)), (self.look(), recheck.saturating_sub(left))]
    }

    /// By how much the look that finds a pause over comes later than its end, and by which rule.
    pub fn late(&self, pause: Duration, mut draw: impl FnMut() -> u64) -> (Rule, Duration) {
        let mut seen = Duration::ZERO;
        while seen < pause {
            seen = seen + self.recheck(pause.saturating_sub(seen), draw());
        }
        (self.look(), seen.saturating_sub(pause))
    }

    /// What a look waits for beyond the pause.
    fn look(&self) -> Rule {
        match self.rechecks {
            Rechecks::EveryPeriod => "kubernetes.restartRecheck",
            Rechecks::AtTheEnd { .. } => "kubernetes.restartRecheckJitterPercent",
        }
    }

    /// After how long a kubelet looks again, with `left` of the pause to go.
    fn recheck(&self, left: Duration, draw: u64) -> Duration {
        let pause = match self.rechecks {
            Rechecks::EveryPeriod => self.recheck,
            Rechecks::AtTheEnd { limit } => left.min(limit),
        };
        pause + below(pause.scaled(self.recheck_jitter_percent, 100), draw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: RestartSettings = RestartSettings {
        first: Duration::from_secs(10),
        limit: Duration::from_secs(300),
        reset: Duration::from_secs(600),
        recheck: Duration::from_secs(10),
        recheck_jitter_percent: 0,
        rechecks: Rechecks::AtTheEnd { limit: Duration::from_secs(60) },
    };

    fn at(secs: u64) -> SimTime {
        SimTime::ZERO + Duration::from_secs(secs)
    }

    /// Waits of a container that ends a second after each start.
    fn waits(lives: &[u64]) -> Vec<u64> {
        let (mut now, mut backoff) = (at(0), None::<RestartBackoff>);
        let mut waits = Vec::new();
        for life in lives {
            now += Duration::from_secs(*life);
            let ended = now;
            let left = backoff.and_then(|backoff| backoff.left(ended, now, &SETTINGS));
            let wait = left.map_or(Duration::ZERO, |(_, left)| left);
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(backoff.and_then(|backoff| backoff.left(ended, now, &SETTINGS)), None);
            backoff = Some(RestartBackoff::after(backoff, ended, now, &SETTINGS));
        }
        waits
    }

    #[test]
    fn the_first_restart_is_at_once_and_each_later_one_waits_twice_as_long() {
        assert_eq!(waits(&[1; 9]), [0, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn who_ran_well_for_more_than_ten_minutes_begins_from_the_start() {
        assert_eq!(waits(&[1, 1, 1, 600, 1]), [0, 10, 20, 40, 80], "ten minutes are not more");
        assert_eq!(waits(&[1, 1, 1, 601, 1]), [0, 10, 20, 0, 10]);
    }

    #[test]
    fn a_kubelet_looks_again_every_ten_seconds_or_when_the_wait_is_over() {
        let left = Duration::from_secs(37);
        assert_eq!(SETTINGS.recheck(left, 0), left);
        assert_eq!(SETTINGS.recheck(Duration::from_secs(290), 0), Duration::from_secs(60));
        let periodic = RestartSettings {
            rechecks: Rechecks::EveryPeriod,
            recheck_jitter_percent: 50,
            ..SETTINGS
        };
        // Looks at 10, 20 and 30 s see that 25 s are over at 30.
        let late = periodic.late(Duration::from_secs(25), || 0);
        assert_eq!(late, ("kubernetes.restartRecheck", Duration::from_secs(5)));
        assert_eq!(SETTINGS.late(Duration::from_secs(290), || 0).1, Duration::ZERO);
        for draw in [0, 1 << 40, u64::MAX] {
            let pause = periodic.recheck(left, draw);
            let (low, high) = (Duration::from_secs(10), Duration::from_secs(15));
            assert!(low <= pause && pause < high, "{pause}");
        }
    }
}
