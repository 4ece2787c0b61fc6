//! What was folded becomes durable, and only then what follows from it is done (rules J1, J2).

use bytes::Bytes;

use super::{
    Clock, Crews, Runtime, RuntimeError, Started,
    driver::redacted,
    stream::{After, Stream},
};
use crate::{
    engine::{Emission, Input, Record, Span, Timestamp},
    store::{Frame, Mark, Retention, Rider, Snapshot, Store},
    transport::{Cursor, Sink, Source},
    wire,
};

/// A journal grows by this much, or by four snapshots, before the next one is due.
const SNAPSHOT_BYTES: u64 = 4 << 20;

impl<S: Store, K: Sink, C: Crews, T: Clock> Runtime<S, K, C, T> {
    /// Makes everything folded durable and does what follows, until nothing follows any more.
    pub(super) async fn settle(&mut self, source: &mut impl Source) -> Result<(), RuntimeError> {
        while !self.touched.is_empty() {
            let touched = self.make_durable().await?;
            self.do_after(&touched).await?;
        }
        self.ack(source).await
    }

    /// Writes one frame for each touched stream, all of them or none (rules J1, J2).
    pub(super) async fn make_durable(&mut self) -> Result<Vec<usize>, RuntimeError> {
        let touched = std::mem::take(&mut self.touched);
        let at = self.clock.now();
        let (mut frames, mut owners) = (Vec::new(), Vec::new());
        for &ix in &touched {
            let stream = &mut self.streams[ix];
            stream.touched = false;
            if std::mem::take(&mut stream.header_due) {
                frames.push(frame(stream, at, 0, wire::encode_header(&stream.header), Vec::new()));
                owners.push(ix);
            }
            let records = stream.engine.records();
            if !records.is_empty() {
                let mut marks: Vec<Mark> =
                    records.iter().filter_map(|(_, record)| mark(record)).collect();
                marks.shrink_to_fit();
                let body = &mut self.scratch.body;
                body.clear();
                wire::write_records(records, body);
                let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
                stream.unsnapshot_bytes += body.len() as u64;
                stream.engine.forget_records();
                frames.push(frame(stream, at, count, Bytes::copy_from_slice(body), marks));
                owners.push(ix);
            }
        }
        let riders = if self.store.carries() { self.riders(&touched).await? } else { Vec::new() };
        if !frames.is_empty() || !riders.is_empty() {
            let numbers = self.store.append_with(frames, riders, self.settled).await?;
            for (ix, number) in owners.into_iter().zip(numbers) {
                self.streams[ix].last_frame = number;
            }
        }
        self.settled = self.last_cursor;
        for &ix in &touched {
            self.update_wakeup(ix);
            if self.is_snapshot_due(&self.streams[ix]) {
                self.snapshot(ix, at).await?;
            }
        }
        Ok(touched)
    }

    /// The actions that the store takes along: those that follow from what is being made durable.
    async fn riders(&mut self, touched: &[usize]) -> Result<Vec<Rider>, RuntimeError> {
        let (mut riders, now) = (Vec::new(), self.clock.now());
        for &ix in touched {
            let stream = &self.streams[ix];
            let (plan, name) = (stream.engine.plan(), stream.engine.stream());
            for after in &stream.after {
                let After::Publish(parcel) = after else { continue };
                for item in &parcel.items {
                    let Emission::Action(action) = item else { continue };
                    let ttl = action.ttl_ms.map(Span::from_ms);
                    if ttl.is_some_and(|ttl| self.is_recovered && action.ts.plus(ttl) < now) {
                        // It may have been sent, and be gone since.
                        continue;
                    }
                    let mut body = Vec::new();
                    wire::write_action(
                        name,
                        &plan.crew(action.run.crew).spec.name,
                        action,
                        &mut body,
                    );
                    riders.push(Rider {
                        stream: name.clone(),
                        id: action.id.to_string(),
                        body: body.into(),
                        ttl,
                    });
                }
            }
        }
        // What a journal says was to be sent may have been sent before its writer ended.
        if std::mem::take(&mut self.is_recovered) && !riders.is_empty() {
            riders = self.store.unsent(riders).await?;
        }
        Ok(riders)
    }

    /// Rule J5. Commits alone do not tell: a busy slice fills the journal as a thousand quiet ones
    /// do, and what is not before a snapshot can neither be pruned nor spared on recovery.
    fn is_snapshot_due(&self, stream: &Stream) -> bool {
        let share = self.share().unwrap_or(u64::MAX);
        // What snapshots cost stays a fraction of what the journal does.
        let step = (share / 4).min(SNAPSHOT_BYTES).max(4 * stream.snapshot_bytes);
        stream.unsnapshot >= self.options.snapshot_every
            || (stream.unsnapshot > 0 && stream.unsnapshot_bytes >= step)
    }

    /// How much of the journal each stream may keep.
    fn share(&self) -> Option<u64> {
        let streams = self.streams.len().max(1) as u64;
        self.options.retention.max_bytes.map(|bytes| bytes / streams)
    }

    async fn snapshot(&mut self, ix: usize, at: Timestamp) -> Result<(), RuntimeError> {
        let keep = Retention { max_bytes: self.share(), ..self.options.retention };
        let stream = &mut self.streams[ix];
        stream.unsnapshot = 0;
        let Some(slice) = stream.last_slice else {
            return Ok(());
        };
        let body = wire::encode_snapshot(&stream.header, stream.engine.snapshot());
        (stream.unsnapshot_bytes, stream.snapshot_bytes) = (0, body.len() as u64);
        let snapshot = Snapshot { after: stream.last_frame, slice, body };
        let name = stream.engine.stream().clone();
        self.store.write_snapshot(&name, snapshot).await?;
        if keep.max_age.is_some() || keep.max_bytes.is_some() {
            self.store.prune(&name, &keep, at).await?;
        }
        Ok(())
    }

    fn update_wakeup(&mut self, ix: usize) {
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
        let busy = if stream.engine.is_busy() { stream.engine.held() } else { 0 };
        self.busy_events =
            self.busy_events + busy - std::mem::replace(&mut stream.busy_events, busy);
    }

    /// Starts, cancels and publishes what the touched streams wanted, now that it is durable.
    async fn do_after(&mut self, touched: &[usize]) -> Result<(), RuntimeError> {
        let mut batch = std::mem::take(&mut self.scratch.batch);
        let mut published = Vec::new();
        for &ix in touched {
            // What is added meanwhile is not durable yet.
            for after in std::mem::take(&mut self.streams[ix].after) {
                let stream = &mut self.streams[ix];
                let name = stream.engine.stream();
                match after {
                    After::Start(job) => {
                        let (run, attempt) = (job.run, job.attempt);
                        match self.crews.start(name, job) {
                            Started::Later => self.under_way += 1,
                            Started::Done(outcome) => {
                                let input = Input::Result {
                                    run,
                                    attempt,
                                    outcome: redacted(outcome, &self.plan),
                                };
                                let now = self.clock.now();
                                self.tell(ix, now, input);
                            }
                        }
                    }
                    After::Cancel(run, attempt) => self.crews.cancel(name, run, attempt),
                    After::Publish(parcel) => {
                        for item in &parcel.items {
                            batch.push(&stream.engine, item);
                        }
                        published.push((ix, parcel.number));
                    }
                }
            }
            let stream = &mut self.streams[ix];
            if self.options.tell_context
                && let Some(slice) = stream.last_slice
                && stream.told_slice != Some(slice)
            {
                stream.told_slice = Some(slice);
                batch.push_context(&stream.engine, slice);
            }
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
        Ok(())
    }

    /// Tells the source what is committed, in every stream.
    async fn ack(&mut self, source: &mut impl Source) -> Result<(), RuntimeError> {
        let committed = match self.held.first() {
            Some((first, _)) => first.checked_sub(1),
            None => self.last_cursor,
        };
        if let Some(cursor) = committed.filter(|_| committed > self.acked) {
            self.acked = committed;
            source.ack(Cursor(cursor)).await?;
        }
        Ok(())
    }
}

fn frame(stream: &Stream, at: Timestamp, records: u32, body: Bytes, marks: Vec<Mark>) -> Frame {
    Frame { stream: stream.engine.stream().clone(), at, records, body, marks }
}

fn mark(record: &Record) -> Option<Mark> {
    match record {
        Record::Commit { slice, digest } => Some(Mark { slice: *slice, digest: digest.0 }),
        _ => None,
    }
}
