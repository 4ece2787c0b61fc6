//! Settings of a runtime that no journal depends on.

use std::path::PathBuf;

use super::{Acceptance, Rates, SourceAllowance};
use crate::{
    engine::{Pace, Span},
    store::Retention,
};

/// How a runtime goes about its work.
#[derive(Debug, Clone)]
pub struct Options {
    /// What live streams take in; not checked in virtual pace.
    pub acceptance: Acceptance,
    /// How much live streams take in; not checked in virtual pace.
    pub rates: Rates,
    /// What is left for the source as a whole: runtimes whose options are clones share it.
    pub source_allowance: SourceAllowance,
    /// The file that refused input and commands are noted in.
    pub audit: Option<PathBuf>,
    /// Commits between two snapshots of a stream, at most (rule J5). A journal that grows fast
    /// gets one sooner.
    pub snapshot_every: u64,
    /// What the journal keeps (rule J5). The streams share `max_bytes` out evenly: it bounds the
    /// whole, however many there are, as far as what recovery needs lets it.
    pub retention: Retention,
    /// Deliveries taken at a time.
    pub batch: usize,
    /// Events held by streams that wait for runs, before the source is left alone.
    pub read_ahead: usize,
    /// How long a drain waits for runs under way.
    pub grace: Span,
    /// Whether the sink is told the context after every commit.
    pub tell_context: bool,
    /// Whether the sink is told of late events that are no dead letters (rule T5). Once, when they
    /// are in the journal: a crash in between leaves it to that.
    pub tell_late: bool,
    /// How often the sink is told that each stream is alive.
    pub heartbeat: Option<Span>,
    /// What names the source, if a journal may be given another one: a source goes on where its
    /// own events were taken to, not where those of another were.
    pub source: Option<String>,
    /// The version of crewai in this process, for the header (rule J6).
    pub crewai: Option<String>,
}

impl Options {
    /// The defaults of a pace.
    pub fn new(pace: Pace) -> Self {
        Self {
            acceptance: match pace {
                Pace::Virtual => Acceptance::anything(),
                Pace::Realtime => Acceptance::default(),
            },
            rates: Rates::default(),
            source_allowance: SourceAllowance::default(),
            audit: None,
            snapshot_every: 1_000,
            retention: Retention { max_age: None, max_bytes: None },
            batch: 1_024,
            read_ahead: 10_000,
            grace: Span::from_secs(30),
            tell_context: false,
            tell_late: false,
            heartbeat: None,
            source: None,
            crewai: None,
        }
    }
}
