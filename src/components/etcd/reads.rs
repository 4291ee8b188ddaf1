//! Linearizable reads: one batch at a time asks the leader for an index, and answers once this
//! member has applied it.
//!
//! Reads that come meanwhile wait for the next batch, so one may wait for two time-outs. Follows
//! `linearizableReadLoop` and `requestCurrentIndex` of etcd's `v3_server.go`.

use super::errors::{Failure, TIMED_OUT, failed};
use super::requests::{Client, Query};
use super::{Event, Member};
use crate::engine::{Generation, SimTime, Timer};
use crate::infra::{ConnectionId, Ctx};
use crate::raft::{Index, ReadContext, ReadState};
use crate::timeline::Cause;

/// A client's read, with what led to it.
#[derive(Clone, Debug)]
struct Read {
    client: Client,
    query: Query,
    cause: Cause,
}

/// Reads that have not been answered.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// Wait for the next batch.
    next: Vec<Read>,
    batch: Option<Batch>,
    retry: Timer,
}

/// The reads that wait for one index.
#[derive(Clone, Debug)]
struct Batch {
    reads: Vec<Read>,
    context: ReadContext,
    started: SimTime,
    /// Known once the leader has confirmed that it leads.
    index: Option<Index>,
    /// Its timer is set.
    is_armed: bool,
}

impl Reads {
    /// True if some read has not been answered.
    pub fn are_open(&self) -> bool {
        self.batch.is_some() || !self.next.is_empty()
    }

    /// True if this is the latest setting of the time at which the batch asks again.
    pub fn is_retry_current(&self, due: Generation) -> bool {
        self.retry.is_current(due)
    }
}

impl Member {
    /// A read that has to be as fresh as any write that was acknowledged before it.
    pub fn read(&mut self, client: Client, query: Query, ctx: &mut Ctx<Event>) {
        self.reads.next.push(Read { client, query, cause: ctx.cause() });
        self.begin_batch(ctx);
    }

    /// The leader's answers have come.
    pub fn note_read_states(&mut self, states: &[ReadState]) {
        let Some(batch) = &mut self.reads.batch else { return };
        for state in states.iter().filter(|state| state.context == batch.context) {
            batch.index = Some(state.index);
        }
    }

    /// Answers the batch if what it waits for is applied; then the next begins.
    pub fn answer_reads(&mut self, ctx: &mut Ctx<Event>) {
        let applied = self.store.applied();
        let is_fresh = |batch: &Batch| batch.index.is_some_and(|index| index <= applied);
        if !self.reads.batch.as_ref().is_some_and(is_fresh) {
            return;
        }
        let batch = self.reads.batch.take().expect("just seen");
        self.reads.retry.cancel();
        let cause = ctx.cause();
        for read in batch.reads {
            ctx.turn_of(read.cause, None);
            self.look_at_once(read.client, read.query, ctx);
        }
        ctx.back_to(cause);
        self.begin_batch(ctx);
    }

    /// The batch has had no answer for a while: it asks again, or is given up.
    pub fn retry_reads(&mut self, due: Generation, ctx: &mut Ctx<Event>) {
        if !self.reads.is_retry_current(due) {
            return;
        }
        let Some(batch) = &self.reads.batch else { return };
        let context = batch.context;
        if ctx.now().since(batch.started) >= self.settings.request_timeout() {
            return self.fail_reads(TIMED_OUT, ctx);
        }
        // What is already confirmed waits for the log alone.
        if batch.index.is_none() {
            self.raft.read_index(context);
        }
        self.arm_retry(ctx);
    }

    /// An entry of a new term is applied: a leader that was asked too early knows more now.
    pub fn ask_reads_again(&mut self) {
        if let Some(batch) = self.reads.batch.as_ref().filter(|batch| batch.index.is_none()) {
            self.raft.read_index(batch.context);
        }
    }

    /// Fails the batch, if its index is not known yet; the next begins.
    pub fn fail_reads(&mut self, error: Failure, ctx: &mut Ctx<Event>) {
        let Some(batch) = self.reads.batch.take_if(|batch| batch.index.is_none()) else { return };
        self.reads.retry.cancel();
        for read in batch.reads {
            self.answer(read.client, failed(error), ctx);
        }
        self.begin_batch(ctx);
    }

    /// A client is gone.
    pub fn forget_reads(&mut self, connection: ConnectionId) {
        let stays = |read: &Read| !read.client.is_at(connection);
        self.reads.next.retain(stays);
        if let Some(batch) = &mut self.reads.batch {
            batch.reads.retain(stays);
        }
    }

    /// What this turn has not answered is asked for again after a while.
    pub fn arm_reads(&mut self, ctx: &mut Ctx<Event>) {
        if let Some(batch) = self.reads.batch.as_mut().filter(|batch| !batch.is_armed) {
            batch.is_armed = true;
            self.arm_retry(ctx);
        }
    }

    fn begin_batch(&mut self, ctx: &mut Ctx<Event>) {
        if self.reads.batch.is_some() || self.reads.next.is_empty() {
            return;
        }
        let context = ReadContext(self.next_number());
        let reads = std::mem::take(&mut self.reads.next);
        let started = ctx.now();
        let batch = Batch { reads, context, started, index: None, is_armed: false };
        self.reads.batch = Some(batch);
        self.raft.read_index(context);
    }

    fn arm_retry(&mut self, ctx: &mut Ctx<Event>) {
        let due = self.reads.retry.restart();
        ctx.after("etcd.readIndexRetry", self.settings.read_retry, Event::ReadRetry(due));
    }
}
