use pyo3::{prelude::*, types::PyDict};
#[pyclass(frozen, subclass)]
pub(super) struct Action {}
impl Action { pub(super) fn as_answer<'py>(_a: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> { todo!() } }
pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> { m.add_class::<Action>() }
