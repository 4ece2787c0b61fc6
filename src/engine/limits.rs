//! Every bound of live-crew in one value. Nothing is unbounded, and a refusal names the field here.

use serde::{Deserialize, Serialize};

/// The bounds; each refusal names the one that was hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one event as it arrives, all fields included.
    pub event_bytes: usize,
    /// Bytes of one canonical payload.
    pub payload_bytes: usize,
    /// How deep JSON may nest.
    pub json_depth: usize,
    /// Bytes of a producer's id, a correlation id and the like.
    pub id_bytes: usize,
    /// Events of one stream that wait in slices not yet closed.
    pub open_events: usize,
    /// Producer ids of one stream that are remembered for de-duplication.
    pub dedupe_ids: usize,
    /// Streams of one process.
    pub streams: usize,
    /// Actions one run may answer with.
    pub actions_per_run: usize,
    /// Changes one run may make to the context.
    pub ops_per_run: usize,
    /// How far a need may look back or ahead, in slices.
    pub need_offset: i64,
    /// Attempts of one run, the first included.
    pub attempts: u32,
    /// Crews in a plan.
    pub crews: usize,
    /// Distinct kinds whose routes and late counts are remembered.
    pub kinds: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_bytes: 2 << 20,
            payload_bytes: 1 << 20,
            json_depth: 128,
            id_bytes: 200,
            open_events: 1_000_000,
            dedupe_ids: 1_000_000,
            streams: 100_000,
            actions_per_run: 1_000,
            ops_per_run: 10_000,
            need_offset: 10_000,
            attempts: 100,
            crews: 10_000,
            kinds: 10_000,
        }
    }
}
