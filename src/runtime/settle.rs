//! What was folded becomes durable, and only then what follows from it is done (rules J1, J2).

use std::{future::poll_fn, task::Poll};

use super::{
    Clock, Crews, Runtime, RuntimeError, Started,
    redact::redacted,
    stream::{After, Holds},
    write::{Then, Writing, Written},
};
use crate::{
    engine::{Input, Job, Timestamp},
    store::Store,
    transport::{Cursor, Sink, Source},
};

impl<S: Store, K: Sink, C: Crews, T: Clock> Runtime<S, K, C, T> {
    /// Makes what was folded durable and does what follows, until nothing follows any more or the
    /// store takes its time.
    pub(super) async fn settle(&mut self, source: &mut impl Source) -> Result<(), RuntimeError> {
        self.look_at_times();
        while self.writing.is_none() && !self.touched.is_empty() {
            (self.unwritten, self.unwritten_bytes) = (0, 0);
            let mut writing = self.begin_write();
            let written = poll_fn(|context| Poll::Ready(writing.poll(context))).await;
            match written {
                Poll::Ready(written) => self.finish(source, writing, written).await?,
                Poll::Pending => self.writing = Some(writing),
            }
        }
        if self.writing.is_none() {
            // Input that was refused is in no journal.
            if std::mem::take(&mut self.is_refusal_new)
                && let (Some(store), Some(cursor)) = (&mut self.store, self.last_cursor)
            {
                store.settle(cursor).await?;
                self.settled = self.last_cursor;
            }
            self.ack(source, self.committed()).await?;
        }
        Ok(())
    }

    /// Does what follows from a write that came to its end.
    pub(super) async fn finish(
        &mut self,
        source: &mut impl Source,
        writing: Writing<S>,
        written: Written<S>,
    ) -> Result<(), RuntimeError> {
        let Writing { owners, then, .. } = writing;
        self.end_write(&owners, written)?;
        let Then { jobs, mut batch, published, committed } = then;
        for (ix, after) in jobs {
            self.start_or_cancel(ix, after);
        }
        if !batch.is_empty() {
            self.sink.publish(batch.messages()).await?;
            self.sink.flush().await?;
            batch.clear();
        }
        self.scratch.batch = batch;
        for (ix, number) in published {
            // Written with the next frame: if that is lost, the parcel is published again.
            let stream = &mut self.streams[ix];
            // For the engine no time passes, so this decides nothing that had to be done now.
            let published = Input::Published(number);
            let _accepted = stream.engine.handle(Timestamp::MIN, published);
        }
        self.look_at_times();
        self.ack(source, committed).await
    }

    /// Tells the source what is committed, in every stream.
    async fn ack(
        &mut self,
        source: &mut impl Source,
        committed: Option<u64>,
    ) -> Result<(), RuntimeError> {
        if let Some(cursor) = committed.filter(|_| committed > self.acked) {
            self.acked = committed;
            source.ack(Cursor(cursor)).await?;
        }
        Ok(())
    }

    /// Up to where everything is committed, once what was folded is durable.
    pub(super) fn committed(&self) -> Option<u64> {
        match self.held.first() {
            Some((first, _)) => first.checked_sub(1),
            None => self.last_cursor,
        }
    }

    /// Starts or cancels what a stream wanted, now that it is durable.
    fn start_or_cancel(&mut self, ix: usize, after: After) {
        match after {
            After::Start(job) => self.start(ix, job),
            After::Cancel(run, attempt) => {
                let is_it = |job: &Job| (job.run, job.attempt) == (run, attempt);
                self.waiting.retain(|(of, job)| *of != ix || !is_it(job));
                self.crews.cancel(self.streams[ix].engine.stream(), run, attempt);
            }
            // It is in the batch.
            After::Publish(_) | After::Tell(_) => {}
        }
    }

    /// Starts what waited for the crews to be rested.
    pub(super) fn start_waiting(&mut self) {
        for (ix, job) in std::mem::take(&mut self.waiting) {
            self.start(ix, job);
        }
    }

    fn start(&mut self, ix: usize, job: Job) {
        if self.crews.is_immediate(job.run.crew) && self.crews.is_tired() {
            self.waiting.push((ix, job));
            return;
        }
        let (run, attempt) = (job.run, job.attempt);
        match self.crews.start(self.streams[ix].engine.stream(), job) {
            Started::Later => self.under_way += 1,
            Started::Done(outcome) => {
                let outcome = redacted(outcome, &self.plan);
                let now = self.clock.now();
                self.tell(ix, now, Input::Result { run, attempt, outcome });
            }
        }
    }

    /// Takes note of when the clock matters next to streams that were touched, and what they hold.
    fn look_at_times(&mut self) {
        for ix in std::mem::take(&mut self.unseen) {
            self.streams[ix].is_unseen = false;
            self.look_at_time(ix);
        }
    }

    fn look_at_time(&mut self, ix: usize) {
        let stream = &mut self.streams[ix];
        let wake = stream.engine.next_wakeup();
        if wake != stream.wake {
            if let Some(old) = std::mem::replace(&mut stream.wake, wake) {
                self.wakeups.remove(&(old, ix));
            }
            self.wakeups.extend(wake.map(|at| (at, ix)));
        }
        let held = stream.engine.first_held();
        if held != stream.held {
            if let Some(old) = std::mem::replace(&mut stream.held, held) {
                self.held.remove(&(old, ix));
            }
            self.held.extend(held.map(|cursor| (cursor, ix)));
        }
        stream.holds.keep(stream.engine.held());
        let busy = if stream.engine.is_busy() { stream.holds } else { Holds::default() };
        let before = std::mem::replace(&mut stream.busy, busy);
        self.busy.events = self.busy.events + busy.events - before.events;
        self.busy.bytes = self.busy.bytes + busy.bytes - before.bytes;
    }
}
