//! The whole runtime from its source to its sink.

mod attempts;
mod delivery;
mod flood;
mod journal;
mod recovery;
mod slow;
mod stopping;
mod tired;
mod torn;

use std::{
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use live_crew::{
    engine::{Event, Job, Outcome, Pace, Payload, Plan, StreamId, Timestamp},
    runtime::{Back, Crews, Ending, Inline, Options, Runtime, Started, StopSwitch, SystemClock},
    store::{MemoryStore, Store},
    transport::{
        Channel, Cursor, Delivery, FileSource, Outgoing, Source, TransportError,
        memory::{MemoryPublisher, MemorySink, MemorySource, channel},
    },
};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::support::build::{action, count, crew, done, plan, settings, stream};

type SimpleRuntime<S, C> = Runtime<S, MemorySink, C, SystemClock>;

/// When these tests take place, in milliseconds since 1970: near the first instant of their files.
const NOW: i64 = 1_000_000;

fn echo_plan() -> Arc<Plan> {
    plan(vec![crew("echo", &["*"])], settings(Pace::Virtual))
}

/// Answers each run with one action that holds its triggers, and counts its runs.
fn echo(_stream: &StreamId, job: &Job) -> Outcome {
    let triggers: Vec<String> = job
        .triggers
        .iter()
        .map(|arrived| String::from_utf8_lossy(arrived.event.payload.as_bytes()).into_owned())
        .collect();
    let payload = match &triggers[..] {
        [one] => one.clone(),
        many => format!("[{}]", many.join(",")),
    };
    done(vec![action("echoed", payload)], vec![count("runs", 1)])
}

fn echoing() -> Inline<fn(&StreamId, &Job) -> Outcome> {
    Inline(echo)
}

async fn open_with<S: Store, C: Crews>(
    plan: &Arc<Plan>,
    options: Options,
    store: S,
    sink: &MemorySink,
    crews: C,
) -> SimpleRuntime<S, C> {
    let now = Timestamp::from_micros(NOW * 1_000).unwrap();
    let clock = SystemClock::starting_at(now);
    Runtime::open(Arc::clone(plan), options, store, sink.clone(), crews, clock).await.unwrap()
}

async fn open<S: Store, C: Crews>(
    plan: &Arc<Plan>,
    store: S,
    sink: &MemorySink,
    crews: C,
) -> SimpleRuntime<S, C> {
    open_with(plan, Options::new(plan.settings.pace), store, sink, crews).await
}

/// Runs a source to its end with crews that echo.
async fn run_through(plan: &Arc<Plan>, store: MemoryStore, source: &mut impl Source) -> MemorySink {
    let sink = MemorySink::default();
    let mut runtime = open(plan, store, &sink, echoing()).await;
    let ending = runtime.run(source, &StopSwitch::new()).await.unwrap();
    assert_eq!(ending, Ending::Finished);
    runtime.close().await.unwrap();
    sink
}

/// The payloads of the actions among these messages, in order.
fn actions(sent: &[Outgoing]) -> Vec<String> {
    sent.iter()
        .filter(|message| message.channel == Channel::Action)
        .map(|message| {
            let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            body["payload"].to_string()
        })
        .collect()
}

/// The reasons of the dead letters among these messages, in order.
fn dead_letters(sent: &[Outgoing]) -> Vec<String> {
    sent.iter()
        .filter(|message| message.channel == Channel::DeadLetter)
        .map(|message| {
            let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            body["reason"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// A file of events.
struct EventFile {
    folder: TempDir,
}

impl EventFile {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = Self { folder };
        let mut out = std::fs::File::create(file.path()).unwrap();
        out.write_all(text.as_bytes()).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("events.jsonl")
    }

    fn source(&self) -> FileSource {
        FileSource::open(self.path(), &live_crew::engine::Limits::default()).unwrap()
    }
}

/// A line of a file: an event of stream `s` so many milliseconds after 1970.
fn line(ms: i64, payload: &str) -> String {
    line_of("s", ms, payload)
}

fn line_of(stream: &str, ms: i64, payload: &str) -> String {
    let (seconds, ms) = (ms / 1_000, ms % 1_000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!(
        r#"{{"ts":"1970-01-01T00:{minutes:02}:{seconds:02}.{ms:03}Z","kind":"tick","stream_id":"{stream}","payload":{payload}}}"#
    ) + "\n"
}

/// Events put into a channel whose input has ended.
fn given(events: Vec<(&str, Event)>) -> MemorySource {
    let (publisher, source) = channel(events.len());
    put(&publisher, events);
    source
}

fn put(publisher: &MemoryPublisher, events: Vec<(&str, Event)>) {
    for (name, event) in events {
        publisher.try_publish(stream(name), event).unwrap();
    }
}

/// Crews that answer when the test wants them to.
struct ByHand {
    jobs: Arc<Mutex<Vec<(StreamId, Job)>>>,
    answers: mpsc::UnboundedReceiver<Back>,
}

/// The test's end of [`ByHand`].
struct Hand {
    jobs: Arc<Mutex<Vec<(StreamId, Job)>>>,
    answers: mpsc::UnboundedSender<Back>,
}

fn by_hand() -> (ByHand, Hand) {
    let (sender, answers) = mpsc::unbounded_channel();
    let jobs = Arc::default();
    let crews = ByHand { jobs: Arc::clone(&jobs), answers };
    let hand = Hand { jobs, answers: sender };
    (crews, hand)
}

impl Crews for ByHand {
    fn is_immediate(&self, _crew: live_crew::engine::CrewIx) -> bool {
        false
    }

    fn start(&mut self, stream: &StreamId, job: Job) -> Started {
        self.jobs.lock().unwrap().push((stream.clone(), job));
        Started::Later
    }

    fn cancel(&mut self, _stream: &StreamId, _run: live_crew::engine::RunId, _attempt: u32) {}

    async fn next_back(&mut self) -> Back {
        match self.answers.recv().await {
            Some(back) => back,
            None => std::future::pending().await,
        }
    }
}

impl Hand {
    /// Waits for a job to be handed over and takes it.
    async fn job(&self) -> (StreamId, Job) {
        loop {
            if let Some(job) = self.jobs.lock().unwrap().pop() {
                return job;
            }
            tokio::task::yield_now().await;
        }
    }

    fn answer(&self, job: (StreamId, Job)) {
        self.answer_with(job, None);
    }

    fn answer_with(&self, (stream, job): (StreamId, Job), notes: Option<Payload>) {
        let outcome = echo(&stream, &job);
        let back = Back { stream, run: job.run, attempt: job.attempt, outcome, notes };
        self.answers.send(back).unwrap();
    }
}

/// Tells what a source is told.
struct Told<S> {
    source: S,
    acked: Arc<Mutex<Vec<u64>>>,
    resumed: Arc<Mutex<Option<u64>>>,
}

impl<S> Told<S> {
    fn new(source: S) -> Self {
        Self { source, acked: Arc::default(), resumed: Arc::default() }
    }
}

impl<S: Source> Source for Told<S> {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        self.source.next(max).await
    }

    async fn resume_after(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        *self.resumed.lock().unwrap() = Some(cursor.0);
        self.source.resume_after(cursor).await
    }

    async fn ack(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        self.acked.lock().unwrap().push(cursor.0);
        self.source.ack(cursor).await
    }
}
