//! An engine driven by hand through a story, as the runtime would drive it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use live_crew::engine::{
    Command, Context, Control, CrewName, Engine, Event, Fact, Ids, Input, Job, Kind, Outcome, Pace,
    Payload, Plan, PlanError, Record, RunId, StreamId, Timestamp,
};

use super::{
    declare::{Declared, instant, number},
    print, script,
};

/// A story being told.
pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) said: Vec<String>,
    /// What a journal would hold.
    pub(crate) journal: Vec<(Timestamp, Record)>,
    plan: Arc<Plan>,
    declared: Declared,
    now: Timestamp,
    cursor: u64,
    /// Jobs that answer at once, but not before the commands before them are carried out.
    answering: VecDeque<Job>,
    /// Jobs that answer later, and those that did.
    jobs: BTreeMap<RunId, Job>,
    facts: VecDeque<Fact>,
    parcels: BTreeSet<u64>,
    context: Context,
    backwards: bool,
    told_by_hand: bool,
}

impl Stage {
    /// A stage with an engine that has seen nothing.
    pub(crate) fn new(story: &str, backwards: bool) -> Result<Self, PlanError> {
        let declared = Declared::read(story);
        let plan = Plan::check(declared.crews.clone(), declared.settings.clone())?;
        let mut engine = Engine::new(Arc::clone(&plan), stream());
        engine.observe();
        Ok(Self {
            engine,
            said: Vec::new(),
            journal: Vec::new(),
            plan,
            declared,
            now: instant("0"),
            cursor: 0,
            answering: VecDeque::new(),
            jobs: BTreeMap::new(),
            facts: VecDeque::new(),
            parcels: BTreeSet::new(),
            context: Context::default(),
            backwards,
            told_by_hand: false,
        })
    }

    /// Whether only the engine decided in which order runs came back.
    pub(crate) fn may_be_told_backwards(&self) -> bool {
        self.declared.settings.pace == Pace::Virtual && !self.told_by_hand
    }

    /// Goes on from a journal; gives the number of events it holds.
    pub(crate) fn recover(&mut self, journal: &[(Timestamp, Record)]) -> usize {
        self.journal = journal.to_vec();
        self.go_on(self.folded());
        self.cursor = self.engine.cursor().unwrap_or(0);
        usize::try_from(self.cursor).expect("stories are short")
    }

    /// Lets happen what a story says.
    pub(crate) fn play(&mut self, story: &str) {
        for line in story.lines() {
            let line = line.split(" # ").next().unwrap_or_default().trim();
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "now" => self.advance(instant(rest)),
                "done" => self.done(rest),
                "enable" => self.input(Input::Control(Control::Enable(name(rest)))),
                "disable" => self.input(Input::Control(Control::Disable(name(rest)))),
                "crash" => self.crash(),
                "restore" => self.restore(),
                "end" => self.end(),
                _ => {
                    if let Some(ts) = word.strip_prefix('@') {
                        self.event(instant(ts), rest);
                    }
                }
            }
        }
    }

    /// `KIND [JSON] [id=…] [corr=…] [trans=…] [at=…]`.
    fn event(&mut self, ts: Timestamp, text: &str) {
        let (mut ids, mut at, mut payload) = (Ids::default(), ts, Payload::null());
        let mut words = text.split_whitespace();
        let kind = Kind::new(words.next().expect("an event has a kind")).unwrap();
        for word in words {
            match word.split_once('=') {
                Some(("id", id)) => ids.id = Some(id.into()),
                Some(("corr", id)) => ids.correlation_id = Some(id.into()),
                Some(("trans", id)) => ids.transaction_id = Some(id.into()),
                Some(("at", ms)) => at = instant(ms),
                _ => payload = script::payload(word),
            }
        }
        match self.declared.settings.pace {
            Pace::Realtime => self.advance(at),
            Pace::Virtual => self.wait_until_free(),
        }
        let ids = (ids != Ids::default()).then(|| Box::new(ids));
        self.cursor += 1;
        let event = Event { ts, kind, payload, ids };
        self.input(Input::Event { event, cursor: self.cursor });
    }

    /// `CREW RUN [try=N] [DEEDS]`: a run answers, with what its script or the story says.
    fn done(&mut self, text: &str) {
        self.told_by_hand = true;
        let mut words = text.splitn(3, ' ');
        let (crew, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut deeds = words.next().unwrap_or_default();
        let job = self.jobs.values().find(|job| {
            self.plan.crew(job.run.crew).spec.name.as_str() == crew
                && job.run.key.to_string() == key
        });
        let job = job.unwrap_or_else(|| panic!("`done {text}`: no such run was started"));
        let (run, mut attempt) = (job.run, job.attempt);
        if let Some(rest) = deeds.strip_prefix("try=") {
            let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            attempt = number.parse().unwrap();
            deeds = rest;
        }
        let outcome = if deeds.is_empty() { self.outcome(job) } else { script::perform(deeds) };
        self.input(Input::Result { run, attempt, outcome });
    }

    fn end(&mut self) {
        self.input(Input::End);
        self.wait_until_free();
    }

    /// In virtual pace no event is fed while a slice is worked on; timers may set it free.
    fn wait_until_free(&mut self) {
        while self.declared.settings.pace == Pace::Virtual && self.engine.is_busy() {
            let Some(at) = self.engine.next_wakeup() else {
                return;
            };
            self.advance(at);
        }
    }

    /// Lets the clock move on, ticking where the engine wants to be woken.
    fn advance(&mut self, to: Timestamp) {
        while let Some(at) = self.engine.next_wakeup().filter(|at| *at <= to) {
            self.now = self.now.max(at);
            self.input(Input::Tick);
            assert_ne!(self.engine.next_wakeup(), Some(at), "a wake-up that changes nothing");
        }
        self.now = self.now.max(to);
        self.input(Input::Tick);
    }

    fn crash(&mut self) {
        self.check_replay();
        self.said.push("crash".to_owned());
        self.go_on(self.folded());
    }

    /// As `crash`, from a snapshot instead of the whole journal.
    fn restore(&mut self) {
        let bytes = postcard::to_stdvec(self.engine.snapshot()).expect("a state can be written");
        let state = postcard::from_bytes(&bytes).expect("a state can be read back");
        self.said.push("restore".to_owned());
        self.go_on(Engine::restore(Arc::clone(&self.plan), state));
    }

    fn go_on(&mut self, engine: Engine) {
        self.engine = engine;
        self.engine.observe();
        self.jobs.clear();
        self.engine.resume(self.now);
        self.carry_out();
    }

    /// Folds the journal once more: the same context and digest must come of it (rule J4).
    pub(crate) fn check_replay(&self) {
        let (again, engine) = (self.folded(), &self.engine);
        assert_eq!(again.digest(), engine.digest(), "replay changed the digest");
        assert_eq!(again.context(), engine.context(), "replay changed the context");
        assert_eq!(again.counters(), engine.counters(), "replay changed the counters");
    }

    fn folded(&self) -> Engine {
        let mut engine = Engine::new(Arc::clone(&self.plan), stream());
        for (at, record) in &self.journal {
            if let Err(divergence) = engine.replay(*at, record.clone()) {
                panic!("replay: {divergence}\n{}", self.said.join("\n"));
            }
        }
        engine
    }

    fn input(&mut self, input: Input) {
        if let Err(refused) = self.engine.handle(self.now, input) {
            self.said.push(format!("refused: {refused}"));
        }
        self.carry_out();
    }

    /// Does what the engine wants done, until it wants nothing more.
    fn carry_out(&mut self) {
        loop {
            self.obey();
            let job =
                if self.backwards { self.answering.pop_back() } else { self.answering.pop_front() };
            let Some(job) = job else { break };
            let outcome = self.outcome(&job);
            let input = Input::Result { run: job.run, attempt: job.attempt, outcome };
            self.engine.handle(self.now, input).expect("results are always taken");
        }
        if *self.engine.context() != self.context {
            self.context = self.engine.context().clone();
            self.said.push(format!("ctx {:?}", self.context));
        }
    }

    fn obey(&mut self) {
        self.journal.extend(self.engine.take_records());
        self.facts.extend(self.engine.take_facts());
        let (mut leaving, mut through) = (Vec::new(), None);
        while let Some(command) = self.engine.poll_command() {
            match command {
                Command::Start(job) => {
                    let begun = (job.run, job.attempt);
                    self.say_facts(|fact| {
                        matches!(fact, Fact::Started { run, attempt, .. } if begun == (*run, *attempt))
                    });
                    self.said.append(&mut leaving);
                    self.said.push(print::start(&self.plan, &job, self.declared.shows_time));
                    self.jobs.insert(job.run, job.clone());
                    if script::is_later(self.deeds(&job)) {
                        self.told_by_hand = true;
                    } else {
                        self.answering.push_back(job);
                    }
                }
                Command::Cancel { run, attempt } => {
                    self.said.push(format!("cancel {} try {attempt}", print::run(&self.plan, run)));
                }
                Command::Publish(parcel) => {
                    let again = if self.parcels.insert(parcel.number) { "" } else { " again" };
                    let lines = print::parcel(&self.plan, &parcel, self.declared.shows_time);
                    leaving.extend(lines.into_iter().map(|line| line + again));
                    through = Some(parcel.number);
                }
                Command::Committed { slice, .. } => {
                    self.say_facts(
                        |fact| matches!(fact, Fact::Committed { slice: at, .. } if *at == slice),
                    );
                    self.said.append(&mut leaving);
                    self.said.push(format!("{} commit", slice.0));
                }
                Command::Fail(why) => self.said.push(format!("fail: {why}")),
                Command::Finished => {
                    self.say_facts(|_| false);
                    self.said.append(&mut leaving);
                    self.said.push("finished".to_owned());
                }
            }
        }
        self.say_facts(|_| false);
        self.said.append(&mut leaving);
        if let Some(through) = through.filter(|_| self.declared.publishes) {
            self.engine.handle(self.now, Input::Published(through)).expect("it was published");
            self.journal.extend(self.engine.take_records());
        }
    }

    /// Says the facts up to the one that a command stands for, or all.
    fn say_facts(&mut self, last: impl Fn(&Fact) -> bool) {
        let through = self.facts.iter().position(last).map(|at| at + 1);
        for fact in self.facts.drain(..through.unwrap_or(self.facts.len())) {
            self.said.extend(print::fact(&self.plan, &fact));
        }
    }

    fn deeds(&self, job: &Job) -> &str {
        let script = self.declared.scripts.get(&self.plan.crew(job.run.crew).spec.name);
        script.map_or("", |script| script::deeds_for(script, job))
    }

    fn outcome(&self, job: &Job) -> Outcome {
        script::perform(self.deeds(job))
    }
}

fn stream() -> StreamId {
    StreamId::new("story").expect("it is a name")
}

fn name(text: &str) -> CrewName {
    CrewName::new(number::<String>(text).as_str()).unwrap()
}
