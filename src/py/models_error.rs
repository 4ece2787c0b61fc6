//! The exceptions of `live_crew.errors`, raised from Rust. They are imported when first needed.

use pyo3::{prelude::*, sync::PyOnceLock, types::PyType};

/// A model that cannot be built: `ModelError`.
pub(super) fn model_error(py: Python<'_>, message: String) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(py, &CLASS, "ModelError", message)
}

/// Something that only a mistake in live-crew can bring about: `LiveCrewError`.
pub(super) fn internal_error(py: Python<'_>, what: &str) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let message = format!("{what}; this is a mistake in live-crew, please report it");
    raise(py, &CLASS, "LiveCrewError", message)
}

fn raise(py: Python<'_>, cell: &PyOnceLock<Py<PyType>>, name: &str, message: String) -> PyErr {
    match cell.import(py, "live_crew.errors", name) {
        Ok(class) => PyErr::from_type(class.clone(), message),
        Err(error) => error,
    }
}
