//! Saves contexts beside a run: the run never waits for the place they are kept in.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::Notify, task::JoinHandle, time};

use super::{ContextError, ContextStore, Kept};
use crate::engine::{Slice, StreamId};

/// Streams saved in one step.
const BATCH: usize = 500;
/// Between two attempts, at first and at most.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What an operator wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Contexts are not saved; it is tried again and again.
    Failing(ContextError),
    /// They are again, those of so many streams anew.
    Back(usize),
}

/// Brings the latest context of every stream to a store.
///
/// Commits that come faster than the store takes them are passed over, so that what waits is one
/// context for each stream and no more. After an outage all are saved again: the server may have
/// come back without what it had.
#[derive(Debug)]
pub struct Projection {
    teller: Teller,
    task: JoinHandle<()>,
}

/// Tells a [`Projection`] of commits.
#[derive(Debug, Clone)]
pub struct Teller {
    shared: Arc<Shared>,
    writer: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to save.
    news: Notify,
    /// Something was saved, or will never be.
    done: Notify,
}

#[derive(Debug, Default)]
struct State {
    latest: BTreeMap<StreamId, Kept>,
    unsaved: BTreeSet<StreamId>,
    /// How many of them a save is under way with.
    under_way: usize,
    deposed: Option<ContextError>,
}

impl Projection {
    /// Begins to save into `store`, on the tokio runtime of the caller. `tell` hears of outages.
    pub fn begin(
        store: impl ContextStore + 'static,
        writer: u64,
        tell: impl Fn(Notice) + Send + 'static,
    ) -> Self {
        let shared = Arc::<Shared>::default();
        let task = tokio::spawn(save_on(store, Arc::clone(&shared), tell));
        Self { teller: Teller { shared, writer }, task }
    }

    /// What is told of commits.
    pub fn teller(&self) -> Teller {
        self.teller.clone()
    }

    /// Waits until everything is saved, and closes the store; gives the streams that still are not
    /// saved when the patience is at its end.
    pub async fn finish(mut self, patience: Duration) -> Result<usize, ContextError> {
        let shared = Arc::clone(&self.teller.shared);
        let all_saved = async {
            while shared.state().unsaved() > 0 {
                shared.done.notified().await;
            }
        };
        // What is left is counted below.
        let _in_time = time::timeout(patience, all_saved).await;
        self.task.abort();
        // Cancelled, or at its own end: either way the store is dropped now.
        let _ended = (&mut self.task).await;
        let mut state = shared.state();
        match state.deposed.take() {
            Some(error) => Err(error),
            None => Ok(state.unsaved()),
        }
    }
}

impl Drop for Projection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Teller {
    /// A slice was committed. An error says that another session took over, and ends this one.
    pub fn tell(
        &self,
        stream: &StreamId,
        slice: Slice,
        context: &[u8],
    ) -> Result<(), ContextError> {
        let mut state = self.shared.state();
        if let Some(error) = &state.deposed {
            return Err(error.clone());
        }
        let (context, writer) = (Bytes::copy_from_slice(context), self.writer);
        let kept = Kept { stream: stream.clone(), slice, context, writer };
        state.latest.insert(stream.clone(), kept);
        state.unsaved.insert(stream.clone());
        self.shared.news.notify_one();
        Ok(())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn saved(&self) {
        self.state().under_way = 0;
    }

    fn save_all_again(&self) -> usize {
        let mut state = self.state();
        state.unsaved = state.latest.keys().cloned().collect();
        state.unsaved.len()
    }

    fn put_back(&self, batch: Vec<Kept>) {
        let mut state = self.state();
        state.under_way = 0;
        state.unsaved.extend(batch.into_iter().map(|kept| kept.stream));
    }

    fn depose(&self, error: ContextError) {
        self.state().deposed = Some(error);
        self.done.notify_one();
    }
}

impl State {
    fn unsaved(&self) -> usize {
        if self.deposed.is_some() { 0 } else { self.unsaved.len() + self.under_way }
    }

    fn take_batch(&mut self) -> Vec<Kept> {
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(stream) = self.unsaved.pop_first()
        {
            batch.push(self.latest[&stream].clone());
        }
        self.under_way = batch.len();
        batch
    }
}

async fn save_on(
    mut store: impl ContextStore,
    shared: Arc<Shared>,
    tell: impl Fn(Notice) + Send + 'static,
) {
    let (mut wait, mut failing) = (FIRST_WAIT, None);
    loop {
        let batch = shared.state().take_batch();
        if batch.is_empty() {
            shared.done.notify_one();
            shared.news.notified().await;
            continue;
        }
        match store.save(&batch).await {
            Ok(()) => {
                shared.saved();
                wait = FIRST_WAIT;
                if failing.take().is_some() {
                    let streams = shared.save_all_again();
                    tracing::info!(streams, "contexts are saved again");
                    tell(Notice::Back(streams));
                }
            }
            Err(error @ ContextError::Deposed { .. }) => {
                shared.depose(error);
                return;
            }
            Err(error) => {
                shared.put_back(batch);
                // Once for each sort of thing that is wrong, not once for each attempt: a server
                // that goes away is first reset, then refused.
                let sort = mem::discriminant(&error);
                if failing.replace(sort) != Some(sort) {
                    tracing::warn!(%error, "contexts are not saved");
                    tell(Notice::Failing(error));
                }
                time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}
