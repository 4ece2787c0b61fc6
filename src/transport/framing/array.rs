//! One JSON array: its elements, found by quotes and brackets alone.

use bytes::Bytes;

use super::{
    Fault, Frame, given_up, is_blank, join,
    scan::{End, NextElement, Scan},
    skip_blanks, take,
};
use crate::json::Place;

#[derive(Debug)]
pub(super) struct Array {
    limit: usize,
    /// Where the rest of the input starts.
    place: Place,
    state: State,
    /// Input to go over once more before the next chunk: it was taken for a part of an element
    /// that turned out not to be closed.
    again: Bytes,
    /// That happened. From then on elements also end where the next one seems to start, so that
    /// no byte is gone over a third time.
    suspect: bool,
}

#[derive(Debug)]
enum State {
    Between(Expect),
    Inside(Element),
    /// Inside an element that was reported as too large.
    Skipping(Scan),
}

/// What may come between two elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// An element, or the end of an empty array.
    First,
    /// An element: there was a comma.
    Element,
    /// A comma or the end.
    Comma,
    /// Anything: the element before was refused, and its comma may be gone with it.
    Anything,
    /// The array has ended.
    Nothing,
}

#[derive(Debug)]
struct Element {
    start: Place,
    scan: Scan,
    fault: Option<Fault>,
    /// What earlier chunks brought of it.
    held: Vec<u8>,
}

impl Array {
    /// An array whose `[` was taken from the input already.
    pub(super) fn new(limit: usize, place: Place) -> Self {
        let state = State::Between(Expect::First);
        Self { limit, place, state, again: Bytes::new(), suspect: false }
    }

    /// Bytes of input taken in so far.
    pub(super) fn offset(&self) -> usize {
        self.place.offset
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        match &self.state {
            State::Between(_) | State::Skipping(_) => self.again.len(),
            State::Inside(element) => self.again.len() + element.held.len(),
        }
    }

    pub(super) fn cut(&mut self, chunk: &mut Bytes) -> Option<Frame> {
        while !(chunk.is_empty() && self.again.is_empty()) {
            let mut again = std::mem::take(&mut self.again);
            let frame = if again.is_empty() {
                self.step(chunk)
            } else {
                let frame = self.step(&mut again);
                // Only an element that was read without suspicion is read again.
                self.again = again;
                frame
            };
            if frame.is_some() {
                return frame;
            }
        }
        None
    }

    fn step(&mut self, bytes: &mut Bytes) -> Option<Frame> {
        match std::mem::replace(&mut self.state, State::Between(Expect::Anything)) {
            State::Between(expect) => self.between(expect, bytes),
            State::Inside(element) => self.inside(element, bytes),
            State::Skipping(scan) => {
                self.skip(scan, bytes);
                None
            }
        }
    }

    /// What is left when the input has ended; call until it gives no more.
    pub(super) fn finish(&mut self) -> Option<Frame> {
        if let Some(frame) = self.cut(&mut Bytes::new()) {
            return Some(frame);
        }
        let end = self.place.offset as u64;
        match std::mem::replace(&mut self.state, State::Between(Expect::Nothing)) {
            State::Between(Expect::Nothing) | State::Skipping(_) => None,
            State::Between(_) => {
                // One past the end: the last element may have ended at the end.
                let (end, fault) = (end.saturating_add(1), Some(Fault::OpenArray));
                Some(Frame { place: self.place, text: Bytes::new(), end, fault })
            }
            State::Inside(mut element) => {
                let text = Bytes::from(std::mem::take(&mut element.held));
                self.reopen(&element, &text).or_else(|| Some(element.cut_off(text, end)))
            }
        }
    }

    fn between(&mut self, expect: Expect, chunk: &mut Bytes) -> Option<Frame> {
        skip_blanks(&mut self.place, chunk);
        self.state = State::Between(expect);
        let (place, first) = (self.place, *chunk.first()?);
        let fault = match (first, expect) {
            (b',', Expect::First | Expect::Element) => Some(Fault::ExtraComma),
            (b']', Expect::Element) => Some(Fault::TrailingComma),
            (b',' | b']', Expect::First | Expect::Comma | Expect::Anything) => None,
            (_, _) => {
                self.state = State::Inside(self.open(first, expect));
                return None;
            }
        };
        let text = take(&mut self.place, chunk, 1);
        let next = if first == b',' { Expect::Element } else { Expect::Nothing };
        self.state = State::Between(next);
        let end = self.place.offset as u64;
        fault.map(|fault| Frame { place, text, end, fault: Some(fault) })
    }

    fn open(&self, first: u8, expect: Expect) -> Element {
        let start = self.place;
        let scan = match expect {
            Expect::Nothing => Scan::Rest,
            Expect::First | Expect::Element | Expect::Comma | Expect::Anything => {
                Scan::new(first, start.column, self.suspect)
            }
        };
        let fault = (expect == Expect::Comma).then_some(Fault::MissingComma);
        Element { start, scan, fault, held: Vec::new() }
    }

    fn inside(&mut self, mut element: Element, chunk: &mut Bytes) -> Option<Frame> {
        // Nothing past the limit is looked at before the element is given up, so that chunking
        // cannot be seen.
        let room = self.limit.saturating_sub(element.held.len()).saturating_add(1);
        let room = room.min(chunk.len());
        let end = element.scan.end(&chunk[..room]);
        let piece = take(&mut self.place, chunk, end.length().unwrap_or(room));
        let fits = element.held.len() + piece.len() <= self.limit;
        if end == End::Later && fits {
            element.held.extend_from_slice(&piece);
            self.state = State::Inside(element);
            return None;
        }
        let text = join(&mut element.held, piece);
        if let End::Closed(_) = end {
            self.state = State::Between(element.scan.expect_after());
            let end = self.place.offset as u64;
            return Some(if fits {
                element.complete(text, end)
            } else {
                element.too_large(text, self.limit)
            });
        }
        if let Some(frame) = self.reopen(&element, &text) {
            return Some(frame);
        }
        if let End::Unclosed(_) = end {
            element.scan.unclose();
        }
        if fits {
            element.held = text.into();
            self.state = State::Inside(element);
            return None;
        }
        let frame = element.too_large(text, self.limit);
        self.state = State::Skipping(element.scan);
        Some(frame)
    }

    /// An element that is not closed: perhaps only its own bracket or quote is missing. Gives up
    /// what stands before the next one seems to start, and goes over the rest again.
    fn reopen(&mut self, element: &Element, text: &Bytes) -> Option<Frame> {
        let Scan::Value(_) = element.scan else {
            return None;
        };
        let Element { start, .. } = *element;
        let mut rest = text.clone();
        let length = NextElement::after(start.column).find(&rest)?;
        self.place = start;
        let text = trim_end(take(&mut self.place, &mut rest, length));
        self.again = rest;
        self.suspect = true;
        self.state = State::Between(Expect::Anything);
        let end = self.place.offset as u64;
        Some(Frame { place: start, text, end, fault: Some(Fault::Unclosed) })
    }

    fn skip(&mut self, mut scan: Scan, chunk: &mut Bytes) {
        let end = scan.end(chunk);
        take(&mut self.place, chunk, end.length().unwrap_or(chunk.len()));
        if let End::Unclosed(_) = end {
            scan.unclose();
        }
        self.state = match end {
            End::Closed(_) => State::Between(scan.expect_after()),
            End::Unclosed(_) | End::Later => State::Skipping(scan),
        };
    }
}

impl Element {
    fn complete(self, text: Bytes, end: u64) -> Frame {
        let unclosed = matches!(self.scan, Scan::Unclosed(_)).then_some(Fault::Unclosed);
        let fault = self.fault.or(unclosed);
        Frame { place: self.start, text: trim_end(text), end, fault }
    }

    fn cut_off(self, text: Bytes, end: u64) -> Frame {
        let rest = matches!(self.scan, Scan::Rest).then_some(Fault::AfterArray);
        let fault = self.fault.or(rest).or(Some(Fault::Unclosed));
        Frame { place: self.start, text: trim_end(text), end, fault }
    }

    fn too_large(&self, beginning: Bytes, limit: usize) -> Frame {
        let fault = match self.scan {
            Scan::Rest => Fault::AfterArray,
            Scan::Value(_) | Scan::Suspect(..) | Scan::Bare | Scan::Unclosed(_) => {
                Fault::TooLarge { limit }
            }
        };
        let end = given_up(self.start, limit);
        Frame { place: self.start, text: trim_end(beginning), end, fault: Some(fault) }
    }
}

impl Scan {
    fn expect_after(&self) -> Expect {
        match self {
            Self::Value(_) | Self::Suspect(..) => Expect::Comma,
            Self::Bare | Self::Unclosed(_) => Expect::Anything,
            Self::Rest => Expect::Nothing,
        }
    }
}

fn trim_end(mut text: Bytes) -> Bytes {
    let end = text.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
    text.truncate(end);
    text
}
