//! A write under way: what is in it, and what is done once it is durable (rules J1, J2).
//!
//! A store may take its time. Meanwhile events are taken in and handlers run; what comes of it waits
//! for the next write. One is under way at a time, so a journal is written in the order in which it
//! was decided.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{
    Clock, Crews, Runtime, RuntimeError,
    outgoing::Batch,
    stream::{After, Stream},
};
use crate::{
    engine::{Emission, LatePolicy, Record, Slice, Span, StreamId, Timestamp},
    store::{Frame, MAX_BODY_BYTES, Mark, Retention, Rider, Snapshot, Store, StoreError},
    transport::{Channel, Sink},
    wire,
};

/// A journal grows by this much, or by four snapshots, before the next one is due.
const SNAPSHOT_BYTES: u64 = 4 << 20;

/// The store, and the numbers of the frames it wrote.
pub(super) type Written<S> = (S, Result<Vec<u64>, StoreError>);

/// A write under way. It has the store with it.
pub(super) struct Writing<S> {
    work: Pin<Box<dyn Future<Output = Written<S>> + Send>>,
    /// The stream of each frame.
    pub(super) owners: Vec<usize>,
    /// What is done once it is durable.
    pub(super) then: Then,
}

/// What is done once a write is durable.
#[derive(Debug)]
pub(super) struct Then {
    /// Jobs to start and to call off, and the streams they are of.
    pub(super) jobs: Vec<(usize, After)>,
    /// What the world is told.
    pub(super) batch: Batch,
    /// The parcels in it.
    pub(super) published: Vec<(usize, u64)>,
    /// Up to where the source may forget its events.
    pub(super) committed: Option<u64>,
}

/// What a write consists of.
#[derive(Debug)]
struct Work {
    frames: Vec<Frame>,
    riders: Vec<Rider>,
    /// Whether some of the riders may have been sent before this process began.
    may_be_sent: bool,
    settled: Option<u64>,
    snapshots: Vec<DueSnapshot>,
    keep: Retention,
    at: Timestamp,
}

#[derive(Debug)]
struct DueSnapshot {
    stream: StreamId,
    /// The frame of this write that it is after, or the one before this write.
    after: Result<usize, u64>,
    slice: Slice,
    body: Bytes,
}

impl<S> std::fmt::Debug for Writing<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writing").field("then", &self.then).finish_non_exhaustive()
    }
}

impl<S> Writing<S> {
    /// Waits until it is durable, or is not. Dropping the future loses nothing.
    pub(super) async fn written(&mut self) -> Written<S> {
        poll_fn(|context| self.poll(context)).await
    }

    /// How far it is.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Written<S>> {
        self.work.as_mut().poll(context)
    }
}

impl Work {
    /// Writes one frame for each touched stream, all of them or none, then the snapshots.
    async fn write<S: Store>(self, store: &mut S) -> Result<Vec<u64>, StoreError> {
        let Self { frames, mut riders, may_be_sent, settled, snapshots, keep, at } = self;
        if may_be_sent && !riders.is_empty() {
            riders = store.unsent(riders).await?;
        }
        let mut numbers = Vec::new();
        if !frames.is_empty() || !riders.is_empty() {
            numbers = store.append_with(frames, riders, settled).await?;
        }
        for DueSnapshot { stream, after, slice, body } in snapshots {
            let after = after.map_or_else(|frame| frame, |place| numbers[place]);
            store.write_snapshot(&stream, Snapshot { after, slice, body }).await?;
            if keep.max_age.is_some() || keep.max_bytes.is_some() {
                store.prune(&stream, &keep, at).await?;
            }
        }
        Ok(numbers)
    }
}

impl<S: Store, K: Sink, C: Crews, T: Clock> Runtime<S, K, C, T> {
    /// Sets out to write everything that was folded.
    pub(super) fn begin_write(&mut self) -> Writing<S> {
        let touched = std::mem::take(&mut self.touched);
        let mut store = self.store.take().expect("one write is under way at a time");
        let (at, mut owners) = (self.clock.now(), Vec::new());
        let mut work = Work {
            frames: Vec::new(),
            riders: Vec::new(),
            may_be_sent: false,
            settled: std::mem::replace(&mut self.settled, self.last_cursor),
            snapshots: Vec::new(),
            keep: Retention { max_bytes: self.share(), ..self.options.retention },
            at,
        };
        for &ix in &touched {
            let stream = &mut self.streams[ix];
            stream.touched = false;
            if std::mem::take(&mut stream.header_due) {
                let header = wire::encode_header(&stream.header);
                work.frames.push(frame(stream, at, 0, header, Vec::new()));
                owners.push(ix);
            }
            let records = stream.engine.records();
            if !records.is_empty() {
                let mut marks: Vec<Mark> =
                    records.iter().filter_map(|(_, record)| mark(record)).collect();
                marks.shrink_to_fit();
                if self.options.tell_late {
                    stream.after.extend(records.iter().filter_map(|(_, record)| late(record)));
                }
                let body = &mut self.scratch.body;
                body.clear();
                wire::write_records(records, body);
                let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
                stream.unsnapshot_bytes += body.len() as u64;
                stream.engine.forget_records();
                work.frames.push(frame(stream, at, count, Bytes::copy_from_slice(body), marks));
                owners.push(ix);
            }
            if self.is_snapshot_due(&self.streams[ix]) {
                let own = owners.last().is_some_and(|&owner| owner == ix);
                work.snapshots.extend(self.snapshot(ix, own.then(|| owners.len() - 1)));
            }
        }
        let (then, riders) = self.then(&touched, store.carries(), at);
        if store.carries() {
            work.may_be_sent = std::mem::take(&mut self.is_recovered);
            work.riders = riders;
        }
        let write = async move {
            let written = work.write(&mut store).await;
            (store, written)
        };
        Writing { work: Box::pin(write), owners, then }
    }

    /// What follows once what the streams decided is durable, and what the store takes along.
    fn then(&mut self, touched: &[usize], carries: bool, now: Timestamp) -> (Then, Vec<Rider>) {
        let (mut jobs, mut published, mut along) = (Vec::new(), Vec::new(), Vec::new());
        let mut batch = std::mem::take(&mut self.scratch.batch);
        for &ix in touched {
            let stream = &mut self.streams[ix];
            for after in std::mem::take(&mut stream.after) {
                let parcel = match after {
                    After::Publish(parcel) => parcel,
                    After::Tell(what) => {
                        batch.push(&stream.engine, &what);
                        continue;
                    }
                    After::Start(_) | After::Cancel(..) => {
                        jobs.push((ix, after));
                        continue;
                    }
                };
                for item in &parcel.items {
                    if let Emission::Action(action) = item {
                        let ttl = action.ttl_ms.map(Span::from_ms);
                        // It may have been sent, and be gone since.
                        let is_over = ttl.is_some_and(|ttl| action.ts.plus(ttl) < now);
                        if !(is_over && self.is_recovered) {
                            along.push((batch.len(), ttl));
                        }
                    }
                    batch.push(&stream.engine, item);
                }
                published.push((ix, parcel.number));
            }
            if self.options.tell_context
                && let Some(slice) = stream.last_slice
                && stream.told_slice != Some(slice)
            {
                stream.told_slice = Some(slice);
                batch.push_context(&stream.engine, slice);
            }
        }
        let messages = batch.messages();
        let mut riders = Vec::new();
        if carries {
            for (at, ttl) in along {
                let message = &messages[at];
                debug_assert_eq!(message.channel, Channel::Action);
                riders.extend(message.stream.clone().zip(message.id).map(|(stream, id)| Rider {
                    stream,
                    id: id.to_string(),
                    body: message.body.clone(),
                    ttl,
                }));
            }
        }
        let committed = self.committed();
        (Then { jobs, batch, published, committed }, riders)
    }

    /// Takes the store back, with what came of the write.
    pub(super) fn end_write(
        &mut self,
        owners: &[usize],
        (store, numbers): Written<S>,
    ) -> Result<(), RuntimeError> {
        self.store = Some(store);
        for (&ix, number) in owners.iter().zip(numbers?) {
            self.streams[ix].last_frame = number;
        }
        Ok(())
    }

    /// Writes everything that was folded, and what is under way before it; what would follow from
    /// it does not.
    pub(super) async fn write_all(&mut self) -> Result<(), RuntimeError> {
        loop {
            let mut writing = match self.writing.take() {
                Some(writing) => writing,
                None if self.touched.is_empty() => return Ok(()),
                None => self.begin_write(),
            };
            let written = writing.written().await;
            self.end_write(&writing.owners, written)?;
        }
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

    /// The state of a stream, to be kept behind a frame of the write or behind the last one.
    fn snapshot(&mut self, ix: usize, frame: Option<usize>) -> Option<DueSnapshot> {
        let stream = &mut self.streams[ix];
        stream.unsnapshot = 0;
        let slice = stream.last_slice?;
        let body = wire::encode_snapshot(&stream.header, stream.engine.snapshot());
        (stream.unsnapshot_bytes, stream.snapshot_bytes) = (0, body.len() as u64);
        if body.len() > MAX_BODY_BYTES {
            // It spares work, no more: what is held is in the frames.
            tracing::warn!(stream = %stream.engine.stream(), bytes = body.len(), "a snapshot is left out: it would be too large");
            return None;
        }
        let after = frame.ok_or(stream.last_frame);
        Some(DueSnapshot { stream: stream.engine.stream().clone(), after, slice, body })
    }
}

fn frame(stream: &Stream, at: Timestamp, records: u32, body: Bytes, marks: Vec<Mark>) -> Frame {
    Frame { stream: stream.engine.stream().clone(), at, records, body, marks }
}

/// What is said of a late event; a dead letter is sent by the engine itself.
fn late(record: &Record) -> Option<After> {
    match record {
        Record::Late(_, LatePolicy::DeadLetter) => None,
        Record::Late(arrived, policy) => {
            Some(After::Tell(Emission::Late(Arc::clone(arrived), *policy)))
        }
        _ => None,
    }
}

fn mark(record: &Record) -> Option<Mark> {
    match record {
        Record::Commit { slice, digest } => Some(Mark { slice: *slice, digest: digest.0 }),
        _ => None,
    }
}
