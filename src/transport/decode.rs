//! Turns the bytes of one input into deliveries.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Cursor, DeadLetter, Delivery,
    framing::{Fault, Frame, Framer},
};
use crate::{
    engine::Limits,
    json::Place,
    wire::{EventError, EventReader},
};

#[derive(Debug)]
pub(super) struct Decoder {
    name: Arc<str>,
    framer: Framer,
    reader: EventReader,
    chunk: Bytes,
    taken: Cursor,
}

impl Decoder {
    pub(super) fn new(name: &str, limits: &Limits) -> Self {
        Self {
            name: name.into(),
            framer: Framer::new(limits.event_bytes),
            reader: EventReader::new(limits),
            chunk: Bytes::new(),
            taken: Cursor(0),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Leaves out everything up to `cursor`. The input is cut from its start all the same: only
    /// what stands before tells in which line a fault is, and cutting costs little.
    pub(super) fn resume_after(&mut self, cursor: Cursor) {
        self.taken = cursor;
    }

    /// The next piece of the input, when `take` has given all of the one before.
    pub(super) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the chunk before was not taken in");
        self.chunk = chunk;
    }

    /// Deliveries of the current chunk, `max` at most; none means that all of it is taken in.
    pub(super) fn take(&mut self, max: usize) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        while deliveries.len() < max
            && let Some(frame) = self.framer.cut(&mut self.chunk)
        {
            deliveries.extend(self.deliver(&frame));
        }
        deliveries
    }

    /// Deliveries that the end of the input brings, `max` at most.
    pub(super) fn finish(&mut self, max: usize) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        while deliveries.len() < max
            && let Some(frame) = self.framer.finish()
        {
            deliveries.extend(self.deliver(&frame));
        }
        deliveries
    }

    /// Bytes of input taken in so far.
    pub(super) fn offset(&self) -> u64 {
        self.framer.offset()
    }

    /// At the end of the input: the cursor to resume after, if the input is too short for it. One
    /// past the end is not: that is the cursor of what is missing there.
    pub(super) fn missed(&self) -> Option<Cursor> {
        (self.taken.0 > self.offset().saturating_add(1)).then_some(self.taken)
    }

    fn deliver(&mut self, frame: &Frame) -> Option<Delivery> {
        let cursor = Cursor(frame.end);
        if cursor <= self.taken {
            return None;
        }
        if let Some(fault) = &frame.fault {
            return Some(Delivery::Refused(self.refuse(frame, frame.place, fault.to_string())));
        }
        Some(match self.reader.read(&frame.text) {
            Ok((stream, event)) => Delivery::Event { stream, event, cursor },
            Err(EventError { place, problem }) => {
                let place = within(frame.place, place);
                Delivery::Refused(self.refuse(frame, place, problem.to_string()))
            }
        })
    }

    fn refuse(&self, frame: &Frame, place: Place, reason: String) -> DeadLetter {
        let (raw, cut) = DeadLetter::cut(&frame.text);
        DeadLetter {
            source: Arc::clone(&self.name),
            place: Some(place),
            reason,
            raw,
            truncated: cut || matches!(frame.fault, Some(Fault::TooLarge { .. })),
            cursor: Cursor(frame.end),
        }
    }
}

/// A place inside an element as a place in the whole input.
fn within(element: Place, place: Place) -> Place {
    let before = if place.line == 1 { element.column.saturating_sub(1) } else { 0 };
    Place {
        line: element.line.saturating_add(place.line.saturating_sub(1)),
        column: place.column.saturating_add(before),
        offset: element.offset.saturating_add(place.offset),
    }
}

#[cfg(test)]
mod tests;
