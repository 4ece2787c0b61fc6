//! What comes in too fast is refused, and nobody else notices.

use std::time::Duration;

use live_crew::{
    engine::{Control, CrewName, Pace, StreamSettings},
    runtime::{Options, Rate, Rates, Stop, StopSwitch},
    store::MemoryStore,
    transport::memory::{MemorySink, channel},
};
use serde_json::Value;

use super::{NOW, actions, dead_letters, echo_plan, echoing, given, open_with, put};
use crate::support::build::{crew, event, plan, settings, stream};

fn live(rates: Rates) -> Options {
    Options { rates, ..Options::new(Pace::Realtime) }
}

fn per_s(events: u32) -> Rate {
    Rate { events_per_s: Some(events), ..Rate::default() }
}

/// A hundred times the rate for ten seconds, and a stream beside it that keeps to its own.
#[tokio::test(start_paused = true)]
async fn a_flood_is_refused_and_the_stream_beside_it_is_not() {
    let plan = plan(vec![crew("echo", &["*"])], settings(Pace::Realtime));
    let rates = Rates { stream: per_s(10), source: per_s(40) };
    let sink = MemorySink::default();
    let mut runtime = open_with(&plan, live(rates), MemoryStore::new(), &sink, echoing()).await;
    let (publisher, mut source) = channel(64);
    let mut sent = Vec::new();
    let flood = async {
        for ms in 0..10_000_i64 {
            put(&publisher, vec![("flood", event(NOW + ms, "tick", "0"))]);
            if ms % 200 == 0 {
                put(&publisher, vec![("good", event(NOW + ms, "tick", ms.to_string()))]);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            // What is under way never grows: refused input is gone at once.
            sent.extend(sink.take());
        }
        drop(publisher);
    };
    let switch = StopSwitch::new();
    let (ending, ()) = tokio::join!(runtime.run(&mut source, &switch), flood);
    ending.unwrap();
    sent.extend(sink.take());
    let of = |name: &str| runtime.engine(&stream(name)).unwrap().counters().events;
    assert_eq!(of("good"), 50, "nothing of it was refused");
    assert!((105..=115).contains(&of("flood")), "{}: a burst and the rate", of("flood"));
    assert_eq!(runtime.too_fast(), 10_000 - of("flood"));
    assert_eq!(runtime.counters().1, runtime.too_fast());
    let letters = dead_letters(&sent);
    assert_eq!(letters.len() as u64, runtime.too_fast());
    assert!(letters[0].contains("stream `flood`") && letters[0].contains("`ingress.events_per_s`"));
    assert_eq!(actions(&sent).iter().filter(|payload| *payload != "0").count(), 49);
}

#[tokio::test]
async fn what_is_read_from_a_file_may_be_as_fast_as_it_likes() {
    let rates = Rates { stream: per_s(1), source: per_s(1) };
    let sink = MemorySink::default();
    let options = Options { rates, ..Options::new(Pace::Virtual) };
    let mut runtime = open_with(&echo_plan(), options, MemoryStore::new(), &sink, echoing()).await;
    let mut source = given((0..100).map(|ms| ("s", event(ms, "tick", "1"))).collect());
    runtime.run(&mut source, &StopSwitch::new()).await.unwrap();
    assert_eq!((runtime.counters().0.events, runtime.too_fast()), (100, 0));
}

/// A thousand invented names over the rate of the source make no thousand streams.
#[tokio::test(start_paused = true)]
async fn names_that_are_invented_cost_nothing() {
    let plan = plan(vec![crew("echo", &["*"])], settings(Pace::Realtime));
    let rates = Rates { source: per_s(5), ..Rates::default() };
    let sink = MemorySink::default();
    let mut runtime = open_with(&plan, live(rates), MemoryStore::new(), &sink, echoing()).await;
    let names: Vec<String> = (0..1_000).map(|n| format!("s{n}")).collect();
    let events = names.iter().map(|name| (&**name, event(NOW, "tick", "1"))).collect();
    runtime.run(&mut given(events), &StopSwitch::new()).await.unwrap();
    assert_eq!((runtime.streams().count(), runtime.too_fast()), (5, 995));
}

#[tokio::test(start_paused = true)]
async fn the_audit_log_says_who_was_refused_and_who_commanded_what() {
    let redact =
        live_crew::engine::Redact { payload: vec!["password".to_owned()], ..Default::default() };
    let settings = StreamSettings { redact, ..settings(Pace::Realtime) };
    let plan = plan(vec![crew("echo", &["*"])], settings);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    std::fs::write(&path, "{\"what\":\"before\"}\n").unwrap();
    let options = Options {
        audit: Some(path.clone()),
        ..live(Rates { stream: per_s(1), ..Rates::default() })
    };
    let sink = MemorySink::default();
    let mut runtime = open_with(&plan, options, MemoryStore::new(), &sink, echoing()).await;
    let secret = r#"{"password":"hunter2","other":"hunter2"}"#;
    let (publisher, mut source) = channel(10);
    let sent = (0..4).map(|_| ("s", event(NOW, "tick", secret))).collect();
    put(&publisher, sent);
    put(&publisher, vec![("s", event(NOW, "__command", "1"))]);
    let switch = StopSwitch::new();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        switch.stop(Stop::Drain);
    };
    let (ending, ()) = tokio::join!(runtime.run(&mut source, &switch), stop);
    ending.unwrap();
    let echo = CrewName::new("echo").unwrap();
    runtime.control(&stream("s"), Control::Disable(echo)).unwrap();
    let nobody = CrewName::new("nobody").unwrap();
    runtime.control(&stream("s"), Control::Enable(nobody)).unwrap_err();

    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let what: Vec<&str> = lines.iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(
        what,
        ["before", "refused", "refused", "drain", "disable crew `echo`", "enable crew `nobody`"]
    );
    let counts: Vec<&Value> = lines[1..3].iter().map(|line| &line["count"]).collect();
    assert_eq!(counts, [1, 3]);
    let flood = &lines[2];
    assert_eq!((&flood["stream_id"], &flood["source"]), (&"s".into(), &"ingress".into()));
    assert!(flood["why"].as_str().unwrap().contains("`ingress.events_per_s`"), "{flood}");
    assert!(flood["time"].as_str().unwrap().starts_with("1970-01-01T00:16:40"), "{flood}");
    assert_eq!(lines[4]["why"], "asked for");
    assert_ne!(lines[5]["why"], "asked for", "it was refused");
    assert!(lines[4]["source"].as_str().unwrap().starts_with("process "));
}
