use pyo3::prelude::*;
use crate::engine::Timestamp;
pub(super) fn datetime<'py>(py: Python<'py>, _ts: Timestamp) -> PyResult<Bound<'py, PyAny>> { Ok(py.None().into_bound(py)) }
