//! A journal in JetStream: one stream for all of them, a subject for each, every write behind a
//! fence that falls when another scheduler takes over.
//!
//! Frames are messages on `live.<stream>.journal`; what is needed to find one is in its headers.
//! Where servers keep several copies, a frame and the actions that follow from it are stored in
//! one atomic batch (2.12 and later). Else one after the other, the frame first.

mod frames;
mod read;
mod send;
mod snapshots;
mod tag;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use async_nats::jetstream::stream::Stream;
use bytes::Bytes;

use self::tag::{FrameTag, SETTLED, SnapshotTag};
use super::{
    Frame, Mark, Pick, Pruned, Retention, Rider, Snapshot, Store, StoreError, StoredFrame,
    StreamSummary,
    frame::{Head, Link},
};
use crate::{
    engine::{StreamId, Timestamp},
    nats::{Connection, Fence, InOrder, Layout, NatsError, code, shard_of, subjects},
};

/// How long what was told has to get out at the end.
const GOODBYE: Duration = Duration::from_secs(2);

/// Which streams a store is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of them; for reading.
    All,
    /// Those of one shard.
    Shard {
        /// Which one.
        number: u32,
        /// Of how many.
        of: u32,
    },
    /// One stream.
    Stream(StreamId),
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all streams"),
            Self::Shard { number, of } => write!(f, "shard {number} of {of}"),
            Self::Stream(name) => write!(f, "stream `{name}`"),
        }
    }
}

impl Scope {
    /// Whether a stream is in it.
    pub fn has(&self, stream: &StreamId) -> bool {
        match self {
            Self::All => true,
            Self::Shard { number, of } => shard_of(stream, *of) == *number,
            Self::Stream(name) => stream == name,
        }
    }

    /// The subject on which it is written who may write for it.
    fn term(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Shard { number, .. } => Some(subjects::shard_term(*number)),
            Self::Stream(name) => Some(subjects::term(name)),
        }
    }
}

/// Journals in JetStream.
#[derive(Debug)]
pub struct JetStreamStore {
    nats: Connection,
    log: Stream,
    scope: Scope,
    /// Without one it is open for reading.
    fence: Option<Fence>,
    known: BTreeMap<StreamId, Known>,
    /// Streams whose last write came through without saying where it is.
    forgotten: BTreeSet<StreamId>,
    /// When all streams of the scope were looked up.
    listed: Option<Instant>,
    /// The way for actions, once one is needed.
    in_order: Option<InOrder>,
    /// When that way may be tried again.
    fast_from: Option<Instant>,
    /// Who writes, for people.
    who: Bytes,
    /// Up to where input was done with when some was refused.
    settled: Option<u64>,
    journal: String,
}

/// What is known of one stream.
#[derive(Debug, Clone, Default)]
struct Known {
    head: Head,
    /// Where the last frame is stored, and what its headers say.
    last: Option<(u64, FrameTag)>,
    /// Where the snapshots are stored, by the frame they are after.
    snapshots: BTreeMap<u64, (u64, SnapshotTag)>,
    /// Where the last page ended.
    reading: Option<(Link, u64)>,
    /// When it was last known where the journal ends.
    seen: Option<Instant>,
}

impl JetStreamStore {
    /// Opens the journals of a scope for reading.
    pub async fn open_readonly(nats: Connection, scope: Scope) -> Result<Self, StoreError> {
        let journal = format!("{} at {}", Layout::LOG, nats.servers());
        let log = crate::nats::stream(&nats, Layout::LOG).await;
        let log = log.map_err(|error| failed(&journal, "opening it", error))?;
        Ok(Self {
            nats,
            log,
            scope,
            fence: None,
            known: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            listed: None,
            in_order: None,
            fast_from: None,
            who: Bytes::new(),
            settled: None,
            journal,
        })
    }

    /// Opens the journals of a scope for writing. From now on whoever wrote for it before cannot
    /// any more, whether they know it or not.
    pub async fn take_over(nats: Connection, scope: Scope, who: &str) -> Result<Self, StoreError> {
        let mut store = Self::open_readonly(nats, scope).await?;
        let Some(subject) = store.scope.term() else {
            return Err(StoreError::ReadOnly { journal: store.journal });
        };
        let term = crate::nats::last(&store.log, &subject).await;
        let term = term.map_err(|error| failed(&store.journal, "taking it over", error))?;
        store.who = Bytes::copy_from_slice(who.as_bytes());
        store.settled = term.as_ref().and_then(|term| term.header(SETTLED)?.parse().ok());
        store.fence = Some(Fence { subject, last: term.map_or(0, |term| term.sequence) });
        store.write_term().await?;
        Ok(store)
    }

    /// The number of this writer among all that ever wrote for the scope: later ones are higher.
    pub fn term(&self) -> u64 {
        self.fence.as_ref().map_or(0, |fence| fence.last)
    }

    /// How many servers keep what is written.
    fn copies(&self) -> usize {
        self.log.cached_info().config.num_replicas
    }

    /// What an error of a write means.
    fn wrote(&self, error: NatsError) -> StoreError {
        match error.code() {
            Some(code::WRONG_LAST_SEQUENCE) => {
                StoreError::Deposed { journal: self.journal.clone() }
            }
            _ => failed(&self.journal, "writing", error),
        }
    }

    fn corrupt(&self, stream: &StreamId, seq: Option<u64>, why: &str) -> StoreError {
        StoreError::Corrupt {
            journal: self.journal.clone(),
            stream: Some(stream.clone()),
            seq,
            why: why.to_owned(),
        }
    }
}

fn failed(journal: &str, doing: &'static str, error: NatsError) -> StoreError {
    StoreError::Io { journal: journal.to_owned(), doing, source: Box::new(error) }
}

impl Store for JetStreamStore {
    async fn append(&mut self, frames: Vec<Frame>) -> Result<Vec<u64>, StoreError> {
        self.write_frames(frames, Vec::new(), None).await
    }

    fn carries(&self) -> bool {
        true
    }

    async fn append_with(
        &mut self,
        frames: Vec<Frame>,
        riders: Vec<Rider>,
        settled: Option<u64>,
    ) -> Result<Vec<u64>, StoreError> {
        self.write_frames(frames, riders, settled).await
    }

    async fn settle(&mut self, cursor: u64) -> Result<(), StoreError> {
        self.write_settled(cursor).await
    }

    fn settled(&self, known_to: Option<u64>) -> Option<u64> {
        Self::settled(self, known_to)
    }

    async fn unsent(&mut self, riders: Vec<Rider>) -> Result<Vec<Rider>, StoreError> {
        self.find_unsent(riders).await
    }

    async fn read(
        &mut self,
        stream: &StreamId,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<StoredFrame>, StoreError> {
        self.read_page(stream, after, max_bytes).await
    }

    async fn write_snapshot(
        &mut self,
        stream: &StreamId,
        snapshot: Snapshot,
    ) -> Result<(), StoreError> {
        self.store_snapshot(stream, snapshot).await
    }

    async fn snapshot(
        &mut self,
        stream: &StreamId,
        pick: Pick,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.load_snapshot(stream, pick).await
    }

    async fn prune(
        &mut self,
        stream: &StreamId,
        keep: &Retention,
        now: Timestamp,
    ) -> Result<Pruned, StoreError> {
        self.cut(stream, *keep, now).await
    }

    fn reader(&self) -> Option<Self> {
        let Self { nats, log, scope, fence, known, forgotten, listed, .. } = self;
        Some(Self {
            nats: nats.clone(),
            log: log.clone(),
            scope: scope.clone(),
            fence: fence.clone(),
            known: known.clone(),
            forgotten: forgotten.clone(),
            listed: *listed,
            in_order: None,
            fast_from: self.fast_from,
            who: self.who.clone(),
            settled: self.settled,
            journal: self.journal.clone(),
        })
    }

    async fn streams(&mut self) -> Result<Vec<StreamSummary>, StoreError> {
        self.list().await
    }

    async fn mark(
        &mut self,
        stream: &StreamId,
        ordinal: u64,
    ) -> Result<Option<(u64, Mark)>, StoreError> {
        Ok(self.find_marks(stream, ordinal, 1).await?.pop())
    }

    async fn marks(
        &mut self,
        stream: &StreamId,
        from: u64,
        at_most: usize,
    ) -> Result<Vec<(u64, Mark)>, StoreError> {
        self.find_marks(stream, from, at_most).await
    }

    /// What it stored is acknowledged. What was only told, such as a heartbeat, has a moment to get
    /// out; a flush alone would wait for ever for a server that is away.
    async fn close(self) -> Result<(), StoreError> {
        let _told = tokio::time::timeout(GOODBYE, self.nats.client().flush()).await;
        Ok(())
    }
}
