//! The whole conversation with the engine: inputs, records, commands.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Action, Arrived, CrewName, Digest, Event, Failure, Job, LatePolicy, Outcome, Payload, RunId,
    Slice, Timestamp,
};

/// What the world tells the engine.
#[derive(Debug, Clone)]
pub enum Input {
    /// An event arrived; `cursor` is where its source stands behind it.
    Event {
        /// The event.
        event: Event,
        /// Where to go on after a crash.
        cursor: u64,
    },
    /// A run came back.
    Result {
        /// Which run.
        run: RunId,
        /// Which attempt of it.
        attempt: u32,
        /// What came of it.
        outcome: Outcome,
    },
    /// What was seen of an attempt while it ran. It is kept for readers and decides nothing.
    Notes {
        /// Which run.
        run: RunId,
        /// Which attempt of it.
        attempt: u32,
        /// A JSON list.
        notes: Payload,
    },
    /// Parcels up to this number are published.
    Published(u64),
    /// A person or the CLI wants something.
    Control(Control),
    /// Only time has passed.
    Tick,
    /// No event will come any more.
    End,
}

/// What a person may ask of a running stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// The crew runs again (rule C8).
    Enable(CrewName),
    /// The crew stops at the next slice boundary (rule C8).
    Disable(CrewName),
}

/// What the journal holds, in order. Folding the records of a journal rebuilds the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// An event was taken in, in time.
    Event(Arc<Arrived>),
    /// An event was taken in too late for its slice (rule T5).
    Late(Arc<Arrived>, LatePolicy),
    /// An event with this producer id is known already (rule O4).
    Duplicate {
        /// The producer's id.
        id: Arc<str>,
        /// Where its source stood behind it.
        cursor: u64,
    },
    /// `epoch0` is fixed (rule T1).
    Epoch(Timestamp),
    /// Every slice up to this one is closed (rule T4).
    Close(Slice),
    /// A run came back in time.
    Result {
        /// Which run.
        run: RunId,
        /// Which attempt of it.
        attempt: u32,
        /// What came of it.
        outcome: Outcome,
    },
    /// A run came back after its time, or twice (rule C6).
    Stale {
        /// Which run.
        run: RunId,
        /// Which attempt of it.
        attempt: u32,
    },
    /// A timer fired.
    Timer(Timer),
    /// A person or the CLI wanted something.
    Control(Control),
    /// Parcels up to this number are published.
    Published(u64),
    /// No event will come any more.
    End,
    /// Nothing can happen any more: waiting runs end as unsatisfied (rule N5).
    Finish,
    /// The process restarted here: runs under way began again (rule J3).
    Resume,
    /// Derived: a run starts.
    Start {
        /// Which run.
        run: RunId,
        /// Which attempt of it.
        attempt: u32,
        /// The slice it starts in.
        slice: Slice,
        /// For each need, the slice that satisfied it (rule N6).
        met: Vec<Option<Slice>>,
    },
    /// Derived: a slice is committed (rules J2, J4).
    Commit {
        /// Which slice.
        slice: Slice,
        /// The digest of everything up to it.
        digest: Digest,
    },
    /// What was seen of an attempt while it ran; in no digest.
    Notes {
        /// Which run.
        run: RunId,
        /// Which attempt of it.
        attempt: u32,
        /// A JSON list.
        notes: Payload,
    },
}

impl Record {
    /// Derived records follow from those before them; replay checks them instead of taking them.
    pub fn is_derived(&self) -> bool {
        matches!(self, Self::Start { .. } | Self::Commit { .. })
    }
}

/// What the engine waits for on the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// The attempt of a run is out of time (rule C6).
    Deadline(RunId, u32),
    /// A failed run may start again (rule C7).
    Retry(RunId),
    /// A run with `wait_policy: timeout` has waited long enough (rule N4).
    Wait(RunId),
}

/// What the engine wants done, once the records before it are durable.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "most are jobs: a box for each would cost more")]
pub enum Command {
    /// Run a crew.
    Start(Job),
    /// Stop working on an attempt; what it still answers is stale.
    Cancel {
        /// Which run.
        run: RunId,
        /// Which attempt of it.
        attempt: u32,
    },
    /// Publish a parcel, then tell with [`Input::Published`].
    Publish(Arc<Parcel>),
    /// A slice is committed.
    Committed {
        /// Which slice.
        slice: Slice,
        /// The digest of everything up to it.
        digest: Digest,
    },
    /// A late event met `policy: fail` (rule T5): the stream is to be stopped.
    Fail(String),
    /// Everything is done.
    Finished,
}

/// Things that leave the stream together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// Parcels are numbered from 1 within a stream.
    pub number: u64,
    /// The slice that made them.
    pub slice: Slice,
    /// What leaves.
    pub items: Vec<Emission>,
}

/// One thing that leaves the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Emission {
    /// Something to be done.
    Action(Action),
    /// Something went wrong: the `__error` sink.
    Error(ErrorEvent),
    /// A late event, and what became of it.
    Late(Arc<Arrived>, LatePolicy),
}

/// What the `__error` sink gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorEvent {
    /// The crew it is about.
    pub crew: CrewName,
    /// The run it is about.
    pub run: Option<super::RunKey>,
    /// The slice it was recorded in.
    pub slice: Slice,
    /// What is wrong.
    pub what: Trouble,
    /// The needs that were missing, as declared.
    pub missing: Vec<String>,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// A run ended without success.
    Run(Failure),
    /// Too many failed runs in a row: the crew stops here (rule C8).
    CrewDisabled {
        /// How many.
        failures: u32,
    },
    /// Two runs wrote one path in one slice; this one won (rule X2).
    Conflict {
        /// The path, dotted.
        path: String,
        /// Who wrote it first.
        first: String,
        /// Who wrote it last.
        last: String,
    },
}
