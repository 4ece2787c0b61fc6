//! The lives of runs, put together from what a journal says while it is folded.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::engine::{CrewIx, Engine, Fact, Payload, Planned, RunId};

/// The life of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Story {
    /// The run: trigger slice and place.
    pub run: String,
    /// The slice it was made in.
    pub queued: Option<i64>,
    /// Each need as declared, with the slice that satisfied it.
    pub needs: Vec<(String, Option<i64>)>,
    /// The slice it started in.
    pub started: Option<i64>,
    /// Attempts so far.
    pub attempts: u32,
    /// What failed attempts said.
    pub failures: Vec<String>,
    /// The slice it ended in.
    pub ended: Option<i64>,
    /// `ok`, or why it ended otherwise; `None` while it waits or runs.
    pub outcome: Option<&'static str>,
    /// What is said about the end.
    pub message: Option<String>,
    /// What was seen of each attempt while it ran: its number and a JSON list.
    #[serde(skip)]
    pub notes: Vec<(u32, Payload)>,
}

/// The stories of runs, as far as they are told: of one crew, or of all.
#[derive(Debug, Default)]
pub(super) struct Stories {
    pub of: Option<CrewIx>,
    pub told: BTreeMap<RunId, Story>,
}

impl Stories {
    /// Takes what a fact says of a run.
    pub fn take(&mut self, engine: &Engine, fact: &Fact) {
        let run = match fact {
            Fact::Queued { run, .. }
            | Fact::Met { run, .. }
            | Fact::Started { run, .. }
            | Fact::AttemptFailed { run, .. }
            | Fact::Landed { run, .. }
            | Fact::Noted { run, .. }
            | Fact::Ended { run, .. } => *run,
            Fact::Stale { .. }
            | Fact::Given { .. }
            | Fact::Disabled { .. }
            | Fact::Accumulated { .. }
            | Fact::Committed { .. } => return,
        };
        if self.of.is_none_or(|crew| crew == run.crew) {
            let crew = engine.plan().crew(run.crew);
            self.told.entry(run).or_insert_with(|| Story::new(crew, run)).take(fact);
        }
    }
}

impl Story {
    fn new(crew: &Planned, run: RunId) -> Self {
        Self {
            run: run.key.to_string(),
            needs: crew.spec.needs.iter().map(|need| (need.to_string(), None)).collect(),
            ..Self::default()
        }
    }

    fn take(&mut self, fact: &Fact) {
        match fact {
            Fact::Queued { slice, .. } => self.queued = Some(slice.0),
            Fact::Met { need, slice, .. } => self.needs[*need].1 = Some(slice.0),
            Fact::Started { attempt, slice, met, .. } => {
                self.started = Some(slice.0);
                self.attempts = *attempt;
                for (need, met) in self.needs.iter_mut().zip(met) {
                    need.1 = met.map(|met| met.0);
                }
            }
            Fact::AttemptFailed { failure, .. } => {
                self.failures.push(format!("{}: {}", failure.reason.as_str(), failure.message));
            }
            Fact::Landed { slice, .. } => {
                (self.ended, self.outcome) = (Some(slice.0), Some("ok"));
            }
            Fact::Ended { slice, reason, message, .. } => {
                (self.ended, self.outcome) = (Some(slice.0), Some(reason.as_str()));
                self.message.clone_from(message);
            }
            Fact::Noted { attempt, notes, .. } => self.notes.push((*attempt, notes.clone())),
            _ => {}
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}:", self.run)?;
        match (self.started, self.outcome) {
            (Some(started), _) => write!(f, " started in slice {started}")?,
            (None, None) => f.write_str(" waits")?,
            (None, Some(_)) => f.write_str(" never started")?,
        }
        for (need, met) in &self.needs {
            match met {
                Some(met) => write!(f, ", {need} met by slice {met}")?,
                None => write!(f, ", {need} missing")?,
            }
        }
        if self.attempts > 1 {
            write!(f, ", {} attempts", self.attempts)?;
        }
        match (self.ended, self.outcome) {
            (Some(ended), Some("ok")) => write!(f, ", landed in slice {ended}")?,
            (Some(ended), Some(outcome)) => write!(f, ", ended as {outcome} in slice {ended}")?,
            _ if self.started.is_some() => f.write_str(", still running")?,
            _ => {}
        }
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}
