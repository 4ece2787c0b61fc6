//! Actions on their way into the journal with the frames they follow from.

use std::sync::atomic::Ordering;

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

/// A store that knows its last frame, so that the next one needs no look at it.
async fn after_a_frame(nats: &Connection) -> JetStreamStore {
    let mut store = JetStreamStore::take_over(nats.clone(), scope(), "me").await.unwrap();
    store.append_with(vec![frame(&stream("match42"))], Vec::new(), None).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_a_few_actions_go_right_behind_their_frame() {
    let (_server, nats) = begin().await;
    let mut store = after_a_frame(&nats).await;
    let before = nats.client().statistics().out_messages.load(Ordering::Relaxed);
    store.append_with(vec![frame(&stream("match42"))], riders(0..3), None).await.unwrap();
    let sent = nats.client().statistics().out_messages.load(Ordering::Relaxed) - before;
    assert_eq!(sent, 4, "none of them was sent twice");
    let all = std::iter::repeat_n("frame".to_owned(), 2).chain(expected(0..3));
    assert_eq!(stored(&nats).await, all.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_an_action_is_not_stored_without_its_frame() {
    let (_server, nats) = begin().await;
    let mut store = after_a_frame(&nats).await;
    let log = nats.jetstream().get_stream(Layout::LOG).await.unwrap();
    let mut config = log.cached_info().config.clone();
    config.max_message_size = 2_000;
    nats.jetstream().update_stream(config).await.unwrap();

    let mut big = frame(&stream("match42"));
    big.body = vec![b'x'; 4_000].into();
    let refused = store.append_with(vec![big], riders(0..1), None).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(stored(&nats).await, ["frame"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn j2_what_somebody_else_came_between_is_stored_all_the_same_and_once() {
    let (_server, nats) = begin().await;
    let mut mine = after_a_frame(&nats).await;
    let other = Scope::Stream(stream("match43"));
    let mut theirs = JetStreamStore::take_over(nats.clone(), other, "they").await.unwrap();
    let rounds = 200;
    let busy = async {
        for _ in 0..rounds {
            theirs.append(vec![frame(&stream("match43"))]).await.unwrap();
        }
    };
    let writing = async {
        for n in 0..rounds {
            let frames = vec![frame(&stream("match42"))];
            mine.append_with(frames, riders(3 * n..3 * n + 3), None).await.unwrap();
        }
    };
    tokio::join!(busy, writing);
    let all = stored(&nats).await;
    let actions: Vec<_> = all.iter().filter(|id| *id != "frame").cloned().collect();
    assert_eq!(actions, expected(0..3 * rounds).collect::<Vec<_>>());
}
