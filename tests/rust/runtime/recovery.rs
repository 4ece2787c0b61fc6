//! From a crash, a full disk or a changed plan back to work.

use std::sync::Arc;

use live_crew::{
    engine::{CrewSpec, Event, Pace, Plan},
    runtime::{Ending, Options, Runtime, RuntimeError, Stop, StopSwitch, SystemClock, verify},
    store::{MemoryStore, Retention, Store, StoreError},
    transport::{
        Cursor, Delivery, Source, TransportError,
        memory::{MemorySink, channel},
    },
};

use super::{
    EventFile, Told, actions, by_hand, echo_plan, echoing, given, line, open, open_with, put,
    run_through,
};
use crate::support::build::{crew, event, plan, settings, stream};

fn ticks(count: i64) -> Vec<(&'static str, Event)> {
    (0..count).map(|n| ("s", event(n * 100, "tick", n.to_string()))).collect()
}

/// Runs until the first job is handed over, then aborts.
pub(super) async fn abort_at_first_job(store: impl Store, source: &mut impl Source) -> MemorySink {
    let sink = MemorySink::default();
    let (crews, hand) = by_hand();
    let mut runtime = open(&echo_plan(), store, &sink, crews).await;
    let switch = StopSwitch::new();
    let run = runtime.run(source, &switch);
    let stop = async {
        hand.job().await;
        switch.stop(Stop::Abort);
    };
    let (ending, ()) = tokio::join!(run, stop);
    assert_eq!(ending.unwrap(), Ending::Aborted);
    sink
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn j3_a_file_goes_on_where_it_stopped_after_a_restart() {
    use live_crew::store::SqliteStore;
    let text: String = (0..20).map(|n| line(n * 100, &n.to_string())).collect();
    let file = EventFile::new(&text);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let wanted: Vec<String> = (0..20).map(|n| n.to_string()).collect();

    let store = SqliteStore::open(&path).unwrap();
    let sink = abort_at_first_job(store, &mut file.source()).await;
    assert_eq!(actions(&sink.take()), [""; 0]);

    let mut source = Told::new(file.source());
    let resumed = Arc::clone(&source.resumed);
    let sink = MemorySink::default();
    let store = SqliteStore::open(&path).unwrap();
    let mut runtime = open(&echo_plan(), store, &sink, echoing()).await;
    runtime.run(&mut source, &StopSwitch::new()).await.unwrap();
    assert_eq!(actions(&sink.take()), wanted);
    assert!(resumed.lock().unwrap().is_some());
    let digest = runtime.digest(&stream("s"));
    runtime.close().await.unwrap();

    let whole = MemoryStore::new();
    run_through(&echo_plan(), whole.clone(), &mut file.source()).await;
    let at_once = open(&echo_plan(), whole, &sink, echoing()).await;
    assert_eq!(digest, at_once.digest(&stream("s")));
    let mut store = SqliteStore::open(&path).unwrap();
    let verdict = verify(&mut store, &stream("s")).await.unwrap();
    assert!(verdict.divergence.is_none(), "{verdict:?}");
    assert_eq!(verdict.commits, 20);
}

#[tokio::test]
async fn j3_action_ids_are_the_same_after_a_crash_and_nothing_is_published_twice() {
    let whole = run_through(&echo_plan(), MemoryStore::new(), &mut given(ticks(10))).await;
    let store = MemoryStore::new();
    let first = abort_at_first_job(store.clone(), &mut given(ticks(10))).await;
    let second = run_through(&echo_plan(), store.clone(), &mut given(vec![])).await;
    let third = run_through(&echo_plan(), store, &mut given(vec![])).await;
    assert_eq!(first.take(), []);
    assert_eq!(second.take(), whole.take());
    assert_eq!(third.take(), [], "all was sent before");
}

#[tokio::test]
async fn j2_a_source_is_acknowledged_only_after_the_commit() {
    let (publisher, source) = channel(100);
    let mut source = Told::new(source);
    let acked = Arc::clone(&source.acked);
    put(&publisher, ticks(4));
    let (crews, hand) = by_hand();
    let sink = MemorySink::default();
    let mut runtime = open(&echo_plan(), MemoryStore::new(), &sink, crews).await;
    let switch = StopSwitch::new();
    let run = runtime.run(&mut source, &switch);
    let look = async {
        let last = || acked.lock().unwrap().last().copied();
        for committed in 0..3 {
            let job = hand.job().await;
            assert!(last().is_none_or(|acked| acked <= committed), "{acked:?}");
            hand.answer(job);
        }
        drop(publisher);
        hand.answer(hand.job().await);
    };
    let (ending, ()) = tokio::join!(run, look);
    assert_eq!(ending.unwrap(), Ending::Finished);
    assert_eq!(acked.lock().unwrap().last(), Some(&4));
}

#[tokio::test]
async fn refused_input_is_acknowledged_too() {
    let mut events = ticks(2);
    events.push(("s", event(200, "__reserved", "1")));
    let mut source = Told::new(given(events));
    run_through(&echo_plan(), MemoryStore::new(), &mut source).await;
    assert_eq!(source.acked.lock().unwrap().last(), Some(&3));
}

async fn reopen(plan: Arc<Plan>, store: MemoryStore) -> Result<(), RuntimeError> {
    let options = Options::new(Pace::Virtual);
    let sink = MemorySink::default();
    let clock = SystemClock::new();
    let mut runtime = Runtime::open(plan, options, store, sink, echoing(), clock).await?;
    runtime.run(&mut given(vec![]), &StopSwitch::new()).await?;
    runtime.close().await
}

#[tokio::test]
async fn j6_a_changed_plan_is_refused_and_told_what_differs() {
    let store = MemoryStore::new();
    run_through(&echo_plan(), store.clone(), &mut given(ticks(3))).await;
    let plans = [
        (
            plan(vec![CrewSpec { stride: 2, ..crew("echo", &["*"]) }], settings(Pace::Virtual)),
            "another plan: crew `echo` is declared differently; go on",
        ),
        (
            plan(vec![crew("echo", &["*"]), crew("new", &["*"])], settings(Pace::Virtual)),
            "another plan: crew `new` is new; go on",
        ),
        (
            plan(vec![crew("a", &["*"]), crew("b", &["*"])], settings(Pace::Virtual)),
            "another plan: crew `echo` is missing, crews `a`, `b` are new; go on",
        ),
        (plan(vec![crew("echo", &["*"])], settings(Pace::Realtime)), "its settings differ"),
    ];
    for (changed, what) in plans {
        let error = reopen(changed, store.clone()).await.unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[tokio::test]
async fn j6_new_code_of_a_crew_is_taken_and_written_down() {
    let store = MemoryStore::new();
    abort_at_first_job(store.clone(), &mut given(ticks(3))).await;
    let spec = CrewSpec { fingerprint: "new code".to_owned(), ..crew("echo", &["*"]) };
    let changed = plan(vec![spec], settings(Pace::Virtual));
    reopen(changed, store.clone()).await.unwrap();
    let mut kept = store.clone();
    let frames = kept.read(&stream("s"), 0, usize::MAX).await.unwrap();
    let headers = frames.iter().filter_map(|frame| {
        match live_crew::wire::decode_body(&frame.body).unwrap() {
            live_crew::wire::Body::Header(header) => Some(header.crews[0].fingerprint.clone()),
            live_crew::wire::Body::Records(_) => None,
        }
    });
    assert_eq!(headers.collect::<Vec<_>>(), ["", "new code"]);
    let verdict = verify(&mut kept, &stream("s")).await.unwrap();
    assert!(verdict.divergence.is_none(), "{verdict:?}");
}

#[tokio::test]
async fn a_full_disk_stops_the_runtime_and_the_next_start_goes_on() {
    let full = MemoryStore::with_max_bytes(3_000);
    let sink = MemorySink::default();
    let mut options = Options::new(Pace::Virtual);
    options.batch = 1;
    let mut runtime = open_with(&echo_plan(), options, full.clone(), &sink, echoing()).await;
    let mut source = given(ticks(40));
    let switch = StopSwitch::new();
    let error = runtime.run(&mut source, &switch).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Store(StoreError::Full { .. })), "{error}");
    assert!(error.to_string().contains("is full"), "{error}");
    let again = runtime.run(&mut source, &switch).await;
    assert!(matches!(again, Err(RuntimeError::Broken)));
    runtime.close().await.unwrap();
    let before = actions(&sink.take());

    let (roomy, torn) = MemoryStore::from_bytes(&full.export()).unwrap();
    assert_eq!(torn, None);
    let mut again = Again::new(ticks(40));
    let rest = run_through(&echo_plan(), roomy.clone(), &mut again).await;
    let mut sent = before.clone();
    sent.extend(actions(&rest.take()));
    sent.dedup();
    let wanted: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    assert_eq!(sent, wanted);
    assert!(!before.is_empty() && before.len() < 40, "{before:?}");
    let verdict = verify(&mut roomy.clone(), &stream("s")).await.unwrap();
    assert!(verdict.divergence.is_none(), "{verdict:?}");
}

/// Gives events from wherever it is told to resume.
pub(super) struct Again {
    events: Vec<(&'static str, Event)>,
    at: usize,
}

impl Again {
    pub(super) fn new(events: Vec<(&'static str, Event)>) -> Self {
        Self { events, at: 0 }
    }
}

impl Source for Again {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        let end = self.events.len().min(self.at + max);
        let given = (self.at..end).map(|at| {
            let (name, event) = self.events[at].clone();
            crate::support::build::delivery(name, event, at as u64 + 1)
        });
        let given = given.collect();
        self.at = end;
        Ok(given)
    }

    async fn resume_after(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        self.at = usize::try_from(cursor.0).unwrap();
        Ok(())
    }

    async fn ack(&mut self, _cursor: Cursor) -> Result<(), TransportError> {
        Ok(())
    }
}

#[tokio::test]
async fn j5_a_pruned_journal_recovers_from_its_snapshots_and_can_be_verified() {
    let store = MemoryStore::new();
    let mut options = Options::new(Pace::Virtual);
    options.batch = 1;
    options.snapshot_every = 5;
    options.retention = Retention { max_age: None, max_bytes: Some(6_000) };
    let sink = MemorySink::default();
    let (publisher, mut source) = channel(200);
    put(&publisher, ticks(100));
    let mut runtime = open_with(&echo_plan(), options, store.clone(), &sink, echoing()).await;
    let switch = StopSwitch::new();
    let run = runtime.run(&mut source, &switch);
    let stop = async {
        let mut sent = Vec::new();
        while sent.len() < 99 {
            sent.extend(actions(&sink.take()));
            tokio::task::yield_now().await;
        }
        switch.stop(Stop::Abort);
        sent
    };
    let (ending, mut sent) = tokio::join!(run, stop);
    assert_eq!(ending.unwrap(), Ending::Aborted);
    drop(runtime);
    let mut kept = store.clone();
    let summary = kept.streams().await.unwrap().remove(0);
    assert!(summary.first_seq > 1, "nothing was pruned: {summary:?}");
    let verdict = verify(&mut kept, &stream("s")).await.unwrap();
    assert!(verdict.divergence.is_none(), "{verdict:?}");
    assert!(verdict.from.is_some());

    let sink = run_through(&echo_plan(), store.clone(), &mut given(vec![])).await;
    sent.extend(actions(&sink.take()));
    // What was not known to be sent comes again, with the same id.
    sent.dedup();
    assert_eq!(sent.len(), 100);
    let whole = MemoryStore::new();
    run_through(&echo_plan(), whole.clone(), &mut given(ticks(100))).await;
    let pruned = open(&echo_plan(), store, &sink, echoing()).await;
    let whole = open(&echo_plan(), whole, &sink, echoing()).await;
    assert_eq!(pruned.digest(&stream("s")), whole.digest(&stream("s")));
}

#[tokio::test]
async fn j5_busy_streams_share_the_bytes_that_are_kept_and_stay_recoverable() {
    let names = ["a", "b", "c", "d"];
    let events: Vec<_> = (0..2_000_i64)
        .map(|n| (names[usize::try_from(n % 4).unwrap()], event(n * 25, "tick", n.to_string())))
        .collect();
    let kept_of = async |max_bytes: Option<u64>| {
        let store = MemoryStore::new();
        let mut options = Options::new(Pace::Virtual);
        options.batch = 16;
        options.retention = Retention { max_age: None, max_bytes };
        let sink = MemorySink::default();
        let mut runtime = open_with(&echo_plan(), options, store.clone(), &sink, echoing()).await;
        runtime.run(&mut given(events.clone()), &StopSwitch::new()).await.unwrap();
        let summaries = store.clone().streams().await.unwrap();
        (store, summaries.iter().map(|summary| summary.bytes).sum::<u64>())
    };
    let (whole, all) = kept_of(None).await;
    // Far fewer commits than `snapshot_every`: the bytes alone make snapshots due.
    let (pruned, kept) = kept_of(Some(40_000)).await;
    assert!(kept < all / 2, "{kept} of {all} bytes are kept");
    for name in names {
        let verdict = verify(&mut pruned.clone(), &stream(name)).await.unwrap();
        assert!(verdict.divergence.is_none(), "{verdict:?}");
        assert!(verdict.from.is_some(), "nothing of `{name}` was pruned");
    }
    let sink = MemorySink::default();
    let pruned = open(&echo_plan(), pruned, &sink, echoing()).await;
    let whole = open(&echo_plan(), whole, &sink, echoing()).await;
    for name in names {
        assert_eq!(pruned.digest(&stream(name)), whole.digest(&stream(name)));
    }
}

/// Gives what it has, then has the run drained.
struct ThenDrain(Vec<Delivery>, StopSwitch);

impl Source for ThenDrain {
    async fn next(&mut self, _max: usize) -> Result<Vec<Delivery>, TransportError> {
        if let Some(delivery) = self.0.pop() {
            return Ok(vec![delivery]);
        }
        self.1.stop(Stop::Drain);
        std::future::pending().await
    }

    async fn resume_after(&mut self, _cursor: Cursor) -> Result<(), TransportError> {
        Ok(())
    }

    async fn ack(&mut self, _cursor: Cursor) -> Result<(), TransportError> {
        Ok(())
    }
}

#[tokio::test]
async fn j5_what_is_too_much_for_a_snapshot_is_in_the_frames() {
    // One slice of 288 MB; the first event closes another one before it.
    let large = event(5_000, "tick", format!("\"{}\"", "x".repeat(1_000_000)));
    let mut given = vec![event(0, "tick", "0")];
    given.extend(std::iter::repeat_n(large, 288));
    let delivery =
        |(place, event)| Delivery::Event { stream: stream("s"), event, cursor: Cursor(place) };
    let mut deliveries: Vec<_> = (1..).zip(given).map(delivery).collect();
    deliveries.reverse();
    let plan = plan(vec![crew("quiet", &["never"])], settings(Pace::Virtual));
    let store = MemoryStore::new();
    let switch = StopSwitch::new();
    let mut source = ThenDrain(deliveries, switch.clone());
    let sink = MemorySink::default();
    let mut runtime = open(&plan, store.clone(), &sink, echoing()).await;
    assert_eq!(runtime.run(&mut source, &switch).await.unwrap(), Ending::Drained);
    runtime.close().await.unwrap();

    let mut runtime = open(&plan, store, &sink, echoing()).await;
    let (publisher, mut source) = channel(1);
    drop(publisher);
    runtime.run(&mut source, &StopSwitch::new()).await.unwrap();
    assert_eq!(runtime.engine(&stream("s")).unwrap().counters().events, 289);
}
