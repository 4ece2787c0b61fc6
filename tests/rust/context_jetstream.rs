//! What is true of contexts in JetStream only.

use bytes::Bytes;
use live_crew::{
    context::{ContextError, ContextStore, JetStreamContext, Kept},
    nats::{Address, Connection},
};

use crate::{
    context_contract::{id, kept},
    servers::NatsServer,
};

pub(crate) async fn connect(server: &NatsServer) -> Connection {
    let address = Address { servers: vec![server.url()], ..Address::default() };
    Connection::open(&address).await.unwrap()
}

async fn open(server: &NatsServer) -> JetStreamContext {
    JetStreamContext::open(connect(server).await, 1).await.unwrap()
}

async fn bucket(server: &NatsServer) -> async_nats::jetstream::kv::Store {
    connect(server).await.jetstream().get_key_value("live_ctx").await.unwrap()
}

#[tokio::test]
async fn what_is_kept_can_be_read_by_any_client() {
    let server = NatsServer::start();
    open(&server).await.save(&[kept("match-1", 4, 2)]).await.unwrap();
    let bucket = bucket(&server).await;
    let found = bucket.get("match-1").await.unwrap().unwrap();
    assert_eq!(found, &br#"{"by":4,"slice":2}"#[..]);
    assert_eq!(bucket.status().await.unwrap().history(), 1);
}

#[tokio::test]
async fn streams_of_one_call_are_one_batch_where_that_is_cheap() {
    let server = NatsServer::start();
    let mut store = open(&server).await.together();
    store.save(&[kept("a", 1, 1), kept("b", 1, 1), kept("c", 1, 1)]).await.unwrap();
    let nats = connect(&server).await;
    let stream = nats.jetstream().get_stream("KV_live_ctx").await.unwrap();
    let message = stream.get_last_raw_message_by_subject("$KV.live_ctx.c").await.unwrap();
    let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
    assert_eq!(header("Nats-Batch-Sequence").as_deref(), Some("3"));
    assert_eq!(header("Live-Slice").as_deref(), Some("1"));

    // One copy on disk: a batch would be a store of files.
    open(&server).await.save(&[kept("a", 2, 1), kept("c", 2, 1)]).await.unwrap();
    let message = stream.get_last_raw_message_by_subject("$KV.live_ctx.c").await.unwrap();
    assert!(message.headers.get("Nats-Batch-Sequence").is_none());
}

#[tokio::test]
async fn a_context_that_is_too_big_is_named_and_nothing_is_saved() {
    let server = NatsServer::start();
    let mut store = open(&server).await;
    let big = Kept { context: Bytes::from(vec![b'x'; 2 << 20]), ..kept("b", 1, 1) };
    let refused = store.save(&[kept("a", 1, 1), big, kept("c", 1, 1)]).await;
    assert!(refused.unwrap_err().to_string().contains("the context of `b` has 2097152 bytes"));
    let mut other = open(&server).await;
    assert_eq!(other.load(&id("a")).await.unwrap(), None);
    assert_eq!(other.load(&id("c")).await.unwrap(), None);
}

#[tokio::test]
async fn a_write_between_two_saves_is_noticed_by_the_server() {
    let server = NatsServer::start();
    for together in [true, false] {
        let mut one = open(&server).await;
        if together {
            one = one.together();
        }
        let mut other = open(&server).await;
        let writer = if together { 1 } else { 3 };
        one.save(&[kept("a", writer, 1), kept("b", writer, 1)]).await.unwrap();
        other.save(&[kept("a", writer + 1, 1)]).await.unwrap();
        let refused = one.save(&[kept("a", writer, 2), kept("b", writer, 2)]).await;
        assert!(
            matches!(&refused, Err(ContextError::Deposed { by, .. }) if *by == writer + 1),
            "{refused:?}"
        );
        assert_eq!(other.load(&id("a")).await.unwrap(), Some(kept("a", writer + 1, 1)));
        let b = if together { 1 } else { 2 };
        assert_eq!(other.load(&id("b")).await.unwrap(), Some(kept("b", writer, b)));
    }
}

#[tokio::test]
async fn what_others_put_there_is_told_and_written_over() {
    let server = NatsServer::start();
    let mut store = open(&server).await;
    store.save(&[kept("a", 1, 1)]).await.unwrap();
    bucket(&server).await.put("a", "{}".into()).await.unwrap();
    let found = store.load(&id("a")).await;
    assert!(matches!(found, Err(ContextError::Foreign { .. })), "{found:?}");
    store.save(&[kept("a", 1, 2)]).await.unwrap();
    assert_eq!(store.load(&id("a")).await.unwrap(), Some(kept("a", 1, 2)));
    bucket(&server).await.delete("a").await.unwrap();
    assert_eq!(store.load(&id("a")).await.unwrap(), None);
}

#[tokio::test]
async fn a_bucket_that_somebody_else_made_will_do() {
    let server = NatsServer::start();
    let config = async_nats::jetstream::kv::Config {
        bucket: "live_ctx".to_owned(),
        history: 5,
        ..Default::default()
    };
    connect(&server).await.jetstream().create_key_value(config).await.unwrap();
    let mut store = open(&server).await;
    for slice in 1..4 {
        store.save(&[kept("a", 1, slice), kept("b", 1, slice)]).await.unwrap();
    }
    assert_eq!(store.load(&id("b")).await.unwrap(), Some(kept("b", 1, 3)));
}

#[tokio::test]
async fn a_server_that_was_killed_is_found_again_with_what_it_had() {
    let mut server = NatsServer::start();
    let mut store = open(&server).await;
    store.save(&[kept("a", 1, 1), kept("b", 1, 1)]).await.unwrap();
    server.kill();
    let mut failed = store.save(&[kept("a", 1, 2), kept("b", 1, 2)]).await;
    assert!(failed.as_ref().unwrap_err().is_passing(), "{failed:?}");
    server.restart();
    for _ in 0..20 {
        failed = store.save(&[kept("a", 1, 2), kept("b", 1, 2)]).await;
        if failed.is_ok() {
            break;
        }
    }
    failed.unwrap();
    assert_eq!(store.load(&id("b")).await.unwrap(), Some(kept("b", 1, 2)));
}
