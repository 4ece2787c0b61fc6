//! What a user declares about crews and streams. Unchecked: [`Plan::check`](super::Plan) does that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Beat, CrewName, EpochPolicy, Kind, Limits, Pace, Pattern, Span};

/// One crew: what wakes it, what it waits for, how it is bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrewSpec {
    /// Its name, unique in the plan.
    pub name: CrewName,
    /// Kinds of events that wake it (rule C1).
    pub triggers: Vec<Pattern>,
    /// What a run waits for (rule N1).
    pub needs: Vec<Need>,
    /// How many of the needs it waits for (rule N4).
    pub wait: WaitPolicy,
    /// One run for each trigger event, or one for all of a slice (rule C2).
    pub batch: Batch,
    /// Start when the slice closes, or when the trigger arrives (rule C10).
    pub start: StartAt,
    /// In which slice its output lands (§7).
    pub timing: Timing,
    /// Runs at a time in one stream (rule C3).
    pub concurrency: u32,
    /// Runs only on slices that divide by this (rule C4).
    pub stride: u32,
    /// What happens to triggers that pile up (rule C5).
    pub backlog: Backlog,
    /// How many runs of earlier slices may wait (rule C5).
    pub max_backlog: usize,
    /// Hard limit of one attempt (rule C6).
    pub timeout: Option<Span>,
    /// How often a failed run is tried again (rule C7).
    pub retry: Retry,
    /// Failed runs in a row that disable the crew (rule C8).
    pub max_errors: u32,
    /// Slices after which a disabled crew gets one more try; `None` waits for a person (rule C8).
    pub cooldown: Option<u32>,
    /// Smaller runs first within a level (rule O2).
    pub priority: i32,
    /// Slices after which a run that has not started ends as expired (rule N5).
    pub expire_after: u32,
    /// Hash of the crew's code or YAML, prompts and model id (rule J6).
    pub fingerprint: String,
}

impl CrewSpec {
    /// A crew with every default; it still lacks triggers.
    pub fn new(name: CrewName) -> Self {
        Self {
            name,
            triggers: Vec::new(),
            needs: Vec::new(),
            wait: WaitPolicy::All,
            batch: Batch::Event,
            start: StartAt::Close,
            timing: Timing::Async,
            concurrency: 1,
            stride: 1,
            backlog: Backlog::Fifo,
            max_backlog: 1_000,
            timeout: None,
            retry: Retry::default(),
            max_errors: 3,
            cooldown: None,
            priority: 0,
            expire_after: 600,
            fingerprint: String::new(),
        }
    }
}

/// Something a run waits for, at a distance in slices from its trigger (rule N1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// A crew that landed a success.
    Crew {
        /// The crew needed.
        crew: CrewName,
        /// Slices from the trigger, usually -1 or 0.
        offset: i64,
    },
    /// An event of a kind.
    Event {
        /// The kind needed.
        kind: Kind,
        /// Slices from the trigger, usually 0.
        offset: i64,
    },
}

impl Need {
    /// Slices from the trigger.
    pub fn offset(&self) -> i64 {
        match self {
            Self::Crew { offset, .. } | Self::Event { offset, .. } => *offset,
        }
    }

    /// The crew or the kind needed.
    pub fn name(&self) -> &str {
        match self {
            Self::Crew { crew, .. } => crew.as_str(),
            Self::Event { kind, .. } => kind.as_str(),
        }
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Crew { crew, offset } => write!(f, "{crew}@{offset}"),
            Self::Event { kind, offset } => write!(f, "event {kind}@{offset}"),
        }
    }
}

/// How many of its needs a run waits for (rule N4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitPolicy {
    /// Every need.
    All,
    /// One, and sees all that are satisfied when its level comes.
    Any,
    /// None: it runs with what there is.
    None,
    /// Every need, or what there is once this long has passed since its slice closed.
    Timeout(Span),
}

/// How trigger events become runs (rule C2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Batch {
    /// One run for each trigger event.
    Event,
    /// One run with all trigger events of the slice.
    Slice,
}

/// When a run may start (rule C10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartAt {
    /// When its slice closes.
    Close,
    /// When its trigger arrives.
    Arrival,
}

/// In which slice an output lands (§7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// The slice that is open when it arrives; in virtual pace the slice it started in.
    Async,
    /// Exactly this many slices after the one it started in.
    Let {
        /// Slices from start to landing, 1 or more.
        slices: u32,
        /// What happens when it is not ready by then.
        on_miss: OnMiss,
    },
    /// The slice it started in, whose commit waits for it.
    Sync,
}

/// What a missed logical deadline means (§7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMiss {
    /// The run fails.
    Fail,
    /// It lands when it arrives.
    Late,
}

/// What happens to triggers that pile up (rule C5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backlog {
    /// They wait in order.
    Fifo,
    /// The triggers of the newest slice replace those that wait.
    Latest,
}

/// How often a failed run is tried again (rule C7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// Pause before the second attempt; it doubles with every further one, up to five minutes.
    pub backoff: Span,
}

impl Retry {
    const LONGEST: Span = Span::from_secs(300);

    /// The pause after the `attempt`-th attempt failed.
    pub fn pause_after(self, attempt: u32) -> Span {
        let doubled = self.backoff.times(1 << attempt.saturating_sub(1).min(20));
        doubled.min(Self::LONGEST.max(self.backoff))
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 1, backoff: Span::ZERO }
    }
}

/// What happens to an event whose slice is closed already (rule T5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatePolicy {
    /// It is delivered in the oldest open slice, marked with the slice it was meant for.
    #[default]
    Next,
    /// It is counted and forgotten.
    Drop,
    /// It goes to the dead-letter sink.
    DeadLetter,
    /// The stream stops with an error.
    Fail,
}

/// What two writers of one context path in one slice mean (rule X2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflicts {
    /// The last in order wins, and the conflict is recorded.
    #[default]
    LastWins,
    /// The later run fails.
    Error,
}

/// Which context paths a crew may see and change (rule X4).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Path globs it sees; absent means all.
    pub read: Option<Vec<String>>,
    /// Path globs it may write; absent means all.
    pub write: Option<Vec<String>>,
}

/// The shared context of a stream (§8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContextSettings {
    /// Canonical bytes the whole context may have (rule X3).
    pub max_bytes: usize,
    /// What two writers of one path mean (rule X2).
    pub conflicts: Conflicts,
    /// Who may see and change what (rule X4).
    pub access: BTreeMap<CrewName, Access>,
}

impl Default for ContextSettings {
    fn default() -> Self {
        Self { max_bytes: 4_096, conflicts: Conflicts::default(), access: BTreeMap::new() }
    }
}

/// Path globs whose values are replaced before they take effect, so that live and replay see the
/// same bytes (rule J7).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redact {
    /// Paths in the payloads of events and actions.
    pub payload: Vec<String>,
    /// Paths in the context.
    pub context: Vec<String>,
}

/// What holds for every stream of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSettings {
    /// Length of a slice.
    pub beat: Beat,
    /// What moves logical time.
    pub pace: Pace,
    /// How long a slice stays open for stragglers after its end (rule T4).
    pub lateness: Span,
    /// How `epoch0` is chosen.
    pub epoch: EpochPolicy,
    /// What happens to late events of kinds without a policy of their own.
    pub late: LatePolicy,
    /// Late policy by kind.
    pub late_by_kind: BTreeMap<Kind, LatePolicy>,
    /// How long a producer's id is remembered, in event time (rule O4).
    pub dedupe_window: Span,
    /// The shared context.
    pub context: ContextSettings,
    /// What must never be written down (rule J7).
    pub redact: Redact,
    /// The kinds there are; absent means any (rule N6).
    pub kinds: Option<Vec<Kind>>,
    /// Every bound.
    pub limits: Limits,
}

impl StreamSettings {
    /// The defaults of a pace, with a beat of 500 ms.
    pub fn new(pace: Pace) -> Self {
        Self {
            beat: Beat::from_ms(500).expect("500 is within 1 to 10 000"),
            pace,
            lateness: match pace {
                Pace::Virtual => Span::from_ms(5_000),
                Pace::Realtime => Span::from_ms(50),
            },
            epoch: EpochPolicy::default(),
            late: LatePolicy::default(),
            late_by_kind: BTreeMap::new(),
            dedupe_window: Span::from_secs(120),
            context: ContextSettings::default(),
            redact: Redact::default(),
            kinds: None,
            limits: Limits::default(),
        }
    }
}
