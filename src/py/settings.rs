//! How long, how much and how often, as Python says it.

use std::path::PathBuf;

use pyo3::prelude::*;

use crate::{
    engine::{Pace, Span},
    runtime::{Acceptance, Options, Rate, Rates},
    store::Retention,
};

/// Events taken at a time: few enough for the loop to breathe, enough to write many at once.
const BATCH: usize = 256;

/// What a session is told beside its plan.
#[derive(Debug, Default, FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Settings {
    grace_s: Option<u32>,
    snapshot_every: Option<u64>,
    max_age_s: Option<u32>,
    max_bytes: Option<u64>,
    heartbeat_s: Option<u32>,
    past_s: Option<u32>,
    future_s: Option<u32>,
    any_ts: bool,
    /// Of each stream and of the source: events in a second, at once, bytes in a second.
    rates: [(Option<u32>, Option<u32>, Option<u32>); 2],
    audit: Option<PathBuf>,
    crewai: Option<String>,
}

impl Settings {
    pub(super) fn options(self, pace: Pace) -> Options {
        let mut options = Options::new(pace);
        options.batch = BATCH;
        options.crewai = self.crewai;
        options.audit = self.audit;
        let rate = |(events_per_s, burst, bytes_per_s)| Rate { events_per_s, burst, bytes_per_s };
        let [stream, source] = self.rates.map(rate);
        options.rates = Rates { stream, source };
        options.retention =
            Retention { max_age: self.max_age_s.map(Span::from_secs), max_bytes: self.max_bytes };
        options.heartbeat = self.heartbeat_s.map(Span::from_secs);
        options.snapshot_every = self.snapshot_every.unwrap_or(options.snapshot_every);
        options.grace = self.grace_s.map_or(options.grace, Span::from_secs);
        let acceptance = &mut options.acceptance;
        if self.any_ts {
            *acceptance = Acceptance::anything();
        } else {
            acceptance.past = self.past_s.map(Span::from_secs).or(acceptance.past);
            acceptance.future = self.future_s.map(Span::from_secs).or(acceptance.future);
        }
        options
    }
}
