//! Input that was refused: what is said of it, and that it is said once.

use live_crew::{
    engine::{Job, Limits, Outcome, Pace, StreamId},
    nats::{Connection, Layout, shard_of},
    runtime::{Ending, Inline, Options, Runtime, Stop, StopSwitch, SystemClock},
    store::{JetStreamStore, Scope},
    transport::{Channel, Delivery, NatsSource, Source, memory::MemorySink},
};

use super::{begin, connect, soon};
use crate::{
    servers::NatsServer,
    support::build::{crew, done, plan, settings, stream},
};

const GOOD: &str = r#"{"kind":"goal","payload":1}"#;

async fn publish(nats: &Connection, subject: &'static str, bodies: &[&'static str]) {
    for &body in bodies {
        let sent = nats.jetstream().publish(subject, body.into()).await;
        sent.unwrap().await.unwrap();
    }
}

fn quiet(_stream: &StreamId, _job: &Job) -> Outcome {
    done(Vec::new(), Vec::new())
}

/// Runs a scope until so many were refused, and gives what they said.
async fn refused(nats: &Connection, scope: Scope, count: usize) -> Vec<String> {
    let (shard, only) = match &scope {
        Scope::Stream(only) => (shard_of(only, Layout::default().shards), Some(only)),
        Scope::Shard { number, .. } => (*number, None),
        Scope::All => unreachable!("nobody runs all"),
    };
    let mut source = NatsSource::new(nats.clone(), shard, only, &Limits::default());
    let store = JetStreamStore::take_over(nats.clone(), scope, "me").await.unwrap();
    let (plan, options) =
        (plan(vec![crew("quiet", &["*"])], settings(Pace::Realtime)), Options::new(Pace::Realtime));
    let (sink, clock) = (MemorySink::default(), SystemClock::new());
    let crews: Inline<fn(&StreamId, &Job) -> Outcome> = Inline(quiet);
    let mut runtime =
        Runtime::open(plan, options, store, sink.clone(), crews, clock).await.unwrap();
    let switch = StopSwitch::new();
    let letters = async {
        let mut letters = Vec::new();
        while letters.len() < count {
            let sent = sink.take().into_iter();
            letters.extend(sent.filter(|message| message.channel == Channel::DeadLetter));
            tokio::task::yield_now().await;
        }
        switch.stop(Stop::Drain);
        letters
    };
    let run = async { tokio::join!(runtime.run(&mut source, &switch), letters) };
    let (ending, letters) = soon("what is refused", run).await;
    assert_eq!(ending.unwrap(), Ending::Drained);
    runtime.close().await.unwrap();
    let raw = |letter: &live_crew::transport::Outgoing| {
        let letter: serde_json::Value = serde_json::from_slice(&letter.body).unwrap();
        letter["raw"].as_str().unwrap().to_owned()
    };
    letters.iter().map(raw).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_not_news_to_who_comes_after() {
    let match42 = stream("match42");
    let of = Layout::default().shards;
    let shard = Scope::Shard { number: shard_of(&match42, of), of };
    for scope in [shard, Scope::Stream(match42)] {
        let (_server, nats) = begin().await;
        let to = "live.match42.events";
        publish(&nats, to, &["one", GOOD, "two"]).await;
        assert_eq!(Box::pin(refused(&nats, scope.clone(), 2)).await, ["one", "two"], "{scope:?}");
        publish(&nats, to, &["three"]).await;
        assert_eq!(Box::pin(refused(&nats, scope.clone(), 1)).await, ["three"], "{scope:?}");
        publish(&nats, to, &[GOOD, "four"]).await;
        assert_eq!(Box::pin(refused(&nats, scope.clone(), 1)).await, ["four"], "{scope:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_nothing_but_refused_input_came_is_known_and_takes_one_message() {
    let (_server, nats) = begin().await;
    let match42 = stream("match42");
    for body in ["one", "two", "three"] {
        publish(&nats, "live.match42.events", &[body]).await;
        assert_eq!(Box::pin(refused(&nats, Scope::Stream(match42.clone()), 1)).await, [body]);
    }
    let log = nats.jetstream().get_stream(Layout::LOG).await.unwrap();
    assert_eq!(log.cached_info().state.messages, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_sent_to_no_stream_is_refused_whatever_it_says() {
    let server = NatsServer::start();
    let nats = connect(&server).await;
    Layout { shards: 1, ..Layout::default() }.ensure(&nats).await.unwrap();
    let named = r#"{"kind":"goal","stream_id":"match42","payload":1}"#;
    publish(&nats, "live.bäd.events", &[GOOD, named]).await;
    let mut source = NatsSource::new(nats.clone(), 0, None, &Limits::default());
    let mut letters = Vec::new();
    while letters.len() < 2 {
        letters.extend(soon("both", source.next(2)).await.unwrap());
    }
    for letter in letters {
        let Delivery::Refused(letter) = letter else { panic!("{letter:?} was taken") };
        let why = "`live.bäd.events`: stream_id `bäd` is not allowed: 1 to 100 of A-Z a-z 0-9 _ -";
        assert_eq!(letter.to_string(), why);
    }
}
