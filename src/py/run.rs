//! A run that is done elsewhere: in a task, on a thread, in a process.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use pyo3::{intern, prelude::*};
use tokio::sync::mpsc;

use super::{
    context::RunContext,
    crews::{Finished, Given},
    json::from_python,
    pulse::Pulse,
};
use crate::{
    engine::{Arrived, Job, Payload, RunId, StreamId},
    json::JsonLimits,
};

/// One run, for whoever does it: what it is given, and where its answer goes.
#[pyclass(frozen, module = "live_crew._core")]
pub(super) struct Run {
    stream: StreamId,
    id: RunId,
    attempt: u32,
    /// The name of the crew.
    #[pyo3(get)]
    crew: String,
    /// The slice it started in.
    #[pyo3(get)]
    slice: i64,
    #[pyo3(get)]
    event: Py<PyAny>,
    #[pyo3(get)]
    ctx: Option<Py<RunContext>>,
    trigger: Option<Arc<Arrived>>,
    finished: mpsc::UnboundedSender<Finished>,
    pulse: Arc<Pulse>,
    is_done: AtomicBool,
}

impl Run {
    pub(super) fn new(
        crew: &str,
        stream: &StreamId,
        job: &Job,
        given: Given,
        finished: mpsc::UnboundedSender<Finished>,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self {
            stream: stream.clone(),
            id: job.run,
            attempt: job.attempt,
            crew: crew.to_owned(),
            slice: job.slice.0,
            event: given.event,
            ctx: given.context,
            trigger: given.trigger,
            finished,
            pulse,
            is_done: AtomicBool::new(false),
        }
    }

    fn tell(&self, py: Python<'_>, result: PyResult<Py<PyAny>>, notes: Option<Payload>) {
        if self.is_done.swap(true, Ordering::AcqRel) {
            return;
        }
        let context = self.ctx.as_ref().map(|ctx| ctx.clone_ref(py));
        let job = Given { event: self.event.clone_ref(py), context, trigger: self.trigger.clone() };
        let (stream, run, attempt) = (self.stream.clone(), self.id, self.attempt);
        // Nobody listens any more when the session is over.
        let _told = self.finished.send(Finished { stream, run, attempt, result, job, notes });
    }
}

#[pymethods]
impl Run {
    /// The stream.
    #[getter]
    fn stream_id(&self) -> &str {
        self.stream.as_str()
    }

    /// Which run it is: trigger slice and place.
    #[getter]
    fn run(&self) -> String {
        self.id.key.to_string()
    }

    /// Which attempt it is, from 1.
    #[getter]
    fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Gives the answer; from any thread. Only the first one counts. `notes` is a list of what
    /// was seen while it ran.
    #[pyo3(signature = (answer, notes = None))]
    fn complete(
        &self,
        py: Python<'_>,
        answer: Py<PyAny>,
        notes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let notes = notes.map(read_notes).transpose()?;
        self.tell(py, Ok(answer), notes);
        Ok(())
    }

    /// Says that it failed.
    #[pyo3(signature = (error, notes = None))]
    fn fail(
        &self,
        py: Python<'_>,
        error: Bound<'_, PyAny>,
        notes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let notes = notes.map(read_notes).transpose()?;
        self.tell(py, Err(PyErr::from_value(error)), notes);
        Ok(())
    }

    /// Takes what became of the task that does it, on the thread of the loop. Who calls this takes
    /// the next step, so the bell need not ring.
    fn take(&self, task: &Bound<'_, PyAny>) {
        let py = task.py();
        let result = task.call_method0(intern!(py, "result")).map(Bound::unbind);
        self.pulse.without_bell(|| self.tell(py, result, None));
    }
}

fn read_notes(notes: &Bound<'_, PyAny>) -> PyResult<Payload> {
    let limits = JsonLimits::default();
    from_python(notes, &limits).map_err(|error| error.into_error(notes.py(), "notes"))
}
