//! What a journal keeps of an attempt beside its outcome: notes, and what it was given.

use live_crew::{
    engine::{Digest, Outcome, Payload, Slice},
    runtime::{StopSwitch, attempts, explain, verify},
    store::MemoryStore,
    transport::memory::MemorySink,
};

use super::{by_hand, echo_plan, given, open};
use crate::support::build::{event, stream};

/// Three events a slice apart, answered by hand with these notes.
async fn a_journal(notes: Option<&'static str>) -> (MemoryStore, Option<Digest>) {
    let store = MemoryStore::new();
    let (crews, hand) = by_hand();
    let sink = MemorySink::default();
    let mut runtime = open(&echo_plan(), store.clone(), &sink, crews).await;
    let events = (0..3).map(|n| ("s", event(n * 100, "tick", n.to_string()))).collect();
    let (mut source, switch) = (given(events), StopSwitch::new());
    let answering = async {
        for _ in 0..3 {
            hand.answer_with(hand.job().await, notes.map(Payload::from_canonical));
        }
    };
    let (ending, ()) = tokio::join!(runtime.run(&mut source, &switch), answering);
    ending.unwrap();
    let digest = runtime.digest(&stream("s"));
    runtime.close().await.unwrap();
    (store, digest)
}

#[tokio::test]
async fn j1_notes_of_an_attempt_are_kept_and_are_in_no_digest() {
    let (mut with, digest) = a_journal(Some(r#"[{"what":"model called"}]"#)).await;
    let (_, without) = a_journal(None).await;
    assert_eq!(digest, without);
    assert!(verify(&mut with, &stream("s")).await.unwrap().divergence.is_none());
    let told = explain(&mut with, &stream("s"), "echo", Slice(1)).await.unwrap();
    let notes: Vec<_> =
        told.runs[0].notes.iter().map(|(at, notes)| (*at, notes.as_bytes())).collect();
    assert_eq!(notes, [(1, &br#"[{"what":"model called"}]"#[..])]);
}

#[tokio::test]
async fn attempts_come_with_what_they_were_given_then() {
    let (mut store, _) = a_journal(None).await;
    let mut found = Vec::new();
    let later = |slice: Slice| slice.0 >= 1;
    attempts(&mut store, &stream("s"), later, |_, attempt| found.push(attempt)).await.unwrap();
    let runs: Vec<_> = found.iter().map(|one| one.job.slice.0).collect();
    assert_eq!(runs, [1, 2]);
    let last = &found[1];
    assert_eq!(last.job.triggers.iter().next().unwrap().event.payload.as_bytes(), b"2");
    // Two runs before it have counted themselves.
    assert_eq!(&*last.job.view.to_json().to_canonical(), br#"{"runs":2}"#);
    assert!(matches!(&last.outcome, Outcome::Done(_)));
}
