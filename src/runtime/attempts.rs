//! The attempts a journal holds, each with what it was given and what came of it: to run them again.

use std::collections::HashMap;

use super::{RuntimeError, replay::Folding};
use crate::{
    engine::{Fact, Job, Outcome, Plan, Record, RunId, Slice, StreamId},
    store::Store,
};

/// An attempt that came back in time.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// What it was given.
    pub job: Job,
    /// What came of it.
    pub outcome: Outcome,
}

/// Tells every attempt that started in one of the slices, in the order in which they came back.
/// Attempts that were cut off by a deadline or a crash gave nothing to compare with.
pub async fn attempts(
    store: &mut impl Store,
    stream: &StreamId,
    slices: impl Fn(Slice) -> bool,
    mut tell: impl FnMut(&Plan, Attempt),
) -> Result<(), RuntimeError> {
    let mut folding = Folding::first(store, stream).await?;
    folding.engine.observe();
    let mut given: HashMap<(RunId, u32), Job> = HashMap::new();
    folding
        .fold_all(store, |engine, record| {
            // A result makes room for the next run, which is given its job by the same record.
            if let Record::Result { run, attempt, outcome } = record
                && let Some(job) = given.remove(&(*run, *attempt))
            {
                tell(engine.plan(), Attempt { job, outcome: outcome.clone() });
            }
            for fact in engine.take_facts() {
                if let Fact::Given { job } = fact
                    && slices(job.slice)
                {
                    given.insert((job.run, job.attempt), *job);
                }
            }
        })
        .await
}
