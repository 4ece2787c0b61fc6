//! How a session ended, as Python reads it.

use std::collections::BTreeMap;

use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict, PyTuple},
};

use super::{
    json::json_to_python,
    output::{Counts, Mouth},
};
use crate::{
    engine::{Context, Counters, StreamId},
    runtime::{Clock, Crews, Ending, Runtime},
    store::{Scope, Store},
    transport::{Outgoing, Sink},
};

/// The end of a session.
pub(super) struct Summary {
    ending: Ending,
    counters: Counters,
    streams: BTreeMap<StreamId, State>,
    /// Streams whose last context is not where contexts are kept.
    pub(super) unsaved: usize,
    too_fast: u64,
}

/// Those of the parts of a session. One that was given up and had again counts on.
#[derive(Default)]
pub(super) struct Summaries(Vec<(Scope, Summary)>);

impl Summaries {
    /// Takes the latest of a part, which has all that was there before.
    pub(super) fn take(&mut self, scope: Scope, mut summary: Summary) {
        match self.0.iter_mut().find(|(other, _)| *other == scope) {
            Some((_, before)) => {
                summary.too_fast += before.too_fast;
                *before = summary;
            }
            None => self.0.push((scope, summary)),
        }
    }

    /// That of the session.
    pub(super) fn whole(self) -> Summary {
        let nothing = Summary::nothing(Ending::Drained);
        self.0.into_iter().fold(nothing, |whole, (_, summary)| whole.and(summary))
    }
}

/// One stream at the end.
struct State {
    context: Context,
    digest: Option<String>,
    commits: u64,
    last_slice: i64,
    failed: Option<String>,
}

impl Summary {
    pub(super) fn of<S: Store, K: Sink, C: Crews, T: Clock>(
        runtime: &Runtime<S, K, C, T>,
        ending: Ending,
    ) -> Self {
        let failed: BTreeMap<&StreamId, &str> = runtime.failed().collect();
        let state = |stream: &StreamId| {
            let engine = runtime.engine(stream)?;
            let state = State {
                context: engine.context().clone(),
                digest: engine.digest().map(|digest| digest.to_string()),
                commits: engine.commits(),
                last_slice: engine.open_slice().0 - 1,
                failed: failed.get(stream).map(ToString::to_string),
            };
            Some((stream.clone(), state))
        };
        let streams = runtime.streams().filter_map(state).collect();
        let (counters, too_fast) = (runtime.counters().0, runtime.too_fast());
        Self { ending, counters, streams, unsaved: 0, too_fast }
    }

    /// That of a session that ran nothing.
    pub(super) fn nothing(ending: Ending) -> Self {
        let streams = BTreeMap::new();
        Self { ending, counters: Counters::default(), streams, unsaved: 0, too_fast: 0 }
    }

    /// That of a part which was handed over or lost: it goes on elsewhere, or here later, and how it
    /// ended here says nothing of how the session does.
    pub(super) fn passed_on(mut self) -> Self {
        self.ending = Ending::Drained;
        self
    }

    /// Both, where each is about streams of its own.
    fn and(mut self, other: Self) -> Self {
        self.counters.add(&other.counters);
        self.streams.extend(other.streams);
        self.unsaved += other.unsaved;
        self.too_fast += other.too_fast;
        if self.ending == Ending::Finished || other.ending == Ending::Aborted {
            self.ending = other.ending;
        }
        self
    }

    pub(super) fn to_python<'py>(
        &self,
        py: Python<'py>,
        mouth: &Mouth,
    ) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        let ending = match self.ending {
            Ending::Finished => "finished",
            Ending::Drained => "drained",
            Ending::Aborted => "aborted",
        };
        dict.set_item("ending", ending)?;
        dict.set_item("counts", counts(py, mouth.said().counts)?)?;
        dict.set_item("counters", counters(py, &self.counters)?)?;
        dict.set_item("contexts_unsaved", self.unsaved)?;
        dict.set_item("too_fast", self.too_fast)?;
        let streams = PyDict::new(py);
        for (stream, state) in &self.streams {
            let one = PyDict::new(py);
            one.set_item("context", json_to_python(py, &state.context.to_json())?)?;
            one.set_item("digest", state.digest.as_deref())?;
            one.set_item("commits", state.commits)?;
            one.set_item("last_slice", state.last_slice)?;
            one.set_item("failed", state.failed.as_deref())?;
            streams.set_item(stream.as_str(), one)?;
        }
        dict.set_item("streams", streams)?;
        Ok(dict)
    }
}

fn counters<'py>(py: Python<'py>, counters: &Counters) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, count) in [
        ("events", counters.events),
        ("duplicates", counters.duplicates),
        ("late", counters.late.values().sum::<u64>() + counters.late_other),
        ("started", counters.started),
        ("landed", counters.landed),
        ("failed", counters.failed),
        ("ended", counters.ended),
        ("stale", counters.stale),
        ("conflicts", counters.conflicts),
    ] {
        dict.set_item(name, count)?;
    }
    Ok(dict)
}

/// What a session said, counted.
pub(super) fn counts(py: Python<'_>, counts: Counts) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("actions", counts.actions)?;
    dict.set_item("errors", counts.errors)?;
    dict.set_item("late", counts.late)?;
    dict.set_item("refused", counts.refused)?;
    Ok(dict)
}

/// A message as `(channel, stream, JSON)`.
pub(super) fn problem<'py>(py: Python<'py>, said: &Outgoing) -> PyResult<Bound<'py, PyTuple>> {
    let stream = said.stream.as_ref().map(StreamId::as_str);
    (said.channel.as_str(), stream, PyBytes::new(py, &said.body)).into_pyobject(py)
}
