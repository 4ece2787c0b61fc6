//! Actions on their way into the journal with the frames they follow from.

use futures_util::StreamExt as _;
use live_crew::{
    engine::{StreamId, Timestamp},
    nats::{Connection, Layout},
    store::{Frame, JetStreamStore, Rider, Scope, Store, StoreError},
};

use super::begin;
use crate::support::build::stream;

fn scope() -> Scope {
    Scope::Stream(stream("match42"))
}

fn frame(stream: &StreamId) -> Frame {
    let at = Timestamp::MIN;
    Frame { stream: stream.clone(), at, records: 1, body: "body".into(), marks: Vec::new() }
}

fn riders(numbers: std::ops::Range<usize>) -> Vec<Rider> {
    let stream = stream("match42");
    let rider = |n: usize| Rider {
        stream: stream.clone(),
        id: format!("action-{n}"),
        body: format!("{{\"n\":{n}}}").into(),
        ttl: None,
    };
    numbers.map(rider).collect()
}

/// Everything in the log as the server stored it: the ids of actions, `frame` for a frame.
async fn stored(nats: &Connection) -> Vec<String> {
    let log = nats.jetstream().get_stream(Layout::LOG).await.unwrap();
    let last = log.cached_info().state.last_sequence;
    let config = async_nats::jetstream::consumer::pull::OrderedConfig::default();
    let messages = log.create_consumer(config).await.unwrap().messages().await.unwrap();
    let mut all = Vec::new();
    let mut messages = messages.take(usize::try_from(last).unwrap());
    while let Some(message) = messages.next().await {
        let message = message.unwrap();
        let id = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id"));
        match message.subject.rsplit('.').next() {
            Some("actions") => all.push(id.unwrap().to_string()),
            Some("journal") => all.push("frame".to_owned()),
            _ => {}
        }
    }
    all
}

fn expected(numbers: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    numbers.map(|n| format!("action-{n}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_actions_are_stored_behind_their_frame_and_in_their_order() {
    let (_server, nats) = begin().await;
    let mut store = JetStreamStore::take_over(nats.clone(), scope(), "me").await.unwrap();
    let frames = vec![frame(&stream("match42"))];
    store.append_with(frames, riders(0..2_500), None).await.unwrap();
    let all = std::iter::once("frame".to_owned()).chain(expected(0..2_500));
    assert_eq!(stored(&nats).await, all.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn j2_what_is_sent_again_is_stored_once() {
    let (_server, nats) = begin().await;
    let mut store = JetStreamStore::take_over(nats.clone(), scope(), "me").await.unwrap();
    for numbers in [0..10, 5..15, 14..15, 0..16] {
        store.append_with(Vec::new(), riders(numbers), None).await.unwrap();
    }
    assert_eq!(stored(&nats).await, expected(0..16).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_was_deposed_stores_no_action() {
    let (_server, nats) = begin().await;
    let mut old = JetStreamStore::take_over(nats.clone(), scope(), "old").await.unwrap();
    old.append_with(Vec::new(), riders(0..2), None).await.unwrap();
    let mut new = JetStreamStore::take_over(nats.clone(), scope(), "new").await.unwrap();
    for numbers in [2..3, 2..1_500] {
        let refused = old.append_with(Vec::new(), riders(numbers), None).await;
        assert!(matches!(refused, Err(StoreError::Deposed { .. })), "{refused:?}");
    }
    assert_eq!(stored(&nats).await, expected(0..2).collect::<Vec<_>>());
    // The one who took over sends what was left.
    new.append_with(Vec::new(), riders(0..4), None).await.unwrap();
    assert_eq!(stored(&nats).await, expected(0..4).collect::<Vec<_>>());
}
