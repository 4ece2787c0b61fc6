//! Journal records as bytes: what a store keeps in the body of a frame.
//!
//! A body begins with its format; a format this version does not know is refused, never guessed.

use bytes::Bytes;
use serde::Deserialize;

use super::{
    Header,
    encode::{append, append_record, append_signed},
};
use crate::engine::{Record, State, Timestamp};

/// The format this version writes.
pub const FORMAT: u8 = 1;

const HEADER: u8 = b'H';
const RECORDS: u8 = b'R';
const SNAPSHOT: u8 = b'S';

/// What the body of a frame can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// What the journal is about; the first frame, and again when crews changed (rule J6).
    Header(Box<Header>),
    /// Records in order, each with its instant.
    Records(Vec<(Timestamp, Record)>),
}

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer live-crew.
    #[error(
        "journal format {found} is newer than this live-crew knows ({FORMAT}); upgrade it to read this journal"
    )]
    NewerFormat {
        /// The format found.
        found: u8,
    },
    /// Not what live-crew writes.
    #[error("{what} cannot be read: {why}")]
    Malformed {
        /// What was expected.
        what: &'static str,
        /// Why it is not that.
        why: String,
    },
}

/// Records as the body of a frame.
pub fn encode_records(records: &[(Timestamp, Record)]) -> Bytes {
    let mut out = Vec::new();
    write_records(records, &mut out);
    out.into()
}

/// As [`encode_records`], into a vector that is used again.
pub fn write_records(records: &[(Timestamp, Record)], out: &mut Vec<u8>) {
    out.extend_from_slice(&[FORMAT, RECORDS]);
    let mut last = 0;
    for (at, record) in records {
        // Instants grow by little; the difference takes a byte or two.
        append_signed(out, at.micros() - last);
        append_record(out, record);
        last = at.micros();
    }
}

/// A header as the body of a frame.
pub fn encode_header(header: &Header) -> Bytes {
    let mut out = vec![FORMAT, HEADER];
    serde_json::to_writer(&mut out, header).expect("a header is plain data");
    out.into()
}

/// The body of a frame.
pub fn decode_body(body: &[u8]) -> Result<Body, DecodeError> {
    let (sort, mut rest) = open(body, "a frame")?;
    match sort {
        HEADER => Ok(Body::Header(Box::new(Header::from_json(rest)?))),
        RECORDS => {
            let mut records = Vec::new();
            let mut last: i64 = 0;
            while !rest.is_empty() {
                let step: i64 = take(&mut rest, "an instant")?;
                last = last
                    .checked_add(step)
                    .ok_or_else(|| malformed("an instant", "out of range"))?;
                let at = Timestamp::from_micros(last)
                    .ok_or_else(|| malformed("an instant", "outside the years 1 to 9999"))?;
                records.push((at, take(&mut rest, "a record")?));
            }
            Ok(Body::Records(records))
        }
        other => Err(malformed("a frame", &format!("unknown sort {other}"))),
    }
}

/// An engine at rest, with the header it runs under.
pub fn encode_snapshot(header: &Header, state: &State) -> Bytes {
    let header = serde_json::to_vec(header).expect("a header is plain data");
    let mut out = vec![FORMAT, SNAPSHOT];
    append(&mut out, &header);
    append(&mut out, state);
    // Kept for long: without what the vector grew beyond it.
    out.shrink_to_fit();
    out.into()
}

/// What [`encode_snapshot`] wrote.
pub fn decode_snapshot(body: &[u8]) -> Result<(Header, State), DecodeError> {
    let (sort, mut rest) = open(body, "a snapshot")?;
    if sort != SNAPSHOT {
        return Err(malformed("a snapshot", &format!("unknown sort {sort}")));
    }
    let header: Vec<u8> = take(&mut rest, "a header")?;
    let state = take(&mut rest, "a state")?;
    if !rest.is_empty() {
        return Err(malformed("a snapshot", "bytes are left over"));
    }
    Ok((Header::from_json(&header)?, state))
}

fn open<'a>(body: &'a [u8], what: &'static str) -> Result<(u8, &'a [u8]), DecodeError> {
    match body {
        [FORMAT, sort, rest @ ..] => Ok((*sort, rest)),
        [found, _, ..] if *found > FORMAT => Err(DecodeError::NewerFormat { found: *found }),
        _ => Err(malformed(what, "it has no format")),
    }
}

fn take<'de, T: Deserialize<'de>>(
    rest: &mut &'de [u8],
    what: &'static str,
) -> Result<T, DecodeError> {
    let (value, left) =
        postcard::take_from_bytes(rest).map_err(|error| malformed(what, &error.to_string()))?;
    *rest = left;
    Ok(value)
}

pub(super) fn malformed(what: &'static str, why: &str) -> DecodeError {
    DecodeError::Malformed { what, why: why.to_owned() }
}
