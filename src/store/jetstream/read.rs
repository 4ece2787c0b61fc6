//! Finding and reading frames.

use std::collections::BTreeMap;

use async_nats::jetstream::{consumer::DeliverPolicy, stream::Stream};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{
    super::frame::{Head, MARK_BYTES, encode_marks, snapshot_bytes},
    FrameTag, JetStreamStore, Known, Link, Mark, Scope, SnapshotTag, StoreError, StoredFrame,
    StreamSummary,
    tag::{FRAME, PART, SNAPSHOT},
    write::mark_bytes,
};
use crate::{
    engine::{Slice, StreamId},
    nats::{NatsError, Stored, next, scan, subjects},
};

/// First frames asked for at a time.
const AT_ONCE: usize = 64;

/// A frame read back, with its place.
pub(super) struct Found {
    pub(super) tag: FrameTag,
    pub(super) marks: Vec<Mark>,
    pub(super) body: Bytes,
    pub(super) at: u64,
}

impl JetStreamStore {
    fn read_failed(&self, error: NatsError) -> StoreError {
        super::failed(&self.journal, "reading", error)
    }

    /// Makes sure that it is known what there is of a stream.
    pub(super) async fn learn(&mut self, stream: &StreamId) -> Result<(), StoreError> {
        if !self.is_listed {
            self.list().await?;
        }
        if self.forgotten.remove(stream) {
            let found = self.look_up(Some(stream)).await?;
            self.known.extend(found);
        }
        self.known.entry(stream.clone()).or_default();
        Ok(())
    }

    pub(super) async fn list(&mut self) -> Result<Vec<StreamSummary>, StoreError> {
        // A writer knows what it wrote; a reader looks again each time.
        if !(self.is_listed && self.fence.is_some()) {
            let only = match &self.scope {
                Scope::Stream(stream) => Some(stream.clone()),
                Scope::All | Scope::Shard { .. } => None,
            };
            self.known = self.look_up(only.as_ref()).await?;
            self.is_listed = true;
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
        let all = |what: &str| vec![format!("live.*.{what}")];
        let frames = only.map_or_else(|| all("journal"), |one| vec![subjects::journal(one)]);
        let kept = only.map_or_else(|| all("snapshots"), |one| vec![subjects::snapshots(one)]);
        let mut known = BTreeMap::<StreamId, Known>::new();
        let mut broken = None;
        let in_scope = |stored: &Stored| {
            subjects::stream_of(&stored.subject).filter(|stream| self.scope.has(stream))
        };
        let last = DeliverPolicy::LastPerSubject;
        let read = scan(&self.log, frames, last, true, |stored| {
            let Some(stream) = in_scope(&stored) else { return };
            let Some(tag) = stored.header(FRAME).and_then(FrameTag::read) else {
                broken.get_or_insert((stream, "its last frame"));
                return;
            };
            let known = known.entry(stream).or_default();
            known.head.last = tag.link;
            known.head.last_slice = tag.last_slice;
            known.last = Some((stored.sequence, tag));
        });
        read.await.map_err(|error| self.read_failed(error))?;
        let read = scan(&self.log, kept, DeliverPolicy::All, true, |stored| {
            let Some(stream) = in_scope(&stored) else { return };
            if stored.header(PART).is_some() {
                return;
            }
            let Some(tag) = stored.header(SNAPSHOT).and_then(SnapshotTag::read) else {
                broken.get_or_insert((stream, "one of its snapshots"));
                return;
            };
            let known = known.entry(stream).or_default();
            known.snapshots.insert(tag.frame.link.seq, (stored.sequence, tag));
        });
        read.await.map_err(|error| self.read_failed(error))?;
        if let Some((stream, what)) = broken {
            let why = format!("{what} cannot be told: a header of it is missing or damaged");
            return Err(self.corrupt(&stream, None, &why));
        }
        self.find_bases(&mut known).await?;
        Ok(known)
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

    /// Where to begin reading what comes after a frame: the link and the place of a frame that is
    /// not beyond it.
    fn start(known: &Known, after: u64) -> (Link, u64) {
        let snapshot = known.snapshots.range(..=after).next_back();
        let snapshot = snapshot.map(|(_, (_, tag))| (tag.frame.link, tag.frame_at));
        let reading = known.reading.filter(|(link, _)| link.seq <= after);
        let base = (known.head.base, 0);
        let later = |a: (Link, u64), b: (Link, u64)| if b.0.seq >= a.0.seq { b } else { a };
        [snapshot, reading].into_iter().flatten().fold(base, later)
    }

    pub(super) async fn read_page(
        &mut self,
        stream: &StreamId,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<StoredFrame>, StoreError> {
        self.learn(stream).await?;
        let known = &self.known[stream];
        let is_writer = self.fence.is_some();
        if is_writer && after >= known.head.last.seq {
            return Ok(Vec::new());
        }
        let (mut link, mut at) = Self::start(known, after);
        let (mut page, mut bytes) = (Vec::new(), 0_usize);
        while let Some(found) = self.next_frame(stream, link, at).await? {
            (link, at) = (found.tag.link, found.at);
            if link.seq > after {
                bytes =
                    bytes.saturating_add(64 + found.marks.len() * MARK_BYTES + found.body.len());
                let FrameTag { at, records, .. } = found.tag;
                page.push(StoredFrame { seq: link.seq, at, records, body: found.body });
                if bytes >= max_bytes {
                    break;
                }
            }
        }
        if let Some(known) = self.known.get_mut(stream) {
            known.reading = Some((link, at));
        }
        Ok(page)
    }

    /// The frame after the one with this link, which is stored at `at`; checked against it.
    pub(super) async fn next_frame(
        &self,
        stream: &StreamId,
        link: Link,
        at: u64,
    ) -> Result<Option<Found>, StoreError> {
        let subject = subjects::journal(stream);
        let (mut from, mut payload) = (at + 1, BytesMut::new());
        loop {
            let found = next(&self.log, &subject, from).await;
            let Some(stored) = found.map_err(|error| self.read_failed(error))? else {
                // Parts without their end were never part of the journal.
                return Ok(None);
            };
            payload.extend_from_slice(&stored.payload);
            from = stored.sequence + 1;
            if stored.header(PART).is_some() {
                continue;
            }
            let seq = Some(link.seq + 1);
            let Some(tag) = stored.header(FRAME).and_then(FrameTag::read) else {
                return Err(self.corrupt(stream, seq, "it has no header of a frame"));
            };
            let split = mark_bytes(&tag);
            if payload.len() < split {
                return Err(self.corrupt(stream, seq, "it is shorter than its header says"));
            }
            let body = payload.split_off(split).freeze();
            if link.next(stream, tag.at, tag.records, &payload, &body) != tag.link {
                let why = "it does not follow the frame before it, or was changed";
                return Err(self.corrupt(stream, Some(tag.link.seq), why));
            }
            let marks = decode_marks(&payload);
            debug_assert_eq!(encode_marks(&marks), payload);
            return Ok(Some(Found { tag, marks, body, at: stored.sequence }));
        }
    }

    pub(super) async fn find_mark(
        &mut self,
        stream: &StreamId,
        ordinal: u64,
    ) -> Result<Option<(u64, Mark)>, StoreError> {
        self.learn(stream).await?;
        let known = &self.known[stream];
        let Head { base, last, .. } = known.head;
        if !(base.marks..last.marks).contains(&ordinal) {
            return Ok(None);
        }
        let before = |tag: &FrameTag| tag.link.marks <= ordinal;
        let snapshots = known.snapshots.values().rev();
        let start = snapshots.map(|(_, tag)| tag).find(|tag| before(&tag.frame));
        let (mut link, mut at) = start.map_or((base, 0), |tag| (tag.frame.link, tag.frame_at));
        while let Some(found) = self.next_frame(stream, link, at).await? {
            (link, at) = (found.tag.link, found.at);
            if link.marks > ordinal {
                let first = link.marks - found.marks.len() as u64;
                let index = usize::try_from(ordinal - first).unwrap_or(usize::MAX);
                return Ok(found.marks.get(index).map(|mark| (link.seq, *mark)));
            }
        }
        Ok(None)
    }
}

async fn first_of(log: Stream, stream: StreamId) -> Result<(StreamId, Option<Stored>), NatsError> {
    let first = next(&log, &subjects::journal(&stream), 1).await?;
    Ok((stream, first))
}

fn decode_marks(bytes: &[u8]) -> Vec<Mark> {
    let (marks, _) = bytes.as_chunks::<MARK_BYTES>();
    let mark = |bytes: &[u8; MARK_BYTES]| {
        let (slice, digest) = bytes.split_first_chunk::<8>().expect("40 bytes begin with 8");
        let mut mark = Mark { slice: Slice(i64::from_le_bytes(*slice)), digest: [0; 32] };
        mark.digest.copy_from_slice(digest);
        mark
    };
    marks.iter().map(mark).collect()
}
