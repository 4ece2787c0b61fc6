//! Journals in memory: for tests, for files run through once, for whoever needs no recovery.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::state::{Kept, KeptFrame, State};
use super::{
    Frame, Mark, Pick, Pruned, Retention, Snapshot, Store, StoreError, StoredFrame, StreamSummary,
    frame,
    log::{self, DamagedLog, Item},
};
use crate::engine::{StreamId, Timestamp};

const JOURNAL: &str = "memory";

/// Keeps journals in memory, as much as retention lets it. Clones hold the same journals, so they
/// outlive whoever writes them.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that is full at `max_bytes`.
    pub fn with_max_bytes(max_bytes: u64) -> Self {
        let state = State { max_bytes: Some(max_bytes), ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Everything as one byte log, in the order in which it was written.
    pub fn export(&self) -> Vec<u8> {
        let state = self.state();
        let mut log = Vec::new();
        for (stream, kept) in &state.streams {
            if kept.head.base.seq > 0 {
                let (base, last_slice) = (kept.head.base, kept.head.last_slice);
                log::encode(&Item::Base { stream: stream.clone(), base, last_slice }, &mut log);
            }
        }
        for (_, item) in state.items() {
            log::encode(&item, &mut log);
        }
        log
    }

    /// Reads a log that [`Self::export`] wrote. If its end is missing, yields the whole appends
    /// before and where they end; any other damage is an error.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Self, Option<usize>), StoreError> {
        let decoded = log::decode(bytes).map_err(|DamagedLog { offset, why }| {
            let why = format!("the item at byte {offset}: {why}");
            StoreError::Corrupt { journal: JOURNAL.into(), stream: None, seq: None, why }
        })?;
        let mut state = State::default();
        for item in decoded.items {
            state.restore(item)?;
        }
        Ok((Self(Arc::new(Mutex::new(state))), decoded.torn_at))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panicking thread left is whole: every change is made after all that can fail.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    async fn append(&mut self, frames: Vec<Frame>) -> Result<Vec<u64>, StoreError> {
        frame::check_frames(&frames)?;
        self.state().append(frames)
    }

    async fn read(
        &mut self,
        stream: &StreamId,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<StoredFrame>, StoreError> {
        let state = self.state();
        let Some(kept) = state.streams.get(stream) else {
            return Ok(Vec::new());
        };
        let mut page = Vec::new();
        let mut bytes = 0;
        let skipped = kept.frames.partition_point(|kept| kept.link.seq <= after);
        for KeptFrame { frame, link, .. } in kept.frames.range(skipped..) {
            let Frame { at, records, body, .. } = frame.clone();
            page.push(StoredFrame { seq: link.seq, at, records, body });
            bytes += frame::bytes(frame);
            if bytes >= max_bytes as u64 {
                break;
            }
        }
        Ok(page)
    }

    async fn write_snapshot(
        &mut self,
        stream: &StreamId,
        snapshot: Snapshot,
    ) -> Result<(), StoreError> {
        frame::check_size("snapshot", stream, snapshot.body.len())?;
        self.state().write_snapshot(stream, snapshot)
    }

    async fn snapshot(
        &mut self,
        stream: &StreamId,
        pick: Pick,
    ) -> Result<Option<Snapshot>, StoreError> {
        let state = self.state();
        let Some(kept) = state.streams.get(stream) else {
            return Ok(None);
        };
        let mut fitting = kept.snapshots.values().map(|kept| &kept.snapshot);
        Ok(match pick {
            Pick::First => fitting.next(),
            Pick::Latest | Pick::NotBeyond(_) => fitting.rfind(|one| pick.fits(one.slice)),
        }
        .cloned())
    }

    async fn prune(
        &mut self,
        stream: &StreamId,
        keep: &Retention,
        now: Timestamp,
    ) -> Result<Pruned, StoreError> {
        let mut state = self.state();
        let Some(kept) = state.streams.get_mut(stream) else {
            return Ok(Pruned::default());
        };
        Ok(kept.prune(*keep, now))
    }

    async fn streams(&mut self) -> Result<Vec<StreamSummary>, StoreError> {
        let state = self.state();
        let summary = |(stream, kept): (&StreamId, &Kept)| kept.head.summary(stream, state.sealed);
        Ok(state.streams.iter().map(summary).collect())
    }

    async fn mark(
        &mut self,
        stream: &StreamId,
        ordinal: u64,
    ) -> Result<Option<(u64, Mark)>, StoreError> {
        let state = self.state();
        Ok(state.streams.get(stream).and_then(|kept| kept.mark(ordinal)))
    }

    async fn close(self) -> Result<(), StoreError> {
        self.state().sealed = true;
        Ok(())
    }
}
