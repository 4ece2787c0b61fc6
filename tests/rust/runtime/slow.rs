//! A journal that takes its time.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use live_crew::{
    engine::{CrewIx, Event, Job, Outcome, Pace, RunId, StreamId},
    runtime::{Back, Crews, Ending, Inline, Options, Started, Stop, StopSwitch},
    store::{Frame, Mark, MemoryStore, Store, StoreError},
    transport::memory::MemorySink,
};
use tokio::sync::Semaphore;

use super::{
    actions, echo, echo_plan, open, open_with,
    recovery::{Again, abort_at_first_job},
    run_through,
};
use crate::support::{
    as_the_store_inside,
    build::{event, stream},
};

/// Appends as often as it is let.
#[derive(Clone)]
struct Slow {
    store: MemoryStore,
    gate: Arc<Semaphore>,
}

impl Store for Slow {
    async fn append(&mut self, frames: Vec<Frame>) -> Result<Vec<u64>, StoreError> {
        self.gate.acquire().await.unwrap().forget();
        self.store.append(frames).await
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
async fn j1_events_are_taken_in_while_a_write_is_under_way_and_nothing_is_said_before_its_end() {
    let events: Vec<(&'static str, Event)> =
        (0..200).map(|n| ("s", event(n * 100, "tick", n.to_string()))).collect();
    let whole = MemoryStore::new();
    let told = run_through(&echo_plan(), whole.clone(), &mut Again::new(events.clone())).await;
    let whole = open(&echo_plan(), whole, &MemorySink::default(), Inline(echo)).await;

    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let counting = Inline(move |stream: &StreamId, job: &Job| -> Outcome {
        counted.fetch_add(1, Ordering::Relaxed);
        echo(stream, job)
    });
    let slow = Slow { store: MemoryStore::new(), gate: Arc::new(Semaphore::new(0)) };
    let (gate, sink) = (Arc::clone(&slow.gate), MemorySink::default());
    let options = Options { batch: 10, ..Options::new(Pace::Virtual) };
    let mut runtime = open_with(&echo_plan(), options, slow, &sink, counting).await;
    let (mut source, switch) = (Again::new(events), StopSwitch::new());
    let run = runtime.run(&mut source, &switch);
    let watch = async {
        // One batch is being written; of the four behind it, the last slice is not over.
        while runs.load(Ordering::Relaxed) < 49 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(runs.load(Ordering::Relaxed), 49, "no more is taken in than can be written");
        assert!(sink.take().is_empty(), "nothing is said that is not durable");
        gate.add_permits(Semaphore::MAX_PERMITS);
    };
    let (ending, ()) = tokio::join!(run, watch);
    assert_eq!(ending.unwrap(), Ending::Finished);
    assert_eq!(runtime.digest(&stream("s")), whole.digest(&stream("s")));
    assert_eq!(actions(&sink.take()), actions(&told.take()));
}

/// Crews that never answer, and note what happens.
struct Noting(Arc<Mutex<Vec<&'static str>>>);

impl Crews for Noting {
    fn is_immediate(&self, _crew: CrewIx) -> bool {
        false
    }

    fn start(&mut self, _stream: &StreamId, _job: Job) -> Started {
        self.0.lock().unwrap().push("start");
        Started::Later
    }

    fn cancel(&mut self, _stream: &StreamId, _run: RunId, _attempt: u32) {}

    async fn next_back(&mut self) -> Back {
        std::future::pending().await
    }

    async fn breathe(&mut self) {
        self.0.lock().unwrap().push("breath");
    }
}

#[tokio::test]
async fn j3_runs_that_were_under_way_are_handed_over_before_anything_else_however_slow_the_store() {
    let events: Vec<(&'static str, Event)> =
        (0..20).map(|n| ("s", event(n * 100, "tick", n.to_string()))).collect();
    let store = MemoryStore::new();
    abort_at_first_job(store.clone(), &mut Again::new(events.clone())).await;

    let slow = Slow { store, gate: Arc::new(Semaphore::new(0)) };
    let (gate, noted) = (Arc::clone(&slow.gate), Arc::default());
    let crews = Noting(Arc::clone(&noted));
    let mut runtime = open(&echo_plan(), slow, &MemorySink::default(), crews).await;
    let (mut source, switch) = (Again::new(events), StopSwitch::new());
    let run = runtime.run(&mut source, &switch);
    let watch = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(Semaphore::MAX_PERMITS);
        while !noted.lock().unwrap().contains(&"start") {
            tokio::task::yield_now().await;
        }
        switch.stop(Stop::Abort);
    };
    let (ending, ()) = tokio::join!(run, watch);
    assert_eq!(ending.unwrap(), Ending::Aborted);
    assert_eq!(noted.lock().unwrap()[0], "start");
}
