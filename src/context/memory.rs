//! Contexts in memory: for tests, and for whoever looks from within the process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{ContextError, ContextStore, Kept, Verdict, judge, newest};
use crate::engine::StreamId;

/// Keeps contexts in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryContext(Arc<Mutex<BTreeMap<StreamId, Kept>>>);

impl ContextStore for MemoryContext {
    async fn save(&mut self, kept: &[Kept]) -> Result<(), ContextError> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newer = Vec::new();
        for new in newest(kept) {
            let old = streams.get(&new.stream).map(|old| (old.writer, old.slice));
            match judge(old, new) {
                Verdict::Write => newer.push(new),
                Verdict::Leave => {}
                Verdict::Deposed(by) => {
                    let (stream, writer) = (new.stream.clone(), new.writer);
                    let place = "memory".to_owned();
                    return Err(ContextError::Deposed { place, stream, writer, by });
                }
            }
        }
        streams.extend(newer.into_iter().map(|new| (new.stream.clone(), new.clone())));
        Ok(())
    }

    async fn load(&mut self, stream: &StreamId) -> Result<Option<Kept>, ContextError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(stream).cloned())
    }

    async fn forget(&mut self, stream: &StreamId) -> Result<(), ContextError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(stream);
        Ok(())
    }
}
