//! What a crew answers with, before the engine completes it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Diff, Kind, Payload, StreamId, Timestamp};

/// An action as a crew gives it; what it leaves out the engine fills in (rule A1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// What is to be done.
    pub kind: Kind,
    /// Anything JSON can say.
    pub payload: Payload,
    /// How long it is worth doing, 1 to 300 000.
    pub ttl_ms: Option<u32>,
    /// The stream it is for.
    pub stream: Option<StreamId>,
    /// When it is for.
    pub ts: Option<Timestamp>,
    /// Groups what belongs to one request.
    pub correlation_id: Option<Arc<str>>,
    /// Groups what belongs to one transaction.
    pub transaction_id: Option<Arc<str>>,
}

/// Everything a run answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// What is to be done.
    pub actions: Vec<Draft>,
    /// What changes in the context.
    pub diff: Diff,
    /// What crews that need this one see as its output.
    pub value: Payload,
}
