//! Where events come from and where actions go.
//!
//! A [`Source`] gives what arrives, good or refused; a [`Sink`] takes what live-crew says. Bad
//! input is never an error of the source: it is a [`DeadLetter`] among the deliveries, and the
//! events around it still arrive.

mod dead_letter;
mod decode;
mod error;
mod file;
pub mod framing;
pub mod memory;
#[cfg(feature = "nats")]
mod nats;
mod outgoing;
mod writer;

use std::future::Future;

pub use dead_letter::{DeadLetter, RAW_BYTES};
pub use error::TransportError;
pub use file::FileSource;
#[cfg(feature = "nats")]
pub use nats::{NatsSink, NatsSource};
pub use outgoing::{Channel, Outgoing};
use serde::{Deserialize, Serialize};
pub use writer::FileSink;

use crate::engine::{Event, StreamId};

/// Where a source resumes: everything it delivered with a cursor up to this one was taken.
///
/// Grows with every delivery of one source. In a file it is the bytes up to and with the element,
/// and one more for what is missing at the end.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Cursor(pub u64);

/// About how many bytes a source delivers at a time, and one delivery more: what is delivered
/// together is folded and written together.
pub const BATCH_BYTES: usize = 4 << 20;

/// One thing that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// An event that passed every check.
    Event {
        /// The stream it belongs to.
        stream: StreamId,
        /// What happened.
        event: Event,
        /// Its place among the deliveries of its source.
        cursor: Cursor,
    },
    /// What could not be an event.
    Refused(DeadLetter),
}

impl Delivery {
    /// Its place among the deliveries of its source.
    pub fn cursor(&self) -> Cursor {
        match self {
            Self::Event { cursor, .. } | Self::Refused(DeadLetter { cursor, .. }) => *cursor,
        }
    }

    /// The bytes of its payload.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Event { event, .. } => event.payload.as_bytes().len(),
            Self::Refused(letter) => letter.raw.len(),
        }
    }
}

/// Where events come from.
pub trait Source: Send {
    /// Waits for the next deliveries, `max` at most; none means that the input has ended.
    /// Dropping the future loses nothing.
    fn next(
        &mut self,
        max: usize,
    ) -> impl Future<Output = Result<Vec<Delivery>, TransportError>> + Send;

    /// Leaves out what was taken before. Call it before the first `next`.
    fn resume_after(
        &mut self,
        cursor: Cursor,
    ) -> impl Future<Output = Result<(), TransportError>> + Send;

    /// Makes sure that this is still the source that delivered up to `cursor` once: of one that
    /// lost its end, what comes next would be taken for what came before.
    fn confirm(
        &mut self,
        _cursor: Cursor,
    ) -> impl Future<Output = Result<(), TransportError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Everything up to `cursor` is in the journal and need not come again.
    fn ack(&mut self, cursor: Cursor) -> impl Future<Output = Result<(), TransportError>> + Send;
}

/// Where actions, errors and dead letters go.
pub trait Sink: Send {
    /// Takes a batch, in order.
    fn publish(
        &mut self,
        batch: &[Outgoing],
    ) -> impl Future<Output = Result<(), TransportError>> + Send;

    /// Waits until everything published has left this process.
    fn flush(&mut self) -> impl Future<Output = Result<(), TransportError>> + Send;
}
