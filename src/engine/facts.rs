//! What an observed engine tells beside its commands: the raw material of `explain`, `blame`,
//! `context at slice k` and `diff`.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Context, CrewIx, Diff, Digest, Failure, Job, Kind, LatePolicy, Payload, Reason, RunId, Slice,
};

/// One thing that became true.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the words of the sentence above each variant")]
pub enum Fact {
    /// A run was made in a slice.
    Queued { run: RunId, slice: Slice },
    /// A need of a waiting run was satisfied by a slice.
    Met { run: RunId, need: usize, slice: Slice },
    /// An attempt began in a slice; for each need, the slice that satisfied it.
    Started { run: RunId, attempt: u32, slice: Slice, met: Vec<Option<Slice>> },
    /// An attempt failed and will be followed by another.
    AttemptFailed { run: RunId, attempt: u32, failure: Failure },
    /// A run landed a success with these changes.
    Landed { run: RunId, slice: Slice, diff: Arc<Diff>, value: Payload },
    /// A run ended without success.
    Ended {
        run: RunId,
        slice: Slice,
        reason: Reason,
        message: Option<String>,
        missing: Vec<String>,
    },
    /// What an attempt was given, to run it again.
    Given { job: Box<Job> },
    /// What was seen of an attempt while it ran: a JSON list.
    Noted { run: RunId, attempt: u32, notes: Payload },
    /// An answer came after its time.
    Stale { run: RunId, attempt: u32 },
    /// A crew stops at a slice, for a while or for good.
    Disabled { crew: CrewIx, from: Slice, until: Option<Slice> },
    /// Trigger events of a crew wait for a slice it runs in (rule C4).
    Accumulated { crew: CrewIx, slice: Slice, until: Slice },
    /// A slice was committed; the report is the canonical text its digest is made of.
    Committed { slice: Slice, digest: Digest, report: String, context: Context },
}

/// What a stream counted since its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Events taken in, in time.
    pub events: u64,
    /// Events whose producer id was known (rule O4).
    pub duplicates: u64,
    /// Late events by kind and policy (rule T5).
    pub late: BTreeMap<(Kind, LatePolicy), u64>,
    /// Late events of kinds beyond `Limits::kinds`.
    pub late_other: u64,
    /// Runs that started.
    pub started: u64,
    /// Runs that landed a success.
    pub landed: u64,
    /// Runs that landed a failure.
    pub failed: u64,
    /// Runs that ended without running.
    pub ended: u64,
    /// Answers after their time (rule C6).
    pub stale: u64,
    /// Context paths two runs of one slice wrote (rule X2).
    pub conflicts: u64,
}

impl Counters {
    /// Adds what another stream counted.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.duplicates += other.duplicates;
        for (key, count) in &other.late {
            *self.late.entry(key.clone()).or_default() += count;
        }
        self.late_other += other.late_other;
        self.started += other.started;
        self.landed += other.landed;
        self.failed += other.failed;
        self.ended += other.ended;
        self.stale += other.stale;
        self.conflicts += other.conflicts;
    }

    pub(super) fn late(&mut self, kind: &Kind, policy: LatePolicy, kinds: usize) {
        let full = self.late.len() >= kinds;
        match self.late.get_mut(&(kind.clone(), policy)) {
            Some(count) => *count += 1,
            None if full => self.late_other += 1,
            None => {
                self.late.insert((kind.clone(), policy), 1);
            }
        }
    }
}
