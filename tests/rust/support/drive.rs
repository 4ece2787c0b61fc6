//! Drives an engine by hand: answers its jobs, keeps what a journal and the world would keep.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use live_crew::{
    engine::{
        Change, Command, Diff, Digest, Draft, Emission, Engine, Failure, Input, Job, Kind,
        LatePolicy, Op, Outcome, Output, Parcel, Payload, Plan, Reason, Record, Slice, StreamId,
        Timestamp,
    },
    json::{Json, Number, Object},
};
use serde_json::Value;

use super::{
    behaviour::{Dice, Done, Reply, Seen, What, reply},
    cases::{Case, instant},
    reference::Told,
};

/// What the outside has seen of a stream. It survives a crash of the engine.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    pub digests: BTreeMap<Slice, Digest>,
    pub parcels: BTreeMap<u64, Arc<Parcel>>,
    /// One line for each attempt that was started, by slice.
    pub starts: BTreeMap<i64, BTreeSet<String>>,
    /// The context after a slice, where it could be looked at.
    pub contexts: BTreeMap<i64, String>,
    pub reports: BTreeMap<i64, String>,
}

/// An engine and the world around it.
#[derive(Debug)]
pub struct World<'a> {
    pub case: &'a Case,
    pub plan: Arc<Plan>,
    pub engine: Engine,
    pub journal: Vec<(Timestamp, Record)>,
    pub outside: Outside,
    pub jobs: Vec<Job>,
    pub now: Timestamp,
    pub finished: bool,
    ended: bool,
    /// In which order jobs come back.
    dice: Dice,
}

pub fn stream() -> StreamId {
    StreamId::new("match-1").unwrap()
}

impl<'a> World<'a> {
    pub fn new(case: &'a Case, dice: u64) -> Self {
        let plan = Plan::check(case.crews.clone(), case.settings.clone()).unwrap();
        let mut engine = Engine::new(Arc::clone(&plan), stream());
        engine.observe();
        Self {
            case,
            plan,
            engine,
            journal: Vec::new(),
            outside: Outside::default(),
            jobs: Vec::new(),
            now: instant(0),
            finished: false,
            ended: false,
            dice: Dice(dice),
        }
    }

    /// The same world with another engine, as after a crash.
    pub fn reborn(self, engine: Engine, journal: Vec<(Timestamp, Record)>) -> Self {
        let mut world = Self { engine, journal, jobs: Vec::new(), ..self };
        world.engine.observe();
        world
    }

    /// Everything there is to do, from an event of the case on, one step after the other.
    pub fn run(&mut self, from: u64) {
        for cursor in from..self.case.events.len() as u64 {
            self.event(cursor);
            self.work();
        }
        self.end();
    }

    pub fn event(&mut self, cursor: u64) {
        let event = self.case.events[usize::try_from(cursor).unwrap()].clone();
        // A stream that failed refuses what comes; nothing else may be refused.
        let _refused = self.engine.handle(self.now, Input::Event { event, cursor });
    }

    pub fn end(&mut self) {
        self.tell(Input::End);
        self.ended = true;
        self.work();
        assert!(self.finished, "the stream never finishes");
    }

    pub fn tell(&mut self, input: Input) {
        self.engine.handle(self.now, input).unwrap();
    }

    /// Carries out commands and brings jobs back until nothing is left to do now.
    pub fn work(&mut self) {
        loop {
            self.obey();
            if !self.jobs.is_empty() {
                self.answer_one();
            } else if let Some(at) = self.engine.next_wakeup().filter(|_| self.is_waiting()) {
                self.now = self.now.max(at);
                self.tell(Input::Tick);
            } else {
                return;
            }
        }
    }

    /// Brings one job back, if there is one.
    pub fn answer_one(&mut self) {
        if !self.jobs.is_empty() {
            let job = self.dice.place(self.jobs.len());
            let job = self.jobs.swap_remove(job);
            self.answer(&job);
        }
    }

    fn is_waiting(&self) -> bool {
        !self.engine.is_idle() || (self.ended && !self.finished)
    }

    /// Carries out every command there is.
    pub fn obey(&mut self) {
        self.journal.extend(self.engine.take_records());
        let mut committed = None;
        let mut published = None;
        while let Some(command) = self.engine.poll_command() {
            match command {
                Command::Start(job) => self.jobs.push(job),
                Command::Cancel { run, attempt } => {
                    self.jobs.retain(|job| (job.run, job.attempt) != (run, attempt));
                }
                Command::Publish(parcel) => {
                    published = Some(parcel.number);
                    let old = self.outside.parcels.insert(parcel.number, Arc::clone(&parcel));
                    assert!(old.is_none_or(|old| old == parcel), "a parcel changed");
                }
                Command::Committed { slice, digest, .. } => {
                    let old = self.outside.digests.insert(slice, digest);
                    assert!(old.is_none_or(|old| old == digest), "a commit changed");
                    committed = Some(slice);
                }
                Command::Finished => self.finished = true,
                Command::Fail(_) => {}
            }
        }
        for fact in self.engine.take_facts() {
            if let live_crew::engine::Fact::Committed { slice, report, .. } = fact {
                self.outside.reports.insert(slice.0, report);
            }
        }
        if let Some(slice) = committed {
            self.outside.contexts.insert(slice.0, format!("{:?}", self.engine.context()));
        }
        if let Some(number) = published {
            self.tell(Input::Published(number));
            self.journal.extend(self.engine.take_records());
        }
    }

    fn answer(&mut self, job: &Job) {
        let seen = seen(&self.plan, job);
        self.outside.starts.entry(job.slice.0).or_default().insert(seen.line());
        let outcome = match reply(self.case.seed, self.case.temper, &seen) {
            Reply::Done(done) => Outcome::Done(Arc::new(output(&done))),
            Reply::Hang if self.plan.crew(job.run.crew).spec.timeout.is_some() => return,
            Reply::Hang | Reply::Fail => {
                Outcome::Failed(Failure { reason: Reason::Error, message: "it was to fail".into() })
            }
        };
        self.tell(Input::Result { run: job.run, attempt: job.attempt, outcome });
    }

    /// The slices as the reference tells them.
    pub fn told(&self) -> BTreeMap<i64, Told> {
        let mut told: BTreeMap<i64, Told> = BTreeMap::new();
        for (slice, starts) in &self.outside.starts {
            told.entry(*slice).or_default().starts.clone_from(starts);
        }
        for (slice, report) in &self.outside.reports {
            let told = told.entry(*slice).or_default();
            read_report(report, told);
            if let Some(context) = self.outside.contexts.get(slice) {
                told.context.clone_from(context);
            }
        }
        told
    }

    /// Every action that left, in order.
    pub fn actions(&self) -> Vec<String> {
        let items = self.outside.parcels.values().flat_map(|parcel| &parcel.items);
        let action = |item: &Emission| match item {
            Emission::Action(action) => Some(format!("{} {action:?}", action.id)),
            Emission::Error(_) | Emission::Late(..) => None,
        };
        items.filter_map(action).collect()
    }

    /// Late events that left for the dead-letter sink.
    pub fn dead_letters(&self) -> usize {
        let items = self.outside.parcels.values().flat_map(|parcel| &parcel.items);
        items.filter(|item| matches!(item, Emission::Late(_, LatePolicy::DeadLetter))).count()
    }
}

fn seen(plan: &Plan, job: &Job) -> Seen {
    let text = |payload: &Payload| String::from_utf8_lossy(payload.as_bytes()).into_owned();
    Seen {
        crew: plan.crew(job.run.crew).spec.name.to_string(),
        run: job.run.key.to_string(),
        attempt: job.attempt,
        slice: job.slice.0,
        triggers: job.triggers.iter().map(|arrived| text(&arrived.event.payload)).collect(),
        view: format!("{:?}", job.view),
        met: job
            .met
            .iter()
            .map(|met| met.as_ref().map(|met| (met.slice.0, text(&met.output))))
            .collect(),
    }
}

fn output(done: &Done) -> Output {
    let payload = |text: &str| Payload::from_canonical(text.as_bytes());
    let draft = |(kind, text): &(&str, String)| Draft {
        kind: Kind::new(kind).unwrap(),
        payload: payload(text),
        ttl_ms: None,
        stream: None,
        ts: None,
        correlation_id: None,
        transaction_id: None,
    };
    let edits = done.edits.iter().map(|edit| Op {
        path: edit.path.iter().map(|key| key.as_str().into()).collect(),
        change: match &edit.what {
            What::Set(value) => Change::Set(tree(value)),
            What::Delete => Change::Delete,
            What::Incr(by) => Change::Incr(Number::from_i64(*by)),
            What::Append(value) => Change::Append(tree(value)),
            What::Object => Change::Object,
        },
    });
    Output {
        actions: done.actions.iter().map(draft).collect(),
        diff: Diff(edits.collect()),
        value: payload(&done.value),
    }
}

fn tree(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => Json::Bool(*bool),
        Value::Number(number) => Json::Number(Number::from_i64(number.as_i64().unwrap())),
        Value::String(text) => Json::String(text.as_str().into()),
        Value::Array(items) => Json::Array(Arc::new(items.iter().map(tree).collect())),
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| (Arc::from(key.as_str()), tree(value)));
            Json::Object(members.collect::<Object>())
        }
    }
}

/// Turns a report into the words of the reference.
fn read_report(report: &str, told: &mut Told) {
    let report: Value = serde_json::from_str(report).unwrap();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
    for member in report["members"].as_array().unwrap() {
        let id = member["id"].as_str().map(|id| format!(" {id}")).unwrap_or_default();
        let late = member["intended_slice"].as_i64().map(|slice| format!(" meant for {slice}"));
        let (ts, kind, payload) = (&member["ts"], text(member, "kind"), &member["payload"]);
        told.members.push(format!("{ts} {kind} {payload}{id}{}", late.unwrap_or_default()));
    }
    for outcome in report["outcomes"].as_array().unwrap() {
        let line = if let Some(path) = outcome["ctx_conflict"].as_str() {
            format!("conflict on {path} by {}", text(outcome, "last"))
        } else if let Some(failures) = outcome["disabled_after"].as_u64() {
            format!("{} stops after {failures}", text(outcome, "crew"))
        } else {
            let (run, what) = (text(outcome, "run"), text(outcome, "outcome"));
            match (outcome.get("value"), outcome.get("missing")) {
                (Some(value), _) => format!("{run} {what} {value}"),
                (None, Some(missing)) => {
                    let missing: Vec<String> = serde_json::from_value(missing.clone()).unwrap();
                    format!("{run} {what} {missing:?}")
                }
                (None, None) => format!("{run} {what}"),
            }
        };
        assert!(told.outcomes.insert(line.clone()), "told twice: {line}");
    }
    for action in report["actions"].as_array().unwrap() {
        let (run, ts, kind) = (text(action, "run"), &action["ts"], text(action, "kind"));
        told.actions.push(format!("{run} {ts} {kind} {}", action["payload"]));
    }
}
