//! A token bucket as in client-go's flowcontrol: so many requests at once, then so many a second.

use crate::engine::{Duration, SimTime};

/// A limiter of requests.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// The time that one token takes to come back.
    interval: Duration,
    burst: u64,
    /// When the bucket would be full again, were nothing taken any more.
    full_at: SimTime,
}

impl TokenBucket {
    /// A full bucket: `burst` at once, then one each `interval`.
    pub fn new(interval: Duration, burst: u64) -> TokenBucket {
        TokenBucket { interval, burst: burst.max(1), full_at: SimTime::ZERO }
    }

    /// Takes a token now, if there is one.
    pub fn try_take(&mut self, now: SimTime) -> bool {
        if self.wait(now).is_zero() {
            self.take(now);
            true
        } else {
            false
        }
    }

    /// Takes a token, now or as soon as there is one, and says how long that is.
    pub fn reserve(&mut self, now: SimTime) -> Duration {
        let wait = self.wait(now);
        self.take(now);
        wait
    }

    /// Empties the bucket.
    pub fn drain(&mut self, now: SimTime) {
        self.full_at = now + self.interval * self.burst;
    }

    fn take(&mut self, now: SimTime) {
        self.full_at = self.full_at.max(now) + self.interval;
    }

    /// How long until there is a token.
    fn wait(&self, now: SimTime) -> Duration {
        self.full_at.since(now).saturating_sub(self.interval * (self.burst - 1))
    }
}
