//! Who does the runs.

use std::future::Future;

use crate::engine::{CrewIx, Job, Outcome, Payload, RunId, StreamId};

/// What became of handing over a job.
#[derive(Debug)]
pub enum Started {
    /// It is done already.
    Done(Outcome),
    /// Its answer comes through [`Crews::next_back`].
    Later,
}

/// A run that came back.
#[derive(Debug, Clone)]
pub struct Back {
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Which run.
    pub run: RunId,
    /// Which attempt of it.
    pub attempt: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// What was seen of it while it ran, as a JSON list.
    pub notes: Option<Payload>,
}

/// Runs crews: handlers, CrewAI crews, remote runners.
pub trait Crews: Send {
    /// Whether runs of a crew are done at once, on the caller's thread. Such runs need not wait
    /// for the disk before they begin: nothing leaves the process until it is durable.
    fn is_immediate(&self, crew: CrewIx) -> bool;

    /// Hands over a job.
    fn start(&mut self, stream: &StreamId, job: Job) -> Started;

    /// Stops working on an attempt; its answer is no longer wanted.
    fn cancel(&mut self, stream: &StreamId, run: RunId, attempt: u32);

    /// Waits for the next run to come back. Dropping the future loses nothing.
    fn next_back(&mut self) -> impl Future<Output = Back> + Send;

    /// Whether runs on the spot have held the thread for long. Others that would be done there wait
    /// for the next breath, and what was done so far is written.
    fn is_tired(&self) -> bool {
        false
    }

    /// Called between two rounds of the loop, for the first time when runs that were under way
    /// before are handed over. Crews that run on the thread of the loop let others
    /// have it here, if they held it for long.
    fn breathe(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Crews that are one function, called on the spot.
#[derive(Debug, Clone)]
pub struct Inline<F>(pub F);

impl<F: FnMut(&StreamId, &Job) -> Outcome + Send> Crews for Inline<F> {
    fn is_immediate(&self, _crew: CrewIx) -> bool {
        true
    }

    fn start(&mut self, stream: &StreamId, job: Job) -> Started {
        Started::Done((self.0)(stream, &job))
    }

    fn cancel(&mut self, _stream: &StreamId, _run: RunId, _attempt: u32) {}

    async fn next_back(&mut self) -> Back {
        std::future::pending().await
    }
}
