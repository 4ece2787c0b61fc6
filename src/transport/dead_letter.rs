//! What could not be an event, why, and where it stood.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use super::Cursor;
use crate::json::{Place, write_string};

/// As much of a refused text as a dead letter shows.
pub const RAW_BYTES: usize = 4 << 10;

/// Something that arrived and was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it came from: a path, `stdin`, a subject.
    pub source: Arc<str>,
    /// Where the fault is in the whole input, if the input has lines.
    pub place: Option<Place>,
    /// What is wrong and what would be right.
    pub reason: String,
    /// The refused text, cut to [`RAW_BYTES`].
    pub raw: Bytes,
    /// True when `raw` is not all of it.
    pub truncated: bool,
    /// Its place among the deliveries of its source.
    pub cursor: Cursor,
}

impl DeadLetter {
    /// An event that was well formed and is refused all the same.
    pub fn from_event(reason: String, text: &[u8], cursor: Cursor) -> Self {
        let (raw, truncated) = Self::cut(text);
        Self { source: "ingress".into(), place: None, reason, raw, truncated, cursor }
    }

    /// `text` cut to what a dead letter shows, and whether something was cut off. A copy: a dead
    /// letter may be kept for long, the chunk it came in should not be.
    pub(super) fn cut(text: &[u8]) -> (Bytes, bool) {
        let shown = &text[..text.len().min(RAW_BYTES)];
        (Bytes::copy_from_slice(shown), shown.len() < text.len())
    }

    /// The canonical JSON text of it. Bytes that are not UTF-8 are shown as `\u{fffd}`.
    pub fn to_json(&self) -> Bytes {
        let mut out = format!(r#"{{"cursor":{},"place":"#, self.cursor.0).into_bytes();
        let place = self.place.map_or_else(
            || String::from("null"),
            |Place { line, column, offset }| {
                format!(r#"{{"column":{column},"line":{line},"offset":{offset}}}"#)
            },
        );
        out.extend_from_slice(place.as_bytes());
        out.extend_from_slice(br#","raw":"#);
        write_string(&String::from_utf8_lossy(&self.raw), &mut out);
        out.extend_from_slice(br#","reason":"#);
        write_string(&self.reason, &mut out);
        out.extend_from_slice(br#","source":"#);
        write_string(&self.source, &mut out);
        out.extend_from_slice(format!(r#","truncated":{}}}"#, self.truncated).as_bytes());
        out.into()
    }
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.source)?;
        if let Some(place) = self.place {
            write!(f, ", line {}, column {}", place.line, place.column)?;
        }
        write!(f, ": {}", self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(raw: &[u8]) -> DeadLetter {
        let (raw, truncated) = DeadLetter::cut(raw);
        DeadLetter {
            source: "events.jsonl".into(),
            place: Some(Place { line: 3, column: 8, offset: 40 }),
            reason: "expected a value, found `nope`".into(),
            raw,
            truncated,
            cursor: Cursor(60),
        }
    }

    #[test]
    fn a_dead_letter_says_where_and_why() {
        assert_eq!(
            letter(b"x").to_string(),
            "`events.jsonl`, line 3, column 8: expected a value, found `nope`"
        );
    }

    #[test]
    fn a_dead_letter_is_written_as_canonical_json() {
        let text = letter(b"{\"ts\": \xff nope}").to_json();
        assert_eq!(
            String::from_utf8_lossy(&text),
            concat!(
                r#"{"cursor":60,"place":{"column":8,"line":3,"offset":40},"#,
                r#""raw":"{\"ts\": � nope}","reason":"expected a value, found `nope`","#,
                r#""source":"events.jsonl","truncated":false}"#
            )
        );
        let without_place = DeadLetter { place: None, ..letter(b"") }.to_json();
        assert!(without_place.starts_with(br#"{"cursor":60,"place":null,"raw":"""#));
    }

    #[test]
    fn a_dead_letter_shows_no_more_than_its_limit() {
        let letter = letter(&[b'x'; RAW_BYTES + 1]);
        assert_eq!((letter.raw.len(), letter.truncated), (RAW_BYTES, true));
    }
}
