//! Everything that ran in a stream, in one reading of its journal.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{RuntimeError, Story, Write, history::writes_of, replay::Folding, story::Stories};
use crate::{
    engine::{Fact, RunId, StreamId},
    store::Store,
};

/// A run, and what it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chapter {
    /// The crew.
    pub crew: String,
    /// What became of it.
    #[serde(flatten)]
    pub story: Story,
    /// What it changed in the context, in the order in which it did.
    pub writes: Vec<Write>,
}

/// Every run that the journal still tells of, by crew (rule O2) and then by trigger.
pub async fn timeline(
    store: &mut impl Store,
    stream: &StreamId,
) -> Result<Vec<Chapter>, RuntimeError> {
    let mut folding = Folding::first(store, stream).await?;
    folding.engine.observe();
    let mut stories = Stories::default();
    let mut writes: BTreeMap<RunId, Vec<Write>> = BTreeMap::new();
    folding
        .fold_all(store, |engine, _| {
            for fact in engine.take_facts() {
                stories.take(engine, &fact);
                if let Fact::Landed { run, slice, diff, .. } = fact {
                    writes.insert(run, writes_of(engine, run, slice, &diff, &[]));
                }
            }
        })
        .await?;
    let plan = folding.engine.plan();
    let chapter = |(run, story): (RunId, Story)| Chapter {
        crew: plan.crew(run.crew).spec.name.to_string(),
        story,
        writes: writes.remove(&run).unwrap_or_default(),
    };
    Ok(stories.told.into_iter().map(chapter).collect())
}
