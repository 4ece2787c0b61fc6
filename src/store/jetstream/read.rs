//! Finding out what there is.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use async_nats::jetstream::{consumer::DeliverPolicy, stream::Stream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{
    super::frame::{Head, snapshot_bytes},
    FrameTag, JetStreamStore, Known, Scope, SnapshotTag, StoreError, StreamSummary,
    tag::{FRAME, PART, SNAPSHOT},
};
use crate::{
    engine::StreamId,
    nats::{NatsError, Stored, Wanted, last, next, scan, subjects},
};

/// First frames asked for at a time.
const AT_ONCE: usize = 64;
/// Messages without their payloads asked for at a time.
const HEADERS_AHEAD: usize = 1_000;
/// How often a copy that lags is asked, and how long is waited between two.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// What a look at the messages of a scope has found.
struct Seen<'a> {
    scope: &'a Scope,
    known: BTreeMap<StreamId, Known>,
    broken: Option<(StreamId, &'static str)>,
}

impl Seen<'_> {
    fn stream(&self, stored: &Stored) -> Option<StreamId> {
        subjects::stream_of(&stored.subject).filter(|stream| self.scope.has(stream))
    }

    fn frame(&mut self, stored: &Stored) {
        let Some(stream) = self.stream(stored) else { return };
        let Some(tag) = stored.header(FRAME).and_then(FrameTag::read) else {
            self.broken.get_or_insert((stream, "its last frame"));
            return;
        };
        let known = self.known.entry(stream).or_default();
        known.head.last = tag.link;
        known.head.last_slice = tag.last_slice;
        known.last = Some((stored.sequence, tag));
    }

    fn snapshot(&mut self, stored: &Stored) {
        let Some(stream) = self.stream(stored).filter(|_| stored.header(PART).is_none()) else {
            return;
        };
        let Some(tag) = stored.header(SNAPSHOT).and_then(SnapshotTag::read) else {
            self.broken.get_or_insert((stream, "one of its snapshots"));
            return;
        };
        let known = self.known.entry(stream).or_default();
        known.snapshots.insert(tag.frame.link.seq, (stored.sequence, tag));
    }
}

impl JetStreamStore {
    pub(super) fn read_failed(&self, error: NatsError) -> StoreError {
        super::failed(&self.journal, "reading", error)
    }

    /// Makes sure that it is known what there is of a stream.
    pub(super) async fn learn(&mut self, stream: &StreamId) -> Result<(), StoreError> {
        if self.listed.is_none() {
            self.list().await?;
        }
        if self.forgotten.contains(stream) {
            let found = self.look_up(Some(stream)).await?;
            self.known.extend(found);
            self.forgotten.remove(stream);
        }
        let seen = self.listed;
        let unknown = || Known { seen, ..Known::default() };
        self.known.entry(stream.clone()).or_insert_with(unknown);
        Ok(())
    }

    pub(super) async fn list(&mut self) -> Result<Vec<StreamSummary>, StoreError> {
        // A writer knows what it wrote; a reader looks again each time.
        if self.listed.is_none() || self.fence.is_none() {
            let now = Instant::now();
            let only = match &self.scope {
                Scope::Stream(stream) => Some(stream.clone()),
                Scope::All | Scope::Shard { .. } => None,
            };
            self.known = self.look_up(only.as_ref()).await?;
            self.listed = Some(now);
        }
        let mut all = Vec::new();
        for (stream, known) in &self.known {
            if known.head.last.seq > 0 {
                all.push(known.head.summary(stream, false));
            }
        }
        Ok(all)
    }

    /// What is stored of one stream, or of all in scope.
    async fn look_up(
        &self,
        only: Option<&StreamId>,
    ) -> Result<BTreeMap<StreamId, Known>, StoreError> {
        let now = Instant::now();
        let mut seen = Seen { scope: &self.scope, known: BTreeMap::new(), broken: None };
        if let Some(stream) = only {
            // Any server may answer a scan; the last frame is asked of the one that leads.
            let frame = last(&self.log, &subjects::journal(stream)).await;
            if let Some(frame) = frame.map_err(|error| self.read_failed(error))? {
                seen.frame(&frame);
            }
        } else {
            let frames = vec!["live.*.journal".to_owned()];
            self.headers(frames, DeliverPolicy::LastPerSubject, |stored| seen.frame(stored))
                .await?;
        }
        let snapshots = only.map_or_else(|| "live.*.snapshots".to_owned(), subjects::snapshots);
        self.headers(vec![snapshots], DeliverPolicy::All, |stored| seen.snapshot(stored)).await?;
        let Seen { mut known, broken, .. } = seen;
        if let Some((stream, what)) = broken {
            let why = format!("{what} cannot be told: a header of it is missing or damaged");
            return Err(self.corrupt(&stream, None, &why));
        }
        self.find_bases(&mut known).await?;
        for known in known.values_mut() {
            known.seen = Some(now);
        }
        Ok(known)
    }

    /// Tells of the headers on some subjects, more than once where a copy that lags answers. A
    /// writer hears of all that was stored before it took over: it reads from a copy that has come
    /// as far as that.
    pub(super) async fn headers(
        &self,
        subjects: Vec<String>,
        from: DeliverPolicy,
        mut each: impl FnMut(&Stored),
    ) -> Result<(), StoreError> {
        let fence = self.fence.as_ref().filter(|_| self.copies() > 1);
        let term = fence.map(|fence| fence.subject.clone());
        let taken_over = fence.map_or(0, |fence| fence.last);
        for tries in 1..=TRIES {
            let wanted = Wanted {
                subjects: subjects.iter().cloned().chain(term.clone()).collect(),
                from,
                headers_only: true,
                at_once: HEADERS_AHEAD,
            };
            let mut reached = 0;
            let read = scan(&self.log, wanted, |stored| {
                if term.as_ref() == Some(&stored.subject) {
                    reached = stored.sequence;
                } else {
                    each(&stored);
                }
                ControlFlow::Continue(())
            });
            read.await.map_err(|error| self.read_failed(error))?;
            if reached >= taken_over {
                return Ok(());
            }
            tracing::debug!(reached, taken_over, "a copy that lags is asked again");
            tokio::time::sleep(PAUSE * tries).await;
        }
        let why = "the copy of it that answers does not catch up with the server that leads";
        Err(self.read_failed(NatsError::unanswered("for what is stored", why)))
    }

    /// Where each stream begins: only one with snapshots can have been pruned.
    async fn find_bases(&self, known: &mut BTreeMap<StreamId, Known>) -> Result<(), StoreError> {
        let mut asked = Vec::new();
        for (stream, known) in known.iter() {
            if !known.snapshots.is_empty() {
                asked.push(first_of(self.log.clone(), stream.clone()));
            }
        }
        let firsts = futures_util::stream::iter(asked).buffer_unordered(AT_ONCE);
        let firsts: Vec<_> = firsts.try_collect().await.map_err(|error| self.read_failed(error))?;
        for (stream, first) in firsts {
            let known = known.get_mut(&stream).expect("it was listed");
            let (_, earliest) = known.snapshots.first_key_value().expect("it has snapshots").1;
            let is_pruned = match &first {
                Some(first) => {
                    first.header(FRAME).and_then(FrameTag::read).is_none_or(|tag| tag.link.seq > 1)
                        && first.header(PART).is_none()
                }
                None => true,
            };
            if is_pruned {
                known.head.base = earliest.frame.link;
            }
            if first.is_none() {
                known.head.last = earliest.frame.link;
                known.head.last_slice = earliest.frame.last_slice;
            }
            let Head { snapshot_bytes: bytes, snapshot, .. } = &mut known.head;
            *bytes = known.snapshots.values().map(|(_, tag)| snapshot_bytes(tag.bytes)).sum();
            *snapshot = known.snapshots.last_key_value().map_or(0, |(after, _)| *after);
        }
        Ok(())
    }
}

async fn first_of(log: Stream, stream: StreamId) -> Result<(StreamId, Option<Stored>), NatsError> {
    let first = next(&log, &subjects::journal(&stream), 1).await?;
    Ok((stream, first))
}
