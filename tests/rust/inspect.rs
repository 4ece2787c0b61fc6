//! Journals read back: explain (N6), context at a slice and blame (X5), first difference (J4).

use std::sync::Arc;

use live_crew::{
    engine::{
        Change, CrewName, CrewSpec, Diff, Draft, Event, Job, Kind, Need, Op, Outcome, Output, Pace,
        Pattern, Payload, Plan, Slice, StreamId, StreamSettings, Timestamp,
    },
    json::{Json, Number, parse},
    runtime::{
        Inline, Options, Runtime, StopSwitch, SystemClock, blame, context_at, digests, explain,
        first_difference, timeline, verify,
    },
    store::{Frame, Mark, MemoryStore, Store, StoreError},
    transport::memory,
};

use crate::support::as_the_store_inside;

fn stream() -> StreamId {
    StreamId::new("s").unwrap()
}

fn crew(name: &str, trigger: Option<&str>, needs: &[(&str, i64)]) -> CrewSpec {
    let mut crew = CrewSpec::new(CrewName::new(name).unwrap());
    crew.triggers = trigger.into_iter().map(|kind| Pattern::new(kind).unwrap()).collect();
    let need =
        |&(crew, offset): &(&str, i64)| Need::Crew { crew: CrewName::new(crew).unwrap(), offset };
    crew.needs = needs.iter().map(need).collect();
    crew
}

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &live_crew::json::JsonLimits::default()).unwrap()
}

fn op(path: &[&str], change: Change) -> Op {
    Op { path: path.iter().map(|key| Arc::from(*key)).collect(), change }
}

/// One event in each of `slices` slices: `(slice, kind, payload)`.
type Events<'a> = &'a [(i64, &'a str, &'a str)];

fn run(crews: Vec<CrewSpec>, events: Events<'_>, act: fn(&str, &Job) -> Outcome) -> MemoryStore {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = MemoryStore::new();
    tokio.block_on(async {
        let plan = Plan::check(crews, StreamSettings::new(Pace::Virtual)).unwrap();
        let (publisher, mut source) = memory::channel(events.len().max(1));
        for (slice, kind, payload) in events {
            let event = Event {
                ts: Timestamp::from_micros(1_700_000_000_000_000 + slice * 500_000).unwrap(),
                kind: Kind::new(kind).unwrap(),
                payload: Payload::from_canonical(json(payload).to_canonical()),
                ids: None,
            };
            publisher.publish(stream(), event).await.unwrap();
        }
        drop(publisher);
        let names = Arc::clone(&plan);
        let crews = Inline(move |_: &StreamId, job: &Job| {
            act(names.crew(job.run.crew).spec.name.as_str(), job)
        });
        let sink = memory::MemorySink::default();
        let options = Options { snapshot_every: 4, ..Options::new(Pace::Virtual) };
        let clock = SystemClock::starting_at(Timestamp::default());
        let mut runtime =
            Runtime::open(plan, options, store.clone(), sink, crews, clock).await.unwrap();
        runtime.run(&mut source, &StopSwitch::new()).await.unwrap();
        runtime.close().await.unwrap();
    });
    store
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn done(ops: Vec<Op>) -> Outcome {
    let value = Payload::null();
    Outcome::Done(Arc::new(Output { actions: Vec::new(), diff: Diff(ops), value }))
}

/// Counts every event under `seen`, keeps the last payload under `last`, drops `gone` at once.
fn count(_: &str, job: &Job) -> Outcome {
    let payload = job.triggers.iter().next().unwrap().event.payload.clone();
    let payload = json(std::str::from_utf8(payload.as_bytes()).unwrap());
    done(vec![
        op(&["seen"], Change::Incr(Number::from_i64(1))),
        op(&["last", "goal"], Change::Set(payload)),
    ])
}

#[test]
fn x5_the_context_at_any_slice_is_what_it_was_then() {
    let events: Vec<(i64, &str, &str)> = (0..20).map(|at| (at * 2, "goal", "{}")).collect();
    let mut store = run(vec![crew("counter", Some("goal"), &[])], &events, count);
    for slice in 0..38 {
        let context = at_once(context_at(&mut store, &stream(), Slice(slice))).unwrap();
        let seen = context.at(&["seen"]).cloned();
        assert_eq!(seen, Some(Json::from(slice / 2 + 1)), "slice {slice}");
    }
    let error = at_once(context_at(&mut store, &stream(), Slice(99))).unwrap_err();
    assert_eq!(error.to_string(), "slice 99 of stream `s` is not committed; the last one is 38");
}

#[test]
fn x5_blame_names_the_run_the_slice_and_what_was_written() {
    let events = [(0, "goal", r#"{"by":"a"}"#), (3, "goal", r#"{"by":"b"}"#)];
    let mut store = run(vec![crew("counter", Some("goal"), &[])], &events, count);
    let writes = at_once(blame(&mut store, &stream(), &["last", "goal", "by"])).unwrap();
    let told: Vec<(i64, &str, &str, Option<&str>)> = writes
        .iter()
        .map(|write| (write.slice, &*write.run, write.op, write.value.as_deref()))
        .collect();
    assert_eq!(
        told,
        [(0, "counter/0.0", "set", Some(r#""a""#)), (3, "counter/3.0", "set", Some(r#""b""#))]
    );
    assert_eq!(writes[1].at, "2023-11-14T22:13:22Z");
    assert!(at_once(blame(&mut store, &stream(), &["nothing"])).unwrap().is_empty());
}

#[test]
fn j4_the_digest_chain_has_a_digest_for_each_commit_and_the_last_is_the_verdict() {
    let events = [(0, "goal", "{}"), (1, "goal", "{}"), (7, "goal", "{}")];
    let mut store = run(vec![crew("counter", Some("goal"), &[])], &events, count);
    let chain = at_once(digests(&mut store, &stream())).unwrap();
    let slices: Vec<i64> = chain.iter().map(|(slice, _)| slice.0).collect();
    assert_eq!(slices, [0, 1, 7]);
    let verdict = at_once(verify(&mut store, &stream())).unwrap();
    assert_eq!(verdict.digest, Some(chain[2].1));
    assert!(verdict.divergence.is_none());
}

fn sometimes(name: &str, job: &Job) -> Outcome {
    match name {
        "broken" => Outcome::Failed(live_crew::engine::Failure {
            reason: live_crew::engine::Reason::Error,
            message: "no such thing".to_owned(),
        }),
        _ => count(name, job),
    }
}

#[test]
fn n6_explain_says_why_a_crew_ran_waits_or_did_not_run() {
    let mut strider = crew("strider", Some("goal"), &[]);
    strider.stride = 4;
    let mut broken = crew("broken", Some("save"), &[]);
    broken.max_errors = 1;
    let crews = vec![
        crew("vision", Some("frame"), &[]),
        crew("talker", Some("goal"), &[("vision", -1)]),
        crew("mute", Some("goal"), &[("never", 0)]),
        crew("never", Some("nothing"), &[]),
        strider,
        broken,
    ];
    let events = [
        (0, "frame", "{}"),
        (1, "goal", "{}"),
        (1, "save", "{}"),
        (2, "save", "{}"),
        (5, "frame", "{}"),
    ];
    let mut store = run(crews, &events, sometimes);
    let mut told = |crew, slice| {
        at_once(explain(&mut store, &stream(), crew, Slice(slice))).unwrap().to_string()
    };
    assert_eq!(
        told("talker", 1),
        "talker@1\n  run 1.0: started in slice 1, vision@-1 met by slice 0, landed in slice 1"
    );
    assert_eq!(
        told("mute", 1),
        "mute@1\n  run 1.0: never started, never@0 missing, ended as unsatisfied in slice 6"
    );
    assert_eq!(
        told("talker", 5),
        "talker@5 did not run: no event of its triggers (`goal`): the slice has `frame`"
    );
    assert_eq!(
        told("strider", 1),
        "strider@1 did not run: `slice_stride` lets it run in slice 4: its triggers wait for that"
    );
    assert_eq!(
        told("broken", 1),
        "broken@1\n  run 1.0: started in slice 1, ended as error in slice 1: no such thing"
    );
    assert_eq!(
        told("broken", 2),
        "broken@2\n  run 2.0: never started, ended as disabled in slice 2"
    );
    assert_eq!(told("broken", 5), "broken@5 did not run: it is disabled since slice 2");
    assert_eq!(told("vision", 90), "vision@90 did not run: the slice is not closed yet");
    let error = at_once(explain(&mut store, &stream(), "visoin", Slice(1))).unwrap_err();
    assert_eq!(error.to_string(), "the plan has no crew `visoin`; did you mean `vision`?");
}

#[test]
fn n6_a_timeline_has_every_run_with_what_became_of_it_and_what_it_wrote() {
    let crews = vec![crew("counter", Some("goal"), &[]), crew("mute", Some("goal"), &[("no", 0)])];
    let crews = [crews, vec![crew("no", Some("nothing"), &[])]].concat();
    let mut store = run(crews, &[(0, "goal", "1"), (3, "goal", "2")], count);
    let told = at_once(timeline(&mut store, &stream())).unwrap();
    let lines: Vec<String> = told
        .iter()
        .map(|one| {
            let writes = one.writes.iter().map(|write| format!("{}@{}", write.path, write.slice));
            let writes: Vec<String> = writes.collect();
            format!("{} {} {}", one.crew, one.story, writes.join(" "))
        })
        .collect();
    assert_eq!(
        lines,
        [
            "counter run 0.0: started in slice 0, landed in slice 0 seen@0 last.goal@0",
            "counter run 3.0: started in slice 3, landed in slice 3 seen@3 last.goal@3",
            "mute run 0.0: never started, no@0 missing, ended as unsatisfied in slice 4 ",
            "mute run 3.0: never started, no@0 missing, ended as unsatisfied in slice 4 ",
        ]
    );
}

/// Answers with the payload; the 700th with something else when it says so.
fn echo(_: &str, job: &Job) -> Outcome {
    let payload = job.triggers.iter().next().unwrap().event.payload.clone();
    let draft = Draft {
        kind: Kind::new("echo").unwrap(),
        payload,
        ttl_ms: None,
        stream: None,
        ts: None,
        correlation_id: None,
        transaction_id: None,
    };
    let (diff, value) = (Diff::default(), Payload::null());
    Outcome::Done(Arc::new(Output { actions: vec![draft], diff, value }))
}

fn echo_otherwise(name: &str, job: &Job) -> Outcome {
    let Outcome::Done(output) = echo(name, job) else {
        return echo(name, job);
    };
    let mut output = Arc::unwrap_or_clone(output);
    if job.slice == Slice(700) {
        output.actions[0].payload = Payload::from_canonical(&br#"{"n":"other"}"#[..]);
    }
    Outcome::Done(Arc::new(output))
}

#[test]
fn j4_the_first_difference_of_two_journals_is_found_by_bisecting() {
    let payloads: Vec<String> = (0..1_000).map(|at| format!(r#"{{"n":{at}}}"#)).collect();
    let events: Vec<(i64, &str, &str)> =
        (0..).zip(&payloads).map(|(at, payload)| (at, "goal", &**payload)).collect();
    let mut changed = events.clone();
    changed[431].2 = r#"{"n":"changed"}"#;
    let crews = || vec![crew("echo", Some("goal"), &[])];
    let mut left = Counting { store: run(crews(), &events, echo), marks: 0 };

    let mut same = run(crews(), &events, echo);
    assert_eq!(at_once(first_difference(&mut left, &mut same, &stream())).unwrap(), None);

    left.marks = 0;
    let mut other = run(crews(), &events, echo_otherwise);
    let found = at_once(first_difference(&mut left, &mut other, &stream())).unwrap().unwrap();
    assert_eq!(
        (found.slice, &*found.section, &*found.field),
        (Some(700), "actions", "0.payload.n")
    );
    assert_eq!(found.run.as_deref(), Some("echo/700.0"));
    assert_eq!((&*found.left, &*found.right), ("700", r#""other""#));
    assert!(left.marks <= 12, "{} look-ups for 1 000 commits", left.marks);

    let mut other = run(crews(), &changed, echo);
    let found = at_once(first_difference(&mut left, &mut other, &stream())).unwrap().unwrap();
    assert_eq!(
        (found.slice, &*found.section, &*found.field),
        (Some(431), "members", "0.payload.n")
    );

    let mut shorter = run(crews(), &events[..600], echo);
    let found = at_once(first_difference(&mut left, &mut shorter, &stream())).unwrap().unwrap();
    assert_eq!((found.slice, &*found.right), (Some(600), "the journal ends here"));
}

/// A store that counts how often it is asked for a mark.
struct Counting {
    store: MemoryStore,
    marks: u32,
}

impl Store for Counting {
    async fn append(&mut self, frames: Vec<Frame>) -> Result<Vec<u64>, StoreError> {
        self.store.append(frames).await
    }

    as_the_store_inside!(store);

    async fn mark(
        &mut self,
        stream: &StreamId,
        ordinal: u64,
    ) -> Result<Option<(u64, Mark)>, StoreError> {
        self.marks += 1;
        self.store.mark(stream, ordinal).await
    }
}
