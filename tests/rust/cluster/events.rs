//! Events as they are read from a server: how much at a time, and of a stream that lost some.

use live_crew::{
    engine::Limits,
    nats::{Connection, Layout, shard_of},
    transport::{BATCH_BYTES, Cursor, Delivery, NatsSource, Source, TransportError},
};
use serde_json::json;

use super::{begin, soon};
use crate::support::build::stream;

async fn publish(nats: &Connection, payload: &str) {
    let event = json!({"kind": "goal", "payload": payload}).to_string();
    let sent = nats.jetstream().publish("live.match42.events", event.into()).await;
    sent.unwrap().await.unwrap();
}

/// A source of all events: they are in one shard, whichever.
fn source(nats: &Connection) -> NatsSource {
    let shard = shard_of(&stream("match42"), Layout::default().shards);
    NatsSource::new(nats.clone(), shard, None, &Limits::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn large_events_come_a_few_at_a_time() {
    let (_server, nats) = begin().await;
    let (large, count) = ("x".repeat(500_000), 40);
    for _ in 0..count {
        publish(&nats, &large).await;
    }
    let mut source = source(&nats);
    let (mut read, mut most) = (0, 0);
    while read < count {
        let deliveries = soon("events", source.next(1_000)).await.unwrap();
        most = most.max(deliveries.iter().map(Delivery::bytes).sum());
        read += deliveries.len();
    }
    assert_eq!(read, count);
    assert!(most < BATCH_BYTES + 2 * large.len(), "{most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_lost_what_was_read_is_not_read_on() {
    let (_server, nats) = begin().await;
    publish(&nats, "one").await;
    source(&nats).confirm(Cursor(1)).await.unwrap();
    let error = soon("a look", source(&nats).confirm(Cursor(3))).await.unwrap_err();
    assert!(matches!(error, TransportError::Behind { last: 1, cursor: 3, .. }), "{error:?}");

    // What the message says to do: behind them it goes on.
    let events = nats.jetstream().get_stream(Layout::EVENTS).await.unwrap();
    events.purge().sequence(4).await.unwrap();
    let mut source = source(&nats);
    source.resume_after(Cursor(3)).await.unwrap();
    source.confirm(Cursor(3)).await.unwrap();
    publish(&nats, "four").await;
    let deliveries = soon("an event", source.next(10)).await.unwrap();
    assert_eq!(deliveries.iter().map(Delivery::cursor).collect::<Vec<_>>(), [Cursor(4)]);
}
