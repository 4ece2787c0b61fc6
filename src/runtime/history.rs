//! The context at any slice, and who wrote what is in it (rule X5).

use std::ops::ControlFlow;

use serde::Serialize;

use super::{RuntimeError, replay::Folding, replay::summary};
use crate::{
    engine::{
        Change, Context, Diff, Digest, Engine, Fact, Op, Record, RunId, Slice, StreamId, Timestamp,
    },
    json::Json,
    store::Store,
    wire::write_timestamp,
};

/// A write to a path of the context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    /// The slice it landed in.
    pub slice: i64,
    /// End of that slice, RFC 3339.
    pub at: String,
    /// The crew that wrote it.
    pub crew: String,
    /// The run, as causation ids name it: `crew/slice.place`.
    pub run: String,
    /// `set`, `delete`, `incr`, `append` or `object`.
    pub op: &'static str,
    /// The path that was named: the one asked for, or one above or below it.
    pub path: String,
    /// What was written, if something was.
    pub value: Option<String>,
}

/// The context after a slice.
pub async fn context_at(
    store: &mut impl Store,
    stream: &StreamId,
    slice: Slice,
) -> Result<Context, RuntimeError> {
    let kept = summary(store, stream).await?;
    if kept.last_slice.is_none_or(|last| last < slice) {
        return Err(RuntimeError::NotCommitted {
            stream: stream.clone(),
            slice,
            last: kept.last_slice,
        });
    }
    let mut folding = Folding::before(store, stream, slice.next()).await?;
    if let Some(from) = folding.slice.filter(|from| *from > slice) {
        return Err(RuntimeError::Pruned { stream: stream.clone(), slice, from });
    }
    let mut context = folding.engine.context().clone();
    folding.engine.observe();
    folding
        .fold_until(store, &mut |engine: &mut Engine, _: &Record| {
            for fact in engine.take_facts() {
                match fact {
                    Fact::Committed { slice: at, .. } if at > slice => {
                        return ControlFlow::Break(());
                    }
                    Fact::Committed { context: after, .. } => context = after,
                    _ => {}
                }
            }
            ControlFlow::Continue(())
        })
        .await?;
    Ok(context)
}

/// Every write to a path that the journal still holds, oldest first; the last one is to blame for
/// what is there. A write above the path counts, since it replaced it; so does one below.
pub async fn blame(
    store: &mut impl Store,
    stream: &StreamId,
    path: &[&str],
) -> Result<Vec<Write>, RuntimeError> {
    let mut folding = Folding::first(store, stream).await?;
    folding.engine.observe();
    let mut writes = Vec::new();
    folding
        .fold_all(store, |engine, _| {
            for fact in engine.take_facts() {
                let Fact::Landed { run, slice, diff, .. } = fact else {
                    continue;
                };
                writes.extend(writes_of(engine, run, slice, &diff, path));
            }
        })
        .await?;
    Ok(writes)
}

/// The writes of a run that landed in a slice, to a path or to any.
pub(super) fn writes_of(
    engine: &Engine,
    run: RunId,
    slice: Slice,
    diff: &Diff,
    path: &[&str],
) -> Vec<Write> {
    let crew = engine.plan().crew(run.crew).spec.name.to_string();
    let write = |op: &Op| Write {
        slice: slice.0,
        at: instant(engine, slice),
        run: format!("{crew}/{}", run.key),
        crew: crew.clone(),
        op: name_of(&op.change),
        path: op.path.join("."),
        value: value_of(&op.change),
    };
    diff.0.iter().filter(|op| touches(op, path)).map(write).collect()
}

/// The digest chain: every commit the journal still holds.
pub async fn digests(
    store: &mut impl Store,
    stream: &StreamId,
) -> Result<Vec<(Slice, Digest)>, RuntimeError> {
    let kept = summary(store, stream).await?;
    let (mut chain, mut next) = (Vec::new(), kept.first_commit);
    loop {
        let page = store.marks(stream, next, 1_000).await?;
        if page.is_empty() {
            break;
        }
        next += page.len() as u64;
        chain.extend(page.into_iter().map(|(_, mark)| (mark.slice, Digest(mark.digest))));
    }
    Ok(chain)
}

/// Whether a change decides what is at a path, or at something below it.
fn touches(op: &Op, path: &[&str]) -> bool {
    let same = op.path.iter().zip(path).all(|(a, b)| **a == **b);
    // Wanting an object above the path keeps what is in it.
    same && !(op.change == Change::Object && op.path.len() < path.len())
}

fn name_of(change: &Change) -> &'static str {
    match change {
        Change::Set(_) => "set",
        Change::Delete => "delete",
        Change::Incr(_) => "incr",
        Change::Append(_) => "append",
        Change::Object => "object",
    }
}

fn value_of(change: &Change) -> Option<String> {
    match change {
        Change::Set(value) | Change::Append(value) => Some(format!("{value:?}")),
        Change::Incr(by) => Some(format!("{:?}", Json::Number(by.clone()))),
        Change::Delete | Change::Object => None,
    }
}

fn instant(engine: &Engine, slice: Slice) -> String {
    let end = engine.clock().map_or(Timestamp::MIN, |clock| clock.end(slice));
    let mut out = Vec::new();
    write_timestamp(end, &mut out);
    String::from_utf8(out).expect("an RFC 3339 instant is ASCII")
}
