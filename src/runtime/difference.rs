//! Where two journals part (rule J4): found by bisecting their chained digests.

use std::ops::ControlFlow;

use serde::Serialize;

use super::{RuntimeError, replay::Folding, replay::summary};
use crate::{
    engine::{Engine, Fact, Record, Slice, StreamId},
    json::{Json, JsonLimits, parse},
    store::{Mark, Store, StreamSummary},
};

/// How much of each side is shown.
const SHOWN: usize = 200;

/// The first difference between two journals of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The slice; `None` when the journals differ from the start.
    pub slice: Option<i64>,
    /// `members`, `outcomes`, `diff`, `actions`, `epoch`, `slices` or a part of the header.
    pub section: String,
    /// The run it is about, if it is about one: `crew/slice.place`.
    pub run: Option<String>,
    /// The path within the section, dotted.
    pub field: String,
    /// What the first journal holds.
    pub left: String,
    /// What the second journal holds.
    pub right: String,
}

/// Finds the first difference of a stream in two journals, `None` if there is none.
///
/// Equal digests mean equal pasts, so the first commit that differs is found by bisecting.
pub async fn first_difference(
    left: &mut impl Store,
    right: &mut impl Store,
    stream: &StreamId,
) -> Result<Option<Difference>, RuntimeError> {
    let (kept_left, kept_right) = (summary(left, stream).await?, summary(right, stream).await?);
    if let Some(difference) = headers(left, right, stream).await? {
        return Ok(Some(difference));
    }
    let from = kept_left.first_commit.max(kept_right.first_commit);
    let end = |kept: &StreamSummary| kept.first_commit + kept.commits;
    let shorter = end(&kept_left).min(end(&kept_right));
    let (mut low, mut high) = (from, shorter);
    while low < high {
        let middle = low + (high - low) / 2;
        if mark(left, stream, middle).await? == mark(right, stream, middle).await? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let (a, b) = (mark(left, stream, low).await?, mark(right, stream, low).await?);
    match (a, b) {
        (None, None) => Ok(None),
        (Some(a), Some(b)) if a.slice == b.slice => {
            let report_a = report(left, stream, a.slice).await?;
            let report_b = report(right, stream, b.slice).await?;
            Ok(Some(compare(a.slice, &report_a, &report_b)))
        }
        (a, b) => Ok(Some(Difference {
            slice: a.into_iter().chain(b).map(|mark| mark.slice.0).min(),
            section: "slices".to_owned(),
            run: None,
            field: "slice".to_owned(),
            left: a.map_or_else(ends_here, |mark| mark.slice.0.to_string()),
            right: b.map_or_else(ends_here, |mark| mark.slice.0.to_string()),
        })),
    }
}

fn ends_here() -> String {
    "the journal ends here".to_owned()
}

/// What makes two journals differ before their first slice.
async fn headers(
    left: &mut impl Store,
    right: &mut impl Store,
    stream: &StreamId,
) -> Result<Option<Difference>, RuntimeError> {
    let a = Folding::first(left, stream).await?;
    let b = Folding::first(right, stream).await?;
    let (sa, sb) = (a.header.settings.clone(), b.header.settings.clone());
    let sides = if sa.beat == sb.beat {
        match (a.epoch0(left).await?, b.epoch0(right).await?) {
            (Some(a), Some(b)) if a != b => {
                Some(("epoch0", a.micros().to_string(), b.micros().to_string()))
            }
            _ => None,
        }
    } else {
        Some(("slice_ms", sa.beat.ms().to_string(), sb.beat.ms().to_string()))
    };
    Ok(sides.map(|(field, left, right)| Difference {
        slice: None,
        section: "header".to_owned(),
        run: None,
        field: field.to_owned(),
        left,
        right,
    }))
}

async fn mark(
    store: &mut impl Store,
    stream: &StreamId,
    ordinal: u64,
) -> Result<Option<Mark>, RuntimeError> {
    Ok(store.mark(stream, ordinal).await?.map(|(_, mark)| mark))
}

/// The report of a slice, by folding the journal up to it.
async fn report(
    store: &mut impl Store,
    stream: &StreamId,
    slice: Slice,
) -> Result<Json, RuntimeError> {
    let mut folding = Folding::before(store, stream, slice).await?;
    folding.engine.observe();
    let mut found = Json::Null;
    folding
        .fold_until(store, &mut |engine: &mut Engine, _: &Record| {
            for fact in engine.take_facts() {
                if let Fact::Committed { slice: at, report, .. } = fact
                    && at == slice
                {
                    let limits = JsonLimits { depth: usize::MAX, bytes: usize::MAX };
                    found = parse(report.as_bytes(), &limits).unwrap_or(Json::Null);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })
        .await?;
    Ok(found)
}

/// Members come first: what happened before what came of it.
fn compare(slice: Slice, left: &Json, right: &Json) -> Difference {
    for section in ["members", "outcomes", "diff", "actions"] {
        let (a, b) = (part(left, section), part(right, section));
        if a == b {
            continue;
        }
        let mut field = Vec::new();
        let (a, b) = descend(&a, &b, &mut field);
        let at = field.first().and_then(|at: &String| at.parse::<usize>().ok());
        let run =
            at.and_then(|at| run_of(left, section, at).or_else(|| run_of(right, section, at)));
        return Difference {
            slice: Some(slice.0),
            section: section.to_owned(),
            run,
            field: field.join("."),
            left: shown(a.as_ref()),
            right: shown(b.as_ref()),
        };
    }
    Difference {
        slice: Some(slice.0),
        section: "digest".to_owned(),
        run: None,
        field: String::new(),
        left: shown(Some(left)),
        right: shown(Some(right)),
    }
}

fn part(report: &Json, section: &str) -> Json {
    report.as_object().and_then(|report| report.get(section)).cloned().unwrap_or(Json::Null)
}

fn run_of(report: &Json, section: &str, at: usize) -> Option<String> {
    let Json::Array(items) = part(report, section) else {
        return None;
    };
    Some(items.get(at)?.as_object()?.get("run")?.as_str()?.to_owned())
}

/// Goes down to the first place where two values differ.
fn descend(left: &Json, right: &Json, field: &mut Vec<String>) -> (Option<Json>, Option<Json>) {
    match (left, right) {
        (Json::Array(a), Json::Array(b)) => {
            let at = (0..a.len().max(b.len())).find(|&at| a.get(at) != b.get(at)).unwrap_or(0);
            field.push(at.to_string());
            step(a.get(at), b.get(at), field)
        }
        (Json::Object(a), Json::Object(b)) => {
            let keys = a.keys().chain(b.keys());
            let Some(key) = keys.filter(|key| a.get(*key) != b.get(*key)).min() else {
                return (None, None);
            };
            field.push(key.to_string());
            step(a.get(key), b.get(key), field)
        }
        _ => (Some(left.clone()), Some(right.clone())),
    }
}

fn step(
    left: Option<&Json>,
    right: Option<&Json>,
    field: &mut Vec<String>,
) -> (Option<Json>, Option<Json>) {
    match (left, right) {
        (Some(left), Some(right)) => descend(left, right, field),
        (left, right) => (left.cloned(), right.cloned()),
    }
}

fn shown(value: Option<&Json>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), |value| format!("{value:?}"));
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}
