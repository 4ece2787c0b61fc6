//! Crews that are quick, slow, failing or hanging. What a run answers depends on what it was given
//! alone; how long it takes does not.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use live_crew::{
    engine::{Change, CrewIx, Job, Op, Outcome, Output, RunId, StreamId},
    json::{Json, Number},
    runtime::{Back, Crews, Started},
};
use tokio::time::Instant;

use crate::support::{
    build::{action, count, done, failed, text},
    rng::Rng,
};

/// Longer than every timeout.
const HANGS: Duration = Duration::from_secs(30);

/// What one crew is like.
#[derive(Debug, Clone)]
pub(super) struct Temper {
    is_immediate: bool,
    slowest_ms: u64,
    fails: u64,
    hangs: u64,
}

impl Temper {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let is_immediate = rng.chance(40);
        Self {
            is_immediate,
            slowest_ms: *rng.pick(&[0, 5, 100, 1_500]),
            fails: *rng.pick(&[0, 5, 40]),
            hangs: if is_immediate { 0 } else { *rng.pick(&[0, 0, 3]) },
        }
    }
}

/// How often attempts went wrong.
#[derive(Debug, Default)]
pub(super) struct Mishaps {
    pub(super) failures: u64,
}

#[derive(Debug)]
pub(super) struct SimCrews {
    seed: u64,
    tempers: Arc<[Temper]>,
    /// For what must not matter.
    rng: Rng,
    /// Says at random, when asked, that they have worked for long.
    moods: RefCell<Rng>,
    under_way: BTreeMap<(Instant, u64), Back>,
    started: u64,
    mishaps: Arc<Mutex<Mishaps>>,
}

impl SimCrews {
    pub(super) fn new(
        seed: u64,
        tempers: Arc<[Temper]>,
        rng: Rng,
        mishaps: Arc<Mutex<Mishaps>>,
    ) -> Self {
        let moods = RefCell::new(rng.clone());
        Self { seed, tempers, rng, moods, under_way: BTreeMap::new(), started: 0, mishaps }
    }

    fn temper(&self, crew: CrewIx) -> &Temper {
        &self.tempers[crew.0 as usize % self.tempers.len()]
    }

    /// What an attempt comes to, and whether it hangs before.
    fn answer(&self, stream: &StreamId, job: &Job) -> (Outcome, bool) {
        let mut rng = Rng::new(self.seed ^ fingerprint(stream, job));
        let temper = self.temper(job.run.crew);
        let hangs = rng.chance(temper.hangs);
        if rng.chance(temper.fails) {
            self.mishaps.lock().unwrap().failures += 1;
            return (failed("it does that now and then"), hangs);
        }
        (answer(&mut rng, job), hangs)
    }
}

impl Crews for SimCrews {
    fn is_immediate(&self, crew: CrewIx) -> bool {
        self.temper(crew).is_immediate
    }

    fn start(&mut self, stream: &StreamId, job: Job) -> Started {
        let (outcome, hangs) = self.answer(stream, &job);
        let temper = self.temper(job.run.crew).clone();
        if temper.is_immediate || (!hangs && self.rng.chance(10)) {
            return Started::Done(outcome);
        }
        let takes = if hangs {
            HANGS
        } else {
            Duration::from_micros(self.rng.below(temper.slowest_ms * 1_000 + 1))
        };
        self.started += 1;
        let back = Back {
            stream: stream.clone(),
            run: job.run,
            attempt: job.attempt,
            outcome,
            notes: None,
        };
        let due = (Instant::now() + takes, self.started);
        self.under_way.insert(due, back);
        Started::Later
    }

    fn cancel(&mut self, stream: &StreamId, run: RunId, attempt: u32) {
        if self.rng.chance(50) {
            // Too late to stop it: its answer will be stale.
            return;
        }
        self.under_way
            .retain(|_, back| (&back.stream, back.run, back.attempt) != (stream, run, attempt));
    }

    fn is_tired(&self) -> bool {
        self.moods.borrow_mut().chance(15)
    }

    async fn next_back(&mut self) -> Back {
        let Some((&(due, number), _)) = self.under_way.first_key_value() else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(due).await;
        self.under_way.remove(&(due, number)).expect("nothing else takes it out")
    }
}

fn fingerprint(stream: &StreamId, job: &Job) -> u64 {
    let RunId { crew, key } = job.run;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let numbers = [
        u64::from(crew.0),
        key.trigger.0.cast_unsigned(),
        u64::from(key.place),
        u64::from(job.attempt),
    ];
    let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
    for byte in stream.as_str().bytes().chain(bytes) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// Everything a run saw is in what it answers, so that a run that saw something else is found.
fn answer(rng: &mut Rng, job: &Job) -> Outcome {
    let triggers = job
        .triggers
        .iter()
        .map(|arrived| String::from_utf8_lossy(arrived.event.payload.as_bytes()).into_owned());
    let triggers = triggers.collect::<Vec<_>>().join(",");
    let view = String::from_utf8(job.view.to_json().to_canonical().to_vec()).unwrap();
    let met: Vec<String> = job.met.iter().map(|met| seen(met.as_ref())).collect();
    let payload = format!(
        r#"{{"met":[{}],"slice":{},"triggers":[{triggers}],"view":{view}}}"#,
        met.join(","),
        job.slice.0,
    );
    let actions = (0..rng.below(3)).map(|_| action("do_it", payload.clone())).collect();
    let mut outcome = done(actions, changes(rng, job));
    if let Outcome::Done(output) = &mut outcome {
        let output: &mut Output = Arc::make_mut(output);
        output.value = text(rng.below(1_000).to_string());
    }
    outcome
}

fn seen(met: Option<&live_crew::engine::Met>) -> String {
    met.map_or_else(
        || "null".to_owned(),
        |met| {
            let output = String::from_utf8_lossy(met.output.as_bytes());
            format!("[{},{output}]", met.slice.0)
        },
    )
}

fn changes(rng: &mut Rng, job: &Job) -> Vec<Op> {
    let mut changes = Vec::new();
    if rng.chance(60) {
        changes.push(count("total", 1));
    }
    let keys = ["x", "y", "z"];
    if rng.chance(30) {
        let value = Json::Number(Number::from_i64(job.run.key.trigger.0));
        let path = vec!["shared".into(), (*rng.pick(&keys)).into()];
        let change = match rng.below(4) {
            0 => Change::Delete,
            1 => Change::Append(value),
            _ => Change::Set(value),
        };
        changes.push(Op { path, change });
    }
    changes
}
