//! From a crew's drafts to actions: defaults, inherited identities, ids (rules A1, J2, T8).

use std::sync::Arc;

use super::{
    Action, ActionId, CrewName, Draft, Ids, RunId, StreamId, Timestamp, Triggers,
};

/// `ttl_ms` of an action that does not say.
pub const DEFAULT_TTL_MS: u32 = 5_000;

/// Completes the drafts of one run. Identities come from its first trigger event.
pub(super) fn complete(
    stream: &StreamId,
    crew: &CrewName,
    run: RunId,
    triggers: &Triggers,
    now: Timestamp,
    drafts: &[Draft],
) -> Vec<Action> {
    let first: Option<&Ids> = triggers.iter().next().and_then(|first| first.event.ids.as_deref());
    let inherit = |own: &Option<Arc<str>>, of: fn(&Ids) -> &Option<Arc<str>>| {
        own.clone().or_else(|| of(first?).clone())
    };
    let finish = |(draft, index): (&Draft, u32)| Action {
        id: action_id(stream, crew, run, index),
        ts: draft.ts.unwrap_or(now),
        kind: draft.kind.clone(),
        stream: draft.stream.clone().filter(|other| other != stream),
        payload: draft.payload.clone(),
        ttl_ms: draft.ttl_ms.unwrap_or(DEFAULT_TTL_MS),
        correlation_id: inherit(&draft.correlation_id, |ids| &ids.correlation_id),
        transaction_id: inherit(&draft.transaction_id, |ids| &ids.transaction_id),
        traceparent: inherit(&None, |ids| &ids.traceparent),
        run,
    };
    drafts.iter().zip(0..).map(finish).collect()
}

/// Rule J2: the same for the same (stream, trigger slice, crew, run, index), whatever crashed.
fn action_id(stream: &StreamId, crew: &CrewName, run: RunId, index: u32) -> ActionId {
    let mut hasher = blake3::Hasher::new();
    // Names cannot hold a slash, so no two different lists give the same bytes.
    hasher.update(stream.as_str().as_bytes()).update(b"/").update(crew.as_str().as_bytes());
    let mut numbers = [0; 17];
    numbers[0] = b'/';
    numbers[1..9].copy_from_slice(&run.key.trigger.0.to_be_bytes());
    numbers[9..13].copy_from_slice(&run.key.place.to_be_bytes());
    numbers[13..17].copy_from_slice(&index.to_be_bytes());
    hasher.update(&numbers);
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    ActionId(id)
}
