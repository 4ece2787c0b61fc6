//! Where the context of streams can be read from outside.
//!
//! The journal stays the truth; what is kept here is a projection of committed slices, written
//! after the commit. A place may be behind, never ahead, and is brought up to date by whoever
//! opens the journal next.
//!
//! | file | what is in it |
//! |---|---|
//! | `memory`, `sqlite`, `redis`, `jetstream` | a [`ContextStore`] each |
//! | `projection` | [`Projection`]: saves the latest beside a run, and goes on trying |
//! | `error` | what can go wrong, and what to do about it |

mod error;
#[cfg(feature = "nats")]
mod jetstream;
mod memory;
mod projection;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::collections::BTreeMap;

use bytes::Bytes;

pub use error::ContextError;
#[cfg(feature = "nats")]
pub use jetstream::JetStreamContext;
pub use memory::MemoryContext;
pub use projection::{Notice, Projection, Teller};
#[cfg(feature = "redis")]
pub use redis::RedisContext;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteContext;

use crate::engine::{Slice, StreamId};

/// The context of a stream as it was after a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The stream.
    pub stream: StreamId,
    /// The slice.
    pub slice: Slice,
    /// Canonical JSON.
    pub context: Bytes,
    /// Who wrote it. Whoever takes a stream over has a higher number than the one before.
    pub writer: u64,
}

/// Keeps the latest context of each stream.
pub trait ContextStore: Send {
    /// Keeps what is newer than what is kept, in one step where that is cheap, else each stream for
    /// itself: they have nothing in common. An older or equal slice of
    /// the same writer changes nothing, so that what is said again after a crash does no harm. If
    /// a higher writer has written one of the streams, nothing of that one is kept and the caller
    /// is told that it is deposed.
    fn save(&mut self, kept: &[Kept]) -> impl Future<Output = Result<(), ContextError>> + Send;

    /// What is kept of a stream.
    fn load(
        &mut self,
        stream: &StreamId,
    ) -> impl Future<Output = Result<Option<Kept>, ContextError>> + Send;

    /// Keeps nothing of a stream any more.
    fn forget(
        &mut self,
        stream: &StreamId,
    ) -> impl Future<Output = Result<(), ContextError>> + Send;
}

/// What a save does to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Write,
    /// It is known, or something newer is.
    Leave,
    /// A higher writer was here.
    Deposed(u64),
}

/// What becomes of `new` where a writer and a slice are kept.
fn judge(kept: Option<(u64, Slice)>, new: &Kept) -> Verdict {
    match kept {
        Some((writer, _)) if writer > new.writer => Verdict::Deposed(writer),
        Some((writer, slice)) if writer == new.writer && slice >= new.slice => Verdict::Leave,
        _ => Verdict::Write,
    }
}

/// The newest of each stream, by name: the stores need not think of one that comes twice.
fn newest(kept: &[Kept]) -> Vec<&Kept> {
    let mut newest: BTreeMap<&StreamId, &Kept> = BTreeMap::new();
    for one in kept {
        let found = newest.entry(&one.stream).or_insert(one);
        if (one.writer, one.slice) > (found.writer, found.slice) {
            *found = one;
        }
    }
    newest.into_values().collect()
}
