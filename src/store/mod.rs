//! Journals: append-only, one per stream, opaque to the store (rules J1 to J3 and J5).
//!
//! A frame holds the records that became true together. A store never looks into one; it keeps
//! frames in order, chains them by checksum so that damage never passes for content, and keeps
//! snapshots beside them. Frames of a stream are numbered from 1.

mod error;
mod frame;
#[cfg(feature = "nats")]
mod jetstream;
mod log;
mod memory;
mod retention;
#[cfg(feature = "sqlite")]
mod sqlite;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use error::StoreError;
#[cfg(feature = "nats")]
pub use jetstream::{JetStreamStore, Scope};
pub use memory::MemoryStore;
pub use retention::{Pruned, Retention};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

use crate::engine::{Slice, Span, StreamId, Timestamp};

/// The most bytes one frame or snapshot may have.
pub const MAX_BODY_BYTES: usize = 256 << 20;

/// Records of one stream that become true together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The stream.
    pub stream: StreamId,
    /// When it was written; retention by age goes by it.
    pub at: Timestamp,
    /// How many records the body holds.
    pub records: u32,
    /// The records, as the runtime encodes them.
    pub body: Bytes,
    /// The slice commits inside, in order.
    pub marks: Vec<Mark>,
}

/// A slice commit inside a frame: the index by which two journals are bisected (rule J4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The slice committed.
    pub slice: Slice,
    /// Its digest.
    pub digest: [u8; 32],
}

/// A frame as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFrame {
    /// Its number in the stream, from 1, without gaps.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// How many records the body holds.
    pub records: u32,
    /// The records.
    pub body: Bytes,
}

/// The state of a stream after one of its frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last frame folded into it.
    pub after: u64,
    /// The last slice folded into it.
    pub slice: Slice,
    /// The state, as the runtime encodes it.
    pub body: Bytes,
}

/// Which snapshot is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// The first one kept: where a replay of a pruned journal begins.
    First,
    /// The latest that is not beyond a slice.
    NotBeyond(Slice),
    /// The latest: where recovery begins.
    Latest,
}

impl Pick {
    fn fits(self, slice: Slice) -> bool {
        match self {
            Self::First | Self::Latest => true,
            Self::NotBeyond(last) => slice <= last,
        }
    }
}

/// A message that becomes durable together with frames, where the store can do that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rider {
    /// The stream it is about.
    pub stream: StreamId,
    /// What makes sending it twice the same as once.
    pub id: String,
    /// What it says.
    pub body: Bytes,
    /// After which nobody needs to find it any more.
    pub ttl: Option<Span>,
}

/// What a store holds of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSummary {
    /// The stream.
    pub stream: StreamId,
    /// Frames kept.
    pub frames: u64,
    /// First frame kept; one more than `last_seq` if none is.
    pub first_seq: u64,
    /// Last frame written.
    pub last_seq: u64,
    /// Ordinal of the first commit kept; ordinals count from 0 and go on counting after a prune.
    pub first_commit: u64,
    /// Commits kept.
    pub commits: u64,
    /// The last slice committed.
    pub last_slice: Option<Slice>,
    /// Bytes of the frames and snapshots kept.
    pub bytes: u64,
    /// Whether the journal was closed in order and nobody has opened it for writing since.
    pub sealed: bool,
}

/// Keeps journals. One writer at a time.
///
/// The methods are async for stores behind a network; the ones here complete at once and block the
/// caller for the disk, which is meant: journal first.
pub trait Store: Send + 'static {
    /// Appends the frames, all or none, and returns their numbers. Durable when it returns.
    fn append(
        &mut self,
        frames: Vec<Frame>,
    ) -> impl Future<Output = Result<Vec<u64>, StoreError>> + Send;

    /// Whether the store sends messages itself, together with the frames they follow from.
    fn carries(&self) -> bool {
        false
    }

    /// Appends the frames and sends the messages, in one step where there is room for it; else
    /// the messages follow, and [`unsent`](Self::unsent) finds what a crash left out. `settled`
    /// is up to where the events of the source were in the journals before.
    fn append_with(
        &mut self,
        frames: Vec<Frame>,
        riders: Vec<Rider>,
        _settled: Option<u64>,
    ) -> impl Future<Output = Result<Vec<u64>, StoreError>> + Send {
        debug_assert!(riders.is_empty(), "ask `carries` first");
        self.append(frames)
    }

    /// Remembers that all input of the source up to here is done with: what was refused of it is
    /// in no journal. Where that is not remembered, it may be refused again.
    fn settle(&mut self, _cursor: u64) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Up to where all input of the source is done with, where `known_to` is the furthest event in
    /// a journal. It may be less: an append that broke off is then no append of all or none.
    fn settled(&self, known_to: Option<u64>) -> Option<u64> {
        known_to
    }

    /// Which of the messages were not sent; for a journal that is taken up again.
    fn unsent(
        &mut self,
        riders: Vec<Rider>,
    ) -> impl Future<Output = Result<Vec<Rider>, StoreError>> + Send {
        std::future::ready(Ok(riders))
    }

    /// The frames that follow `after` (0 is the beginning), in order. A page ends with the frame
    /// that brings it to `max_bytes`; an empty page is the end. Pruned frames are skipped.
    fn read(
        &mut self,
        stream: &StreamId,
        after: u64,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Vec<StoredFrame>, StoreError>> + Send;

    /// Keeps a snapshot; one more after the same frame replaces it.
    fn write_snapshot(
        &mut self,
        stream: &StreamId,
        snapshot: Snapshot,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// One of the snapshots kept.
    fn snapshot(
        &mut self,
        stream: &StreamId,
        pick: Pick,
    ) -> impl Future<Output = Result<Option<Snapshot>, StoreError>> + Send;

    /// Forgets what retention does not keep. Cuts at a snapshot only, so what is kept can be
    /// recovered and replayed from its first snapshot on (rule J5).
    fn prune(
        &mut self,
        stream: &StreamId,
        keep: &Retention,
        now: Timestamp,
    ) -> impl Future<Output = Result<Pruned, StoreError>> + Send;

    /// Another one to read the same journals with, where reading several at a time is quicker.
    fn reader(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// All streams, by name.
    fn streams(&mut self) -> impl Future<Output = Result<Vec<StreamSummary>, StoreError>> + Send;

    /// The commit with this ordinal and the frame that holds it; `None` if pruned or not there yet.
    fn mark(
        &mut self,
        stream: &StreamId,
        ordinal: u64,
    ) -> impl Future<Output = Result<Option<(u64, Mark)>, StoreError>> + Send;

    /// Commits that follow each other, from this ordinal on, at most so many; fewer at the end.
    fn marks(
        &mut self,
        stream: &StreamId,
        from: u64,
        at_most: usize,
    ) -> impl Future<Output = Result<Vec<(u64, Mark)>, StoreError>> + Send
    where
        Self: Send,
    {
        async move {
            let mut marks = Vec::new();
            for ordinal in (from..).take(at_most) {
                let Some(mark) = self.mark(stream, ordinal).await? else { break };
                marks.push(mark);
            }
            Ok(marks)
        }
    }

    /// Brings everything to its place and seals the journal.
    fn close(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
