//! Cuts bytes into elements: JSON Lines, or the elements of one JSON array.
//!
//! Pure and incremental: any chunking of the same bytes gives the same frames. An element is found
//! by its quotes and brackets alone, so one that is not JSON is refused alone, later, by whoever
//! reads it. Memory is bounded: an element over the limit is reported when it passes the limit and
//! dropped as it streams by.

mod array;
mod lines;
mod scan;

use array::Array;
use bytes::{Buf, Bytes};
use lines::Lines;
use memchr::{memchr_iter, memrchr};

use crate::json::Place;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One element, or a piece of the input that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Where the text starts, in the whole input.
    pub place: Place,
    /// The element without the blanks around it; the beginning of it when it was too large.
    pub text: Bytes,
    /// Bytes of input up to and with this element; grows from frame to frame.
    pub end: u64,
    /// Why this is no element; `None` says nothing yet about what is inside.
    pub fault: Option<Fault>,
}

/// What is wrong with the input between or around elements.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Longer than one event may be.
    #[error("longer than `event_bytes` = {limit} bytes; make it smaller or raise that limit")]
    TooLarge {
        /// The limit that was passed.
        limit: usize,
    },
    /// A line of JSON Lines that only opens an object.
    #[error(
        "`{{` alone on its line looks like pretty-printed JSON; \
         write one event per line, or all events in one JSON array"
    )]
    PrettyPrinted,
    /// Two elements side by side.
    #[error("expected `,` or `]` after the element before; put a `,` between elements")]
    MissingComma,
    /// A comma where an element should start.
    #[error("expected an element before this `,`; remove the extra `,`")]
    ExtraComma,
    /// A comma, then the end of the array.
    #[error("expected an element between `,` and `]`; remove the `,` before `]`")]
    TrailingComma,
    /// An element of an array that runs into the next one or into the end of the input.
    #[error(
        "a quote or a bracket of this element is not closed; close it, and write `\\n` for a line break in a string"
    )]
    Unclosed,
    /// The input ends before the array does.
    #[error("the input ends inside the array; close it with `]`")]
    OpenArray,
    /// Something follows the array.
    #[error("expected nothing after the closing `]`; remove it, or write one event per line")]
    AfterArray,
}

/// Splits one input. The first byte that is not blank decides: `[` is an array, all else lines.
#[derive(Debug)]
pub struct Framer {
    limit: usize,
    start: Place,
    bom: usize,
    shape: Option<Shape>,
}

#[derive(Debug)]
enum Shape {
    Lines(Lines),
    Array(Array),
}

impl Framer {
    /// A framer at the start of its input; no element may be longer than `event_bytes`.
    pub fn new(event_bytes: usize) -> Self {
        let start = Place { line: 1, column: 1, offset: 0 };
        Self { limit: event_bytes, start, bom: 0, shape: None }
    }

    /// Takes the next frame off the front of `chunk`. `None` when all of it is taken in: go on
    /// with the next chunk.
    pub fn cut(&mut self, chunk: &mut Bytes) -> Option<Frame> {
        if self.shape.is_none() {
            self.shape = self.decide(chunk);
        }
        match self.shape.as_mut()? {
            Shape::Lines(lines) => lines.cut(chunk),
            Shape::Array(array) => array.cut(chunk),
        }
    }

    /// What is left after the last chunk. Call until it gives no more.
    pub fn finish(&mut self) -> Option<Frame> {
        if self.shape.is_none() && self.has_half_bom() {
            self.shape = Some(Shape::Lines(self.lines_after_bom()));
        }
        match self.shape.as_mut()? {
            Shape::Lines(lines) => lines.finish(),
            Shape::Array(array) => array.finish(),
        }
    }

    /// Bytes of input taken in so far.
    pub fn offset(&self) -> u64 {
        let offset = match &self.shape {
            None => self.start.offset,
            Some(Shape::Lines(lines)) => lines.offset(),
            Some(Shape::Array(array)) => array.offset(),
        };
        offset as u64
    }

    fn decide(&mut self, chunk: &mut Bytes) -> Option<Shape> {
        while self.bom < BOM.len() && self.start.offset == self.bom {
            let first = *chunk.first()?;
            if first != BOM[self.bom] {
                break;
            }
            chunk.advance(1);
            self.bom += 1;
            self.start.offset += 1;
        }
        if self.has_half_bom() {
            return Some(Shape::Lines(self.lines_after_bom()));
        }
        skip_blanks(&mut self.start, chunk);
        let first = *chunk.first()?;
        if first == b'[' {
            take(&mut self.start, chunk, 1);
            return Some(Shape::Array(Array::new(self.limit, self.start)));
        }
        Some(Shape::Lines(Lines::new(self.limit, self.start, &[])))
    }

    fn has_half_bom(&self) -> bool {
        (1..BOM.len()).contains(&self.bom)
    }

    /// The first bytes looked like a byte order mark and were none: they belong to the first line.
    fn lines_after_bom(&self) -> Lines {
        let start = Place { line: 1, column: 1, offset: 0 };
        Lines::new(self.limit, start, &BOM[..self.bom])
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn skip_blanks(place: &mut Place, chunk: &mut Bytes) {
    let blanks = chunk.iter().position(|byte| !is_blank(*byte)).unwrap_or(chunk.len());
    take(place, chunk, blanks);
}

/// Takes `count` bytes off the front of `chunk` and moves `place` past them.
fn take(place: &mut Place, chunk: &mut Bytes, count: usize) -> Bytes {
    let taken = chunk.split_to(count);
    place.offset += count;
    let rest = match memrchr(b'\n', &taken) {
        None => &taken[..],
        Some(last) => {
            let lines = memchr_iter(b'\n', &taken).count();
            place.line = place.line.saturating_add(saturate(lines));
            place.column = 1;
            &taken[last + 1..]
        }
    };
    // Characters: every byte but those that go on with one.
    let characters = rest.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
    place.column = place.column.saturating_add(saturate(characters));
    taken
}

fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// One text out of what earlier chunks brought and its end; copies only if there was an earlier
/// chunk.
fn join(held: &mut Vec<u8>, piece: Bytes) -> Bytes {
    if held.is_empty() {
        return piece;
    }
    held.extend_from_slice(&piece);
    std::mem::take(held).into()
}

/// Where an element that starts at `start` is given up: one byte past the limit.
fn given_up(start: Place, limit: usize) -> u64 {
    (start.offset as u64).saturating_add(limit as u64).saturating_add(1)
}

#[cfg(test)]
mod tests;
