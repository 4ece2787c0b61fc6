//! Frames, one after the other, each checked against the one before it.

use std::ops::ControlFlow;

use async_nats::jetstream::consumer::DeliverPolicy;
use bytes::{Bytes, BytesMut};

use super::{
    super::frame::{Head, MARK_BYTES, encode_marks},
    FrameTag, JetStreamStore, Known, Link, Mark, StoreError, StoredFrame,
    tag::{FRAME, PART},
    write::mark_bytes,
};
use crate::{
    engine::{Slice, StreamId},
    nats::{Stored, Wanted, next, scan, subjects},
};

/// What is asked for at a time: about so many bytes, but no more messages than this, since the
/// next ones may be greater than the first.
const AHEAD_BYTES: usize = 1 << 20;
const AHEAD: usize = 256;
/// So many frames are quicker asked for one by one.
const FEW: u64 = 32;

/// A frame read back, with its place.
pub(super) struct Found {
    pub(super) tag: FrameTag,
    pub(super) marks: Vec<Mark>,
    pub(super) body: Bytes,
    pub(super) at: u64,
}

impl Found {
    fn size(&self) -> usize {
        64 + self.marks.len() * MARK_BYTES + self.body.len()
    }
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

/// Puts messages together to frames.
struct Chain<'a> {
    store: &'a JetStreamStore,
    stream: &'a StreamId,
    /// The frame before.
    link: Link,
    /// Parts of the one that is coming.
    payload: BytesMut,
}

impl Chain<'_> {
    /// The frame that a message completes.
    fn take(&mut self, stored: &Stored) -> Result<Option<Found>, StoreError> {
        self.payload.extend_from_slice(&stored.payload);
        if stored.header(PART).is_some() {
            return Ok(None);
        }
        let mut payload = std::mem::take(&mut self.payload);
        let corrupt = |seq, why| Err(self.store.corrupt(self.stream, Some(seq), why));
        let Some(tag) = stored.header(FRAME).and_then(FrameTag::read) else {
            return corrupt(self.link.seq + 1, "it has no header of a frame");
        };
        let split = mark_bytes(&tag);
        if payload.len() < split {
            return corrupt(self.link.seq + 1, "it is shorter than its header says");
        }
        let body = payload.split_off(split).freeze();
        if self.link.next(self.stream, tag.at, tag.records, &payload, &body) != tag.link {
            let why = "it does not follow the frame before it, or was changed";
            return corrupt(tag.link.seq, why);
        }
        self.link = tag.link;
        let marks = decode_marks(&payload);
        debug_assert_eq!(encode_marks(&marks), payload);
        Ok(Some(Found { tag, marks, body, at: stored.sequence }))
    }
}

impl JetStreamStore {
    /// Frames after the one with this link, which is stored at `at`, until there are enough; none
    /// only at the end of the journal.
    pub(super) async fn frames(
        &self,
        stream: &StreamId,
        (link, at): (Link, u64),
        mut is_enough: impl FnMut(&Found) -> bool,
    ) -> Result<Vec<Found>, StoreError> {
        let subject = subjects::journal(stream);
        let mut chain = Chain { store: self, stream, link, payload: BytesMut::new() };
        let mut frames = Vec::new();
        let mut from = at + 1;
        // Only a writer knows where the journal ends.
        let known = self.fence.as_ref().and_then(|_| self.known.get(stream));
        let end = known.map(|known| known.head.last.seq);
        let are_few = end.is_some_and(|end| end <= link.seq + FEW);
        // The first from the server that leads: most readers are at the end, and learn it there.
        while frames.is_empty() || are_few {
            let found = next(&self.log, &subject, from).await;
            let Some(stored) = found.map_err(|error| self.read_failed(error))? else {
                // Parts without their end were never part of the journal.
                return Ok(frames);
            };
            from = stored.sequence + 1;
            let Some(found) = chain.take(&stored)? else { continue };
            let is_last = is_enough(&found) || end == Some(found.tag.link.seq);
            frames.push(found);
            if is_last {
                return Ok(frames);
            }
        }
        let wanted = Wanted {
            subjects: vec![subject],
            from: DeliverPolicy::ByStartSequence { start_sequence: from },
            headers_only: false,
            at_once: (AHEAD_BYTES / frames[0].size()).clamp(1, AHEAD),
        };
        let mut broken = None;
        let read = scan(&self.log, wanted, |stored| {
            let found = match chain.take(&stored) {
                Ok(None) => return ControlFlow::Continue(()),
                Ok(Some(found)) => found,
                Err(error) => {
                    broken = Some(error);
                    return ControlFlow::Break(());
                }
            };
            let is_last = is_enough(&found);
            frames.push(found);
            if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if let Err(error) = read.await {
            // Whoever wants more goes on behind what came, and hears of it if it lasts.
            tracing::debug!(%error, "a page of frames ended early");
        }
        broken.map_or(Ok(frames), Err)
    }

    /// Where to begin reading what comes after a frame: the link and the place of a frame that is
    /// not beyond it.
    fn start(known: &Known, is_before: impl Fn(&Link) -> bool) -> (Link, u64) {
        let snapshots = known.snapshots.values().rev().map(|(_, tag)| tag);
        let snapshot =
            snapshots.map(|tag| (tag.frame.link, tag.frame_at)).find(|(link, _)| is_before(link));
        let reading = known.reading.filter(|(link, _)| is_before(link));
        let base = (known.head.base, 0);
        let places = [snapshot, reading].into_iter().flatten();
        places.fold(base, |a, b| if b.0.seq >= a.0.seq { b } else { a })
    }

    pub(super) async fn read_page(
        &mut self,
        stream: &StreamId,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<StoredFrame>, StoreError> {
        self.learn(stream).await?;
        let known = &self.known[stream];
        if self.fence.is_some() && after >= known.head.last.seq {
            return Ok(Vec::new());
        }
        let mut place = Self::start(known, |link| link.seq <= after);
        let (mut page, mut bytes) = (Vec::new(), 0_usize);
        while page.is_empty() {
            let read = self.frames(stream, place, |found| {
                if found.tag.link.seq > after {
                    bytes = bytes.saturating_add(found.size());
                }
                bytes >= max_bytes && found.tag.link.seq > after
            });
            let frames = read.await?;
            let Some(last) = frames.last() else { break };
            place = (last.tag.link, last.at);
            page.extend(frames.into_iter().filter(|found| found.tag.link.seq > after));
        }
        self.known.get_mut(stream).expect("it was learnt").reading = Some(place);
        let stored = |found: Found| {
            let FrameTag { link, at, records, .. } = found.tag;
            StoredFrame { seq: link.seq, at, records, body: found.body }
        };
        Ok(page.into_iter().map(stored).collect())
    }

    /// A frame and where it is stored, if there is one of that number.
    pub(super) async fn frame(
        &self,
        stream: &StreamId,
        seq: u64,
    ) -> Result<Option<Found>, StoreError> {
        let mut place = Self::start(&self.known[stream], |link| link.seq < seq);
        loop {
            let mut frames = self.frames(stream, place, |found| found.tag.link.seq >= seq).await?;
            let Some(last) = frames.pop() else { return Ok(None) };
            if last.tag.link.seq >= seq {
                return Ok(Some(last).filter(|found| found.tag.link.seq == seq));
            }
            place = (last.tag.link, last.at);
        }
    }

    pub(super) async fn find_marks(
        &mut self,
        stream: &StreamId,
        from: u64,
        at_most: usize,
    ) -> Result<Vec<(u64, Mark)>, StoreError> {
        self.learn(stream).await?;
        let known = &self.known[stream];
        let Head { base, last, .. } = known.head;
        let end = last.marks.min(from.saturating_add(at_most as u64));
        let mut marks = Vec::new();
        if from < base.marks || from >= end {
            return Ok(marks);
        }
        let mut place = Self::start(known, |link| link.marks <= from);
        while (marks.len() as u64) < end - from {
            let frames = self.frames(stream, place, |found| found.tag.link.marks >= end).await?;
            if frames.is_empty() {
                break;
            }
            for found in frames {
                let link = found.tag.link;
                let first = link.marks - found.marks.len() as u64;
                let numbered = (first..).zip(found.marks);
                let wanted = numbered.filter(|(ordinal, _)| (from..end).contains(ordinal));
                marks.extend(wanted.map(|(_, mark)| (link.seq, mark)));
                if link.marks <= end {
                    place = (link, found.at);
                }
            }
        }
        self.known.get_mut(stream).expect("it was learnt").reading = Some(place);
        Ok(marks)
    }
}
