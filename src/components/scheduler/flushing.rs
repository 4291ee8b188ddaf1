//! When Pods leave their backoff: the queue of a scheduler that leads looks once a second.
//!
//! Follows `Run` of `k/k:pkg/scheduler/backend/queue/scheduling_queue.go`, and from 1.33 on
//! `waitUntilAlignedWithOrderingWindow` of `backoff_queue.go` beside it. Neither is run before the scheduler leads.
//!
//! Simplified: a wall clock that is set does not shift the seconds of a backoff against those of the looks.

use super::{Event, FLUSH, FLUSH_BACKOFF, Scheduler};
use crate::engine::{Activity, Duration, Path, Phase, Rhythm, Rule};
use crate::infra::{Ctx, Start};

impl Scheduler {
    /// The queue is looked through from now on.
    pub(super) fn run_queue(&self, start: Start, ctx: &mut Ctx<Event>) {
        let activity = |rule: Rule, period: Duration| Activity {
            rule,
            period,
            jitter_percent: 0,
            rhythm: Rhythm::Ticker,
            path: Path::Own,
        };
        let check = activity("kubernetes.unschedulableCheck", self.settings.unschedulable_check);
        let phase = if start == Start::Steady { Phase::Stationary } else { Phase::AfterPause };
        ctx.every(FLUSH, check, phase);
        let period = self.settings.backoff_check;
        let phase = match (self.settings.pops_backoff, start) {
            (true, _) => Phase::In(until_next(period, ctx)),
            (false, Start::Steady) => Phase::Stationary,
            (false, Start::Fresh) => Phase::Now,
        };
        ctx.every(FLUSH_BACKOFF, activity("kubernetes.backoffCheck", period), phase);
    }

    /// Pods whose backoff is over are tried; who looks sleeps while there is none in backoff.
    pub(super) fn flush_backoff(&mut self, ctx: &mut Ctx<Event>) {
        let look = ctx.cause();
        self.queue.flush_backoff(ctx.now(), |turn| {
            ctx.back_to(look);
            ctx.limit_over(turn.cause, turn.rule, turn.until);
            ctx.cause()
        });
        ctx.back_to(look);
        if !self.queue.has_backoff() {
            ctx.sleep(FLUSH_BACKOFF);
        }
        self.take_next(ctx);
    }

    /// Some that may fit now have a backoff to wait out; the others are tried at once.
    pub(super) fn take_woken(&mut self, ctx: &mut Ctx<Event>) {
        if self.queue.has_backoff() {
            ctx.wake(FLUSH_BACKOFF);
        }
        self.take_next(ctx);
    }
}

/// How long it is until the wall clock shows a whole number of periods.
fn until_next(period: Duration, ctx: &Ctx<Event>) -> Duration {
    let period = i64::try_from(period.as_micros()).expect("a period is no longer than a run");
    let passed = ctx.wall_clock().micros_from_begin().rem_euclid(period);
    Duration::from_micros((period - passed).unsigned_abs())
}
