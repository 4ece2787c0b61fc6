//! Errors of the core as the exceptions of `live_crew.errors`.

use std::fmt::Display;

use pyo3::{
    exceptions::PyRuntimeError,
    prelude::*,
    types::{PyDict, PyList},
};

use crate::{
    engine::{CrewName, PlanError, Problem},
    runtime::RuntimeError,
};

/// An exception class of `live_crew.errors`, raised with a message.
fn raise(class: &str, message: &dyn Display) -> PyErr {
    Python::attach(|py| {
        let made = py
            .import("live_crew.errors")
            .and_then(|errors| errors.getattr(class))
            .and_then(|class| class.call1((message.to_string(),)));
        match made {
            Ok(error) => PyErr::from_value(error),
            Err(error) => error,
        }
    })
}

/// A journal cannot be read, or does not hold what was asked for.
pub(super) fn journal_error(error: &dyn Display) -> PyErr {
    raise("JournalError", error)
}

/// A transport failed.
pub(super) fn transport_error(error: &dyn Display) -> PyErr {
    raise("TransportError", error)
}

/// What stopped a session.
pub(super) fn runtime_error(_py: Python<'_>, error: &RuntimeError) -> PyErr {
    match error {
        RuntimeError::Transport(error) => transport_error(error),
        other => journal_error(other),
    }
}

/// The session is used where it must not be.
pub(super) fn misuse(message: &str) -> PyErr {
    PyRuntimeError::new_err(message.to_owned())
}

/// Crews that do not fit together, with what is wrong as data.
pub(super) fn plan_error(py: Python<'_>, error: &PlanError) -> PyErr {
    let made = || {
        let problems = PyList::empty(py);
        for problem in &error.0 {
            let dict = PyDict::new(py);
            let (crew, field) = place(problem);
            dict.set_item("crew", crew)?;
            dict.set_item("field", field)?;
            dict.set_item("message", problem.to_string())?;
            problems.append(dict)?;
        }
        let class = py.import("live_crew.errors")?.getattr("PlanError")?;
        PyResult::Ok(PyErr::from_value(class.call1((error.to_string(), problems))?))
    };
    made().unwrap_or_else(|error| error)
}

/// The crew a problem is about, and the key of its `runtime.yaml`.
fn place(problem: &Problem) -> (Option<&str>, Option<&'static str>) {
    match problem {
        Problem::DuplicateCrew { crew } => (Some(crew.as_str()), Some("crew")),
        Problem::UnknownCrew { crew, .. } => (Some(crew.as_str()), Some("needs")),
        Problem::UnknownAccess { .. } => (None, Some("context")),
        Problem::UnknownKind { crew, .. } | Problem::NeverRuns { crew } => {
            (Some(crew.as_str()), Some("triggers"))
        }
        Problem::Cycle { crews } | Problem::EndlessLoop { crews } => {
            (crews.first().map(CrewName::as_str), Some("needs"))
        }
        Problem::BadValue { crew, field, .. } => (Some(crew.as_str()), Some(field)),
        Problem::TooManyCrews { .. } => (None, Some("crews")),
    }
}
