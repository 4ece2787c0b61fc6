//! The chain: each frame's checksum covers the frame and the checksum before it, so a flipped bit,
//! a removed, swapped or transplanted frame never passes.

use serde::{Deserialize, Serialize};

use super::{Frame, MAX_BODY_BYTES, Mark, StoreError, StreamSummary};
use crate::engine::{Slice, StreamId, Timestamp};

/// BLAKE3, cut to 16 bytes.
pub(crate) type Sum = [u8; 16];

/// What a frame or snapshot is counted as beside its body and marks.
const OVERHEAD_BYTES: u64 = 64;
/// What [`encode_marks`] makes of one mark.
pub(crate) const MARK_BYTES: usize = 40;

/// The checksum of some parts of a sort of thing. Each goes in with its length, so no two lists of
/// parts read the same, and no checksum of one sort passes for another.
pub(crate) fn checksum(sort: &str, parts: &[&[u8]]) -> Sum {
    let mut hasher = blake3::Hasher::new();
    for part in [sort.as_bytes()].iter().chain(parts) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut sum = Sum::default();
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    sum
}

/// Where a chain stands after one frame; all zero before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// The frame.
    pub(crate) seq: u64,
    /// Commits in all frames so far, the pruned ones too.
    pub(crate) marks: u64,
    /// Bytes of all frames so far, the pruned ones too.
    pub(crate) bytes: u64,
    /// The checksum.
    pub(crate) sum: Sum,
}

impl Link {
    /// The link of the frame that follows this one; `marks` as [`encode_marks`] writes them.
    pub(crate) fn next(
        &self,
        stream: &StreamId,
        at: Timestamp,
        records: u32,
        marks: &[u8],
        body: &[u8],
    ) -> Self {
        let seq = self.seq.saturating_add(1);
        let size = OVERHEAD_BYTES + marks.len() as u64 + body.len() as u64;
        let mut next = Self {
            seq,
            marks: self.marks.saturating_add((marks.len() / MARK_BYTES) as u64),
            bytes: self.bytes.saturating_add(size),
            sum: Sum::default(),
        };
        let mut fixed = [0; 36];
        fixed[..8].copy_from_slice(&next.seq.to_le_bytes());
        fixed[8..16].copy_from_slice(&next.marks.to_le_bytes());
        fixed[16..24].copy_from_slice(&next.bytes.to_le_bytes());
        fixed[24..32].copy_from_slice(&at.micros().to_le_bytes());
        fixed[32..].copy_from_slice(&records.to_le_bytes());
        next.sum = checksum("frame", &[&self.sum, stream.as_str().as_bytes(), &fixed, marks, body]);
        next
    }
}

/// What is known of one stream without looking at its frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The last frame pruned.
    pub(crate) base: Link,
    /// The last frame written.
    pub(crate) last: Link,
    /// The last slice committed.
    pub(crate) last_slice: Option<Slice>,
    /// The frame the latest snapshot is after; 0 without one.
    pub(crate) snapshot: u64,
    /// Bytes of all snapshots kept.
    pub(crate) snapshot_bytes: u64,
}

impl Head {
    /// Moves on past `frame`.
    pub(crate) fn push(&mut self, frame: &Frame, marks: &[u8]) {
        self.last = self.last.next(&frame.stream, frame.at, frame.records, marks, &frame.body);
        self.last_slice = frame.marks.last().map(|mark| mark.slice).or(self.last_slice);
    }

    /// Takes note of a snapshot of `bytes` that takes the place of one of `replaced`.
    pub(crate) fn snapshot_written(&mut self, after: u64, bytes: u64, replaced: u64) {
        self.snapshot = self.snapshot.max(after);
        self.snapshot_bytes = self.snapshot_bytes.saturating_add(bytes).saturating_sub(replaced);
    }

    /// Bytes of all that is kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.last.bytes.saturating_sub(self.base.bytes).saturating_add(self.snapshot_bytes)
    }

    /// Refuses a snapshot that no kept frame leads to.
    pub(crate) fn check_snapshot(&self, stream: &StreamId, after: u64) -> Result<(), StoreError> {
        let first = self.base.seq.saturating_add(1);
        let last = self.last.seq;
        if after == 0 || after < self.base.seq || after > last {
            return Err(StoreError::Misplaced { stream: stream.clone(), after, first, last });
        }
        Ok(())
    }

    pub(crate) fn summary(&self, stream: &StreamId, sealed: bool) -> StreamSummary {
        StreamSummary {
            stream: stream.clone(),
            frames: self.last.seq.saturating_sub(self.base.seq),
            first_seq: self.base.seq.saturating_add(1),
            last_seq: self.last.seq,
            first_commit: self.base.marks,
            commits: self.last.marks.saturating_sub(self.base.marks),
            last_slice: self.last_slice,
            bytes: self.bytes(),
            sealed,
        }
    }
}

/// What a frame is counted as.
pub(crate) fn bytes(frame: &Frame) -> u64 {
    OVERHEAD_BYTES + (frame.marks.len() * MARK_BYTES) as u64 + frame.body.len() as u64
}

/// What a snapshot of this body is counted as.
pub(crate) fn snapshot_bytes(body_bytes: u64) -> u64 {
    OVERHEAD_BYTES.saturating_add(body_bytes)
}

/// Refuses frames that are bigger than a store takes.
pub(crate) fn check_frames(frames: &[Frame]) -> Result<(), StoreError> {
    for frame in frames {
        let bytes = frame.body.len().saturating_add(frame.marks.len().saturating_mul(MARK_BYTES));
        check_size("frame", &frame.stream, bytes)?;
    }
    Ok(())
}

/// Refuses a body that is bigger than a store takes.
pub(crate) fn check_size(
    what: &'static str,
    stream: &StreamId,
    bytes: usize,
) -> Result<(), StoreError> {
    if bytes > MAX_BODY_BYTES {
        let stream = stream.clone();
        return Err(StoreError::TooLarge { what, stream, bytes, max: MAX_BODY_BYTES });
    }
    Ok(())
}

/// Marks as 40 bytes each: slice, digest.
pub(crate) fn encode_marks(marks: &[Mark]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(marks.len() * MARK_BYTES);
    for mark in marks {
        bytes.extend_from_slice(&mark.slice.0.to_le_bytes());
        bytes.extend_from_slice(&mark.digest);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str) -> StreamId {
        StreamId::new(name).unwrap()
    }

    #[test]
    fn every_part_of_a_frame_and_what_came_before_it_enters_its_checksum() {
        let at = Timestamp::from_micros(7).unwrap();
        let marks = encode_marks(&[Mark { slice: Slice(3), digest: [9; 32] }]);
        let before = Link { seq: 4, marks: 2, bytes: 100, sum: [1; 16] };
        let link = before.next(&stream("a"), at, 2, &marks, b"body");
        assert_eq!((link.seq, link.marks, link.bytes), (5, 3, 100 + 64 + 40 + 4));

        let later = at.plus(crate::engine::Span::from_ms(1));
        let others = [
            Link { seq: 5, ..before }.next(&stream("a"), at, 2, &marks, b"body"),
            Link { marks: 3, ..before }.next(&stream("a"), at, 2, &marks, b"body"),
            Link { bytes: 101, ..before }.next(&stream("a"), at, 2, &marks, b"body"),
            Link { sum: [2; 16], ..before }.next(&stream("a"), at, 2, &marks, b"body"),
            before.next(&stream("b"), at, 2, &marks, b"body"),
            before.next(&stream("a"), later, 2, &marks, b"body"),
            before.next(&stream("a"), at, 3, &marks, b"body"),
            before.next(&stream("a"), at, 2, &[], b"body"),
            before.next(&stream("a"), at, 2, &marks, b"bodY"),
        ];
        for (n, other) in others.iter().enumerate() {
            assert_ne!(other.sum, link.sum, "part {n} does not enter");
        }
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let one = checksum("head", &[b"ab", b"c"]);
        assert_ne!(one, checksum("head", &[b"a", b"bc"]));
        assert_ne!(one, checksum("seal", &[b"ab", b"c"]));
    }
}
