//! What the headers of a stored frame or snapshot say, so that most questions need no payload.

use std::{fmt::Write, str::SplitAsciiWhitespace};

use super::super::frame::{Link, Sum};
use crate::engine::{Slice, Timestamp};

pub(super) const FRAME: &str = "Live-Frame";
pub(super) const SNAPSHOT: &str = "Live-Snapshot";
/// On every part of something too big for one message but the last.
pub(super) const PART: &str = "Live-Part";
/// On a term: up to where input was done with when some was refused.
pub(super) const SETTLED: &str = "Live-Settled";

/// A frame without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrameTag {
    pub(super) link: Link,
    pub(super) at: Timestamp,
    pub(super) records: u32,
    /// Commits in this frame.
    pub(super) marks: u64,
    /// The last slice committed up to here.
    pub(super) last_slice: Option<Slice>,
    /// What its source delivered up to here was in the journals of the shard before this frame.
    pub(super) settled: Option<u64>,
}

/// A snapshot without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SnapshotTag {
    /// The frame it is after.
    pub(super) frame: FrameTag,
    /// Where that frame is stored.
    pub(super) frame_at: u64,
    pub(super) slice: Slice,
    pub(super) bytes: u64,
    pub(super) sum: Sum,
}

impl FrameTag {
    pub(super) fn write(&self) -> String {
        let Link { seq, marks, bytes, sum } = self.link;
        let or_none = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
        let slice = or_none(self.last_slice.map(|slice| slice.0.to_string()));
        let settled = or_none(self.settled.map(|cursor| cursor.to_string()));
        let (at, records, own) = (self.at.micros(), self.records, self.marks);
        format!("{seq} {marks} {bytes} {} {at} {records} {own} {slice} {settled}", hex(&sum))
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let tag = Self::take(&mut words)?;
        words.next().is_none().then_some(tag)
    }

    fn take(words: &mut SplitAsciiWhitespace<'_>) -> Option<Self> {
        let mut next = || words.next();
        Some(Self {
            link: Link {
                seq: next()?.parse().ok()?,
                marks: next()?.parse().ok()?,
                bytes: next()?.parse().ok()?,
                sum: unhex(next()?)?,
            },
            at: Timestamp::from_micros(next()?.parse().ok()?)?,
            records: next()?.parse().ok()?,
            marks: next()?.parse().ok()?,
            last_slice: match next()? {
                "-" => None,
                slice => Some(Slice(slice.parse().ok()?)),
            },
            settled: match next()? {
                "-" => None,
                cursor => Some(cursor.parse().ok()?),
            },
        })
    }
}

impl SnapshotTag {
    pub(super) fn write(&self) -> String {
        let (slice, at, bytes) = (self.slice.0, self.frame_at, self.bytes);
        format!("{slice} {at} {bytes} {} {}", hex(&self.sum), self.frame.write())
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let mut next = || words.next();
        let slice = Slice(next()?.parse().ok()?);
        let frame_at = next()?.parse().ok()?;
        let bytes = next()?.parse().ok()?;
        let sum = unhex(next()?)?;
        let frame = FrameTag::take(&mut words)?;
        words.next().is_none().then_some(Self { frame, frame_at, slice, bytes, sum })
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text grows");
        text
    })
}

fn unhex(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    if text.len() != 2 * sum.len() {
        return None;
    }
    for (at, byte) in sum.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_back() {
        let link = Link { seq: 3, marks: 9, bytes: 512, sum: [0xa7; 16] };
        let at = Timestamp::from_micros(-7).unwrap();
        let (last_slice, settled) = (Some(Slice(-1)), Some(70));
        let frame = FrameTag { link, at, records: 4, marks: 2, last_slice, settled };
        assert_eq!(FrameTag::read(&frame.write()), Some(frame.clone()));
        let none = FrameTag { last_slice: None, settled: None, ..frame.clone() };
        assert_eq!(FrameTag::read(&none.write()), Some(none));
        let snapshot = SnapshotTag { frame, frame_at: 77, slice: Slice(5), bytes: 6, sum: [1; 16] };
        assert_eq!(SnapshotTag::read(&snapshot.write()), Some(snapshot.clone()));
        assert_eq!(SnapshotTag::read(&snapshot.frame.write()), None);
        assert_eq!(FrameTag::read("1 2 3"), None);
    }
}
