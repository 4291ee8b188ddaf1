//! When a member that rests would have ticked, and when it waited for its disk.

use crate::components::etcd::Poise;
use crate::engine::{Duration, SimTime};

/// After so many ticks a heartbeat has long been heard and answered: no disk that rests is busy for
/// as long as one.
const LATEST: u64 = 4;

/// The ticks of a member that are not played.
#[derive(Clone, Debug)]
pub(super) struct Ticks {
    pub first: SimTime,
    pub period: Duration,
    /// How many have fallen due.
    pub due: u64,
    /// How many were taken, which is later where the disk was writing.
    pub taken: u64,
    /// When the latest were, the last first.
    pub latest: Latest<SimTime>,
    /// How many had been counted before, and after how many a leader counts its quorum.
    before: u32,
    per_count: u32,
    /// When it last did.
    pub counted: Option<SimTime>,
}

/// When a member waited for its disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub busy_since: Option<SimTime>,
    /// A tick waits for it; a ticker keeps no more than one.
    pub tick_pending: bool,
    /// The latest times, the last first.
    pub latest: Latest<(SimTime, SimTime)>,
}

/// When something was so, as far back as it matters.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    since: Option<SimTime>,
    latest: Latest<(SimTime, SimTime)>,
}

/// What was lately, until it is over for everybody.
#[derive(Clone, Debug)]
pub(super) struct Latest<T>(Vec<T>);

impl<T> Default for Latest<T> {
    fn default() -> Latest<T> {
        Latest(Vec::new())
    }
}

impl<T> Latest<T> {
    /// Adds one, and forgets those before it that are over.
    pub fn push(&mut self, new: T, is_over: impl Fn(&T) -> bool) {
        self.0.retain(|old| !is_over(old));
        self.0.push(new);
    }

    /// The last first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().rev()
    }
}

impl Spans {
    /// Notes that it is so now, or is not.
    pub fn note(&mut self, is_so: bool, now: SimTime, tick: Duration) {
        match (self.since, is_so) {
            (None, true) => self.since = Some(now),
            (Some(since), false) => {
                self.since = None;
                let oldest = tick * LATEST;
                self.latest.push((since, now), |(_, until)| *until + oldest <= now);
            }
            _ => {}
        }
    }

    /// True if it was so at a time.
    pub fn cover(&self, at: SimTime) -> bool {
        self.since.is_some_and(|since| since <= at)
            || self.latest.iter().any(|(since, until)| *since <= at && at < *until)
    }
}

impl Disk {
    /// When what comes at this time is dealt with: at once, or when the disk has written; nothing if
    /// it still writes.
    pub fn free_at(&self, at: SimTime) -> Option<SimTime> {
        if self.busy_since.is_some_and(|since| since <= at) {
            return None;
        }
        let during = self.latest.iter().find(|(since, until)| *since <= at && at < *until);
        Some(during.map_or(at, |(_, until)| *until))
    }

    /// For how long at most what has come lately had to wait for it by now.
    pub fn longest_wait(&self, now: SimTime) -> Duration {
        let over = self.latest.iter().map(|(since, until)| until.since(*since));
        let lasting = self.busy_since.map(|since| now.since(since));
        over.chain(lasting).max().unwrap_or_default()
    }
}

impl Ticks {
    pub fn from(first: SimTime, poise: &Poise) -> Ticks {
        Ticks {
            first,
            period: poise.tick,
            due: 0,
            taken: 0,
            latest: Latest::default(),
            before: poise.election_elapsed,
            per_count: poise.election_ticks,
            counted: None,
        }
    }

    /// When the next falls due.
    pub fn next(&self) -> SimTime {
        self.first + self.period * self.due
    }

    /// Those that fall due before a time; while the disk writes one of them waits.
    pub fn pass_until(&mut self, until: SimTime, disk: &mut Disk) {
        let next = self.next();
        if next >= until {
            return;
        }
        let more = until.since(next).as_micros().div_ceil(self.period.as_micros());
        self.due += more;
        match disk.busy_since {
            Some(_) => disk.tick_pending = true,
            None => self.take(more, next + self.period * (more - 1)),
        }
    }

    /// So many are taken, the last of them at a time, and the others a period apart before it.
    pub fn take(&mut self, more: u64, last: SimTime) {
        self.taken += more;
        let back = |ticks: u64| SimTime::ZERO + last.since(SimTime::ZERO + self.period * ticks);
        for ago in (0..more.min(LATEST)).rev() {
            let at = back(ago);
            let oldest = self.period * LATEST;
            self.latest.push(at, |old| *old + oldest <= at);
        }
        let since_count = (u64::from(self.before) + self.taken) % u64::from(self.per_count);
        if since_count < more {
            self.counted = Some(back(since_count));
        }
    }
}
