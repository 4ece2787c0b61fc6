use std::sync::Arc;
use pyo3::prelude::*;
use crate::engine::{self, Arrived, Limits, StreamId};
#[pyclass(frozen, subclass)]
pub(super) struct Event {}
impl Event {
    pub(super) fn from_arrived(_py: Python<'_>, _s: &StreamId, _a: &Arc<Arrived>) -> PyResult<Py<Self>> { todo!() }
    pub(super) fn to_engine(&self, _py: Python<'_>, _l: &Limits) -> PyResult<(StreamId, engine::Event)> { todo!() }
}
pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> { m.add_class::<Event>() }
