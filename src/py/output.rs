//! Where what a session says goes to: kept for Python, written to files, or handed to an object.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::{bodies::Bodies, kept};
use crate::{
    context::Teller,
    transport::{Channel, FileSink, NatsSink, Outgoing, Sink, TransportError},
};

/// Errors and refusals kept for the result; more are only counted.
const KEPT_PROBLEMS: usize = 1_000;

/// What a session said, until Python takes it.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) actions: Bodies,
    pub(super) problems: VecDeque<Outgoing>,
    pub(super) counts: Counts,
    /// A batch that a Python object is to publish, and who waits for it.
    pub(super) relay: Option<(Vec<Outgoing>, Relayed)>,
}

/// Where it is told what became of a batch.
type Relayed = oneshot::Sender<Result<(), String>>;

/// How much was said, taken or not.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) actions: u64,
    pub(super) errors: u64,
    pub(super) late: u64,
    pub(super) refused: u64,
}

/// Shared between a session and its sink.
#[derive(Debug, Clone, Default)]
pub(super) struct Mouth {
    said: Arc<Mutex<Said>>,
    /// One batch is relayed at a time, also where several runtimes speak.
    relaying: Arc<tokio::sync::Mutex<()>>,
}

impl Mouth {
    pub(super) fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sink decided at run time.
pub(super) struct Output {
    pub(super) mouth: Mouth,
    /// Whether actions are kept for Python.
    pub(super) keep: bool,
    pub(super) file: Option<FileSink>,
    pub(super) nats: Option<NatsSink>,
    /// Whether a Python object publishes what is said.
    pub(super) relay: bool,
    /// Told of every commit, if contexts are kept somewhere.
    pub(super) contexts: Option<Teller>,
}

impl Sink for Output {
    async fn publish(&mut self, batch: &[Outgoing]) -> Result<(), TransportError> {
        if let Some(file) = &mut self.file {
            file.publish(batch).await?;
        }
        if let Some(nats) = &mut self.nats {
            nats.publish(batch).await?;
        }
        // Nothing is not handed over: Python would not see it, and everybody wait for ever.
        if self.relay && !batch.is_empty() {
            let _turn = self.mouth.relaying.lock().await;
            let (done, wait) = oneshot::channel();
            self.mouth.said().relay = Some((batch.to_vec(), done));
            // Python looks after every step, so nobody needs to be woken.
            let answer = wait.await.unwrap_or_else(|_| Err("the session ended".to_owned()));
            answer.map_err(TransportError::Program)?;
        }
        if let Some(contexts) = &self.contexts {
            kept::tell(contexts, batch)?;
        }
        let mut said = self.mouth.said();
        for message in batch {
            match message.channel {
                Channel::Action => {
                    said.counts.actions += 1;
                    if self.keep {
                        said.actions.push(&message.body);
                    }
                    continue;
                }
                Channel::Error => said.counts.errors += 1,
                // Not kept: there may be many of them, and they are in the journal.
                Channel::Late => {
                    said.counts.late += 1;
                    continue;
                }
                Channel::DeadLetter => said.counts.refused += 1,
                Channel::Context | Channel::Heartbeat => continue,
            }
            if said.problems.len() < KEPT_PROBLEMS {
                said.problems.push_back(message.clone());
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), TransportError> {
        if let Some(file) = &mut self.file {
            file.flush().await?;
        }
        if let Some(nats) = &mut self.nats {
            nats.flush().await?;
        }
        Ok(())
    }
}
