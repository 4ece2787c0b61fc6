//! The engine: what goes in, what comes out, what is kept. The work is in the files beside it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    Command, Context, Counters, CrewIx, Digest, Emission, Fact, Input, Kind, Parcel, Payload, Plan,
    Record, RunId, Slice, StreamId, Timer, Timestamp,
    crew::{Run, Slot},
    inbox::Inbox,
    report::Report,
    turn::Turn,
};

/// The state machine of one stream.
///
/// Tell it what happened with [`handle`](Self::handle), make [`take_records`](Self::take_records)
/// durable, then do what [`poll_command`](Self::poll_command) says, in that order (rule J1).
#[derive(Debug)]
pub struct Engine {
    pub(super) plan: Arc<Plan>,
    pub(super) state: State,
    /// Routes of kinds seen, so that routing an event is one look-up.
    pub(super) routes: BTreeMap<Kind, Arc<[CrewIx]>>,
    pub(super) replaying: bool,
    /// Empty between slices; kept so that its parts need not grow again.
    pub(super) report: Report,
    /// How much the last slice sent: a good guess for the next.
    pub(super) items_before: usize,
    /// The instant up to which every decision that was due is made.
    settled_at: Option<Timestamp>,
    /// While replaying: derived records that the journal must hold next.
    expected: VecDeque<Record>,
    records: Vec<(Timestamp, Record)>,
    /// How many there were at a time lately.
    records_before: usize,
    commands: VecDeque<Command>,
    pub(super) facts: Option<Vec<Fact>>,
}

/// Everything that outlives a crash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub(super) stream: StreamId,
    pub(super) now: Timestamp,
    pub(super) inbox: Inbox,
    /// Closed slices and other work, in the order it came up.
    pub(super) queue: VecDeque<Work>,
    /// The slice that is being worked on.
    pub(super) turn: Option<Turn>,
    pub(super) crews: Vec<Slot>,
    /// Crews to be visited in a slice though no event may call them.
    pub(super) agenda: BTreeSet<(Slice, CrewIx)>,
    /// When runs that have not started end as expired.
    pub(super) expiry: BTreeSet<(Slice, RunId)>,
    pub(super) timers: BTreeSet<(Timestamp, Timer)>,
    /// For each needed kind, the slices that had an event of it, with the payload of the first.
    pub(super) seen_kinds: Vec<VecDeque<(Slice, Payload)>>,
    pub(super) context: Context,
    pub(super) digest: Option<Digest>,
    pub(super) commits: u64,
    /// Every slice up to this one is done with.
    pub(super) done: Option<Slice>,
    outbox: VecDeque<Arc<Parcel>>,
    parcels: u64,
    pub(super) ended: bool,
    pub(super) finished: bool,
    pub(super) failed: Option<String>,
    pub(super) counters: Counters,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Work {
    /// Slices up to this one are closed, since this instant.
    Close(Slice, Timestamp),
    /// A `start: arrival` run may start, in virtual pace.
    Arrival(CrewIx, Run),
    /// Nothing can happen any more.
    Finish,
}

/// Why an input was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The stream has ended.
    #[error(
        "stream `{0}` has ended in this journal and takes no more events; begin a new journal, or give them another stream"
    )]
    Ended(StreamId),
    /// A late event met `policy: fail`.
    #[error("stream `{stream}` has failed: {why}")]
    Failed {
        /// The stream.
        stream: StreamId,
        /// Why.
        why: String,
    },
    /// `Limits::open_events`.
    #[error(
        "stream `{stream}` holds {limit} events in open slices (`Limits::open_events`); lower `lateness_ms` or raise the limit"
    )]
    TooManyOpen {
        /// The stream.
        stream: StreamId,
        /// The limit.
        limit: usize,
    },
    /// A control command for a crew that is not in the plan.
    #[error("there is no crew `{crew}`{}", .meant.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    UnknownCrew {
        /// The name given.
        crew: String,
        /// What was probably meant.
        meant: Option<String>,
    },
}

/// A journal that does not say what folding it gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Divergence {
    /// A derived record differs.
    #[error("the journal says {journal:?}, folding it gives {engine:?}")]
    Differs {
        /// What the journal holds.
        journal: Box<Record>,
        /// What the engine derives; `None` is nothing.
        engine: Option<Box<Record>>,
    },
    /// A record that cannot follow on those before it.
    #[error("the journal says {journal:?}, which cannot be here: {why}")]
    Impossible {
        /// What the journal holds.
        journal: Box<Record>,
        /// Why not.
        why: &'static str,
    },
}

impl Engine {
    /// A stream that has seen nothing.
    pub fn new(plan: Arc<Plan>, stream: StreamId) -> Self {
        let inbox = Inbox::new(&plan.settings);
        let digest = inbox.clock.map(|clock| Digest::genesis(&stream, clock));
        let idle = plan.crews.iter().map(|crew| Slot::Idle { needs: crew.spec.needs.len() });
        let idle = idle.collect();
        let state = State {
            stream,
            now: Timestamp::MIN,
            inbox,
            queue: VecDeque::new(),
            turn: None,
            crews: idle,
            agenda: BTreeSet::new(),
            expiry: BTreeSet::new(),
            timers: BTreeSet::new(),
            seen_kinds: vec![VecDeque::new(); plan.needed_kinds.len()],
            context: Context::default(),
            digest,
            commits: 0,
            done: None,
            outbox: VecDeque::new(),
            parcels: 0,
            ended: false,
            finished: false,
            failed: None,
            counters: Counters::default(),
        };
        Self::restore(plan, state)
    }

    /// Goes on from a snapshot.
    pub fn restore(plan: Arc<Plan>, state: State) -> Self {
        Self {
            plan,
            state,
            routes: BTreeMap::new(),
            replaying: false,
            report: Report::default(),
            items_before: 0,
            settled_at: None,
            expected: VecDeque::new(),
            records: Vec::new(),
            records_before: 0,
            commands: VecDeque::new(),
            facts: None,
        }
    }

    /// Goes on with a plan that differs in fingerprints only: crews have new code, nothing else.
    pub fn go_on_with(&mut self, plan: Arc<Plan>) {
        self.plan = plan;
    }

    /// Everything that outlives a crash, as of the records taken so far.
    pub fn snapshot(&self) -> &State {
        &self.state
    }

    /// Takes in one input, and makes every decision that is due at `now`.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Result<(), Rejection> {
        let now = now.max(self.state.now);
        // What was due at this instant was decided by the call before.
        if self.settled_at != Some(now) {
            self.settle(now);
        }
        let taken = self.admit(input).map(|record| {
            if let Some(record) = record {
                self.fold(now, record);
            }
        });
        self.settle(now);
        taken
    }

    /// The records since the last call; they must be durable before a command is carried out.
    pub fn take_records(&mut self) -> Vec<(Timestamp, Record)> {
        std::mem::take(&mut self.records)
    }

    /// The records since the last [`forget_records`](Self::forget_records): as
    /// [`take_records`](Self::take_records), for who only reads them.
    pub fn records(&self) -> &[(Timestamp, Record)] {
        &self.records
    }

    /// Forgets the records, which are durable now.
    pub fn forget_records(&mut self) {
        // There may be thousands of streams: one busy moment must not cost memory for ever. But most
        // take in events in many small steps, and close a slice in one large one.
        let before = self.records_before;
        self.records_before = self.records.len().max(before - before / 8);
        self.records.clear();
        if self.records.capacity() / 4 > self.records_before {
            self.records.shrink_to(2 * self.records_before);
        }
    }

    /// What is to be done next.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When to send [`Input::Tick`] if nothing else happens.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        if self.state.finished {
            return None;
        }
        let timer = self.state.timers.first().map(|(at, _)| *at);
        let slice = self.next_close();
        timer.into_iter().chain(slice).min()
    }

    /// Folds one record of a journal. Derived records are compared with what was derived.
    pub fn replay(&mut self, at: Timestamp, record: Record) -> Result<(), Divergence> {
        (self.replaying, self.settled_at) = (true, None);
        if record.is_derived() {
            return match self.expected.pop_front() {
                Some(expected) if expected == record => Ok(()),
                engine => Err(Divergence::Differs {
                    journal: Box::new(record),
                    engine: engine.map(Box::new),
                }),
            };
        }
        if let Some(expected) = self.expected.pop_front() {
            let (journal, engine) = (Box::new(record), Some(Box::new(expected)));
            return Err(Divergence::Differs { journal, engine });
        }
        if let Some(why) = self.impossible(&record) {
            return Err(Divergence::Impossible { journal: Box::new(record), why });
        }
        self.fold(at, record);
        Ok(())
    }

    /// Ends a replay and goes on live: what a crash cut off is derived again, runs under way start
    /// again, and parcels not known to be published are published again (rule J3).
    pub fn resume(&mut self, now: Timestamp) {
        let now = now.max(self.state.now);
        self.replaying = false;
        self.commands.clear();
        for record in std::mem::take(&mut self.expected) {
            self.records.push((self.state.now, record));
        }
        for parcel in &self.state.outbox {
            self.commands.push_back(Command::Publish(Arc::clone(parcel)));
        }
        if let Some(why) = &self.state.failed {
            self.commands.push_back(Command::Fail(why.clone()));
        }
        if self.state.finished {
            self.commands.push_back(Command::Finished);
            return;
        }
        self.fold(now, Record::Resume);
        self.settle(now);
    }

    /// Makes every decision that is due.
    fn settle(&mut self, now: Timestamp) {
        while let Some(record) = self.decide(now) {
            self.fold(now, record);
        }
        self.settled_at = Some(now);
    }

    /// Writes a record down and lets it take effect.
    pub(super) fn fold(&mut self, now: Timestamp, record: Record) {
        self.state.now = now.max(self.state.now);
        if !self.replaying {
            self.records.push((now, record.clone()));
        }
        self.apply(record);
        self.advance();
    }

    pub(super) fn derive(&mut self, record: Record) {
        if self.replaying {
            self.expected.push_back(record);
        } else {
            self.records.push((self.state.now, record));
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        if !self.replaying {
            self.commands.push_back(command);
        }
    }

    /// Puts things into the outbox, where they stay until they are known to be published.
    pub(super) fn send(&mut self, slice: Slice, items: Vec<Emission>) {
        if items.is_empty() {
            return;
        }
        self.state.parcels += 1;
        let parcel = Arc::new(Parcel { number: self.state.parcels, slice, items });
        self.state.outbox.push_back(Arc::clone(&parcel));
        self.command(Command::Publish(parcel));
    }

    pub(super) fn published(&mut self, through: u64) {
        while self.state.outbox.front().is_some_and(|parcel| parcel.number <= through) {
            self.state.outbox.pop_front();
        }
    }

    /// The crews a kind wakes.
    pub(super) fn route(&mut self, kind: &Kind) -> Arc<[CrewIx]> {
        if let Some(route) = self.routes.get(kind) {
            return Arc::clone(route);
        }
        let route: Arc<[CrewIx]> = self.plan.route(kind).into();
        if self.routes.len() < self.plan.settings.limits.kinds {
            self.routes.insert(kind.clone(), Arc::clone(&route));
        }
        route
    }

    pub(super) fn note(&mut self, fact: impl FnOnce() -> Fact) {
        if let Some(facts) = &mut self.facts {
            facts.push(fact());
        }
    }
}
