//! What is in a journal, and what `verify` makes of it.

use live_crew::{
    engine::{Change, Event, Op, Pace, Record, StreamSettings},
    json::Json,
    runtime::{Inline, StopSwitch, verify},
    store::{Frame, MemoryStore, Store},
    transport::memory::MemorySink,
    wire::{self, Body},
};

use super::{actions, dead_letters, echo_plan, given, open, run_through};
use crate::support::build::{action, crew, done, event, plan, settings, stream, text};

async fn a_journal() -> MemoryStore {
    let store = MemoryStore::new();
    let events = (0..5).map(|n| ("s", event(n * 100, "tick", n.to_string())));
    run_through(&echo_plan(), store.clone(), &mut given(events.collect())).await;
    store
}

/// The same journal, with its records changed.
async fn tampered(mut store: MemoryStore, change: impl Fn(&mut Record)) -> MemoryStore {
    let mut copy = MemoryStore::new();
    for kept in store.read(&stream("s"), 0, usize::MAX).await.unwrap() {
        let body = match wire::decode_body(&kept.body).unwrap() {
            Body::Header(_) => kept.body,
            Body::Records(mut records) => {
                for (_, record) in &mut records {
                    change(record);
                }
                wire::encode_records(&records)
            }
        };
        let frame = Frame {
            stream: stream("s"),
            at: kept.at,
            records: kept.records,
            body,
            marks: Vec::new(),
        };
        copy.append(vec![frame]).await.unwrap();
    }
    copy
}

#[tokio::test]
async fn j4_verify_recomputes_every_digest() {
    let verdict = verify(&mut a_journal().await, &stream("s")).await.unwrap();
    assert!(verdict.divergence.is_none(), "{verdict:?}");
    assert_eq!((verdict.commits, verdict.from), (5, None));
    assert_eq!(verdict.last_slice.unwrap().0, 4);
}

#[tokio::test]
async fn j4_verify_finds_a_changed_event_and_names_the_slice() {
    let changed = tampered(a_journal().await, |record| {
        if let Record::Event(arrived) = record
            && arrived.event.payload.as_bytes() == b"2"
        {
            let mut other = (**arrived).clone();
            other.event.payload = text("7");
            *record = Record::Event(other.into());
        }
    });
    let verdict = verify(&mut changed.await, &stream("s")).await.unwrap();
    let found = verdict.divergence.unwrap();
    assert_eq!(found.field, "digest");
    assert_eq!(found.slice.unwrap().0, 2);
}

#[tokio::test]
async fn j4_verify_finds_a_changed_outcome_and_a_changed_start() {
    let changed = tampered(a_journal().await, |record| {
        if let Record::Result { run, outcome, .. } = record
            && run.key.trigger.0 == 3
        {
            *outcome = done(vec![action("echoed", "8")], Vec::new());
        }
    });
    let verdict = verify(&mut changed.await, &stream("s")).await.unwrap();
    let found = verdict.divergence.unwrap();
    assert_eq!((found.field, found.slice.unwrap().0), ("digest", 3));
    let changed = tampered(a_journal().await, |record| {
        if let Record::Start { attempt, run, .. } = record
            && run.key.trigger.0 == 1
        {
            *attempt = 2;
        }
    });
    let verdict = verify(&mut changed.await, &stream("s")).await.unwrap();
    let found = verdict.divergence.unwrap();
    assert_eq!((found.field, found.slice.unwrap().0), ("start", 1));
    assert_eq!(found.crew.as_deref(), Some("echo"));
}

#[tokio::test]
async fn verify_of_a_stream_that_is_not_there_says_which_one_is_meant() {
    let error = verify(&mut a_journal().await, &stream("t")).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no stream `t`"), "{error}");
}

fn secretive() -> StreamSettings {
    let mut settings = settings(Pace::Virtual);
    settings.redact.payload = vec!["card".to_owned()];
    settings.redact.context = vec!["login.*".to_owned()];
    settings
}

#[tokio::test]
async fn j7_what_is_declared_secret_is_in_no_journal_and_leaves_nowhere() {
    let plan = plan(vec![crew("pay", &["*"])], secretive());
    let store = MemoryStore::new();
    let sink = MemorySink::default();
    let crews = Inline(|_: &_, job: &live_crew::engine::Job| {
        let seen = job.triggers.iter().next().unwrap().event.payload.clone();
        let seen = String::from_utf8_lossy(seen.as_bytes()).into_owned();
        let login = Op {
            path: vec!["login".into(), "word".into()],
            change: Change::Set(Json::String("sesame".into())),
        };
        let payload = format!(r#"{{"card":"4242","saw":{seen}}}"#);
        done(vec![action("pay", payload)], vec![login])
    });
    let mut runtime = open(&plan, store.clone(), &sink, crews).await;
    let paid = |ms, kind: &str| -> Event { event(ms, kind, r#"{"card":"4111","n":1}"#) };
    let mut source =
        given(vec![("s", paid(0, "paid")), ("s", paid(100, "__paid")), ("s", paid(200, "paid"))]);
    runtime.run(&mut source, &StopSwitch::new()).await.unwrap();
    let context = format!("{:?}", runtime.engine(&stream("s")).unwrap().context());
    assert!(context.contains("[redacted]"), "{context}");
    runtime.close().await.unwrap();
    let published = sink.take();
    assert_eq!(
        actions(&published)[0],
        r#"{"card":"[redacted]","saw":{"card":"[redacted]","n":1}}"#
    );
    assert_eq!(dead_letters(&published).len(), 1);
    let mut written = store.export();
    for message in &published {
        written.extend_from_slice(&message.body);
    }
    let holds = |secret: &str| written.windows(secret.len()).any(|part| part == secret.as_bytes());
    assert!(holds("[redacted]"));
    for secret in ["4111", "4242", "sesame"] {
        assert!(!holds(secret), "`{secret}` was written down");
    }
    let verdict = verify(&mut store.clone(), &stream("s")).await.unwrap();
    assert!(verdict.divergence.is_none(), "{verdict:?}");
}
