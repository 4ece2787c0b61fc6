//! What one stream knows of one crew: its runs in each stage of life, its landings, its health.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::{Deref, DerefMut},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

use super::{
    Arrived, Context, CrewIx, CrewSpec, Diff, Met, Outcome, Pace, Reason, RunKey, Slice, StartAt,
    Timestamp, Timing, Triggers, action::IdKey,
};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct CrewState {
    /// Trigger events that no run has yet (rule C4).
    pub pending: Vec<Arc<Arrived>>,
    /// Runs whose needs are met, waiting for their turn or for a free place.
    pub ready: VecDeque<Run>,
    /// Runs whose needs are not met.
    pub waiting: BTreeMap<RunKey, Run>,
    /// For each need, the waiting runs that lack it.
    pub lacking: Vec<BTreeSet<RunKey>>,
    /// When waiting runs are to be looked at.
    pub looks: BTreeSet<(Slice, RunKey)>,
    pub running: Vec<Running>,
    /// Came back, and will land.
    pub finished: Vec<Finished>,
    /// Ended without running, to be reported at the crew's next turn.
    pub ended: Vec<(RunKey, Reason)>,
    /// Slices in which the crew landed a success, with what it answered last (rule N2).
    pub landings: VecDeque<(Slice, super::Payload)>,
    /// Places given to runs that no slice's triggers number.
    pub places: BTreeMap<Slice, u32>,
    pub health: Health,
    #[serde(skip)]
    pub view: Option<CachedView>,
    /// What its action ids are made with, once it has made one.
    #[serde(skip)]
    pub id_key: Option<IdKey>,
}

/// The state of a crew in one stream. Most crews of most streams have done nothing yet, and
/// thousands of streams with thousands of crews must not cost gigabytes for that.
#[derive(Debug, Clone)]
pub(super) enum Slot {
    /// Nothing of it is known but how many needs it has.
    Idle { needs: usize },
    /// It was visited.
    Known(Box<CrewState>),
}

impl Deref for Slot {
    type Target = CrewState;

    fn deref(&self) -> &CrewState {
        match self {
            Self::Idle { .. } => &NOTHING,
            Self::Known(state) => state,
        }
    }
}

impl DerefMut for Slot {
    fn deref_mut(&mut self) -> &mut CrewState {
        if let Self::Idle { needs } = *self {
            *self = Self::Known(Box::new(CrewState::new(needs)));
        }
        match self {
            Self::Known(state) => state,
            Self::Idle { .. } => unreachable!("it was just filled"),
        }
    }
}

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Idle { needs } => CrewState::new(*needs).serialize(serializer),
            Self::Known(state) => state.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = CrewState::deserialize(deserializer)?;
        Ok(if state.is_new() {
            Self::Idle { needs: state.lacking.len() }
        } else {
            Self::Known(Box::new(state))
        })
    }
}

/// What an idle crew reads as.
static NOTHING: CrewState = CrewState {
    pending: Vec::new(),
    ready: VecDeque::new(),
    waiting: BTreeMap::new(),
    lacking: Vec::new(),
    looks: BTreeSet::new(),
    running: Vec::new(),
    finished: Vec::new(),
    ended: Vec::new(),
    landings: VecDeque::new(),
    places: BTreeMap::new(),
    health: Health { failures: 0, disabled: None },
    view: None,
    id_key: None,
};

/// A run that has not started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Run {
    pub key: RunKey,
    pub triggers: Triggers,
    /// The first slice it may start in: that of its triggers, or the one that sees the landing
    /// that made it.
    pub from: Slice,
    /// Its needs in the order declared.
    pub met: Vec<Option<Met>>,
    /// `start: arrival` reads the snapshot of the moment it was triggered.
    pub base: Option<Box<Base>>,
}

/// A context and the number of commits that made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Base {
    pub commits: u64,
    pub context: Context,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Running {
    pub run: Run,
    pub attempt: u32,
    /// The slice it started in.
    pub slice: Slice,
    /// The slice it must land in; `None` is the slice that is open when it comes back.
    pub land_at: Option<Slice>,
    pub view: Context,
    pub phase: Phase,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Phase {
    /// The crew works on it.
    InFlight { deadline: Option<Timestamp> },
    /// It failed and waits for its next attempt.
    Paused,
    /// It came back; `timing: let` holds it until its slice.
    Held(Outcome),
}

/// A run that came back for good.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Finished {
    pub key: RunKey,
    pub land: Slice,
    pub outcome: Outcome,
    /// Its changes, spelled out against what it read; `None` if it made none.
    pub diff: Option<Arc<Diff>>,
    /// The crews whose changes of the same slice it read.
    pub saw: SmallVec<[CrewIx; 2]>,
    pub triggers: Triggers,
    /// End of the slice it started in.
    pub now: Timestamp,
    pub missing: Vec<usize>,
}

/// The view of the last run that started, so that the next one need not build it again.
#[derive(Debug, Clone)]
pub(super) struct CachedView {
    pub slice: Slice,
    pub commits: u64,
    pub saw: SmallVec<[CrewIx; 2]>,
    pub context: Context,
    /// How many of `finished` are in it.
    pub applied: usize,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Health {
    /// Failed runs in a row.
    pub failures: u32,
    pub disabled: Option<Disabled>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Disabled {
    /// First slice in which it does not run.
    pub from: Slice,
    /// First slice in which it may try again.
    pub until: Option<Slice>,
}

impl Health {
    /// Whether the crew does not run in a slice (rule C8).
    pub fn is_disabled(&self, slice: Slice) -> bool {
        self.disabled.is_some_and(|disabled| disabled.from <= slice && !disabled.is_over(slice))
    }
}

impl CrewState {
    fn new(needs: usize) -> Self {
        Self { lacking: vec![BTreeSet::new(); needs], ..Self::default() }
    }

    fn is_new(&self) -> bool {
        let unasked = self.pending.is_empty() && self.ended.is_empty() && self.looks.is_empty();
        let runs = self.waiting_runs() + self.running.len() + self.finished.len();
        let known = self.landings.len() + self.places.len();
        let healthy = self.health.failures == 0 && self.health.disabled.is_none();
        unasked && runs + known == 0 && healthy && self.lacking.iter().all(BTreeSet::is_empty)
    }

    pub fn has_place(&self, spec: &CrewSpec) -> bool {
        self.running.len() < spec.concurrency as usize
    }

    /// Whether the commit of `slice` must wait for this crew.
    pub fn is_due(&self, spec: &CrewSpec, pace: Pace, slice: Slice) -> bool {
        if !in_step(spec, pace) {
            return false;
        }
        let queued = match (spec.timing, spec.start) {
            // A `let` run keeps its place until it lands, so those behind it wait for a later slice.
            (Timing::Let { .. }, _) => false,
            (_, StartAt::Close) => !self.ready.is_empty(),
            (_, StartAt::Arrival) => self.ready.iter().any(|run| run.key.trigger <= slice),
        };
        queued || self.running.iter().any(|running| running.land_at.is_some_and(|at| at <= slice))
    }

    /// Whether a turn in `slice` finds anything to do, or anything will be to do later. A look at a
    /// run that has ended by then is nothing.
    pub fn has_work_in(&self, spec: &CrewSpec, slice: Slice) -> bool {
        let is_live = |(at, key): &(Slice, RunKey)| {
            *at <= slice && *at <= spec.expires(*key) && self.waiting.contains_key(key)
        };
        let is_disabled = |disabled: &Disabled| !disabled.is_over(slice);
        let to_purge =
            self.health.disabled.as_ref().is_some_and(is_disabled) && !self.waiting.is_empty();
        let can_start = |run: &Run| slice <= spec.expires(run.key);
        let idle = self.pending.is_empty()
            && !self.ready.iter().any(can_start)
            && self.running.is_empty()
            && self.finished.is_empty()
            && self.ended.is_empty();
        !idle || to_purge || self.looks.iter().any(is_live)
    }

    /// Runs that wait, for needs or for a place.
    pub fn waiting_runs(&self) -> usize {
        self.ready.len() + self.waiting.len()
    }

    /// Takes a run out of those that wait for needs.
    pub fn stop_waiting(&mut self, key: RunKey) -> Option<Run> {
        let run = self.waiting.remove(&key)?;
        self.lacking.iter_mut().for_each(|lacking| {
            lacking.remove(&key);
        });
        Some(run)
    }

    /// Puts a run among the ready ones, in run order.
    pub fn make_ready(&mut self, run: Run) {
        let at = self.ready.partition_point(|ready| ready.key < run.key);
        self.ready.insert(at, run);
    }

    /// The next free place among the runs of a slice; forgets slices before the oldest that can
    /// still get runs.
    pub fn next_place(&mut self, slice: Slice, oldest: Slice) -> u32 {
        if !self.places.contains_key(&slice) {
            self.places = self.places.split_off(&oldest);
        }
        let place = self.places.entry(slice).or_default();
        *place += 1;
        *place - 1
    }

    /// Remembers a success for as long as a need can reach it.
    pub fn add_landing(&mut self, slice: Slice, answer: &super::Payload, horizon: i64) {
        self.landings.push_back((slice, answer.clone()));
        let oldest = slice.shift(-horizon);
        while self.landings.front().is_some_and(|(landed, _)| *landed < oldest) {
            self.landings.pop_front();
        }
    }

    /// The first success at or after a slice.
    pub fn landing_since(&self, slice: Slice) -> Option<&(Slice, super::Payload)> {
        self.landings.get(self.landings.partition_point(|(landed, _)| *landed < slice))
    }
}

impl CrewSpec {
    /// The slice at whose commit a run that has not started ends (rule N5).
    pub(super) fn expires(&self, run: RunKey) -> Slice {
        run.trigger.shift(i64::from(self.expire_after) + 1)
    }
}

/// Whether the slice a run of this crew starts in waits for it (§7).
pub(super) fn in_step(spec: &CrewSpec, pace: Pace) -> bool {
    pace == Pace::Virtual || spec.timing == Timing::Sync
}

impl Run {
    /// The needs that are not met, by their place in the declaration.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.met.len()).filter(|&need| self.met[need].is_none()).collect()
    }
}
