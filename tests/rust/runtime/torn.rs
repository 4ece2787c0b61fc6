//! A journal that writes the frames of one append one by one, and is broken off in between.

use std::sync::{Arc, Mutex};

use live_crew::{
    engine::{Event, Pace, StreamId},
    runtime::{Options, RuntimeError, StopSwitch},
    store::{Frame, Mark, MemoryStore, Rider, Store, StoreError},
    transport::memory::MemorySink,
};

use super::{echo_plan, echoing, open, open_with, recovery::Again, run_through};
use crate::support::{
    as_the_store_inside,
    build::{event, stream},
};

/// Keeps of the append with this number all but the frames of one stream, and fails.
#[derive(Clone)]
struct Torn {
    store: MemoryStore,
    settled: Arc<Mutex<Option<u64>>>,
    appends: u32,
    broken: Option<(u32, StreamId)>,
}

impl Store for Torn {
    async fn append(&mut self, frames: Vec<Frame>) -> Result<Vec<u64>, StoreError> {
        self.append_with(frames, Vec::new(), None).await
    }

    async fn append_with(
        &mut self,
        mut frames: Vec<Frame>,
        _riders: Vec<Rider>,
        settled: Option<u64>,
    ) -> Result<Vec<u64>, StoreError> {
        self.appends += 1;
        *self.settled.lock().unwrap() = settled;
        let Some((_, lost)) = self.broken.as_ref().filter(|(number, _)| *number == self.appends)
        else {
            return self.store.append(frames).await;
        };
        frames.retain(|frame| frame.stream != *lost);
        self.store.append(frames).await?;
        Err(StoreError::ReadOnly { journal: "torn".to_owned() })
    }

    fn settled(&self, _known_to: Option<u64>) -> Option<u64> {
        Some(self.settled.lock().unwrap().unwrap_or(0))
    }

    as_the_store_inside!(store);

    async fn mark(
        &mut self,
        stream: &StreamId,
        ordinal: u64,
    ) -> Result<Option<(u64, Mark)>, StoreError> {
        self.store.mark(stream, ordinal).await
    }
}

#[tokio::test]
async fn j3_an_append_that_was_torn_between_streams_loses_no_event_and_takes_none_twice() {
    let names = ["a", "b", "c"];
    let events: Vec<(&'static str, Event)> = (0..300_i64)
        .map(|n| (names[usize::try_from(n % 3).unwrap()], event(n * 50, "tick", n.to_string())))
        .collect();
    let whole = MemoryStore::new();
    run_through(&echo_plan(), whole.clone(), &mut Again::new(events.clone())).await;
    let whole = open(&echo_plan(), whole, &MemorySink::default(), echoing()).await;
    for (number, lost) in [(1, "a"), (2, "b"), (3, "c"), (4, "a")] {
        let store = Torn {
            store: MemoryStore::new(),
            settled: Arc::default(),
            appends: 0,
            broken: Some((number, stream(lost))),
        };
        let sink = MemorySink::default();
        let mut options = Options::new(Pace::Virtual);
        options.batch = 20;
        let mut source = Again::new(events.clone());
        let mut runtime = open_with(&echo_plan(), options, store.clone(), &sink, echoing()).await;
        let ending = runtime.run(&mut source, &StopSwitch::new()).await;
        assert!(matches!(ending, Err(RuntimeError::Store(_))), "{ending:?}");
        drop(runtime);

        let again = Torn { broken: None, ..store };
        let mut runtime = open(&echo_plan(), again, &sink, echoing()).await;
        runtime.run(&mut Again::new(events.clone()), &StopSwitch::new()).await.unwrap();
        for name in names {
            let id = stream(name);
            assert_eq!(runtime.digest(&id), whole.digest(&id), "append {number} without `{lost}`");
        }
    }
}
