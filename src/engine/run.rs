//! One run: one invocation of one crew, from its trigger to its outcome.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Context, Event, Kind, Output, Payload, Slice, Timestamp};

/// The place of a crew in its plan: crews are numbered in the order of rule O2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CrewIx(pub u32);

impl CrewIx {
    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn from_place(place: usize) -> Self {
        Self(u32::try_from(place).expect("`Limits::crews` is far below u32::MAX"))
    }
}

/// A run among the runs of its crew: the slice that triggered it and its place there. It stays the
/// same over attempts and crashes, so ids made from it do too (rule J2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunKey {
    /// The slice whose triggers made the run.
    pub trigger: Slice,
    /// Its place among the crew's runs of that slice.
    pub place: u32,
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.trigger.0, self.place)
    }
}

/// A run among all runs of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId {
    /// Whose run it is.
    pub crew: CrewIx,
    /// Which of its runs.
    pub key: RunKey,
}

/// An event as it was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrived {
    /// The event.
    pub event: Event,
    /// The slice it was meant for, when it came too late for it (rule T5).
    pub intended: Option<Slice>,
    /// Where its source stood behind it.
    pub cursor: u64,
}

/// The trigger events of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Triggers {
    /// None: a needed crew landed (rule C1).
    Landing,
    /// One event (`batch: event`).
    One(Arc<Arrived>),
    /// All of a slice, in O1 order (`batch: slice`).
    Many(Arc<[Arc<Arrived>]>),
}

impl Triggers {
    /// The events in O1 order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Arrived>> {
        match self {
            Self::Landing => [].iter(),
            Self::One(event) => std::slice::from_ref(event).iter(),
            Self::Many(events) => events.iter(),
        }
    }
}

/// A need that was satisfied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// The slice that satisfied it.
    pub slice: Slice,
    /// What the crew needed answered there, or the payload of the first such event there.
    pub output: Payload,
}

/// Everything a crew gets to do one run.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which run.
    pub run: RunId,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The slice it starts in.
    pub slice: Slice,
    /// End of that slice: what time it is for the run (rule T8).
    pub now: Timestamp,
    /// What woke it.
    pub triggers: Triggers,
    /// The context it reads (rule X1).
    pub view: Context,
    /// Its needs in the order declared; `None` is missing.
    pub met: Vec<Option<Met>>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The crew answered.
    Done(Arc<Output>),
    /// It did not.
    Failed(Failure),
}

/// Why an attempt or a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The sort of failure.
    pub reason: Reason,
    /// What happened, where and what would be right.
    pub message: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It landed a success.
    Ok,
    /// The crew raised, or its process died.
    Error,
    /// The attempt took longer than `timeout`.
    Timeout,
    /// Its output cannot be turned into actions (rule A4).
    Output,
    /// It answered with more than a limit allows.
    Limit,
    /// `timing: let` was not ready by its slice.
    Missed,
    /// The context would grow over its cap (rule X3).
    CtxSize,
    /// Another run of the slice wrote the same path (rule X2).
    CtxConflict,
    /// It wrote a path it may not write (rule X4).
    CtxAccess,
    /// A change does not fit what is there, such as adding to a text.
    CtxType,
    /// It waited longer than `expire_after` (rule N5).
    Expired,
    /// The input ended before its needs were satisfied (rule N5).
    Unsatisfied,
    /// Its crew is disabled (rule C8).
    Disabled,
    /// Newer triggers replaced it (rule C5).
    Replaced,
    /// More than `max_backlog` runs waited (rule C5).
    Overflow,
}

impl Reason {
    /// The word for it in journals, errors and `explain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Output => "output",
            Self::Limit => "limit",
            Self::Missed => "missed",
            Self::CtxSize => "ctx_size",
            Self::CtxConflict => "ctx_conflict",
            Self::CtxAccess => "ctx_access",
            Self::CtxType => "ctx_type",
            Self::Expired => "expired",
            Self::Unsatisfied => "unsatisfied",
            Self::Disabled => "disabled",
            Self::Replaced => "replaced",
            Self::Overflow => "overflow",
        }
    }
}

/// An action, complete: something to be done, to be published once by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The same for the same (stream, trigger slice, crew, run, index) for ever (rule J2).
    pub id: ActionId,
    /// End of the slice the run started in, unless the crew said otherwise (rule T8).
    pub ts: Timestamp,
    /// What is to be done.
    pub kind: Kind,
    /// The stream it is for, unless it is the run's own.
    pub stream: Option<super::StreamId>,
    /// Anything JSON can say.
    pub payload: Payload,
    /// How long it is worth doing, if its crew said so.
    pub ttl_ms: Option<u32>,
    /// Inherited from the trigger event.
    pub correlation_id: Option<Arc<str>>,
    /// Inherited from the trigger event.
    pub transaction_id: Option<Arc<str>>,
    /// Inherited from the trigger event.
    pub traceparent: Option<Arc<str>>,
    /// The run that answered with it.
    pub run: RunId,
}

impl Action {
    /// How long it is worth doing.
    pub fn ttl_ms(&self) -> u32 {
        self.ttl_ms.unwrap_or(super::DEFAULT_TTL_MS)
    }
}

/// 16 bytes, written as 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ActionId(pub [u8; 16]);

impl ActionId {
    /// The digits. Every action is written with them, and `fmt` takes a hundred times longer.
    pub fn hex(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 32];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        hex
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).expect("digits are ASCII"))
    }
}
