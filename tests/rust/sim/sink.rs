//! A sink that fails, sometimes in the middle of a batch.

use std::sync::{Arc, Mutex};

use live_crew::transport::{Outgoing, Sink, TransportError};

use crate::support::rng::Rng;

/// What was published: outlives every process.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) heard: Vec<Outgoing>,
    /// Batches until it fails.
    pub(super) fails_at: Option<u64>,
    pub(super) failed: bool,
}

#[derive(Debug)]
pub(super) struct SimSink {
    outside: Arc<Mutex<Outside>>,
    rng: Rng,
}

impl SimSink {
    pub(super) fn new(outside: Arc<Mutex<Outside>>, rng: Rng) -> Self {
        Self { outside, rng }
    }

    fn hear(&mut self, batch: &[Outgoing]) -> Result<(), TransportError> {
        let mut outside = self.outside.lock().unwrap();
        if let Some(left) = &mut outside.fails_at {
            if *left == 0 {
                let heard = self.rng.below(batch.len() as u64 + 1);
                let heard = usize::try_from(heard).unwrap();
                outside.heard.extend_from_slice(&batch[..heard]);
                outside.failed = true;
                return Err(TransportError::Closed);
            }
            *left -= 1;
        }
        outside.heard.extend_from_slice(batch);
        Ok(())
    }
}

impl Sink for SimSink {
    async fn publish(&mut self, batch: &[Outgoing]) -> Result<(), TransportError> {
        if self.rng.chance(5) {
            tokio::task::yield_now().await;
        }
        self.hear(batch)?;
        if self.rng.chance(5) {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), TransportError> {
        if self.rng.chance(5) {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
