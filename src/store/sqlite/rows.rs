//! Streams and their frames as rows. Nothing that is read is believed before its checksum fits.

use std::collections::BTreeMap;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    super::frame::{Head, Link, MARK_BYTES, Sum, checksum, encode_marks},
    Fault, Frame, Mark, StoredFrame,
};
use crate::engine::{Slice, StreamId, Timestamp};

const SEQ_BITS: u32 = 40;
const FRAME_COLUMNS: &str = "key, at, records, link, marks, body";

/// A stream as it is kept.
pub(super) struct StreamRow {
    pub(super) stream: StreamId,
    pub(super) number: i64,
    pub(super) head: Head,
    pub(super) sum: Sum,
}

struct FrameRow {
    frame: StoredFrame,
    marks: Vec<u8>,
    link: Link,
}

/// The key of a frame, or of the snapshot after it.
pub(super) fn key(number: i64, seq: u64) -> i64 {
    number << SEQ_BITS | i64::try_from(seq).unwrap_or(i64::MAX)
}

/// The frame number in a key.
pub(super) fn seq(key: i64) -> u64 {
    u64::try_from(key & ((1 << SEQ_BITS) - 1)).expect("the mask leaves no sign bit")
}

pub(super) fn stream(
    connection: &Connection,
    stream: &StreamId,
) -> Result<Option<StreamRow>, Fault> {
    let mut find =
        connection.prepare_cached("SELECT name, number, head, sum FROM streams WHERE name = ?1")?;
    let mut found = find.query([stream.as_str()])?;
    found.next()?.map(stream_row).transpose()
}

/// All streams, by name.
pub(super) fn streams(connection: &Connection) -> Result<Vec<StreamRow>, Fault> {
    let mut list =
        connection.prepare_cached("SELECT name, number, head, sum FROM streams ORDER BY name")?;
    let mut rows = list.query([])?;
    let mut streams = Vec::new();
    while let Some(row) = rows.next()? {
        streams.push(stream_row(row)?);
    }
    Ok(streams)
}

/// Keeps what is known of a stream.
pub(super) fn put_stream(
    connection: &Connection,
    stream: &StreamId,
    number: i64,
    head: &Head,
) -> Result<(), Fault> {
    let head = postcard::to_stdvec(head).expect("plain numbers always serialize");
    let sum = head_sum(stream.as_str(), number, &head);
    let put = "INSERT OR REPLACE INTO streams (name, number, head, sum) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(put)?.execute(params![stream.as_str(), number, head, sum])?;
    Ok(())
}

pub(super) fn append(
    connection: &Connection,
    next_stream: &mut i64,
    frames: &[Frame],
) -> Result<Vec<u64>, Fault> {
    let mut heads: BTreeMap<&StreamId, (i64, Head)> = BTreeMap::new();
    let mut seqs = Vec::with_capacity(frames.len());
    let mut insert = connection.prepare_cached(&format!(
        "INSERT INTO frames ({FRAME_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    ))?;
    for frame in frames {
        if !heads.contains_key(&frame.stream) {
            let kept = stream(connection, &frame.stream)?.map(|row| (row.number, row.head));
            let new = || {
                *next_stream += 1;
                (*next_stream - 1, Head::default())
            };
            heads.insert(&frame.stream, kept.unwrap_or_else(new));
        }
        let (number, head) = heads.get_mut(&frame.stream).expect("it was put there above");
        let marks = encode_marks(&frame.marks);
        head.push(frame, &marks);
        let seq = head.last.seq;
        insert.execute(params![
            checked_key(&frame.stream, *number, seq)?,
            frame.at.micros(),
            frame.records,
            link_bytes(&head.last),
            marks,
            &frame.body[..],
        ])?;
        seqs.push(seq);
    }
    for (stream, (number, head)) in &heads {
        put_stream(connection, stream, *number, head)?;
    }
    Ok(seqs)
}

pub(super) fn read(
    connection: &Connection,
    name: &StreamId,
    after: u64,
    max_bytes: usize,
) -> Result<Vec<StoredFrame>, Fault> {
    let Some(StreamRow { number, head, .. }) = stream(connection, name)? else {
        return Ok(Vec::new());
    };
    if after >= head.last.seq {
        return Ok(Vec::new());
    }
    let start = link(connection, name, number, &head, after.max(head.base.seq))?;
    let mut at = start;
    let mut page = Vec::new();
    let mut find = connection.prepare_cached(&format!(
        "SELECT {FRAME_COLUMNS} FROM frames WHERE key > ?1 AND key <= ?2 ORDER BY key"
    ))?;
    let mut rows = find.query([key(number, start.seq), key(number, head.last.seq)])?;
    while at.seq < head.last.seq
        && (page.is_empty() || at.bytes.saturating_sub(start.bytes) < max_bytes as u64)
    {
        let row = rows.next()?.map(frame_row).transpose()?;
        let row = row.ok_or_else(|| Fault::corrupt(name, at.seq + 1, "the frame is missing"))?;
        at = follow(name, &head, at, &row)?;
        page.push(row.frame);
    }
    Ok(page)
}

/// The commit with this ordinal and its frame.
pub(super) fn mark(
    connection: &Connection,
    name: &StreamId,
    ordinal: u64,
) -> Result<Option<(u64, Mark)>, Fault> {
    let Some(StreamRow { number, head, .. }) = stream(connection, name)? else {
        return Ok(None);
    };
    if ordinal < head.base.marks || ordinal >= head.last.marks {
        return Ok(None);
    }
    let (mut before, mut holds) = (head.base.seq, head.last.seq);
    while holds - before > 1 {
        let middle = before + (holds - before) / 2;
        if link(connection, name, number, &head, middle)?.marks > ordinal {
            holds = middle;
        } else {
            before = middle;
        }
    }
    let missing = || Fault::corrupt(name, holds, "its commits are not what its checksum says");
    let before = link(connection, name, number, &head, before)?;
    let select = format!("SELECT {FRAME_COLUMNS} FROM frames WHERE key = ?1");
    let mut find = connection.prepare_cached(&select)?;
    let mut rows = find.query([key(number, holds)])?;
    let row = frame_row(rows.next()?.ok_or_else(missing)?)?;
    follow(name, &head, before, &row)?;
    // Had a damaged count led the search astray, the commit would not be in this frame.
    let index = ordinal.checked_sub(before.marks).and_then(|index| usize::try_from(index).ok());
    let mark = index.and_then(|index| decode_mark(&row.marks, index)).ok_or_else(missing)?;
    Ok(Some((holds, mark)))
}

/// Where the chain stands after a frame that is kept, or after the last one pruned.
pub(super) fn link(
    connection: &Connection,
    stream: &StreamId,
    number: i64,
    head: &Head,
    seq: u64,
) -> Result<Link, Fault> {
    if seq == head.base.seq {
        return Ok(head.base);
    }
    let mut find = connection.prepare_cached("SELECT link FROM frames WHERE key = ?1")?;
    let link = find.query_row([key(number, seq)], |row| Ok(link_from(seq, row.get(0)?)));
    let link = link.optional()?;
    link.ok_or_else(|| Fault::corrupt(stream, seq, "the frame is missing"))
}

/// The link of `row`, if the row is what follows `before`.
fn follow(stream: &StreamId, head: &Head, before: Link, row: &FrameRow) -> Result<Link, Fault> {
    let FrameRow { frame: StoredFrame { at, records, body, .. }, marks, link } = row;
    let next = before.next(stream, *at, *records, marks, body);
    let ends = next.seq < head.last.seq || next == head.last;
    if next == *link && ends {
        return Ok(next);
    }
    Err(Fault::corrupt(stream, next.seq, "the frame does not match its checksum"))
}

fn checked_key(stream: &StreamId, number: i64, seq: u64) -> Result<i64, Fault> {
    if seq >> SEQ_BITS == 0 && number >> (i64::BITS - 1 - SEQ_BITS) == 0 {
        return Ok(key(number, seq));
    }
    Err(Fault::Full(format!("stream `{stream}` cannot be given more numbers")))
}

fn stream_row(row: &Row<'_>) -> Result<StreamRow, Fault> {
    let (name, number): (String, i64) = (row.get(0)?, row.get(1)?);
    let head: Vec<u8> = row.get(2)?;
    let sum = row.get(3)?;
    let damaged = || Fault::Corrupt {
        stream: None,
        seq: None,
        why: "an entry of the list of streams does not match its checksum".to_owned(),
    };
    if head_sum(&name, number, &head) != sum {
        return Err(damaged());
    }
    let stream = StreamId::new(&name).map_err(|_| damaged())?;
    let head = postcard::from_bytes(&head).map_err(|_| damaged())?;
    Ok(StreamRow { stream, number, head, sum })
}

fn head_sum(name: &str, number: i64, head: &[u8]) -> Sum {
    checksum("head", &[name.as_bytes(), &number.to_le_bytes(), head])
}

fn frame_row(row: &Row<'_>) -> Result<FrameRow, Fault> {
    let seq = seq(row.get(0)?);
    let at = Timestamp::from_micros(row.get(1)?).ok_or_else(|| Fault::Corrupt {
        stream: None,
        seq: Some(seq),
        why: "a frame was written outside the years 1 to 9999".to_owned(),
    })?;
    let body = Bytes::from(row.get::<_, Vec<u8>>(5)?);
    let frame = StoredFrame { seq, at, records: row.get(2)?, body };
    Ok(FrameRow { frame, marks: row.get(4)?, link: link_from(seq, row.get(3)?) })
}

/// A link as it is kept: commits, bytes, checksum. Its frame number is in the key.
fn link_bytes(link: &Link) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&link.marks.to_le_bytes());
    bytes[8..16].copy_from_slice(&link.bytes.to_le_bytes());
    bytes[16..].copy_from_slice(&link.sum);
    bytes
}

fn link_from(seq: u64, bytes: [u8; 32]) -> Link {
    let (mut marks, mut size, mut sum) = ([0; 8], [0; 8], Sum::default());
    marks.copy_from_slice(&bytes[..8]);
    size.copy_from_slice(&bytes[8..16]);
    sum.copy_from_slice(&bytes[16..]);
    Link { seq, marks: u64::from_le_bytes(marks), bytes: u64::from_le_bytes(size), sum }
}

fn decode_mark(marks: &[u8], index: usize) -> Option<Mark> {
    let bytes = marks.chunks_exact(MARK_BYTES).nth(index)?;
    let (slice, digest) = bytes.split_at(8);
    Some(Mark {
        slice: Slice(i64::from_le_bytes(slice.try_into().ok()?)),
        digest: digest.try_into().ok()?,
    })
}
