//! A recorded attempt, to be run again and compared.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::{
    prelude::*,
    types::{PyDict, PyList},
};

use super::{
    answers::{Reader, failure},
    context::RunContext,
    crews::{Given, Member, given},
    json::to_python,
};
use crate::{
    engine::{Outcome, Output, Plan, StreamId},
    runtime,
};

/// What a run was given then, and what came of it then.
#[pyclass(frozen, module = "live_crew._core")]
pub(super) struct Attempt {
    stream: StreamId,
    crew: String,
    given: Given,
    reader: Mutex<Reader>,
    then: runtime::Attempt,
}

impl Attempt {
    pub(super) fn new(
        py: Python<'_>,
        plan: &Plan,
        member: &Member,
        reader: Reader,
        stream: &StreamId,
        attempt: runtime::Attempt,
    ) -> PyResult<Self> {
        let given = given(py, plan, member, stream, &attempt.job)?;
        let crew = plan.crew(attempt.job.run.crew).spec.name.to_string();
        Ok(Self { stream: stream.clone(), crew, given, reader: Mutex::new(reader), then: attempt })
    }

    fn difference(&self, py: Python<'_>, now: &Outcome) -> PyResult<Option<Py<PyDict>>> {
        let then = &self.then.outcome;
        let (field, then, now) = match (then, now) {
            (Outcome::Done(then), Outcome::Done(now)) if then == now => return Ok(None),
            (Outcome::Failed(then), Outcome::Failed(now)) if then == now => return Ok(None),
            (Outcome::Done(a), Outcome::Done(b)) => {
                let field = if a.actions != b.actions {
                    "actions"
                } else if a.diff != b.diff {
                    "context"
                } else {
                    "output"
                };
                (field, describe(py, then)?, describe(py, now)?)
            }
            _ => ("outcome", describe(py, then)?, describe(py, now)?),
        };
        let dict = PyDict::new(py);
        dict.set_item("field", field)?;
        dict.set_item("recorded", then)?;
        dict.set_item("now", now)?;
        Ok(Some(dict.unbind()))
    }
}

#[pymethods]
impl Attempt {
    #[getter]
    fn stream_id(&self) -> &str {
        self.stream.as_str()
    }

    #[getter]
    fn crew(&self) -> &str {
        &self.crew
    }

    #[getter]
    fn slice(&self) -> i64 {
        self.then.job.slice.0
    }

    #[getter]
    fn run(&self) -> String {
        self.then.job.run.key.to_string()
    }

    #[getter]
    fn attempt(&self) -> u32 {
        self.then.job.attempt
    }

    #[getter]
    fn event(&self, py: Python<'_>) -> Py<PyAny> {
        self.given.event.clone_ref(py)
    }

    #[getter]
    fn ctx(&self, py: Python<'_>) -> Option<Py<RunContext>> {
        self.given.context.as_ref().map(|context| context.clone_ref(py))
    }

    /// What came of it then.
    #[getter]
    fn recorded<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        describe(py, &self.then.outcome)
    }

    /// How an answer differs from what was recorded; `None` if it does not.
    fn compare(&self, answer: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyDict>>> {
        let py = answer.py();
        let context = self.given.context.as_ref().map(|context| context.bind(py));
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let now = reader.read(answer, context, self.given.trigger.as_deref());
        self.difference(py, &now)
    }

    /// The same for an exception.
    fn compare_failure(&self, error: Bound<'_, PyAny>) -> PyResult<Option<Py<PyDict>>> {
        let py = error.py();
        let now = Outcome::Failed(failure(py, &PyErr::from_value(error)));
        self.difference(py, &now)
    }
}

fn describe<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    match outcome {
        Outcome::Failed(failure) => {
            dict.set_item("reason", failure.reason.as_str())?;
            dict.set_item("message", &failure.message)?;
        }
        Outcome::Done(output) => describe_output(&dict, output)?,
    }
    Ok(dict)
}

fn describe_output(dict: &Bound<'_, PyDict>, output: &Arc<Output>) -> PyResult<()> {
    let py = dict.py();
    let actions = PyList::empty(py);
    for draft in &output.actions {
        let action = PyDict::new(py);
        action.set_item("kind", draft.kind.as_str())?;
        action.set_item("payload", to_python(py, draft.payload.as_bytes())?)?;
        actions.append(action)?;
    }
    let changes: Vec<String> = output.diff.0.iter().map(|op| format!("{op:?}")).collect();
    dict.set_item("actions", actions)?;
    dict.set_item("changes", changes)?;
    dict.set_item("output", to_python(py, output.value.as_bytes())?)
}
