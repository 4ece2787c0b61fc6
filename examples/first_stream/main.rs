//! Two crews on a file of events, journaled in SQLite, then verified: `make demo`.
//!
//! `scorer` counts goals in the shared context. `commentator` needs `scorer` in the same slice, so
//! it reads the new score. One line of the file is broken: it goes to the dead letters, with its
//! place, and the goals around it still count.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, path::PathBuf, sync::Arc};

use live_crew::{
    engine::{
        Change, CrewName, CrewSpec, Diff, Draft, Job, Kind, Need, Op, Outcome, Output, Pace,
        Pattern, Payload, Plan, StreamId, StreamSettings,
    },
    json::{Json, Number, parse},
    runtime::{Inline, Options, Runtime, StopSwitch, SystemClock, verify},
    store::SqliteStore,
    transport::{FileSink, FileSource},
};

type Anyhow<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Anyhow<()> {
    let directory = tempfile::tempdir()?;
    let journal = directory.path().join("journal.db");
    let events: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "examples/first_stream/events.jsonl"].iter().collect();

    let mut scorer = crew("scorer", "goal")?;
    scorer.priority = 1;
    let mut commentator = crew("commentator", "goal")?;
    commentator.needs = vec![Need::Crew { crew: scorer.name.clone(), offset: 0 }];
    let plan = Plan::check(vec![scorer, commentator], StreamSettings::new(Pace::Virtual))?;

    let names: Vec<String> = plan.crews.iter().map(|crew| crew.spec.name.to_string()).collect();
    let crews = Inline(move |_: &StreamId, job: &Job| match &*names[job.run.crew.0 as usize] {
        "scorer" => score(job),
        _ => comment(job),
    });
    let store = SqliteStore::open(&journal)?;
    let sink =
        FileSink::from_writers(("actions", std::io::stdout()), ("problems", std::io::stdout()));
    let mut source = FileSource::open(&events, &plan.settings.limits)?;
    let options = Options::new(Pace::Virtual);
    let mut runtime = Runtime::open(plan, options, store, sink, crews, SystemClock::new()).await?;
    runtime.run(&mut source, &StopSwitch::new()).await?;
    runtime.close().await?;

    let stream = StreamId::new("match42")?;
    let verdict = verify(&mut SqliteStore::open_readonly(&journal)?, &stream).await?;
    assert!(verdict.divergence.is_none(), "a journal verifies against itself");
    if let Some(digest) = verdict.digest {
        println!("verified {} slices of {stream}: digest {digest}", verdict.commits);
    }
    Ok(())
}

fn crew(name: &str, trigger: &str) -> Anyhow<CrewSpec> {
    let mut crew = CrewSpec::new(CrewName::new(name)?);
    crew.triggers = vec![Pattern::new(trigger)?];
    Ok(crew)
}

/// Adds one to the score of the team named in the event.
fn score(job: &Job) -> Outcome {
    let team = job.triggers.iter().next().and_then(|goal| {
        let payload = parse(goal.event.payload.as_bytes(), &live_crew::json::JsonLimits::default());
        payload.ok()?.as_object()?.get("team")?.as_str().map(Arc::from)
    });
    let path = vec![Arc::from("score"), team.unwrap_or_else(|| Arc::from("nobody"))];
    let diff = Diff(vec![Op { path, change: Change::Incr(Number::from_i64(1)) }]);
    Outcome::Done(Arc::new(Output { actions: Vec::new(), diff, value: Payload::null() }))
}

/// Says the score as it stands with this goal.
fn comment(job: &Job) -> Outcome {
    let score = job.view.at(&["score"]).cloned().unwrap_or(Json::Null);
    let action = Draft {
        kind: Kind::new("commentary").expect("a fixed kind is a valid one"),
        payload: Payload::from_canonical(score.to_canonical()),
        ttl_ms: None,
        stream: None,
        ts: None,
        correlation_id: None,
        transaction_id: None,
    };
    let (diff, value) = (Diff::default(), Payload::null());
    Outcome::Done(Arc::new(Output { actions: vec![action], diff, value }))
}
