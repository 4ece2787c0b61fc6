//! JSON Lines: one element per line, blank lines mean nothing.

use bytes::Bytes;
use memchr::memchr;

use super::{Fault, Frame, given_up, is_blank, join, saturate};
use crate::json::Place;

#[derive(Debug)]
pub(super) struct Lines {
    limit: usize,
    /// Where the current line starts.
    start: Place,
    offset: usize,
    /// What earlier chunks brought of the current line.
    held: Vec<u8>,
    /// The current line was refused; what is left of it streams by.
    refused: bool,
}

impl Lines {
    /// `first` are the bytes of the first line that were taken from the input already.
    pub(super) fn new(limit: usize, start: Place, first: &[u8]) -> Self {
        let offset = start.offset + first.len();
        Self { limit, start, offset, held: first.to_vec(), refused: false }
    }

    /// Bytes of input taken in so far.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    pub(super) fn cut(&mut self, chunk: &mut Bytes) -> Option<Frame> {
        while !chunk.is_empty() {
            let newline = memchr(b'\n', chunk);
            let mut piece = chunk.split_to(newline.map_or(chunk.len(), |at| at + 1));
            self.offset += piece.len();
            piece.truncate(newline.unwrap_or(piece.len()));
            let frame = self.take_in(piece, newline.is_some());
            if frame.is_some() {
                return frame;
            }
        }
        None
    }

    pub(super) fn finish(&mut self) -> Option<Frame> {
        self.take_in(Bytes::new(), true)
    }

    fn take_in(&mut self, mut piece: Bytes, is_end: bool) -> Option<Frame> {
        let frame = if self.refused {
            None
        } else if self.held.len() + piece.len() > self.limit {
            self.refused = true;
            piece.truncate(self.limit.saturating_add(1).saturating_sub(self.held.len()));
            let beginning = join(&mut self.held, piece);
            Some(self.too_large(&beginning))
        } else if is_end {
            let line = join(&mut self.held, piece);
            self.element(&line)
        } else {
            self.held.extend_from_slice(&piece);
            None
        };
        if is_end {
            let line = self.start.line.saturating_add(1);
            self.start = Place { line, column: 1, offset: self.offset };
            self.refused = false;
        }
        frame
    }

    fn element(&self, line: &Bytes) -> Option<Frame> {
        let (place, text) = self.trim(line)?;
        let fault = (text == b"{"[..]).then_some(Fault::PrettyPrinted);
        Some(Frame { place, text, end: self.offset as u64, fault })
    }

    fn too_large(&self, beginning: &Bytes) -> Frame {
        let (place, text) = self.trim(beginning).unwrap_or((self.start, Bytes::new()));
        let fault = Some(Fault::TooLarge { limit: self.limit });
        Frame { place, text, end: given_up(self.start, self.limit), fault }
    }

    fn trim(&self, line: &Bytes) -> Option<(Place, Bytes)> {
        let first = line.iter().position(|byte| !is_blank(*byte))?;
        let last = line.iter().rposition(|byte| !is_blank(*byte))?;
        let Place { line: number, column, offset } = self.start;
        let column = column.saturating_add(saturate(first));
        let place = Place { line: number, column, offset: offset + first };
        Some((place, line.slice(first..=last)))
    }
}
