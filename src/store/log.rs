//! A journal as one byte log: `[length u32][check of the length 4][item][checksum 16]`, item by item.
//!
//! A log cut short is not damage: its last append did not finish. Anything else is.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Mark, Snapshot,
    frame::{Link, checksum},
};
use crate::engine::{Slice, StreamId, Timestamp};

const PREFIX_BYTES: usize = 8;
const SUM_BYTES: usize = 16;

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Item {
    /// A stream whose first frames were pruned.
    Base { stream: StreamId, base: Link, last_slice: Option<Slice> },
    /// A frame and where it stands in its chain.
    Frame {
        stream: StreamId,
        at: Timestamp,
        records: u32,
        body: Bytes,
        marks: Vec<Mark>,
        link: Link,
        /// Whether it is the last frame of its append.
        ends_append: bool,
    },
    /// A snapshot.
    Snapshot { stream: StreamId, after: u64, slice: Slice, body: Bytes },
}

impl Item {
    pub(crate) fn snapshot(stream: &StreamId, snapshot: &Snapshot) -> Self {
        let Snapshot { after, slice, body } = snapshot.clone();
        Self::Snapshot { stream: stream.clone(), after, slice, body }
    }

    fn ends_append(&self) -> bool {
        match self {
            Self::Frame { ends_append, .. } => *ends_append,
            Self::Base { .. } | Self::Snapshot { .. } => true,
        }
    }
}

/// A log read back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// The items of all finished appends.
    pub(crate) items: Vec<Item>,
    /// Where the log would have to be cut, if its last append did not finish.
    pub(crate) torn_at: Option<usize>,
}

/// Damage that is not a torn tail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DamagedLog {
    /// Where the item starts.
    pub(crate) offset: usize,
    /// What is wrong with it.
    pub(crate) why: &'static str,
}

/// Appends one item to a log.
pub(crate) fn encode(item: &Item, log: &mut Vec<u8>) {
    let bytes = postcard::to_stdvec(item).expect("plain data in memory always serializes");
    let length = u32::try_from(bytes.len()).expect("`MAX_BODY_BYTES` is far below 4 GiB");
    let length = length.to_le_bytes();
    log.extend_from_slice(&length);
    log.extend_from_slice(&length_check(length));
    log.extend_from_slice(&bytes);
    log.extend_from_slice(&checksum("log item", &[&bytes]));
}

/// Reads a whole log.
pub(crate) fn decode(log: &[u8]) -> Result<Decoded, DamagedLog> {
    let mut items = Vec::new();
    let (mut offset, mut finished_items, mut finished_at) = (0, 0, 0);
    while let Some((item, length)) = decode_item(&log[offset..], offset)? {
        offset += length;
        let ends = item.ends_append();
        items.push(item);
        if ends {
            (finished_items, finished_at) = (items.len(), offset);
        }
    }
    items.truncate(finished_items);
    Ok(Decoded { items, torn_at: (finished_at < log.len()).then_some(finished_at) })
}

/// The item `rest` starts with and its length, or `None` if it is not all there.
fn decode_item(rest: &[u8], offset: usize) -> Result<Option<(Item, usize)>, DamagedLog> {
    let damaged = |why| DamagedLog { offset, why };
    let Some((prefix, rest)) = rest.split_first_chunk::<PREFIX_BYTES>() else {
        return Ok(None);
    };
    let [a, b, c, d, check @ ..] = *prefix;
    // Checked by itself: a damaged length must not pass for a torn tail.
    if check != length_check([a, b, c, d]) {
        return Err(damaged("its length does not match its check"));
    }
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let Some((bytes, rest)) = rest.split_at_checked(length) else {
        return Ok(None);
    };
    let Some((sum, _)) = rest.split_first_chunk::<SUM_BYTES>() else {
        return Ok(None);
    };
    if *sum != checksum("log item", &[bytes]) {
        return Err(damaged("it does not match its checksum"));
    }
    let item = postcard::from_bytes(bytes).map_err(|_| damaged("it is no item known here"))?;
    Ok(Some((item, PREFIX_BYTES + length + SUM_BYTES)))
}

fn length_check(length: [u8; 4]) -> [u8; 4] {
    let [a, b, c, d, ..] = checksum("log length", &[&length]);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<Item> {
        let stream = StreamId::new("match-7").unwrap();
        let frame = |seq: u64, ends_append| Item::Frame {
            stream: stream.clone(),
            at: Timestamp::from_micros(5).unwrap(),
            records: 1,
            body: Bytes::from(vec![u8::try_from(seq).unwrap(); 20]),
            marks: vec![Mark { slice: Slice(1), digest: [7; 32] }],
            link: Link { seq, ..Link::default() },
            ends_append,
        };
        let body = Bytes::from_static(b"state");
        let snapshot = Snapshot { after: 3, slice: Slice(1), body };
        let base = Item::Base { stream: stream.clone(), base: Link::default(), last_slice: None };
        vec![
            base,
            frame(1, true),
            frame(2, false),
            frame(3, true),
            Item::snapshot(&stream, &snapshot),
        ]
    }

    /// The log and where each item ends.
    fn log() -> (Vec<u8>, Vec<usize>) {
        let mut log = Vec::new();
        let ends = items()
            .iter()
            .map(|item| {
                encode(item, &mut log);
                log.len()
            })
            .collect();
        (log, ends)
    }

    #[test]
    fn a_log_comes_back() {
        assert_eq!(decode(&log().0), Ok(Decoded { items: items(), torn_at: None }));
        assert_eq!(decode(&[]), Ok(Decoded { items: vec![], torn_at: None }));
    }

    #[test]
    fn a_log_cut_anywhere_yields_its_finished_appends_and_says_where_they_end() {
        let (log, ends) = log();
        for cut in 0..log.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            // The second append has two frames: one alone does not count.
            let finished = if whole == 3 { 2 } else { whole };
            let finished_at = finished.checked_sub(1).map_or(0, |last| ends[last]);
            let torn_at = (finished_at < cut).then_some(finished_at);
            let expected = Decoded { items: items()[..finished].to_vec(), torn_at };
            assert_eq!(decode(&log[..cut]), Ok(expected), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_is_always_damage_at_its_item_and_never_a_torn_tail() {
        let (log, ends) = log();
        for bit in 0..log.len() * 8 {
            let mut flipped = log.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let item = ends.iter().filter(|end| **end <= bit / 8).count();
            let offset = item.checked_sub(1).map_or(0, |before| ends[before]);
            assert_eq!(decode(&flipped).map_err(|damage| damage.offset), Err(offset), "bit {bit}");
        }
    }
}
