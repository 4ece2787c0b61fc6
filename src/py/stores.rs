//! Which store a journal is kept in, decided at run time.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{runtime::Handle, task::spawn_blocking};

use crate::{
    engine::{StreamId, Timestamp},
    store::{
        Frame, JetStreamStore, Mark, MemoryStore, Pick, Pruned, Retention, Snapshot, SqliteStore,
        Store, StoreError, StoredFrame, StreamSummary,
    },
};

/// The store of one session or one question.
#[derive(Debug)]
pub(super) enum AnyStore {
    Memory(MemoryStore),
    Sqlite(Box<Offloaded>),
    JetStream(Box<JetStreamStore>),
}

impl AnyStore {
    pub(super) fn sqlite(store: SqliteStore) -> Self {
        Self::Sqlite(Box::new(Offloaded(Arc::new(Mutex::new(Some(store))))))
    }
}

/// A SQLite journal whose work is done on another thread: waiting for a disk must not hold up the
/// event loop.
#[derive(Debug)]
pub(super) struct Offloaded(Arc<Mutex<Option<SqliteStore>>>);

impl Offloaded {
    async fn lend<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut SqliteStore, &Handle) -> T + Send + 'static,
    ) -> T {
        let (handle, shared) = (Handle::current(), Arc::clone(&self.0));
        let lent = spawn_blocking(move || {
            let mut store = shared.lock().unwrap_or_else(PoisonError::into_inner);
            store.as_mut().map(|store| work(store, &handle))
        });
        let done = lent.await.expect("a store does not panic");
        done.expect("it is here until it is dropped, and then nobody waits")
    }

    /// The store, once the work under way is done.
    fn take(&self) -> Option<SqliteStore> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Offloaded {
    /// A session that is dropped in the middle of a write has let go of its journal afterwards.
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl Store for AnyStore {
    async fn append(&mut self, frames: Vec<Frame>) -> Result<Vec<u64>, StoreError> {
        match self {
            Self::Memory(store) => store.append(frames).await,
            Self::JetStream(store) => store.append(frames).await,
            Self::Sqlite(store) => {
                store.lend(move |store, on| on.block_on(store.append(frames))).await
            }
        }
    }

    async fn read(
        &mut self,
        stream: &StreamId,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<StoredFrame>, StoreError> {
        match self {
            Self::Memory(store) => store.read(stream, after, max_bytes).await,
            Self::JetStream(store) => store.read(stream, after, max_bytes).await,
            Self::Sqlite(store) => {
                let stream = stream.clone();
                store
                    .lend(move |store, on| on.block_on(store.read(&stream, after, max_bytes)))
                    .await
            }
        }
    }

    async fn write_snapshot(
        &mut self,
        stream: &StreamId,
        snapshot: Snapshot,
    ) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => store.write_snapshot(stream, snapshot).await,
            Self::JetStream(store) => store.write_snapshot(stream, snapshot).await,
            Self::Sqlite(store) => {
                let stream = stream.clone();
                store
                    .lend(move |store, on| on.block_on(store.write_snapshot(&stream, snapshot)))
                    .await
            }
        }
    }

    async fn snapshot(
        &mut self,
        stream: &StreamId,
        pick: Pick,
    ) -> Result<Option<Snapshot>, StoreError> {
        match self {
            Self::Memory(store) => store.snapshot(stream, pick).await,
            Self::JetStream(store) => store.snapshot(stream, pick).await,
            Self::Sqlite(store) => {
                let stream = stream.clone();
                store.lend(move |store, on| on.block_on(store.snapshot(&stream, pick))).await
            }
        }
    }

    async fn prune(
        &mut self,
        stream: &StreamId,
        keep: &Retention,
        now: Timestamp,
    ) -> Result<Pruned, StoreError> {
        match self {
            Self::Memory(store) => store.prune(stream, keep, now).await,
            Self::JetStream(store) => store.prune(stream, keep, now).await,
            Self::Sqlite(store) => {
                let stream = stream.clone();
                let keep = *keep;
                store.lend(move |store, on| on.block_on(store.prune(&stream, &keep, now))).await
            }
        }
    }

    async fn streams(&mut self) -> Result<Vec<StreamSummary>, StoreError> {
        match self {
            Self::Memory(store) => store.streams().await,
            Self::JetStream(store) => store.streams().await,
            Self::Sqlite(store) => store.lend(move |store, on| on.block_on(store.streams())).await,
        }
    }

    async fn mark(
        &mut self,
        stream: &StreamId,
        ordinal: u64,
    ) -> Result<Option<(u64, Mark)>, StoreError> {
        match self {
            Self::Memory(store) => store.mark(stream, ordinal).await,
            Self::JetStream(store) => store.mark(stream, ordinal).await,
            Self::Sqlite(store) => {
                let stream = stream.clone();
                store.lend(move |store, on| on.block_on(store.mark(&stream, ordinal))).await
            }
        }
    }

    async fn marks(
        &mut self,
        stream: &StreamId,
        from: u64,
        at_most: usize,
    ) -> Result<Vec<(u64, Mark)>, StoreError> {
        match self {
            Self::Memory(store) => store.marks(stream, from, at_most).await,
            Self::JetStream(store) => store.marks(stream, from, at_most).await,
            Self::Sqlite(store) => {
                let stream = stream.clone();
                store.lend(move |store, on| on.block_on(store.marks(&stream, from, at_most))).await
            }
        }
    }

    async fn close(self) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => store.close().await,
            Self::JetStream(store) => store.close().await,
            Self::Sqlite(offloaded) => {
                let store = offloaded.take().expect("nobody else takes it");
                let on = Handle::current();
                spawn_blocking(move || on.block_on(store.close()))
                    .await
                    .expect("a store does not panic")
            }
        }
    }
}
