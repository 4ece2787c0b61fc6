//! The whole way: JSON Lines file → engine → journal → JSON Lines. Prints events/s and peak memory.
//!
//! Each figure is a process of its own, so that its peak is its own: without arguments this runs
//! itself once for each. `PIPELINE_EVENTS` sets the size of the largest (default 10 000 000).
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints figures"
)]

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};

use live_crew::{
    engine::{
        CrewName, CrewSpec, Diff, Draft, Kind, Outcome, Output, Pace, Pattern, Payload, Plan,
        StreamSettings,
    },
    runtime::{Inline, Options, Runtime, StopSwitch, SystemClock},
    store::{MemoryStore, Retention, SqliteStore, Store},
    transport::{FileSink, FileSource},
};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.as_slice() {
        [store, events, streams, file] => {
            run(store, events.parse().unwrap(), streams.parse().unwrap(), Path::new(file));
        }
        _ => all(),
    }
}

fn all() {
    let most: u64 =
        std::env::var("PIPELINE_EVENTS").map_or(10_000_000, |events| events.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    println!("pipeline: JSON Lines file, 500 ms slices, one crew, one action an event");
    for (store, events, streams) in [
        ("memory", 100_000, 1),
        ("memory", 1_000_000, 1),
        ("memory", most, 1),
        ("sqlite", 1_000_000.min(most), 1),
        ("memory", 1_000_000.min(most), 100),
        ("memory", 1_000_000.min(most), 10_000),
    ] {
        let file = directory.path().join("events.jsonl");
        write_events(&file, events, streams);
        let this = std::env::current_exe().unwrap();
        let (events, streams) = (events.to_string(), streams.to_string());
        let status = Command::new(this).args([store, &events, &streams]).arg(&file).status();
        assert!(status.unwrap().success());
    }
}

/// Events 1 ms apart, spread over the streams in turn.
fn write_events(path: &Path, events: u64, streams: u64) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    for at in 0..events {
        let (seconds, millis) = (at / 1_000, at % 1_000);
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let day = 1 + hours / 24;
        writeln!(
            out,
            r#"{{"ts": "2025-07-{day:02}T{:02}:{minutes:02}:{seconds:02}.{millis:03}Z", "kind": "signup", "stream_id": "s{}", "payload": {{"id": {at}, "name": "Alice", "email": "alice@example.org", "plan": "pro", "score": 1.5, "city": "Berlin", "tags": ["a", "b"]}}}}"#,
            hours % 24,
            at % streams,
        )
        .unwrap();
    }
    out.flush().unwrap();
}

fn run(store: &str, events: u64, streams: u64, file: &Path) {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let journal: PathBuf = file.with_extension("db");
    let started = Instant::now();
    match store {
        "memory" => tokio.block_on(pipeline(MemoryStore::new(), file)),
        _ => tokio.block_on(pipeline(SqliteStore::open(&journal).unwrap(), file)),
    }
    let seconds = started.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = events as f64 / seconds;
    println!(
        "  {store:<7} {events:>10} events {streams:>6} streams  {:>9.0} events/s  peak {:>4} MB",
        rate,
        peak_mb(),
    );
}

async fn pipeline(store: impl Store, file: &Path) {
    let mut greeter = CrewSpec::new(CrewName::new("greeter").unwrap());
    greeter.triggers = vec![Pattern::new("signup").unwrap()];
    let plan = Plan::check(vec![greeter], StreamSettings::new(Pace::Virtual)).unwrap();
    let mut options = Options::new(Pace::Virtual);
    options.retention = Retention { max_age: None, max_bytes: Some(16 << 20) };
    let kind = Kind::new("greeting").unwrap();
    let crews = Inline(move |_: &_, job: &live_crew::engine::Job| {
        let payload = job.triggers.iter().next().map(|first| first.event.payload.clone());
        let draft = Draft {
            kind: kind.clone(),
            payload: payload.unwrap_or_else(Payload::null),
            ttl_ms: None,
            stream: None,
            ts: None,
            correlation_id: None,
            transaction_id: None,
        };
        let (diff, value) = (Diff::default(), Payload::null());
        Outcome::Done(Arc::new(Output { actions: vec![draft], diff, value }))
    });
    let sink = FileSink::from_writers(("actions", std::io::sink()), ("errors", std::io::sink()));
    let mut source = FileSource::open(file, &plan.settings.limits).unwrap();
    let clock = SystemClock::new();
    let mut runtime = Runtime::open(plan, options, store, sink, crews, clock).await.unwrap();
    runtime.run(&mut source, &StopSwitch::new()).await.unwrap();
    runtime.close().await.unwrap();
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1_024
}
