//! Drain, abort, and crews that hang.

use std::time::Duration;

use live_crew::{
    engine::{Pace, Span, StreamSettings},
    runtime::{Ending, Options, RuntimeError, Stop, StopSwitch},
    store::MemoryStore,
    transport::memory::{MemorySink, channel},
};

use super::{actions, by_hand, echo_plan, echoing, given, open, open_with, put};
use crate::support::build::{crew, event, plan, settings};

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_is_under_way_and_takes_nothing_more_in() {
    let (publisher, mut source) = channel(10);
    put(&publisher, vec![("s", event(0, "tick", "1")), ("s", event(100, "tick", "2"))]);
    let (crews, hand) = by_hand();
    let sink = MemorySink::default();
    let mut runtime = open(&echo_plan(), MemoryStore::new(), &sink, crews).await;
    let switch = StopSwitch::new();
    let run = runtime.run(&mut source, &switch);
    let stop = async {
        let job = hand.job().await;
        switch.stop(Stop::Drain);
        tokio::time::sleep(Duration::from_secs(1)).await;
        put(&publisher, vec![("s", event(900, "tick", "3"))]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        hand.answer(job);
    };
    let (ending, ()) = tokio::join!(run, stop);
    assert_eq!(ending.unwrap(), Ending::Drained);
    assert_eq!(actions(&sink.take()), ["1"]);
    assert_eq!(runtime.counters().0.events, 2);
}

#[tokio::test(start_paused = true)]
async fn a_live_drain_waits_until_the_open_slice_has_closed() {
    let plan = plan(vec![crew("echo", &["*"])], settings(Pace::Realtime));
    let (publisher, mut source) = channel(10);
    put(&publisher, vec![("s", event(super::NOW, "tick", "1"))]);
    let sink = MemorySink::default();
    let mut runtime = open(&plan, MemoryStore::new(), &sink, echoing()).await;
    let switch = StopSwitch::new();
    let run = runtime.run(&mut source, &switch);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        switch.stop(Stop::Drain);
    };
    let (ending, ()) = tokio::join!(run, stop);
    assert_eq!(ending.unwrap(), Ending::Drained);
    assert_eq!(actions(&sink.take()), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_takes_longer_than_its_grace_is_an_abort() {
    let mut options = Options::new(Pace::Virtual);
    options.grace = Span::from_secs(5);
    let mut source = given(vec![("s", event(0, "tick", "1")), ("s", event(100, "tick", "2"))]);
    let (crews, hand) = by_hand();
    let sink = MemorySink::default();
    let mut runtime = open_with(&echo_plan(), options, MemoryStore::new(), &sink, crews).await;
    let switch = StopSwitch::new();
    let started = tokio::time::Instant::now();
    let run = runtime.run(&mut source, &switch);
    let stop = async {
        hand.job().await;
        switch.stop(Stop::Drain);
    };
    let (ending, ()) = tokio::join!(run, stop);
    assert_eq!(ending.unwrap(), Ending::Aborted);
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn j3_an_abort_waits_for_nothing_and_loses_nothing() {
    let store = MemoryStore::new();
    let sink = MemorySink::default();
    let (publisher, mut source) = channel(10);
    put(&publisher, vec![("s", event(0, "tick", "1")), ("s", event(100, "tick", "2"))]);
    let (crews, hand) = by_hand();
    let mut runtime = open(&echo_plan(), store.clone(), &sink, crews).await;
    let switch = StopSwitch::new();
    let run = runtime.run(&mut source, &switch);
    let stop = async {
        hand.job().await;
        switch.stop(Stop::Drain);
        tokio::task::yield_now().await;
        switch.stop(Stop::Abort);
        switch.stop(Stop::Drain);
    };
    let started = tokio::time::Instant::now();
    let (ending, ()) = tokio::join!(run, stop);
    assert_eq!(ending.unwrap(), Ending::Aborted);
    assert_eq!(started.elapsed().as_micros(), 0);
    runtime.close().await.unwrap();
    assert_eq!(actions(&sink.take()), [""; 0]);

    let mut runtime = open(&echo_plan(), store, &sink, echoing()).await;
    let mut source = given(vec![]);
    let ending = runtime.run(&mut source, &StopSwitch::new()).await;
    assert_eq!(ending.unwrap(), Ending::Finished);
    assert_eq!(actions(&sink.take()), ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn c9_a_stream_with_a_hanging_crew_does_not_hold_up_another() {
    let (publisher, mut source) = channel(10);
    put(&publisher, vec![("stuck", event(0, "tick", "1"))]);
    put(&publisher, vec![("stuck", event(100, "tick", "2"))]);
    let (crews, hand) = by_hand();
    let sink = MemorySink::default();
    let mut runtime = open(&echo_plan(), MemoryStore::new(), &sink, crews).await;
    let switch = StopSwitch::new();
    let run = runtime.run(&mut source, &switch);
    let look = async {
        let (stream, _never_answered) = hand.job().await;
        assert_eq!(stream.as_str(), "stuck");
        for n in 0..5 {
            put(&publisher, vec![("free", event(n * 100, "tick", n.to_string()))]);
        }
        let mut sent = Vec::new();
        for _ in 0..4 {
            hand.answer(hand.job().await);
        }
        while sent.len() < 4 {
            sent.extend(actions(&sink.take()));
            tokio::task::yield_now().await;
        }
        switch.stop(Stop::Abort);
        sent
    };
    let (ending, sent) = tokio::join!(run, look);
    assert_eq!(ending.unwrap(), Ending::Aborted);
    assert_eq!(sent, ["0", "1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn c6_a_hanging_run_ends_at_its_timeout_and_its_answer_is_stale() {
    let mut spec = crew("echo", &["*"]);
    spec.timeout = Some(Span::from_secs(7));
    let plan = plan(vec![spec], StreamSettings { ..settings(Pace::Virtual) });
    let (publisher, mut source) = channel(10);
    put(&publisher, vec![("s", event(0, "tick", "1"))]);
    let (crews, hand) = by_hand();
    let sink = MemorySink::default();
    let mut runtime = open(&plan, MemoryStore::new(), &sink, crews).await;
    let switch = StopSwitch::new();
    let run = runtime.run(&mut source, &switch);
    let look = async {
        put(&publisher, vec![("s", event(100, "tick", "2"))]);
        let hanging = hand.job().await;
        tokio::time::sleep(Duration::from_millis(7_001)).await;
        hand.answer(hanging);
        drop(publisher);
        hand.answer(hand.job().await);
    };
    let (ending, ()) = tokio::join!(run, look);
    assert_eq!(ending.unwrap(), Ending::Finished);
    assert_eq!(actions(&sink.take()), ["2"]);
    let (counters, _) = runtime.counters();
    assert_eq!((counters.failed, counters.stale), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_runtime_whose_run_was_dropped_is_not_run_again() {
    let (publisher, mut source) = channel(10);
    let sink = MemorySink::default();
    let store = MemoryStore::new();
    let mut runtime = open(&echo_plan(), store.clone(), &sink, echoing()).await;
    let switch = StopSwitch::new();
    let run = runtime.run(&mut source, &switch);
    let dropped = tokio::time::timeout(Duration::from_secs(1), run).await;
    assert!(dropped.is_err());
    let again = runtime.run(&mut source, &switch).await;
    assert!(matches!(again, Err(RuntimeError::Broken)));
    runtime.close().await.unwrap();
    drop(publisher);
}
