//! Journals as Python asks them: what ran and why, what the context was, where two of them part.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use pyo3::{
    prelude::*,
    types::{PyDict, PyList},
};
use pythonize::pythonize;

use super::{
    attempt::Attempt,
    crews::read_members,
    errors::{journal_error, runtime_error},
    io::{block_on, json_text},
    json::{json_to_python, to_python},
    place::{Place, PyPlace},
    plan::Plan,
    stores::AnyStore,
};
use crate::{
    engine::{Slice, StreamId},
    nats::Layout,
    runtime::{self, RuntimeError, Verdict},
    store::{MemoryStore, SqliteStore, Store, StoreError},
};

/// A journal: in memory, or a file that outlives the process.
#[pyclass(frozen, module = "live_crew._core")]
pub(super) struct Journal {
    home: Home,
}

enum Home {
    Memory(Mutex<MemoryStore>),
    File(PathBuf),
    Nats(Arc<Place>),
}

impl Journal {
    /// The store, to be written.
    pub(super) fn open_for_writing(&self) -> Result<AnyStore, StoreError> {
        match &self.home {
            Home::Memory(store) => Ok(AnyStore::Memory(shared(store))),
            Home::File(path) => Ok(AnyStore::sqlite(SqliteStore::open(path)?)),
            Home::Nats(_) => Err(StoreError::ReadOnly { journal: Layout::LOG.to_owned() }),
        }
    }

    async fn open(&self) -> Result<AnyStore, StoreError> {
        match &self.home {
            Home::Nats(place) => Ok(AnyStore::JetStream(Box::new(place.journal().await?))),
            Home::Memory(store) => Ok(AnyStore::Memory(shared(store))),
            Home::File(path) => Ok(AnyStore::sqlite(SqliteStore::open_readonly(path)?)),
        }
    }

    /// Asks the store something, without the interpreter.
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        question: impl AsyncFnOnce(&mut AnyStore) -> Result<T, RuntimeError> + Send,
    ) -> PyResult<T> {
        let answer = py.detach(|| {
            block_on(async {
                let mut store = self.open().await?;
                question(&mut store).await
            })
        });
        answer.map_err(|error| runtime_error(py, &error))
    }
}

fn shared(store: &Mutex<MemoryStore>) -> MemoryStore {
    store.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}

#[pymethods]
impl Journal {
    /// A journal that lives as long as its process.
    #[staticmethod]
    fn memory() -> Self {
        Self { home: Home::Memory(Mutex::new(MemoryStore::new())) }
    }

    /// A journal in a file, which need not be there yet.
    #[staticmethod]
    fn file(path: PathBuf) -> Self {
        Self { home: Home::File(path) }
    }

    /// The journals that sessions on NATS write there.
    #[staticmethod]
    fn nats(place: &Bound<'_, PyPlace>) -> Self {
        Self { home: Home::Nats(Arc::clone(&place.get().0)) }
    }

    /// Whether sessions on NATS write it there.
    #[getter]
    fn is_on_nats(&self) -> bool {
        matches!(self.home, Home::Nats(_))
    }

    /// The file it is in, if it is in one.
    #[getter]
    fn path(&self) -> Option<&PathBuf> {
        match &self.home {
            Home::Memory(_) | Home::Nats(_) => None,
            Home::File(path) => Some(path),
        }
    }

    /// Where it is.
    fn __str__(&self) -> String {
        match &self.home {
            Home::Memory(_) => "memory".to_owned(),
            Home::File(path) => path.display().to_string(),
            Home::Nats(place) => place.shown(),
        }
    }

    /// What it holds of each stream.
    fn streams<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let streams = self.ask(py, async |store| Ok(store.streams().await?))?;
        let describe = |summary: &crate::store::StreamSummary| {
            let dict = PyDict::new(py);
            dict.set_item("stream_id", summary.stream.as_str())?;
            dict.set_item("commits", summary.commits)?;
            dict.set_item("first_commit", summary.first_commit)?;
            dict.set_item("last_slice", summary.last_slice.map(|slice| slice.0))?;
            dict.set_item("bytes", summary.bytes)?;
            dict.set_item("sealed", summary.sealed)?;
            Ok(dict)
        };
        streams.iter().map(describe).collect()
    }

    /// Why a crew ran, waits or did not run in a slice.
    fn explain<'py>(
        &self,
        py: Python<'py>,
        stream: &str,
        crew: &str,
        slice: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let stream = stream_id(stream)?;
        let explanation =
            self.ask(py, async |store| runtime::explain(store, &stream, crew, Slice(slice)).await)?;
        let dict = pythonize(py, &explanation)?;
        dict.set_item("text", explanation.to_string())?;
        for (story, told) in explanation.runs.iter().zip(dict.get_item("runs")?.try_iter()?) {
            let notes = PyList::empty(py);
            for (attempt, list) in &story.notes {
                notes.append((attempt, to_python(py, list.as_bytes())?))?;
            }
            told?.set_item("notes", notes)?;
        }
        Ok(dict)
    }

    /// The context after a slice.
    fn context_at<'py>(
        &self,
        py: Python<'py>,
        stream: &str,
        slice: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let stream = stream_id(stream)?;
        let context =
            self.ask(py, async |store| runtime::context_at(store, &stream, Slice(slice)).await)?;
        json_to_python(py, &context.to_json())
    }

    /// Every write to a dotted path, oldest first.
    fn blame<'py>(&self, py: Python<'py>, stream: &str, path: &str) -> PyResult<Bound<'py, PyAny>> {
        let stream = stream_id(stream)?;
        let writes = self.ask(py, async |store| {
            let path: Vec<&str> = path.split('.').collect();
            runtime::blame(store, &stream, &path).await
        })?;
        Ok(pythonize(py, &writes)?)
    }

    /// Every run of a stream, by crew: what became of it, and what it wrote.
    fn timeline<'py>(&self, py: Python<'py>, stream: &str) -> PyResult<Bound<'py, PyAny>> {
        let stream = stream_id(stream)?;
        let told = self.ask(py, async |store| runtime::timeline(store, &stream).await)?;
        Ok(pythonize(py, &told)?)
    }

    /// The digest chain: slice and digest of every commit.
    fn digests(&self, py: Python<'_>, stream: &str) -> PyResult<Vec<(i64, String)>> {
        let stream = stream_id(stream)?;
        let chain = self.ask(py, async |store| runtime::digests(store, &stream).await)?;
        Ok(chain.iter().map(|(slice, digest)| (slice.0, digest.to_string())).collect())
    }

    /// Every attempt that started in a slice from `first` to `last`, with what it was given and what
    /// came of it; `members` are as in a session.
    #[pyo3(signature = (stream, plan, members, *, first = None, last = None))]
    fn attempts(
        &self,
        py: Python<'_>,
        stream: &str,
        plan: &Plan,
        members: &Bound<'_, PyList>,
        first: Option<i64>,
        last: Option<i64>,
    ) -> PyResult<Vec<Attempt>> {
        let stream = stream_id(stream)?;
        let members = read_members(plan, members)?;
        let slices = |slice: Slice| {
            first.is_none_or(|first| first <= slice.0) && last.is_none_or(|last| slice.0 <= last)
        };
        let mut found = Vec::new();
        self.ask(py, async |store| {
            runtime::attempts(store, &stream, slices, |then, attempt| {
                let name = then.crew(attempt.job.run.crew).spec.name.clone();
                found.push((name, attempt));
            })
            .await
        })?;
        let now = &plan.checked;
        let known = found.into_iter().filter_map(|(name, mut attempt)| {
            // A crew of then that is no more has nothing to run.
            attempt.job.run.crew = now.find(name.as_str())?;
            let member = &members[attempt.job.run.crew.0 as usize];
            Some(Attempt::new(py, now, member, member.reader.again(), &stream, attempt))
        });
        known.collect()
    }

    /// Recomputes every digest of a stream.
    fn verify<'py>(&self, py: Python<'py>, stream: &str) -> PyResult<Bound<'py, PyDict>> {
        let stream = stream_id(stream)?;
        let verdict = self.ask(py, async |store| runtime::verify(store, &stream).await)?;
        describe(py, &verdict)
    }

    /// The first difference of a stream in two journals; `None` if there is none.
    fn difference<'py>(
        &self,
        py: Python<'py>,
        other: &Self,
        stream: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let stream = stream_id(stream)?;
        let difference = self.ask(py, async |store| {
            let mut other = other.open().await?;
            runtime::first_difference(store, &mut other, &stream).await
        })?;
        difference.map(|difference| Ok(pythonize(py, &difference)?)).transpose()
    }

    fn __repr__(&self) -> String {
        match &self.home {
            Home::Memory(_) => "Journal.memory()".to_owned(),
            Home::Nats(_) => "Journal.nats(…)".to_owned(),
            Home::File(path) => format!("Journal.file({})", json_text(&path.display().to_string())),
        }
    }
}

fn stream_id(name: &str) -> PyResult<StreamId> {
    StreamId::new(name).map_err(|error| journal_error(&error))
}

fn describe<'py>(py: Python<'py>, verdict: &Verdict) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("stream_id", verdict.stream.as_str())?;
    dict.set_item("records", verdict.records)?;
    dict.set_item("commits", verdict.commits)?;
    dict.set_item("from_slice", verdict.from.map(|slice| slice.0))?;
    dict.set_item("last_slice", verdict.last_slice.map(|slice| slice.0))?;
    dict.set_item("digest", verdict.digest.map(|digest| digest.to_string()))?;
    let divergence = verdict.divergence.as_ref().map(|found| {
        let dict = PyDict::new(py);
        dict.set_item("frame", found.frame)?;
        dict.set_item("slice", found.slice.map(|slice| slice.0))?;
        dict.set_item("crew", found.crew.as_deref())?;
        dict.set_item("field", found.field)?;
        dict.set_item("journal", &found.journal)?;
        dict.set_item("fold", &found.fold)?;
        PyResult::Ok(dict)
    });
    dict.set_item("divergence", divergence.transpose()?)?;
    Ok(dict)
}
