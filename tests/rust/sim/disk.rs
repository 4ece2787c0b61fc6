//! A store on a disk that is slow, full, or loses its power in the middle of a write.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use live_crew::{
    engine::{StreamId, Timestamp},
    store::{
        Frame, MemoryStore, Pick, Pruned, Retention, Snapshot, Store, StoreError, StoredFrame,
        StreamSummary,
    },
};
use tokio::sync::Notify;

use crate::support::rng::Rng;

/// How the power goes at a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PowerCut {
    /// Nothing of it is written.
    Before,
    /// Some of it is written.
    Torn,
    /// All of it is written, and nobody heard.
    After,
}

/// The disk: outlives every process.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) bytes: Mutex<Media>,
    /// The power is off: whoever runs dies now.
    pub(super) power_off: Notify,
}

#[derive(Debug)]
pub(super) struct Media {
    pub(super) store: MemoryStore,
    rng: Rng,
    /// Writes until something happens.
    pub(super) cut_at: Option<(u64, PowerCut)>,
    /// Writes until it is full, and for how many writes it stays so.
    pub(super) full_at: Option<u64>,
    pub(super) is_slow: bool,
    pub(super) slow_appends: u64,
    pub(super) was_full: bool,
    pub(super) torn: bool,
}

impl Disk {
    pub(super) fn new(rng: Rng) -> Arc<Self> {
        let bytes = Mutex::new(Media {
            store: MemoryStore::new(),
            rng,
            cut_at: None,
            full_at: None,
            is_slow: false,
            slow_appends: 0,
            was_full: false,
            torn: false,
        });
        Arc::new(Self { bytes, power_off: Notify::new() })
    }

    /// What a new process finds: the bytes that are there, read again.
    pub(super) fn open(self: &Arc<Self>) -> SimStore {
        let mut media = self.bytes.lock().unwrap();
        media.cut_at = None;
        media.full_at = None;
        let (store, torn_at) = MemoryStore::from_bytes(&media.store.export())
            .expect("what was written can be read again");
        assert_eq!(torn_at, None, "a torn end was cut off already");
        media.store = store;
        SimStore(Arc::clone(self))
    }
}

impl Media {
    /// Writes a part of an append, as a disk does that loses its power.
    fn tear(&mut self, before: &[u8]) {
        let after = self.store.export();
        if !after.starts_with(before) {
            // A prune rewrote it, whole: nothing of it was being written just now.
            return;
        }
        let written = self.rng.below((after.len() - before.len()) as u64);
        let end = before.len() + usize::try_from(written).unwrap();
        let (store, torn_at) =
            MemoryStore::from_bytes(&after[..end]).expect("a torn end is no damage");
        assert_eq!(torn_at.is_some(), written > 0);
        self.torn = written > 0;
        self.store = store;
    }

    fn delay(&mut self) -> Option<Duration> {
        if self.is_slow && self.rng.chance(30) {
            self.slow_appends += 1;
            return Some(Duration::from_micros(self.rng.below(60_000)));
        }
        self.rng.chance(5).then_some(Duration::ZERO)
    }
}

/// One process's hold of the disk.
#[derive(Debug)]
pub(super) struct SimStore(Arc<Disk>);

impl SimStore {
    fn store(&self) -> MemoryStore {
        self.0.bytes.lock().unwrap().store.clone()
    }

    async fn wait(&self) {
        let delay = self.0.bytes.lock().unwrap().delay();
        match delay {
            Some(Duration::ZERO) => tokio::task::yield_now().await,
            Some(delay) => tokio::time::sleep(delay).await,
            None => {}
        }
    }

    async fn die(&self) -> ! {
        self.0.power_off.notify_one();
        std::future::pending::<std::convert::Infallible>().await;
        unreachable!("pending never ends")
    }

    /// What happens to this write.
    fn fault(&self) -> Result<Option<PowerCut>, StoreError> {
        let mut media = self.0.bytes.lock().unwrap();
        if let Some(left) = &mut media.full_at {
            if *left == 0 {
                media.was_full = true;
                let why = "the disk is full".to_owned();
                return Err(StoreError::Full { journal: "disk".to_owned(), why });
            }
            *left -= 1;
        }
        let Some((left, cut)) = &mut media.cut_at else {
            return Ok(None);
        };
        if *left == 0 {
            return Ok(Some(*cut));
        }
        *left -= 1;
        Ok(None)
    }
}

impl Store for SimStore {
    async fn append(&mut self, frames: Vec<Frame>) -> Result<Vec<u64>, StoreError> {
        self.wait().await;
        let mut store = self.store();
        match self.fault()? {
            None => {
                let numbers = store.append(frames).await?;
                self.wait().await;
                Ok(numbers)
            }
            Some(PowerCut::Before) => self.die().await,
            Some(PowerCut::Torn) => {
                let before = store.export();
                store.append(frames).await?;
                self.0.bytes.lock().unwrap().tear(&before);
                self.die().await
            }
            Some(PowerCut::After) => {
                store.append(frames).await?;
                self.die().await
            }
        }
    }

    async fn read(
        &mut self,
        stream: &StreamId,
        after: u64,
        _max_bytes: usize,
    ) -> Result<Vec<StoredFrame>, StoreError> {
        // Small pages, so that a fold sees many.
        self.store().read(stream, after, 2_000).await
    }

    async fn write_snapshot(
        &mut self,
        stream: &StreamId,
        snapshot: Snapshot,
    ) -> Result<(), StoreError> {
        self.wait().await;
        let mut store = self.store();
        match self.fault()? {
            None => store.write_snapshot(stream, snapshot).await,
            Some(PowerCut::Before) => self.die().await,
            Some(PowerCut::Torn) => {
                let before = store.export();
                store.write_snapshot(stream, snapshot).await?;
                // One more snapshot after the same frame replaces it: then nothing can tear.
                if store.export().starts_with(&before) {
                    self.0.bytes.lock().unwrap().tear(&before);
                }
                self.die().await
            }
            Some(PowerCut::After) => {
                store.write_snapshot(stream, snapshot).await?;
                self.die().await
            }
        }
    }

    async fn snapshot(
        &mut self,
        stream: &StreamId,
        pick: Pick,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.store().snapshot(stream, pick).await
    }

    async fn prune(
        &mut self,
        stream: &StreamId,
        keep: &Retention,
        now: Timestamp,
    ) -> Result<Pruned, StoreError> {
        self.store().prune(stream, keep, now).await
    }

    async fn streams(&mut self) -> Result<Vec<StreamSummary>, StoreError> {
        self.store().streams().await
    }

    async fn mark(
        &mut self,
        stream: &StreamId,
        ordinal: u64,
    ) -> Result<Option<(u64, live_crew::store::Mark)>, StoreError> {
        self.store().mark(stream, ordinal).await
    }

    async fn close(self) -> Result<(), StoreError> {
        self.store().close().await
    }
}
