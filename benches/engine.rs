//! The engine alone: no clock, no store, no JSON. Every crew answers each event with one action.
//!
//! `make bench` prints these; `events/s` is criterion's `elem/s`.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "criterion makes the entry point, and goals are printed"
)]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use live_crew::engine::{
    Command, CrewName, CrewSpec, Diff, Draft, Engine, Event, Input, Kind, Need, Outcome, Output,
    Pace, Pattern, Payload, Plan, Span, StreamId, StreamSettings, Timestamp,
};

fn crew(name: &str, trigger: &str) -> CrewSpec {
    let mut crew = CrewSpec::new(CrewName::new(name).unwrap());
    crew.triggers = vec![Pattern::new(trigger).unwrap()];
    crew
}

fn settings() -> StreamSettings {
    StreamSettings { lateness: Span::ZERO, ..StreamSettings::new(Pace::Virtual) }
}

fn plan(crews: Vec<CrewSpec>) -> Arc<Plan> {
    Plan::check(crews, settings()).unwrap()
}

fn answer() -> Outcome {
    let draft = Draft {
        kind: Kind::new("greeting").unwrap(),
        payload: Payload::from_canonical(&br#"{"text":"Welcome Alice!"}"#[..]),
        ttl_ms: None,
        stream: None,
        ts: None,
        correlation_id: None,
        transaction_id: None,
    };
    let value = Payload::null();
    Outcome::Done(Arc::new(Output { actions: vec![draft], diff: Diff::default(), value }))
}

/// A payload of a usual size: the event is 196 bytes as JSON.
fn payload() -> Payload {
    Payload::from_canonical(
        &br#"{"city":"Berlin","email":"alice@example.org","id":12345,"name":"Alice","plan":"pro","score":1.5,"tags":["a","b"]}"#[..],
    )
}

fn event(kind: &Kind, micros: i64, payload: &Payload) -> Input {
    let ts = Timestamp::from_micros(1_700_000_000_000_000 + micros).unwrap();
    let event = Event { ts, kind: kind.clone(), payload: payload.clone(), ids: None };
    Input::Event { event, cursor: micros.unsigned_abs() }
}

/// Does what the engine wants done, on the spot.
fn serve(engine: &mut Engine, now: Timestamp, answer: &Outcome) {
    while let Some(command) = engine.poll_command() {
        match command {
            Command::Start(job) => {
                black_box(&job.triggers);
                let (run, attempt) = (job.run, job.attempt);
                let outcome = answer.clone();
                engine.handle(now, Input::Result { run, attempt, outcome }).unwrap();
            }
            Command::Publish(parcel) => {
                engine.handle(now, Input::Published(parcel.number)).unwrap();
            }
            Command::Cancel { .. }
            | Command::Committed { .. }
            | Command::Fail(_)
            | Command::Finished => {}
        }
    }
    black_box(engine.records());
    engine.forget_records();
}

/// Feeds `events` events, `per_slice` of them in each slice of 500 ms.
fn feed(plan: &Arc<Plan>, events: u64, per_slice: u64, kinds: &[Kind]) -> Engine {
    let mut engine = Engine::new(Arc::clone(plan), StreamId::new("bench").unwrap());
    let (now, answer, payload) = (Timestamp::default(), answer(), payload());
    let step = i64::try_from(500_000 / per_slice.min(500_000)).unwrap();
    for (micros, at) in (0..).step_by(usize::try_from(step).unwrap()).zip(0..events) {
        let kind = &kinds[usize::try_from(at).unwrap() % kinds.len()];
        engine.handle(now, event(kind, micros, &payload)).unwrap();
        serve(&mut engine, now, &answer);
    }
    engine.handle(now, Input::End).unwrap();
    serve(&mut engine, now, &answer);
    assert!(engine.is_finished());
    engine
}

/// The goal was set on a machine on which `serde_json` took this long to parse `TEXT`. Machines
/// differ, and so do the minutes of one: what is held against the goal is scaled by what it takes
/// here, in turns with the engine.
const REFERENCE_NS: f64 = 646.0;
const GOAL: f64 = 2e6;

/// The event of these benches as JSON, 196 bytes.
const TEXT: &[u8] = br#"{"kind":"signup","payload":{"city":"Berlin","email":"alice@example.org","id":12345,"name":"Alice","plan":"pro","score":1.5,"tags":["a","b"]},"stream_id":"bench","ts":"2025-07-01T00:00:00.123456Z"}"#;

fn goal(_: &mut Criterion) {
    const EVENTS: u32 = 100_000;
    let (plan, kinds) = (plan(vec![crew("greeter", "signup")]), [Kind::new("signup").unwrap()]);
    let time = |work: &mut dyn FnMut()| {
        let began = Instant::now();
        work();
        began.elapsed().as_secs_f64() * 1e9 / f64::from(EVENTS)
    };
    let parse = || black_box(serde_json::from_slice::<serde_json::Value>(black_box(TEXT)).unwrap());
    let (mut parses, mut feeds): (Vec<f64>, Vec<f64>) = (0..15)
        .map(|_| {
            (
                time(&mut || (0..EVENTS).for_each(|_| drop(parse()))),
                time(&mut || drop(feed(&plan, EVENTS.into(), 500, &kinds))),
            )
        })
        .unzip();
    parses.sort_by(f64::total_cmp);
    feeds.sort_by(f64::total_cmp);
    let (parse, feed) = (parses[7], feeds[7]);
    let slower = parse / REFERENCE_NS;
    let (raw, scaled) = (1e9 / feed, 1e9 / feed * slower);
    println!(
        "calibrated by serde_json, an event of {} bytes to `Value`: {parse:.0} ns here, \
         {REFERENCE_NS} ns where the goal was set; this machine is {slower:.2} x slower now",
        TEXT.len(),
    );
    println!(
        "one crew, one action an event: {raw:.0} events/s; scaled ({slower:.2} x, what the other \
         machine would do) {scaled:.0} events/s; goal {GOAL}: {}",
        if scaled >= GOAL { "met" } else { "NOT MET" },
    );
}

fn one_crew(c: &mut Criterion) {
    let mut group = c.benchmark_group("one crew, one action an event");
    let (plan, kinds) = (plan(vec![crew("greeter", "signup")]), [Kind::new("signup").unwrap()]);
    for events in [10_000, 100_000, 1_000_000, 10_000_000] {
        group.throughput(Throughput::Elements(events));
        if events >= 1_000_000 {
            group.sample_size(10).warm_up_time(Duration::from_millis(1));
        }
        group.bench_function(BenchmarkId::new("events", events), |b| {
            b.iter(|| feed(&plan, events, 500, &kinds));
        });
    }
    group.finish();
    let mut group = c.benchmark_group("100 000 events over slices");
    group.throughput(Throughput::Elements(100_000)).sample_size(20);
    for per_slice in [50_000, 5_000, 500, 50, 5, 1] {
        group.bench_function(BenchmarkId::new("slices", 100_000 / per_slice), |b| {
            b.iter(|| feed(&plan, 100_000, per_slice, &kinds));
        });
    }
    group.finish();
}

/// 1 000 crews with 1 000 triggers each; every event wakes one of them.
fn routing(c: &mut Criterion) {
    let mut group = c.benchmark_group("crews with 1 000 triggers each, one of them interested");
    group.throughput(Throughput::Elements(100_000)).sample_size(10);
    for crews in [1, 10, 100, 1_000] {
        let kind = |crew: usize, at: usize| format!("kind_{crew}_{at}");
        let specs = (0..crews).map(|at| {
            let mut spec = crew(&format!("crew_{at}"), &kind(at, 0));
            spec.triggers.extend((1..1_000).map(|n| Pattern::new(&kind(at, n)).unwrap()));
            spec
        });
        let plan = plan(specs.collect());
        let kinds: Vec<Kind> =
            (0..crews).map(|at| Kind::new(&kind(at, at % 1_000)).unwrap()).collect();
        group.bench_function(BenchmarkId::new("crews", crews), |b| {
            b.iter(|| feed(&plan, 100_000, 500, &kinds));
        });
    }
    group.finish();
}

/// Runs that wait for a crew that never lands: each event must find its place among them.
fn waiting(c: &mut Criterion) {
    let mut group = c.benchmark_group("an event beside waiting runs");
    group.throughput(Throughput::Elements(10_000)).sample_size(10);
    for waiting in [0_i64, 1_000, 10_000, 100_000] {
        let mut waits = crew("waits", "wait");
        waits.needs = vec![Need::Crew { crew: CrewName::new("never").unwrap(), offset: -1 }];
        waits.max_backlog = usize::MAX;
        waits.expire_after = u32::MAX;
        let plan = plan(vec![crew("never", "never"), waits, crew("works", "work")]);
        let (wait, work) = (Kind::new("wait").unwrap(), Kind::new("work").unwrap());
        let (now, answer, payload) = (Timestamp::default(), answer(), payload());
        let setup = || {
            let mut engine = Engine::new(Arc::clone(&plan), StreamId::new("bench").unwrap());
            for at in 0..waiting {
                engine.handle(now, event(&wait, at * 100, &payload)).unwrap();
                serve(&mut engine, now, &answer);
            }
            engine
        };
        let start = waiting * 100;
        group.bench_function(BenchmarkId::new("waiting", waiting), |b| {
            b.iter_batched(
                setup,
                |mut engine| {
                    for at in 0..10_000 {
                        engine.handle(now, event(&work, start + at * 1_000, &payload)).unwrap();
                        serve(&mut engine, now, &answer);
                    }
                    engine
                },
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, goal, one_crew, routing, waiting);
criterion_main!(benches);
