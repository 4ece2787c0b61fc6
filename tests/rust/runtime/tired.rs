//! Crews that work on the spot, and for long.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use live_crew::{
    engine::{CrewIx, Event, Job, RunId, StreamId},
    runtime::{Back, Crews, Ending, Started, Stop, StopSwitch},
    store::MemoryStore,
    transport::memory::MemorySink,
};

use super::{actions, echo, echo_plan, echoing, open, recovery::Again, run_through};
use crate::support::build::{event, stream};

/// Crews that are tired after each run, and are told to stop in one of them.
struct Slowly {
    began: Arc<AtomicUsize>,
    is_tired: bool,
    stop_in: usize,
    switch: StopSwitch,
}

impl Crews for Slowly {
    fn is_immediate(&self, _crew: CrewIx) -> bool {
        true
    }

    fn start(&mut self, stream: &StreamId, job: Job) -> Started {
        assert!(!self.is_tired, "none begins before the next breath");
        self.is_tired = true;
        if self.began.fetch_add(1, Ordering::Relaxed) + 1 == self.stop_in {
            self.switch.stop(Stop::Abort);
        }
        Started::Done(echo(stream, &job))
    }

    fn cancel(&mut self, _stream: &StreamId, _run: RunId, _attempt: u32) {}

    async fn next_back(&mut self) -> Back {
        std::future::pending().await
    }

    fn is_tired(&self) -> bool {
        self.is_tired
    }

    async fn breathe(&mut self) {
        self.is_tired = false;
    }
}

fn events() -> Vec<(&'static str, Event)> {
    (0..100).map(|n| ("s", event(n * 100, "tick", n.to_string()))).collect()
}

/// How the run ended, how many runs began, and what was said.
async fn run(store: MemoryStore, stop_in: usize) -> (Ending, usize, Vec<String>) {
    let (began, switch, sink) =
        (Arc::<AtomicUsize>::default(), StopSwitch::new(), MemorySink::default());
    let crews =
        Slowly { began: Arc::clone(&began), is_tired: false, stop_in, switch: switch.clone() };
    let mut runtime = open(&echo_plan(), store, &sink, crews).await;
    let ending = runtime.run(&mut Again::new(events()), &switch).await.unwrap();
    (ending, began.load(Ordering::Relaxed), actions(&sink.take()))
}

#[tokio::test]
async fn j1_long_runs_are_written_one_by_one_and_a_stop_is_heard_between_them() {
    let store = MemoryStore::new();
    let (ending, began, said) = run(store.clone(), 7).await;
    assert_eq!((ending, began), (Ending::Aborted, 7));
    let (ending, began, rest) = run(store, usize::MAX).await;
    assert_eq!(ending, Ending::Finished);
    assert!(began <= 94, "six of a hundred are in the journal: {began} began again");
    // The last one may be said again, with the id it had.
    let mut said = [said, rest].concat();
    said.dedup();
    assert_eq!(said, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn j4_how_long_runs_take_changes_no_digest() {
    let (quick, slow) = (MemoryStore::new(), MemoryStore::new());
    let told = run_through(&echo_plan(), quick.clone(), &mut Again::new(events())).await;
    let (ending, began, said) = run(slow.clone(), usize::MAX).await;
    assert_eq!((ending, began), (Ending::Finished, 100));
    assert_eq!(said, actions(&told.take()));
    let sink = MemorySink::default();
    let quick = open(&echo_plan(), quick, &sink, echoing()).await;
    let slow = open(&echo_plan(), slow, &sink, echoing()).await;
    assert_eq!(slow.digest(&stream("s")), quick.digest(&stream("s")));
}
