//! What gets in, what does not, and how much at a time.

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use live_crew::{
    engine::{Batch, LatePolicy, Limits, Pace, Span, StreamSettings, Timing},
    runtime::{Acceptance, Ending, Options, Stop, StopSwitch},
    store::MemoryStore,
    transport::{
        FileSource,
        memory::{MemorySink, channel},
    },
};

use super::{
    EventFile, NOW, actions, by_hand, dead_letters, echo_plan, echoing, given, line, line_of, open,
    open_with, put, run_through,
};
use crate::support::build::{crew, event, plan, settings, stream};

#[tokio::test]
async fn a_file_of_lines_becomes_actions_and_its_bad_lines_dead_letters() {
    let text = line(0, r#"{"n":1}"#)
        + "this is no event\n"
        + &line(150, r#"{"n":2}"#)
        + &line(160, "7").replace("tick", "ti ck")
        + &line(300, r#"{"n":3}"#);
    let file = EventFile::new(&text);
    let sent = run_through(&echo_plan(), MemoryStore::new(), &mut file.source()).await.take();
    assert_eq!(actions(&sent), [r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#]);
    let letters = dead_letters(&sent);
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert!(letters[1].contains("ti ck"), "{letters:?}");
}

#[tokio::test]
async fn an_array_of_events_becomes_actions() {
    let text = format!("[{},{}]", line(0, "1"), line(150, "2"));
    let file = EventFile::new(&text);
    let sink = run_through(&echo_plan(), MemoryStore::new(), &mut file.source()).await;
    assert_eq!(actions(&sink.take()), ["1", "2"]);
}

#[tokio::test]
async fn c9_streams_do_not_notice_each_other() {
    let both = line_of("a", 0, "1")
        + &line_of("b", 7, "10")
        + &line_of("a", 250, "2")
        + &line_of("b", 900_000, "20")
        + &line_of("a", 300, "3");
    let alone: Vec<&str> = both.lines().filter(|line| line.contains("\"a\"")).collect();
    let alone = alone.join("\n") + "\n";
    let mut digests = Vec::new();
    for text in [&both, &alone] {
        let sink = MemorySink::default();
        let mut runtime = open(&echo_plan(), MemoryStore::new(), &sink, echoing()).await;
        let mut source = EventFile::new(text).source();
        runtime.run(&mut source, &StopSwitch::new()).await.unwrap();
        digests.push(runtime.digest(&stream("a")).unwrap());
    }
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test(start_paused = true)]
async fn a_live_event_outside_the_acceptance_window_is_a_dead_letter() {
    let plan = plan(vec![crew("echo", &["*"])], settings(Pace::Realtime));
    let mut options = Options::new(Pace::Realtime);
    options.acceptance =
        Acceptance { past: Some(Span::from_secs(60)), future: Some(Span::from_secs(5)) };
    let mut source = given(vec![
        ("s", event(NOW - 61_000, "tick", "1")),
        ("s", event(NOW - 59_000, "tick", "2")),
        ("s", event(NOW + 6_000, "tick", "3")),
    ]);
    let sink = MemorySink::default();
    let mut runtime = open_with(&plan, options, MemoryStore::new(), &sink, echoing()).await;
    runtime.run(&mut source, &StopSwitch::new()).await.unwrap();
    let sent = sink.take();
    assert_eq!(actions(&sent), ["2"]);
    let letters = dead_letters(&sent);
    assert!(letters[0].contains("further back"), "{letters:?}");
    assert!(letters[1].contains("ahead of the clock"), "{letters:?}");
    assert_eq!(runtime.counters().1, 2, "refused events are counted");
}

#[tokio::test]
async fn a_file_is_read_whatever_the_year_it_tells_of() {
    let mut source = given(vec![("s", event(-1_000_000_000_000, "tick", "1"))]);
    let sink = run_through(&echo_plan(), MemoryStore::new(), &mut source).await;
    assert_eq!(actions(&sink.take()), ["1"]);
}

#[tokio::test]
async fn reserved_kinds_are_dead_letters() {
    let mut source = given(vec![("s", event(0, "__command", "1")), ("s", event(0, "tick", "2"))]);
    let sink = run_through(&echo_plan(), MemoryStore::new(), &mut source).await;
    let sent = sink.take();
    assert_eq!(actions(&sent), ["2"]);
    let letters = dead_letters(&sent);
    assert!(letters[0].contains("`__command` is reserved"), "{letters:?}");
}

/// Runs three events under limits that refuse the last, and gives the reason.
async fn refused_by(limits: Limits) -> String {
    let settings = StreamSettings { limits, ..settings(Pace::Virtual) };
    let plan = plan(vec![crew("echo", &["*"])], settings);
    let mut source = given(vec![
        ("a", event(0, "tick", "1")),
        ("a", event(10, "tick", "2")),
        ("b", event(0, "tick", r#""long enough""#)),
        ("a", event(20, "tick", "3")),
    ]);
    let sink = run_through(&plan, MemoryStore::new(), &mut source).await;
    let letters = dead_letters(&sink.take());
    assert_eq!(letters.len(), 1, "{letters:?}");
    letters[0].clone()
}

#[tokio::test]
async fn an_event_over_a_limit_is_a_dead_letter_that_names_the_limit() {
    let default = Limits::default;
    let open_events = Limits { open_events: 2, ..default() };
    assert!(refused_by(open_events).await.contains("`Limits::open_events`"));
    let streams = Limits { streams: 1, ..default() };
    assert!(refused_by(streams).await.contains("`Limits::streams`"));
    let payload_bytes = Limits { payload_bytes: 5, ..default() };
    assert!(refused_by(payload_bytes).await.contains("`Limits::payload_bytes`"));
}

#[tokio::test]
async fn t5_a_late_event_under_fail_stops_its_stream_and_no_other() {
    let settings = StreamSettings { late: LatePolicy::Fail, ..settings(Pace::Virtual) };
    let plan = plan(vec![crew("echo", &["*"])], settings);
    let mut source = given(vec![
        ("bad", event(0, "tick", "1")),
        ("bad", event(900, "tick", "2")),
        ("bad", event(10, "tick", "3")),
        ("bad", event(1_000, "tick", "4")),
        ("good", event(0, "tick", "5")),
    ]);
    let sink = MemorySink::default();
    let mut runtime = open(&plan, MemoryStore::new(), &sink, echoing()).await;
    let ending = runtime.run(&mut source, &StopSwitch::new()).await.unwrap();
    assert_eq!(ending, Ending::Finished);
    let sent = sink.take();
    assert!(actions(&sent).contains(&"5".to_owned()));
    let failed: Vec<_> = runtime.failed().collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].0, &stream("bad"));
    assert!(failed[0].1.contains("9 slices late"), "{}", failed[0].1);
    assert!(dead_letters(&sent)[0].contains("has failed"));
}

/// A long file of events, written as it is read.
struct Endless {
    left: u64,
    written: Arc<AtomicU64>,
    line: Vec<u8>,
    at: usize,
    n: i64,
}

impl Endless {
    fn new(events: u64) -> Self {
        Self { left: events, written: Arc::default(), line: Vec::new(), at: 0, n: 0 }
    }
}

impl Read for Endless {
    fn read(&mut self, mut out: &mut [u8]) -> std::io::Result<usize> {
        let mut given = 0;
        loop {
            let some = (&self.line[self.at..]).read(out)?;
            self.at += some;
            given += some;
            out = &mut out[some..];
            if out.is_empty() || self.left == 0 {
                return Ok(given);
            }
            self.left -= 1;
            self.at = 0;
            self.n += 1;
            self.line = line(self.n, "1").into_bytes();
            self.written.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn a_file_of_a_million_events_runs_through() {
    let mut spec = crew("echo", &["*"]);
    spec.batch = Batch::Slice;
    let plan = plan(vec![spec], settings(Pace::Virtual));
    let limits = Limits::default();
    let mut source = FileSource::from_reader("long", Endless::new(1_000_000), &limits).unwrap();
    let sink = MemorySink::default();
    let mut options = Options::new(Pace::Virtual);
    options.read_ahead = 1_000;
    let mut runtime = open_with(&plan, options, MemoryStore::new(), &sink, echoing()).await;
    runtime.run(&mut source, &StopSwitch::new()).await.unwrap();
    assert_eq!(runtime.counters().0.events, 1_000_000);
    assert_eq!(actions(&sink.take()).len(), 10_000);
}

#[tokio::test]
async fn a_source_is_left_alone_while_enough_events_wait_for_runs() {
    let limits = Limits::default();
    let endless = Endless::new(1_000_000);
    let written = Arc::clone(&endless.written);
    let mut source = FileSource::from_reader("long", endless, &limits).unwrap();
    let mut options = Options::new(Pace::Virtual);
    options.read_ahead = 1_000;
    options.batch = 100;
    let (crews, hand) = by_hand();
    let sink = MemorySink::default();
    let mut runtime = open_with(&echo_plan(), options, MemoryStore::new(), &sink, crews).await;
    let switch = StopSwitch::new();
    let run = runtime.run(&mut source, &switch);
    let look = async {
        // The crew never answers. What is read meanwhile is bounded by the chunks on their way.
        hand.job().await;
        // It is read on a thread, which a busy machine may let wait.
        let (mut seen, mut since) = (0, Instant::now());
        while since.elapsed() < Duration::from_millis(500) {
            let now = written.load(Ordering::Relaxed);
            if std::mem::replace(&mut seen, now) != now {
                since = Instant::now();
            }
            tokio::task::yield_now().await;
        }
        switch.stop(Stop::Abort);
        seen
    };
    let (ending, seen) = tokio::join!(run, look);
    assert_eq!(ending.unwrap(), Ending::Aborted);
    assert!(seen < 20_000, "{seen} events were read");
    let held = runtime.engine(&stream("s")).unwrap().held();
    assert!((1_000..1_200).contains(&held), "{held} events are held");
}

#[tokio::test(start_paused = true)]
async fn live_slices_close_by_the_clock_though_no_event_follows() {
    let mut spec = crew("echo", &["*"]);
    spec.timing = Timing::Sync;
    spec.timeout = Some(Span::from_secs(1));
    let plan = plan(vec![spec], settings(Pace::Realtime));
    let (publisher, mut source) = channel(10);
    put(&publisher, vec![("s", event(NOW, "tick", "1"))]);
    let sink = MemorySink::default();
    let mut runtime = open(&plan, MemoryStore::new(), &sink, echoing()).await;
    let switch = StopSwitch::new();
    let run = runtime.run(&mut source, &switch);
    let look = async {
        let started = tokio::time::Instant::now();
        let sent = loop {
            let sent = sink.take();
            if !sent.is_empty() {
                break sent;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let took = started.elapsed().as_millis();
        drop(publisher);
        (actions(&sent), took)
    };
    let (ending, (sent, took)) = tokio::join!(run, look);
    assert_eq!(ending.unwrap(), Ending::Finished);
    assert_eq!(sent, ["1"]);
    assert!((100..=103).contains(&took), "the slice took {took} ms");
}
