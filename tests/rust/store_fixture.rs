//! Journals to test with, and the few things every store test says.

use std::{
    path::PathBuf,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use live_crew::{
    engine::{Slice, StreamId, Timestamp},
    store::{
        Frame, Mark, MemoryStore, Pick, Pruned, Retention, Snapshot, SqliteStore, Store,
        StoreError, StoredFrame, StreamSummary,
    },
};
use tempfile::TempDir;

/// Somewhere a journal is kept while stores come and go.
pub(crate) trait Journal: Default {
    type Store: Store;
    fn open(&self) -> Self::Store;
}

#[derive(Default)]
pub(crate) struct InMemory(MemoryStore);

impl Journal for InMemory {
    type Store = MemoryStore;
    fn open(&self) -> MemoryStore {
        self.0.clone()
    }
}

pub(crate) struct OnDisk(TempDir);

impl Default for OnDisk {
    fn default() -> Self {
        // In memory where the system has it: these tests sync thousands of times.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self(folder.unwrap())
    }
}

impl OnDisk {
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("deeper/journal.db")
    }
}

impl Journal for OnDisk {
    type Store = SqliteStore;
    fn open(&self) -> SqliteStore {
        SqliteStore::open(self.path()).unwrap()
    }
}

/// What a store answers. Memory and disk answer at once: there, waiting would be a mistake.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    #[cfg(feature = "nats")]
    let _entered = RUNTIME.enter();
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        #[cfg(feature = "nats")]
        Poll::Pending => RUNTIME.block_on(future),
        #[cfg(not(feature = "nats"))]
        Poll::Pending => panic!("a store did not complete at once"),
    }
}

/// What drives clients in tests that are not async themselves.
#[cfg(feature = "nats")]
pub(crate) static RUNTIME: std::sync::LazyLock<tokio::runtime::Runtime> =
    std::sync::LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
    });

#[cfg(feature = "nats")]
pub(crate) struct InJetStream(crate::servers::NatsServer);

#[cfg(feature = "nats")]
impl Default for InJetStream {
    fn default() -> Self {
        Self(crate::servers::NatsServer::start())
    }
}

#[cfg(feature = "nats")]
impl Journal for InJetStream {
    type Store = live_crew::store::JetStreamStore;
    fn open(&self) -> Self::Store {
        RUNTIME.block_on(async {
            let servers = vec![self.0.url()];
            let address = live_crew::nats::Address { servers, ..Default::default() };
            let nats = live_crew::nats::Connection::open(&address).await.unwrap();
            live_crew::nats::Layout::default().ensure(&nats).await.unwrap();
            let scope = live_crew::store::Scope::Shard { number: 0, of: 1 };
            live_crew::store::JetStreamStore::take_over(nats, scope, "test").await.unwrap()
        })
    }
}

pub(crate) fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

pub(crate) fn second(n: i64) -> Timestamp {
    Timestamp::from_micros(n * 1_000_000).unwrap()
}

pub(crate) fn mark(slice: i64) -> Mark {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&slice.to_be_bytes());
    Mark { slice: Slice(slice), digest }
}

/// A frame written at second `n` with one commit of slice `n`.
pub(crate) fn frame(stream: &str, n: i64) -> Frame {
    let body = Bytes::from(format!("{stream} does thing {n}"));
    Frame { stream: id(stream), at: second(n), records: 3, body, marks: vec![mark(n)] }
}

pub(crate) fn snapshot(after: u64, slice: i64) -> Snapshot {
    let body = Bytes::from(format!("state after {after}"));
    Snapshot { after, slice: Slice(slice), body }
}

pub(crate) fn append(store: &mut impl Store, frames: Vec<Frame>) -> Vec<u64> {
    at_once(store.append(frames)).unwrap()
}

/// Appends frames 1 to `count`, one by one.
pub(crate) fn fill(store: &mut impl Store, stream: &str, count: i64) {
    for n in 1..=count {
        append(store, vec![frame(stream, n)]);
    }
}

/// The whole stream, page by page.
pub(crate) fn try_read(
    store: &mut impl Store,
    stream: &StreamId,
) -> Result<Vec<StoredFrame>, StoreError> {
    let mut frames: Vec<StoredFrame> = Vec::new();
    loop {
        let after = frames.last().map_or(0, |frame| frame.seq);
        let page = at_once(store.read(stream, after, 2_000))?;
        if page.is_empty() {
            return Ok(frames);
        }
        frames.extend(page);
    }
}

pub(crate) fn read(store: &mut impl Store, stream: &str) -> Vec<StoredFrame> {
    try_read(store, &id(stream)).unwrap()
}

/// The bodies of a stream.
pub(crate) fn bodies(store: &mut impl Store, stream: &str) -> Vec<Bytes> {
    read(store, stream).into_iter().map(|frame| frame.body).collect()
}

pub(crate) fn summary(store: &mut impl Store, stream: &str) -> StreamSummary {
    let streams = at_once(store.streams()).unwrap();
    streams.into_iter().find(|summary| summary.stream == id(stream)).unwrap()
}

/// The commit with an ordinal.
pub(crate) fn nth(store: &mut impl Store, stream: &str, ordinal: u64) -> Option<(u64, Mark)> {
    at_once(store.mark(&id(stream), ordinal)).unwrap()
}

/// Prunes at second `now`.
pub(crate) fn prune(store: &mut impl Store, stream: &str, keep: Retention, now: i64) -> Pruned {
    at_once(store.prune(&id(stream), &keep, second(now))).unwrap()
}

/// Everything a store answers, to compare two of them.
pub(crate) fn everything(store: &mut impl Store) -> Result<Vec<String>, StoreError> {
    let mut answers = Vec::new();
    for summary in at_once(store.streams())? {
        let stream = &summary.stream;
        answers.extend(try_read(store, stream)?.iter().map(|frame| format!("{frame:?}")));
        for ordinal in summary.first_commit..summary.first_commit + summary.commits {
            answers.push(format!("{:?}", at_once(store.mark(stream, ordinal))?));
        }
        answers.push(format!("{:?}", at_once(store.snapshot(stream, Pick::Latest))?));
        for slice in [0, 1, 4, 8, 14] {
            let snapshot = at_once(store.snapshot(stream, Pick::NotBeyond(Slice(slice))))?;
            answers.push(format!("{snapshot:?}"));
        }
        answers.push(format!("{:?}", StreamSummary { sealed: false, ..summary }));
    }
    Ok(answers)
}
