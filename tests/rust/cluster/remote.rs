//! Runs that another host does.

use std::{sync::Arc, time::Duration};

use live_crew::{
    cluster::{Elsewhere, Runner},
    engine::{
        Context, CrewIx, Job, Outcome, Pace, Payload, Plan, Reason, RunId, RunKey, Slice, StreamId,
        Timestamp, Triggers,
    },
    nats::{Connection, Layout},
    runtime::{Back, Crews, Ending, Inline, Started, Stop, StopSwitch},
    store::Scope,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{begin, connect, soon};
use crate::support::build::{action, count, crew, done, plan, settings, stream};

type Function = fn(&StreamId, &Job) -> Outcome;
type Scheduler = Elsewhere<Inline<Function>>;

fn two_crews() -> Arc<Plan> {
    plan(vec![crew("far", &["a"]), crew("near", &["b"])], settings(Pace::Realtime))
}

fn job(crew: u32, place: u32) -> Job {
    let run = RunId { crew: CrewIx(crew), key: RunKey { trigger: Slice(3), place } };
    Job {
        run,
        attempt: 1,
        slice: Slice(4),
        now: Timestamp::MIN,
        triggers: Triggers::Landing,
        view: Context::default(),
        met: Vec::new(),
    }
}

fn answer(stream: &StreamId, job: &Job) -> Outcome {
    let said = format!("\"{stream} {:?}\"", job.run);
    done(vec![action("said", said)], vec![count("runs", 1)])
}

/// A scheduler whose own crew is `near`.
async fn schedule(nats: &Connection, plan: &Arc<Plan>, term: u64) -> Scheduler {
    let (scope, local) = (Scope::Stream(stream("match42")), Inline(answer as Function));
    Elsewhere::open(nats, plan, &scope, term, local, |name| name.as_str() == "near").await.unwrap()
}

async fn serve<C: Crews>(nats: &Connection, plan: &Arc<Plan>, crews: C) -> Runner<C> {
    Runner::open(nats, plan, crews, |name| name.as_str() == "far", 4).await.unwrap()
}

/// Does what comes to it until the test is over.
fn spawn<C: Crews + 'static>(
    mut runner: Runner<C>,
) -> (StopSwitch, tokio::task::JoinHandle<Ending>) {
    let switch = StopSwitch::new();
    let asked = switch.clone();
    let grace = Duration::from_secs(10);
    (switch, tokio::spawn(async move { runner.run(&asked, grace).await }))
}

fn begin_far(scheduler: &mut Scheduler, place: u32) -> Job {
    let job = job(0, place);
    assert!(matches!(scheduler.start(&stream("match42"), job.clone()), Started::Later));
    job
}

fn check(back: &Back, job: &Job) {
    assert_eq!((&back.stream, back.run, back.attempt), (&stream("match42"), job.run, 1));
    assert_eq!(back.outcome, answer(&stream("match42"), job));
}

/// What happened to a crew that never answers.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Started(RunId),
    Cancelled(RunId),
}

struct Stuck(UnboundedSender<Heard>);

fn stuck() -> (Stuck, UnboundedReceiver<Heard>) {
    let (tell, heard) = unbounded_channel();
    (Stuck(tell), heard)
}

impl Crews for Stuck {
    fn is_immediate(&self, _crew: CrewIx) -> bool {
        false
    }

    fn start(&mut self, _stream: &StreamId, job: Job) -> Started {
        self.0.send(Heard::Started(job.run)).unwrap();
        Started::Later
    }

    fn cancel(&mut self, _stream: &StreamId, run: RunId, _attempt: u32) {
        // When the test is over nobody hears it.
        let _over = self.0.send(Heard::Cancelled(run));
    }

    async fn next_back(&mut self) -> Back {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_to_another_host_and_comes_back() {
    let (server, nats) = begin().await;
    let plan = two_crews();
    let mut scheduler = schedule(&nats, &plan, 1).await;
    let near = job(1, 0);
    assert!(scheduler.is_immediate(CrewIx(1)) && !scheduler.is_immediate(CrewIx(0)));
    let Started::Done(outcome) = scheduler.start(&stream("match42"), near.clone()) else {
        panic!("it runs here")
    };
    assert_eq!(outcome, answer(&stream("match42"), &near));
    // More than there are slots, and published before anybody serves them.
    let jobs: Vec<Job> = (0..20).map(|place| begin_far(&mut scheduler, place)).collect();
    let runner = serve(&connect(&server).await, &plan, Inline(answer as Function)).await;
    let (switch, running) = spawn(runner);
    for _ in &jobs {
        let back = soon("a run", scheduler.next_back()).await;
        check(&back, &jobs[back.run.key.place as usize]);
    }
    switch.stop(Stop::Drain);
    assert_eq!(soon("the end", running).await.unwrap(), Ending::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_runner_had_is_done_by_another() {
    let (server, nats) = begin().await;
    let plan = two_crews();
    let mut scheduler = schedule(&nats, &plan, 1).await;
    let (crews, mut heard) = stuck();
    let (_switch, running) = spawn(serve(&connect(&server).await, &plan, crews).await);
    let job = begin_far(&mut scheduler, 0);
    assert_eq!(soon("a start", heard.recv()).await, Some(Heard::Started(job.run)));
    running.abort();
    let (_switch, _running) =
        spawn(serve(&connect(&server).await, &plan, Inline(answer as Function)).await);
    check(&soon("the run", scheduler.next_back()).await, &job);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_outlives_the_server_it_was_given_to() {
    let (mut server, nats) = begin().await;
    let plan = two_crews();
    let mut scheduler = schedule(&nats, &plan, 1).await;
    let first = begin_far(&mut scheduler, 0);
    last(&nats, "ready").await;
    server.kill();
    let second = begin_far(&mut scheduler, 1);
    server.restart();
    let (_switch, _running) =
        spawn(serve(&connect(&server).await, &plan, Inline(answer as Function)).await);
    let mut backs = Vec::new();
    for _ in 0..2 {
        backs.push(soon("a run", scheduler.next_back()).await);
    }
    backs.sort_by_key(|back| back.run.key.place);
    check(&backs[0], &first);
    check(&backs[1], &second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_is_cancelled_where_it_runs() {
    let (server, nats) = begin().await;
    let plan = two_crews();
    let mut scheduler = schedule(&nats, &plan, 1).await;
    let (crews, mut heard) = stuck();
    let (switch, running) = spawn(serve(&connect(&server).await, &plan, crews).await);
    let job = begin_far(&mut scheduler, 0);
    assert_eq!(soon("a start", heard.recv()).await, Some(Heard::Started(job.run)));
    scheduler.cancel(&stream("match42"), job.run, 1);
    assert_eq!(soon("the end", heard.recv()).await, Some(Heard::Cancelled(job.run)));
    // Nothing is left under way.
    switch.stop(Stop::Drain);
    assert_eq!(soon("the end", running).await.unwrap(), Ending::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_j7_what_must_not_be_written_down_is_gone_before_an_answer_is_stored() {
    let (server, nats) = begin().await;
    let mut settings = settings(Pace::Realtime);
    settings.redact.payload = vec!["card".to_owned()];
    let plan = plan(vec![crew("far", &["a"]), crew("near", &["b"])], settings);
    let mut scheduler = schedule(&nats, &plan, 1).await;
    let paid = |_: &StreamId, _: &Job| done(vec![action("paid", r#"{"card":"4242"}"#)], vec![]);
    let runner = serve(&connect(&server).await, &plan, Inline(paid as Function)).await;
    let (_switch, _running) = spawn(runner);
    begin_far(&mut scheduler, 0);
    let stored = last(&nats, "done").await;
    let stored = String::from_utf8_lossy(&stored.payload);
    assert!(stored.contains("[redacted]") && !stored.contains("4242"), "{stored}");
}

/// The last message of a subject of runs.
async fn last(nats: &Connection, what: &str) -> async_nats::jetstream::message::StreamMessage {
    let runs = nats.jetstream().get_stream(Layout::RUNS).await.unwrap();
    let subject = format!("live.match42.slice.4.far.{what}");
    soon(what, async {
        loop {
            if let Ok(found) = runs.get_last_raw_message_by_subject(&subject).await {
                return found;
            }
        }
    })
    .await
}

async fn store_again(nats: &Connection, what: &str, payload: Option<&'static str>) {
    let found = last(nats, what).await;
    let mut headers = found.headers.clone();
    headers.insert("Nats-Msg-Id", "another");
    let payload = payload.map_or_else(|| found.payload.clone(), Into::into);
    let stored =
        nats.jetstream().publish_with_headers(found.subject.clone(), headers, payload).await;
    stored.unwrap().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_answer_changes_nothing_and_outlives_its_scheduler() {
    let (server, nats) = begin().await;
    let plan = two_crews();
    let mut scheduler = schedule(&nats, &plan, 1).await;
    let runner = serve(&connect(&server).await, &plan, Inline(answer as Function)).await;
    let (switch, running) = spawn(runner);
    let first = begin_far(&mut scheduler, 0);
    check(&soon("the first", scheduler.next_back()).await, &first);
    store_again(&nats, "done", None).await;
    let second = begin_far(&mut scheduler, 1);
    check(&soon("the second", scheduler.next_back()).await, &second);
    switch.stop(Stop::Drain);
    assert_eq!(soon("the end", running).await.unwrap(), Ending::Drained);

    // Nobody serves any more: a scheduler that starts the same runs again finds their answers.
    drop(scheduler);
    let mut later = schedule(&nats, &plan, 2).await;
    for place in [1, 0] {
        let job = begin_far(&mut later, place);
        check(&soon("an old answer", later.next_back()).await, &job);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_nobody_can_read_fails() {
    let (server, nats) = begin().await;
    let plan = two_crews();
    let mut scheduler = schedule(&nats, &plan, 1).await;
    begin_far(&mut scheduler, 0);
    let ready = last(&nats, "ready").await;
    store_again(&nats, "ready", Some("poison")).await;
    let runs = nats.jetstream().get_stream(Layout::RUNS).await.unwrap();
    assert!(runs.delete_message(ready.sequence).await.unwrap());
    let (_switch, _running) =
        spawn(serve(&connect(&server).await, &plan, Inline(answer as Function)).await);
    let back = soon("the failure", scheduler.next_back()).await;
    let Outcome::Failed(failure) = back.outcome else { panic!("{:?}", back.outcome) };
    assert_eq!(failure.reason, Reason::Error);
    assert!(failure.message.contains("run one version"), "{}", failure.message);
    assert_eq!(back.notes, None::<Payload>);
}
