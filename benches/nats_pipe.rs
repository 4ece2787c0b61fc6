//! What JetStream gives to anybody, beside which `benches/python/jetstream.py` puts live-crew; and
//! how fast contexts are kept in it. `nats_pipe FORM URL COUNT` prints what it took as JSON, and
//! without arguments where it is.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints figures"
)]

use std::time::Instant;

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, Consumer, pull},
    context::PublishAckFuture,
    message::{AckKind, Message},
    stream::Config,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use live_crew::{
    context::{ContextStore as _, JetStreamContext, Kept},
    engine::{Slice, StreamId},
    nats::{Address, Connection},
};
use tokio::sync::mpsc;

/// Publishes under way at a time, and keys that are written in parallel.
const WINDOW: usize = 1_024;
const IN_PARALLEL: usize = 256;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [form, url, count] = args.as_slice() else {
        // Where it is, for whoever starts it.
        println!("{}", std::env::current_exe().unwrap().display());
        return;
    };
    let count = count.parse().unwrap();
    let mut tokio = tokio::runtime::Builder::new_multi_thread();
    let tokio = tokio.enable_all().build().unwrap();
    let seconds = tokio.block_on(async {
        match form.as_str() {
            "stream" | "fetch" => pipe(url, count, form == "stream").await,
            "contexts" | "contexts_together" => contexts(url, count, form != "contexts").await,
            other => panic!("no form `{other}`"),
        }
    });
    println!(r#"{{"seconds": {seconds}, "peak_mb": {}}}"#, peak_mb());
}

/// Pulls, reads the payload, publishes an action, waits for its ack, acknowledges the event.
async fn pipe(url: &str, count: usize, is_stream: bool) -> f64 {
    let jetstream = jetstream::new(async_nats::connect(url).await.unwrap());
    let config =
        Config { name: "PIPE".into(), subjects: vec!["pipe.>".into()], ..Config::default() };
    jetstream.create_stream(config).await.unwrap();
    let config = pull::Config {
        durable_name: Some("pipe".into()),
        ack_policy: AckPolicy::Explicit,
        max_ack_pending: 8 * 1_024,
        ..pull::Config::default()
    };
    let events = jetstream.get_stream("LIVE_EVENTS").await.unwrap();
    let consumer: Consumer<pull::Config> = events.create_consumer(config).await.unwrap();
    let mut messages = if is_stream {
        let ahead = consumer.stream().max_messages_per_batch(2_048).messages().await.unwrap();
        ahead.map(Result::unwrap).boxed()
    } else {
        let pages = stream::repeat(&consumer)
            .then(async |consumer| consumer.batch().max_messages(256).messages().await.unwrap());
        pages.flatten().map(Result::unwrap).boxed()
    };
    let (stored, mut to_ack) = mpsc::channel::<(PublishAckFuture, Message)>(WINDOW);
    let acking = tokio::spawn(async move {
        while let Some((stored, message)) = to_ack.recv().await {
            stored.await.unwrap();
            message.ack_with(AckKind::Ack).await.unwrap();
        }
    });
    let (mut done, mut began) = (0, None);
    while done < count {
        let message = messages.next().await.unwrap();
        began.get_or_insert_with(Instant::now);
        let sent = jetstream.publish("pipe.greetings", greet(&message.payload)).await.unwrap();
        stored.send((sent, message)).await.unwrap();
        done += 1;
    }
    drop(stored);
    acking.await.unwrap();
    jetstream.client().flush().await.unwrap();
    let took = began.unwrap().elapsed().as_secs_f64();
    events.delete_consumer("pipe").await.unwrap();
    took
}

#[derive(serde::Deserialize)]
struct Event<'a> {
    ts: &'a str,
    stream_id: &'a str,
    #[serde(borrow)]
    payload: Payload<'a>,
}

#[derive(serde::Deserialize)]
struct Payload<'a> {
    name: &'a str,
}

fn greet(body: &[u8]) -> Bytes {
    let Event { ts, stream_id, payload } = serde_json::from_slice(body).unwrap();
    let name = payload.name;
    let text = format!(
        r#"{{"kind":"greeting","payload":"Welcome {name}!","stream_id":"{stream_id}","ts":"{ts}","ttl_ms":5000}}"#
    );
    text.into()
}

/// Writes contexts of 256 streams again and again, each only if nobody wrote it in between.
async fn contexts(url: &str, count: usize, are_together: bool) -> f64 {
    let address = Address { servers: vec![url.to_owned()], ..Address::default() };
    let nats = Connection::open(&address).await.unwrap();
    let store = JetStreamContext::open(nats, 1).await.unwrap();
    let mut store = if are_together { store.together() } else { store };
    let context = Bytes::from(vec![b'7'; 196]);
    let kept = |round: usize| {
        let slice = Slice(round.try_into().unwrap());
        let one = |n| Kept {
            stream: StreamId::new(&format!("s{n}")).unwrap(),
            slice,
            context: context.clone(),
            writer: 1,
        };
        (0..IN_PARALLEL).map(one).collect::<Vec<_>>()
    };
    store.save(&kept(0)).await.unwrap();
    let began = Instant::now();
    for round in 1..=count / IN_PARALLEL {
        store.save(&kept(round)).await.unwrap();
    }
    began.elapsed().as_secs_f64()
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1_024
}
