//! From a crew's drafts to actions: defaults, inherited identities, ids (rules A1, J2, T8).

use std::sync::Arc;

use super::{
    Action, ActionId, CrewName, Draft, Emission, Ids, RunId, StreamId, Timestamp, Triggers,
};

/// `ttl_ms` of an action that does not say.
pub const DEFAULT_TTL_MS: u32 = 5_000;

/// Completes the drafts of one run. Identities come from its first trigger event.
pub(super) fn complete<'a>(
    stream: &'a StreamId,
    key: &'a IdKey,
    run: RunId,
    triggers: &'a Triggers,
    now: Timestamp,
    drafts: &'a [Draft],
) -> impl Iterator<Item = Emission> + 'a {
    let first: Option<&Ids> = triggers.iter().next().and_then(|first| first.event.ids.as_deref());
    let inherit = move |own: &Option<Arc<str>>, of: fn(&Ids) -> &Option<Arc<str>>| {
        own.clone().or_else(|| of(first?).clone())
    };
    let finish = move |(draft, index): (&Draft, u32)| Action {
        id: key.id(run, index),
        ts: draft.ts.unwrap_or(now),
        kind: draft.kind.clone(),
        stream: draft.stream.clone().filter(|other| other != stream),
        payload: draft.payload.clone(),
        ttl_ms: draft.ttl_ms,
        correlation_id: inherit(&draft.correlation_id, |ids| &ids.correlation_id),
        transaction_id: inherit(&draft.transaction_id, |ids| &ids.transaction_id),
        traceparent: inherit(&None, |ids| &ids.traceparent),
        run,
    };
    drafts.iter().zip(0..).map(finish).map(Emission::Action)
}

/// What the ids of one crew's actions in one stream are made with.
#[derive(Debug, Clone)]
pub(super) struct IdKey([u8; 32]);

impl IdKey {
    pub fn new(stream: &StreamId, crew: &CrewName) -> Self {
        // Names cannot hold a slash, so no two pairs give the same text.
        let text = format!("live-crew action/{stream}/{crew}");
        Self(*blake3::hash(text.as_bytes()).as_bytes())
    }

    /// Rule J2: the same for the same (stream, trigger slice, crew, run, index), whatever crashed.
    fn id(&self, run: RunId, index: u32) -> ActionId {
        let mut numbers = [0; 16];
        numbers[..8].copy_from_slice(&run.key.trigger.0.to_be_bytes());
        numbers[8..12].copy_from_slice(&run.key.place.to_be_bytes());
        numbers[12..].copy_from_slice(&index.to_be_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::keyed_hash(&self.0, &numbers).as_bytes()[..16]);
        ActionId(id)
    }
}
